"""What is missing: a manifest compared with what a store holds, after what an ended process had begun was finished."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from mirrorhub.errors import MissingFileError, PinnedError, StoreError
from mirrorhub.models import FileEntry, Manifest, SnapshotRequest
from mirrorhub.partials import PartialPool
from mirrorhub.paths import OWN_FOLDER
from mirrorhub.pinned import is_locked
from mirrorhub.plan import Plan, make_plan
from mirrorhub.recall import chosen_files, sure_note
from mirrorhub.stores.disk import check_writable, disk_errors
from mirrorhub.stores.healing import set_damaged_aside
from mirrorhub.stores.leftovers import tidy
from mirrorhub.stores.notes import Note, held_files
from mirrorhub.stores.publish import finish_interrupted
from mirrorhub.stores.registry import Store
from mirrorhub.stores.seen import Stamp


async def complete(request: SnapshotRequest, store: Store, manifest: Manifest) -> Plan | None:
    """Return a plan if it has nothing to fetch: then nothing is locked and nothing published.

    Where no note says so and nothing can be written, the files are hashed: a cache that somebody else has filled may be
    read by everybody, the notes in it by nobody else.

    Raises:
        ResolutionError: A file was asked for by name and the repository does not have it.
        StoreError: Something is missing, and nothing can be written.
    """
    if request.force_download:
        return None
    note = sure_note(store, manifest)
    # What was compared in this call is no note yet.
    if note is not None and note.mark and note.manifest.confirms(manifest) and store.names(manifest):
        return await _whole(request, store, manifest, note, store.notes.held)
    try:
        check_writable(store.home / OWN_FOLDER)
    except StoreError:
        if plan := await _whole(request, store, manifest, note, held_files):
            return plan
        raise
    return None


async def _whole(
    request: SnapshotRequest, store: Store, manifest: Manifest, note: Note | None, look: Callable[..., dict[str, Stamp]]
) -> Plan | None:
    chosen = _chosen(request, store, manifest)
    held = await asyncio.to_thread(look, store.place(manifest), chosen, note, verify=request.verify)
    plan = make_plan(chosen, held, told=_still_told(request, note, held))
    return None if plan.fetch else plan


async def plan_for(request: SnapshotRequest, store: Store, manifest: Manifest, pool: PartialPool) -> Plan:
    """Compare the manifest with the disk, after finishing what an ended process had begun.

    Raises:
        ResolutionError: A file was asked for by name and the repository does not have it.
        StoreError: The disk refuses.
    """
    chosen = _chosen(request, store, manifest)
    with disk_errors(store.home):
        await asyncio.to_thread(finish_interrupted, store.home, users=store.plain)
        await asyncio.to_thread(tidy, store.home, keep=map(pool.ready_path, chosen), blobs=store.keeps_blobs)
        await asyncio.to_thread(pool.prepare)
    if request.force_download:
        return make_plan(chosen, {})
    folder, note = store.place(manifest), sure_note(store, manifest)
    with disk_errors(store.home):
        told = (
            {}
            if request.verify or is_locked(manifest)
            else await asyncio.to_thread(store.told, manifest, _unknown(chosen, note))
        )
        rest = [entry for entry in chosen if entry.path not in told]
        held = await asyncio.to_thread(held_files, folder, rest, note, verify=request.verify)
        told = {**told, **{path: held[path] for path in _still_told(request, note, held)}}
        held = {**held, **told}
        missing = [entry for entry in chosen if entry.path not in held]
        await asyncio.to_thread(set_damaged_aside, store.home, store.suspects(manifest, missing), note)
        spare = await asyncio.to_thread(_spare, store, pool, missing)
    return make_plan(chosen, held, spare, told)


def _chosen(request: SnapshotRequest, store: Store, manifest: Manifest) -> tuple[FileEntry, ...]:
    """Return the wanted files; of one that is not listed it is written down that there is none.

    Raises:
        ResolutionError: A file was asked for by name and the repository does not have it.
    """
    try:
        return chosen_files(manifest, request)
    except (MissingFileError, PinnedError):
        for path in set(request.wanted.paths or ()) - {entry.path for entry in manifest.files}:
            store.mark_absent(manifest, path)
        raise


def _unknown(chosen: Iterable[FileEntry], note: Note | None) -> list[FileEntry]:
    """Return the files of which we have noted nothing ourselves."""
    noted = {entry.path: entry.digest for entry in note.manifest.files if entry.path in note.stamps} if note else {}
    return [entry for entry in chosen if noted.get(entry.path, ()) != entry.digest]


def _still_told(request: SnapshotRequest, note: Note | None, held: Mapping[str, Stamp]) -> list[str]:
    """Return the files that we were told of once, and that nobody has hashed since."""
    if note is None or request.verify:
        return []
    return [path for path in note.told if path in held and note.trusts(path, held[path])]


def _spare(store: Store, pool: PartialPool, missing: Iterable[FileEntry]) -> dict[str, Path]:
    """Find missing content that lies there under another name."""
    places = ((entry.path, store.spare(entry, pool.ready_path(entry))) for entry in missing)
    return {path: place for path, place in places if place is not None}
