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
from mirrorhub.stores.notes import write_whole

_JOURNAL = "publish.json"
_STAGING = "staging"


def publish(own: Path, target: Path, places: Mapping[str, Path], deletes: Iterable[str]) -> None:
    """Move files to their paths below `target`.

    Args:
        own: The folder for the journal and for staging, on the same file system as `target`.
        target: The snapshot's directory.
        places: Path below `target` -> the checked file; several paths may name one file.
        deletes: Paths below `target` that go.

    Raises:
        StoreError: A symlink stands where a folder belongs.
        OSError: The disk refuses; the next call goes on.
    """
    # Deleted entries of the new manifest were replaced, not left over.
    gone = sorted(set(deletes) - set(places))
    journal = {"target": str(target), "moves": {path: place.name for path, place in places.items()}, "deletes": gone}
    if places:
        journal["ready"] = str(next(iter(places.values())).parent)
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
        journal = json.loads(path.read_bytes())
        target, ready = Path(journal["target"]), Path(journal.get("ready", own))
        places = {str(name): ready / str(place) for name, place in journal["moves"].items()}
        deletes = [str(name) for name in journal["deletes"]]
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError, AttributeError):
        path.unlink(missing_ok=True)
        return
    waiting = {name: place for name, place in places.items() if _exists(place)}
    staged = target.exists() or all(_exists(own / _STAGING / name) for name in set(places) - set(waiting))
    if staged and target.is_relative_to(own.parent):
        _carry_out(own, target, waiting, deletes)
    shutil.rmtree(own / _STAGING, ignore_errors=True)
    path.unlink(missing_ok=True)


def _exists(path: Path) -> bool:
    """Whether something stands there; a link that waits to be moved points nowhere yet."""
    return path.is_symlink() or path.is_file()


def _carry_out(own: Path, target: Path, places: Mapping[str, Path], deletes: Iterable[str]) -> None:
    staging = own / _STAGING
    if target.exists():
        _place_all(target, places)
    else:
        # What an ended process had staged stays: its files are right, and nobody else's.
        staging.mkdir(parents=True, exist_ok=True)
        _place_all(staging, places)
        target.parent.mkdir(parents=True, exist_ok=True)
        staging.replace(target)
    for path in deletes:
        _delete(target, path)
    shutil.rmtree(staging, ignore_errors=True)


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
    (target / path).unlink(missing_ok=True)
    for parent in PurePosixPath(path).parents[:-1]:
        with suppress(OSError):
            (target / parent).rmdir()
