"""What is set on a libcurl handle before a request, and what is read off it once it is connected.

Nothing is left to libcurl's own search: neither its environment variables, nor its list of authorities, nor the headers
that it would add.
"""

from __future__ import annotations

from typing import Any, cast

import certifi
import httpx
from curl_cffi import Curl, CurlInfo, CurlOpt
from curl_cffi._wrapper import ffi, lib  # type: ignore[import-not-found]
from curl_cffi.const import CurlHttpVersion, CurlSslVersion

from mirrorhub.http.origin import Origin, Route
from mirrorhub.http.timing import Timing

QUEUE_BYTES = 512 << 10  # of one body, read from the network but not by the caller
STREAM_WINDOW = 16 << 20
CONNECTION_WINDOW = 1 << 30  # all streams' windows together, so that unread bodies never stall the others


def header_lines(request: httpx.Request) -> list[bytes]:
    """Write the request's headers as libcurl wants them."""
    # A name with a semicolon is a header without a value; a bare name keeps libcurl from adding one of its own.
    lines = [name + b": " + value if value.strip() else name + b";" for name, value in request.headers.raw]
    own = ("Accept", "User-Agent", "Expect", "Content-Type", "Proxy-Connection")
    return lines + [f"{name}:".encode() for name in own if name not in request.headers]


def set_request(curl: Curl, request: httpx.Request, lines: list[bytes], body: bytes) -> None:
    """Say what is asked for."""
    url = request.url
    host = url.raw_host.decode("ascii")
    host = f"[{host}]" if ":" in host else host
    port = f":{url.port}" if url.port else ""
    curl.setopt(CurlOpt.URL, f"{url.scheme}://{host}{port}".encode() + url.raw_path)
    curl.setopt(CurlOpt.PATH_AS_IS, 1)
    curl.setopt(CurlOpt.HTTPHEADER, lines)
    if request.method == "HEAD":
        curl.setopt(CurlOpt.NOBODY, 1)
    elif body or request.method == "POST":
        curl.setopt(CurlOpt.POSTFIELDS, body)
        curl.setopt(CurlOpt.POSTFIELDSIZE_LARGE, len(body))
    curl.setopt(CurlOpt.CUSTOMREQUEST, request.method)


def set_route(curl: Curl, origin: Origin, route: Route, timeouts: dict[str, float | None]) -> None:
    """Say how to get there, and how much may come at a time."""
    connect_s = timeouts.get("connect")
    numbers = {
        CurlOpt.NOSIGNAL: 1,
        CurlOpt.HTTP_VERSION: CurlHttpVersion.V2TLS,
        CurlOpt.PIPEWAIT: 1,
        CurlOpt.HTTP2_WINDOW_UPDATE: CONNECTION_WINDOW,
        CurlOpt.BUFFERSIZE: QUEUE_BYTES,
        CurlOpt.SSLVERSION: CurlSslVersion.TLSv1_2,
        CurlOpt.SSL_VERIFYPEER: 1,
        CurlOpt.SSL_VERIFYHOST: 2,
        CurlOpt.PROXY_SSL_VERIFYPEER: 1,
        CurlOpt.PROXY_SSL_VERIFYHOST: 2,
        CurlOpt.SUPPRESS_CONNECT_HEADERS: 1,
        CurlOpt.HEADEROPT: 1,  # our headers are the origin's, not the proxy's
        CurlOpt.FOLLOWLOCATION: 0,
        CurlOpt.TCP_KEEPALIVE: 1,
        # Ours watches the time; libcurl's only divides it among a name's addresses.
        CurlOpt.CONNECTTIMEOUT_MS: int(connect_s * 1000) + 1000 if connect_s else 86_400_000,
    }
    for option, value in numbers.items():
        curl.setopt(option, value)
    curl.setopt(CurlOpt.HTTP2_SETTINGS, f"2:0;4:{STREAM_WINDOW}")
    # Empty, not unset: else libcurl reads the environment.
    curl.setopt(CurlOpt.PROXY, origin.proxy or "")
    curl.setopt(CurlOpt.NOPROXY, "")
    _set_authorities(curl, route)


def _set_authorities(curl: Curl, route: Route) -> None:
    file = route.ca_file or (None if route.ca_directory else certifi.where())
    for option in (CurlOpt.CAINFO, CurlOpt.PROXY_CAINFO):
        curl.setopt(option, file or ffi.NULL)
    for option in (CurlOpt.CAPATH, CurlOpt.PROXY_CAPATH):
        curl.setopt(option, route.ca_directory or ffi.NULL)


@ffi.callback("int(void *, char *, char *, int, int)")  # type: ignore[untyped-decorator]
def _stop(*_: object) -> int:
    """CURL_PREREQFUNC_ABORT: the connection stands, and stays in libcurl's pool; the request is not sent."""
    return 1


def stop_once_connected(curl: Curl) -> None:
    """End the transfer, with an error, where its request would be sent."""
    # curl_cffi knows the option by number only: a callback of ours is more than its setopt would pass on.
    lib._curl_easy_setopt(curl._curl, int(CurlOpt.PREREQFUNCTION), _stop)


def number(curl: Curl, info: CurlInfo) -> int:
    """Read a number off a handle."""
    return int(cast("int", curl.getinfo(info)))


def connection_facts(curl: Curl, origin: Origin) -> dict[str, Any]:
    """Read off a handle whom it is connected to and how long that took, for the extensions of its response."""
    address = cast("bytes", curl.getinfo(CurlInfo.PRIMARY_IP)).decode()
    facts: dict[str, Any] = {"mirrorhub.connect_s": 0.0}
    if number(curl, CurlInfo.NUM_CONNECTS) > 0:
        times = (CurlInfo.NAMELOOKUP_TIME_T, CurlInfo.CONNECT_TIME_T, CurlInfo.APPCONNECT_TIME_T)
        looked_up, connected, secured = (number(curl, time) / 1e6 for time in times)
        is_secure = origin.scheme == "https"
        facts["mirrorhub.connect_s"] = max((secured if is_secure else connected) - looked_up, 0.0)
        facts["mirrorhub.timing"] = Timing(
            None if origin.proxy else looked_up,
            max(connected - looked_up, 0.0),
            max(secured - connected, 0.0) if is_secure else None,
        )
    if address:
        facts["mirrorhub.peer"] = (address, number(curl, CurlInfo.PRIMARY_PORT))
    return facts
