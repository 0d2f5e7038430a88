"""A lane: one connection to an endpoint, with what may be said to it and how long it may take."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from mirrorhub.chain.beat import Beat
from mirrorhub.faults import Failure, Fault
from mirrorhub.health.impressions import Impressions, origin_of
from mirrorhub.http.backoff import retry_after_s
from mirrorhub.http.client import Answer, Ask, Client, Stream, Timeouts
from mirrorhub.models import Endpoint
from mirrorhub.spans import PIECE, Span

if TYPE_CHECKING:
    from mirrorhub.models import Repo

MAX_LISTING = 64 << 20
MAX_THINGS, MAX_VALUES = 500_000, 3_000_000
"""Objects and lists in an answer, and all that is in them: as Python has them, each costs a hundred bytes or more."""
MAX_ERROR_BODY = 64 << 10
_BUSY = frozenset({408, 425, 429})
LIGHTEST = 16 << 10
"""Bytes that a request counts for at least, when the lane with the least to do is looked for."""
_NOT_SIGNED = frozenset({400, 401, 403, 410})
"""What data hosts answer where the signature in an address is missing, wrong or old."""
# What servers and middleboxes say to a Range header they do not like.
_RANGE_REFUSED = frozenset({400, 403, 405, 406, 412, 416, 501})


class Body(Protocol):
    """Bytes of a file that have begun to come."""

    @property
    def span(self) -> Span:
        """Which of the file's bytes they are; without an end where they go on to the file's."""

    @property
    def host(self) -> str:
        """The host that the bytes really come from."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the bytes in order."""

    async def aclose(self) -> None:
        """Let go of it."""


@dataclass(slots=True)
class Slice:
    """A body over HTTP: an answer's stream, which of the file's bytes it holds, and its weight on a lane."""

    stream: Stream
    span: Span
    lane: Lane
    weight: int

    @property
    def host(self) -> str:
        """The host that the bytes really come from."""
        return self.stream.host

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the bytes in order."""
        return self.stream.__aiter__()

    async def aclose(self) -> None:
        """Let go of the stream."""
        # Closed more than once by whoever is not sure: it weighs on its lane only once.
        self.lane.load -= self.weight
        self.weight = 0
        await self.stream.aclose()


@dataclass(slots=True)
class Contact:
    """What a call says to an endpoint, and how that one has answered so far. All lanes to it share this.

    Attributes:
        endpoint: Where to.
        client: What sends.
        timeouts: How long to wait.
        credentials: Headers with a token, or none.
        private: Variables that hold tokens: no program that is started for the endpoint sees them.
        heard: Called with a count when bytes have come; with 0 when an answer has begun.
        reached: Called when the connection for a request stands, with the seconds that it took.
        takes_range: Whether a Range header is answered with the slice; None before it was tried.
        multiplexes: False once it, or its data host, has answered over HTTP/1.1: more lanes would be no lanes there.
        connect_s: How long connecting to whoever gives the bytes takes, as far as is known.
        took_s: The longest that it took in this call; 0.0 where nothing had to be connected.
        stands: A connection has stood in this call.
        answered: It has answered in this call.
        by_name: It was asked for what is locked by a name that may mean something else by now: other bytes are no lie.
        data_origins: Whom it redirected to last, for small files and for large ones; itself where it did not.
        impressions: How it, and everybody it redirected to, did in this call.
    """

    endpoint: Endpoint
    client: Client
    timeouts: Timeouts
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    private: frozenset[str] = frozenset()
    heard: Callable[[Endpoint, int], None] = lambda _endpoint, _count: None
    reached: Callable[[Endpoint, float], None] = lambda _endpoint, _connect_s: None
    takes_range: bool | None = None
    multiplexes: bool = True
    connect_s: float = 0.0
    took_s: float = 0.0
    stands: bool = False
    answered: bool = False
    by_name: bool = False
    data_origins: dict[bool, str] = field(default_factory=dict)
    impressions: Impressions = field(default_factory=Impressions, repr=False)
    _moved: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def origin(self) -> str:
        """The endpoint's own origin."""
        return origin_of(self.endpoint.address)

    def relays(self, size: int | None) -> bool:
        """Whether files of this size come from another origin, as far as is known."""
        return self.data_origins.get(_is_large(size), self.origin) != self.origin

    def ask(self, url: str, beat: Beat, *, lane: int = 0, headers: Mapping[str, str] | None = None) -> Ask:
        """Write a request; `url` may be a path below the endpoint. Credentials go to its own origin only."""
        whole = url if "://" in url else self.endpoint.address + url
        credentials = self.credentials if origin_of(whole) == self.origin else {}

        def connected(connect_s: float) -> None:
            beat.connected()
            self.reached(self.endpoint, connect_s)
            self.stands = True

        impressions, home = self.impressions, self.endpoint.address
        return Ask(
            whole, self.timeouts, credentials, headers or {}, connected, lane, impressions=impressions, home=home
        )

    def moved(self, url: str) -> str:
        """Return where the bytes of this address were last; a signed address may be used for all of a file's pieces."""
        return self._moved.get(url, url)

    def took(self, connect_s: float) -> None:
        """Note how long connecting took."""
        self.took_s = max(self.took_s, connect_s)
        self.connect_s = max(self.connect_s, connect_s)

    def forget_move(self, url: str) -> None:
        """Ask the endpoint itself next time."""
        self._moved.pop(url, None)

    def learn(self, url: str, stream: Stream, size: int | None) -> None:
        """Remember who answered, and how."""
        self.multiplexes = self.multiplexes and stream.multiplexed
        self.took(stream.connect_s)
        if stream.status not in (200, 206):
            return
        origin = origin_of(stream.url)
        self.data_origins[_is_large(size)] = origin
        if _is_large(size) and origin != self.origin:
            self._moved[url] = stream.url


