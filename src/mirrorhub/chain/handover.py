"""What one endpoint gives, to its end, or until another one, that it is to go on at, has answered.

Nobody is left before somebody else is there: an endpoint that is too slow still gives more than none.
"""

from __future__ import annotations

import asyncio

from mirrorhub.chain.errand import Answer, Errand, Result
from mirrorhub.chain.race import race
from mirrorhub.faults import Failure
from mirrorhub.models import Endpoint


async def take_in(errand: Errand[Answer, Result], endpoint: Endpoint, answer: Answer) -> Result:
    """Take an answer in, to its end or until another endpoint, that it is to go on at, has answered.

    Raises:
        Failure: It broke off, or goes on elsewhere.
    """
    overtaking: list[asyncio.Task[None]] = []
    over = False
    standing = errand.chain.standing(endpoint)

    def leave() -> None:
        overtaking.append(asyncio.ensure_future(go_on()))

    async def go_on() -> None:
        standing.leaving += 1
        try:
            found = await _overtaken(errand, endpoint)
        finally:
            standing.leaving -= 1
        if over:
            return
        if found:
            body.reschedule(asyncio.get_running_loop().time())
        else:
            # Nobody has answered: it goes on here, and may be told again.
            standing.bodies[body] = leave

    try:
        async with standing.leavable() as body:
            standing.bodies[body] = leave
            try:
                result = await errand.use(endpoint, answer)
            finally:
                over = True
    except Failure:
        # Whoever was to take over is not called off now.
        await asyncio.gather(*overtaking)
        raise
    except BaseException:
        await _call_off(errand, overtaking)
        raise
    await _call_off(errand, overtaking)
    return result


async def _overtaken(errand: Errand[Answer, Result], endpoint: Endpoint) -> bool:
    """Ask the others; say whether one of them has answered."""
    errand.overtaker = await race(errand, [other for other in errand.order() if other != endpoint])
    return errand.overtaker is not None


async def _call_off(errand: Errand[Answer, Result], overtaking: list[asyncio.Task[None]]) -> None:
    for task in overtaking:
        task.cancel()
    await asyncio.gather(*overtaking, return_exceptions=True)
    await errand.discard_overtaker()
