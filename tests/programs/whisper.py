from pathlib import Path

from faster_whisper import download_model

print(sorted(path.name for path in Path(download_model("tiny")).iterdir()))
