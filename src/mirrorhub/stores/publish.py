"""Bring checked files to where everybody sees them, so that nobody sees half a file or half a new directory.

A directory that is not there yet appears by one rename. One that is there is changed file by file, deletions last. What
is to be done is written down first; whoever holds the repository next finishes what another began and could not end.

None of it needs the lock: where two publish at a time, because locks do nothing there, either finds its files gone, and
looks again what is missing.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from mirrorhub.digest import file_matches
from mirrorhub.errors import StoreError
from mirrorhub.ours import refuse_link
from mirrorhub.owner import is_known_alive, is_regular, own_name, read_regular
from mirrorhub.paths import OWN_FOLDER, path_problem
from mirrorhub.rawfile import copy_whole
from mirrorhub.records import mapping, parsed, text, texts
from mirrorhub.stores.notes import Note, NoteBook, decode_note, encode_note, is_as_noted, write_whole

log = logging.getLogger(__name__)
_JOURNAL = "publish-"
_STAGING = "staging-"
_READY, _LINKS = "ready", "links"


@dataclass(frozen=True, slots=True)
class Publication:
    """What is to be done to a snapshot's directory.

    Attributes:
        target: The directory.
        places: Path below it -> the checked file, all in one folder of our own; several paths may name one file.
        deletes: Paths below it that go.
        note: What will be known of the directory then.
        name: Under which name the note is kept.
        before: Which state of that note this is to follow; nothing where there was none.
    """

    target: Path
    places: Mapping[str, Path]
    deletes: tuple[str, ...]
    note: Note
    name: str
    before: str = ""


class Vanished(Exception):  # noqa: N818 - nothing is wrong: it is to be looked again what is missing
    """A checked file is not where it waited: another process, which no lock kept away, has published it."""


def publish(home: Path, publication: Publication) -> None:
    """Move files to their paths, and write the note.

    Args:
        home: The repository's folder, on the same file system as the target.
        publication: What is to be done.

    Raises:
        Vanished: Another process was faster.
        StoreError: A symlink or a folder stands where it must not.
        OSError: The disk refuses; the next call goes on where this one ended.
    """
    # What is replaced is not left over.
    gone = set(publication.deletes) - set(publication.places)
    before = NoteBook(home).mark(publication.name)
    publication = replace(publication, deletes=tuple(sorted(gone)), before=before)
    own, owner = home / OWN_FOLDER, own_name()
    write_whole(_journal(own, owner), _encoded(publication), private=True)
    try:
        _carry_out(home, publication, own / f"{_STAGING}{owner}")
    except (StoreError, Vanished):
        # It would end the same way next time.
        _drop(own, owner)
        raise
    except BaseException:
        _leave(own, owner)
        raise
    _drop(own, owner)


def _journal(own: Path, owner: str) -> Path:
    return own / f"{_JOURNAL}{owner}.json"


def _drop(own: Path, owner: str) -> None:
    shutil.rmtree(own / f"{_STAGING}{owner}", ignore_errors=True)
    _journal(own, owner).unlink(missing_ok=True)


def _leave(own: Path, owner: str) -> None:
    """Let the next call finish it, in this process, too: under a name that is no living owner's."""
    nobody = f"free-{secrets.token_hex(8)}"
    with suppress(OSError):
        if (own / f"{_STAGING}{owner}").exists():
            (own / f"{_STAGING}{owner}").replace(own / f"{_STAGING}{nobody}")
        _journal(own, owner).replace(_journal(own, nobody))


def finish_interrupted(home: Path, *, users: bool = False) -> None:
    """Finish what ended processes had begun to publish.

    Whoever calls this holds the repository: of a process that cannot be asked it is taken that it has ended, since it
    held it, too. What cannot be read or finished is dropped, and so is what another call has published over since:
    notes and digests find out what is missing, and it is fetched again.

    Args:
        home: The repository's folder; the caller holds it.
        users: It is a folder that the user named: what the user has there stays.
    """
    own = home / OWN_FOLDER
    for path in sorted(own.glob(f"{_JOURNAL}*.json")):
        owner = path.stem.removeprefix(_JOURNAL)
        if is_known_alive(owner):
            continue
        try:
            publication = _decoded(home, read_regular(path))
            if publication is not None and _is_in_its_place(home, publication, users=users):
                publication = _sparing(home, publication) if users else publication
                _finish(home, publication, own / f"{_STAGING}{owner}")
        except (Vanished, OSError) as error:
            log.info("%s: what another call had begun to publish is dropped: %s", home, error)
        _drop(own, owner)


def _finish(home: Path, publication: Publication, staging: Path) -> None:
    refuse_link(staging)
    waiting = {name: place for name, place in publication.places.items() if _exists(place)}
    moved = set(publication.places) - set(waiting)
    if publication.target.exists() or all(_exists(staging / name) for name in moved):
        _carry_out(home, replace(publication, places=waiting), staging)


def _encoded(publication: Publication) -> bytes:
    source = next(iter(publication.places.values())).parent.name if publication.places else _READY
    journal = {
        "target": str(publication.target),
        "source": source,
        "moves": {path: place.name for path, place in publication.places.items()},
        "deletes": publication.deletes,
        "note": encode_note(publication.note),
        "name": publication.name,
        "before": publication.before,
    }
    return json.dumps(journal).encode()


