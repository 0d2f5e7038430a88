"""Files on their way: partials that outlive their process, and checked ones that wait to be published.

    .mirrorhub/partial/{digest}.{host}-{pid}-{token}/   a `partial`: bytes so far, and a journal of them
    .mirrorhub/ready/{digest}                           whole and checked

A partial is claimed by renaming its folder to a name of one's own, so it never has two writers; one whose owner is
dead is adopted the same way, out of another repository's folder, too: the digest says that it is the same file. A file
gets its place in `ready` by a rename, after its writer is closed.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from mirrorhub.digest import file_matches
from mirrorhub.models import FileEntry
from mirrorhub.ours import refuse_link
from mirrorhub.owner import is_alive, is_regular, own_name
from mirrorhub.partial import Partial, data_size
from mirrorhub.rawfile import SYNCED, allocated, copy_whole, new_file

_UNKNOWN = "unknown-"
"""How the names of contents begin that no digest is known of."""


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
            StoreError: A link stands in the place of one.
            OSError: The disk refuses.
        """
        for folder in (self._partial, self._ready):
            refuse_link(folder)
            folder.mkdir(parents=True, exist_ok=True)
        self._left = {}
        for own in (self.home, *(other for other in self._others if other != self.home)):
            for path in _left_in(own):
                self._left.setdefault(path.name.partition(".")[0], []).append(path)

    def has_left(self, entry: FileEntry) -> bool:
        """Whether an earlier call may have left something of a file."""
        return self._left is None or _key(entry) in self._left

    def left_of(self, entries: Iterable[FileEntry]) -> int:
        """Return how many bytes of these files need no room any more: they will be taken up where they lie."""
        total = 0
        for key in {_key(entry) for entry in entries if self.has_left(entry)}:
            held = [allocated(path / "data" if path.is_dir() else path) for path in (self._left or {}).get(key, ())]
            total += max(held, default=0)
        return total

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
                        copy_whole(source, temporary)
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
        """Adopt the largest partial of this content whose owner is gone, or begin a new one.

        Raises:
            OSError: The disk refuses.
        """
        partial = self.fresh(entry)
        if entry.digest is None or entry.size is None:
            return partial
        for orphan in sorted(self._orphans(_key(entry)), key=data_size, reverse=True):
            with suppress(OSError):
                orphan.replace(partial.folder)
                break
        else:
            return partial
        partial.take_up(entry.size)
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
            file = new_file(temporary)
        except FileNotFoundError:
            self._ready.mkdir(exist_ok=True)
            file = new_file(temporary)
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
        key = partial.folder.name.partition(".")[0]
        try:
            partial.confirm()
        finally:
            # On a full disk, too: under its owner's name nobody could take it up while that one lives.
            partial.close()
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


def _left_in(own: Path) -> Iterator[Path]:
    """Yield what lies in a repository's folder of partials, and among its ready files."""
    for folder in (own / "partial", own / "ready"):
        with suppress(OSError):
            if not own.is_symlink() and not folder.is_symlink():
                yield from folder.iterdir()
