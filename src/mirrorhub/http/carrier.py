"""What carries the bytes: one `httpx.AsyncBaseTransport`, over libcurl or over httpx's own connections.

Both carriers keep the same promises. An origin's lane is one HTTP/2 connection, or a few where the server speaks
only HTTP/1.1. A body that ends early is an error. A cancelled request harms nobody else. A failure is an httpx
exception whose cause `causes.cause_of` can tell. Nothing here follows redirects, decompresses, retries or keeps
cookies, and nothing reads the environment: how hosts are reached is said by a `Route`.

    request.extensions
      "timeout"               httpx's four; `read` means silence of the whole connection, not of one body among many
      "mirrorhub.lane"        which of the origin's connections to go over: 0, the default, or one more for each number;
                              where the server speaks only HTTP/1.1 there is but one lane, of a few connections
      "mirrorhub.connected"   called once, when the connection for this request stands, with the seconds of
                              `mirrorhub.connect_s`
    response.extensions
      "mirrorhub.peer"        (ip, port) of the other end, where known; behind a proxy, the proxy's
      "mirrorhub.connect_s"   seconds of TCP and TLS for a fresh connection, 0.0 for one that stood already
      "mirrorhub.timing"      a `Timing` of the parts of these seconds, name look-up beside; none where it stood already
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

import httpx

from mirrorhub.http.origin import Route

logger = logging.getLogger(__name__)

Kind = Literal["curl", "httpx"]


def build_carrier(kind: Kind, route: Route) -> httpx.AsyncBaseTransport:
    """Build the transport that an `httpx.AsyncClient` is to use.

    Args:
        kind: "curl", or "httpx" for httpx's own connections, which also stand in where curl_cffi cannot be loaded.
        route: Trusted authorities and proxies.

    Raises:
        FileNotFoundError: The CA file or directory is not there.
        ssl.SSLError: The CA file holds no certificate (httpx's carrier; curl's says so at the first request).
    """
    for place in (route.ca_file, route.ca_directory):
        if place and not Path(place).exists():
            raise FileNotFoundError(f"No CA certificates at {place}: set ca_file to a PEM file that exists.")
    if kind == "curl":
        try:
            # Imported only here: it brings a shared library of some megabytes, and may be missing on this platform.
            from mirrorhub.http.curl import CurlTransport
        except ImportError as error:
            _say_once(f"curl_cffi cannot be loaded ({error}): httpx carries the bytes itself.")
        else:
            return CurlTransport(route)
    from mirrorhub.http.plain import PlainTransport

    return PlainTransport(route)


_said: set[str] = set()


def _say_once(message: str) -> None:
    if message not in _said:
        _said.add(message)
        logger.info("%s", message)
