"""modelscope's four download functions, answered by the chain.

Source: modelscope 1.40.2, `hub/snapshot_download.py` and `hub/file_download.py`, and modelscope_hub 0.5.1, `compat` and
`_download.py`. What is on disk and nowhere else to be had is looked for by the SDK itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import cast

from mirrorhub.api import Options, fetch, fetch_files
from mirrorhub.config import Settings
from mirrorhub.errors import ConfigError, MirrorHubError, MissingFileError, NotCachedError
from mirrorhub.faces.fitting import own_chain
from mirrorhub.faces.ms_errors import as_theirs, invalid, no_such_id
from mirrorhub.faces.raised import joined
from mirrorhub.faces.signatures import Function, Given, Part, spoken_by_us
from mirrorhub.models import RepoType, Snapshot

_WORKERS = 4
_TYPES: dict[str, RepoType] = {"model": "model", "models": "model", "dataset": "dataset", "datasets": "dataset"}
_NAMES = ("repo_id", "model_id", "dataset_id")


def _snapshot(given: Given) -> str:
    kind = _TYPES.get(given["repo_type"] or "model")
    return str(given.to_theirs()) if kind is None else _whole(given, kind)


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
_HOMES = {"snapshot": "modelscope.hub.snapshot_download", "file": "modelscope.hub.file_download"}


@cache
def face(name: str) -> Function:
    """Return what stands in for one of the SDK's functions."""
    home = _HOMES["file" if "_file_" in name else "snapshot"]
    theirs = getattr(import_module(home), name)
    return spoken_by_us(theirs, PARTS[name], "mirrorhub.modelscope", lambda ours: ours)


def _whole(given: Given, kind: RepoType) -> str:
    repo_id = _repo_id(given)
    _warn_of_cookies(given)
    try:
        found = fetch(repo_id, given["revision"], given["cache_dir"] or None, **_options(given, kind))
    except MirrorHubError as error:
        return _on_disk(given, kind, error, whole=True)
    return _spelt(given, found)


def _one(given: Given, kind: RepoType) -> str:
    path, repo_id = given["file_path"], _repo_id(given)
    _warn_of_cookies(given)
    try:
        options = _options(given, kind)
        found = fetch_files(repo_id, (path,), given["revision"], given["cache_dir"] or None, **options)
    except MirrorHubError as error:
        return _on_disk(given, kind, error, whole=False)
    return str(Path(_spelt(given, found)) / path)


def _repo_id(given: Given) -> str:
    """Return the repository's id; of two, `repo_id` counts.

    Raises:
        InvalidParameter: There is none.
    """
    found = next((given[name] for name in _NAMES if given[name]), None)
    if found is None:
        raise invalid("Neither model_id nor repo_id says which repository: owner/name")
    return str(found)


def _warn_of_cookies(given: Given) -> None:
    if given["cookies"] is not None:
        # To whoever called the function that the user called.
        warnings.warn("cookies is deprecated and has no effect; use token", DeprecationWarning, stacklevel=5)


def _options(given: Given, kind: RepoType) -> Options:
    options = {
        "hub": "modelscope",
        "repo_type": kind,
        "endpoint": own_chain(given["endpoint"], *_usual_endpoints()),
        "local_dir": given["local_dir"] or None,
        "local_files_only": _offline(given),
        "token": given["token"] or None,
        "max_workers": _WORKERS if given["max_workers"] is None else given["max_workers"],
        "progress_callbacks": given["progress_callbacks"],
        "allow_patterns": _patterns(given["allow_patterns"]) or _patterns(given["allow_file_pattern"]),
        "ignore_patterns": _patterns(given["ignore_patterns"]) or _patterns(given["ignore_file_pattern"]),
    }
    return cast("Options", options)


def _usual_endpoints() -> tuple[str | None, ...]:
    return Settings.load().modelscope_endpoint, "https://modelscope.cn", "https://www.modelscope.cn"


def _patterns(given: object) -> list[str] | None:
    """Return patterns as the SDK reads them: what is no text is no pattern, and none is no wish."""
    if isinstance(given, str):
        return [given] if given.replace(",", "").strip() else None
    found = [one for one in given if isinstance(one, str)] if isinstance(given, Iterable) else []
    return found if any(one.replace(",", "").strip() for one in found) else None


def _spelt(given: Given, found: Snapshot) -> str:
    """Return the directory as the SDK spells it: from `local_dir` or `cache_dir` as they were given."""
    if given["local_dir"]:
        return str(Path(given["local_dir"]).expanduser())
    if not given["cache_dir"]:
        return str(found.path)
    cache = Path(given["cache_dir"]).expanduser()
    inside = found.path.relative_to(cache.absolute()) if found.path.is_relative_to(cache.absolute()) else found.path
    return str(cache / inside)


def _on_disk(given: Given, kind: RepoType, error: MirrorHubError, *, whole: bool) -> str:
    """Return what the SDK finds on disk where nobody may be asked, or raise what it would."""
    if isinstance(error, ConfigError) and "no repository id" in str(error):
        raise no_such_id(error) from error
    if not isinstance(error, NotCachedError) and not (isinstance(error, MissingFileError) and _offline(given)):
        raise as_theirs(error, whole=whole) from error
    try:
        return str(_found_by_them(given, kind))
    except Exception as theirs:
        if isinstance(theirs, OSError | TypeError):
            raise
        raise joined(error, theirs) from error


def _offline(given: Given) -> bool:
    return bool(given["local_files_only"]) or Settings.load().offline_for("modelscope")


def _found_by_them(given: Given, kind: RepoType) -> Path:
    """Let the SDK look for what lies where any of its versions has put it; it asks nobody."""
    from modelscope_hub import HubApi

    repo_id, cache = _repo_id(given), given["cache_dir"] or None
    utils = import_module("modelscope.hub.utils.utils")
    older = utils.find_reusable_legacy_repo_dir(repo_id, repo_type=kind, cache_dir=cache)
    where = {
        "revision": given["revision"],
        "cache_dir": cache,
        "local_dir": given["local_dir"] or older,
        "local_files_only": True,
    }
    api = HubApi()
    if given["file_path"] is not None:
        found: Path = api.download_file(repo_id, kind, given["file_path"], **where)
    else:
        found = api.download_repo(repo_id, kind, **where)
    return found