@dataclass(slots=True)
class Lane:
    """One connection to an endpoint, and to whomever that one redirects to.

    Attributes:
        contact: What is known of the endpoint.
        number: 0 for the first, which listings use too.
        load: Bytes that are under way on it.
        used: Bytes have been asked for on it.
    """

    contact: Contact
    number: int = 0
    load: int = 0
    used: bool = False

    @property
    def endpoint(self) -> Endpoint:
        """Where it leads."""
        return self.contact.endpoint

    @property
    def timeouts(self) -> Timeouts:
        """How long to wait."""
        return self.contact.timeouts

    def heard(self) -> None:
        """An answer has begun."""
        self.contact.answered = True
        self.contact.heard(self.endpoint, 0)

    def repo_id(self, repo: Repo) -> str:
        """Return the id under which this endpoint holds the repository."""
        return self.endpoint.repo or repo.id

    async def get(self, url: str, beat: Beat) -> Answer:
        """Get a small answer, whatever its status. `url` may be a path below the endpoint.

        Raises:
            Failure: No answer came.
        """
        stream = await self.contact.client.open(replace(self.contact.ask(url, beat), packed=True))
        try:
            answer = Answer(stream.status, stream.headers, await stream.read(MAX_LISTING), stream.url)
            if origin_of(stream.url) == self.contact.origin:
                self.contact.multiplexes = self.contact.multiplexes and stream.multiplexed
        finally:
            await stream.aclose()
        # Only now: a listing that drips is a silent endpoint, beside which another one is started.
        beat.answer()
        self.heard()
        return answer

    async def peek(self, url: str, told_by: str, beat: Beat) -> Answer:
        """Ask for a file's first byte, to hear from the endpoint what the file is. The body of a success is not read.

        Args:
            url: The file, as a path below the endpoint.
            told_by: The header that tells it; a redirect that has it is not followed.
            beat: Who waits.

        Raises:
            Failure: No answer came.
        """
        span = Span() if self.contact.takes_range is False else Span(0, 1)
        answer = await self._peek(url, told_by, span, beat)
        # There is no first byte in a file with nothing in it.
        return await self._peek(url, told_by, Span(), beat) if answer.status in _RANGE_REFUSED and span.end else answer

    async def _peek(self, url: str, told_by: str, span: Span, beat: Beat) -> Answer:
        headers = {} if span.is_whole else {"range": span.header}
        stream = await self.contact.client.open(replace(self.contact.ask(url, beat, headers=headers), told_by=told_by))
        try:
            body = b"" if stream.status < 400 else await stream.read_some(MAX_ERROR_BODY)
        finally:
            await stream.aclose()
        beat.answer()
        self.heard()
        return Answer(stream.status, stream.headers, body, stream.url)

    async def open(self, url: str, span: Span, size: int | None, beat: Beat, failure: HubFailure) -> Slice:
        """Ask for a span of a file's bytes; what comes may be all of them, and says so.

        Whether a body is a slice is decided by its Content-Range and not by its status: ModelScope has answered a
        range with 200 and the slice (https://github.com/modelscope/modelscope_hub/issues/50), others with 206 and
        everything.

        Raises:
            Failure: No body came, or a slice that was not asked for.
        """
        if self.contact.takes_range is False:
            span = Span()
        weight = max((span.end or size or PIECE) - span.start, LIGHTEST)
        self.load += weight
        try:
            return await self._ranged(url, span, size, weight, beat, failure)
        except BaseException:
            self.load -= weight
            raise

    async def _ranged(
        self, url: str, span: Span, size: int | None, weight: int, beat: Beat, failure: HubFailure
    ) -> Slice:
        try:
            stream = await self._open(url, span, size, beat)
            if not span.is_whole and (stream.status in _RANGE_REFUSED or not _fits(stream, span, size)):
                await stream.aclose()
                span = Span()
                stream = await self._open(url, span, size, beat)
                if stream.status == 200:
                    self.contact.takes_range = False
        except Failure as broken:
            # Some routers break connections that carry the header; the next try here goes without it.
            if not self.contact.takes_range and not span.is_whole and broken.fault in (Fault.RESET, Fault.PROTOCOL):
                self.contact.takes_range = False
            raise
        try:
            return Slice(stream, await self._offered(stream, span, size, failure), self, weight)
        except BaseException:
            await stream.aclose()
            raise

    async def _open(self, url: str, span: Span, size: int | None, beat: Beat) -> Stream:
        address = self.contact.moved(url)
        try:
            stream = await self._send(address, span, size, beat)
        except Failure:
            # The endpoint may know another data host.
            self.contact.forget_move(url)
            raise
        if address != url and stream.status >= 400:
            # A signed address lives for some minutes: the endpoint gives the next one.
            await stream.aclose()
            self.contact.forget_move(url)
            stream = await self._send(url, span, size, beat)
        self.contact.learn(url, stream, size)
        beat.answer()
        self.heard()
        return stream

    async def _send(self, url: str, span: Span, size: int | None, beat: Beat) -> Stream:
        headers = {} if span.is_whole else {"range": span.header}
        ask = self.contact.ask(url, beat, lane=self.number, headers=headers)
        relayed = self.contact.relays(size) and origin_of(ask.url) == self.contact.origin
        return await self.contact.client.open(replace(ask, relayed=relayed))

    async def _offered(self, stream: Stream, span: Span, size: int | None, failure: HubFailure) -> Span:
        """Return which bytes are offered."""
        if stream.status not in (200, 206):
            answer = Answer(stream.status, stream.headers, await stream.read_some(MAX_ERROR_BODY), stream.url)
            raise self._relayed_failure(answer) or failure(answer)
        if not _fits(stream, span, size):
            raise Failure(Fault.RANGE, f"answered with range {stream.headers.get('content-range')!r}, not as asked")
        if _is_page(stream):
            raise Failure(Fault.NOT_A_HUB, f"answered with a web page instead of the file ({stream.host})")
        offered = stream.content_range
        if not span.is_whole:
            self.contact.takes_range = offered is not None
        return Span(offered[0], offered[1] + 1) if offered else Span()

    def _relayed_failure(self, answer: Answer) -> Failure | None:
        """A data host that denies says nothing of who may read: its signed address is old, and the hub has others."""
        is_data_host = origin_of(answer.url) != self.contact.origin and "x-error-code" not in answer.headers
        if not is_data_host or answer.status not in _NOT_SIGNED or "json" in answer.headers.get("content-type", ""):
            return None
        host = urlsplit(answer.url).netloc.rpartition("@")[2]
        return Failure(Fault.SERVER_ERROR, f"sent to {host}, which answered {answer.status}")


