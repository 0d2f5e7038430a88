"""What a carrier promises about bytes: whole, in order, over one connection, whatever happened before."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import httpx
import pytest

from mirrorhub.http.carrier import Kind
from mirrorhub.http.causes import cause_of
from mirrorhub.http.origin import Route
from tests.http.conftest import Client
from tests.http.server import Connection, Server

pytestmark = pytest.mark.anyio

MIB = 1 << 20


def size_of(target: bytes) -> int:
    return int(target.partition(b"?")[0].rpartition(b"/")[2] or 0)


def content(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


async def sized(exchange: Any) -> None:
    """Answer /anything/N with N bytes."""
    size = size_of(exchange.target)
    await exchange.respond(200, [(b"content-length", b"%d" % size)], end=not size)
    if size:
        await exchange.send(content(size), end=True)


async def get_in_the_end(client: httpx.AsyncClient, url: str, tries: int = 4) -> bytes:
    """What the layer above does: ask again, a few times."""
    for _ in range(tries - 1):
        try:
            return (await client.get(url)).content
        except httpx.TransportError:
            continue
    return (await client.get(url)).content


@pytest.mark.parametrize("protocol", ["HTTP/2", "HTTP/1.1"])
async def test_plain_download(client: Client, tls: ssl.SSLContext, tls_http1: ssl.SSLContext, protocol: str) -> None:
    """A body comes whole, over the protocol that ALPN chose, and the response says over which and from whom."""
    async with Server(sized, tls=tls if protocol == "HTTP/2" else tls_http1) as server, client() as http:
        response = await http.get(f"{server.url}/{3 * MIB}")
    assert response.content == content(3 * MIB)
    assert response.http_version == protocol
    assert response.extensions["mirrorhub.peer"] == ("127.0.0.1", server.port)
    assert response.extensions["mirrorhub.connect_s"] > 0


async def test_reused_connection(client: Client, tls: ssl.SSLContext) -> None:
    """A second request finds the connection standing, and says that connecting took no time."""
    async with Server(sized, tls=tls) as server, client() as http:
        await http.get(f"{server.url}/1")
        response = await http.get(f"{server.url}/2")
        assert response.extensions["mirrorhub.connect_s"] == 0.0
        assert len(server.connections) == 1


async def test_the_parts_of_connecting(kind: Kind, client: Client, tls: ssl.SSLContext) -> None:
    """A fresh connection says how long its parts took, and one that stood says nothing of them."""
    async with Server(sized, tls=tls) as server, client() as http:
        fresh = (await http.get(f"{server.url}/1")).extensions
        stood = (await http.get(f"{server.url}/2")).extensions
    timing = fresh["mirrorhub.timing"]
    assert timing.connect_s > 0
    assert timing.tls_s > 0
    assert timing.connect_s + timing.tls_s == pytest.approx(fresh["mirrorhub.connect_s"], abs=0.01)
    assert (timing.dns_s is None) == (kind == "httpx")
    assert "mirrorhub.timing" not in stood


async def test_many_first_requests_share_one_connection(client: Client, tls: ssl.SSLContext) -> None:
    """A hundred requests to a new origin at once go over one connection."""
    async with Server(sized, tls=tls) as server, client() as http:
        answers = await asyncio.gather(*(http.get(f"{server.url}/{n}") for n in range(100)))
        assert [len(answer.content) for answer in answers] == list(range(100))
        assert len(server.connections) == 1


async def test_http1_gets_a_few_connections(client: Client, tls_http1: ssl.SSLContext) -> None:
    """Where a server speaks only HTTP/1.1, requests run side by side on at most six connections."""
    together = asyncio.Event()
    waiting: list[Any] = []

    async def wait_for_four(exchange: Any) -> None:
        if len(server.log) > 1:  # the first teaches the carrier which protocol this is
            waiting.append(exchange)
            if len(waiting) == 4:
                together.set()
            await together.wait()
        await sized(exchange)

    async with Server(wait_for_four, tls=tls_http1) as server, client() as http:
        answers = await asyncio.gather(*(http.get(f"{server.url}/{n}") for n in range(40)))
        assert [len(answer.content) for answer in answers] == list(range(40))
        assert 4 <= len(server.connections) <= 6


async def test_cancelled_streams(client: Client, tls: ssl.SSLContext) -> None:
    """After 200 rounds of four cancelled bodies a download comes whole at the first attempt."""

    async def stall(exchange: Any) -> None:
        if exchange.target.startswith(b"/stall"):
            await exchange.respond(200, [(b"content-length", b"100000")])
            await exchange.send(b"x" * 1000)
        else:
            await sized(exchange)

    async def read(started: asyncio.Queue[None]) -> None:
        async with http.stream("GET", f"{server.url}/stall") as response:
            async for _ in response.aiter_raw():
                started.put_nowait(None)

    async with Server(stall, tls=tls) as server, client() as http:
        for _ in range(200):
            started: asyncio.Queue[None] = asyncio.Queue()
            readers = [asyncio.create_task(read(started)) for _ in range(4)]
            for _ in readers:
                await started.get()
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)
        assert (await http.get(f"{server.url}/{MIB}")).content == content(MIB)


async def test_cancelled_before_the_answer(client: Client, tls: ssl.SSLContext) -> None:
    """Requests cancelled while they wait for an answer leave the carrier fit for the next one."""
    asked = asyncio.Semaphore(0)

    async def never(exchange: Any) -> None:
        asked.release()
        if exchange.target.startswith(b"/never"):
            return
        await sized(exchange)

    async with Server(never, tls=tls) as server, client() as http:
        for _ in range(20):
            tasks = [asyncio.create_task(http.get(f"{server.url}/never")) for _ in range(4)]
            await asked.acquire()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert (await http.get(f"{server.url}/{MIB}")).content == content(MIB)


async def test_closing_a_body_cancels_only_its_stream(kind: Kind, client: Client, tls: ssl.SSLContext) -> None:
    """A body closed half-way leaves its sibling whole; over libcurl, on the same connection, with RST_STREAM."""
    async with Server(sized, tls=tls) as server, client() as http:
        async with http.stream("GET", f"{server.url}/sibling/{4 * MIB}") as sibling:
            async with http.stream("GET", f"{server.url}/closed/{64 * MIB}") as closed:
                await anext(closed.aiter_raw())
            whole = b"".join([chunk async for chunk in sibling.aiter_raw()])
        assert whole == content(4 * MIB)
        assert (await http.get(f"{server.url}/5")).content == content(5)
        if kind == "curl":
            assert len(server.connections) == 1
            assert len(server.connections[0].resets) == 1


@pytest.mark.parametrize("limit", [8, 4, 1])
async def test_low_stream_limit_from_the_start(kind: Kind, client: Client, tls: ssl.SSLContext, limit: int) -> None:
    """Requests above the server's stream limit wait for their turn; over libcurl none fails."""
    async with Server(sized, tls=tls, max_streams=limit) as server, client() as http:
        tries = 1 if kind == "curl" else 4
        bodies = await asyncio.gather(*(get_in_the_end(http, f"{server.url}/{n}", tries) for n in range(40)))
        assert bodies == [content(n) for n in range(40)]
        if kind == "curl" and limit >= 4:
            assert len(server.connections) == 1


