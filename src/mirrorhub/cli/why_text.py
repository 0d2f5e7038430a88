"""A report in the terminal: what is known of the call, its timeline, and the tables that have something to say."""

from __future__ import annotations

import math
from collections.abc import Container
from typing import TYPE_CHECKING

from mirrorhub.cli.why_sheets import Sheet, seconds_of, sheets_of
from mirrorhub.cli.why_view import Track, facts_of, title_of, tracks_of
from mirrorhub.cli.why_words import Words
from mirrorhub.report import Report

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod
    from rich.table import Table

PIPE = 100_000
"""Characters of a line that nobody looks at in a terminal."""
LABEL, COLUMNS, FEWEST = 38, 100, 20
"""Characters of a label, and of the timeline: as many as there may be, and as few."""
BLOCKS, PLAIN = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
STYLES = {"phase": "cyan", "wait": "yellow", "flow": "green"}


def print_report(report: Report, words: Words, console: Console | None = None) -> None:
    """Print a report: to a terminal in its width, to a file or a pipe in lines that are never folded."""
    from rich.console import Console
    from rich.text import Text

    console = console or Console()
    if not console.is_terminal:
        console.width = PIPE
    # As text, not as markup: much of it comes from the other end.
    console.print(Text(title_of(report, words), style="bold"), soft_wrap=True)
    for name, value in facts_of(report, words):
        console.print(Text.assemble((f"  {name}{words(': ')}", "dim"), value), soft_wrap=not console.is_terminal)
    console.print()
    _print_timeline(report, words, console)
    for sheet in sheets_of(report, words):
        table = _table(sheet)
        if console.measure(table, options=console.options.update(max_width=PIPE)).maximum > console.width:
            table = _table(sheet, sheet.spare)
        console.print(table)
        for line in sheet.lines:
            console.print(Text(f"  {line}"), soft_wrap=True)
        if sheet.note:
            console.print(Text(f"  {sheet.note}", style="dim"), soft_wrap=not console.is_terminal)


def _print_timeline(report: Report, words: Words, console: Console) -> None:
    from rich.cells import cell_len, set_cell_size
    from rich.text import Text

    tracks = tracks_of(report, words)
    if not tracks or not report.elapsed_s:
        return
    wide = min(LABEL, max(cell_len(track.label) for track in tracks), max(10, console.width // 3))
    columns = max(FEWEST, min(COLUMNS, console.width - wide - 6))
    ramp = PLAIN if console.options.ascii_only else BLOCKS
    for track in tracks:
        label = set_cell_size(_shortened(track.label, wide), wide)
        drawn = _drawn(track, report.elapsed_s, columns, ramp)
        line = Text.assemble(f"  {label}  ", (drawn, STYLES[track.kind]))
        line.highlight_regex("[×x!]", "bold red")
        console.print(line, no_wrap=True, overflow="crop")
    scale = f"0{seconds_of(report.elapsed_s).rjust(columns - 1)}"
    console.print(Text(f"  {' ' * wide}  {scale}", style="dim"), no_wrap=True, overflow="crop")
    if any(track.marks for track in tracks):
        console.print(Text(f"  {words('× marks what went wrong.')}", style="dim"), soft_wrap=True)


def _shortened(label: str, wide: int) -> str:
    """Cut a label that is too long, and let it be seen; characters may take two columns."""
    from rich.cells import cell_len, set_cell_size

    return label if cell_len(label) <= wide else f"{set_cell_size(label, wide - 1).rstrip()}…"


def _drawn(track: Track, length_s: float, columns: int, ramp: str) -> str:
    """Draw a line of the timeline in so many characters."""
    cells = [0.0] * columns
    for start, end in track.stretches:
        first, last = _column(start, length_s, columns), _column(end, length_s, columns)
        cells[first : last + 1] = [1.0] * (last + 1 - first)
    for at, level in enumerate(track.levels):
        column = _column((at + 0.5) * track.level_s, length_s, columns)
        cells[column] = max(cells[column], level)
    drawn = [ramp[math.ceil(min(1.0, level) * (len(ramp) - 1))] for level in cells]
    for mark in track.marks:
        drawn[_column(mark, length_s, columns)] = "×"
    return "".join(drawn)


def _column(at_s: float, length_s: float, columns: int) -> int:
    # Cut off first: of lengths that a report may name, the quotient may be beyond all measure.
    return max(0, min(columns - 1, int(min(1.0, at_s / length_s) * columns)))


def _table(sheet: Sheet, spared: Container[int] = ()) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(sheet.title), box=box.SIMPLE, title_justify="left", title_style="bold")
    kept = [number for number in range(len(sheet.headings)) if number not in spared]
    for number in kept:
        is_text = number in sheet.texts
        justify: JustifyMethod = "left" if is_text else "right"
        table.add_column(Text(sheet.headings[number]), justify=justify, overflow="fold", no_wrap=not is_text)
    for row in sheet.rows:
        table.add_row(*(Text(row[number]) for number in kept))
    return table
