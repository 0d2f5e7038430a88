"""The parts of our own folder in a repository's: where one is a link, somebody has planted it.

    {home}/.mirrorhub/notes, seen, reports, partial, ready, links, aside

A repository's folder may have come from somebody else, as an archive or a clone. Nothing is written, read or deleted
through a link in it: what it leads to may be anything of the user's.
"""

from __future__ import annotations

import errno
from pathlib import Path

from mirrorhub.errors import StoreError
from mirrorhub.paths import OWN_FOLDER

# Not the reports: no call fails because none can be kept.
_PARTS = ("notes", "seen", "partial", "ready", "links", "aside")


def own_part(home: Path, name: str) -> Path:
    """Return where a part of our own folder is, or will be.

    Raises:
        StoreError: A link stands in its place, or in our folder's.
    """
    own = home / OWN_FOLDER
    refuse_link(own)
    refuse_link(own / name)
    return own / name


def check_parts(home: Path) -> None:
    """Find out before anything is done whether our own folder is as we make it.

    Raises:
        StoreError: A link stands in the place of a part.
    """
    for name in _PARTS:
        own_part(home, name)


def refuse_link(place: Path) -> None:
    """Let nothing go through a link that somebody planted.

    Raises:
        StoreError: It is one.
    """
    if place.is_symlink():
        message = f"{place}: a symbolic link stands where a folder of the repository belongs; remove it"
        raise StoreError(errno.ELOOP, message)
