"""Hugging Face's protocol: a revision names a commit, a commit's tree lists, `resolve` gives a file.

    GET {endpoint}/api/models/{id}/revision/{rev}?blobs=true             {"sha": "<40 hex>", "siblings": [...], ...}
    GET {endpoint}/api/models/{id}/tree/{sha}?recursive=true&expand=false    pages of 1,000, linked by `Link`
    GET {endpoint}/[datasets/|spaces/|kernels/]{id}/resolve/{sha}/{path}     200 or a redirect to a data host

Source: huggingface_hub 2.4.0, `hf_api.py` and `file_download.py`. The first answer tells commit and files in one round
trip, where the endpoint knows `blobs`; else, and for large repositories, the tree is asked for. Of files that are named
in a repository of more than one page, `resolve` tells size and digest, as it tells huggingface_hub. An LFS file has its
sha256, any other git's sha1 of it. The Xet headers are not asked for, so that large files come over plain HTTP.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial as bind
from urllib.parse import quote

from mirrorhub.chain.beat import Beat
from mirrorhub.faults import Failure, Fault
from mirrorhub.http.client import Answer
from mirrorhub.hubs.listing import check_count, checked_files, epoch_of, rows_of, sha1_of, sha256_of, size_of, text_of
from mirrorhub.hubs.looks import Looks, is_named, size_told
from mirrorhub.hubs.pages import Page, Pages, Row, next_page
from mirrorhub.lane import Lane, Slice, common_failure, read_json
from mirrorhub.models import FileEntry, Manifest, Repo, Sought
from mirrorhub.spans import Span

MAX_SIBLINGS = 10_000
"""The tree comes in pages; this list does not, and is not sure to be whole in a very large repository."""
_MAX_WORDS = 4 << 10
"""Bytes of an answer that may be a reason."""
_ETAG = "x-linked-etag"
"""What the hub calls a file's content; the plain ETag of a redirect, or of who stands in between, is another."""
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PREFIX = {"model": "", "dataset": "datasets/", "space": "spaces/", "kernel": "kernels/"}
_BY_CODE = {
    "RepoNotFound": Fault.NO_REPO,
    "RevisionNotFound": Fault.NO_REVISION,
    "EntryNotFound": Fault.NO_FILE,
    "GatedRepo": Fault.DENIED,
}
_BY_WORDS = {
    "repository not found": Fault.NO_REPO,
    "invalid rev id": Fault.NO_REVISION,
    "revision not found": Fault.NO_REVISION,
    "entry not found": Fault.NO_FILE,
}
"""What a mirror may leave standing of an answer whose headers it drops."""
_WRONG_TOKEN = "invalid credentials in authorization header"


def is_commit(revision: str) -> bool:
    """Whether a revision names a commit by its full hash."""
    return _COMMIT.fullmatch(revision) is not None


class _UntoldError(Exception):
    """What a file is, is not told with it."""