async def test_stream_limit_lowered_under_way(kind: Kind, client: Client, tls: ssl.SSLContext) -> None:
    """A server that lowers its stream limit below what is in flight hangs nobody for ever."""
    arrived = asyncio.Semaphore(0)
    lowered = asyncio.Event()

    async def hold(exchange: Any) -> None:
        arrived.release()
        await lowered.wait()
        await sized(exchange)

    async with Server(hold, tls=tls) as server, client(1) as http:
        lowered.set()
        await http.get(f"{server.url}/1")
        lowered.clear()
        first = [asyncio.create_task(get_in_the_end(http, f"{server.url}/{n}")) for n in range(20)]
        for _ in range(21):
            await arrived.acquire()
        server.connections[0].limit(2)
        later = [asyncio.create_task(get_in_the_end(http, f"{server.url}/{n}")) for n in range(20, 40)]
        lowered.set()
        bodies = await asyncio.wait_for(asyncio.gather(*first, *later), 20)
        assert bodies == [content(n) for n in range(40)]
        if kind == "curl":
            assert len(server.connections) == 1


@pytest.mark.parametrize("how", ["goaway", "reset", "drop"])
async def test_broken_in_the_middle(client: Client, tls: ssl.SSLContext, how: str) -> None:
    """GOAWAY, RST_STREAM or a cut connection in mid-body is an error whose cause is told; the next request works."""

    async def break_off(exchange: Any) -> None:
        if not exchange.target.startswith(b"/broken"):
            return await sized(exchange)
        await exchange.respond(200, [(b"content-length", b"100000")])
        await exchange.send(b"x" * 1000)
        {"goaway": exchange.goaway, "reset": exchange.reset, "drop": exchange.connection.drop}[how]()
        return None

    async with Server(break_off, tls=tls) as server, client() as http:
        with pytest.raises(httpx.TransportError) as caught:
            await http.get(f"{server.url}/broken")
        assert cause_of(caught.value) == "reset"
        assert (await http.get(f"{server.url}/{MIB}")).content == content(MIB)


