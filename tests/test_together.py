"""Several things at once: all of them, or the first error."""

from __future__ import annotations

import asyncio

import pytest

from mirrorhub.together import all_of


async def doubled(number: int) -> int:
    await asyncio.sleep(0)
    if number < 0:
        raise ValueError(number)
    return 2 * number


def test_all_of_it() -> None:
    """What came of each is returned in order."""
    assert asyncio.run(all_of((doubled(number) for number in range(5)), at_once=2)) == [0, 2, 4, 6, 8]


def test_the_first_error() -> None:
    """An error comes by itself, and a time-out around it and what follows is still a time-out."""

    async def program() -> None:
        async with asyncio.timeout(0.01):
            with pytest.raises(ValueError, match="-1"):
                await all_of(map(doubled, [1, -1, 2]), at_once=3)
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        asyncio.run(program())


def test_called_off() -> None:
    """Whoever is called off calls off all of it."""

    async def program() -> list[bool]:
        ended: list[bool] = []

        async def forever() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(True)

        waiting = asyncio.ensure_future(all_of([forever(), forever()], at_once=2))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return ended

    assert asyncio.run(program()) == [True, True]
