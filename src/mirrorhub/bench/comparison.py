"""What a comparison of endpoints found, and which of them is best. Values only, no IO.

The best one brings the whole model first: connecting, listing, the first byte, what was lost until the bytes came at
their full rate, and the bytes themselves, each as the median over the rounds.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from mirrorhub.models import Endpoint, Repo
from mirrorhub.transfer.lanes import lanes_for

T = TypeVar("T")
Part = Callable[["Round"], float | None]
FAR_TRIPS = 2
"""Round trips that TCP and TLS 1.3 take together."""
NOT_MEASURED = "not measured: the package installer fetches it, and it lists nothing"
NOT_VISITED = "not visited: the time that was allowed was over"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that went wrong at an endpoint.

    Attributes:
        subject: What was asked for: `listing` or a file's path.
        message: What happened, in words.
        fault: The fault's name.
    """

    subject: str
    message: str
    fault: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.message}"


@dataclass(frozen=True, slots=True)
class Round:
    """What one visit to an endpoint found. None where something was not measured, or is not known.

    Attributes:
        number: Which round, from 1 on.
        dns_s: Seconds to look the name up, redirects of the listing included, as for the next two.
        connect_s: Seconds for TCP.
        tls_s: Seconds for TLS.
        first_byte_s: Seconds from there to the head of the listing's answer.
        listing_s: Seconds from there to its end.
        http: The version of HTTP: `2` or `1.1`.
        file_s: Seconds from asking for a file to its first byte, with the way to another host where there is one.
        host: The host that the bytes came from.
        takes_range: A part of a file was given where a part was asked for.
        round_trip_s: Seconds to that host and back.
        bytes_per_s: The rate at which bytes came in the end, over one connection.
        startup_s: Seconds that were lost until they came at that rate.
        asked: Bytes that were asked for, the listing's included.
        still_growing: The rate was still growing when the last byte that may be asked for had come.
        reason: Why there is no rate, where nothing went wrong.
        troubles: What went wrong.
    """

    number: int
    dns_s: float | None = None
    connect_s: float | None = None
    tls_s: float | None = None
    first_byte_s: float | None = None
    listing_s: float | None = None
    http: str | None = None
    file_s: float | None = None
    host: str | None = None
    takes_range: bool | None = None
    round_trip_s: float | None = None
    bytes_per_s: float | None = None
    startup_s: float | None = None
    asked: int = 0
    still_growing: bool = False
    reason: str = ""
    troubles: tuple[Trouble, ...] = ()


COMING: tuple[Part, ...] = (
    lambda one: one.dns_s,
    lambda one: one.connect_s,
    lambda one: one.tls_s,
    lambda one: one.file_s,
)
LISTING: tuple[Part, ...] = (lambda one: one.first_byte_s, lambda one: one.listing_s)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One endpoint over all rounds; none of them where it is not one that can be measured.

    Attributes:
        endpoint: Whom.
        rounds: What each visit found.
    """

    endpoint: Endpoint
    rounds: tuple[Round, ...] = ()

    def median(self, value: Part) -> float | None:
        """Return the middle one of a round's values, over those rounds that have it."""
        known = [found for one in self.rounds if (found := value(one)) is not None]
        return statistics.median(known) if known else None

    @property
    def bytes_per_s(self) -> float | None:
        """The rate at which bytes come."""
        return self.median(lambda one: one.bytes_per_s)

    @property
    def lists(self) -> bool:
        """Whether its listing counts: it may say what a repository holds."""
        return "resolve" in self.endpoint.can

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """Everything that went wrong, each once."""
        return tuple(dict.fromkeys(trouble for one in self.rounds for trouble in one.troubles))

    @property
    def success(self) -> float:
        """The share of rounds that went well; one that brought bytes in spite of some trouble counts half."""
        return sum(map(self._success, self.rounds)) / len(self.rounds) if self.rounds else 0.0

    @property
    def works(self) -> bool:
        """Whether it has served at all."""
        return self.success > 0

    @property
    def host(self) -> str | None:
        """The host that the bytes come from."""
        return self.latest(lambda one: one.host)

    @property
    def http(self) -> str | None:
        """The version of HTTP that it speaks."""
        return self.latest(lambda one: one.http)

    @property
    def takes_range(self) -> bool | None:
        """Whether it gives parts of files."""
        return self.latest(lambda one: one.takes_range)

    @property
    def asked(self) -> int:
        """How many bytes were asked of it."""
        return sum(one.asked for one in self.rounds)

    @property
    def reason(self) -> str:
        """Why there is no rate, where nothing went wrong."""
        if not self.rounds:
            return NOT_MEASURED if self.endpoint.hub == "wheel" else NOT_VISITED
        return self.latest(lambda one: one.reason or None) or "" if self.bytes_per_s is None else ""

    def latest(self, value: Callable[[Round], T | None]) -> T | None:
        """Return what the last round that knows it has found."""
        return next((found for one in reversed(self.rounds) if (found := value(one)) is not None), None)

    def estimate_s(self, size: int) -> float | None:
        """Return how many seconds it would take to bring so many bytes from cold; None where the rate is not known."""
        rate = self.bytes_per_s
        if not rate:
            return None
        parts = COMING + LISTING if self.lists else COMING
        return sum(self.median(part) or 0.0 for part in parts) + self._startup_s(size) + size / rate

    def _startup_s(self, size: int) -> float:
        """Return what a call loses until bytes come at their full rate: it may have more connections than one.

        A cold connection doubles its rate with each round trip, so n of them are log2(n) round trips ahead.
        """
        startup_s = self.median(lambda one: one.startup_s) or 0.0
        round_trip_s = self.median(lambda one: one.round_trip_s) or 0.0
        lanes = lanes_for(FAR_TRIPS * round_trip_s, size)
        return max(0.0, startup_s - math.log2(lanes) * round_trip_s)

    def _success(self, one: Round) -> float:
        # Who only gives bytes need not list; but it must have answered.
        counts = self.lists or one.http is None
        counting = [trouble for trouble in one.troubles if counts or trouble.subject != "listing"]
        if not counting:
            return 1.0
        return 0.5 if one.bytes_per_s is not None else 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Endpoints that were measured, the best one first.

    Attributes:
        repo: The repository whose files were asked for.
        size: Its size in bytes, what an endpoint would have to bring; 0 where it is not known.
        rounds: How many rounds were asked for.
        limit: How many bytes each endpoint was asked for at most.
        measurements: In order of rank.
    """

    repo: Repo
    size: int
    rounds: int
    limit: int
    measurements: tuple[Measurement, ...]

    @property
    def works(self) -> bool:
        """Whether any endpoint has served."""
        return any(measurement.works for measurement in self.measurements)

    @property
    def has_index(self) -> bool:
        """Whether a package index is among them, which is not measured."""
        return any(measurement.endpoint.hub == "wheel" for measurement in self.measurements)


def ranked(measurements: Iterable[Measurement], size: int) -> tuple[Measurement, ...]:
    """Put whoever brings so many bytes first in front; then unknown rates, the failed, the not visited, the index."""
    return tuple(sorted(measurements, key=lambda measurement: _rank(measurement, size)))


def _rank(measurement: Measurement, size: int) -> tuple[bool, bool, bool, bool, float]:
    estimate_s = measurement.estimate_s(size)
    # Whoever serves two rounds of three has to be asked one and a half times.
    expected_s = (estimate_s or 0.0) / (measurement.success or 1.0)
    is_index = measurement.endpoint.hub == "wheel"
    return is_index, not measurement.rounds, not measurement.works, estimate_s is None, expected_s
