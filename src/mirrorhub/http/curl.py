"""The curl carrier: httpx requests over libcurl's multi interface, one lane for each origin.

A lane is one multi handle held to one connection. Its requests are HTTP/2 streams of that connection; those above the
server's limit wait for their turn inside libcurl. Where the server speaks only HTTP/1.1, the lane may open a few more.
A body that nobody reads is paused and keeps libcurl's receive window, never its siblings, waiting.

All of it lives on one event loop. libcurl calls back only from inside `process_data`, and nothing here removes a
handle from inside a callback.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import errno
import os
import re
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import certifi
import httpx
from curl_cffi import AsyncCurl, Curl, CurlError, CurlInfo, CurlOpt
from curl_cffi._wrapper import ffi, lib  # type: ignore[import-not-found]
from curl_cffi.aio import CURL_POLL_NONE, CURL_SOCKET_TIMEOUT
from curl_cffi.const import CurlECode, CurlHttpVersion, CurlMOpt, CurlSslVersion
from curl_cffi.curl import CURL_WRITEFUNC_PAUSE, CURLPAUSE_CONT

from mirrorhub.http.carrier import (
    CLOSED,
    CarrierError,
    Cause,
    Origin,
    Route,
    certificate_words,
    check_headers,
    origin_of,
    timeouts_of,
    transport_error,
    unseen,
)

STREAMS = 64  # requests of one lane that libcurl knows of at a time
# Before a server has told its stream limit, libcurl assumes 100; what comes above the real one is refused, and libcurl
# gives up the whole connection for it. So the first few go ahead, and the others follow the first answer.
COLD_STREAMS = 4
ATTEMPTS = 4  # at a request that the server hardly saw
HTTP1_CONNECTIONS = 6  # of one lane, where the server does not speak HTTP/2
QUEUE_BYTES = 512 << 10  # of one body, read from the network but not by the caller
IDLE_S = 15.0  # after which an unused lane closes its connection
TICK_S = 0.05  # resolution of time-outs
STREAM_WINDOW = 16 << 20
CONNECTION_WINDOW = 1 << 30  # all streams' windows together, so that unread bodies never stall the others
# A server serves streams in turn, so one may wait long on a slow line; one that is passed over for this long is stuck.
PASSED_OVER_BYTES = 64 << 20
POOLED_HANDLES = 16
_X509_HOSTNAME_MISMATCH = 62


class CurlTransport(httpx.AsyncBaseTransport):
    """Carry requests over libcurl.

    Bound to the event loop of its first request. Closing it fails what is still running, with `httpx.ReadError`.
    """

    def __init__(self, route: Route, *, idle_s: float = IDLE_S) -> None:
        self._route = route
        self._idle_s = idle_s
        self._lanes: dict[Origin, _Lane] = {}
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return when its response headers are here.

        Raises:
            httpx.TransportError: In its usual kinds; `cause_of` says why.
        """
        if self._closed:
            raise RuntimeError("This carrier is closed.")
        origin = origin_of(request, self._route)
        check_headers(request)
        lines = _header_lines(request)
        body = await request.aread()
        return await self._lane_for(origin).send(request, lines, body)

    async def aclose(self) -> None:
        """Close every connection; what was running fails. No socket, task or thread is left."""
        self._closed = True
        for lane in list(self._lanes.values()):
            await lane.aclose()

    def _lane_for(self, origin: Origin) -> _Lane:
        lane = self._lanes.get(origin)
        if lane is None or lane.ended:
            lane = _Lane(origin, self._route, idle_s=self._idle_s, forget=self._forget)
            self._lanes[origin] = lane
        return lane

    def _forget(self, lane: _Lane) -> None:
        if self._lanes.get(lane.origin) is lane:
            del self._lanes[lane.origin]


