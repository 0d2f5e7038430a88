"""The curl carrier: httpx requests over libcurl, one lane for each origin unless a request asks for another.

Lanes that nobody closed end with the process, in silence: they are freed while Python can still be called. A forked
child forgets those of its parent.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os

import httpx

from mirrorhub.http.curl_lane import CurlLane, Greeting
from mirrorhub.http.curl_options import header_lines
from mirrorhub.http.origin import Origin, Route, origin_of
from mirrorhub.http.request import check_headers, lane_of

IDLE_S = 15.0  # after which an unused lane closes its connection


class CurlTransport(httpx.AsyncBaseTransport):
    """Carry requests over libcurl.

    Bound to the event loop of its first request. Closing it fails what is still running, with `httpx.ReadError`.
    """

    def __init__(self, route: Route, *, idle_s: float = IDLE_S) -> None:
        self._route = route
        self._idle_s = idle_s
        self._lanes: dict[tuple[Origin, int], CurlLane] = {}
        self._greetings: dict[Origin, Greeting] = {}
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return when its response headers are here.

        Raises:
            httpx.TransportError: In its usual kinds; `cause_of` says why.
        """
        if self._closed:
            raise RuntimeError("This carrier is closed.")
        origin = origin_of(request, self._route)
        check_headers(request)
        lines = header_lines(request)
        body = await request.aread()
        return await self._lane_for(origin, lane_of(request)).send(request, lines, body)

    async def connect(self, request: httpx.Request) -> None:
        """Open the connection that a request would go over, and ask for nothing; a failure is the request's affair."""
        if not self._closed:
            await self._lane_for(origin_of(request, self._route), lane_of(request)).connect(request)

    async def aclose(self) -> None:
        """Close every connection; what was running fails. No socket, task or thread is left."""
        self._closed = True
        for lane in list(self._lanes.values()):
            await lane.aclose()

    def _lane_for(self, origin: Origin, number: int) -> CurlLane:
        greeting = self._greetings.setdefault(origin, Greeting())
        # An origin that speaks only HTTP/1.1 has a few connections on its first lane, and no other.
        key = origin, 0 if greeting.http2 is False else number
        lane = self._lanes.get(key)
        if lane is None or lane.ended:
            lane = CurlLane(origin, self._route, greeting, idle_s=self._idle_s, forget=self._forget)
            self._lanes[key] = lane
            _open_lanes.add(lane)
        return lane

    def _forget(self, lane: CurlLane) -> None:
        for key in [key for key, other in self._lanes.items() if other is lane]:
            del self._lanes[key]
        _open_lanes.discard(lane)


_open_lanes: set[CurlLane] = set()


def _close_at_exit() -> None:
    """Free libcurl's handles while Python can still be called: their end would call into a dying interpreter."""
    for lane in list(_open_lanes):
        if lane.loop.is_running():
            with contextlib.suppress(Exception):
                asyncio.run_coroutine_threadsafe(lane.aclose(), lane.loop).result(timeout=2)
        else:
            lane.abandon()


def _disown_after_fork() -> None:
    """Leave the parent's connections alone: a goodbye from the child would break them."""
    for lane in _open_lanes:
        lane.disown()
    _open_lanes.clear()


atexit.register(_close_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_disown_after_fork)
