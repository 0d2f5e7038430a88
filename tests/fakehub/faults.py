"""What can go wrong, as data. Where and how often is said by a Rule around it (rules.py).

  the connection   NoConnect RefuseConnection HangOnAccept LateHandshake
  the answer       Status Html NotJson Redirect RedirectLoop RedirectDowngrade RangeIgnored RangeRefused Range200
  the listing      NoSizes WrongSizes NoDigests BadListing HugeListing
  the bytes        Alter Truncate OverLong EndlessBody WrongContentRange NoContentLength GzipBody
  the delivery     HangBeforeAnswer HangInBody Reset RstStream GoAway Close Drip Slow LowerStreamLimit

A fault is pure: `before` changes the request that the hub sees, `after` the answer that the client gets.
"""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from tests.fakehub.messages import (
    BEFORE_HEAD,
    Kind,
    Request,
    Response,
    Signal,
    respond,
    respond_html,
    respond_json,
)
from tests.fakehub.rules import ConnectionFault, Fault, Rule

__all__ = ["Fault", "Rule"]

BODY: frozenset[Kind] = frozenset({"body"})
LISTING: frozenset[Kind] = frozenset({"listing"})
LOGIN_PAGE = (
    b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><form>Welcome to Free Wi-Fi</form></body></html>"
)
ZEROS = bytes(64 * 1024)


@dataclass(frozen=True, slots=True)
class NoConnect(ConnectionFault):
    """The connect itself hangs: the queue of the listening socket is full. Always on; Linux; not for memory."""


@dataclass(frozen=True, slots=True)
class RefuseConnection(ConnectionFault):
    """The connection is refused; under a Rule that counts, it is accepted and reset at once instead."""


@dataclass(frozen=True, slots=True)
class HangOnAccept(ConnectionFault):
    """TCP connects, TLS never answers."""


@dataclass(frozen=True, slots=True)
class LateHandshake(ConnectionFault):
    """TCP connects, and TLS answers so much later: what a far line looks like to whoever connects. Not for memory."""

    delay_s: float = 0.2


@dataclass(frozen=True, slots=True)
class Status(Fault):
    """A status of the server in front, not of the hub.

    Attributes:
        retry_after: The Retry-After header, in seconds or as a date.
        json: A JSON body, in place of `body`.
    """

    status: int
    retry_after: float | str | None = None
    body: bytes = b""
    content_type: str = "text/plain"
    json: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def after(self, request: Request, response: Response) -> Response:
        """Put this answer in place of the hub's."""
        waiting = {} if self.retry_after is None else {"retry-after": f"{self.retry_after}"}
        headers = {**waiting, **self.headers}
        if self.json is not None:
            return respond_json(self.json, self.status, headers)
        return respond(self.status, self.body, content_type=self.content_type, headers=headers)


@dataclass(frozen=True, slots=True)
class Html(Fault):
    """A captive portal: 200 and a login page in place of everything."""

    page: bytes = LOGIN_PAGE
    status: int = 200

    def after(self, request: Request, response: Response) -> Response:
        """Put the page in place of the hub's answer."""
        return respond_html(self.page, self.status)


@dataclass(frozen=True, slots=True)
class NotJson(Fault):
    """A listing or revision that calls itself JSON and is not."""

    kinds: ClassVar[frozenset[Kind]] = frozenset({"listing", "revision"})
    body: bytes = b'{"Code": 200, "Data": {"Files": [{"Pa'

    def after(self, request: Request, response: Response) -> Response:
        """Put the broken text in place of the hub's answer."""
        return respond(200, self.body, content_type="application/json")


@dataclass(frozen=True, slots=True)
class Redirect(Fault):
    """A redirect; `{target}` in the address stands for path and query of the request."""

    to: str
    status: int = 302

    def after(self, request: Request, response: Response) -> Response:
        """Redirect, and say nothing else."""
        return respond(self.status, headers={"location": self.to.replace("{target}", request.target)})


@dataclass(frozen=True, slots=True)
class RedirectLoop(Fault):
    """A redirect to the very same address."""

    kinds: ClassVar[frozenset[Kind]] = BODY
    status: int = 302

    def after(self, request: Request, response: Response) -> Response:
        """Redirect to where the request came in."""
        return respond(self.status, headers={"location": f"{request.origin}{request.target}"})


@dataclass(frozen=True, slots=True)
class RedirectDowngrade(Fault):
    """A redirect from https to http, same host and path."""

    kinds: ClassVar[frozenset[Kind]] = BODY
    status: int = 302

    def after(self, request: Request, response: Response) -> Response:
        """Redirect to the same address without TLS."""
        return respond(self.status, headers={"location": f"http://{request.authority}{request.target}"})


