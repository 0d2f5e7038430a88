"""From the times at which bytes came to the rate of a line. No IO here.

The beginning does not count: a cold connection is slow at first, and a line that is throttled lets the first bytes pass
freely. What counts is the second half of the bytes. Where it takes many round trips, the rate is the one that most of
them agree on: bytes that waited for a lost one come faster than the line is, and before them there was a gap. Where it
takes few, on a far line, the rate has grown until just now, and its best stretch counts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

GROWTH = 1.25
"""A rate that rises by more than this from one stretch of time to the next is still growing."""
STRETCH = 0.8
"""The share of the second half that lies in the stretch that counts, where that half takes many round trips."""
MANY_TRIPS = 6.0
"""So many at least."""
MOST_BINS, MIN_BIN_S = 12, 0.05
"""How many bins of time that half is divided into at most, and how long they are at least."""
AGREEING = 0.2
"""Rates that differ by no more than this from the median agree with it."""
GROWING_TRIPS = 2.0
"""Round trips of the second half in which the rate may still have grown."""
SHORTEST_TRIP = 0.4
"""The shortest stretch that counts, in round trips."""
LUMP_S = 0.01
"""Bytes that come within so little time may have waited for each other, and count as one arrival."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast bytes come.

    Attributes:
        bytes_per_s: In the end.
        startup_s: How much later the last of them came than if all had come so fast.
    """

    bytes_per_s: float
    startup_s: float


@dataclass(slots=True)
class Arrivals:
    """When how many bytes had come.

    Attributes:
        began: When the first of them were asked for.
    """

    began: float = 0.0
    _lump_ends_at: float = 0.0
    _times: list[float] = field(default_factory=list)
    _totals: list[int] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All bytes that have come."""
        return self._totals[-1] if self._totals else 0

    def add(self, now: float, count: int) -> None:
        """So many bytes have come."""
        total = self.total + count
        if self._times and now < self._lump_ends_at:
            self._times[-1], self._totals[-1] = now, total
        else:
            self._times.append(now)
            self._totals.append(total)
            self._lump_ends_at = now + LUMP_S

    def recent_rate(self, now: float, stretch_s: float) -> float:
        """Return the bytes per second of the last stretch of time."""
        return (self.total - self._total_before(now - stretch_s)) / stretch_s

    def is_growing(self, round_trip_s: float) -> bool:
        """Whether the rate still rises: from the last quarter, or round trip, of the time to the one before."""
        if len(self._times) < 2:
            return True
        now, elapsed_s = self._times[-1], self._times[-1] - self._times[0]
        stretch_s = max(round_trip_s, elapsed_s / 4)
        if elapsed_s < 2 * stretch_s:
            return True
        middle, start = self._total_before(now - stretch_s), self._total_before(now - 2 * stretch_s)
        return self.total - middle > GROWTH * (middle - start)

    def rate(self, round_trip_s: float) -> Rate | None:
        """Return how fast bytes come; None where that cannot be said."""
        if not self._times:
            return None
        found = self._best_stretch(round_trip_s) if self._times[-1] > self._times[0] else None
        if found is None:
            # All came at once, which is faster than can be seen: at least so fast.
            took_s = self._times[-1] - self.began
            return Rate(self.total / took_s, 0.0) if took_s > 0 else None
        bytes_per_s, end = found
        started, ended = self._times[0], self._times[end]
        return Rate(bytes_per_s, max(0.0, ended - started - self._totals[end] / bytes_per_s))

    def _best_stretch(self, round_trip_s: float) -> tuple[float, int] | None:
        """Find the rate of the stretch that counts, and where it ends."""
        first = bisect_left(self._totals, self.total / 2)
        half_s = self._times[-1] - self._times[first]
        if half_s >= MANY_TRIPS * max(round_trip_s, LUMP_S):
            usual = self._usual_rate(first, max(round_trip_s, half_s / MOST_BINS, MIN_BIN_S))
            if usual is not None:
                return usual, len(self._times) - 1
            starts, shortest_s = [first], STRETCH * half_s
        else:
            starts = list(range(first, len(self._times) - 1))
            shortest_s = min(half_s, max(half_s - GROWING_TRIPS * round_trip_s, SHORTEST_TRIP * round_trip_s))
        return max(self._stretches(starts, max(shortest_s, min(half_s, 2 * LUMP_S))), default=None)

    def _usual_rate(self, first: int, bin_s: float) -> float | None:
        """Return the median over bins of time, if most of them agree on it; what a lost packet held up does not."""
        began, count = self._times[first], int((self._times[-1] - self._times[first]) / bin_s)
        marks = [self._total_before(began + index * bin_s) for index in range(count + 1)]
        rates = [(after - before) / bin_s for before, after in pairwise(marks)]
        if len(rates) < MANY_TRIPS:
            return None
        usual = median(rates)
        agreeing = sum(abs(rate - usual) <= AGREEING * usual for rate in rates)
        return usual if usual > 0 and agreeing * 2 >= len(rates) else None

    def _stretches(self, starts: list[int], shortest_s: float) -> Iterator[tuple[float, int]]:
        """Yield rate and end of every stretch that is long enough."""
        for start in starts:
            began, before = self._times[start], self._totals[start]
            for end in range(max(start + 1, bisect_left(self._times, began + shortest_s)), len(self._times)):
                yield (self._totals[end] - before) / (self._times[end] - began), end

    def _total_before(self, moment: float) -> int:
        at = bisect_left(self._times, moment)
        return self._totals[at - 1] if at else 0
