"""What is said of a report as a whole, and its timeline: the same in the terminal and on the page."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mirrorhub.cli.page import printable
from mirrorhub.cli.why_sheets import bare, from_words, seconds_of, size_of
from mirrorhub.cli.why_words import Words
from mirrorhub.report import PUBLISHED, STALE, Report, Wait

TITLES = {PUBLISHED: "How it came", STALE: "Why the old one was taken"}
OTHERWISE = "Why it did not come"
VOUCHERS = {"lock": "lock file"}
"""Kinds of word that mean something else where they stand alone."""


@dataclass(frozen=True, slots=True)
class Track:
    """A line of the timeline.

    Attributes:
        label: What it is of.
        kind: `phase`, `wait` or `flow`.
        stretches: From when to when it went on, in seconds.
        levels: How much came in each stretch of equal length, from 0 to 1.
        level_s: How long such a stretch is.
        marks: When something went wrong.
    """

    label: str
    kind: str
    stretches: tuple[tuple[float, float], ...] = ()
    levels: tuple[float, ...] = ()
    level_s: float = 0.0
    marks: tuple[float, ...] = ()


def title_of(report: Report, words: Words) -> str:
    """Say in one line what became of which repository."""
    return f"{words(TITLES.get(report.outcome, OTHERWISE))}{words(': ')}{printable(report.repo)}"


def facts_of(report: Report, words: Words) -> list[tuple[str, str]]:
    """Return what is known of the call as a whole, name by name."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(min(report.began_at, 32_503_680_000.0)))
    comma = words(", ")
    counts = [f"{words('came')} {report.came}", *[f"{words('wanted')} {report.wanted}"] * bool(report.wanted)]
    reused = [f"{words('left by earlier calls')} {size_of(report.reused)}"] * bool(report.reused)
    facts = [
        ("outcome", f"{words(report.outcome)}{comma}{seconds_of(report.elapsed_s)}"),
        ("error", words(report.error)),
        ("when", when),
        ("revision", report.revision),
        ("commit", report.commit),
        ("vouched for by", _voucher(report.vouched_by, words)),
        ("files", comma.join([*counts, size_of(report.size), *reused])),
        ("place", report.place),
    ]
    return [(words(name), printable(value)) for name, value in facts if value]


def _voucher(vouched_by: str, words: Words) -> str:
    """Name who vouched, and what that one's word is worth."""
    kind, _, name = vouched_by.partition(" ")
    return f"{words(VOUCHERS.get(kind, kind))} {words(name)}".rstrip() if kind else words("nobody")


def tracks_of(report: Report, words: Words) -> list[Track]:
    """Return the lines of the timeline: the call's parts, what was waited for, whose bytes came when."""
    phases = [Track(words(one.name), "phase", ((one.at_s, one.at_s + one.elapsed_s),)) for one in report.phases]
    waits = [Track(_wait_label(wait, words), "wait", wait.stretches) for wait in report.waits]
    top = max((max(flow.bins, default=0) for flow in report.flows), default=0) or 1
    flows = [
        Track(
            from_words(flow.endpoint, flow.host, words),
            "flow",
            levels=tuple(count / top for count in flow.bins),
            level_s=report.bin_s,
            marks=_marks(report, flow.endpoint),
        )
        for flow in report.flows
    ]
    giving = {flow.endpoint for flow in report.flows}
    silent = dict.fromkeys(trouble.endpoint for trouble in report.troubles if trouble.endpoint not in giving)
    failed = [Track(bare(name, words), "flow", marks=_marks(report, name)) for name in silent]
    return [track for track in [*phases, *waits, *flows, *failed] if track.stretches or track.levels or track.marks]


def _marks(report: Report, endpoint: str) -> tuple[float, ...]:
    return tuple(
        at
        for trouble in report.troubles
        if trouble.endpoint == endpoint and trouble.times
        for at in dict.fromkeys((trouble.at_s, *(end for _, end in trouble.stretches), trouble.last_s))
    )


def _wait_label(wait: Wait, words: Words) -> str:
    return printable(f"{words(wait.kind)} {bare(wait.who, words)}".rstrip())
