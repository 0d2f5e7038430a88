"""Requests, responses, and how a response is delivered. Values only: no IO, no protocol."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.cookies import SimpleCookie
from typing import Literal
from urllib.parse import parse_qsl

Kind = Literal["listing", "revision", "body", "other"]
Chunks = Callable[[], Iterator[bytes]]
Body = bytes | memoryview | Chunks
What = Literal["hang", "reset", "close", "rst_stream", "goaway", "stream_limit"]

BEFORE_HEAD = -1
PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came. Header names are lower case; `target` is raw, path and query as sent."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    scheme: str = "https"
    authority: str = "localhost"
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """The query, decoded; of a repeated name the last value."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self.scheme}://{self.authority}"

    @property
    def bearer(self) -> str | None:
        """The token of the Authorization header."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" and token else None

    @property
    def session(self) -> str | None:
        """The token of the ModelScope session cookie."""
        morsel = SimpleCookie(self.headers.get("cookie", "")).get("m_session_id")
        return morsel.value if morsel and morsel.value else None

    def without_header(self, name: str) -> Request:
        """The same request, less one header."""
        return replace(self, headers={k: v for k, v in self.headers.items() if k != name})


@dataclass(frozen=True, slots=True)
class Signal:
    """What happens to the stream or its connection once `at` bytes of the body are sent.

    `value` is the error code or the new stream limit. A signal that `ends` is the last thing the stream does.
    """

    at: int
    what: What
    value: int = 0
    last_stream_id: int | None = None
    ends: bool = True


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a response goes out: at once and whole, unless said otherwise."""

    delay_s: float = 0.0
    bytes_per_s: float | None = None
    signals: tuple[Signal, ...] = ()


@dataclass(frozen=True, slots=True)
class Response:
    """A response; `body` may be a function that makes an iterator, for bodies that are never whole in memory."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: Body = b""
    delivery: Delivery = Delivery()

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        return next((value for key, value in self.headers if key == name), None)

    def with_header(self, name: str, value: str | None) -> Response:
        """The same response with one header set, or dropped if `value` is None."""
        others = tuple(pair for pair in self.headers if pair[0] != name)
        return replace(self, headers=others if value is None else (*others, (name, value)))

    def with_body(self, body: Body) -> Response:
        """The same response with another body and the Content-Length of that body, none if it is not known."""
        length = None if callable(body) else str(len(body))
        return replace(self, body=body).with_header("content-length", length)

    def with_signal(self, signal: Signal) -> Response:
        """The same response, disturbed once more."""
        delivery = replace(self.delivery, signals=(*self.delivery.signals, signal))
        return replace(self, delivery=delivery)

    def read(self) -> bytes:
        """The whole body."""
        return b"".join(self.body()) if callable(self.body) else bytes(self.body)


def respond(
    status: int, body: Body = b"", *, content_type: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Build a response with its Content-Length."""
    named = {"content-type": content_type} if content_type else {}
    return Response(status, tuple({**named, **(headers or {})}.items())).with_body(body)


def respond_json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Build a JSON response."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return respond(status, body, content_type="application/json; charset=utf-8", headers=headers)


def respond_html(body: bytes, status: int = 200) -> Response:
    """Build a web page."""
    return respond(status, body, content_type="text/html; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Wait:
    """Let this many seconds pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Head:
    """Send status and headers."""


@dataclass(frozen=True, slots=True)
class Data:
    """Send these bytes of the body."""

    data: memoryview


@dataclass(frozen=True, slots=True)
class End:
    """End the response."""


Step = Wait | Head | Data | End | Signal


def steps(response: Response, *, bodiless: bool = False) -> Iterator[Step]:
    """Say how a response is delivered, step by step, the same for every protocol.

    Args:
        response: What to deliver.
        bodiless: Whether only the head goes out, as for HEAD.
    """
    delivery = response.delivery
    signals = deque(sorted(delivery.signals, key=lambda signal: signal.at))
    if delivery.delay_s:
        yield Wait(delivery.delay_s)
    yield from _due(signals, BEFORE_HEAD)
    yield Head()
    if not bodiless:
        yield from _body_steps(response, signals)
    yield End()


def _body_steps(response: Response, signals: deque[Signal]) -> Iterator[Step]:
    rate = response.delivery.bytes_per_s
    most = PIECE if rate is None else max(1, int(rate / 20))
    sent = 0
    for chunk in _chunks(response.body):
        rest = chunk
        while rest:
            yield from _due(signals, sent)
            size = min(most, len(rest), signals[0].at - sent if signals else most)
            yield Data(rest[:size])
            if rate is not None:
                yield Wait(size / rate)
            rest, sent = rest[size:], sent + size
    yield from _due(signals, sent)


def _due(signals: deque[Signal], sent: int) -> Iterator[Signal]:
    while signals and signals[0].at <= sent:
        yield signals.popleft()


def _chunks(body: Body) -> Iterator[memoryview]:
    if callable(body):
        for chunk in body():
            yield memoryview(chunk)
    else:
        yield memoryview(body)
