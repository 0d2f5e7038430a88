"""Files on their way: partials that outlive their process, and checked ones that wait to be published.

    .mirrorhub/partial/{digest}.{host}-{pid}-{token}/data      bytes so far, each at its place
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
from mirrorhub.spans import Run, front, gaps, with_run

_UNKNOWN = "unknown-"
"""How the names of contents begin that no digest is known of."""


@dataclass(slots=True)
class Partial:
    """Some bytes of one file, each at its place, and who gave which. Only its owner touches it.

    Attributes:
        folder: Where it lies, under a name that is the owner's.
        runs: Which bytes are there, in order, and who gave them.
    """

    folder: Path
    runs: list[Run] = field(default_factory=list)
    _data: IO[bytes] | None = None
    _journal: IO[str] | None = None

    @property
    def held(self) -> int:
        """How many bytes are there."""
        return sum(run.end - run.start for run in self.runs)

    @property
    def front(self) -> int:
        """How many bytes are there without a gap, from the file's start on."""
        return front(self.runs)

    def write(self, start: int, data: bytes, giver: str) -> Run:
        """Write bytes to their place; the journal's line comes after them.

        What is returned is not yet among `runs`, so that this may be called in a thread.

        Raises:
            OSError: The disk refuses.
        """
        if self._data is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._data = _open_for_update(self.folder / "data")
            self._journal = (self.folder / "journal").open("a", encoding="utf-8")
        assert self._journal is not None
        self._data.seek(start)
        self._data.write(data)
        self._data.flush()
        run = Run(start, start + len(data), giver)
        self._journal.write(json.dumps(run) + "\n")
        self._journal.flush()
        return run

    def note(self, run: Run) -> None:
        """Count bytes that were written."""
        with_run(self.runs, run)

    def hash_into(self, hasher: Hasher, start: int, end: int) -> None:
        """Feed what lies between two offsets to a digest."""
        with (self.folder / "data").open("rb") as file:
            file.seek(start)
            left = end - start
            while left and (block := file.read(min(BLOCK, left))):
                hasher.update(block)
                left -= len(block)

    def restart(self) -> None:
        """Forget all bytes."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.runs.clear()

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
        os.truncate(self.folder / "data", self.front)
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
        self._left: set[str] | None = None
        self._unknown: list[Path] = []

    def prepare(self) -> None:
        """Make the folders, and look once what earlier calls have left: of most files they have left nothing.

        Raises:
            OSError: The disk refuses.
        """
        self._partial.mkdir(parents=True, exist_ok=True)
        self._ready.mkdir(parents=True, exist_ok=True)
        names = (path.name for folder in (self._partial, self._ready) for path in folder.iterdir())
        self._left = {name.partition(".")[0] for name in names}

    def has_left(self, entry: FileEntry) -> bool:
        """Whether an earlier call may have left something of a file."""
        return self._left is None or _key(entry) in self._left

    def ready_path(self, entry: FileEntry) -> Path:
        """Return where a checked file waits."""
        place = self._ready / _key(entry)
        if entry.digest is None:
            self._unknown.append(place)
        return place

    def is_ready(self, entry: FileEntry) -> bool:
        """Whether a checked file waits: hashed again, since whoever left it may have ended uncleanly."""
        place = self.ready_path(entry)
        return entry.digest is not None and is_regular(place) and file_matches(place, entry)

    def fresh(self, entry: FileEntry) -> Partial:
        """Begin a new partial; nothing is on disk before its first byte."""
        return Partial(self._partial / f"{_key(entry)}.{own_name()}")

    def claim(self, entry: FileEntry) -> Partial:
        """Adopt the largest partial of this content whose owner is gone, or begin a new one."""
        partial = self.fresh(entry)
        if entry.digest is None or entry.size is None:
            return partial
        for orphan in sorted(self._orphans(_key(entry)), key=_data_size, reverse=True):
            with suppress(OSError):
                orphan.replace(partial.folder)
                adopted = _opened(partial.folder, entry.size)
                if not adopted.runs:
                    # Nothing in it is believed: a folder that is never written to again would stay for ever.
                    adopted.restart()
                return adopted
        return partial

    def put(self, entry: FileEntry, partial: Partial) -> Path:
        """Bring a checked file to its place among the ready ones.

        Raises:
            OSError: The disk refuses.
        """
        place = self.ready_path(entry)
        partial.move_to(place)
        return place

    def put_small(self, entry: FileEntry, data: bytes) -> Path:
        """Write a checked file that was held in memory to its place among the ready ones.

        Raises:
            OSError: The disk refuses.
        """
        place = self.ready_path(entry)
        # Under a name that nobody else has: another process may bring the same content to the same place.
        temporary = f"{place}.{secrets.token_hex(8)}"
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        try:
            with os.fdopen(file, "wb", buffering=0) as opened:
                opened.write(data)
            os.replace(temporary, place)  # noqa: PTH105 - there may be twenty thousand: Path costs more than the call
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return place

    def release(self, partial: Partial) -> None:
        """Leave a partial for whoever comes next."""
        partial.close()
        key = partial.folder.name.partition(".")[0]
        if key.startswith(_UNKNOWN):
            partial.restart()  # nobody could tell whether it is what they want
        elif partial.runs:
            with suppress(OSError):
                partial.folder.replace(partial.folder.with_name(f"{key}.free-{secrets.token_hex(4)}"))

    def forget_unknown(self) -> None:
        """Remove files without a digest that will not be published: no later call could tell what they are."""
        for place in self._unknown:
            with suppress(OSError):
                place.unlink()

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
        return f"{_UNKNOWN}{secrets.token_hex(8)}"
    return f"{entry.digest.algorithm}-{entry.digest.value}"


def _data_size(folder: Path) -> int:
    with suppress(OSError):
        return (folder / "data").stat().st_size
    return 0


def _opened(folder: Path, limit: int) -> Partial:
    """Read an adopted partial's journal: bytes that it does not name were never confirmed."""
    runs: list[Run] = []
    with suppress(OSError, UnicodeDecodeError):
        have = min(_data_size(folder), limit)
        for line in (folder / "journal").read_text(encoding="utf-8").splitlines():
            run = _run(line)
            if run is None or not 0 <= run.start < run.end <= have:
                break
            # What another line has named already stays with whom that names.
            for start, end in list(gaps(runs, run.start, run.end)):
                with_run(runs, Run(start, end, run.giver))
    return Partial(folder, runs)


def _run(line: str) -> Run | None:
    """Read a line of a journal; None where it is damaged."""
    try:
        start, end, giver = json.loads(line)
    except (ValueError, TypeError, RecursionError):
        return None
    return Run(start, end, giver) if (type(start), type(end), type(giver)) == (int, int, str) else None


def _open_for_update(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666), "r+b")
