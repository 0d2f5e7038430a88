"""Requests to endpoints: redirects followed by our rules, failures named, nothing trusted about sizes.

No exception of httpx leaves this package: everything that goes wrong is a `Failure`. Redirects are followed hop by hop,
at most five, never from https to http, and not into the user's own network (`reach`); another origin gets no
credentials. Only a small answer that is read whole may come compressed, where that was asked for.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

import httpx

from mirrorhub import __version__
from mirrorhub.faults import Failure, Fault
from mirrorhub.health.impressions import Impression, Impressions
from mirrorhub.http.causes import cause_of
from mirrorhub.http.names import look_up
from mirrorhub.http.origin import no_proxy
from mirrorhub.http.packed import unpacked
from mirrorhub.http.reach import Reaches
from mirrorhub.http.redact import redact
from mirrorhub.http.timing import Timing

MAX_HOPS = 5
UNREAD = 512 << 10
"""Bytes of a body that may have come by the time that it is let go."""
AGENT = f"mirrorhub/{__version__}"
_HEADERS = {"user-agent": AGENT, "accept": "*/*", "accept-encoding": "identity"}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REACHES = Reaches(look_up)
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)$")
_BY_CAUSE = {
    "dns": Fault.DNS,
    "certificate": Fault.CERTIFICATE,
    "refused": Fault.REFUSED,
    "reset": Fault.RESET,
    "protocol": Fault.PROTOCOL,
    "proxy": Fault.PROXY,
    "other": Fault.RESET,
}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for a connection to stand, of silence on it, and for a package installer."""

    connect_s: float
    silence_s: float
    wheel_s: float = 180.0


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, before redirects.

    Attributes:
        url: What is asked for.
        timeouts: How long to wait.
        credentials: Headers for this origin and no other.
        headers: Headers for whoever answers in the end.
        connected: Called when the connection stands, with the seconds that TCP and TLS took; 0.0 where it stood.
        lane: Which of the final origin's connections the bytes come over.
        told_by: A redirect with this header is the answer: it tells what the file is, and where it lies is not asked.
        relayed: The asked origin is known to redirect to another one: it is asked over its first connection.
        packed: The answer may come compressed; it is one for `Stream.read`. On a far line that saves round trips.
        impressions: Where it is noted how each host on the way did.
        home: The address of the endpoint that is asked, where `url` may lead elsewhere.
    """

    url: str
    timeouts: Timeouts
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    connected: Callable[[float], None] = lambda _: None
    lane: int = 0
    relayed: bool = False
    packed: bool = False
    told_by: str = ""
    impressions: Impressions = field(default_factory=Impressions, repr=False)
    home: str = ""


class Meter(Protocol):
    """Whoever counts what comes in through a client."""

    def answered(self, stream: Stream) -> None:
        """The head of an answer is here, of a redirect, too."""

    def received(self, count: int) -> None:
        """So many bytes of a body have come.

        Raises:
            Failure: More than are wanted.
        """

    def unread(self, count: int) -> None:
        """So many bytes of a body may have come that nobody reads."""


@runtime_checkable
class Connecting(Protocol):
    """A carrier that can open connections ahead of their first request."""

    async def connect(self, request: httpx.Request) -> None:
        """Open one, whatever comes of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A small answer, read whole.

    Attributes:
        status: The HTTP status.
        headers: Lower-case names; of repeated ones the values joined by commas.
        body: All of it.
        url: Who answered in the end, redirects followed.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class Stream:
    """The body of an answer whose head has come.

    Attributes:
        status: The HTTP status.
        headers: Lower-case names.
        url: Who answered in the end.
        connect_s: How long that one's connection took; 0.0 where it stood already.
        timing: The parts of that; None where it stood already.
        multiplexed: It came over HTTP/2.
    """

    def __init__(
        self, response: httpx.Response, asked: str, meter: Meter | None, seen: Impression, *, listed: bool = False
    ) -> None:
        self._response = response
        self._asked = asked
        self._meter = meter
        self._seen = seen
        self._is_listing = listed  # whose bytes say nothing about a rate
        self._is_read = False
        self.timing: Timing | None = response.extensions.get("mirrorhub.timing")
        self.connect_s = float(response.extensions.get("mirrorhub.connect_s", 0.0))
        self.multiplexed = response.extensions.get("http_version") == b"HTTP/2"
        length = response.headers.get("content-length", "")
        self._left = int(length) if length.isdecimal() and len(length) < 19 else 0
        self._packed = _encoding(response.headers) == "gzip"
        self.status = response.status_code
        self.headers = dict(response.headers)
        self.url = str(response.url)

    @property
    def host(self) -> str:
        """The host that the bytes come from."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def content_range(self) -> tuple[int, int, int | None] | None:
        """First byte, last byte and total of a slice, whatever the status; None where the body is whole."""
        match = _CONTENT_RANGE.match(self.headers.get("content-range", "").strip())
        if match is None:
            return None
        return int(match[1]), int(match[2]), None if match[3] == "*" else int(match[3])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if not self._is_listing:
            self._is_read = True
            self._seen.begun()
        try:
            async for chunk in self._response.aiter_raw():
                self._left -= len(chunk)
                self._seen.gave(0 if self._is_listing else len(chunk))
                if self._meter is not None:
                    self._meter.received(len(chunk))
                yield chunk
            self._left = 0
        except httpx.HTTPError as error:
            failure = failure_of(error, self._asked)
            self._seen.failed(failure.fault)
            raise failure from error

    async def read(self, limit: int) -> bytes:
        """Read the whole body, unpacked where it came compressed.

        Raises:
            Failure: It broke off, or is longer than `limit` bytes.
        """
        parts: list[bytes] = []
        size = 0
        async for chunk in unpacked(self, limit) if self._packed else self:
            size += len(chunk)
            if size > limit:
                raise Failure(Fault.LONG_BODY, f"answer of more than {limit:,} bytes, not read further")
            parts.append(chunk)
        return b"".join(parts)

    async def read_some(self, limit: int) -> bytes:
        """Read the beginning of the body, about `limit` bytes.

        Raises:
            Failure: It broke off.
        """
        parts: list[bytes] = []
        async for chunk in self:
            parts.append(chunk)
            if sum(map(len, parts)) >= limit:
                break
        return b"".join(parts)[:limit]

    async def aclose(self) -> None:
        """Let go of the stream; only this one."""
        if self._is_read:
            self._is_read = False
            self._seen.ended()
        await self._response.aclose()
        if self._meter is not None:
            self._meter.unread(min(max(0, self._left), UNREAD))
        self._left = 0


class Client:
    """Sends requests over one carrier.

    Requests go straight to the carrier. An `httpx.AsyncClient` in between would add a cookie jar that carries one
    endpoint's cookies to the next, and log every address with the signatures that data hosts put into it.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        meter: Meter | None = None,
        proxy_for: Callable[[str], str | None] = no_proxy,
    ) -> None:
        self._transport = transport
        self._meter = meter
        self._proxy_for = proxy_for
        self._early: set[asyncio.Future[None]] = set()

    async def fetch(self, ask: Ask, limit: int) -> Answer:
        """Get a small answer whole, whatever its status.

        Raises:
            Failure: No answer, or one of more than `limit` bytes.
        """
        stream = await self.open(ask)
        try:
            return Answer(stream.status, stream.headers, await stream.read(limit), stream.url)
        finally:
            await stream.aclose()

    async def open(self, ask: Ask) -> Stream:
        """Send a request and return when the head of the final answer has come. The caller closes the stream.

        Raises:
            Failure: No answer, or a redirect that is not followed.
        """
        url, credentials = _parsed(ask.url), ask.credentials
        first, home = url, _parsed(ask.home or ask.url)
        for _ in range(MAX_HOPS + 1):
            await self._check_reach(ask, url, home)
            lane = 0 if ask.relayed and _origin(url) == _origin(first) else ask.lane
            seen = ask.impressions.at(str(url))
            response = await self._send(ask, url, credentials, lane, seen)
            await self._check_peer(response, url, home)
            stream = Stream(response, ask.url, self._meter, seen, listed=ask.packed)
            if self._meter is not None:
                self._meter.answered(stream)
            is_redirect = stream.status in _REDIRECTS and "location" in stream.headers
            if not is_redirect or (ask.told_by and ask.told_by in stream.headers):
                return await _readable(stream, packed=ask.packed)
            await stream.aclose()
            target = _target(url, stream.headers["location"])
            if _origin(target) != _origin(url):
                credentials = {}
            url = target
        raise Failure(Fault.REDIRECT, f"redirected more than {MAX_HOPS} times, last to {redact(str(url))}")

    def connect_early(self, ask: Ask) -> None:
        """Begin to open the connection that a request would go over. What fails shows at the request."""
        if isinstance(self._transport, Connecting) and (url := _find_url(ask.url)) is not None:
            request = _request(ask, url, {}, ask.lane)
            task = asyncio.ensure_future(self._transport.connect(request))
            self._early.add(task)
            task.add_done_callback(self._early.discard)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def _check_reach(self, ask: Ask, url: httpx.URL, home: httpx.URL) -> None:
        """Follow nobody into the user's own network.

        Raises:
            Failure: The address leads there.
        """
        if _origin(url) == _origin(home):
            return
        relayed, home_relayed = (self._proxy_for(str(one)) is not None for one in (url, home))
        try:
            async with asyncio.timeout(ask.timeouts.connect_s):
                refusal = await _REACHES.refusal(_host(url), _host(home), relayed=relayed, home_relayed=home_relayed)
        except TimeoutError:
            raise Failure(Fault.CONNECT_TIMEOUT, f"the name {url.host} was not found in time") from None
        if refusal:
            raise Failure(Fault.REDIRECT, f"redirected to {redact(str(url))}: {url.host} {refusal}; not followed")

    async def _check_peer(self, response: httpx.Response, url: httpx.URL, home: httpx.URL) -> None:
        """Read no answer of who has put another address behind a name since it was looked up.

        Raises:
            Failure: The connection leads into the user's own network.
        """
        peer = response.extensions.get("mirrorhub.peer")
        if peer is None or _origin(url) == _origin(home) or self._proxy_for(str(url)) is not None:
            return
        if refusal := await _REACHES.peer_refusal(str(peer[0]), _host(url), _host(home)):
            await response.aclose()
            raise Failure(Fault.REDIRECT, f"redirected to {redact(str(url))}: {url.host} {refusal}; not read")

    async def _send(
        self, ask: Ask, url: httpx.URL, credentials: Mapping[str, str], lane: int, seen: Impression
    ) -> httpx.Response:
        request, asked_at = _request(ask, url, credentials, lane), seen.clock()
        try:
            response = await self._transport.handle_async_request(request)
        except httpx.HTTPError as error:
            failure = failure_of(error, ask.url)
            seen.failed(failure.fault)
            raise failure from error
        except asyncio.CancelledError:
            seen.left()
            raise
        response.request = request
        seen.answered(asked_at, float(response.extensions.get("mirrorhub.connect_s", 0.0)))
        return response