class _Multi(AsyncCurl):
    """libcurl's multi handle, with three things that curl_cffi's wrapper lacks.

    Its connections can be limited, it tells when it has moved, and a late event after closing passes unnoticed.
    """

    def __init__(self, moved: Callable[[], None]) -> None:
        self._moved = moved
        super().__init__()
        self._number(CurlMOpt.QUICK_EXIT, 1)  # else closing waits for name look-ups that hang

    def process_data(self, sockfd: int, ev_bitmask: int) -> None:
        if self._curlm:
            super().process_data(sockfd, ev_bitmask)
            self._moved()

    def drain(self) -> None:
        """Let libcurl see the time, and collect what has ended."""
        self.process_data(CURL_SOCKET_TIMEOUT, CURL_POLL_NONE)

    def limit(self, *, connections: int, streams: int) -> None:
        self._number(CurlMOpt.MAX_HOST_CONNECTIONS, connections)
        self._number(CurlMOpt.MAX_CONCURRENT_STREAMS, streams)

    def abandon(self) -> None:
        """Free everything without the event loop, which is gone: so no callback may run any more."""
        lib.curl_multi_setopt(self._curlm, CurlMOpt.SOCKETFUNCTION, ffi.NULL)
        lib.curl_multi_setopt(self._curlm, CurlMOpt.TIMERFUNCTION, ffi.NULL)
        for curl in self._curl2future:
            lib.curl_multi_remove_handle(self._curlm, curl._curl)
            curl.close()
        lib.curl_multi_cleanup(self._curlm)
        self._curlm = None
        _expect_no_end(self._timeout_checker)

    def disown(self) -> None:
        """Forget libcurl's handles without freeing them: they belong to the process we were forked from."""
        for curl in self._curl2future:
            curl._curl = None
        self._curlm = None

    def _number(self, option: CurlMOpt, value: int) -> None:
        # AsyncCurl.setopt passes the address of the number: libcurl takes that for the number, and says it is fine.
        self._check_error(lib.curl_multi_setopt(self._curlm, option, ffi.cast("void *", value)), "setopt", option.name)


