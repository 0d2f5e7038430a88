"""ModelScope's protocol: `repo/files` lists, `repo?FilePath=` gives a file.

    GET {endpoint}/api/v1/models/{id}/repo/files?Revision=&Recursive=True[&Root=]    one answer, cut off at 3,000 rows
    GET {endpoint}/api/v1/datasets/{id}/repo/tree?...&PageNumber=&PageSize=200       pages, until a short one
    GET {endpoint}/api/v1/{models|datasets}/{id}/repo?Revision=&FilePath=            200 or a redirect to a data host

Source: modelscope_hub 0.5.1, `_legacy_api.py` and `_download.py`. Every file is listed with its sha256.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial as bind
from urllib.parse import quote, urlencode

from mirrorhub.chain.beat import Beat
from mirrorhub.faults import Failure, Fault
from mirrorhub.http.client import Answer
from mirrorhub.hubs.envelope import file_failure, rows_in
from mirrorhub.hubs.folders import CUT_OFF, kind_of, path_of, walk_folders
from mirrorhub.hubs.listing import (
    MILLISECONDS,
    check_count,
    checked_files,
    epoch_of,
    rows_of,
    sha1_of,
    sha256_of,
    size_of,
    text_of,
)
from mirrorhub.hubs.looks import Looks, size_told
from mirrorhub.hubs.narrow import Ways, narrowed
from mirrorhub.hubs.pages import Page, Pages, Row
from mirrorhub.lane import Lane, Slice, read_json
from mirrorhub.models import FileEntry, Manifest, Repo, Sought
from mirrorhub.spans import Span

PAGE_SIZE = 200
FEW_PAGES = 5
"""Of a data set with more pages than these, no more is listed than is wanted."""
_ETAG = "x-linked-etag"
_NO_FILES = ("tree", "commit")
"""Folders, and git's submodules, of which there are no bytes here."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A name for a state that does not change, and when it was given, in epoch seconds."""

    name: str
    created_s: float


