"""The bytes of one file: written to their places as they come, hashed in order behind them, resumed, checked.

A large file comes in pieces, side by side and from whichever endpoint each piece is asked for; a small one whole. When
an endpoint breaks off, the next goes on where it stopped. When the digest of bytes from several endpoints is wrong,
nobody is convicted yet: the file is fetched whole from one of them, and the runs of bytes that differ convict theirs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from mirrorhub.chain import Chain
from mirrorhub.digest import BLOCK, Hasher, file_digest, hasher_for
from mirrorhub.faults import Failure, Fault, WrongDigest
from mirrorhub.lane import Body
from mirrorhub.models import Endpoint, FileEntry, Share, TransferReport
from mirrorhub.partial import Partial
from mirrorhub.partials import PartialPool
from mirrorhub.progress import FileProgress
from mirrorhub.report import TWICE
from mirrorhub.spans import PIECE, Run, Span, gaps, with_run
from mirrorhub.stopwatch import uninterrupted

log = logging.getLogger(__name__)
FLUSH = 256 << 10
"""Bytes of a slow body gathered in memory before they go to disk; a fast one's go piece by piece."""
FLUSH_S = 0.2
"""How long a body gathers at least, unless a whole piece is there."""
READ_BACK = 4 << 20
"""Bytes hashed from disk at a time: the thread that does it writes for all files."""
MAX_RUNS = 100
"""Runs of bytes of one file by one giver that a report names."""
P = ParamSpec("P")
T = TypeVar("T")