@dataclass(frozen=True, slots=True)
class RangeIgnored(Fault):
    """Range is not looked at: 200 and the whole file."""

    kinds: ClassVar[frozenset[Kind]] = BODY

    def before(self, request: Request) -> Request:
        """Take the header away."""
        return request.without_header("range")

    def after(self, request: Request, response: Response) -> Response:
        """Do not claim to know ranges either."""
        return response.with_header("accept-ranges", None)


@dataclass(frozen=True, slots=True)
class RangeRefused(Fault):
    """A request with Range is refused, one without is answered."""

    kinds: ClassVar[frozenset[Kind]] = BODY
    status: int = 403

    def after(self, request: Request, response: Response) -> Response:
        """Refuse if there is a Range."""
        return respond(self.status) if "range" in request.headers else response


@dataclass(frozen=True, slots=True)
class Range200(Fault):
    """The slice that was asked for and its right Content-Range, under status 200: seen at the live ModelScope."""

    kinds: ClassVar[frozenset[Kind]] = BODY

    def after(self, request: Request, response: Response) -> Response:
        """Change nothing but the status."""
        return replace(response, status=200) if response.status == 206 else response


@dataclass(frozen=True, slots=True)
class NoSizes(Fault):
    """Listings without sizes, bodies without X-Linked-Size."""

    kinds: ClassVar[frozenset[Kind]] = frozenset({"listing", "body"})

    def after(self, request: Request, response: Response) -> Response:
        """Drop every size."""
        bare = response.with_header("x-linked-size", None)
        return edit_rows(request, bare, lambda rows: [_without(row, "Size", "size") for row in rows])


@dataclass(frozen=True, slots=True)
class WrongSizes(Fault):
    """Listings whose sizes are off by so many bytes; the digests are right."""

    kinds: ClassVar[frozenset[Kind]] = LISTING
    by: int = 1

    def after(self, request: Request, response: Response) -> Response:
        """Move every size that is told."""
        return edit_rows(request, response, lambda rows: [self._moved(row) for row in rows])

    def _moved(self, row: Mapping[str, object]) -> dict[str, object]:
        sizes = {name: size + self.by for name in ("Size", "size") if isinstance(size := row.get(name), int)}
        lfs = row.get("lfs")
        return {**row, **sizes, **({"lfs": self._moved(lfs)} if isinstance(lfs, dict) else {})}


@dataclass(frozen=True, slots=True)
class NoDigests(Fault):
    """Listings without digests, bodies without ETag."""

    kinds: ClassVar[frozenset[Kind]] = frozenset({"listing", "body"})

    def after(self, request: Request, response: Response) -> Response:
        """Drop every digest."""
        bare = response.with_header("etag", None).with_header("x-linked-etag", None)
        return edit_rows(request, bare, lambda rows: [_without(row, "Sha256", "lfs", "oid") for row in rows])


@dataclass(frozen=True, slots=True)
class BadListing(Fault):
    """A listing with rows that it should not have.

    Attributes:
        entries: Each a path (such as "../x", an absolute one, one with NUL), given size and digest of an honest row, or
            a raw row to put in as it is.
    """

    kinds: ClassVar[frozenset[Kind]] = LISTING
    entries: Sequence[str | Mapping[str, object]]

    def after(self, request: Request, response: Response) -> Response:
        """Add the rows at the end."""
        return edit_rows(request, response, self._added)

    def _added(self, rows: list[dict[str, object]]) -> list[dict[str, object]]:
        honest = next((row for row in rows if row.get("Type", row.get("type")) in ("blob", "file")), {})
        return rows + [_renamed(honest, e) if isinstance(e, str) else dict(e) for e in self.entries]


@dataclass(frozen=True, slots=True)
class HugeListing(Fault):
    """A listing of n files, made while it is sent; each has 1 byte."""

    kinds: ClassVar[frozenset[Kind]] = LISTING
    n: int = 1_000_000

    def after(self, request: Request, response: Response) -> Response:
        """Put the endless page in place of the hub's."""
        modelscope = "/api/v1/" in request.path
        made = response.with_header("link", None)
        return made.with_body(lambda: self._pages(modelscope=modelscope))

    def _pages(self, *, modelscope: bool) -> Iterator[bytes]:
        row = _modelscope_row if modelscope else _huggingface_row
        yield b'{"Code":200,"Success":true,"Data":{"Files":[' if modelscope else b"["
        for start in range(0, self.n, 1000):
            rows = (json.dumps(row(number)) for number in range(start, min(start + 1000, self.n)))
            yield (("," if start else "") + ",".join(rows)).encode()
        yield b"]}}" if modelscope else b"]"


