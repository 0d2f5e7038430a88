"""huggingface_hub's `snapshot_download` and `hf_hub_download`, answered by the chain.

Source: huggingface_hub 2.4.0, `_snapshot_download.py` and `file_download.py`. What is on disk and nowhere else to be
had is looked for by the SDK itself, as it finds what it has stored.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

from mirrorhub.api import fetch, fetch_files
from mirrorhub.errors import (
    IntegrityError,
    MirrorHubError,
    MissingFileError,
    NotCachedError,
    ResolutionError,
    RevisionNotFoundError,
)
from mirrorhub.faces.fitting import settings_for
from mirrorhub.faces.hf_arguments import cache_of, is_offline, options_of, path_of, place, revision_of, spelt_below
from mirrorhub.faces.hf_bars import bars_for
from mirrorhub.faces.hf_errors import as_theirs, not_found_here
from mirrorhub.faces.hf_preview import preview_file, preview_snapshot
from mirrorhub.faces.raised import joined
from mirrorhub.faces.signatures import Function, Given, Part, spoken_by_us
from mirrorhub.models import RepoType, Snapshot
from mirrorhub.stores.huggingface import HuggingFaceStore


def _snapshot(given: Given) -> Any:
    if _is_theirs(given):
        return given.to_theirs(cache_dir=cache_of(given), local_files_only=is_offline(given))
    try:
        if given["dry_run"]:
            return preview_snapshot(given)
        with bars_for(given) as bars:
            found = fetch(given["repo_id"], revision_of(given), **options_of(given, there=_there(given), bars=bars))
            bars.complete(len(found.files))
    except MirrorHubError as error:
        return _on_disk(given, error)
    if given["local_dir"] is None:
        return _spelt(given, str(found.path))
    _leave_ref(given, found)
    return str(place(given["local_dir"]))


def _file(given: Given) -> Any:
    if _is_theirs(given):
        return given.to_theirs(cache_dir=cache_of(given), local_files_only=is_offline(given))
    path = path_of(given)
    try:
        if given["dry_run"]:
            return preview_file(given, path)
        with bars_for(given, files=False) as bars:
            options = options_of(given, there=_there(given), bars=bars)
            found = fetch_files(given["repo_id"], (path,), revision_of(given), **options)
    except MirrorHubError as error:
        return _on_disk(given, error)
    return _spelt(given, spelt_below(found.path, given))


def _spelt(given: Given, path: str) -> str:
    """Return a path as the installed version spells it: not every version follows links in `cache_dir`."""
    if given["cache_dir"] is None or given["local_dir"] is not None or str(given["cache_dir"]) == str(cache_of(given)):
        return path
    found = _found(given, cache_dir=given["cache_dir"])
    # The SDK follows its own name for the revision, which may lead elsewhere than to what is locked.
    return str(found) if found and found.resolve() == Path(path).resolve() else path


def _leave_ref(given: Given, found: Snapshot) -> None:
    """Write down in the cache, too, what a revision was: offline the SDK looks there for what `local_dir` holds."""
    revision, commit = str(given["revision"] or found.manifest.revision), found.manifest.commit
    if commit is None or revision == commit or hasattr(given["revision"], "resolved") or is_offline(given):
        return
    settings = settings_for("huggingface", None, cache_of(given), is_there=True)
    with suppress(OSError):
        HuggingFaceStore(found.manifest.repo, settings).write_ref(revision, commit)


_COMMON = (
    "repo_id repo_type revision cache_dir local_dir library_name library_version user_agent etag_timeout "
    "force_download token local_files_only tqdm_class headers endpoint dry_run"
)
PARTS = {
    "snapshot_download": Part(_snapshot, frozenset(f"{_COMMON} allow_patterns ignore_patterns max_workers".split())),
    "hf_hub_download": Part(_file, frozenset(f"{_COMMON} filename subfolder".split())),
}


@cache
def face(name: str) -> Function:
    """Return what stands in for one of the SDK's functions; the SDK's own decorator checks the id and old names."""
    theirs = getattr(import_module("huggingface_hub"), name)
    checked = import_module("huggingface_hub.utils").validate_hf_hub_args
    return spoken_by_us(theirs, PARTS[name], "mirrorhub.huggingface_hub", checked)


def _is_theirs(given: Given) -> bool:
    """Whether the SDK answers itself: what we have no protocol for, and calls that it refuses or answers from disk."""
    _check_type(given["repo_type"])
    known = (given["repo_type"] or "model") in get_args(RepoType)
    return not known or (is_offline(given) and bool(given["force_download"] or given["dry_run"]))


def _check_type(repo_type: object) -> None:
    from huggingface_hub import constants

    known = getattr(constants, "REPO_TYPES_WITH_KERNEL", constants.REPO_TYPES)
    if repo_type is not None and repo_type not in known:
        raise ValueError(f"Invalid repo type: {repo_type}. Accepted are: {', '.join(filter(None, known))}")


def _there(given: Given) -> Path | None:
    """Return what the SDK finds on disk; it asks nobody, and where it would only complain it is not asked."""
    if given["force_download"] or "local_files_only" not in given.values:
        return None
    if given["local_dir"] is not None:
        there = place(given["local_dir"]) / (path_of(given) if given["filename"] is not None else "")
        return there if there.is_file() or (there.is_dir() and any(there.iterdir())) else None
    return _found(given)


def _found(given: Given, **changed: Any) -> Path | None:
    asked = {"cache_dir": cache_of(given), "local_files_only": True, "force_download": False, "dry_run": False}
    try:
        found = given.to_theirs(**{**asked, "token": False, **changed})
    except (OSError, ValueError):
        return None
    return Path(found)


def _on_disk(given: Given, error: MirrorHubError) -> Any:
    """Return what the SDK finds on disk where nobody could be asked, or raise what it would."""
    if isinstance(error, NotCachedError) and error.locked:
        # What else is on disk is not what is locked: the SDK would take it.
        raise not_found_here(error) from error
    offline = isinstance(error, NotCachedError) or (isinstance(error, MissingFileError) and is_offline(given))
    final = isinstance(error, RevisionNotFoundError | MissingFileError | IntegrityError)
    if not offline and (given["dry_run"] or final or not isinstance(error, ResolutionError)):
        raise as_theirs(error, given) from error
    try:
        return given.to_theirs(cache_dir=cache_of(given), local_files_only=True)
    except FileNotFoundError as theirs:
        # Of a part that is there the SDK says where; else it says why nobody could be asked.
        is_told = offline or hasattr(theirs, "snapshot_path")
        raise (joined(error, theirs) if is_told else as_theirs(error, given)) from error
