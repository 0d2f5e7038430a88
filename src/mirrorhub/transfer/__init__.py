"""From a plan to checked files, all at once. What one file needs is in `intake`; whom to ask is the chain's affair."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial as bind
from pathlib import Path
from typing import ParamSpec, TypeVar

from mirrorhub.chain import Chain
from mirrorhub.chain.beat import Beat
from mirrorhub.chain.walk import walk
from mirrorhub.diagnosis import transfer_error
from mirrorhub.faults import Failure, Fault, Hopeless, WrongDigest
from mirrorhub.lane import Body
from mirrorhub.models import Endpoint, FileEntry, Manifest, TransferReport
from mirrorhub.partials import PartialPool
from mirrorhub.plan import Plan
from mirrorhub.progress import FileProgress, Progress
from mirrorhub.spans import PIECE, Span
from mirrorhub.stopwatch import uninterrupted
from mirrorhub.stores.disk import disk_errors
from mirrorhub.together import first_error
from mirrorhub.transfer.budget import Budget
from mirrorhub.transfer.intake import Intake
from mirrorhub.transfer.lanes import Lanes
from mirrorhub.transfer.pace import Pace
from mirrorhub.transfer.piece import Nothing, Piece

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)
MIN_WEIGHT = 64 << 10
"""What a small body counts for at least, in bytes: its request costs memory, too."""
_NOT_THERE = frozenset({Fault.NO_REPO, Fault.NO_REVISION, Fault.NO_FILE, Fault.NOT_A_HUB})
"""What is answered where a file is asked for at a commit that is not known there."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A checked file that waits to be published, and how it came."""

    place: Path
    report: TransferReport


