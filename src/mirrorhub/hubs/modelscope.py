"""ModelScope's protocol: `repo/files` lists, `repo?FilePath=` gives a file.

    GET {endpoint}/api/v1/models/{id}/repo/files?Revision=&Recursive=True[&Root=]    one answer, cut off at 3,000 rows
    GET {endpoint}/api/v1/datasets/{id}/repo/tree?...&PageNumber=&PageSize=200       pages, until a short one
    GET {endpoint}/api/v1/{models|datasets}/{id}/repo?Revision=&FilePath=            200 or a redirect to a data host

Source: modelscope_hub 0.5.1, `_legacy_api.py` and `_download.py`. Every file is listed with its sha256.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from mirrorhub.chain.beat import Beat
from mirrorhub.faults import Failure, Fault
from mirrorhub.http.client import Answer
from mirrorhub.hubs.listing import check_count, checked_files, rows_of, sha1_of, sha256_of, size_of, text_of
from mirrorhub.lane import Lane, Slice, common_failure, read_json
from mirrorhub.models import FileEntry, Manifest, Repo
from mirrorhub.spans import Span

CUT_OFF = 3000
"""The server ends a listing here, with 200 and no word of it (modelscope_hub 0.5.1, constants.py)."""
PAGE_SIZE = 200
MILLISECONDS = 9_999_999_999
"""A time after this one is in milliseconds."""
Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Tag:
    """A name for a state that does not change, and when it was given, in epoch seconds."""

    name: str
    created_s: float


class ModelScope:
    """Asks a ModelScope hub, or a mirror that speaks like one."""

    default_revision = "master"

    def credentials(self, token: str) -> dict[str, str]:
        """Return the two forms in which the SDK sends a token."""
        return {"authorization": f"Bearer {token}", "cookie": f"m_session_id={token}"}

    async def manifest(self, lane: Lane, repo: Repo, revision: str, max_files: int, beat: Beat) -> Manifest:
        """Ask what a repository holds; a listing that was cut off is walked folder by folder.

        Raises:
            Failure: The endpoint did not say.
        """
        rows = _pages if repo.type == "dataset" else _walk
        files = [entry async for row in rows(lane, repo, revision, max_files, beat) if (entry := _file(row))]
        return Manifest(repo, revision, None, checked_files(files, max_files), lane.endpoint.voucher)

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
        return await lane.open(f"{_base(lane, repo)}?{query}", span, entry.size, beat, _file_failure)

    async def aclose(self) -> None:
        """Nothing was gathered."""


async def _walk(lane: Lane, repo: Repo, revision: str, max_files: int, beat: Beat) -> AsyncIterator[Row]:
    folders = [""]
    count = 0
    while folders:
        root = folders.pop()
        rows = await _list(lane, repo, {"Revision": revision, "Recursive": "True"}, root, beat)
        check_count(len(rows), max_files)
        if len(rows) >= CUT_OFF:
            rows = await _list(lane, repo, {"Revision": revision, "Recursive": "False"}, root, beat)
            if len(rows) >= CUT_OFF:
                raise Failure(Fault.BAD_LISTING, f"cuts the listing of folder {root!r} off at {CUT_OFF} entries")
            folders += [path for row in rows if _type(row) == "tree" and (path := text_of(row, "Path", "path"))]
        count += len(rows)
        check_count(count, max_files)
        for row in rows:
            yield row


async def _pages(lane: Lane, repo: Repo, revision: str, max_files: int, beat: Beat) -> AsyncIterator[Row]:
    page, count = 1, 0
    while True:
        query = {"Revision": revision, "Recursive": "True", "PageNumber": str(page), "PageSize": str(PAGE_SIZE)}
        rows = await _list(lane, repo, query, "", beat)
        count += len(rows)
        check_count(count, max_files)
        for row in rows:
            yield row
        if len(rows) < PAGE_SIZE:
            return
        page += 1


async def _list(lane: Lane, repo: Repo, query: dict[str, str], root: str, beat: Beat) -> list[Row]:
    what = "tree" if repo.type == "dataset" else "files"
    rooted = {**query, "Root": root} if root else query
    data = read_json(await lane.get(f"{_base(lane, repo)}/{what}?{urlencode(rooted)}", beat), _listing_failure)
    if isinstance(data, dict):
        if data.get("Success") is False:
            raise Failure(Fault.NO_REPO, f"says: {_message(data)}")
        data = data.get("Data", data)
    if isinstance(data, dict):
        data = data.get("Files", data.get("files"))
    return rows_of(data, "the listing")


def _file(row: Row) -> FileEntry | None:
    if _type(row) == "tree":
        return None
    path = text_of(row, "Path", "path", "Name")
    if path is None:
        raise Failure(Fault.BAD_LISTING, "lists an entry without a path")
    sha256 = sha256_of(text_of(row, "Sha256", "sha256"))
    return FileEntry(path, size_of(row, "Size", "size"), sha256, commit=sha1_of(text_of(row, "Revision")))


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


def _type(row: Row) -> str:
    return (text_of(row, "Type", "type") or "blob").lower()


def _base(lane: Lane, repo: Repo) -> str:
    return f"/api/v1/{repo.type}s/{quote(lane.repo_id(repo))}/repo"


def _listing_failure(answer: Answer) -> Failure:
    """A 404 is the hub's own word only in the hub's own envelope; a bare one says that this is no hub."""
    envelope = _envelope(answer)
    if envelope is None or answer.status not in (400, 404):
        return common_failure(answer)
    message = _message(envelope)
    fault = Fault.NO_REVISION if "revision" in message.lower() or "branch" in message.lower() else Fault.NO_REPO
    return Failure(fault, f"answered {answer.status}: {message}")


def _file_failure(answer: Answer) -> Failure:
    envelope = _envelope(answer)
    if envelope is None or answer.status not in (400, 404):
        return common_failure(answer)
    return Failure(Fault.NO_FILE, f"answered {answer.status}: {_message(envelope)}")


def _envelope(answer: Answer) -> Row | None:
    try:
        body = read_json(Answer(200, answer.headers, answer.body, answer.url), common_failure)
    except Failure:
        return None
    return body if isinstance(body, dict) and ("Code" in body or "Message" in body or "Success" in body) else None


def _message(envelope: Row) -> str:
    return (text_of(envelope, "Message", "message", "Msg", "msg", "Error", "error", "Detail", "detail") or "no reason")[
        :300
    ]
