"""The table that `mirrorhub endpoints` prints: who would be asked, and in which order; under it, why, and details."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mirrorhub.cli.table import Column, print_table
from mirrorhub.faults import Fault

if TYPE_CHECKING:
    # All only where a table is printed.
    from rich.console import Console

    from mirrorhub.bench.outlook import Outlook
    from mirrorhub.health.memory import Memory

COLUMNS = (
    Column("bytes"),
    Column("listing", spare=1),
    Column("endpoint", is_text=True),
    Column("can", is_text=True, spare=7),
    Column("connect\nms", spare=5),
    Column("first byte\nms", spare=8),
    Column("Mbit/s", spare=4),
    Column("failed", spare=2),
    Column("wrong", spare=6),
    Column("heard", spare=3),
)
FAINT = 0.05
"""What weighs less is not shown."""
NOBODY = "None could be reached lately, and all are asked as if nothing were known: is there a network?"
STEPS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def print_outlook(repo: str, found: Sequence[Outlook], console: Console | None = None) -> None:
    """Print what to expect: to a terminal in its width, to a file or a pipe in lines that are never folded."""
    from rich.console import Console
    from rich.text import Text

    console = console or Console()
    now = time.time()
    title = f"{repo}: who is asked, in this order"
    print_table(COLUMNS, [cells_of(one, now) for one in found], title=title, console=console)
    lines = [f"{_name(one)}: {line}" for one in found for line in details_of(one, now)]
    if any(one.place.excused for one in found):
        lines.insert(0, NOBODY)
    for line in lines:
        # As text, not as markup: some of it comes from the other end.
        console.print(Text(f"  {line}"), soft_wrap=True)


def cells_of(one: Outlook, now: float) -> list[str]:
    """Return what stands in a row."""
    memory = one.place.memory
    can = [*sorted(one.endpoint.can), *(["token"] if one.endpoint.auth or one.endpoint.token_variable else [])]
    wrong = memory.faults.get(Fault.WRONG_DIGEST.name, 0.0)
    return [
        _number(one.pulls),
        _number(one.asks),
        _name(one),
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
    # Of what is so of everybody one line tells for all.
    lines = [place.why] if place.why and not (place.excused and place.memory.is_gone) else []
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


def _name(one: Outlook) -> str:
    """Name an endpoint as it can be typed."""
    return str(one.endpoint).removeprefix("https://")


def _number(number: int | None) -> str:
    return "" if number is None else str(number)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}" if seconds else ""


def _count(count: float) -> str:
    """Write a count that has faded: a part of a failure would look like a mistake."""
    return f"{math.ceil(count)}" if count >= FAINT else ""
