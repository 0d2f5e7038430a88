"""Bytes of a file that are asked for together, and what of them is in memory. No IO here."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from mirrorhub.spans import PIECE, Span

FLUSH = 256 << 10
"""Bytes of a slow body gathered in memory before they go to disk; a fast one's go piece by piece."""
FLUSH_S = 0.2
"""How long a body gathers at least, unless a whole piece is there."""


@dataclass(slots=True, eq=False)
class Piece:
    """Bytes that are asked for together.

    Attributes:
        start: The offset of the first.
        end: The offset after the last; None where the file's size is not known.
        at: The offset of the next one to come.
        furthest: The furthest that one ever was.
        source: Who gave what is gathered.
        host: From which host.
        gathered: What has come and is not on disk yet.
        waiting: How many bytes that is.
        flushed_at: When anything was last brought to disk.
    """

    start: int
    end: int | None
    at: int
    furthest: int = 0
    source: str = ""
    host: str = ""
    gathered: list[bytes] = field(default_factory=list)
    waiting: int = 0
    flushed_at: float = field(default_factory=time.monotonic)

    @property
    def is_there(self) -> bool:
        """Whether nothing of it is missing any more, although it was told to go on elsewhere."""
        return self.end is not None and 0 < self.end <= self.at

    @property
    def is_due(self) -> bool:
        """Whether what is gathered is worth a write."""
        return self.waiting >= PIECE or (self.waiting >= FLUSH and time.monotonic() - self.flushed_at >= FLUSH_S)

    def collect(self) -> bytes:
        """Take out what was gathered."""
        data = self.gathered[0] if len(self.gathered) == 1 else b"".join(self.gathered)
        self.gathered.clear()
        self.waiting = 0
        return data

    def rewind(self) -> None:
        """Begin again at the file's first byte."""
        self.start = self.at = self.furthest = 0
        self.source = ""
        self.collect()


@dataclass(frozen=True, slots=True)
class Nothing:
    """The body of a piece of which nothing is missing."""

    span: Span
    host: str = ""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield nothing."""
        chunks: tuple[bytes, ...] = ()
        for chunk in chunks:
            yield chunk

    async def aclose(self) -> None:
        """Nothing is open."""
