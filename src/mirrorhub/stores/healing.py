"""Damage that a call has found: the wrong bytes are put aside before the right ones come.

At once in a cache, where an SDK would go on reading them; in a folder that the user named only when the right ones are
there, since the wrong ones may be the user's own work.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from mirrorhub.digest import file_matches
from mirrorhub.models import FileEntry, Manifest
from mirrorhub.owner import is_regular
from mirrorhub.stores.aside import Aside, put_aside, trim
from mirrorhub.stores.notes import Note, stamp_of
from mirrorhub.stores.seen import Stamp

log = logging.getLogger(__name__)


def set_damaged_aside(home: Path, suspects: Iterable[tuple[FileEntry, Path]], note: Note | None) -> list[Aside]:
    """Put aside those of the suspects that are not what they should be; the caller holds the repository.

    Args:
        home: The repository's folder.
        suspects: Files that should be what the entry says, below `home`.
        note: What is known of them.

    Raises:
        OSError: The disk refuses.
    """
    put: list[Aside] = []
    for entry, place in suspects:
        if _may_be_moved(home, place) and not file_matches(place, entry):
            put.append(_put(home, place, entry, note, users=False))
    if put:
        trim(home)
        log.warning(
            "%s: not as published, put aside and fetched again: %s. See `mirrorhub cache list`.",
            _name_of(home, note),
            _named(put),
        )
    return put


def set_edited_aside(folder: Path, places: Mapping[str, Path], note: Note | None, manifest: Manifest) -> list[Aside]:
    """Put aside files of a user's folder that are about to be replaced and that nobody but the user has made so.

    Args:
        folder: The folder.
        places: What is about to be replaced, by path below it.
        note: What is known of the folder.
        manifest: What the files will be.

    Raises:
        OSError: The disk refuses.
    """
    ours = {} if note is None else {entry.path: entry for entry in note.manifest.files}
    will_be = {entry.path: entry for entry in manifest.files}
    put: list[Aside] = []
    for path in places:
        place = folder / path
        if _may_be_moved(folder, place) and not _is_as_brought(place, path, ours, note, will_be[path]):
            put.append(_put(folder, place, will_be[path], note, users=True))
    if put:
        log.warning(
            "%s: changed since it was brought, and replaced now: %s. What was there is kept in %s.",
            folder,
            _named(put),
            put[0].folder.parent,
        )
    return put


def _put(home: Path, place: Path, entry: FileEntry, note: Note | None, *, users: bool) -> Aside:
    origins = note.origins.get(entry.path, ()) if note else ()
    revision = note.manifest.revision if note else ""
    return put_aside(home, place, entry, revision, origins, users)


def _is_as_brought(
    place: Path, path: str, ours: Mapping[str, FileEntry], note: Note | None, will_be: FileEntry
) -> bool:
    """Whether a file is what an earlier call has put there, or what this one would."""
    was = ours.get(path)
    # Where the same content is brought once more, it was found wrong, whatever its stamp says.
    if note is not None and was is not None and was.digest != will_be.digest:
        if _stamp(place) in (note.stamps.get(path, ()), note.seen.get(path, ())):
            return True
        if was.digest is not None and file_matches(place, was):
            return True
    return will_be.digest is not None and file_matches(place, will_be)


def _stamp(place: Path) -> Stamp | None:
    try:
        return stamp_of(place)
    except OSError:
        return None


def _may_be_moved(home: Path, place: Path) -> bool:
    """Whether it is a file of its own that lies where it seems to: nothing is moved through a planted link."""
    try:
        below = place.relative_to(home)
    except ValueError:
        return False
    return is_regular(place) and not any((home / above).is_symlink() for above in below.parents[:-1])


def _name_of(home: Path, note: Note | None) -> str:
    """Name the repository as its note does, unless that could do something to a terminal."""
    name = str(note.manifest.repo) if note else home.name
    return name if name.isprintable() else home.name


def _named(put: list[Aside]) -> str:
    names = [aside.path for aside in put]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
