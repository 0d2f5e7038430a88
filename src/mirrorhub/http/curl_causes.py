"""Why libcurl failed: its numbers and sentences, told as httpx's exceptions and our causes. No IO here."""

from __future__ import annotations

import errno
import re

import httpx
from curl_cffi import Curl, CurlError, CurlInfo
from curl_cffi.const import CurlECode

from mirrorhub.http.causes import CarrierError, Cause, certificate_words
from mirrorhub.http.curl_options import number
from mirrorhub.http.origin import Origin

_X509_HOSTNAME_MISMATCH = 62

# A connection that stood idle may be dead, which shows only when it is used. libcurl asks again by itself for some of
# these; where it gives up, all it says is "giving up".
_BROKEN = (CurlECode.HTTP2, CurlECode.SEND_ERROR, CurlECode.RECV_ERROR, CurlECode.GOT_NOTHING)
_UNNAMED = {100: "the head of the answer is too large"}
"""What libcurl tells by a number alone."""
_BROKEN_OFF = re.compile("reset|abruptly|SSL_ERROR_SYSCALL|unexpected eof", re.IGNORECASE)  # in a TLS handshake
_KINDS: dict[int, tuple[type[httpx.TransportError], Cause]] = {
    CurlECode.UNSUPPORTED_PROTOCOL: (httpx.RemoteProtocolError, "protocol"),  # the server's: ours was checked before
    CurlECode.URL_MALFORMAT: (httpx.LocalProtocolError, "other"),
    CurlECode.COULDNT_RESOLVE_PROXY: (httpx.ProxyError, "proxy"),
    CurlECode.COULDNT_RESOLVE_HOST: (httpx.ConnectError, "dns"),
    CurlECode.WEIRD_SERVER_REPLY: (httpx.RemoteProtocolError, "protocol"),
    CurlECode.HTTP2: (httpx.RemoteProtocolError, "protocol"),
    CurlECode.GOT_NOTHING: (httpx.RemoteProtocolError, "reset"),
    CurlECode.SEND_ERROR: (httpx.WriteError, "reset"),
    CurlECode.RECV_ERROR: (httpx.ReadError, "reset"),
    CurlECode.PEER_FAILED_VERIFICATION: (httpx.ConnectError, "certificate"),
    CurlECode.SSL_ISSUER_ERROR: (httpx.ConnectError, "certificate"),
    CurlECode.SSL_INVALIDCERTSTATUS: (httpx.ConnectError, "certificate"),
    CurlECode.HTTP2_STREAM: (httpx.RemoteProtocolError, "reset"),
    CurlECode.PROXY: (httpx.ProxyError, "proxy"),
}


def curl_failure(
    error: CurlError, curl: Curl, origin: Origin, *, connected: bool, answered: bool
) -> tuple[type[httpx.TransportError], CarrierError]:
    """Say a failure of libcurl's in httpx's terms and ours.

    Args:
        error: What curl_cffi raised.
        curl: The handle that failed, not yet reset.
        origin: Where it led.
        connected: The connection stood.
        answered: The answer had begun.
    """
    code, message = int(error.code), _message_of(error)
    kind, cause = _kind_of(code, curl, origin, message, connected=connected)
    stood_before = number(curl, CurlInfo.NUM_CONNECTS) == 0
    again = code in _BROKEN and stood_before and not answered
    return kind, CarrierError(cause, _words(code, curl, origin, message), code=code, unseen=again)


def refused(error: httpx.TransportError) -> bool:
    """Tell whether the server turned the stream away for being one too many."""
    # Its text is all that libcurl tells: it tried again by itself, each time on a new connection, as impatiently.
    return "before giving up" in str(error)


def _kind_of(
    code: int, curl: Curl, origin: Origin, message: str, *, connected: bool
) -> tuple[type[httpx.TransportError], Cause]:
    if code == CurlECode.OPERATION_TIMEDOUT:
        return (httpx.ReadTimeout if connected else httpx.ConnectTimeout), "timeout"
    if not connected and origin.proxy and code in (CurlECode.COULDNT_CONNECT, CurlECode.RECV_ERROR):
        return httpx.ProxyError, "proxy"
    if code == CurlECode.COULDNT_CONNECT:
        return httpx.ConnectError, _cause_of_errno(number(curl, CurlInfo.OS_ERRNO))
    if code == CurlECode.SSL_CONNECT_ERROR:
        return httpx.ConnectError, "reset" if _BROKEN_OFF.search(message) else "protocol"
    if code in _KINDS:
        return _KINDS[code]
    return (httpx.ReadError if connected else httpx.ConnectError), "other"


def _cause_of_errno(code: int) -> Cause:
    causes: dict[int, Cause] = {
        errno.ECONNREFUSED: "refused",
        errno.ETIMEDOUT: "timeout",
        errno.ECONNRESET: "reset",
        errno.EPIPE: "reset",
    }
    return causes.get(code, "other")


def _words(code: int, curl: Curl, origin: Origin, message: str) -> str:
    if code != CurlECode.PEER_FAILED_VERIFICATION:
        return f"{origin}: {message}"
    # libcurl compares names itself, before it asks for the verdict on the chain.
    other_host = "subject name" in message or "common name" in message
    verdict = _X509_HOSTNAME_MISMATCH if other_host else number(curl, CurlInfo.SSL_VERIFYRESULT)
    return f"{origin}: {certificate_words(verdict, origin.host, message)}"


def _message_of(error: CurlError) -> str:
    """Take libcurl's own sentence out of curl_cffi's."""
    text = str(error).partition("curl: ")[2].partition(". See https://")[0]
    return text.partition(") ")[2] or _UNNAMED.get(int(error.code), f"libcurl error {int(error.code)}")
