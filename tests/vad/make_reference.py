"""Compute reference.json with the original implementation.

    python tests/vad/make_reference.py MODEL_DIR

Runs in an environment of its own: funasr 1.4.16, torch 2.13.0, kaldi-native-fbank 1.23.0, soundfile.
`max_end_silence_time` is passed with every call: without it funasr replaces the model's own value by a schedule.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path

import soundfile
import yaml
from funasr import AutoModel
from funasr.models.fsmn_vad_streaming.model import VADXOptions
from signals import PARAMETERS, SIGNALS


def main(model_dir: str) -> None:
    here = Path(__file__).parent
    known = yaml.safe_load((Path(model_dir) / "config.yaml").read_text())["model_conf"]
    model = AutoModel(model=model_dir, device="cpu", disable_update=True, disable_pbar=True)
    signals = {name: make() for name, make in SIGNALS.items()}
    signals["classroom.flac"] = soundfile.read(here.parents[1] / "examples" / "classroom.flac", dtype="float32")[0]
    segments: dict[str, dict[str, object]] = {}
    for case, changes in PARAMETERS.items():
        options = known | changes
        model.model.vad_opts = VADXOptions(**options)
        fixed = {key: options[key] for key in ("max_end_silence_time", "speech_noise_thres")}
        segments[case] = {
            name: model.generate(input=signal, fs=16000, dynamic_silence=False, **fixed)[0]["value"]
            for name, signal in signals.items()
        }
    versions = {name: importlib.metadata.version(name) for name in ("funasr", "torch", "kaldi-native-fbank")}
    text = json.dumps({"versions": versions, "segments": segments}, indent=1)
    (here / "reference.json").write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
