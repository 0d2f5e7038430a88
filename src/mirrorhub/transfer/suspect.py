"""Bytes that do not fit together: kept until the right ones are there, and compared to them, to see who is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mirrorhub.digest import BLOCK
from mirrorhub.spans import Run


@dataclass(frozen=True, slots=True)
class Suspect:
    """Bytes of several endpoints that do not fit together, kept until the right ones are there.

    Attributes:
        path: Where they are.
        runs: Which of them came in this call, and from whom.
    """

    path: Path
    runs: tuple[Run, ...]

    def wrong_runs(self, place: Path) -> list[Run]:
        """Return the runs that are not as the right file has them.

        Raises:
            OSError: The disk refuses.
        """
        with self.path.open("rb") as wrong, place.open("rb") as right:
            return [run for run in self.runs if _differs(wrong, right, run.start, run.end)]

    def clear(self) -> None:
        """Throw the bytes away.

        Raises:
            OSError: The disk refuses.
        """
        self.path.unlink(missing_ok=True)


class _Readable(Protocol):
    def seek(self, offset: int, /) -> int: ...

    def read(self, size: int, /) -> bytes: ...


def _differs(one: _Readable, other: _Readable, start: int, end: int) -> bool:
    one.seek(start)
    other.seek(start)
    left = end - start
    while left:
        block = min(left, BLOCK)
        if one.read(block) != other.read(block):
            return True
        left -= block
    return False
