"""What is locked, compared with what the hubs list now, with what lies in the caches, and with another lock file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mirrorhub.config import Settings
from mirrorhub.departure import locked_state
from mirrorhub.errors import MirrorHubError
from mirrorhub.lockfile import LockedRepo, LockFile
from mirrorhub.lockfile.comparing import Difference, compare
from mirrorhub.lockfile.locking import changes, listed, wish_of
from mirrorhub.models import Voucher
from mirrorhub.recall import sure_note
from mirrorhub.stores.notes import held_files
from mirrorhub.stores.registry import store_for
from mirrorhub.strays import left_behind, strays


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of one locked repository.

    Attributes:
        entry: Which.
        difference: What is listed otherwise now.
        disk: One line per file in the cache that is not as it is locked.
        missing: The paths that are not in the cache.
        error: Why nobody could say what is listed now.
    """

    entry: LockedRepo
    difference: Difference = field(default_factory=Difference)
    disk: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    error: MirrorHubError | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """All that is not as it is locked."""
        return (*self.difference.lines, *self.disk)


def check(entry: LockedRepo, settings: Settings, *, offline: bool = False) -> Checked:
    """Compare what is locked with what is listed now and with the cache; offline, with the cache alone."""
    disk, missing = _on_disk(entry, settings)
    if offline:
        return Checked(entry, disk=disk, missing=missing)
    try:
        found = listed(wish_of(entry), settings)
    except MirrorHubError as error:
        return Checked(entry, disk=disk, missing=missing, error=error)
    return Checked(entry, changes(entry, found), disk, missing)


def between(old: LockFile, new: LockFile) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the repositories that two lock files do not say the same of, each with what differs."""
    keys = sorted({one.key for lock in (old, new) for one in lock.repositories})
    for key in keys:
        before, after = old.find(key), new.find(key)
        if lines := _lines_between(before, after):
            yield "@".join(key), lines


def _lines_between(before: LockedRepo | None, after: LockedRepo | None) -> tuple[str, ...]:
    if before is None or after is None:
        return ("is locked now",) if before is None else ("is not locked any more",)
    return compare(locked_state(before), locked_state(after)).lines


def _on_disk(entry: LockedRepo, settings: Settings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return one line per file that is there and not as it is locked, and the paths that are not there."""
    store, manifest = store_for(entry.repo, settings, None), entry.manifest(Voucher("lock"))
    folder, note = store.place(manifest), sure_note(store, manifest)
    there = {one.path: one for one in entry.files if (folder / one.path).exists()}
    held = held_files(folder, there.values(), note)
    changed = [f"on disk, changed: {folder / path}" for path in there if path not in held]
    extra = sorted({*strays(store, manifest), *left_behind(store, manifest)})
    told = (*changed, *(f"on disk, extra: {folder / path}" for path in extra))
    return told, tuple(one.path for one in entry.files if one.path not in there)
