"""A project's lock file counts when a kit is made: what is locked is what is packed."""

from __future__ import annotations

import json
import tomllib
import zipfile
from pathlib import Path

import pytest

from mirrorhub.cli import main
from tests.bundle import FILES
from tests.fakehub import FakeHub, Repo

Capture = pytest.CaptureFixture[str]


@pytest.fixture(params=["found from the working directory", "named by MIRRORHUB_LOCKFILE"])
def lock(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lock file of a project that has the repository in it."""
    project = tmp_path / "home" / "project"
    (project / ".git").mkdir(parents=True)
    lock = project / "mirrorhub.lock"
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        assert main(["lock", "add", "org/name", "--endpoint", hub.url, "--file", str(lock)]) == 0
    if request.param.startswith("found"):
        monkeypatch.chdir(project)
    else:
        monkeypatch.setenv("MIRRORHUB_LOCKFILE", str(lock))
    return lock


def test_what_is_locked_is_packed(lock: Path, tmp_path: Path) -> None:
    """The kit's lock file lists what the project's does, and says that it was locked."""
    kit = tmp_path / "kit.zip"
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        assert main(["bundle", "create", "org/name", "--endpoint", hub.url, "-o", str(kit)]) == 0
    with zipfile.ZipFile(kit) as archive:
        packed = tomllib.loads(archive.read("mirrorhub.lock").decode())
        (model,) = json.loads(archive.read("manifest.json"))["models"]
    assert model["vouched_by"] == {"kind": "lock", "name": "mirrorhub.lock"}
    (theirs,), (ours,) = tomllib.loads(lock.read_text())["repository"], packed["repository"]
    names = ("name", "revision", "date", "files")
    assert [ours[name] for name in names] == [theirs[name] for name in names]
    assert main(["bundle", "verify", str(kit), "--lockfile", str(lock)]) == 0


def test_another_state_is_not_packed(lock: Path, tmp_path: Path, capsys: Capture) -> None:
    """Where the hub has something else by now there is no kit, and the difference is told."""
    kit = tmp_path / "kit.zip"
    with FakeHub([Repo("modelscope", "org/name", {"new.txt": b"new"})]) as hub:
        assert main(["bundle", "create", "org/name", "--endpoint", hub.url, "-o", str(kit)]) != 0
    assert "removed: model.bin" in capsys.readouterr().err
    assert not kit.exists()