@dataclass(frozen=True, slots=True)
class Alter(Fault):
    """Bytes of the file are flipped, its size is kept; `offset` counts in the file, whatever part is asked for."""

    kinds: ClassVar[frozenset[Kind]] = BODY
    offset: int = 0
    length: int = 1

    def after(self, request: Request, response: Response) -> Response:
        """Flip what of the altered span lies in this answer."""
        if response.status not in (200, 206):
            return response
        data = bytearray(response.read())
        first = _first_byte(response)
        for position in range(max(0, self.offset - first), min(len(data), self.offset + self.length - first)):
            data[position] ^= 0xFF
        return replace(response, body=bytes(data))


@dataclass(frozen=True, slots=True)
class Truncate(Fault):
    """The body ends early and properly.

    Attributes:
        by: How many bytes are missing; or
        to: how many come.
        honest: Whether Content-Length is that of the short body; else it promises the whole one.
    """

    kinds: ClassVar[frozenset[Kind]] = BODY
    by: int | None = None
    to: int | None = None
    honest: bool = False

    def after(self, request: Request, response: Response) -> Response:
        """Cut the body."""
        data = response.read()
        stop = self.to if self.to is not None else max(0, len(data) - (1 if self.by is None else self.by))
        return response.with_body(data[:stop]) if self.honest else replace(response, body=data[:stop])


@dataclass(frozen=True, slots=True)
class OverLong(Fault):
    """More bytes come than the file has; `honest` says whether Content-Length counts them."""

    kinds: ClassVar[frozenset[Kind]] = BODY
    extra: int = 1
    honest: bool = False

    def after(self, request: Request, response: Response) -> Response:
        """Append zeros."""
        data = response.read() + bytes(self.extra)
        return response.with_body(data) if self.honest else replace(response, body=data)


@dataclass(frozen=True, slots=True)
class EndlessBody(Fault):
    """The file, then zeros for ever, and no Content-Length."""

    kinds: ClassVar[frozenset[Kind]] = BODY

    def after(self, request: Request, response: Response) -> Response:
        """Never end."""
        return response.with_body(lambda: itertools.chain([response.read()], itertools.repeat(ZEROS)))


@dataclass(frozen=True, slots=True)
class WrongContentRange(Fault):
    """A part whose Content-Range is not that of what was asked: its start is moved, or its total is wrong."""

    kinds: ClassVar[frozenset[Kind]] = BODY
    wrong: Literal["start", "total"] = "start"
    by: int = 1

    def after(self, request: Request, response: Response) -> Response:
        """Rewrite the header; the bytes stay."""
        span = response.header("content-range")
        if span is None or response.status != 206:
            return response
        bounds, _, total = span.removeprefix("bytes ").partition("/")
        first, _, last = bounds.partition("-")
        if self.wrong == "total":
            return response.with_header("content-range", f"bytes {bounds}/{int(total) + self.by}")
        return response.with_header("content-range", f"bytes {int(first) + self.by}-{int(last) + self.by}/{total}")


@dataclass(frozen=True, slots=True)
class NoContentLength(Fault):
    """Bodies of unknown length."""

    kinds: ClassVar[frozenset[Kind]] = BODY

    def after(self, request: Request, response: Response) -> Response:
        """Drop the header."""
        return response.with_header("content-length", None)


@dataclass(frozen=True, slots=True)
class GzipBody(Fault):
    """A body compressed although nobody, or even `identity`, was asked for; a proxy that does this ignores Range.

    It calls itself `encoding`; only the first `keep` bytes of it come, where that is said, or all of it garbled.
    """

    encoding: str = "gzip"
    keep: int | None = None
    garble: bool = False
    kinds: ClassVar[frozenset[Kind]] = BODY

    def before(self, request: Request) -> Request:
        """Take Range away."""
        return request.without_header("range")

    def after(self, request: Request, response: Response) -> Response:
        """Compress."""
        if response.status != 200:
            return response
        packed = b"no gzip" if self.garble else gzip.compress(response.read(), mtime=0)[: self.keep]
        return response.with_body(packed).with_header("content-encoding", self.encoding)


@dataclass(frozen=True, slots=True)
class HangBeforeAnswer(Fault):
    """The request is read and nothing comes."""

    def after(self, request: Request, response: Response) -> Response:
        """Stop before the head."""
        return response.with_signal(Signal(BEFORE_HEAD, "hang"))


@dataclass(frozen=True, slots=True)
class HangInBody(Fault):
    """Nothing more comes after so many bytes of the body."""

    kinds: ClassVar[frozenset[Kind]] = BODY
    after_bytes: int = 0

    def after(self, request: Request, response: Response) -> Response:
        """Stop there."""
        return response.with_signal(Signal(self.after_bytes, "hang"))


