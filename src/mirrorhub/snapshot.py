"""The story of one call: what is asked for, who says what it is, what is missing, how it comes, where it lies."""

from __future__ import annotations

import asyncio
import errno
import logging
import random
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial as bind

from mirrorhub.asking import Asking, Moved, asking
from mirrorhub.config import Settings
from mirrorhub.departure import departure
from mirrorhub.doubt import Doubted, all_told, doubted, told_of
from mirrorhub.errors import ChainError, ResolutionError, StoreError, TransferError
from mirrorhub.exclusive import exclusive
from mirrorhub.http.client import Client
from mirrorhub.lookup import has_moved
from mirrorhub.models import Manifest, Snapshot, SnapshotRequest
from mirrorhub.ours import check_parts
from mirrorhub.partials import PartialPool
from mirrorhub.paths import OWN_FOLDER
from mirrorhub.plan import Plan
from mirrorhub.planning import complete, plan_for
from mirrorhub.progress import Progress
from mirrorhub.publication import publish, snapshot_of
from mirrorhub.resolver import resolve
from mirrorhub.seat import seat_for
from mirrorhub.stale import what_is_there
from mirrorhub.stopwatch import uninterrupted
from mirrorhub.stores.disk import check_room, check_writable
from mirrorhub.stores.fitting import check_fit, unfit
from mirrorhub.stores.publish import Vanished
from mirrorhub.stores.registry import Store, own_folders, store_for
from mirrorhub.strays import check_strays
from mirrorhub.transfer import Fetched, Transfer

log = logging.getLogger(__name__)
RACES = 20
"""How often another process may be faster where locks do nothing."""
RACE_PAUSE_S = 0.2
"""At most so long after each: those that race do not go on in step."""


async def fetch(request: SnapshotRequest, settings: Settings, client: Client) -> Snapshot:
    """Bring what a request asks for to disk.

    Raises:
        MirrorHubError: It could not be brought; nothing half-done is visible.
    """
    began, once_more = time.monotonic(), False
    doubts: list[Doubted] = []
    while True:
        left = settings.less(time.monotonic() - began) if once_more or doubts else settings
        try:
            return all_told(await _fetch(request, left, client, once_more=once_more), doubts)
        except Doubted as doubt:
            log.info("%s: nothing fits what %s lists; others are asked", request.repo, doubt.lister)
            doubts.append(doubt)
            settings = replace(settings, endpoints=doubt.endpoints)
        except Moved:
            log.info("%s: the branch has moved while its files came; once more", request.repo)
            once_more = True
        except ChainError as error:
            if doubts:
                raise told_of(error, doubts) from None
            raise


async def _fetch(request: SnapshotRequest, settings: Settings, client: Client, *, once_more: bool = False) -> Snapshot:
    store, began = store_for(request.repo, settings, request.local_dir), time.monotonic()
    async with asking(request, settings, client) as call:
        try:
            async with call.watch.part("resolve", ResolutionError):
                fits = bind(unfit, request, store)
                manifest = call.account.manifest = await resolve(request, settings, call.chain, call.lanes, fits)
        except ResolutionError as error:
            return await asyncio.to_thread(what_is_there, call, error)
        store = await asyncio.to_thread(seat_for, request, settings, store, manifest)
        await asyncio.to_thread(check_fit, request, store, manifest)
        await asyncio.to_thread(check_strays, request, store, manifest)
        if (plan := await complete(request, store, manifest)) is not None:
            await asyncio.to_thread(check_strays, request, store, manifest, published=True)
            return replace(snapshot_of(store, manifest, plan, {}, call.chain), seconds=call.watch.seconds)
        try:
            async with call.watch.part("lock", TransferError), _held(call, store):
                snapshot = await _bring(call, store, manifest)
        except (TransferError, StoreError) as error:
            left = settings.less(time.monotonic() - began)
            return await _otherwise(replace(call, settings=left), manifest, error, client, once_more=once_more)
        await asyncio.to_thread(check_strays, request, store, manifest, published=True)
        return replace(snapshot, lanes=call.lanes.reports(), seconds=call.watch.seconds)


async def _otherwise(
    call: Asking, manifest: Manifest, error: TransferError | StoreError, client: Client, *, once_more: bool
) -> Snapshot:
    """What was listed did not come: find out whose fault that is, begin once more, or take what is there.

    Raises:
        PinnedError: It is locked, and nobody has it.
        Moved: Something else is listed by now; Doubted, whoever listed it is not believed any more.
        MirrorHubError: Nothing of that, and nothing that will do is on disk.
    """
    if isinstance(error, TransferError):
        if (unlike := await departure(call.request, call.settings, client, error)) is not None:
            raise unlike from None
        if not once_more and await has_moved(call.request, call.settings, client, manifest, error):
            raise Moved(error) from None
    if doubt := doubted(call, manifest, error):
        raise doubt from None
    if isinstance(error, StoreError):
        raise error
    return await asyncio.to_thread(what_is_there, call, error)


async def _bring(call: Asking, store: Store, manifest: Manifest) -> Snapshot:
    """Fetch what is missing and publish it; again, if another process that no lock kept away was faster."""
    pool = PartialPool(store.home / OWN_FOLDER, own_folders(call.settings))
    for _ in range(RACES):
        plan = await call.watch.timed("plan", plan_for(call.request, store, manifest, pool))
        fetched = await call.watch.timed("transfer", _transfer(call, plan, pool, manifest))
        whole = call.request.wanted.paths is None
        publishing = asyncio.to_thread(publish, store, manifest, plan, fetched, call.account, whole=whole)
        try:
            await call.watch.timed("publish", uninterrupted(publishing))
        except Vanished as vanished:
            log.info("%s: another process has published what was here: %s", store.home, vanished)
            await asyncio.sleep(random.uniform(0, RACE_PAUSE_S))
        else:
            return snapshot_of(store, manifest, plan, fetched, call.chain)
    raise StoreError(errno.EBUSY, f"{store.home}: other processes change it, and locks do nothing there; try again")


def _held(call: Asking, store: Store) -> AbstractAsyncContextManager[None]:
    """Hold the repository's folder, once it is known that it can be written."""
    own = store.home / OWN_FOLDER
    check_writable(own)
    check_parts(store.home)
    return exclusive(own / "lock", call.settings.patience.lock_s, call.chain.logbook.locked)


async def _transfer(call: Asking, plan: Plan, pool: PartialPool, manifest: Manifest) -> Mapping[str, Fetched]:
    needed = plan.size - await asyncio.to_thread(pool.left_of, plan.fetch)
    check_room(pool.home, needed, manifest.vouched_by.name)
    call.lanes.decide(plan.size)
    counts = len(plan.wanted), len(plan.fetch)
    with Progress(call.request.watchers, str(manifest.repo), plan.size, *counts) as progress:
        return await Transfer(call.chain, call.lanes, pool, manifest).run(plan, progress, call.request.max_workers)
