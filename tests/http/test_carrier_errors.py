"""What a carrier says when it cannot: the same exception, cause and words, whoever carries."""

from __future__ import annotations

import asyncio
import datetime
import gc
import shutil
import socket
import ssl
import subprocess
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from curl_cffi import Curl, CurlError

from mirrorhub.http.carrier import Kind, build_carrier
from mirrorhub.http.causes import Cause, cause_of
from mirrorhub.http.curl_silence import Heard
from mirrorhub.http.curl_transfer import CurlTransfer
from mirrorhub.http.origin import Origin, Route, origin_of
from mirrorhub.http.plain import PlainTransport
from tests.http.conftest import Client, server_context
from tests.http.proxies import Proxy, SocksProxy, hang_up
from tests.http.server import Server
from tests.http.test_carrier import content, sized

pytestmark = pytest.mark.anyio


def expired(authority: trustme.CA) -> trustme.LeafCert:
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    return authority.issue_cert("localhost", not_before=past - datetime.timedelta(days=9), not_after=past)


CERTIFICATES = {
    "certificate has expired": expired,
    "certificate is for another host: it does not name localhost": lambda ca: ca.issue_cert("elsewhere.example"),
    "unknown issuer: no trusted certificate vouches for it": lambda ca: trustme.CA().issue_cert("localhost"),
}


@pytest.mark.parametrize("words", CERTIFICATES)
async def test_certificates(client: Client, authority: trustme.CA, words: str) -> None:
    """A certificate that does not hold is refused, and the error says what is wrong with it."""
    tls = server_context(CERTIFICATES[words](authority))
    async with Server(sized, tls=tls) as server, client() as http:
        with pytest.raises(httpx.ConnectError) as caught:
            await http.get(f"{server.url}/1")
        assert cause_of(caught.value) == "certificate"
        assert str(caught.value) == f"{server.url}: {words}"
        assert server.log == []


