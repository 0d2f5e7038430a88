"""Where content that is wanted lies on this disk already: under another path, another revision, another repository.

Our notes say which content each published snapshot holds, and Hugging Face's blobs bear their digest as their name. So
nothing is hashed to find it; what was found is hashed before it is used, since whoever wrote a note is not believed.
Content of other repositories is looked for from 1 MiB on: what is smaller comes sooner than many notes are read.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import get_args

from mirrorhub.config import Settings
from mirrorhub.digest import file_matches
from mirrorhub.models import FileEntry, RepoType
from mirrorhub.rawfile import NOT_THROUGH_LINKS, SYNCED, copy_whole, to_read
from mirrorhub.records import parsed
from mirrorhub.stores.notes import NoteBook, decode_note

MAX_NOTES_BYTES = 64 << 20
Shelf = tuple[Path, Callable[[str], Path]]
"""A folder with notes in it, and where the snapshot is that a note of this name is on."""


class Elsewhere:
    """What the notes below some folders know; read once, when it is first asked for."""

    def __init__(self, near: Iterable[Shelf], settings: Settings) -> None:
        """Take where to look: for content of any size, and in which caches for that of some size."""
        self._near = tuple(near)
        self._settings = settings
        self._read: dict[bool, list[tuple[Path, bytes]]] = {}

    def find(self, entry: FileEntry, first: Iterable[Path] = ()) -> Path | None:
        """Return a file that holds the content; nothing is copied.

        Args:
            entry: The content.
            first: Files that may hold it, whatever the notes say.
        """
        places = chain(first, self._candidates(entry)) if entry.digest else ()
        return next((place for place in places if file_matches(place, entry)), None)

    def bring(self, entry: FileEntry, ready: Path, first: Iterable[Path] = ()) -> Path | None:
        """Copy the content to where checked files wait; return that place, or None if the content is nowhere.

        Args:
            entry: The content.
            ready: The place.
            first: Files that may hold it, whatever the notes say.

        Raises:
            OSError: The disk refuses.
        """
        if entry.digest is None:
            return None
        places = chain(first, self._candidates(entry))
        return ready if any(brought(place, entry, ready) for place in places) else None

    def _candidates(self, entry: FileEntry) -> Iterator[Path]:
        yield from self._noted(entry, near=True)
        if (entry.size or 0) >= SYNCED:
            yield from self._other_blobs(entry)
            yield from self._noted(entry, near=False)

    def _other_blobs(self, entry: FileEntry) -> Iterator[Path]:
        assert entry.etag is not None
        for home in own_homes(self._settings):
            if home.parent == self._settings.huggingface_cache:
                yield home / "blobs" / entry.etag

    def _noted(self, entry: FileEntry, *, near: bool) -> Iterator[Path]:
        if near not in self._read:
            self._read[near] = list(_notes(self._near if near else map(snapshots_of, own_homes(self._settings))))
        assert entry.digest is not None
        wanted = entry.digest.value.encode()
        for folder, data in self._read[near]:
            if wanted in data:
                yield from (folder / path for path in _paths(data, entry))


def own_homes(settings: Settings) -> Iterator[Path]:
    """Yield every repository's folder in both caches."""
    types: tuple[RepoType, ...] = get_args(RepoType)
    kinds = {f"{name}s" for name in types}
    for parent in (*(settings.modelscope_cache / kind for kind in sorted(kinds)), settings.huggingface_cache):
        with suppress(OSError):
            for home in parent.iterdir():
                if parent != settings.huggingface_cache or home.name.partition("--")[0] in kinds:
                    yield home


def brought(source: Path, entry: FileEntry, ready: Path) -> bool:
    """Copy a file to where checked files wait, so that nobody sees half of it, if it holds the content.

    Raises:
        OSError: The disk refuses.
    """
    before = _state(source)
    if before is None or not file_matches(source, entry):
        return False
    # Where locks do nothing another process may be about to publish what lies there.
    temporary = ready.with_name(f"{ready.name}.{secrets.token_hex(8)}")
    try:
        with suppress(FileNotFoundError):
            copy_whole(source, temporary)
            # Whoever has changed it meanwhile has changed what was copied, too.
            if _state(source) == before:
                temporary.replace(ready)
                return True
    finally:
        temporary.unlink(missing_ok=True)
    return False


def _state(place: Path) -> tuple[int, ...] | None:
    try:
        status = place.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def snapshots_of(home: Path) -> Shelf:
    """Return a repository's folder in a cache, whose notes are on the directories in `snapshots`."""
    return home, lambda name: home / "snapshots" / name


def _notes(shelves: Iterable[Shelf]) -> Iterator[tuple[Path, bytes]]:
    left = MAX_NOTES_BYTES
    for home, folder_of in shelves:
        book = NoteBook(home)
        for name in book.names():
            with suppress(OSError), to_read(book.path(name), NOT_THROUGH_LINKS) as file:
                data = file.read(left)
                left -= len(data)
                yield folder_of(name), data


def _paths(data: bytes, entry: FileEntry) -> list[str]:
    """Return the paths under which a note has the content; of those that it says are there."""
    try:
        note = decode_note(parsed(data))
    except (ValueError, LookupError):
        return []
    return [one.path for one in note.manifest.files if one.digest == entry.digest and one.path in note.stamps]
