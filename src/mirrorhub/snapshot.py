"""The story of one call: what is asked for, who says what it is, what is missing, how it comes, where it lies."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mirrorhub.chain import Chain
from mirrorhub.config import Settings
from mirrorhub.contacts import Contacts
from mirrorhub.endpoints import endpoints_for
from mirrorhub.errors import (
    AccessDeniedError,
    ChainError,
    IntegrityError,
    RepoNotFoundError,
    ResolutionError,
    RevisionNotFoundError,
    StoreError,
    TransferError,
)
from mirrorhub.exclusive import exclusive
from mirrorhub.faults import Fault
from mirrorhub.health import QUIET_S, Health
from mirrorhub.health.preference import Grade, order_to_pull, places
from mirrorhub.health.revival import see_who_lives_again
from mirrorhub.http.client import Client
from mirrorhub.lanes import EXPECTED_SIZE, Lanes
from mirrorhub.models import FileEntry, Manifest, Snapshot, SnapshotRequest
from mirrorhub.partials import PartialPool
from mirrorhub.paths import OWN_FOLDER
from mirrorhub.plan import Plan, make_plan
from mirrorhub.progress import Progress
from mirrorhub.recall import chosen_files, is_believed, remembered
from mirrorhub.report.account import Account
from mirrorhub.resolver import resolve
from mirrorhub.stopwatch import Stopwatch, uninterrupted
from mirrorhub.stores.disk import check_room, check_writable, disk_errors
from mirrorhub.stores.healing import set_damaged_aside
from mirrorhub.stores.leftovers import tidy
from mirrorhub.stores.notes import held_files, merged, stamp_of
from mirrorhub.stores.publish import Vanished, finish_interrupted
from mirrorhub.stores.registry import Store, own_folders, store_for
from mirrorhub.stores.seen import Stamp
from mirrorhub.transfer import Fetched, Transfer

log = logging.getLogger(__name__)
_OTHERWISE_LISTED = frozenset(
    fault.name for fault in (Fault.NO_FILE, Fault.SHORT_BODY, Fault.LONG_BODY, Fault.RANGE, Fault.WRONG_DIGEST)
)
"""What is said of a file that is not as it was listed."""
RACES = 5
"""How often another process may be faster where locks do nothing."""


async def fetch(request: SnapshotRequest, settings: Settings, client: Client) -> Snapshot:
    """Bring what a request asks for to disk.

    Raises:
        MirrorHubError: It could not be brought; nothing half-done is visible.
    """
    began = time.monotonic()
    try:
        return await _fetch(request, settings, client)
    except _Moved:
        log.info("%s: the branch has moved while its files came; once more", request.repo)
    settings = settings.less(time.monotonic() - began)
    try:
        return await _fetch(request, settings, client)
    except _Moved as moved:
        raise moved.error from None


async def _fetch(request: SnapshotRequest, settings: Settings, client: Client) -> Snapshot:
    store = store_for(request.repo, settings, request.local_dir)
    async with _asking(request, settings, client) as asking:
        try:
            async with asking.watch.part("resolve", ResolutionError):
                manifest = asking.account.manifest = await resolve(request, settings, asking.chain, asking.lanes)
        except ResolutionError as error:
            return await asyncio.to_thread(_what_is_there, request, settings, store, error, asking.account)
        if snapshot := await _complete(request, store, manifest, asking.chain):
            return replace(snapshot, seconds=asking.watch.seconds)
        try:
            async with asking.watch.part("lock", TransferError), _held(store, settings, asking):
                snapshot = await _bring(request, settings, store, manifest, asking)
        except TransferError as error:
            if await _has_moved(request, settings, client, manifest, error):
                raise _Moved(error) from None
            return await asyncio.to_thread(_what_is_there, request, settings, store, error, asking.account)
        return replace(snapshot, lanes=asking.lanes.reports(), seconds=asking.watch.seconds)


async def look_up(request: SnapshotRequest, settings: Settings, client: Client) -> Manifest:
    """Find out what a repository holds; fetch nothing.

    Raises:
        MirrorHubError: Nobody could say.
    """
    async with _asking(request, settings, client) as asking, asking.watch.part("resolve", ResolutionError):
        return await resolve(request, settings, asking.chain, asking.lanes)


class _Moved(Exception):  # noqa: N818 - a signal: the call begins once more
    """A branch has moved between its listing and the bodies of its files."""

    def __init__(self, error: TransferError) -> None:
        super().__init__()
        self.error = error


async def _has_moved(
    request: SnapshotRequest, settings: Settings, client: Client, manifest: Manifest, error: TransferError
) -> bool:
    """Whether something else is listed by now for a file that no endpoint gave as it was listed."""
    if error.file is None or not any(attempt.fault in _OTHERWISE_LISTED for attempt in error.attempts):
        return False
    try:
        return (await look_up(request, settings, client)).entry(error.file) != manifest.entry(error.file)
    except ResolutionError:
        return False


@dataclass(frozen=True, slots=True)
class _Asking:
    """The chain of a call, the lanes to its endpoints, its stopwatch, and the account that is given of it."""

    chain: Chain
    lanes: Lanes
    watch: Stopwatch
    account: Account


@contextlib.asynccontextmanager
async def _asking(request: SnapshotRequest, settings: Settings, client: Client) -> AsyncIterator[_Asking]:
    """What one call asks with; however it ends, it leaves its report."""
    health = Health(settings.state_dir)
    found = places(endpoints_for(request.repo, settings), health, default=settings.endpoints is None)
    chain = Chain([place.endpoint for place in found], settings.patience, settings.silence_s)
    chain.pull_in_order(order_to_pull(found))
    for place in found:
        if place.is_gone:
            chain.avoid(place.endpoint)
        if place.grade >= Grade.GONE:
            chain.spare(place.endpoint, QUIET_S)
    see_who_lives_again(found, settings, client, health, chain.welcome)
    expected = EXPECTED_SIZE if request.wanted.paths is None else 0
    lanes = Lanes(Contacts(request, settings, client, chain), chain, health, expected=expected)
    watch = Stopwatch(settings.timeout_s, chain.attempts)
    account = Account(request, settings, chain, lanes, watch)
    lanes.begin()
    try:
        yield _Asking(chain, lanes, watch, account)
    except BaseException as error:
        account.failed(error.error if isinstance(error, _Moved) else error)
        raise
    finally:
        await lanes.aclose()


async def _complete(request: SnapshotRequest, store: Store, manifest: Manifest, chain: Chain) -> Snapshot | None:
    """Return the snapshot if nothing is missing: then nothing is locked and nothing written."""
    note = store.note(manifest)
    if request.force_download or note is None or note.manifest.files != manifest.files or not store.names(manifest):
        return None
    chosen = chosen_files(manifest, request)
    held = await asyncio.to_thread(store.notes.held, store.place(manifest), chosen, note, verify=request.verify)
    plan = make_plan(chosen, held.keys())
    return None if plan.fetch else _snapshot(store, manifest, plan, {}, chain)


def _held(store: Store, settings: Settings, asking: _Asking) -> contextlib.AbstractAsyncContextManager[None]:
    """Hold the repository's folder, once it is known that it can be written."""
    own = store.home / OWN_FOLDER
    check_writable(own)
    return exclusive(own / "lock", settings.patience.lock_s, asking.chain.logbook.locked)


