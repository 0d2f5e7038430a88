"""Why a request failed: one word for the cause, and the same words for a certificate, whoever carried it.

A carrier raises httpx's own exceptions. What it knows beyond their type hangs below as a `CarrierError`; `cause_of`
finds it there, and makes out the cause of an exception that no carrier of ours raised. No IO here.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Literal

import httpx

Cause = Literal["dns", "certificate", "refused", "timeout", "reset", "protocol", "proxy", "other"]

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
