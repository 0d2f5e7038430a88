"""The kit's lock file into a project, which may have one of its own."""

from __future__ import annotations

import os
from pathlib import Path

from mirrorhub.bundle.kit.archive import FolderKit, ZipKit
from mirrorhub.bundle.kit.checking import checked_blocks, is_member
from mirrorhub.bundle.kit.contents import LOCK_NAME, Contents
from mirrorhub.bundle.kit.placing import write_blocks
from mirrorhub.bundle.kit.words import KitError


def check_lock(contents: Contents, folder: Path) -> None:
    """Find out before anything is done whether the lock file can be put into a folder.

    Raises:
        KitError: Another one is there, or there is no such folder.
    """
    if LOCK_NAME not in contents.members:
        return
    place = folder / LOCK_NAME
    if not folder.is_dir():
        raise KitError("not_there", folder)
    if os.path.lexists(str(place)) and not is_member(place, contents.members[LOCK_NAME]):
        raise KitError("other_lock", place)


def place_lock(kit: ZipKit | FolderKit, contents: Contents, folder: Path) -> Path | None:
    """Put the lock file into a folder; return where it is, if the kit has one.

    Raises:
        KitError: Another one is there, or the kit's is not what is listed.
        OSError: The disk refuses.
    """
    check_lock(contents, folder)
    member = contents.members.get(LOCK_NAME)
    if member is None:
        return None
    if not is_member(folder / LOCK_NAME, member):
        write_blocks(folder / LOCK_NAME, checked_blocks(kit, member), folder)
    return folder / LOCK_NAME
