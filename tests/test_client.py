"""The client over both carriers: what leaves it is an answer or a Failure, never another library's error."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Literal, cast

import pytest

from mirrorhub.faults import Failure, Fault
from mirrorhub.http.backoff import retry_after_s
from mirrorhub.http.carrier import build_carrier
from mirrorhub.http.client import Ask, Client, Timeouts
from mirrorhub.http.origin import Route
from mirrorhub.http.packed import unpacked
from mirrorhub.http.redact import redact
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import GzipBody, RstStream
from tests.fakehub.repo import sample_bytes

PATH = "/api/v1/models/org/name/repo?Revision=master&FilePath=big.bin"
BIG = sample_bytes("big", 4_000_000)


def ask(url: str) -> Ask:
    """One request without credentials."""
    return Ask(url, Timeouts(connect_s=5, silence_s=5))


def test_a_paused_body_whose_stream_is_reset(carrier: str) -> None:
    """A stream that is reset while nobody reads gives the bytes before it, then a Failure."""

    async def read(hub: FakeHub) -> int:
        client = Client(build_carrier(cast("Literal['curl', 'httpx']", carrier), Route(ca_file=str(hub.ca_file))))
        try:
            stream = await client.open(ask(hub.url + PATH))
            await asyncio.to_thread(hub.log.wait_until, lambda log: log.requests()[0].outcome != "open")
            count = 0
            with pytest.raises(Failure) as caught:
                async for chunk in stream:
                    count += len(chunk)
            assert caught.value.fault in (Fault.RESET, Fault.PROTOCOL)
            await stream.aclose()
            return count
        finally:
            await client.aclose()

    with FakeHub([Repo("modelscope", "org/name", {"big.bin": BIG})], [RstStream(after_bytes=2_000_000)]) as hub:
        assert asyncio.run(read(hub)) <= 2_000_000


@pytest.mark.parametrize("url", ["https://a.test:x/", "https://[::1/", "\x00"])
def test_what_is_no_address(url: str) -> None:
    """An address that cannot be one is a Failure, whoever it came from."""

    async def open_it() -> None:
        client = Client(build_carrier("httpx", Route()))
        try:
            await client.open(ask(url))
        finally:
            await client.aclose()

    with pytest.raises(Failure):
        asyncio.run(open_it())


def test_an_answer_that_unpacks_to_too_much(carrier: str) -> None:
    """Of a compressed answer no more is unpacked than may be read."""

    async def read(hub: FakeHub) -> None:
        client = Client(build_carrier(cast("Literal['curl', 'httpx']", carrier), Route(ca_file=str(hub.ca_file))))
        try:
            stream = await client.open(replace(ask(hub.url + PATH), packed=True))
            with pytest.raises(Failure, match="more than 1,000,000 bytes"):
                await stream.read(1_000_000)
            await stream.aclose()
        finally:
            await client.aclose()

    with FakeHub([Repo("modelscope", "org/name", {"big.bin": bytes(20_000_000)})], [GzipBody()]) as hub:
        asyncio.run(read(hub))


def unpack(chunks: Iterable[bytes], limit: int = 10_000_000) -> list[bytes]:
    """Unpack, and return the blocks."""

    async def coming() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def blocks() -> list[bytes]:
        return [block async for block in unpacked(coming(), limit)]

    return asyncio.run(blocks())


def test_unpacking_goes_block_by_block() -> None:
    """However much a chunk stands for, it is never unpacked at once; all members of it count."""
    data = sample_bytes("listing", 100_000) * 30
    blocks = unpack([gzip.compress(data) + gzip.compress(b"and more")])
    assert b"".join(blocks) == data + b"and more"
    assert max(map(len, blocks)) <= 256 << 10


EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"
HEADER = gzip.compress(b"")[:10]


@pytest.mark.parametrize(
    ("chunks", "words"),
    [
        ([gzip.compress(bytes(50_000_000))], "far more than a listing"),
        ([gzip.compress(b"") * 1000] * 100, "more than 1,000,000 bytes"),
        ([HEADER, *[EMPTY_BLOCK * 1000] * 1000], "more than 1,000,000 bytes"),
        ([HEADER[:3] + b"\x08" + HEADER[4:], *[b"x" * 1000] * 2000], "more than 1,000,000 bytes"),
        ([gzip.compress(b"abc")[:-4]], "ended too early"),
        ([gzip.compress(b"abc") + b"garbage"], "calls itself gzip and is not"),
    ],
    ids=["bomb", "members without end", "blocks of nothing", "a name without end", "cut off", "garbage behind"],
)
def test_what_is_not_unpacked(chunks: list[bytes], words: str) -> None:
    """Neither few bytes that stand for many nor many that stand for none are read further than a listing is long."""
    with pytest.raises(Failure, match=words):
        unpack(chunks, 1_000_000)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, 20.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:01 GMT"}, 0.0),
        ({"retry-after": "99999999"}, 3600.0),
        ({"retry-after": "soon"}, None),
        ({"ratelimit": '"api";r=0;t=55'}, 55.0),
        ({"ratelimit": '"api";r=10;t=55'}, None),
        ({"ratelimit": '"resolvers";r=9;t=5, "api"; r = 0; t = 55'}, 55.0),
        ({"ratelimit": "limit=100, remaining=0, reset=55"}, 55.0),
        ({"ratelimit-reset": "55", "ratelimit-remaining": "0"}, 55.0),
        ({"x-ratelimit-reset": "55"}, 55.0),
        ({"x-ratelimit-reset": "55", "x-ratelimit-remaining": "3"}, None),
        ({"x-ratelimit-reset": "1700000060", "x-ratelimit-remaining": "0"}, 3600.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "7", "ratelimit": '"api";r=0;t=55'}, 7.0),
    ],
)
def test_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    """Retry-After is seconds or a date; Hugging Face says it in a header of its own; a year is an hour."""
    assert retry_after_s(headers, now=lambda: 40.0) == seconds


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://u:p@a.test:1/x?sig=1#y", "see https://a.test:1/x?..."),
        ("https://a.test/x", "https://a.test/x"),
        ("no address", "no address"),
    ],
)
def test_addresses_as_they_may_be_shown(text: str, shown: str) -> None:
    """No user, no password, no signature."""
    assert redact(text) == shown
