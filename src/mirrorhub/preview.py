"""What a call would bring, and what is there already: a listing is asked for, no file; no cache is written."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from mirrorhub.config import Settings
from mirrorhub.http.client import Client
from mirrorhub.lookup import look_up
from mirrorhub.models import FileEntry, Manifest, Snapshot, SnapshotRequest, total_size
from mirrorhub.plan import Plan, make_plan
from mirrorhub.recall import chosen_files
from mirrorhub.seat import seat_for
from mirrorhub.stores.notes import held_files
from mirrorhub.stores.registry import Store, store_for


@dataclass(frozen=True, slots=True)
class Expected:
    """One wanted file.

    Attributes:
        entry: What the repository says of it.
        place: Where it lies once the call has been made.
        cached: Its content is on disk, there or under another name of the same repository, and right.
        comes: The call would have it fetched.
    """

    entry: FileEntry
    place: Path
    cached: bool
    comes: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What a call would do.

    Attributes:
        path: The directory that it would return.
        manifest: What the repository holds, wanted or not.
        files: The wanted ones, in order of their paths.
        fetch: What would be asked for: of several files of one content, the first.
    """

    path: Path
    manifest: Manifest
    files: tuple[Expected, ...]
    fetch: tuple[FileEntry, ...]

    @property
    def size(self) -> int | None:
        """Bytes that would come; None where a size among them is not known."""
        return None if any(entry.size is None for entry in self.fetch) else total_size(self.fetch)


async def preview(request: SnapshotRequest, settings: Settings, client: Client) -> Preview:
    """Ask what the repository holds, and compare it with the disk.

    Raises:
        MirrorHubError: Nobody could say.
    """
    manifest = await look_up(request, settings, client)
    return await asyncio.to_thread(preview_of, request, settings, manifest)


def preview_of(request: SnapshotRequest, settings: Settings, manifest: Manifest) -> Preview:
    """Compare what a repository holds with the disk.

    Raises:
        ResolutionError: A file was asked for by name and the repository does not have it.
    """
    store = seat_for(request, settings, store_for(request.repo, settings, request.local_dir), manifest)
    plan = _plan(request, store, manifest)
    comes = make_plan(plan.wanted, {}) if request.force_download else plan
    return Preview(store.place(manifest), manifest, _expected(store.place(manifest), plan, comes), comes.fetch)


def preview_on_disk(snapshot: Snapshot) -> Preview:
    """Say of a snapshot that is there that nothing of it would come."""
    chosen = tuple(entry for entry in snapshot.manifest.files if entry.path in frozenset(snapshot.files))
    files = tuple(Expected(entry, snapshot.path / entry.path, cached=True, comes=False) for entry in chosen)
    return Preview(snapshot.path, snapshot.manifest, files, ())


def _plan(request: SnapshotRequest, store: Store, manifest: Manifest) -> Plan:
    chosen, folder = chosen_files(manifest, request), store.place(manifest)
    held = held_files(folder, chosen, store.note(manifest), verify=request.verify)
    missing = [entry for entry in chosen if entry.path not in held]
    elsewhere = {entry.path: place for entry in missing if (place := store.elsewhere(entry)) is not None}
    return make_plan(chosen, held, elsewhere)


def _expected(folder: Path, plan: Plan, comes: Plan) -> tuple[Expected, ...]:
    """Several files of one content all come, although it is fetched once."""
    return tuple(
        Expected(entry, folder / entry.path, cached := _is_cached(entry, plan), comes=comes is not plan or not cached)
        for entry in plan.wanted
    )


def _is_cached(entry: FileEntry, plan: Plan) -> bool:
    return entry.path in plan.held or entry.path in plan.spare
