"""How much may be under way at a time: in the order of asking, within bytes and requests, and never stuck."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from mirrorhub.transfer.budget import LARGEST, Budget

MIB = 1 << 20


async def admitted(budget: Budget, *sizes: int) -> list[asyncio.Task[None]]:
    """Ask for room for bodies of these sizes, in this order, and let those in that fit."""
    tasks = [asyncio.ensure_future(budget.enter(size)) for size in sizes]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


def done(tasks: Sequence[asyncio.Task[None]]) -> list[bool]:
    """Say who is in."""
    return [task.done() for task in tasks]


async def let_go(tasks: Sequence[asyncio.Task[None]]) -> None:
    """End those that still wait."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(
    ("requests", "size", "asked", "expected"),
    [
        (9, 8, [1, 1, 1], [True, True, True]),
        (2, 8, [1, 1, 1], [True, True, False]),
        (9, 8, [4, 4, 1], [True, True, False]),
        (9, 8, [100, 1], [True, False]),
        (9, 8, [1, 100, 1], [True, False, False]),
        (9, 8, [7, 2, 1], [True, False, False]),
        (9, 8, [0, 0, 0], [True, True, True]),
        (1, 0, [5, 5], [True, False]),
    ],
    ids=["room", "requests", "bytes", "too large alone", "too large later", "in order", "empty", "no bytes at all"],
)
def test_who_is_let_in(requests: int, size: int, asked: list[int], expected: list[bool]) -> None:
    """Bodies are opened in the order of asking while bytes and requests last; one always fits, however large."""

    async def run() -> list[bool]:
        tasks = await admitted(Budget(requests, size), *asked)
        seen = done(tasks)
        await let_go(tasks)
        return seen

    assert expected == asyncio.run(run())


def _leave(budget: Budget) -> None:
    budget.leave(8)


def _more_bytes(budget: Budget) -> None:
    budget.widen(1, 10)


def _more_requests(budget: Budget) -> None:
    budget.widen(10, 1)


@pytest.mark.parametrize(
    ("change", "expected"),
    [(_leave, [True, True, True, True]), (_more_bytes, [True, True, True, False]), (_more_requests, [True, False])],
    ids=["left", "more bytes", "more requests, fewer bytes"],
)
def test_who_is_let_in_later(change: Callable[[Budget], None], expected: list[bool]) -> None:
    """What is given back or allowed on top goes to whoever waits first; allowing less takes nothing away."""

    async def run() -> list[bool]:
        budget = Budget(4, 8)
        tasks = await admitted(budget, 8, *[1] * (len(expected) - 1))
        assert done(tasks) == [True] + [False] * (len(expected) - 1)
        change(budget)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        seen = done(tasks)
        await let_go(tasks)
        return seen

    assert expected == asyncio.run(run())


def test_memory_has_an_end() -> None:
    """However fast the line, bodies of 64 MiB and no more are open together."""

    async def run() -> int:
        budget = Budget(1000, 8 * MIB)
        budget.widen(1000, 10_000 * MIB)
        tasks = await admitted(budget, *[MIB] * 200)
        count = sum(done(tasks))
        await let_go(tasks)
        return count

    assert asyncio.run(run()) == LARGEST // MIB == 64


def test_whoever_gives_up_takes_no_room() -> None:
    """A body that was called off while it waited, or just as its turn came, leaves its room to the next."""

    async def run() -> list[bool]:
        budget = Budget(2, 10)
        tasks = await admitted(budget, 10, 10, 10, 10)
        tasks[1].cancel()
        await asyncio.sleep(0)
        budget.leave(10)  # the turn of the third
        tasks[2].cancel()
        await asyncio.gather(*tasks[:3], return_exceptions=True)
        await asyncio.sleep(0)
        seen = done(tasks)
        # All room is there again once the fourth has left.
        budget.leave(10)
        last = await admitted(budget, 5, 5)
        return [*seen, *done(last)]

    assert asyncio.run(run()) == [True] * 6


def test_room_is_given_back() -> None:
    """Room that is held for a while is given back in whatever way the holder ends, and as much as was taken."""

    async def run() -> list[bool]:
        budget = Budget(2, 4)
        for _ in range(3):
            with pytest.raises(KeyError):
                async with budget.room(1000 * MIB):
                    raise KeyError
        return done(await admitted(budget, 2, 2))

    assert asyncio.run(run()) == [True, True]
