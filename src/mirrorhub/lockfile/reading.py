"""A lock file out of its text. Whoever wrote it may have been careless, or hostile: every value is checked."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from mirrorhub.config import Settings
from mirrorhub.errors import ConfigError
from mirrorhub.faults import Failure
from mirrorhub.hubs.listing import MAX_SIZE, checked_files
from mirrorhub.lockfile import VERSION, LockedRepo, LockFile
from mirrorhub.lockfile.finding import refusal
from mirrorhub.models import FileEntry, Repo
from mirrorhub.paths import revision_problem
from mirrorhub.rawfile import to_read
from mirrorhub.records import hex_digits, items, mapping, number, text, texts
from mirrorhub.repo_names import repo_of

T = TypeVar("T")
MAX_BYTES = 64 << 20
"""Some Three hundred thousand files."""
MAX_FILES = 1_000_000
_KEYS = ("name", "revision", "commit", "date", "vouched_by", "also", "include", "exclude", "files")
_FILE_KEYS = ("path", "size", "sha256", "git_sha1", "commit")
_MARKERS = re.compile(r"^(<{7}|={7}|>{7}|\|{7})( |$)", re.MULTILINE)


def lock_of(settings: Settings) -> LockFile | None:
    """Return the lock file that holds under these settings, or None.

    Raises:
        ConfigError: It is not there though named, cannot be used, or was found where somebody else may have put it.
    """
    if settings.lockfile is None:
        return None
    if not settings.names_lockfile:
        check_standing(settings.lockfile)
    return load_lock(settings.lockfile)


def check_standing(path: Path) -> None:
    """Refuse a lock file that nobody has named, where somebody else may have put it, or can; also one to be written.

    Raises:
        ConfigError: It cannot be used.
    """
    try:
        problem = refusal(path)
    except OSError as error:
        problem = error.strerror or str(error)
    if problem:
        raise ConfigError(
            f"lock file {path}: was found and is not read: {problem}. If it is yours, name it: lockfile= or "
            "MIRRORHUB_LOCKFILE; MIRRORHUB_LOCKFILE=off uses none."
        )


def load_lock(path: Path) -> LockFile:
    """Read a lock file; one that has not changed since is not read again.

    Raises:
        ConfigError: It is not there, cannot be read, or is no lock file; the message names the place.
    """
    try:
        status = path.stat()
        return _load(path, (status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns))
    except FileNotFoundError:
        raise ConfigError(f"there is no lock file {path}. `mirrorhub lock add` writes one.") from None
    except OSError as error:
        raise ConfigError(f"lock file {path}: cannot be read: {error.strerror}") from None


@lru_cache(maxsize=16)
def _load(path: Path, _state: tuple[int, ...]) -> LockFile:
    with to_read(path) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ConfigError(
            f"lock file {path}: is larger than {MAX_BYTES:,} bytes. Lock a part of what is in it: `mirrorhub lock add "
            "REPO --include ...` into a new one."
        )
    return parsed_lock(data, str(path))


def parsed_lock(data: bytes, where: str) -> LockFile:
    """Read the text of a lock file.

    Args:
        data: The text.
        where: What to call it in messages.

    Raises:
        ConfigError: It is none; the message names the place.
    """
    record = _toml(data, where)
    try:
        _check_version(record.pop("version", None))
        _check_keys(record, ("repository",))
        tables = items(record.get("repository", []))
        entries = [_at(f"repository {number}", _repository, table) for number, table in enumerate(tables, 1)]
        _check_twice(entries)
    except ValueError as error:
        raise ConfigError(f"lock file {where}: {_printable(str(error))}") from None
    return LockFile().with_all(entries)


def _toml(data: bytes, where: str) -> dict[str, object]:
    try:
        decoded = data.decode("utf-8-sig")
        if marker := _MARKERS.search(decoded):
            line = decoded.count("\n", 0, marker.start()) + 1
            raise ConfigError(
                f"lock file {where}: line {line} is git's mark of a merge that is not finished. Take one side, then "
                "run `mirrorhub lock update`."
            )
        return tomllib.loads(decoded)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"lock file {where}: is not TOML: {_printable(str(error))}") from None


def _check_version(version: object) -> None:
    if version != VERSION or isinstance(version, bool):
        advice = "a newer mirrorhub may read it" if isinstance(version, int) and version > VERSION else "it should be 1"
        raise ValueError(f"its version is {version!r}: {advice}")


def _check_keys(table: Mapping[str, object], known: tuple[str, ...]) -> None:
    if unknown := sorted(set(table) - set(known)):
        raise ValueError(f"unknown key {unknown[0]!r}; known are {', '.join(known)}")


def _check_twice(entries: list[LockedRepo]) -> None:
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        if entry.key in seen:
            raise ValueError(f"{entry} stands there twice: remove one of the two")
        seen.add(entry.key)


def _repository(raw: object) -> LockedRepo:
    table = mapping(raw)
    repo = _field(table, "name", _repo)
    return _at(str(repo), lambda _: _entry(repo, table), None)


def _entry(repo: Repo, table: Mapping[str, object]) -> LockedRepo:
    _check_keys(table, _KEYS)
    rows = _field(table, "files", items)
    files = [_at(f"file {number}{_path_in(row)}", _file, row) for number, row in enumerate(rows, 1)]
    return LockedRepo(
        repo,
        _field(table, "revision", _revision),
        _files(files),
        _field(table, "commit", _hex40) if "commit" in table else None,
        _field(table, "date", _date) if "date" in table else None,
        _field(table, "vouched_by", text) if "vouched_by" in table else "",
        tuple(map(_repo, _field(table, "also", texts))) if "also" in table else (),
        _field(table, "include", texts) if "include" in table else None,
        _field(table, "exclude", texts) if "exclude" in table else (),
    )


def _files(files: list[FileEntry]) -> tuple[FileEntry, ...]:
    path, count = next(iter(Counter(entry.path for entry in files).most_common(1)), ("", 0))
    if count > 1:
        raise ValueError(f"lists {path!r} {count} times: leave one")
    try:
        return checked_files(files, MAX_FILES)
    except Failure as failure:
        raise ValueError(failure.message) from None


def _file(raw: object) -> FileEntry:
    table = mapping(raw)
    _check_keys(table, _FILE_KEYS)
    return FileEntry(
        _field(table, "path", text),
        _field(table, "size", _size),
        _field(table, "sha256", lambda given: hex_digits(given, 64)),
        _field(table, "git_sha1", _hex40) if "git_sha1" in table else None,
        _field(table, "commit", _hex40) if "commit" in table else None,
    )


def _path_in(row: object) -> str:
    path = row.get("path") if isinstance(row, dict) else None
    return f" ({path[:200]!r})" if isinstance(path, str) else ""


def _field(table: Mapping[str, object], name: str, parse: Callable[[object], T]) -> T:
    """Read a value that must be there.

    Raises:
        ValueError: It is not, or is none of its kind.
    """
    if name not in table:
        raise ValueError(f"has no {name}")
    return _at(name, parse, table[name])


def _at(place: str, parse: Callable[[object], T], raw: object) -> T:
    try:
        return parse(raw)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


def _repo(raw: object) -> Repo:
    name = text(raw)
    repo = repo_of(name)
    if str(repo) != name:
        raise ValueError(f"should be written {str(repo)!r}, not {name!r}")
    return repo


def _revision(raw: object) -> str:
    revision = text(raw)
    if problem := revision_problem(revision):
        raise ValueError(f"{revision!r} {problem}")
    return revision


def _hex40(raw: object) -> str:
    return hex_digits(raw, 40)


def _size(raw: object) -> int:
    size = number(raw)
    if size > MAX_SIZE:
        raise ValueError("beyond all measure")
    return size


def _date(raw: object) -> datetime:
    if not isinstance(raw, datetime):
        raise ValueError("is no date with a time")  # noqa: TRY004 - it is the value of a record
    try:
        return raw.astimezone(UTC) if raw.tzinfo else raw.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("is beyond all measure") from None


def _printable(message: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in message)
