"""Look a host's name up beside the loop. One that hangs holds nobody up, the end of the process neither."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress


async def look_up(host: str) -> list[str]:
    """Return the addresses of a name; none where nobody knows it."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def tell(addresses: list[str]) -> None:
        if not found.done():
            found.set_result(addresses)

    def ask() -> None:
        addresses = _addresses(host)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, addresses)

    # Not in the loop's executor: the end of the process would wait for a name server that never answers.
    threading.Thread(target=ask, name="mirrorhub look-up", daemon=True).start()
    return await found


def _addresses(host: str) -> list[str]:
    try:
        return [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return []
