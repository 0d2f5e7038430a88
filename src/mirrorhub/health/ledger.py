"""A file of memories to which many processes add at a time. It loses nothing on purpose, and never waits.

    {state}/health.json             every key's memory
    {state}/health-{random}.json    what somebody learnt while another one was writing; the next to write takes it in
    {state}/health.lock             held while the file is written anew

Each file appears by one rename, readable by its owner only. Where locks do nothing, two that write at the same moment
may each lose the other's addition, and no more; where the lock is held for ever, additions wait beside the file.
Whatever stands in a file is checked: of one that is damaged, or not ours, the memory is lost and nothing else.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from mirrorhub.flock import is_taken
from mirrorhub.health.memory import LONGEST_ADDRESS, Memory, find_memory, row_of

log = logging.getLogger(__name__)
VERSION = 2
KEPT_S = 30 * 86_400.0
MAX_ENTRIES = 500
MAX_BYTES = 1 << 20
MAX_ADDITIONS = 256
"""So many wait beside the file at most; what is learnt then is not written."""
_NAME, _LOCK = "health.json", "health.lock"
_ADDITION = re.compile(r"health-[0-9a-f]{16}\.json")
# A pipe or a device in the file's place does not hold anybody up, and a link leads nowhere.
_READING = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_LOCKING = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
Book = dict[str, Memory]


class Ledger:
    """Reads and writes the memories in one folder."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock

    def read(self) -> Book:
        """Return all memories, those that wait beside the file included."""
        return self._together(self._additions())

    def add(self, learnt: Mapping[str, Memory]) -> None:
        """Add memories; a disk that refuses does no harm."""
        if self.change(lambda book: merged(book, learnt)) or len(self._additions()) >= MAX_ADDITIONS:
            return
        try:
            self._write(self._folder / f"health-{secrets.token_hex(8)}.json", learnt)
        except OSError as error:
            self._refused(error)

    def change(self, work: Callable[[Book], Book | None], *, within_s: float = 0.0) -> bool:
        """Change the memories alone; False where somebody else is at it, the disk refuses, or `work` will not.

        Args:
            work: Takes all memories; returns them changed, or None to leave them.
            within_s: How long to wait for somebody else.
        """
        until = time.monotonic() + within_s
        try:
            while True:
                with self._lock() as held:
                    if held:
                        return self._write_anew(work)
                if time.monotonic() >= until:
                    return False
                time.sleep(0.02)
        except OSError as error:
            self._refused(error)
        return False

    def _write_anew(self, work: Callable[[Book], Book | None]) -> bool:
        additions = self._additions()
        book = work(self._together(additions))
        if book is None:
            return False
        now = self._clock()
        newest = sorted((key for key in book if now - book[key].told_at < KEPT_S), key=lambda key: book[key].told_at)
        self._write(self._folder / _NAME, {key: book[key] for key in newest[-MAX_ENTRIES:]})
        for addition in additions:
            with suppress(OSError):
                addition.unlink()
        return True

    def _together(self, additions: Iterable[Path]) -> Book:
        book = self._read(self._folder / _NAME)
        for addition in additions:
            book = merged(book, self._read(addition))
        return book

    def _additions(self) -> list[Path]:
        with suppress(OSError), os.scandir(self._folder) as entries:
            return [Path(entry.path) for entry in entries if _ADDITION.fullmatch(entry.name)]
        return []

    def _read(self, path: Path) -> Book:
        with suppress(OSError, ValueError, RecursionError):
            told = json.loads(_contents(path))
            if isinstance(told, dict) and told.get("version") == VERSION and isinstance(told.get("hosts"), dict):
                return self._checked(told["hosts"])
        return {}

    def _checked(self, rows: Mapping[str, object]) -> Book:
        now = self._clock()
        names = [name for name in rows if len(name) <= LONGEST_ADDRESS and name.isprintable()]
        return {name: memory for name in names if (memory := find_memory(rows[name], now)) is not None}

    def _write(self, path: Path, book: Mapping[str, Memory]) -> None:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump({"version": VERSION, "hosts": {key: row_of(one) for key, one in book.items()}}, file)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _refused(self, error: OSError) -> None:
        """Whatever the disk says, the caller has more important things to do."""
        log.debug("%s: what was learnt of endpoints cannot be written: %s", self._folder, error)

    @contextmanager
    def _lock(self) -> Iterator[bool]:
        """Hold the lock, if it can be had at once."""
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._folder / _LOCK, _LOCKING, 0o600)
        try:
            yield is_taken(descriptor)
        finally:
            os.close(descriptor)  # and with it goes the lock


def merged(book: Mapping[str, Memory], learnt: Mapping[str, Memory]) -> Book:
    """Add what was learnt to what was known."""
    return {**book, **{key: book[key].plus(one) if key in book else one for key, one in learnt.items()}}


def _contents(path: Path) -> bytes:
    descriptor = os.open(path, _READING)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("not a file")
        return file.read(MAX_BYTES)
