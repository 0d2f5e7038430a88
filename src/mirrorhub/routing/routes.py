"""Which functions of the SDKs are led where: those that download, and those that send their questions; nothing else.

What cannot be done here (a kind of repository that the chain does not know, modelscope's reports of downloads in part)
is done by the SDK itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import partial
from importlib import import_module
from typing import Any

Call = Callable[..., Any]
Route = Callable[..., Any]
"""Called with the original function, and then with what that one was called with."""
_REPORT_MODE = ("continue_on_error", "tracker_path", "retry_failed", "retry_policy")
_inside: ContextVar[bool] = ContextVar("_inside", default=False)
"""Whether a call of ours goes on, which may use the SDKs: what it calls there is the original."""


def _face(module: str, name: str, original: Call, *args: Any, **options: Any) -> Any:
    """Call our function of the same name, which has the SDK's signature."""
    return getattr(import_module(module), name)(*args, **options)


def _compat(name: str, original: Call, *args: Any, **options: Any) -> Any:
    """modelscope_hub's functions of the same names: they begin at the branch, not at a tag, and may write reports."""
    if any(options.get(option) for option in _REPORT_MODE):
        return original(*args, **options)
    options = {option: value for option, value in options.items() if option not in _REPORT_MODE}
    if len(args) < 3:
        options["revision"] = options.get("revision") or "master"
    return _face("mirrorhub.modelscope", name, original, *args, **options)


def _later(module: str, name: str, original: Call, *args: Any, **options: Any) -> Any:
    """Call a route that is not needed before: what it imports takes its time."""
    return getattr(import_module(module), name)(original, *args, **options)


def _guarded(route: Route) -> Route:
    """Lead only what others call: a call of ours that comes back here meets the original."""

    def call(original: Call, *args: Any, **options: Any) -> Any:
        if _inside.get():
            return original(*args, **options)
        token = _inside.set(True)
        try:
            return route(original, *args, **options)
        finally:
            _inside.reset(token)

    return call


def _functions(route: Route, *names: str) -> dict[str, Route]:
    return {name: _guarded(partial(route, name)) for name in names}


_HF = partial(_face, "mirrorhub.huggingface_hub")
_MS = partial(_face, "mirrorhub.modelscope")
_HTTPX = {"Client.send": partial(_later, "mirrorhub.routing.sessions", "through_httpx")}
ROUTES: Mapping[str, Mapping[str, Route]] = {
    "huggingface_hub.file_download": _functions(_HF, "hf_hub_download"),
    "huggingface_hub._snapshot_download": _functions(_HF, "snapshot_download"),
    "modelscope.hub.snapshot_download": _functions(_MS, "snapshot_download", "dataset_snapshot_download"),
    "modelscope.hub.file_download": _functions(_MS, "model_file_download", "dataset_file_download"),
    "modelscope_hub.compat.snapshot_download": _functions(_compat, "snapshot_download", "dataset_snapshot_download"),
    "modelscope_hub.compat.file_download": _functions(_compat, "model_file_download", "dataset_file_download"),
    "modelscope_hub.api": {
        "HubApi.download_repo": _guarded(partial(_later, "mirrorhub.routing.hub_api", "download_repo")),
        "HubApi.download_file": _guarded(partial(_later, "mirrorhub.routing.hub_api", "download_file")),
    },
    "httpx._client": _HTTPX,
    "httpx2._client": _HTTPX,
    "requests.sessions": {"Session.send": partial(_later, "mirrorhub.routing.sessions", "through_requests")},
}
"""The module that defines a function, its name there, and where it is led. Below each function that is led may lie
another one that is, too: what is called first answers."""
