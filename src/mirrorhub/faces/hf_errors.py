"""What huggingface_hub would have raised: its own classes, made by its own table from an answer as a hub gives it."""

from __future__ import annotations

from importlib import import_module
from typing import Any
from urllib.parse import quote

from mirrorhub.errors import (
    AccessDeniedError,
    MirrorHubError,
    MissingFileError,
    PinnedError,
    RepoNotFoundError,
    ResolutionError,
    RevisionNotFoundError,
    TransferError,
)
from mirrorhub.faces.fitting import failures, status_of
from mirrorhub.faces.raised import joined
from mirrorhub.faces.signatures import Given

_NO_ANSWER = 504
_DISABLED = "Access to this resource is disabled."
_SEGMENTS = {None: "models", "model": "models", "dataset": "datasets", "space": "spaces", "kernel": "kernels"}


def as_theirs(error: MirrorHubError, given: Given) -> BaseException:
    """Return the error that a caller of the SDK expects; one that is no hub's answer stays ours."""
    if given["dry_run"] and given["filename"] is None and not isinstance(error, RevisionNotFoundError):
        return _no_preview(error)
    match error:
        case RepoNotFoundError():
            theirs = _answered(404, "RepoNotFound", given)
        case RevisionNotFoundError():
            theirs = _answered(404, "RevisionNotFound", given)
        case PinnedError() if not error.file:
            theirs = _answered(_NO_ANSWER, "", given)
        case MissingFileError() | PinnedError():
            theirs = _answered(404, "EntryNotFound", given)
        case AccessDeniedError():
            return _denied(error, given)
        case TransferError():
            theirs = _answered(status_of(error) or _NO_ANSWER, "", given)
        case ResolutionError():
            return not_found_here(error)
        case _:
            return error
    return joined(error, theirs)


def not_found_here(error: MirrorHubError) -> BaseException:
    """Return what is raised where nobody could be asked and nothing is on disk."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    return joined(error, LocalEntryNotFoundError(str(error)))


def _no_preview(error: MirrorHubError) -> BaseException:
    from huggingface_hub.errors import DryRunError

    return joined(error, DryRunError(str(error))) if isinstance(error, ResolutionError) else error


def _denied(error: AccessDeniedError, given: Given) -> BaseException:
    outcomes = [attempt.outcome for attempt in failures(error) if attempt.fault == "DENIED"]
    status = status_of(error) or 403
    if any("gated" in outcome for outcome in outcomes):
        return joined(error, _answered(status, "GatedRepo", given))
    if any(_DISABLED in outcome for outcome in outcomes):
        return joined(error, _answered(status, "", given, _DISABLED))
    # The SDK takes a 401 for a repository that is missing or private, and any other refusal for a hub that is down.
    return joined(error, _answered(401, "RepoNotFound", given)) if status == 401 else not_found_here(error)


def _answered(status: int, code: str, given: Given, message: str = "") -> BaseException:
    """Let the SDK itself say what it raises at such an answer."""
    utils = import_module("huggingface_hub.utils")

    headers = {"X-Error-Code": code} if code else {}
    response = _response(status, headers | ({"X-Error-Message": message} if message else {}), _url(given))
    try:
        utils.hf_raise_for_status(response)
    except OSError as error:
        return error
    raise AssertionError(status)


def _response(status: int, headers: dict[str, str], url: str) -> Any:
    """Make an answer of the HTTP library that the installed SDK uses: requests, httpx or httpx2."""
    from huggingface_hub.errors import HfHubHTTPError

    library = import_module(HfHubHTTPError.__bases__[0].__module__.partition(".")[0])
    if library.__name__ != "requests":
        return library.Response(status, headers=headers, request=library.Request("GET", url))
    response = library.Response()
    response.status_code, response.url, response._content = status, url, b""
    response.headers.update(headers)
    response.request = library.Request("GET", url).prepare()
    return response


def _url(given: Given) -> str:
    base = str(given["endpoint"] or "https://huggingface.co").rstrip("/")
    return f"{base}/api/{_SEGMENTS.get(given['repo_type'], 'models')}/{quote(str(given['repo_id']))}"