def self_signed() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(
        now + datetime.timedelta(days=1)
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return secret, builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


async def test_self_signed_certificate(client: Client, tmp_path: Path) -> None:
    """A self-signed certificate is called that."""
    (tmp_path / "both.pem").write_bytes(b"".join(self_signed()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    async with Server(sized, tls=context) as server, client() as http:
        with pytest.raises(httpx.ConnectError) as caught:
            await http.get(f"{server.url}/1")
        assert cause_of(caught.value) == "certificate"
        assert str(caught.value) == f"{server.url}: self-signed certificate"


async def test_public_authorities_are_the_default(kind: Kind, tls: ssl.SSLContext) -> None:
    """Without a CA file a private authority is not trusted."""
    async with Server(sized, tls=tls) as server, httpx.AsyncClient(transport=build_carrier(kind, Route())) as http:
        with pytest.raises(httpx.ConnectError, match="unknown issuer"):
            await http.get(f"{server.url}/1")


@pytest.fixture
def ca_directory(ca_file: str, tmp_path: Path) -> str:
    if shutil.which("openssl") is None:
        pytest.skip("openssl names the file")
    asked = ["openssl", "x509", "-hash", "-noout", "-in", ca_file]
    name = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    (tmp_path / f"{name}.0").write_bytes(Path(ca_file).read_bytes())
    return str(tmp_path)


async def test_authorities_in_a_directory(client: Client, tls: ssl.SSLContext, ca_directory: str) -> None:
    """A directory of authorities, named by hash, is used in place of a file."""
    async with Server(sized, tls=tls) as server, client(ca_file=None, ca_directory=ca_directory) as http:
        assert (await http.get(f"{server.url}/9")).content == content(9)


def test_missing_ca_file(kind: Kind) -> None:
    """A CA file that is not there is said when the carrier is built."""
    with pytest.raises(FileNotFoundError, match="ca_file"):
        build_carrier(kind, Route(ca_file="/nowhere/ca.pem"))


async def test_old_tls(client: Client, authority: trustme.CA) -> None:
    """TLS below 1.2 is not spoken."""
    context = server_context(authority.issue_cert("localhost"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with Server(sized, tls=context) as server, client() as http:
        with pytest.raises(httpx.ConnectError) as caught:
            await http.get(f"{server.url}/1")
        assert cause_of(caught.value) != "certificate"


async def test_refused(client: Client) -> None:
    """Where nobody listens, the cause is `refused`."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with client() as http:
            with pytest.raises(httpx.ConnectError) as caught:
                await http.get(f"https://127.0.0.1:{unused.getsockname()[1]}/")
            assert cause_of(caught.value) == "refused"


async def test_unknown_name(client: Client) -> None:
    """A name that cannot be looked up has the cause `dns`."""
    async with client(20) as http:
        with pytest.raises(httpx.ConnectError) as caught:
            await http.get("https://no-such-host.invalid/")
        assert cause_of(caught.value) == "dns"


async def test_not_http(client: Client, tls_http1: ssl.SSLContext) -> None:
    """An answer that is not HTTP is a protocol error."""

    async def nonsense(exchange: Any) -> None:
        exchange.raw(b"220 smtp.example ESMTP\r\n\r\n")
        await exchange.connection.writer.drain()
        exchange.connection.writer.close()

    async with Server(nonsense, tls=tls_http1) as server, client() as http:
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await http.get(f"{server.url}/")
        assert cause_of(caught.value) == "protocol"


async def test_reset_during_the_handshake(client: Client) -> None:
    """A line cut in the TLS handshake, as some borders do it, has the cause `reset`."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        await hang_up(writer)

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    async with server, client() as http:
        with pytest.raises(httpx.TransportError) as caught:
            await http.get(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        assert cause_of(caught.value) == "reset"


# -- time-outs


async def test_connect_timeout(client: Client) -> None:
    """A server that never finishes the handshake is a ConnectTimeout, also for those who share the attempt."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        await hang_up(writer)

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{silent.sockets[0].getsockname()[1]}/"
    async with silent, client(httpx.Timeout(10, connect=0.3)) as http:
        outcomes = await asyncio.gather(*(http.get(url) for _ in range(3)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [httpx.ConnectTimeout] * 3
        assert {cause_of(outcome) for outcome in outcomes if isinstance(outcome, httpx.TransportError)} == {"timeout"}


@pytest.mark.parametrize("when", ["before the answer", "in the body"])
async def test_read_timeout(client: Client, tls: ssl.SSLContext, when: str) -> None:
    """A server that falls silent is a ReadTimeout; the next request works."""

    async def fall_silent(exchange: Any) -> None:
        if exchange.target != b"/silent":
            return await sized(exchange)
        if when == "in the body":
            await exchange.respond(200, [(b"content-length", b"2000")])
            await exchange.send(b"x" * 1000)
        return None

    async with Server(fall_silent, tls=tls) as server, client(httpx.Timeout(5, read=0.3)) as http:
        with pytest.raises(httpx.ReadTimeout) as caught:
            await http.get(f"{server.url}/silent")
        assert cause_of(caught.value) == "timeout"
        assert (await http.get(f"{server.url}/1000")).content == content(1000)


async def test_a_slow_reader_is_not_a_silent_server(client: Client, tls: ssl.SSLContext) -> None:
    """Time that the caller takes between two reads does not count as silence."""
    async with Server(sized, tls=tls) as server, client(httpx.Timeout(5, read=0.2)) as http:
        received = b""
        async with http.stream("GET", f"{server.url}/{1 << 21}") as response:
            chunks = response.aiter_raw()
            received += await anext(chunks)
            await asyncio.sleep(0.6)  # what is measured
            async for chunk in chunks:
                received += chunk
        assert received == content(1 << 21)


async def test_write_timeout(client: Client, tls: ssl.SSLContext) -> None:
    """A server that does not take the request's body is a time-out."""

    async def never(exchange: Any) -> None:
        pass

    async with Server(never, tls=tls) as server, client(httpx.Timeout(5, write=0.3, read=1)) as http:
        server.deaf = True
        with pytest.raises(httpx.TimeoutException):
            await http.post(f"{server.url}/", content=b"x" * (1 << 22))


async def test_pool_timeout(client: Client, tls: ssl.SSLContext) -> None:
    """More requests than may be under way wait no longer than the pool time-out."""
    asked = asyncio.Semaphore(0)

    async def hold(exchange: Any) -> None:
        asked.release()

    async with Server(hold, tls=tls, max_streams=2) as server, client(httpx.Timeout(5, pool=0.3)) as http:
        first = [asyncio.create_task(http.get(f"{server.url}/")) for _ in range(2)]
        await asked.acquire()
        await asked.acquire()
        with pytest.raises(httpx.TimeoutException):
            await asyncio.wait_for(http.get(f"{server.url}/third", timeout=0.3), 3)
        for task in first:
            task.cancel()
        await asyncio.gather(*first, return_exceptions=True)


@pytest.mark.parametrize("turns", range(8))
async def test_cancelled_while_an_old_connection_is_closed(
    kind: Kind, ca_file: str, tls_http1: ssl.SSLContext, turns: int
) -> None:
    """A request that is called off while the server's closed connections are cleared away leaves no socket behind."""
    carrier = build_carrier(kind, Route(ca_file=ca_file))
    async with Server(sized, tls=tls_http1) as server:
        http = httpx.AsyncClient(transport=carrier)
        await asyncio.gather(*[http.get(f"{server.url}/10") for _ in range(3)])
        for connection in server.connections:
            connection.drop()
        await server.idle()
        task = asyncio.create_task(http.get(f"{server.url}/10"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await http.aclose()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            gc.collect()
    assert [str(warning.message) for warning in caught] == []


class Confused(httpx.AsyncHTTPTransport):
    """A transport of httpx that has lost count of streams; what ends in an error is said by the path of the request."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/asked":
            raise KeyError(3)
        return httpx.Response(200, stream=ConfusedBody(request.url.path))

    async def aclose(self) -> None:
        raise ValueError("semaphore released too many times")


class ConfusedBody(httpx.AsyncByteStream):
    def __init__(self, path: str) -> None:
        self.path = path

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"some"
        if self.path == "/read":
            raise KeyError(3)

    async def aclose(self) -> None:
        raise ValueError("semaphore released too many times")


class Confusing(PlainTransport):
    """The carrier over such transports."""

    def _inner(self, origin: Origin) -> httpx.AsyncHTTPTransport:
        return Confused()


async def test_a_count_that_is_lost() -> None:
    """What httpcore ends in where it has lost count of streams is a failed request, and none where all had come."""
    async with httpx.AsyncClient(transport=Confusing(Route())) as http:
        for path in ("/asked", "/read"):
            with pytest.raises(httpx.RemoteProtocolError) as caught:
                await http.get(f"https://localhost{path}")
            assert cause_of(caught.value) == "protocol"
        assert (await http.get("https://localhost/closed")).content == b"some"


class OneTransfer:
    """A lane for one transfer, whose end comes when the test says so."""

    route = Route()

    def __init__(self, request: httpx.Request) -> None:
        self.origin = origin_of(request, self.route)
        self.loop = asyncio.get_running_loop()
        self.heard = Heard(0.0)
        self.future: asyncio.Future[None] | None = None

    def add(self, transfer: CurlTransfer, curl: Curl) -> asyncio.Future[None]:
        self.future = self.loop.create_future()
        return self.future

    def withdraw(self, curl: Curl) -> None: ...

    def remove(self, transfer: CurlTransfer, curl: Curl, *, running: bool) -> None:
        curl.close()

    def greeted(self, *, http2: bool) -> None: ...

    def abandon(self) -> None: ...


async def test_an_error_after_the_end() -> None:
    """An error of a transfer that its reader lets go in the same moment is nobody's, and nobody complains of it."""
    request = httpx.Request("GET", "https://localhost/")
    lane, complaints = OneTransfer(request), []
    lane.loop.set_exception_handler(lambda _, context: complaints.append(context["message"]))
    transfer = CurlTransfer(lane, request, 0)
    transfer.start(Curl(), None, [], b"")
    assert lane.future is not None
    lane.future.set_exception(CurlError("stream reset", 92))
    transfer.end()
    del lane, transfer
    await asyncio.sleep(0)
    gc.collect()
    assert complaints == []


# -- proxies


@pytest.mark.parametrize("user", ["", "me"])
@pytest.mark.parametrize("kind_of_proxy", [Proxy, SocksProxy])
async def test_proxy(client: Client, tls: ssl.SSLContext, kind_of_proxy: type[Proxy], user: str) -> None:
    """Requests go through the proxy that the route names, with its password, and nothing of it shows in the answer."""
    password = "p%40ss" if user else ""
    async with (
        Server(sized, tls=tls) as server,
        kind_of_proxy(user=user, password=password.replace("%40", "@")) as proxy,
    ):
        url = f"{proxy.scheme}://{user}:{password}@127.0.0.1:{proxy.port}" if user else proxy.url()
        async with client(proxy_for=lambda target: url) as http:
            headers = {"Authorization": "Bearer secret"}
            answers = [await http.get(f"{server.url}/{n}", headers=headers) for n in (1000, 2000)]
        assert [answer.content for answer in answers] == [content(1000), content(2000)]
        assert answers[0].http_version == "HTTP/2"
        assert "x-proxy" not in answers[0].headers
        assert proxy.asked == ["localhost"]
        assert not any(b"secret" in head for head in proxy.heads)


async def test_socks5_looks_names_up_here(client: Client, tls: ssl.SSLContext) -> None:
    """A request through socks5 or socks5h comes through, whoever looks the name up."""
    async with Server(sized, tls=tls) as server, SocksProxy() as proxy:
        async with client(proxy_for=lambda target: proxy.url("socks5")) as http:
            assert (await http.get(f"https://127.0.0.1:{server.port}/9")).content == content(9)
        assert proxy.asked == ["127.0.0.1"]


async def test_plain_http_through_a_proxy(client: Client) -> None:
    """A proxy that cannot be reached is a ProxyError for http URLs too."""
    async with client(proxy_for=lambda target: "http://127.0.0.1:9") as http:
        with pytest.raises(httpx.ProxyError) as caught:
            await http.get("http://localhost/")
        assert cause_of(caught.value) == "proxy"


PROXY_TROUBLE: dict[str, dict[str, object]] = {
    "refuses": {"refuse": True},
    "wants a password": {"user": "me", "password": "right"},
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # httpx forgets its socket to a SOCKS proxy that refuses
@pytest.mark.parametrize("kind_of_proxy", [Proxy, SocksProxy])
@pytest.mark.parametrize("trouble", PROXY_TROUBLE)
async def test_proxy_trouble(client: Client, tls: ssl.SSLContext, kind_of_proxy: type[Proxy], trouble: str) -> None:
    """A proxy that refuses is a ProxyError with the cause `proxy`."""
    async with Server(sized, tls=tls) as server, kind_of_proxy(**PROXY_TROUBLE[trouble]) as proxy:  # type: ignore[arg-type]
        async with client(proxy_for=lambda target: proxy.url(password=False)) as http:
            with pytest.raises(httpx.ProxyError) as caught:
                await http.get(f"{server.url}/1")
        assert cause_of(caught.value) == "proxy"
        del caught
        gc.collect()


async def test_no_proxy_from_the_environment(
    client: Client, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxy variables are not read by a carrier: only its route counts."""
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with Server(sized, tls=tls) as server, client() as http:
        assert (await http.get(f"{server.url}/9")).content == content(9)


async def test_no_proxy_variable_does_not_bypass(
    client: Client, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does NO_PROXY lead around the route's proxy."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    async with Server(sized, tls=tls) as server, Proxy() as proxy:
        async with client(proxy_for=lambda target: proxy.url()) as http:
            await http.get(f"{server.url}/9")
        assert proxy.asked == ["localhost"]


# -- causes of exceptions that others raised

CAUSES: list[tuple[httpx.TransportError, Cause]] = [
    (httpx.ReadTimeout(""), "timeout"),
    (httpx.ProxyError(""), "proxy"),
    (httpx.ReadError(""), "reset"),
    (httpx.RemoteProtocolError("Server disconnected"), "reset"),
    (httpx.RemoteProtocolError("nonsense"), "protocol"),
    (httpx.ConnectError(""), "other"),
]


@pytest.mark.parametrize(("error", "cause"), CAUSES, ids=lambda value: repr(value))
def test_cause_of_foreign_errors(error: httpx.TransportError, cause: Cause) -> None:
    """An httpx exception that no carrier of ours raised has a cause too."""
    assert cause_of(error) == cause


def test_cause_of_chained_errors() -> None:
    """What the system said, further down the chain, decides."""
    for system, cause in ((ConnectionRefusedError(), "refused"), (socket.gaierror(), "dns")):
        error = httpx.ConnectError("")
        error.__cause__ = system
        assert cause_of(error) == cause