class ModelScope:
    """Asks a ModelScope hub, or a mirror that speaks like one."""

    default_revision = "master"

    def __init__(self) -> None:
        self._pages = Pages()
        self._looks = Looks()

    @property
    def told(self) -> int:
        """How many pages of listings have come in this call."""
        return self._pages.count + self._looks.count

    def credentials(self, token: str) -> dict[str, str]:
        """Return the two forms in which the SDK sends a token."""
        return {"authorization": f"Bearer {token}", "cookie": f"m_session_id={token}"}

    async def manifest(self, lane: Lane, sought: Sought, beat: Beat) -> Manifest:
        """Ask what a repository holds; what was cut off is walked folder by folder, as far as it is in the scope.

        Raises:
            Failure: The endpoint did not say.
        """
        ways, scope = self._ways(lane, sought, beat), sought.scope
        if scope is None or not await self._is_cut_off(lane, sought, beat):
            rows, scope = await ways.below([""]), None
            files, dated_s = _files(rows), max((epoch_of(row.get("CommittedDate")) or 0.0 for row in rows), default=0.0)
        else:
            part, dated_s = await narrowed(scope, ways), 0.0
            looked = await self._looks.at(sought.revision, part.unknown, bind(self._look, lane, sought, beat))
            files = [*_files(part.rows), *looked]
        checked = checked_files(files, sought.max_files)
        return Manifest(sought.repo, sought.revision, None, checked, lane.endpoint.voucher, scope, dated_s or None)

    def _ways(self, lane: Lane, sought: Sought, beat: Beat) -> Ways:
        ask = bind(self._list, lane, sought.repo, sought.revision, beat)
        if sought.repo.type != "dataset":

            async def walk(roots: Sequence[str]) -> list[Row]:
                return await walk_folders(
                    lambda root, deep: ask(Recursive=str(deep), Root=root), sought.max_files, roots
                )

            return Ways(walk, lambda folder: ask(Recursive="False", Root=folder))

        async def every_page(roots: Sequence[str]) -> list[Row]:
            listings = [await _pages(bind(ask, Recursive="True", Root=root), sought.max_files) for root in roots]
            check_count(sum(map(len, listings)), sought.max_files)
            return [row for listing in listings for row in listing]

        return Ways(every_page, lambda folder: _pages(bind(ask, Recursive="False", Root=folder), None, CUT_OFF))

    async def _is_cut_off(self, lane: Lane, sought: Sought, beat: Beat) -> bool:
        """Whether one answer, or a few pages, do not tell the whole; what they tell is not asked for again."""
        ask = bind(self._list, lane, sought.repo, sought.revision, beat)
        if sought.repo.type != "dataset":
            return len(await ask(Recursive="True")) >= CUT_OFF
        return len(await _pages(bind(ask, Recursive="True"), None, FEW_PAGES * PAGE_SIZE)) >= FEW_PAGES * PAGE_SIZE

    async def _look(self, lane: Lane, sought: Sought, beat: Beat, path: str) -> FileEntry | None:
        """Ask for a file alone. Its digest comes with it where the hub has it in a store for large files."""
        query = urlencode({"Revision": sought.revision, "FilePath": path})
        answer = await lane.peek(f"{_base(lane, sought.repo)}?{query}", _ETAG, beat)
        if answer.status >= 400:
            failure = file_failure(answer)
            if failure.fault is Fault.NO_FILE:
                return None
            raise failure
        return FileEntry(path, size_told(answer), sha256_of(answer.headers.get(_ETAG, "").strip('"')))

    async def commit(self, lane: Lane, repo: Repo, revision: str, beat: Beat) -> str | None:
        """Return None: a commit is known of each file, not of the whole."""
        return None

    async def tags(self, lane: Lane, repo: Repo, beat: Beat) -> tuple[Tag, ...]:
        """Ask which tags a repository has.

        Raises:
            Failure: The endpoint did not say.
        """
        data = read_json(await lane.get(f"/api/v1/{repo.type}s/{quote(lane.repo_id(repo))}/revisions", beat), _no_tags)
        for key in ("Data", "RevisionMap"):
            data = data.get(key, data) if isinstance(data, dict) else data
        rows = data.get("Tags") if isinstance(data, dict) else None
        return tuple(map(_tag, rows_of(rows or [], "the revisions")))

    async def open(self, lane: Lane, repo: Repo, revision: str, entry: FileEntry, span: Span, beat: Beat) -> Slice:
        """Ask for a span of a file's bytes.

        Raises:
            Failure: The endpoint did not give them.
        """
        query = urlencode({"Revision": revision, "FilePath": entry.path})
        return await lane.open(f"{_base(lane, repo)}?{query}", span, entry.size, beat, file_failure)

    async def aclose(self) -> None:
        """Nothing was gathered."""

    async def _list(self, lane: Lane, repo: Repo, revision: str, beat: Beat, **query: str) -> list[Row]:
        what = "tree" if repo.type == "dataset" else "files"
        asked = {"Revision": revision} | {name: value for name, value in query.items() if value}

        async def ask(url: str) -> Page:
            return Page(self._rows_in(await lane.get(url, beat)))

        return (await self._pages.get(f"{_base(lane, repo)}/{what}?{urlencode(asked)}", ask)).rows

    def _rows_in(self, answer: Answer) -> list[Row]:
        """The live hub denies a page now and then, of a repository that it is telling of: that is a hiccup."""
        if answer.status == 403 and self.told:
            raise Failure(Fault.BUSY, "answered 403 in the middle of a listing that it was telling")
        return rows_in(answer)


async def _pages(
    ask: Callable[..., Awaitable[list[Row]]], max_files: int | None, enough: int | None = None
) -> list[Row]:
    """Ask for one page after the other, until one is short or there are enough."""
    rows: list[Row] = []
    page: list[Row] = []
    number = 1
    while (len(page) == PAGE_SIZE or number == 1) and (enough is None or len(rows) < enough):
        before, page = page, await ask(PageNumber=str(number), PageSize=str(PAGE_SIZE))
        if page and page == before:
            raise Failure(Fault.BAD_LISTING, "never ends: a page that was told before comes again")
        rows += page
        if max_files is not None:
            check_count(len(rows), max_files)
        number += 1
    return rows


def _files(rows: Iterable[Row]) -> list[FileEntry]:
    return [_file(row) for row in rows if kind_of(row) not in _NO_FILES]


def _file(row: Row) -> FileEntry:
    sha256 = sha256_of(text_of(row, "Sha256", "sha256"))
    return FileEntry(path_of(row), size_of(row, "Size", "size"), sha256, commit=sha1_of(text_of(row, "Revision")))


def _tag(row: Row) -> Tag:
    """Read a tag; the hub says when it was made in seconds or milliseconds, as a number or a text, or not at all."""
    raw = row.get("CreatedAt")
    try:
        created_s = float(raw) if isinstance(raw, str | int | float) else 0.0
    except ValueError:
        created_s = 0.0
    return Tag(text_of(row, "Revision") or "", created_s / 1000 if created_s > MILLISECONDS else created_s)


def _no_tags(answer: Answer) -> Failure:
    """An endpoint that does not list its tags is a hub all the same: nothing is held against it."""
    return Failure(Fault.NO_REVISION, f"answered {answer.status}: no list of revisions")


def _base(lane: Lane, repo: Repo) -> str:
    return f"/api/v1/{repo.type}s/{quote(lane.repo_id(repo))}/repo"