class HuggingFace:
    """Asks a Hugging Face hub, or a mirror that speaks like one."""

    default_revision = "main"

    def __init__(self) -> None:
        self._pages = Pages()
        self._looks = Looks()

    @property
    def told(self) -> int:
        """How many pages of listings have come in this call."""
        return self._pages.count + self._looks.count

    def credentials(self, token: str) -> dict[str, str]:
        """Return the header that carries a token."""
        return {"authorization": f"Bearer {token}"}

    async def manifest(self, lane: Lane, sought: Sought, beat: Beat) -> Manifest:
        """Ask which commit a revision names and what it holds; where that is much, what the named files are.

        Raises:
            Failure: The endpoint did not say.
        """
        revision, is_large, dated_s = sought.revision, sought.is_large, None
        if not is_commit(revision):
            info = await self._info(lane, sought.repo, revision, beat)
            dated_s = epoch_of(info.get("lastModified"))
            if (files := _siblings(info)) is not None:
                checked = checked_files(files, sought.max_files)
                return Manifest(sought.repo, revision, _commit(info), checked, lane.endpoint.voucher, dated_s=dated_s)
            commit, is_large = _commit(info), _count(info) >= MAX_SIBLINGS
        else:
            commit = revision
        if is_named(sought.scope) and (is_large or await self._is_long(lane, sought.repo, commit, beat)):
            with suppress(_UntoldError):
                return await self._named(lane, sought, commit, beat)
        return replace(await self._tree(lane, sought, commit, beat), dated_s=dated_s)

    async def commit(self, lane: Lane, repo: Repo, revision: str, beat: Beat) -> str | None:
        """Ask which commit a revision names, and no more.

        Raises:
            Failure: The endpoint did not say.
        """
        return revision if is_commit(revision) else _commit(await self._info(lane, repo, revision, beat, "expand=sha"))

    async def _tree(self, lane: Lane, sought: Sought, commit: str, beat: Beat) -> Manifest:
        rows = await self._every_page(bind(self._page, lane, sought.repo, commit, beat), sought.max_files)
        # What is neither a file nor a folder, a submodule for one, has no bytes here.
        files = [_file(row) for row in rows if text_of(row, "type") in ("file", None)]
        checked = checked_files(files, sought.max_files)
        return Manifest(sought.repo, sought.revision, commit, checked, lane.endpoint.voucher)

    async def _named(self, lane: Lane, sought: Sought, commit: str, beat: Beat) -> Manifest:
        """Ask for the files alone.

        Raises:
            _UntoldError: The endpoint gives files, and does not pass on what the hub says of them.
            Failure: It did not say.
        """

        async def look(path: str) -> FileEntry | None:
            return _told(await lane.peek(_resolve(lane, sought.repo, commit, path), _ETAG, beat), path, commit)

        files = await self._looks.at(commit, sought.scope or (), look)
        checked = checked_files(files, sought.max_files)
        return Manifest(sought.repo, sought.revision, commit, checked, lane.endpoint.voucher, sought.scope)

    async def _is_long(self, lane: Lane, repo: Repo, commit: str, beat: Beat) -> bool:
        """Whether there is more in a commit than one page tells."""
        return (await self._page(lane, repo, commit, beat)).following is not None

    async def _page(self, lane: Lane, repo: Repo, commit: str, beat: Beat, url: str | None = None) -> Page:
        path = f"{_api(lane, repo)}/tree/{commit}"

        async def ask(url: str) -> Page:
            answer = await lane.get(url, beat)
            return Page(rows_of(read_json(answer, _failure), "the tree"), next_page(answer, path))

        return await self._pages.get(url or f"{path}?recursive=true&expand=false", ask)

    async def _every_page(self, get_page: Callable[[str | None], Awaitable[Page]], max_files: int) -> list[Row]:
        url: str | None = None
        rows: list[Row] = []
        seen: set[str | None] = set()
        while not seen or url:
            seen.add(url)
            page = await get_page(url)
            rows += page.rows
            check_count(len(rows), max_files)
            url = page.following
            if url and (url in seen or not page.rows):
                raise Failure(Fault.BAD_LISTING, "never ends: a page that is empty, or was seen before, has a next one")
        return rows

    async def _info(
        self, lane: Lane, repo: Repo, revision: str, beat: Beat, query: str = "blobs=true"
    ) -> Mapping[str, object]:
        answer = await lane.get(f"{_api(lane, repo)}/revision/{quote(revision, safe='')}?{query}", beat)
        info = read_json(answer, _failure)
        if not isinstance(info, dict):
            raise Failure(Fault.NOT_A_HUB, "says nothing about the revision")
        return info

    async def open(self, lane: Lane, repo: Repo, revision: str, entry: FileEntry, span: Span, beat: Beat) -> Slice:
        """Ask for a span of a file's bytes.

        Raises:
            Failure: The endpoint did not give them.
        """
        return await lane.open(_resolve(lane, repo, revision, entry.path), span, entry.size, beat, _file_failure)

    async def aclose(self) -> None:
        """Nothing was gathered."""


def _resolve(lane: Lane, repo: Repo, revision: str, path: str) -> str:
    name = _PREFIX[repo.type] + quote(lane.repo_id(repo))
    return f"/{name}/resolve/{quote(revision, safe='')}/{quote(path)}"


def _api(lane: Lane, repo: Repo) -> str:
    return f"/api/{repo.type}s/{quote(lane.repo_id(repo))}"


