"""One attack: how it is brought about, and what must come of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Protocol

from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import LISTING
from tests.fakehub.messages import Kind, Request, Response
from tests.fakehub.repo import HubName, sample_bytes
from tests.fakehub.rules import Fault, Rule

ID = "org/name"
FILES = {
    "config.json": b'{"a": 1}',
    "sub/tokens.txt": sample_bytes("tokens", 5_000),
    "model.bin": sample_bytes("model", 300_000),
}
EVIL = b"evil" * 75_000
HUBS: tuple[HubName, ...] = ("modelscope", "huggingface")

Ending = Literal["refused", "right", "its word"]
"""What comes of an attack: an error, the right files all the same, or files on the mirror's word, which is said."""


class Mirror(Protocol):
    """Whoever attacks."""

    @property
    def url(self) -> str:
        """Where it is asked."""


Bring = Callable[[HubName], AbstractContextManager[Mirror]]


@dataclass(frozen=True)
class Attack:
    """One thing that a mirror does.

    Attributes:
        name: What it does, in a few words.
        bring: Makes the mirror that does it, speaking a hub's protocol.
        says: What the error of a refusal says of it, whatever the hub.
        alone: What comes of it where nobody else can be asked.
        hubs: Whose protocols it is an attack on.
        timeout_s: How long the call may take.
        limit_s: How long it may hold a call up.
        heavy: It is of such a size that memory is measured, in a process of its own.
    """

    name: str
    bring: Bring
    says: str = ""
    alone: Ending = "refused"
    hubs: tuple[HubName, ...] = HUBS
    timeout_s: float | None = None
    limit_s: float = 15.0
    heavy: bool = False

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def by_faults(*faults: Fault | Rule, files: Mapping[str, bytes] = FILES, **manner: object) -> Bring:
    """A hub of which something goes wrong."""

    def bring(hub: HubName) -> AbstractContextManager[Mirror]:
        return FakeHub([Repo(hub, ID, files)], faults, name="bad", **manner)  # type: ignore[arg-type]

    return bring


@dataclass(frozen=True)
class Twist(Fault):
    """An answer that is changed in any way."""

    edit: Callable[[Request, Response], Response]
    kinds: ClassVar[frozenset[Kind]] = frozenset({"listing", "revision", "body"})

    def after(self, request: Request, response: Response) -> Response:
        """Change it."""
        return self.edit(request, response)


def headed(**headers: str) -> Twist:
    """An answer with other headers; underscores are hyphens."""

    def edit(_: Request, response: Response) -> Response:
        for name, value in headers.items():
            response = response.with_header(name.replace("_", "-"), value)
        return response

    return Twist(edit)


Row = dict[str, object]


@dataclass(frozen=True)
class Rows(Fault):
    """A listing whose rows are changed, in the words of whichever hub."""

    edit: Callable[[list[Row]], Iterable[Row]]
    kinds: ClassVar[frozenset[Kind]] = frozenset({"listing", "revision"})

    def after(self, request: Request, response: Response) -> Response:
        """Change them."""
        if response.status != 200:
            return response
        body = json.loads(response.read())
        if isinstance(body, list):
            return response.with_body(_json(list(self.edit(body))))
        holder = body.get("Data", body)
        name = "Files" if "Files" in holder else "siblings"
        if name == "siblings" and not any("size" in row for row in holder.get(name, ())):
            return response
        return response.with_body(_json({**body, **_changed(body, holder, name, list(self.edit(holder[name] or [])))}))


def _changed(body: Row, holder: Row, name: str, rows: Sequence[Row]) -> Row:
    return {name: rows} if holder is body else {"Data": {**holder, name: rows}}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


_NAMES = {"path": ("Path", "path", "rfilename"), "size": ("Size", "size"), "sha256": ("Sha256", "oid", "sha256")}


def like(row: Row, **values: object) -> Row:
    """A row like another one, with other values for `path`, `size`, `sha256` under the names that its hub has."""
    changed = dict(row)
    for what, value in values.items():
        for name in _NAMES[what]:
            if name in row:
                changed[name] = value
    lfs = row.get("lfs")
    return {**changed, "lfs": like(lfs, **values)} if isinstance(lfs, dict) else changed


def path_of(row: Row) -> str:
    """The path in a row."""
    return str(next(row[name] for name in _NAMES["path"] if name in row))


def adding(*paths: str) -> Rows:
    """A listing with more rows, each like that of the model."""

    def edit(rows: list[Row]) -> list[Row]:
        honest = [row for row in rows if path_of(row) == "model.bin"]
        return rows + [like(honest[0], path=path) for path in paths if honest]

    return Rows(edit)


def saying(**values: object) -> Rows:
    """A listing that says something else of the model."""
    return Rows(lambda rows: [like(row, **values) if path_of(row) == "model.bin" else row for row in rows])


def body(edit: Callable[[Request, Response], Response], match: str = "model.bin") -> Rule:
    """Another answer in place of the model's bytes."""
    return Rule(Twist(edit), match)


def listing(edit: Callable[[Request, Response], Response]) -> Rule:
    """Another answer in place of the listing."""
    return Rule(Twist(edit), lambda request: any(word in request.path for word in ("/files", "/tree/", "/revision/")))


def instead(data: bytes, content_type: str = "application/json", status: int = 200) -> Callable[..., Response]:
    """An answer of these bytes, whatever was asked."""
    return lambda *_: Response(status, (("content-type", content_type),)).with_body(data)


def with_status(status: int, **headers: str) -> Callable[..., Response]:
    """The hub's answer under another status."""
    return lambda request, response: headed(**headers).edit(request, replace(response, status=status))


ALL_LISTING = LISTING | {"revision"}
