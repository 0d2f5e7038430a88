"""A project with a lock file, to test against."""

from __future__ import annotations

from pathlib import Path

from mirrorhub.config import Settings
from mirrorhub.lockfile import LockedRepo
from mirrorhub.lockfile.locking import Wish, listed, locked, write_lock
from mirrorhub.repo_names import repo_of
from tests.fakehub import FakeHub
from tests.quick import quick


def lock_now(place: Path, hub: FakeHub, *names: str, also: tuple[str, ...] = (), **wish: object) -> list[LockedRepo]:
    """Lock repositories as a hub has them now."""
    settings = quick(hub.url)
    others = tuple(map(repo_of, also))
    wishes = [Wish(repo_of(name), also=others, **wish) for name in names]  # type: ignore[arg-type]
    entries = [locked(listed(one, settings), settings) for one in wishes]
    write_lock(place, entries)
    return entries


def under(place: Path, *hubs: FakeHub, **more: object) -> Settings:
    """Return settings with a lock file, for a chain of these hubs."""
    return quick(*(hub.url for hub in hubs), lockfile=place, **more)
