"""Several things at once: all of them, or the first error by itself and not in a group."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def all_of(work: Iterable[Awaitable[T]], at_once: int) -> list[T]:
    """Do all of it, so many at a time, and return what came of it in order.

    Raises:
        BaseException: What the first one that failed has raised; the others are called off.
    """
    # In a task of its own: before Python 3.13 a group whose task fails leaves the one that waits for it cancelled once,
    # and a time-out that is around both would let a CancelledError through.
    return await asyncio.ensure_future(_grouped(work, at_once))


async def _grouped(work: Iterable[Awaitable[T]], at_once: int) -> list[T]:
    slots = asyncio.Semaphore(at_once)

    async def one(awaited: Awaitable[T]) -> T:
        async with slots:
            return await awaited

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(awaited)) for awaited in work]
    except BaseExceptionGroup as errors:
        raise first_error(errors) from None
    return [task.result() for task in tasks]


def first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Of what several failed with, take the first: the others were called off because of it."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
