"""What a call is given, checked and normalised: arguments become a request, and the settings that hold for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

from mirrorhub.config import Settings
from mirrorhub.credentials import checked
from mirrorhub.errors import ConfigError
from mirrorhub.http.redact import shown_name
from mirrorhub.models import (
    MAX_WORKERS,
    Endpoint,
    HubName,
    Repo,
    SnapshotRequest,
    Trust,
    Wanted,
    Watchers,
)
from mirrorhub.paths import revision_problem
from mirrorhub.secret import Secret

_OURS = frozenset({"host", "range", "accept-encoding", "content-length", "connection", "transfer-encoding", "te"})
"""Headers that say how bytes travel: that is not the caller's to say."""


class Options(TypedDict, total=False):
    """What every call takes beside the repository.

    Attributes:
        hub: `auto` (which means modelscope), `modelscope` or `huggingface`.
        repo_type: `model`, `dataset`, and on Hugging Face also `space` or `kernel`.
        endpoints: The chain: addresses, `Endpoint` values, the word `default`.
        local_dir: Put plain files here instead of into the cache.
        allow_patterns: Only files that match, as the repository's own SDK matches.
        ignore_patterns: No files that match.
        local_files_only: Use no network.
        force_download: Fetch although the files are there.
        token: For this call; False for none at all.
        max_workers: How many files at once.
        lockfile: What pins the repositories; False for nothing; None for the project's own, where there is one.
        trust: Who is believed: `lock`, `official`, `auto` or `any`.
        timeout: Total seconds; None for no limit.
        verify: Compare files on disk with their digests, not only with size and time.
        allow_stale: Return what is on disk when no endpoint can be asked.
        tqdm_class: The class of the progress bar.
        progress_callbacks: Classes made with (file name, size), with `update(n)` and `end()`, as in modelscope.
        settings: All settings at once, instead of the environment and the config file.
        model_id: modelscope's name for the repository.
        allow_file_pattern: modelscope's name for `allow_patterns`.
        ignore_file_pattern: modelscope's name for `ignore_patterns`.
        endpoint: The SDKs' name for a chain of one.
        headers: Sent to the hub itself, or to the one endpoint that was given with the call.
        user_agent: Said to the repository's hub beside our own name.
        files_bar: A second bar of `tqdm_class` counts files.
        cookies: Taken, not used; likewise etag_timeout, library_name and library_version.
    """

    hub: str
    repo_type: str | None
    endpoints: str | Endpoint | Sequence[str | Endpoint] | None
    local_dir: str | os.PathLike[str] | None
    allow_patterns: str | Iterable[str] | None
    ignore_patterns: str | Iterable[str] | None
    local_files_only: bool | None
    force_download: bool
    token: str | bool | None
    max_workers: int | None
    lockfile: str | os.PathLike[str] | Literal[False] | None
    trust: Trust | None
    timeout: float | None
    verify: bool
    allow_stale: bool
    tqdm_class: Callable[..., Any] | None
    progress_callbacks: Sequence[Callable[[str, int], Any]] | None
    settings: Settings | None
    model_id: str | None
    allow_file_pattern: str | Iterable[str] | None
    ignore_file_pattern: str | Iterable[str] | None
    endpoint: str | None
    headers: Mapping[str, str] | None
    user_agent: Mapping[str, str] | str | None
    files_bar: bool
    cookies: object
    etag_timeout: object
    library_name: object
    library_version: object


def check_names(options: Options) -> None:
    """Refuse arguments that are not known.

    Raises:
        TypeError: There is one.
    """
    if unknown := sorted(set(options) - set(Options.__annotations__)):
        raise TypeError(f"unknown argument {unknown[0]!r}; known are: {', '.join(sorted(Options.__annotations__))}")


