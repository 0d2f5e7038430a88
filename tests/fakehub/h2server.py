"""HTTP/2 on a wire: h2 keeps the protocol, this sends bodies side by side within the windows of the client.

The limit of concurrent streams is kept here and not by h2, which would end the connection where real servers refuse
the one stream; so our own SETTINGS frame announces it.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass, field
from typing import assert_never

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
from hyperframe.frame import GoAwayFrame, SettingsFrame

from tests.fakehub.backend import Backend
from tests.fakehub.messages import Data, End, Head, Request, Response, Signal, Step, Wait, steps
from tests.fakehub.wire import Wire

BURST = 128 * 1024
REFUSED_STREAM = 7
MAX_STREAMS = h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS


@dataclass(slots=True)
class Stream:
    """One request. `credit` is set whenever its window, or that of the connection, may have grown."""

    id: int
    headers: list[tuple[str, str]]
    body: bytearray = field(default_factory=bytearray)
    credit: asyncio.Event = field(default_factory=asyncio.Event)
    log_id: int = 0
    task: asyncio.Task[None] | None = None


class H2Connection:
    """One HTTP/2 connection, from the preface to its end."""

    def __init__(self, backend: Backend, wire: Wire, stream_limit: int) -> None:
        self._backend = backend
        self._wire = wire
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self._h2.local_settings = h2.settings.Settings(client=False, initial_values={MAX_STREAMS: 2**31 - 1})
        self._streams: dict[int, Stream] = {}
        self._limit: float = stream_limit
        self._limit_in_force: float = math.inf
        self._unacknowledged: deque[int] = deque()
        self._last_served: float = math.inf

    async def serve(self, first: bytes = b"") -> None:
        """Serve until the client leaves or a fault ends the connection."""
        self._h2.initiate_connection()
        self._h2.data_to_send()
        self._announce_limit(int(self._limit))
        try:
            data = first or await self._wire.read()
            while data:
                self._receive(data)
                data = await self._wire.read()
        except h2.exceptions.ProtocolError as error:
            self._backend.log.violate(f"connection {self._wire.id}: {error!r}")
            self._flush()
        finally:
            await self._drop_all()

    def _receive(self, data: bytes) -> None:
        for event in self._h2.receive_data(data):
            self._on(event)
        self._flush()

    def _on(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived():
                self._open(Stream(event.stream_id, [(str(n), str(v)) for n, v in event.headers]))
            case h2.events.DataReceived():
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if event.stream_id in self._streams:
                    self._streams[event.stream_id].body += event.data
            case h2.events.StreamEnded():
                self._start(event.stream_id)
            case h2.events.StreamReset():
                self._drop(event.stream_id)
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                for stream in self._streams.values():
                    stream.credit.set()
            case h2.events.SettingsAcknowledged():
                if self._unacknowledged:
                    self._limit_in_force = self._unacknowledged.popleft()
            case _:
                pass

    def _open(self, stream: Stream) -> None:
        log = self._backend.log
        stream.log_id = self._backend.note(self._wire.id, stream.id, self._request(stream))
        if stream.id > self._last_served:
            # After GOAWAY the client has been told that nobody looks at this one.
            log.end(stream.log_id, "refused")
            return
        if len(self._streams) >= self._limit:
            if len(self._streams) >= self._limit_in_force:
                log.violate(f"connection {self._wire.id}: stream {stream.id} is above the limit {self._limit_in_force}")
            log.end(stream.log_id, "refused")
            self._h2.reset_stream(stream.id, REFUSED_STREAM)
            return
        self._streams[stream.id] = stream
        log.count_streams(self._wire.id, len(self._streams))

    def _start(self, stream_id: int) -> None:
        if stream := self._streams.get(stream_id):
            stream.task = asyncio.create_task(self._serve_stream(stream))

    async def _serve_stream(self, stream: Stream) -> None:
        request = self._request(stream)
        response = self._backend.answer(stream.log_id, request)
        try:
            for step in steps(response, bodiless=request.method == "HEAD"):
                await self._take(step, stream, response)
        except (OSError, h2.exceptions.ProtocolError):
            self._backend.log.end(stream.log_id, "cancelled")
            self._streams.pop(stream.id, None)

    async def _take(self, step: Step, stream: Stream, response: Response) -> None:
        match step:
            case Wait():
                await asyncio.sleep(step.seconds)
            case Head():
                headers = [(":status", str(response.status)), *response.headers]
                self._h2.send_headers(stream.id, headers)
            case Data():
                await self._send(stream, step.data)
            case End():
                self._finish(stream)
            case Signal():
                await self._signal(step, stream)
            case _:
                assert_never(step)

    async def _send(self, stream: Stream, data: memoryview) -> None:
        frame = self._h2.max_outbound_frame_size
        while data:
            part = data[: min(BURST, self._h2.local_flow_control_window(stream.id))]
            if not part:
                self._flush()
                stream.credit.clear()
                await stream.credit.wait()
                continue
            for start in range(0, len(part), frame):
                self._h2.send_data(stream.id, part[start : start + frame])
            self._backend.log.send(stream.log_id, len(part))
            data = data[len(part) :]
            self._flush()
            await self._wire.drain()

    def _finish(self, stream: Stream) -> None:
        self._streams.pop(stream.id, None)
        self._backend.log.end(stream.log_id, "finished")
        self._h2.end_stream(stream.id)
        self._flush()
        self._close_if_done()

    async def _signal(self, signal: Signal, stream: Stream) -> None:
        self._flush()
        if signal.ends:
            alone = signal.what in ("hang", "rst_stream")
            for broken in (stream,) if alone else self._streams.values():
                self._backend.log.end(broken.log_id, "broken")
        match signal.what:
            case "hang":
                await asyncio.Event().wait()
            case "reset":
                self._wire.reset()
                raise ConnectionResetError
            case "close":
                self._wire.close()
                raise ConnectionResetError
            case "rst_stream":
                self._streams.pop(stream.id, None)
                self._h2.reset_stream(stream.id, signal.value)
                self._flush()
                raise ConnectionResetError
            case "goaway":
                self._go_away(signal, stream)
            case "stream_limit":
                self._announce_limit(signal.value)
            case _:
                assert_never(signal.what)

    def _go_away(self, signal: Signal, stream: Stream) -> None:
        last = self._h2.highest_inbound_stream_id if signal.last_stream_id is None else signal.last_stream_id
        self._wire.write(GoAwayFrame(0, last_stream_id=last, error_code=signal.value).serialize())
        if signal.ends:
            self._wire.close()
            raise ConnectionResetError
        self._last_served = last
        for late in [late for late in self._streams.values() if late.id > last]:
            self._backend.log.end(late.log_id, "refused")
            self._drop(late.id)
        self._close_if_done()
        if stream.id > last:
            raise ConnectionResetError

    def _announce_limit(self, limit: int) -> None:
        self._limit = limit
        self._unacknowledged.append(limit)
        self._wire.write(SettingsFrame(0, settings={MAX_STREAMS: limit}).serialize())

    def _close_if_done(self) -> None:
        if self._last_served < math.inf and not self._streams:
            self._wire.close()

    def _drop(self, stream_id: int) -> None:
        stream = self._streams.pop(stream_id, None)
        if stream:
            self._backend.log.end(stream.log_id, "cancelled")
            if stream.task and stream.task is not asyncio.current_task():
                stream.task.cancel()

    async def _drop_all(self) -> None:
        tasks = [stream.task for stream in self._streams.values() if stream.task]
        for stream_id in list(self._streams):
            self._drop(stream_id)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _flush(self) -> None:
        self._wire.write(self._h2.data_to_send())

    def _request(self, stream: Stream) -> Request:
        pseudo = {name: value for name, value in stream.headers if name.startswith(":")}
        headers: dict[str, str] = {}
        for name, value in stream.headers:
            if not name.startswith(":"):
                # HTTP/2 lets a client send each cookie as a header of its own.
                glue = "; " if name == "cookie" else ", "
                headers[name] = f"{headers[name]}{glue}{value}" if name in headers else value
        return Request(
            method=pseudo[":method"],
            target=pseudo.get(":path", "/"),
            headers=headers,
            scheme=pseudo.get(":scheme", self._wire.scheme),
            authority=pseudo.get(":authority", headers.get("host", "")),
            body=bytes(stream.body),
        )
