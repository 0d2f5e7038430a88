"""A part of a repository that ModelScope does not tell whole: the folders that are wanted, and single files.

A file is looked for in its own folder, which tells of its digest too; where that is cut off as well, and the file not
among what is told, it is asked for alone. modelscope_hub does the same: it lists the folders that patterns begin with,
and asks for a single file without any listing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from mirrorhub.faults import Failure, Fault
from mirrorhub.hubs.folders import AT_ONCE, CUT_OFF, path_of
from mirrorhub.hubs.pages import Row
from mirrorhub.together import all_of

_NOT_THERE = frozenset({Fault.NO_REPO, Fault.NO_REVISION, Fault.NO_FILE})


@dataclass(frozen=True, slots=True)
class Ways:
    """How to list a part of a repository.

    Attributes:
        below: All that is below some folders.
        alone: What stands in one folder itself; that may be cut off.
    """

    below: Callable[[Sequence[str]], Awaitable[list[Row]]]
    alone: Callable[[str], Awaitable[list[Row]]]


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What has been told of a part, and the paths of which nothing is known yet."""

    rows: list[Row]
    unknown: list[str]


async def narrowed(scope: frozenset[str], ways: Ways) -> Narrowed:
    """List what a scope names.

    Raises:
        Failure: The endpoint did not say.
    """
    folders, paths = _parted(scope)
    rows = await ways.below(folders) if folders else []
    above = sorted({path.rpartition("/")[0] for path in paths})
    told = dict(zip(above, await all_of((_alone(ways, folder) for folder in above), AT_ONCE), strict=True))
    found = {path_of(row): row for listing in told.values() for row in listing or ()}
    rest = [path for path in paths if path not in found]
    unknown = [path for path in rest if not _is_whole(path.rpartition("/")[0], told[path.rpartition("/")[0]])]
    return Narrowed([*rows, *(found[path] for path in paths if path in found)], unknown)


def _parted(scope: frozenset[str]) -> tuple[list[str], list[str]]:
    """Return the folders, none of them in another one, and the paths that are in none of them."""
    folders: list[str] = []
    for name in sorted(name for name in scope if name.endswith("/")):
        if not folders or not name.startswith(folders[-1]):
            folders.append(name)
    paths = [name for name in sorted(scope) if not name.endswith("/") and not name.startswith(tuple(folders))]
    return [folder.removesuffix("/") for folder in folders], paths


async def _alone(ways: Ways, folder: str) -> list[Row] | None:
    """Return what a folder holds; None where there is none of that name, as far as is said."""
    try:
        return await ways.alone(folder)
    except Failure as failure:
        if failure.fault in _NOT_THERE:
            return None
        raise


def _is_whole(folder: str, rows: list[Row] | None) -> bool:
    """Whether that is all that a folder holds: an endpoint that does not know `Root` tells of other ones."""
    if rows is None or len(rows) >= CUT_OFF:
        return False
    return all(path_of(row).rpartition("/")[0] == folder for row in rows)
