"""Files on their way: partials that outlive their process, and checked ones that wait to be published.

    .mirrorhub/partial/{digest}.{host}-{pid}-{token}/data      bytes so far, each at its place
                                                    /journal   a line per write: start, end, endpoint
    .mirrorhub/ready/{digest}                                  whole and checked

A partial is claimed by renaming its folder to a name of one's own, so it never has two writers; one whose owner is
dead is adopted the same way, out of another repository's folder, too: the digest says that it is the same file. A file
gets its place in `ready` by a rename, after its writer is closed.

Of a large file a journal's line is written only once its bytes are synced: it is true after a power loss, too. Small
ones are not worth a sync each; whoever finds one after an unclean end hashes it.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from io import RawIOBase
from pathlib import Path

from mirrorhub.digest import BLOCK, Hasher, file_matches
from mirrorhub.models import FileEntry
from mirrorhub.owner import is_alive, is_regular, own_name
from mirrorhub.spans import Run, front, gaps, with_run

SYNCED = 1 << 20
"""Bytes from which on a file is synced before anything is said of it."""
JOURNAL_SYNC_S = 2.0
"""How old the journal's lines may be when the power fails: the bytes of younger ones are fetched again."""
_UNKNOWN = "unknown-"
"""How the names of contents begin that no digest is known of."""


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
            self._data = _opened(self.folder / "data")
            self._journal = _opened(self.folder / "journal", os.O_APPEND)
        self._data.seek(start)
        _write_all(self._data, data)
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
                _sync(self._data)
            self._note_down(count)
            if self.synced:
                self._sync_journal(self._journal)

    def _note_down(self, count: int) -> None:
        """Name the first of what is unconfirmed in the journal."""
        assert self._journal is not None
        lines = "".join(json.dumps(run) + "\n" for run in self._unconfirmed[:count])
        _write_all(self._journal, lines.encode())
        del self._unconfirmed[:count]

    def _sync_journal(self, journal: RawIOBase) -> None:
        now = time.monotonic()
        if self._journal_synced_at is None:
            # The names, too: a file that is synced in a folder that is not may be gone.
            _sync_folder(self.folder)
            _sync_folder(self.folder.parent)
        if self._journal_synced_at is None or now - self._journal_synced_at > JOURNAL_SYNC_S:
            _sync(journal)
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


