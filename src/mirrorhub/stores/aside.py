"""What was found damaged: put aside with a record of it, never written over unseen.

    {home}/.mirrorhub/aside/{time}-{token}/record.json     when, which path, what it should be and what it is
                                          /data            the bytes, as they were found

In a cache they are evidence, and go by number, size and age; of what is too large to keep the record alone stays. In a
folder that the user named they may be the user's own work: those stay until `mirrorhub cache prune --aside`.
"""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mirrorhub.digest import file_digest
from mirrorhub.http.redact import redact
from mirrorhub.models import FileEntry
from mirrorhub.ours import own_part
from mirrorhub.owner import read_regular
from mirrorhub.records import moment_s, number, parsed, text, texts
from mirrorhub.stores.disk import check_writable, write_whole

_DATA, _RECORD = "data", "record.json"
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept: so many, so many bytes together, so many seconds."""

    number: int
    size: int
    age_s: float


KEPT = Limits(number=20, size=2 << 30, age_s=30 * DAY_S)


@dataclass(frozen=True, slots=True)
class Aside:
    """One file that was put aside.

    Attributes:
        folder: Where record and bytes lie.
        at_s: When, in seconds of the epoch.
        path: Its path in the repository.
        revision: Of which revision.
        expected: The digest that was vouched for.
        actual: The digest that it has; None where it could not be read.
        size: Its size in bytes.
        origins: The endpoints that had given it.
        users: It lay in a folder that the user named.
    """

    folder: Path
    at_s: float
    path: str
    revision: str
    expected: str
    actual: str | None
    size: int
    origins: tuple[str, ...] = field(default=())
    users: bool = False

    @property
    def data(self) -> Path:
        """Where its bytes lie; they may be gone."""
        return self.folder / _DATA

    @property
    def held(self) -> int:
        """How many bytes are still kept."""
        with suppress(OSError):
            return self.data.lstat().st_size
        return 0


def put_aside(home: Path, place: Path, entry: FileEntry, revision: str, origins: tuple[str, ...], users: bool) -> Aside:
    """Move a damaged file out of the way, and write down what is known of it.

    Args:
        home: The repository's folder, on the same file system.
        place: The file.
        entry: What it should be.
        revision: Of which revision.
        origins: The endpoints that had given it.
        users: It lies in a folder that the user named.

    Raises:
        StoreError: A symlink stands where our own folder belongs.
        OSError: The disk refuses.
    """
    above = own_part(home, "aside")
    check_writable(above)
    now = time.time()
    folder = above / f"{int(now)}-{secrets.token_hex(4)}"
    folder.mkdir()
    size, actual = _measured(place, entry)
    told = tuple(redact(origin) for origin in origins)
    aside = Aside(folder, now, entry.path, revision, str(entry.digest or "unknown"), actual, size, told, users)
    record = asdict(aside)
    del record["folder"]
    # The record first: whoever is ended between the two leaves a record without bytes, and never bytes without one.
    write_whole(folder / _RECORD, json.dumps(record, ensure_ascii=False).encode(), private=True)
    place.replace(aside.data)
    return aside


def asides(home: Path) -> list[Aside]:
    """Return what was put aside in a repository's folder, the newest first."""
    found = (_read(folder) for folder in _folders(home))
    return sorted((aside for aside in found if aside is not None), key=lambda aside: aside.at_s, reverse=True)


def trim(home: Path, limits: Limits = KEPT, now_s: float | None = None) -> None:
    """Remove what is too much or too old; not what may be the user's own.

    Args:
        home: The repository's folder.
        limits: What is kept.
        now_s: The time that ages are counted from.
    """
    now_s = time.time() if now_s is None else now_s
    total = 0
    for newer, aside in enumerate(aside for aside in asides(home) if not aside.users):
        total += aside.held
        if newer >= limits.number or now_s - aside.at_s > limits.age_s:
            remove(aside)
        elif total > limits.size:
            total -= aside.held
            with suppress(OSError):
                aside.data.unlink()


def remove(aside: Aside) -> None:
    """Remove bytes and record."""
    shutil.rmtree(aside.folder, ignore_errors=True)


def _folders(home: Path) -> Iterator[Path]:
    with suppress(OSError):
        above = own_part(home, "aside")
        yield from (folder for folder in above.iterdir() if folder.is_dir() and not folder.is_symlink())


def _read(folder: Path) -> Aside | None:
    """Read a record; of a damaged one the bytes are counted all the same."""
    try:
        raw = parsed(read_regular(folder / _RECORD))
        return Aside(
            folder,
            moment_s(raw["at_s"]),
            text(raw["path"]),
            text(raw["revision"]),
            text(raw["expected"]),
            None if raw["actual"] is None else text(raw["actual"]),
            number(raw["size"]),
            texts(raw["origins"]),
            raw["users"] is True,
        )
    except (OSError, ValueError, LookupError):
        return Aside(folder, 0.0, "(no record)", "", "", None, 0)


def _measured(place: Path, entry: FileEntry) -> tuple[int, str | None]:
    size = place.lstat().st_size
    if entry.digest is None or place.is_symlink():
        return size, None
    try:
        return size, f"{entry.digest.algorithm}:{file_digest(place, entry.digest, size)}"
    except OSError:
        return size, None
