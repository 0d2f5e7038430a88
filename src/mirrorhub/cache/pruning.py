"""Make room in the caches: choose, which is pure, and delete, which may be cut off anywhere.

What goes was shown before, and somebody thought about it: whoever holds the repository looks again, and leaves what is
not as it was shown. The note goes first: from then on nothing says that the snapshot is complete. Then the directory,
by one rename, with the blobs that no other snapshot links to. Whoever holds the repository next finishes what an ended
process had begun.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from mirrorhub.cache.inventory import StoredRepo, StoredSnapshot, as_it_is, size_together
from mirrorhub.cache.selection import Selected
from mirrorhub.errors import LockTimeoutError, StoreError
from mirrorhub.exclusive import exclusive
from mirrorhub.ours import check_parts, own_part
from mirrorhub.paths import OWN_FOLDER, file_name
from mirrorhub.stores import aside, trash
from mirrorhub.stores.disk import check_writable, disk_errors
from mirrorhub.stores.huggingface import read_ref
from mirrorhub.stores.leftovers import drop, leftovers
from mirrorhub.stores.notes import NoteBook, stamp_of
from mirrorhub.stores.publish import finish_interrupted

WAIT_S = 5.0
"""Whoever works in a repository is not waited for: what is in use is not what should go."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What should go: all of what is said, where several things are.

    Attributes:
        older_than_s: What was not used for so many seconds.
        larger_than: What is in repositories of more bytes.
        keep_size: The least used, until no more than so many bytes are left.
    """

    older_than_s: float | None = None
    larger_than: int | None = None
    keep_size: int | None = None


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes of one repository.

    Attributes:
        repo: Which.
        snapshots: These snapshots.
        on_its_way: What no call has published, and no living process owns.
        aside: What was put aside.
        older_than_s: Of these two, only what is older.
    """

    repo: StoredRepo
    snapshots: tuple[StoredSnapshot, ...] = ()
    on_its_way: bool = False
    aside: bool = False
    older_than_s: float = 0.0

    @property
    def empties(self) -> bool:
        """Whether no snapshot stays in the folder."""
        all_go = bool(self.snapshots) and len(self.snapshots) == len(self.repo.snapshots)
        return all_go and not self.repo.shared


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a removal went: bytes that are free now, or why nothing was done."""

    removal: Removal
    freed: int
    problem: str | None = None


def chosen(selection: Sequence[Selected], wish: Wish, now_s: float, *, named: bool) -> list[Removal]:
    """Choose snapshots.

    Args:
        selection: Of these.
        wish: By what.
        now_s: The time that ages are counted from.
        named: Somebody named the repositories, so that what an SDK made may go, too.
    """
    candidates = [
        (repo, one)
        for repo, snapshots in selection
        for one in snapshots
        if ((one.ours and not repo.older) or named)
        and (wish.older_than_s is None or now_s - one.used_s > wish.older_than_s)
        and (wish.larger_than is None or repo.size > wish.larger_than)
    ]
    if wish.keep_size is not None:
        candidates = _least_used([repo for repo, _ in selection], candidates, wish.keep_size)
    grouped = ((repo, tuple(one for owner, one in candidates if owner is repo)) for repo, _ in selection)
    return [Removal(repo, going) for repo, going in grouped if going]


def room(removal: Removal, now_s: float) -> int:
    """Return how many bytes a removal frees: what other snapshots share stays."""
    staying = [one for one in removal.repo.snapshots if one not in removal.snapshots]
    freed = size_together(removal.repo.snapshots) - size_together(staying)
    whole = removal.empties and not removal.repo.users
    if removal.on_its_way or whole:
        old = (one for one in removal.repo.on_its_way if now_s - one.written_s >= removal.older_than_s)
        freed += sum(one.size for one in old if not one.alive)
    if removal.aside or whole:
        freed += sum(one.held for one in removal.repo.aside if now_s - one.at_s >= removal.older_than_s)
    return freed


async def remove(removal: Removal) -> Outcome:
    """Delete what is as it was shown; where a living process works in the repository, nothing.

    Raises:
        StoreError: The disk refuses.
    """
    own = removal.repo.home / OWN_FOLDER
    try:
        with disk_errors(removal.repo.home):
            if removal.repo.home.is_symlink():
                return Outcome(removal, 0, "its folder is a symbolic link, which is left alone")
            check_writable(own)
            check_parts(removal.repo.home)
            async with exclusive(own / "lock", WAIT_S):
                return await asyncio.to_thread(_remove, removal)
    except (LockTimeoutError, StoreError) as error:
        return Outcome(removal, 0, str(error))


def _least_used(
    repos: Iterable[StoredRepo], candidates: list[tuple[StoredRepo, StoredSnapshot]], keep: int
) -> list[tuple[StoredRepo, StoredSnapshot]]:
    """Take the least used, one by one, until the rest is small enough."""
    left = {id(one): one for repo in repos for one in repo.snapshots}
    rest = sum(repo.size for repo in repos) - size_together(left.values())
    going: list[tuple[StoredRepo, StoredSnapshot]] = []
    for repo, one in sorted(candidates, key=lambda pair: pair[1].used_s):
        if rest + size_together(left.values()) <= keep:
            break
        going.append((repo, one))
        del left[id(one)]
    return going


def _remove(shown: Removal) -> Outcome:
    """Delete what was chosen and is as it was shown; the caller holds the repository."""
    home = shown.repo.home
    finish_interrupted(home, users=shown.repo.plain)
    if shown.snapshots and any(one.alive for one in leftovers(home)):
        return Outcome(shown, 0, "a living process is bringing something to it")
    removal = _what_is_left_of(shown, as_it_is(shown.repo))
    freed, changed = room(removal, time.time()), len(shown.snapshots) - len(removal.snapshots)
    _delete(removal)
    words = "1 snapshot has" if changed == 1 else f"{changed} snapshots have"
    return Outcome(removal, freed, f"{words} changed since this was shown" if changed else None)


def _what_is_left_of(shown: Removal, now: StoredRepo | None) -> Removal:
    """Return what of a removal still is as it was shown, in the repository as it is now."""
    if now is None:
        return replace(shown, repo=replace(shown.repo, snapshots=()), snapshots=(), on_its_way=False, aside=False)
    before = {one.name: one for one in shown.snapshots}
    going = tuple(one for one in now.snapshots if one.name in before and _is_as_shown(one, before[one.name]))
    on_its_way, aside = {one.path for one in shown.repo.on_its_way}, {one.folder for one in shown.repo.aside}
    repo = replace(
        now,
        on_its_way=tuple(one for one in now.on_its_way if one.path in on_its_way),
        aside=tuple(one for one in now.aside if one.folder in aside),
    )
    return replace(shown, repo=repo, snapshots=going)


def _is_as_shown(now: StoredSnapshot, shown: StoredSnapshot) -> bool:
    """Each call that publishes writes the note anew; where there is none, the files themselves have to do."""
    if now.note is None or shown.note is None:
        return now.note is shown.note and now.contents == shown.contents
    return now.note.mark == shown.note.mark


def _delete(removal: Removal) -> None:
    home, repo = removal.repo.home, removal.repo
    for snapshot in removal.snapshots:
        _forget(repo, snapshot)
    whole = removal.empties and not repo.users
    if removal.on_its_way or whole:
        _drop_leftovers(removal)
    if removal.aside or whole:
        _drop_aside(removal)
    trash.empty(home, own=True, blobs=repo.repo.hub == "huggingface" and not repo.users)
    if whole:
        _remove_shell(home)
        if repo.older:
            _remove_links(home)


def _forget(repo: StoredRepo, snapshot: StoredSnapshot) -> None:
    """Delete one snapshot, the note first."""
    home = repo.home
    report = own_part(home, "reports") / f"{file_name(snapshot.name)}.json"
    NoteBook(home).forget(snapshot.name)
    report.unlink(missing_ok=True)
    if repo.plain:
        places = _as_brought(snapshot) if repo.users else _all_in(home)
        trash.discard(home, places)
        _remove_empty(home, places)
        return
    _forget_refs(home, snapshot.name)
    trash.discard(home, _marks(home, snapshot.name))
    if _is_below(home / "snapshots", snapshot.path):
        trash.discard(home, [snapshot.path])
        _remove_empty(home / "snapshots", [snapshot.path])


def _all_in(home: Path) -> list[Path]:
    """Return everything in an older modelscope's directory but our own folder: it was named to go."""
    return [place for place in home.iterdir() if place.name != OWN_FOLDER]


