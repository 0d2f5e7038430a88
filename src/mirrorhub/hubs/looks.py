"""Single files of a large repository, each asked for alone, as both SDKs do. What was told is not asked for again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial as bind

from mirrorhub.http.client import Answer
from mirrorhub.hubs.listing import size_of
from mirrorhub.models import FileEntry, Scope
from mirrorhub.paths import path_problem
from mirrorhub.together import all_of

MOST = 100
"""Files that are asked for alone; for more of them a listing costs less."""
AT_ONCE = 8
Look = Callable[[str], Awaitable[FileEntry | None]]
"""Asks what a file is, by its path; None where there is none."""


def is_named(scope: Scope) -> bool:
    """Whether a scope is no more than some files, by their names."""
    return scope is not None and 0 < len(scope) <= MOST and not any(name.endswith("/") for name in scope)


def size_told(answer: Answer) -> int | None:
    """Return the size of a file of which the first byte was asked for; None where nothing says it."""
    headers, total = answer.headers, answer.headers.get("content-range", "").rpartition("/")[2]
    length = headers.get("content-length") if answer.status == 200 and not total else total
    return size_of({"linked": headers.get("x-linked-size"), "length": length}, "linked", "length")


class Looks:
    """What one endpoint has told of single files in this call."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], FileEntry | None] = {}

    @property
    def count(self) -> int:
        """How many files it has told of."""
        return len(self._told)

    async def at(self, revision: str, paths: Iterable[str], look: Look) -> list[FileEntry]:
        """Return what the files are; those that are not there are left out.

        Raises:
            Failure: It is not told of each whether it is there.
        """
        # What no file can be called is not asked for: an address says something else with it.
        named = [path for path in sorted(paths) if not path_problem(path)]
        found = await all_of(map(bind(self._look, revision, look), named), AT_ONCE)
        return [entry for entry in found if entry is not None]

    async def _look(self, revision: str, look: Look, path: str) -> FileEntry | None:
        if (revision, path) not in self._told:
            self._told[revision, path] = await look(path)
        return self._told[revision, path]
