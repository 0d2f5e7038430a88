"""Whether a file system can hold what is wanted: found out on the disk itself, and only where names make it doubtful.

Windows drops trailing dots and reserves names, it and macOS take names that differ in case for one; so do some folders
and memory cards on Linux. Nobody else minds: there `aux.json` beside `AUX.json` are two ordinary files.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mirrorhub.errors import StoreError
from mirrorhub.models import Manifest, SnapshotRequest
from mirrorhub.owner import own_name
from mirrorhub.paths import OWN_FOLDER, books_of_sdk, misfit
from mirrorhub.plan import wanted_files
from mirrorhub.stores.registry import Store


@dataclass(frozen=True, slots=True)
class Names:
    """How a file system takes names.

    Attributes:
        windows: As Windows does.
        folding: Those that differ in case or Unicode form as one.
    """

    windows: bool = os.name == "nt"
    folding: bool = sys.platform in ("win32", "darwin")


def unfit(request: SnapshotRequest, store: Store, manifest: Manifest) -> str | None:
    """Say what of the wanted files cannot stand where it belongs, or return None."""
    paths = [entry.path for entry in wanted_files(manifest, request.wanted)]
    if misfit(paths, windows=True, folding=True) is None:
        return None
    names = names_of(store.home / OWN_FOLDER)
    return misfit(paths, windows=names.windows, folding=names.folding)


def check_fit(request: SnapshotRequest, store: Store, manifest: Manifest) -> None:
    """Refuse what cannot stand where it belongs, before the first byte.

    Raises:
        StoreError: It cannot.
    """
    if problem := unfit(request, store, manifest):
        message = f"{store.home}: cannot hold {problem}; leave it out with ignore_patterns, or choose another directory"
        raise StoreError(errno.EINVAL, f"{message}. {manifest.vouched_by.name} lists it")
    paths = (entry.path for entry in wanted_files(manifest, request.wanted))
    if store.plain and (book := books_of_sdk(paths)):
        message = f"{store.home}: {book!r} stands where an SDK keeps books of its own"
        raise StoreError(
            errno.EPERM, f"{message}; leave it out with ignore_patterns. {manifest.vouched_by.name} lists it"
        )


def names_of(folder: Path) -> Names:
    """Try out how names are taken in a folder; where nothing can be made, this system's way is taken for it."""
    probe = folder / f"trash-{own_name()}"
    try:
        probe.mkdir(parents=True)
    except OSError:
        return Names()
    try:
        return Names(windows=Names().windows or not _keeps(probe, "a."), folding=_folds(probe))
    finally:
        shutil.rmtree(probe, ignore_errors=True)


def _keeps(probe: Path, name: str) -> bool:
    """Whether a folder gets the very name that it is given."""
    with suppress(OSError):
        (probe / name).mkdir()
        return name in os.listdir(probe)  # noqa: PTH208 - no path of it is wanted
    return False


def _folds(probe: Path) -> bool:
    (probe / "\N{LATIN SMALL LETTER E WITH ACUTE}b").mkdir()
    return any(
        (probe / name).exists() for name in ("\N{LATIN SMALL LETTER E WITH ACUTE}B", "e\N{COMBINING ACUTE ACCENT}b")
    )