class Disk(Protocol):
    """Does something with the disk, away from the loop, one thing after the other."""

    def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Do it."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """The body of a piece of which nothing is missing."""

    span: Span
    host: str = ""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield nothing."""
        chunks: tuple[bytes, ...] = ()
        for chunk in chunks:
            yield chunk

    async def aclose(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """Bytes of several endpoints that do not fit together, kept until the right ones are there.

    Attributes:
        path: Where they are.
        runs: Which of them came in this call, and from whom.
    """

    path: Path
    runs: tuple[Run, ...]


@dataclass(slots=True, eq=False)
class Piece:
    """Bytes that are asked for together.

    Attributes:
        start: The offset of the first.
        end: The offset after the last; None where the file's size is not known.
        at: The offset of the next one to come.
        furthest: The furthest that one ever was.
        source: Who gave what is gathered.
        host: From which host.
        gathered: What has come and is not on disk yet.
        waiting: How many bytes that is.
        flushed_at: When anything was last brought to disk.
    """

    start: int
    end: int | None
    at: int
    furthest: int = 0
    source: str = ""
    host: str = ""
    gathered: list[bytes] = field(default_factory=list)
    waiting: int = 0
    flushed_at: float = field(default_factory=time.monotonic)

    def collect(self) -> bytes:
        """Take out what was gathered."""
        data = self.gathered[0] if len(self.gathered) == 1 else b"".join(self.gathered)
        self.gathered.clear()
        self.waiting = 0
        return data

    def rewind(self) -> None:
        """Begin again at the file's first byte."""
        self.start = self.at = self.furthest = 0
        self.source = ""
        self.collect()


class Intake:
    """Takes in the bytes of one file, whoever gives them.

    Attributes:
        opened: Set when the first body has begun to come.
        culprit: Who gave the bytes whose digest was wrong, where it was one alone.
    """

    def __init__(
        self, chain: Chain, pool: PartialPool, entry: FileEntry, progress: FileProgress, write: Disk, sync: Disk
    ) -> None:
        self.opened = asyncio.Event()
        self.culprit = ""
        self._chain = chain
        self._pool = pool
        self._entry = entry
        self._progress = progress
        self._write = write
        self._sync = sync
        self._confirming: asyncio.Task[None] | None = None
        self._partial = Partial(Path())
        self._open: list[Piece] = []
        self._whole: Piece | None = None
        self._sole = asyncio.Lock()  # held by a body that brings the whole file although a piece was asked for
        self._place: Path | None = None
        self._hasher = self._new_hasher()
        self._hashed = 0
        self._suspect: Suspect | None = None
        self._started = time.monotonic()
        self._given: dict[str, int] = {}
        self._hosts: dict[str, None] = {}
        self._shares: dict[tuple[str, str], list[Run]] = {}
        self._reused = 0
        self._adopted: tuple[Run, ...] = ()
        self._tries = 0

    @property
    def comes_in_pieces(self) -> bool:
        """Whether it is large, and its parts may come from different endpoints."""
        return self._may_mix and self._entry.size is not None and self._entry.size > PIECE

    @property
    def _may_mix(self) -> bool:
        return self._suspect is None and self._entry.digest is not None

    async def begin(self) -> Path | None:
        """Take up what an earlier call has left; return the file's place if that is all of it.

        Raises:
            OSError: The disk refuses.
        """
        if not self._pool.has_left(self._entry):
            self._partial = self._pool.fresh(self._entry)
            return None
        if (size := await self._write(self._pool.ready_size, self._entry)) is not None:
            self._reused = size
            self._progress.update(size)
            return self._pool.ready_path(self._entry)
        self._partial = await self._write(self._pool.claim, self._entry)
        self._reused, self._adopted = self._partial.held, tuple(self._partial.runs)
        self._progress.update(self._reused)
        if self._entry.size is not None and 0 < self._partial.front == self._entry.size:
            return await self._judge_what_was_left()
        return None

    def next_piece(self, length: int) -> Piece | None:
        """Return the next bytes, so many, that are missing and that nobody is fetching; None where there are none."""
        size = self._entry.size or 0
        taken = sorted([*self._partial.runs, *(Run(one.start, one.end or size, "") for one in self._open)])
        for start, end in gaps(taken, 0, size):
            piece = Piece(start, min(end, start + length), start)
            self._open.append(piece)
            return piece
        return None

    @property
    def held(self) -> int:
        """How many bytes of the file are there by now, resumed ones and those in memory too; none counts twice."""
        held = self._partial.held + sum(piece.waiting for piece in self._open)
        return held if self._entry.size is None else min(held, self._entry.size)

    @property
    def lacks_bytes(self) -> bool:
        """Whether some of the file is missing still."""
        return any(gaps(self._partial.runs, 0, self._entry.size or 0))

    def whole(self) -> Piece:
        """Return the file as one piece, with what is there of it."""
        self._whole = Piece(0, self._entry.size, self._partial.front)
        return self._whole

    def wanted(self, piece: Piece, endpoint: Endpoint) -> Span:
        """Return what to ask this endpoint for; all of it where its bytes must not be mixed with another's."""
        start = piece.at if self._may_mix or str(endpoint) == piece.source else 0
        return Span(start, None if piece.end == self._entry.size and start == 0 else piece.end)

    async def take(self, piece: Piece, endpoint: Endpoint, body: Body) -> None:
        """Take in a body to its end, or to the end of the piece.

        Raises:
            Failure: It broke off, was too short or too long.
            OSError: The disk refuses.
        """
        self._tries += 1
        if body.host:
            self._hosts[body.host] = None
        self.opened.set()
        if body.span.end is None and len(self._open) > 1:
            # Every piece would bring the whole file: one does, and the others see what is left for them.
            await self._take_as_sole(piece, endpoint, body)
        else:
            await self._take(piece, endpoint, body)

    def is_there(self, piece: Piece) -> bool:
        """Whether nothing of a piece is missing any more, although it was told to go on elsewhere."""
        return piece.end is not None and 0 < piece.end <= piece.at

    async def settle(self) -> Path:
        """Compare the digest of what has come, and bring the file to its place.

        Raises:
            Failure: It is not what was vouched for.
            OSError: The disk refuses.
        """
        if self._place is None:
            # Not by halves, though it be told to go on elsewhere: whoever asks next finds it settled.
            await uninterrupted(self._settle())
        assert self._place is not None
        return self._place

    async def _settle(self) -> None:
        self._place = await (self._settle_in_memory() if self._in_memory else self._settle_on_disk())

    async def _settle_on_disk(self) -> Path:
        await self._flush_all()
        if self._entry.size is not None and self._partial.front != self._entry.size:
            raise Failure(Fault.SHORT_BODY, f"has {self._partial.front:,} of {self._entry.size:,} bytes")
        if not self._partial.runs:
            await self._write(self._partial.write, 0, b"", "")  # an empty file is a file, too
        if wrong := await self._wrong_digest():
            await self._doubt(wrong)
        await self._confirmed()
        place = await self._write(self._pool.put, self._entry, self._partial)
        self._confirming = None
        self._partial.runs.clear()
        if self._suspect is not None:
            await self._write(self._convict, self._suspect, place)
        return place

    @property
    def holds_anything(self) -> bool:
        """Whether there is something to leave behind, or to clear away."""
        gathered = any(piece.gathered for piece in self._open)
        return bool(self._partial.runs or self._partial.is_open or self._suspect or gathered or self._confirming)

    async def leave(self) -> None:
        """Leave what is there for whoever comes next.

        Raises:
            OSError: The disk refuses.
        """
        if self._confirming is not None:
            await asyncio.wait([self._confirming])
        await self._write(self._release)

    def _release(self) -> None:
        for piece in self._open:
            if piece.gathered:
                start = piece.at - piece.waiting
                self._partial.note(self._partial.write(start, piece.collect(), piece.source))
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
            shares=tuple(_share(giver, runs, self._entry.size) for giver, runs in self._shares.items()),
        )

    async def _take_as_sole(self, piece: Piece, endpoint: Endpoint, body: Body) -> None:
        if self._sole.locked():
            await body.aclose()
            async with self._sole:
                if piece.end is not None and not list(gaps(self._partial.runs, piece.at, piece.end)):
                    self._drop(piece)
                    return
            raise Failure(Fault.SHORT_BODY, "gave the whole file elsewhere, and broke off")
        async with self._sole:
            await self._take(piece, endpoint, body)

    async def _take(self, piece: Piece, endpoint: Endpoint, body: Body) -> None:
        if piece not in self._open:
            self._open.append(piece)
        asked = piece.start, piece.end
        await self._align(piece, body.span, str(endpoint))
        piece.host, started = body.host, time.monotonic()
        tally = self._chain.logbook.tally(piece.source, body.host)
        try:
            async for chunk in body:
                self._chain.heard(endpoint, len(chunk))
                tally.add(len(chunk))
                await self._add(piece, chunk)
            self._check_length(piece)
        except asyncio.CancelledError:
            # Called off, or told to go on elsewhere: then what has come is another giver's than what will come.
            await self._flush(piece)
            if self._may_mix:
                self._shrink(piece, *asked)
            raise
        except Failure as failure:
            if failure.fault is Fault.LONG_BODY and not self.comes_in_pieces:
                await self._restart(piece, failure.fault)
            await self._flush(piece)
            if not self._may_mix or self._shrink(piece, *asked):
                raise
            log.info("%s: left %s, which had given the piece: %s", self._entry.path, endpoint, failure.message)
        finally:
            self._chain.logbook.gave(piece.source, started)
        if not self._in_memory:
            await self._flush(piece)
            self._drop(piece)

    def _shrink(self, piece: Piece, start: int, end: int | None) -> bool:
        """Cut a piece back to what was asked for, after a body for more of the file broke off; say if any is missing.

        The rest is for the other pieces to ask for, at once and from others.
        """
        piece.start, piece.end = start, end
        if end is None:
            return True
        missing = next(gaps(self._partial.runs, start, end), (end, end))
        piece.at = missing[0]
        return piece.at < end or end == 0

    async def _align(self, piece: Piece, span: Span, source: str) -> None:
        """Bring a piece in line with a body for it, which may begin before what is missing, and go on to its end."""
        if span.start == span.end and span.start > piece.at:
            # Asked while all of it seemed to be there, and what was there has turned out wrong since.
            raise Failure(Fault.SHORT_BODY, f"was not asked: all {span.start:,} bytes had come, and were wrong")
        if span.start > piece.at:
            raise Failure(Fault.RANGE, f"began at byte {span.start:,} instead of {piece.at:,}")
        if span.end is None:
            piece.end = self._entry.size
        if span.start != piece.at:
            if self._may_mix:
                # What is there stays; what comes once more is dropped.
                await self._flush(piece)
                piece.at = span.start
                piece.start = min(piece.start, piece.at)
            else:
                await self._restart(piece, Fault.RANGE)
        piece.source = source

    async def _add(self, piece: Piece, chunk: bytes) -> None:
        if piece.end is not None and piece.at + len(chunk) > piece.end:
            self._chain.logbook.lost(piece.source, Fault.LONG_BODY.name, len(chunk))
            raise Failure(Fault.LONG_BODY, f"gave more than the {piece.end:,} bytes that are listed or asked for")
        piece.gathered.append(chunk)
        piece.waiting += len(chunk)
        piece.at += len(chunk)
        self._given[piece.source] = self._given.get(piece.source, 0) + len(chunk)
        if piece.at > piece.furthest:
            self._progress.update(len(chunk))
            piece.furthest = piece.at
        if piece.waiting >= PIECE or (piece.waiting >= FLUSH and time.monotonic() - piece.flushed_at >= FLUSH_S):
            await self._flush(piece)

    def _check_length(self, piece: Piece) -> None:
        if piece.end is not None and piece.at < piece.end:
            raise Failure(Fault.SHORT_BODY, f"ended at byte {piece.at:,} of {piece.end:,}")

    async def _restart(self, piece: Piece, why: Fault) -> None:
        self._lose([*self._partial.runs, Run(piece.at - piece.waiting, piece.at, piece.source)], why)
        self._progress.update(-piece.at)
        self._reused = 0
        piece.rewind()
        self._hasher, self._hashed = self._new_hasher(), 0
        await self._write(self._partial.restart)

    async def _flush(self, piece: Piece) -> None:
        """Bring to disk what was gathered, as far as it is not there already."""
        start, piece.flushed_at = piece.at - piece.waiting, time.monotonic()
        data, missing = piece.collect(), 0
        for gap_start, gap_end in list(gaps(self._partial.runs, start, start + len(data))):
            missing += gap_end - gap_start
            self._note_share(piece, gap_start, gap_end)
            await uninterrupted(self._store(gap_start, data[gap_start - start : gap_end - start], piece.source))
        self._chain.logbook.lost(piece.source, TWICE, len(data) - missing)

    async def _flush_all(self) -> None:
        for piece in self._open:
            await self._flush(piece)
        self._open.clear()

    async def _store(self, start: int, data: bytes, giver: str) -> None:
        # Noted on the loop, where it is read; and noted in any case, since it is on disk.
        self._partial.note(await self._write(self._written, start, data, giver, self._partial.front))
        if self._confirming is None or self._confirming.done():
            await self._confirmed()
            if self._partial.unconfirmed:
                self._confirming = asyncio.ensure_future(self._confirm())

    async def _confirm(self) -> None:
        """Sync and confirm in a thread of its own; what is written meanwhile waits together for the next sync."""
        while self._partial.unconfirmed:
            await self._sync(self._partial.confirm)

    async def _confirmed(self) -> None:
        """Wait for what is being confirmed.

        Raises:
            OSError: The disk refused.
        """
        if self._confirming is not None:
            await self._confirming

    def _written(self, start: int, data: bytes, giver: str, front: int) -> Run:
        run = self._partial.write(start, data, giver)
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
        self._partial.hash_into(self._hasher, self._hashed, end)
        self._hashed = end

    def _drop(self, piece: Piece) -> None:
        if piece in self._open:
            self._open.remove(piece)

    @property
    def _in_memory(self) -> bool:
        """Whether the file is so small that all of it is gathered before anything is written."""
        return (
            self._whole is not None
            and not self._partial.runs
            and self._suspect is None
            and len(self._open) == 1
            and (self._hasher is not None or self._entry.digest is None)
            and self._open[0].waiting == self._open[0].at
        )

    async def _settle_in_memory(self) -> Path:
        piece = self._open.pop()
        source, end = piece.source, piece.at
        place = await self._write(self._put_in_memory, piece.collect())
        if isinstance(place, WrongDigest):
            self._chain.logbook.convicted(source, self._entry.path, 0, end)
            self._lose([Run(0, end, source)], Fault.WRONG_DIGEST)
            await self._restart(piece, Fault.WRONG_DIGEST)
            raise place
        self._note_share(piece, 0, end)
        return place

    def _put_in_memory(self, data: bytes) -> Path | WrongDigest:
        digest = self._entry.digest
        if digest is not None:
            hasher = hasher_for(digest, len(data))
            hasher.update(data)
            if (actual := hasher.hexdigest()) != digest.value:
                return WrongDigest(digest.value, actual)
        return self._pool.put_small(self._entry, data)

    async def _wrong_digest(self) -> WrongDigest | None:
        digest = self._entry.digest
        if digest is None:
            return None
        if self._hasher is None or self._hashed > self._partial.front:
            path = self._partial.folder / "data"
            actual = await self._write(file_digest, path, digest, self._partial.front)
        else:
            while self._hashed < self._partial.front:
                await self._write(self._hash_on, self._partial.front)
            actual = self._hasher.hexdigest()
        return None if actual == digest.value else WrongDigest(digest.value, actual)

    async def _doubt(self, wrong: WrongDigest) -> None:
        """Throw away what is wrong, or keep it for comparison where it is not clear who gave it.

        Raises:
            Failure: Always.
        """
        runs, adopted, self._adopted = tuple(self._partial.runs), self._adopted, ()
        self._progress.update(-self._partial.held)
        self._hasher, self._hashed = self._new_hasher(), 0
        if self._whole is not None:
            self._whole.rewind()
        # What an earlier process left may have been damaged on disk: that convicts nobody.
        if not self._reused and len({run.giver for run in runs}) == 1:
            self.culprit = runs[0].giver
            self._chain.logbook.convicted(self.culprit, self._entry.path, 0, runs[-1].end)
            self._lose(runs, Fault.WRONG_DIGEST)
            await self._write(self._partial.restart)
            raise wrong
        self._lose(runs, Fault.MIXED)
        given = tuple(Run(*span, run.giver) for run in runs for span in gaps(adopted, run.start, run.end))
        self._suspect = Suspect(await self._write(self._partial.set_aside), given)
        self._reused = 0
        raise Failure(Fault.MIXED, "bytes of several endpoints do not fit together; fetched whole from one")

    async def _judge_what_was_left(self) -> Path | None:
        """An earlier call had all bytes and did not get to compare them."""
        try:
            return await self.settle()
        except Failure:
            return None

    def _convict(self, suspect: Suspect, place: Path) -> None:
        """Compare what did not fit with what is right: runs that differ convict who gave them."""
        with suspect.path.open("rb") as wrong, place.open("rb") as right:
            for start, end, giver in suspect.runs:
                if _differs(wrong, right, start, end):
                    self._chain.convict(giver, self._entry.path, f"gave wrong bytes between {start:,} and {end:,}")
                    self._chain.logbook.convicted(giver, self._entry.path, start, end)
                    # Until here they counted for those that do not fit, which were all.
                    self._chain.logbook.lost(giver, Fault.MIXED.name, start - end)
                    self._chain.logbook.lost(giver, Fault.WRONG_DIGEST.name, end - start)
        suspect.path.unlink(missing_ok=True)
        self._suspect = None

    def _note_share(self, piece: Piece, start: int, end: int) -> None:
        """Write down who gave bytes that are kept."""
        with_run(self._shares.setdefault((piece.source, piece.host), []), Run(start, end, ""))

    def _lose(self, runs: Iterable[Run], why: Fault) -> None:
        """Write down who gave bytes that are thrown away, and why they are."""
        self._shares.clear()
        for start, end, giver in runs:
            self._chain.logbook.lost(giver, why.name, end - start)

    def _new_hasher(self) -> Hasher | None:
        """Hash on the fly; git's digest needs the size first, so without one it is made from the file."""
        digest, size = self._entry.digest, self._entry.size
        if digest is None or (size is None and digest.algorithm == "git-sha1"):
            return None
        return hasher_for(digest, size or 0)


class _Readable(Protocol):
    def seek(self, offset: int, /) -> int: ...

    def read(self, size: int, /) -> bytes: ...


def _share(giver: tuple[str, str], runs: list[Run], size: int | None) -> Share:
    """Say what one giver has given of a file."""
    given = sum(run.end - run.start for run in runs)
    kept = () if given == size else tuple((run.start, run.end) for run in runs[:MAX_RUNS])
    return Share(*giver, given, kept)


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
