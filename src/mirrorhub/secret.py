"""A text that nobody sees by accident: not in a repr, so in no traceback with locals and in no printed settings."""

from __future__ import annotations


class Secret(str):
    """A token, or a header with one. It is sent like any text, and printed as `***` wherever its repr is asked for."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"
