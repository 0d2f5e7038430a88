"""A stream of bytes with the ways to end it that the standard writer has no word for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

READ_SIZE = 64 * 1024


class Wire:
    """An accepted connection, TLS done. Whoever serves it reads and writes only here."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, id: int, scheme: str) -> None:
        self.id = id
        self.scheme = scheme
        self._reader = reader
        self._writer = writer
        # Asked for now, since a transport that is closed no longer knows its socket.
        self._socket: socket.socket = writer.get_extra_info("socket")

    async def read(self) -> bytes:
        """Read what is there; b"" once the peer has left, in whatever way."""
        try:
            return await self._reader.read(READ_SIZE)
        except OSError:
            return b""

    def write(self, data: bytes) -> None:
        """Write without waiting."""
        if data and not self._writer.is_closing():
            self._writer.write(data)

    async def drain(self) -> None:
        """Wait until the peer takes more, and let other tasks run in any case.

        Raises:
            ConnectionError: The connection is gone.
        """
        if self._writer.is_closing():
            raise ConnectionResetError("closed")
        await self._writer.drain()
        await asyncio.sleep(0)

    def close(self) -> None:
        """Send what is written, then end the connection in an orderly way."""
        self._writer.close()

    def reset(self) -> None:
        """End the connection at once by RST."""
        with contextlib.suppress(OSError):
            reset_on_close(self._socket)
        self._writer.transport.abort()

    async def wait_closed(self) -> None:
        """Close if still open, and wait for the end."""
        self._writer.close()
        try:
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
        finally:
            # Whoever is cancelled here leaves a transport that still waits for the peer's goodbye.
            self._writer.transport.abort()

    async def wait_for_peer_to_leave(self) -> None:
        """Read and forget until the peer has left."""
        while await self.read():
            pass


def reset_on_close(sock: socket.socket) -> None:
    """Make closing a socket send RST and forget what is unsent."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
