"""What is shown of a report, as text: the same tables and the same timeline in the terminal and on the page."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mirrorhub.cli.page import printable
from mirrorhub.cli.why_words import FAULTS, Words
from mirrorhub.models import Share
from mirrorhub.report import PUBLISHED, FileStory, Part, Report, Trouble, Wait

FILES_SHOWN = 40
RUNS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table.

    Attributes:
        title: What it is of.
        headings: Of its columns.
        rows: What stands in them.
        texts: The columns that hold no numbers.
        spare: The columns that go first where there is no room.
        lines: What is said below, and is too long for a column.
        note: How to read it.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: frozenset[int]
    spare: frozenset[int] = frozenset()
    lines: tuple[str, ...] = ()
    note: str = ""


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
    told = words("How it came" if report.outcome == PUBLISHED else "Why it did not come")
    return f"{told}: {printable(report.repo)}"


def facts_of(report: Report, words: Words) -> list[tuple[str, str]]:
    """Return what is known of the call as a whole, name by name."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(min(report.began_at, 32_503_680_000.0)))
    counts = f"{words('came')} {report.came}" + (f", {words('wanted')} {report.wanted}" if report.wanted else "")
    reused = f", {words('left by earlier calls')} {size_of(report.reused)}" if report.reused else ""
    facts = [
        ("outcome", f"{words(report.outcome)}, {seconds_of(report.elapsed_s)}"),
        ("error", report.error),
        ("when", when),
        ("revision", report.revision),
        ("commit", report.commit),
        ("vouched for by", report.vouched_by or words("nobody")),
        ("files", f"{counts}, {size_of(report.size)}{reused}"),
        ("place", report.place),
    ]
    return [(words(name), printable(value)) for name, value in facts if value]


def sheets_of(report: Report, words: Words) -> list[Sheet]:
    """Return the tables that have rows."""
    sheets = [
        _endpoints(report.parts, words),
        _flows(report, words),
        _troubles(report.troubles, words),
        _waits(report.waits, words),
        _convictions(report, words),
        _files(report, words),
        _sheet("Settings", ("setting", "value", "from"), [_texts(row) for row in _settings(report)], words, {0, 1, 2}),
        _sheet("Versions", ("name", "version"), report.versions, words, {0, 1}),
    ]
    return [sheet for sheet in sheets if sheet.rows]


def tracks_of(report: Report, words: Words) -> list[Track]:
    """Return the lines of the timeline: the call's parts, what was waited for, whose bytes came when."""
    phases = [Track(words(one.name), "phase", ((one.at_s, one.at_s + one.elapsed_s),)) for one in report.phases]
    waits = [Track(_wait_label(wait, words), "wait", wait.stretches) for wait in report.waits]
    top = max((max(flow.bins, default=0) for flow in report.flows), default=0) or 1
    flows = [
        Track(
            _from(flow.endpoint, flow.host),
            "flow",
            levels=tuple(count / top for count in flow.bins),
            level_s=report.bin_s,
            marks=_marks(report, flow.endpoint),
        )
        for flow in report.flows
    ]
    giving = {flow.endpoint for flow in report.flows}
    silent = dict.fromkeys(trouble.endpoint for trouble in report.troubles if trouble.endpoint not in giving)
    failed = [Track(_bare(name), "flow", marks=_marks(report, name)) for name in silent]
    return [track for track in [*phases, *waits, *flows, *failed] if track.stretches or track.levels or track.marks]


def size_of(size: int) -> str:
    """Write a number of bytes with its unit."""
    if size < 1_000:
        return f"{size} B"
    value, unit = next(((size / limit, name) for limit, name in _UNITS if size >= limit), (size / 1e3, "kB"))
    return f"{value:.1f} {unit}"


_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def seconds_of(seconds: float) -> str:
    """Write seconds with two digits that tell, at least."""
    return f"{seconds:.1f} s" if seconds >= 10 else f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1000:.0f} ms"


def _endpoints(parts: Sequence[Part], words: Words) -> Sheet:
    headings = ("endpoint", "outcome", "requests", "connecting", "waiting", "body", "received", "in vain", "lanes")
    rows = [
        (
            _bare(part.endpoint),
            f"{words(part.word)}, {words(part.end)}",
            str(part.requests or ""),
            *(seconds_of(one) if one else "" for one in (part.connect_s, part.answer_s, part.body_s)),
            *(size_of(one) if one else "" for one in (part.received, part.lost)),
            str(part.lanes or ""),
        )
        for part in parts
    ]
    lines = [f"{_bare(part.endpoint)}: {words('lanes')} {part.lanes}: {part.reason}" for part in parts if part.reason]
    note = "Times are of the clock, however many requests were under way: waiting includes a listing until it is whole."
    sheet = _sheet("Endpoints", headings, rows, words, {0, 1}, lines, note)
    return replace(sheet, spare=frozenset({2, 4, 8}))


