"""Zip files as nobody's library writes them: every field of every header can be said, and said twice."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

REGULAR = 0o100644 << 16


@dataclass(frozen=True)
class Entry:
    """A member; what is None follows from the others.

    Attributes:
        name: As the directory says it.
        data: What stands behind the local header.
        local_name: As the local header says it.
        flags: Of both headers.
        method: 0 stored, 8 deflated.
        attributes: The external ones: Unix mode in the upper half.
        size: The uncompressed size that is told.
        offset: Where the directory says that it is.
        is_listed: It stands in the directory.
        is_there: It stands among the members.
    """

    name: bytes
    data: bytes = field(repr=False)
    local_name: bytes | None = None
    flags: int = 0
    method: int = 0
    attributes: int = REGULAR
    size: int | None = None
    offset: int | None = None
    is_listed: bool = True
    is_there: bool = True


def entries_of(members: Iterable[tuple[str, bytes]]) -> list[Entry]:
    """Return ordinary members."""
    return [Entry(name.encode(), data) for name, data in members]


def changed(entries: Sequence[Entry], name: str, **fields: object) -> list[Entry]:
    """Return the members, one of them with other fields."""
    return [replace(one, **fields) if one.name == name.encode() else one for one in entries]  # type: ignore[arg-type]


def zip_bytes(
    entries: Sequence[Entry], *, before: bytes = b"", between: bytes = b"", count: int | None = None
) -> bytes:
    """Write a zip file."""
    body, directory = bytearray(before), bytearray()
    for one in entries:
        offset = len(body) if one.offset is None else one.offset
        if one.is_there:
            body += _local(one) + one.data
        if one.is_listed:
            directory += _central(one, offset)
    body += between
    listed = sum(one.is_listed for one in entries) if count is None else count
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, listed & 0xFFFF, listed & 0xFFFF, len(directory), len(body), 0)
    return bytes(body + directory) + end


def _local(one: Entry) -> bytes:
    name = one.name if one.local_name is None else one.local_name
    return struct.pack("<4s5H3I2H", b"PK\3\4", 20, one.flags, one.method, 0, 33, *_sizes(one), len(name), 0) + name


def _central(one: Entry, offset: int) -> bytes:
    sizes = _sizes(one)
    fixed = (b"PK\1\2", 3 << 8 | 20, 20, one.flags, one.method, 0, 33, *sizes, len(one.name), 0, 0, 0, 0)
    return struct.pack("<4s6H3I5H2I", *fixed, one.attributes, offset) + one.name


def _sizes(one: Entry) -> tuple[int, int, int]:
    return zlib.crc32(one.data), len(one.data), len(one.data) if one.size is None else one.size
