"""The httpx carrier: httpx's own connections, fenced so that their known faults stay small.

httpx 0.28 over HTTP/2 does not survive cancellation, and waits for ever, past its own time-outs, where a server
lowers its stream limit. So a line (one inner transport for each origin) on which anything went wrong is retired: new
requests get a fresh one, and the old one is closed with its last body. A deadline of our own stands behind httpx's.

What a fence cannot mend: here a body that nobody reads does stall the others once 16 MiB of it are waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar, cast

import certifi
import h2.exceptions
import httpx

from mirrorhub.http.causes import CLOSED, CarrierError, Cause, cause_of, certificate_words, transport_error, unseen
from mirrorhub.http.hushed import hush
from mirrorhub.http.origin import Origin, Route, origin_of
from mirrorhub.http.redact import bare_address
from mirrorhub.http.request import check_headers, lane_of, timeouts_of
from mirrorhub.http.timing import Timing

LIMITS = httpx.Limits(max_connections=6, max_keepalive_connections=6, keepalive_expiry=15.0)
GRACE_S = 0.5  # that our deadline leaves to httpx's own
CLOSE_S = 2.0

CHECK_S = 0.25

T = TypeVar("T")
# h2's own errors pass through httpx as they are, and so does what httpcore ends in where it has lost count of streams:
# of a connection that broke while their limit was changed.
FAILURES = (httpx.TransportError, TimeoutError, h2.exceptions.H2Error, ValueError, LookupError)


class PlainTransport(httpx.AsyncBaseTransport):
    """Carry requests over httpx's own transports, one for each origin's lane."""

    def __init__(self, route: Route) -> None:
        hush()
        self._route = route
        self._context = _tls_context(route)
        self._lines: dict[tuple[Origin, int], _Line] = {}
        self._open: set[_Line] = set()
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return when its response headers are here.

        Raises:
            httpx.TransportError: In its usual kinds; `cause_of` says why.
        """
        if self._closed:
            raise RuntimeError("This carrier is closed.")
        check_headers(request)
        key = origin_of(request, self._route), lane_of(request)
        try:
            return await self._line_for(*key).send(request)
        except httpx.TransportError as error:
            if not unseen(error) or self._closed:
                raise
        return await self._line_for(*key).send(request)

    async def aclose(self) -> None:
        """Close every connection; what was running fails."""
        self._closed = True
        for line in list(self._open):
            line.retire()
            await line.close()

    def _line_for(self, origin: Origin, lane: int) -> _Line:
        line = self._lines.get((origin, lane))
        if line is None:
            line = self._lines[origin, lane] = _Line(self._inner(origin), origin, left=self._left)
            self._open.add(line)
        return line

    def _left(self, line: _Line, closed: bool) -> None:
        for key in [key for key, other in self._lines.items() if other is line]:
            del self._lines[key]
        if closed:
            self._open.discard(line)

    def _inner(self, origin: Origin) -> httpx.AsyncHTTPTransport:
        return httpx.AsyncHTTPTransport(
            verify=self._context,
            trust_env=False,
            http1=True,
            http2=True,
            limits=LIMITS,
            proxy=self._proxy(origin.proxy) if origin.proxy else None,
            retries=0,
        )

    def _proxy(self, url: str) -> httpx.Proxy:
        try:
            return httpx.Proxy(url, ssl_context=self._context if url.startswith("https:") else None)
        except (httpx.InvalidURL, ValueError):
            # What httpx says of it may be a part of a password.
            raise httpx.ProxyError(f"the proxy's address {bare_address(url)!r} cannot be used") from None


