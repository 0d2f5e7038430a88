"""ModelScope's cache, as modelscope 1.38 and later lay it out.

    {MODELSCOPE_CACHE}/models/{owner}--{name}/snapshots/{revision}/...    plain files; no commit, no digest
                                             /.mirrorhub/...              ours; the SDK does not look there

Source: modelscope_hub 0.5.1, `_download.py`. For the directories of older versions see `older`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mirrorhub.config import Settings
from mirrorhub.models import PINNED, FileEntry, Manifest, Repo
from mirrorhub.stores.elsewhere import Elsewhere, snapshots_of
from mirrorhub.stores.notes import Note, NoteBook, left_over
from mirrorhub.stores.older import is_filled, older_folders
from mirrorhub.stores.publish import Publication, publish
from mirrorhub.stores.seen import Stamp


class ModelScopeStore:
    """The snapshots of one ModelScope repository."""

    keeps_blobs = plain = False

    def __init__(self, repo: Repo, settings: Settings) -> None:
        self._repo = repo
        self._cache = settings.modelscope_cache
        self._kind = f"{repo.type}s"
        self._owner, _, self._name = repo.id.partition("/")
        self.home = self._cache / self._kind / f"{self._owner}--{self._name}"
        self.notes = NoteBook(self.home)
        self._others = Elsewhere([snapshots_of(self.home)], settings)

    def place(self, manifest: Manifest) -> Path:
        """Return the directory of the snapshot: named after the revision as it was asked for, like the SDK's."""
        return self.home / "snapshots" / manifest.revision

    def note(self, manifest: Manifest) -> Note | None:
        """Return what is known of that directory, if it is of this repository."""
        note = self.notes.read(manifest.revision)
        return note if note and note.manifest.repo == manifest.repo else None

    def names(self, manifest: Manifest) -> bool:
        """The directory bears the name itself."""
        return True

    def label(self, manifest: Manifest) -> str:
        """Return the name under which notes on the snapshot are kept."""
        return manifest.revision

    def publish(self, manifest: Manifest, places: Mapping[str, Path], note: Note) -> None:
        """Bring checked files to their paths, and write the note."""
        target = self.place(manifest)
        gone = left_over(target, self.note(manifest), note)
        publish(self.home, Publication(target, places, gone, note, manifest.revision))

    def told(self, manifest: Manifest, entries: Iterable[FileEntry]) -> Mapping[str, Stamp]:
        """The SDK notes nothing."""
        return {}

    def leave_marks(self, manifest: Manifest, note: Note, *, whole: bool) -> None:
        """The SDK writes nothing."""

    def mark_absent(self, manifest: Manifest, path: str) -> None:
        """The SDK writes nothing."""

    def suspects(self, manifest: Manifest, missing: Iterable[FileEntry]) -> Iterator[tuple[FileEntry, Path]]:
        """Yield files that the note says are there with this content, and that are not."""
        note, folder = self.note(manifest), self.place(manifest)
        noted = {entry.path: entry.digest for entry in note.manifest.files if entry.path in note.stamps} if note else {}
        yield from ((entry, folder / entry.path) for entry in missing if noted.get(entry.path, ()) == entry.digest)

    def elsewhere(self, entry: FileEntry) -> Path | None:
        """Return the content in another revision or an older version's directory, or in another repository."""
        return self._others.find(entry, self._same_path(entry))

    def spare(self, entry: FileEntry, ready: Path) -> Path | None:
        """Copy the content from where else it lies, under whatever name."""
        return self._others.bring(entry, ready, self._same_path(entry))

    def _same_path(self, entry: FileEntry) -> Iterator[Path]:
        return (folder / entry.path for folder in self.directories())

    def found(self, revision: str | None) -> tuple[Path, Note | None] | None:
        """Find a revision: the SDK's order is master, main, then the only one there is."""
        snapshots = self.home / "snapshots"
        names = [revision] if revision else ["master", "main"]
        candidates = [snapshots / name for name in names]
        # The pinned files are a part of the repository: they are not its only revision.
        others = [folder for folder in _filled_folders(snapshots) if folder.name != PINNED]
        if revision is None and len(others) == 1:
            candidates += others
        for candidate in candidates:
            if is_filled(candidate):
                note = self.notes.read(str(candidate.relative_to(snapshots)))
                # `a--b/c` and `a/b--c` share a folder in the SDK's layout.
                return None if note and note.manifest.repo != self._repo else (candidate, note)
        return None

    def listed(self, folder: Path) -> Sequence[FileEntry]:
        """The SDK writes nothing down."""
        return ()

    def directories(self) -> Iterator[Path]:
        """Yield the snapshots' directories, then those of older versions."""
        yield from _filled_folders(self.home / "snapshots")
        yield from older_folders(self._cache, self._repo)


def _filled_folders(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if is_filled(entry))
    except OSError:
        return []
