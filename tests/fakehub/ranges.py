"""Range requests as RFC 9110 has them: one part, several parts, none of them satisfiable."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from tests.fakehub.messages import Request, Response

BOUNDARY = "fakehub-part"


def ranged(request: Request, whole: Response) -> Response:
    """Answer a request for a part of a body, given the answer for all of it.

    A header that is malformed, or an If-Range that no longer holds, gets the whole; so does an empty body, since
    clients in the field ask for `bytes=0-` of empty files and take 416 for an error.
    """
    data = whole.body
    whole = whole.with_header("accept-ranges", "bytes")
    wanted = request.headers.get("range")
    if wanted is None or callable(data) or not data or not _holds(request, whole):
        return whole
    spans = parse_range(wanted, len(data))
    if spans is None:
        return whole
    if not spans:
        return replace(whole, status=416).with_body(b"").with_header("content-range", f"bytes */{len(data)}")
    return _part(whole, memoryview(data), spans[0]) if len(spans) == 1 else _parts(whole, memoryview(data), spans)


def parse_range(value: str, size: int) -> list[tuple[int, int]] | None:
    """Read a Range header as half-open spans.

    Returns:
        The satisfiable spans in the order asked, maybe none; None if the header is malformed.
    """
    unit, _, wanted = value.partition("=")
    if unit.strip() != "bytes":
        return None
    matches = [re.fullmatch(r"(\d*)-(\d*)", part.strip()) for part in wanted.split(",")]
    spans = [_span(match[1], match[2], size) if match else None for match in matches]
    if any(span is None for span in spans):
        return None
    return [span for span in spans if span and span[0] < span[1]]


def _span(first: str, last: str, size: int) -> tuple[int, int] | None:
    if not first:
        return (max(0, size - int(last)), size) if last else None
    if last and int(last) < int(first):
        return None
    return int(first), min(size, int(last) + 1) if last else size


def _holds(request: Request, whole: Response) -> bool:
    return request.headers.get("if-range") in (None, whole.header("etag"))


def _part(whole: Response, data: memoryview, span: tuple[int, int]) -> Response:
    start, stop = span
    part = replace(whole, status=206).with_body(data[start:stop])
    return part.with_header("content-range", f"bytes {start}-{stop - 1}/{len(data)}")


def _parts(whole: Response, data: memoryview, spans: Sequence[tuple[int, int]]) -> Response:
    kind = whole.header("content-type") or "application/octet-stream"
    pieces = []
    for start, stop in spans:
        head = f"--{BOUNDARY}\r\nContent-Type: {kind}\r\nContent-Range: bytes {start}-{stop - 1}/{len(data)}\r\n\r\n"
        pieces += [head.encode(), bytes(data[start:stop]), b"\r\n"]
    body = b"".join([*pieces, f"--{BOUNDARY}--\r\n".encode()])
    answer = replace(whole, status=206).with_body(body)
    return answer.with_header("content-type", f"multipart/byteranges; boundary={BOUNDARY}")
