"""The kit as it lies there, a zip file or the folder that it was unpacked to: which members it has, and their bytes.

Of a zip file only the form that `mirrorhub bundle create` writes is read: stored members, one right behind the other
from the first byte to the directory, the manifest first, every field of every header as it is written there. So there
is nothing to unpack that could grow, nothing hidden between, no two names for the same bytes, and no byte that may be
another one.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from mirrorhub.bundle.kit.words import KitError
from mirrorhub.paths import path_problem, repeated, twins

MANIFEST = "manifest.json"
MAX_MEMBERS = 100_000
MAX_DIRECTORY = 32 << 20
"""Bytes of a zip file's directory: all of it is held in memory."""
BLOCK_SIZE = 1 << 20
_END, _END64, _LOCATOR, _LOCAL = b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\3\4"
_UTF8 = 0x800
_ENCRYPTED = 0x2041
_ZIP_VERSIONS = (20, 45)
_EPOCH, _EPOCH_DOS = (1980, 1, 1, 0, 0, 0), (0, 33)
_UNIX = 3
_ATTRIBUTES = (stat.S_IFREG | 0o644) << 16
_MOST_16, _MOST_32 = 0xFFFF, 0xFFFFFFFF
"""What stands in a field whose value is in the longer record."""


class Place(NamedTuple):
    """Where a member's bytes start, how many they are, and their checksum: nothing protects the manifest but that."""

    start: int
    size: int
    checksum: int


class ZipKit:
    """A kit as one zip file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file: IO[bytes] = open_regular(path)
        try:
            self._places: dict[str, Place] = dict(_places_in(self._file))
        except BaseException:
            self.close()
            raise

    def sizes(self) -> dict[str, int]:
        """Return each member's size, by its name."""
        return {name: place.size for name, place in self._places.items()}

    def blocks(self, name: str) -> Iterator[bytes]:
        """Yield a member's bytes.

        Raises:
            KitError: It is cut off, or its checksum is another one.
        """
        place, checksum = self._places[name], 0
        left = place.size
        self._file.seek(place.start)
        while left:
            block = self._file.read(min(left, BLOCK_SIZE))
            if not block:
                raise KitError("short", name)
            left -= len(block)
            checksum = zlib.crc32(block, checksum)
            yield block
        if checksum != place.checksum:
            raise KitError("checksum", name)

    def digest(self) -> str:
        """Return the sha256 of the whole file."""
        hasher = hashlib.sha256()
        self._file.seek(0)
        for block in iter(lambda: self._file.read(BLOCK_SIZE), b""):
            hasher.update(block)
        return hasher.hexdigest()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class FolderKit:
    """A kit as the folder that it was unpacked to; what else lies there is left alone, and never read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._root = Path(path)
        if (self._root / MANIFEST).is_symlink():
            raise KitError("link", MANIFEST)
        if not (self._root / MANIFEST).is_file():
            raise KitError("no_manifest", path)

    def sizes(self) -> dict[str, int]:
        """Return the size of everything that may be a member, by its name.

        Raises:
            KitError: A link or a device is among them.
        """
        found: dict[str, int] = {}
        for entry in _entries_of(self._root, ""):
            found[entry] = (self._root / entry).lstat().st_size
        return found

    def blocks(self, name: str) -> Iterator[bytes]:
        """Yield a member's bytes.

        Raises:
            KitError: It is no file.
        """
        with open_regular(str(self._root / name)) as file:
            while True:
                block = file.read(BLOCK_SIZE)
                if not block:
                    return
                yield block

    def digest(self) -> str:
        """Return nothing: a folder has no digest of its own."""
        return ""

    def close(self) -> None:
        """Nothing is open."""


def open_kit(path: str) -> ZipKit | FolderKit:
    """Open a kit.

    Raises:
        KitError: It is none.
        OSError: It cannot be read.
    """
    if not Path(path).exists():
        raise KitError("not_there", path)
    return FolderKit(path) if Path(path).is_dir() else ZipKit(path)


def open_regular(path: str) -> IO[bytes]:
    """Open a file to read, and nothing that only looks like one.

    Raises:
        KitError: It is something else.
        OSError: It cannot be read.
    """
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if stat.S_ISREG(os.fstat(number).st_mode):
        return os.fdopen(number, "rb")
    os.close(number)
    raise KitError("link", path)


def _entries_of(root: Path, below: str) -> Iterator[str]:
    """Yield what a kit may consist of: files in the folder itself, and all of `wheels` and `models`; no link."""
    for name in sorted(place.name for place in (root / below).iterdir()):
        path = f"{below}/{name}" if below else name
        mode = (root / path).lstat().st_mode
        if stat.S_ISREG(mode):
            yield path
        elif below or path in ("wheels", "models"):
            if not stat.S_ISDIR(mode):
                raise KitError("link", path)
            yield from _entries_of(root, path)


def _places_in(file: IO[bytes]) -> Iterator[tuple[str, Place]]:
    """Yield each member's name, and where its bytes are."""
    end, count = _directory_of(file)
    members = _members_of(file)
    if len(members) != count:
        raise KitError("repacked", reason="two counts of members")
    _check_lengths(file, end, members)
    _check_names(members)
    position = 0
    for member in sorted(members, key=lambda one: one.header_offset):
        if member.header_offset != position:
            raise KitError("overlaps", member.filename)
        start = position + _header_size(file, member)
        position = start + member.file_size
        yield member.filename, Place(start, member.file_size, member.CRC)
    if position != end:
        raise KitError("repacked", reason="bytes between members and directory")


