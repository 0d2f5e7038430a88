"""From a plan to checked files, all at once. What one file needs is in `intake`; whom to ask is the chain's affair."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial as bind
from pathlib import Path
from typing import ParamSpec, TypeVar

from mirrorhub.chain import Beat, Chain, Hopeless
from mirrorhub.diagnosis import transfer_error
from mirrorhub.intake import Intake
from mirrorhub.lane import Body
from mirrorhub.lanes import Lanes
from mirrorhub.models import Endpoint, FileEntry, Manifest, TransferReport
from mirrorhub.partials import PartialPool
from mirrorhub.plan import Plan
from mirrorhub.progress import FileProgress, Progress
from mirrorhub.stores.disk import disk_errors

P = ParamSpec("P")
T = TypeVar("T")


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
        # One thread writes: the disk never holds up the loop, and the bytes of a file stay in order.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="mirrorhub-write")

    async def run(self, plan: Plan, progress: Progress, at_once: int) -> Mapping[str, Fetched]:
        """Fetch everything the plan says; return it by path.

        Raises:
            TransferError: A file did not come from anywhere; what has come stays on disk for the next call.
            StoreError: The disk refuses.
        """
        slots = asyncio.Semaphore(at_once)

        async def one(entry: FileEntry) -> Fetched:
            async with slots:
                return await self._fetch(entry, progress.file(entry.path, entry.size))

        try:
            async with asyncio.TaskGroup() as group:
                tasks = {entry.path: group.create_task(one(entry)) for entry in plan.fetch}
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
        finally:
            self._writer.shutdown(wait=True)
        return {path: task.result() for path, task in tasks.items()}

    async def _fetch(self, entry: FileEntry, progress: FileProgress) -> Fetched:
        intake = Intake(self._chain, self._pool, entry, progress, self._write)
        with disk_errors(self._pool.home):
            try:
                place = await intake.begin() or await self._walk(entry, intake)
            finally:
                # Shielded: a cancelled call, too, leaves its bytes for the next one.
                await asyncio.shield(self._write(intake.release))
        progress.end()
        return Fetched(place, intake.report())

    async def _walk(self, entry: FileEntry, intake: Intake) -> Path:
        try:
            return await self._chain.walk(
                entry.path,
                ask=bind(self._ask, entry, intake),
                use=intake.take,
                endpoints=self._pullers(entry),
                discard=_close,
                gained=lambda: intake.furthest,
                vouched=entry.digest is not None,
            )
        except Hopeless as hopeless:
            raise transfer_error(self._manifest, entry, hopeless, self._chain.attempts) from None

    async def _ask(self, entry: FileEntry, intake: Intake, endpoint: Endpoint, beat: Beat) -> Body:
        lane, hub = self._lanes.lane(endpoint), self._lanes.hub(endpoint)
        revision = self._lanes.revision(endpoint, self._manifest)
        return await hub.open(lane, self._manifest.repo, revision, entry, intake.resume_at(endpoint), beat)

    def _pullers(self, entry: FileEntry) -> Sequence[Endpoint]:
        """Whoever may give the bytes: anybody where the digest is known, else only who vouched for the listing."""
        if entry.digest is not None:
            return [endpoint for endpoint in self._chain.endpoints if "pull" in endpoint.can]
        return [endpoint for endpoint in self._chain.endpoints if str(endpoint) == self._manifest.vouched_by.name]

    async def _write(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, bind(work, *args, **kwargs))


async def _close(body: Body) -> None:
    await body.aclose()


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Of what several files failed with, take the first: the others were called off because of it."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
