"""What the libraries below log of requests is kept from telling tokens: hpack writes headers down as it packs them."""

from __future__ import annotations

import logging

_TELLING = ("Adding ", "Encoding ", "Encoded header block", "Evicting ")
_LOGGERS = ("hpack.hpack", "hpack.table")


def hush() -> None:
    """Let hpack's loggers leave out what holds headers that are sent, for whoever logs everything; once will do."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_is_harmless)


def _is_harmless(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_TELLING)
