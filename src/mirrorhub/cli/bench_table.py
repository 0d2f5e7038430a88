"""The table that `mirrorhub bench` prints: the columns that there is room for, and under it what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorhub.cli.bench_page import Columns, columns_of, facts_of, verdict_of

if TYPE_CHECKING:
    # Both only where a table is printed.
    from rich.console import Console
    from rich.table import Table

    from mirrorhub.bench.comparison import Comparison

COLUMNS = {
    "endpoint": "endpoint",
    "DNS\nms": "dns",
    "connect\nms": "connect",
    "TLS\nms": "tls",
    "HTTP": "http",
    "first byte\nms": "first_byte",
    "listing\nms": "listing",
    "Mbit/s": "rate",
    "Range": "takes_range",
    "bytes from": "host",
    "would take\ns": "estimate",
}
"""Headings, and what stands below them."""
FEWER = {
    "endpoint": "endpoint",
    "connect ms\nDNS+TCP+TLS": "connecting",
    "listing ms\nas a whole": "listed",
    "Mbit/s": "rate",
    "would take\ns": "estimate",
}
"""Those for a terminal that has no room for all."""
TEXTS = frozenset({"endpoint", "bytes from"})
UNLIMITED = 100_000
"""Characters of a line that nobody looks at in a terminal."""


def print_table(found: Comparison, console: Console | None = None) -> None:
    """Print what was found: to a terminal in its width, to a file or a pipe in lines that are never folded."""
    from rich.console import Console
    from rich.text import Text

    console = console or Console()
    if not console.is_terminal:
        console.width = UNLIMITED
    rows = [columns_of(measurement, found.size) for measurement in found.measurements]
    title = f"{found.repo}, {facts_of(found)}"
    table = _table(title, COLUMNS, rows)
    if _width(console, table) > console.width:
        table = _table(title, FEWER, rows)
    console.print(table)
    for number, row in enumerate(rows, 1):
        for words in row.troubles + row.notes:
            # As text, not as markup: some of it comes from the other end.
            console.print(Text(f"  {number}  {row.endpoint}: {words}"), soft_wrap=True)
    console.print(Text(" ".join(verdict_of(found))), soft_wrap=not console.is_terminal)


def _table(title: str, columns: dict[str, str], rows: list[Columns]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), box=box.SIMPLE, title_justify="left")
    table.add_column("#", justify="right", no_wrap=True)
    for heading in columns:
        is_text = heading in TEXTS
        table.add_column(heading, justify="left" if is_text else "right", overflow="fold", no_wrap=not is_text)
    for number, row in enumerate(rows, 1):
        table.add_row(str(number), *(Text(getattr(row, name)) for name in columns.values()))
    return table


def _width(console: Console, table: Table) -> int:
    """Return how many characters a table takes where nothing of it is folded."""
    return console.measure(table, options=console.options.update(max_width=UNLIMITED)).maximum
