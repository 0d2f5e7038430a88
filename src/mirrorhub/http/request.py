"""What both carriers ask of a request before they send it: that its headers are headers, and how long it may take."""

from __future__ import annotations

import re

import httpx

CONNECT_ONLY = "mirrorhub.connect_only"
"""The extension of a request that is never sent: its connection is all that is wanted."""
_HEADER_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_VALUES = re.compile(rb"[\r\n\0]")


def check_headers(request: httpx.Request) -> None:
    """Refuse headers that could smuggle in another line.

    Raises:
        httpx.LocalProtocolError: A name or a value holds what does not belong there.
    """
    for name, value in request.headers.raw:
        if not _HEADER_NAME.fullmatch(name) or _NOT_IN_VALUES.search(value):
            raise httpx.LocalProtocolError(f"Not a header: {name!r}", request=request)


def lane_of(request: httpx.Request) -> int:
    """Read over which of an origin's connections a request wants to go; 0 is the first one."""
    return int(request.extensions.get("mirrorhub.lane", 0))


def timeouts_of(request: httpx.Request) -> dict[str, float | None]:
    """Read httpx's four time-outs: connect, read, write, pool."""
    return dict(request.extensions.get("timeout", {}))
