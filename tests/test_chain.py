"""Whom a walk asks, in which order, and what a failure means: in virtual time, with plain functions as endpoints."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import pytest

from mirrorhub.chain import Chain
from mirrorhub.chain.beat import Beat
from mirrorhub.chain.verdicts import FINAL_WORDS, VERDICTS, Verdict, verdict
from mirrorhub.chain.walk import walk
from mirrorhub.config import Patience
from mirrorhub.errors import StoreError
from mirrorhub.faults import Failure, Fault, Hopeless
from mirrorhub.http.client import Answer
from mirrorhub.lane import common_failure
from mirrorhub.models import Endpoint

AGAIN, NEXT, OUT, NOBODY = Verdict.AGAIN, Verdict.NEXT, Verdict.OUT, Verdict.NOBODY

# What happened; what it means anywhere; what it means as the last official hub's word on what nobody vouches for.
TABLE = [
    (Fault.CONNECT_TIMEOUT, AGAIN, AGAIN),
    (Fault.READ_TIMEOUT, AGAIN, AGAIN),
    (Fault.REFUSED, AGAIN, AGAIN),
    (Fault.RESET, AGAIN, AGAIN),
    (Fault.PROTOCOL, AGAIN, AGAIN),
    (Fault.BUSY, AGAIN, AGAIN),
    (Fault.SERVER_ERROR, AGAIN, AGAIN),
    (Fault.SHORT_BODY, AGAIN, AGAIN),
    (Fault.MIXED, AGAIN, AGAIN),
    (Fault.CRAWLING, AGAIN, AGAIN),
    (Fault.DNS, OUT, OUT),
    (Fault.CERTIFICATE, OUT, OUT),
    (Fault.PROXY, NEXT, NEXT),
    (Fault.NOT_A_HUB, NEXT, NEXT),
    (Fault.ENCODED, NEXT, NEXT),
    (Fault.REDIRECT, NEXT, NEXT),
    (Fault.RANGE, NEXT, NEXT),
    (Fault.DENIED, NEXT, NOBODY),
    (Fault.NO_REPO, NEXT, NOBODY),
    (Fault.NO_REVISION, NEXT, NOBODY),
    (Fault.NO_FILE, NEXT, NOBODY),
    (Fault.WRONG_DIGEST, OUT, OUT),
    (Fault.LONG_BODY, OUT, OUT),
    (Fault.BAD_LISTING, OUT, OUT),
    (Fault.INSTALLER, OUT, OUT),
    (Fault.DISK, NOBODY, NOBODY),
]


@pytest.mark.parametrize(("fault", "anywhere", "at_last"), TABLE, ids=[fault.name for fault, _, _ in TABLE])
def test_the_table(fault: Fault, anywhere: Verdict, at_last: Verdict) -> None:
    """Each fault means one thing anywhere, and one thing as the last word."""
    assert verdict(fault, last_word=False) is anywhere
    assert verdict(fault, last_word=True) is at_last


def test_the_table_is_whole() -> None:
    """Every fault has a verdict, and every final word is a fault of the table."""
    assert set(VERDICTS) == set(Fault) == {fault for fault, _, _ in TABLE}
    assert {fault for fault, anywhere, at_last in TABLE if anywhere is not at_last} == FINAL_WORDS


STATUSES = [
    (401, Fault.DENIED),
    (403, Fault.DENIED),
    (404, Fault.NOT_A_HUB),
    (408, Fault.BUSY),
    (418, Fault.NOT_A_HUB),
    (425, Fault.BUSY),
    (429, Fault.BUSY),
    (500, Fault.SERVER_ERROR),
    (502, Fault.SERVER_ERROR),
    (503, Fault.SERVER_ERROR),
    (599, Fault.SERVER_ERROR),
]


@pytest.mark.parametrize(("status", "fault"), STATUSES)
def test_what_a_status_means(status: int, fault: Fault) -> None:
    """A status that no hub explains is named by what all servers mean by it."""
    assert common_failure(Answer(status, {}, b"", "https://a.test/")).fault is fault


@pytest.mark.parametrize("status", [429, 503])
def test_a_status_with_a_time(status: int) -> None:
    """Both a busy and a broken endpoint may say when to come back."""
    assert common_failure(Answer(status, {"retry-after": "7"}, b"", "https://a.test/")).retry_after_s == 7


class _Clockwork(selectors.SelectSelector):
    """Does not wait: moves the time on to when something happens."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen")
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which waiting takes no time."""

    def __init__(self) -> None:
        self.clockwork = _Clockwork()
        super().__init__(self.clockwork)

    def time(self) -> float:
        return self.clockwork.now


@dataclass(frozen=True)
class Says:
    """How an endpoint answers once: when it is connected, answers, and is done; None connects or answers never."""

    what: str | Failure = "ok"
    connect_s: float | None = 0.0
    answer_s: float | None = 0.0
    read_s: float = 0.0


SILENT = Says(connect_s=None)


def fails(fault: Fault, retry_after_s: float | None = None) -> Says:
    """An endpoint that fails at once."""
    return Says(Failure(fault, retry_after_s=retry_after_s))


class World:
    """Endpoints that answer by script; the last line of a script is repeated."""

    def __init__(
        self,
        scripts: Mapping[str, Sequence[Says]],
        *,
        official: Sequence[str] = (),
        silence_s: float = 30.0,
        patience: Patience | None = None,
    ) -> None:
        self.scripts = {name: list(script) for name, script in scripts.items()}
        self.endpoints = {name: Endpoint(f"https://{name}", official=name in official) for name in scripts}
        self.began = asyncio.get_running_loop().time()
        self.asked: list[tuple[float, str]] = []
        self.pauses: list[float] = []
        self.discarded: list[str] = []
        self.running = 0
        clock = asyncio.get_running_loop().time
        self.chain = Chain(self.endpoints.values(), patience or Patience(), silence_s, clock, self._pause)

    @property
    def now(self) -> float:
        """Seconds since the world began."""
        return round(asyncio.get_running_loop().time() - self.began, 3)

    @property
    def order(self) -> str:
        """Who was asked, in order."""
        return "".join(name for _, name in self.asked)

    async def ask(self, endpoint: Endpoint, beat: Beat) -> str:
        """Do what the script says."""
        name = endpoint.url.removeprefix("https://")
        self.asked.append((self.now, name))
        script = self.scripts[name]
        says = script.pop(0) if len(script) > 1 else script[0]
        self.running += 1
        try:
            await _wait(says.connect_s)
            beat.connected()
            await _wait(says.answer_s)
            if isinstance(says.what, Failure):
                raise says.what
            beat.answer()
            await asyncio.sleep(says.read_s)
            return f"{says.what} from {name}"
        finally:
            self.running -= 1

    async def use(self, endpoint: Endpoint, answer: str) -> str:
        """Take an answer as it is."""
        return answer

    async def discard(self, answer: str) -> None:
        """Note what is let go."""
        self.discarded.append(answer)

    async def walk(self, subject: str = "listing", **options: object) -> str:
        """Walk the chain."""
        given = {"ask": self.ask, "use": self.use, "discard": self.discard, **options}
        return await walk(self.chain, subject, **given)  # type: ignore[arg-type]

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(round(seconds, 3))
        await asyncio.sleep(seconds)


async def _wait(seconds: float | None) -> None:
    if seconds is None:
        await asyncio.Event().wait()
    else:
        await asyncio.sleep(seconds)


def virtually(main: Callable[[], Awaitable[None]]) -> None:
    """Run a story in virtual time; whatever it began must be over with it."""

    async def story() -> None:
        await main()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story())


def test_the_first_one_answers() -> None:
    """Nobody else is asked when the preferred endpoint answers."""

    async def story() -> None:
        world = World({"a": [Says()], "b": [Says()]})
        assert await world.walk() == "ok from a"
        assert (world.order, world.pauses) == ("a", [])

    virtually(story)


def test_each_in_its_turn() -> None:
    """Whoever fails is followed by the next, at once and without a pause."""

    async def story() -> None:
        world = World({"a": [fails(Fault.RESET)], "b": [fails(Fault.NOT_A_HUB)], "c": [Says()]})
        assert await world.walk() == "ok from c"
        assert world.asked == [(0, "a"), (0, "b"), (0, "c")]
        outcomes = [(attempt.endpoint, attempt.fault) for attempt in world.chain.attempts]
        assert outcomes == [("https://a", "RESET"), ("https://b", "NOT_A_HUB"), ("https://c", None)]

    virtually(story)


SILENCES = [
    (SILENT, 0.5),
    (Says(connect_s=0.1, answer_s=None), 1.1),
    # Four times what connecting took, where that is more than a second.
    (Says(connect_s=0.4, answer_s=None), 2.0),
]


@pytest.mark.parametrize(("silence", "patience_s"), SILENCES, ids=["no-connection", "no-answer", "slow-connection"])
def test_a_silent_one_is_overtaken(silence: Says, patience_s: float) -> None:
    """Beside a silent endpoint the next is started; the silent one goes on until somebody answers."""

    async def story() -> None:
        world = World({"a": [silence], "b": [Says()]})
        assert await world.walk() == "ok from b"
        assert world.asked == [(0, "a"), (patience_s, "b")]
        assert world.running == 0
        silent = [attempt for attempt in world.chain.attempts if attempt.fault]
        assert [(attempt.endpoint, attempt.fault) for attempt in silent] == [("https://a", "READ_TIMEOUT")]

    virtually(story)


def test_a_silent_one_that_wakes_first() -> None:
    """An overtaken endpoint that answers first after all is used."""

    async def story() -> None:
        world = World({"a": [Says(connect_s=0.6)], "b": [Says(connect_s=0.4)]})
        assert await world.walk() == "ok from a"
        assert world.order == "ab"

    virtually(story)


def test_one_that_answered_is_not_overtaken() -> None:
    """An answer that has begun may take its time."""

    async def story() -> None:
        world = World({"a": [Says(read_s=20)], "b": [Says()]})
        assert await world.walk() == "ok from a"
        assert world.order == "a"

    virtually(story)


def test_all_silent_ones_are_started() -> None:
    """Each further endpoint is started when all before it are silent."""

    async def story() -> None:
        world = World({"a": [SILENT], "b": [SILENT], "c": [Says(connect_s=0.2)]})
        assert await world.walk() == "ok from c"
        assert world.asked == [(0, "a"), (0.5, "b"), (1.0, "c")]

    virtually(story)


def test_silent_ones_come_last() -> None:
    """What one walk has learnt holds for the next: a silent endpoint costs its time once."""

    async def story() -> None:
        world = World({"a": [SILENT], "b": [Says()]})
        for _ in range(3):
            assert await world.walk() == "ok from b"
        assert world.order == "abbb"
        assert world.now == 0.5
        assert repr(world.chain) == "<Chain https://a (demoted) > https://b>"

    virtually(story)


def test_a_byte_ends_the_silence() -> None:
    """An endpoint that has given a byte since is preferred again."""

    async def story() -> None:
        world = World({"a": [SILENT, Says()], "b": [Says()]})
        await world.walk()
        world.chain.heard(world.endpoints["a"], 1)
        assert await world.walk() == "ok from a"

    virtually(story)


def test_called_off_while_the_others_are_dismissed() -> None:
    """An answer that has won is let go of, too, where the call is over before the silent ones are."""

    async def story() -> None:
        world = World({"a": [SILENT], "b": [Says()]})

        async def ask(endpoint: Endpoint, beat: Beat) -> str:
            try:
                return await world.ask(endpoint, beat)
            finally:
                if endpoint.url == "https://a":
                    await asyncio.sleep(1.0)

        walk = asyncio.ensure_future(world.walk(ask=ask))
        await asyncio.sleep(1.0)
        walk.cancel()
        with pytest.raises(asyncio.CancelledError):
            await walk
        assert world.discarded == ["ok from b"]
        assert world.now == 1.5

    virtually(story)


def test_two_answers_at_once() -> None:
    """Of two answers at the same moment the preferred endpoint's is used, and the other one is let go."""

    async def story() -> None:
        world = World({"a": [SILENT], "b": [SILENT]})
        gate = asyncio.Event()
        asyncio.get_running_loop().call_later(2.0, gate.set)

        async def ask(endpoint: Endpoint, beat: Beat) -> str:
            await gate.wait()
            beat.answer()
            return endpoint.url

        assert await world.walk(ask=ask) == "https://a"
        assert sorted(world.discarded) == ["https://a", "https://b"]

    virtually(story)


