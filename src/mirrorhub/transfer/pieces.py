"""The pieces of one file as their bytes come: what to ask for next, what is there, and what a body adds to it.

Where bytes may be mixed, what is there stays, whoever gave it, and what comes once more is dropped. Where they may not,
because no digest is known or what came from several did not fit together, a body by another begins the file again.
"""

from __future__ import annotations

import time

from mirrorhub.faults import Failure, Fault
from mirrorhub.models import Endpoint, FileEntry
from mirrorhub.progress import FileProgress
from mirrorhub.report import TWICE
from mirrorhub.spans import Run, Span, gaps
from mirrorhub.stopwatch import uninterrupted
from mirrorhub.transfer.piece import Piece
from mirrorhub.transfer.provenance import Provenance
from mirrorhub.transfer.suspect import Suspect
from mirrorhub.transfer.writing import Writing


class Pieces:
    """What of one file is being fetched.

    Attributes:
        open: The pieces that somebody is fetching, or that are in memory still.
        whole: The file as one piece, once it is fetched so.
        suspect: What came from several endpoints and did not fit together; while it is kept, nothing is mixed.
    """

    def __init__(self, entry: FileEntry, writing: Writing, provenance: Provenance, progress: FileProgress) -> None:
        self.open: list[Piece] = []
        self.whole: Piece | None = None
        self.suspect: Suspect | None = None
        self._entry = entry
        self._writing = writing
        self._provenance = provenance
        self._progress = progress

    @property
    def may_mix(self) -> bool:
        """Whether bytes of several endpoints may stand beside each other: then their digest tells whether they fit."""
        return self.suspect is None and self._entry.digest is not None

    @property
    def in_memory(self) -> bool:
        """Whether the file is so small that all of it is gathered before anything is written."""
        return (
            self.whole is not None
            and not self._writing.partial.runs
            and self.suspect is None
            and len(self.open) == 1
            and (self._writing.hashes or self._entry.digest is None)
            and self.open[0].waiting == self.open[0].at
        )

    @property
    def held(self) -> int:
        """How many bytes of the file are there by now, resumed ones and those in memory too; none counts twice."""
        held = self._writing.partial.held + sum(piece.waiting for piece in self.open)
        return held if self._entry.size is None else min(held, self._entry.size)

    @property
    def lack_bytes(self) -> bool:
        """Whether some of the file is missing still."""
        return any(gaps(self._writing.partial.runs, 0, self._entry.size or 0))

    def next(self, length: int) -> Piece | None:
        """Return the next bytes, so many, that are missing and that nobody is fetching; None where there are none."""
        size = self._entry.size or 0
        taken = sorted([*self._writing.partial.runs, *(Run(one.start, one.end or size, "") for one in self.open)])
        for start, end in gaps(taken, 0, size):
            piece = Piece(start, min(end, start + length), start)
            self.open.append(piece)
            return piece
        return None

    def as_one(self) -> Piece:
        """Return the file as one piece, with what is there of it."""
        self.whole = Piece(0, self._entry.size, self._writing.partial.front)
        return self.whole

    def wanted(self, piece: Piece, endpoint: Endpoint) -> Span:
        """Return what to ask this endpoint for; all of it where its bytes must not be mixed with another's."""
        start = piece.at if self.may_mix or str(endpoint) == piece.source else 0
        return Span(start, None if piece.end == self._entry.size and start == 0 else piece.end)

    async def align(self, piece: Piece, span: Span, source: str) -> None:
        """Bring a piece in line with a body for it, which may begin before what is missing, and go on to its end.

        Raises:
            Failure: The body begins behind what is missing.
            OSError: The disk refuses.
        """
        if span.start == span.end and span.start > piece.at:
            # Asked while all of it seemed to be there, and what was there has turned out wrong since.
            raise Failure(Fault.SHORT_BODY, f"was not asked: all {span.start:,} bytes had come, and were wrong")
        if span.start > piece.at:
            raise Failure(Fault.RANGE, f"began at byte {span.start:,} instead of {piece.at:,}")
        if span.end is None:
            piece.end = self._entry.size
        if span.start != piece.at:
            if self.may_mix:
                # What is there stays; what comes once more is dropped.
                await self.flush(piece)
                piece.at = span.start
                piece.start = min(piece.start, piece.at)
            else:
                await self.restart(piece, Fault.RANGE)
        piece.source = source

    async def add(self, piece: Piece, chunk: bytes) -> None:
        """Gather bytes that have come, and bring them to disk where they are worth it.

        Raises:
            Failure: They are more than were listed or asked for.
            OSError: The disk refuses.
        """
        if piece.end is not None and piece.at + len(chunk) > piece.end:
            self._provenance.logbook.lost(piece.source, Fault.LONG_BODY.name, len(chunk))
            raise Failure(Fault.LONG_BODY, f"gave more than the {piece.end:,} bytes that are listed or asked for")
        piece.gathered.append(chunk)
        piece.waiting += len(chunk)
        piece.at += len(chunk)
        self._provenance.gave(piece.source, len(chunk))
        if piece.at > piece.furthest:
            self._progress.update(len(chunk))
            piece.furthest = piece.at
        if piece.is_due:
            await self.flush(piece)

    def shrink(self, piece: Piece, start: int, end: int | None) -> bool:
        """Cut a piece back to what was asked for, after a body for more of the file broke off; say if any is missing.

        The rest is for the other pieces to ask for, at once and from others.
        """
        piece.start, piece.end = start, end
        if end is None:
            return True
        missing = next(gaps(self._writing.partial.runs, start, end), (end, end))
        piece.at = missing[0]
        return piece.at < end or end == 0

    async def restart(self, piece: Piece, why: Fault) -> None:
        """Throw away what is there, and begin the file again.

        Raises:
            OSError: The disk refuses.
        """
        runs = self._writing.partial.runs
        self._provenance.lose([*runs, Run(piece.at - piece.waiting, piece.at, piece.source)], why)
        self._progress.update(-piece.at)
        self._provenance.reused = 0
        piece.rewind()
        self._writing.hash_afresh()
        await self._writing.write(self._writing.partial.restart)

    async def flush(self, piece: Piece) -> None:
        """Bring to disk what was gathered, as far as it is not there already.

        Raises:
            OSError: The disk refuses.
        """
        start, piece.flushed_at = piece.at - piece.waiting, time.monotonic()
        data, missing = piece.collect(), 0
        for gap_start, gap_end in list(gaps(self._writing.partial.runs, start, start + len(data))):
            missing += gap_end - gap_start
            self._provenance.kept(piece.source, piece.host, gap_start, gap_end)
            part = data[gap_start - start : gap_end - start]
            await uninterrupted(self._writing.store(gap_start, part, piece.source))
        self._provenance.logbook.lost(piece.source, TWICE, len(data) - missing)

    async def flush_all(self) -> None:
        """Bring to disk what was gathered of all pieces; none of them is open afterwards.

        Raises:
            OSError: The disk refuses.
        """
        for piece in self.open:
            await self.flush(piece)
        self.open.clear()

    def leave(self) -> None:
        """Write down, in the thread that writes, what is in memory.

        Raises:
            OSError: The disk refuses.
        """
        partial = self._writing.partial
        for piece in self.open:
            if piece.gathered:
                start = piece.at - piece.waiting
                partial.note(partial.write(start, piece.collect(), piece.source))

    def drop(self, piece: Piece) -> None:
        """Nobody is fetching a piece any more."""
        if piece in self.open:
            self.open.remove(piece)
