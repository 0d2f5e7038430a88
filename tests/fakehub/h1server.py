"""HTTP/1.1 on a wire: h11 keeps the protocol; what a fault sends beyond it goes past h11 and ends the connection."""

from __future__ import annotations

import asyncio
from typing import assert_never

import h11

from tests.fakehub.backend import Backend
from tests.fakehub.messages import Data, End, Head, Request, Response, Signal, Step, Wait, steps
from tests.fakehub.wire import Wire


class H1Connection:
    """One HTTP/1.1 connection, kept alive from request to request."""

    def __init__(self, backend: Backend, wire: Wire) -> None:
        self._backend = backend
        self._wire = wire
        self._h11 = h11.Connection(h11.SERVER)
        self._served = 0

    async def serve(self, first: bytes = b"") -> None:
        """Serve until either side has enough."""
        if first:
            self._h11.receive_data(first)
        try:
            while request := await self._next_request():
                await self._answer(request)
                if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
                    return
                self._h11.start_next_cycle()
        except h11.RemoteProtocolError as error:
            self._backend.log.violate(f"connection {self._wire.id}: {error!r}")

    async def _next_request(self) -> Request | None:
        head: h11.Request | None = None
        body = bytearray()
        while True:
            match event := await self._next_event():
                case h11.Request():
                    head = event
                case h11.Data():
                    body += event.data
                case h11.EndOfMessage() if head:
                    return self._request(head, bytes(body))
                case _:
                    return None

    async def _next_event(self) -> h11.Event | type[h11.PAUSED]:
        while (event := self._h11.next_event()) is h11.NEED_DATA:
            if self._h11.they_are_waiting_for_100_continue:
                self._wire.write(self._h11.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            self._h11.receive_data(await self._wire.read())
        return event  # type: ignore[return-value]

    async def _answer(self, request: Request) -> None:
        self._served += 1
        log = self._backend.log
        id = self._backend.note(self._wire.id, self._served, request)
        log.count_streams(self._wire.id, 1)
        response = self._backend.answer(id, request)
        bodiless = request.method == "HEAD"
        sending = _Sending(self._backend, self._wire, self._h11, id, response, bodiless=bodiless)
        try:
            for step in steps(response, bodiless=bodiless):
                await sending.take(step)
        except asyncio.CancelledError:
            log.end(id, "cancelled")
            raise
        except OSError:
            log.end(id, "cancelled")

    def _request(self, head: h11.Request, body: bytes) -> Request:
        headers: dict[str, str] = {}
        for raw_name, raw_value in head.headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return Request(
            method=head.method.decode(),
            target=head.target.decode("latin-1"),
            headers=headers,
            scheme=self._wire.scheme,
            authority=headers.get("host", ""),
            body=body,
        )


class _Sending:
    """One response on its way."""

    def __init__(
        self,
        backend: Backend,
        wire: Wire,
        connection: h11.Connection,
        id: int,
        response: Response,
        *,
        bodiless: bool,
    ) -> None:
        self._log = backend.log
        self._wire = wire
        self._h11 = connection
        self._id = id
        self._response = response
        length = response.header("content-length")
        self._left = None if length is None else int(length)
        if bodiless:
            self._left = None

    async def take(self, step: Step) -> None:
        match step:
            case Wait():
                await asyncio.sleep(step.seconds)
            case Head():
                headers = list(self._response.headers)
                self._wire.write(
                    self._h11.send(h11.Response(status_code=self._response.status, headers=headers)) or b""
                )
            case Data():
                await self._send(step.data)
            case End():
                await self._finish()
            case Signal():
                await self._signal(step)
            case _:
                assert_never(step)

    async def _send(self, data: memoryview) -> None:
        self._log.send(self._id, len(data))
        proper = data if self._left is None else data[: self._left]
        if self._left is not None:
            self._left -= len(proper)
        if proper:
            self._wire.write(self._h11.send(h11.Data(data=proper)) or b"")  # type: ignore[arg-type]
        self._wire.write(data[len(proper) :])  # type: ignore[arg-type]
        if len(data) > len(proper):
            self._left = -1
        await self._wire.drain()

    async def _finish(self) -> None:
        self._log.end(self._id, "finished")
        if not self._left:
            self._wire.write(self._h11.send(h11.EndOfMessage()) or b"")
            await self._wire.drain()
        else:
            self._wire.close()

    async def _signal(self, signal: Signal) -> None:
        if not signal.ends and signal.what == "stream_limit":
            return
        self._log.end(self._id, "broken")
        match signal.what:
            case "hang":
                await self._wire.wait_for_peer_to_leave()
            case "reset":
                self._wire.reset()
            case _:
                self._wire.close()
        raise ConnectionResetError