def test_a_late_answer() -> None:
    """What an endpoint brings after it was called off is let go, not leaked."""

    async def story() -> None:
        world = World({"a": [SILENT], "b": [Says()]})

        async def stubborn(endpoint: Endpoint, beat: Beat) -> str:
            if endpoint.url == "https://b":
                return await world.ask(endpoint, beat)
            try:
                return await world.ask(endpoint, beat)
            except asyncio.CancelledError:
                return "late from a"

        assert await world.walk(ask=stubborn) == "ok from b"
        assert sorted(world.discarded) == ["late from a", "ok from b"]

    virtually(story)


def test_laps_and_pauses() -> None:
    """The whole chain is walked before anybody sleeps, and each pause is twice the one before."""

    async def story() -> None:
        world = World({"a": [fails(Fault.RESET)], "b": [fails(Fault.SERVER_ERROR)]})
        with pytest.raises(Hopeless) as caught:
            await world.walk()
        assert world.order == "ab" * 6
        assert world.pauses == [0.5, 1, 2, 4, 8]
        told = [(endpoint.url, failure.fault) for endpoint, failure in caught.value.failures]
        assert told == [("https://a", Fault.RESET), ("https://b", Fault.SERVER_ERROR)] * 6

    virtually(story)


def test_the_longest_pause() -> None:
    """Pauses grow up to a limit."""

    async def story() -> None:
        patience = Patience(pause_s=1, pause_limit_s=3, laps=5)
        world = World({"a": [fails(Fault.RESET)]}, patience=patience)
        with pytest.raises(Hopeless):
            await world.walk()
        assert world.pauses == [1, 2, 3, 3]

    virtually(story)


