"""A hub on a socket: TLS, HTTP/2 and HTTP/1.1, in a thread of its own.

with FakeHub([Repo("modelscope", "org/name", {"a.txt": b"hello"})]) as hub:
    client.get(f"{hub.url}/api/v1/models/org/name/repo?FilePath=a.txt")
    assert hub.log.bytes_sent_by_file() == {"a.txt": 5}
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import ssl
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.fakehub import certs
from tests.fakehub.backend import Backend
from tests.fakehub.certs import CertKind
from tests.fakehub.faults import HangOnAccept, LateHandshake, NoConnect, RefuseConnection
from tests.fakehub.h1server import H1Connection
from tests.fakehub.h2server import H2Connection
from tests.fakehub.log import Log
from tests.fakehub.loopthread import LoopThread
from tests.fakehub.repo import Repo
from tests.fakehub.rules import ConnectionFault, Fault, FaultPlan, Rule
from tests.fakehub.site import Site
from tests.fakehub.wire import READ_SIZE, Wire, reset_on_close

HTTP2_PREFACE = b"PRI * HTTP/2.0"
GOODBYE_S = 1.0


@dataclass(frozen=True, slots=True)
class Manner:
    """How a hub speaks: TLS or not, which protocols, how many streams, whose certificate for which hosts."""

    tls: bool = True
    alpn: tuple[str, ...] = ("h2", "http/1.1")
    stream_limit: int = 128
    cert: CertKind = "good"
    hosts: tuple[str, ...] = ()


class FakeHub:
    """One host. It listens between `start` and `stop`; not started, it can be served in memory.

    Args:
        repos: What it holds, of either hub.
        faults: What goes wrong, each a Fault or a Rule around one.
        name: Its name in reprs, and its host in memory: "a" is https://a.test.
        token: The token that opens private repositories.
        prefix: The path that it is mounted below.
        cdn: Where LFS files are redirected to: another hub that holds the same repositories, or a base URL.
        page_size: Rows on a page of a Hugging Face listing.
        listing_limit: Rows after which ModelScope cuts a listing off.
        blobs: Whether it tells sizes and digests with a Hugging Face revision, as the hub itself does.
        xet: Whether its LFS files are kept in Xet's store.
        tls: Whether it speaks https.
        alpn: Protocols that it offers, the favourite first.
        stream_limit: How many streams a client may have open on a connection.
        cert: What is wrong with its certificate, if anything.
        hosts: Names that its certificate covers beside localhost and 127.0.0.1.
    """

    def __init__(
        self,
        repos: Iterable[Repo] = (),
        faults: Iterable[Fault | Rule] = (),
        *,
        name: str = "a",
        token: str | None = None,
        prefix: str = "",
        cdn: FakeHub | str | None = None,
        page_size: int = 1000,
        listing_limit: int = 3000,
        blobs: bool = False,
        xet: bool = False,
        tls: bool = True,
        alpn: Iterable[str] = ("h2", "http/1.1"),
        stream_limit: int = 128,
        cert: CertKind = "good",
        hosts: Iterable[str] = (),
    ) -> None:
        self.name = name
        self.site = Site(
            repos=list(repos),
            token=token,
            prefix=prefix.rstrip("/"),
            cdn=cdn.url if isinstance(cdn, FakeHub) else cdn,
            page_size=page_size,
            listing_limit=listing_limit,
            blobs=blobs,
            xet=xet,
        )
        self.manner = Manner(tls, tuple(alpn), stream_limit, cert, tuple(hosts))
        self.backend = Backend(self.site, FaultPlan(faults), Log())
        self._address: tuple[str, int] | None = None
        self._thread: LoopThread | None = None
        self._listener: _Listener | None = None

    def __repr__(self) -> str:
        state = "LISTENING" if self._listener else "IDLE"
        return f"<FakeHub {self.name} [{self.url!r}, {state}, Repos: {len(self.site.repos)}]>"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def log(self) -> Log:
        """What was asked and sent."""
        return self.backend.log

    @property
    def scheme(self) -> str:
        """The scheme of its URLs."""
        return "https" if self.manner.tls else "http"

    @property
    def url(self) -> str:
        """The base URL, prefix included, no slash at the end."""
        host = f"localhost:{self._address[1]}" if self._address else f"{self.name}.test"
        return f"{self.scheme}://{host}{self.site.prefix}"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the socket.

        Raises:
            RuntimeError: The hub was never started.
        """
        if self._address is None:
            raise RuntimeError(f"{self!r} has no address before start()")
        return self._address

    @property
    def ca_file(self) -> Path:
        """The PEM file of the authority that a client should trust."""
        return certs.ca_file()

    def set_faults(self, *faults: Fault | Rule) -> None:
        """Let other things go wrong from the next request on."""
        self.backend.plan.replace(faults)

    def start(self) -> None:
        """Listen. A hub that was stopped comes back on the port it had."""
        listener = _Listener(self.backend, self.manner, self._address)
        self._thread = LoopThread(f"fakehub-{self.name}")
        try:
            self._thread.call(listener.open())
        except BaseException:
            self._thread.stop()
            raise
        self._listener, self._address = listener, listener.address

    def stop(self) -> None:
        """Reset every connection, stop listening and end the thread; a hub that is not running stays so."""
        if self._thread and self._listener:
            self._thread.call(self._listener.close())
            self._thread.stop()
        self._thread = self._listener = None

    def cut(self) -> None:
        """Reset every connection, and go on listening."""
        if self._thread and self._listener:
            self._thread.call(self._listener.cut())


