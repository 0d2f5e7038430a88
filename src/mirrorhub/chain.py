"""The order in which endpoints are asked, and what a failure means. Retry and fallback live here and nowhere else.

A walk asks for one thing: a listing, or a file. Endpoints are asked in order; beside a silent one the next is started,
and whoever answers first is used. A failure answers two questions, "again here?" and "the next one?", from one table.
The whole chain is walked before anybody sleeps. What is learnt of an endpoint in one walk holds for all walks of the
call: a dead mirror costs one time-out, not one per file.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Generic, TypeVar

from mirrorhub.config import Patience
from mirrorhub.errors import MirrorHubError
from mirrorhub.faults import Failure, Fault
from mirrorhub.models import Attempt, Capability, Endpoint
from mirrorhub.report.logbook import Logbook
from mirrorhub.stopwatch import uninterrupted

if TYPE_CHECKING:
    from tenacity import RetryCallState

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")
Result = TypeVar("Result")


class Verdict(Enum):
    """What a failure at one endpoint means for the walk."""

    AGAIN = "again here, after the others had their turn"
    NEXT = "not here again, the next one"
    OUT = "the next one, and this one is out for the call"
    NOBODY = "no endpoint can mend it"


VERDICTS: dict[Fault, Verdict] = {
    Fault.CONNECT_TIMEOUT: Verdict.AGAIN,
    Fault.READ_TIMEOUT: Verdict.AGAIN,
    Fault.REFUSED: Verdict.AGAIN,
    Fault.RESET: Verdict.AGAIN,
    Fault.PROTOCOL: Verdict.AGAIN,
    Fault.SHORT_BODY: Verdict.AGAIN,
    Fault.ENCODED: Verdict.NEXT,
    Fault.BUSY: Verdict.AGAIN,
    Fault.SERVER_ERROR: Verdict.AGAIN,
    Fault.DNS: Verdict.OUT,
    Fault.CERTIFICATE: Verdict.OUT,
    Fault.PROXY: Verdict.NEXT,
    Fault.NOT_A_HUB: Verdict.NEXT,
    Fault.BAD_LISTING: Verdict.OUT,
    Fault.DENIED: Verdict.NEXT,
    Fault.NO_REPO: Verdict.NEXT,
    Fault.NO_REVISION: Verdict.NEXT,
    Fault.NO_FILE: Verdict.NEXT,
    Fault.RANGE: Verdict.NEXT,
    Fault.REDIRECT: Verdict.NEXT,
    Fault.LONG_BODY: Verdict.OUT,
    Fault.WRONG_DIGEST: Verdict.OUT,
    Fault.MIXED: Verdict.AGAIN,
    Fault.INSTALLER: Verdict.OUT,
    Fault.CRAWLING: Verdict.AGAIN,
    Fault.DISK: Verdict.NOBODY,
}

DEMOTING = frozenset(
    {
        Fault.CONNECT_TIMEOUT,
        Fault.READ_TIMEOUT,
        Fault.REFUSED,
        Fault.RESET,
        Fault.PROXY,
        Fault.SERVER_ERROR,
        Fault.NOT_A_HUB,
    }
)
"""After these an endpoint is asked after the others, until a byte has come from it."""

UNREADABLE = ValueError | LookupError | TypeError | AttributeError | OverflowError | RecursionError
"""What reading a hostile answer ends in where no rule foresaw it."""

FINAL_WORDS = frozenset({Fault.NO_REPO, Fault.NO_REVISION, Fault.NO_FILE, Fault.DENIED})
"""What only the hub itself can say for good."""


def verdict(fault: Fault, *, last_word: bool) -> Verdict:
    """Say what a fault means.

    Args:
        fault: What happened.
        last_word: It was said by the last official hub of the chain, about content that nobody else vouches for.
    """
    if last_word and fault in FINAL_WORDS:
        return Verdict.NOBODY
    return VERDICTS[fault]


class Hopeless(Exception):  # noqa: N818 - the caller knows what was walked for, and names the error
    """No endpoint gave what a walk asked for.

    Attributes:
        failures: The failures of this walk, in order of time.
    """

    def __init__(self, failures: Sequence[tuple[Endpoint, Failure]]) -> None:
        super().__init__()
        self.failures = tuple(failures)


class Beat:
    """Signs of life of one request, told by whoever sends it: connected, then answered."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.started_at = clock()
        self.connected_at: float | None = None
        self.answered = False

    @property
    def connect_s(self) -> float:
        """How long it took until the connection was there; 0.0 while it is not."""
        return 0.0 if self.connected_at is None else self.connected_at - self.started_at

    def connected(self) -> None:
        """The connection that carries the request is there."""
        if self.connected_at is None:
            self.connected_at = self._clock()

    def answer(self) -> None:
        """The answer has begun: from here on the endpoint is not silent."""
        self.connected()
        self.answered = True


