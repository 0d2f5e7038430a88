"""The table that `mirrorhub endpoints` prints: who would be asked, and in which order; under it, why, and details."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mirrorhub.faults import Fault

if TYPE_CHECKING:
    # All only where a table is printed.
    from rich.console import Console

    from mirrorhub.bench.outlook import Outlook
    from mirrorhub.health.memory import Memory

COLUMNS = ("bytes", "listing", "endpoint", "can", "connect\nms", "first byte\nms", "Mbit/s", "failed", "wrong", "heard")
TEXTS = frozenset({"endpoint", "can"})
UNLIMITED = 100_000
"""Characters of a line that nobody looks at in a terminal."""
FAINT = 0.05
"""What weighs less is not shown."""
STEPS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def print_outlook(repo: str, found: Sequence[Outlook], console: Console | None = None) -> None:
    """Print what to expect: to a terminal in its width, to a file or a pipe in lines that are never folded."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console()
    if not console.is_terminal:
        console.width = UNLIMITED
    table = Table(title=Text(f"{repo}: who is asked, in this order"), box=box.SIMPLE, title_justify="left")
    for heading in COLUMNS:
        is_text = heading in TEXTS
        table.add_column(heading, justify="left" if is_text else "right", overflow="fold", no_wrap=not is_text)
    now = time.time()
    for one in found:
        table.add_row(*map(Text, cells_of(one, now)))
    console.print(table)
    for one in found:
        for line in details_of(one, now):
            # As text, not as markup: some of it comes from the other end.
            console.print(Text(f"  {one.endpoint}: {line}"), soft_wrap=True)


def cells_of(one: Outlook, now: float) -> list[str]:
    """Return what stands in a row."""
    memory = one.place.memory
    can = [*sorted(one.endpoint.can), *(["token"] if one.endpoint.auth else [])]
    wrong = memory.faults.get(Fault.WRONG_DIGEST.name, 0.0)
    return [
        _number(one.pulls),
        _number(one.asks),
        str(one.endpoint),
        ", ".join(can),
        _milliseconds(memory.connect.mean),
        _milliseconds(memory.first_byte.mean),
        f"{memory.bytes_per_s * 8 / 1e6:.1f}" if memory.bytes_per_s else "",
        _count(sum(memory.faults.values()) - wrong),
        _count(wrong),
        ago(memory.heard_at, now),
    ]


def details_of(one: Outlook, now: float) -> list[str]:
    """Return what else there is to say: why it is where it is, what went wrong, its data hosts, what a probe found."""
    place = one.place
    lines = [place.why] if place.why else []
    if faults := _faults(place.memory):
        lines.append(f"lately {faults}")
    for origin, memory in place.hosts:
        rate = f", {memory.bytes_per_s * 8 / 1e6:.1f} Mbit/s" if memory.bytes_per_s else ""
        faults = _faults(memory)
        lines.append(f"bytes from {origin}{rate}{f', lately {faults}' if faults else ''}")
    if one.found is not None:
        lines += [f"now: {trouble}" for trouble in one.found.troubles] or [f"now: answers over HTTP/{one.found.http}"]
    return lines


def ago(at: float, now: float) -> str:
    """Say how long ago something was; nothing where it never was."""
    seconds = max(0.0, now - at)
    size, unit = next(((size, unit) for size, unit in STEPS if seconds >= size), (1, "s"))
    return f"{seconds / size:.0f} {unit} ago" if at else ""


def _faults(memory: Memory) -> str:
    shown = {Fault[name].value: count for name, count in memory.faults.items() if count >= FAINT}
    return ", ".join(f"{words} ({_count(count)})" for words, count in sorted(shown.items(), key=lambda item: -item[1]))


def _number(number: int | None) -> str:
    return "" if number is None else str(number)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}" if seconds else ""


def _count(count: float) -> str:
    return f"{count:.1f}".removesuffix(".0") if count >= FAINT else ""