class HubFailure(Protocol):
    """How a hub's protocol reads an answer that is no success."""

    def __call__(self, answer: Answer) -> Failure:
        """Name the failure."""


def read_json(answer: Answer, failure: HubFailure) -> object:
    """Read a hub's JSON.

    Raises:
        Failure: The answer is no success, or not JSON: a login page, a proxy's notice, another service; or it holds far
            more things than a listing does, which would cost many times its bytes.
    """
    if answer.status != 200:
        raise failure(answer)
    if sum(map(answer.body.count, (b"{", b"["))) > MAX_THINGS or answer.body.count(b",") > MAX_VALUES:
        raise Failure(Fault.BAD_LISTING, "answered with far more things than a listing holds, not read")
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise Failure(Fault.NOT_A_HUB, f"answered 200 with {_kind(answer)} instead of a listing") from None


def common_failure(answer: Answer) -> Failure:
    """Name a failure by its status alone: what all HTTP servers mean by it."""
    status = answer.status
    if status in _BUSY:
        return Failure(Fault.BUSY, f"answered {status}", retry_after_s=retry_after_s(answer.headers))
    if status >= 500:
        return Failure(Fault.SERVER_ERROR, f"answered {status}", retry_after_s=retry_after_s(answer.headers))
    if status in (401, 403, 407):
        return Failure(Fault.DENIED, f"answered {status}: access denied")
    return Failure(Fault.NOT_A_HUB, f"answered {status} with {_kind(answer)}: not a hub's answer")


def _fits(stream: Stream, span: Span, size: int | None) -> bool:
    """Whether a success holds what was asked for, or at least its beginning; or the whole file."""
    offered = stream.content_range
    if offered is None:
        return stream.status != 206
    first, last, total = offered
    fits = first == span.start and last >= first and (span.end is None or last < span.end)
    return fits and (size is None or total is None or total == size)


def _is_page(stream: Stream) -> bool:
    """A captive portal answers every address with 200 and a page; a hub sends files as octets or text/plain."""
    return stream.headers.get("content-type", "").strip().lower().startswith("text/html")


def _kind(answer: Answer) -> str:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "text/html" or answer.body.lstrip()[:1] == b"<":
        return "a web page"
    return kind or "no content type"


def _is_large(size: int | None) -> bool:
    return size is None or size > PIECE