def test_silence_of_all() -> None:
    """A call ends before a pause that would make the silence longer than allowed."""

    async def story() -> None:
        world = World({"a": [fails(Fault.REFUSED)]}, silence_s=3)
        with pytest.raises(Hopeless):
            await world.walk()
        assert world.pauses == [0.5, 1]

    virtually(story)


def test_a_later_lap_is_answered() -> None:
    """An endpoint whose failure passes is asked again in the next lap."""

    async def story() -> None:
        world = World({"a": [fails(Fault.RESET), Says()], "b": [fails(Fault.RESET)]})
        assert await world.walk() == "ok from a"
        assert (world.order, world.pauses) == ("aba", [0.5])

    virtually(story)


def test_given_laps() -> None:
    """A walk that is told to walk once walks once."""

    async def story() -> None:
        world = World({"a": [fails(Fault.RESET)], "b": [fails(Fault.RESET)]})
        with pytest.raises(Hopeless):
            await world.walk(laps=1)
        assert (world.order, world.pauses) == ("ab", [])

    virtually(story)


def test_retry_after_wins() -> None:
    """An endpoint that names its time is not asked before, however short the pause would be."""

    async def story() -> None:
        world = World({"a": [fails(Fault.BUSY, 12.0), Says()]})
        assert await world.walk() == "ok from a"
        assert world.asked == [(0, "a"), (12, "a")]

    virtually(story)


