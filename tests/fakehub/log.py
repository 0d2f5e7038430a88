"""What a hub was asked and what it sent. Written by the hub's thread, read by the test's."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from tests.fakehub.messages import Kind, Request
from tests.fakehub.site import Subject

Outcome = Literal["open", "finished", "cancelled", "broken", "refused"]

_SECRET_HEADERS = ("authorization", "proxy-authorization", "cookie")
_SECRET_QUERIES = ("token", "access_token")


@dataclass(frozen=True, slots=True)
class ConnectionRecord:
    """One connection. Times are in seconds since the log began; `alpn` is None until TLS is agreed, at `stood_s`."""

    id: int
    opened_s: float
    http: str | None = None
    alpn: str | None = None
    sni: str | None = None
    stood_s: float | None = None
    closed_s: float | None = None
    max_streams: int = 0

    @property
    def closed(self) -> bool:
        """Whether the connection is over."""
        return self.closed_s is not None


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request.

    `bytes_sent` counts bytes of the body. `finished` means that the hub sent everything it meant to; `cancelled` that
    the client left first; `broken` that a fault ended it; `refused` that it came above the stream limit.
    """

    id: int
    connection: int
    stream: int
    at_s: float
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    kind: Kind
    file: str | None
    status: int | None = None
    content_range: str | None = None
    bytes_sent: int = 0
    outcome: Outcome = "open"

    @property
    def finished(self) -> bool:
        """Whether everything was sent."""
        return self.outcome == "finished"

    @property
    def cancelled(self) -> bool:
        """Whether the client left first."""
        return self.outcome == "cancelled"


@dataclass(slots=True)
class _Books:
    connections: dict[int, ConnectionRecord] = field(default_factory=dict)
    requests: dict[int, RequestRecord] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


