"""One request over libcurl: its answer's head, then a body that is passed on as it is read.

A body that nobody reads is paused and keeps libcurl's receive window, never its siblings, waiting. A transfer ends
exactly once, by itself, by its reader or by its lane; an error reaches the reader after the bytes that came before it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Protocol

import httpx
from curl_cffi import Curl, CurlError, CurlInfo, CurlOpt
from curl_cffi.const import CurlECode
from curl_cffi.curl import CURL_WRITEFUNC_PAUSE, CURLPAUSE_CONT

from mirrorhub.http.causes import CarrierError, transport_error
from mirrorhub.http.curl_causes import curl_failure
from mirrorhub.http.curl_options import (
    QUEUE_BYTES,
    connection_facts,
    number,
    set_request,
    set_route,
    stop_once_connected,
)
from mirrorhub.http.curl_silence import Heard, Phase, Silence
from mirrorhub.http.head import Head
from mirrorhub.http.origin import Origin, Route
from mirrorhub.http.request import CONNECT_ONLY, timeouts_of

_TIMEOUTS: dict[str, tuple[type[httpx.TransportError], str]] = {
    "pool": (httpx.PoolTimeout, "no free stream to"),
    "connect": (httpx.ConnectTimeout, "no connection to"),
    "write": (httpx.WriteTimeout, "could not send to"),
    "read": (httpx.ReadTimeout, "no byte from"),
}

Likeness = tuple[float | None] | None
"""What plain requests of a lane differ in beside address and headers: the time-out of connecting. None for others."""


class Carrying(Protocol):
    """The lane that carries a transfer, as far as the transfer knows it."""

    origin: Origin
    route: Route
    loop: asyncio.AbstractEventLoop
    heard: Heard

    def add(self, transfer: CurlTransfer, curl: Curl) -> asyncio.Future[None]:
        """Hand a handle to libcurl; the future ends with it."""
        ...

    def withdraw(self, curl: Curl) -> None:
        """Take a handle from libcurl, to be added again."""
        ...

    def remove(self, transfer: CurlTransfer, curl: Curl, *, running: bool) -> None:
        """Take back the handle of a transfer that has ended."""
        ...

    def greeted(self, *, http2: bool) -> None:
        """Learn that the server has answered, and in which protocol."""
        ...

    def abandon(self) -> None:
        """Free everything: the loop has ended."""
        ...


class CurlTransfer(httpx.AsyncByteStream):
    """One request on its way: fed by libcurl's callbacks, read by the caller, ended exactly once."""

    def __init__(self, lane: Carrying, request: httpx.Request, body_size: int) -> None:
        self._lane = lane
        self._request = request
        self._body_size = body_size
        self._timeouts = timeouts_of(request)
        self._silence = Silence(self._timeouts, lane.heard)
        self._curl: Curl | None = None
        self._future: asyncio.Future[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._error: httpx.TransportError | None = None
        self._done = False
        self.connected = False
        self._head = Head()
        self._chunks: deque[bytes] = deque()
        self._queued = 0
        self._paused = False
        self._received = 0
        self._extensions: dict[str, Any] = {}

    @property
    def likeness(self) -> Likeness:
        """What a handle that has served this request is set up for; one that failed holds words about that."""
        plain = self._request.method == "GET" and not self._body_size and CONNECT_ONLY not in self._request.extensions
        return (self._timeouts.get("connect"),) if plain and self._error is None else None

    def start(self, curl: Curl, served: Likeness, lines: list[bytes], body: bytes) -> None:
        """Set the request on a handle and hand it to libcurl; one that `served` a request like this needs less."""
        self._curl = curl
        alike = served is not None and served == self.likeness
        if not alike:
            curl.reset()
        set_request(curl, self._request, lines, body)
        if not alike:
            set_route(curl, self._lane.origin, self._lane.route, self._timeouts)
        if self._request.extensions.get(CONNECT_ONLY):
            stop_once_connected(curl)
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
        """Wait for the head of the answer; its body is this transfer.

        Raises:
            httpx.TransportError: None came.
        """
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
        """End the transfer, as httpx calls it."""
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
        """See whether the connection stands by now, and say so where it does."""
        # A failed transfer gets this time too, in the end.
        if self._curl is None or self._over() or not number(self._curl, CurlInfo.PRETRANSFER_TIME_T):
            return
        if not self._head.complete and number(self._curl, CurlInfo.STARTTRANSFER_TIME_T):
            return  # of the request that the handle served before: libcurl has not looked at this one yet
        self.connected = True
        self._extensions = connection_facts(self._curl, self._lane.origin)
        callback = self._request.extensions.get("mirrorhub.connected")
        if callback is not None:
            self._lane.loop.call_soon(callback, self._extensions["mirrorhub.connect_s"])

    def check_time(self, now: float, *, lane_carries: bool) -> None:
        """Compare the silence with the limit of what is being waited for."""
        phase = self._waiting_for(lane_carries)
        limit = self._silence.outlasted(phase, now)
        if limit is not None:
            kind, words = _TIMEOUTS[phase]
            self.fail(kind, CarrierError("timeout", f"{words} {self._lane.origin} within {limit:g} s"))

    def _waiting_for(self, lane_carries: bool) -> Phase:
        if not self.connected:
            return "pool" if lane_carries else "connect"
        if self._curl is not None and self._body_size > number(self._curl, CurlInfo.SIZE_UPLOAD_T):
            return "write"
        # A caller who is busy elsewhere is not a silent server.
        return "read" if self._waiter is not None else ""

    # The next three are called by libcurl: they never raise, and never remove a handle.

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
        # Looked at in any case: else asyncio complains of the error of a transfer that was let go a moment before.
        error = None if future.cancelled() else future.exception()
        if self._done or future is not self._future:
            return
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

    def _greet(self) -> None:
        if not self.connected:
            self.look_for_connection()
        self._lane.greeted(http2=self._head.http_version == b"HTTP/2")
        self._wake()

    def _over(self) -> bool:
        return self._future is None or self._future.done()

    def _touch(self, size: int) -> None:
        self._lane.heard.add(size, self._lane.loop.time())
        self._silence.broken()

    def _take(self) -> bytes:
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._queued = 0
        if self._paused:
            self._paused = False
            self._go_on()
        return data

    def _go_on(self) -> None:
        """Let a paused body come again; libcurl may say only now that its stream was reset meanwhile."""
        if self._curl is None:
            return
        try:
            self._curl.pause(CURLPAUSE_CONT)
        except CurlError as error:
            self._error = self._translate(error)
            self.end()

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
        if int(error.code) == CurlECode.PARTIAL_FILE:
            failed = self._short_body()
        else:
            answered = self._head.status != 0
            origin, connected = self._lane.origin, self.connected
            failure = curl_failure(error, self._curl, origin, connected=connected, answered=answered)
            failed = transport_error(*failure, self._request)
        assert failed.__cause__ is not None
        failed.__cause__.__cause__ = error
        return failed
