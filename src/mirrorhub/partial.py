"""Some bytes of one file, and what is known of them, so that whoever comes after can go on.

    {folder}/data      bytes so far, each at its place
            /journal   a line per write: start, end, endpoint

Of a large file a journal's line is written only once its bytes are synced: it is true after a power loss, too. Small
ones are not worth a sync each; whoever finds one after an unclean end hashes it.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from io import RawIOBase
from pathlib import Path

from mirrorhub.digest import BLOCK, Hasher
from mirrorhub.rawfile import opened, sync, sync_folder, write_all
from mirrorhub.spans import Run, front, with_run

MAX_JOURNAL = 64 << 20
"""Bytes of a journal that are read: of some 100 GB in pieces of a quarter of a MiB."""
JOURNAL_SYNC_S = 2.0
"""How old the journal's lines may be when the power fails: the bytes of younger ones are fetched again."""


@dataclass(slots=True)
class Partial:
    """Some bytes of one file, each at its place, and who gave which. Only its owner touches it.

    It may be written to in one thread and confirmed in another.

    Attributes:
        folder: Where it lies, under a name that is the owner's.
        synced: Bytes are synced before the journal names them.
        runs: Which bytes are there, in order, and who gave them.
    """

    folder: Path
    synced: bool = False
    runs: list[Run] = field(default_factory=list)
    _data: RawIOBase | None = None
    _journal: RawIOBase | None = None
    _unconfirmed: list[Run] = field(default_factory=list)
    _journal_synced_at: float | None = None
    _files: threading.Lock = field(default_factory=threading.Lock)

    @property
    def held(self) -> int:
        """How many bytes are there."""
        return sum(run.end - run.start for run in self.runs)

    @property
    def front(self) -> int:
        """How many bytes are there without a gap, from the file's start on."""
        return front(self.runs)

    @property
    def is_open(self) -> bool:
        """Whether its files are open."""
        return self._data is not None

    @property
    def unconfirmed(self) -> bool:
        """Whether bytes were written that the journal does not name yet."""
        return bool(self._unconfirmed)

    def write(self, start: int, data: bytes, giver: str) -> Run:
        """Write bytes to their place; the journal's line comes after them, and after `confirm` where that is needed.

        What is returned is not yet among `runs`, so that this may be called in a thread.

        Raises:
            OSError: The disk refuses.
        """
        if self._data is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._data = opened(self.folder / "data")
            self._journal = opened(self.folder / "journal", os.O_APPEND)
        self._data.seek(start)
        write_all(self._data, data)
        run = Run(start, start + len(data), giver)
        self._unconfirmed.append(run)
        if not self.synced:
            self._note_down(1)
        return run

    def confirm(self) -> None:
        """Sync what was written so far, then name it in the journal. Bytes may be written meanwhile.

        Raises:
            OSError: The disk refuses: what was written may not be there.
        """
        with self._files:
            if self._data is None or self._journal is None or not (count := len(self._unconfirmed)):
                return
            if self.synced:
                sync(self._data)
            self._note_down(count)
            if self.synced:
                self._sync_journal(self._journal)

    def _note_down(self, count: int) -> None:
        """Name the first of what is unconfirmed in the journal."""
        assert self._journal is not None
        lines = "".join(json.dumps(run) + "\n" for run in self._unconfirmed[:count])
        write_all(self._journal, lines.encode())
        del self._unconfirmed[:count]

    def _sync_journal(self, journal: RawIOBase) -> None:
        now = time.monotonic()
        if self._journal_synced_at is None:
            # The names, too: a file that is synced in a folder that is not may be gone.
            sync_folder(self.folder)
            sync_folder(self.folder.parent)
        if self._journal_synced_at is None or now - self._journal_synced_at > JOURNAL_SYNC_S:
            sync(journal)
            self._journal_synced_at = now

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

    def take_up(self, limit: int) -> None:
        """Go on with what somebody has left in the folder, of a file of `limit` bytes.

        Raises:
            OSError: The disk refuses.
        """
        self.runs, damaged = journalled(self.folder, limit)
        if not self.runs:
            # Nothing in it is believed: a folder that is never written to again would stay for ever.
            self.restart()
        elif damaged:
            # Nobody would believe what comes after it.
            anew = self.folder / "journal.new"
            anew.write_text("".join(json.dumps(run) + "\n" for run in self.runs), encoding="utf-8")
            anew.replace(self.folder / "journal")

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
        """Close the file and rename it to its place; bytes beyond those that were counted are not part of it.

        Raises:
            OSError: The disk refuses.
        """
        self.confirm()
        self.close()
        os.truncate(self.folder / "data", self.front)
        (self.folder / "data").replace(place)
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Close the writers; the bytes stay, and those that were not confirmed are nobody's."""
        with self._files:
            for file in (self._data, self._journal):
                if file is not None:
                    file.close()
            self._data = self._journal = self._journal_synced_at = None
            self._unconfirmed.clear()


def journalled(folder: Path, limit: int) -> tuple[list[Run], bool]:
    """Read an adopted partial's journal: bytes that it does not name were never confirmed.

    Returns:
        Which bytes are there; and whether something in the journal cannot be read: what comes after it is not believed.
    """
    named: list[Run] = []
    have = min(data_size(folder), limit)
    with (folder / "journal").open("rb") as file:
        lines = file.read(MAX_JOURNAL).split(b"\n")
    for line in lines[:-1]:
        run = _run(line)
        if run is None or not 0 <= run.start < run.end <= have:
            return _apart(named), True
        named.append(run)
    return _apart(named), lines[-1] != b""


def _apart(named: Iterable[Run]) -> list[Run]:
    """Return runs that do not overlap: what one has named already stays with whom that names."""
    runs: list[Run] = []
    end = 0
    for run in sorted(named):
        if run.end > end:
            start = max(run.start, end)
            end = run.end
            if runs and (runs[-1].end, runs[-1].giver) == (start, run.giver):
                start = runs.pop().start
            runs.append(Run(start, end, run.giver))
    return runs


def data_size(folder: Path) -> int:
    """Return how large the file is that a partial's bytes are in; 0 where there is none."""
    with suppress(OSError):
        return (folder / "data").stat().st_size
    return 0


def _run(line: bytes) -> Run | None:
    """Read a line of a journal; None where it is damaged."""
    try:
        start, end, giver = json.loads(line)
    except (ValueError, TypeError, RecursionError):
        return None
    return Run(start, end, giver) if (type(start), type(end), type(giver)) == (int, int, str) else None
