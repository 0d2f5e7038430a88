"""The bytes of one file: hashed while they come, written in order, resumed where somebody stopped, checked.

A file comes from one endpoint at a time. When that one breaks off, the next goes on where it stopped. When the digest
of bytes from several endpoints is wrong, nobody is convicted yet: the file is fetched whole from one of them, and the
runs of bytes that differ convict theirs.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from mirrorhub.chain import Chain
from mirrorhub.digest import BLOCK, Hasher, file_digest, hasher_for
from mirrorhub.faults import Failure, Fault, WrongDigest
from mirrorhub.lane import Body
from mirrorhub.models import Endpoint, FileEntry, TransferReport
from mirrorhub.partials import Partial, PartialPool
from mirrorhub.progress import FileProgress

FLUSH = 256 << 10
"""Bytes gathered in memory before they go to disk: many files come at once, and each gathers its own."""
P = ParamSpec("P")
T = TypeVar("T")


class Writer(Protocol):
    """Does something with the disk, away from the loop."""

    def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Do it."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """Bytes of several endpoints that do not fit together, kept until the right ones are there."""

    path: Path
    ranges: tuple[tuple[int, int, str], ...]


class Intake:
    """Takes in the bytes of one file, whoever gives them.

    Attributes:
        furthest: The most bytes that were there at a time.
    """

    def __init__(
        self, chain: Chain, pool: PartialPool, entry: FileEntry, progress: FileProgress, write: Writer
    ) -> None:
        self._chain = chain
        self._pool = pool
        self._entry = entry
        self._progress = progress
        self._write = write
        self._partial = Partial(Path())
        self._hasher = self._new_hasher()
        self._gathered = bytearray()
        self._source = ""
        self._suspect: Suspect | None = None
        self._started = time.monotonic()
        self._given: dict[str, int] = {}
        self._hosts: dict[str, None] = {}
        self._reused = 0
        self._tries = 0
        self.furthest = 0

    @property
    def held(self) -> int:
        """How many bytes are there, on disk and gathered."""
        return self._partial.size + len(self._gathered)

    def resume_at(self, endpoint: Endpoint) -> int:
        """Return the offset to ask this endpoint for; 0 where its bytes must not be mixed with another's."""
        mixes = self._suspect is not None or self._entry.digest is None
        return 0 if mixes and str(endpoint) != self._source else self.held

    async def begin(self) -> Path | None:
        """Take up what an earlier call has left; return the file's place if that is all of it.

        Raises:
            OSError: The disk refuses.
        """
        if await self._write(self._pool.is_ready, self._entry):
            place = self._pool.ready_path(self._entry)
            self._reused = (await self._write(place.stat)).st_size
            self._progress.update(self._reused)
            return place
        self._partial = await self._write(self._pool.claim, self._entry)
        if self._hasher is not None:
            await self._write(self._partial.hash_into, self._hasher)
        self._reused = self._partial.size
        self._progress.update(self._partial.size)
        if self._entry.size is not None and 0 < self.held == self._entry.size:
            return await self._judge_what_was_left()
        return None

    async def take(self, endpoint: Endpoint, body: Body) -> Path:
        """Take in a body to its end; return the checked file's place.

        Raises:
            Failure: It broke off, was too short or too long, or is not what was vouched for.
            OSError: The disk refuses.
        """
        self._tries += 1
        self._hosts[body.host] = None
        await self._align(body.start)
        self._source = str(endpoint)
        try:
            async for chunk in body:
                self._chain.heard(endpoint)
                await self._add(chunk)
            self._check_length()
        except Failure as failure:
            if failure.fault is Fault.LONG_BODY:
                await self._restart()
            await self._flush()
            raise
        return await self._finish()

    def release(self) -> None:
        """Leave what is there for whoever comes next."""
        if self._gathered:
            self._partial.append(bytes(self._gathered), self._source)
            self._gathered.clear()
        if self._suspect is not None:
            self._suspect.path.unlink(missing_ok=True)
        self._pool.release(self._partial)

    def report(self) -> TransferReport:
        """Say how the file came."""
        return TransferReport(
            path=self._entry.path,
            size=self._reused + sum(self._given.values()) if self._entry.size is None else self._entry.size,
            endpoints=dict(self._given),
            hosts=tuple(self._hosts),
            reused=self._reused,
            tries=self._tries,
            elapsed_s=time.monotonic() - self._started,
            verified=self._entry.digest is not None,
        )

    async def _add(self, chunk: bytes) -> None:
        size = self._entry.size
        if size is not None and self.held + len(chunk) > size:
            raise Failure(Fault.LONG_BODY, f"gave more than the {size:,} bytes that are listed")
        if self._hasher is not None:
            self._hasher.update(chunk)
        self._gathered += chunk
        self.furthest = max(self.furthest, self.held)
        self._given[self._source] = self._given.get(self._source, 0) + len(chunk)
        self._progress.update(len(chunk))
        if len(self._gathered) >= FLUSH:
            await self._flush()

    def _check_length(self) -> None:
        if self._entry.size is not None and self.held < self._entry.size:
            raise Failure(Fault.SHORT_BODY, f"ended after {self.held:,} of {self._entry.size:,} bytes")

    async def _align(self, start: int) -> None:
        """Bring what is there in line with a body that begins at `start`."""
        if start == self.held:
            return
        if start != 0:
            raise Failure(Fault.RANGE, f"began at byte {start:,} instead of {self.held:,}")
        await self._restart()

    async def _restart(self) -> None:
        self._progress.update(-self.held)
        self._reused = 0
        self._gathered.clear()
        self._hasher = self._new_hasher()
        await self._write(self._partial.restart)

    async def _flush(self) -> None:
        if self._gathered:
            data = bytes(self._gathered)
            self._gathered.clear()
            await self._write(self._partial.append, data, self._source)

    async def _finish(self) -> Path:
        """Compare the digest, and bring the file to its place."""
        if wrong := await self._wrong_digest():
            await self._doubt(wrong)
        place = await self._write(self._pool.put, self._entry, self._partial, bytes(self._gathered), self._source)
        self._gathered.clear()
        if self._suspect is not None:
            await self._write(self._convict, self._suspect, place)
        return place

    async def _wrong_digest(self) -> WrongDigest | None:
        digest = self._entry.digest
        if digest is None:
            return None
        if self._hasher is None:
            await self._flush()
            actual = await self._write(file_digest, self._partial.folder / "data", digest, self.held)
        else:
            actual = self._hasher.hexdigest()
        return None if actual == digest.value else WrongDigest(digest.value, actual)

    async def _doubt(self, wrong: WrongDigest) -> None:
        """Throw away what is wrong, or keep it for comparison where it is not clear who gave it.

        Raises:
            Failure: Always.
        """
        await self._flush()
        ranges = tuple(self._partial.ranges)
        # What an earlier process left may have been damaged on disk: that convicts nobody.
        if not self._reused and {giver for _, _, giver in ranges} <= {self._source}:
            await self._restart()
            raise wrong
        self._progress.update(-self.held)
        self._suspect = Suspect(await self._write(self._partial.set_aside), ranges)
        self._reused = 0
        self._hasher = self._new_hasher()
        raise Failure(Fault.MIXED, "bytes of several endpoints do not fit together; fetched whole from one")

    async def _judge_what_was_left(self) -> Path | None:
        """An earlier call had all bytes and did not get to compare them."""
        givers = {giver for _, _, giver in self._partial.ranges}
        self._source = next(iter(givers), "")
        try:
            return await self._finish()
        except Failure:
            return None

    def _convict(self, suspect: Suspect, place: Path) -> None:
        """Compare what did not fit with what is right: runs that differ convict who gave them."""
        with suspect.path.open("rb") as wrong, place.open("rb") as right:
            for start, end, giver in suspect.ranges:
                if _differs(wrong, right, start, end):
                    self._chain.convict(giver, self._entry.path, f"gave wrong bytes between {start:,} and {end:,}")
        suspect.path.unlink(missing_ok=True)
        self._suspect = None

    def _new_hasher(self) -> Hasher | None:
        """Hash on the fly; git's digest needs the size first, so without one it is made from the file."""
        digest, size = self._entry.digest, self._entry.size
        if digest is None or (size is None and digest.algorithm == "git-sha1"):
            return None
        return hasher_for(digest, size or 0)


class _Readable(Protocol):
    def seek(self, offset: int, /) -> int: ...

    def read(self, size: int, /) -> bytes: ...


def _differs(one: _Readable, other: _Readable, start: int, end: int) -> bool:
    one.seek(start)
    other.seek(start)
    left = end - start
    while left:
        block = min(left, BLOCK)
        if one.read(block) != other.read(block):
            return True
        left -= block
    return False
