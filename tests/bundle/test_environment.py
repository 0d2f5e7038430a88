"""Which environment wheels go into when none is named: one in the current folder, if it is this user's own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mirrorhub.bundle.kit.python import default_python
from mirrorhub.bundle.kit.words import KitError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs owners and modes of POSIX")
NOBODY = 54321
PLACES = ("", "pyvenv.cfg", "bin", "bin/python")


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment that an earlier run has left in the current folder; none is active."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    folder = tmp_path / "kit-venv"
    (folder / "bin").mkdir(parents=True, mode=0o755)
    (folder / "pyvenv.cfg").write_text("")
    (folder / "bin" / "python").symlink_to(sys.executable)
    return folder


def test_the_one_of_an_earlier_run(venv: Path) -> None:
    """It is taken; where there is none, it is to be made."""
    assert default_python(None, None, "kit.zip") == (str(venv / "bin" / "python"), None)
    assert default_python(None, None, "other.zip") == (sys.executable, venv.with_name("other-venv"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("place", PLACES)
def test_somebody_elses(place: str, venv: Path) -> None:
    """Of another user, in whichever part, it is refused by name, unless it was named."""
    os.lchown(venv / place, NOBODY, NOBODY)
    with pytest.raises(KitError, match=r"belongs to another user.*--venv") as refused:
        default_python(None, None, "kit.zip")
    assert (refused.value.member, refused.value.code) == (str(venv / place), 2)
    assert default_python("kit-venv", None, "kit.zip") == (str(venv / "bin" / "python"), None)


@pytest.mark.parametrize("place", PLACES[:3])
def test_one_that_anybody_may_write_to(place: str, venv: Path) -> None:
    """Nor is one taken into which anybody may put something."""
    (venv / place).chmod(0o777)
    with pytest.raises(KitError, match="anybody may write to it"):
        default_python(None, None, "kit.zip")


def test_an_empty_folder_of_somebody_else(venv: Path) -> None:
    """Nor is one made where others may write meanwhile."""
    (venv / "bin" / "python").unlink()
    venv.chmod(0o777)
    with pytest.raises(KitError, match="anybody may write to it"):
        default_python(None, None, "kit.zip")
