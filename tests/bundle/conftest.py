from __future__ import annotations

import functools
import tempfile
import zipfile
from pathlib import Path

import pytest

from mirrorhub.cli import main
from tests.bundle import FILES
from tests.bundle.attacks import zipped
from tests.fakehub import FakeHub, Repo


@functools.cache
def made() -> dict[str, bytes]:
    """Make a kit with one ModelScope model, once."""
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub, tempfile.TemporaryDirectory() as folder:
        kit = Path(folder, "kit.zip")
        arguments = ["--endpoint", hub.url, "--cache-dir", f"{folder}/cache", "-o", str(kit)]
        assert main(["bundle", "create", "org/name", *arguments]) == 0
        with zipfile.ZipFile(kit) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def kit_members(own_environment: None, capsys: pytest.CaptureFixture[str]) -> dict[str, bytes]:
    """The members of a kit with one ModelScope model, in their order."""
    members = dict(made())
    capsys.readouterr()
    return members


@pytest.fixture
def kit(kit_members: dict[str, bytes], tmp_path: Path) -> Path:
    """That kit, as a file."""
    path = tmp_path / "kit.zip"
    path.write_bytes(zipped(kit_members))
    return path
