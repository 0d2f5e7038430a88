"""No Python that is started imports what lies in the current folder: it may be a folder of downloads."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from mirrorhub.bundle.kit.python import interpreter_of, make_venv, run_pip, versions_in
from mirrorhub.bundle.pip import Sources
from mirrorhub.bundle.pip import run_pip as collect_with_pip

SITE = {"site", "sitecustomize", "usercustomize"}


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that any module of the current folder writes when it is run; each that Python has stands there."""
    folder, ran = tmp_path / "downloads", tmp_path / "ran"
    folder.mkdir()
    for name in {*sys.stdlib_module_names, "pip"} | SITE:
        (folder / f"{name}.py").write_text(
            f"open({str(ran)!r}, 'a').write({name + ' '!r}); raise ImportError('planted')"
        )
    monkeypatch.chdir(folder)
    return ran


def told_by(ran: Path) -> str:
    """Which modules were run."""
    return ran.read_text() if ran.exists() else ""


def test_pip_of_an_environment(planted: Path) -> None:
    """Nor does the pip that installs."""
    run_pip(interpreter_of(sys.executable), sys.executable, ["--version"])
    assert told_by(planted) == ""


def test_pip_that_collects(planted: Path) -> None:
    """Nor does the pip that collects wheels."""
    collect_with_pip(["--version"], Sources())
    assert told_by(planted) == ""


def test_a_new_environment(planted: Path, tmp_path: Path) -> None:
    """Nor does the Python that makes an environment, or is asked what it has."""
    python = dataclasses.replace(interpreter_of(sys.executable), pip=True, ensurepip=False)
    inside = make_venv(python, tmp_path / "venv")
    assert versions_in(inside, ["pip"]) == {}
    assert told_by(planted) == ""


@pytest.mark.slow
def test_a_new_environment_with_pip(planted: Path, tmp_path: Path) -> None:
    """Nor does the one that puts pip into it."""
    python = interpreter_of(sys.executable)
    inside = make_venv(python, tmp_path / "venv")
    run_pip(python, inside, ["--version"])
    assert set(versions_in(inside, ["pip"])) == {"pip"}
    assert told_by(planted) == ""