def test_retry_after_parks_one() -> None:
    """While one endpoint is parked the others go on, in this walk and in others of the call."""

    async def story() -> None:
        world = World({"a": [fails(Fault.BUSY, 1.2), Says()], "b": [fails(Fault.RESET)]})
        assert await world.walk() == "ok from a"
        assert world.asked == [(0, "a"), (0, "b"), (0.5, "b"), (1.5, "a")]

    virtually(story)


def test_retry_after_outlasts_the_laps() -> None:
    """An endpoint that asked for time is waited for, however often the others have failed meanwhile."""

    async def story() -> None:
        world = World({"a": [fails(Fault.BUSY, 20), Says()], "b": [fails(Fault.RESET)]})
        assert await world.walk() == "ok from a"
        assert [name for _, name in world.asked if name == "a"] == ["a", "a"]
        assert world.now == pytest.approx(23.5)

    virtually(story)


def test_retry_after_for_ever() -> None:
    """An endpoint that asks for time again and again is asked no more often than any other."""

    async def story() -> None:
        world = World({"a": [fails(Fault.BUSY, 2)], "b": [fails(Fault.BUSY, 3)]}, patience=Patience(laps=4))
        with pytest.raises(Hopeless):
            await world.walk()
        assert len(world.asked) <= 2 * 4 * 2

    virtually(story)


def test_retry_after_beyond_patience() -> None:
    """A time that lies beyond the allowed silence ends the walk now, not after it."""

    async def story() -> None:
        world = World({"a": [fails(Fault.BUSY, 3600)]})
        with pytest.raises(Hopeless):
            await world.walk()
        assert (world.asked, world.pauses) == ([(0, "a")], [])

    virtually(story)


@pytest.mark.parametrize(
    ("fault", "second_walk"),
    [(Fault.NO_FILE, "ab"), (Fault.NOT_A_HUB, "b"), (Fault.DNS, "b")],
    ids=["next", "demoted", "out"],
)
def test_out_for_the_call(fault: Fault, second_walk: str) -> None:
    """`next` holds for one walk, `out` for all walks of the call; what is no answer at all puts an endpoint last."""

    async def story() -> None:
        world = World({"a": [fails(fault)], "b": [fails(Fault.RESET), Says()]})
        assert await world.walk() == "ok from b"
        assert world.order == "abb"
        world.asked.clear()
        await world.walk()
        assert world.order == second_walk

    virtually(story)


