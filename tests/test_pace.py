"""How fast it goes and what follows: decided by numbers alone, with a clock and collaborators that only note."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from mirrorhub.chain import Chain
from mirrorhub.models import Endpoint
from mirrorhub.transfer.budget import Budget
from mirrorhub.transfer.lanes import MAX_LANES, Lanes
from mirrorhub.transfer.pace import AGAIN_AFTER_S, CRAWL, LONG_S, TICK_S, TRIAL_BODIES, WINDOW_S, Meter, Pace

A, B = Endpoint("https://a.test"), Endpoint("https://b.test")
MIB = 1 << 20


def metered(*samples: tuple[float, int]) -> Meter:
    """A meter that was read at these times."""
    meter = Meter()
    for now, received in samples:
        meter.sample(now, received)
    return meter


class TestMeter:
    @pytest.mark.parametrize(
        ("samples", "rate"),
        [
            ([(0.0, 0)], 0.0),
            ([(0.0, 0), (0.5, 0)], 0.0),
            ([(0.0, 0), (0.5, 1000), (1.0, 2000)], 2000 / (1.0 - (0.5 - TICK_S))),
            ([(0.0, 0), (TICK_S, 500), (1.0, 2000)], 2000.0),
            ([(n / 10, 100 * n) for n in range(31)], 1000.0),
            ([(n / 10, 100 * min(n, 10)) for n in range(31)], 0.0),
        ],
        ids=["one sample", "nothing came", "since the first byte", "from the start", "steady", "dried up"],
    )
    def test_the_rate(self, samples: list[tuple[float, int]], rate: float) -> None:
        """A rate is that of the last second, or since the first byte where that is less."""
        assert metered(*samples).rate == pytest.approx(rate)

    def test_what_was_there_before(self) -> None:
        """A meter that begins late does not count what had come before as the first byte."""
        meter = metered((5.0, 7000), (5.5, 7000))
        assert (meter.first_at, meter.lasting(9.0), meter.rate) == (None, 0.0, 0.0)
        meter.sample(6.0, 7500)
        assert (meter.first_at, meter.lasting(9.0)) == (6.0, 3.0)

    def test_it_forgets(self) -> None:
        """It keeps no more than its window needs, however long it runs."""
        assert len(metered(*[(n * TICK_S, n) for n in range(1000)]).samples) <= WINDOW_S / TICK_S + 2


@dataclass
class Contact:
    """What is known of an endpoint."""

    connect_s: float = 0.02
    multiplexes: bool = True


@dataclass
class Lane:
    """A connection to it."""

    contact: Contact


class Ways:
    """In place of Lanes: counts."""

    streams, room = 128, 8 * MIB

    def __init__(self) -> None:
        self.rate = 0.0
        self.counts = {A: 1, B: 1}
        self.reasons: list[str] = []
        self.decided: list[int] = []
        self.lanes = {A: Lane(Contact()), B: Lane(Contact())}

    def lane(self, endpoint: Endpoint) -> Lane:
        return self.lanes[endpoint]

    def count(self, endpoint: Endpoint) -> int:
        return self.counts[endpoint]

    def widen(self, endpoint: Endpoint, count: int, reason: str) -> None:
        self.counts[endpoint] = count
        self.reasons.append(reason)

    def narrow(self, endpoint: Endpoint, count: int) -> None:
        self.counts[endpoint] = count

    def decide(self, size: int) -> None:
        self.decided.append(size)


@dataclass
class Room:
    """In place of Budget: notes what it was last told."""

    requests: int = 0
    size: int = 0

    def widen(self, requests: int, size: int) -> None:
        self.requests, self.size = requests, size


@dataclass
class Givers:
    """In place of Chain: endpoints with rates, and bodies that go from one to the other when told."""

    rates: Callable[[Endpoint, int], float]
    ways: Ways
    bodies: dict[Endpoint, int] = field(default_factory=lambda: {A: 20, B: 0})
    given: dict[Endpoint, float] = field(default_factory=lambda: {A: 0.0, B: 0.0})
    left_slow: list[Endpoint] = field(default_factory=list)
    moves: list[tuple[Endpoint, int | None]] = field(default_factory=list)
    alone: bool = False
    refuses: bool = False

    def flow(self, seconds: float) -> None:
        for endpoint, bodies in self.bodies.items():
            if bodies:
                self.given[endpoint] += seconds * self.rates(endpoint, self.ways.counts[endpoint])

    def received(self) -> list[tuple[Endpoint, int]]:
        return [(endpoint, int(given)) for endpoint, given in self.given.items()]

    def busiest(self) -> Endpoint | None:
        return max(self.bodies, key=self.gives) if any(self.bodies.values()) else None

    def gives(self, endpoint: Endpoint) -> int:
        return self.bodies[endpoint]

    def leaves(self, endpoint: Endpoint) -> bool:
        return False

    def next_after(self, endpoint: Endpoint) -> Endpoint | None:
        other = B if endpoint == A else A
        return None if self.alone or other in self.left_slow else other

    def slow(self, endpoint: Endpoint) -> None:
        self.left_slow.append(endpoint)

    def move(self, endpoint: Endpoint, count: int | None, why: str) -> int:
        self.moves.append((endpoint, count))
        if self.refuses:
            return min(self.bodies[endpoint], count or self.bodies[endpoint])
        moved = min(self.bodies[endpoint], count or self.bodies[endpoint])
        self.bodies[endpoint] -= moved
        self.bodies[B if endpoint == A else A] += moved
        return moved


class Watch:
    """A transfer that is watched, in time that is counted and not waited for."""

    def __init__(
        self,
        rates: Callable[[Endpoint, int], float],
        *,
        size: int = 4096 * MIB,
        may_move: bool = True,
        connect_s: float = 0.02,
        alone: bool = False,
    ) -> None:
        self.now = 100.0
        self.ways = Ways()
        self.ways.lanes[A].contact.connect_s = connect_s
        self.givers = Givers(rates, self.ways, alone=alone)
        self.budget = Room()
        chain, lanes = cast("Chain", self.givers), cast("Lanes", self.ways)
        self.left = lambda: int(size - sum(self.givers.given.values()))
        self.pace = Pace(
            chain, lanes, cast("Budget", self.budget), lambda: self.left(), may_move=may_move, clock=lambda: self.now
        )

    def run(self, seconds: float) -> Watch:
        """Let so much time pass, and look ten times a second."""
        for _ in range(round(seconds / TICK_S)):
            self.pace.look()
            self.now += TICK_S
            self.givers.flow(TICK_S)
        return self

    @property
    def moves(self) -> list[tuple[Endpoint, int | None]]:
        return self.givers.moves


class TestAnotherEndpoint:
    def test_a_better_one_takes_over(self) -> None:
        """Some bodies try the next endpoint; it gives more than twice as much, and all follow, once and for good."""
        watch = Watch(lambda endpoint, _: 400_000 if endpoint == A else 5_000_000, size=10_000_000)
        watch.run(1.9)
        assert watch.moves == [(A, TRIAL_BODIES), (A, None)]
        assert watch.givers.left_slow == [A]
        assert len(watch.ways.decided) == 1
        watch.run(20)
        assert len(watch.moves) == 2

    def test_a_hopeless_one_is_left_at_once(self) -> None:
        """Where it would last longer than half a minute all bodies go on elsewhere, even for the trial."""
        watch = Watch(lambda endpoint, _: 3_000 if endpoint == A else 5_000_000).run(2)
        assert watch.moves[0] == (A, None)
        assert watch.givers.left_slow == [A]

    @pytest.mark.parametrize("other", [0.0, 300_000.0, 790_000.0], ids=["silent", "slower", "hardly better"])
    def test_one_that_is_not_better(self, other: float) -> None:
        """An endpoint that gives no more than twice as much is left again, and tried ever more rarely."""
        watch = Watch(lambda endpoint, _: 400_000 if endpoint == A else other, size=35_000_000)
        back = [watch.run(20).moves.count((B, None)) for _ in range(3)]
        assert 2 <= back[0] <= 3
        assert back[2] <= 5
        assert watch.givers.left_slow == []

    def test_one_that_does_not_answer(self) -> None:
        """An endpoint that could not be reached is tried again soon, then ever more rarely, until it can be."""
        watch = Watch(lambda endpoint, _: 3_000 if endpoint == A else 5_000_000)
        watch.givers.refuses = True
        tried = [len(watch.run(5).moves) for _ in range(4)]
        assert 3 <= tried[0] <= 4
        assert tried[3] <= 6
        watch.givers.refuses = False
        watch.run(20)
        assert watch.givers.left_slow == [A]

    @pytest.mark.parametrize(
        ("rate", "options"),
        [
            (CRAWL * 1.1, {}),
            (50_000_000, {}),
            (400_000, {"may_move": False}),
            (400_000, {"alone": True}),
            (400_000, {"size": int(400_000 * (LONG_S + 0.2))}),
        ],
        ids=["not slow", "fast", "digests unknown", "nobody else", "nearly over"],
    )
    def test_nobody_is_moved(self, rate: float, options: dict[str, bool | int]) -> None:
        """An endpoint is kept that is not slow, alone, nearly done, or whose bytes may not be mixed."""
        watch = Watch(lambda endpoint, _: rate, **options)  # type: ignore[arg-type]
        assert watch.run(15).moves == []

    def test_a_far_one_may_take_its_time_to_start(self) -> None:
        """Slowness that is no more than a cold connection's is not held against a far endpoint."""
        watch = Watch(lambda endpoint, _: 100_000 if watch.now < 100.55 else 8_000_000, connect_s=0.3)
        assert watch.run(10).moves == []

    def test_a_trial_that_is_over_before_the_next_look(self) -> None:
        """An endpoint that brings all it was given for the trial between two looks is seen to be better."""
        watch = Watch(lambda endpoint, _: 3_000 if endpoint == A else 5_000_000)
        while not watch.moves:
            watch.pace.look()
            watch.now += TICK_S
            watch.givers.flow(TICK_S)
        watch.givers.bodies = {A: 8, B: 0}  # B has brought its bodies; others had been begun at A meanwhile
        watch.run(1)
        assert watch.givers.left_slow == [A]

    def test_the_trial_ends_with_the_transfer(self) -> None:
        """When nobody gives anything any more, nothing is decided."""
        watch = Watch(lambda endpoint, _: 400_000, size=10_000_000)
        watch.run(0.6)
        watch.givers.bodies = {A: 0, B: 0}
        moves = len(watch.moves)
        assert len(watch.run(AGAIN_AFTER_S * 2).moves) == moves