async def _bring(
    request: SnapshotRequest, settings: Settings, store: Store, manifest: Manifest, asking: _Asking
) -> Snapshot:
    """Fetch what is missing and publish it; again, if another process that no lock kept away was faster."""
    pool = PartialPool(store.home / OWN_FOLDER, own_folders(settings))
    watch, account = asking.watch, asking.account
    for _ in range(RACES):
        plan = await watch.timed("plan", _plan(request, store, manifest, pool))
        fetched = await watch.timed("transfer", _transfer(request, plan, asking, pool, manifest))
        publishing = asyncio.to_thread(_publish, store, manifest, plan, fetched, account)
        try:
            await watch.timed("publish", uninterrupted(publishing))
        except Vanished as vanished:
            log.info("%s: another process has published what was here: %s", store.home, vanished)
        else:
            return _snapshot(store, manifest, plan, fetched, asking.chain)
    raise StoreError(errno.EBUSY, f"{store.home}: other processes change it, and locks do nothing there; try again")


async def _plan(request: SnapshotRequest, store: Store, manifest: Manifest, pool: PartialPool) -> Plan:
    """Compare the manifest with the disk, after finishing what an ended process had begun."""
    chosen = chosen_files(manifest, request)
    with disk_errors(store.home):
        await asyncio.to_thread(finish_interrupted, store.home)
        await asyncio.to_thread(tidy, store.home, keep=map(pool.ready_path, chosen))
        await asyncio.to_thread(pool.prepare)
    if request.force_download:
        return make_plan(chosen, frozenset())
    folder, note = store.place(manifest), store.note(manifest)
    with disk_errors(store.home):
        held = await asyncio.to_thread(held_files, folder, chosen, note, verify=request.verify)
        missing = [entry for entry in chosen if entry.path not in held]
        await asyncio.to_thread(set_damaged_aside, store.home, store.suspects(manifest, missing), note)
        spare = await asyncio.to_thread(_spare, store, pool, missing)
    return make_plan(chosen, held.keys(), spare)


