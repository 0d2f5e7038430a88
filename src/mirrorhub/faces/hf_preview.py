"""What would be downloaded (`dry_run=True`): the listing compared with the disk, and nothing written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mirrorhub.api import resolve
from mirrorhub.arguments import Options
from mirrorhub.digest import file_matches
from mirrorhub.errors import MissingFileError
from mirrorhub.faces.hf_arguments import cache_of, options_of, place, revision_of
from mirrorhub.faces.signatures import Given
from mirrorhub.models import FileEntry, Manifest, Wanted
from mirrorhub.plan import wanted_files


def preview_snapshot(given: Given) -> list[Any]:
    """Return what would come of each file that is asked for.

    Raises:
        ResolutionError: Nobody could say what there is.
    """
    options = options_of(given)
    manifest = resolve(given["repo_id"], revision_of(given), **options)
    return [_preview(given, manifest, entry) for entry in wanted_files(manifest, _wanted(options))]


def preview_file(given: Given, path: str) -> Any:
    """Return what would come of one file.

    Raises:
        MissingFileError: The repository has no such file; ResolutionError, nobody could say.
    """
    manifest = resolve(given["repo_id"], revision_of(given), **options_of(given))
    entry = manifest.entry(path)
    if entry is None:
        raise MissingFileError(f"{manifest.repo}@{manifest.revision} has no file {path!r}.", file=path)
    return _preview(given, manifest, entry)


def _wanted(options: Options) -> Wanted:
    allow, ignore = options.get("allow_patterns"), options.get("ignore_patterns")
    return Wanted(allow=None if allow is None else tuple(allow), ignore=tuple(ignore or ()))


def _preview(given: Given, manifest: Manifest, entry: FileEntry) -> Any:
    from huggingface_hub.file_download import DryRunFileInfo

    where, is_there = _place(given, manifest, entry)
    return DryRunFileInfo(
        commit_hash=str(manifest.commit),
        file_size=entry.size,
        filename=entry.path,
        local_path=str(where),
        is_cached=is_there,
        will_download=bool(given["force_download"]) or not is_there,
    )


def _place(given: Given, manifest: Manifest, entry: FileEntry) -> tuple[Path, bool]:
    """Return where a file would lie, and whether it does."""
    if given["local_dir"] is not None:
        path = place(given["local_dir"]) / entry.path
        return path, file_matches(path, entry)
    repo = manifest.repo
    home = cache_of(given) / f"{repo.type}s--{repo.id.replace('/', '--')}"
    path = home / "snapshots" / str(manifest.commit) / entry.path
    blob = home / "blobs" / entry.etag if entry.etag else path
    return path, os.path.exists(path) or os.path.exists(blob)  # noqa: PTH110 - Path.exists may raise