def _decoded(home: Path, data: bytes) -> Publication | None:
    """Read what was to be done; None unless all of it lies in the repository's own folder.

    A folder may have come from somewhere else, as an archive or a clone: its journal is no better than its sender.
    """
    own = home / OWN_FOLDER
    try:
        journal = parsed(data)
        source = own / text(journal["source"])
        publication = Publication(
            target=Path(text(journal["target"])),
            places={name: source / text(place) for name, place in mapping(journal["moves"]).items()},
            deletes=texts(journal["deletes"]),
            note=decode_note(journal["note"]),
            name=text(journal["name"]),
            before=text(journal["before"]),
        )
    except (ValueError, LookupError):
        return None
    target, places = publication.target, publication.places
    inside = target.is_relative_to(home) and ".." not in target.parts and source.name in (_READY, _LINKS)
    single = all(place.parent == source for place in places.values()) and source.parent == own
    if not inside or not single or any(path_problem(name) for name in [*places, *publication.deletes]):
        return None
    return publication


def _is_in_its_place(home: Path, publication: Publication, *, users: bool) -> bool:
    """Whether a journal is about the directory that its note is on, as the stores name both, and as it is now."""
    name = publication.name
    place = home if users else home / "snapshots" / name
    if publication.target != place or path_problem(name):
        return False
    # Published over since: it would be a rollback.
    return publication.before == NoteBook(home).mark(name)


def _sparing(home: Path, publication: Publication) -> Publication:
    """Leave what a journal would do to a user's own files: it goes no further than what is known to be ours.

    A file is moved if it is what the journal's own note says, and replaces nothing but what we had brought.
    """
    current = NoteBook(home).read(publication.name)
    entries = {entry.path: entry for entry in publication.note.manifest.files if entry.digest}
    places = {
        path: place
        for path, place in publication.places.items()
        if path in entries
        and (not os.path.lexists(home / path) or is_as_noted(home, path, current))
        and is_regular(place)
        and file_matches(place, entries[path])
    }
    deletes = tuple(path for path in publication.deletes if is_as_noted(home, path, current))
    return replace(publication, places=places, deletes=deletes)


def _exists(path: Path) -> bool:
    """Whether something stands there; a link that waits to be moved points nowhere yet."""
    return path.is_symlink() or path.is_file()


def _carry_out(home: Path, publication: Publication, staging: Path) -> None:
    target, places, gone = publication.target, publication.places, set(publication.deletes)
    refuse_link(target)
    refuse_link(target.parent)
    if target.exists():
        # A file that becomes a folder, or the reverse, has to make room first; all else goes last.
        for path in gone.intersection(_in_the_way(gone, places)):
            _delete(target, path)
        _place_all(target, places)
    else:
        # What another call had staged stays: its files are right, and nobody else's.
        staging.mkdir(parents=True, exist_ok=True)
        _place_all(staging, places)
        target.parent.mkdir(parents=True, exist_ok=True)
        _appear(staging, target)
    for path in sorted(gone):
        _delete(target, path)
    NoteBook(home).write(publication.name, publication.note)


def _appear(staging: Path, target: Path) -> None:
    """Let a directory appear, whole; into one that has appeared meanwhile its files go one by one."""
    try:
        staging.replace(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) and not (os.name == "nt" and target.is_dir()):
            raise
        staged = (path for path in staging.rglob("*") if not path.is_dir() or path.is_symlink())
        _place_all(target, {path.relative_to(staging).as_posix(): path for path in staged})


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
        if goal.is_dir() and not goal.is_symlink():
            raise StoreError(errno.EISDIR, f"{goal}: a folder stands where a file belongs; remove it")
        try:
            if last[place] == path:
                place.replace(goal)
            else:
                _copy(place, goal)
        except FileNotFoundError:
            if _exists(place):
                raise
            raise Vanished(place) from None


def _make_parents(folder: Path, path: str) -> None:
    """Make the folders above a path, and never write through a symlink that somebody planted."""
    folder.mkdir(parents=True, exist_ok=True)
    for parent in reversed(PurePosixPath(path).parents[:-1]):
        place = folder / parent
        refuse_link(place)
        place.mkdir(exist_ok=True)


def _copy(source: Path, goal: Path) -> None:
    # Beside its source, in our own folder: where it is to stand everybody would see half of it.
    temporary = source.with_name(f"{source.name}.{secrets.token_hex(8)}")
    try:
        # With its times: the note knows the file by them.
        copy_whole(source, temporary)
        temporary.replace(goal)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _delete(target: Path, path: str) -> None:
    if any((target / parent).is_symlink() for parent in PurePosixPath(path).parents[:-1]):
        return
    try:
        (target / path).unlink()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        # Gone already, or something new stands in its place by now: unlinking a folder says EPERM on some systems.
        if (target / path).is_file():
            raise
    for parent in PurePosixPath(path).parents[:-1]:
        with suppress(OSError):
            (target / parent).rmdir()
