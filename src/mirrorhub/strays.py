"""Files beside the locked ones: whoever loads the folder that a call returns loads these, too."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path, PurePosixPath

from mirrorhub.errors import PinnedError
from mirrorhub.models import Manifest, SnapshotRequest
from mirrorhub.paths import OWN_FOLDER
from mirrorhub.pinned import is_locked
from mirrorhub.rawfile import to_read
from mirrorhub.stores.books import BOOKS, UNFINISHED
from mirrorhub.stores.notes import Note, left_over
from mirrorhub.stores.registry import Store

_OWN_FOLDERS = (OWN_FOLDER, ".cache", UNFINISHED)
_OF_DESKTOPS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""What is left by looking at a folder; nothing loads it."""
_BYTECODE_HEAD = 8


def check_strays(request: SnapshotRequest, store: Store, manifest: Manifest, *, published: bool = False) -> None:
    """Refuse a snapshot's directory that holds more than what is locked.

    A lock of a part tells nothing of other files, who names files asks for no others, and in a folder of the user's
    they are the user's.

    Args:
        request: What is asked for.
        store: Where.
        manifest: What is locked, or not.
        published: What another state had left was to go.

    Raises:
        PinnedError: It does.
    """
    if not is_locked(manifest) or request.wanted.paths is not None or store.plain:
        return
    found = strays(store, manifest)
    gone = () if published else left_behind(store, manifest)
    if told := {path: size for path, size in found.items() if path not in gone}:
        raise _refused(store.place(manifest), manifest, told)


def strays(store: Store, manifest: Manifest) -> Mapping[str, int]:
    """Return the files in a snapshot's directory that are not locked, with their sizes; of a lock of a part, none."""
    if manifest.scope is not None or store.plain:
        return {}
    known, folder = {entry.path for entry in manifest.files}, store.place(manifest)
    found = sorted(one for one in files_below(folder, links=True) if one[0] not in known)
    return {path: size for path, size in found if not _is_of_use(folder, path, known)}


def left_behind(store: Store, manifest: Manifest) -> frozenset[str]:
    """Return what we have brought of another state, as it was: the next call with a network takes it away."""
    known = {entry.path for entry in manifest.files}
    gone = left_over(store.place(manifest), store.note(manifest), Note(manifest, {}))
    return frozenset(path for path in gone if path not in known)


def files_below(folder: Path, *, links: bool = False) -> Iterator[tuple[str, int]]:
    """Yield path and size of what is neither ours nor an SDK's own.

    Args:
        folder: Where.
        links: Also links to folders, as one file each.
    """
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _OWN_FOLDERS]
        linked = (name for name in folders if links and Path(root, name).is_symlink())
        for path in _countable(root, (*names, *linked)):
            yield path.relative_to(folder).as_posix(), path.stat().st_size


def _countable(root: str, names: Iterable[str]) -> Iterator[Path]:
    for name in names:
        path = Path(root, name)
        if (path.is_file() or path.is_dir()) and not name.endswith(".incomplete") and name not in BOOKS:
            yield path


def _is_of_use(folder: Path, path: str, known: Set[str]) -> bool:
    """Whether a file comes of using a locked one: what a desktop leaves, and what Python compiles.

    Python takes such bytecode only if it tells the source's own time and size. One of the other kind may be taken
    unseen, and so could have come with a repository.
    """
    place = PurePosixPath(path)
    if place.name in _OF_DESKTOPS:
        return True
    if place.parent.name != "__pycache__" or place.suffix != ".pyc":
        return False
    source = place.parent.parent / f"{place.name.partition('.')[0]}.py"
    return source.as_posix() in known and _is_by_time(folder / path)


def _is_by_time(bytecode: Path) -> bool:
    try:
        with to_read(bytecode) as file:
            head = file.read(_BYTECODE_HEAD)
    except OSError:
        return False
    return len(head) == _BYTECODE_HEAD and not any(head[4:])


def _refused(folder: Path, manifest: Manifest, found: Mapping[str, int]) -> PinnedError:
    return PinnedError(
        f"{folder} holds files that {manifest.vouched_by.name} has not locked of {manifest.repo}@{manifest.revision}; "
        "whoever loads that folder may load them:",
        [_line(path, size) for path, size in found.items()],
        advice=f"Delete them, or lock what the repository holds now: `mirrorhub lock update {manifest.repo}`. "
        "`mirrorhub lock check --offline` names them all.",
    )


def _line(path: str, size: int) -> str:
    return f"extra: {path if path.isprintable() else ascii(path)} ({size:,} bytes)"
