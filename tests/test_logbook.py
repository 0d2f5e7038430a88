"""What a call meets is added up exactly, and takes no more room for many requests than for few."""

from __future__ import annotations

import random

import pytest

from mirrorhub.report import TWICE
from mirrorhub.report.logbook import MAX_CONVICTIONS, MAX_NAMES, MAX_SUBJECTS, Logbook
from mirrorhub.report.tally import BINS, MAX_STRETCHES, Busy


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


STRETCHES = [
    ([], 0.0),
    ([(1, 2)], 1.0),
    ([(1, 2), (2, 3)], 2.0),
    ([(1, 2), (4, 6)], 3.0),
    ([(4, 6), (1, 2)], 3.0),
    ([(1, 10), (2, 3)], 9.0),
    ([(2, 3), (5, 6), (1, 10)], 9.0),
    ([(1, 3), (2, 5), (4, 6)], 5.0),
    ([(1, 1)], 0.0),
]


@pytest.mark.parametrize(("stretches", "total_s"), STRETCHES, ids=[str(row[0]) for row in STRETCHES])
def test_overlapping_stretches(stretches: list[tuple[float, float]], total_s: float) -> None:
    """What goes on side by side passes once on the clock, in whatever order it is told."""
    busy = Busy()
    for start, end in stretches:
        busy.add(start, end)
    assert (busy.total_s, busy.times) == (total_s, len(stretches))


def test_any_stretches() -> None:
    """The sum is what counting second by second gives."""
    chosen = random.Random(7)
    for _ in range(200):
        busy, seconds = Busy(), set()
        for _ in range(chosen.randint(1, 30)):
            start = chosen.randint(0, 100)
            end = start + chosen.randint(0, 10)
            busy.add(start, end)
            seconds.update(range(start, end))
        assert busy.total_s == len(seconds)
        assert sum(end - start for start, end in busy.stretches(0)) <= len(seconds)


def test_stretches_without_end() -> None:
    """Stretches beyond a limit are kept as a sum, and none of their time is lost."""
    busy = Busy()
    for start in range(0, 20 * MAX_STRETCHES, 2):
        busy.add(start, start + 1)
    assert busy.total_s == 10 * MAX_STRETCHES
    assert len(busy.stretches(0)) <= 20


def test_when_bytes_came() -> None:
    """Bytes stand in the stretch in which they came; a longer call has longer stretches, and as many."""
    clock = Clock()
    logbook = Logbook(clock)
    one, other = logbook.tally("a", "x"), logbook.tally("a", "y")
    one.add(5)
    clock.now += 3_600
    other.add(7)
    clock.now += 1
    one.add(11)
    first, second = logbook.flows()
    assert (first.size, second.size) == (16, 7)
    assert (first.bins[0], sum(first.bins), sum(second.bins)) == (5, 16, 7)
    assert len(second.bins) - 1 == int(3_600 / logbook.bin_s)
    assert 3_601 < logbook.bin_s * BINS < 2 * 3_601


def test_the_first_moment_without_a_stretch() -> None:
    """Bytes that come just when the stretches are used up have a place, too."""
    clock = Clock()
    logbook = Logbook(clock)
    clock.now += BINS * logbook.bin_s
    logbook.tally("a", "x").add(1)
    (flow,) = logbook.flows()
    assert sum(flow.bins) == 1


def test_bytes_lost_to_another_fault() -> None:
    """Bytes that turned out to be lost to another fault are counted there, and only there."""
    logbook = Logbook(Clock())
    logbook.lost("a", "MIXED", 10)
    logbook.lost("a", "MIXED", -10)
    logbook.lost("a", "WRONG_DIGEST", 10)
    logbook.lost("b", TWICE, 3)
    assert {(one.endpoint, one.fault): one.size for one in logbook.troubles()} == {
        ("a", "WRONG_DIGEST"): 10,
        ("b", TWICE): 3,
    }
    assert (logbook.lost_by("a"), logbook.lost_by("b"), logbook.lost_by("c")) == (10, 3, 0)


def test_names_without_end() -> None:
    """Names that servers choose, and there may be a million of, are counted together beyond a limit."""
    clock = Clock()
    logbook = Logbook(clock)
    for number in range(3 * MAX_NAMES):
        clock.now += 0.001
        logbook.tally("a", f"host-{number}").add(1)
        logbook.lost(f"giver-{number}", "MIXED", 1)
        logbook.left("a", "BUSY", f"file-{number}", f"outcome-{number}", clock.now)
        logbook.waited("lock", f"process {number}", clock.now, clock.now)
        logbook.convicted("a", "x", number, number + 1)
    assert sum(flow.size for flow in logbook.flows()) == 3 * MAX_NAMES
    assert sum(trouble.size for trouble in logbook.troubles()) == 3 * MAX_NAMES
    assert sum(wait.times for wait in logbook.waits()) == 3 * MAX_NAMES
    assert len(logbook.flows()) <= MAX_NAMES + 1
    assert len(logbook.troubles()) <= MAX_NAMES + 2
    assert len(logbook.waits()) <= MAX_NAMES + 1
    assert len(logbook.convictions) == MAX_CONVICTIONS
    (busy,) = [trouble for trouble in logbook.troubles() if trouble.fault == "BUSY"]
    assert (busy.times, len(busy.subjects), busy.outcome) == (3 * MAX_NAMES, MAX_SUBJECTS, "outcome-0")


def test_a_request() -> None:
    """Of a request it is told how long connecting took, how long the answer, and how long its body came."""
    clock = Clock()
    logbook = Logbook(clock)
    clock.now = 107.0
    logbook.asked("a", 100.0, 102.0)
    logbook.gave("a", 106.0)
    logbook.asked("b", 103.0, None)
    a, b = logbook.of("a"), logbook.of("b")
    assert (a.connecting.total_s, a.answering.total_s, a.giving.total_s) == (2.0, 5.0, 1.0)
    assert (b.connecting.total_s, b.answering.total_s, b.giving.total_s) == (4.0, 0.0, 0.0)
    assert logbook.elapsed_s == 7.0