class _Line:
    """One inner transport: used until something goes wrong on it, closed when its last body has ended."""

    def __init__(self, inner: httpx.AsyncHTTPTransport, origin: Origin, *, left: Callable[[_Line, bool], None]) -> None:
        self.origin = origin
        self._inner = inner
        self._left = left
        self._users = 0
        self._retired = False
        self._closed = False
        self._heard_at = 0.0
        self._sockets: list[Any] = []

    async def send(self, request: httpx.Request) -> httpx.Response:
        self._users += 1
        watch = _Connecting(request, self._keep)
        try:
            work = self._inner.handle_async_request(watch.request)
            response = await self.guarded(work, watch.patience_s)
        except FAILURES as error:
            failed = self.translated(error, request, connected=watch.connected, reused=watch.reused)
            await self.leave(unhurt=False)
            raise failed from failed.__cause__
        except BaseException:
            await watch.drop()
            await self.leave(unhurt=False)
            raise
        self.heard()
        body = _Body(self, request, cast("httpx.AsyncByteStream", response.stream))
        extensions = response.extensions | watch.facts | _peer_of(response)
        return httpx.Response(response.status_code, headers=response.headers, stream=body, extensions=extensions)

    async def guarded(self, work: Awaitable[T], patience_s: Callable[[], float | None]) -> T:
        """Await work, but not beyond its patience: so many seconds in which nothing came over this line.

        Raises:
            TimeoutError: Only where httpx's own time-out, which is shorter, did not end the work.
        """
        async with asyncio.timeout(None) as deadline:
            watch = _Silence(self, deadline, patience_s)
            try:
                return await work
            finally:
                watch.stop()

    def heard(self) -> None:
        self._heard_at = asyncio.get_running_loop().time()

    @property
    def heard_at(self) -> float:
        return self._heard_at

    @property
    def closed(self) -> bool:
        return self._closed

    def retire(self) -> None:
        """Take no new requests."""
        self._retired = True
        self._left(self, self._closed)

    async def leave(self, *, unhurt: bool) -> None:
        """Count one request less; one that did not end well retires the line."""
        self._users -= 1
        if not unhurt:
            self.retire()
        if self._retired and not self._users:
            await self.close()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._left(self, True)
        with contextlib.suppress(*FAILURES):
            async with asyncio.timeout(CLOSE_S):
                await self._inner.aclose()
        # httpcore loses sight of connections: of one that it has taken out of its pool to close it, where the request
        # that was to do so is cancelled. To close one twice does no harm.
        for stream in self._sockets:
            with contextlib.suppress(OSError, ssl.SSLError):
                await stream.aclose()
        self._sockets.clear()

    def _keep(self, stream: Any) -> None:
        """Remember a network stream until it, or the line, is closed."""
        self._sockets = [one for one in self._sockets if not _is_closed(one)]
        self._sockets.append(stream)

    def translated(
        self, error: Exception, request: httpx.Request, *, connected: bool, reused: bool = False
    ) -> httpx.TransportError:
        """Say the same thing as the other carrier would, with the cause where `cause_of` finds it."""
        kind, cause, words = self._told(error, connected=connected)
        reason = CarrierError(cause, f"{self.origin}: {words}", unseen=reused and cause in ("reset", "protocol"))
        reason.__cause__ = error
        return transport_error(kind, reason, request)

    def _told(self, error: Exception, *, connected: bool) -> tuple[type[httpx.TransportError], Cause, str]:
        if self._closed:
            return httpx.ReadError, "other", CLOSED
        if isinstance(error, TimeoutError):
            return (httpx.ReadTimeout if connected else httpx.ConnectTimeout), "timeout", "nothing came in time"
        certificate = _certificate_error(error)
        if certificate is not None:
            words = certificate_words(certificate.verify_code, self.origin.host, certificate.verify_message)
            return httpx.ConnectError, "certificate", words
        if self.origin.proxy and isinstance(error, httpx.ConnectError) and not connected:
            return httpx.ProxyError, "proxy", _said(error)
        if isinstance(error, httpx.TransportError) and not isinstance(error, httpx.LocalProtocolError):
            return type(error), cause_of(error), _said(error)
        # Our headers were checked before: what httpx blames on us is its own losing count of streams.
        return httpx.RemoteProtocolError, "protocol", _said(error)


class _Body(httpx.AsyncByteStream):
    """A response's body; one that is not read to its end retires its line."""

    def __init__(self, line: _Line, request: httpx.Request, stream: httpx.AsyncByteStream) -> None:
        self._line = line
        self._request = request
        self._stream = stream
        self._complete = False
        self._closed = False

    def _patience_s(self) -> float | None:
        return _sum(timeouts_of(self._request), "read")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = aiter(self._stream)
        try:
            while True:
                chunk = await self._line.guarded(_next(chunks), self._patience_s)
                if chunk is None:
                    break
                self._line.heard()
                yield chunk
            self._complete = True
        except FAILURES as error:
            failed = self._line.translated(error, self._request, connected=True)
            raise failed from failed.__cause__
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._stream.aclose()
        except FAILURES:
            self._complete = False
        finally:
            await self._line.leave(unhurt=self._complete)


