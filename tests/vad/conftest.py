"""The detector on the real model, and what it is tried on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirrorhub.vad import Scores, Vad
from tests.vad.signals import SIGNALS

_EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def vad(model_dir: Path) -> Vad:
    return Vad(model_dir)


@pytest.fixture(scope="session")
def classroom() -> Path:
    return _EXAMPLES / "classroom.flac"


@pytest.fixture(scope="session")
def speech(classroom: Path) -> np.ndarray:
    """Two sentences in int16 at 16 kHz, a second and a half of room noise before, between and after them."""
    samples, _ = soundfile.read(classroom, dtype="int16", frames=13 * 16000)
    room = np.tile(samples[:8000], 3)
    return np.concatenate([room, samples[14000:90000], room, samples[98000:120000], room])


@pytest.fixture(scope="session")
def reference() -> dict[str, dict[str, list[list[int]]]]:
    """The original's segments: parameter set, signal, [start, end]."""
    return json.loads(Path(__file__).with_name("reference.json").read_text())["segments"]


@pytest.fixture(scope="session")
def all_scores(vad: Vad, classroom: Path) -> dict[str, Scores]:
    scores = {name: vad.scores((make(), 16000)) for name, make in SIGNALS.items()}
    return scores | {"classroom.flac": vad.scores(classroom)}
