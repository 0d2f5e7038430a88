"""The bytes of one file: taken in as they come, resumed, checked, and brought to their place.

A large file comes in pieces, side by side and from whichever endpoint each piece is asked for; a small one whole. When
an endpoint breaks off, the next goes on where it stopped. When the digest of bytes from several endpoints is wrong,
nobody is convicted yet: the file is fetched whole from one of them, and the runs of bytes that differ convict theirs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from mirrorhub.chain import Chain
from mirrorhub.digest import hasher_for
from mirrorhub.faults import Failure, Fault, WrongDigest
from mirrorhub.lane import Body
from mirrorhub.models import Endpoint, FileEntry, TransferReport
from mirrorhub.partials import PartialPool
from mirrorhub.progress import FileProgress
from mirrorhub.spans import PIECE, Run, gaps
from mirrorhub.stopwatch import uninterrupted
from mirrorhub.transfer.piece import Piece
from mirrorhub.transfer.pieces import Pieces
from mirrorhub.transfer.provenance import Provenance
from mirrorhub.transfer.suspect import Suspect
from mirrorhub.transfer.writing import Disk, Writing

log = logging.getLogger(__name__)


class Intake:
    """Takes in the bytes of one file, whoever gives them.

    Attributes:
        opened: Set when the first body has begun to come.
        culprit: Who gave the bytes whose digest was wrong, where it was one alone.
        pieces: What of the file is being fetched.
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
        self._writing = Writing(entry, write, sync)
        self._provenance = Provenance(entry, chain.logbook)
        self.pieces = Pieces(entry, self._writing, self._provenance, progress)
        self._sole = asyncio.Lock()  # held by a body that brings the whole file although a piece was asked for
        self._place: Path | None = None
        self._adopted: tuple[Run, ...] = ()

    @property
    def comes_in_pieces(self) -> bool:
        """Whether it is large, and its parts may come from different endpoints."""
        return self.pieces.may_mix and self._entry.size is not None and self._entry.size > PIECE

    @property
    def holds_anything(self) -> bool:
        """Whether there is something to leave behind, or to clear away."""
        partial, pieces = self._writing.partial, self.pieces
        gathered = any(piece.gathered for piece in pieces.open)
        return bool(partial.runs or partial.is_open or pieces.suspect or gathered or self._writing.is_confirming)

    async def begin(self) -> Path | None:
        """Take up what an earlier call has left; return the file's place if that is all of it.

        Raises:
            OSError: The disk refuses.
        """
        if not self._pool.has_left(self._entry):
            self._writing.partial = self._pool.fresh(self._entry)
            return None
        if (size := await self._writing.write(self._pool.ready_size, self._entry)) is not None:
            self._provenance.reused = size
            self._progress.update(size)
            return self._pool.ready_path(self._entry)
        partial = self._writing.partial = await self._writing.write(self._pool.claim, self._entry)
        self._provenance.reused, self._adopted = partial.held, tuple(partial.runs)
        self._progress.update(partial.held)
        if self._entry.size is not None and 0 < partial.front == self._entry.size:
            return await self._judge_what_was_left()
        return None

    async def take(self, piece: Piece, endpoint: Endpoint, body: Body) -> None:
        """Take in a body to its end, or to the end of the piece.

        Raises:
            Failure: It broke off, was too short or too long.
            OSError: The disk refuses.
        """
        self._provenance.began(body.host)
        self.opened.set()
        if body.span.end is None and len(self.pieces.open) > 1:
            # Every piece would bring the whole file: one does, and the others see what is left for them.
            await self._take_as_sole(piece, endpoint, body)
        else:
            await self._take(piece, endpoint, body)

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

    async def leave(self) -> None:
        """Leave what is there for whoever comes next.

        Raises:
            OSError: The disk refuses.
        """
        await self._writing.idle()
        await self._writing.write(self._release)

    def report(self) -> TransferReport:
        """Say how the file came."""
        return self._provenance.report()

    async def _take_as_sole(self, piece: Piece, endpoint: Endpoint, body: Body) -> None:
        if self._sole.locked():
            await body.aclose()
            async with self._sole:
                if piece.end is not None and not list(gaps(self._writing.partial.runs, piece.at, piece.end)):
                    self.pieces.drop(piece)
                    return
            raise Failure(Fault.SHORT_BODY, "gave the whole file elsewhere, and broke off")
        async with self._sole:
            await self._take(piece, endpoint, body)

    async def _take(self, piece: Piece, endpoint: Endpoint, body: Body) -> None:
        pieces = self.pieces
        if piece not in pieces.open:
            pieces.open.append(piece)
        asked = piece.start, piece.end
        await pieces.align(piece, body.span, str(endpoint))
        piece.host, started = body.host, time.monotonic()
        try:
            await self._read(piece, endpoint, body)
        except asyncio.CancelledError:
            # Called off, or told to go on elsewhere: then what has come is another giver's than what will come.
            await pieces.flush(piece)
            if pieces.may_mix:
                pieces.shrink(piece, *asked)
            raise
        except Failure as failure:
            if failure.fault is Fault.LONG_BODY and not self.comes_in_pieces:
                await pieces.restart(piece, failure.fault)
            await pieces.flush(piece)
            if not pieces.may_mix or pieces.shrink(piece, *asked):
                raise
            said = self._chain.discreet(failure.message)
            log.info("%s: left %s, which had given the piece: %s", self._entry.path, endpoint, said)
        finally:
            self._chain.logbook.gave(piece.source, started)
        if not pieces.in_memory:
            await pieces.flush(piece)
            pieces.drop(piece)

    async def _read(self, piece: Piece, endpoint: Endpoint, body: Body) -> None:
        tally = self._chain.logbook.tally(piece.source, body.host)
        async for chunk in body:
            self._chain.heard(endpoint, len(chunk))
            tally.add(len(chunk))
            await self.pieces.add(piece, chunk)
        if piece.end is not None and piece.at < piece.end:
            raise Failure(Fault.SHORT_BODY, f"ended at byte {piece.at:,} of {piece.end:,}")

    async def _settle(self) -> None:
        self._place = await (self._settle_in_memory() if self.pieces.in_memory else self._settle_on_disk())

    async def _settle_on_disk(self) -> Path:
        await self.pieces.flush_all()
        writing, partial = self._writing, self._writing.partial
        if self._entry.size is not None and partial.front != self._entry.size:
            raise Failure(Fault.SHORT_BODY, f"has {partial.front:,} of {self._entry.size:,} bytes")
        if not partial.runs:
            await writing.write(partial.write, 0, b"", "")  # an empty file is a file, too
        if wrong := await writing.wrong_digest():
            await self._doubt(wrong)
        await writing.confirmed()
        place = await writing.write(self._pool.put, self._entry, partial)
        writing.forget()
        if self.pieces.suspect is not None:
            await self._convict(self.pieces.suspect, place)
        return place

    async def _settle_in_memory(self) -> Path:
        piece = self.pieces.open.pop()
        source, end = piece.source, piece.at
        place = await self._writing.write(self._put_in_memory, piece.collect())
        if isinstance(place, WrongDigest):
            self._chain.logbook.convicted(source, self._entry.path, 0, end)
            self._provenance.lose([Run(0, end, source)], Fault.WRONG_DIGEST)
            await self.pieces.restart(piece, Fault.WRONG_DIGEST)
            raise place
        self._provenance.kept(source, piece.host, 0, end)
        return place

    def _put_in_memory(self, data: bytes) -> Path | WrongDigest:
        digest = self._entry.digest
        if digest is not None:
            hasher = hasher_for(digest, len(data))
            hasher.update(data)
            if (actual := hasher.hexdigest()) != digest.value:
                return WrongDigest(digest.value, actual)
        return self._pool.put_small(self._entry, data)

    async def _doubt(self, wrong: WrongDigest) -> None:
        """Throw away what is wrong, or keep it for comparison where it is not clear who gave it.

        Raises:
            Failure: Always.
        """
        writing, partial, provenance = self._writing, self._writing.partial, self._provenance
        runs, adopted, self._adopted = tuple(partial.runs), self._adopted, ()
        self._progress.update(-partial.held)
        writing.hash_afresh()
        if self.pieces.whole is not None:
            self.pieces.whole.rewind()
        # What an earlier process left may have been damaged on disk: that convicts nobody.
        if not provenance.reused and len({run.giver for run in runs}) == 1:
            self.culprit = runs[0].giver
            self._chain.logbook.convicted(self.culprit, self._entry.path, 0, runs[-1].end)
            provenance.lose(runs, Fault.WRONG_DIGEST)
            await writing.write(partial.restart)
            raise wrong
        provenance.lose(runs, Fault.MIXED)
        given = tuple(Run(*span, run.giver) for run in runs for span in gaps(adopted, run.start, run.end))
        self.pieces.suspect = Suspect(await writing.write(partial.set_aside), given)
        provenance.reused = 0
        raise Failure(Fault.MIXED, "bytes of several endpoints do not fit together; fetched whole from one")

    async def _judge_what_was_left(self) -> Path | None:
        """An earlier call had all bytes and did not get to compare them."""
        try:
            return await self.settle()
        except Failure:
            return None

    async def _convict(self, suspect: Suspect, place: Path) -> None:
        """Compare what did not fit with what is right: runs that differ convict who gave them."""
        for start, end, giver in await self._writing.write(suspect.wrong_runs, place):
            self._chain.convict(giver, self._entry.path, f"gave wrong bytes between {start:,} and {end:,}")
            self._chain.logbook.convicted(giver, self._entry.path, start, end)
            # Until here they counted for those that do not fit, which were all.
            self._chain.logbook.lost(giver, Fault.MIXED.name, start - end)
            self._chain.logbook.lost(giver, Fault.WRONG_DIGEST.name, end - start)
        await self._writing.write(suspect.clear)
        self.pieces.suspect = None

    def _release(self) -> None:
        self.pieces.leave()
        if self.pieces.suspect is not None:
            self.pieces.suspect.clear()
        self._pool.release(self._writing.partial)
