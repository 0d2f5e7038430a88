"""Decide which files are wanted and which of them must be fetched. No IO here: callers pass in what the store holds."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mirrorhub.models import FileEntry, Manifest, Scope, Wanted, total_size
from mirrorhub.paths import path_problem

_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Plan:
    """What must be fetched, and what is there.

    Attributes:
        wanted: All files that the call asked for.
        fetch: Those that must be fetched; of several files with one digest, the first.
        held: Path -> stamp of those that are there, taken before they were looked at.
        spare: Path -> where the content lies under another name, checked.
        told: Those of the held ones that were not hashed: an SDK had noted that they are right.
    """

    wanted: tuple[FileEntry, ...]
    fetch: tuple[FileEntry, ...]
    held: Mapping[str, tuple[int, int]]
    spare: Mapping[str, Path]
    told: frozenset[str] = frozenset()

    @property
    def verified(self) -> bool:
        """Whether each wanted file is one that was compared with a digest, or will be."""
        return all(entry.digest is not None and entry.path not in self.told for entry in self.wanted)

    @property
    def size(self) -> int:
        """Bytes to fetch, as far as sizes are known."""
        return total_size(self.fetch)


def make_plan(
    wanted: Iterable[FileEntry],
    held: Mapping[str, tuple[int, int]],
    spare: Mapping[str, Path] | None = None,
    told: Iterable[str] = (),
) -> Plan:
    """Plan a call: everything wanted that is not held under this or another name, each content once."""
    spare = spare or {}
    chosen = tuple(wanted)
    fetch: dict[object, FileEntry] = {}
    for entry in chosen:
        if entry.path not in held and entry.path not in spare:
            fetch.setdefault(entry.digest or entry.path, entry)
    return Plan(chosen, tuple(fetch.values()), held, spare, frozenset(told))


def wanted_files(manifest: Manifest, wanted: Wanted) -> tuple[FileEntry, ...]:
    """Choose files from a manifest; exact paths that are not in it are left out."""
    files = manifest.files
    if manifest.scope is not None:
        files = tuple(entry for entry in files if manifest.tells_of(entry.path))
    if wanted.paths is not None:
        paths = frozenset(wanted.paths)
        return tuple(entry for entry in files if entry.path in paths)
    matches = _MATCHERS[manifest.repo.hub]
    return tuple(
        entry
        for entry in files
        if (wanted.allow is None or matches(entry.path, wanted.allow)) and not matches(entry.path, wanted.ignore)
    )


def scope_of(wanted: Wanted) -> Scope:
    """Return the part of a repository that all wanted files are in, as far as their names say; None for the whole.

    A pattern says in which folder, where one stands before its first wildcard; all of them must.
    """
    if wanted.paths is not None:
        return frozenset(wanted.paths)
    if wanted.allow is None:
        return None
    folders = frozenset(map(_folder_of, wanted.allow))
    return None if any(path_problem(folder.removesuffix("/")) for folder in folders) else folders


def _folder_of(pattern: str) -> str:
    literal = _WILD.split(pattern, maxsplit=1)[0]
    return literal[: literal.rfind("/") + 1]


def _matches_modelscope(path: str, patterns: Iterable[str]) -> bool:
    """Match as modelscope does: `*` crosses slashes, and a pattern with `.*` is tried as a legacy regex too."""
    return any(
        fnmatch.fnmatch(path, pattern) or (".*" in pattern and fnmatch.fnmatch(path, pattern.replace(".*", "*")))
        for pattern in patterns
    )


def _matches_huggingface(path: str, patterns: Iterable[str]) -> bool:
    """Match as huggingface_hub does: case counts, and a folder's name with a slash means all that is in it."""
    return any(
        fnmatch.fnmatchcase(path, pattern + "*" if pattern.endswith("/") else pattern)
        for pattern in (given.replace("\\", "/") for given in patterns)
    )


_MATCHERS = {
    "modelscope": _matches_modelscope,
    "huggingface": _matches_huggingface,
    "wheel": _matches_modelscope,
}
