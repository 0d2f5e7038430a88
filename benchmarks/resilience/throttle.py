"""A line of so many bytes per second that several servers share: TCP, forwarded as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator, Sequence

CHUNK = 16 << 10


class Throttle:
    """Lets so many bytes through in a second, whoever asks."""

    def __init__(self, bytes_per_s: float) -> None:
        self._bytes_per_s = bytes_per_s
        self._free_at = 0.0

    async def pass_(self, size: int) -> None:
        """Wait until so many bytes may go."""
        now = time.monotonic()
        self._free_at = max(self._free_at, now) + size / self._bytes_per_s
        if self._free_at - now > 0.002:
            await asyncio.sleep(self._free_at - now)


@contextlib.contextmanager
def throttled(ports: Sequence[int], bytes_per_s: float) -> Iterator[list[int]]:
    """Forward to these ports of this machine; yield the ports to connect to instead."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="throttle", daemon=True)
    thread.start()
    try:
        opening = asyncio.run_coroutine_threadsafe(_open(ports, Throttle(bytes_per_s)), loop)
        yield opening.result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def _open(ports: Sequence[int], throttle: Throttle) -> list[int]:
    servers = []
    for port in ports:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int = port) -> None:
            await _forward(reader, writer, port, throttle)

        servers.append(await asyncio.start_server(serve, "127.0.0.1", 0))
    return [server.sockets[0].getsockname()[1] for server in servers]


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, throttle: Throttle) -> None:
    try:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        writer.close()
        return
    up = asyncio.ensure_future(_copy(reader, there_writer, None))
    down = asyncio.ensure_future(_copy(there_reader, writer, throttle))
    await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
    for task in (up, down):
        task.cancel()
    for end in (writer, there_writer):
        end.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, throttle: Throttle | None) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            if throttle is not None:
                await throttle.pass_(len(data))
            writer.write(data)
            await writer.drain()
