"""Which functions of the SDKs are led where: those that download, wherever an SDK keeps them; nothing else.

What is asked of us and cannot be done here (a kind of repository that the chain does not know, modelscope's reports of
partial downloads) is done by the SDK, as if we were not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

Call = Callable[..., Any]
Route = Callable[..., Any]
"""Called with the original function, and then with what that one was called with."""
_CHAINED = {None, "model", "dataset", "space"}
_REPORT_MODE = ("continue_on_error", "tracker_path", "retry_failed", "retry_policy")
_inside: ContextVar[bool] = ContextVar("_inside", default=False)
"""Whether a call of ours goes on, which may use the SDKs: what it calls there is the original."""


def _huggingface(name: str, original: Call, *args: Any, **options: Any) -> Any:
    from mirrorhub import huggingface_hub as face
    from mirrorhub.sessions import homes

    if options.get("repo_type") not in _CHAINED:
        return original(*args, **options)
    return getattr(face, name)(*args, **_without_endpoint(options, homes("huggingface")))


def _modelscope(name: str, original: Call, *args: Any, **options: Any) -> Any:
    from mirrorhub import modelscope as face
    from mirrorhub.sessions import homes

    if options.get("repo_type") not in _CHAINED:
        return original(*args, **options)
    return getattr(face, name)(*args, **_without_endpoint(options, homes("modelscope")))


def _compat(name: str, original: Call, *args: Any, **options: Any) -> Any:
    """modelscope_hub's functions of the same names: their default revision is the branch, and they write reports."""
    if any(options.get(option) for option in _REPORT_MODE):
        return original(*args, **options)
    options = {option: value for option, value in options.items() if option not in _REPORT_MODE}
    if len(args) < 3:
        options["revision"] = options.get("revision") or "master"
    return _modelscope(name, original, *args, **options)


def _repo(original: Call, api: Any, repo_id: str, repo_type: Any, **options: Any) -> Any:
    if options.pop("file_list", None) is not None:
        pass
    return Path(_modelscope("snapshot_download", partial(original, api), repo_id, repo_type=str(repo_type), **options))


def _without_endpoint(options: Mapping[str, Any], own: tuple[str, ...]) -> dict[str, Any]:
    """Leave out an endpoint that is the SDK's own choice: nobody has wished for it, and the chain holds it."""
    kept = dict(options)
    if str(kept.get("endpoint") or "").rstrip("/") in {"", *own}:
        kept.pop("endpoint", None)
    return kept


def _httpx(original: Call, *args: Any, **options: Any) -> Any:
    from mirrorhub.sessions import through_httpx

    return through_httpx(original, *args, **options)


def _requests(original: Call, *args: Any, **options: Any) -> Any:
    from mirrorhub.sessions import through_requests

    return through_requests(original, *args, **options)


def _guarded(route: Route) -> Route:
    def call(original: Call, *args: Any, **options: Any) -> Any:
        if _inside.get():
            return original(*args, **options)
        token = _inside.set(True)
        try:
            return route(original, *args, **options)
        finally:
            _inside.reset(token)

    return call


def _named(route: Callable[..., Any], *names: str) -> dict[str, Route]:
    return {name: _guarded(partial(route, name)) for name in names}


ROUTES: Mapping[str, Mapping[str, Route]] = {
    "huggingface_hub.file_download": _named(_huggingface, "hf_hub_download"),
    "huggingface_hub._snapshot_download": _named(_huggingface, "snapshot_download"),
    "modelscope.hub.snapshot_download": _named(_modelscope, "snapshot_download", "dataset_snapshot_download"),
    "modelscope.hub.file_download": _named(_modelscope, "model_file_download", "dataset_file_download"),
    "modelscope_hub.compat.snapshot_download": _named(_compat, "snapshot_download", "dataset_snapshot_download"),
    "modelscope_hub.compat.file_download": _named(_compat, "model_file_download", "dataset_file_download"),
    "httpx._client": {"Client.send": _guarded(_httpx)},
    "httpx2._client": {"Client.send": _guarded(_httpx)},
    "requests.sessions": {"Session.send": _guarded(_requests)},
}
"""The module that defines a function, its name there, and where it is led."""
