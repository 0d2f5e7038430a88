"""From whom a file has come: which bytes are kept, which were thrown away, and why. No IO here."""

from __future__ import annotations

import time
from collections.abc import Iterable

from mirrorhub.faults import Fault
from mirrorhub.models import FileEntry, Share, TransferReport
from mirrorhub.report.logbook import Logbook
from mirrorhub.spans import Run, with_run

MAX_RUNS = 100
"""Runs of bytes of one file by one giver that a report names."""


class Provenance:
    """Who has given what of one file.

    Attributes:
        logbook: What the call has met, of all files.
        reused: Bytes that an earlier call had left.
        tries: Bodies that have begun to come.
    """

    def __init__(self, entry: FileEntry, logbook: Logbook) -> None:
        self.logbook = logbook
        self.reused = 0
        self.tries = 0
        self._entry = entry
        self._started = time.monotonic()
        self._given: dict[str, int] = {}
        self._hosts: dict[str, None] = {}
        self._shares: dict[tuple[str, str], list[Run]] = {}

    def began(self, host: str) -> None:
        """A body has begun to come, from this host."""
        self.tries += 1
        if host:
            self._hosts[host] = None

    def gave(self, giver: str, count: int) -> None:
        """So many bytes have come."""
        self._given[giver] = self._given.get(giver, 0) + count

    def kept(self, giver: str, host: str, start: int, end: int) -> None:
        """Write down who gave bytes that are kept."""
        with_run(self._shares.setdefault((giver, host), []), Run(start, end, ""))

    def lose(self, runs: Iterable[Run], why: Fault) -> None:
        """Write down who gave bytes that are thrown away, and why they are."""
        self._shares.clear()
        for start, end, giver in runs:
            self.logbook.lost(giver, why.name, end - start)

    def report(self) -> TransferReport:
        """Say how the file came."""
        return TransferReport(
            path=self._entry.path,
            size=self.reused + sum(self._given.values()) if self._entry.size is None else self._entry.size,
            endpoints=dict(self._given),
            hosts=tuple(self._hosts),
            reused=self.reused,
            tries=self.tries,
            elapsed_s=time.monotonic() - self._started,
            verified=self._entry.digest is not None,
            shares=tuple(_share(giver, runs, self._entry.size) for giver, runs in self._shares.items()),
        )


def _share(giver: tuple[str, str], runs: list[Run], size: int | None) -> Share:
    """Say what one giver has given of a file."""
    given = sum(run.end - run.start for run in runs)
    kept = () if given == size else tuple((run.start, run.end) for run in runs[:MAX_RUNS])
    return Share(*giver, given, kept)
