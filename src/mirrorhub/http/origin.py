"""Where a request leads, and how hosts are reached: all that a carrier knows of the world outside. No IO here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import httpx


def no_proxy(url: str) -> str | None:
    """Reach every URL directly."""
    return None


@dataclass(frozen=True, slots=True)
class Route:
    """How hosts are reached.

    Attributes:
        ca_file: PEM file of trusted authorities. With no file and no directory, certifi's.
        ca_directory: Directory of trusted authorities, named by hash as OpenSSL wants it.
        proxy_for: URL -> the proxy to reach it by (http, https, socks5 or socks5h, with user:password), or None.
    """

    ca_file: str | None = None
    ca_directory: str | None = None
    proxy_for: Callable[[str], str | None] = no_proxy


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection leads, and through which proxy: requests to the same origin share it."""

    scheme: str
    host: str
    port: int
    proxy: str | None

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


def origin_of(request: httpx.Request, route: Route) -> Origin:
    """Name the origin of a request.

    Raises:
        httpx.UnsupportedProtocol: The URL is not http or https.
    """
    url = request.url
    if url.scheme not in ("http", "https"):
        raise httpx.UnsupportedProtocol(f"Not http or https: {url}", request=request)
    port = url.port or (443 if url.scheme == "https" else 80)
    return Origin(url.scheme, url.raw_host.decode("ascii"), port, route.proxy_for(str(url)))