async def test_broken_connection_without_length(client: Client, tls: ssl.SSLContext) -> None:
    """A cut connection is an error also where no Content-Length could tell."""

    async def cut(exchange: Any) -> None:
        await exchange.respond(200, [])
        await exchange.send(b"x" * 1000)
        exchange.connection.drop()

    async with Server(cut, tls=tls) as server, client() as http:
        with pytest.raises(httpx.TransportError):
            await http.get(f"{server.url}/")


@pytest.mark.parametrize("unread", [1, 24])
async def test_unread_streams_do_not_stall_their_siblings(
    kind: Kind, client: Client, tls: ssl.SSLContext, unread: int
) -> None:
    """Bodies that nobody reads leave the others alone: any number over libcurl, 8 MiB of them over httpx."""
    size = (32 if kind == "curl" else 8) * MIB // unread
    async with Server(sized, tls=tls) as server, client() as http:
        requests = [http.build_request("GET", f"{server.url}/unread/{size}") for _ in range(unread)]
        silent = [await http.send(request, stream=True) for request in requests]
        siblings = await asyncio.gather(*(http.get(f"{server.url}/{MIB}") for _ in range(4)))
        assert [sibling.content for sibling in siblings] == [content(MIB)] * 4
        for response in silent:
            assert await response.aread() == content(size)
        assert len(server.connections) == 1


async def test_unread_body_is_bounded(kind: Kind, client: Client, tls: ssl.SSLContext) -> None:
    """Of a body that nobody reads, no more comes in than the stream's window and a queue of half a MiB."""
    async with Server(sized, tls=tls) as server, client() as http:
        async with http.stream("GET", f"{server.url}/{64 * MIB}") as unread:
            for _ in range(4 if kind == "curl" else 0):
                await http.get(f"{server.url}/{8 * MIB}")
            assert server.log[0].sent <= 17 * MIB
            received = 0
            async for chunk in unread.aiter_raw():
                received += len(chunk)
        assert received == 64 * MIB


@pytest.mark.parametrize("protocol", ["HTTP/2", "HTTP/1.1"])
@pytest.mark.parametrize("claimed", [900, 1100], ids=["body longer than claimed", "body shorter than claimed"])
async def test_wrong_content_length(
    client: Client, tls: ssl.SSLContext, tls_http1: ssl.SSLContext, protocol: str, claimed: int
) -> None:
    """A body that is not as long as its header says is never taken for a whole one."""

    async def lie(exchange: Any) -> None:
        if protocol == "HTTP/2":
            await exchange.respond(200, [(b"content-length", b"%d" % claimed)])
            await exchange.send(content(1000), end=True)
        else:
            exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % claimed + content(1000))
            await exchange.connection.writer.drain()
            exchange.connection.writer.close()

    async with Server(lie, tls=tls if protocol == "HTTP/2" else tls_http1) as server, client() as http:
        if protocol == "HTTP/1.1" and claimed < 1000:
            # The length is the framing: what follows belongs to nobody.
            assert (await http.get(f"{server.url}/")).content == content(claimed)
            return
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get(f"{server.url}/")