@dataclass(frozen=True, slots=True)
class Reset(Fault):
    """The TCP connection is reset, after so many bytes of the body or (None) before the answer.

    A reset overtakes what the kernel still holds: the client gets at most so many bytes.
    """

    after_bytes: int | None = None

    def after(self, request: Request, response: Response) -> Response:
        """Reset there."""
        return response.with_signal(Signal(_position(self.after_bytes), "reset"))


@dataclass(frozen=True, slots=True)
class Close(Fault):
    """The connection is closed in an orderly way, after so many bytes of the body or (None) before the answer."""

    after_bytes: int | None = None

    def after(self, request: Request, response: Response) -> Response:
        """Close there."""
        return response.with_signal(Signal(_position(self.after_bytes), "close"))


@dataclass(frozen=True, slots=True)
class RstStream(Fault):
    """The stream alone is reset (HTTP/1.1: the connection closed); 2 is INTERNAL_ERROR, 7 REFUSED_STREAM."""

    after_bytes: int | None = None
    error_code: int = 2

    def after(self, request: Request, response: Response) -> Response:
        """Reset the stream there."""
        return response.with_signal(Signal(_position(self.after_bytes), "rst_stream", self.error_code))


@dataclass(frozen=True, slots=True)
class GoAway(Fault):
    """GOAWAY, at the matching request or in its body (HTTP/1.1: the connection is closed).

    Attributes:
        after_bytes: Where in the body; None before the answer.
        last_stream_id: The last stream that is still served; None means the newest one.
        graceful: Whether streams up to that one are finished first; else the connection is closed at once.
    """

    after_bytes: int | None = None
    error_code: int = 0
    last_stream_id: int | None = None
    graceful: bool = False

    def after(self, request: Request, response: Response) -> Response:
        """Go away there."""
        at = _position(self.after_bytes)
        return response.with_signal(
            Signal(at, "goaway", self.error_code, last_stream_id=self.last_stream_id, ends=not self.graceful)
        )


@dataclass(frozen=True, slots=True)
class LowerStreamLimit(Fault):
    """A new limit of concurrent streams, announced in the middle of traffic; nothing for HTTP/1.1."""

    limit: int = 1
    after_bytes: int | None = None

    def after(self, request: Request, response: Response) -> Response:
        """Announce it there."""
        return response.with_signal(Signal(_position(self.after_bytes), "stream_limit", self.limit, ends=False))


@dataclass(frozen=True, slots=True)
class Drip(Fault):
    """A slow body."""

    kinds: ClassVar[frozenset[Kind]] = BODY
    bytes_per_s: float = 1024

    def after(self, request: Request, response: Response) -> Response:
        """Slow it down."""
        return replace(response, delivery=replace(response.delivery, bytes_per_s=self.bytes_per_s))


@dataclass(frozen=True, slots=True)
class Slow(Fault):
    """A late first byte."""

    delay_s: float = 1.0

    def after(self, request: Request, response: Response) -> Response:
        """Wait first."""
        return replace(response, delivery=replace(response.delivery, delay_s=self.delay_s))


def _position(after_bytes: int | None) -> int:
    return BEFORE_HEAD if after_bytes is None else after_bytes


def _first_byte(response: Response) -> int:
    span = response.header("content-range")
    return int(span.removeprefix("bytes ").partition("-")[0]) if span else 0


def edit_rows(
    request: Request, response: Response, edit: Callable[[list[dict[str, object]]], list[dict[str, object]]]
) -> Response:
    """Edit the rows of a listing; an answer that is not one stays as it is."""
    if response.status != 200 or "json" not in (response.header("content-type") or ""):
        return response
    if not any(word in request.path for word in ("/repo/files", "/repo/tree", "/tree/")):
        return response
    body = json.loads(response.read())
    if isinstance(body, list):
        return response.with_body(json.dumps(edit(body)).encode())
    body["Data"]["Files"] = edit(body["Data"]["Files"] or [])
    return response.with_body(json.dumps(body).encode())


def _without(row: Mapping[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in row.items() if name not in names}


def _renamed(row: Mapping[str, object], path: str) -> dict[str, object]:
    if "Path" in row:
        return {**row, "Path": path, "Name": path.rpartition("/")[2]}
    return {**row, "path": path}


def _modelscope_row(number: int) -> dict[str, object]:
    path = f"files/{number:09d}.txt"
    return {"Name": path[6:], "Path": path, "Type": "blob", "Size": 1, "Sha256": f"{number:064x}", "Revision": "0" * 40}


def _huggingface_row(number: int) -> dict[str, object]:
    return {"type": "file", "oid": f"{number:040x}", "size": 1, "path": f"files/{number:09d}.txt"}
