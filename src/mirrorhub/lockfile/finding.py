"""Where a project's lock file lies: between the working directory and the project's root, or home. Never beyond.

One that was found and not named is read only if nobody but this user and root can have put it there. Ownership is asked
where there is any: on POSIX.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mirrorhub.errors import ConfigError
from mirrorhub.lockfile import LOCK_NAME

FOUND = "found from the working directory"
"""Where a lock file comes from that nobody has named."""
ROOT_MARKS = (".git", "pyproject.toml")
_LINKS = 40
_ROOT = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """Who owns something on the way to a lock file, and what may be done to it.

    Attributes:
        path: What.
        owner: The user's number.
        mode: Type and permissions.
    """

    path: str
    owner: int
    mode: int


def found_lock() -> Path | None:
    """Return the lock file that holds for the working directory; None where there is none."""
    try:
        start = Path.cwd()
    except OSError:
        return None  # the working directory is gone
    return next(
        (path for folder in project_folders(start, _home()) if os.path.lexists(path := folder / LOCK_NAME)), None
    )


def new_lock() -> Path:
    """Return where a lock file belongs that is not there yet: in the project's root, else in the working directory.

    Raises:
        ConfigError: The working directory is gone.
    """
    try:
        start = Path.cwd()
    except OSError as error:
        raise ConfigError(f"the working directory cannot be used: {error.strerror}") from None
    root = project_folders(start, _home())[-1]
    return (root if _is_root(root) else start) / LOCK_NAME


def project_folders(start: Path, home: Path | None) -> Sequence[Path]:
    """Return the folders in which a lock file counts: up to the project's root or home, else the first one alone."""
    folders: list[Path] = []
    for folder in (start, *start.parents):
        folders.append(folder)
        if folder == home or _is_root(folder):
            return folders
    return folders[:1]


def refusal(path: Path) -> str | None:
    """Say why a lock file that was found must not be read, or one that is not there yet not be made; or return None.

    Raises:
        OSError: It cannot be looked at.
    """
    if os.name != "posix":
        return None
    user = getattr(os, "geteuid")()  # noqa: B009 - known to type checkers on POSIX only
    way = list(_way_to(path)) if os.path.lexists(path) else _way_to_new(path, user)
    return distrust(way, user)


def distrust(way: Sequence[Standing], user: int) -> str | None:
    """Say who else could have put a lock file there, or return None. Pure.

    Args:
        way: Folder and link, for each link that leads to it, and at last folder and file.
        user: The number of who asks.
    """
    for folder, found in zip(way[::2], way[1::2], strict=True):
        if found.owner not in (user, _ROOT):
            return f"{found.path} belongs to another user (number {found.owner})"
        if folder.mode & stat.S_IWOTH:
            return f"everybody may write in {folder.path}"
        if stat.S_ISREG(found.mode) and found.mode & stat.S_IWOTH:
            return f"everybody may write {found.path}"
    return None if stat.S_ISREG(way[-1].mode) else f"{way[-1].path} is not a regular file"


def _way_to(path: Path) -> Iterator[Standing]:
    for _ in range(_LINKS):
        yield _standing(path.parent, follow=True)
        found = _standing(path, follow=False)
        yield found
        if not stat.S_ISLNK(found.mode):
            return
        path = Path(os.path.realpath(path.parent)) / os.readlink(path)  # noqa: PTH115 - it may be relative
    raise OSError(f"{path}: links that lead in a circle")


def _way_to_new(path: Path, user: int) -> list[Standing]:
    return [_standing(path.parent, follow=True), Standing(str(path), user, stat.S_IFREG)]


def _standing(path: Path, *, follow: bool) -> Standing:
    status = path.stat() if follow else path.lstat()
    return Standing(str(path), status.st_uid, status.st_mode)


def _is_root(folder: Path) -> bool:
    return any(os.path.lexists(folder / mark) for mark in ROOT_MARKS)


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:
        return None
