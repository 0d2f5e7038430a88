"""What a call has learnt of one endpoint, and what it is giving: it holds for everything that the call asks for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mirrorhub.chain.beat import Beat
from mirrorhub.config import Patience
from mirrorhub.faults import Failure, Fault


@dataclass(slots=True)
class Standing:
    """What a call has learnt of an endpoint.

    Attributes:
        connect_s: How long connecting took.
        answers: It has begun to answer something: before that it may be silent, and is not slow.
        heard_at: When a byte last came.
        received: Bytes of files that have come.
        demoted: It is asked after the others.
        slow: It is asked last: another one gives more than twice as much.
        bodies: What it is asked for and giving now, and how to make each go on elsewhere.
        leaving: How many of these are to go on elsewhere, and wait for somebody else's answer.
        out: It is asked no more.
        parked_until: It asked not to be asked before.
        kept_waiting: It is written down that the call ended while it said nothing.
        unwanted_until: It is not tried before, only because another one is slow.
    """

    connect_s: float = 0.0
    answers: bool = False
    heard_at: float = float("-inf")
    received: int = 0
    demoted: bool = False
    slow: bool = False
    bodies: dict[asyncio.Timeout, Callable[[], None]] = field(default_factory=dict)
    leaving: int = 0
    out: bool = False
    kept_waiting: bool = False
    parked_until: float = float("-inf")
    unwanted_until: float = float("-inf")

    @property
    def rank(self) -> tuple[bool, bool]:
        """Where it is asked among the others: lower ones first."""
        return self.slow, self.demoted

    def patience_left(self, beat: Beat, patience: Patience, now: float) -> float:
        """Seconds until the endpoint counts as silent; below 0 once it does."""
        if beat.answered:
            return float("inf")
        if beat.connected_at is None and self.heard_at < beat.started_at:
            return beat.started_at + patience.connect_s - now
        connected_at = beat.connected_at if beat.connected_at is not None else beat.started_at
        connect_s = max(self.connect_s, connected_at - beat.started_at)
        answer_s = max(patience.answer_s, 4 * connect_s)
        # An endpoint that is giving other bodies is busy, not silent.
        return max(connected_at, self.heard_at) + answer_s - now

    @asynccontextmanager
    async def leavable(self, beat: Beat | None = None) -> AsyncIterator[asyncio.Timeout]:
        """Wait for the endpoint until `move` says to go on elsewhere; `beat` is that of a request without an answer.

        Raises:
            Failure: It was said.
        """
        try:
            async with asyncio.timeout(None) as body:
                self.bodies[body] = lambda: body.reschedule(asyncio.get_running_loop().time())
                try:
                    yield body
                finally:
                    self.bodies.pop(body, None)
        except TimeoutError:
            if not body.expired():
                raise
            if beat is not None and beat.connected_at is None and not self.answers:
                raise Failure(Fault.READ_TIMEOUT, "silent, and left for another endpoint") from None
            raise Failure(Fault.CRAWLING, "was too slow, and left for another endpoint") from None
