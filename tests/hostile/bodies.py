"""Lies in the bytes of a file: other ones, fewer, more, packed, and headers that say otherwise."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable
from dataclasses import replace

from tests.fakehub.faults import (
    Alter,
    Drip,
    EndlessBody,
    GzipBody,
    HangInBody,
    Html,
    OverLong,
    Truncate,
    WrongContentRange,
)
from tests.fakehub.messages import Request, Response
from tests.fakehub.rules import Fault, Rule
from tests.hostile.attack import EVIL, FILES, Attack, body, by_faults, headed, instead, with_status

MODEL = FILES["model.bin"]
POINTER = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:"
    + hashlib.sha256(MODEL).hexdigest().encode()
    + b"\nsize 300000\n"
)


def at_model(fault: Fault) -> Rule:
    """Only the model is not as it should be."""
    return Rule(fault, "model.bin")


def coded(encoding: str, pack: Callable[[bytes], bytes]) -> Callable[[Request, Response], Response]:
    """The bytes, packed, under a name for that."""

    def edit(_: Request, response: Response) -> Response:
        return response.with_body(pack(response.read())).with_header("content-encoding", encoding)

    return edit


def ranged(value: str, status: int = 206) -> Callable[[Request, Response], Response]:
    """The whole file under a Content-Range that is not what was asked for."""
    return lambda request, was: replace(headed(content_range=value).edit(request, was), status=status)


BODIES = [
    Attack("altered bytes of equal size", by_faults(at_model(Alter(1000, 16))), "digest"),
    Attack("another file of equal size", by_faults(body(instead(EVIL, "application/octet-stream"))), "digest"),
    Attack("the file's pointer in LFS", by_faults(body(instead(POINTER, "text/plain"))), ""),
    Attack("an empty body", by_faults(body(instead(b""))), ""),
    Attack("a body that ends early", by_faults(at_model(Truncate(by=100))), ""),
    Attack("a body that ends early and says so", by_faults(at_model(Truncate(by=100, honest=True))), ""),
    Attack("a byte too many", by_faults(at_model(OverLong(1, honest=True))), ""),
    Attack("bytes beyond the length that is said", by_faults(at_model(OverLong(5))), ""),
    Attack("a body without end", by_faults(at_model(EndlessBody())), "more than the 300,000 bytes", heavy=True),
    Attack("a web page", by_faults(at_model(Html())), "web page"),
    Attack("a body packed with gzip", by_faults(at_model(GzipBody())), "encoded as 'gzip'"),
    Attack("a body packed with deflate", by_faults(body(coded("deflate", zlib.compress))), "encoded as 'deflate'"),
    Attack("a body called br", by_faults(body(coded("br", bytes))), "encoded as 'br'"),
    Attack(
        "a body packed twice",
        by_faults(body(coded("gzip, gzip", lambda data: gzip.compress(gzip.compress(data))))),
        "encoded as 'gzip, gzip'",
    ),
    Attack(
        "a gzip bomb", by_faults(body(coded("gzip", lambda _: gzip.compress(bytes(64 << 20))))), "encoded as 'gzip'"
    ),
    Attack("a slice from elsewhere", by_faults(at_model(WrongContentRange("start", 7))), alone="right"),
    Attack("a slice of a larger file", by_faults(body(ranged("bytes 0-299999/999999"))), ""),
    Attack("a slice that overlaps its end", by_faults(body(ranged("bytes 0-999999/300000"))), alone="right"),
    Attack("a slice below nothing", by_faults(body(ranged("bytes -5-299999/300000"))), ""),
    Attack("a slice backwards", by_faults(body(ranged("bytes 299999-0/300000"))), ""),
    Attack("a slice that nobody asked for", by_faults(body(ranged("bytes 100-299999/300000"))), ""),
    Attack("a slice of 10**30 bytes", by_faults(body(ranged(f"bytes 0-{10**30}/{10**30 + 1}"))), ""),
    Attack("a range that cannot be", by_faults(body(with_status(416, content_range="bytes */300000"))), ""),
    Attack("a body that drips", by_faults(at_model(Drip(bytes_per_s=500))), "", timeout_s=3.0),
    Attack("a body that stops", by_faults(at_model(HangInBody(1000))), ""),
    Attack("wait a year", by_faults(body(with_status(503, retry_after="31536000"))), "503"),
    Attack(
        "wait a year, in a date", by_faults(body(with_status(429, retry_after="Fri, 31 Dec 9999 23:59:59 GMT"))), "429"
    ),
    Attack("wait for a time that is none", by_faults(body(with_status(503, retry_after="-1e999"))), "503"),
    Attack(
        "another file name in a header",
        by_faults(headed(content_disposition='attachment; filename="../../evil"')),
        alone="right",
    ),
    Attack("an ETag that climbs", by_faults(headed(etag='"../../evil"', x_linked_etag='"../../evil"')), alone="right"),
    Attack("a commit in a header that climbs", by_faults(headed(x_repo_commit="../../evil")), alone="right"),
    Attack("a cookie", by_faults(headed(set_cookie="spy=1; Path=/; Max-Age=99999999")), alone="right"),
    Attack(
        "another host for later", by_faults(headed(alt_svc='h2="evil.test:443"; ma=99999999, h3=":443"')), alone="right"
    ),
    Attack(
        "TLS for ever",
        by_faults(headed(strict_transport_security="max-age=99999999; includeSubDomains")),
        alone="right",
    ),
    Attack(
        "Xet's store elsewhere",
        by_faults(headed(x_xet_hash="0" * 64, x_xet_refresh_route="https://10.0.0.1/")),
        alone="right",
    ),
]
