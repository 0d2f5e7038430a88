"""How long the parts of a call take, and when the time that its caller allows is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from mirrorhub.errors import ChainError
from mirrorhub.models import Attempt
from mirrorhub.report import Phase

T = TypeVar("T")


class Stopwatch:
    """Times a call, part by part. Made on the loop, when the call begins."""

    def __init__(self, allowed_s: float | None, attempts: Sequence[Attempt], came: Callable[[], int]) -> None:
        """Begin to count.

        Args:
            allowed_s: Total seconds; None for no limit.
            attempts: What the call has tried, for the error.
            came: Says how many bytes have come.
        """
        self._began = time.perf_counter()
        self._ended: list[Phase] = []
        self._name = ""
        self._started = self._began
        self._allowed_s = allowed_s
        self._attempts = attempts
        self._came = came
        self._ends_at = None if allowed_s is None else asyncio.get_running_loop().time() + allowed_s

    @property
    def seconds(self) -> dict[str, float]:
        """How long each part has taken."""
        seconds: dict[str, float] = {}
        for phase in self.phases:
            seconds[phase.name] = seconds.get(phase.name, 0.0) + phase.elapsed_s
        return seconds

    @property
    def phases(self) -> tuple[Phase, ...]:
        """When each part began and how long it has taken, the one that goes on now among them."""
        return (*self._ended, self._now()) if self._name else tuple(self._ended)

    async def timed(self, name: str, work: Awaitable[T]) -> T:
        """End one part of the call, and do what the next one is."""
        self._next(name)
        return await work

    def _next(self, name: str) -> None:
        if self._name:
            self._ended.append(self._now())
        self._name, self._started = name, time.perf_counter()

    def _now(self) -> Phase:
        return Phase(self._name, self._started - self._began, time.perf_counter() - self._started)

    @asynccontextmanager
    async def part(self, name: str, error: type[ChainError]) -> AsyncIterator[None]:
        """Time a part of the call, and all that follow it, and end it with `error` when the caller's time is over."""
        self._next(name)
        try:
            async with asyncio.timeout_at(self._ends_at) as watch:
                yield
        except TimeoutError:
            if not watch.expired():
                raise
            message = f"{self._name}: not done within the {self._allowed_s:g} s that were allowed."
            message += " What has come stays on disk; the next call goes on there." * bool(self._came())
            raise error(message, self._attempts) from None
        finally:
            self._next("")


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
