"""A model's files, folder by folder where ModelScope does not tell them in one answer. Asks through who calls it.

The server ends a listing at 3,000 rows, with 200 and no word of it. What may have been cut off is asked for again: the
folder alone, then each folder in it with all that is below. A folder with so many rows of its own cannot be told
whole, and is an error: modelscope_hub, whose walk this is, warns there and goes on with a part.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from mirrorhub.faults import Failure, Fault
from mirrorhub.hubs.listing import check_count, text_of
from mirrorhub.hubs.pages import Row
from mirrorhub.together import all_of

CUT_OFF = 3000
"""Rows of an answer that may not be all there are (modelscope_hub 0.5.1, constants.py)."""
AT_ONCE = 8
List = Callable[[str, bool], Awaitable[list[Row]]]
"""Lists a folder, by its path and whether with all that is below it."""


async def walk_folders(list_folder: List, max_files: int, roots: Iterable[str] = ("",)) -> list[Row]:
    """Return every row of a repository, or of some folders in it.

    Args:
        list_folder: Lists one.
        max_files: No more rows than so many.
        roots: Which folders, none of them in another one.

    Raises:
        Failure: The endpoint did not tell all of them, or too many.
    """
    rows: list[Row] = []
    folders = list(roots)
    seen = set(folders)
    while folders:
        found = await _listed(list_folder, folders, below=True)
        check_count(max(map(len, found.values())), max_files)
        cut = [folder for folder, below in found.items() if len(below) >= CUT_OFF]
        rows += [row for folder, below in found.items() if folder not in cut for row in below]
        alone = await _listed(list_folder, cut, below=False)
        rows += [row for folder, own in alone.items() for row in _not_cut(folder, own)]
        check_count(len(rows), max_files)
        folders = [path for path in _folders_in(alone.values()) if path not in seen]
        seen.update(folders)
    return rows


def kind_of(row: Row) -> str:
    """Return `tree` for a folder, `blob` for a file."""
    return (text_of(row, "Type", "type") or "blob").lower()


def path_of(row: Row) -> str:
    """Return a row's path.

    Raises:
        Failure: It has none.
    """
    said = next((row[name] for name in ("Path", "path", "Name") if name in row), None)
    path = said if isinstance(said, str) else None
    if not path:
        raise Failure(Fault.BAD_LISTING, "lists an entry without a path")
    return path


async def _listed(list_folder: List, folders: list[str], *, below: bool) -> dict[str, list[Row]]:
    listings = await all_of((list_folder(folder, below) for folder in folders), AT_ONCE)
    return {folder: _of(folder, rows) for folder, rows in zip(folders, listings, strict=True)}


def _of(folder: str, rows: list[Row]) -> list[Row]:
    """Refuse what lies elsewhere: an endpoint that does not know `Root` would seem to have told everything."""
    if folder and not all(path_of(row).startswith(f"{folder}/") for row in rows):
        raise Failure(Fault.BAD_LISTING, f"cuts off at {CUT_OFF:,} entries, and tells others than those of {folder!r}")
    return rows


def _not_cut(folder: str, rows: list[Row]) -> list[Row]:
    if len(rows) >= CUT_OFF:
        where = f"folder {folder!r}" if folder else "its uppermost folder"
        raise Failure(Fault.BAD_LISTING, f"cuts {where} off at {CUT_OFF:,} entries: nobody can tell what else it holds")
    return rows


def _folders_in(listings: Iterable[list[Row]]) -> dict[str, None]:
    return dict.fromkeys(path_of(row) for rows in listings for row in rows if kind_of(row) == "tree")
