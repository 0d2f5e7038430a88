"""How a process ends that never closed its carrier: in silence."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from typing import Any

import pytest

from mirrorhub.http.carrier import Kind
from tests.http.server import Server

pytestmark = pytest.mark.anyio

CANCEL = """
import asyncio, contextlib, sys, threading
import httpx
from mirrorhub.http.carrier import build_carrier
from mirrorhub.http.origin import Route

kind, ca_file, url = sys.argv[1:]

async def read(http, started):
    with contextlib.suppress(httpx.TransportError):
        async with http.stream("GET", url) as response:
            async for _ in response.aiter_raw():
                started.set()

async def cancel_twenty():
    http = httpx.AsyncClient(transport=build_carrier(kind, Route(ca_file=ca_file)))
    for _ in range(20):
        started = asyncio.Event()
        reader = asyncio.create_task(read(http, started))
        await started.wait()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
    left = asyncio.Event()
    held.append((http, asyncio.create_task(read(http, left))))  # one still runs at the end
    await left.wait()

held = []
"""

ENDINGS = {
    "asyncio.run": "asyncio.run(cancel_twenty())",
    "a loop that nobody closes": "asyncio.new_event_loop().run_until_complete(cancel_twenty())",
    "a loop closed under its tasks": """
loop = asyncio.new_event_loop()
loop.run_until_complete(cancel_twenty())
held[-1][1]._log_destroy_pending = False  # this program's own task
loop.close()
""",
    "a thread's loop": """
loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()
asyncio.run_coroutine_threadsafe(cancel_twenty(), loop).result()
""",
}


async def endless(exchange: Any) -> None:
    await exchange.respond(200, [])
    while True:
        await exchange.send(b"x" * 10_000)


async def run(program: str, *arguments: str) -> tuple[int | None, bytes]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(child.communicate(), 30)
    return child.returncode, output


# httpx's carrier has nothing of its own to clean up; asyncio itself complains where a loop is left open with tasks.
@pytest.mark.parametrize(
    "ending", [pytest.param(one, marks=() if number < 2 else pytest.mark.slow) for number, one in enumerate(ENDINGS)]
)
async def test_exit_without_close(tls: ssl.SSLContext, ca_file: str, ending: str) -> None:
    """Twenty cancellations and an exit without close, with a body still running: no output, exit code 0."""
    async with Server(endless, tls=tls) as server:
        program = CANCEL + ENDINGS[ending]
        if ending == "a loop that nobody closes":
            program += "\nheld[-1][1]._log_destroy_pending = False"
        assert await run(program, "curl", ca_file, server.url) == (0, b"")


@pytest.mark.slow
@pytest.mark.parametrize("repeat", range(20))
@pytest.mark.parametrize("ending", ["asyncio.run", "a thread's loop"])
async def test_exit_twenty_times(tls: ssl.SSLContext, ca_file: str, kind: Kind, ending: str, repeat: int) -> None:
    """The same twenty times, over both carriers."""
    async with Server(endless, tls=tls) as server:
        assert await run(CANCEL + ENDINGS[ending], kind, ca_file, server.url) == (0, b"")


FALLBACK = """
import logging, sys
logging.basicConfig(level=logging.INFO, format="%(levelname)s", stream=sys.stdout)
sys.modules["curl_cffi"] = None
from mirrorhub.http.carrier import build_carrier
from mirrorhub.http.origin import Route
print(*{type(build_carrier("curl", Route())).__name__ for _ in range(3)})
"""

LAZY = """
import sys
import mirrorhub.http.carrier
print("curl_cffi" in sys.modules)
"""


async def test_without_curl_cffi() -> None:
    """Where curl_cffi cannot be loaded httpx carries the bytes, which is said once."""
    assert await run(FALLBACK) == (0, b"INFO\nPlainTransport\n")


async def test_curl_cffi_is_loaded_late() -> None:
    """The module alone does not load libcurl."""
    assert await run(LAZY) == (0, b"False\n")


FORK = (
    CANCEL
    + """
import os

async def parent():
    await cancel_twenty()
    child = os.fork()
    if child == 0:
        import gc
        held.clear()
        gc.collect()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    http = held[0][0]
    received = 0
    async with http.stream("GET", url) as response:
        async for chunk in response.aiter_raw():
            received += len(chunk)
            if received > 200_000:
                break
    held[0][1].cancel()
    await http.aclose()
    print(response.extensions["mirrorhub.connect_s"])

asyncio.run(parent())
"""
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
async def test_fork(tls: ssl.SSLContext, ca_file: str) -> None:
    """A forked child that ends leaves the parent's connection alone: it goes on being used."""
    async with Server(endless, tls=tls) as server:
        assert await run(FORK, "curl", ca_file, server.url) == (0, b"0.0\n")
        assert len(server.connections) == 1
