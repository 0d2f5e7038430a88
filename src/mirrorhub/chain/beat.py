"""Signs of life of one request: what tells a slow endpoint from a silent one."""

from __future__ import annotations

import time
from collections.abc import Callable


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
