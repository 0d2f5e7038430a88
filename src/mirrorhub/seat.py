"""In which directory a call works, of those that may hold the snapshot: an SDK's older one, as long as it is right."""

from __future__ import annotations

import logging

from mirrorhub.config import Settings
from mirrorhub.models import Manifest, SnapshotRequest
from mirrorhub.paths import books_of_sdk
from mirrorhub.plan import wanted_files
from mirrorhub.stores.older import is_filled
from mirrorhub.stores.registry import Store, older_stores

log = logging.getLogger(__name__)


def seat_for(request: SnapshotRequest, settings: Settings, store: Store, manifest: Manifest) -> Store:
    """Return the store in which the snapshot is, or will be.

    Args:
        request: What is asked for.
        settings: Where the caches are.
        store: Where a snapshot of which nothing is there yet belongs.
        manifest: What the repository holds.
    """
    if request.force_download or request.local_dir is not None or is_filled(store.place(manifest)):
        return store
    chosen = wanted_files(manifest, request.wanted)
    if books_of_sdk(entry.path for entry in chosen):
        return store  # among an SDK's own books it would be taken for them
    for older in older_stores(request.repo, settings):
        if older.may_hold(manifest, chosen, request.revision, verify=request.verify):
            return older
        log.info(
            "%s: something differs in %s, which stays as it is; the snapshot's place is %s",
            request.repo,
            older.home,
            store.place(manifest),
        )
    return store
