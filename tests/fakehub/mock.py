"""The same hubs in memory, behind an httpx transport: same protocol, same faults, same log, no socket.

A hub named "a" is https://a.test. What needs a wire is milder here: a reset or GOAWAY ends its own stream only, a lower
stream limit does nothing, and NoConnect looks like HangOnAccept. Waiting obeys httpx's connect and read timeouts.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import NoReturn, assert_never

import httpx

from tests.fakehub.backend import Backend
from tests.fakehub.faults import RefuseConnection
from tests.fakehub.messages import Data, End, Head, Request, Response, Signal, Step, Wait, steps
from tests.fakehub.server import FakeHub

BREAKS = {
    "reset": httpx.ReadError("connection reset by peer"),
    "close": httpx.RemoteProtocolError("server disconnected"),
    "rst_stream": httpx.RemoteProtocolError("stream reset"),
    "goaway": httpx.RemoteProtocolError("connection terminated"),
}


class FakeHubTransport(httpx.AsyncBaseTransport):
    """Serve hubs that need not be started, each under its own URL; any other host does not resolve."""

    def __init__(self, *hubs: FakeHub, http_version: str = "HTTP/2") -> None:
        self._hubs = {hub.name: hub for hub in hubs}
        self._http_version = http_version
        self._connections: dict[str, int] = {}
        self._open: dict[str, int] = {}
        self._streams = itertools.count(1, 2)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the hub of that host does.

        Raises:
            httpx.TransportError: What a fault makes of it.
        """
        hub = self._hubs.get(request.url.host.removesuffix(".test"))
        if hub is None or request.url.scheme != hub.scheme:
            raise httpx.ConnectError("nobody listens there", request=request)
        timeouts = request.extensions.get("timeout", {})
        connection = await self._connect(hub, timeouts.get("connect"))
        seen = _request_from_httpx(request, await request.aread())
        id = hub.backend.note(connection, next(self._streams), seen)
        return await self._answer(hub, id, seen, timeouts.get("read"))

    async def _answer(self, hub: FakeHub, id: int, seen: Request, read_timeout_s: float | None) -> httpx.Response:
        response = hub.backend.answer(id, seen)
        self._count(hub, 1)
        bodiless = seen.method == "HEAD"
        stream = _Body(self, hub, id, response, steps(response, bodiless=bodiless), read_timeout_s, bodiless=bodiless)
        try:
            await stream.head()
        except BaseException:
            await stream.aclose()
            raise
        return httpx.Response(
            response.status,
            headers=list(response.headers),
            stream=stream,
            extensions={"http_version": self._http_version.encode()},
        )

    async def _connect(self, hub: FakeHub, timeout_s: float | None) -> int:
        if hub.name in self._connections:
            return self._connections[hub.name]
        id = hub.log.open_connection()
        if fault := hub.backend.plan.take_connection():
            hub.log.close_connection(id)
            if isinstance(fault, RefuseConnection):
                raise httpx.ConnectError("connection refused")
            await _hang(timeout_s, httpx.ConnectTimeout("connect"))
        hub.log.agree(id, http=self._http_version.removeprefix("HTTP/"), alpn=None, sni=None)
        self._connections[hub.name] = id
        return id

    def _count(self, hub: FakeHub, change: int) -> None:
        self._open[hub.name] = self._open.get(hub.name, 0) + change
        if hub.name in self._connections:
            hub.log.count_streams(self._connections[hub.name], self._open[hub.name])

    def leave(self, hub: FakeHub) -> None:
        """Note that a response of this hub is over."""
        self._count(hub, -1)

    def lose(self, hub: FakeHub) -> None:
        """Note that the connection to this hub broke; the next request opens another one."""
        id = self._connections.pop(hub.name, None)
        if id is not None:
            hub.log.close_connection(id)

    async def aclose(self) -> None:
        """Close every connection."""
        for name in list(self._connections):
            self.lose(self._hubs[name])


class _Body(httpx.AsyncByteStream):
    """The body of one response, as its delivery has it."""

    def __init__(
        self,
        transport: FakeHubTransport,
        hub: FakeHub,
        id: int,
        response: Response,
        script: Iterator[Step],
        read_timeout_s: float | None,
        *,
        bodiless: bool,
    ) -> None:
        self._transport = transport
        self._hub = hub
        self._backend: Backend = hub.backend
        self._id = id
        self._script = script
        self._read_timeout_s = read_timeout_s
        length = response.header("content-length")
        self._left = None if length is None or bodiless else int(length)
        self._over = False

    async def head(self) -> None:
        """Run up to the head."""
        for step in self._script:
            if isinstance(step, Head):
                return
            await self._take(step)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for step in self._script:
            if isinstance(step, Data):
                yield self._sent(step.data)
            else:
                await self._take(step)

    async def aclose(self) -> None:
        if not self._over:
            self._over = True
            self._backend.log.end(self._id, "cancelled")
            self._transport.leave(self._hub)

    def _sent(self, data: memoryview) -> bytes:
        self._backend.log.send(self._id, len(data))
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                self._fail(httpx.RemoteProtocolError("more body than Content-Length says"))
        return bytes(data)

    async def _take(self, step: Step) -> None:
        match step:
            case Wait():
                await _within(self._read_timeout_s, asyncio.sleep(step.seconds))
            case End():
                if self._left:
                    self._fail(httpx.RemoteProtocolError("less body than Content-Length says"))
                self._backend.log.end(self._id, "finished")
            case Signal():
                await self._signal(step)
            case Head() | Data():
                raise AssertionError(step)
            case _:
                assert_never(step)

    async def _signal(self, signal: Signal) -> None:
        if not signal.ends:
            return
        if signal.what == "hang":
            self._backend.log.end(self._id, "broken")
            await _hang(self._read_timeout_s, httpx.ReadTimeout("read"))
        if signal.what != "rst_stream":
            self._transport.lose(self._hub)
        self._fail(BREAKS[signal.what])

    def _fail(self, error: httpx.TransportError) -> NoReturn:
        self._backend.log.end(self._id, "broken")
        raise type(error)(str(error))


async def _hang(timeout_s: float | None, error: httpx.TimeoutException) -> NoReturn:
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.Event().wait()
    except TimeoutError:
        raise error from None
    raise AssertionError("an event that nobody sets was set")


async def _within(timeout_s: float | None, wait: object) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await wait  # type: ignore[misc]
    except TimeoutError:
        raise httpx.ReadTimeout("read") from None


def _request_from_httpx(request: httpx.Request, body: bytes) -> Request:
    return Request(
        method=request.method,
        target=request.url.raw_path.decode(),
        headers=dict(request.headers),
        scheme=request.url.scheme,
        authority=request.url.netloc.decode(),
        body=body,
    )
