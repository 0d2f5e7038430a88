"""What the operating system says about the disk, in our words."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mirrorhub.errors import MirrorHubError, StoreError
from mirrorhub.ours import refuse_link
from mirrorhub.owner import own_name
from mirrorhub.paths import OWN_FOLDER

_ADVICE = {
    errno.ENOSPC: "the disk is full; make room, or choose another cache directory",
    errno.EDQUOT: "the quota is used up; make room, or choose another cache directory",
    errno.EROFS: "the file system is read-only; choose another cache directory",
    errno.EACCES: "permission denied; choose a cache directory that this user may write",
    errno.EPERM: "permission denied; choose a cache directory that this user may write",
    errno.ENOTDIR: "a file is in the way of a directory",
    errno.EEXIST: "a file is in the way of a directory",
    errno.ENAMETOOLONG: "the name is longer than this file system allows",
}


_NO_FOLDER = "no directory can be made there; choose another cache directory"


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Turn what the operating system says into a StoreError.

    Raises:
        StoreError: It said something.
    """
    try:
        yield
    except (MirrorHubError, TimeoutError):
        raise
    except OSError as error:
        raise StoreError(error.errno, f"{error.filename or place}: {_advice(error)}") from error


def _advice(error: OSError) -> str:
    return _ADVICE.get(error.errno or 0, error.strerror or str(error))


def check_writable(folder: Path) -> None:
    """Find out before the first byte whether a folder can be written.

    Raises:
        StoreError: It cannot.
    """
    with disk_errors(folder):
        refuse_link(folder)
    try:
        _try_out(folder)
    except OSError as error:
        advice = _NO_FOLDER if error.errno == errno.ENOENT else _advice(error)
        raise StoreError(error.errno, f"{_refuser(folder)}: {advice}") from error


def _refuser(folder: Path) -> Path:
    """Return what refuses, by a name that a user knows: the nearest thing there; of our own folder, whose it is."""
    place = next((place for place in (folder, *folder.parents) if os.path.lexists(place)), folder)
    return place.parent if place.name == OWN_FOLDER and place.is_dir() else place


def _try_out(folder: Path) -> None:
    """Write into a folder; whoever makes room may take an empty one away between two steps."""
    for _ in range(100):
        with suppress(FileNotFoundError):
            _touch(folder)
            return
    _touch(folder)


def _touch(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # A folder of a name that nobody can know before: through no link is anything made. Left behind, it is trash.
    probe = folder / f"trash-{own_name()}"
    probe.mkdir()
    probe.rmdir()


def check_room(folder: Path, needed: int, lister: str = "") -> None:
    """Find out before the first byte whether there is room.

    Args:
        folder: Where.
        needed: Bytes.
        lister: Who says that it is so many.

    Raises:
        StoreError: There is not.
    """
    with disk_errors(folder):
        free = shutil.disk_usage(folder).free
    if free < needed:
        message = f"{folder}: {needed:,} bytes are needed and {free:,} are free; {_ADVICE[errno.ENOSPC]}"
        raise StoreError(errno.ENOSPC, f"{message} ({lister} says that it is so much)" if lister else message)


def write_whole(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write a file so that nobody sees half of it.

    Raises:
        OSError: The disk refuses.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with os.fdopen(
            os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666), "wb"
        ) as file:
            file.write(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
