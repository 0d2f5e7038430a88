"""A plain folder that the caller named: files under their own names, our notes in `.mirrorhub` beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mirrorhub.models import FileEntry, Manifest, Repo
from mirrorhub.stores.healing import set_edited_aside
from mirrorhub.stores.notes import Note, NoteBook, left_over
from mirrorhub.stores.publish import Publication, publish

_CURRENT = "current"


class FolderStore:
    """One repository at one revision: the last one that was asked for."""

    keeps_blobs = False

    def __init__(self, repo: Repo, folder: Path) -> None:
        self._repo = repo
        self.home = folder
        self.notes = NoteBook(folder)

    def place(self, manifest: Manifest) -> Path:
        """Return the folder."""
        return self.home

    def note(self, manifest: Manifest) -> Note | None:
        """Return what is known of the folder, if it is of this repository."""
        note = self.notes.read(_CURRENT)
        return note if note and note.manifest.repo == manifest.repo else None

    def names(self, manifest: Manifest) -> bool:
        """The directory bears the name itself."""
        return True

    def label(self, manifest: Manifest) -> str:
        """Return the name under which notes on the snapshot are kept."""
        return _CURRENT

    def publish(self, manifest: Manifest, places: Mapping[str, Path], note: Note) -> None:
        """Bring checked files to their paths, and write the note; what a user has changed there is put aside."""
        set_edited_aside(self.home, places, self.note(manifest), manifest)
        gone = left_over(self.home, self.note(manifest), note)
        publish(self.home, Publication(self.home, places, gone, note, _CURRENT))

    def suspects(self, manifest: Manifest, missing: Iterable[FileEntry]) -> Iterator[tuple[FileEntry, Path]]:
        """None: what is wrong here may be the user's own, and stays until the right one is there."""
        yield from ()

    def elsewhere(self, entry: FileEntry) -> Path | None:
        """Plain files have no other name."""
        return None

    def spare(self, entry: FileEntry, ready: Path) -> Path | None:
        """Plain files have no other name."""
        return None

    def found(self, revision: str | None) -> tuple[Path, Note | None] | None:
        """Find the folder, if it is there and not known to hold something else."""
        note = self.notes.read(_CURRENT)
        if note and (note.manifest.repo != self._repo or revision not in (None, note.manifest.revision)):
            return None
        return (self.home, note) if self.home.is_dir() else None

    def directories(self) -> Iterator[Path]:
        """Yield the folder."""
        if self.home.is_dir():
            yield self.home
