"""What goes on side by side, added up as it passes on the clock; and bytes, by the time at which they came."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable

BINS = 100
"""Stretches that the time of a call is divided into; each gets twice as long when there is no room for more."""
FIRST_BIN_S = 0.01
MAX_STRETCHES = 256
MAX_TOLD = 20
"""Stretches of one wait that are told one by one."""


class Busy:
    """How long something was under way, however many at a time, and how often it began."""

    def __init__(self) -> None:
        self.times = 0
        self._starts: list[float] = []
        self._ends: list[float] = []
        self._settled_s = 0.0
        self.began = float("inf")

    def add(self, start: float, end: float) -> None:
        """It was under way from `start` to `end`; in whatever order this is told."""
        self.times += 1
        self.began = min(self.began, start)
        first, last = bisect_left(self._ends, start), bisect_right(self._starts, end)
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]
        if len(self._ends) > MAX_STRETCHES:
            self._settle(MAX_STRETCHES // 2)

    def stretches(self, since: float) -> tuple[tuple[float, float], ...]:
        """Return the longest of the times in which any was under way, in seconds since a moment."""
        longest = sorted(zip(self._starts, self._ends, strict=True), key=lambda one: one[0] - one[1])[:MAX_TOLD]
        return tuple((start - since, end - since) for start, end in sorted(longest))

    @property
    def total_s(self) -> float:
        """Seconds in which at least one was under way."""
        return self._settled_s + sum(self._ends) - sum(self._starts)

    def _settle(self, count: int) -> None:
        """Keep of the oldest stretches only their sum."""
        self._settled_s += sum(self._ends[:count]) - sum(self._starts[:count])
        del self._starts[:count], self._ends[:count]


class Timeline:
    """When bytes came, in stretches that are as long as the call needs."""

    def __init__(self, clock: Callable[[], float], began: float) -> None:
        self.bin_s = FIRST_BIN_S
        self._clock = clock
        self._began = began
        self._rows: list[list[int]] = []

    def row(self) -> list[int]:
        """Begin to count another thing."""
        self._rows.append(bins := [0] * BINS)
        return bins

    def add(self, row: list[int], count: int) -> None:
        """So much has come now."""
        at = int((self._clock() - self._began) / self.bin_s)
        while at >= BINS:
            self._fold()
            at //= 2
        row[at] += count

    def _fold(self) -> None:
        self.bin_s *= 2
        for row in self._rows:
            row[:] = [row[at] + row[at + 1] for at in range(0, BINS, 2)] + [0] * (BINS // 2)


class Tally:
    """Bytes from one host through one endpoint."""

    def __init__(self, timeline: Timeline) -> None:
        self.size = 0
        self.bins = timeline.row()
        self._timeline = timeline

    def add(self, count: int) -> None:
        """So many bytes of a file have come."""
        self.size += count
        self._timeline.add(self.bins, count)