@dataclass(slots=True)
class Standing:
    """What a call has learnt of an endpoint.

    Attributes:
        connect_s: How long connecting took.
        heard_at: When a byte last came.
        received: Bytes of files that have come.
        demoted: It is asked after the others.
        slow: It is asked last: another one gives more than twice as much.
        bodies: What it is asked for and giving now, and how to make each go on elsewhere.
        out: It is asked no more.
        parked_until: It asked not to be asked before.
        unwanted_until: It is not tried before, only because another one is slow.
    """

    connect_s: float = 0.0
    heard_at: float = float("-inf")
    received: int = 0
    demoted: bool = False
    slow: bool = False
    bodies: dict[asyncio.Timeout, Callable[[], None]] = field(default_factory=dict)
    out: bool = False
    parked_until: float = float("-inf")
    unwanted_until: float = float("-inf")


@dataclass(slots=True)
class Walk(Generic[Answer, Result]):
    """One thing that is asked for.

    Attributes:
        subject: `listing` or a file's path.
        endpoints: Who may be asked, in order.
        ask: Opens the answer at an endpoint.
        use: Takes the answer in; a failure here counts like one of `ask`.
        discard: Lets go of an answer that came too late.
        gained: How much has come of it, in bytes; more than before means that a lap was not in vain.
        vouched: The content is known by digest: no hub has the last word on whether it exists.
        told: Success is written down, too.
        given_up: Endpoints that are not asked again for this.
        failures: What went wrong so far.
        overtaker: Who has answered while another one was giving, too slowly, and its answer.
        fruitless: Laps in vain since something came.
    """

    subject: str
    endpoints: tuple[Endpoint, ...]
    ask: Callable[[Endpoint, Beat], Awaitable[Answer]]
    use: Callable[[Endpoint, Answer], Awaitable[Result]]
    discard: Callable[[Answer], Awaitable[None]]
    gained: Callable[[], int]
    vouched: bool
    told: bool
    given_up: set[Endpoint] = field(default_factory=set)
    failures: list[tuple[Endpoint, Failure]] = field(default_factory=list)
    overtaker: tuple[Endpoint, Answer] | None = None
    fruitless: int = 0