def test_nobody_is_left() -> None:
    """When all are given up there is no further lap and no pause."""

    async def story() -> None:
        world = World({"a": [fails(Fault.DNS)], "b": [fails(Fault.NOT_A_HUB)]})
        with pytest.raises(Hopeless):
            await world.walk()
        assert (world.order, world.pauses) == ("ab", [])

    virtually(story)


def test_no_endpoint_at_all() -> None:
    """A walk along nobody ends at once, and says that nothing went wrong anywhere."""

    async def story() -> None:
        with pytest.raises(Hopeless) as caught:
            await World({"a": [Says()]}).walk(endpoints=())
        assert caught.value.failures == ()

    virtually(story)


@pytest.mark.parametrize("fault", sorted(FINAL_WORDS, key=str), ids=lambda fault: fault.name)
def test_the_last_official_hub_has_the_last_word(fault: Fault) -> None:
    """When the only official hub says no, no mirror is asked; where the content is vouched for, all are."""

    async def story() -> None:
        world = World({"a": [fails(fault)], "b": [Says()]}, official="a")
        with pytest.raises(Hopeless):
            await world.walk()
        assert world.order == "a"
        assert await world.walk(vouched=True) == "ok from b"

    virtually(story)


def test_a_mirror_has_not_the_last_word() -> None:
    """A mirror that says no is followed by the hub itself."""

    async def story() -> None:
        world = World({"a": [fails(Fault.NO_REPO)], "b": [Says()]}, official="b")
        assert await world.walk() == "ok from b"

    virtually(story)


def test_the_first_of_two_official_hubs_says_no() -> None:
    """Where one official hub has no such repository, the next one is asked; with both saying no it is over."""

    async def story() -> None:
        found = World({"a": [fails(Fault.NO_REPO)], "b": [Says()], "c": [Says()]}, official="ab")
        assert await found.walk() == "ok from b"
        missing = World({"a": [fails(Fault.NO_REPO)], "b": [fails(Fault.NO_REPO)], "c": [Says()]}, official="ab")
        with pytest.raises(Hopeless):
            await missing.walk()
        assert missing.order == "ab"

    virtually(story)


def test_the_first_of_two_official_hubs_is_slow() -> None:
    """The second official hub's no is not the last word while the first has not spoken: its yes counts."""

    async def story() -> None:
        world = World({"a": [Says(connect_s=0.8)], "b": [fails(Fault.NO_REPO)]}, official="ab")
        assert await world.walk() == "ok from a"

    virtually(story)


def test_the_first_of_two_official_hubs_is_broken() -> None:
    """The second official hub's no is not the last word while the first one merely failed: it is asked again."""

    async def story() -> None:
        world = World({"a": [fails(Fault.RESET), Says()], "b": [fails(Fault.NO_REPO)]}, official="ab")
        assert await world.walk() == "ok from a"

    virtually(story)


def test_laps_that_gain_are_not_in_vain() -> None:
    """A line that breaks after every few bytes still finishes: only laps that bring nothing are counted."""

    async def story() -> None:
        world = World({"a": [Says()]})
        bytes_here = 0

        async def use(endpoint: Endpoint, answer: str) -> str:
            nonlocal bytes_here
            bytes_here += 1
            world.chain.heard(endpoint, 1)
            if bytes_here < 40:
                raise Failure(Fault.SHORT_BODY)
            return answer

        assert await world.walk("model.bin", use=use, gained=lambda: bytes_here) == "ok from a"
        assert world.pauses == [0.5] * 39

    virtually(story)


def test_laps_that_gain_nothing_more() -> None:
    """After the last gain the laps are counted from one again, and the pauses grow again."""

    async def story() -> None:
        world = World({"a": [Says()]})
        gains = iter([5, 5, 5, 9])
        best = 0

        async def use(endpoint: Endpoint, answer: str) -> str:
            nonlocal best
            best = max(best, next(gains, 9))
            world.chain.heard(endpoint, 1)
            raise Failure(Fault.SHORT_BODY)

        with pytest.raises(Hopeless):
            await world.walk("model.bin", use=use, gained=lambda: best)
        assert world.pauses == [0.5, 0.5, 1, 0.5, 0.5, 1, 2, 4, 8]

    virtually(story)