def _request(ask: Ask, url: httpx.URL, credentials: Mapping[str, str], lane: int) -> httpx.Request:
    limits = httpx.Timeout(ask.timeouts.silence_s, connect=ask.timeouts.connect_s, pool=None)
    extensions = {"timeout": limits.as_dict(), "mirrorhub.connected": ask.connected, "mirrorhub.lane": lane}
    packed = {"accept-encoding": "gzip"} if ask.packed else {}
    headers = {**_HEADERS, **packed, **ask.headers, **credentials}
    return httpx.Request("GET", url, headers=headers, extensions=extensions)


def failure_of(error: httpx.HTTPError, asked: str) -> Failure:
    """Name what went wrong below the HTTP layer; where it happened is said only if it is not where was asked."""
    scheme, host, port = _origin(httpx.URL(asked))
    message = redact(str(error)).removeprefix(f"{scheme}://{host}:{port}: ") or type(error).__name__
    if isinstance(error, httpx.ConnectTimeout):
        return Failure(Fault.CONNECT_TIMEOUT, message)
    if not isinstance(error, httpx.TransportError):
        return Failure(Fault.PROTOCOL, message)
    cause = cause_of(error)
    return Failure(Fault.READ_TIMEOUT if cause == "timeout" else _BY_CAUSE[cause], message)


