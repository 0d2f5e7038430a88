"""A server that sends whatever it is told, in either protocol or none."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from tests.fakehub import certs

Talk = Callable[[ssl.SSLSocket, threading.Event], Iterator[bytes]]
"""Talks on a connection that stands; what it yields is sent. The event says that the server stops."""


class RawServer:
    """One script, told to everybody who connects."""

    def __init__(self, talk: Talk, alpn: str) -> None:
        self._talk = talk
        self._context = certs.server_context("good", (), (alpn,))
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._accepted: list[socket.socket] = []
        self.url = f"https://localhost:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for sock in (self._socket, *self._accepted):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._start(self._serve, self._socket.accept()[0])

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(5)
        # Whoever has enough of this hangs up, in whatever way.
        with (
            contextlib.suppress(OSError, ValueError, h2.exceptions.H2Error),
            self._context.wrap_socket(plain, server_side=True) as sock,
        ):
            self._accepted.append(sock)
            for data in self._talk(sock, self._over):
                sock.sendall(data)
                if self._over.is_set():
                    return


def http1(answer: Callable[[], Iterator[bytes]]) -> Talk:
    """Answer the first request of a connection in HTTP/1.1."""

    def talk(sock: ssl.SSLSocket, _: threading.Event) -> Iterator[bytes]:
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := sock.recv(65536)):
                return
            data += more
        yield from answer()

    return talk


Conversation = Callable[[h2.connection.H2Connection, int], Iterator[bytes]]
"""What is sent after a request came on a stream: frames; the connection's own bytes are sent before."""


def http2(answer: Conversation) -> Talk:
    """Answer the first request of a connection in HTTP/2."""

    def talk(sock: ssl.SSLSocket, over: threading.Event) -> Iterator[bytes]:
        config = h2.config.H2Configuration(client_side=False, validate_outbound_headers=False)
        connection = h2.connection.H2Connection(config)
        connection.initiate_connection()
        yield connection.data_to_send()
        while not over.is_set():
            if not (data := sock.recv(65536)):
                return
            asked = [one for one in connection.receive_data(data) if isinstance(one, h2.events.RequestReceived)]
            yield connection.data_to_send()
            if asked:
                assert asked[0].stream_id is not None
                yield from answer(connection, asked[0].stream_id)

    return talk
