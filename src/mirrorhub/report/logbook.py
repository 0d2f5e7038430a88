"""What a call meets on its way, added up as it happens: of twenty thousand files no more than of twenty.

Nothing here is a log line, and nothing grows with the number of requests: what happened is counted by endpoint, host,
fault or whom was waited for, and names beyond a limit are counted together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeVar

from mirrorhub.models import TransferReport
from mirrorhub.report import Conviction, Flow, Trouble, Wait
from mirrorhub.report.tally import Busy, Tally, Timeline

MAX_NAMES = 200
"""Endpoints with hosts, endpoints with faults, and so on, that are told apart. Servers choose some of these names."""
MAX_SUBJECTS = 3
MAX_CONVICTIONS = 100
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(slots=True)
class Asked:
    """How an endpoint was asked: until the connection stood, until the answer began, until the bytes were there."""

    connecting: Busy = field(default_factory=Busy)
    answering: Busy = field(default_factory=Busy)
    giving: Busy = field(default_factory=Busy)


@dataclass(slots=True)
class Mishap:
    """One kind of fault at one endpoint."""

    outcome: str = ""
    subjects: list[str] = field(default_factory=list)
    times: int = 0
    size: int = 0
    busy: Busy = field(default_factory=Busy)
    at: float = float("inf")
    last: float = float("-inf")


class Logbook:
    """What happened in one call. Made when the call begins.

    Attributes:
        began: When that was, on the call's clock.
        files: How each file came.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.began = clock()
        self.files: list[TransferReport] = []
        self._clock = clock
        self._timeline = Timeline(clock, self.began)
        self._asked: dict[str, Asked] = {}
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._mishaps: dict[tuple[str, str], Mishap] = {}
        self._waits: dict[tuple[str, str], Busy] = {}
        self._convictions: list[Conviction] = []

    @property
    def elapsed_s(self) -> float:
        """How long the call has taken so far."""
        return self._clock() - self.began

    @property
    def bin_s(self) -> float:
        """How long one stretch of a flow is."""
        return self._timeline.bin_s

    def asked(self, endpoint: str, started: float, connected: float | None) -> None:
        """A request has ended with an answer, or without one."""
        asked, now = self.of(endpoint), self._clock()
        asked.connecting.add(started, now if connected is None else connected)
        if connected is not None:
            asked.answering.add(connected, now)

    def gave(self, endpoint: str, started: float) -> None:
        """A body that began to come at `started` has ended."""
        self.of(endpoint).giving.add(started, self._clock())

    def of(self, endpoint: str) -> Asked:
        """Return how an endpoint was asked."""
        return _entry(self._asked, endpoint, "", Asked)

    def tally(self, endpoint: str, host: str) -> Tally:
        """Return what counts the bytes from a host."""
        return _entry(self._tallies, (endpoint, host), (endpoint, ""), lambda: Tally(self._timeline))

    def left(self, endpoint: str, fault: str, subject: str, outcome: str, started: float) -> None:
        """Something went wrong at an endpoint, in an attempt that began at `started`."""
        mishap, now = self._mishap(endpoint, fault), self._clock()
        mishap.outcome = mishap.outcome or outcome
        if len(mishap.subjects) < MAX_SUBJECTS and subject not in mishap.subjects:
            mishap.subjects.append(subject)
        mishap.times += 1
        mishap.busy.add(started, now)
        mishap.at, mishap.last = min(mishap.at, now), now

    def lost(self, endpoint: str, fault: str, size: int) -> None:
        """Bytes of an endpoint came in vain; fewer than none where another fault turned out to be to blame."""
        if size:
            mishap, now = self._mishap(endpoint, fault), self._clock()
            mishap.size += size
            mishap.at, mishap.last = min(mishap.at, now), max(mishap.last, now)

    def lost_by(self, endpoint: str) -> int:
        """Return how many bytes of an endpoint came in vain."""
        return sum(mishap.size for (name, _), mishap in self._mishaps.items() if name == endpoint)

    def waited(self, kind: str, who: str, start: float, end: float) -> None:
        """The call waited, or is about to."""
        _entry(self._waits, (kind, who), (kind, ""), Busy).add(start, end)

    def locked(self, who: str, pause_s: float) -> None:
        """Another process holds the repository; it is asked again after a pause."""
        now = self._clock()
        self.waited("lock", who, now, now + pause_s)

    def convicted(self, endpoint: str, path: str, start: int, end: int) -> None:
        """An endpoint gave wrong bytes."""
        if len(self._convictions) < MAX_CONVICTIONS:
            self._convictions.append(Conviction(endpoint, path, start, end))

    @property
    def convictions(self) -> tuple[Conviction, ...]:
        """Who gave wrong bytes."""
        return tuple(self._convictions)

    def flows(self) -> tuple[Flow, ...]:
        """Return where bytes came from, and when."""
        return tuple(
            Flow(endpoint, host, tally.size, tuple(_trimmed(tally.bins)))
            for (endpoint, host), tally in self._tallies.items()
            if tally.size
        )

    def troubles(self) -> tuple[Trouble, ...]:
        """Return what went wrong, in the order in which it first did."""
        told = [
            Trouble(
                endpoint,
                fault,
                mishap.outcome,
                tuple(mishap.subjects),
                mishap.times,
                max(0, mishap.size),
                mishap.busy.total_s,
                mishap.at - self.began,
                mishap.last - self.began,
                mishap.busy.stretches(self.began),
            )
            for (endpoint, fault), mishap in self._mishaps.items()
            if mishap.times or mishap.size
        ]
        return tuple(sorted(told, key=lambda trouble: trouble.at_s))

    def waits(self) -> tuple[Wait, ...]:
        """Return what was waited for, in order of time."""
        told = [
            Wait(kind, who, busy.times, busy.began - self.began, busy.total_s, busy.stretches(self.began))
            for (kind, who), busy in self._waits.items()
        ]
        return tuple(sorted(told, key=lambda wait: wait.at_s))

    def _mishap(self, endpoint: str, fault: str) -> Mishap:
        return _entry(self._mishaps, (endpoint, fault), ("", fault), Mishap)


def _entry(entries: dict[Key, Value], key: Key, others: Key, made: Callable[[], Value]) -> Value:
    """Return what is counted under a key; under `others` where there are too many keys."""
    if key not in entries and len(entries) >= MAX_NAMES:
        key = others
    if key not in entries:
        entries[key] = made()
    return entries[key]


def _trimmed(bins: list[int]) -> list[int]:
    """Leave out the stretches in which nothing has come yet."""
    return bins[: max((at + 1 for at, count in enumerate(bins) if count), default=0)]