class TestMoreLanes:
    def test_a_line_that_is_capped(self) -> None:
        """Where each connection is capped, lanes are doubled as long as they bring more, sixteen at most."""
        watch = Watch(lambda _, lanes: 2 * MIB * lanes, alone=True).run(20)
        assert watch.ways.counts[A] == MAX_LANES
        assert watch.ways.reasons[0] == "1 gave 2.10 MB/s"
        assert len(watch.ways.reasons) == 4

    def test_a_line_that_is_full(self) -> None:
        """Where more lanes bring nothing they are given up, and not tried again."""
        watch = Watch(lambda *_: 2 * MIB, alone=True).run(30)
        assert watch.ways.counts[A] == 1
        assert len(watch.ways.reasons) == 1

    def test_a_line_that_is_capped_together(self) -> None:
        """Lanes stay at the number that brought more last."""
        watch = Watch(lambda _, lanes: 2 * MIB * min(lanes, 4), alone=True).run(30)
        assert watch.ways.counts[A] == 4
        assert len(watch.ways.reasons) == 3

    @pytest.mark.parametrize("why", ["fast", "short", "HTTP/1.1"])
    def test_where_it_is_not_tried(self, why: str) -> None:
        """No lane is tried on a line that is fast, for what is over soon, or where a connection has no streams."""
        rate = 100 * MIB if why == "fast" else 2 * MIB
        watch = Watch(lambda *_: rate, alone=True, size=8 * MIB if why == "short" else 4096 * MIB)
        watch.ways.lanes[A].contact.multiplexes = why != "HTTP/1.1"
        watch.run(4)
        assert watch.ways.reasons == []

    def test_a_thin_line_is_not_split_further(self) -> None:
        """Where a lane gives less than 32 KiB/s it is the line that is thin: more lanes would only be in the way."""
        watch = Watch(lambda _, lanes: 24 * 1024 * lanes, alone=True, size=64 * MIB).run(30)
        assert watch.ways.reasons == []


