"""A lane: the connection to one endpoint, with what may be said to it and how long it may take."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urljoin, urlsplit

from mirrorhub.chain import Beat
from mirrorhub.faults import Failure, Fault
from mirrorhub.http.client import Answer, Ask, Client, Stream, Timeouts, retry_after_s
from mirrorhub.models import Endpoint

if TYPE_CHECKING:
    from mirrorhub.models import Repo

MAX_LISTING = 64 << 20
MAX_ERROR_BODY = 64 << 10
_BUSY = frozenset({408, 425, 429})
# What servers and middleboxes say to a Range header they do not like.
_RANGE_REFUSED = frozenset({400, 403, 405, 406, 412, 416, 501})


class Body(Protocol):
    """Bytes of a file that have begun to come."""

    @property
    def start(self) -> int:
        """The offset of the first byte."""

    @property
    def host(self) -> str:
        """The host that the bytes really come from."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the bytes in order."""

    async def aclose(self) -> None:
        """Let go of it."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A body over HTTP: an answer's stream, and where in the file it starts."""

    stream: Stream
    start: int

    @property
    def host(self) -> str:
        """The host that the bytes really come from."""
        return self.stream.host

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the bytes in order."""
        return self.stream.__aiter__()

    async def aclose(self) -> None:
        """Let go of the stream."""
        await self.stream.aclose()


@dataclass(slots=True)
class Lane:
    """The connection to one endpoint.

    Attributes:
        endpoint: Where to.
        client: What sends.
        timeouts: How long to wait.
        credentials: Headers with a token, or none.
        heard: Called when a byte has come.
        takes_range: False once the endpoint, or something before it, has refused a Range header.
    """

    endpoint: Endpoint
    client: Client
    timeouts: Timeouts
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    heard: Callable[[Endpoint], None] = lambda _: None
    takes_range: bool = True

    def repo_id(self, repo: Repo) -> str:
        """Return the id under which this endpoint holds the repository."""
        return self.endpoint.repo or repo.id

    async def get(self, url: str, beat: Beat) -> Answer:
        """Get a small answer, whatever its status. `url` may be a path below the endpoint.

        Raises:
            Failure: No answer came.
        """
        stream = await self.client.open(self._ask(url, beat))
        try:
            answer = Answer(stream.status, stream.headers, await stream.read(MAX_LISTING), stream.url)
        finally:
            await stream.aclose()
        # Only now: a listing that drips is a silent endpoint, beside which another one is started.
        beat.answer()
        self.heard(self.endpoint)
        return answer

    async def open(self, url: str, start: int, size: int | None, beat: Beat, failure: HubFailure) -> Slice:
        """Ask for a file's bytes from `start` on; what comes may start at 0 all the same, and says so.

        Whether a body is a slice is decided by its Content-Range and not by its status: ModelScope has answered a
        range with 200 and the slice (https://github.com/modelscope/modelscope_hub/issues/50), others with 206 and
        everything.

        Raises:
            Failure: No body came, or a slice that was not asked for.
        """
        ranged = start > 0 and self.takes_range
        try:
            stream = await self._open(url, start if ranged else 0, beat)
            if ranged and (stream.status in _RANGE_REFUSED or not _fits(stream, start, size)):
                await stream.aclose()
                self.takes_range = ranged = False
                stream = await self._open(url, 0, beat)
        except Failure as broken:
            # Some routers break connections that carry the header; the next try here goes without it.
            if ranged and broken.fault in (Fault.RESET, Fault.PROTOCOL):
                self.takes_range = False
            raise
        try:
            return await self._slice(stream, start if ranged else 0, size, failure)
        except BaseException:
            await stream.aclose()
            raise

    async def _open(self, url: str, start: int, beat: Beat) -> Stream:
        stream = await self.client.open(self._ask(url, beat, {"range": f"bytes={start}-"} if start else {}))
        beat.answer()
        self.heard(self.endpoint)
        return stream

    async def _slice(self, stream: Stream, start: int, size: int | None, failure: HubFailure) -> Slice:
        if stream.status not in (200, 206):
            body = await stream.read_some(MAX_ERROR_BODY)
            raise failure(Answer(stream.status, stream.headers, body, stream.url))
        if not _fits(stream, start, size):
            raise Failure(Fault.RANGE, f"answered with range {stream.headers.get('content-range')!r}, not as asked")
        if _is_page(stream):
            raise Failure(Fault.NOT_A_HUB, f"answered with a web page instead of the file ({stream.host})")
        offered = stream.content_range
        return Slice(stream, offered[0] if offered else 0)

    def _ask(self, url: str, beat: Beat, headers: Mapping[str, str] | None = None) -> Ask:
        whole = url if "://" in url else self.endpoint.address + url
        same = _origin(whole) == _origin(self.endpoint.address)
        return Ask(whole, self.timeouts, self.credentials if same else {}, headers or {}, beat.connected)


class HubFailure(Protocol):
    """How a hub's protocol reads an answer that is no success."""

    def __call__(self, answer: Answer) -> Failure:
        """Name the failure."""


def read_json(answer: Answer, failure: HubFailure) -> object:
    """Read a hub's JSON.

    Raises:
        Failure: The answer is no success, or not JSON: a login page, a proxy's notice, another service.
    """
    if answer.status != 200:
        raise failure(answer)
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


def next_page(answer: Answer) -> str | None:
    """Return the address of the next page from a `Link: <...>; rel="next"` header (RFC 8288)."""
    for link in answer.headers.get("link", "").split(","):
        address, _, parameters = link.partition(";")
        if 'rel="next"' in parameters.replace(" ", "") or "rel=next" in parameters.replace(" ", ""):
            target = urljoin(answer.url, address.strip().strip("<>"))
            if not target.startswith(("https://", "http://")) or _downgrades(answer.url, target):
                raise Failure(Fault.REDIRECT, "the next page of the listing is at an address that is not followed")
            return target
    return None


def _downgrades(url: str, target: str) -> bool:
    return url.startswith("https:") and target.startswith("http:")


def _fits(stream: Stream, start: int, size: int | None) -> bool:
    """Whether a success begins where it should: a slice at `start` of a file of `size`, or the whole file."""
    offered = stream.content_range
    if offered is None:
        return stream.status != 206
    first, last, total = offered
    return first == start and last >= first and (size is None or total is None or total == size)


def _is_page(stream: Stream) -> bool:
    """A captive portal answers every address with 200 and a page; a hub sends files as octets or text/plain."""
    return stream.headers.get("content-type", "").strip().lower().startswith("text/html")


def _kind(answer: Answer) -> str:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "text/html" or answer.body.lstrip()[:1] == b"<":
        return "a web page"
    return kind or "no content type"


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
