"""What hubs and mirrors say otherwise, and mean the same: forms of listings, links, refusals. Data, like faults.

listings         Form Listed OnePage RootIgnored
headers          Relink NoErrorCode NothingLinked
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal
from urllib.parse import parse_qsl, urlencode

from tests.fakehub.faults import LISTING, edit_rows
from tests.fakehub.messages import Kind, Request, Response, respond_json
from tests.fakehub.rules import Fault


@dataclass(frozen=True, slots=True)
class Form(Fault):
    """A ModelScope listing in another form: `files`, a bare list, small letters, null or nothing for an empty list."""

    kinds: ClassVar[frozenset[Kind]] = LISTING
    name: Literal["files", "list", "bare", "small", "null", "none"] = "files"

    def after(self, request: Request, response: Response) -> Response:
        """Say the same rows in this form."""
        if response.status != 200 or "/api/v1/" not in request.path:
            return response
        rows = json.loads(response.read())["Data"]["Files"] or []
        forms: dict[str, object] = {
            "files": {"Code": 200, "Data": {"files": rows}},
            "list": {"Code": 200, "Data": rows},
            "bare": rows,
            "small": {"Code": 200, "Data": {"Files": [_small(row) for row in rows]}},
            "null": {"Code": 200, "Data": {"Files": rows or None}, "Success": True},
            "none": {"Code": 200, "Data": {"Files": rows} if rows else None, "Success": True},
        }
        return respond_json(forms[self.name])


@dataclass(frozen=True, slots=True)
class Listed(Fault):
    """A listing with other rows."""

    kinds: ClassVar[frozenset[Kind]] = LISTING
    edit: Callable[[list[dict[str, object]]], list[dict[str, object]]]

    def after(self, request: Request, response: Response) -> Response:
        """Put the rows in the place of the hub's."""
        return edit_rows(request, response, self.edit)


@dataclass(frozen=True, slots=True)
class OnePage(Fault):
    """Every page is the first one: the number of the page is not looked at."""

    kinds: ClassVar[frozenset[Kind]] = LISTING

    def before(self, request: Request) -> Request:
        """Ask for the first page."""
        return _asking(request, {"PageNumber": "1", "cursor": "0"})


@dataclass(frozen=True, slots=True)
class RootIgnored(Fault):
    """A mirror that does not know `Root`: it lists the whole repository each time."""

    kinds: ClassVar[frozenset[Kind]] = LISTING

    def before(self, request: Request) -> Request:
        """Ask for the whole."""
        return _asking(request, {"Root": ""})


@dataclass(frozen=True, slots=True)
class Relink(Fault):
    """The next page's address as a mirror may pass it on; `{path}` and `{query}` stand for the hub's own."""

    kinds: ClassVar[frozenset[Kind]] = LISTING
    to: str

    def after(self, request: Request, response: Response) -> Response:
        """Put another address into the Link header, where there is one."""
        link = response.header("link")
        if link is None:
            return response
        path, _, query = link.partition("://")[2].partition(">")[0].partition("/")[2].partition("?")
        return response.with_header("link", self.to.replace("{path}", f"/{path}").replace("{query}", query))


@dataclass(frozen=True, slots=True)
class NoErrorCode(Fault):
    """Refusals without X-Error-Code: the live hub says 401 so to whoever it does not know, and mirrors drop headers."""

    message: bool = True

    def after(self, request: Request, response: Response) -> Response:
        """Drop the header, and the message with it if that is said."""
        bare = response.with_header("x-error-code", None)
        return bare if self.message else bare.with_header("x-error-message", None)


@dataclass(frozen=True, slots=True)
class NothingLinked(Fault):
    """Files without what the hub says of them: a mirror passes on the bytes, under an ETag of its own."""

    kinds: ClassVar[frozenset[Kind]] = frozenset({"body"})

    def after(self, request: Request, response: Response) -> Response:
        """Drop the headers."""
        bare = response.with_header("x-linked-etag", None).with_header("x-repo-commit", None)
        return bare.with_header("etag", '"5d41402abc4b2a76b9719d911017c592"')


def _asking(request: Request, query: Mapping[str, str]) -> Request:
    path, _, asked = request.target.partition("?")
    given = dict(parse_qsl(asked, keep_blank_values=True))
    return replace(request, target=f"{path}?{urlencode({**given, **query})}")


def _small(row: Mapping[str, object]) -> dict[str, object]:
    return {name.lower(): value for name, value in row.items()}
