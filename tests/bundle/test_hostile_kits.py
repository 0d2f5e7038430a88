"""A kit that was altered on its way is refused whole, by an error that names what it is about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mirrorhub.bundle.kit.script import main as install_script
from mirrorhub.cli import main
from tests.bundle.attacks import ATTACKS
from tests.bundle.rawzip import Entry, zip_bytes

Capture = pytest.CaptureFixture[str]


def files_below(folder: Path) -> Iterator[Path]:
    """Everything that is no folder."""
    return (path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())


@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_kit(name: str, kit_members: dict[str, bytes], tmp_path: Path, capsys: Capture) -> None:
    """It is refused with exit code 1, nothing is published, and nothing lies outside the caches."""
    attack, kit = ATTACKS[name], tmp_path / "kit.zip"
    kit.write_bytes(attack.alter(kit_members))
    before = set(files_below(tmp_path))
    assert install_script([str(kit), "--lang", "en"]) == 1
    refused = capsys.readouterr().err
    assert attack.error in refused
    assert refused.startswith("install: ")
    assert refused.count("\n") == 1
    left = [path for path in files_below(tmp_path) if path not in before]
    assert [path for path in left if ".mirrorhub/ready" not in path.as_posix()] == []
    assert [path for path in left if not path.is_relative_to(tmp_path / "ms")] == []


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_hundred_thousand_names(tmp_path: Path, capsys: Capture) -> None:
    """As many members as a kit may have, one of them twice: that is found in no time that grows with their square."""
    names = [b"x%06d" % number for number in (*range(99_999), 99_998)]
    (tmp_path / "kit.zip").write_bytes(zip_bytes([Entry(name, b"") for name in names]))
    assert install_script([str(tmp_path / "kit.zip"), "--lang", "en"]) == 1
    assert capsys.readouterr().err == "install: x099998: is there twice\n"


@pytest.mark.parametrize("name", ["altered bytes of equal size", "a bomb", "a manifest as deep as it is long"])
@pytest.mark.parametrize("command", ["verify", "install"])
def test_a_hostile_kit_and_mirrorhub(
    name: str, command: str, kit_members: dict[str, bytes], tmp_path: Path, capsys: Capture
) -> None:
    """Mirrorhub's own commands refuse the same, in the same words."""
    kit = tmp_path / "kit.zip"
    kit.write_bytes(ATTACKS[name].alter(kit_members))
    assert main(["bundle", command, str(kit)]) == 1
    assert ATTACKS[name].error in capsys.readouterr().err
    assert not (tmp_path / "ms" / "models" / "org--name" / "snapshots").exists()
