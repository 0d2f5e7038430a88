"""Which listed paths may be written. Pure: the same rules are tested for both families of systems on any system."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from urllib.parse import quote

MAX_PART_BYTES = 255
MAX_PATH_BYTES = 4000
MAX_DEPTH = 64
_DRIVE = re.compile(r"^[A-Za-z]:")
_RESERVED = re.compile(r"^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|con(in|out)\$)\s*(\..*)?$", re.IGNORECASE)
_SHORT = re.compile(r"^(git|mirror)~[0-9]+", re.IGNORECASE)
"""The second names that Windows gives to `.git` and to our own folder."""
_WINDOWS_FORBIDDEN = frozenset('<>:"|?*')
OWN_FOLDER = ".mirrorhub"
_BOOKS = (".cache", ".msc", ".mdl", ".mv", "._____temp")


def path_problem(path: str, *, windows: bool = False) -> str | None:
    """Say why a listed path must not be written, or return None.

    Args:
        path: A path as a hub lists it, parts divided by `/`.
        windows: Also refuse what Windows cannot hold.
    """
    if not path:
        return "is empty"
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in path):
        return "has a control character"
    if "\\" in path:
        return "has a backslash"
    if path.startswith("/"):
        return "is absolute"
    if _DRIVE.match(path):
        return "names a drive"
    if path.count("/") > MAX_DEPTH:
        return f"lies more than {MAX_DEPTH} folders deep"
    if len(path.encode()) > MAX_PATH_BYTES:
        return f"is longer than {MAX_PATH_BYTES} bytes"
    return next((problem for part in path.split("/") if (problem := _part_problem(part, windows))), None)


def repeated(paths: Iterable[str]) -> str | None:
    """Return a path that is listed more than once, or None."""
    return next((path for path, count in Counter(paths).items() if count > 1), None)


def twins(paths: Iterable[str]) -> tuple[str, str] | None:
    """Return two paths that a file system without case (or with one Unicode form) takes for one, or None.

    A file is one with a folder, too: of `A` and `a/b` only one can be there.
    """
    seen: dict[str, str] = {}
    for path in paths:
        if seen.setdefault(key := _folded(path), path) != path:
            return seen[key], path
    return next(((seen[above], path) for key, path in seen.items() for above in _above(key) if above in seen), None)


def misfit(paths: Iterable[str], *, windows: bool, folding: bool) -> str | None:
    """Say which of some paths a file system cannot hold, and why, or return None.

    Args:
        paths: Paths that `path_problem` has nothing against.
        windows: It takes the names that Windows does.
        folding: It takes names that differ in case, or in their Unicode form, for one.
    """
    every = tuple(paths)
    if windows and (bad := next((path for path in every if path_problem(path, windows=True)), None)):
        return f"{bad[:200]!r}, which {path_problem(bad, windows=True)}"
    if folding and (pair := twins(every)):
        return f"{pair[0][:200]!r} and {pair[1][:200]!r}, which are one file there"
    return None


def file_and_folder(paths: Iterable[str]) -> str | None:
    """Return a path that is listed as a file and as a folder, or None."""
    files = set(paths)
    return next((str(parent) for path in files for parent in PurePosixPath(path).parents if str(parent) in files), None)


def revision_problem(revision: str) -> str | None:
    """Say why a revision cannot be one, or return None. Slashes are part of many a branch's name."""
    if problem := path_problem(revision):
        return problem
    if revision.startswith("-"):
        return "starts with a hyphen"
    return None


def file_name(revision: str) -> str:
    """Return the one file name that stands for a revision, and for no other."""
    return quote(revision, safe="")


def books_of_sdk(paths: Iterable[str]) -> str | None:
    """Return a path in whose place an SDK keeps books of its own in a plain folder, or None."""
    return next((path for path in paths if _folded(path).startswith(_BOOKS) and _is_book(_folded(path))), None)


def _is_book(path: str) -> bool:
    first, second, *_ = [*path.split("/"), ""]
    return (first, second) == (".cache", "huggingface") or first in _BOOKS[1:]


def _folded(path: str) -> str:
    """Write a path as a file system without case does; HFS+ leaves characters out that nobody sees."""
    if path.isascii():
        return path.lower()
    plain = "".join(char for char in path if unicodedata.category(char) != "Cf")
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", plain).casefold())


def _above(path: str) -> Iterator[str]:
    while (end := path.rfind("/")) >= 0:
        path = path[:end]
        yield path


def _part_problem(part: str, windows: bool) -> str | None:
    if part in ("", "."):
        return "has an empty part"
    if part == "..":
        return "climbs out of its folder"
    if len(part.encode()) > MAX_PART_BYTES:
        return f"has a part of more than {MAX_PART_BYTES} bytes"
    folded = _folded(part)
    if folded == ".git":
        return "lies in .git, which no repository can hold: git would run what stands there"
    if folded == OWN_FOLDER:
        return f"lies in {OWN_FOLDER}, which is ours"
    return _windows_problem(part) if windows else None


def _windows_problem(part: str) -> str | None:
    if _RESERVED.match(part):
        return "is a name that Windows reserves"
    if _SHORT.match(part):
        return "is Windows' second name of a folder that no repository can hold"
    if part[-1] in ". ":
        return "ends in a dot or a space, which Windows drops"
    if _WINDOWS_FORBIDDEN.intersection(part):
        return "has a character that Windows forbids"
    return None
