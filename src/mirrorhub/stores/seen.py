"""What was hashed again since the machine started: a note that nobody may write over is kept up to date beside it.

    {home}/.mirrorhub/seen/{revision}.{boot}.json     the note's mark, and path -> stamp

After a loss of power a small file may have its size and its time and none of its bytes: files below 1 MiB are published
without waiting for the disk. So a stamp of such a file counts under the boot that it was taken under; under another one
the file is hashed once, and that is written down here. Where the system does not say which start it is, each process
counts as one. The note itself is changed by whoever holds the repository only;
what stands here is for one state of the note, and void with the next.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from mirrorhub.ours import own_part
from mirrorhub.paths import file_name
from mirrorhub.rawfile import NOT_THROUGH_LINKS, to_read
from mirrorhub.records import MAX_NUMBER, items, mapping, number, parsed
from mirrorhub.stores.disk import write_whole

Stamp = tuple[int, int]
_MACHINES = 16
"""A cache that several machines, or processes, share has a book for each; so many are kept."""


@cache
def boot_name() -> str:
    """Return a name that is the machine's from one start to the next, or at least this process's."""
    return name_of_boot(Path("/proc/sys/kernel/random/boot_id"))


def name_of_boot(told: Path) -> str:
    """Return the name that the system tells; where it tells none, a new one: no process outlives a loss of power."""
    with suppress(OSError, UnicodeDecodeError):
        name = told.read_text(encoding="ascii").strip()
        if name.replace("-", "").isalnum() and len(name) <= 64:
            return name
    return secrets.token_hex(16)


def mark_of(status: os.stat_result) -> str:
    """Name one state of a note: each is a new file."""
    return f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"


class SeenBook:
    """What was hashed again under the present boot, by revision."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def read(self, revision: str, mark: str) -> dict[str, Stamp]:
        """Return the stamps that were found right; none where the book is of another state of the note."""
        try:
            with to_read(self._path(revision), NOT_THROUGH_LINKS) as file:
                raw = parsed(file.read())
            stamps = mapping(raw["stamps"]) if raw["mark"] == mark else {}
            return {path: read_stamp(stamp) for path, stamp in stamps.items()}
        except (OSError, ValueError, LookupError):
            return {}

    def write(self, revision: str, mark: str, stamps: Mapping[str, Stamp]) -> None:
        """Write the stamps down where that can be done: a cache that is read-only is hashed each time."""
        record = json.dumps({"mark": mark, "stamps": stamps}, ensure_ascii=False).encode()
        with suppress(OSError):
            path = self._path(revision)
            path.parent.mkdir(exist_ok=True)
            write_whole(path, record, private=True)
            for book in sorted(self._books(revision), key=_written_at, reverse=True)[_MACHINES:]:
                book.unlink(missing_ok=True)

    def forget(self, revision: str) -> None:
        """Remove all books of a revision."""
        with suppress(OSError):
            for book in self._books(revision):
                book.unlink(missing_ok=True)
            self._folder().rmdir()

    def _folder(self) -> Path:
        return own_part(self._home, "seen")

    def _path(self, revision: str) -> Path:
        return self._folder() / f"{file_name(revision)}.{boot_name()}.json"

    def _books(self, revision: str) -> list[Path]:
        # The boot has no dot in it: another revision may go on with one where this one ends.
        book = re.compile(re.escape(file_name(revision)) + r"\.[0-9A-Za-z-]{1,64}\.json")
        return [path for path in self._folder().iterdir() if book.fullmatch(path.name)]


def read_stamp(raw: object) -> Stamp:
    """Read a stamp from JSON.

    Raises:
        ValueError: It is none.
    """
    size, at_ns = items(raw)
    return number(size), number(at_ns, -MAX_NUMBER)


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