class Transfer:
    """Fetches the files of one plan."""

    def __init__(self, chain: Chain, lanes: Lanes, pool: PartialPool, manifest: Manifest) -> None:
        self._chain = chain
        self._lanes = lanes
        self._pool = pool
        self._manifest = manifest
        self._budget = Budget(lanes.streams, lanes.room)
        self._intakes: set[Intake] = set()
        self._brought = 0
        # One thread writes: the disk never holds up the loop, and nothing is written and hashed at a time.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="mirrorhub-write")
        # Another one syncs, which may take long: it holds up neither.
        self._syncer = ThreadPoolExecutor(1, thread_name_prefix="mirrorhub-sync")

    async def run(self, plan: Plan, progress: Progress, at_once: int) -> Mapping[str, Fetched]:
        """Fetch everything the plan says; return it by path.

        Raises:
            TransferError: A file did not come from anywhere; what has come stays on disk for the next call.
            StoreError: The disk refuses.
        """
        slots = asyncio.Semaphore(at_once)
        may_move = all(entry.digest is not None for entry in plan.fetch)
        pace = Pace(self._chain, self._lanes, self._budget, lambda: self._left(plan), may_move=may_move)
        watching = asyncio.ensure_future(pace.watch())

        fetched: dict[str, Fetched] = {}
        whole = False

        async def one(entry: FileEntry) -> None:
            try:
                fetched[entry.path] = await self._fetch(entry, progress.file(entry.path, entry.size))
            finally:
                slots.release()

        try:
            async with asyncio.TaskGroup() as group:
                for entry in sorted(plan.fetch, key=_is_large):
                    # Before the task is made: twenty thousand that only wait would cost as much as their files.
                    await slots.acquire()
                    group.create_task(one(entry))
            whole = True
        except BaseExceptionGroup as errors:
            raise first_error(errors) from None
        finally:
            watching.cancel()
            self._writer.shutdown(wait=True)
            self._syncer.shutdown(wait=True)
            if not whole:
                self._pool.forget_unknown()
        return fetched

    def _left(self, plan: Plan) -> int:
        """How many bytes are still to come: of those that came in vain none counts, and of those on disk each does."""
        return plan.size - self._brought - sum(intake.pieces.held for intake in self._intakes)

    async def _fetch(self, entry: FileEntry, progress: FileProgress) -> Fetched:
        intake = Intake(self._chain, self._pool, entry, progress, self._write, self._sync)
        self._intakes.add(intake)
        with disk_errors(self._pool.home):
            try:
                place = await intake.begin() or await self._bring(entry, intake)
                self._brought += entry.size or 0
            finally:
                self._intakes.discard(intake)
                if intake.holds_anything:
                    # A cancelled call, too, leaves its bytes for the next one.
                    await uninterrupted(intake.leave())
        progress.end()
        report = intake.report()
        self._chain.logbook.files.append(report)
        return Fetched(place, report)

    async def _bring(self, entry: FileEntry, intake: Intake) -> Path:
        """Fetch a file in pieces; whole, and from one endpoint, where it is small or its pieces did not fit."""
        wrong: list[tuple[Endpoint, Failure]] = []
        while intake.comes_in_pieces:
            while intake.pieces.lack_bytes:
                await self._bring_pieces(entry, intake, wrong)
            try:
                return await intake.settle()
            except WrongDigest as failure:
                convicted = self._chain.convict(intake.culprit, entry.path, failure.message)
                wrong += [(endpoint, failure) for endpoint in convicted]
            except Failure as failure:
                log.info("%s: %s", entry.path, failure.message)
        whole = intake.pieces.as_one()

        async def use(endpoint: Endpoint, body: Body) -> Path:
            await intake.take(whole, endpoint, body)
            return await intake.settle()

        async with self._budget.room(_weight(entry.size)):
            return await self._walk(entry, intake, whole, use, wrong)

    async def _bring_pieces(self, entry: FileEntry, intake: Intake, wrong: Sequence[tuple[Endpoint, Failure]]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                await self._begin_pieces(entry, intake, wrong, group)
        except BaseExceptionGroup as errors:
            raise first_error(errors) from None

    async def _begin_pieces(
        self, entry: FileEntry, intake: Intake, wrong: Sequence[tuple[Endpoint, Failure]], group: asyncio.TaskGroup
    ) -> None:
        begun = 0
        await self._budget.enter(length := self._lanes.piece)
        while (piece := intake.pieces.next(length)) is not None:
            task = group.create_task(self._bring_piece(entry, intake, piece, length, wrong))
            begun += 1
            if begun >= self._lanes.blind_pieces:
                # The first answer shows whether pieces are to be had here at all.
                await _either(task, intake.opened)
            await self._budget.enter(length := self._lanes.piece)
        self._budget.leave(length)

    async def _bring_piece(
        self, entry: FileEntry, intake: Intake, piece: Piece, room: int, wrong: Sequence[tuple[Endpoint, Failure]]
    ) -> None:
        try:
            await self._walk(entry, intake, piece, bind(intake.take, piece), wrong)
        finally:
            self._budget.leave(room)

    async def _walk(
        self,
        entry: FileEntry,
        intake: Intake,
        piece: Piece,
        use: Callable[[Endpoint, Body], Awaitable[T]],
        wrong: Sequence[tuple[Endpoint, Failure]],
    ) -> T:
        try:
            return await walk(
                self._chain,
                entry.path,
                ask=bind(self._ask, entry, intake, piece),
                use=use,
                endpoints=self._pullers(entry),
                discard=_close,
                gained=lambda: piece.furthest,
                vouched=entry.digest is not None,
                told=not intake.opened.is_set(),
            )
        except Hopeless as hopeless:
            failures = Hopeless([*wrong, *hopeless.failures])
            standing = self._lanes.contacts.token_standing
            raise transfer_error(self._manifest, entry, failures, self._chain.attempts, standing) from None

    async def _ask(self, entry: FileEntry, intake: Intake, piece: Piece, endpoint: Endpoint, beat: Beat) -> Body:
        span = intake.pieces.wanted(piece, endpoint)
        if piece.is_there:
            beat.answer()
            return Nothing(Span(piece.at, piece.at))
        lane, contacts = self._lanes.lightest(endpoint), self._lanes.contacts
        open_at = bind(self._lanes.hub(endpoint).open, lane, self._manifest.repo)
        commit, *name = contacts.revisions(endpoint, self._manifest, entry)
        try:
            return await open_at(commit, entry, span, beat)
        except Failure as failure:
            if not name or failure.fault not in _NOT_THERE:
                raise
            contacts.does_not_know(endpoint, commit)
        return await open_at(name[0], entry, span, beat)

    def _pullers(self, entry: FileEntry) -> Sequence[Endpoint]:
        """Whoever may give the bytes: anybody where the digest is known, else only who vouched for the listing."""
        if entry.digest is not None:
            return self._chain.pullers
        return [endpoint for endpoint in self._chain.endpoints if str(endpoint) == self._manifest.vouched_by.name]

    async def _write(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, bind(work, *args, **kwargs))

    async def _sync(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._syncer, bind(work, *args, **kwargs))


async def _close(body: Body) -> None:
    await body.aclose()


async def _either(task: asyncio.Task[None], event: asyncio.Event) -> None:
    """Wait for the end of a task or for an event, whichever comes first."""
    happened = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait([task, happened], return_when=asyncio.FIRST_COMPLETED)
    finally:
        happened.cancel()


def _is_large(entry: FileEntry) -> bool:
    """Small files go first, all in one burst; the pieces of large ones keep the line busy after it."""
    return entry.size is None or entry.size > PIECE


def _weight(size: int | None) -> int:
    """How much room a whole body needs: what may be read ahead of it, which is no more for one that is larger."""
    return PIECE if size is None else min(max(size, MIN_WEIGHT), PIECE)
