"""When waiting has been long enough: the silence around a transfer, against httpx's four time-outs. No IO here.

A server serves the streams of a connection in turn, so one of many may wait long on a slow line. Silence is therefore
the whole lane's, until so much has gone to others that this one must be stuck.
"""

from __future__ import annotations

from typing import Literal

PASSED_OVER_BYTES = 64 << 20

Phase = Literal["pool", "connect", "write", "read", ""]  # what is being waited for; at times, nothing


class Heard:
    """What came over a lane.

    Attributes:
        at: When the last of it came, in the loop's seconds.
        size: All of it, in bytes.
    """

    def __init__(self, at: float) -> None:
        self.at = at
        self.size = 0

    def add(self, size: int, at: float) -> None:
        """Note that so many bytes came."""
        self.at = at
        self.size += size


class Silence:
    """How long one transfer has waited for the same thing."""

    def __init__(self, limits: dict[str, float | None], heard: Heard) -> None:
        self._limits = limits
        self._heard = heard
        self._phase: Phase = ""
        self._since = 0.0
        self._passed_over_from = 0

    def broken(self) -> None:
        """Start anew: what was heard last was for this transfer."""
        self._since = self._heard.at
        self._passed_over_from = self._heard.size

    def outlasted(self, phase: Phase, now: float) -> float | None:
        """Return the limit, in seconds, that waiting in this phase has outlasted; None while there is time."""
        if phase != self._phase:
            self._phase, self._since = phase, now
            self._passed_over_from = self._heard.size
        limit = self._limits.get(phase)
        if limit is None or now - self._since < limit:
            return None
        lively = now - self._heard.at < limit
        if phase == "read" and lively and self._heard.size - self._passed_over_from < PASSED_OVER_BYTES:
            return None
        return limit
