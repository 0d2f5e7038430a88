"""What is remembered of one endpoint or data host: figures that fade, and what was seen last. Pure; JSON in and out.

All counts halve within an hour, so that an hour ago weighs half as much as now. Two memories of the same host are
added: it does not matter which process has seen what. What is read is checked: a file may come from anybody.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from mirrorhub.faults import Fault
from mirrorhub.health.impressions import GONE

HALF_LIFE_S = 3600.0
FAINT = 1 / 8
"""What weighs less is forgotten: one failure after three hours."""
AHEAD_S = 30.0
"""Clocks of two machines that share a directory may differ by so much."""
MOST = 1e15
"""No figure is larger: neither bytes nor seconds since the epoch."""
LONGEST_ADDRESS = 1000
_TIMES = ("heard_at", "failed_at", "gone_at", "probed_at", "told_at")
_FIGURES = ("connect", "first_byte", "rate")
_ORIGINS = ("small_from", "large_from")


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean in which what is newer weighs more.

    Attributes:
        weight: How many measurements, or over how many seconds.
        total: Their sum.
        latest: The last one of them.
    """

    weight: float = 0.0
    total: float = 0.0
    latest: float = 0.0

    @property
    def mean(self) -> float:
        """The mean; 0.0 where nothing was measured."""
        return self.total / self.weight if self.weight else 0.0

    def faded(self, factor: float) -> Figure:
        """Return it with so much of its weight."""
        return Figure(self.weight * factor, self.total * factor, self.latest)

    def plus(self, newer: Figure) -> Figure:
        """Add what was measured later."""
        latest = newer.latest if newer.weight else self.latest
        return Figure(self.weight + newer.weight, self.total + newer.total, latest)


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered; of a host that nobody knows, nothing. All times are seconds since the epoch.

    Attributes:
        connect: Seconds that TCP and TLS took.
        first_byte: Seconds from there to the head of an answer.
        rate: Bytes, over the seconds in which they came.
        faults: What went wrong, by the fault's name, and how often.
        small_from: The origin that small files came from, where an endpoint redirects them; None where nobody has seen.
        large_from: The same for large ones.
        takes_range: It gives parts of files.
        heard_at: When it last did well.
        failed_at: When it last did not, to the end of a call.
        gone_at: When it was last silent or refused, to the end of a call.
        probed_at: When somebody last set out to see whether it lives again.
        told_at: When any of this was last learnt; the weights are as of then.
    """

    connect: Figure = Figure()
    first_byte: Figure = Figure()
    rate: Figure = Figure()
    faults: Mapping[str, float] = field(default_factory=dict)
    small_from: str | None = None
    large_from: str | None = None
    takes_range: bool | None = None
    heard_at: float = 0.0
    failed_at: float = 0.0
    gone_at: float = 0.0
    probed_at: float = 0.0
    told_at: float = 0.0

    @property
    def connect_s(self) -> float:
        """How long connecting took last; 0.0 where that is not known. A line that was bad once is not bad for ever."""
        return self.connect.latest

    @property
    def bytes_per_s(self) -> float:
        """The rate at which bytes came; 0.0 where that is not known."""
        return self.rate.mean

    @property
    def is_gone(self) -> bool:
        """Whether it was dead when it was last seen, and that is not forgotten yet."""
        return self.gone_at > self.heard_at and self._weight(GONE) >= FAINT

    @property
    def is_failing(self) -> bool:
        """Whether it did not do well when it was last seen."""
        return self.failed_at > self.heard_at and sum(self.faults.values()) >= FAINT

    @property
    def has_lied(self) -> bool:
        """Whether it gave wrong bytes lately: once within the hour, or more often within longer."""
        return self._weight((Fault.WRONG_DIGEST,)) >= 0.5

    @property
    def has_crawled(self) -> bool:
        """Whether it was left lately, because another one gave more than twice as much."""
        return self._weight((Fault.CRAWLING,)) >= 0.5

    def _weight(self, faults: Iterable[Fault]) -> float:
        return sum(self.faults.get(fault.name, 0.0) for fault in faults)

    def faded(self, now: float) -> Memory:
        """Return it as it is at a later time."""
        factor = 0.5 ** (max(0.0, now - self.told_at) / HALF_LIFE_S)
        return replace(
            self,
            connect=self.connect.faded(factor),
            first_byte=self.first_byte.faded(factor),
            rate=self.rate.faded(factor),
            faults={name: count * factor for name, count in self.faults.items()},
            told_at=max(now, self.told_at),
        )

    def plus(self, other: Memory) -> Memory:
        """Add what somebody else has seen; of what can be only one way, the later word counts."""
        older, newer = sorted((self, other), key=lambda one: one.told_at)
        older = older.faded(newer.told_at)
        counts = {
            name: older.faults.get(name, 0.0) + newer.faults.get(name, 0.0) for name in {*older.faults, *newer.faults}
        }
        return Memory(
            older.connect.plus(newer.connect),
            older.first_byte.plus(newer.first_byte),
            older.rate.plus(newer.rate),
            counts,
            older.small_from if newer.small_from is None else newer.small_from,
            older.large_from if newer.large_from is None else newer.large_from,
            older.takes_range if newer.takes_range is None else newer.takes_range,
            *(max(getattr(older, name), getattr(newer, name)) for name in _TIMES),
        )


def sighting(connect_s: float = 0.0, first_byte_s: float = 0.0, received: int = 0, busy_s: float = 0.0) -> Memory:
    """Return what one call has measured as a memory; what is 0 was not measured."""
    return Memory(
        connect=_measured(connect_s),
        first_byte=_measured(first_byte_s),
        rate=Figure(busy_s, float(received), received / busy_s) if received > 0 and busy_s > 0 else Figure(),
    )


def _measured(seconds: float) -> Figure:
    return Figure(1.0, seconds, seconds) if seconds > 0 else Figure()


def row_of(memory: Memory) -> dict[str, object]:
    """Write a memory as JSON's values; what is not known is left out."""
    row: dict[str, object] = {}
    for name in _FIGURES:
        figure: Figure = getattr(memory, name)
        if figure.weight:
            row[name] = [figure.weight, figure.total, figure.latest]
    plain = {name: getattr(memory, name) for name in (*_ORIGINS, "takes_range", *_TIMES)}
    row |= {name: value for name, value in plain.items() if value is not None and value != 0.0}
    # False is 0.0, too.
    if memory.takes_range is False:
        row["takes_range"] = False
    if memory.faults:
        row["faults"] = dict(memory.faults)
    return row


