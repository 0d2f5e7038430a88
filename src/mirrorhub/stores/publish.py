"""Bring checked files to where everybody sees them, so that nobody sees half a file or half a new directory.

A directory that is not there yet appears by one rename. One that is there is changed file by file, deletions last. What
is to be done is written down first; whoever holds the repository next finishes what an ended process began.
"""

from __future__ import annotations

import errno
import json
import secrets
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from mirrorhub.errors import StoreError
from mirrorhub.paths import path_problem
from mirrorhub.stores.notes import write_whole

_JOURNAL = "publish.json"
_STAGING = "staging"
_READY, _LINKS = "ready", "links"


def publish(own: Path, target: Path, places: Mapping[str, Path], deletes: Iterable[str]) -> None:
    """Move files to their paths below `target`.

    Args:
        own: The folder for the journal and for staging, on the same file system as `target`.
        target: The snapshot's directory.
        places: Path below `target` -> the checked file, all in one folder of `own`; several paths may name one file.
        deletes: Paths below `target` that go.

    Raises:
        StoreError: A symlink stands where a folder belongs.
        OSError: The disk refuses; the next call goes on.
    """
    # Deleted entries of the new manifest were replaced, not left over.
    gone = sorted(set(deletes) - set(places))
    journal = {"target": str(target), "moves": {path: place.name for path, place in places.items()}, "deletes": gone}
    if places:
        journal["source"] = next(iter(places.values())).parent.name
    write_whole(own / _JOURNAL, json.dumps(journal).encode(), private=True)
    _carry_out(own, target, places, gone)
    (own / _JOURNAL).unlink(missing_ok=True)


def finish_interrupted(own: Path) -> None:
    """Finish what an ended process had begun to publish; what cannot be read is dropped, and fetched again.

    Raises:
        OSError: The disk refuses.
    """
    path = own / _JOURNAL
    try:
        begun = _read_journal(own, path.read_bytes())
    except FileNotFoundError:
        return
    if begun is not None:
        target, places, deletes = begun
        waiting = {name: place for name, place in places.items() if _exists(place)}
        if target.exists() or all(_exists(own / _STAGING / name) for name in set(places) - set(waiting)):
            _carry_out(own, target, waiting, deletes)
    shutil.rmtree(own / _STAGING, ignore_errors=True)
    path.unlink(missing_ok=True)


def _read_journal(own: Path, data: bytes) -> tuple[Path, dict[str, Path], list[str]] | None:
    """Read what was to be done; None unless all of it lies in the repository's own folder.

    A folder may have come from somewhere else, as an archive or a clone: its journal is no better than its sender.
    """
    try:
        journal = json.loads(data)
        target = Path(journal["target"])
        source = own / str(journal.get("source", _READY))
        places = {str(name): source / str(place) for name, place in journal["moves"].items()}
        deletes = [str(name) for name in journal["deletes"]]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    inside = target.is_relative_to(own.parent) and ".." not in target.parts and source.name in (_READY, _LINKS)
    single = all(place.parent == source for place in places.values()) and source.parent == own
    if not inside or not single or any(path_problem(name) for name in [*places, *deletes]):
        return None
    return target, places, deletes


def _exists(path: Path) -> bool:
    """Whether something stands there; a link that waits to be moved points nowhere yet."""
    return path.is_symlink() or path.is_file()


def _carry_out(own: Path, target: Path, places: Mapping[str, Path], deletes: Iterable[str]) -> None:
    staging = own / _STAGING
    gone = set(deletes)
    if target.exists():
        # A file that becomes a folder, or the reverse, has to make room first; all else goes last.
        for path in gone.intersection(_in_the_way(gone, places)):
            _delete(target, path)
        _place_all(target, places)
    else:
        # What an ended process had staged stays: its files are right, and nobody else's.
        staging.mkdir(parents=True, exist_ok=True)
        _place_all(staging, places)
        target.parent.mkdir(parents=True, exist_ok=True)
        staging.replace(target)
    for path in sorted(gone):
        _delete(target, path)
    shutil.rmtree(staging, ignore_errors=True)


def _in_the_way(gone: Iterable[str], places: Iterable[str]) -> set[str]:
    """Return the paths that are a folder of a new path, or lie below one."""
    wanted = set(places)
    above = {str(parent) for path in wanted for parent in PurePosixPath(path).parents}
    return {path for path in gone if path in above or wanted.intersection(map(str, PurePosixPath(path).parents))}


def _place_all(folder: Path, places: Mapping[str, Path]) -> None:
    last = {place: path for path, place in places.items()}
    for path, place in places.items():
        goal = folder / path
        _make_parents(folder, path)
        if last[place] == path:
            place.replace(goal)
        else:
            _copy(place, goal)


def _make_parents(folder: Path, path: str) -> None:
    """Make the folders above a path, and never write through a symlink that somebody planted."""
    folder.mkdir(parents=True, exist_ok=True)
    for parent in reversed(PurePosixPath(path).parents[:-1]):
        place = folder / parent
        if place.is_symlink():
            message = f"{place}: a symbolic link stands where a folder of the repository belongs; remove it"
            raise StoreError(errno.ELOOP, message)
        place.mkdir(exist_ok=True)


def _copy(source: Path, goal: Path) -> None:
    temporary = goal.with_name(f".{goal.name[:100]}.{secrets.token_hex(4)}")
    try:
        shutil.copyfile(source, temporary)
        temporary.replace(goal)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _delete(target: Path, path: str) -> None:
    try:
        (target / path).unlink()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        # Gone already, or something new stands in its place by now: unlinking a folder says EPERM on some systems.
        if (target / path).is_file():
            raise
    for parent in PurePosixPath(path).parents[:-1]:
        with suppress(OSError):
            (target / parent).rmdir()
