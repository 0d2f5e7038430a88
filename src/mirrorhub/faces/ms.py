"""modelscope's four download functions, answered by the chain.

Source: modelscope 1.40.2, `hub/snapshot_download.py` and `hub/file_download.py`, and modelscope_hub 0.5.1, `compat` and
`_download.py`. What is on disk and nowhere else to be had is looked for by the SDK itself.
"""

from __future__ import annotations

import warnings
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import cast

from mirrorhub.api import fetch, fetch_files, newest_tag
from mirrorhub.errors import ConfigError, MirrorHubError, MissingFileError, NotCachedError
from mirrorhub.faces.ms_arguments import Call, is_offline, options_of, repo_id_of
from mirrorhub.faces.ms_disk import found_by_them, older_place, released_before, spelt
from mirrorhub.faces.ms_errors import as_theirs, no_such_id, not_found_here
from mirrorhub.faces.raised import joined
from mirrorhub.faces.signatures import Function, Given, Part, spoken_by_us
from mirrorhub.models import RepoType

_TYPES: dict[str, RepoType] = {"model": "model", "dataset": "dataset"}


def _snapshot(given: Given) -> str:
    kind = _TYPES.get(given["repo_type"] or "model")
    # Skills and the like come as the SDK brings them.
    return _whole(given, kind) if kind else str(given.to_theirs())


def _dataset_snapshot(given: Given) -> str:
    return _whole(given, "dataset")


def _model_file(given: Given) -> str:
    return _one(given, "model")


def _dataset_file(given: Given) -> str:
    return _one(given, "dataset")


_COMMON = "revision cache_dir local_dir cookies token endpoint"
_PATTERNS = "allow_file_pattern ignore_file_pattern allow_patterns ignore_patterns max_workers repo_id"
_MODEL = "model_id user_agent local_files_only repo_type progress_callbacks"
_FILE = f"{_COMMON} file_path local_files_only user_agent"
PARTS = {
    "snapshot_download": Part(_snapshot, frozenset(f"{_COMMON} {_PATTERNS} {_MODEL}".split())),
    "dataset_snapshot_download": Part(_dataset_snapshot, frozenset(f"{_COMMON} {_PATTERNS} dataset_id".split())),
    "model_file_download": Part(_model_file, frozenset(f"{_FILE} model_id".split())),
    "dataset_file_download": Part(_dataset_file, frozenset(f"{_FILE} dataset_id".split())),
}
HOMES = {"snapshot": "modelscope.hub.snapshot_download", "file": "modelscope.hub.file_download"}


@cache
def face(name: str) -> Function:
    """Return what stands in for one of the SDK's functions."""
    theirs = getattr(import_module(HOMES["file" if "_file_" in name else "snapshot"]), name)
    return spoken_by_us(theirs, PARTS[name], "mirrorhub.modelscope", lambda ours: ours)


def _whole(given: Given, kind: RepoType) -> str:
    call = _call(given, kind)
    try:
        found = fetch(call.repo_id, given["revision"] or None, **options_of(call))
    except MirrorHubError as error:
        return str(_on_disk(call, error))
    return spelt(call, found.path)


def _one(given: Given, kind: RepoType) -> str:
    call, path = _call(given, kind), str(given["file_path"])
    try:
        revision = given["revision"] or (_released(call) if kind == "model" else None)
        found = fetch_files(call.repo_id, (path,), revision, **options_of(call))
    except MirrorHubError as error:
        return str(_on_disk(call, error))
    return str(Path(spelt(call, found.path)) / path)


def _call(given: Given, kind: RepoType) -> Call:
    repo_id = repo_id_of(given)
    if given["cookies"] is not None:
        # The line of whoever called, not ours.
        warnings.warn("cookies is deprecated and has no effect; use token", DeprecationWarning, stacklevel=5)
    older = None if given["local_dir"] else older_place(given, repo_id, kind)
    return Call(given, kind, repo_id, given["local_dir"] or older)


def _released(call: Call) -> str | None:
    """Return the newest tag that the installed version may know of: what the SDK takes where no revision is named."""
    before_s = released_before()
    return None if before_s is None else newest_tag(call.repo_id, before_s, **options_of(call))


def _on_disk(call: Call, error: MirrorHubError) -> Path:
    """Return what the SDK finds on disk where nobody may be asked, or raise what it would."""
    if isinstance(error, NotCachedError) and error.locked:
        # What else is on disk is not what is locked: the SDK would take it.
        raise not_found_here(error) from error
    if isinstance(error, ConfigError) and "no repository id" in str(error):
        raise no_such_id(error) from error
    if not isinstance(error, NotCachedError) and not (isinstance(error, MissingFileError) and is_offline(call.given)):
        raise as_theirs(error, whole=call.given["file_path"] is None) from error
    try:
        return found_by_them(call)
    except Exception as theirs:
        if not _is_a_hub_error(theirs):
            raise
        raise joined(error, theirs) from error


def _is_a_hub_error(error: Exception) -> bool:
    root = cast("type[Exception]", import_module("modelscope_hub.errors").HubError)
    return isinstance(error, root)