def find_memory(row: object, now: float) -> Memory | None:
    """Read a row; None where it is not of our making, or tells of the future."""
    if not isinstance(row, dict):
        return None
    try:
        connect, first_byte, rate = (_figure(row.get(name)) for name in _FIGURES)
        small_from, large_from = (_origin(row.get(name)) for name in _ORIGINS)
        times = {name: _number(row.get(name, 0.0)) for name in _TIMES}
        faults, takes_range = _faults(row.get("faults", {})), _claim(row.get("takes_range"))
    except ValueError:
        return None
    if max(times.values()) > now + AHEAD_S:
        return None
    return Memory(connect, first_byte, rate, faults, small_from, large_from, takes_range, **times)


def _number(value: object) -> float:
    # JSON as Python reads it knows NaN and Infinity, too.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST:
        raise ValueError
    return float(value)


def _figure(value: object) -> Figure:
    if value is None:
        return Figure()
    if not isinstance(value, list) or len(value) != 3:
        raise ValueError
    figure = Figure(*map(_number, value))
    if not math.isfinite(figure.mean):
        raise ValueError
    return figure


def _faults(value: object) -> dict[str, float]:
    if not isinstance(value, dict) or not value.keys() <= Fault.__members__.keys():
        raise ValueError
    return {name: _number(count) for name, count in value.items()}


def _origin(value: object) -> str | None:
    if value is not None and (not isinstance(value, str) or len(value) > LONGEST_ADDRESS or not value.isprintable()):
        raise ValueError
    return value


def _claim(value: object) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise ValueError
    return value
