"""How a repository is named: `owner/name` on ModelScope, and `hf://`, `modelscope:datasets/` and the like before it."""

from __future__ import annotations

import re
from typing import cast, get_args

from mirrorhub.errors import ConfigError
from mirrorhub.models import HubName, Repo, RepoType

_PREFIXES: dict[str, HubName] = {
    "ms://": "modelscope",
    "hf://": "huggingface",
    "modelscope:": "modelscope",
    "huggingface:": "huggingface",
}
"""How a repository's hub is written; the longer ones stand in messages and reports."""
_TYPES: dict[str, RepoType] = {f"{name}s/": name for name in get_args(RepoType)}
_OF_MODELSCOPE: frozenset[RepoType] = frozenset({"model", "dataset"})
_ID_PART = re.compile(r"\w[\w.+-]{0,95}")


def repo_of(given: str | None, hub: str = "auto", repo_type: str | None = None) -> Repo:
    """Read which repository is meant, in any of the forms in which it may be named.

    Raises:
        ConfigError: It is none.
    """
    if not isinstance(given, str) or not given.strip():
        raise ConfigError("a repository is needed: owner/name")
    if hub not in ("auto", "modelscope", "huggingface"):
        raise ConfigError(f"hub {hub!r} is not known; known are auto, modelscope, huggingface")
    kind: RepoType = cast("RepoType", repo_type or "model")
    if kind not in get_args(RepoType):
        raise ConfigError(f"repo_type {repo_type!r} is not known; known are {', '.join(get_args(RepoType))}")
    name, chosen = given.strip(), cast("HubName", "modelscope" if hub == "auto" else hub)
    for prefix, prefixed in _PREFIXES.items():
        if name.startswith(prefix):
            name, chosen = name.removeprefix(prefix), prefixed
            for folder, named_type in _TYPES.items():
                # On Hugging Face a name may stand without an owner, and no owner is called so.
                if name.startswith(folder) and name.count("/") in ((1, 2) if chosen == "huggingface" else (2,)):
                    name, kind = name.removeprefix(folder), named_type
    _check_id(name, chosen)
    if chosen == "modelscope" and kind not in _OF_MODELSCOPE:
        raise ConfigError(f"ModelScope has models and datasets, no {kind}s that could be fetched: {given!r}")
    return Repo(chosen, name, kind)


def _check_id(name: str, hub: HubName) -> None:
    parts = name.split("/")
    fine = all(_ID_PART.fullmatch(part) and ".." not in part and not part.endswith(".") for part in parts)
    if not fine or len(parts) > 2 or (hub == "modelscope" and len(parts) != 2):
        from mirrorhub.http.redact import shown_name  # only on the way to an error

        elsewhere = f", or hf://{name} for Hugging Face's" if len(parts) == 1 and _ID_PART.fullmatch(name) else ""
        elsewhere = ". For an address write hf://owner/name or ms://owner/name" if "://" in name else elsewhere
        raise ConfigError(
            f"{shown_name(name)!r} is no repository id: it should be owner/name, of letters, digits and - _ . +"
            f"{elsewhere}"
        )
