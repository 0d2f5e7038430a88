"""ModelScope's cache, as modelscope 1.38 and later lay it out.

    {MODELSCOPE_CACHE}/models/{owner}--{name}/snapshots/{revision}/...    plain files; no commit, no digest
                                             /.mirrorhub/...              ours; the SDK does not look there

Source: modelscope_hub 0.5.1, `_download.py`. Older versions' directories are read and never written.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mirrorhub.config import Settings
from mirrorhub.digest import file_matches
from mirrorhub.models import PINNED, FileEntry, Manifest, Repo
from mirrorhub.rawfile import copy_whole
from mirrorhub.stores.notes import Note, NoteBook, left_over
from mirrorhub.stores.publish import Publication, publish


class ModelScopeStore:
    """The snapshots of one ModelScope repository."""

    keeps_blobs = False

    def __init__(self, repo: Repo, settings: Settings) -> None:
        self._repo = repo
        self._cache = settings.modelscope_cache
        self._kind = f"{repo.type}s"
        self._owner, _, self._name = repo.id.partition("/")
        self.home = self._cache / self._kind / f"{self._owner}--{self._name}"
        self.notes = NoteBook(self.home)

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

    def suspects(self, manifest: Manifest, missing: Iterable[FileEntry]) -> Iterator[tuple[FileEntry, Path]]:
        """Yield files that the note says are there with this content, and that are not."""
        note, folder = self.note(manifest), self.place(manifest)
        noted = {entry.path: entry.digest for entry in note.manifest.files if entry.path in note.stamps} if note else {}
        yield from ((entry, folder / entry.path) for entry in missing if noted.get(entry.path, ()) == entry.digest)

    def elsewhere(self, entry: FileEntry) -> Path | None:
        """Return the file in another revision, or in an older version's directory, if it is the same there."""
        places = (folder / entry.path for folder in self.directories()) if entry.digest else ()
        return next((place for place in places if place.is_file() and file_matches(place, entry)), None)

    def spare(self, entry: FileEntry, ready: Path) -> Path | None:
        """Copy the file from where else it lies."""
        source = self.elsewhere(entry)
        if source is None:
            return None
        # Where locks do nothing another process may be about to publish what lies there.
        temporary = ready.with_name(f"{ready.name}.{secrets.token_hex(8)}")
        copy_whole(source, temporary)
        temporary.replace(ready)
        return ready

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
            if _filled(candidate):
                note = self.notes.read(str(candidate.relative_to(snapshots)))
                # `a--b/c` and `a/b--c` share a folder in the SDK's layout.
                return None if note and note.manifest.repo != self._repo else (candidate, note)
        older = self._older() if revision is None else ()
        return next(((folder, None) for folder in older if _filled(folder)), None)

    def directories(self) -> Iterator[Path]:
        """Yield the snapshots' directories, then those of older versions."""
        yield from _filled_folders(self.home / "snapshots")
        yield from (folder for folder in self._older() if _filled(folder))

    def _older(self) -> Iterator[Path]:
        """Where modelscope 1.10 to 1.37 kept a repository; from 1.12 on with `___` for a dot in the name."""
        for name in dict.fromkeys((self._name, self._name.replace(".", "___"))):
            for above in (self._kind, f"hub/{self._kind}", "hub", "."):
                yield self._cache / above / self._owner / name


def _filled_folders(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if _filled(entry))
    except OSError:
        return []


def _filled(folder: Path) -> bool:
    try:
        return folder.is_dir() and next(folder.iterdir(), None) is not None
    except OSError:
        return False
