"""The tables of a report, as text: the same in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mirrorhub.cli.page import printable
from mirrorhub.cli.why_words import FAULTS, Words
from mirrorhub.models import Share
from mirrorhub.report import FileStory, Part, Report, Trouble, Wait

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


def from_words(endpoint: str, host: str) -> str:
    """Name an endpoint, and the host behind it where that is another one."""
    name = bare(endpoint)
    return printable(name if host in ("", name.partition("/")[0]) else f"{name} → {host}")


def bare(endpoint: str) -> str:
    """Name an endpoint without what nearly all of them begin with."""
    return printable(endpoint.removeprefix("https://"))


def _endpoints(parts: Sequence[Part], words: Words) -> Sheet:
    headings = ("endpoint", "outcome", "requests", "connecting", "waiting", "body", "received", "in vain", "lanes")
    rows = [
        (
            bare(part.endpoint),
            f"{words(part.word)}, {words(part.end)}",
            str(part.requests or ""),
            *(seconds_of(one) if one else "" for one in (part.connect_s, part.answer_s, part.body_s)),
            *(size_of(one) if one else "" for one in (part.received, part.lost)),
            str(part.lanes or ""),
        )
        for part in parts
    ]
    lines = [f"{bare(part.endpoint)}: {words('lanes')} {part.lanes}: {part.reason}" for part in parts if part.reason]
    note = "Times are of the clock, however many requests were under way: waiting includes a listing until it is whole."
    sheet = _sheet("Endpoints", headings, rows, words, {0, 1}, lines, note)
    return replace(sheet, spare=frozenset({2, 4, 8}))


def _flows(report: Report, words: Words) -> Sheet:
    rows = [(bare(flow.endpoint), flow.host, size_of(flow.size)) for flow in report.flows]
    return _sheet("Bytes from", ("endpoint", "host", "received"), rows, words, {0, 1})


def _troubles(troubles: Sequence[Trouble], words: Words) -> Sheet:
    rows = [
        (
            bare(trouble.endpoint),
            words(FAULTS.get(trouble.fault, trouble.fault)),
            str(trouble.times or ""),
            seconds_of(trouble.elapsed_s) if trouble.elapsed_s else "",
            size_of(trouble.size) if trouble.size else "",
            seconds_of(trouble.at_s),
        )
        for trouble in troubles
    ]
    lines = [
        f"{bare(trouble.endpoint)}: {', '.join(trouble.subjects)}: {trouble.outcome}"
        for trouble in troubles
        if trouble.outcome
    ]
    headings = ("endpoint", "fault", "times", "time", "in vain", "first")
    return replace(_sheet("Left, and lost", headings, rows, words, {0, 1}, lines), spare=frozenset({5}))


def _waits(waits: Iterable[Wait], words: Words) -> Sheet:
    rows = [
        (words(wait.kind), bare(wait.who), str(wait.times), seconds_of(wait.elapsed_s), seconds_of(wait.at_s))
        for wait in waits
    ]
    return _sheet("Waits", ("what", "who", "times", "time", "first"), rows, words, {0, 1})


def _convictions(report: Report, words: Words) -> Sheet:
    rows = [(bare(one.endpoint), one.path, f"{one.start:,}-{one.end:,}") for one in report.convictions]
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
    return f"{from_words(share.endpoint, share.host)}: {', '.join(runs) + more if runs else words('all')}"


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
