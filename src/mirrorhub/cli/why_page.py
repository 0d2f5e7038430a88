"""The page that `mirrorhub why --html` writes: reports one below the other, each with its timeline and its tables."""

from __future__ import annotations

from collections.abc import Sequence

from mirrorhub.cli.page import document, text
from mirrorhub.cli.why_sheets import Sheet, seconds_of, sheets_of
from mirrorhub.cli.why_view import Track, facts_of, title_of, tracks_of
from mirrorhub.cli.why_words import LANGUAGES, words_in
from mirrorhub.report import PUBLISHED, Report

WIDTH, LABEL, STEP, BAR = 1040, 290, 26, 16
"""Of the timeline, its labels, from one line to the next, and a line, in units of the drawing."""
NAME = 34
"""Characters of a label that there is room for."""
STYLE = """
:root { --phase: #4f7cac; --wait: #d98e3f; --flow: #5aa469; }
@media (prefers-color-scheme: dark) { :root { --phase: #6b9bd1; --wait: #e5a55e; --flow: #76bf85; } }
.phase { fill: var(--phase); } .wait { fill: var(--wait); } .flow { fill: var(--flow); }
svg .mark { fill: var(--bad); font-size: 18px; font-weight: 700; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 18px; margin: 8px 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
td.words, th.words { text-align: left; } td.words { white-space: normal; overflow-wrap: anywhere; min-width: 14em; }
p.line { font-size: 13px; overflow-wrap: anywhere; } h1 { overflow-wrap: anywhere; }
section + section { margin-top: 64px; }
"""


def page_of(reports: Sequence[Report], language: str) -> str:
    """Write the page, in one language."""
    body = "".join(_section(report, language) for report in reports)
    return document(f"mirrorhub why: {reports[0].repo}", LANGUAGES[language], STYLE, body)


def _section(report: Report, language: str) -> str:
    words = words_in(language)
    facts = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in facts_of(report, words))
    sheets = "".join(map(_table, sheets_of(report, words)))
    mood = "" if report.outcome == PUBLISHED else " class='bad'"
    return f"""<section>
<h1{mood}>{text(title_of(report, words))}</h1>
<dl>{facts}</dl>
<h2>{words("Time")}</h2>
<div class='scroll'>{_timeline(tracks_of(report, words), report.elapsed_s)}</div>
<p class='soft'>{words("× marks what went wrong.")}</p>
{sheets}</section>
"""


def _table(sheet: Sheet) -> str:
    def row(values: Sequence[str], tag: str) -> str:
        kinds = (" class='words'" if number in sheet.texts else "" for number in range(len(values)))
        cells = (f"<{tag}{kind}>{text(value)}</{tag}>" for kind, value in zip(kinds, values, strict=True))
        return f"<tr>{''.join(cells)}</tr>"

    rows = "".join(row(values, "td") for values in sheet.rows)
    lines = "".join(f"<p class='line'>{text(line)}</p>" for line in sheet.lines)
    note = f"<p class='soft'>{text(sheet.note)}</p>" if sheet.note else ""
    table = f"<table><thead>{row(sheet.headings, 'th')}</thead><tbody>{rows}</tbody></table>"
    return f"<h2>{text(sheet.title)}</h2>\n<div class='scroll'>{table}</div>{lines}{note}\n"


def _timeline(tracks: Sequence[Track], length_s: float) -> str:
    height = STEP * len(tracks) + 30
    drawn = ""
    for part in range(5):
        x = _along(length_s * part / 4, length_s)
        drawn += f"<line class='grid' x1='{x:.1f}' x2='{x:.1f}' y1='2' y2='{height - 24}'></line>"
        at = text(seconds_of(length_s * part / 4))
        drawn += f"<text class='soft' x='{x:.1f}' y='{height - 8}' text-anchor='middle'>{at}</text>"
    for number, track in enumerate(tracks):
        drawn += _track(track, length_s, 4 + STEP * number)
    return f"<svg viewBox='0 0 {WIDTH} {height}' role='img'>{drawn}</svg>"


def _track(track: Track, length_s: float, y: int) -> str:
    name = track.label if len(track.label) <= NAME else f"{track.label[: NAME - 1]}…"
    drawn = (
        f"<text x='{LABEL - 12}' y='{y + 13}' text-anchor='end'>{text(name)}<title>{text(track.label)}</title></text>"
    )
    for start, end in track.stretches:
        drawn += _bar(track.kind, start, end, length_s, y, 1.0)
    for number, level in enumerate(track.levels):
        if level:
            drawn += _bar(track.kind, number * track.level_s, (number + 1) * track.level_s, length_s, y, level)
    for mark in track.marks:
        drawn += f"<text class='mark' x='{_along(mark, length_s):.1f}' y='{y + 14}' text-anchor='middle'>×</text>"
    return drawn


def _bar(kind: str, start: float, end: float, length_s: float, y: int, level: float) -> str:
    x, tall = _along(start, length_s), max(1.5, BAR * level)
    width = max(1.5, _along(end, length_s) - x)
    return f"<rect class='{kind}' x='{x:.1f}' y='{y + BAR - tall:.1f}' width='{width:.1f}' height='{tall:.1f}'></rect>"


def _along(at_s: float, length_s: float) -> float:
    """Return how far to the right a moment lies."""
    return LABEL + min(1.0, at_s / length_s if length_s else 0.0) * (WIDTH - LABEL - 40)
