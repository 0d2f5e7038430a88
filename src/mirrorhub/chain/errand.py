"""One thing that is asked for: whom it may still be asked of, and what each failure means for it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mirrorhub.chain import Chain
from mirrorhub.chain.beat import Beat
from mirrorhub.chain.verdicts import DEMOTING, FINAL_WORDS, Verdict, verdict
from mirrorhub.errors import MirrorHubError
from mirrorhub.faults import UNREADABLE, Failure, Fault, Hopeless
from mirrorhub.models import Endpoint
from mirrorhub.stopwatch import uninterrupted

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")
Result = TypeVar("Result")


@dataclass(slots=True)
class Errand(Generic[Answer, Result]):
    """One thing that is asked for, along one chain.

    Attributes:
        chain: Whom it is asked of.
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
        asked: Who was asked and has not failed; of these the last signs of life.
        overtaker: Who has answered while another one was giving, too slowly, and its answer.
        vain: Laps in vain since something came.
        fruitless: Those of them that asked everybody: nobody was left in peace that will be asked again soon enough.
    """

    chain: Chain
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
    asked: dict[Endpoint, Beat] = field(default_factory=dict)
    overtaker: tuple[Endpoint, Answer] | None = None
    vain: int = 0
    fruitless: int = 0

    def may_be_asked(self, endpoint: Endpoint) -> bool:
        """Whether an endpoint may still be asked for this."""
        return endpoint not in self.given_up and not self.chain.standing(endpoint).out

    def order(self) -> list[Endpoint]:
        """Who is asked in this lap: the demoted ones last, the parked ones not before their time."""
        now = self.chain.clock()
        usable = [endpoint for endpoint in self.endpoints if self.may_be_asked(endpoint)]
        ready = [endpoint for endpoint in usable if self.chain.standing(endpoint).parked_until <= now]
        return sorted(ready, key=lambda one: self.chain.standing(one).rank)

    def is_doubtful(self) -> bool:
        """Whether an official hub has said that there is no such thing, and somebody else may still know better."""
        said = (endpoint.official and failure.fault in FINAL_WORDS for endpoint, failure in self.failures)
        return not self.vouched and any(said)

    def awaits(self) -> bool:
        """Whether somebody is left in peace for now who may be asked again before the silence is too long."""
        now, chain = self.chain.clock(), self.chain
        times = (chain.standing(one).parked_until for one in self.endpoints if self.may_be_asked(one))
        return any(now < until and not chain.is_silent_after(until - now) for until in times)

    def failed(self, endpoint: Endpoint, failure: Failure, started: float) -> None:
        """Record a failure and draw the table's conclusion.

        Raises:
            Hopeless: Nobody can mend it.
        """
        # An endpoint knows the token that it was sent, and may say it again.
        failure.message = self.chain.discreet(failure.message)
        self.chain.record(endpoint, self.subject, failure.message, failure.fault, started)
        # It is kept for the whole call, and by an error that the caller keeps: what was read hangs on its frames.
        failure.__traceback__ = failure.__cause__ = failure.__context__ = None
        self.failures.append((endpoint, failure))
        self.asked.pop(endpoint, None)
        standing = self.chain.standing(endpoint)
        if failure.retry_after_s is not None:
            standing.parked_until = self.chain.clock() + failure.retry_after_s
        if failure.fault in DEMOTING:
            standing.demoted = True
        match verdict(failure.fault, last_word=self._last_word(endpoint)):
            case Verdict.NEXT:
                self.given_up.add(endpoint)
            case Verdict.OUT:
                self.given_up.add(endpoint)
                standing.out = True
            case Verdict.NOBODY:
                raise Hopeless(self.failures)
            case Verdict.AGAIN:
                pass

    def called_off(self) -> None:
        """The call is over while this was still asked for: say who had kept it waiting."""
        for endpoint, beat in self.asked.items():
            self.chain.kept_waiting(endpoint, self.subject, beat)

    async def discard_overtaker(self) -> None:
        """Let go of an answer that nobody takes in any more."""
        if self.overtaker is not None:
            (_, answer), self.overtaker = self.overtaker, None
            await uninterrupted(self.discard(answer))

    def _last_word(self, endpoint: Endpoint) -> bool:
        """Whether every other official hub has spoken too: one that is only slow may know better."""
        others = (other for other in self.endpoints if other.official and other != endpoint)
        return not self.vouched and endpoint.official and not any(self.may_be_asked(other) for other in others)

    def read(self, endpoint: Endpoint, error: BaseException) -> Failure:
        """Return what went wrong at an endpoint.

        Raises:
            BaseException: The error itself, where no endpoint is to blame.
        """
        if isinstance(error, MirrorHubError) or not isinstance(error, Failure | UNREADABLE):
            raise error
        if isinstance(error, Failure):
            return error
        # An answer that no rule foresaw is this endpoint's failure, not the call's.
        lines = "".join(traceback.format_exception(error)).splitlines()
        log.debug("%s: %s: %s", endpoint, self.subject, "\n".join(map(self.chain.discreet, lines)))
        return Failure(Fault.NOT_A_HUB, f"gave an answer that cannot be read ({type(error).__name__})")