class TestRoom:
    @pytest.mark.parametrize(
        ("rate", "connect_s", "room"),
        [
            (1 * MIB, 0.0, 8 * MIB),
            (30 * MIB, 0.0, 8 * MIB),
            (500 * MIB, 0.0, 125 * MIB),
            (1 * MIB, 0.6, 8 * MIB),
            (30 * MIB, 0.6, 18 * MIB),
        ],
        ids=["slow", "quick", "very fast", "slow and far", "quick and far"],
    )
    def test_room_for_what_is_on_its_way(self, rate: int, connect_s: float, room: int) -> None:
        """As much may be open as comes in a quarter of a second, or in two round trips, and not less than at first."""
        watch = Watch(lambda *_: rate, alone=True)
        watch.ways.lanes[A].contact.connect_s = connect_s
        watch.run(3)
        assert watch.budget.size == pytest.approx(room, rel=0.1)
        assert watch.ways.rate == pytest.approx(rate, rel=0.1)


def test_a_mistake_in_here(caplog: pytest.LogCaptureFixture) -> None:
    """What goes wrong in watching is told, and ends nothing but the watching."""

    def left() -> int:
        raise ZeroDivisionError

    watch = Watch(lambda *_: 400_000).run(TICK_S)
    watch.left, watch.now = left, watch.now + 1
    asyncio.run(asyncio.wait_for(watch.pace.watch(), 5))
    assert "at the pace it has" in caplog.text
    assert "ZeroDivisionError" in caplog.text
