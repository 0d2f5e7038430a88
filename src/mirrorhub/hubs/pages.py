"""A listing in pages. What has come is not asked for again: after a fault it goes on where it broke off."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit

from mirrorhub.faults import Failure, Fault
from mirrorhub.http.client import Answer

Row = Mapping[str, object]
_LINK = re.compile(r"<([^>]*)>((?:\s*;\s*[^\s;,=]+\s*=\s*(?:\"[^\"]*\"|[^\s;,]+))*)")
_NEXT = re.compile(r";\s*rel\s*=\s*(?:\"(?:[^\"]*\s)?next(?:\s[^\"]*)?\"|next\b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a listing, and where the next one is."""

    rows: list[Row]
    following: str | None = None


class Pages:
    """What one endpoint has told of a listing in this call."""

    def __init__(self) -> None:
        self._pages: dict[str, Page] = {}

    @property
    def count(self) -> int:
        """How many pages have come."""
        return len(self._pages)

    async def get(self, url: str, ask: Callable[[str], Awaitable[Page]]) -> Page:
        """Return the page at an address; it is asked for once.

        Raises:
            Failure: It did not come.
        """
        if url not in self._pages:
            self._pages[url] = await ask(url)
        return self._pages[url]


def next_page(answer: Answer, path: str) -> str | None:
    """Return where the page after this one is, from a `Link: <...>; rel="next"` header (RFC 8288).

    A mirror often passes on the hub's own header, with the hub's host in it, or leaves out a prefix that a proxy
    has put before its paths: what is the same listing is asked for where this page came from.

    Args:
        answer: The page.
        path: The listing's path below the endpoint.

    Raises:
        Failure: The address is not followed.
    """
    links = _LINK.finditer(answer.headers.get("link", ""))
    said = next((str(link[1]) for link in links if _NEXT.search(link[2])), None)
    if said is None:
        return None
    target = urljoin(answer.url, said.strip())
    parts = urlsplit(target)
    if unquote(parts.path).endswith(unquote(path)):
        return f"{path}?{parts.query}"
    if parts.scheme not in ("http", "https") or (parts.scheme == "http" and answer.url.startswith("https:")):
        raise Failure(Fault.REDIRECT, "the next page of the listing is at an address that is not followed")
    return target