class Log:
    """The record of one hub. Records are values: what was handed out does not change, ask again."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._books = _Books()
        self._changed = threading.Condition()
        self._connection_ids = itertools.count(1)
        self._request_ids = itertools.count(1)

    def __repr__(self) -> str:
        return f"<Log connections={len(self.connections)} requests={len(self.requests())}>"

    @property
    def connections(self) -> tuple[ConnectionRecord, ...]:
        """Every connection that was accepted, in order."""
        with self._changed:
            return tuple(self._books.connections.values())

    @property
    def heads(self) -> tuple[RequestRecord, ...]:
        """Every HEAD request."""
        return self.requests(method="HEAD")

    @property
    def violations(self) -> tuple[str, ...]:
        """Where a client broke HTTP or a limit that it had acknowledged, and where the hub itself failed."""
        with self._changed:
            return tuple(self._books.violations)

    @property
    def max_concurrent_streams(self) -> int:
        """The most requests that were open at once on one connection."""
        return max((connection.max_streams for connection in self.connections), default=0)

    def requests(
        self, *, method: str | None = None, kind: Kind | None = None, file: str | None = None
    ) -> tuple[RequestRecord, ...]:
        """Give the requests in the order they came, filtered by what is named."""
        with self._changed:
            every = tuple(self._books.requests.values())
        wanted = {"method": method, "kind": kind, "file": file}
        named = {name: value for name, value in wanted.items() if value is not None}
        return tuple(r for r in every if all(getattr(r, name) == value for name, value in named.items()))

    def bytes_sent_by_file(self) -> Counter[str]:
        """Count the bytes of bodies that left, by the path of the file."""
        sent: Counter[str] = Counter()
        for request in self.requests(kind="body"):
            if request.status in (200, 206):
                sent[request.file or ""] += request.bytes_sent
        return sent

    def ranges_by_file(self) -> dict[str, list[str]]:
        """Give the Content-Range of every partial answer, by the path of the file, in the order asked."""
        ranges: dict[str, list[str]] = {}
        for request in self.requests(kind="body"):
            if request.content_range and request.status in (200, 206):
                ranges.setdefault(request.file or "", []).append(request.content_range)
        return ranges

    def tokens_seen(self) -> set[str]:
        """Give every credential that reached the hub: in Authorization, in a cookie, in a query."""
        seen: set[str] = set()
        for request in self.requests():
            seen.update(request.headers[name] for name in _SECRET_HEADERS if name in request.headers)
            seen.update(request.query[name] for name in _SECRET_QUERIES if name in request.query)
        return seen

    def wait_until(self, fact: Callable[[Log], bool], timeout_s: float = 10.0) -> None:
        """Block until something is true of the log.

        Raises:
            TimeoutError: It did not become true in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: fact(self), timeout_s):
                raise TimeoutError(f"not so within {timeout_s} s: {self!r}")

    def clear(self) -> None:
        """Forget the requests and the closed connections."""
        with self._changed:
            open_ones = {id: c for id, c in self._books.connections.items() if not c.closed}
            self._books = _Books(connections=open_ones)

    def as_json(self) -> str:
        """Give everything as JSON."""
        with self._changed:
            body = {
                "connections": [asdict(record) for record in self._books.connections.values()],
                "requests": [asdict(record) for record in self._books.requests.values()],
                "violations": list(self._books.violations),
            }
        return json.dumps(body, indent=1)

    def dump(self, path: Path) -> None:
        """Write everything as JSON."""
        path.write_text(self.as_json(), encoding="utf-8")

    def open_connection(self) -> int:
        """Note a new connection and give its id."""
        with self._changed:
            id = next(self._connection_ids)
            self._books.connections[id] = ConnectionRecord(id, self._now())
            self._changed.notify_all()
        return id

    def agree(self, id: int, *, http: str, alpn: str | None, sni: str | None) -> None:
        """Note what was agreed for a connection."""
        self._change_connection(id, http=http, alpn=alpn, sni=sni, stood_s=self._now())

    def count_streams(self, id: int, streams: int) -> None:
        """Note how many streams are open on a connection now."""
        with self._changed:
            self._change_connection(id, max_streams=max(streams, self._books.connections[id].max_streams))

    def close_connection(self, id: int) -> None:
        """Note the end of a connection."""
        self._change_connection(id, closed_s=self._now())

    def violate(self, what: str) -> None:
        """Note that a client broke the protocol."""
        with self._changed:
            self._books.violations.append(what)
            self._changed.notify_all()

    def open_request(self, connection: int, stream: int, request: Request, subject: Subject) -> int:
        """Note a new request and give its id."""
        with self._changed:
            id = next(self._request_ids)
            self._books.requests[id] = RequestRecord(
                id=id,
                connection=connection,
                stream=stream,
                at_s=self._now(),
                method=request.method,
                path=request.path,
                query=request.query,
                headers=dict(request.headers),
                kind=subject.kind,
                file=subject.file,
            )
            self._changed.notify_all()
        return id

    def answer(self, id: int, status: int, content_range: str | None) -> None:
        """Note the head of an answer."""
        self._change_request(id, status=status, content_range=content_range)

    def send(self, id: int, size: int) -> None:
        """Note bytes of a body."""
        with self._changed:
            record = self._books.requests.get(id)
            if record:
                self._books.requests[id] = replace(record, bytes_sent=record.bytes_sent + size)
                self._changed.notify_all()

    def end(self, id: int, outcome: Outcome) -> None:
        """Note how a request ended; only the first end counts."""
        with self._changed:
            record = self._books.requests.get(id)
            if record and record.outcome == "open":
                self._books.requests[id] = replace(record, outcome=outcome)
                self._changed.notify_all()

    def _change_connection(self, id: int, **changes: object) -> None:
        with self._changed:
            record = self._books.connections[id]
            self._books.connections[id] = replace(record, **changes)  # type: ignore[arg-type]
            self._changed.notify_all()

    def _change_request(self, id: int, **changes: object) -> None:
        with self._changed:
            if record := self._books.requests.get(id):
                self._books.requests[id] = replace(record, **changes)  # type: ignore[arg-type]
                self._changed.notify_all()

    def _now(self) -> float:
        return time.monotonic() - self._began
