"""Deleting so that nobody ever sees half of a snapshot: by one rename into our own folder, and there bit by bit.

    {home}/.mirrorhub/trash-{owner}/{token}     what is going

Whoever is ended in the middle leaves the rest here; the next who holds the repository goes on. The blobs that a
snapshot of Hugging Face's links to go with it unless another one links to them: the links in the trash say which. The
folder may have come from somebody else: only what is a blob by its name goes, and nothing through a link.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from mirrorhub.owner import is_alive, own_name
from mirrorhub.paths import OWN_FOLDER

_TRASH = "trash-"
_BLOB = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}|unknown-[0-9a-f]{32}")


def discard(home: Path, places: Iterable[Path]) -> None:
    """Take files or folders of a repository away, each in one step; `empty` deletes them.

    Args:
        home: The repository's folder; the caller holds it.
        places: What goes, below `home`; of a symlink only itself. What is gone already is no matter.

    Raises:
        OSError: The disk refuses.
    """
    heap = home / OWN_FOLDER / f"{_TRASH}{own_name()}"
    heap.mkdir(parents=True)
    for place in places:
        with suppress(FileNotFoundError):
            place.replace(heap / secrets.token_hex(8))


def empty(home: Path, *, own: bool = False, blobs: bool = False) -> None:
    """Delete what ended processes have taken away, and the blobs that are nobody's then.

    Args:
        home: The repository's folder; the caller holds it.
        own: Also what this process has taken away.
        blobs: Its snapshots are links to blobs: Hugging Face's layout.
    """
    heaps = [heap for heap in _heaps(home) if _is_over(heap, own)]
    if not heaps:
        return
    # Where either is a link, what it leads to is not ours to delete, nor what tells which blobs are in use.
    if blobs and not any((home / name).is_symlink() for name in ("blobs", "snapshots")):
        _delete_blobs(home, {name for heap in heaps for name in _blobs_linked_below(heap)})
    for heap in heaps:
        shutil.rmtree(heap, ignore_errors=True)


def _delete_blobs(home: Path, going: set[str]) -> None:
    """Delete those of the blobs that no snapshot links to."""
    for name in going - set(_blobs_linked_below(home / "snapshots")) if going else ():
        with suppress(OSError):
            (home / "blobs" / name).unlink()


def _heaps(home: Path) -> Iterator[Path]:
    with suppress(OSError):
        for path in (home / OWN_FOLDER).iterdir():
            if path.name.startswith(_TRASH) and path.is_dir() and not path.is_symlink():
                yield path


def _is_over(heap: Path, own: bool) -> bool:
    owner = heap.name.removeprefix(_TRASH)
    return not is_alive(owner, heap) or (own and owner.rpartition("-")[0] == own_name().rpartition("-")[0])


def _blobs_linked_below(folder: Path) -> Iterator[str]:
    """Yield the names that links below a folder lead to, where they lead into `blobs`; no link is followed."""
    for root, folders, names in os.walk(folder):
        for name in (*folders, *names):
            with suppress(OSError):
                target = os.readlink(os.path.join(root, name))  # noqa: PTH115, PTH118 - there may be many
                above, _, blob = target.replace("\\", "/").rpartition("/")
                if above.endswith("blobs") and _BLOB.fullmatch(blob):
                    yield blob
