"""The order in which endpoints are asked for one thing, lap by lap. Retry and fallback live here and nowhere else.

A walk asks for one thing: a listing, or a file. Endpoints are asked in order; beside a silent one the next is started,
and whoever answers first is used (`race`). A failure answers two questions, "again here?" and "the next one?", from one
table (`verdicts`). The whole chain is walked before anybody sleeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from mirrorhub.chain import Chain
from mirrorhub.chain.beat import Beat
from mirrorhub.chain.errand import Answer, Errand, Result
from mirrorhub.chain.handover import take_in
from mirrorhub.chain.race import race
from mirrorhub.faults import Failure, Hopeless
from mirrorhub.models import Endpoint

if TYPE_CHECKING:
    from tenacity import RetryCallState

DOUBTFUL_LAPS = 2
"""How often the others are asked for what an official hub says there is not: whoever mistyped a name waits for it."""


async def walk(
    chain: Chain,
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
    chain.listen()
    chosen = tuple(endpoints if endpoints is not None else chain.endpoints)
    errand = Errand(chain, subject, chosen, ask, use, discard or _nothing, gained, vouched, told)
    try:
        return await _laps(errand, laps or chain.patience.laps)
    except asyncio.CancelledError:
        errand.called_off()
        raise


class _LapOver(Exception):  # noqa: N818 - a signal between lap and laps
    """A lap has ended in vain."""


async def _laps(errand: Errand[Answer, Result], laps: int) -> Result:
    try:
        return await _lap(errand)
    except _LapOver:
        # Most walks end with their first lap: what the others need is set up only for those that have some.
        return await _more_laps(errand, laps)


async def _lap(errand: Errand[Answer, Result]) -> Result:
    """Ask everybody who may be asked, once."""
    before, awaits = errand.gained(), errand.awaits()
    waiting = errand.order()
    try:
        while waiting and (first := await race(errand, waiting)):
            while first is not None:
                endpoint, answer = first
                started = errand.chain.clock()
                try:
                    result = await take_in(errand, endpoint, answer)
                except Failure as failure:
                    errand.failed(endpoint, failure, started)
                    waiting = [one for one in waiting if one != endpoint and errand.may_be_asked(one)]
                    first, errand.overtaker = errand.overtaker, None
                else:
                    if errand.told:
                        errand.chain.record(endpoint, errand.subject, "ok", None, started)
                    return result
                finally:
                    await errand.discard(answer)
    finally:
        await errand.discard_overtaker()
    gained = errand.gained() > before
    errand.vain = 0 if gained else errand.vain + 1
    errand.fruitless = 0 if gained else errand.fruitless + (not awaits)
    raise _LapOver


async def _more_laps(errand: Errand[Answer, Result], laps: int) -> Result:
    from tenacity import AsyncRetrying, retry_if_exception_type

    over = False

    async def lap() -> Result:
        nonlocal over
        if not over:
            over = True
            raise _LapOver
        return await _lap(errand)

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(_LapOver),
        wait=lambda state: _pause(errand),
        stop=lambda state: _over(errand, laps, state),
        sleep=lambda seconds: _rest(errand, seconds),
        reraise=True,
    )
    try:
        result: Result = await retrying(lap)
    except _LapOver:
        raise Hopeless(errand.failures) from None
    return result


def _over(errand: Errand[Answer, Result], laps: int, state: RetryCallState) -> bool:
    """Whether another lap is of no use: nobody left, too many laps in vain, or silence for too long."""
    most = min(laps, DOUBTFUL_LAPS) if errand.is_doubtful() else laps
    if not any(errand.may_be_asked(endpoint) for endpoint in errand.endpoints) or errand.fruitless >= most:
        return True
    return errand.chain.is_silent_after(_pause(errand))


def _pause(errand: Errand[Answer, Result]) -> float:
    """Seconds until the next lap: doubled each time, and never before somebody may be asked again."""
    chain = errand.chain
    backoff: float = min(chain.patience.pause_limit_s, chain.patience.pause_s * 2 ** max(0, errand.vain - 1))
    times = [chain.standing(other).parked_until for other in errand.endpoints if errand.may_be_asked(other)]
    return max(backoff, min(times, default=0.0) - chain.clock())


async def _rest(errand: Errand[Answer, Result], pause_s: float) -> None:
    """Sleep between two laps, and write down for whom."""
    chain, now = errand.chain, errand.chain.clock()
    parked = [other for other in errand.endpoints if errand.may_be_asked(other)]
    parked = [other for other in parked if chain.standing(other).parked_until > now]
    for endpoint in parked:
        until = min(now + pause_s, chain.standing(endpoint).parked_until)
        chain.logbook.waited("parked", str(endpoint), now, until)
    if not parked:
        chain.logbook.waited("pause", "", now, now + pause_s)
    await chain.sleep(pause_s)


async def _nothing(_: object) -> None:
    return None