class Chain:
    """The endpoints of one call, in order, and what the call has learnt of them.

    Attributes:
        endpoints: In order of preference.
        attempts: Everything that was tried, in order of time.
        logbook: What the call has met, added up.
    """

    def __init__(
        self,
        endpoints: Iterable[Endpoint],
        patience: Patience,
        silence_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.endpoints = tuple(endpoints)
        self.attempts: list[Attempt] = []
        self.logbook = Logbook(clock)
        self.patience = patience
        self.silence_s = silence_s
        self._clock = clock
        self._sleep = sleep
        self._standing = {endpoint: Standing() for endpoint in self.endpoints}
        self._to_pull = self.endpoints
        self._heard_at = clock()

    def __repr__(self) -> str:
        words = [f"{endpoint}{self._mark(standing)}" for endpoint, standing in self._standing.items()]
        return f"<Chain {' > '.join(words)}>"

    def heard(self, endpoint: Endpoint, count: int) -> None:
        """An answer has begun at this endpoint, or so many bytes of one have come."""
        standing = self._standing[endpoint]
        self._heard_at = standing.heard_at = self._clock()
        standing.received += count
        self.welcome(endpoint)

    def convict(self, name: str, subject: str, message: str) -> list[Endpoint]:
        """An endpoint, by its name in a journal, gave wrong bytes: it is out for this call; return who that is."""
        convicted = [endpoint for endpoint in self.endpoints if str(endpoint) == name]
        for endpoint in convicted:
            self._standing[endpoint].out = True
            self._record(endpoint, subject, message, Fault.WRONG_DIGEST, self._clock())
        return convicted

    def avoid(self, endpoint: Endpoint) -> None:
        """Ask an endpoint after the others, until a byte has come from it."""
        self._standing[endpoint].demoted = True

    def spare(self, endpoint: Endpoint, seconds: float) -> None:
        """Do not try an endpoint only because another one is slow, for so long or until a byte has come from it."""
        self._standing[endpoint].unwanted_until = self._clock() + seconds

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

    def next_after(self, endpoint: Endpoint) -> Endpoint | None:
        """Return who would be asked for bytes if this endpoint were not there; None where nobody would."""
        others = (one for one in self._usable("pull") if one != endpoint and self._is_wanted(one))
        return next(others, None)

    def busiest(self) -> Endpoint | None:
        """Return who is asked for or giving most bodies; None while nobody is."""
        endpoint = max(self.endpoints, key=self.gives, default=None)
        return endpoint if endpoint is not None and self.gives(endpoint) else None

    def gives(self, endpoint: Endpoint) -> int:
        """Return how many bodies an endpoint is asked for or giving."""
        return len(self._standing[endpoint].bodies)

    def slow(self, endpoint: Endpoint) -> None:
        """Ask an endpoint only where no other gives what is wanted."""
        self._standing[endpoint].slow = True

    def move(self, endpoint: Endpoint, count: int | None, why: str) -> int:
        """Let bodies that an endpoint is giving go on elsewhere, all or so many; return how many.

        Each goes on as soon as another endpoint has answered; one that is through before that was not too slow.
        """
        standing = self._standing[endpoint]
        # Told once: they stay where they are until it has come to that.
        leaving = [standing.bodies.pop(body) for body in list(standing.bodies)[-count if count else None :]]
        for leave in leaving:
            leave()
        log.info("%s %s: %d bodies go on elsewhere", endpoint, why, len(leaving))
        return len(leaving)

    def preferred(self, capability: Capability) -> list[Endpoint]:
        """Return the endpoint that would be asked first, as things stand; none where there is none."""
        return self._usable(capability)[:1]

    def _usable(self, capability: Capability) -> list[Endpoint]:
        those = self.pullers if capability == "pull" else [one for one in self.endpoints if capability in one.can]
        usable = [one for one in those if not self._standing[one].out]
        return sorted(usable, key=self._rank)

    def _is_wanted(self, endpoint: Endpoint) -> bool:
        standing = self._standing[endpoint]
        return not standing.slow and standing.unwanted_until <= self._clock()

    def _rank(self, endpoint: Endpoint) -> tuple[bool, bool]:
        standing = self._standing[endpoint]
        return standing.slow, standing.demoted

    def alternatives(self, endpoint: Endpoint) -> bool:
        """Whether somebody else could still be asked."""
        return any(other != endpoint and not standing.out for other, standing in self._standing.items())

    async def walk(
        self,
        subject: str,
        ask: Callable[[Endpoint, Beat], Awaitable[Answer]],
        use: Callable[[Endpoint, Answer], Awaitable[Result]],
        *,
        endpoints: Sequence[Endpoint] | None = None,
        discard: Callable[[Answer], Awaitable[None]] | None = None,
        gained: Callable[[], int] = lambda: 0,
        vouched: bool = False,
        laps: int | None = None,
        told: bool = True,
    ) -> Result:
        """Ask for one thing until somebody gives it; with `told` false, only failures are written down.

        Raises:
            Hopeless: Nobody did; it carries the failures of this walk.
            StoreError: The disk refused what came.
        """
        # Time that passed elsewhere, in waiting for another process, is no silence of the endpoints.
        self._heard_at = max(self._heard_at, self._clock())
        chosen = tuple(endpoints if endpoints is not None else self.endpoints)
        walk = Walk(subject, chosen, ask, use, discard or _nothing, gained, vouched, told)
        try:
            return await self._lap(walk)
        except _LapOver:
            # Most walks end with their first lap: what the others need is set up only for those that have some.
            return await self._more_laps(walk, laps or self.patience.laps)

    async def _more_laps(self, walk: Walk[Answer, Result], laps: int) -> Result:
        from tenacity import AsyncRetrying, retry_if_exception_type

        over = False

        async def lap() -> Result:
            nonlocal over
            if not over:
                over = True
                raise _LapOver
            return await self._lap(walk)

        retrying = AsyncRetrying(
            retry=retry_if_exception_type(_LapOver),
            wait=lambda state: self._pause(walk),
            stop=lambda state: self._over(walk, laps, state),
            sleep=lambda seconds: self._rest(walk, seconds),
            reraise=True,
        )
        try:
            result: Result = await retrying(lap)
        except _LapOver:
            raise Hopeless(walk.failures) from None
        return result

    async def _lap(self, walk: Walk[Answer, Result]) -> Result:
        """Ask everybody who may be asked, once."""
        before = walk.gained()
        waiting = self._order(walk)
        while waiting and (first := await self._race(walk, waiting)):
            while first is not None:
                endpoint, answer = first
                started = self._clock()
                try:
                    result = await self._use(walk, endpoint, answer)
                except Failure as failure:
                    self._failed(walk, endpoint, failure, started)
                    waiting = [one for one in waiting if one != endpoint and self._may_be_asked(walk, one)]
                    first, walk.overtaker = walk.overtaker, None
                else:
                    if walk.told:
                        self._record(endpoint, walk.subject, "ok", None, started)
                    return result
                finally:
                    await walk.discard(answer)
        walk.fruitless = 0 if walk.gained() > before else walk.fruitless + 1
        raise _LapOver

    async def _use(self, walk: Walk[Answer, Result], endpoint: Endpoint, answer: Answer) -> Result:
        """Take an answer in, to its end or until another endpoint, that it is to go on at, has answered.

        Raises:
            Failure: It broke off, or goes on elsewhere.
        """
        overtaking: list[asyncio.Task[None]] = []
        over = False

        def leave() -> None:
            overtaking.append(asyncio.ensure_future(self._overtake(walk, endpoint, end)))

        def end() -> None:
            if not over:
                body.reschedule(asyncio.get_running_loop().time())

        try:
            async with self._leavable(endpoint) as body:
                self._standing[endpoint].bodies[body] = leave
                try:
                    result = await walk.use(endpoint, answer)
                finally:
                    over = True
        except Failure:
            # Whoever was to take over is not called off now.
            await asyncio.gather(*overtaking)
            raise
        except BaseException:
            await self._call_off(walk, overtaking)
            raise
        await self._call_off(walk, overtaking)
        return result

    async def _overtake(self, walk: Walk[Answer, Result], endpoint: Endpoint, end: Callable[[], None]) -> None:
        """Ask the others, and end what this endpoint gives once one of them has answered."""
        others = [other for other in self._order(walk) if other != endpoint]
        walk.overtaker = await self._race(walk, others)
        if walk.overtaker is not None:
            end()

    async def _call_off(self, walk: Walk[Answer, Result], overtaking: list[asyncio.Task[None]]) -> None:
        for task in overtaking:
            task.cancel()
        await asyncio.gather(*overtaking, return_exceptions=True)
        if walk.overtaker is not None:
            _, answer = walk.overtaker
            walk.overtaker = None
            await walk.discard(answer)

    async def _ask(self, walk: Walk[Answer, Result], endpoint: Endpoint, beat: Beat) -> Answer:
        """Ask for an answer, unless told to go on elsewhere."""
        try:
            async with self._leavable(endpoint):
                return await walk.ask(endpoint, beat)
        finally:
            self.logbook.asked(str(endpoint), beat.started_at, beat.connected_at)

    @asynccontextmanager
    async def _leavable(self, endpoint: Endpoint) -> AsyncIterator[asyncio.Timeout]:
        """Wait for an endpoint until `move` says to go on elsewhere.

        Raises:
            Failure: It was said.
        """
        bodies = self._standing[endpoint].bodies
        try:
            async with asyncio.timeout(None) as body:
                bodies[body] = lambda: body.reschedule(asyncio.get_running_loop().time())
                try:
                    yield body
                finally:
                    bodies.pop(body, None)
        except TimeoutError:
            if not body.expired():
                raise
            raise Failure(Fault.CRAWLING, "was too slow, and left for another endpoint") from None

    async def _race(self, walk: Walk[Answer, Result], waiting: list[Endpoint]) -> tuple[Endpoint, Answer] | None:
        """Start endpoints one beside the other until one answers; whoever fails leaves `waiting`."""
        if len(waiting) == 1:
            return await self._ask_alone(walk, waiting)
        runners: dict[asyncio.Task[Answer], tuple[Endpoint, Beat]] = {}
        first: tuple[Endpoint, Answer] | None = None
        try:
            first = await self._run_beside(walk, waiting, runners)
        finally:
            try:
                if runners:
                    # To its end, though the call be over meanwhile: what they bring all the same is let go of.
                    await uninterrupted(self._dismiss(walk, runners))
            except BaseException:
                if first is not None:
                    await uninterrupted(walk.discard(first[1]))
                raise
        return first

    async def _run_beside(
        self,
        walk: Walk[Answer, Result],
        waiting: list[Endpoint],
        runners: dict[asyncio.Task[Answer], tuple[Endpoint, Beat]],
    ) -> tuple[Endpoint, Answer] | None:
        unstarted = list(waiting)
        while unstarted or runners:
            if unstarted and all(self._patience_left(*runner) <= 0 for runner in runners.values()):
                self._note_silence(runners.values())
                endpoint = unstarted.pop(0)
                if endpoint not in self._order(walk):
                    # Another walk has learnt meanwhile that it is not to be asked.
                    waiting.remove(endpoint)
                    continue
                self._start(walk, endpoint, runners)
            winner = await self._first_answer(walk, waiting, runners, wake=bool(unstarted))
            if winner is not None:
                endpoint, beat = runners.pop(winner)
                self._answered(endpoint, beat)
                return endpoint, winner.result()
        return None

    async def _ask_alone(self, walk: Walk[Answer, Result], waiting: list[Endpoint]) -> tuple[Endpoint, Answer] | None:
        """Ask the only one that is left: nobody could be started beside it."""
        endpoint, beat = waiting[0], Beat(self._clock)
        try:
            answer = await self._ask(walk, endpoint, beat)
        except Exception as error:
            waiting.remove(endpoint)
            self._failed(walk, endpoint, self._read(walk, endpoint, error), beat.started_at)
            return None
        self._answered(endpoint, beat)
        return endpoint, answer

    def _start(
        self, walk: Walk[Answer, Result], endpoint: Endpoint, runners: dict[asyncio.Task[Answer], tuple[Endpoint, Beat]]
    ) -> None:
        beat = Beat(self._clock)
        task = asyncio.ensure_future(self._ask(walk, endpoint, beat))
        runners[task] = (endpoint, beat)

    async def _first_answer(
        self,
        walk: Walk[Answer, Result],
        waiting: list[Endpoint],
        runners: dict[asyncio.Task[Answer], tuple[Endpoint, Beat]],
        *,
        wake: bool,
    ) -> asyncio.Task[Answer] | None:
        """Wait for an answer, a failure, or (if somebody else could be started) for patience to end."""
        left = [self._patience_left(*runner) for runner in runners.values()] if wake else []
        timeout = max(0.001, max(left)) if left else None
        done, _ = await asyncio.wait(runners, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        # A dict keeps the order of starting: of two answers at once the preferred endpoint's is used.
        for task in [task for task in runners if task in done]:
            error = task.exception()
            if error is None:
                return task
            endpoint, beat = runners.pop(task)
            failure = self._read(walk, endpoint, error)
            waiting.remove(endpoint)
            self._failed(walk, endpoint, failure, beat.started_at)
        return None

    def _read(self, walk: Walk[Answer, Result], endpoint: Endpoint, error: BaseException) -> Failure:
        """Return what went wrong at an endpoint.

        Raises:
            BaseException: The error itself, where no endpoint is to blame.
        """
        if isinstance(error, MirrorHubError) or not isinstance(error, Failure | UNREADABLE):
            raise error
        if isinstance(error, Failure):
            return error
        # An answer that no rule foresaw is this endpoint's failure, not the call's.
        log.debug("%s: %s", endpoint, walk.subject, exc_info=error)
        return Failure(Fault.NOT_A_HUB, f"gave an answer that cannot be read ({type(error).__name__})")

    async def _dismiss(
        self, walk: Walk[Answer, Result], runners: dict[asyncio.Task[Answer], tuple[Endpoint, Beat]]
    ) -> None:
        """Cancel who is not needed any more, and let go of what they bring all the same."""
        for task, (endpoint, beat) in runners.items():
            task.cancel()
            if self._patience_left(endpoint, beat) <= 0:
                self._record(
                    endpoint, walk.subject, "silent, another one was faster", Fault.READ_TIMEOUT, beat.started_at
                )
        for late in await asyncio.gather(*runners, return_exceptions=True):
            if not isinstance(late, BaseException):
                await walk.discard(late)

    def _patience_left(self, endpoint: Endpoint, beat: Beat) -> float:
        """Seconds until this runner counts as silent; below 0 once it does."""
        now = self._clock()
        if beat.answered:
            return float("inf")
        standing = self._standing[endpoint]
        if beat.connected_at is None and standing.heard_at < beat.started_at:
            return beat.started_at + self.patience.connect_s - now
        connected_at = beat.connected_at if beat.connected_at is not None else beat.started_at
        connect_s = max(standing.connect_s, connected_at - beat.started_at)
        patience = max(self.patience.answer_s, 4 * connect_s)
        # An endpoint that is giving other bodies is busy, not silent.
        return max(connected_at, standing.heard_at) + patience - now

    def _note_silence(self, runners: Iterable[tuple[Endpoint, Beat]]) -> None:
        for endpoint, beat in runners:
            self.logbook.waited("silent", str(endpoint), beat.started_at, self._clock())
            if not self._standing[endpoint].demoted:
                log.info("%s is silent; another endpoint is started beside it", endpoint)
                self._standing[endpoint].demoted = True

    def _answered(self, endpoint: Endpoint, beat: Beat) -> None:
        standing = self._standing[endpoint]
        standing.connect_s = max(standing.connect_s, beat.connect_s)
        standing.demoted = False

    def _failed(self, walk: Walk[Answer, Result], endpoint: Endpoint, failure: Failure, started: float) -> None:
        """Record a failure and draw the table's conclusion.

        Raises:
            Hopeless: Nobody can mend it.
        """
        self._record(endpoint, walk.subject, failure.message, failure.fault, started)
        walk.failures.append((endpoint, failure))
        standing = self._standing[endpoint]
        if failure.retry_after_s is not None:
            standing.parked_until = self._clock() + failure.retry_after_s
        if failure.fault in DEMOTING:
            standing.demoted = True
        match verdict(failure.fault, last_word=self._last_word(walk, endpoint)):
            case Verdict.NEXT:
                walk.given_up.add(endpoint)
            case Verdict.OUT:
                walk.given_up.add(endpoint)
                standing.out = True
            case Verdict.NOBODY:
                raise Hopeless(walk.failures)
            case Verdict.AGAIN:
                pass

    def _last_word(self, walk: Walk[Answer, Result], endpoint: Endpoint) -> bool:
        """Whether every other official hub has spoken too: one that is only slow may know better."""
        others = (other for other in walk.endpoints if other.official and other != endpoint)
        return not walk.vouched and endpoint.official and not any(self._may_be_asked(walk, other) for other in others)

    def _order(self, walk: Walk[Answer, Result]) -> list[Endpoint]:
        """Who is asked in this lap: the demoted ones last, the parked ones not before their time."""
        now = self._clock()
        usable = [endpoint for endpoint in walk.endpoints if self._may_be_asked(walk, endpoint)]
        ready = [endpoint for endpoint in usable if self._standing[endpoint].parked_until <= now]
        return sorted(ready, key=self._rank)

    def _may_be_asked(self, walk: Walk[Answer, Result], endpoint: Endpoint) -> bool:
        return endpoint not in walk.given_up and not self._standing[endpoint].out

    def _pause(self, walk: Walk[Answer, Result]) -> float:
        """Seconds until the next lap: doubled each time, and never before somebody may be asked again."""
        backoff: float = min(self.patience.pause_limit_s, self.patience.pause_s * 2 ** max(0, walk.fruitless - 1))
        times = [self._standing[other].parked_until for other in walk.endpoints if self._may_be_asked(walk, other)]
        return max(backoff, min(times, default=0.0) - self._clock())

    async def _rest(self, walk: Walk[Answer, Result], pause_s: float) -> None:
        """Sleep between two laps, and write down for whom."""
        now = self._clock()
        parked = [other for other in walk.endpoints if self._may_be_asked(walk, other)]
        parked = [other for other in parked if self._standing[other].parked_until > now]
        for endpoint in parked:
            self.logbook.waited("parked", str(endpoint), now, min(now + pause_s, self._standing[endpoint].parked_until))
        if not parked:
            self.logbook.waited("pause", "", now, now + pause_s)
        await self._sleep(pause_s)

    def _over(self, walk: Walk[Answer, Result], laps: int, state: RetryCallState) -> bool:
        """Whether another lap is of no use: nobody left, too many laps in vain, or silence for too long."""
        if not any(self._may_be_asked(walk, endpoint) for endpoint in walk.endpoints) or walk.fruitless >= laps:
            return True
        return self._clock() + self._pause(walk) - self._heard_at > self.silence_s

    def _record(self, endpoint: Endpoint, subject: str, outcome: str, fault: Fault | None, started: float) -> None:
        elapsed = self._clock() - started
        name = str(endpoint)
        at_s = started - self.logbook.began
        self.attempts.append(Attempt(name, subject, outcome, fault.name if fault else None, elapsed, at_s))
        log.debug("%s: %s: %s (%.2f s)", endpoint, subject, outcome, elapsed)
        if fault is not None:
            self.logbook.left(name, fault.name, subject, outcome, started)
            log.info("left %s for %s: %s", endpoint, subject, outcome)

    @staticmethod
    def _mark(standing: Standing) -> str:
        return " (out)" if standing.out else " (demoted)" if standing.demoted else ""


class _LapOver(Exception):  # noqa: N818 - a signal between lap and laps
    """A lap has ended in vain."""


async def _nothing(_: object) -> None:
    return None
