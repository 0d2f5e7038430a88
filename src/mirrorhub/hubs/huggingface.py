"""Hugging Face's protocol: a revision names a commit, a commit's tree lists, `resolve` gives a file.

    GET {endpoint}/api/models/{id}/revision/{rev}?blobs=true             {"sha": "<40 hex>", "siblings": [...], ...}
    GET {endpoint}/api/models/{id}/tree/{sha}?recursive=true&expand=false    pages of 1,000, linked by `Link`
    GET {endpoint}/[datasets/|spaces/|kernels/]{id}/resolve/{sha}/{path}     200 or a redirect to a data host

Source: huggingface_hub 2.4.0, `hf_api.py` and `file_download.py`. The first answer tells commit and files in one round
trip, where the endpoint knows `blobs`; else, and for large repositories, the tree is asked for. An LFS file is listed
with its sha256, any other with git's sha1 of it. The Xet headers are not asked for, so that large files come over plain
HTTP.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote

from mirrorhub.chain.beat import Beat
from mirrorhub.faults import Failure, Fault
from mirrorhub.http.client import Answer
from mirrorhub.hubs.listing import check_count, checked_files, rows_of, sha1_of, sha256_of, size_of, text_of
from mirrorhub.hubs.pages import Page, Pages, Row, next_page
from mirrorhub.lane import Lane, Slice, common_failure, read_json
from mirrorhub.models import FileEntry, Manifest, Repo
from mirrorhub.spans import Span

MAX_SIBLINGS = 10_000
"""The tree comes in pages; this list does not, and is not sure to be whole in a very large repository."""
_MAX_WORDS = 4 << 10
"""Bytes of an answer that may be a reason."""
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


class HuggingFace:
    """Asks a Hugging Face hub, or a mirror that speaks like one."""

    default_revision = "main"

    def __init__(self) -> None:
        self._pages = Pages()

    @property
    def told(self) -> int:
        """How many pages of listings have come in this call."""
        return self._pages.count

    def credentials(self, token: str) -> dict[str, str]:
        """Return the header that carries a token."""
        return {"authorization": f"Bearer {token}"}

    async def manifest(self, lane: Lane, repo: Repo, revision: str, max_files: int, beat: Beat) -> Manifest:
        """Ask which commit a revision names and what it holds.

        Raises:
            Failure: The endpoint did not say.
        """
        if not is_commit(revision):
            info = await self._info(lane, repo, revision, beat)
            if (files := _siblings(info)) is not None:
                checked = checked_files(files, max_files)
                return Manifest(repo, revision, _commit(info), checked, lane.endpoint.voucher)
            commit = _commit(info)
        else:
            commit = revision
        return await self._tree(lane, repo, revision, commit, max_files, beat)

    async def commit(self, lane: Lane, repo: Repo, revision: str, beat: Beat) -> str | None:
        """Ask which commit a revision names, and no more.

        Raises:
            Failure: The endpoint did not say.
        """
        return revision if is_commit(revision) else _commit(await self._info(lane, repo, revision, beat, "expand=sha"))

    async def _tree(self, lane: Lane, repo: Repo, revision: str, commit: str, max_files: int, beat: Beat) -> Manifest:
        path = f"{_api(lane, repo)}/tree/{commit}"

        async def ask(url: str) -> Page:
            answer = await lane.get(url, beat)
            return Page(rows_of(read_json(answer, _failure), "the tree"), next_page(answer, path))

        rows = await self._every_page(f"{path}?recursive=true&expand=false", ask, max_files)
        # What is neither a file nor a folder, a submodule for one, has no bytes here.
        files = [_file(row) for row in rows if text_of(row, "type") in ("file", None)]
        return Manifest(repo, revision, commit, checked_files(files, max_files), lane.endpoint.voucher)

    async def _every_page(self, first: str, ask: Callable[[str], Awaitable[Page]], max_files: int) -> list[Row]:
        url: str | None = first
        rows: list[Row] = []
        seen: set[str] = set()
        while url:
            seen.add(url)
            page = await self._pages.get(url, ask)
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
        name = _PREFIX[repo.type] + quote(lane.repo_id(repo))
        url = f"/{name}/resolve/{quote(revision, safe='')}/{quote(entry.path)}"
        return await lane.open(url, span, entry.size, beat, _file_failure)

    async def aclose(self) -> None:
        """Nothing was gathered."""


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
