"""How long the parts of a call take, and when the time that its caller allows is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from mirrorhub.errors import ChainError
from mirrorhub.models import Attempt

T = TypeVar("T")


class Stopwatch:
    """Times a call, part by part. Made on the loop, when the call begins.

    Attributes:
        seconds: How long each part took.
    """

    def __init__(self, allowed_s: float | None, attempts: Sequence[Attempt]) -> None:
        """Begin to count.

        Args:
            allowed_s: Total seconds; None for no limit.
            attempts: What the call has tried, for the error.
        """
        self.seconds: dict[str, float] = {}
        self._allowed_s = allowed_s
        self._attempts = attempts
        self._ends_at = None if allowed_s is None else asyncio.get_running_loop().time() + allowed_s

    @asynccontextmanager
    async def part(self, name: str, error: type[ChainError]) -> AsyncIterator[None]:
        """Time a part of the call, and end it with `error` when the caller's time is over."""
        started = time.perf_counter()
        try:
            async with asyncio.timeout_at(self._ends_at) as watch:
                yield
        except TimeoutError:
            if not watch.expired():
                raise
            message = f"{name}: not done within the {self._allowed_s:g} s that were allowed. What has come stays on "
            raise error(message + "disk; the next call goes on there.", self._attempts) from None
        finally:
            self.seconds[name] = time.perf_counter() - started


async def uninterrupted(work: Awaitable[T]) -> T:
    """Finish something before a cancellation is heeded: half of it would be worse than its time."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # looked at: whoever cancelled does not want to know
        raise