def test_an_answer_that_cannot_be_used() -> None:
    """A failure in using an answer counts like one in asking: the next endpoint is asked, the answer is let go."""

    async def story() -> None:
        world = World({"a": [Says("bad")], "b": [Says()]})

        async def use(endpoint: Endpoint, answer: str) -> str:
            if answer.startswith("bad"):
                raise Failure(Fault.WRONG_DIGEST)
            return answer

        assert await world.walk(use=use) == "ok from b"
        assert world.discarded == ["bad from a", "ok from b"]
        assert not world.chain.alternatives(world.endpoints["b"])

    virtually(story)


def test_a_disk_that_refuses() -> None:
    """What is no endpoint's fault ends the walk as it is; nobody else is asked."""

    async def story() -> None:
        world = World({"a": [Says()], "b": [Says()]})

        async def use(endpoint: Endpoint, answer: str) -> str:
            raise StoreError("full")

        with pytest.raises(StoreError):
            await world.walk(use=use)
        assert (world.order, world.discarded) == ("a", ["ok from a"])

    virtually(story)


def test_a_mistake_in_asking() -> None:
    """An exception that is no failure of an endpoint is not swallowed, and whoever runs beside is called off."""

    async def story() -> None:
        world = World({"a": [SILENT], "b": [Says()]})

        async def ask(endpoint: Endpoint, beat: Beat) -> str:
            if endpoint.url == "https://b":
                raise ZeroDivisionError
            return await world.ask(endpoint, beat)

        with pytest.raises(ZeroDivisionError):
            await world.walk(ask=ask)
        assert world.running == 0

    virtually(story)


