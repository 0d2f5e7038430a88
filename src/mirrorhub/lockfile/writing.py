"""A lock file as text: one line per file, always in one order, so that git shows what has changed and nothing else."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from mirrorhub.lockfile import VERSION, LockedRepo, LockFile
from mirrorhub.models import FileEntry

_HEAD = f"""\
# What the models of this project hold. Written by `mirrorhub lock`; to be kept with the project and reviewed like code.
version = {VERSION}
"""


def lock_text(lock: LockFile) -> str:
    """Write a lock file."""
    tables = ("\n".join(_table(one)) for one in sorted(lock.repositories, key=lambda one: one.key))
    return "\n".join([_HEAD, *(f"{table}\n" for table in tables)])


def save_lock(path: Path, lock: LockFile) -> None:
    """Write a lock file, whole or not at all; where a link stands, what it leads to is written.

    Raises:
        OSError: The disk refuses.
    """
    save_text(path, lock_text(lock))


def save_text(path: Path, text: str) -> None:
    """Write the text of a lock file likewise.

    Raises:
        OSError: The disk refuses.
    """
    place = Path(os.path.realpath(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    waiting = place.with_name(f".{place.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with waiting.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            waiting.chmod(place.stat().st_mode & 0o777)
        waiting.replace(place)
    finally:
        waiting.unlink(missing_ok=True)


def _table(one: LockedRepo) -> Iterator[str]:
    yield "[[repository]]"
    yield f"name = {_text(str(one.repo))}"
    yield f"revision = {_text(one.revision)}"
    if one.commit:
        yield f"commit = {_text(one.commit)}"
    if one.date:
        yield f"date = {_date(one.date)}"
    if one.vouched_by:
        yield f"vouched_by = {_text(one.vouched_by)}"
    if one.also:
        yield f"also = {_texts(map(str, one.also))}"
    if one.include is not None:
        yield f"include = {_texts(one.include)}"
    if one.exclude:
        yield f"exclude = {_texts(one.exclude)}"
    yield "files = ["
    yield from (f"    {_row(entry)}," for entry in sorted(one.files, key=lambda entry: entry.path))
    yield "]"


def _row(entry: FileEntry) -> str:
    parts = [f"path = {_text(entry.path)}", f"size = {entry.size}"]
    digests = {"sha256": entry.sha256, "git_sha1": entry.git_sha1, "commit": entry.commit}
    parts += [f"{name} = {_text(value)}" for name, value in digests.items() if value]
    return f"{{ {', '.join(parts)} }}"


def _texts(values: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _text(value: str) -> str:
    """Quote a text; what a reviewer could not see, or would see in another order, is written as its number."""
    quoted = json.dumps(value, ensure_ascii=False)
    if quoted.isprintable():
        return quoted
    return "".join(char if char.isprintable() else _escaped(char) for char in quoted)


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _date(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