def settings_of(hub: HubName, cache_dir: str | os.PathLike[str] | None, options: Options) -> Settings:
    """Collect the settings of a call.

    Raises:
        ConfigError: A value cannot be used, or two say the same.
    """
    given: dict[str, object] = {
        "endpoints": options.get("endpoints") or options.get("endpoint"),
        "trust": options.get("trust"),
        "lockfile": options.get("lockfile"),
        "timeout_s": options.get("timeout"),
        f"{hub}_cache": cache_dir,
    }
    settings = options.get("settings")
    if settings is None:
        return Settings.load(given)
    if beside := [name for name, value in given.items() if value is not None]:
        raise ConfigError(f"settings= says everything; {', '.join(beside)} cannot be given beside it")
    return settings


def request_of(
    repo: Repo, revision: str | None, options: Options, paths: tuple[str, ...] | None = None
) -> SnapshotRequest:
    """Check and normalise what is asked for of a repository.

    Raises:
        ConfigError: A value that cannot be used.
    """
    if revision is not None and (problem := revision_problem(revision)):
        raise ConfigError(f"revision {shown_name(revision)!r} {problem}")
    token, headers = _token(options.get("token")), _headers(options.get("headers"))
    # Every frame on the way here holds this dictionary, and some tracebacks show what frames hold.
    if token is not None:
        options["token"] = token
    if headers:
        options["headers"] = dict(headers)
    local_dir = options.get("local_dir")
    return SnapshotRequest(
        repo=repo,
        revision=revision,
        wanted=_wanted(repo.hub, options, paths),
        local_dir=Path(local_dir).expanduser().absolute() if local_dir is not None else None,
        token=token,
        force_download=options.get("force_download", False),
        verify=options.get("verify", False),
        allow_stale=options.get("allow_stale", True),
        max_workers=_workers(MAX_WORKERS if (most := options.get("max_workers")) is None else most),
        watchers=_watchers(options),
        headers=headers,
        agent=_agent(options.get("user_agent")),
    )


def _token(given: str | bool | None) -> str | bool | None:
    """Refuse what no header may hold before anybody is asked; the message does not show it."""
    if not isinstance(given, str):
        return given
    try:
        return checked(given)
    except ValueError as error:
        raise ConfigError(f"token: {error}") from None


def _watchers(options: Options) -> Watchers:
    callbacks = tuple(options.get("progress_callbacks") or ())
    return Watchers(options.get("tqdm_class"), callbacks, options.get("files_bar", False))


def _headers(given: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    headers = tuple((str(name).lower(), Secret(value)) for name, value in (given or {}).items())
    if any(not (name + value).isprintable() for name, value in headers):
        raise ConfigError("headers: a name or value has characters that no header may have")
    return tuple((name, value) for name, value in headers if name not in _OURS)


def _agent(given: Mapping[str, str] | str | None) -> str:
    """Write who calls as huggingface_hub does; what no header may hold is left out."""
    if given is None:
        return ""
    text = given if isinstance(given, str) else "; ".join(f"{name}/{value}" for name, value in given.items())
    return "".join(char for char in text if char.isprintable() and char.isascii())


def _wanted(hub: HubName, options: Options, paths: tuple[str, ...] | None) -> Wanted:
    if paths is not None:
        return Wanted(paths=paths)
    allow = options.get("allow_patterns")
    ignore = options.get("ignore_patterns")
    given = options.get("allow_file_pattern") if allow is None else allow
    ignore = _patterns(options.get("ignore_file_pattern") if ignore is None else ignore, hub)
    allow = _patterns(given, hub)
    # An empty list is no wish to modelscope; to huggingface_hub it is the wish for nothing.
    return Wanted(allow=allow if hub == "huggingface" and given is not None else allow or None, ignore=ignore)


def _patterns(given: str | Iterable[str] | None, hub: HubName) -> tuple[str, ...]:
    """Read patterns; modelscope divides each text at commas."""
    patterns = () if given is None else (given,) if isinstance(given, str) else tuple(given)
    if not all(isinstance(pattern, str) for pattern in patterns):
        raise ConfigError("patterns are texts, like '*.onnx'")
    if hub == "modelscope":
        parts = (part.strip() for pattern in patterns for part in pattern.split(","))
        return tuple(part for part in parts if part)
    return patterns


def _workers(given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise ConfigError(f"max_workers is a whole number above 0, not {given!r}")
    return min(given, MAX_WORKERS)
