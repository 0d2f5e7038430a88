"""How fast an endpoint's bytes come: pieces of files are asked for until enough has come, and thrown away.

What was asked for is what counts: bytes that are under way cannot be called back. So pieces are small, no more of them
are open than the line needs, and in the end no further ones are asked for.

Over one connection, far from an endpoint, too: more of them are at the full rate sooner, and not with fewer bytes; and
where they overfill a queue together, what comes is no measure of the line.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from mirrorhub.bench.rates import Arrivals
from mirrorhub.faults import UNREADABLE, Failure, Fault
from mirrorhub.lane import Body
from mirrorhub.models import FileEntry
from mirrorhub.spans import Span

PIECE, MIN_PIECE = 256 << 10, 32 << 10
"""Bytes to ask for at a time: less of them where little may be asked for."""
AHEAD = 2 * PIECE
"""Bytes that are open to begin with."""
ASKING_S = 5.0
"""After so long nothing more is asked for: a slow line needs no more bytes to be known as one."""
ENDING_S = 3.0
"""After so long again, what was asked for and has not come is given up."""
OPENING_S = 15.0
"""How long the first byte may take, redirects included."""
NEAR_S = 0.005
"""On a shorter round trip a share is enough for the rate to be full."""
STRETCH_S = 0.05
"""The shortest stretch of time that shows how much comes."""
MAX_PIECES = 160
"""Requests of one visit at most, however small the files are."""
MIN_RATIO = 4
"""Files of at least this part of the largest one's size are asked for."""


class Allowance:
    """How many bytes an endpoint may still be asked for.

    Attributes:
        reserve: What is kept for the listings of later visits.
    """

    def __init__(self, limit: int) -> None:
        self.reserve = 0
        self._limit = limit
        self._spent = 0

    @property
    def total(self) -> int:
        """What may still be asked for at all."""
        return max(0, self._limit - self._spent)

    @property
    def left(self) -> int:
        """What may still be asked for of files."""
        return max(0, self.total - self.reserve)

    def spend(self, count: int) -> None:
        """So many bytes were asked for, or came without having been."""
        self._spent += count


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a file that are asked for at a time, `size` of them."""

    entry: FileEntry
    span: Span
    size: int


def piece_size(share: int) -> int:
    """Return how many bytes to ask for at a time, where so many may be asked for in all."""
    return min(PIECE, max(MIN_PIECE, share // 8))


def pieces_of(files: list[FileEntry], size: int) -> Iterator[Piece]:
    """Cut files into pieces, over and over again."""
    while True:
        for entry in files:
            whole = entry.size or 0
            for start in range(0, whole, size):
                end = min(start + size, whole)
                yield Piece(entry, Span(start, end), end - start)


def whole_pieces(entry: FileEntry) -> Iterator[Piece]:
    """Ask for a whole file over and over again."""
    while True:
        yield Piece(entry, Span(), entry.size or 0)


Opening = Callable[[Piece], Awaitable[Body]]


@dataclass(frozen=True, slots=True)
class Course:
    """What to ask for.

    Attributes:
        pieces: One after the other.
        share: Bytes that are asked for, at about; more only while the rate grows.
        round_trip_s: Seconds to the endpoint and back.
    """

    pieces: Iterator[Piece]
    share: int
    round_trip_s: float


@dataclass(slots=True)
class Flow:
    """Bytes on their way from one endpoint.

    Attributes:
        open: Asks for a piece.
        allowance: What may be asked for.
        arrivals: What came when.
        failure: What went wrong first; from then on nothing more is asked for.
        subject: The file that it went wrong at.
        asked: Bytes that were asked for.
        cut_short: The rate was still growing when no more could be asked for.
        clock: Tells the time, in seconds.
    """

    open: Opening
    allowance: Allowance
    arrivals: Arrivals = field(default_factory=Arrivals)
    failure: Failure | None = None
    subject: str = ""
    asked: int = 0
    cut_short: bool = False
    clock: Callable[[], float] = time.monotonic

    async def first(self, piece: Piece) -> Body | None:
        """Ask for one piece alone, to see how it is answered. The caller closes the body."""
        self.spend(piece.size)
        self.arrivals.began = self.clock()
        body: Body | None = None
        with self._noting(piece):
            try:
                async with asyncio.timeout(OPENING_S):
                    body = await self.open(piece)
            except TimeoutError:
                raise Failure(Fault.READ_TIMEOUT, f"no answer within {OPENING_S:g} s") from None
        return body

    async def run(self, body: Body, piece: Piece, course: Course) -> None:
        """Take in the first body, and ask for more pieces."""
        try:
            async with asyncio.timeout(ASKING_S + ENDING_S), asyncio.TaskGroup() as group:
                group.create_task(self._take(body, piece, _Source(self, group, course)))
        except TimeoutError:
            pass  # what has come until then says enough

    async def fetch(self, piece: Piece, source: _Source) -> None:
        """Ask for a piece and take it in."""
        with self._noting(piece):
            await self._take(await self.open(piece), piece, source)

    async def _take(self, body: Body, piece: Piece, source: _Source) -> None:
        count = 0
        with self._noting(piece):
            try:
                async for chunk in body:
                    count += len(chunk)
                    self.arrivals.add(self.clock(), len(chunk))
                    if count > piece.size:
                        raise Failure(Fault.LONG_BODY, f"gave more than the {piece.size:,} bytes that were asked for")
                    source.fill()
            finally:
                await body.aclose()

    def spend(self, count: int) -> None:
        """Count bytes as asked for."""
        self.asked += count
        self.allowance.spend(count)

    @contextmanager
    def _noting(self, piece: Piece) -> Iterator[None]:
        """Note the first failure, and at which file."""
        try:
            yield
        except Exception as error:
            if not isinstance(error, Failure | UNREADABLE):
                raise
            if self.failure is None:
                self.failure = failure_of(error)
                self.subject = piece.entry.path


def failure_of(error: Exception) -> Failure:
    """Name what no rule foresaw."""
    return error if isinstance(error, Failure) else Failure(Fault.NOT_A_HUB, f"an answer cannot be read: {error!r}")


class _Source:
    """Decides when the next piece is asked for."""

    def __init__(self, flow: Flow, group: asyncio.TaskGroup, course: Course) -> None:
        self._flow = flow
        self._group = group
        self._course = course
        self._ends_at = flow.clock() + ASKING_S
        self._pieces = 1
        self._exhausted = False

    def fill(self) -> None:
        """Ask for as many pieces as the line needs to be busy until their bytes come."""
        while self._wants_more():
            piece = next(self._course.pieces, None)
            if piece is None or piece.size > self._flow.allowance.left:
                self._exhausted = True
                self._flow.cut_short = self._is_growing
                return
            self._flow.spend(piece.size)
            self._pieces += 1
            self._group.create_task(self._flow.fetch(piece, self))

    @property
    def _is_growing(self) -> bool:
        round_trip_s = self._course.round_trip_s
        return round_trip_s >= NEAR_S and self._flow.arrivals.is_growing(round_trip_s)

    def _wants_more(self) -> bool:
        flow, now = self._flow, self._flow.clock()
        if self._exhausted or self._pieces >= MAX_PIECES or flow.failure is not None or now > self._ends_at:
            return False
        # Asked for now, a byte comes a round trip later; while the rate doubles with each, four times as many are due.
        stretch_s = max(self._course.round_trip_s, STRETCH_S)
        due = 4 * stretch_s * flow.arrivals.recent_rate(now, stretch_s)
        if flow.asked - flow.arrivals.total >= max(AHEAD, due):
            return False
        return flow.asked < self._course.share or self._is_growing
