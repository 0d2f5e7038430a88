"""What stands for a repository on the command line: an id, or an address with type, revision and path in it.

    hf://[models/|datasets/|spaces/|kernels/]owner/name[@revision][/path]        likewise ms://
    [modelscope:|huggingface:][datasets/|...]owner/name[@revision]               as messages name it

Source: huggingface_hub 2.4.0, `utils/_hf_uris.py`. A name without an owner is read, too, where no path follows it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import get_args
from urllib.parse import unquote

from mirrorhub.errors import ConfigError
from mirrorhub.models import RepoType

_SCHEMES = ("hf://", "ms://")
_TYPES = tuple(f"{name}s" for name in get_args(RepoType))
_REF = re.compile(r"refs/(?:convert/[\w.-]+|pr/\d+)")
"""Revisions with a slash in them that are read as such; in any other it is written %2F."""
_AT_REVISION = re.compile(r"((?:(?:modelscope|huggingface):(?:\w+s/)?)?[\w.+-]+/[\w.+-]+)@(.+)")


@dataclass(frozen=True, slots=True)
class Named:
    """A repository, and what of it.

    Attributes:
        repo: The id as `fetch` takes it, with scheme and type where they were given.
        is_typed: It says of which type it is.
        revision: Branch, tag or commit, if it says which.
        path: A file in it, or a folder with a slash at the end; empty for all of it.
    """

    repo: str
    is_typed: bool = False
    revision: str | None = None
    path: str = ""


def parse_name(given: str) -> Named:
    """Read what stands for a repository.

    Raises:
        ConfigError: It is an address that means none.
    """
    scheme = next((scheme for scheme in _SCHEMES if given.startswith(scheme)), None)
    if scheme is None:
        named = _AT_REVISION.fullmatch(given)
        return Named(named[1], revision=named[2]) if named else Named(given)
    location = given.removeprefix(scheme)
    if "@" in location and ":" in location.partition("@")[0]:
        shown = scheme + location.rpartition("@")[2]
        raise ConfigError(f"{shown!r} is no repository id, and no login belongs into it: write {scheme}owner/name")
    kind, slash, rest = location.partition("/")
    if kind == "buckets":
        raise ConfigError(f"{given}: a bucket is no repository; `hf sync` brings one")
    if slash and f"{kind}s" in _TYPES:
        raise ConfigError(f"{given}: types are written in the plural here; did you mean {scheme}{kind}s/{rest} ?")
    is_typed = bool(slash) and kind in _TYPES
    repo, revision, path = _parted(rest if is_typed else location, given)
    return Named(f"{scheme}{kind}/{repo}" if is_typed else f"{scheme}{repo}", is_typed, revision, path)


def _parted(location: str, given: str) -> tuple[str, str | None, str]:
    """Part id, revision and path; an @ that stands further back is a part of a file's name."""
    before, at, after = location.partition("@")
    if not at or before.count("/") > 1:
        owner, name, path = [*location.split("/", 2), "", ""][:3]
        return f"{owner}/{name}" if name else owner, None, path
    special = _REF.match(after)
    revision = special[0] if special else after.partition("/")[0]
    if not revision:
        raise ConfigError(f"{given}: no revision stands behind the @")
    return before, unquote(revision), after[len(revision) :].removeprefix("/")
