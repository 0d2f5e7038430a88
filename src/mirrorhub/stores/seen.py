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
import secrets
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from mirrorhub.paths import OWN_FOLDER, file_name
from mirrorhub.stores.disk import write_whole

SMALL = 1 << 20
"""Files of this size in bytes and more are synced before they are published: their stamps outlive a loss of power."""
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
        self._folder = home / OWN_FOLDER / "seen"

    def read(self, revision: str, mark: str) -> dict[str, Stamp]:
        """Return the stamps that were found right; none where the book is of another state of the note."""
        try:
            raw = json.loads(self._path(revision).read_bytes())
            stamps = raw["stamps"] if raw["mark"] == mark else {}
            return {str(path): (int(stamp[0]), int(stamp[1])) for path, stamp in stamps.items()}
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return {}

    def write(self, revision: str, mark: str, stamps: Mapping[str, Stamp]) -> None:
        """Write the stamps down where that can be done: a cache that is read-only is hashed each time."""
        record = json.dumps({"mark": mark, "stamps": stamps}, ensure_ascii=False).encode()
        with suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            write_whole(self._path(revision), record, private=True)
            for path in sorted(self._books(revision), key=_written_at, reverse=True)[_MACHINES:]:
                path.unlink(missing_ok=True)

    def forget(self, revision: str) -> None:
        """Remove all books of a revision."""
        for path in self._books(revision):
            with suppress(OSError):
                path.unlink(missing_ok=True)
        with suppress(OSError):
            self._folder.rmdir()

    def _path(self, revision: str) -> Path:
        return self._folder / f"{file_name(revision)}.{boot_name()}.json"

    def _books(self, revision: str) -> list[Path]:
        name = file_name(revision)
        # The boot has no dot in it: another revision may go on with one where this one ends.
        return [path for path in _children(self._folder) if path.name.rsplit(".", 2)[0] == name]


def _children(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
