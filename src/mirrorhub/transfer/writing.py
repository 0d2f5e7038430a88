"""The bytes of one file on their way to disk: written where they belong, hashed in order behind that, then confirmed.

Writing and hashing are done by one thread, syncing by another: what is written while it syncs waits for the next time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from mirrorhub.digest import Hasher, file_digest, hasher_for
from mirrorhub.faults import WrongDigest
from mirrorhub.models import FileEntry
from mirrorhub.partial import Partial
from mirrorhub.spans import Run

READ_BACK = 4 << 20
"""Bytes hashed from disk at a time: the thread that does it writes for all files."""
P = ParamSpec("P")
T = TypeVar("T")


class Disk(Protocol):
    """Does something with the disk, away from the loop, one thing after the other."""

    def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Do it."""


class Writing:
    """One file that is being written.

    Attributes:
        partial: Where its bytes are.
        write: Does something in the thread that writes.
    """

    def __init__(self, entry: FileEntry, write: Disk, sync: Disk) -> None:
        self.partial = Partial(Path())
        self.write = write
        self._sync = sync
        self._entry = entry
        self._confirming: asyncio.Task[None] | None = None
        self._hasher = self._new_hasher()
        self._hashed = 0

    @property
    def hashes(self) -> bool:
        """Whether the digest is made as the bytes come."""
        return self._hasher is not None

    @property
    def is_confirming(self) -> bool:
        """Whether something is being confirmed, or was and nobody has asked how it ended."""
        return self._confirming is not None

    async def store(self, start: int, data: bytes, giver: str) -> None:
        """Write bytes to their place, and see that they are confirmed.

        Raises:
            OSError: The disk refuses.
        """
        # Noted on the loop, where it is read; and noted in any case, since it is on disk.
        self.partial.note(await self.write(self._written, start, data, giver, self.partial.front))
        if self._confirming is None or self._confirming.done():
            await self.confirmed()
            if self.partial.unconfirmed:
                self._confirming = asyncio.ensure_future(self._confirm())

    async def confirmed(self) -> None:
        """Wait for what is being confirmed.

        Raises:
            OSError: The disk refused.
        """
        if self._confirming is not None:
            await self._confirming

    async def idle(self) -> None:
        """Wait until nothing is being confirmed, however that ended."""
        if self._confirming is not None:
            await asyncio.wait([self._confirming])
            if not self._confirming.cancelled():
                self._confirming.exception()  # looked at: whoever waits for no more than the end does not want to know

    def forget(self) -> None:
        """The file has left for its place: nothing is here any more."""
        self._confirming = None
        self.partial.runs.clear()

    def hash_afresh(self) -> None:
        """Begin the digest again, at the file's first byte."""
        self._hasher, self._hashed = self._new_hasher(), 0

    async def wrong_digest(self) -> WrongDigest | None:
        """Compare the digest of what is there, from the file's start on; return how it is wrong, if it is.

        Raises:
            OSError: The disk refuses.
        """
        digest = self._entry.digest
        if digest is None:
            return None
        if self._hasher is None or self._hashed > self.partial.front:
            path = self.partial.folder / "data"
            actual = await self.write(file_digest, path, digest, self.partial.front)
        else:
            while self._hashed < self.partial.front:
                await self.write(self._hash_on, self.partial.front)
            actual = self._hasher.hexdigest()
        return None if actual == digest.value else WrongDigest(digest.value, actual)

    async def _confirm(self) -> None:
        """Sync and confirm in a thread of its own; what is written meanwhile waits together for the next sync."""
        while self.partial.unconfirmed:
            await self._sync(self.partial.confirm)

    def _written(self, start: int, data: bytes, giver: str, front: int) -> Run:
        run = self.partial.write(start, data, giver)
        if self._hasher is not None:
            if start == self._hashed:
                self._hasher.update(data)
                self._hashed = run.end
            elif front > self._hashed:
                self._hash_on(front)
        return run

    def _hash_on(self, front: int) -> None:
        """Hash behind the front what was written before the bytes in front of it had come."""
        assert self._hasher is not None
        end = min(front, self._hashed + READ_BACK)
        self.partial.hash_into(self._hasher, self._hashed, end)
        self._hashed = end

    def _new_hasher(self) -> Hasher | None:
        """Hash on the fly; git's digest needs the size first, so without one it is made from the file."""
        digest, size = self._entry.digest, self._entry.size
        if digest is None or (size is None and digest.algorithm == "git-sha1"):
            return None
        return hasher_for(digest, size or 0)
