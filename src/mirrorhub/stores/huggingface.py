"""Hugging Face's cache, as huggingface_hub lays it out.

    {HF_HUB_CACHE}/models--{owner}--{name}/blobs/{etag}               sha256 of an LFS file, git's sha1 of any other
                                          /snapshots/{commit}/...     relative links into blobs
                                          /refs/{revision}            the commit, 40 hex, no newline
                                          /.mirrorhub/...             ours; the SDK does not look there

Source: huggingface_hub 2.4.0, `file_download.py`. Where links cannot be made, the files stand in the snapshot itself.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from mirrorhub.config import Settings
from mirrorhub.digest import file_matches
from mirrorhub.models import FileEntry, Manifest, Repo
from mirrorhub.ours import own_part, refuse_link
from mirrorhub.paths import OWN_FOLDER
from mirrorhub.rawfile import copy_whole, to_read
from mirrorhub.records import hex_digits
from mirrorhub.stores import marks
from mirrorhub.stores.disk import write_whole
from mirrorhub.stores.elsewhere import Elsewhere, snapshots_of
from mirrorhub.stores.notes import Note, NoteBook
from mirrorhub.stores.publish import Publication, Vanished, publish
from mirrorhub.stores.seen import Stamp

_HEX = frozenset("0123456789abcdef")
_LONGEST_REF = 100


class HuggingFaceStore:
    """The snapshots of one Hugging Face repository."""

    keeps_blobs = True
    plain = False

    def __init__(self, repo: Repo, settings: Settings) -> None:
        self.home = settings.huggingface_cache / f"{repo.type}s--{repo.id.replace('/', '--')}"
        self.notes = NoteBook(self.home)
        self._others = Elsewhere([snapshots_of(self.home)], settings)

    def place(self, manifest: Manifest) -> Path:
        """Return the directory of the snapshot: named after the commit."""
        return self.home / "snapshots" / _commit(manifest)

    def note(self, manifest: Manifest) -> Note | None:
        """Return what is known of that directory."""
        return self.notes.read(_commit(manifest))

    def names(self, manifest: Manifest) -> bool:
        """Whether `refs` leads from the revision to the commit."""
        commit = _commit(manifest)
        return manifest.revision == commit or self._ref(manifest.revision) == commit

    def label(self, manifest: Manifest) -> str:
        """Return the name under which notes on the snapshot are kept."""
        return _commit(manifest)

    def publish(self, manifest: Manifest, places: Mapping[str, Path], note: Note) -> None:
        """Bring checked files into `blobs`, their links into the snapshot, then write the note and the ref."""
        target, commit = self.place(manifest), _commit(manifest)
        if self._links_work():
            placed = self._links(self._to_blobs(manifest, places))
        else:
            placed = {path: self._own_copy(place) for path, place in places.items()}
        try:
            publish(self.home, Publication(target, placed, (), note, commit))
        finally:
            self._clear_links(placed.values())
        if manifest.revision != commit:
            self.write_ref(manifest.revision, commit)

    def write_ref(self, name: str, commit: str) -> None:
        """Let a revision lead to a commit.

        Raises:
            OSError: The disk refuses.
        """
        refs = self.home / "refs"
        ref = refs / name
        for folder in (refs, *(refs / parent for parent in reversed(PurePosixPath(name).parents[:-1]))):
            refuse_link(folder)
        ref.parent.mkdir(parents=True, exist_ok=True)
        write_whole(ref, commit.encode())

    def _own_copy(self, place: Path) -> Path:
        """A blob that is there belongs to other snapshots too: it is copied, not moved."""
        if place.parent != self.home / "blobs":
            return place
        copy = own_part(self.home, "ready") / place.name
        copy_whole(place, copy)
        return copy

    def suspects(self, manifest: Manifest, missing: Iterable[FileEntry]) -> Iterator[tuple[FileEntry, Path]]:
        """Yield blobs that bear the content's name, which all snapshots share, and files that stand in for links."""
        note, folder = self.note(manifest), self.place(manifest)
        for entry in missing:
            # What a blob is called says what it should be; what else is known of the file may be said of another one.
            named = replace(entry, sha256=None) if entry.git_sha1 else entry
            if entry.etag is not None:
                yield named, self.home / "blobs" / entry.etag
            if note is not None and entry.path in note.stamps:
                yield named, folder / entry.path

    def told(self, manifest: Manifest, entries: Iterable[FileEntry]) -> Mapping[str, Stamp]:
        """Blobs are named after their content, and hashed all the same: the SDK compares no more than their size."""
        return {}

    def leave_marks(self, manifest: Manifest, note: Note, *, whole: bool) -> None:
        """Mark the cache, and write down what the commit holds."""
        commit = _commit(manifest)
        marks.tag(self.home.parent)
        if (self.home / ".no_exist" / commit).is_dir():
            for path in note.stamps:
                marks.forget_absent(self.home, commit, path)
        if whole:
            marks.write_tree(self.home, manifest)

    def mark_absent(self, manifest: Manifest, path: str) -> None:
        """Write down, as the SDK does, that the commit has no such file: others look there before they ask."""
        if manifest.commit is None:
            return
        marks.write_absent(self.home, manifest.commit, path)
        if manifest.revision != manifest.commit:
            with suppress(OSError):
                self.write_ref(manifest.revision, manifest.commit)

    def elsewhere(self, entry: FileEntry) -> Path | None:
        """Return the blob, which may have come with another revision; or the content in another repository."""
        return self._blob(entry) or self._others.find(entry)

    def spare(self, entry: FileEntry, ready: Path) -> Path | None:
        """Return the blob, to be linked to; or a copy out of another repository."""
        return self._blob(entry) or self._others.bring(entry, ready)

    def _blob(self, entry: FileEntry) -> Path | None:
        blobs = (self.home / "blobs" / name for name in dict.fromkeys((entry.etag, entry.sha256)) if name)
        return next((blob for blob in blobs if file_matches(blob, entry)), None)

    def found(self, revision: str | None) -> tuple[Path, Note | None] | None:
        """Find a revision: a commit by its directory, a name by `refs`."""
        commit = revision or "main"
        if not _is_commit(commit):
            commit = self._ref(commit)
        folder = self.home / "snapshots" / commit
        return (folder, self.notes.read(commit)) if _is_commit(commit) and folder.is_dir() else None

    def listed(self, folder: Path) -> Sequence[FileEntry]:
        """Return what the SDK has written down of the commit; else what the links in the snapshot are called."""
        return marks.read_tree(self.home, folder.name) or tuple(_linked(folder))

    def directories(self) -> Iterator[Path]:
        """Yield the snapshots' directories."""
        snapshots = self.home / "snapshots"
        if snapshots.is_dir():
            yield from (folder for folder in snapshots.iterdir() if folder.is_dir())

    def _ref(self, name: str) -> str:
        try:
            return read_ref(self.home / "refs" / name)
        except (OSError, UnicodeDecodeError):
            return ""

    def _to_blobs(self, manifest: Manifest, places: Mapping[str, Path]) -> dict[str, Path]:
        """Move files to their blobs; a blob is written once, by rename."""
        folder = self.home / "blobs"
        refuse_link(folder)
        folder.mkdir(parents=True, exist_ok=True)
        blobs: dict[str, Path] = {}
        entries = {entry.path: entry for entry in manifest.files}
        for path, place in places.items():
            blobs[path] = place if place.parent == folder else folder / _blob_name(entries.get(path), place)
            try:
                place.replace(blobs[path])
            except FileNotFoundError:
                # Of several files with one content the first has moved it; or another process has.
                if not blobs[path].is_file():
                    raise Vanished(place) from None
        return blobs

    def _links(self, blobs: Mapping[str, Path]) -> dict[str, Path]:
        """Make the links, waiting to be moved to where they will stand."""
        waiting = own_part(self.home, "links")
        waiting.mkdir(parents=True, exist_ok=True)
        links: dict[str, Path] = {}
        for path, blob in blobs.items():
            up = "../" * (len(PurePosixPath(path).parts) + 1)
            link = waiting / secrets.token_hex(8)
            link.symlink_to(f"{up}blobs/{blob.name}")
            links[path] = link
        return links

    def _clear_links(self, placed: Iterable[Path]) -> None:
        """Leave no link behind that did not get to its place, nor the folder where they waited."""
        waiting = self.home / OWN_FOLDER / "links"
        with suppress(OSError):
            for link in placed:
                if link.parent == waiting:
                    link.unlink(missing_ok=True)
            waiting.rmdir()

    def _links_work(self) -> bool:
        """Whether this file system, and this user, can make links; HF_HUB_DISABLE_SYMLINKS says no for both."""
        if os.environ.get("HF_HUB_DISABLE_SYMLINKS", "").strip().upper() in ("1", "ON", "YES", "TRUE"):
            return False
        probe = self.home / OWN_FOLDER / f"link-{secrets.token_hex(4)}"
        try:
            probe.symlink_to("nowhere")
            probe.unlink()
        except (OSError, NotImplementedError):
            return False
        return True


