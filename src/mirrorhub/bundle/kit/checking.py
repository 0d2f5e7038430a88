"""Every member compared with the manifest, while it is read and no further than it is long."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from mirrorhub.bundle.kit.archive import BLOCK_SIZE, MANIFEST, FolderKit, ZipKit
from mirrorhub.bundle.kit.contents import Contents, Member
from mirrorhub.bundle.kit.words import KitError


def check_members(kit: ZipKit | FolderKit, contents: Contents) -> None:
    """Compare which members there are, and their sizes, with the manifest.

    Raises:
        KitError: One is not listed, not there, or of another size.
    """
    sizes = kit.sizes()
    for member in contents.members.values():
        if member.path not in sizes:
            raise KitError("missing", member.path)
        if sizes[member.path] != member.size:
            raise KitError("size", member.path, actual=sizes[member.path], expected=member.size)
    for name in sizes:
        inside = isinstance(kit, ZipKit) or "/" in name
        if inside and name != MANIFEST and name not in contents.members:
            raise KitError("unlisted", name)


def checked_blocks(kit: ZipKit | FolderKit, member: Member) -> Iterator[bytes]:
    """Yield a member's bytes; the last of them only with the digest that is listed.

    Raises:
        KitError: There are more or fewer, or they are others.
    """
    hasher, left = hashlib.sha256(), member.size
    for block in kit.blocks(member.path):
        left -= len(block)
        if left < 0:
            raise KitError("too_long", member.path)
        hasher.update(block)
        yield block
    if left:
        raise KitError("short", member.path)
    if hasher.hexdigest() != member.sha256:
        raise KitError("digest", member.path, actual=hasher.hexdigest(), expected=member.sha256)


def is_member(place: Path, member: Member) -> bool:
    """Whether a file on the disk, and no link to one, has a member's bytes."""
    try:
        if not stat.S_ISREG(place.lstat().st_mode) or place.stat().st_size != member.size:
            return False
        hasher = hashlib.sha256()
        with place.open("rb") as file:
            for block in iter(lambda: file.read(BLOCK_SIZE), b""):
                hasher.update(block)
    except OSError:
        return False
    return hasher.hexdigest() == member.sha256


def verify_members(
    kit: ZipKit | FolderKit, contents: Contents, wanted: Callable[[Member], bool] = lambda _member: True
) -> int:
    """Read members and compare them with the manifest; return how many.

    Raises:
        KitError: One is not what is listed.
    """
    members = [member for member in contents.members.values() if wanted(member)]
    for member in members:
        for _ in checked_blocks(kit, member):
            pass
    return len(members)
