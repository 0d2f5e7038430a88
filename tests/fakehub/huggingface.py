"""The Hugging Face protocol, answered from a Site. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote, urlencode

from tests.fakehub.messages import Request, Response, respond, respond_json
from tests.fakehub.ranges import ranged
from tests.fakehub.repo import Commit, File, Repo, RepoType
from tests.fakehub.site import Site, Subject

REPO_TYPES: dict[str, RepoType] = {"models": "model", "datasets": "dataset", "spaces": "space", "kernels": "kernel"}
EXPANDED_PAGE_SIZE = 50
Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a request points: a repository, what is asked of it, and the rest of the path, still encoded."""

    repo_type: RepoType
    id: str
    verb: str
    rest: tuple[str, ...] = ()


def subject(parts: Sequence[str]) -> Subject | None:
    """Say what a request is about, or None if it is not of this protocol."""
    address = _find_address(parts)
    if address is None:
        return None
    if address.verb == "resolve":
        return Subject("body", unquote("/".join(address.rest[1:])))
    return Subject("listing" if address.verb == "tree" else "revision")


def answer(site: Site, parts: Sequence[str], request: Request) -> Response:
    """Answer a request; `parts` is its path below the prefix, split and still percent-encoded."""
    address = _find_address(parts)
    if address is None:
        return _error(404, None, "Not Found")
    standing = site.standing(request)
    if standing == "impostor":
        return _error(401, None, "Invalid credentials in Authorization header")
    repo = site.find("huggingface", address.repo_type, address.id)
    if repo is None or (repo.private and standing != "member"):
        status = 404 if standing == "member" else 401
        return _error(
            status, "RepoNotFound", "Repository not found" if status == 404 else "Invalid username or password."
        )
    return _answer_repo(site, repo, address, request)


def _find_address(parts: Sequence[str]) -> Address | None:
    match list(parts):
        case ["api", ("models" | "datasets" | "spaces" | "kernels") as segment, *rest] if rest:
            return _api_address(REPO_TYPES[segment], rest)
        case [("datasets" | "spaces" | "kernels") as segment, *rest]:
            return _resolve_address(REPO_TYPES[segment], rest)
        case rest:
            return _resolve_address("model", rest)


def _api_address(repo_type: RepoType, rest: list[str]) -> Address:
    for length in (1, 2):
        if rest[length : length + 1] and rest[length] in ("revision", "tree", "refs"):
            return Address(repo_type, "/".join(rest[:length]), rest[length], tuple(rest[length + 1 :]))
    return Address(repo_type, "/".join(rest), "info")


def _resolve_address(repo_type: RepoType, rest: list[str]) -> Address | None:
    for length in (1, 2):
        if rest[length : length + 1] == ["resolve"] and len(rest) > length + 2:
            return Address(repo_type, "/".join(rest[:length]), "resolve", tuple(rest[length + 1 :]))
    return None


def _answer_repo(site: Site, repo: Repo, address: Address, request: Request) -> Response:
    if address.verb == "refs":
        return _refs(repo)
    revision = unquote(address.rest[0]) if address.rest else repo.default_branch
    commit = repo.find(revision)
    if commit is None:
        return _error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
    path = unquote("/".join(address.rest[1:]))
    match address.verb:
        case "tree":
            return _tree(site, repo, commit, path, request)
        case "resolve":
            return _resolve(site, repo, commit, path, request)
        case _:
            return _info(site, repo, commit, request)


def _info(site: Site, repo: Repo, commit: Commit, request: Request) -> Response:
    blobs = site.blobs and request.query.get("blobs", "").lower() in ("true", "1")
    body = {
        "_id": f"{repo.number:024x}",
        "id": repo.id,
        "sha": commit.id,
        "private": repo.private,
        "gated": "manual" if repo.gated else False,
        "disabled": False,
        "lastModified": _iso(commit.created_at),
        "createdAt": _iso(repo.commits[0].created_at),
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "siblings": [_sibling(path, file, blobs=blobs) for path, file in commit.files.items()],
    }
    return respond_json(body | ({"modelId": repo.id} if repo.repo_type == "model" else {}))


def _sibling(path: str, file: File, *, blobs: bool) -> Row:
    row: Row = {"rfilename": path}
    if blobs:
        row |= {"size": file.size, "blobId": file.oid}
    if blobs and file.lfs:
        row |= {"lfs": {"sha256": file.sha256, "size": file.size, "pointerSize": len(file.pointer)}}
    return row


