"""Proxies for the carrier's tests: HTTP CONNECT and SOCKS5, with and without password, or refusing."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
from types import TracebackType
from typing import Self


class Proxy:
    """Relay to whatever is asked for. `asked` tells for which hosts; `heads` what the CONNECT requests looked like."""

    scheme = "http"

    def __init__(self, *, user: str = "", password: str = "", refuse: bool = False) -> None:
        self.user = user
        self.password = password
        self.refuse = refuse
        self.asked: list[str] = []
        self.heads: list[bytes] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def url(self, scheme: str = "", *, password: bool = True) -> str:
        secret = f"{self.user}:{self.password}@" if self.user and password else ""
        return f"{scheme or self.scheme}://{secret}127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            target = await self.greet(reader, writer)
            if target is not None:
                await relay(reader, writer, *target)
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            await hang_up(writer)
            self.tasks.discard(task)

    async def greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int] | None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        host, _, port = head.split()[1].decode().rpartition(":")
        self.asked.append(host)
        token = base64.b64encode(f"{self.user}:{self.password}".encode())
        if self.user and b"Basic " + token not in head:
            writer.write(b"HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return None
        if self.refuse:
            writer.write(b"HTTP/1.1 403 Not there\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return None
        writer.write(b"HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n")
        return host, int(port)


class SocksProxy(Proxy):
    """The same for SOCKS5."""

    scheme = "socks5h"

    async def greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int] | None:
        _, count = await reader.readexactly(2)
        await reader.readexactly(count)
        writer.write(b"\x05\x02" if self.user else b"\x05\x00")
        if self.user and not await self.check(reader, writer):
            return None
        kind = (await reader.readexactly(4))[3]
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = socket.inet_ntop(
                socket.AF_INET if kind == 1 else socket.AF_INET6, await reader.readexactly(4 if kind == 1 else 16)
            )
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append(host)
        writer.write(b"\x05" + (b"\x02" if self.refuse else b"\x00") + b"\x00\x01" + bytes(6))
        await writer.drain()
        return None if self.refuse else (host, port)

    async def check(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        _, length = await reader.readexactly(2)
        user = await reader.readexactly(length)
        password = await reader.readexactly((await reader.readexactly(1))[0])
        right = (user, password) == (self.user.encode(), self.password.encode())
        writer.write(b"\x01\x00" if right else b"\x01\x01")
        await writer.drain()
        return right


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1" if host == "localhost" else host, port)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(pump(reader, far_writer))
            group.create_task(pump(far_reader, writer))
    finally:
        await hang_up(far_writer)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()
