"""How fast a transfer goes, and what follows: more lanes, larger pieces, or another endpoint.

A line that is capped for each connection shows only while it is used: one more lane is tried, and more as long as they
bring more. An endpoint that crawls is compared with the next one: some bodies go on there, and if that gives more than
twice as much, all the others follow. What has come stays; nothing is fetched twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from mirrorhub.chain import Chain
from mirrorhub.models import Endpoint
from mirrorhub.transfer.budget import Budget
from mirrorhub.transfer.lanes import MAX_LANES, Lanes

log = logging.getLogger(__name__)
TICK_S = 0.1
WINDOW_S = 1.0
"""Over which a rate is measured."""
LONG_S = 3.0
"""A transfer that will be over sooner is left alone."""
CRAWL = 1 << 20
"""Bytes per second below which another endpoint is tried."""
CRAWL_AFTER_S = 0.2
"""How long an endpoint gives bytes before another one is tried."""
TRIAL_S = 0.5
"""How long two endpoints are compared; longer where the slow one is far and may only be starting slowly."""
TRIAL_BODIES = 4
HOPELESS_S = 30.0
"""Where a transfer would last longer, all bodies go on at the other endpoint during the trial."""
AGAIN_AFTER_S = 5.0
"""After a trial that did not pay, the next one comes so much later; then twice as much. Where nobody answered: 1 s."""
FAST = 64 << 20
"""Bytes per second at which more lanes would only cost."""
SPLIT = 32 << 10
"""Bytes per second of one lane below which the line itself is taken to be thin: more lanes would overfill it."""
PAYS = 1.25
"""More lanes stay if they bring so many times as much."""
AHEAD_S = 0.25
"""Bodies are open for what comes in so long, or while a far endpoint is connected to, within the limits of memory."""


@dataclass(slots=True)
class Meter:
    """Bytes that one endpoint gave, lately and since its first."""

    samples: deque[tuple[float, int]] = field(default_factory=deque)
    first_at: float | None = None

    def sample(self, now: float, received: int) -> None:
        """Note how many bytes there are by now."""
        if self.first_at is None and self.samples and received > self.samples[0][1]:
            self.first_at = now
        self.samples.append((now, received))
        while now - self.samples[0][0] > WINDOW_S:
            self.samples.popleft()

    @property
    def rate(self) -> float:
        """Bytes per second over the window, or since the first byte where that is less."""
        (since, before), (until, after) = self.samples[0], self.samples[-1]
        since = max(since, self.first_at - TICK_S if self.first_at is not None else since)
        return (after - before) / (until - since) if until > since else 0.0

    def lasting(self, now: float) -> float:
        """Seconds since the first byte."""
        return 0.0 if self.first_at is None else now - self.first_at


@dataclass(frozen=True, slots=True)
class Trial:
    """One more endpoint, or more lanes, that are being tried."""

    began_at: float
    rate_before: float
    endpoint: Endpoint
    lanes_before: int = 0


class Pace:
    """Watches a transfer while it runs."""

    def __init__(
        self,
        chain: Chain,
        lanes: Lanes,
        budget: Budget,
        left: Callable[[], int],
        *,
        may_move: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to watch.

        Args:
            chain: The endpoints, and how many bytes each gave.
            lanes: The connections to them.
            budget: What may be open.
            left: Says how many bytes are still to come.
            may_move: Bytes of several endpoints may be mixed.
            clock: Seconds.
        """
        self._chain = chain
        self._lanes = lanes
        self._budget = budget
        self._left = left
        self._may_move = may_move
        self._clock = clock
        self._meters: dict[Endpoint, Meter] = {}
        self._trial: Trial | None = None
        self._widening: Trial | None = None
        self._settled: set[Endpoint] = set()
        self._pause_s = AGAIN_AFTER_S
        self._unanswered_pause_s = WINDOW_S
        self._began_at = self._next_trial_at = self._asked_at = clock()

    async def watch(self) -> None:
        """Look at it again and again, until cancelled; a mistake in here is told, and costs speed at most."""
        while True:
            try:
                self.look()
            except Exception:
                log.exception("the transfer goes on at the pace it has")
                return
            await asyncio.sleep(TICK_S)

    def look(self) -> None:
        """Measure, and decide."""
        now = self._clock()
        for giver, received in self._chain.received():
            self._meters.setdefault(giver, Meter()).sample(now, received)
        if (endpoint := self._chain.busiest()) is not None:
            self._decide(endpoint, now)

    def _decide(self, endpoint: Endpoint, now: float) -> None:
        self._make_room(endpoint)
        if self._trial is not None:
            self._judge(self._trial, now)
        elif self._widening is not None:
            self._judge_lanes(self._widening, now)
        elif self._crawls(endpoint, now):
            self._try_next(endpoint, now)
        elif self._may_gain(endpoint, now):
            self._try_lanes(endpoint, now)

    def _make_room(self, endpoint: Endpoint) -> None:
        """Let what is asked for be twice what is on its way: connecting takes two round trips."""
        rate = self._meters[endpoint].rate
        ahead_s = max(AHEAD_S, self._lanes.lane(endpoint).contact.connect_s)
        self._lanes.rate = max(self._lanes.rate, rate)
        self._budget.widen(self._lanes.streams, max(self._lanes.room, int(rate * ahead_s)))

    def _will_last(self, rate: float) -> bool:
        return self._left() > rate * LONG_S

    def _crawls(self, endpoint: Endpoint, now: float) -> bool:
        meter = self._meters[endpoint]
        # Two round trips, which connecting takes, are enough to be tried beside another; to be left takes more.
        first_s = CRAWL_AFTER_S + self._lanes.lane(endpoint).contact.connect_s
        if now - self._began_at < first_s or now < self._next_trial_at or meter.rate >= CRAWL:
            return False
        if not self._will_last(meter.rate):
            return False
        return self._may_move and self._chain.next_after(endpoint) is not None

    def _is_starting(self, endpoint: Endpoint, seconds: float, now: float) -> bool:
        """Whether an endpoint may be slow only because its connections have just begun: for four round trips or so."""
        return now - self._began_at < seconds + 2 * self._lanes.lane(endpoint).contact.connect_s

    def _try_next(self, endpoint: Endpoint, now: float) -> None:
        other, rate = self._chain.next_after(endpoint), self._meters[endpoint].rate
        count = None if self._left() > rate * HOPELESS_S else TRIAL_BODIES
        moved = self._chain.move(endpoint, count, "is slow; another endpoint is tried")
        if other is None or not moved:
            self._next_trial_at = now + WINDOW_S
            return
        log.info("%s gives %.0f kB/s; %s is tried", endpoint, rate / 1e3, other)
        # From what it has given so far: the trial's first bytes may be there before the next look.
        self._meters[other] = Meter()
        self._meters[other].sample(now, dict(self._chain.received())[other])
        self._trial, self._asked_at = Trial(now, rate, endpoint), now

    def _judge(self, trial: Trial, now: float) -> None:
        """Let the other endpoint take over once it is clearly better; leave it once it has had its time and is not."""
        slow, other = trial.endpoint, self._chain.next_after(trial.endpoint)
        if other is None or other not in self._meters:
            self._trial = None
        elif self._is_better(other, trial, now):
            self._trial = None
            self._take_over(other, slow)
        elif self._has_had_its_time(trial, other, now):
            self._trial = None
            self._next_trial_at, self._pause_s = now + self._pause_s, 2 * self._pause_s
            self._chain.move(other, None, "does not give more")
        elif self._is_unanswered(trial, other, now):
            self._trial = None
            self._next_trial_at, self._unanswered_pause_s = now + self._unanswered_pause_s, 2 * self._unanswered_pause_s
        elif self._meters[other].first_at is not None and not self._chain.gives(other):
            self._chain.move(slow, TRIAL_BODIES, "is slow; another endpoint brings some more")

    def _is_better(self, other: Endpoint, trial: Trial, now: float) -> bool:
        """Whether it gives more than twice as much, and the slow one is not slow for having just begun."""
        if self._meters[other].lasting(now) < TRIAL_S or self._is_starting(trial.endpoint, TRIAL_S, now):
            return False
        return self._meters[other].rate > 2 * max(self._meters[trial.endpoint].rate, trial.rate_before, 1.0)

    def _take_over(self, other: Endpoint, slow: Endpoint) -> None:
        log.info("%s gives %.0f kB/s: it takes over from %s", other, self._meters[other].rate / 1e3, slow)
        self._chain.slow(slow)
        self._lanes.decide(self._left())
        self._chain.move(slow, None, "gave less than half of what another endpoint gives")

    def _has_had_its_time(self, trial: Trial, other: Endpoint, now: float) -> bool:
        """Whether it has given bytes for as long as a far connection needs to start, or nothing for too long."""
        meter = self._meters[other]
        if meter.first_at is None:
            return now - trial.began_at > AGAIN_AFTER_S
        return meter.lasting(now) >= TRIAL_S + 2 * self._lanes.lane(other).contact.connect_s

    def _is_unanswered(self, trial: Trial, other: Endpoint, now: float) -> bool:
        """Whether the other endpoint failed before it gave anything, and has not been asked again since."""
        if self._chain.gives(other) or self._chain.leaves(trial.endpoint) or self._meters[other].first_at is not None:
            self._asked_at = now
        return now - self._asked_at >= TRIAL_S

    def _may_gain(self, endpoint: Endpoint, now: float) -> bool:
        meter = self._meters[endpoint]
        lane = self._lanes.lane(endpoint)
        if endpoint in self._settled or not lane.contact.multiplexes or not 0 < meter.rate < FAST:
            return False
        long = meter.lasting(now) > WINDOW_S + 8 * lane.contact.connect_s
        count = self._lanes.count(endpoint)
        return long and count < MAX_LANES and meter.rate >= SPLIT * count and self._will_last(meter.rate)

    def _try_lanes(self, endpoint: Endpoint, now: float) -> None:
        count, rate = self._lanes.count(endpoint), self._meters[endpoint].rate
        self._widening = Trial(now, rate, endpoint, count)
        reason = f"{count} gave {rate / 1e6:.2f} MB/s"
        self._lanes.widen(endpoint, min(2 * count, MAX_LANES), reason)

    def _judge_lanes(self, trial: Trial, now: float) -> None:
        connect_s = self._lanes.lane(trial.endpoint).contact.connect_s
        if now - trial.began_at < 2 * WINDOW_S + 6 * connect_s:
            return
        self._widening = None
        if self._meters[trial.endpoint].rate < PAYS * trial.rate_before:
            self._settled.add(trial.endpoint)
            self._lanes.narrow(trial.endpoint, trial.lanes_before)
