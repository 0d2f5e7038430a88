"""A plain folder that the caller named: files under their own names, our notes in `.mirrorhub` beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mirrorhub.digest import file_matches
from mirrorhub.models import FileEntry, Manifest, Repo
from mirrorhub.stores.elsewhere import brought
from mirrorhub.stores.healing import set_edited_aside
from mirrorhub.stores.notes import Note, NoteBook, left_over
from mirrorhub.stores.publish import Publication, publish
from mirrorhub.stores.seen import Stamp

CURRENT = "current"


class Spares(Protocol):
    """Where content may lie that need not be fetched."""

    def elsewhere(self, entry: FileEntry) -> Path | None:
        """Return where it lies."""

    def spare(self, entry: FileEntry, ready: Path) -> Path | None:
        """Return where it lies; copied to `ready` if need be."""


class FolderStore:
    """One repository at one revision: the last one that was asked for."""

    keeps_blobs = False
    plain = True

    def __init__(self, repo: Repo, folder: Path, cache: Spares | None = None) -> None:
        """Take the folder of a repository.

        Args:
            repo: Which.
            folder: Where.
            cache: Its cache, whose content need not be fetched.
        """
        self._repo = repo
        self._cache = cache
        self.home = folder
        self.notes = NoteBook(folder)

    def place(self, manifest: Manifest) -> Path:
        """Return the folder."""
        return self.home

    def note(self, manifest: Manifest) -> Note | None:
        """Return what is known of the folder, if it is of this repository."""
        note = self.notes.read(CURRENT)
        return note if note and note.manifest.repo == manifest.repo else None

    def names(self, manifest: Manifest) -> bool:
        """The directory bears the name itself."""
        return True

    def label(self, manifest: Manifest) -> str:
        """Return the name under which notes on the snapshot are kept."""
        return CURRENT

    def publish(self, manifest: Manifest, places: Mapping[str, Path], note: Note) -> None:
        """Bring checked files to their paths, and write the note; what a user has changed there is put aside."""
        set_edited_aside(self.home, places, self.note(manifest), manifest)
        gone = left_over(self.home, self.note(manifest), note)
        publish(self.home, Publication(self.home, places, gone, note, CURRENT))

    def suspects(self, manifest: Manifest, missing: Iterable[FileEntry]) -> Iterator[tuple[FileEntry, Path]]:
        """None: what is wrong here may be the user's own, and stays until the right one is there."""
        yield from ()

    def told(self, manifest: Manifest, entries: Iterable[FileEntry]) -> Mapping[str, Stamp]:
        """The SDK notes nothing."""
        return {}

    def leave_marks(self, manifest: Manifest, note: Note, *, whole: bool) -> None:
        """The SDK writes nothing."""

    def mark_absent(self, manifest: Manifest, path: str) -> None:
        """The SDK writes nothing."""

    def elsewhere(self, entry: FileEntry) -> Path | None:
        """Return the content under another path here, or in the caches."""
        here = next((place for place in self._noted(entry) if file_matches(place, entry)), None)
        return self._cache.elsewhere(entry) if here is None and self._cache else here

    def spare(self, entry: FileEntry, ready: Path) -> Path | None:
        """Copy the content, if it lies here under another path, or in the caches."""
        if any(brought(place, entry, ready) for place in self._noted(entry)):
            return ready
        source = self._cache.spare(entry, ready) if self._cache else None
        # A blob is the cache's own: it is not to be moved.
        return ready if source and (source == ready or brought(source, entry, ready)) else None

    def _noted(self, entry: FileEntry) -> Iterator[Path]:
        note = self.notes.read(CURRENT)
        for one in note.manifest.files if note and entry.digest else ():
            if note and one.digest == entry.digest and one.path in note.stamps:
                yield self.home / one.path

    def listed(self, folder: Path) -> Sequence[FileEntry]:
        """The SDK writes nothing down."""
        return ()

    def found(self, revision: str | None) -> tuple[Path, Note | None] | None:
        """Find the folder, if it is there and not known to hold something else."""
        note = self.notes.read(CURRENT)
        if note and (note.manifest.repo != self._repo or revision not in (None, note.manifest.revision)):
            return None
        return (self.home, note) if self.home.is_dir() else None

    def directories(self) -> Iterator[Path]:
        """Yield the folder."""
        if self.home.is_dir():
            yield self.home
