"""huggingface_hub's `snapshot_download` and `hf_hub_download`, answered by the chain.

Source: huggingface_hub 2.4.0, `_snapshot_download.py` and `file_download.py`. What is on disk and nowhere else to be
had is looked for by the SDK itself, as it finds what it has stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, cast, get_args

from mirrorhub.api import Options, fetch, fetch_files
from mirrorhub.config import Settings
from mirrorhub.errors import (
    IntegrityError,
    MirrorHubError,
    MissingFileError,
    NotCachedError,
    ResolutionError,
    RevisionNotFoundError,
)
from mirrorhub.faces.fitting import own_chain
from mirrorhub.faces.hf_errors import as_theirs
from mirrorhub.faces.raised import joined
from mirrorhub.faces.signatures import Function, Given, Part, spoken_by_us
from mirrorhub.models import RepoType


def _snapshot(given: Given) -> Any:
    if _is_theirs(given):
        return given.to_theirs()
    try:
        found = fetch(given["repo_id"], _revision(given), _cache(given), **_options(given, _patterns(given)))
    except MirrorHubError as error:
        return _on_disk(given, error)
    return str(_place(given["local_dir"])) if given["local_dir"] is not None else str(found.path)


def _file(given: Given) -> Any:
    if _is_theirs(given):
        return given.to_theirs()
    path = _path(given)
    try:
        found = fetch_files(given["repo_id"], (path,), _revision(given), _cache(given), **_options(given, {}))
    except MirrorHubError as error:
        return _on_disk(given, error)
    return str(found.path / path)


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
    """Whether the SDK answers itself: what we have no protocol for, and a look that brings nothing."""
    _check_type(given["repo_type"])
    known = (given["repo_type"] or "model") in get_args(RepoType)
    return not known or bool(given["dry_run"]) or (bool(given["force_download"]) and _offline(given))


def _check_type(repo_type: object) -> None:
    from huggingface_hub import constants

    known = getattr(constants, "REPO_TYPES_WITH_KERNEL", constants.REPO_TYPES)
    if repo_type is not None and repo_type not in known:
        raise ValueError(f"Invalid repo type: {repo_type}. Accepted are: {', '.join(filter(None, known))}")


def _options(given: Given, more: dict[str, Any]) -> Options:
    from huggingface_hub import constants

    options = {
        "hub": "huggingface",
        "repo_type": given["repo_type"],
        "endpoint": own_chain(given["endpoint"], constants.ENDPOINT, Settings.load().huggingface_endpoint),
        "local_dir": None if given["local_dir"] is None else _place(given["local_dir"]),
        "local_files_only": _offline(given),
        "force_download": bool(given["force_download"]),
        "token": _token(given),
        "max_workers": given["max_workers"],
        "tqdm_class": given["tqdm_class"],
    }
    return cast("Options", {**options, **more})


def _offline(given: Given) -> bool:
    from huggingface_hub import constants

    return bool(given["local_files_only"]) or bool(constants.HF_HUB_OFFLINE)


def _token(given: Given) -> str | bool | None:
    """Return the token in our three forms; the fourth, True, asks for the one that is stored.

    Raises:
        LocalTokenNotFoundError: There is none.
    """
    token: str | bool | None = given["token"]
    if token is not True or _offline(given):
        return False if token == "" else token
    from huggingface_hub import get_token
    from huggingface_hub.errors import LocalTokenNotFoundError

    if stored := get_token():
        return stored
    raise LocalTokenNotFoundError("token=True asks for a stored token, and there is none: `hf auth login`, or HF_TOKEN")


def _revision(given: Given) -> str | None:
    """Return the revision; one that the SDK has resolved knows its commit."""
    revision = given["revision"]
    return None if revision is None else str(getattr(revision, "resolved", revision))


def _cache(given: Given) -> Path:
    return _place(given["cache_dir"]) if given["cache_dir"] is not None else Settings.load().huggingface_cache.resolve()


def _place(directory: object) -> Path:
    return Path(cast("str", directory)).expanduser().resolve()


def _patterns(given: Given) -> dict[str, Any]:
    return {name: _texts(given[name]) for name in ("allow_patterns", "ignore_patterns")}


def _texts(patterns: str | Iterable[object] | None) -> list[str] | None:
    """Return patterns as texts; paths are taken, too."""
    if patterns is None:
        return None
    return [patterns] if isinstance(patterns, str) else [str(pattern) for pattern in patterns]


def _path(given: Given) -> str:
    """Return the file's path in the repository.

    Raises:
        ValueError: It leads out of it.
    """
    path = f"{given['subfolder']}/{given['filename']}" if given["subfolder"] else str(given["filename"])
    parts = path.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or ":" in parts[0]:
        raise ValueError(f"Invalid filename {path!r}: it leads out of the repository")
    return path


def _on_disk(given: Given, error: MirrorHubError) -> Any:
    """Return what the SDK finds on disk where nobody could be asked, or raise what it would."""
    if isinstance(error, MissingFileError) and not _offline(given):
        raise as_theirs(error, given) from error
    if isinstance(error, NotCachedError | MissingFileError):
        return _found_by_them(given, error)
    if not isinstance(error, ResolutionError) or isinstance(error, RevisionNotFoundError | IntegrityError):
        raise as_theirs(error, given) from error
    try:
        return given.to_theirs(local_files_only=True)
    except FileNotFoundError:
        raise as_theirs(error, given) from error


def _found_by_them(given: Given, error: MirrorHubError) -> Any:
    try:
        return given.to_theirs(local_files_only=True)
    except FileNotFoundError as theirs:
        raise joined(error, theirs) from error
