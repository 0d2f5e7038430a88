"""Lies about what a repository holds: paths, sizes, digests, and answers that are no listing, or one without end."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.fakehub.faults import Drip, HugeListing
from tests.fakehub.messages import Request, Response
from tests.hostile.attack import Attack, Row, Rows, adding, by_faults, headed, instead, like, listing, path_of, saying

DEEP = "/".join(["d"] * 200)
PATHS = {
    "climbs": "../../../evil",
    "climbs in the middle": "a/../../evil",
    "is absolute": "/mirrorhub-evil/canary.txt",
    "names a drive": "C:/evil",
    "names a drive without a root": "c:evil",
    "is a network share": "//server/share/evil",
    "is a network share of Windows": "\\\\server\\share\\evil",
    "has a backslash": "..\\..\\evil",
    "holds a zero byte": "a\0b",
    "holds a line break": "a\r\nb",
    "holds half a character": "a\ud800b",
    "has a part of 300 bytes": "x" * 300,
    "has 5,000 bytes": "/".join(["x" * 99] * 50),
    "lies 200 folders deep": DEEP,
    "has an empty part": "a//b",
    "is nothing": "",
    "lies in our own folder": ".mirrorhub/notes/master.json",
    "lies in our own folder in capitals": "a/.MIRRORHUB/notes/master.json",
    "lies in our own folder, hidden": ".mirror\u200bhub/notes/master.json",
    "lies in git's folder": ".git/hooks/post-checkout",
    "lies in git's folder in capitals": "x/.GIT/config",
    "lies in git's folder, hidden": ".g\u200cit/config",
    "is a file and a folder": "model.bin/evil",
}

SIZES: dict[str, object] = {"below nothing": -1, "of 2**63 bytes": 1 << 63, "of 10**30 bytes in digits": 10**30}


def numbered(count: int) -> Callable[..., Response]:
    """One page of so many rows for whatever folder is asked for, and no end."""

    def edit(request: Request, response: Response) -> Response:
        page = request.query.get("PageNumber", "1")
        rows = (
            f'{{"Path":"f{page}-{number}","Type":"blob","Size":1,"Sha256":"{number:064x}"}}' for number in range(count)
        )
        return response.with_body(b'{"Code":200,"Data":{"Files":[' + ",".join(rows).encode() + b"]}}")

    return edit


def packed(data: Callable[[], Iterator[bytes]], layers: int = 1) -> Callable[..., Response]:
    """The answer, packed so often."""

    def edit(_: Request, response: Response) -> Response:
        def chunks() -> Iterator[bytes]:
            packer = zlib.compressobj(9, zlib.DEFLATED, 31)
            for chunk in data():
                yield packer.compress(chunk)
            yield packer.flush()

        whole = b"".join(chunks())
        for _ in range(layers - 1):
            whole = gzip.compress(whole, mtime=0)
        return response.with_body(whole).with_header("content-encoding", "gzip")

    return edit


def spaces(count: int) -> Callable[[], Iterator[bytes]]:
    """So many MiB of nothing."""
    return lambda: (b" " * (1 << 20) for _ in range(count))


def many(thing: bytes) -> Callable[..., Response]:
    """A list of the same, of 60 MB; made when it is asked for."""

    def chunks() -> Iterator[bytes]:
        yield b"["
        for _ in range(60):
            yield thing * (1_000_000 // len(thing))
        yield b"0]"

    return lambda _, response: response.with_body(chunks)


def endless_json() -> Iterator[bytes]:
    """A list that never ends."""
    yield b"["
    while True:
        yield b'{"path":"a","type":"file","size":1},' * 1000


def linked(to: str) -> Callable[[Request, Response], Response]:
    """A page that says where the next one is; `{path}` stands for its own."""

    def edit(request: Request, response: Response) -> Response:
        return response.with_header("link", f'<{to.replace("{path}", request.path)}>; rel="next"')

    return edit


def counting() -> Callable[[Request, Response], Response]:
    """A page that has a next one, each time at another address."""
    count = iter(range(10**9))

    def edit(request: Request, response: Response) -> Response:
        number = next(count)
        rows = [like(row, path=f"{number}/{path_of(row)}") for row in json.loads(response.read())]
        return linked(f"{{path}}?cursor={number}")(request, response.with_body(json.dumps(rows).encode()))

    return edit


def twice(rows: list[Row]) -> list[Row]:
    """The model, once more and otherwise."""
    return rows + [like(row, size=7, sha256="0" * 64) for row in rows if path_of(row) == "model.bin"]


def typed(kind: str) -> Rows:
    """A row of another kind than file or folder, and without content."""

    def edit(rows: list[Row]) -> list[Row]:
        extra: Row = {"mode": "120000", "size": 9, "Size": 9, "target": "/etc/passwd"}
        names: Row = {"Path": "link", "path": "link", "Type": kind, "type": kind}
        return [*rows, {**extra, **names}]

    return Rows(edit)


def on_tree(edit: Callable[[Request, Response], Response]) -> Attack:
    """An attack on Hugging Face's pages."""
    return Attack("", by_faults(listing(lambda request, was: edit(request, was) if "/tree/" in request.path else was)))


