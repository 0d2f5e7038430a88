"""What has changed between what is locked and what is there now, in lines that a person reads. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from mirrorhub.models import FileEntry

SHORT = 7
"""Digits of a digest or a commit that are enough to see that two differ."""


@dataclass(frozen=True, slots=True)
class State:
    """What a repository holds, as far as it is compared.

    Attributes:
        revision: As it was asked for.
        commit: Which one that is, where the hub has one.
        files: Its files.
        date: When the newest of it was committed, where that is known.
    """

    revision: str
    commit: str | None
    files: tuple[FileEntry, ...]
    date: datetime | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs.

    Attributes:
        moved: The line that says so, where the commit is another one.
        older: The line that says so, where what is there now is older than what is locked.
        changed: One line per file whose content is another one.
        removed: One line per file that is gone.
        extra: One line per file that is new.
    """

    moved: tuple[str, ...] = ()
    older: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.lines)

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it."""
        return (*self.moved, *self.older, *self.changed, *self.removed, *self.extra)

    @property
    def is_of_content(self) -> bool:
        """Whether a file differs, and not only the commit's name."""
        return bool(self.changed or self.removed or self.extra)


def compare(locked: State, now: State) -> Difference:
    """Compare what is locked with what is there now."""
    before = {entry.path: entry for entry in locked.files}
    after = {entry.path: entry for entry in now.files}
    both = [path for path in before if path in after]
    differing = [path for path in both if differs(before[path], after[path])]
    return Difference(
        tuple(_moved(locked, now)),
        tuple(_older(locked, now)) if differing or before.keys() != after.keys() else (),
        tuple(f"changed: {_shown(path)}: {_told(before[path])} -> {_told(after[path])}" for path in differing),
        tuple(f"removed: {_shown(path)} ({_told(before[path])})" for path in before if path not in after),
        tuple(f"extra: {_shown(path)} ({_told(after[path])})" for path in after if path not in before),
    )


def differs(one: FileEntry, other: FileEntry) -> bool:
    """Whether two entries are known to be of other contents: by a digest that both have, else by size."""
    pairs = ((one.sha256, other.sha256), (one.git_sha1, other.git_sha1))
    known = [mine != theirs for mine, theirs in pairs if mine and theirs]
    sizes_differ = None not in (one.size, other.size) and one.size != other.size
    return any(known) or sizes_differ


def confirmed(one: FileEntry, other: FileEntry) -> bool:
    """Whether two entries are known to be of one content."""
    both_have_one = (one.sha256 and other.sha256) or (one.git_sha1 and other.git_sha1)
    return bool(both_have_one) and not differs(one, other)


def _moved(locked: State, now: State) -> Iterator[str]:
    if locked.commit and now.commit and locked.commit != now.commit:
        yield f"{now.revision}: {locked.commit[:SHORT]} -> {now.commit[:SHORT]}"


def _older(locked: State, now: State) -> Iterable[str]:
    if locked.date and now.date and now.date < locked.date:
        yield f"older than what is locked: of {_day(now.date)}, and {_day(locked.date)} is locked"


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def _shown(path: str) -> str:
    """Return a path as it can be read: nothing in it turns the order of a line around."""
    return path if path.isprintable() else ascii(path)


def _told(entry: FileEntry) -> str:
    size = "size unknown" if entry.size is None else f"{entry.size:,} bytes"
    digest = f"sha256 {entry.sha256[:SHORT]}" if entry.sha256 else ""
    digest = digest or (f"git-sha1 {entry.git_sha1[:SHORT]}" if entry.git_sha1 else "no digest")
    return f"{size}, {digest}"
