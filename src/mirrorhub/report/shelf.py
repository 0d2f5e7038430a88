"""Where reports lie, and what is believed of one that is found: nothing but its shape.

    {home}/.mirrorhub/reports/{revision}.json      how a snapshot came; the name is that of the note on it
    {state}/published/{when}-{token}.json          the last calls that published anything
    {state}/failed/{when}-{token}.json             calls that did not end well, the last twenty, for a month

Reports are for whoever asks why. No call fails because one could not be written, and none is needed by anything else.
"""

from __future__ import annotations

import json
import logging
import math
import re
import secrets
import time
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from mirrorhub.errors import StoreError
from mirrorhub.ours import own_part
from mirrorhub.owner import read_regular
from mirrorhub.paths import file_name
from mirrorhub.report import Report
from mirrorhub.stores.notes import write_whole

log = logging.getLogger(__name__)
FORMAT = 1
MAX_BYTES = 2 << 20
MAX_PUBLISHED, MAX_FAILED = 3, 20
KEPT_S = 30 * 86_400.0
MAX_READ = 200
"""Reports of one repository that are looked at."""
MAX_ITEMS = 2_000
MAX_TEXT = 4_000
MAX_NUMBER = 1 << 62
_NAME = re.compile(r"\d{16}-[0-9a-f]{8}\.json")
T = TypeVar("T")


def keep(home: Path, name: str, report: Report, state: Path) -> None:
    """Keep the report of a snapshot in its repository's folder, and as the latest one.

    Args:
        home: The repository's folder.
        name: Under which name the note on the snapshot is kept.
        report: Without secrets.
        state: The user's state directory.
    """
    data = encode(report)
    with suppress(StoreError):  # where a link was planted no report is kept
        _write(own_part(home, "reports") / f"{file_name(name)}.json", data)
    _keep_last(state / "published", report, data, MAX_PUBLISHED)


def keep_failed(state: Path, report: Report) -> None:
    """Keep the report of a call that did not end well; the oldest ones go."""
    _keep_last(state / "failed", report, encode(report), MAX_FAILED)


def known_of(home: Path, state: Path, is_meant: Callable[[Report], bool], place: str | None) -> tuple[Report, ...]:
    """Return what is known of a repository: the report of its snapshot, after that of a later call that failed.

    Args:
        home: The repository's folder.
        state: The user's state directory.
        is_meant: Whether a report is about what was asked for.
        place: The repository's folder as reports name it: a call that failed may have been for another one. None
            where it is not said which place is meant: then the last calls count, wherever they put it.
    """
    failed = filter(is_meant, _reports_in(state / "failed"))
    here = filter(is_meant, _all_in(home))
    if place is None:
        return _told([*here, *filter(is_meant, _reports_in(state / "published"))], failed)
    return _told(here, (report for report in failed if report.place == place))


def latest(state: Path) -> tuple[Report, ...]:
    """Return the report of the last call that published anything, after that of a later call that failed."""
    return _told(_reports_in(state / "published"), _reports_in(state / "failed"))


def encode(report: Report) -> bytes:
    """Return a report as JSON holds it."""
    return json.dumps({"format": FORMAT, **asdict(report)}).encode()  # in ASCII: half characters are no UTF-8


def read(path: Path) -> Report | None:
    """Read a report; None where there is none, or something else: it may have come from anywhere."""
    try:
        if path.lstat().st_size > MAX_BYTES:
            return None
        return decode(json.loads(read_regular(path)))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def decode(raw: object) -> Report:
    """Read a report from JSON.

    Raises:
        ValueError: It is another format, or holds what a report cannot; LookupError, TypeError and others, it is none.
    """
    if not isinstance(raw, Mapping) or raw["format"] != FORMAT:
        raise ValueError("another format")
    report: Report = _value(Report, raw)
    return report


def _told(published: Iterable[Report], failed: Iterable[Report]) -> tuple[Report, ...]:
    newest = max(published, key=lambda report: report.ended_at, default=None)
    later = next((report for report in failed if newest is None or report.ended_at > newest.ended_at), None)
    return tuple(report for report in (later, newest) if report is not None)


def _all_in(home: Path) -> Iterator[Report]:
    try:
        paths = sorted(own_part(home, "reports").glob("*.json"), key=lambda path: path.lstat().st_mtime, reverse=True)[
            :MAX_READ
        ]
    except OSError:
        return iter(())
    return (report for path in paths if (report := read(path)) is not None)


def _keep_last(folder: Path, report: Report, data: bytes, count: int) -> None:
    """Keep so many reports in a folder, under names that say when: replacing a file costs far more."""
    _write(folder / f"{int(report.ended_at * 1_000_000):016d}-{secrets.token_hex(4)}.json", data)
    oldest = int((time.time() - KEPT_S) * 1_000_000)
    for number, path in enumerate(_newest(folder)):
        if number >= count or int(path.name[:16]) < oldest:
            with suppress(OSError):
                path.unlink()


def _reports_in(folder: Path) -> Iterator[Report]:
    """Yield the reports that we have kept in a folder, the newest first."""
    return (report for path in _newest(folder) if (report := read(path)) is not None)


def _newest(folder: Path) -> list[Path]:
    """Return the files of our making, the newest first."""
    try:
        return sorted((path for path in folder.iterdir() if _NAME.fullmatch(path.name)), reverse=True)
    except OSError:
        return []


def _write(path: Path, data: bytes) -> None:
    """Write a report; where that cannot be done the call is no worse for it."""
    try:
        folder = path.parent
        if folder.is_symlink() or len(data) > MAX_BYTES:
            return
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, data, private=True)
    except OSError as error:
        log.debug("%s: cannot be written: %s", path, error)


def _value(kind: Any, raw: Any) -> Any:
    """Read a value of a declared type.

    Raises:
        ValueError: It is of another one, or beyond all measure.
    """
    if is_dataclass(kind) and isinstance(kind, type):
        hints = _hints(kind)
        return kind(**{field.name: _value(hints[field.name], raw[field.name]) for field in fields(kind)})
    if get_origin(kind) is tuple:
        return _items(get_args(kind), raw)
    return _plain(kind, raw)


def _items(kinds: tuple[Any, ...], raw: Any) -> tuple[Any, ...]:
    if not isinstance(raw, list) or len(raw) > MAX_ITEMS:
        raise ValueError("no list, or one that is too long")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_value(kinds[0], one) for one in raw)
    return tuple(_value(kind, one) for kind, one in zip(kinds, raw, strict=True))


def _plain(kind: Any, raw: Any) -> Any:
    if kind is float and type(raw) is int:
        raw = float(raw)
    if type(raw) is not kind or isinstance(kind, types.UnionType):
        raise ValueError("another type")
    if kind is str:
        return "".join(char if char.isprintable() else "?" for char in raw[:MAX_TEXT])
    if kind is not bool and not (math.isfinite(raw) and 0 <= raw < MAX_NUMBER):
        raise ValueError("a number beyond all measure")
    return raw


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
