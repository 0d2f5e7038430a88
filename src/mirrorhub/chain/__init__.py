"""The endpoints of one call, in order, and what the call has learnt of them.

What is learnt of an endpoint in one walk holds for all walks of the call: a dead mirror costs one time-out, not one per
file. Whom to ask next is said here; what is asked for, and what a failure means for it, is an `errand`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable

from mirrorhub.chain.beat import Beat
from mirrorhub.chain.standing import Standing
from mirrorhub.config import Patience
from mirrorhub.faults import Fault
from mirrorhub.models import Attempt, Capability, Endpoint
from mirrorhub.report.logbook import Logbook

log = logging.getLogger(__name__)


class Chain:
    """The endpoints of one call, in order, and what the call has learnt of them.

    Attributes:
        endpoints: In order of preference.
        attempts: Everything that was tried, in order of time.
        logbook: What the call has met, added up.
        patience: How long is waited for an endpoint, and how often it is asked.
        silence_s: How long nobody may give a byte before the call ends.
        clock: Tells the time, in seconds.
        sleep: Lets time pass.
        discreet: Returns what an endpoint has said without what it must not say again: tokens, logins, signed queries.
    """

    def __init__(
        self,
        endpoints: Iterable[Endpoint],
        patience: Patience,
        silence_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        discreet: Callable[[str], str] = str,
    ) -> None:
        self.endpoints = tuple(endpoints)
        self.attempts: list[Attempt] = []
        self.logbook = Logbook(clock)
        self.patience = patience
        self.silence_s = silence_s
        self.clock = clock
        self.sleep = sleep
        self.discreet = discreet
        self._standing = {endpoint: Standing() for endpoint in self.endpoints}
        self._to_pull = self.endpoints
        self._heard_at = clock()

    def __repr__(self) -> str:
        words = [f"{endpoint}{self._mark(standing)}" for endpoint, standing in self._standing.items()]
        return f"<Chain {' > '.join(words)}>"

    def standing(self, endpoint: Endpoint) -> Standing:
        """Return what is known of an endpoint."""
        return self._standing[endpoint]

    def heard(self, endpoint: Endpoint, count: int) -> None:
        """An answer has begun at this endpoint, or so many bytes of one have come."""
        standing = self._standing[endpoint]
        standing.answers = True
        self._heard_at = standing.heard_at = self.clock()
        standing.received += count
        self.welcome(endpoint)

    def convict(self, name: str, subject: str, message: str) -> list[Endpoint]:
        """An endpoint, by its name in a journal, gave wrong bytes: it is out for this call; return who that is."""
        convicted = [endpoint for endpoint in self.endpoints if str(endpoint) == name]
        for endpoint in convicted:
            self._standing[endpoint].out = True
            self.record(endpoint, subject, message, Fault.WRONG_DIGEST, self.clock())
        return convicted

    def avoid(self, endpoint: Endpoint) -> None:
        """Ask an endpoint after the others, until a byte has come from it."""
        self._standing[endpoint].demoted = True

    def spare(self, endpoint: Endpoint, seconds: float) -> None:
        """Do not try an endpoint only because another one is slow, for so long or until a byte has come from it."""
        self._standing[endpoint].unwanted_until = self.clock() + seconds

    def welcome(self, endpoint: Endpoint) -> None:
        """Ask an endpoint in its turn again."""
        standing = self._standing[endpoint]
        standing.demoted, standing.unwanted_until = False, float("-inf")

    def is_avoided(self, endpoint: Endpoint) -> bool:
        """Whether an endpoint is asked after the others."""
        return self._standing[endpoint].demoted

    def is_out(self, endpoint: Endpoint) -> bool:
        """Whether an endpoint is asked no more."""
        return self._standing[endpoint].out

    def is_slow(self, endpoint: Endpoint) -> bool:
        """Whether another one was found to give more than twice as much."""
        return self._standing[endpoint].slow

    @property
    def pullers(self) -> tuple[Endpoint, ...]:
        """Whoever gives bytes, in order of preference."""
        return tuple(endpoint for endpoint in self._to_pull if "pull" in endpoint.can)

    def pull_in_order(self, endpoints: Iterable[Endpoint]) -> None:
        """Ask for bytes in this order, which holds the same endpoints: bytes are checked, whoever gives them."""
        self._to_pull = tuple(endpoints)

    def received(self) -> list[tuple[Endpoint, int]]:
        """Return how many bytes each endpoint has given."""
        return [(endpoint, standing.received) for endpoint, standing in self._standing.items()]

    def came(self) -> int:
        """Return how many bytes have come, from anybody."""
        return sum(standing.received for standing in self._standing.values())

    def next_after(self, endpoint: Endpoint) -> Endpoint | None:
        """Return who would be asked for bytes if this endpoint were not there; None where nobody would."""
        others = (one for one in self._usable("pull") if one != endpoint and self._is_wanted(one))
        return next(others, None)

    def busiest(self) -> Endpoint | None:
        """Return who is asked for or giving most bodies; None while nobody is."""
        endpoint = max(self.endpoints, key=self.gives, default=None)
        return endpoint if endpoint is not None and self.gives(endpoint) else None

    def gives(self, endpoint: Endpoint) -> int:
        """Return how many bodies an endpoint that has answered before is asked for or giving."""
        standing = self._standing[endpoint]
        return len(standing.bodies) if standing.answers else 0

    def leaves(self, endpoint: Endpoint) -> bool:
        """Whether bodies of an endpoint wait for somebody else's answer, to go on there."""
        return self._standing[endpoint].leaving > 0

    def slow(self, endpoint: Endpoint) -> None:
        """Ask an endpoint only where no other gives what is wanted."""
        self._standing[endpoint].slow = True

    def move(self, endpoint: Endpoint, count: int | None, why: str) -> int:
        """Let bodies that an endpoint is giving go on elsewhere, all or so many; return how many.

        Each goes on as soon as another endpoint has answered; one that is through before that was not too slow.
        """
        standing = self._standing[endpoint]
        # Told once: they stay where they are until somebody else has answered.
        leaving = [standing.bodies.pop(body) for body in list(standing.bodies)[-count if count else None :]]
        for leave in leaving:
            leave()
        log.info("%s %s: %d bodies go on elsewhere", endpoint, why, len(leaving))
        return len(leaving)

    def preferred(self, capability: Capability) -> list[Endpoint]:
        """Return the endpoint that would be asked first, as things stand; none where there is none."""
        return self._usable(capability)[:1]

    def alternatives(self, endpoint: Endpoint) -> bool:
        """Whether somebody else could still be asked."""
        return any(other != endpoint and not standing.out for other, standing in self._standing.items())

    def listen(self) -> None:
        """Something is asked for now: time that passed elsewhere, in waiting for another process, is no silence."""
        self._heard_at = max(self._heard_at, self.clock())

    def is_silent_after(self, pause_s: float) -> bool:
        """Whether, after such a pause, nobody will have given a byte for longer than a call waits."""
        return self.clock() + pause_s - self._heard_at > self.silence_s

    def answered(self, endpoint: Endpoint, beat: Beat) -> None:
        """An endpoint has begun to answer: it is not silent."""
        standing = self._standing[endpoint]
        standing.answers = True
        standing.connect_s = max(standing.connect_s, beat.connect_s)
        standing.demoted = False

    def silent(self, endpoint: Endpoint, beat: Beat) -> None:
        """An endpoint has not answered for so long that another one is started beside it."""
        self.logbook.waited("silent", str(endpoint), beat.started_at, self.clock())
        if not self._standing[endpoint].demoted:
            log.info("%s is silent; another endpoint is started beside it", endpoint)
            self._standing[endpoint].demoted = True

    def kept_waiting(self, endpoint: Endpoint, subject: str, beat: Beat) -> None:
        """The call is over while it waits for an endpoint; told once of each that has said nothing for long."""
        standing = self._standing[endpoint]
        silent_s = self.clock() - max(beat.started_at, standing.heard_at)
        if silent_s >= self.patience.answer_s and not standing.kept_waiting:
            standing.kept_waiting = True
            outcome = f"had been silent for {silent_s:.1f} s"
            self.record(endpoint, subject, outcome, Fault.READ_TIMEOUT, self.clock() - silent_s)

    def record(self, endpoint: Endpoint, subject: str, outcome: str, fault: Fault | None, started: float) -> None:
        """Write down that something was tried at an endpoint, and how it ended."""
        elapsed = self.clock() - started
        name = str(endpoint)
        at_s = started - self.logbook.began
        self.attempts.append(Attempt(name, subject, outcome, fault.name if fault else None, elapsed, at_s))
        log.debug("%s: %s: %s (%.2f s)", endpoint, subject, outcome, elapsed)
        if fault is not None:
            self.logbook.left(name, fault.name, subject, outcome, started)
            log.info("left %s for %s: %s", endpoint, subject, outcome)

    def _usable(self, capability: Capability) -> list[Endpoint]:
        those = self.pullers if capability == "pull" else [one for one in self.endpoints if capability in one.can]
        usable = [one for one in those if not self._standing[one].out]
        return sorted(usable, key=lambda one: self._standing[one].rank)

    def _is_wanted(self, endpoint: Endpoint) -> bool:
        standing = self._standing[endpoint]
        return not standing.slow and standing.unwanted_until <= self.clock()

    @staticmethod
    def _mark(standing: Standing) -> str:
        return " (out)" if standing.out else " (demoted)" if standing.demoted else ""
