"""Content digests, computed while bytes come or from a file."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from typing import Protocol

from mirrorhub.models import Digest, FileEntry
from mirrorhub.rawfile import to_read

BLOCK = 1 << 20


class Hasher(Protocol):
    """What hashlib returns, as far as it is used here."""

    def update(self, data: bytes, /) -> None:
        """Take in bytes."""

    def hexdigest(self) -> str:
        """Return the digest of all bytes so far."""


def hasher_for(digest: Digest, size: int) -> Hasher:
    r"""Start a digest of `size` bytes.

    Git's object name hashes a header with the size first: `blob <size>\0`
    (https://git-scm.com/book/en/v2/Git-Internals-Git-Objects).
    """
    if digest.algorithm == "sha256":
        return hashlib.sha256()
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


def file_matches(path: Path, entry: FileEntry) -> bool:
    """Whether a file on disk is what was vouched for; without a digest only its size can be compared.

    A file that is not there, or cannot be read, does not match.
    """
    try:
        return _matches(path, entry)
    except OSError:
        return False


def _matches(path: Path, entry: FileEntry) -> bool:
    status = path.stat()
    size = status.st_size
    if not stat.S_ISREG(status.st_mode):
        return False
    if entry.size is not None and size != entry.size:
        return False
    digest = entry.digest
    return digest is None or file_digest(path, digest, size) == digest.value


def file_digest(path: Path, digest: Digest, size: int) -> str:
    """Hash a file the way `digest` was made.

    Raises:
        OSError: It is no file, or cannot be read.
    """
    hasher = hasher_for(digest, size)
    with to_read(path) as file:
        while block := file.read(BLOCK):
            hasher.update(block)
    return hasher.hexdigest()
