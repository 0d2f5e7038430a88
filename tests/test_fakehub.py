"""The test hub itself: what the real SDKs make of it, and whether it does what it says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import curl_cffi
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import httpx
import pytest

from tests.fakehub import FakeHub, Repo, certs, faults
from tests.fakehub.faults import Rule
from tests.fakehub.messages import Request, respond
from tests.fakehub.mock import FakeHubTransport
from tests.fakehub.protocol import exchange
from tests.fakehub.proxy import ConnectProxy, Proxy, Socks5Proxy
from tests.fakehub.ranges import ranged
from tests.fakehub.repo import HubName, sample_bytes
from tests.fakehub.site import Site

FILES = {
    "config.json": b'{"a": 1}',
    "empty.txt": b"",
    "model.bin": sample_bytes("model", 300_000),
    "sub folder/a+b.txt": "grüße".encode(),
}
BODY = "/api/v1/models/org/name/repo?Revision=master&FilePath=model.bin"
LISTING = "/api/v1/models/org/name/repo/files?Revision=master&Recursive=True"
ROOT = Path(__file__).parent.parent


def modelscope_repo(**options: Any) -> Repo:
    return Repo("modelscope", "org/name", FILES, **options)


def huggingface_repo(**options: Any) -> Repo:
    return Repo("huggingface", "org/name", FILES, **options)


@contextlib.asynccontextmanager
async def client_of(hub: FakeHub, *, http2: bool = True, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    verify = certs.client_context()
    async with httpx.AsyncClient(http2=http2, verify=verify, base_url=hub.url, timeout=10, **options) as client:
        yield client


def fetch(hub: FakeHub, path: str, *, http2: bool = True, **options: Any) -> httpx.Response:
    """Make one request with a client of its own."""

    async def run() -> httpx.Response:
        async with client_of(hub, http2=http2) as client:
            return await client.get(path, **options)

    return asyncio.run(run())


def run_sdk(code: str, hub: FakeHub, home: Path, **variables: str) -> dict[str, Any]:
    """Run code in a child process, since both SDKs read the environment when they are imported."""
    ca_file = str(hub.ca_file)
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "SYSTEMROOT")}
    environment = {
        **kept,
        "HOME": str(home),
        "SSL_CERT_FILE": ca_file,
        "REQUESTS_CA_BUNDLE": ca_file,
        "MODELSCOPE_ENDPOINT": hub.url,
        "MODELSCOPE_CACHE": str(home / "modelscope"),
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        **variables,
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def files_in(folder: str) -> dict[str, bytes]:
    root = Path(folder)
    found = (path for path in root.rglob("*") if path.is_file() and ".cache" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


MODELSCOPE_CODE = """
import json
from modelscope import model_file_download, snapshot_download
folder = snapshot_download("org/name")
file = model_file_download("org/name", "model.bin")
print(json.dumps({"folder": folder, "file": file}))
"""

HUGGINGFACE_CODE = """
import json
from huggingface_hub import hf_hub_download, snapshot_download
file = hf_hub_download("org/name", "model.bin")
folder = snapshot_download("org/name")
print(json.dumps({"folder": folder, "file": file}))
"""


@pytest.mark.slow
class TestSdks:
    def test_modelscope(self, tmp_path: Path) -> None:
        """The ModelScope SDK gets every byte over TLS, below a path prefix, with its token in both places."""
        with FakeHub([modelscope_repo(private=True)], prefix="/modelscope", token="t-1") as hub:
            # Python's cookie jars do not send cookies of "localhost" back to it.
            endpoint = hub.url.replace("localhost", "127.0.0.1")
            got = run_sdk(MODELSCOPE_CODE, hub, tmp_path, MODELSCOPE_API_TOKEN="t-1", MODELSCOPE_ENDPOINT=endpoint)
        assert files_in(got["folder"]) == FILES
        assert Path(got["file"]).read_bytes() == FILES["model.bin"]
        assert hub.log.tokens_seen() == {"Bearer t-1", "m_session_id=t-1"}
        assert {c.http for c in hub.log.connections} == {"1.1"}
        assert hub.log.violations == ()

    def test_huggingface(self, tmp_path: Path) -> None:
        """The Hugging Face SDK gets every byte, LFS files from the CDN, to which its token is not sent."""
        with (
            FakeHub([huggingface_repo()], name="cdn", alpn=["http/1.1"]) as cdn,
            FakeHub([huggingface_repo()], token="t-2", cdn=cdn) as hub,
        ):
            got = run_sdk(HUGGINGFACE_CODE, hub, tmp_path, HF_TOKEN="t-2")
        assert files_in(got["folder"]) == FILES
        assert cdn.log.bytes_sent_by_file() == {"model.bin": 300_000}
        assert cdn.log.tokens_seen() == set()
        assert hub.log.tokens_seen() == {"Bearer t-2"}

    def test_modelscope_survives_faults(self, tmp_path: Path) -> None:
        """A body that is wrong once is fetched again by the ModelScope SDK, so the fault struck and then stopped."""
        rules = [Rule(faults.Alter(offset=7), "model.bin", times=1), Rule(faults.Status(502), "listing", times=1)]
        with FakeHub([modelscope_repo()], rules) as hub:
            got = run_sdk(MODELSCOPE_CODE.replace("model.bin", "config.json"), hub, tmp_path)
        assert files_in(got["folder"]) == FILES
        assert hub.log.bytes_sent_by_file()["model.bin"] == 600_000

    def test_huggingface_accepts_altered_bytes(self, tmp_path: Path) -> None:
        """The Hugging Face SDK takes altered bytes of the right size: Alter reaches the disk."""
        with FakeHub([huggingface_repo()], [Rule(faults.Alter(offset=7), "model.bin")]) as hub:
            got = run_sdk(HUGGINGFACE_CODE, hub, tmp_path)
        assert files_in(got["folder"]) == FILES | {"model.bin": flipped(FILES["model.bin"], 7)}

    def test_datasets(self, tmp_path: Path) -> None:
        """Data sets of both hubs live on one origin and are told apart by whose repository it is."""
        code = """
