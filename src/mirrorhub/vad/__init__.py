"""Voice activity detection with FSMN-VAD in numpy. Consumes a directory and audio; knows nothing of hubs.

    audio -> decode, samples, mix    mono float32 blocks at 16 kHz
          -> features                Kaldi filter bank, five frames side by side
          -> scores                  the network: P(silence) and level per 10 ms     (weights: the model's files)
          -> segments                start and end in ms                             (options: the model's parameters)

`detector.Vad` is the whole of it.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from mirrorhub.vad.detector import Vad
from mirrorhub.vad.options import Options
from mirrorhub.vad.scores import Scores
from mirrorhub.vad.segments import Segment

__all__ = ["Options", "Scores", "Segment", "Vad", "sample_path"]


def sample_path() -> Path:
    """A few seconds of speech that come with the package, to try the detector on."""
    return Path(str(resources.files(__name__) / "sample.flac"))