@pytest.mark.parametrize("protocol", ["HTTP/2", "HTTP/1.1"])
async def test_request_headers(client: Client, tls: ssl.SSLContext, tls_http1: ssl.SSLContext, protocol: str) -> None:
    """The wire carries the request's own headers, in their order, and none that a carrier thought of."""
    over_h2 = protocol == "HTTP/2"
    async with Server(sized, tls=tls if over_h2 else tls_http1) as server, client() as http:
        http.headers = httpx.Headers()
        headers = [("X-One", "1"), ("Range", "bytes=0-1"), ("X-Two", "a"), ("X-Two", "b"), ("X-Empty", "")]
        request = httpx.Request("GET", f"{server.url}/a/../b%2Fc//0?x=%20&y", headers=headers)
        await http.send(request)
        seen = server.log[0]
        assert seen.target == request.url.raw_path
        sent = [(name.lower(), value) for name, value in seen.headers if name[:1] != b":" and name.lower() != b"host"]
        assert sent == [(name.lower().encode(), value.encode()) for name, value in headers]
        assert dict(seen.headers)[b":authority" if over_h2 else b"Host"] == f"localhost:{server.port}".encode()


@pytest.mark.parametrize("protocol", ["HTTP/2", "HTTP/1.1"])
async def test_response_headers(client: Client, tls: ssl.SSLContext, tls_http1: ssl.SSLContext, protocol: str) -> None:
    """Response headers come complete, repeated ones too; interim answers and redirects are not acted upon."""

    async def headers(exchange: Any) -> None:
        if protocol == "HTTP/1.1":
            await exchange.respond(103, [(b"link", b"</early>")])
        fields = [(b"x-two", b"a"), (b"x-two", b"b"), (b"location", b"/elsewhere"), (b"set-cookie", b"c=1")]
        await exchange.respond(302, [*fields, (b"content-length", b"0")], end=True)

    async with Server(headers, tls=tls if protocol == "HTTP/2" else tls_http1) as server, client() as http:
        response = await http.get(f"{server.url}/")
        assert response.status_code == 302
        assert response.headers.get_list("x-two") == ["a", "b"]
        assert "link" not in response.headers
        assert len(server.log) == 1


async def test_encoded_body_is_handed_on(client: Client, tls: ssl.SSLContext) -> None:
    """A carrier does not decompress: that is httpx's, and the raw bytes stay to be had."""

    async def gzipped(exchange: Any) -> None:
        await exchange.respond(200, [(b"content-encoding", b"gzip"), (b"content-length", b"9")])
        await exchange.send(b"not gzip!", end=True)

    async with (
        Server(gzipped, tls=tls) as server,
        client() as http,
        http.stream("GET", f"{server.url}/") as response,
    ):
        assert b"".join([chunk async for chunk in response.aiter_raw()]) == b"not gzip!"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_request_body(client: Client, tls: ssl.SSLContext, method: str) -> None:
    """A body arrives as it is, zero bytes too."""
    body = b"\0binary\0" + content(200_000)
    async with Server(sized, tls=tls) as server, client() as http:
        await http.request(method, f"{server.url}/", content=body)
        assert (server.log[0].method, server.log[0].body) == (method.encode(), body)


@pytest.mark.parametrize("method", ["HEAD", "DELETE", "OPTIONS", "POST"])
async def test_requests_without_body(client: Client, tls: ssl.SSLContext, method: str) -> None:
    """Every method arrives under its name; a HEAD's Content-Length promises nothing."""

    async def no_body(exchange: Any) -> None:
        await exchange.respond(200, [(b"content-length", b"123" if method == "HEAD" else b"0")], end=True)

    async with Server(no_body, tls=tls) as server, client() as http:
        response = await http.request(method, f"{server.url}/")
        assert response.content == b""
        assert server.log[0].method == method.encode()


async def test_connected_is_told_once_per_request(client: Client, tls: ssl.SSLContext) -> None:
    """`mirrorhub.connected` is called once for each request, before its answer, on a reused connection too."""
    told: list[int] = []

    async def note(exchange: Any) -> None:
        await sized(exchange)

    async with Server(note, tls=tls) as server, client() as http:
        for n in range(3):
            extensions = {"mirrorhub.connected": lambda _, n=n: told.append(n)}
            await http.get(f"{server.url}/{n}", extensions=extensions)
            assert told == list(range(n + 1))
        await asyncio.gather(
            *(
                http.get(f"{server.url}/{n}", extensions={"mirrorhub.connected": lambda _, n=n: told.append(n)})
                for n in range(3, 20)
            )
        )
    assert sorted(told) == list(range(20))