def read_ref(path: Path) -> str:
    """Return the commit that a ref leads to.

    Raises:
        OSError: There is no such ref; UnicodeDecodeError, it is none.
    """
    with to_read(path) as file:
        return file.read(_LONGEST_REF).decode("ascii").strip()


def _commit(manifest: Manifest) -> str:
    """Return the commit; built-in digests have none, and get a name of the same form from their content."""
    if manifest.commit:
        return manifest.commit
    content = "\n".join(f"{entry.path} {entry.digest}" for entry in manifest.files)
    return hashlib.sha1(content.encode(), usedforsecurity=False).hexdigest()


def _linked(folder: Path) -> Iterator[FileEntry]:
    """Yield what links to blobs say of their files: a blob bears its digest as its name."""
    for root, _, names in os.walk(folder):
        for place in (Path(root, name) for name in names):
            with suppress(OSError, ValueError):
                blob, path = place.readlink().name, place.relative_to(folder).as_posix()
                known = hex_digits(blob, 64 if len(blob) == 64 else 40)
                sha256, git_sha1 = (known, None) if len(known) == 64 else (None, known)
                yield FileEntry(path, None, sha256, git_sha1)


def _blob_name(entry: FileEntry | None, place: Path) -> str:
    """Return what huggingface_hub calls the content; where two digests are known, only one of them was compared yet."""
    if entry is None or entry.etag is None:
        return f"unknown-{secrets.token_hex(16)}"
    if entry.sha256 and entry.git_sha1 and not file_matches(place, replace(entry, sha256=None)):
        return entry.sha256
    return entry.etag


def _is_commit(name: str) -> bool:
    return len(name) == 40 and _HEX.issuperset(name)
