"""Values out of a record that may have come from anybody: each is of its type and within measure, or refused.

A record that is refused counts as none; nothing but ValueError and LookupError gets out of reading one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TypeVar

MAX_NUMBER = 1 << 62
MAX_MOMENT_S = 1 << 37
"""Seconds of the epoch, some thousand years on: beyond them no calendar can say which day it is."""
_HEX = re.compile(r"[0-9a-f]*")
Word = TypeVar("Word", bound=str)


def parsed(data: bytes) -> dict[str, object]:
    """Read a record.

    Raises:
        ValueError: It is none.
    """
    try:
        return mapping(json.loads(data))
    except RecursionError as error:
        raise ValueError("deeper than any record") from error


def mapping(raw: object) -> dict[str, object]:
    """Read names and values.

    Raises:
        ValueError: They are something else.
    """
    if not isinstance(raw, dict):
        raise ValueError("no names and values")  # noqa: TRY004 - it is the value of a record
    return raw


def items(raw: object) -> list[object]:
    """Read a list.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(raw, list):
        raise ValueError("no list")  # noqa: TRY004
    return raw


def text(raw: object) -> str:
    """Read words.

    Raises:
        ValueError: They are something else, or hold half a character.
    """
    if not isinstance(raw, str):
        raise ValueError("no text")  # noqa: TRY004
    raw.encode()
    return raw


def texts(raw: object) -> tuple[str, ...]:
    """Read a list of words.

    Raises:
        ValueError: It is something else.
    """
    return tuple(map(text, items(raw)))


def one_of(raw: object, words: Iterable[Word]) -> Word:
    """Read one of a few words.

    Raises:
        ValueError: It is another one.
    """
    for word in words:
        if raw == word:
            return word
    raise ValueError("none of the words that may stand here")


def hex_digits(raw: object, count: int) -> str:
    """Read so many hexadecimal digits.

    Raises:
        ValueError: They are something else.
    """
    digits = text(raw)
    if len(digits) != count or not _HEX.fullmatch(digits):
        raise ValueError("no digest")
    return digits


def number(raw: object, least: int = 0) -> int:
    """Read a whole number.

    Raises:
        ValueError: It is something else, or beyond all measure.
    """
    if type(raw) is not int or not least <= raw <= MAX_NUMBER:
        raise ValueError("no number, or one beyond all measure")
    return raw


def moment_s(raw: object) -> float:
    """Read a time in seconds of the epoch.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(raw, (int, float)) or isinstance(raw, bool) or not 0 <= raw <= MAX_MOMENT_S:
        raise ValueError("no time")
    return float(raw)
