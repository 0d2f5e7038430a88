"""A table in the terminal: the columns that there is room for, each cell of them whole; in a file or a pipe, all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Both only where a table is printed.
    from rich.console import Console
    from rich.table import Table

UNLIMITED = 100_000
"""Characters of a line that nobody looks at in a terminal."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        heading: What stands above it.
        is_text: It is no number: it stands to the left, and may be folded where the terminal is too narrow even for it.
        spare: How soon it goes where there is no room: the largest first; 0 never.
    """

    heading: str
    is_text: bool = False
    spare: int = 0


def print_table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], *, title: str = "", console: Console | None = None
) -> None:
    """Print rows: to a terminal in its width, to a file or a pipe in lines that are never folded."""
    from rich.console import Console
    from rich.text import Text

    console = console or Console()
    if not console.is_terminal:
        console.width = UNLIMITED
    told = {number for number in range(len(columns)) if any(row[number] for row in rows)}
    kept = list(range(len(columns)))
    while _width(console, table := _table(columns, rows, kept, title)) > console.width and (
        spare := [number for number in kept if columns[number].spare]
    ):
        # First whatever is empty: of that nobody needs to be told.
        kept.remove(max(spare, key=lambda number: (number not in told, columns[number].spare)))
    console.print(table)
    if left_out := [" ".join(columns[number].heading.split()) for number in sorted(told.difference(kept))]:
        console.print(Text(f"  no room for: {', '.join(left_out)}", style="dim"), soft_wrap=True)


def _table(columns: Sequence[Column], rows: Sequence[Sequence[str]], kept: Sequence[int], title: str) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title) if title else None, box=box.SIMPLE, title_justify="left")
    for column in (columns[number] for number in kept):
        table.add_column(
            column.heading,
            justify="left" if column.is_text else "right",
            overflow="fold",
            no_wrap=not column.is_text,
            min_width=max(map(len, column.heading.split())),
        )
    for row in rows:
        # As text, not as markup: some of it comes from the other end, or from a disk.
        table.add_row(*(Text(row[number]) for number in kept))
    return table


def _width(console: Console, table: Table) -> int:
    """Return how many characters a table takes where nothing of it is folded."""
    return console.measure(table, options=console.options.update(max_width=UNLIMITED)).maximum
