"""What is no HTTP, or too much of it: heads, frames and certificates, before there is any file to speak of."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

import h2.connection
import h2.settings

from tests.fakehub.certs import CertKind
from tests.hostile.attack import HUBS, Attack, Bring, Mirror, by_faults
from tests.hostile.raw import Conversation, RawServer, http1, http2

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


def sent(*parts: bytes | Callable[[], Iterable[bytes]]) -> Bring:
    """A server that answers with these bytes, in HTTP/1.1."""

    def answer() -> Iterator[bytes]:
        for part in parts:
            yield from part() if callable(part) else (part,)

    return lambda _: RawServer(http1(answer), "http/1.1")


def spoken(conversation: Conversation) -> Bring:
    """A server that answers with these frames, in HTTP/2."""

    def bring(_: str) -> AbstractContextManager[Mirror]:
        return RawServer(http2(conversation), "h2")

    return bring


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame as RFC 9113 lays it out."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def flood(data: bytes, times: int = 64) -> Conversation:
    """The same frames without end, and no answer."""
    return lambda _, __: itertools.repeat(data * times)


def after_head(data: Callable[[int], bytes], headers: Iterable[tuple[str, str]] = ()) -> Conversation:
    """The head of an answer, and then these bytes of the stream's number."""

    def talk(connection: h2.connection.H2Connection, stream: int) -> Iterator[bytes]:
        connection.send_headers(stream, [(":status", "200"), ("content-type", "application/json"), *headers])
        yield connection.data_to_send()
        yield data(stream)

    return talk


def packed_heads(connection: h2.connection.H2Connection, stream: int) -> Iterator[bytes]:
    """A head of a few kilobytes that stands for a hundred megabytes."""
    literal = b"\x40" + b"\x01x" + b"\x7f\x81\x1e" + b"a" * 4000  # into the dynamic table, at index 62
    block = b"\x88" + literal + b"\xbe" * 30_000
    head, *rest = [block[start : start + 16_000] for start in range(0, len(block), 16_000)]
    yield frame(1, 0, stream, head)
    for number, part in enumerate(rest):
        yield frame(9, 4 if number == len(rest) - 1 else 0, stream, part)


def endless_head(connection: h2.connection.H2Connection, stream: int) -> Iterator[bytes]:
    """A head that is continued for ever."""
    yield frame(1, 0, stream, b"\x88")
    yield from itertools.repeat(frame(9, 0, stream, b"\x00\x01x\x01y" * 200))


def pushed(connection: h2.connection.H2Connection, stream: int) -> Iterator[bytes]:
    """A file that nobody asked for."""
    yield frame(5, 4, stream, struct.pack(">I", 2) + b"\x82\x84\x87\x41\x04evil")


ONES = b"HTTP/1.1 100 Continue\r\n\r\n"
WIRE = [
    Attack("10,000 headers", sent(HEAD, lambda: (b"x-%d: y\r\n" % n for n in range(10_000)), b"\r\n[]")),
    Attack("headers without end", sent(HEAD, lambda: (b"x-%d: y\r\n" % n for n in itertools.count())), heavy=True),
    Attack("a header of a megabyte", sent(HEAD + b"x: " + b"y" * (1 << 20) + b"\r\n\r\n[]")),
    Attack("a header without end", sent(HEAD + b"x: ", lambda: itertools.repeat(b"y" * 65536)), heavy=True),
    Attack("a status without end", sent(b"HTTP/1.1 200 ", lambda: itertools.repeat(b"y" * 65536)), heavy=True),
    Attack("a line break in where to go", sent(b"HTTP/1.1 302 Found\r\nlocation: /a%0d%0ax: y\r\n evil\r\n\r\n")),
    Attack("interim answers without end", sent(lambda: itertools.repeat(ONES * 200)), heavy=True),
    Attack("two lengths", sent(HEAD + b"content-length: 5\r\ncontent-length: 2\r\n\r\n[]   ")),
    Attack("a length below nothing", sent(HEAD + b"content-length: -1\r\n\r\n[]")),
    Attack("a length of 2**70", sent(HEAD + b"content-length: 1180591620717411303424\r\n\r\n[]")),
    Attack("a length and chunks", sent(HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")),
    Attack(
        "chunks without end",
        sent(
            HEAD + b"transfer-encoding: chunked\r\n\r\n",
            lambda: itertools.repeat(b"4000\r\n" + b" " * 0x4000 + b"\r\n"),
        ),
        heavy=True,
    ),
    Attack("a chunk of 2**64", sent(HEAD + b"transfer-encoding: chunked\r\n\r\n10000000000000000\r\n[]")),
    Attack("a chunk below nothing", sent(HEAD + b"transfer-encoding: chunked\r\n\r\n-5\r\n[]")),
    Attack(
        "trailers without end",
        sent(HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n", lambda: itertools.repeat(b"x: y\r\n" * 500)),
        heavy=True,
    ),
    Attack("no HTTP", sent(b"SSH-2.0-OpenSSH_9.6\r\n")),
    Attack("HTTP/0.9", sent(b"[]")),
    Attack("HTTP/7", sent(b"HTTP/7.0 200 OK\r\n\r\n{}")),
    Attack("zeros", sent(lambda: itertools.repeat(bytes(65536))), heavy=True),
    Attack("a change of protocol", sent(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: evil\r\n\r\n[]")),
    Attack("a packed head that is a bomb", spoken(packed_heads), heavy=True),
    Attack("a head that is continued for ever", spoken(endless_head), heavy=True),
    Attack("settings without end", spoken(flood(frame(4, 0, 0, struct.pack(">HI", 4, 65535)))), heavy=True),
    Attack("pings without end", spoken(flood(frame(6, 0, 0, bytes(8)))), heavy=True),
    Attack("empty frames without end", spoken(lambda _, n: itertools.repeat(frame(0, 0, n, b"") * 64)), heavy=True),
    Attack("resets", spoken(lambda _, stream: iter([frame(3, 0, stream, struct.pack(">I", 11))]))),
    Attack("a file that nobody asked for", spoken(pushed)),
    Attack("a window beyond its end", spoken(after_head(lambda n: frame(8, 0, n, struct.pack(">I", 2**31 - 1)) * 3))),
    Attack("a frame too large", spoken(lambda _, n: iter([frame(0, 0, n, bytes(1 << 20))]))),
    Attack("bytes of another stream", spoken(after_head(lambda n: frame(0, 1, n + 2, b"[]")))),
    Attack(
        "a settings value that cannot be", spoken(lambda _, n: iter([frame(4, 0, 0, struct.pack(">HI", 4, 2**32 - 1))]))
    ),
]
CERTS: dict[str, CertKind] = {
    "for another host": "other-host",
    "of nobody": "unknown-ca",
    "of its own": "self-signed",
    "of yesterday": "expired",
}
WIRE += [Attack(f"a certificate {name}", by_faults(cert=kind), "certificate") for name, kind in CERTS.items()]
assert HUBS