class PartialPool:
    """The partials and ready files of one repository, and what has been left of the same contents in others."""

    def __init__(self, home: Path, others: Iterable[Path] = ()) -> None:
        """Begin with nothing.

        Args:
            home: Our own folder in the repository's.
            others: Our own folders in other repositories'.
        """
        self.home = home
        self._others = others
        self._partial = home / "partial"
        self._ready = home / "ready"
        self._left: dict[str, list[Path]] | None = None
        self._unknown: list[Path] = []

    def prepare(self) -> None:
        """Make the folders, and look once what earlier calls have left: of most files they have left nothing.

        Raises:
            OSError: The disk refuses.
        """
        self._partial.mkdir(parents=True, exist_ok=True)
        self._ready.mkdir(parents=True, exist_ok=True)
        self._left = {}
        for own in (self.home, *(other for other in self._others if other != self.home)):
            for path in _left_in(own):
                self._left.setdefault(path.name.partition(".")[0], []).append(path)

    def has_left(self, entry: FileEntry) -> bool:
        """Whether an earlier call may have left something of a file."""
        return self._left is None or _key(entry) in self._left

    def ready_path(self, entry: FileEntry) -> Path:
        """Return where a checked file waits."""
        place = self._ready / _key(entry)
        if entry.digest is None:
            self._unknown.append(place)
        return place

    def ready_size(self, entry: FileEntry) -> int | None:
        """Return the size of a checked file that waits, None if there is none.

        It is hashed again, since whoever left it may have ended uncleanly.

        Raises:
            OSError: The disk refuses.
        """
        place = self.ready_path(entry)
        if entry.digest is None:
            return None
        if (is_regular(place) and file_matches(place, entry)) or self._borrow(entry):
            # Where locks do nothing, another process may have published it just now.
            with suppress(FileNotFoundError):
                return place.stat().st_size
        return None

    def _borrow(self, entry: FileEntry) -> bool:
        """Copy a checked file that waits in another repository: its owner may be about to publish it."""
        for source in (self._left or {}).get(_key(entry), ()):
            if source.parent.name == "ready" and source.parent != self._ready and is_regular(source):
                temporary = self._ready / f"{_key(entry)}.{secrets.token_hex(8)}"
                try:
                    with suppress(FileNotFoundError):
                        shutil.copyfile(source, temporary)
                        if file_matches(temporary, entry):
                            temporary.replace(self.ready_path(entry))
                            return True
                finally:
                    temporary.unlink(missing_ok=True)
        return False

    def fresh(self, entry: FileEntry) -> Partial:
        """Begin a new partial; nothing is on disk before its first byte."""
        synced = entry.size is None or entry.size >= SYNCED
        return Partial(self._partial / f"{_key(entry)}.{own_name()}", synced)

    def claim(self, entry: FileEntry) -> Partial:
        """Adopt the largest partial of this content whose owner is gone, or begin a new one."""
        partial = self.fresh(entry)
        if entry.digest is None or entry.size is None:
            return partial
        for orphan in sorted(self._orphans(_key(entry)), key=_data_size, reverse=True):
            with suppress(OSError):
                orphan.replace(partial.folder)
                partial.runs = _journalled(partial.folder, entry.size)
                if not partial.runs:
                    # Nothing in it is believed: a folder that is never written to again would stay for ever.
                    partial.restart()
                break
        return partial

    def put(self, entry: FileEntry, partial: Partial) -> Path:
        """Bring a checked file to its place among the ready ones.

        Raises:
            OSError: The disk refuses.
        """
        place = self.ready_path(entry)
        # Where locks do nothing, another process may have cleared the folder away.
        self._ready.mkdir(exist_ok=True)
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
        try:
            file = _new_file(temporary)
        except FileNotFoundError:
            self._ready.mkdir(exist_ok=True)
            file = _new_file(temporary)
        try:
            # Buffered: a raw write may end early on a full disk, and say so only by its count.
            with os.fdopen(file, "wb") as opened:
                opened.write(data)
            os.replace(temporary, place)  # noqa: PTH105 - there may be twenty thousand: Path costs more than the call
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return place

    def release(self, partial: Partial) -> None:
        """Leave a partial for whoever comes next.

        Raises:
            OSError: The disk refuses.
        """
        try:
            partial.confirm()
        finally:
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
        """Yield what is nobody's: here as it is now, elsewhere as it was when this call began."""
        elsewhere = [path for path in (self._left or {}).get(key, ()) if path.parent.name == "partial"]
        here: list[Path] = []
        with suppress(OSError):
            here = list(self._partial.iterdir())
        for folder in [*here, *(path for path in elsewhere if path.parent != self._partial)]:
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


def _left_in(own: Path) -> Iterator[Path]:
    """Yield what lies in a repository's folder of partials, and among its ready files."""
    for folder in (own / "partial", own / "ready"):
        with suppress(OSError):
            if not own.is_symlink() and not folder.is_symlink():
                yield from folder.iterdir()


def _journalled(folder: Path, limit: int) -> list[Run]:
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
    return runs


def _run(line: str) -> Run | None:
    """Read a line of a journal; None where it is damaged."""
    try:
        start, end, giver = json.loads(line)
    except (ValueError, TypeError, RecursionError):
        return None
    return Run(start, end, giver) if (type(start), type(end), type(giver)) == (int, int, str) else None


def _new_file(name: str) -> int:
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)


def _write_all(file: RawIOBase, data: bytes) -> None:
    """Write all of it: a full disk takes a part first, and says so only by its count.

    Nothing is buffered, so that a file whose disk is full can be closed.
    """
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def _sync(file: RawIOBase) -> None:
    # Not on every system; where it is not, the file's times are synced, too.
    getattr(os, "fdatasync", os.fsync)(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Sync the names in a folder; some systems cannot, and some keep them in order by themselves."""
    if os.name == "nt":
        return
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _opened(path: Path, *flags: int) -> RawIOBase:
    number = os.open(path, sum(flags, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)), 0o666)
    return os.fdopen(number, "r+b", buffering=0)
