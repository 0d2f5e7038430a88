"""Where the time goes: what the server saw of each client's run, moment by moment."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.speed.results import table
from benchmarks.speed.scenarios import Scenario, Server
from benchmarks.speed.track import Track, laid

STEPS = 16
"""Rows of a table."""


class Asked(NamedTuple):
    """One request as the server logged it, in seconds since the client's start; bytes count when it had sent them."""

    began_s: float
    ended_s: float
    connection: str
    status: int
    size: int


@dataclass(frozen=True, slots=True)
class Step:
    """A moment of a run."""

    until_s: float
    begun: int
    redirected: int
    ended: int
    megabytes: float
    connections: int


def trace(scenario: Scenario) -> str:
    """Run each client once, and tell what the server saw."""
    parts = []
    with laid(scenario) as track:
        for entry in track.scenario.entries:
            marks = {server: _size(origin.log) for server, origin in track.origins.items()}
            started = time.time()
            run = track.run(entry, seed=1)
            asked = sorted(_asked(track, marks, started))
            parts.append(f"\n{scenario.name}: {entry.label}: {run.seconds:.2f} s {run.failure}\n\n{_table(asked)}")
    return "\n".join(parts)


def _asked(track: Track, marks: Mapping[Server, int], started: float) -> Iterator[Asked]:
    for server, origin in track.origins.items():
        for line in origin.log.read_text()[marks[server] :].splitlines():
            ended, took, connection, _, status, size, _ = line.split()
            at = float(ended) - started
            yield Asked(at - float(took), at, f"{server} {connection}", int(status), int(size))


def _table(asked: Sequence[Asked]) -> str:
    width = max((one.ended_s for one in asked), default=0.0) / STEPS
    rows = [_step(asked, number * width, (number + 1) * width) for number in range(STEPS)]
    head = ["until s", "requests begun", "redirected", "ended", "MB sent", "connections"]
    return table(
        head,
        [
            [f"{r.until_s:.2f}", *map(str, (r.begun, r.redirected, r.ended)), f"{r.megabytes:.2f}", str(r.connections)]
            for r in rows
        ],
    )


def _step(asked: Sequence[Asked], after_s: float, until_s: float) -> Step:
    begun = [one for one in asked if after_s <= one.began_s < until_s]
    ended = [one for one in asked if after_s < one.ended_s <= until_s]
    return Step(
        until_s,
        len(begun),
        sum(300 <= one.status < 400 for one in ended),
        len(ended),
        sum(one.size for one in ended) / 1e6,
        len({one.connection for one in asked if one.began_s < until_s}),
    )


def _size(log: Path) -> int:
    return len(log.read_text())
