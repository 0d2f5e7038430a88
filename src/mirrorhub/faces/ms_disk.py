"""Where modelscope keeps what it has: the directories of all its versions, found by the installed one."""

from __future__ import annotations

import os
import time
from importlib import import_module
from pathlib import Path

from mirrorhub.config import Settings
from mirrorhub.faces.ms_arguments import Call, whole
from mirrorhub.faces.signatures import Given
from mirrorhub.models import RepoType

_SDK_DEBUG = "MODELSCOPE_SDK_DEBUG"


def older_place(given: Given, repo_id: str, kind: RepoType) -> str | None:
    """Return the directory of an older version that the SDK goes on with, if there is one."""
    cache = _cache(given)
    # Neither look-up is in every version; one that lacks it does not go on there.
    looks = (
        getattr(import_module("modelscope.hub.utils.utils"), "find_reusable_legacy_repo_dir", None),
        getattr(import_module("modelscope_hub").HubApi().downloader, "_find_legacy_repo_dir", None),
    )
    found = (look(repo_id, repo_type=kind, cache_dir=cache) for look in looks if look)
    return next((str(one) for one in found if one is not None), None)


def found_by_them(call: Call) -> Path:
    """Let the SDK look on disk; it asks nobody.

    Raises:
        HubError: It finds nothing.
    """
    given, api = call.given, import_module("modelscope_hub").HubApi()
    where = {
        "revision": given["revision"],
        "cache_dir": _cache(given),
        "local_dir": call.local_dir,
        "local_files_only": True,
    }
    if given["file_path"] is not None:
        found: Path = api.download_file(call.repo_id, call.kind, given["file_path"], **where)
    else:
        found = api.download_repo(call.repo_id, call.kind, **where)
    return found


def _cache(given: Given) -> Path:
    """Return the cache directory; the SDK's own memory of it may be older than the variable."""
    return Path(given["cache_dir"]) if given["cache_dir"] else Settings.load().modelscope_cache


def spelt(call: Call, path: Path) -> str:
    """Return the directory as the SDK spells it: from `local_dir` or `cache_dir` as they were given."""
    given = call.given
    if call.local_dir:
        # A snapshot's directory is made, and so expanded; a file's is taken as it is.
        return str(Path(call.local_dir).expanduser())
    if not given["cache_dir"]:
        return str(path)
    cache, absolute = Path(given["cache_dir"]).expanduser(), whole(given["cache_dir"])
    return str(cache / path.relative_to(absolute)) if absolute and path.is_relative_to(absolute) else str(path)


def released_before() -> float | None:
    """Return when the installed version was released, in epoch seconds; None where its makers are at work on it."""
    said = getattr(import_module("modelscope.version"), "__release_datetime__", None)
    if os.environ.get(_SDK_DEBUG) or not said:
        return None
    try:
        return time.mktime(time.strptime(said, "%Y-%m-%d %H:%M:%S"))
    except (ValueError, OverflowError):
        return None
