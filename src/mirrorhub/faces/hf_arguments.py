"""huggingface_hub's arguments as ours."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mirrorhub.arguments import Options
from mirrorhub.config import Settings
from mirrorhub.faces.fitting import own_chain, settings_for
from mirrorhub.faces.signatures import Given

if TYPE_CHECKING:
    from mirrorhub.faces.hf_bars import Bars

_SITE = "https://huggingface.co"
_AGENT_PARTS = ("library_name", "library_version", "user_agent")


def options_of(given: Given, *, there: Path | None = None, bars: Bars | None = None) -> Options:
    """Return the options of the call.

    Args:
        given: What the function was called with.
        there: What is on disk already.
        bars: What shows progress.
    """
    from huggingface_hub import constants

    named = Settings.load().huggingface_endpoint or constants.ENDPOINT
    chain = own_chain(given["endpoint"], given["token"] or None, sites=[_SITE], named=named)
    options = {
        "hub": "huggingface",
        "repo_type": given["repo_type"],
        "settings": settings_for("huggingface", chain, cache_of(given), is_there=there is not None),
        "local_dir": None if given["local_dir"] is None else place(given["local_dir"]),
        "local_files_only": is_offline(given),
        "force_download": bool(given["force_download"]),
        "token": _token(given),
        "max_workers": given["max_workers"],
        "headers": given["headers"],
        "user_agent": _agent(given),
        "allow_patterns": _texts(given["allow_patterns"]),
        "ignore_patterns": _texts(given["ignore_patterns"]),
    }
    return cast("Options", options | (bars.options if bars else {}))


def is_offline(given: Given) -> bool:
    """Whether nobody may be asked: by argument, by a variable, or as another library has told the SDK."""
    from huggingface_hub import constants

    told = bool(constants.HF_HUB_OFFLINE) or Settings.load().offline_for("huggingface")
    return bool(given["local_files_only"]) or told


def revision_of(given: Given) -> str | None:
    """Return the revision; one that the SDK has resolved knows its commit."""
    revision = given["revision"]
    return None if revision is None else str(getattr(revision, "resolved", revision))


def cache_of(given: Given) -> Path:
    """Return the cache directory, links followed as the SDK follows them.

    Without one it is what our config file says, or else the SDK's own, which it has read once, or a program has set:
    there its other functions look.
    """
    from huggingface_hub import constants

    if given["cache_dir"] is not None:
        return place(given["cache_dir"])
    settings = Settings.load()
    is_written = settings.sources["huggingface_cache"] == "config file"
    return place(settings.huggingface_cache if is_written else constants.HF_HUB_CACHE)


def place(directory: object) -> Path:
    """Return a directory as the SDK names it."""
    return Path(cast("str", directory)).expanduser().resolve()


def path_of(given: Given) -> str:
    """Return the file's path in the repository: `./a` and `a/` mean a, as they do to a hub.

    Raises:
        ValueError: It leads out of it.
    """
    path = _joined(given)
    parts = path.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or any(part[1:2] == ":" for part in parts):
        raise ValueError(f"Invalid filename {path!r}: it leads out of the repository")
    return "/".join(part for part in parts if part not in ("", "."))


def spelt_below(folder: Path, given: Given) -> str:
    """Return where the file lies in a snapshot, with the dots that the SDK leaves in a path of the cache."""
    if given["local_dir"] is not None:
        return str(folder / path_of(given))
    return str(folder) + "".join(f"{os.sep}{part}" for part in _joined(given).split("/") if part)


def _joined(given: Given) -> str:
    return f"{given['subfolder']}/{given['filename']}" if given["subfolder"] else str(given["filename"])


def _token(given: Given) -> str | bool | None:
    """Return the token in our three forms; the fourth, True, asks for the one that is stored.

    Raises:
        LocalTokenNotFoundError: There is none.
    """
    token: str | bool | None = given["token"]
    if token is not True or is_offline(given):
        return False if token == "" else token
    from huggingface_hub import get_token
    from huggingface_hub.errors import LocalTokenNotFoundError

    if stored := get_token():
        return stored
    raise LocalTokenNotFoundError("token=True asks for a stored token, and there is none: `hf auth login`, or HF_TOKEN")


def _agent(given: Given) -> str:
    """Say who calls, as the SDK does; of its own share only that there was something to say."""
    library, version, more = (given[name] for name in _AGENT_PARTS)
    parts = [f"{library}/{version}"] if library else []
    if isinstance(more, dict):
        parts += [f"{name}/{value}" for name, value in more.items()]
    elif isinstance(more, str):
        parts.append(more)
    return "; ".join(parts)


def _texts(patterns: str | Iterable[Any] | None) -> list[str] | None:
    """Return patterns as texts; paths are taken, too."""
    if patterns is None:
        return None
    return [patterns] if isinstance(patterns, str) else [str(pattern) for pattern in patterns]
