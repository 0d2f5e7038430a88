"""Files on their way: partials that outlive their process, and checked ones that wait to be published.

    .mirrorhub/partial/{digest}.{host}-{pid}-{token}/data      bytes so far
                                                    /journal   a line per write: start, end, endpoint
    .mirrorhub/ready/{digest}                                  whole and checked

A partial is claimed by renaming its folder to a name of one's own, so it never has two writers; one whose owner is
dead is adopted the same way. A file gets its place in `ready` by a rename, after its writer is closed.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mirrorhub.digest import BLOCK, Hasher, file_matches
from mirrorhub.models import FileEntry
from mirrorhub.owner import is_alive, is_regular, own_name


@dataclass(slots=True)
class Partial:
    """Bytes of one file, contiguous from its start, and who gave which. Only its owner touches it.

    Attributes:
        folder: Where it lies, under a name that is the owner's.
        size: How many bytes there are.
        ranges: (start, end, endpoint) of each run of bytes, in order.
    """

    folder: Path
    size: int = 0
    ranges: list[tuple[int, int, str]] = field(default_factory=list)
    _data: IO[bytes] | None = None
    _journal: IO[str] | None = None

    def append(self, data: bytes, endpoint: str) -> None:
        """Add bytes at the end; the journal's line comes after them.

        Raises:
            OSError: The disk refuses.
        """
        if self._data is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._data = _open_for_update(self.folder / "data")
            self._journal = (self.folder / "journal").open("a", encoding="utf-8")
        assert self._journal is not None
        self._data.seek(self.size)
        self._data.write(data)
        self._data.flush()
        start, self.size = self.size, self.size + len(data)
        self._journal.write(json.dumps([start, self.size, endpoint]) + "\n")
        self._journal.flush()
        self.ranges = _joined([*self.ranges, (start, self.size, endpoint)])

    def hash_into(self, hasher: Hasher) -> None:
        """Feed what is there to a digest."""
        if self.size:
            with (self.folder / "data").open("rb") as file:
                left = self.size
                while left and (block := file.read(min(BLOCK, left))):
                    hasher.update(block)
                    left -= len(block)

    def restart(self) -> None:
        """Forget all bytes."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.size, self.ranges = 0, []

    def set_aside(self) -> Path:
        """Keep the bytes for comparison under another name, and start over; return where they are."""
        self.close()
        aside = self.folder.with_name(self.folder.name + ".aside")
        (self.folder / "data").replace(aside)
        self.restart()
        return aside

    def move_to(self, place: Path) -> None:
        """Close the file and rename it to its place; bytes beyond those that were counted are not part of it."""
        self.close()
        os.truncate(self.folder / "data", self.size)
        (self.folder / "data").replace(place)
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Close the writers; the bytes stay."""
        for file in (self._data, self._journal):
            if file is not None:
                file.close()
        self._data = self._journal = None


class PartialPool:
    """The partials and ready files of one repository."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._partial = home / "partial"
        self._ready = home / "ready"

    def prepare(self) -> None:
        """Make the folders.

        Raises:
            OSError: The disk refuses.
        """
        self._partial.mkdir(parents=True, exist_ok=True)
        self._ready.mkdir(parents=True, exist_ok=True)

    def ready_path(self, entry: FileEntry) -> Path:
        """Return where a checked file waits."""
        return self._ready / _key(entry)

    def is_ready(self, entry: FileEntry) -> bool:
        """Whether a checked file waits: hashed again, since whoever left it may have ended uncleanly."""
        place = self.ready_path(entry)
        return entry.digest is not None and is_regular(place) and file_matches(place, entry)

    def claim(self, entry: FileEntry) -> Partial:
        """Adopt the largest partial of this content whose owner is gone, or begin a new one."""
        own = self._partial / f"{_key(entry)}.{own_name()}"
        if entry.digest is None or entry.size is None:
            return Partial(own)
        for orphan in sorted(self._orphans(_key(entry)), key=_data_size, reverse=True):
            with suppress(OSError):
                orphan.replace(own)
                return _opened(own, entry.size)
        return Partial(own)

    def put(self, entry: FileEntry, partial: Partial, rest: bytes, endpoint: str) -> Path:
        """Bring a checked file to its place among the ready ones; `rest` is what was not written yet.

        Raises:
            OSError: The disk refuses.
        """
        if rest or not partial.size:
            partial.append(rest, endpoint)
        place = self.ready_path(entry)
        partial.move_to(place)
        return place

    def release(self, partial: Partial) -> None:
        """Leave a partial for whoever comes next."""
        partial.close()
        if partial.size:
            key = partial.folder.name.partition(".")[0]
            with suppress(OSError):
                partial.folder.replace(partial.folder.with_name(f"{key}.free-{secrets.token_hex(4)}"))

    def clear(self) -> None:
        """Remove the folders if nothing is left in them."""
        for folder in (self._partial, self._ready):
            with suppress(OSError):
                folder.rmdir()

    def _orphans(self, key: str) -> Iterator[Path]:
        with suppress(OSError):
            for folder in self._partial.iterdir():
                name, _, owner = folder.name.partition(".")
                sound = all(is_regular(folder / part) for part in ("data", "journal"))
                if name == key and not folder.is_symlink() and sound and not is_alive(owner, folder):
                    yield folder


def _key(entry: FileEntry) -> str:
    """Name a content; one without a digest is nobody else's."""
    if entry.digest is None:
        return f"unknown-{secrets.token_hex(8)}"
    return f"{entry.digest.algorithm}-{entry.digest.value}"


def _data_size(folder: Path) -> int:
    with suppress(OSError):
        return (folder / "data").stat().st_size
    return 0


def _opened(folder: Path, limit: int) -> Partial:
    """Read an adopted partial's journal: bytes beyond it were never confirmed."""
    ranges: list[tuple[int, int, str]] = []
    size = 0
    with suppress(OSError, UnicodeDecodeError):
        have = _data_size(folder)
        for line in (folder / "journal").read_text(encoding="utf-8").splitlines():
            run = _run(line)
            if run is None or run[0] != size or not size < run[1] <= min(have, limit):
                break
            ranges.append(run)
            size = run[1]
    return Partial(folder, size, _joined(ranges))


def _run(line: str) -> tuple[int, int, str] | None:
    """Read a line of a journal; None where it is damaged."""
    try:
        start, end, endpoint = json.loads(line)
    except (ValueError, TypeError, RecursionError):
        return None
    return (start, end, endpoint) if (type(start), type(end), type(endpoint)) == (int, int, str) else None


def _joined(ranges: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Join neighbouring runs of the same endpoint."""
    joined: list[tuple[int, int, str]] = []
    for start, end, endpoint in ranges:
        if joined and joined[-1][1:] == (start, endpoint):
            start = joined.pop()[0]
        joined.append((start, end, endpoint))
    return joined


def _open_for_update(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666), "r+b")