class _Lane:
    """One origin's multi handle, its transfers, and the task that watches their time and closes it when unused."""

    def __init__(self, origin: Origin, route: Route, *, idle_s: float, forget: Callable[[_Lane], None]) -> None:
        self.origin = origin
        self.route = route
        self.loop = asyncio.get_running_loop()
        self.ended = False
        self.heard_at = self.loop.time()
        self.heard_bytes = 0
        self.transfers: dict[_Transfer, None] = {}  # in the order in which they came
        self._idle_s = idle_s
        self._forget = forget
        self._users = 0
        self._used_at = self.loop.time()
        self._slots = asyncio.Semaphore(STREAMS)
        self._file = asyncio.Lock()
        self._open = False
        self._http1 = False
        self._spare: list[Curl] = []
        self._multi = _Multi(self._moved)
        self._multi.limit(connections=1, streams=COLD_STREAMS)
        self._keeper = self.loop.create_task(self._keep(), name=f"mirrorhub lane {origin}")
        _open_lanes.add(self)

    async def send(self, request: httpx.Request, lines: list[bytes], body: bytes) -> httpx.Response:
        self._users += 1
        file: contextlib.AbstractAsyncContextManager[object] = contextlib.nullcontext()
        try:
            for _ in range(ATTEMPTS - 1):
                try:
                    async with file:
                        return await self._attempt(request, lines, body)
                except httpx.TransportError as error:
                    if not unseen(error):
                        raise
                    if _refused(error):
                        file = self._file  # one by one: with the first answer libcurl knows the limit
            async with file:
                return await self._attempt(request, lines, body)
        finally:
            self._users -= 1
            self._used_at = self.loop.time()

    async def _attempt(self, request: httpx.Request, lines: list[bytes], body: bytes) -> httpx.Response:
        await self._take_slot(request)
        if self.ended:  # while this one waited
            self._slots.release()
            raise transport_error(httpx.ReadError, CarrierError("other", CLOSED), request)
        transfer = _Transfer(self, request, len(body))
        try:
            transfer.start(self._spare.pop() if self._spare else Curl(), lines, body)
            return await transfer.response()
        except BaseException:
            transfer.end()
            raise

    def add(self, transfer: _Transfer, curl: Curl) -> asyncio.Future[None]:
        self.transfers[transfer] = None
        if self._http1:
            curl.setopt(CurlOpt.PIPEWAIT, 0)  # there is no stream to wait for: open the next connection at once
        return cast("asyncio.Future[None]", self._multi.add_handle(curl))

    def withdraw(self, curl: Curl) -> None:
        self._multi.remove_handle(curl)

    def remove(self, transfer: _Transfer, curl: Curl, *, running: bool) -> None:
        """Take a transfer off the lane, cancelling its stream if it is still running."""
        self.transfers.pop(transfer, None)
        if running:
            self._multi.remove_handle(curl)
        curl.clean_handles_and_buffers()
        if not self.ended and len(self._spare) < POOLED_HANDLES:
            curl.reset()
            self._spare.append(curl)
        else:
            curl.close()
        self._slots.release()
        self._used_at = self.loop.time()

    def heard(self, size: int) -> None:
        self.heard_at = self.loop.time()
        self.heard_bytes += size

    def greeted(self, *, http2: bool) -> None:
        """Open up: the server has answered, so libcurl knows its protocol and its stream limit."""
        if self._open:
            return
        self._open, self._http1 = True, not http2
        self.loop.call_soon(self._open_up)  # not now: libcurl is calling us, and refuses changes while it does

    def _open_up(self) -> None:
        if self.ended:
            return
        self._multi.limit(connections=HTTP1_CONNECTIONS if self._http1 else 1, streams=STREAMS)
        # libcurl itself would let one waiting transfer go for each that ends.
        for transfer in list(self.transfers):
            if not transfer.connected:
                transfer.requeue()

    async def aclose(self) -> None:
        self._keeper.cancel()
        await asyncio.wait([self._keeper])

    def abandon(self) -> None:
        """Free libcurl's handles without the event loop, which has ended: for the end of the process."""
        if self.ended:
            return
        self._end()
        self._let_go()
        self._multi.abandon()
        _expect_no_end(self._keeper)

    def disown(self) -> None:
        """Let go of what belongs to the process that this one was forked from."""
        for curl in self._spare:
            curl._curl = None
        self._spare.clear()
        self.ended = True
        self._let_go()
        self._multi.disown()

    def _let_go(self) -> None:
        for transfer in self.transfers:
            transfer.let_go()
        self.transfers.clear()

    async def _take_slot(self, request: httpx.Request) -> None:
        try:
            async with asyncio.timeout(timeouts_of(request).get("pool")):
                await self._slots.acquire()
        except TimeoutError:
            reason = CarrierError("timeout", f"{STREAMS} requests to {self.origin} are under way already")
            failed = transport_error(httpx.PoolTimeout, reason, request)
            raise failed from failed.__cause__

    def _moved(self) -> None:
        for transfer in self.transfers:
            if not transfer.connected:
                transfer.look_for_connection()

    @property
    def _busy(self) -> bool:
        return bool(self._users or self.transfers)

    async def _keep(self) -> None:
        try:
            while self._busy or self.loop.time() - self._used_at < self._idle_s:
                await asyncio.sleep(TICK_S if self._busy else min(self._idle_s, 0.5))
                self._multi.drain()
                self._check_times()
        except GeneratorExit:
            self.abandon()  # the loop was closed without ending its tasks
            raise
        finally:
            # Also where asyncio.run cancels what is left at its end: the lane never outlives its loop.
            if not self.ended:
                await self._close()

    async def _close(self) -> None:
        self._end()
        # libcurl would report these bodies as complete.
        for transfer in list(self.transfers):
            transfer.fail(httpx.ReadError, CarrierError("other", CLOSED))
        await self._multi.close()  # type: ignore[no-untyped-call]

    def _check_times(self) -> None:
        now = self.loop.time()
        carrying = any(transfer.connected for transfer in self.transfers)
        for transfer in list(self.transfers):
            transfer.check_time(now, lane_carries=carrying)

    def _end(self) -> None:
        self.ended = True
        self._forget(self)
        _open_lanes.discard(self)
        for curl in self._spare:
            curl.close()
        self._spare.clear()


