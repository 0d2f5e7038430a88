"""What one call sees of each host it meets: how near, how fast, what went wrong there. Values only, no IO.

A request to an endpoint may end at a data host that the endpoint redirects to. What happens there is that host's doing,
and is noted under its own origin.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mirrorhub.faults import Fault

GONE = frozenset({Fault.CONNECT_TIMEOUT, Fault.READ_TIMEOUT, Fault.REFUSED, Fault.RESET, Fault.DNS})
"""After these a host is taken for dead, until it is heard again."""
NEVER = float("-inf")


@dataclass(slots=True)
class Impression:
    """What was seen of one host, or (without an origin) of all together.

    Attributes:
        clock: Seconds.
        connect_s: The shortest time that TCP and TLS took; 0.0 where nothing had to be connected.
        first_byte_s: The shortest time from there to the head of an answer; 0.0 without an answer.
        received: Bytes of bodies.
        busy_s: Seconds in which at least one body was being read.
        faults: What went wrong on the way to it, and how often.
        heard_at: When it last answered, or gave a byte.
        gone_at: When it last failed as the dead do.
        left_at: When a request was last called off before there was an answer.
    """

    clock: Callable[[], float] = time.monotonic
    whole: Impression | None = field(default=None, repr=False)
    connect_s: float = 0.0
    first_byte_s: float = 0.0
    received: int = 0
    busy_s: float = 0.0
    faults: Counter[Fault] = field(default_factory=Counter)
    heard_at: float = NEVER
    gone_at: float = NEVER
    left_at: float = NEVER
    _open: int = 0
    _open_since: float = 0.0

    @property
    def is_known(self) -> bool:
        """Whether anything was seen of it at all."""
        return bool(self.connect_s or self.faults or max(self.heard_at, self.left_at) > NEVER)

    def connected(self, connect_s: float) -> None:
        """A connection stands, after so many seconds; 0.0 where it stood already."""
        self.connect_s = _least(self.connect_s, connect_s)

    def answered(self, asked_at: float, connect_s: float) -> None:
        """The head of an answer is there."""
        self.heard_at = self.clock()
        self.connected(connect_s)
        self.first_byte_s = _least(self.first_byte_s, self.heard_at - asked_at - connect_s)

    def failed(self, fault: Fault) -> None:
        """Something went wrong on the way to it, or on the way back."""
        self.faults[fault] += 1
        if fault in GONE:
            self.gone_at = self.clock()

    def left(self) -> None:
        """A request was called off while nothing had come."""
        self.left_at = self.clock()

    def begun(self) -> None:
        """A body is being read."""
        if self._open == 0:
            self._open_since = self.clock()
        self._open += 1
        if self.whole is not None:
            self.whole.begun()

    def ended(self) -> None:
        """A body is not being read any more."""
        self._open -= 1
        if self._open == 0:
            self.busy_s += self.clock() - self._open_since
        if self.whole is not None:
            self.whole.ended()

    def gave(self, count: int) -> None:
        """So many bytes of a body have come."""
        self.received += count
        self.heard_at = self.clock()
        if self.whole is not None:
            self.whole.gave(count)

    def is_gone(self, *, silent: bool) -> bool:
        """Whether the last that was seen of it is that it is dead; `silent` if whoever was left here had kept still."""
        return max(self.gone_at, self.left_at if silent else NEVER) > self.heard_at


class Impressions:
    """All hosts that one endpoint's requests have led to.

    Attributes:
        whole: All of them together.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.whole = Impression(clock)
        self._hosts: dict[str, Impression] = {}
        self._clock = clock

    def __iter__(self) -> Iterator[tuple[str, Impression]]:
        return iter(self._hosts.items())

    def at(self, url: str) -> Impression:
        """Return what was seen of the host that an address leads to."""
        origin = origin_of(url)
        if origin not in self._hosts:
            self._hosts[origin] = Impression(self._clock, self.whole)
        return self._hosts[origin]


def origin_of(url: str) -> str:
    """Return an address's scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _least(known: float, seconds: float) -> float:
    """Return the shorter time: of sixteen connections at once, and in a queue, only the quickest tells of the line."""
    if seconds <= 0.0:
        return known
    return min(known, seconds) if known else seconds
