"""Proxies that note where they were asked to go: HTTP (CONNECT and absolute form) and SOCKS5.

A `routes` table sends a name somewhere else, so that https://modelscope.cn can be a hub on this machine:

    with FakeHub(..., hosts=["modelscope.cn"]) as hub, ConnectProxy({"modelscope.cn:443": hub.address}) as proxy:
        ...
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import ClassVar, Self
from urllib.parse import urlsplit

from tests.fakehub.loopthread import LoopThread

Address = tuple[str, int]
Login = tuple[str, str]

SOCKS_OK, SOCKS_DENIED, SOCKS_UNREACHABLE = 0, 2, 4


class RefusedError(Exception):
    """The proxy does not serve this client; `answer` is what it is told."""

    def __init__(self, answer: bytes) -> None:
        super().__init__(answer)
        self.answer = answer


class Proxy(ABC):
    """A proxy in a thread of its own, listening between `start` and `stop`.

    Args:
        routes: Where "host:port" really is; a target that is not named here is looked up as usual.
        login: User and password that a client must give.
        deny: Whether every target is refused.
    """

    scheme: ClassVar[str]

    def __init__(
        self, routes: Mapping[str, Address] | None = None, *, login: Login | None = None, deny: bool = False
    ) -> None:
        self.routes = dict(routes or {})
        self.login = login
        self.deny = deny
        self._targets: list[str] = []
        self._heads: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread: LoopThread | None = None
        self._server: asyncio.Server | None = None
        self._port = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} [{self.url!r}, Targets: {len(self._targets)}]>"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def targets(self) -> tuple[str, ...]:
        """Every "host:port" that was asked for, in order, allowed or not."""
        return tuple(self._targets)

    @property
    def heads(self) -> tuple[str, ...]:
        """What each client said to the proxy itself, before anything was passed on."""
        return tuple(self._heads)

    def clear(self) -> None:
        """Forget what was asked for."""
        self._targets.clear()
        self._heads.clear()

    @property
    def url(self) -> str:
        """The URL for a proxy setting, the login included."""
        login = f"{self.login[0]}:{self.login[1]}@" if self.login else ""
        return f"{self.scheme}://{login}127.0.0.1:{self._port}"

    @property
    def address(self) -> Address:
        """Host and port of the socket."""
        return ("127.0.0.1", self._port)

    def start(self) -> None:
        """Listen."""
        self._thread = LoopThread(type(self).__name__)
        self._thread.call(self._open())

    def stop(self) -> None:
        """End every tunnel and the thread."""
        if self._thread:
            self._thread.call(self._close())
            self._thread.stop()
        self._thread = None

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._welcome, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A task that is cancelled before its first step never reaches its own finally.
        task.add_done_callback(lambda _: writer.close())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._handle(reader, writer)
        except RefusedError as refused:
            writer.write(refused.answer)
        except (OSError, asyncio.IncompleteReadError):
            # A side left: so does the proxy.
            pass
        finally:
            await _ended(writer)

    @abstractmethod
    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Find out where the client wants to go, and bring it there."""

    async def _connected(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        target = f"{host}:{port}"
        self._targets.append(target)
        if self.deny:
            raise PermissionError(target)
        return await asyncio.open_connection(*self.routes.get(target, (host, port)))


class ConnectProxy(Proxy):
    """An HTTP proxy: CONNECT for https, absolute form for http; one request of that form per connection."""

    scheme = "http"

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self._heads.append(head)
        first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        self._check(lines)
        url = urlsplit(f"//{target}" if method == "CONNECT" else target)
        try:
            far = await self._connected(url.hostname or "", url.port or 80)
        except PermissionError:
            raise RefusedError(_http_answer("403 Forbidden")) from None
        except OSError:
            raise RefusedError(_http_answer("502 Bad Gateway")) from None
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            far[1].write(_origin_form(method, target, lines))
        await _relay((reader, writer), far)

    def _check(self, lines: list[str]) -> None:
        if self.login is None:
            return
        wanted = "Basic " + base64.b64encode(":".join(self.login).encode()).decode()
        given = [line.partition(":")[2].strip() for line in lines if line.lower().startswith("proxy-authorization:")]
        if given != [wanted]:
            raise RefusedError(
                _http_answer("407 Proxy Authentication Required", "Proxy-Authenticate: Basic realm=fakehub")
            )


class Socks5Proxy(Proxy):
    """A SOCKS5 proxy; `scheme` says that names are resolved here, not at the client."""

    scheme = "socks5h"

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._agree(reader, writer)
        host, port = await _read_socks_target(reader)
        try:
            far = await self._connected(host, port)
        except PermissionError:
            raise RefusedError(_socks_reply(SOCKS_DENIED)) from None
        except OSError:
            raise RefusedError(_socks_reply(SOCKS_UNREACHABLE)) from None
        writer.write(_socks_reply(SOCKS_OK))
        await _relay((reader, writer), far)

    async def _agree(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        offered = await reader.readexactly(count)
        wanted = 2 if self.login else 0
        if wanted not in offered:
            raise RefusedError(b"\x05\xff")
        writer.write(bytes([5, wanted]))
        if self.login:
            await reader.readexactly(1)
            given = (await _read_counted(reader), await _read_counted(reader))
            if given != self.login:
                raise RefusedError(b"\x01\x01")
            writer.write(b"\x01\x00")


async def _read_counted(reader: asyncio.StreamReader) -> str:
    (size,) = await reader.readexactly(1)
    return (await reader.readexactly(size)).decode()


async def _read_socks_target(reader: asyncio.StreamReader) -> Address:
    _, command, _, kind = await reader.readexactly(4)
    if command != 1:
        raise RefusedError(_socks_reply(7))
    if kind == 3:
        host = await _read_counted(reader)
    else:
        host = str(ipaddress.ip_address(await reader.readexactly(4 if kind == 1 else 16)))
    (port,) = struct.unpack(">H", await reader.readexactly(2))
    return host, port


def _socks_reply(code: int) -> bytes:
    return bytes([5, code, 0, 1, 0, 0, 0, 0, 0, 0])


def _http_answer(status: str, *lines: str) -> bytes:
    head = [f"HTTP/1.1 {status}", "Content-Length: 0", "Connection: close", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


def _origin_form(method: str, target: str, lines: list[str]) -> bytes:
    url = urlsplit(target)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    kept = [line for line in lines if not line.lower().startswith(("proxy-", "connection:"))]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close", "", ""]).encode("latin-1")


Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _relay(near: Pair, far: Pair) -> None:
    """Carry bytes both ways until one side has ended."""
    ways = [asyncio.create_task(_pump(near[0], far[1])), asyncio.create_task(_pump(far[0], near[1]))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        # Closed before anything is awaited, since a second cancellation may come at any await.
        far[1].close()
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        await _ended(far[1])


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(64 * 1024):
        writer.write(data)
        await writer.drain()


async def _ended(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    finally:
        writer.transport.abort()