def of_pages(name: str, edit: Callable[[Request, Response], Response], says: str) -> Attack:
    """An attack on Hugging Face's pages, by name."""
    return replace(on_tree(edit), name=f"next page {name}", says=says, hubs=("huggingface",))


LISTINGS = [
    *(Attack(f"path {name}", by_faults(adding(path)), "lists") for name, path in PATHS.items()),
    *(Attack(f"size {name}", by_faults(saying(size=size)), "lists a size") for name, size in SIZES.items()),
    Attack("one file twice, otherwise", by_faults(Rows(twice)), "twice, differently"),
    Attack("a path that is a number", by_faults(Rows(lambda rows: [*rows, like(rows[-1], path=7)])), "without a path"),
    Attack("rows that are no objects", by_faults(Rows(lambda rows: [*rows, 7])), "is not a list of files"),  # type: ignore[list-item]
    Attack("a million entries", by_faults(HugeListing(1_000_000)), "", heavy=True),
    Attack("60,000 entries", by_faults(HugeListing(60_000)), "more than 50,000 files"),
    Attack("deep brackets", by_faults(listing(instead(b"[" * 100_000))), "instead of a"),
    Attack("deep objects", by_faults(listing(instead(b'{"Data":' * 100_000))), "instead of a"),
    Attack("a number of 100,000 digits", by_faults(listing(instead(b"[" + b"9" * 100_000 + b"]"))), ""),
    Attack("not a number", by_faults(listing(instead(b'{"Data": NaN, "sha": NaN}'))), ""),
    Attack("an endless number", by_faults(listing(instead(b'{"Data": 1e999, "sha": Infinity}'))), ""),
    Attack("a text", by_faults(listing(instead(b'"Files"'))), ""),
    Attack("nothing", by_faults(listing(instead(b"null"))), ""),
    Attack("no text at all", by_faults(listing(instead(b"\xff\xfe\x00"))), "instead of a listing"),
    Attack(
        "a page that never ends",
        by_faults(listing(lambda _, was: was.with_body(endless_json))),
        "not read further",
        heavy=True,
    ),
    Attack(
        "20 million empty objects",
        by_faults(listing(many(b"{},"))),
        "far more things",
        heavy=True,
    ),
    Attack(
        "10 million short texts",
        by_faults(listing(many(b'"ab",'))),
        "far more things",
        heavy=True,
    ),
    Attack("a gzip bomb", by_faults(listing(packed(spaces(100)))), "unpacks to far more", heavy=True),
    Attack("a gzip bomb in a gzip bomb", by_faults(listing(packed(spaces(100), 2))), "", heavy=True),
    Attack(
        "gzip that is called br",
        by_faults(listing(lambda _, was: headed(content_encoding="br").edit(_, was))),
        "encoded as 'br'",
    ),
    Attack(
        "gzip twice",
        by_faults(listing(lambda _, was: headed(content_encoding="gzip, gzip").edit(_, was))),
        "encoded as 'gzip, gzip'",
    ),
    Attack("a listing byte by byte", by_faults(Drip(bytes_per_s=20)), "", timeout_s=2.0),
    Attack(
        "a digest of the empty file",
        by_faults(saying(sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")),
        "digest",
    ),
    Attack("a digest of another file", by_faults(saying(sha256="0" * 64)), "digest"),
    Attack("a size that is too small", by_faults(saying(size=10)), ""),
    Attack("a size that is too large", by_faults(saying(size=10**9)), ""),
    Attack("more bytes than any disk has", by_faults(saying(size=1 << 49)), ""),
    Attack("a file that nobody has", by_faults(adding("ghost.bin")), "ghost.bin"),
    Attack("a digest that is none", by_faults(saying(sha256="not-hex")), alone="right"),
    Attack("a size that is a text", by_faults(saying(size="many")), alone="right"),
    Attack("a size that is a fraction", by_faults(saying(size=1.5)), alone="right"),
    Attack("a symbolic link", by_faults(typed("symlink")), alone="right", hubs=("huggingface",)),
    Attack("a symbolic link to a file elsewhere", by_faults(typed("symlink")), "link", hubs=("modelscope",)),
    Attack(
        "a commit that climbs",
        by_faults(listing(instead(b'{"sha": "../../x", "siblings": []}'))),
        "names no commit",
        hubs=("huggingface",),
    ),
    of_pages("is the same page", linked("{path}?recursive=true&expand=false"), "never ends"),
    of_pages("is always another one", counting(), "never ends"),
    of_pages("is on this machine's own network", linked("https://10.0.0.1/x"), "a private address"),
    of_pages("is a metadata service", linked("https://169.254.169.254/latest"), "metadata"),
    of_pages("is without TLS", linked("http://localhost/x"), "not followed"),
    of_pages("is a file", linked("file:///etc/passwd"), "not followed"),
    Attack("3,000 rows for whatever folder", by_faults(listing(numbered(3000))), "3,000 entries", hubs=("modelscope",)),
]
