"""Files as the system has them: a write takes all of the bytes or fails, and is on the medium once it is synced.

What is opened to be read is a file: a pipe that somebody has planted in its place would hold up the reader for ever.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from contextlib import suppress
from io import BufferedReader, RawIOBase
from pathlib import Path

SYNCED = 1 << 20
"""Bytes from which on a file is synced before anything is said of it: its stamp outlives a loss of power, too."""
NOT_THROUGH_LINKS = getattr(os, "O_NOFOLLOW", 0)
UNNOTICED = getattr(os, "O_NOATIME", 0)
_SHARE = 0x40049409  # FICLONE, ioctl_ficlonerange(2)
_READING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def to_read(path: Path, flags: int = 0) -> BufferedReader:
    """Open a file to read: neither a pipe nor a device nor a folder, and that without waiting.

    Raises:
        OSError: It is something else, is not there, or cannot be read.
    """
    number = os.open(path, _READING | flags)
    if stat.S_ISREG(os.fstat(number).st_mode):
        return os.fdopen(number, "rb")
    os.close(number)
    raise OSError(errno.EINVAL, "not a regular file", str(path))


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
    """Copy a file with its times and the mode of a new one.

    A large one is on the medium then: later calls will believe its stamp. Where the file system can share the bytes
    until one of the two is changed, it does, and nothing is copied. A hard link would share them beyond that: whoever
    edits one file in place would change the other.

    Raises:
        OSError: The disk refuses.
    """
    if not _shared(source, goal):
        shutil.copyfile(source, goal)
    status = source.stat()
    os.utime(goal, ns=(status.st_atime_ns, status.st_mtime_ns))
    if status.st_size >= SYNCED:
        with goal.open("r+b", buffering=0) as file:
            sync(file)


def _shared(source: Path, goal: Path) -> bool:
    """Let the file system share the bytes, where it can: btrfs, XFS, bcachefs."""
    if sys.platform == "linux":
        import fcntl  # there is none on Windows

        with suppress(OSError), to_read(source) as old, goal.open("wb", buffering=0) as new:
            fcntl.ioctl(new.fileno(), _SHARE, old.fileno())
            return True
    return False


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
