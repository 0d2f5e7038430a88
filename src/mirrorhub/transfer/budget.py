"""How much may be under way at a time: bytes, for the memory's sake, and requests, for the connections'."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

LARGEST = 64 << 20
"""Bytes of bodies that may be open at a time: what nobody has read yet is held in memory."""


class Budget:
    """Lets bodies be opened in the order in which they ask, as far as bytes and requests go."""

    def __init__(self, requests: int, size: int) -> None:
        self._requests = requests
        self._size = size
        self._used = 0
        self._open = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def room(self, size: int) -> AsyncIterator[None]:
        """Hold room for a body of `size` bytes; one that is larger than all of it gets all of it."""
        await self.enter(size)
        try:
            yield
        finally:
            self.leave(size)

    async def enter(self, size: int) -> None:
        """Wait for room; whoever gets it leaves it with the same size."""
        size = min(size, LARGEST)
        if not self._waiting and self._fits(size):
            self._take(size)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(size)
            else:
                self._admit()  # those behind it may fit
            raise

    def leave(self, size: int) -> None:
        """Give room back."""
        self._used -= min(size, LARGEST)
        self._open -= 1
        self._admit()

    def widen(self, requests: int, size: int) -> None:
        """Allow more requests, and more bytes; never fewer."""
        self._requests = max(self._requests, requests)
        self._size = max(self._size, min(size, LARGEST))
        self._admit()

    def _admit(self) -> None:
        while self._waiting and (self._waiting[0][1].done() or self._fits(self._waiting[0][0])):
            size, turn = self._waiting.popleft()
            if not turn.done():
                self._take(size)
                turn.set_result(None)

    def _fits(self, size: int) -> bool:
        # One body always fits, however large.
        return self._open < self._requests and (self._used + size <= self._size or self._open == 0)

    def _take(self, size: int) -> None:
        self._used += size
        self._open += 1