def _spare(store: Store, pool: PartialPool, missing: Iterable[FileEntry]) -> dict[str, Path]:
    """Find missing content that lies there under another name."""
    places = ((entry.path, store.spare(entry, pool.ready_path(entry))) for entry in missing)
    return {path: place for path, place in places if place is not None}


async def _transfer(
    request: SnapshotRequest, plan: Plan, asking: _Asking, pool: PartialPool, manifest: Manifest
) -> Mapping[str, Fetched]:
    check_room(pool.home, plan.size)
    asking.lanes.decide(plan.size)
    with Progress(request.watchers, str(manifest.repo), plan.size) as progress:
        return await Transfer(asking.chain, asking.lanes, pool, manifest).run(plan, progress, request.max_workers)


def _publish(store: Store, manifest: Manifest, plan: Plan, fetched: Mapping[str, Fetched], account: Account) -> None:
    """Bring the files to their paths, and write down what is there."""
    by_content = {entry.digest or entry.path: fetched[entry.path].place for entry in plan.fetch}
    missing = [entry for entry in plan.wanted if entry.path not in plan.held and entry.path not in plan.spare]
    places = {entry.path: by_content[entry.digest or entry.path] for entry in missing} | dict(plan.spare)
    reports = [one.report for one in fetched.values()]
    with disk_errors(store.home):
        # Of the checked files themselves, which keep their times: whatever else gets to a path is not certified.
        folder = store.place(manifest)
        stamps = {entry.path: _stamp(places.get(entry.path, folder / entry.path)) for entry in plan.wanted}
        store.publish(manifest, places, merged(store.note(manifest), manifest, stamps, reports))
        PartialPool(store.home / OWN_FOLDER).clear()
    account.published(store, manifest, plan)


def _stamp(place: Path) -> Stamp:
    try:
        return stamp_of(place)
    except FileNotFoundError:
        raise Vanished(place) from None


def _snapshot(store: Store, manifest: Manifest, plan: Plan, fetched: Mapping[str, Fetched], chain: Chain) -> Snapshot:
    return Snapshot(
        path=store.place(manifest),
        manifest=manifest,
        files=tuple(entry.path for entry in plan.wanted),
        reports=tuple(one.report for one in fetched.values()),
        attempts=tuple(chain.attempts),
        verified=all(entry.digest is not None for entry in plan.wanted),
    )


def _what_is_there(
    request: SnapshotRequest, settings: Settings, store: Store, error: ChainError, account: Account
) -> Snapshot:
    """Nobody could be asked, or nobody could give what is new: return what is complete on disk, and say so.

    Raises:
        ChainError: Nothing is, or the caller will not have it, or somebody did answer: with a no, or wrong bytes.
    """
    answered = isinstance(error, RepoNotFoundError | RevisionNotFoundError | AccessDeniedError | IntegrityError)
    wanted = request.allow_stale and not request.force_download and not answered
    try:
        found = remembered(request, store) if wanted else None
    except ResolutionError:
        found = None  # what is there is of a commit that has no such file
    if found is None or not found.files or not is_believed(found.vouched_by, settings.trust):
        raise error
    account.stale(error)
    log.warning("%s: %s; using what is in %s, which may be old", request.repo, _lack(error), found.path)
    return replace(found, stale=True, attempts=error.attempts)


def _lack(error: ChainError) -> str:
    asked = isinstance(error, ResolutionError)
    return "no endpoint could be asked" if asked else "what is new could not be brought"
