"""Sizes, ages and names as a terminal shows them and takes them, for the commands about the caches."""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Sequence

import click

from mirrorhub.cli.table import Column, print_table
from mirrorhub.http.redact import redact

_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}
_BINARY = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SPANS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 7 * 86_400.0}


class Size(click.ParamType[int]):
    """`10GB`, `500 MB`, `2GiB`, or bytes."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", str(value).strip().lower())
        if match is None or (match[3] and not match[2]):
            self.fail(f"{value!r} is not a size: write 10GB, 500MB or 2GiB", param, ctx)
        return int(float(match[1]) * (_BINARY if match[3] else _UNITS)[match[2]])


class Age(click.ParamType[float]):
    """`30d`, `12h`, `2w`."""

    name = "age"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw])", str(value).strip().lower())
        if match is None:
            self.fail(f"{value!r} is not an age: write 30d, 12h or 2w", param, ctx)
        return float(match[1]) * _SPANS_S[match[2]]


def size_words(size: int) -> str:
    """Write a size for a person."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def age_words(at_s: float | None, now_s: float | None = None) -> str:
    """Write how long ago something was."""
    if not at_s:
        return "-"
    seconds = max(0.0, (time.time() if now_s is None else now_s) - at_s)
    for unit, span in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= span:
            return f"{seconds / span:.0f} {unit} ago"
    return "just now"


def shown(text: str) -> str:
    """Write what comes from disk so that it can do nothing to a terminal and tells no secret."""
    return "".join("?" if unicodedata.category(char).startswith("C") else char for char in redact(text))


def counted(number: int, one: str, more: str) -> str:
    """Write a number and what is counted."""
    return f"{number} {one if number == 1 else more}"


def print_rows(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print a table of what comes from disk."""
    print_table(columns, [[shown(cell) for cell in row] for row in rows])
