"""Addresses as they may be shown: no user, no password, no signed query.

A password that should have been written in percent code (`/`, `#`, a space) breaks an address in two; what is shown of
such a one is what follows the last `@`.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>]+", re.IGNORECASE)
_QUOTED = re.compile(
    r"(?<=['\"])([a-z][a-z0-9+.-]*://)[^/:'\"\n]*:(?!\d{1,5}(?:[/?#'\"]|$))[^'\"\n]*@(?=[^'\"\n@]*['\"])", re.IGNORECASE
)
"""An address in quotes with a login in it; a number after the colon is a port, and what follows a path."""


def redact(text: str) -> str:
    """Remove user info, query and fragment from every address in a text; signed URLs carry secrets there."""
    return _URL.sub(lambda match: _bare(match[0]), _QUOTED.sub(r"\1", text))


def bare_address(text: str) -> str:
    """Return one address without user and password, whatever characters these hold."""
    scheme, mark, rest = text.strip().partition("://")
    return redact(scheme + mark + rest.rpartition("@")[2]) if mark else text.strip().rpartition("@")[2]


def shown_name(given: str) -> str:
    """Return what was given as a name as it may be shown: it may be an address, with a password in it."""
    return bare_address(given) if "@" in given and ":" in given else redact(given)


def _bare(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(address)"
    host = parts.netloc.rpartition("@")[2]
    if not _is_host(host):
        return f"{parts.scheme}://{url.rpartition('@')[2]}" if "@" in url else f"{parts.scheme}://..."
    return urlunsplit(
        (parts.scheme, host, parts.path, "...", "") if parts.query else (parts.scheme, host, parts.path, "", "")
    )


def _is_host(host: str) -> bool:
    """Whether it is a host and perhaps a port; else it is the beginning of a login."""
    # In a sentence some of what follows it is no part of it.
    port = host.rpartition("]")[2].partition(":")[2].rstrip(":,.;)")
    return not port or port.isdecimal()
