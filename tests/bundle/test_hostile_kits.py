"""A kit that was altered on its way is refused whole, by an error that names what it is about."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirrorhub.bundle.kit.script import main as install_script
from mirrorhub.bundle.kit.script import verify
from mirrorhub.bundle.kit.words import KitError
from mirrorhub.bundle.packing import source_of, write_kit
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
def test_sixty_thousand_names(tmp_path: Path, capsys: Capture) -> None:
    """Very many members, one of them twice: that is found in no time that grows with their square."""
    names = [b"x%06d" % number for number in (*range(59_999), 59_998)]
    (tmp_path / "kit.zip").write_bytes(zip_bytes([Entry(name, b"") for name in names]))
    assert install_script([str(tmp_path / "kit.zip"), "--lang", "en"]) == 1
    assert capsys.readouterr().err == "install: x059998: is there twice\n"


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


@pytest.mark.parametrize(
    "limit",
    [
        pytest.param(None, id="small"),
        pytest.param(100_000, id="one large member", marks=pytest.mark.slow),
        pytest.param(100, id="large throughout", marks=pytest.mark.slow),
    ],
)
def test_one_other_byte_anywhere(
    limit: int | None, kit_members: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No byte of a header, of the manifest or of the directory may be another one, nor the last of any member.

    From a limit on, which is set low here, zip files have longer headers.
    """
    kit = tmp_path / "kit.zip"
    sources = [source_of(name, "", data) for name, data in kit_members.items()]
    with monkeypatch.context() as patched:
        if limit is not None:
            patched.setattr(zipfile, "ZIP64_LIMIT", limit)
        write_kit(kit, sources[0].origin, sources[1:])  # type: ignore[arg-type]
    data = kit.read_bytes()
    with zipfile.ZipFile(kit) as archive:
        infos = archive.infolist()
        bodies = [(data.index(kit_members[one.filename], one.header_offset), one.file_size) for one in infos]
    inside = {place for start, size in bodies[1:] for place in range(start, start + size - 1)}
    places = [place for place in range(len(data)) if place not in inside]
    for place in places:
        with kit.open("r+b") as file:
            file.seek(place)
            file.write(bytes([data[place] ^ 1]))
        with pytest.raises(KitError):
            verify(str(kit), None, lambda *_, **__: None)
        with kit.open("r+b") as file:
            file.seek(place)
            file.write(data[place : place + 1])
    verify(str(kit), None, lambda *_, **__: None)