class _Silence:
    """Runs a deadline out once nothing was heard on a line for so long."""

    def __init__(self, line: _Line, deadline: asyncio.Timeout, patience_s: Callable[[], float | None]) -> None:
        self._line = line
        self._deadline = deadline
        self._patience_s = patience_s
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._timer = self._loop.call_later(CHECK_S, self._check)

    def stop(self) -> None:
        self._timer.cancel()

    def _check(self) -> None:
        now = self._loop.time()
        patience_s = self._patience_s()
        if self._line.closed or (patience_s is not None and now - max(self._since, self._line.heard_at) > patience_s):
            self._deadline.reschedule(now)
        else:
            self._timer = self._loop.call_later(CHECK_S, self._check)


class _Connecting:
    """Learns from httpx's trace when the connection of a request stands."""

    def __init__(self, request: httpx.Request, opened: Callable[[Any], None]) -> None:
        self._opened = opened
        self._callback = request.extensions.get("mirrorhub.connected")
        self._chained = request.extensions.get("trace")
        self._started_at: float | None = None
        self._reached_at: float | None = None
        self._securing_at: float | None = None
        self._secured_at: float | None = None
        self._limits = timeouts_of(request)
        self._shaking_hands: Any = None
        self.connected = False
        self.facts: dict[str, Any] = {"mirrorhub.connect_s": 0.0}
        self.request = httpx.Request(
            request.method,
            request.url,
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions | {"trace": self._trace},
        )

    def patience_s(self) -> float | None:
        if self.connected:
            return _sum(self._limits, "write", "read")
        return _sum(self._limits, "pool", "connect", "connect")  # once for TCP and once for TLS

    @property
    def reused(self) -> bool:
        return self.connected and self._started_at is None

    async def _trace(self, event: str, info: dict[str, Any]) -> None:
        now = asyncio.get_running_loop().time()
        if event.endswith(".connect_tcp.started"):
            self._started_at = now
        elif event.endswith(".connect_tcp.complete"):
            self._shaking_hands = info.get("return_value")
            self._reached_at = now
        elif event.endswith(".start_tls.started"):
            self._securing_at = now
        elif event.endswith(".start_tls.complete"):
            self._shaking_hands = None
            self._secured_at = now
            self._opened(info.get("return_value"))
        elif event.endswith(".send_request_headers.started") and not _opens_tunnel(info):
            self._stands(now)
        if self._chained is not None:
            await self._chained(event, info)

    async def drop(self) -> None:
        """Close the socket of a handshake that was cancelled: httpcore closes one that fails, and forgets this one."""
        if self._shaking_hands is not None and not self.connected:
            await self._shaking_hands.aclose()

    def _stands(self, now: float) -> None:
        if self.connected:
            return
        self.connected = True
        if self._started_at is not None:
            self.facts["mirrorhub.connect_s"] = now - self._started_at
            tcp_s, tls_s = _between(self._started_at, self._reached_at), _between(self._securing_at, self._secured_at)
            self.facts["mirrorhub.timing"] = Timing(None, tcp_s, tls_s)
        if self._callback is not None:
            self._callback(self.facts["mirrorhub.connect_s"])


def _is_closed(stream: Any) -> bool:
    """Whether httpcore's stream over a socket is closed."""
    socket = stream.get_extra_info("socket")
    return socket is None or socket.fileno() == -1


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start


def _opens_tunnel(info: dict[str, Any]) -> bool:
    return getattr(info.get("request"), "method", b"") == b"CONNECT"


def _peer_of(response: httpx.Response) -> dict[str, Any]:
    network = response.extensions.get("network_stream")
    address = network.get_extra_info("server_addr") if network is not None else None
    return {"mirrorhub.peer": (address[0], address[1])} if address else {}


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    try:
        return await anext(chunks)
    except StopAsyncIteration:
        return None


def _sum(limits: dict[str, float | None], *names: str) -> float | None:
    """Add time-outs up, and some grace for httpx's own to come first; None where one of them has no end."""
    steps = [limits.get(name) for name in names]
    return None if None in steps else sum(step for step in steps if step is not None) + GRACE_S


def _certificate_error(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _tls_context(route: Route) -> ssl.SSLContext:
    file = route.ca_file or (None if route.ca_directory else certifi.where())
    context = ssl.create_default_context(cafile=file, capath=route.ca_directory)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
