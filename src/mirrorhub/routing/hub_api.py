"""What `modelscope_hub.HubApi` downloads, answered by the chain: `modelscope download` and programs that use it itself.

What only the SDK can do stays with it: studios, skills, a listing that the caller brings, a file forced anew.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mirrorhub.errors import MirrorHubError

Call = Callable[..., Any]
_TYPES = ("model", "dataset")


def download_repo(original: Call, api: Any, repo_id: str, repo_type: Any, **options: Any) -> Path:
    """Stand in for `HubApi.download_repo`."""
    from mirrorhub.modelscope import snapshot_download

    kind = str(api._normalize_repo_type(repo_type))
    if kind not in _TYPES or options.get("file_list") is not None:
        found: Path = original(api, repo_id, repo_type, **options)
        return found
    options.pop("file_list", None)
    return Path(_raising_its_own(lambda: snapshot_download(repo_id, repo_type=kind, **_own(api), **options)))


def download_file(original: Call, api: Any, repo_id: str, repo_type: Any, file_path: str, **options: Any) -> Path:
    """Stand in for `HubApi.download_file`."""
    from mirrorhub.modelscope import dataset_file_download, model_file_download

    kind = str(api._normalize_repo_type(repo_type))
    if kind not in _TYPES or options.get("force"):
        found: Path = original(api, repo_id, repo_type, file_path, **options)
        return found
    known = {name: value for name, value in options.items() if name not in ("force", "expected_sha256", "file_size")}
    known["revision"] = known.get("revision") or "master"
    download = model_file_download if kind == "model" else dataset_file_download
    return Path(_raising_its_own(lambda: download(repo_id, file_path, **_own(api), **known)))


def _own(api: Any) -> dict[str, Any]:
    """Return the address and the token that the object was made with."""
    return {"endpoint": api._config.endpoint, "token": api._config.token}


def _raising_its_own(call: Callable[[], str]) -> str:
    """Raise modelscope_hub's classes, where its older functions raise those of requests."""
    import requests
    from modelscope_hub import errors

    from mirrorhub.faces.raised import joined

    kinds = {401: errors.AuthenticationError, 403: errors.PermissionDeniedError, 404: errors.NotExistError}
    try:
        return call()
    except requests.exceptions.HTTPError as error:
        kind = kinds.get(error.response.status_code) if error.response is not None else None
        if kind is None or not isinstance(error.__cause__, MirrorHubError):
            raise
        raise joined(error.__cause__, kind(str(error))) from error.__cause__