import json
from huggingface_hub import snapshot_download
from modelscope.hub.snapshot_download import dataset_snapshot_download
hf = snapshot_download("hf-org/data", repo_type="dataset")
ms = dataset_snapshot_download("ms-org/data")
print(json.dumps({"hf": hf, "ms": ms}))
"""
        hugging = Repo("huggingface", "hf-org/data", {"h.csv": b"1,2"}, repo_type="dataset")
        scope = Repo("modelscope", "ms-org/data", {f"{n:03d}.csv": b"3" for n in range(201)}, repo_type="dataset")
        with FakeHub([hugging, scope]) as hub:
            got = run_sdk(code, hub, tmp_path)
        assert files_in(got["hf"]) == {"h.csv": b"1,2"}
        assert len(files_in(got["ms"])) == 201

    def test_modelscope_walks(self, tmp_path: Path) -> None:
        """The ModelScope SDK sees a listing of 3,000 rows as cut off, and walks folder by folder to the rest."""
        code = """
import json
from modelscope_hub import HubApi
print(json.dumps({"rows": len(list(HubApi().list_repo_files("org/name", "model")))}))
"""
        files = {f"d{n % 3}/{n:05d}.txt": b"" for n in range(3100)}
        with FakeHub([Repo("modelscope", "org/name", files)]) as hub:
            got = run_sdk(code, hub, tmp_path)
        assert got == {"rows": 3103}
        roots = [request.query.get("Root", "") for request in hub.log.requests(kind="listing")]
        assert sorted(roots) == ["", "", "d0", "d1", "d2"]

    def test_huggingface_pages(self, tmp_path: Path) -> None:
        """A listing of several pages is read to its end through the Link header."""
        with FakeHub([huggingface_repo()], page_size=2) as hub:
            got = run_sdk(HUGGINGFACE_CODE, hub, tmp_path)
        assert files_in(got["folder"]) == FILES
        assert len(hub.log.requests(kind="listing")) == 3


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


class TestConnections:
    def test_one_connection(self) -> None:
        """Many requests over HTTP/2 share one connection, and the log counts its streams."""

        async def run(hub: FakeHub) -> list[httpx.Response]:
            async with client_of(hub) as client:
                return await asyncio.gather(*(client.get(BODY) for _ in range(50)))

        with FakeHub([modelscope_repo()]) as hub:
            answers = asyncio.run(run(hub))
        assert {answer.content for answer in answers} == {FILES["model.bin"]}
        (connection,) = hub.log.connections
        assert (connection.http, connection.alpn, connection.sni, connection.closed) == ("2", "h2", "localhost", True)
        assert 1 < hub.log.max_concurrent_streams <= 50
        assert hub.log.bytes_sent_by_file() == {"model.bin": 50 * 300_000}

    def test_stream_limit(self) -> None:
        """A client that is told a limit keeps it, and the hub sees that it does."""

        async def run(hub: FakeHub) -> None:
            async with client_of(hub) as client:
                await asyncio.gather(*(client.get(BODY) for _ in range(20)))

        with FakeHub([modelscope_repo()], stream_limit=3) as hub:
            asyncio.run(run(hub))
        assert hub.log.max_concurrent_streams <= 3
        assert hub.log.violations == ()
        assert all(request.finished for request in hub.log.requests())

    def test_stream_limit_broken(self) -> None:
        """A stream above the limit is refused and noted, the others go on."""
        with FakeHub([modelscope_repo()], [faults.HangBeforeAnswer()], tls=False, stream_limit=1) as hub:
            with socket.create_connection(hub.address, timeout=5) as sock:
                peer = greeted(sock)
                # The client-side h2 would keep the limit, so it is made to believe in another one.
                peer.remote_settings = h2.settings.Settings()
                open_stream(peer, 1, BODY)
                open_stream(peer, 3, BODY)
                sock.sendall(peer.data_to_send())
                reset = read_until(sock, peer, h2.events.StreamReset)
            hub.log.wait_until(lambda log: not any(r.outcome == "open" for r in log.requests()))
        assert (reset.stream_id, reset.error_code) == (3, 7)
        assert [request.outcome for request in hub.log.requests()] == ["broken", "refused"]
        assert len(hub.log.violations) == 1

    def test_unread_stream(self) -> None:
        """A stream whose window is used up gets not a byte more, and does not hold up another one."""
        with FakeHub([modelscope_repo()], tls=False) as hub, socket.create_connection(hub.address, timeout=5) as sock:
            peer = greeted(sock)
            peer.increment_flow_control_window(1_000_000)
            open_stream(peer, 1, BODY)
            open_stream(peer, 3, BODY.replace("model.bin", "config.json"))
            sock.sendall(peer.data_to_send())
            ended = read_until(sock, peer, h2.events.StreamEnded)
            hub.log.wait_until(lambda log: log.requests()[0].bytes_sent > 0)
        assert ended.stream_id == 3
        assert [request.bytes_sent for request in hub.log.requests()] == [65_535, len(FILES["config.json"])]

    def test_exact_bytes(self) -> None:
        """A body that breaks off does so after exactly as many bytes as its fault says, and is noted as broken."""

        async def run(hub: FakeHub) -> None:
            async with client_of(hub) as client, client.stream("GET", BODY) as response:
                await anext(response.aiter_raw())

        with FakeHub([modelscope_repo()], [faults.HangInBody(after_bytes=1000)]) as hub:
            asyncio.run(run(hub))
            hub.log.wait_until(lambda log: all(c.closed for c in log.connections))
        (request,) = hub.log.requests()
        assert (request.bytes_sent, request.outcome) == (1000, "broken")

    def test_nothing_left(self) -> None:
        """Stopping a hub in the middle of everything leaves no thread and no open socket, and it can come back."""
        before = threading.active_count()
        hub = FakeHub([modelscope_repo()], [faults.HangBeforeAnswer()], tls=False)
        hub.start()
        address = hub.address
        with socket.create_connection(address) as sock:
            sock.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            hub.log.wait_until(lambda log: bool(log.requests()))
            hub.stop()
        assert threading.active_count() == before
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        hub.set_faults()
        with hub:
            assert hub.address == address
            assert httpx.get(f"{hub.url}{BODY}").status_code == 200

    def test_cut(self) -> None:
        """Cutting the connections fails what is under way and spares what comes after."""

        async def run(hub: FakeHub) -> None:
            async with client_of(hub) as client:
                hanging = asyncio.create_task(client.get(BODY))
                await asyncio.to_thread(hub.log.wait_until, lambda log: bool(log.requests()))
                await asyncio.to_thread(hub.cut)
                with pytest.raises(httpx.TransportError):
                    await hanging
                hub.set_faults()
                assert (await client.get(BODY)).content == DATA

        with FakeHub([modelscope_repo()], [faults.HangBeforeAnswer()]) as hub:
            asyncio.run(run(hub))
        cut, after = (request.outcome for request in hub.log.requests())
        # Whose end of the connection is seen to go first is a matter of luck.
        assert (cut in ("broken", "cancelled"), after) == (True, "finished")

    @pytest.mark.parametrize("http2", [True, False], ids=["h2", "http/1.1"])
    def test_whole_protocol(self, http2: bool) -> None:
        """HEAD, empty files, missing files and plain http work the same over both versions of HTTP."""
        with FakeHub([huggingface_repo()], tls=False) as hub, client_over_plain(hub, http2=http2) as client:
            head = client.head("/org/name/resolve/main/model.bin")
            assert (head.status_code, head.headers["content-length"], head.content) == (200, "300000", b"")
            assert client.get("/org/name/resolve/main/empty.txt").content == b""
            assert client.get("/org/name/resolve/main/no").headers["x-error-code"] == "EntryNotFound"
            assert client.get("/org/name/resolve/no/x").headers["x-error-code"] == "RevisionNotFound"
            assert client.post("/org/name/resolve/main/x", content=b"x" * 100_000).status_code == 405
        assert {c.http for c in hub.log.connections} == {"2" if http2 else "1.1"}
        assert len(hub.log.connections) == 1
        assert len(hub.log.heads) == 1


def client_over_plain(hub: FakeHub, *, http2: bool) -> httpx.Client:
    return httpx.Client(base_url=hub.url, http1=not http2, http2=http2)


def greeted(sock: socket.socket) -> h2.connection.H2Connection:
    """Open an HTTP/2 connection by hand, settings acknowledged on both sides."""
    peer = h2.connection.H2Connection()
    peer.initiate_connection()
    sock.sendall(peer.data_to_send())
    read_until(sock, peer, h2.events.SettingsAcknowledged, h2.events.RemoteSettingsChanged)
    return peer


def open_stream(peer: h2.connection.H2Connection, stream: int, path: str) -> None:
    head = [(":method", "GET"), (":path", path), (":scheme", "http"), (":authority", "x")]
    peer.send_headers(stream, head, end_stream=True)


def read_until(sock: socket.socket, peer: Any, *kinds: type) -> Any:
    """Feed a sans-IO connection until one event of each kind was seen, and give the last of them."""
    missing = set(kinds)
    while True:
        for event in peer.receive_data(sock.recv(65536)):
            missing.discard(type(event))
            if not missing:
                sock.sendall(peer.data_to_send())
                return event
        sock.sendall(peer.data_to_send())


class TestCertificates:
    @pytest.mark.parametrize(
        ("kind", "said"),
        [
            ("expired", "expired"),
            ("self-signed", "self-signed"),
            ("other-host", "mismatch"),
            ("unknown-ca", "unable to get local issuer"),
        ],
        ids=["expired", "self-signed", "other-host", "unknown-ca"],
    )
    def test_bad(self, kind: certs.CertKind, said: str) -> None:
        """Each bad certificate is refused for its own reason."""
        with (
            FakeHub([modelscope_repo()], cert=kind) as hub,
            socket.create_connection(hub.address) as sock,
            pytest.raises(ssl.SSLCertVerificationError, match=said),
        ):
            certs.client_context().wrap_socket(sock, server_hostname="localhost")
        assert hub.log.requests() == ()


def over_socket(rule: faults.Fault | Rule, path: str, http2: bool, **options: Any) -> httpx.Response:
    with FakeHub([modelscope_repo(), huggingface_repo()], [rule]) as hub:
        return fetch(hub, path, http2=http2, **options)


def in_memory(rule: faults.Fault | Rule, path: str, http2: bool, **options: Any) -> httpx.Response:
    async def run() -> httpx.Response:
        hub = FakeHub([modelscope_repo(), huggingface_repo()], [rule])
        async with httpx.AsyncClient(transport=FakeHubTransport(hub), base_url=hub.url, timeout=10) as client:
            return await client.get(path, **options)

    return asyncio.run(run())


Way = Callable[..., httpx.Response]


@pytest.fixture(params=[(over_socket, True), (over_socket, False), (in_memory, True)], ids=["h2", "http/1.1", "memory"])
def ask(request: pytest.FixtureRequest) -> Iterator[Way]:
    """Ask a faulty hub over each kind of transport."""
    way, http2 = request.param
    yield lambda rule, path=BODY, **options: way(rule, path, http2, **options)


PART = {"headers": {"range": "bytes=10-19"}}
DATA = FILES["model.bin"]


class TestFaults:
    @pytest.mark.parametrize(
        ("fault", "options", "status", "body"),
        [
            (faults.Status(503, retry_after=2, body=b"busy"), {}, 503, b"busy"),
            (faults.Html(), {}, 200, faults.LOGIN_PAGE),
            (faults.Alter(offset=12), PART, 206, flipped(DATA, 12)[10:20]),
            (faults.Truncate(to=100, honest=True), {}, 200, DATA[:100]),
            (faults.OverLong(extra=3, honest=True), {}, 200, DATA + b"\0\0\0"),
            (faults.RangeIgnored(), PART, 200, DATA),
            (faults.Range200(), PART, 200, DATA[10:20]),
            (faults.RangeRefused(status=400), PART, 400, b""),
            (faults.WrongContentRange(), PART, 206, DATA[10:20]),
            (faults.NoContentLength(), {}, 200, DATA),
            (faults.GzipBody(), {}, 200, DATA),
            (faults.Redirect("https://b.test{target}", 307), {}, 307, b""),
            (faults.RedirectLoop(), {}, 302, b""),
            (faults.RedirectDowngrade(), {}, 302, b""),
            (faults.Drip(bytes_per_s=5_000_000), {}, 200, DATA),
            (faults.Slow(delay_s=0.01), {}, 200, DATA),
            (faults.LowerStreamLimit(1, after_bytes=10), {}, 200, DATA),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, faults.Fault) else "",
    )
    def test_answers(self, ask: Way, fault: faults.Fault, options: dict[str, Any], status: int, body: bytes) -> None:
        """A fault that changes the answer changes it alike over every transport."""
        answer = ask(fault, **options)
        assert (answer.status_code, answer.content) == (status, body)

    @pytest.mark.parametrize(
        "fault",
        [
            faults.Truncate(by=1),
            faults.Reset(after_bytes=1000),
            faults.Reset(),
            faults.Close(after_bytes=1000),
            faults.RstStream(after_bytes=1000),
            faults.GoAway(after_bytes=1000),
            faults.HangBeforeAnswer(),
            faults.HangInBody(after_bytes=1000),
        ],
        ids=lambda fault: f"{fault!r}",
    )
    def test_broken_bodies(self, ask: Way, fault: faults.Fault) -> None:
        """A fault that breaks a body makes the client fail, over every transport."""
        hangs = isinstance(fault, faults.HangBeforeAnswer | faults.HangInBody)
        # httpx lets h2's own error through when the length of a body is not the promised one.
        broken = (
            httpx.ReadError,
            httpx.RemoteProtocolError,
            httpx.LocalProtocolError,
            h2.exceptions.InvalidBodyLengthError,
        )
        wanted = httpx.ReadTimeout if hangs else broken
        with pytest.raises(wanted):
            ask(fault, timeout=0.3 if hangs else 10)

    @pytest.mark.parametrize(
        ("fault", "wanted"),
        [
            (faults.RefuseConnection(), httpx.ConnectError),
            (Rule(faults.RefuseConnection(), times=1), httpx.ConnectError),
            (faults.HangOnAccept(), httpx.ConnectTimeout),
            (faults.NoConnect(), httpx.ConnectTimeout),
        ],
        ids=["refused", "reset at once", "no TLS", "no connect"],
    )
    def test_connections(self, ask: Way, fault: faults.Fault, wanted: type[Exception]) -> None:
        """A fault of the connection is seen as one."""
        with pytest.raises(wanted):
            ask(fault, timeout=0.3)

    def test_a_late_handshake(self) -> None:
        """TLS that comes late is a time-out for whoever does not wait, and no fault for whoever does."""
        with FakeHub([modelscope_repo()], [faults.LateHandshake(0.3)]) as hub:
            with pytest.raises(httpx.ConnectTimeout):
                fetch(hub, BODY, timeout=0.1)
            assert fetch(hub, BODY).content == DATA
            one = hub.log.connections[-1]
        assert one.stood_s is not None
        assert one.stood_s - one.opened_s >= 0.3

    @pytest.mark.parametrize(
        ("path", "key"),
        [(LISTING, "Path"), ("/api/models/org/name/tree/main?recursive=true", "path")],
        ids=["modelscope", "huggingface"],
    )
    def test_listings(self, ask: Way, path: str, key: str) -> None:
        """Rows can be added, robbed of what identifies them, or be without number."""
        added = rows_of(ask(faults.BadListing(["../x", "a\0b", {key: "raw"}]), path))[-3:]
        assert [row[key] for row in added] == ["../x", "a\0b", "raw"]
        assert not any("Size" in row or "size" in row for row in rows_of(ask(faults.NoSizes(), path)))
        assert not any("Sha256" in row or "lfs" in row for row in rows_of(ask(faults.NoDigests(), path)))
        assert len(rows_of(ask(faults.HugeListing(2500), path))) == 2500
        with pytest.raises(json.JSONDecodeError):
            ask(faults.NotJson(), path).json()

    def test_more_than_promised(self) -> None:
        """More bytes than Content-Length says break HTTP/2, and are on the wire over HTTP/1.1."""
        path = BODY.replace("model.bin", "config.json")
        # Which of the two depends on whether the surplus came together with the head.
        with pytest.raises((httpx.LocalProtocolError, h2.exceptions.InvalidBodyLengthError)):
            over_socket(faults.OverLong(extra=3), path, http2=True)
        with FakeHub([modelscope_repo()], [faults.OverLong(extra=3)], tls=False) as hub:
            assert raw_answer(hub, path).endswith(b"\r\n\r\n" + FILES["config.json"] + b"\0\0\0")

    def test_endless(self) -> None:
        """An endless body goes on after the file, as long as it is read."""

        async def run(hub: FakeHub) -> int:
            size = 0
            async with client_of(hub) as client, client.stream("GET", BODY) as response:
                async for chunk in response.aiter_raw():
                    size += len(chunk)
                    if size > 2_000_000:
                        break
            return size

        with FakeHub([modelscope_repo()], [faults.EndlessBody()]) as hub:
            assert asyncio.run(run(hub)) > 2_000_000
            hub.log.wait_until(lambda log: log.requests()[0].cancelled)

    def test_rules(self) -> None:
        """A rule strikes only what it matches, only after so many, only so often."""
        rule = Rule(faults.Status(500), "*.bin", times=1, after=1)
        with FakeHub([modelscope_repo()], [rule], tls=False) as hub, client_over_plain(hub, http2=True) as client:
            other = BODY.replace("model.bin", "config.json")
            statuses = [client.get(path).status_code for path in (BODY, other, BODY, BODY)]
        assert statuses == [200, 200, 500, 200]

    def test_rules_by_question(self) -> None:
        """A rule may ask its own question about the request."""
        rule = Rule(faults.Status(500), lambda request: "range" in request.headers)
        with FakeHub([modelscope_repo()], [rule], tls=False) as hub:
            assert httpx.get(f"{hub.url}{BODY}").status_code == 200
            assert httpx.get(f"{hub.url}{BODY}", headers={"range": "bytes=0-1"}).status_code == 500

    def test_failing_rule(self) -> None:
        """A rule that raises is a 500 and a violation, never a silent hang."""
        with FakeHub([modelscope_repo()], [Rule(faults.Html(), lambda request: 1 / 0 > 0)], tls=False) as hub:
            assert httpx.get(f"{hub.url}{BODY}").status_code == 500
        assert "ZeroDivisionError" in hub.log.violations[0]

    def test_goaway_turns_away_later_streams(self) -> None:
        """A graceful GOAWAY that names an earlier stream drops this one, and the client may safely ask again."""
        rule = Rule(faults.GoAway(last_stream_id=0, graceful=True), times=1)
        context: Any = str(certs.ca_file())
        with FakeHub([modelscope_repo()], [rule]) as hub, curl_cffi.Session(verify=context) as session:
            assert session.get(f"{hub.url}{BODY}").content == DATA
        assert [request.outcome for request in hub.log.requests()] == ["refused", "finished"]

    def test_goaway_spares_earlier_streams(self) -> None:
        """A graceful GOAWAY finishes the streams up to the last one named; the next request has a new connection."""
        rule = Rule(faults.GoAway(after_bytes=5, graceful=True), times=1)
        context: Any = str(certs.ca_file())
        # httpx fails every stream on GOAWAY, libcurl only those above the last one named.
        with FakeHub([modelscope_repo()], [rule]) as hub, curl_cffi.Session(verify=context) as session:
            assert [session.get(f"{hub.url}{BODY}").content for _ in range(2)] == [DATA, DATA]
        assert [request.connection for request in hub.log.requests()] == [1, 2]
        assert {connection.http for connection in hub.log.connections} == {"2"}


def raw_answer(hub: FakeHub, path: str) -> bytes:
    """Ask over HTTP/1.1 by hand, and read until the hub closes."""
    with socket.create_connection(hub.address, timeout=5) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return b"".join(iter(lambda: sock.recv(65536), b""))


def rows_of(answer: httpx.Response) -> list[dict[str, Any]]:
    body = answer.json()
    return body if isinstance(body, list) else body["Data"]["Files"]


class TestProtocol:
    def test_silent_truncation(self) -> None:
        """ModelScope cuts a listing off without a word, and a folder asked for alone is whole."""
        repo = Repo("modelscope", "org/name", {f"d{n % 2}/{n:04d}": b"" for n in range(20)})
        site = Site([repo], listing_limit=12)
        assert len(rows(site, LISTING)) == 12
        assert len(rows(site, f"{LISTING}&Root=d1")) == 10
        assert rows(site, LISTING.replace("True", "False")) == ["d0", "d1"]

    def test_moving_branch(self) -> None:
        """A branch moves, its old commit and a tag stay, and each file keeps the commit that last changed it."""
        repo = modelscope_repo()
        old = repo.tag("v1")
        new = repo.commit({"config.json": b"{}"}, delete=["empty.txt"])
        assert repo.find("v1") is old
        assert repo.find("master") is new
        assert new.files["model.bin"].commit == old.id
        assert new.files["config.json"].commit == new.id
        assert modelscope_repo().head.id == old.id

    @pytest.mark.parametrize("hub", ["modelscope", "huggingface"])
    def test_private(self, hub: HubName) -> None:
        """A private repository is missing to strangers, there with the token, and a wrong token is said to be wrong."""
        site = Site([Repo(hub, "org/name", FILES, private=True)], token="t")
        path = LISTING if hub == "modelscope" else "/api/models/org/name"
        statuses = [
            exchange(site, Request("GET", path, {"authorization": f"Bearer {token}"} if token else {})).status
            for token in (None, "t", "wrong")
        ]
        assert statuses == [404 if hub == "modelscope" else 401, 200, 401]

    def test_gated(self) -> None:
        """A gated repository shows its listing to all and its files to those who were let in."""
        site = Site([huggingface_repo(gated=True, granted=False)], token="t")
        file = "/org/name/resolve/main/config.json"
        member = {"authorization": "Bearer t"}
        assert exchange(site, Request("GET", "/api/models/org/name")).status == 200
        assert exchange(site, Request("GET", file)).header("x-error-code") == "GatedRepo"
        assert exchange(site, Request("GET", file, member)).status == 403

    def test_cdn_is_strict(self) -> None:
        """The CDN wants its own signature, and no other credential beside it."""
        repo = huggingface_repo()
        sha256 = repo.files["model.bin"].sha256
        site = Site([repo])
        good = f"/cdn/{sha256}?sig={site.signature(sha256)}"
        assert exchange(site, Request("GET", good)).read() == DATA
        assert exchange(site, Request("GET", f"/cdn/{sha256}?sig=x")).status == 403
        assert exchange(site, Request("GET", good, {"authorization": "Bearer t"})).status == 400

    def test_revision_with_slash(self) -> None:
        """A revision with a slash in it is one segment of the path."""
        repo = huggingface_repo()
        repo.commit({"x": b"pr"}, branch="refs/pr/1")
        assert exchange(Site([repo]), Request("GET", "/org/name/resolve/refs%2Fpr%2F1/x")).read() == b"pr"

    @pytest.mark.parametrize(
        ("wanted", "status", "body"),
        [
            ("bytes=2-4", 206, b"cde"),
            ("bytes=7-", 206, b"hij"),
            ("bytes=-2", 206, b"ij"),
            ("bytes=8-99", 206, b"ij"),
            ("bytes=10-", 416, b""),
            ("bytes=-0", 416, b""),
            ("bytes=4-2", 200, b"abcdefghij"),
            ("bytes=0--1", 200, b"abcdefghij"),
            ("lines=1-2", 200, b"abcdefghij"),
        ],
    )
    def test_ranges(self, wanted: str, status: int, body: bytes) -> None:
        """Each form of Range gets the answer of the standard."""
        answer = ranged(Request("GET", "/", {"range": wanted}), respond(200, b"abcdefghij"))
        assert (answer.status, answer.read()) == (status, body)

    def test_several_ranges(self) -> None:
        """Several ranges come as one multipart body."""
        answer = ranged(Request("GET", "/", {"range": "bytes=0-0,-1"}), respond(200, b"abc"))
        assert "multipart/byteranges" in (answer.header("content-type") or "")
        assert answer.read().count(b"Content-Range") == 2


def rows(site: Site, path: str) -> list[str]:
    body = json.loads(exchange(site, Request("GET", path)).read())
    return [row["Path"] for row in body["Data"]["Files"]]


class TestMemory:
    def test_redirect_to_cdn(self) -> None:
        """Hubs in memory redirect to each other, and each keeps its own log."""

        async def run() -> bytes:
            async with httpx.AsyncClient(transport=FakeHubTransport(hub, cdn), follow_redirects=True) as client:
                return (await client.get(f"{hub.url}/org/name/resolve/main/model.bin")).content

        cdn = FakeHub([huggingface_repo()], name="cdn")
        hub = FakeHub([huggingface_repo()], name="hub", cdn=cdn)
        assert asyncio.run(run()) == DATA
        assert cdn.log.bytes_sent_by_file() == {"model.bin": 300_000}
        assert [r.status for r in hub.log.requests()] == [302]

    def test_hang_is_cancelled(self) -> None:
        """A hang without timeouts lasts until the caller cancels, and is over then."""

        async def run() -> None:
            async with httpx.AsyncClient(transport=FakeHubTransport(hub), timeout=None) as client:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await client.get(f"{hub.url}{BODY}")

        hub = FakeHub([modelscope_repo()], [faults.HangBeforeAnswer()])
        asyncio.run(run())
        assert [r.outcome for r in hub.log.requests()] == ["broken"]


class TestProxies:
    @pytest.mark.parametrize("kind", [ConnectProxy, Socks5Proxy])
    @pytest.mark.parametrize("login", [None, ("user", "secret")], ids=["open", "login"])
    def test_route(self, kind: type[Proxy], login: tuple[str, str] | None) -> None:
        """A proxy brings a client to the hub under the hub's public name, and notes that name."""
        with (
            FakeHub([modelscope_repo()], hosts=["modelscope.cn"]) as hub,
            kind({"modelscope.cn:443": hub.address}, login=login) as proxy,
            httpx.Client(proxy=proxy.url, verify=certs.client_context(), http2=True) as client,
        ):
            assert client.get(f"https://modelscope.cn{BODY}").content == DATA
        assert proxy.targets == ("modelscope.cn:443",)
        assert hub.log.connections[0].sni == "modelscope.cn"

    def test_absolute_form(self) -> None:
        """Plain http goes through the proxy in absolute form and reaches the hub in origin form."""
        with FakeHub([modelscope_repo()], tls=False) as hub, ConnectProxy() as proxy:
            assert httpx.get(f"{hub.url}{BODY}", proxy=proxy.url).content == DATA
        assert proxy.targets == (hub.url.removeprefix("http://"),)
        assert hub.log.requests()[0].path.startswith("/api/")

    def test_refused(self) -> None:
        """A proxy that wants a login, or serves nobody, says so."""
        with ConnectProxy(login=("a", "b")) as closed, pytest.raises(httpx.ProxyError, match="407"):
            httpx.get("https://x.test", proxy=closed.url.replace("a:b@", ""))
        # Spoken by hand: httpx leaves its socket open when a SOCKS proxy refuses.
        with Socks5Proxy(deny=True) as proxy, socket.create_connection(proxy.address, timeout=5) as sock:
            sock.sendall(b"\x05\x01\x00")
            assert sock.recv(2) == b"\x05\x00"
            sock.sendall(b"\x05\x01\x00\x03\x06x.test\x01\xbb")
            assert sock.recv(2) == b"\x05\x02"
        assert proxy.targets == ("x.test:443",)


class TestCommand:
    def test_serves_until_stdin_closes(self, tmp_path: Path) -> None:
        """The command prints its URL and CA as JSON, serves a folder, and writes its log at the end."""
        (tmp_path / "served").mkdir()
        (tmp_path / "served" / "model.bin").write_bytes(b"abc")
        dump = tmp_path / "log.json"
        command = ["-m", "tests.fakehub", "--folder", str(tmp_path / "served"), "--dump-log", str(dump)]
        command += ["--fault", 'Status:{"status": 503, "times": 1}']
        with subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout
            opening = json.loads(child.stdout.readline())
            context = ssl.create_default_context(cafile=opening["ca_file"])
            statuses = [httpx.get(f"{opening['url']}{BODY}", verify=context).status_code for _ in range(2)]
            child.communicate()
        assert statuses == [503, 200]
        assert [request["status"] for request in json.loads(dump.read_text())["requests"]] == statuses
        assert child.returncode == 0
