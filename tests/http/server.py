"""A small HTTP server for the carrier's tests: HTTP/2 and HTTP/1.1 over real sockets, misbehaving on request.

A handler is `async def handler(exchange)`. It sees the request as it came over the wire and answers piece by piece.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import h11

Headers = list[tuple[bytes, bytes]]


class Exchange(Protocol):
    """One request and the means to answer it, whatever the protocol."""

    method: bytes
    target: bytes
    headers: Headers
    body: bytes
    connection: Connection

    async def respond(self, status: int, headers: Headers, *, end: bool = False) -> None: ...
    async def send(self, data: bytes, *, end: bool = False) -> None: ...


Handler = Callable[[Any], Awaitable[None]]


@dataclass
class Connection:
    """What the server knows of one connection."""

    number: int
    protocol: str
    writer: asyncio.StreamWriter
    settings: dict[int, int] = field(default_factory=dict)
    window: int = 0
    resets: list[int] = field(default_factory=list)
    refused: int = 0
    limit: Callable[[int], None] = lambda _: None
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def drop(self) -> None:
        """Cut the connection as a broken line would."""
        self.writer.transport.abort()


class Server:
    """Serve one handler. `connections` and `log` tell what came in."""

    def __init__(
        self,
        handler: Handler,
        *,
        tls: ssl.SSLContext | None = None,
        max_streams: int = 100,
        on_connect: Callable[[Connection], Awaitable[None]] | None = None,
    ) -> None:
        self.handler = handler
        self.tls = tls
        self.max_streams = max_streams
        self.on_connect = on_connect
        self.connections: list[Connection] = []
        self.log: list[Any] = []
        self.deaf = False  # request bodies are not acknowledged
        self.tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        scheme = "https" if self.tls else "http"
        self.url = f"{scheme}://localhost:{self.port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in self.connections:
            connection.drop()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        closing = (connection.writer.wait_closed() for connection in self.connections)
        await asyncio.gather(*closing, return_exceptions=True)

    async def idle(self) -> None:
        """Wait until no connection and no handler is left."""
        while self.tasks:
            await asyncio.wait(self.tasks)

    def spawn(self, work: Awaitable[None]) -> None:
        async def guarded() -> None:
            # The peer may go at any moment: that is what these tests are about.
            with contextlib.suppress(OSError, h2.exceptions.ProtocolError, h11.ProtocolError, EOFError):
                await work

        task = asyncio.create_task(guarded())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        secure = writer.get_extra_info("ssl_object")
        protocol = (secure.selected_alpn_protocol() if secure else None) or "http/1.1"
        connection = Connection(len(self.connections), protocol, writer)
        self.connections.append(connection)
        try:
            if self.on_connect is not None:
                await self.on_connect(connection)
            serve = _Http2(self, connection).run if protocol == "h2" else _Http1(self, connection).run
            await serve(reader)
        except (OSError, EOFError, h2.exceptions.ProtocolError, h11.ProtocolError, asyncio.CancelledError):
            pass
        finally:
            connection.closed.set()
            writer.transport.abort()
            self.tasks.discard(task)


class _Http2:
    def __init__(self, server: Server, connection: Connection) -> None:
        self.server = server
        self.connection = connection
        config = h2.config.H2Configuration(client_side=False, header_encoding=None, validate_outbound_headers=False)
        connection.limit = self.limit
        self.h2 = h2.connection.H2Connection(config)
        self.window_opened = asyncio.Event()
        self.streams: dict[int, Http2Exchange] = {}

    async def run(self, reader: asyncio.StreamReader) -> None:
        self.max_streams = self.server.max_streams
        self.h2.local_settings = _settings(self.max_streams)
        self.h2.initiate_connection()
        self.h2.local_settings = _settings(1_000_000)  # we refuse streams ourselves; h2 would end the connection
        self.flush()
        try:
            while data := await reader.read(65536):
                for event in self.h2.receive_data(data):
                    self.see(event)
                self.connection.window = self.h2.outbound_flow_control_window
                self.flush()
        finally:
            for exchange in self.streams.values():
                exchange.gone = True
            self.window_opened.set()

    def limit(self, streams: int) -> None:
        """Announce a stream limit; what comes above it is refused at once, as nginx does."""
        self.max_streams = streams
        self.h2.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: streams})
        self.flush()

    def flush(self) -> None:
        if data := self.h2.data_to_send():
            self.connection.writer.write(data)

    def see(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived():
                self.streams[event.stream_id] = exchange = Http2Exchange(self, event.stream_id, event.headers)
                if sum(not stream.gone for stream in self.streams.values()) > self.max_streams:
                    self.connection.refused += 1
                    exchange.reset(h2.errors.ErrorCodes.REFUSED_STREAM)
            case h2.events.DataReceived():
                self.streams[event.stream_id].body += event.data
                if not self.server.deaf:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                exchange = self.streams[event.stream_id]
                if exchange.gone:
                    return
                self.server.log.append(exchange)
                self.server.spawn(self.server.handler(exchange))
            case h2.events.StreamReset():
                self.connection.resets.append(event.stream_id)
                self.streams[event.stream_id].gone = True
            case h2.events.RemoteSettingsChanged():
                self.connection.settings |= {int(k): v.new_value for k, v in event.changed_settings.items()}
        self.window_opened.set()


def _settings(max_streams: int) -> h2.settings.Settings:
    values = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: max_streams}
    return h2.settings.Settings(client=False, initial_values=values)


class Http2Exchange:
    """A request that came as an HTTP/2 stream."""

    def __init__(self, peer: _Http2, stream_id: int, headers: Headers) -> None:
        self.peer = peer
        self.connection = peer.connection
        self.stream_id = stream_id
        fields = dict(headers)
        self.method, self.target = fields[b":method"], fields[b":path"]
        self.headers = headers
        self.body = b""
        self.gone = False
        self.sent = 0
        self.waiting = False

    async def respond(self, status: int, headers: Headers, *, end: bool = False) -> None:
        self._check()
        self.peer.h2.send_headers(self.stream_id, [(b":status", str(status).encode()), *headers], end_stream=end)
        self.gone = end
        self.peer.flush()

    async def send(self, data: bytes, *, end: bool = False) -> None:
        view = memoryview(data)
        while len(view):
            self._check()
            room = min(self.peer.h2.local_flow_control_window(self.stream_id), 16384, len(view))
            if room <= 0:
                self.peer.window_opened.clear()
                self.waiting = True
                await self.peer.window_opened.wait()
                self.waiting = False
                continue
            self.peer.h2.send_data(self.stream_id, bytes(view[:room]))
            view = view[room:]
            self.sent += room
            self.peer.flush()
            await self.connection.writer.drain()
        if end:
            self._check()
            self.peer.h2.end_stream(self.stream_id)
            self.gone = True
            self.peer.flush()

    def reset(self, code: int = 2) -> None:
        self.peer.h2.reset_stream(self.stream_id, code)
        self.gone = True
        self.peer.flush()

    def goaway(self) -> None:
        self.peer.h2.close_connection(error_code=2)
        self.peer.flush()

    def _check(self) -> None:
        if self.gone or self.connection.writer.is_closing():
            raise EOFError


class _Http1:
    def __init__(self, server: Server, connection: Connection) -> None:
        self.server = server
        self.connection = connection
        self.h11 = h11.Connection(h11.SERVER)

    async def run(self, reader: asyncio.StreamReader) -> None:
        while True:
            exchange = await self.read(reader)
            if exchange is None:
                return
            self.server.log.append(exchange)
            await self.server.handler(exchange)
            await self.connection.writer.drain()
            if self.h11.our_state is not h11.DONE or self.h11.their_state is not h11.DONE:
                return
            self.h11.start_next_cycle()

    async def read(self, reader: asyncio.StreamReader) -> Http1Exchange | None:
        exchange: Http1Exchange | None = None
        while True:
            event = self.h11.next_event()
            if event is h11.NEED_DATA:
                self.h11.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Request):
                exchange = Http1Exchange(self, event)
            elif isinstance(event, h11.Data):
                assert exchange is not None
                exchange.body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return exchange
            else:
                return None


class Http1Exchange:
    """A request that came over HTTP/1.1."""

    def __init__(self, peer: _Http1, request: h11.Request) -> None:
        self.peer = peer
        self.connection = peer.connection
        self.method, self.target = request.method, request.target
        self.headers: Headers = list(request.headers.raw_items())
        self.body = b""

    async def respond(self, status: int, headers: Headers, *, end: bool = False) -> None:
        kind = h11.Response if status >= 200 else h11.InformationalResponse
        self._write(kind(status_code=status, headers=headers))
        if end:
            self._write(h11.EndOfMessage())

    async def send(self, data: bytes, *, end: bool = False) -> None:
        for start in range(0, len(data), 65536):
            self._write(h11.Data(data=data[start : start + 65536]))
            await self.connection.writer.drain()
        if end:
            self._write(h11.EndOfMessage())

    def raw(self, data: bytes) -> None:
        """Write bytes that no well-behaved server would."""
        self.connection.writer.write(data)

    def _write(self, event: h11.Event) -> None:
        data = self.peer.h11.send(event)
        if data:
            self.connection.writer.write(data)
