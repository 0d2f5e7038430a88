"""Unpack a small answer that came compressed, no further than it may be long: a few bytes can stand for gigabytes."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, AsyncIterator

from mirrorhub.faults import Failure, Fault

_GZIP = 16 + zlib.MAX_WBITS
_BLOCK = 256 << 10


async def unpacked(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Yield what gzip (RFC 1952) has packed, in blocks; whoever reads decides how much is too much.

    Raises:
        Failure: It is not gzip, or ends too early.
    """
    unpacker = zlib.decompressobj(_GZIP)
    async for chunk in chunks:
        while chunk and not unpacker.eof:
            try:
                block = unpacker.decompress(chunk, _BLOCK)
            except zlib.error:
                raise Failure(Fault.NOT_A_HUB, "answered with something that calls itself gzip and is not") from None
            chunk = unpacker.unconsumed_tail
            if block:
                yield block
    if not unpacker.eof:
        raise Failure(Fault.SHORT_BODY, "compressed answer ended too early")
