"""What a listing may hold: checked once, for every hub, before anything is done with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime

from mirrorhub.faults import Failure, Fault
from mirrorhub.models import FileEntry
from mirrorhub.paths import file_and_folder, path_problem

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHA1 = re.compile(r"[0-9a-f]{40}")
MAX_SIZE = 1 << 50
_DIGITS = 20
MILLISECONDS = 9_999_999_999
"""A time after this one is in milliseconds."""


def checked_files(files: Iterable[FileEntry], max_files: int) -> tuple[FileEntry, ...]:
    """Return the files of a listing in order of their paths.

    Raises:
        Failure: Too many, a path that must not be written, one path twice, or a file that is also a folder.
    """
    by_path: dict[str, FileEntry] = {}
    for entry in files:
        if problem := path_problem(entry.path):
            raise Failure(Fault.BAD_LISTING, f"lists a path that {problem}: {entry.path[:200]!r}")
        if by_path.setdefault(entry.path, entry) != entry:
            raise Failure(Fault.BAD_LISTING, f"lists {entry.path!r} twice, differently")
        check_count(len(by_path), max_files)
    if clash := file_and_folder(by_path):
        raise Failure(Fault.BAD_LISTING, f"lists {clash!r} as a file and as a folder")
    return tuple(by_path[path] for path in sorted(by_path))


def check_count(count: int, max_files: int) -> None:
    """Refuse a listing of too many rows.

    Raises:
        Failure: It is longer than the setting `max_files` allows.
    """
    if count > max_files:
        message = f"lists more than {max_files:,} files; MIRRORHUB_MAX_FILES raises the limit"
        raise Failure(Fault.BAD_LISTING, message)


def rows_of(value: object, what: str) -> list[Mapping[str, object]]:
    """Read a JSON array of objects.

    Raises:
        Failure: It is something else.
    """
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise Failure(Fault.NOT_A_HUB, f"{what} is not a list of files")
    return value


def text_of(row: Mapping[str, object], *names: str) -> str | None:
    """Return the first of these fields that is a text with something in it."""
    return next((value for name in names if isinstance(value := row.get(name), str) and value), None)


def size_of(row: Mapping[str, object], *names: str) -> int | None:
    """Return the first of these fields that is a size in bytes, as a number or in digits.

    Raises:
        Failure: It is below nothing or beyond reason.
    """
    for name in names:
        value = row.get(name)
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < _DIGITS:
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            if not 0 <= value <= MAX_SIZE:
                raise Failure(Fault.BAD_LISTING, f"lists a size of {value} bytes")
            return value
    return None


def epoch_of(value: object) -> float | None:
    """Return a moment in epoch seconds, told in seconds, milliseconds or as a date; anything else counts as none."""
    if isinstance(value, str):
        with suppress(ValueError, OverflowError):
            value = datetime.fromisoformat(value).timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < MILLISECONDS * 1000:
        return None
    return value / 1000 if value > MILLISECONDS else float(value)


def sha256_of(value: str | None) -> str | None:
    """Return a sha256 in lower case; anything else counts as none."""
    value = (value or "").lower()
    return value if _SHA256.fullmatch(value) else None


def sha1_of(value: str | None) -> str | None:
    """Return a sha1 in lower case; anything else counts as none."""
    value = (value or "").lower()
    return value if _SHA1.fullmatch(value) else None