async def _readable(stream: Stream, *, packed: bool) -> Stream:
    """Refuse an encoding that was not asked for: what it unpacks to could not be bounded."""
    encoding = _encoding(stream.headers)
    if encoding in ("", "identity") or (packed and encoding == "gzip"):
        return stream
    await stream.aclose()
    asked = "gzip or nothing" if packed else "identity"
    raise Failure(Fault.ENCODED, f"body is encoded as {encoding[:40]!r} although {asked} was asked for")


def _encoding(headers: Mapping[str, str]) -> str:
    return headers.get("content-encoding", "").strip().lower()


def _parsed(address: str) -> httpx.URL:
    url = _find_url(address)
    if url is None:
        raise Failure(Fault.NOT_A_HUB, f"{redact(address)[:200]!r} is no address")
    return url


def _find_url(address: str) -> httpx.URL | None:
    try:
        url = httpx.URL(address)
        # A host name that nobody can have shows only when it is read.
        named = bool(url.host) and _is_port(url.port)
    except (httpx.InvalidURL, ValueError):
        return None
    return url if named else None


def _target(url: httpx.URL, location: str) -> httpx.URL:
    try:
        target = url.join(location)
    except (httpx.InvalidURL, ValueError):
        raise Failure(Fault.REDIRECT, "redirected to something that is no address") from None
    if not _is_port(target.port):
        raise Failure(Fault.REDIRECT, f"redirected to port {target.port}, which is none")
    if target.scheme not in ("http", "https") or not target.host:
        raise Failure(Fault.REDIRECT, f"redirected to {redact(str(target))}, which is neither http nor https")
    if url.scheme == "https" and target.scheme == "http":
        raise Failure(Fault.REDIRECT, f"redirected from https to http ({redact(str(target))}): not followed")
    return target


def _is_port(port: int | None) -> bool:
    return port is None or 0 < port < 1 << 16


def _host(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii")


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}[url.scheme]
