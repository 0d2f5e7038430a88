"""Programs that nobody here has written run unchanged past a dead first endpoint: by the command, and by the call.

Both SDKs' own addresses are that dead endpoint as well, as in an environment that names a mirror which has gone.
"""

from __future__ import annotations

import ast
import contextlib
import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import RefuseConnection
from tests.programs.conftest import BY_COMMAND, FSMN_VAD, MINILM, Start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
HERE = Path(__file__).parent
PATIENCE_S = 300


def environ(tmp_path: Path, first: FakeHub, hub: FakeHub) -> dict[str, str]:
    """The environment of somebody whose first endpoint is dead, on a machine where nothing is cached."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "MIRRORHUB_ENDPOINTS": f"{first.url} {hub.url}",
        "MODELSCOPE_ENDPOINT": first.url,
        "HF_ENDPOINT": first.url,
        "SSL_CERT_FILE": str(hub.ca_file),
        "REQUESTS_CA_BUNDLE": str(hub.ca_file),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


def told(python: Path, way: Sequence[str], program: str, *arguments: object, env: dict[str, str]) -> str:
    """Run a program; return the last line that it prints."""
    command = [python, *way, HERE / program, *map(str, arguments)]
    began = time.monotonic()
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    last = done.stdout.strip().splitlines()[-1]
    print(f"{program}: {last} ({time.monotonic() - began:.1f} s)")
    return last


LIGHT = {
    "transformers": ("tokenizer.py", "bert TokenizersBackend [2, 3]"),
    "tokenizers": ("tokenizers_alone.py", "[2, 3]"),
    "faster-whisper": ("whisper.py", "['config.json', 'model.bin', 'tokenizer.json', 'vocabulary.txt']"),
}


@pytest.mark.parametrize(("program", "expected"), LIGHT.values(), ids=list(LIGHT))
def test_without_torch(
    light: Path, start: Start, models: list[Repo], tmp_path: Path, program: str, expected: str
) -> None:
    """A tokenizer, by transformers and alone, and a whisper model come from the second endpoint."""
    with FakeHub(models) as hub:
        assert told(light, start.way, program, env=environ(tmp_path, start.first, hub)) == expected


def test_sentence_transformers(
    torch: Path,
    start: Start,
    embedding_files: Callable[[Path], dict[str, bytes]],
    tmp_path: Path,
) -> None:
    """A real sentence-transformers model is fetched, loaded and used."""
    with FakeHub([Repo("huggingface", MINILM, embedding_files(torch))]) as hub:
        assert told(torch, start.way, "embedding.py", env=environ(tmp_path, start.first, hub)) == "(1, 384)"


def test_a_data_set(torch: Path, start: Start, tmp_path: Path) -> None:
    """A data set is listed, fetched and read by Hugging Face's own library."""
    repo = Repo("huggingface", "org/data", {"train.csv": b"text,label\nhello,1\n"}, repo_type="dataset")
    with FakeHub([repo]) as hub:
        found = told(torch, start.way, "data_set.py", env=environ(tmp_path, start.first, hub))
    assert found == "[{'text': 'hello', 'label': 1}]"


@pytest.mark.parametrize("name", ["fsmn-vad", FSMN_VAD], ids=["short name", "full name"])
def test_funasr(torch: Path, start: Start, models: list[Repo], tmp_path: Path, wav: Path, name: str) -> None:
    """FunASR fetches its detector under either of its names, loads it and finds speech."""
    with FakeHub(models) as hub:
        segments = ast.literal_eval(
            told(torch, start.way, "funasr_vad.py", wav, name, env=environ(tmp_path, start.first, hub))
        )
    assert segments
    assert all(begin < end for begin, end in segments)


def test_the_warm_up(torch: Path, start: Start, models: list[Repo], tmp_path: Path) -> None:
    """The article's warm-up script loads its pipeline, and says so with its exit code."""
    with FakeHub(models) as hub:
        assert told(torch, start.way, "warmup_model.py", env=environ(tmp_path, start.first, hub)) == "model loaded"


def test_the_warm_up_once_more(torch: Path, models: list[Repo], tmp_path: Path) -> None:
    """Once the model is on disk, the script starts offline, and where no endpoint lives."""
    with FakeHub(models) as hub:
        env = environ(tmp_path, hub, hub)
        assert told(torch, BY_COMMAND, "warmup_model.py", env=env) == "model loaded"
    for more in {"MODELSCOPE_OFFLINE": "True"}, {}:
        assert told(torch, BY_COMMAND, "warmup_model.py", env=env | more) == "model loaded"


def test_the_warm_up_without_us(torch: Path, models: list[Repo], tmp_path: Path) -> None:
    """Without mirrorhub the same script, in the same place, fails: that is what its readers meet."""
    with FakeHub([], [RefuseConnection()], name="dead") as first, FakeHub(models) as hub:
        command = [torch, HERE / "warmup_model.py"]
        env = environ(tmp_path, first, hub)
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 1
    assert "not loaded" in done.stdout


def test_the_web_app(torch: Path, start: Start, models: list[Repo], tmp_path: Path, wav: Path) -> None:
    """The article's web page starts, answers, and detects speech for whoever uses it."""
    with FakeHub(models) as hub, web_app(torch, start.way, environ(tmp_path, start.first, hub)) as address:
        with urllib.request.urlopen(address, timeout=30) as page:
            assert "Voice activity detection" in page.read().decode()
        rows = ast.literal_eval(told(torch, [], "ask_web_app.py", address, wav, env={"HOME": str(tmp_path)}))
    assert rows
    assert all(begin < end for begin, end in rows)


@contextlib.contextmanager
def web_app(python: Path, way: Sequence[str], env: dict[str, str]) -> Iterator[str]:
    """Start the page, and give the address that it prints."""
    command = [python, "-u", *way, HERE / "web_app.py"]
    with subprocess.Popen(command, env=env | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stdout)
            yield next(match[0] for match in found if match)
        finally:
            process.terminate()