class _Listener:
    """The listening socket and the connections that came in by it."""

    def __init__(self, backend: Backend, manner: Manner, address: tuple[str, int] | None) -> None:
        self._backend = backend
        self._manner = manner
        self._server_names: weakref.WeakKeyDictionary[object, str] = weakref.WeakKeyDictionary()
        self._context = self._tls() if manner.tls else None
        self._tasks: set[asyncio.Task[None]] = set()
        self._wires: set[Wire] = set()
        self._fillers: list[socket.socket] = []
        self._accepting: asyncio.Task[None] | None = None
        self._socket = _bound_socket(address)
        self.address: tuple[str, int] = self._socket.getsockname()

    async def open(self) -> None:
        if self._backend.plan.permanent(NoConnect):
            self._fill_queue()
        elif not self._backend.plan.permanent(RefuseConnection):
            self._socket.listen(512)
            self._accepting = asyncio.create_task(self._accept())

    async def close(self) -> None:
        if self._accepting:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
        await self.cut()
        for sock in (*self._fillers, self._socket):
            sock.close()

    async def cut(self) -> None:
        tasks = list(self._tasks)
        for wire in list(self._wires):
            wire.reset()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _fill_queue(self) -> None:
        """Fill the queue of a socket that never accepts: Linux then drops every further SYN."""
        self._socket.listen(0)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self.address)
            self._fillers.append(filler)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(self._socket)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            id = self._backend.log.open_connection()
            task = asyncio.create_task(self._welcome(sock, id))
            self._tasks.add(task)
            task.add_done_callback(functools.partial(self._part, sock, id))

    async def _welcome(self, sock: socket.socket, id: int) -> None:
        match self._backend.plan.take_connection():
            case None:
                await self._serve(sock, id)
            case LateHandshake(delay_s):
                await asyncio.sleep(delay_s)
                await self._serve(sock, id)
            case fault:
                await _mistreat(sock, fault)

    def _part(self, sock: socket.socket, id: int, task: asyncio.Task[None]) -> None:
        """Clean up in a callback: a task that is cancelled before its first step never reaches its own finally."""
        self._tasks.discard(task)
        # The transport closes the socket if there was one; closing twice does no harm.
        sock.close()
        self._backend.log.close_connection(id)

    async def _serve(self, sock: socket.socket, id: int) -> None:
        try:
            reader, writer = await _connected(sock, self._context)
        except OSError:
            # The client did not like our certificate, or left.
            return
        wire = Wire(reader, writer, id=id, scheme="https" if self._context else "http")
        self._wires.add(wire)
        try:
            await self._converse(wire, writer.get_extra_info("ssl_object"))
        finally:
            try:
                await wire.wait_closed()
            finally:
                self._wires.discard(wire)

    async def _converse(self, wire: Wire, tls: ssl.SSLObject | None) -> None:
        alpn = tls.selected_alpn_protocol() if tls else None
        first = b"" if alpn else await wire.read()
        is_http2 = alpn == "h2" or ("h2" in self._manner.alpn and first.startswith(HTTP2_PREFACE))
        sni = self._server_names.get(tls) if tls else None
        self._backend.log.agree(wire.id, http="2" if is_http2 else "1.1", alpn=alpn, sni=sni)
        if is_http2:
            await H2Connection(self._backend, wire, self._manner.stream_limit).serve(first)
        else:
            await H1Connection(self._backend, wire).serve(first)

    def _tls(self) -> ssl.SSLContext:
        context = certs.server_context(self._manner.cert, self._manner.hosts, self._manner.alpn)
        context.sni_callback = self._note_server_name
        return context

    def _note_server_name(self, tls: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        if name:
            self._server_names[tls] = name


async def _connected(
    sock: socket.socket, context: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=READ_SIZE)
    protocol = asyncio.StreamReaderProtocol(reader)
    timeouts = {"ssl_handshake_timeout": 30.0, "ssl_shutdown_timeout": GOODBYE_S} if context else {}
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock, ssl=context, **timeouts)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def _mistreat(sock: socket.socket, fault: ConnectionFault) -> None:
    if isinstance(fault, HangOnAccept):
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while await loop.sock_recv(sock, READ_SIZE):
                pass
    else:
        reset_on_close(sock)


def _bound_socket(address: tuple[str, int] | None) -> socket.socket:
    """Bind a socket, on the port it had before if there was one; it does not listen yet, so connecting is refused."""
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(address or ("127.0.0.1", 0))
    return sock