def _refs(repo: Repo) -> Response:
    branches = [{"name": name, "ref": f"refs/heads/{name}", "targetCommit": id} for name, id in repo.branches.items()]
    tags = [{"name": name, "ref": f"refs/tags/{name}", "targetCommit": id} for name, id in repo.tags.items()]
    return respond_json({"branches": branches, "converts": [], "tags": tags})


def _tree(site: Site, repo: Repo, commit: Commit, path: str, request: Request) -> Response:
    query = request.query
    expand = query.get("expand", "").lower() == "true"
    recursive = query.get("recursive", "").lower() == "true"
    inside = f"{path}/" if path else ""
    rows = [
        row
        for name, row in sorted(_every_row(site, commit, expand=expand))
        if name.startswith(inside) and (recursive or "/" not in name[len(inside) :])
    ]
    if path and not rows:
        return _error(404, "EntryNotFound", f"{path} does not exist on {commit.id}", commit)
    start, size = int(query.get("cursor", "0")), EXPANDED_PAGE_SIZE if expand else site.page_size
    following = start + size
    headers = {"link": _next_page(query, request, following)} if following < len(rows) else {}
    return respond_json(rows[start:following], headers=headers)


def _next_page(query: dict[str, str], request: Request, cursor: int) -> str:
    address = f"{request.origin}{request.path}?{urlencode({**query, 'cursor': str(cursor)})}"
    return f'<{address}>; rel="next"'


def _every_row(site: Site, commit: Commit, *, expand: bool) -> Iterator[tuple[str, Row]]:
    for folder in commit.folders:
        yield folder, {"type": "directory", "oid": commit.id, "size": 0, "path": folder} | _last(commit, expand=expand)
    for path, file in commit.files.items():
        row: Row = {"type": "file", "oid": file.oid, "size": file.size, "path": path}
        if file.lfs and site.xet:
            row |= {"xetHash": file.xet}
        if file.lfs:
            row |= {"lfs": {"oid": file.sha256, "size": file.size, "pointerSize": len(file.pointer)}}
        yield path, row | _last(commit, expand=expand)


def _last(commit: Commit, *, expand: bool) -> Row:
    return {"lastCommit": {"id": commit.id, "title": "update", "date": _iso(commit.created_at)}} if expand else {}


def _resolve(site: Site, repo: Repo, commit: Commit, path: str, request: Request) -> Response:
    if repo.gated and (refused := _refuse_gated(site, repo, request)):
        return refused
    file = commit.files.get(path)
    if file is None:
        return _error(404, "EntryNotFound", "Entry not found", commit)
    headers = _file_headers(commit, path, file) | (_xet_headers(repo, commit, file, request) if site.xet else {})
    if site.cdn and file.lfs:
        location = f"{site.cdn}/cdn/{file.sha256}?sig={site.signature(file.sha256)}"
        return respond(302, headers=headers | {"location": location})
    return ranged(request, respond(200, file.data, content_type="application/octet-stream", headers=headers))


def _file_headers(commit: Commit, path: str, file: File) -> dict[str, str]:
    headers = {
        "x-repo-commit": commit.id,
        "etag": f'"{file.etag}"',
        "content-disposition": f"inline; filename*=UTF-8''{quote(path.rpartition('/')[2])}",
    }
    linked = {"x-linked-etag": f'"{file.sha256}"', "x-linked-size": str(file.size)}
    return headers | linked if file.lfs else headers


def _xet_headers(repo: Repo, commit: Commit, file: File, request: Request) -> dict[str, str]:
    """Say where the pieces of a file are to be had, to whoever asks for them; the bytes come over plain HTTP, too."""
    if not file.lfs:
        return {}
    route = f"{request.origin}/api/{repo.repo_type}s/{repo.id}/xet-read-token/{commit.id}"
    link = f'<{route}>; rel="xet-auth", <{request.origin}/api/xet/{file.xet}>; rel="xet-reconstruction-info"'
    return {"x-xet-hash": file.xet, "x-xet-refresh-route": route, "link": link}


def _refuse_gated(site: Site, repo: Repo, request: Request) -> Response | None:
    if site.standing(request) != "member":
        return _error(401, "GatedRepo", f"Access to model {repo.id} is restricted.")
    if not repo.granted:
        return _error(403, "GatedRepo", f"Access to model {repo.id} is restricted and you are not in the list.")
    return None


def _error(status: int, code: str | None, message: str, commit: Commit | None = None) -> Response:
    headers = {"x-error-message": message}
    if code:
        headers["x-error-code"] = code
    if commit:
        headers["x-repo-commit"] = commit.id
    return respond_json({"error": message}, status, headers)


def _iso(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