@pytest.mark.parametrize("at_s", [0.2, 0.7], ids=["one-runs", "two-run"])
def test_a_walk_is_cancelled(at_s: float) -> None:
    """Cancelling a walk cancels everybody who was asked."""

    async def story() -> None:
        world = World({"a": [SILENT], "b": [SILENT]})
        task = asyncio.create_task(world.walk())
        await asyncio.sleep(at_s)
        assert world.running == (1 if at_s < 0.5 else 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert world.running == 0

    virtually(story)


def test_a_pause_is_cancelled() -> None:
    """A walk that pauses can be cancelled, too."""

    async def story() -> None:
        world = World({"a": [fails(Fault.RESET)]})
        task = asyncio.create_task(world.walk())
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert world.order == "a"

    virtually(story)


def test_a_conviction_by_name() -> None:
    """Whoever a journal convicts is out for the call, and stands among the attempts."""

    async def story() -> None:
        world = World({"a": [Says()], "b": [Says()]})
        world.chain.convict("https://a", "model.bin", "gave wrong bytes")
        world.chain.convict("https://nobody", "model.bin", "gave wrong bytes")
        assert await world.walk() == "ok from b"
        assert [(attempt.endpoint, attempt.fault) for attempt in world.chain.attempts] == [
            ("https://a", "WRONG_DIGEST"),
            ("https://b", None),
        ]

    virtually(story)


def test_another_order_for_bytes() -> None:
    """Who is asked for bytes may have another order than who is asked for a listing; nobody is left out."""

    async def story() -> None:
        world = World({"a": [Says()], "b": [Says()], "c": [Says()]})
        chain, (a, b, c) = world.chain, world.endpoints.values()
        chain.pull_in_order([c, a, b])
        assert (chain.preferred("pull"), chain.preferred("resolve")) == ([c], [a])
        assert (chain.pullers, chain.endpoints) == ((c, a, b), (a, b, c))
        assert await world.walk("model.bin", endpoints=chain.pullers) == "ok from c"
        assert await world.walk() == "ok from a"

    virtually(story)


def test_one_that_is_spared() -> None:
    """One that is spared is not tried only because another one is slow, until it is heard; at need it is asked."""

    async def story() -> None:
        world = World({"a": [Says(), fails(Fault.RESET)], "b": [Says()]})
        chain, (a, b) = world.chain, world.endpoints.values()
        chain.spare(b, 60.0)
        assert chain.next_after(a) is None
        await asyncio.sleep(60)
        assert chain.next_after(a) == b
        chain.spare(b, 60.0)
        chain.avoid(b)
        assert await world.walk() == "ok from a"
        assert await world.walk() == "ok from b"
        chain.heard(b, 1)
        assert (chain.next_after(a), chain.is_avoided(b)) == (b, False)

    virtually(story)


def test_many_walks_at_once() -> None:
    """A dead endpoint costs a call of fifty files one time-out, not fifty."""

    async def story() -> None:
        world = World({"a": [SILENT], "b": [Says()]})
        await asyncio.gather(*(world.walk(f"{number}.bin") for number in range(50)))
        assert world.now == 0.5
        await asyncio.gather(*(world.walk(f"more-{number}.bin") for number in range(50)))
        assert world.now == 0.5

    virtually(story)


def test_bodies_that_go_on_elsewhere() -> None:
    """A body that is told to go on elsewhere does so once, even if it takes its time, and keeps what it has."""

    async def story() -> None:
        world = World({"a": [Says()], "b": [Says()]})
        a, b = world.endpoints.values()
        kept: list[Endpoint] = []

        async def use(endpoint: Endpoint, answer: str) -> str:
            try:
                await asyncio.sleep(5 if endpoint == a else 0)
            except asyncio.CancelledError:
                await asyncio.sleep(1)  # what has come is brought to disk
                kept.append(endpoint)
                raise
            return answer

        walks = [asyncio.create_task(walk(world.chain, "model.bin", world.ask, use)) for _ in range(3)]
        await asyncio.sleep(0.1)
        assert world.chain.busiest() == a
        assert world.chain.move(a, 1, "is slow") == 1
        await asyncio.sleep(0.1)
        assert world.chain.gives(a) == 2
        assert world.chain.move(a, None, "is slow") == 2
        assert world.chain.move(a, None, "is slow") == 0
        assert await asyncio.gather(*walks) == ["ok from b"] * 3
        assert kept == [a] * 3
        assert (world.chain.gives(a), world.chain.gives(b), world.chain.busiest()) == (0, 0, None)
        assert [attempt.fault for attempt in world.chain.attempts] == ["CRAWLING", None] + ["CRAWLING"] * 2 + [None] * 2

    virtually(story)


def test_silent_is_not_slow() -> None:
    """An endpoint whose connection never stood is nobody's measure, and is left for being silent: it did not crawl."""

    async def story() -> None:
        world = World({"a": [SILENT], "b": [Says(connect_s=0.1)]})
        a, b = world.endpoints.values()
        asked = asyncio.create_task(world.walk("model.bin"))
        await asyncio.sleep(0.2)
        assert (world.chain.gives(a), world.chain.busiest()) == (0, None)
        world.chain.move(a, None, "does not give more")
        assert await asked == "ok from b"
        assert [(attempt.endpoint[-1], attempt.fault) for attempt in world.chain.attempts] == [
            ("a", "READ_TIMEOUT"),
            ("b", None),
        ]
        assert world.chain.preferred("pull") == [b]

    virtually(story)


def test_a_name_that_is_not_found_late() -> None:
    """An endpoint that fails late, before it is connected to, is left for what it failed of, and asked no more."""

    async def story() -> None:
        world = World({"a": [Says(Failure(Fault.DNS), connect_s=0.4)], "b": [Says()]})
        asked = asyncio.create_task(world.walk("model.bin"))
        await asyncio.sleep(0.3)
        assert world.chain.busiest() is None
        assert await asked == "ok from b"
        assert [attempt.fault for attempt in world.chain.attempts] == ["DNS", None]
        assert world.chain.is_out(world.endpoints["a"])

    virtually(story)


# How long the slow one needs still, what the other one does, who gives the result, when, and who has failed.
OVERTAKING = {
    "at once": (9.0, [Says()], "b", 0.1, {"a": "CRAWLING"}),
    "later": (9.0, [Says(connect_s=1.0)], "b", 1.1, {"a": "CRAWLING"}),
    "too late": (0.5, [Says(connect_s=1.0)], "a", 0.6, {}),
    "silent": (9.0, [SILENT], "a", 9.1, {}),
    "broken": (9.0, [fails(Fault.RESET)], "a", 9.1, {"b": "RESET"}),
    "out": (9.0, [fails(Fault.DNS)], "a", 9.1, {"b": "DNS"}),
}


@pytest.mark.parametrize(("left_s", "script", "giver", "at_s", "failed"), OVERTAKING.values(), ids=OVERTAKING)
def test_a_slow_one_goes_on_until_another_answers(
    left_s: float, script: list[Says], giver: str, at_s: float, failed: dict[str, str]
) -> None:
    """A slow endpoint is left when another one has answered, and counts if it is through before that."""

    async def story() -> None:
        world = World({"a": [Says()], "b": script})
        a = world.endpoints["a"]

        async def use(endpoint: Endpoint, answer: str) -> str:
            await asyncio.sleep(0.1 + left_s if endpoint == a else 0)
            return answer

        walk = asyncio.create_task(world.walk("model.bin", use=use))
        await asyncio.sleep(0.1)
        world.chain.move(a, None, "is slow")
        assert await walk == f"ok from {giver}"
        assert world.now == pytest.approx(at_s)
        told = {attempt.endpoint[-1]: attempt.fault for attempt in world.chain.attempts if attempt.fault}
        assert told == failed
        assert world.running == 0

    virtually(story)


def test_overtaken_while_it_breaks() -> None:
    """When a slow endpoint breaks off while another one is asked, that one's answer is used: it is asked once."""

    async def story() -> None:
        world = World({"a": [Says()], "b": [Says(connect_s=0.3)]})
        a = world.endpoints["a"]

        async def use(endpoint: Endpoint, answer: str) -> str:
            if endpoint == a:
                await asyncio.sleep(0.2)
                raise Failure(Fault.WRONG_DIGEST)
            return answer

        walk = asyncio.create_task(world.walk("model.bin", use=use))
        await asyncio.sleep(0.1)
        world.chain.move(a, None, "is slow")
        assert await walk == "ok from b"
        assert [attempt.fault for attempt in world.chain.attempts] == ["WRONG_DIGEST", None]
        assert (world.order, world.discarded) == ("ab", ["ok from a", "ok from b"])

    virtually(story)


@pytest.mark.parametrize("steps", range(1, 40))
def test_called_off_at_any_step(steps: int) -> None:
    """Whenever a walk is called off while it is overtaken, every answer that was opened is let go of, once."""

    async def story() -> None:
        world = World({"a": [Says()], "b": [Says()]})
        a = world.endpoints["a"]
        opened: list[str] = []

        async def ask(endpoint: Endpoint, beat: Beat) -> str:
            await asyncio.sleep(0)
            opened.append(answer := await world.ask(endpoint, beat))
            return answer

        async def use(endpoint: Endpoint, answer: str) -> str:
            if endpoint == a:
                world.chain.move(a, None, "is slow")
                for _ in range(6):
                    await asyncio.sleep(0)
                raise Failure(Fault.RESET)
            await asyncio.sleep(1)
            return answer

        task = asyncio.create_task(world.walk("model.bin", ask=ask, use=use))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert sorted(world.discarded) == sorted(opened)

    virtually(story)


@pytest.mark.parametrize("at_s", [0.15, 0.35, 0.6])
def test_called_off_while_it_is_overtaken(at_s: float) -> None:
    """A walk that is called off at any moment lets go of both answers."""

    async def story() -> None:
        world = World({"a": [Says()], "b": [Says(connect_s=0.3)]})
        a = world.endpoints["a"]

        async def use(endpoint: Endpoint, answer: str) -> str:
            await asyncio.sleep(60)
            return answer

        walk = asyncio.create_task(world.walk("model.bin", use=use))
        await asyncio.sleep(0.1)
        world.chain.move(a, None, "is slow")
        await asyncio.sleep(at_s - 0.1)
        walk.cancel()
        with pytest.raises(asyncio.CancelledError):
            await walk
        assert world.running == 0
        assert world.discarded == (["ok from a"] if at_s < 0.4 else ["ok from a", "ok from b"])

    virtually(story)


def test_out_while_others_wait() -> None:
    """An endpoint that one walk has found to be out is not started beside a silent one by another."""

    async def story() -> None:
        world = World({"a": [SILENT], "b": [fails(Fault.CERTIFICATE), Says()], "c": [Says()]})
        b = world.endpoints["b"]
        waiting = asyncio.create_task(world.walk("one.bin"))
        with pytest.raises(Hopeless):
            await world.walk("two.bin", endpoints=[b])
        assert await waiting == "ok from c"
        assert world.order == "bac"

    virtually(story)


def test_an_own_time_out_is_none_of_the_chain() -> None:
    """A time-out that is raised while bytes are taken in is not taken for the word to go on elsewhere."""

    async def story() -> None:
        world = World({"a": [Says()]})

        async def use(endpoint: Endpoint, answer: str) -> str:
            raise TimeoutError(answer)

        with pytest.raises(TimeoutError, match="ok from a"):
            await walk(world.chain, "model.bin", world.ask, use)

    virtually(story)