def _members_of(file: IO[bytes]) -> list[zipfile.ZipInfo]:
    try:
        members = zipfile.ZipFile(file).infolist()
    except (zipfile.BadZipFile, ValueError, LookupError, NotImplementedError, struct.error) as error:
        raise KitError("repacked", reason=type(error).__name__) from error
    if len(members) > MAX_MEMBERS:
        raise KitError("too_many")
    for member in members:
        _check_member(member)
    return members


def _check_lengths(file: IO[bytes], position: int, members: list[zipfile.ZipInfo]) -> None:
    """Compare the lengths that the directory tells: what reads it takes less where less is left."""
    for member in members:
        written = (len(member.filename.encode("utf-8")), len(member.extra), 0)
        if struct.unpack("<3H", _read_at(file, position + 28, 6)) != written:
            raise KitError("repacked", member.filename, reason="lengths")
        position += 46 + sum(written)


def _check_member(member: zipfile.ZipInfo) -> None:
    name = member.orig_filename
    kind = stat.S_IFMT(member.external_attr >> 16)
    # zipfile cuts a name off at NUL, and turns the slashes of some systems.
    problem = "has a control character" if "\0" in name else path_problem(name)
    if problem or member.filename != name:
        raise KitError("name", name, reason=problem or "has other separators")
    if kind not in (0, stat.S_IFREG) or member.external_attr & 0x10:
        raise KitError("link", name)
    if member.flag_bits & _ENCRYPTED:
        raise KitError("encrypted", name)
    if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
        raise KitError("compressed", name)
    if member.flag_bits & ~_UTF8:
        raise KitError("repacked", name, reason=f"flags {member.flag_bits:#x}")
    said = (member.create_version, member.create_system, member.date_time, member.internal_attr, member.volume)
    written = (member.extract_version, _UNIX, _EPOCH, 0, 0)
    if said != written or member.extract_version not in _ZIP_VERSIONS or member.external_attr != _ATTRIBUTES:
        raise KitError("repacked", name, reason="a header of another kind")
    if member.reserved or member.comment or member.extra[:2] not in (b"", b"\1\0"):
        raise KitError("repacked", name, reason="more in its header")


def _check_names(members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    again = repeated(names)
    if again is not None:
        raise KitError("twice", again)
    both = twins(names)
    if both:
        raise KitError("twice", both[1])
    if MANIFEST not in names:
        raise KitError("no_manifest")
    if min(members, key=lambda one: one.header_offset).filename != MANIFEST:
        raise KitError("not_first", MANIFEST)


def _header_size(file: IO[bytes], member: zipfile.ZipInfo) -> int:
    """Return how long the header before a member's bytes is; it has to say the same as the directory."""
    file.seek(member.header_offset)
    fixed = file.read(30)
    if len(fixed) < 30 or fixed[:4] != _LOCAL:
        raise KitError("short", member.filename)
    *said, name_size, extra_size = struct.unpack("<5H3I2H", fixed[4:])
    name, extra = file.read(name_size), file.read(extra_size)
    size, is_long = member.file_size, bool(extra)
    sizes = (_MOST_32, _MOST_32) if is_long else (size, size)
    written = [_ZIP_VERSIONS[is_long], member.flag_bits, 0, *_EPOCH_DOS, member.CRC, *sizes]
    if name != member.filename.encode("utf-8") or said != written:
        raise KitError("repacked", member.filename, reason="two headers")
    if is_long and extra != struct.pack("<2H2Q", 1, 16, size, size):
        raise KitError("repacked", member.filename, reason="zip64")
    return 30 + len(name) + len(extra)


def _directory_of(file: IO[bytes]) -> tuple[int, int]:
    """Return where the directory starts, and how many members it lists.

    It has to be of a size that can be held, and to end with the file.
    """
    total = file.seek(0, os.SEEK_END)
    tail = _read_at(file, max(0, total - 22), 22)
    if len(tail) < 22 or tail[:4] != _END or tail[20:] != b"\0\0":
        raise KitError("no_zip")
    end = total - 22
    locator = _read_at(file, end - 20, 20) if end >= 20 else b""
    if locator[:4] == _LOCATOR:
        end -= 76
        record = _read_at(file, end, 56) if end >= 0 else b""
        count, size, start = _long_end(record, locator, end)
        written = (min(count, _MOST_16), min(size, _MOST_32), min(start, _MOST_32))
    else:
        written = count, size, start = struct.unpack("<HII", tail[10:20])
    if count > MAX_MEMBERS or size > MAX_DIRECTORY:
        raise KitError("too_many")
    if start + size != end:
        raise KitError("repacked", reason="bytes before or after the members")
    if tail[4:20] != struct.pack("<4H2I", 0, 0, written[0], *written):
        raise KitError("repacked", reason="two ends")
    return int(start), int(count)


def _long_end(record: bytes, locator: bytes, place: int) -> tuple[int, int, int]:
    """Read the end of a large kit: how many members it has, and how long its directory is and where it starts."""
    if len(record) < 56 or record[:4] != _END64:
        raise KitError("repacked", reason="zip64")
    count, size, start = struct.unpack("<QQQ", record[32:56])
    fields = (44, 45, 45, 0, 0, count)
    if record[4:32] + locator[4:] != struct.pack("<Q2H2IQIQI", *fields, 0, place, 1):
        raise KitError("repacked", reason="zip64")
    return count, size, start


def _read_at(file: IO[bytes], position: int, size: int) -> bytes:
    file.seek(position)
    return file.read(size)
