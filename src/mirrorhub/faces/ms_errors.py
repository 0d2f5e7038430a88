"""What modelscope would have raised: its own classes, by the names that the installed version has."""

from __future__ import annotations

from typing import Any

from mirrorhub.errors import (
    AccessDeniedError,
    ConfigError,
    IntegrityError,
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

_TIMES = frozenset({"CONNECT_TIMEOUT", "READ_TIMEOUT"})
_SIZES = frozenset({"SHORT_BODY", "LONG_BODY"})


def as_theirs(error: MirrorHubError, *, whole: bool) -> BaseException:
    """Return the error that a caller of the SDK expects; one that is no hub's answer stays ours.

    Args:
        error: What happened.
        whole: A snapshot was asked for, not one file: there the SDK tells of all files that failed.
    """
    match error:
        case PinnedError() if not error.file:
            return joined(
                error, _of_files(error, None) if whole else _class("FileIntegrityError", "HubError")(str(error))
            )
        case RepoNotFoundError() | RevisionNotFoundError() | MissingFileError() | PinnedError():
            return joined(error, _answered(404, str(error)))
        case AccessDeniedError() if whole and (file := _denied_file(error)):
            return joined(error, _of_files(error, file))
        case AccessDeniedError():
            return joined(error, _answered(status_of(error) or 403, str(error)))
        case TransferError() if whole:
            return joined(error, _of_files(error, error.file))
        case ResolutionError() | TransferError():
            return joined(error, _of_attempts(error))
        case _:
            return error


def not_found_here(error: MirrorHubError) -> BaseException:
    """Return what is raised where nobody may be asked and what is on disk will not do."""
    return joined(error, _class("CacheNotFound", "HubError")(str(error)))


def no_such_id(error: ConfigError) -> BaseException:
    """Return what is raised for an id that no repository can have: the SDK asks for it all the same, in vain."""
    return joined(error, _answered(404, str(error)))


def invalid(message: str) -> BaseException:
    """Return what is raised for arguments that say nothing."""
    error: BaseException = _class("InvalidParameter", "ValidationError", "HubError")(message)
    return error


def _denied_file(error: AccessDeniedError) -> str | None:
    """Return the file that was refused where the listing was not: a gated repository lists what it does not give."""
    denied = (attempt.subject for attempt in failures(error) if attempt.fault == "DENIED")
    return next((subject for subject in denied if subject != "listing"), None)


def _of_files(error: MirrorHubError, file: str | None) -> BaseException:
    """One file ended the call: the chain has tried it at every endpoint."""
    failed = {file: joined(error, _of_attempts(error))} if file else {}
    made = _class("FileDownloadError", "StorageError", "HubError")
    try:
        found: BaseException = made(str(error), failed_files=failed, total=None, output_dir=None)
    except TypeError:
        found = made(str(error))
    return found


def _of_attempts(error: MirrorHubError) -> BaseException:
    """Return what the SDK raises at what was met last."""
    text, faults = str(error), [attempt.fault for attempt in failures(error)]
    if isinstance(error, IntegrityError):
        theirs = _class("FileIntegrityError", "HubError")(text)
    elif faults and faults[0] in _SIZES:
        theirs = _class("FileSizeMismatchError", "FileIntegrityError", "HubError")(text)
    elif status := status_of(error):
        theirs = _of_status(status, text)
    else:
        timed_out = bool(faults) and faults[0] in _TIMES
        theirs = _class(*(["RequestTimeoutError"] if timed_out else []), "NetworkError", "HubError")(text)
    found: BaseException = theirs
    return found


def _of_status(status: int, text: str) -> Any:
    names = {429: "RateLimitError", 401: "AuthenticationError", 403: "PermissionDeniedError"}
    name = "ServerError" if status >= 500 else names.get(status, "APIError")
    return _class(name, "APIError", "HubError")(text, status_code=status)


def _answered(status: int, text: str) -> BaseException:
    import requests

    response = requests.Response()
    response.status_code = status
    return requests.exceptions.HTTPError(text, response=response)


def _class(*names: str) -> Any:
    """Return the first of these classes that the installed version has."""
    from modelscope_hub import errors

    return next(found for name in names if (found := getattr(errors, name, None)) is not None)