def _flows(report: Report, words: Words) -> Sheet:
    rows = [(_bare(flow.endpoint), flow.host, size_of(flow.size)) for flow in report.flows]
    return _sheet("Bytes from", ("endpoint", "host", "received"), rows, words, {0, 1})


def _troubles(troubles: Sequence[Trouble], words: Words) -> Sheet:
    rows = [
        (
            _bare(trouble.endpoint),
            words(FAULTS.get(trouble.fault, trouble.fault)),
            str(trouble.times or ""),
            seconds_of(trouble.elapsed_s) if trouble.elapsed_s else "",
            size_of(trouble.size) if trouble.size else "",
            seconds_of(trouble.at_s),
        )
        for trouble in troubles
    ]
    lines = [
        f"{_bare(trouble.endpoint)}: {', '.join(trouble.subjects)}: {trouble.outcome}"
        for trouble in troubles
        if trouble.outcome
    ]
    headings = ("endpoint", "fault", "times", "time", "in vain", "first")
    return replace(_sheet("Left, and lost", headings, rows, words, {0, 1}, lines), spare=frozenset({5}))


def _waits(waits: Iterable[Wait], words: Words) -> Sheet:
    rows = [
        (words(wait.kind), _bare(wait.who), str(wait.times), seconds_of(wait.elapsed_s), seconds_of(wait.at_s))
        for wait in waits
    ]
    return _sheet("Waits", ("what", "who", "times", "time", "first"), rows, words, {0, 1})


def _convictions(report: Report, words: Words) -> Sheet:
    rows = [(_bare(one.endpoint), one.path, f"{one.start:,}-{one.end:,}") for one in report.convictions]
    return _sheet("Wrong bytes", ("endpoint", "file", "bytes"), rows, words, {0, 1, 2})


def _files(report: Report, words: Words) -> Sheet:
    rows = [_file(one, words) for one in report.files[:FILES_SHOWN]]
    note = "Only some files are shown." if report.came > len(rows) else ""
    headings = ("file", "size", "resumed", "tries", "time", "from")
    return _sheet("Files", headings, rows, words, {0, 5}, note=note)


def _file(one: FileStory, words: Words) -> tuple[str, ...]:
    came = [_share(share, words) for share in one.shares]
    if not one.verified:
        came.append(words("not checked"))
    reused = size_of(one.reused) if one.reused else ""
    return (one.path, size_of(one.size), reused, str(one.tries), seconds_of(one.elapsed_s), "; ".join(came))


def _share(share: Share, words: Words) -> str:
    runs = [f"{start:,}-{end:,}" for start, end in share.runs[:RUNS_SHOWN]]
    more = ", …" if len(share.runs) > RUNS_SHOWN else ""
    return f"{_from(share.endpoint, share.host)}: {', '.join(runs) + more if runs else words('all')}"


def _settings(report: Report) -> list[tuple[str, str, str]]:
    return [(row.name, row.value, row.source) for row in report.settings]


def _sheet(
    title: str,
    headings: Iterable[str],
    rows: Iterable[Iterable[str]],
    words: Words,
    texts: Iterable[int],
    lines: Iterable[str] = (),
    note: str = "",
) -> Sheet:
    told = tuple(map(_texts, rows))
    shown = tuple(map(words, headings))
    return Sheet(words(title), shown, told, frozenset(texts), lines=_texts(lines), note=words(note))


def _texts(row: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(printable, row))


def _marks(report: Report, endpoint: str) -> tuple[float, ...]:
    return tuple(
        at
        for trouble in report.troubles
        if trouble.endpoint == endpoint and trouble.times
        for at in dict.fromkeys((trouble.at_s, trouble.last_s))
    )


def _wait_label(wait: Wait, words: Words) -> str:
    return printable(f"{words(wait.kind)} {_bare(wait.who)}".rstrip())


def _from(endpoint: str, host: str) -> str:
    """Name an endpoint, and the host behind it where that is another one."""
    name = _bare(endpoint)
    return printable(name if host in ("", name.partition("/")[0]) else f"{name} → {host}")


def _bare(endpoint: str) -> str:
    return printable(endpoint.removeprefix("https://"))
