"""The tables of a report, as text: the same in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mirrorhub.cli.page import printable
from mirrorhub.cli.why_words import FAULTS, Words
from mirrorhub.faults import Fault
from mirrorhub.models import Share
from mirrorhub.report import FileStory, Part, Report, Trouble, Wait
from mirrorhub.report.logbook import MAX_CONVICTIONS

FILES_SHOWN = 40
GAVE_WRONG = "gave wrong bytes"
INDEX = "package index"
TRACE = 0.001
"""A share of a file that is smaller is told in bytes."""


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
        _troubles(report, words),
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


def from_words(endpoint: str, host: str, words: Words) -> str:
    """Name an endpoint, and the host behind it where that is another one."""
    name = bare(endpoint, words)
    return printable(f"{name} → {host}" if is_elsewhere(endpoint, host) else name)


def is_elsewhere(endpoint: str, host: str) -> bool:
    """Whether a host is another one than the endpoint's own."""
    return host not in ("", endpoint.removeprefix("https://").partition("/")[0])


def bare(endpoint: str, words: Words) -> str:
    """Name an endpoint without what nearly all of them begin with."""
    name = f"{words(INDEX)}{endpoint.removeprefix(INDEX)}" if endpoint.startswith(f"{INDEX} (") else endpoint
    return printable(name.removeprefix("https://"))


def _endpoints(parts: Sequence[Part], words: Words) -> Sheet:
    headings = ("endpoint", "outcome", "requests", "connecting", "waiting", "body", "received", "in vain", "lanes")
    rows = [
        (
            bare(part.endpoint, words),
            f"{words(part.word)}{words(', ')}{words(part.end)}",
            str(part.requests or ""),
            *(seconds_of(one) if one else "" for one in (part.connect_s, part.answer_s, part.body_s)),
            *(size_of(one) if one else "" for one in (part.received, part.lost)),
            str(part.lanes or ""),
        )
        for part in parts
    ]
    lines = [
        _line(words, bare(part.endpoint, words), f"{words('lanes')} {part.lanes}", part.reason)
        for part in parts
        if part.reason
    ]
    note = "Times are of the clock, however many requests were under way: waiting includes a listing until it is whole."
    sheet = _sheet("Endpoints", headings, rows, words, {0, 1}, lines, note)
    return replace(sheet, spare=frozenset({2, 4, 8}))


def _flows(report: Report, words: Words) -> Sheet:
    """Tell whose hosts gave the bytes; nothing where the endpoints gave them themselves, as their own table says."""
    elsewhere = any(is_elsewhere(flow.endpoint, flow.host) for flow in report.flows)
    flows = report.flows if elsewhere else ()
    rows = [
        (bare(flow.endpoint, words), flow.host if is_elsewhere(flow.endpoint, flow.host) else "", size_of(flow.size))
        for flow in flows
    ]
    return _sheet("Bytes from", ("endpoint", "host", "received"), rows, words, {0, 1})


def _troubles(report: Report, words: Words) -> Sheet:
    troubles = report.troubles
    rows = [
        (
            bare(trouble.endpoint, words),
            words(FAULTS.get(trouble.fault, trouble.fault)),
            str(trouble.times or ""),
            seconds_of(trouble.elapsed_s) if trouble.elapsed_s else "",
            size_of(trouble.size) if trouble.size else "",
            seconds_of(trouble.at_s),
        )
        for trouble in troubles
    ]
    lines = [
        _line(words, bare(trouble.endpoint, words), ", ".join(trouble.subjects), _outcome(trouble, report, words))
        for trouble in troubles
        if trouble.outcome
    ]
    headings = ("endpoint", "fault", "times", "time", "in vain", "first")
    return replace(_sheet("Left, and lost", headings, rows, words, {0, 1}, lines), spare=frozenset({5}))


def _outcome(trouble: Trouble, report: Report, words: Words) -> str:
    """Say what happened; of wrong bytes only in how many files: their digests are for whoever reads JSON."""
    wrong = {one.path for one in report.convictions if one.endpoint == trouble.endpoint}
    if trouble.fault != Fault.WRONG_DIGEST.name:
        return trouble.outcome
    more = "+" if len(report.convictions) >= MAX_CONVICTIONS else ""
    return words("gave wrong bytes; files: {count}").format(count=f"{len(wrong)}{more}") if wrong else words(GAVE_WRONG)


def _waits(waits: Iterable[Wait], words: Words) -> Sheet:
    rows = [
        (words(wait.kind), bare(wait.who, words), str(wait.times), seconds_of(wait.elapsed_s), seconds_of(wait.at_s))
        for wait in waits
    ]
    return _sheet("Waits", ("what", "who", "times", "time", "first"), rows, words, {0, 1})


def _convictions(report: Report, words: Words) -> Sheet:
    rows = [(bare(one.endpoint, words), one.path, f"{one.start:,}-{one.end:,}") for one in report.convictions]
    return _sheet("Wrong bytes", ("endpoint", "file", "bytes"), rows, words, {0, 1, 2})


def _files(report: Report, words: Words) -> Sheet:
    rows = [_file(one, words) for one in report.files[:FILES_SHOWN]]
    note = "Only some files are shown." if report.came > len(rows) else ""
    headings = ("file", "size", "resumed", "tries", "time", "from")
    return _sheet("Files", headings, rows, words, {0, 5}, note=note)


def _file(one: FileStory, words: Words) -> tuple[str, ...]:
    came = [_share(share, one.size, words) for share in one.shares]
    if not one.verified:
        came.append(words("not checked"))
    reused = size_of(one.reused) if one.reused else ""
    return (one.path, size_of(one.size), reused, str(one.tries), seconds_of(one.elapsed_s), "; ".join(came))


def _share(share: Share, size: int, words: Words) -> str:
    """Say how much of a file one giver gave; which bytes these were stands in the JSON."""
    part = share.size / size if size else 0.0
    much = words("all") if not share.runs else f"{min(part, 1 - TRACE):.1%}" if part >= TRACE else size_of(share.size)
    return _line(words, from_words(share.endpoint, share.host, words), much)


def _line(words: Words, *parts: str) -> str:
    return words(": ").join(parts)


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
