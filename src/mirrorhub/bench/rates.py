"""From the times at which bytes came to the rate of a line. No IO here.

The beginning does not count: a cold connection is slow at first, and a line that is throttled lets the first bytes pass
freely. Nor do gaps and bursts: what waited for a lost packet comes faster than the line is. So the rate is the one that
comes back most often, from one stretch of time to the next. Where none does, because a far line's rate has grown until
just now, the best stretch in the second half of the bytes counts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean

GROWTH = 1.25
"""A rate that rises by more than this from one stretch of time to the next is still growing."""
BINS, BIN_S = 16, 0.05
"""How many stretches of time are compared at most, and how long they are at least; a round trip at least, too."""
AGREEING = 0.2
"""Rates that differ by no more than this from one among them agree with it."""
OFTEN, SHARE = 6, 0.25
"""So many stretches, and this part of all, make a rate one that comes back."""
MANY_TRIPS = 6.0
"""Where the second half of the bytes takes so many round trips, nearly all of it must lie in the stretch."""
STRETCH = 0.8
"""That is this part of it."""
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
        usual = self._usual_rate(round_trip_s)
        found = (usual, len(self._times) - 1) if usual else self._best_stretch(round_trip_s)
        if found is None:
            # All came at once, which is faster than can be seen: at least so fast.
            took_s = self._times[-1] - self.began
            return Rate(self.total / took_s, 0.0) if took_s > 0 else None
        bytes_per_s, end = found
        started, ended = self._times[0], self._times[end]
        return Rate(bytes_per_s, max(0.0, ended - started - self._totals[end] / bytes_per_s))

    def _usual_rate(self, round_trip_s: float) -> float | None:
        """Return the rate that comes back most often; None where none does."""
        began, took_s = self._times[0], self._times[-1] - self._times[0]
        bin_s = max(round_trip_s, took_s / BINS, BIN_S)
        marks = [self._total_before(began + index * bin_s) for index in range(int(took_s / bin_s) + 1)]
        rates = [(after - before) / bin_s for before, after in pairwise(marks) if after > before]
        clusters = ([rate for rate in rates if abs(rate - one) <= AGREEING * one] for one in rates)
        largest = max(clusters, key=len, default=[])
        return fmean(largest) if len(largest) >= max(OFTEN, SHARE * len(rates)) else None

    def _best_stretch(self, round_trip_s: float) -> tuple[float, int] | None:
        """Find the best stretch in the second half, and where it ends."""
        first = bisect_left(self._totals, self.total / 2)
        half_s = self._times[-1] - self._times[first]
        if half_s >= MANY_TRIPS * max(round_trip_s, LUMP_S):
            starts, shortest_s = [first], STRETCH * half_s
        else:
            starts = list(range(first, len(self._times) - 1))
            shortest_s = min(half_s, max(half_s - GROWING_TRIPS * round_trip_s, SHORTEST_TRIP * round_trip_s))
        return max(self._stretches(starts, max(shortest_s, min(half_s, 2 * LUMP_S))), default=None)

    def _stretches(self, starts: list[int], shortest_s: float) -> Iterator[tuple[float, int]]:
        """Yield rate and end of every stretch that is long enough."""
        for start in starts:
            began, before = self._times[start], self._totals[start]
            for end in range(max(start + 1, bisect_left(self._times, began + shortest_s)), len(self._times)):
                yield (self._totals[end] - before) / (self._times[end] - began), end

    def _total_before(self, moment: float) -> int:
        at = bisect_left(self._times, moment)
        return self._totals[at - 1] if at else 0