@pytest.mark.parametrize("how", ["closed", "cut"])
async def test_server_closes_an_idle_connection(client: Client, tls: ssl.SSLContext, how: str) -> None:
    """A connection that the server closed while nobody used it costs the next request nothing but a new one."""
    async with Server(sized, tls=tls) as server, client() as http:
        for n in range(3):
            assert (await http.get(f"{server.url}/{n}")).content == content(n)
            connection: Connection = server.connections[-1]
            if how == "closed":
                connection.writer.close()
            else:
                connection.drop()
                await connection.closed.wait()
        assert len(server.connections) == 3


async def test_bodies_that_run_at_close_fail(client: Client, tls: ssl.SSLContext) -> None:
    """Closing the carrier under a running body is an error to its reader, never the end of the body."""

    async def half(exchange: Any) -> None:
        await exchange.respond(200, [])
        await exchange.send(b"x" * 1000)

    async with Server(half, tls=tls) as server:
        http = client()
        response = await http.send(http.build_request("GET", f"{server.url}/"), stream=True)
        chunks = response.aiter_raw()
        await anext(chunks)
        await http.aclose()
        with pytest.raises(httpx.TransportError):
            await anext(chunks)


async def test_aclose_leaves_nothing(client: Client, tls: ssl.SSLContext, open_files: Any) -> None:
    """After aclose no socket, no task and no thread is left, whatever was running."""
    import threading

    async with Server(sized, tls=tls) as server:
        async with client() as first:  # the event loop keeps a thread for name look-ups
            await first.get(f"{server.url}/1")
        await server.idle()
        before = (open_files(), threading.active_count(), len(asyncio.all_tasks()))
        http = client()
        await asyncio.gather(*(http.get(f"{server.url}/{n}") for n in range(10)))
        await http.send(http.build_request("GET", f"{server.url}/{64 * MIB}"), stream=True)
        await http.aclose()
        await http.aclose()
        for connection in server.connections:
            connection.drop()
            await connection.closed.wait()
        await server.idle()
        after = (open_files(), threading.active_count(), len(asyncio.all_tasks()))
        # Fewer is fine: connections that earlier tests left to idle may have ended meanwhile.
        assert all(now <= then for now, then in zip(after, before, strict=True)), (before, after)


async def test_those_who_wait_at_close_fail(client: Client, tls: ssl.SSLContext) -> None:
    """A hundred requests, some not even sent: closing the carrier ends every one with a transport error."""
    asked = asyncio.Event()

    async def never(exchange: Any) -> None:
        asked.set()

    async with Server(never, tls=tls) as server:
        http = client()
        tasks = [asyncio.create_task(http.get(f"{server.url}/")) for _ in range(100)]
        await asked.wait()
        await http.aclose()
        outcomes = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 15)
        assert all(isinstance(outcome, httpx.TransportError) for outcome in outcomes), outcomes


async def test_an_unused_lane_closes(ca_file: str, tls: ssl.SSLContext) -> None:
    """A connection that nobody uses is closed after a while, and the next request opens another."""
    from mirrorhub.http.curl import CurlTransport

    transport = CurlTransport(Route(ca_file=ca_file), idle_s=0.1)
    async with Server(sized, tls=tls) as server, httpx.AsyncClient(transport=transport) as http:
        for n in range(2):
            assert (await http.get(f"{server.url}/{n}")).content == content(n)
            await server.connections[n].closed.wait()
        assert len(server.connections) == 2


async def test_foreign_lines_in_a_header(client: Client, tls: ssl.SSLContext) -> None:
    """A header that would smuggle in another line is refused before anything is sent."""
    async with Server(sized, tls=tls) as server, client() as http:
        with pytest.raises(httpx.LocalProtocolError):
            await http.get(f"{server.url}/", headers={b"X-Bad": b"1\r\nEvil: 2"})  # type: ignore[dict-item]
        assert server.log == []


async def test_other_schemes(client: Client) -> None:
    """Only http and https are carried."""
    async with client() as http:
        with pytest.raises(httpx.UnsupportedProtocol):
            await http.get("ftp://localhost/file")
