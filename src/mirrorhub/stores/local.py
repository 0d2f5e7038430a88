"""A plain folder that the user named: beside our notes, the SDK's own.

What modelscope before 1.38 wrote there is read (`books`); later versions write nothing. What huggingface_hub writes is
read and written:

    {folder}/.cache/huggingface/download/{path}.metadata    what each file is, and since when
                               /trees/{commit}.json         what the commit holds

A file of which the SDK has written what is listed now, and that was not changed since, is not hashed again: it is taken
at the SDK's word, and the snapshot says so. `verify=True` hashes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mirrorhub.models import FileEntry, Manifest
from mirrorhub.stores import marks
from mirrorhub.stores.books import read_books
from mirrorhub.stores.folder import FolderStore
from mirrorhub.stores.notes import Note, stamp_of
from mirrorhub.stores.seen import Stamp


class ModelScopeFolder(FolderStore):
    """One repository of ModelScope at one revision."""

    def found(self, revision: str | None) -> tuple[Path, Note | None] | None:
        """Find the folder, unless it is known to hold something else."""
        found = super().found(revision)
        if found is None or found[1] is not None:
            return found
        return found if revision is None or read_books(self.home).revision in (None, revision) else None

    def listed(self, folder: Path) -> Sequence[FileEntry]:
        """Return what an older version's books say should be there."""
        return tuple(FileEntry(path, commit=commit) for path, commit in read_books(self.home).commits.items())


class HuggingFaceFolder(FolderStore):
    """One repository of Hugging Face at one revision."""

    def publish(self, manifest: Manifest, places: Mapping[str, Path], note: Note) -> None:
        """Bring checked files to their paths; what was written of those before goes first."""
        for path in places:
            marks.forget_metadata(self.home, path)
        super().publish(manifest, places, note)

    def told(self, manifest: Manifest, entries: Iterable[FileEntry]) -> Mapping[str, Stamp]:
        """Return the files of which the SDK has written that they are these entries."""
        told: dict[str, Stamp] = {}
        for entry in entries:
            written = marks.metadata_of(self.home, entry.path)
            if written is None or entry.digest is None or written.etag != entry.etag:
                continue
            with suppress(OSError):
                stamp = stamp_of(self.home / entry.path)
                if entry.size in (None, stamp[0]) and written.is_of(stamp[1]):
                    told[entry.path] = stamp
        return told

    def leave_marks(self, manifest: Manifest, note: Note, *, whole: bool) -> None:
        """Write what each file is, and what the commit holds."""
        if manifest.commit is None or not marks.is_commit(manifest.commit):
            return
        marks.open_books(self.home)
        for entry in (entry for entry in manifest.files if entry.path in note.stamps and entry.digest):
            self._mark(entry, manifest.commit, note.stamps[entry.path])
        if whole:
            marks.write_tree(self.home, manifest, marks.BOOKS)

    def _mark(self, entry: FileEntry, commit: str, stamp: Stamp) -> None:
        assert entry.etag is not None
        with suppress(OSError):
            if stamp_of(self.home / entry.path) == stamp:
                marks.write_metadata(self.home, entry.path, commit, entry.etag)

    def listed(self, folder: Path) -> Sequence[FileEntry]:
        """Return what the SDK has written down of the commit that the files came with."""
        commit = marks.commit_of(self.home)
        return marks.read_tree(self.home / marks.BOOKS, commit) if commit else ()