def _remove_links(home: Path) -> None:
    """Remove the link that led to a directory that is gone, and the owner's folder if nothing is left in it."""
    with suppress(OSError):
        if home.exists():
            return
        for place in home.parent.iterdir():
            if place.is_symlink() and not place.exists() and place.name.replace(".", "___") == home.name:
                place.unlink()
        home.parent.rmdir()


def _as_brought(snapshot: StoredSnapshot) -> list[Path]:
    """Return a user's folder's files that are as they were brought: what the user has changed is the user's."""
    note = snapshot.note
    if note is None:
        return []
    places = [snapshot.path / path for path in note.stamps if path not in snapshot.unlike]
    return [place for place in places if _is_below(snapshot.path, place) and _exists(place)]


def _exists(place: Path) -> bool:
    with suppress(OSError):
        return stamp_of(place) is not None
    return False


def _is_below(above: Path, place: Path) -> bool:
    """Whether a place lies below a folder without a symbolic link between them."""
    below = place.relative_to(above)
    return not above.is_symlink() and not any((above / parent).is_symlink() for parent in below.parents[:-1])


def _forget_refs(home: Path, commit: str) -> None:
    """Remove the names that lead to a commit, in Hugging Face's layout."""
    refs = home / "refs"
    if refs.is_symlink():
        return
    for path in [path for path in refs.rglob("*") if path.is_file() and not path.is_symlink()]:
        with suppress(OSError, UnicodeDecodeError):
            if read_ref(path) == commit:
                path.unlink()


