"""The stores that are known. A new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol, get_args

from mirrorhub.config import Settings
from mirrorhub.models import FileEntry, HubName, Manifest, Repo, RepoType
from mirrorhub.paths import OWN_FOLDER
from mirrorhub.stores.folder import FolderStore
from mirrorhub.stores.huggingface import HuggingFaceStore
from mirrorhub.stores.modelscope import ModelScopeStore
from mirrorhub.stores.notes import Note, NoteBook


class Store(Protocol):
    """Where the snapshots of one repository live.

    Attributes:
        home: The repository's own folder.
        notes: What is known of the snapshots in it.
        keeps_blobs: Its snapshots are links to blobs, which they share.
    """

    home: Path
    notes: NoteBook
    keeps_blobs: bool

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

    def directories(self) -> Iterator[Path]:
        """Yield every directory in which some version of the SDK keeps files of this repository."""


STORES: dict[HubName, Callable[[Repo, Settings], Store]] = {
    "modelscope": ModelScopeStore,
    "huggingface": HuggingFaceStore,
}


def store_for(repo: Repo, settings: Settings, local_dir: Path | None) -> Store:
    """Return the store of a repository, or of a plain folder."""
    return FolderStore(repo, local_dir) if local_dir else STORES[repo.hub](repo, settings)


def own_folders(settings: Settings) -> Iterator[Path]:
    """Yield our own folder in every repository of both caches, there or not."""
    types: tuple[RepoType, ...] = get_args(RepoType)
    kinds = {f"{name}s" for name in types}
    for parent in (*(settings.modelscope_cache / kind for kind in sorted(kinds)), settings.huggingface_cache):
        with suppress(OSError):
            for home in parent.iterdir():
                if parent != settings.huggingface_cache or home.name.partition("--")[0] in kinds:
                    yield home / OWN_FOLDER
