"""Addresses as they may be shown: no user, no password, no signed query."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>]+", re.IGNORECASE)


def redact(text: str) -> str:
    """Remove user info, query and fragment from every address in a text; signed URLs carry secrets there."""
    return _URL.sub(lambda match: _bare(match[0]), text)


def _bare(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(address)"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(
        (parts.scheme, host, parts.path, "...", "") if parts.query else (parts.scheme, host, parts.path, "", "")
    )