def _marks(home: Path, commit: str) -> list[Path]:
    """Return what huggingface_hub keeps about a commit beside its files."""
    places = (home / "trees" / f"{commit}.json", home / ".no_exist" / commit)
    return [place for place in places if os.path.lexists(place) and not place.parent.is_symlink()]


def _remove_empty(above: Path, places: Iterable[Path]) -> None:
    """Remove the folders between `above` and places that are gone, as far as nothing is left in them."""
    for place in places:
        for folder in place.relative_to(above).parents[:-1]:
            with suppress(OSError):
                (above / folder).rmdir()


def _drop_leftovers(removal: Removal) -> None:
    now_s = time.time()
    for one in removal.repo.on_its_way:
        if not one.alive and now_s - one.written_s >= removal.older_than_s:
            drop(removal.repo.home, one)


def _drop_aside(removal: Removal) -> None:
    now_s = time.time()
    for one in removal.repo.aside:
        if now_s - one.at_s >= removal.older_than_s:
            aside.remove(one)


def _remove_shell(home: Path) -> None:
    """Remove the folder of a repository of which nothing is left: an SDK's scan would trip over it.

    The lock's file goes while it is held, and last: whoever waits for it makes a new one, in a folder that then stays.
    """
    own = home / OWN_FOLDER
    shutil.rmtree(own_part(home, "reports"), ignore_errors=True)
    _rmdir(path for path in own.glob("*") if path.is_dir() and not path.is_symlink())
    _rmdir(sorted((path for path in (home / "refs").rglob("*") if path.is_dir()), reverse=True))
    _rmdir(home / name for name in ("refs", "blobs", "trees", ".no_exist"))
    with suppress(OSError):
        locks = {"lock", "lock.holder"}
        if _names(home) <= {"snapshots", OWN_FOLDER} and _names(own) <= locks:
            _rmdir([home / "snapshots"])
            for name in locks:
                (own / name).unlink(missing_ok=True)
            _rmdir([own, home])


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _rmdir(folders: Iterable[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
