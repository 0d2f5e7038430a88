"""From what a hub lists to what is locked, and back: what `mirrorhub lock` does. Nothing locked is an answer here."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from mirrorhub.api import fetch_files, resolve
from mirrorhub.arguments import Options, request_of
from mirrorhub.config import Settings
from mirrorhub.departure import locked_state, present_state
from mirrorhub.digest import file_digest
from mirrorhub.errors import ConfigError, LockTimeoutError, PinnedError
from mirrorhub.lockfile import LockedRepo, LockFile
from mirrorhub.lockfile.comparing import Difference, compare, confirmed
from mirrorhub.lockfile.finding import new_lock
from mirrorhub.lockfile.reading import MAX_BYTES, check_standing, load_lock, lock_of, parsed_lock
from mirrorhub.lockfile.turns import in_turn
from mirrorhub.lockfile.writing import lock_text, save_text
from mirrorhub.models import Digest, FileEntry, Manifest, Repo, Wanted
from mirrorhub.plan import wanted_files

SHA256 = Digest("sha256", "")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be locked.

    Attributes:
        repo: Which repository.
        revision: At which revision; None for its default branch.
        include: Only what matches; None for all.
        exclude: Nothing that matches.
        also: Other repositories whose files are said to be equal.
    """

    repo: Repo
    revision: str | None = None
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    also: tuple[Repo, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """What is wished for as it is listed now; not every file of it has its sha256 yet.

    Attributes:
        wish: What was wished for.
        manifest: What was listed.
        entry: What would be locked, as far as that is known.
    """

    wish: Wish
    manifest: Manifest
    entry: LockedRepo


def wish_for(repo: Repo, revision: str | None, options: Options, also: Iterable[Repo] = ()) -> Wish:
    """Read what is wished for; patterns as the repository's own SDK reads them.

    Raises:
        ConfigError: A value cannot be used.
    """
    request = request_of(repo, revision, options)
    others = tuple(also)
    for other in others:
        if other.hub == repo.hub or other.type != repo.type:
            raise ConfigError(f"{other} cannot stand for {repo}: another hub's repository of the same type can")
    return Wish(repo, revision, request.wanted.allow, request.wanted.ignore, others)


def wish_of(entry: LockedRepo) -> Wish:
    """Return what was wished for when an entry was locked."""
    return Wish(entry.repo, entry.revision, entry.include, entry.exclude, entry.also)


def lock_place(settings: Settings, named: Path | None) -> Path:
    """Return where the lock file lies, or will."""
    return named.expanduser().absolute() if named else settings.lockfile or new_lock()


def read_lock(settings: Settings, named: Path | None, *, may_be_new: bool = False) -> LockFile:
    """Read the lock file that was named, or that holds here.

    Args:
        settings: Where it may be said which one holds.
        named: The one that was named with the command.
        may_be_new: One that is not there is empty.

    Raises:
        ConfigError: It is not there, or cannot be used.
    """
    place = lock_place(settings, named)
    # A link that leads nowhere is no new file: what it names may be anything of the user's.
    if may_be_new and not os.path.lexists(place):
        return LockFile()
    found = load_lock(place) if named else lock_of(settings)
    if found is None:
        raise ConfigError("there is no lock file from here up to the project's root. `mirrorhub lock add` writes one.")
    return found


def listed(wish: Wish, settings: Settings) -> Listed:
    """Ask those who are believed what there is now.

    Raises:
        MirrorHubError: Nobody could say.
        ConfigError: Nothing matches, or nobody vouches for it.
    """
    manifest = resolve(str(wish.repo), wish.revision, **_options(wish, settings))
    if manifest.vouched_by.kind == "nobody":
        raise ConfigError(f"{wish.repo}: nobody vouches for what is on disk; lock it where there is a network")
    files = wanted_files(manifest, Wanted(allow=wish.include, ignore=wish.exclude))
    if not files and (manifest.files or wish.include is not None):
        raise ConfigError(f"{wish.repo}: no file matches: nothing would be locked")
    now = LockedRepo(wish.repo, manifest.revision, files, include=wish.include, exclude=wish.exclude, also=wish.also)
    state = present_state(now, manifest)
    vouched_by = str(manifest.vouched_by)
    return Listed(wish, manifest, replace(now, commit=manifest.commit, date=state.date, vouched_by=vouched_by))


def locked(found: Listed, settings: Settings) -> LockedRepo:
    """Return what can be locked: of a file whose sha256 is not listed, the bytes are fetched and hashed.

    Raises:
        MirrorHubError: A file could not be fetched.
        PinnedError: Another repository that was said to be equal is not.
    """
    files = _with_sha256(found.entry.files, found.manifest, settings)
    entry = replace(found.entry, files=files)
    for other in entry.also:
        _check_equal(entry, other, settings)
    return entry


def changes(old: LockedRepo, found: Listed) -> Difference:
    """Return what locking this in the place of an old entry would change."""
    return compare(locked_state(old), locked_state(found.entry))


def write_lock(
    place: Path, entries: Iterable[LockedRepo], gone: Iterable[tuple[str, str]] = (), *, named: bool = True
) -> None:
    """Write entries into a lock file, there or not; others in it stay as they are, also those written meanwhile.

    Args:
        place: Where.
        entries: What is written.
        gone: Names and revisions of what is taken out.
        named: Somebody has said that it is this file; else it must stand where nobody else can have put it.

    Raises:
        ConfigError: What is there cannot be read, or nothing can be written.
        LockTimeoutError: Another process keeps it.
    """
    try:
        if not named:
            check_standing(place)
        folder = Path(os.path.realpath(place)).parent
        folder.mkdir(parents=True, exist_ok=True)
        with in_turn(folder):
            _change(place, entries, gone)
    except LockTimeoutError:
        raise
    except OSError as error:
        raise ConfigError(f"lock file {place}: cannot be written: {error.strerror or error}") from None


def _change(place: Path, entries: Iterable[LockedRepo], gone: Iterable[tuple[str, str]]) -> None:
    # A link that leads nowhere is no new file.
    lock = load_lock(place) if os.path.lexists(place) else LockFile()
    for key in gone:
        lock = lock.without(key)
    lock = lock.with_all(entries)
    text = lock_text(lock)
    _check_readable(place, text, lock)
    save_text(place, text)


def _check_readable(place: Path, text: str, lock: LockFile) -> None:
    """Read what is about to be written, as the next call will.

    Raises:
        ConfigError: It could not be.
    """
    data = text.encode()
    if len(data) > MAX_BYTES:
        largest = max(lock.repositories, key=lambda one: len(one.files))
        raise ConfigError(
            f"lock file {place}: would be of {len(data):,} bytes, and none of more than {MAX_BYTES:,} is read; nothing "
            f"was written. {largest} has {len(largest.files):,} files: lock a part of it with --include."
        )
    parsed_lock(data, str(place))


def _options(wish: Wish, settings: Settings) -> Options:
    options: Options = {"settings": settings.unlocked()}
    if wish.include is not None:
        options["allow_patterns"] = wish.include
    if wish.exclude:
        options["ignore_patterns"] = wish.exclude
    return options


def _with_sha256(files: Iterable[FileEntry], manifest: Manifest, settings: Settings) -> tuple[FileEntry, ...]:
    """Complete what is listed; what is fetched for it lies in the cache, where it would have come anyway."""
    files = tuple(files)
    if not (lacking := [entry.path for entry in files if entry.sha256 is None or entry.size is None]):
        return files
    revision = manifest.commit or manifest.revision
    snapshot = fetch_files(str(manifest.repo), lacking, revision, settings=settings.unlocked())
    return tuple(_hashed(entry, snapshot.path / entry.path) if entry.path in lacking else entry for entry in files)


def _hashed(entry: FileEntry, place: Path) -> FileEntry:
    size = place.stat().st_size
    return replace(entry, size=size, sha256=file_digest(place, SHA256, size), pointer=None)


def _check_equal(entry: LockedRepo, other: Repo, settings: Settings) -> None:
    """Compare an entry with another repository.

    Raises:
        PinnedError: A file is missing there, or another one.
    """
    manifest = resolve(str(other), settings=settings.unlocked())
    theirs = {one.path: one for one in manifest.files if one.path in entry.paths}
    whole = {one.path: one for one in _with_sha256(theirs.values(), manifest, settings)}
    unequal = [one.path for one in entry.files if one.path not in whole or not confirmed(one, whole[one.path])]
    if unequal:
        raise PinnedError(f"{other} does not hold the same files as {entry}:", [f"differs: {one}" for one in unequal])
