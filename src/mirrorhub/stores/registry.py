"""The stores that are known. A new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mirrorhub.config import Settings
from mirrorhub.models import FileEntry, HubName, Manifest, Repo, SnapshotRequest
from mirrorhub.paths import OWN_FOLDER
from mirrorhub.stores.elsewhere import own_homes
from mirrorhub.stores.huggingface import HuggingFaceStore
from mirrorhub.stores.local import HuggingFaceFolder, ModelScopeFolder
from mirrorhub.stores.modelscope import ModelScopeStore
from mirrorhub.stores.notes import Note, NoteBook
from mirrorhub.stores.older import OlderStore, older_folders
from mirrorhub.stores.seen import Stamp


class Store(Protocol):
    """Where the snapshots of one repository live.

    Attributes:
        home: The repository's own folder.
        notes: What is known of the snapshots in it.
        keeps_blobs: Its snapshots are links to blobs, which they share.
        plain: The files stand in its folder itself, and nothing there is deleted that may be a user's.
    """

    home: Path
    notes: NoteBook
    keeps_blobs: bool
    plain: bool

    def place(self, manifest: Manifest) -> Path:
        """Return the directory of the snapshot, there or not."""

    def note(self, manifest: Manifest) -> Note | None:
        """Return what is known of that directory."""

    def names(self, manifest: Manifest) -> bool:
        """Whether the revision's name leads to this manifest's directory."""

    def label(self, manifest: Manifest) -> str:
        """Return the name under which notes on the snapshot are kept."""

    def publish(self, manifest: Manifest, places: Mapping[str, Path], note: Note) -> None:
        """Bring checked files to their paths, and write down what is there then.

        Raises:
            OSError: The disk refuses.
        """

    def told(self, manifest: Manifest, entries: Iterable[FileEntry]) -> Mapping[str, Stamp]:
        """Return the files of which the SDK has noted, since they were changed last, that they are these entries."""

    def leave_marks(self, manifest: Manifest, note: Note, *, whole: bool) -> None:
        """Write beside the files what the SDK would have written; `whole` if more than files named exactly came."""

    def mark_absent(self, manifest: Manifest, path: str) -> None:
        """Write down, as the SDK does, that the repository has no such file."""

    def suspects(self, manifest: Manifest, missing: Iterable[FileEntry]) -> Iterator[tuple[FileEntry, Path]]:
        """Yield where bytes may stand that were published as an entry and are that no longer."""

    def elsewhere(self, entry: FileEntry) -> Path | None:
        """Return where content that is missing lies under another name, and is right there; nothing is written."""

    def spare(self, entry: FileEntry, ready: Path) -> Path | None:
        """Return where content that lies under another name waits to be published; copied to `ready` if need be.

        Raises:
            OSError: The disk refuses.
        """

    def found(self, revision: str | None) -> tuple[Path, Note | None] | None:
        """Find a revision's directory as the repository's own SDK finds it offline."""

    def listed(self, folder: Path) -> Sequence[FileEntry]:
        """Return what the SDK has written down that a snapshot's directory should hold; nothing where it has not."""

    def directories(self) -> Iterator[Path]:
        """Yield every directory in which some version of the SDK keeps files of this repository."""


FOLDERS: dict[HubName, Callable[[Repo, Path, Store], Store]] = {
    "modelscope": ModelScopeFolder,
    "huggingface": HuggingFaceFolder,
}
STORES: dict[HubName, Callable[[Repo, Settings], Store]] = {
    "modelscope": ModelScopeStore,
    "huggingface": HuggingFaceStore,
}


def store_for(repo: Repo, settings: Settings, local_dir: Path | None) -> Store:
    """Return the store of a repository, or of a plain folder."""
    store = STORES[repo.hub](repo, settings)
    return FOLDERS[repo.hub](repo, local_dir, store) if local_dir else store


def older_stores(repo: Repo, settings: Settings, local_dir: Path | None = None) -> Iterator[OlderStore]:
    """Yield the directories in which older versions of the SDK keep the repository."""
    if repo.hub == "modelscope" and local_dir is None:
        stores = (OlderStore(repo, folder) for folder in older_folders(settings.modelscope_cache, repo))
        yield from (store for store in stores if not store.is_another_type)


def stores_for(request: SnapshotRequest, settings: Settings) -> Iterator[Store]:
    """Yield every store in which what is asked for may be: first the one that it would be brought to."""
    yield store_for(request.repo, settings, request.local_dir)
    yield from older_stores(request.repo, settings, request.local_dir)


def own_folders(settings: Settings) -> Iterator[Path]:
    """Yield our own folder in every repository of both caches, there or not."""
    return (home / OWN_FOLDER for home in own_homes(settings))