class _Transfer(httpx.AsyncByteStream):
    """One request on its way: fed by libcurl's callbacks, read by the caller, ended exactly once."""

    def __init__(self, lane: _Lane, request: httpx.Request, body_size: int) -> None:
        self._lane = lane
        self._request = request
        self._body_size = body_size
        self._timeouts = timeouts_of(request)
        self._curl: Curl | None = None
        self._future: asyncio.Future[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._error: httpx.TransportError | None = None
        self._done = False
        self.connected = False
        self._head = _Head()
        self._chunks: deque[bytes] = deque()
        self._queued = 0
        self._paused = False
        self._received = 0
        self._phase = ""
        self._phase_since = 0.0
        self._passed_over_from = 0
        self._extensions: dict[str, Any] = {}

    def start(self, curl: Curl, lines: list[bytes], body: bytes) -> None:
        self._curl = curl
        _set_request(curl, self._request, lines, body)
        _set_route(curl, self._lane.origin, self._lane.route, self._timeouts)
        curl.setopt(CurlOpt.HEADERFUNCTION, self._on_header)
        curl.setopt(CurlOpt.WRITEFUNCTION, self._on_body)
        self._join(curl)

    def requeue(self) -> None:
        """Start over, for a transfer that waits for a connection: libcurl then looks for one at once."""
        if self._curl is not None and not self._done:
            self._future = None
            self._lane.withdraw(self._curl)
            self._join(self._curl)

    def _join(self, curl: Curl) -> None:
        self._future = self._lane.add(self, curl)
        self._future.add_done_callback(self._on_done)

    async def response(self) -> httpx.Response:
        while not (self._head.complete or self._done):
            await self._woken()
        if not self._head.complete:
            raise self._error or transport_error(
                httpx.RemoteProtocolError, CarrierError("protocol", "no answer"), self._request
            )
        return httpx.Response(
            self._head.status,
            headers=self._head.headers,
            stream=self,
            extensions={"http_version": self._head.http_version, **self._head.reason, **self._extensions},
        )

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while True:
                if self._chunks:
                    yield self._take()
                elif self._done:
                    break
                else:
                    await self._woken()
        finally:
            self.end()
        if self._error is not None:
            raise self._error

    async def aclose(self) -> None:
        self.end()

    def end(self) -> None:
        """Free what the transfer holds; a stream that still runs is cancelled, and only that stream."""
        if self._curl is not None and self._lane.loop.is_closed():
            self._lane.abandon()
        curl, self._curl = self._curl, None
        if curl is None:
            return
        running = not self._done
        self._done = True
        self._lane.remove(self, curl, running=running)

    def let_go(self) -> None:
        """Forget libcurl's handle, which the lane takes care of."""
        self._curl = None
        self._done = True

    def fail(self, kind: type[httpx.TransportError], reason: CarrierError) -> None:
        """End the transfer with an error, which its reader gets after the bytes that came before it."""
        if self._done:
            return
        self._error = transport_error(kind, reason, self._request)
        self.end()
        self._wake()

    def look_for_connection(self) -> None:
        # A failed transfer gets this time too, in the end.
        if self._curl is None or self._over() or not _number(self._curl, CurlInfo.PRETRANSFER_TIME_T):
            return
        self.connected = True
        self._extensions = _connection_facts(self._curl, self._lane.origin.scheme)
        callback = self._request.extensions.get("mirrorhub.connected")
        if callback is not None:
            self._lane.loop.call_soon(callback)

    def check_time(self, now: float, *, lane_carries: bool) -> None:
        """Compare the silence with the limit of what is being waited for."""
        phase = self._waiting_for(lane_carries)
        if phase != self._phase:
            self._phase, self._phase_since = phase, now
            self._passed_over_from = self._lane.heard_bytes
        limit = self._timeouts.get(phase)
        if limit is None or now - self._phase_since < limit:
            return
        lively = now - self._lane.heard_at < limit
        if phase == "read" and lively and self._lane.heard_bytes - self._passed_over_from < PASSED_OVER_BYTES:
            return
        kind, words = _TIMEOUTS[phase]
        self.fail(kind, CarrierError("timeout", f"{words} {self._lane.origin} within {limit:g} s"))

    def _waiting_for(self, lane_carries: bool) -> str:
        if not self.connected:
            return "pool" if lane_carries else "connect"
        if self._curl is not None and self._body_size > _number(self._curl, CurlInfo.SIZE_UPLOAD_T):
            return "write"
        # A caller who is busy elsewhere is not a silent server.
        return "read" if self._waiter is not None else ""

    # -- called by libcurl: never raise, never remove a handle

    def _on_header(self, line: bytes) -> int:
        self._touch(0)
        if not self._head.complete and self._head.feed(line):
            self._greet()
        return len(line)

    def _on_body(self, data: bytes) -> int:
        if self._queued >= QUEUE_BYTES:
            self._paused = True
            return CURL_WRITEFUNC_PAUSE
        self._touch(len(data))
        self._chunks.append(data)
        self._queued += len(data)
        self._received += len(data)
        self._wake()
        return len(data)

    def _on_done(self, future: asyncio.Future[None]) -> None:
        if self._done or future is not self._future:
            return
        error = None if future.cancelled() else future.exception()
        if isinstance(error, CurlError):
            self._error = self._translate(error)
        elif error is not None or future.cancelled():
            self._error = transport_error(
                httpx.ReadError, CarrierError("other", f"the transfer was given up: {error!r}"), self._request
            )
        elif not self._head.complete or self._received < self._head.expected(self._request.method):
            self._error = self._short_body()
        self._done = True
        curl, self._curl = self._curl, None
        if curl is not None:
            self._lane.remove(self, curl, running=False)
        self._wake()

    # -- small parts

    def _greet(self) -> None:
        if not self.connected:
            self.look_for_connection()
        self._lane.greeted(http2=self._head.http_version == b"HTTP/2")
        self._wake()

    def _over(self) -> bool:
        return self._future is None or self._future.done()

    def _touch(self, size: int) -> None:
        self._lane.heard(size)
        self._phase_since = self._lane.heard_at
        self._passed_over_from = self._lane.heard_bytes

    def _take(self) -> bytes:
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._queued = 0
        if self._paused:
            self._paused = False
            if self._curl is not None:
                self._curl.pause(CURLPAUSE_CONT)
        return data

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _woken(self) -> None:
        self._waiter = self._lane.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _short_body(self) -> httpx.TransportError:
        expected = self._head.expected(self._request.method)
        words = f"{self._lane.origin} closed the connection after {self._received} of {expected} bytes"
        return transport_error(httpx.RemoteProtocolError, CarrierError("reset", words), self._request)

    def _translate(self, error: CurlError) -> httpx.TransportError:
        assert self._curl is not None
        code, message = int(error.code), _message_of(error)
        if code == CurlECode.PARTIAL_FILE:
            failed = self._short_body()
        else:
            kind, cause = _kind_of(code, self._curl, self._lane.origin, message, connected=self.connected)
            words = _words(code, self._curl, self._lane.origin, message)
            stood_before = _number(self._curl, CurlInfo.NUM_CONNECTS) == 0
            again = code in _BROKEN and stood_before and self._head.status == 0
            failed = transport_error(kind, CarrierError(cause, words, code=code, unseen=again), self._request)
        assert failed.__cause__ is not None
        failed.__cause__.__cause__ = error
        return failed


class _Head:
    """The response's status and headers, collected line by line; interim answers (1xx) and trailers are dropped."""

    def __init__(self) -> None:
        self.complete = False
        self.status = 0
        self.http_version = b""
        self.reason: dict[str, bytes] = {}
        self.headers: list[tuple[bytes, bytes]] = []

    def feed(self, line: bytes) -> bool:
        """Take one line, and say whether the head is complete with it."""
        line = line.rstrip(b"\r\n")
        if line.startswith(b"HTTP/"):
            self._start(line)
        elif not line:
            self.complete = self.status >= 200
        elif line[:1] in b" \t" and self.headers:
            name, value = self.headers[-1]
            self.headers[-1] = (name, value + b" " + line.strip())
        else:
            name, _, value = line.partition(b":")
            self.headers.append((name, value.strip()))
        return self.complete

    def expected(self, method: str) -> int:
        """Bytes that the body must have, as far as the headers say."""
        if method == "HEAD" or self.status in (204, 304):
            return 0
        lengths = [value for name, value in self.headers if name.lower() == b"content-length"]
        return int(lengths[0]) if lengths and lengths[0].isdigit() else 0

    def _start(self, line: bytes) -> None:
        version, _, rest = line.partition(b" ")
        status, _, phrase = rest.partition(b" ")
        self.http_version = version
        self.status = int(status) if status.isdigit() else 0
        self.reason = {"reason_phrase": phrase} if phrase else {}
        self.headers = []


# -- what libcurl is told


def _header_lines(request: httpx.Request) -> list[bytes]:
    """Write the request's headers as libcurl wants them."""
    # A name with a semicolon is a header without a value; a bare name keeps libcurl from adding one of its own.
    lines = [name + b": " + value if value.strip() else name + b";" for name, value in request.headers.raw]
    own = ("Accept", "User-Agent", "Expect", "Content-Type", "Proxy-Connection")
    return lines + [f"{name}:".encode() for name in own if name not in request.headers]


def _set_request(curl: Curl, request: httpx.Request, lines: list[bytes], body: bytes) -> None:
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


def _set_route(curl: Curl, origin: Origin, route: Route, timeouts: dict[str, float | None]) -> None:
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
    for option, number in numbers.items():
        curl.setopt(option, number)
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


# -- what libcurl tells


def _number(curl: Curl, info: CurlInfo) -> int:
    return int(cast("int", curl.getinfo(info)))


def _connection_facts(curl: Curl, scheme: str) -> dict[str, Any]:
    address = cast("bytes", curl.getinfo(CurlInfo.PRIMARY_IP)).decode()
    stood = CurlInfo.APPCONNECT_TIME_T if scheme == "https" else CurlInfo.CONNECT_TIME_T
    fresh = _number(curl, CurlInfo.NUM_CONNECTS) > 0
    micros = _number(curl, stood) - _number(curl, CurlInfo.NAMELOOKUP_TIME_T) if fresh else 0
    facts: dict[str, Any] = {"mirrorhub.connect_s": max(micros, 0) / 1e6}
    if address:
        facts["mirrorhub.peer"] = (address, _number(curl, CurlInfo.PRIMARY_PORT))
    return facts


_TIMEOUTS: dict[str, tuple[type[httpx.TransportError], str]] = {
    "pool": (httpx.PoolTimeout, "no free stream to"),
    "connect": (httpx.ConnectTimeout, "no connection to"),
    "write": (httpx.WriteTimeout, "could not send to"),
    "read": (httpx.ReadTimeout, "no byte from"),
}

# A connection that stood idle may be dead, which shows only when it is used. libcurl asks again by itself for some of
# these; where it gives up, all it says is "giving up".
_BROKEN = (CurlECode.HTTP2, CurlECode.SEND_ERROR, CurlECode.RECV_ERROR, CurlECode.GOT_NOTHING)

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


def _kind_of(
    code: int, curl: Curl, origin: Origin, message: str, *, connected: bool
) -> tuple[type[httpx.TransportError], Cause]:
    if code == CurlECode.OPERATION_TIMEDOUT:
        return (httpx.ReadTimeout if connected else httpx.ConnectTimeout), "timeout"
    if not connected and origin.proxy and code in (CurlECode.COULDNT_CONNECT, CurlECode.RECV_ERROR):
        return httpx.ProxyError, "proxy"
    if code == CurlECode.COULDNT_CONNECT:
        return httpx.ConnectError, _cause_of_errno(_number(curl, CurlInfo.OS_ERRNO))
    if code == CurlECode.SSL_CONNECT_ERROR:
        return httpx.ConnectError, "reset" if _BROKEN_OFF.search(message) else "protocol"
    if code in _KINDS:
        return _KINDS[code]
    return (httpx.ReadError if connected else httpx.ConnectError), "other"


def _cause_of_errno(number: int) -> Cause:
    causes: dict[int, Cause] = {
        errno.ECONNREFUSED: "refused",
        errno.ETIMEDOUT: "timeout",
        errno.ECONNRESET: "reset",
        errno.EPIPE: "reset",
    }
    return causes.get(number, "other")


def _words(code: int, curl: Curl, origin: Origin, message: str) -> str:
    if code != CurlECode.PEER_FAILED_VERIFICATION:
        return f"{origin}: {message}"
    # libcurl compares names itself, before it asks for the verdict on the chain.
    other_host = "subject name" in message or "common name" in message
    verdict = _X509_HOSTNAME_MISMATCH if other_host else _number(curl, CurlInfo.SSL_VERIFYRESULT)
    return f"{origin}: {certificate_words(verdict, origin.host, message)}"


def _refused(error: httpx.TransportError) -> bool:
    # Its text is all that libcurl tells: it tried again by itself, each time on a new connection, as impatiently.
    return "before giving up" in str(error)


def _message_of(error: CurlError) -> str:
    """Take libcurl's own sentence out of curl_cffi's."""
    text = str(error).partition("curl: ")[2].partition(". See https://")[0]
    return text.partition(") ")[2] or f"libcurl error {int(error.code)}"


# -- the end of the process, and forks

_open_lanes: set[_Lane] = set()


def _expect_no_end(task: asyncio.Task[Any]) -> None:
    # What asyncio.gather sets on its own: no complaint about a task whose loop was closed under it.
    task._log_destroy_pending = False  # type: ignore[attr-defined]


def _close_at_exit() -> None:
    """Free libcurl's handles while Python can still be called: their end would call into a dying interpreter."""
    for lane in list(_open_lanes):
        if lane.loop.is_running():
            with contextlib.suppress(Exception):
                asyncio.run_coroutine_threadsafe(lane.aclose(), lane.loop).result(timeout=2)
        else:
            lane.abandon()


def _disown_after_fork() -> None:
    """Leave the parent's connections alone: a goodbye from the child would break them."""
    for lane in _open_lanes:
        lane.disown()
    _open_lanes.clear()


atexit.register(_close_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_disown_after_fork)
