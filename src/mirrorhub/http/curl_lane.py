"""One origin over libcurl: a multi handle held to one connection, and the requests that share it.

Requests are HTTP/2 streams of that connection; those above the server's limit wait for their turn inside libcurl. Where
the server speaks only HTTP/1.1, the lane may open a few more. It lives on one event loop, closes its connection when
unused for a while, and never outlives the loop. Nothing here removes a handle from inside a callback of libcurl's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import httpx
from curl_cffi import Curl, CurlOpt

from mirrorhub.http.causes import CLOSED, CarrierError, transport_error, unseen
from mirrorhub.http.curl_causes import refused
from mirrorhub.http.curl_multi import CurlMulti, disown, expect_no_end
from mirrorhub.http.curl_silence import Heard
from mirrorhub.http.curl_transfer import CurlTransfer, Likeness
from mirrorhub.http.origin import Origin, Route
from mirrorhub.http.request import CONNECT_ONLY, timeouts_of

STREAMS = 128  # requests of one lane that libcurl knows of at a time
# Before a server has told its stream limit, libcurl assumes 100; what comes above the real one is refused, and libcurl
# gives up the whole connection for it. So the first few go ahead, and the others follow the first answer.
COLD_STREAMS = 4
ATTEMPTS = 4  # at a request that the server hardly saw
HTTP1_CONNECTIONS = 6  # of one lane, where the server does not speak HTTP/2
TICK_S = 0.05  # resolution of time-outs
POOLED_HANDLES = STREAMS


@dataclass(slots=True)
class Greeting:
    """What an origin's answers have told of its connections; all its lanes share it.

    Attributes:
        http2: Whether it speaks HTTP/2; None before it has answered.
        refused: It has refused streams: a fresh connection must wait for its limit.
    """

    http2: bool | None = None
    refused: bool = False


class CurlLane:
    """One origin's multi handle, its transfers, and the task that watches their time and closes it when unused."""

    def __init__(
        self, origin: Origin, route: Route, greeting: Greeting, *, idle_s: float, forget: Callable[[CurlLane], None]
    ) -> None:
        self.origin = origin
        self.route = route
        self.loop = asyncio.get_running_loop()
        self.ended = False
        self.heard = Heard(self.loop.time())
        self.transfers: dict[CurlTransfer, None] = {}  # in the order in which they came
        self._idle_s = idle_s
        self._forget = forget
        self._users = 0
        self._used_at = self.loop.time()
        self._slots = asyncio.Semaphore(STREAMS)
        self._file = asyncio.Lock()
        self._greeting = greeting
        self._open = self._is_known
        self._used = False
        self._spare: list[tuple[Curl, Likeness]] = []
        self._multi = CurlMulti(self._moved)
        self._limit()
        self._keeper = self.loop.create_task(self._keep(), name=f"mirrorhub lane {origin}")

    async def send(self, request: httpx.Request, lines: list[bytes], body: bytes) -> httpx.Response:
        """Send a request, again where the server hardly saw it, and return when the head of its answer is here.

        Raises:
            httpx.TransportError: In its usual kinds; `cause_of` says why.
        """
        self._users += 1
        self._used = True
        file: contextlib.AbstractAsyncContextManager[object] = contextlib.nullcontext()
        try:
            for _ in range(ATTEMPTS - 1):
                try:
                    async with file:
                        return await self._attempt(request, lines, body)
                except httpx.TransportError as error:
                    if not unseen(error):
                        raise
                    if refused(error):
                        self._greeting.refused = True
                        file = self._file  # one by one: with the first answer libcurl knows the limit
            async with file:
                return await self._attempt(request, lines, body)
        finally:
            self._users -= 1
            self._used_at = self.loop.time()

    async def connect(self, request: httpx.Request) -> None:
        """Open the connection ahead of the first request, and ask for nothing."""
        if not self._used:
            self._used = True
            ahead = httpx.Request("GET", request.url, extensions={**request.extensions, CONNECT_ONLY: True})
            with contextlib.suppress(httpx.TransportError):
                await self._attempt(ahead, [], b"")

    async def _attempt(self, request: httpx.Request, lines: list[bytes], body: bytes) -> httpx.Response:
        await self._take_slot(request)
        if self.ended:  # while this one waited
            self._slots.release()
            raise transport_error(httpx.ReadError, CarrierError("other", CLOSED), request)
        if not self._open and self._is_known:  # by an answer on another lane, since this one was made
            self._open = True
            self._limit()
        transfer = CurlTransfer(self, request, len(body))
        try:
            curl, likeness = self._spare.pop() if self._spare else (Curl(), None)
            transfer.start(curl, likeness, lines, body)
            return await transfer.response()
        except BaseException:
            transfer.end()
            raise

    @property
    def _is_known(self) -> bool:
        """Whether the server's stream limit is: it tells all its connections the same one."""
        return self._greeting.http2 is not None and not self._greeting.refused

    def add(self, transfer: CurlTransfer, curl: Curl) -> asyncio.Future[None]:
        """Hand a transfer's handle to libcurl; the future ends with it."""
        self.transfers[transfer] = None
        if self._greeting.http2 is False:
            curl.setopt(CurlOpt.PIPEWAIT, 0)  # there is no stream to wait for: open the next connection at once
        return cast("asyncio.Future[None]", self._multi.add_handle(curl))

    def withdraw(self, curl: Curl) -> None:
        """Take a handle from libcurl, to be added again."""
        self._multi.remove_handle(curl)

    def remove(self, transfer: CurlTransfer, curl: Curl, *, running: bool) -> None:
        """Take a transfer off the lane, cancelling its stream if it is still running."""
        self.transfers.pop(transfer, None)
        if running:
            self._multi.remove_handle(curl)
        curl.clean_handles_and_buffers()
        if not self.ended and len(self._spare) < POOLED_HANDLES:
            self._spare.append((curl, None if running else transfer.likeness))
        else:
            curl.close()
        self._slots.release()
        self._used_at = self.loop.time()

    def greeted(self, *, http2: bool) -> None:
        """Open up: the server has answered, so libcurl knows its protocol and its stream limit."""
        if self._open:
            return
        self._open, self._greeting.http2 = True, http2
        self.loop.call_soon(self._open_up)  # not now: libcurl is calling us, and refuses changes while it does

    def _open_up(self) -> None:
        if self.ended:
            return
        self._limit()
        # curl_cffi moves libcurl also by its own clock, past us: what is on its way by now must not be sent once more.
        self._multi.drain()
        # libcurl itself would let one waiting transfer go for each that ends.
        for transfer in list(self.transfers):
            if not transfer.connected:
                transfer.requeue()

    def _limit(self) -> None:
        connections = HTTP1_CONNECTIONS if self._greeting.http2 is False else 1
        self._multi.limit(connections=connections, streams=STREAMS if self._open else COLD_STREAMS)

    async def aclose(self) -> None:
        """Close the connection; what was running fails."""
        self._keeper.cancel()
        await asyncio.wait([self._keeper])

    def abandon(self) -> None:
        """Free libcurl's handles without the event loop, which has ended: for the end of the process."""
        if self.ended:
            return
        self._end()
        self._let_go()
        self._multi.abandon()
        expect_no_end(self._keeper)

    def disown(self) -> None:
        """Let go of what belongs to the process that this one was forked from."""
        for curl, _ in self._spare:
            disown(curl)
        self._spare.clear()
        self.ended = True
        self._let_go()
        self._multi.disown()

    def _let_go(self) -> None:
        for transfer in self.transfers:
            transfer.let_go()
        self.transfers.clear()

    async def _take_slot(self, request: httpx.Request) -> None:
        try:
            async with asyncio.timeout(timeouts_of(request).get("pool")):
                await self._slots.acquire()
        except TimeoutError:
            reason = CarrierError("timeout", f"{STREAMS} requests to {self.origin} are under way already")
            failed = transport_error(httpx.PoolTimeout, reason, request)
            raise failed from failed.__cause__

    def _moved(self) -> None:
        for transfer in self.transfers:
            if not transfer.connected:
                transfer.look_for_connection()

    @property
    def _busy(self) -> bool:
        return bool(self._users or self.transfers)

    async def _keep(self) -> None:
        try:
            while self._busy or self.loop.time() - self._used_at < self._idle_s:
                await asyncio.sleep(TICK_S if self._busy else min(self._idle_s, 0.5))
                self._multi.drain()
                self._check_times()
        except GeneratorExit:
            self.abandon()  # the loop was closed without ending its tasks
            raise
        finally:
            # Also where asyncio.run cancels what is left at its end: the lane never outlives its loop.
            if not self.ended:
                await self._close()

    async def _close(self) -> None:
        self._end()
        # libcurl would report these bodies as complete.
        for transfer in list(self.transfers):
            transfer.fail(httpx.ReadError, CarrierError("other", CLOSED))
        await self._multi.close()  # type: ignore[no-untyped-call]

    def _check_times(self) -> None:
        now = self.loop.time()
        carrying = any(transfer.connected for transfer in self.transfers)
        for transfer in list(self.transfers):
            transfer.check_time(now, lane_carries=carrying)

    def _end(self) -> None:
        self.ended = True
        self._forget(self)
        for curl, _ in self._spare:
            curl.close()
        self._spare.clear()