def _commit(info: Mapping[str, object]) -> str:
    commit = info.get("sha")
    if not isinstance(commit, str) or not is_commit(commit):
        raise Failure(Fault.NOT_A_HUB, "names no commit for the revision")
    return commit


def _siblings(info: Mapping[str, object]) -> list[FileEntry] | None:
    """Read the files that come with a commit; None where they are not all there, with size and digest."""
    rows = info.get("siblings")
    if not isinstance(rows, list) or not 0 < len(rows) < MAX_SIBLINGS:
        return None
    files = [_sibling(row) for row in rows if isinstance(row, dict)]
    whole = [entry for entry in files if entry is not None and entry.size is not None and entry.digest is not None]
    return whole if len(whole) == len(rows) else None


def _count(info: Mapping[str, object]) -> int:
    rows = info.get("siblings")
    return len(rows) if isinstance(rows, list) else 0


def _told(answer: Answer, path: str, commit: str) -> FileEntry | None:
    """Read what a file is from the headers that huggingface_hub reads; None where the commit has no such file.

    Raises:
        _UntoldError: The answer says neither.
        Failure: There is no answer to that now, or not for this user.
    """
    if answer.status >= 400:
        failure = _file_failure(answer)
        if failure.fault is Fault.NO_FILE:
            return None
        raise _UntoldError if failure.fault is Fault.NOT_A_HUB else failure
    etag = answer.headers.get(_ETAG) or answer.headers.get("etag", "")
    name = etag.removeprefix("W/").strip('"')
    entry = FileEntry(path, size_told(answer), sha256_of(name), sha1_of(name))
    if answer.headers.get("x-repo-commit") != commit or entry.size is None or entry.digest is None:
        raise _UntoldError
    return entry


def _sibling(row: Mapping[str, object]) -> FileEntry | None:
    path, lfs = text_of(row, "rfilename"), row.get("lfs")
    if path is None:
        return None
    if isinstance(lfs, dict):
        pointer = sha1_of(text_of(row, "blobId"))
        return FileEntry(path, size_of(lfs, "size"), sha256=sha256_of(text_of(lfs, "sha256")), pointer=pointer)
    return FileEntry(path, size_of(row, "size"), git_sha1=sha1_of(text_of(row, "blobId")))


def _file(row: Mapping[str, object]) -> FileEntry:
    path = text_of(row, "path")
    if path is None:
        raise Failure(Fault.BAD_LISTING, "lists an entry without a path")
    lfs = row.get("lfs")
    if isinstance(lfs, dict):
        pointer = sha1_of(text_of(row, "oid"))
        return FileEntry(path, size_of(lfs, "size"), sha256=sha256_of(text_of(lfs, "oid")), pointer=pointer)
    return FileEntry(path, size_of(row, "size"), git_sha1=sha1_of(text_of(row, "oid")))


def _failure(answer: Answer, unknown: Fault = Fault.NO_REPO) -> Failure:
    """The hub says in X-Error-Code what is missing; without any word of it a 404 is not the hub's."""
    code, message = answer.headers.get("x-error-code", ""), _message(answer)
    fault = _BY_CODE.get(code) or _fault_in(answer.status, message, unknown)
    if fault is None:
        return common_failure(answer)
    return Failure(fault, f"answered {answer.status}: {(message or code)[:300]}")


def _file_failure(answer: Answer) -> Failure:
    """Whose listing was told is there: 401 means no more than that."""
    return _failure(answer, unknown=Fault.DENIED)


def _fault_in(status: int, message: str, unknown: Fault) -> Fault | None:
    """Who is not known to the hub is told 401 of what is not there, as of what is private."""
    words = message.lower()
    if status == 401 and words:
        return Fault.DENIED if words == _WRONG_TOKEN else unknown
    if status == 403 and words:
        return Fault.DENIED
    return next((fault for known, fault in _BY_WORDS.items() if status == 404 and words.startswith(known)), None)


def _message(answer: Answer) -> str:
    if message := answer.headers.get("x-error-message"):
        return message
    if len(answer.body) > _MAX_WORDS:
        return ""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return answer.body.decode(errors="replace") if answer.status == 404 else ""
    return text_of(body, "error") or "" if isinstance(body, dict) else ""
