"""From the times at which bytes came to the rate of a line. No IO here.

The beginning does not count: a cold connection is slow at first, and a line that is throttled lets the first bytes pass
freely. What counts is the best stretch in the second half of the bytes, and nearly all of that half where it takes many
round trips: a short stretch may hold bytes that waited for a lost one, and so came faster than the line is.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

GROWTH = 1.25
"""A rate that rises by more than this from one stretch of time to the next is still growing."""
STRETCH = 0.8
"""The share of the second half that lies in the stretch that counts."""
GROWING_TRIPS = 2.0
"""Round trips of the second half in which the rate may still have grown."""
SHORTEST_TRIP = 0.4
"""The shortest stretch that counts, in round trips."""
LUMP_S = 0.02
"""Bytes that came together within less time than this may have waited for each other."""


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
    _times: list[float] = field(default_factory=list)
    _totals: list[int] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All bytes that have come."""
        return self._totals[-1] if self._totals else 0

    def add(self, now: float, count: int) -> None:
        """So many bytes have come."""
        self._times.append(now)
        self._totals.append(self.total + count)

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
        found = self._best_stretch(round_trip_s)
        if found is None:
            # All came at once, which is faster than can be seen: at least so fast.
            took_s = self._times[-1] - self.began
            return Rate(self.total / took_s, 0.0) if took_s > 0 else None
        bytes_per_s, end = found
        started, ended = self._times[0], self._times[end]
        return Rate(bytes_per_s, max(0.0, ended - started - self._totals[end] / bytes_per_s))

    def _best_stretch(self, round_trip_s: float) -> tuple[float, int] | None:
        """Find the rate of the best stretch, and where it ends. Two marks move along the arrivals together."""
        first = bisect_left(self._totals, self.total / 2)
        shortest_s = _shortest(self._times[-1] - self._times[first], round_trip_s)
        best, start = None, first
        for end in range(first + 1, len(self._totals)):
            while self._times[end] - self._times[start + 1] >= shortest_s and start + 1 < end:
                start += 1
            count, took_s = self._totals[end] - self._totals[start], self._times[end] - self._times[start]
            if took_s >= shortest_s and took_s > 0 and (best is None or count / took_s > best[0]):
                best = count / took_s, end
        return best

    def _total_before(self, moment: float) -> int:
        at = bisect_left(self._times, moment)
        return self._totals[at - 1] if at else 0


def _shortest(half_s: float, round_trip_s: float) -> float:
    """Return how long a stretch must be, in a second half of so many seconds."""
    grown_s = half_s - GROWING_TRIPS * round_trip_s
    return min(half_s, max(min(STRETCH * half_s, grown_s), SHORTEST_TRIP * round_trip_s, LUMP_S))
