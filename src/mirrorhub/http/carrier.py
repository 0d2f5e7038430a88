"""What carries the bytes: one `httpx.AsyncBaseTransport`, over libcurl or over httpx's own connections.

Both carriers keep the same promises. An origin is reached over one HTTP/2 connection, or over a few where the server
speaks only HTTP/1.1. A body that ends early is an error. A cancelled request harms nobody else. A failure is an httpx
exception whose cause `cause_of` can tell. Nothing here follows redirects, decompresses, retries or keeps cookies, and
nothing reads the environment: how hosts are reached is said by a `Route`.

    request.extensions
      "timeout"               httpx's four; `read` means silence of the whole connection, not of one body among many
      "mirrorhub.connected"   called without arguments, once, when the connection for this request stands
    response.extensions
      "mirrorhub.peer"        (ip, port) of the other end, where known; behind a proxy, the proxy's
      "mirrorhub.connect_s"   seconds of TCP and TLS for a fresh connection, 0.0 for one that stood already
"""

from __future__ import annotations

import logging
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx

logger = logging.getLogger(__name__)

Cause = Literal["dns", "certificate", "refused", "timeout", "reset", "protocol", "proxy", "other"]
Kind = Literal["curl", "httpx"]

CLOSED = "the carrier was closed while this was running"

# Numbers of X509_verify_cert's verdict: the same in OpenSSL (Python) and BoringSSL (curl_cffi).
_CERTIFICATE_WORDS = {
    7: "certificate has a bad signature",
    9: "certificate is not valid yet",
    10: "certificate has expired",
    18: "self-signed certificate",
    19: "unknown issuer: a self-signed certificate in the chain is not trusted here",
    20: "unknown issuer: no trusted certificate vouches for it",
    21: "unknown issuer: the server sent no chain to a trusted one",
    23: "certificate was revoked",
}
_OTHER_HOST = (62, 64)  # host name, IP address
_HEADER_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_VALUES = re.compile(rb"[\r\n\0]")


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


def check_headers(request: httpx.Request) -> None:
    """Refuse headers that could smuggle in another line.

    Raises:
        httpx.LocalProtocolError: A name or a value holds what does not belong there.
    """
    for name, value in request.headers.raw:
        if not _HEADER_NAME.fullmatch(name) or _NOT_IN_VALUES.search(value):
            raise httpx.LocalProtocolError(f"Not a header: {name!r}", request=request)


def timeouts_of(request: httpx.Request) -> dict[str, float | None]:
    """Read httpx's four time-outs: connect, read, write, pool."""
    return dict(request.extensions.get("timeout", {}))


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


class CarrierError(Exception):
    """What a carrier knows of a failure, kept as the `__cause__` of the httpx exception it raises.

    Attributes:
        cause: In one word, for the layer that decides what to do next.
        code: libcurl's number for it, where libcurl carried the request.
        unseen: No part of an answer came, over a connection that may have been dead before: ask again at once.
    """

    def __init__(self, cause: Cause, message: str, *, code: int | None = None, unseen: bool = False) -> None:
        super().__init__(message)
        self.cause: Cause = cause
        self.code = code
        self.unseen = unseen


def transport_error(
    kind: type[httpx.TransportError], reason: CarrierError, request: httpx.Request
) -> httpx.TransportError:
    """Make the exception that a carrier raises, with the reason as its cause."""
    error = kind(str(reason), request=request)
    error.__cause__ = reason
    return error


def unseen(error: httpx.TransportError) -> bool:
    """Tell whether the carrier itself may ask once more: the server has hardly seen the request."""
    reason = error.__cause__
    return isinstance(reason, CarrierError) and reason.unseen and error.request.method in ("GET", "HEAD", "OPTIONS")


def cause_of(error: httpx.TransportError) -> Cause:
    """Say in one word why a request failed; also for httpx exceptions that no carrier of ours raised."""
    links = list(_chain(error))
    for link in links:
        if isinstance(link, CarrierError):
            return link.cause
    for link in links:
        found = _cause_of_system(link)
        if found is not None:
            return found
    return _cause_of_type(error)


def certificate_words(verdict: int, host: str, fallback: str) -> str:
    """Say what is wrong with a certificate, in the same words whoever checked it."""
    if verdict in _OTHER_HOST:
        return f"certificate is for another host: it does not name {host}"
    return _CERTIFICATE_WORDS.get(verdict, f"certificate is not accepted: {fallback}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _cause_of_system(error: BaseException) -> Cause | None:
    match error:
        case ssl.SSLCertVerificationError():
            return "certificate"
        case socket.gaierror():
            return "dns"
        case ConnectionRefusedError():
            return "refused"
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError() | ssl.SSLEOFError():
            return "reset"
        case Exception() if type(error).__name__ in ("EndOfStream", "BrokenResourceError"):
            return "reset"  # anyio's, under httpx
        case _:
            return None


def _cause_of_type(error: httpx.TransportError) -> Cause:
    match error:
        case httpx.TimeoutException():
            return "timeout"
        case httpx.ProxyError():
            return "proxy"
        case httpx.ReadError() | httpx.WriteError() | httpx.CloseError():
            return "reset"
        case httpx.ProtocolError():
            return "reset" if _broken_off(str(error)) else "protocol"
        case _:
            return "other"


def _broken_off(message: str) -> bool:
    # httpx has one exception for a peer that hangs up and one that talks nonsense; only its text tells them apart.
    return any(word in message for word in ("disconnected", "closed connection", "StreamReset", "ConnectionTerminated"))
