"""Files without a buffer: a write takes all of the bytes or fails, and is on the medium once it is synced."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from io import RawIOBase
from pathlib import Path

SYNCED = 1 << 20
"""Bytes from which on a file is synced before anything is said of it."""


def opened(path: Path, *flags: int) -> RawIOBase:
    """Open a file to read and write, and make it where it is not there.

    Raises:
        OSError: The disk refuses.
    """
    number = os.open(path, sum(flags, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)), 0o666)
    return os.fdopen(number, "r+b", buffering=0)


def new_file(name: str) -> int:
    """Make a file that nobody else has made; return its descriptor.

    Raises:
        OSError: It is there, its folder is not, or the disk refuses.
    """
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)


def write_all(file: RawIOBase, data: bytes) -> None:
    """Write all of it: a full disk takes a part first, and says so only by its count.

    Nothing is buffered, so that a file whose disk is full can be closed.

    Raises:
        OSError: The disk refuses.
    """
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def sync(file: RawIOBase) -> None:
    """Wait until what was written is on the medium.

    Raises:
        OSError: The disk refuses: it may not be there.
    """
    # Not on every system; where it is not, the file's times are synced, too.
    getattr(os, "fdatasync", os.fsync)(file.fileno())


def copy_whole(source: Path, goal: Path) -> None:
    """Copy a file with its times, and wait until a large one is on the medium: later calls will believe its stamp.

    Raises:
        OSError: The disk refuses.
    """
    shutil.copy2(source, goal)
    if goal.stat().st_size >= SYNCED:
        with goal.open("r+b", buffering=0) as file:
            sync(file)


def allocated(path: Path) -> int:
    """Return how many bytes a file takes on disk: holes take none. 0 where there is none."""
    try:
        status = path.stat()
    except OSError:
        return 0
    # In units of 512 bytes (POSIX); some systems do not say.
    return min(status.st_size, 512 * getattr(status, "st_blocks", status.st_size))


def sync_folder(folder: Path) -> None:
    """Sync the names in a folder; some systems cannot, and some keep them in order by themselves."""
    if os.name == "nt":
        return
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
