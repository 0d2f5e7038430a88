"""Unpack a small answer that came compressed: a few bytes can stand for gigabytes, and many for nothing."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, AsyncIterator

from mirrorhub.faults import Failure, Fault

_GZIP = 16 + zlib.MAX_WBITS
_BLOCK = 256 << 10
FREE, RATIO = 4 << 20, 64
"""So many bytes may be unpacked in any case; beyond them, no more than so many times what has come.

Listings pack 3 to 20 times. What packs better is no listing, and costs far more to read than to send.
"""


async def unpacked(chunks: AsyncIterable[bytes], limit: int) -> AsyncIterator[bytes]:
    """Yield what gzip (RFC 1952) has packed, in blocks, all members of it.

    Args:
        chunks: What comes.
        limit: Bytes that may come; how much may be unpacked is also decided by whoever reads.

    Raises:
        Failure: It is not gzip, ends too early, or is longer than an answer may be, packed or unpacked.
    """
    unpacker = zlib.decompressobj(_GZIP)
    packed = size = 0
    async for chunk in chunks:
        packed += len(chunk)
        if packed > limit:
            raise Failure(Fault.LONG_BODY, f"compressed answer of more than {limit:,} bytes, not read further")
        while chunk:
            if unpacker.eof:
                unpacker = zlib.decompressobj(_GZIP)
            try:
                block = unpacker.decompress(chunk, _BLOCK)
            except zlib.error:
                raise Failure(Fault.NOT_A_HUB, "answered with something that calls itself gzip and is not") from None
            chunk = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
            size += len(block)
            if size > max(FREE, RATIO * packed):
                raise Failure(Fault.LONG_BODY, "compressed answer that unpacks to far more than a listing does")
            if block:
                yield block
    if not unpacker.eof:
        raise Failure(Fault.SHORT_BODY, "compressed answer ended too early")
