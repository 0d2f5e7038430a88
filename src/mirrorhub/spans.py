"""Stretches of a file: which bytes are there, and which are missing. No IO here."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

PIECE = 1 << 20
"""Bytes that are asked for at a time. A body that nobody reads is held in memory: so a piece, not the file, is."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file from `start` up to, not including, `end`; None for its end."""

    start: int = 0
    end: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is all of a file, whatever its size."""
        return self.start == 0 and self.end is None

    @property
    def header(self) -> str:
        """The value of a Range header that asks for it (RFC 9110, 14.2)."""
        return f"bytes={self.start}-{'' if self.end is None else self.end - 1}"


class Run(NamedTuple):
    """Bytes that are there, and the endpoint that gave them."""

    start: int
    end: int
    giver: str


def with_run(runs: list[Run], new: Run) -> list[Run]:
    """Add a run to others that it does not overlap; neighbours by the same giver become one."""
    at = bisect_right(runs, new)
    if at < len(runs) and (runs[at].start, runs[at].giver) == (new.end, new.giver):
        new = Run(new.start, runs.pop(at).end, new.giver)
    if at and runs[at - 1][1:] == (new.start, new.giver):
        at -= 1
        new = Run(runs.pop(at).start, new.end, new.giver)
    runs.insert(at, new)
    return runs


def front(runs: Iterable[Run]) -> int:
    """Return how many bytes are there without a gap, from the file's start on."""
    end = 0
    for run in runs:
        if run.start > end:
            break
        end = max(end, run.end)
    return end


def gaps(runs: Iterable[tuple[int, int, object]], start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield what is missing between two offsets. `runs` are sorted; they may overlap."""
    for run_start, run_end, _ in runs:
        if run_start >= end:
            break
        if run_start > start:
            yield start, run_start
        start = max(start, run_end)
    if start < end:
        yield start, end
