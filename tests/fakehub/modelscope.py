"""The ModelScope protocol, answered from a Site. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from tests.fakehub.messages import Request, Response, respond, respond_json
from tests.fakehub.ranges import ranged
from tests.fakehub.repo import Commit, File, Repo, RepoType
from tests.fakehub.site import Site, Subject

REPO_TYPES: dict[str, RepoType] = {"models": "model", "datasets": "dataset"}
REQUEST_ID = "00000000-0000-4000-8000-000000000000"
BAD_TOKEN = 10010103009


def subject(parts: Sequence[str], request: Request) -> Subject | None:
    """Say what a request is about, or None if it is not of this protocol."""
    match list(parts):
        case ["api", "v1", "models" | "datasets", *rest]:
            return _api_subject(rest, request)
        case ["openapi", "v1", "models", _, _]:
            return Subject("revision")
        case ["models" | "datasets", _, _, "resolve", _, *path] if path:
            return Subject("body", unquote("/".join(path)))
        case _:
            return None


def _api_subject(rest: list[str], request: Request) -> Subject:
    match rest:
        case [*_, "repo", "files" | "tree"]:
            return Subject("listing")
        case [*_, "repo"]:
            return Subject("body", request.query.get("FilePath"))
        case _:
            return Subject("revision")


def answer(site: Site, parts: Sequence[str], request: Request) -> Response:
    """Answer a request; `parts` is its path below the prefix, split and still percent-encoded."""
    if site.standing(request, cookies=True) == "impostor":
        return _error(401, "Invalid access token", code=BAD_TOKEN)
    match list(parts):
        case ["api", "v1", ("models" | "datasets") as segment, *rest]:
            return _answer_api(site, REPO_TYPES[segment], rest, request)
        case ["openapi", "v1", "models", owner, name]:
            return _openapi(_visible(site, "model", [owner, name], request))
        case [("models" | "datasets") as segment, owner, name, "resolve", revision, *path] if path:
            repo = _visible(site, REPO_TYPES[segment], [owner, name], request)
            return _body(site, repo, unquote(revision), unquote("/".join(path)), request)
        case _:
            return _error(404, "not found")


def _answer_api(site: Site, repo_type: RepoType, rest: list[str], request: Request) -> Response:
    query = request.query
    match rest:
        case [*id, "repo", "files"] if id and repo_type == "model":
            return _listing(site, _visible(site, repo_type, id, request), request)
        case [*id, "repo", "tree"] if id and repo_type == "dataset":
            return _page(site, _visible(site, repo_type, id, request), request)
        case [*id, "repo"] if id:
            repo = _visible(site, repo_type, id, request)
            return _body(site, repo, query.get("Revision", "master"), query.get("FilePath", ""), request)
        case [*id, "revisions"] if id:
            return _revisions(_visible(site, repo_type, id, request))
        case _:
            return _info(_visible(site, repo_type, rest, request))


def _visible(site: Site, repo_type: RepoType, id: list[str], request: Request) -> Repo | None:
    """Find a repository that the asker may see; a private one is missing to everybody else."""
    repo = site.find("modelscope", repo_type, unquote("/".join(id)))
    if repo and repo.private and site.standing(request, cookies=True) != "member":
        return None
    return repo


def _info(repo: Repo | None) -> Response:
    if repo is None:
        return _error(404, "Record not found")
    owner, _, name = repo.id.partition("/")
    return _success({"Id": repo.number, "Path": owner, "Name": name, "Type": 1, "Visibility": 1 if repo.private else 5})


def _openapi(repo: Repo | None) -> Response:
    if repo is None:
        body = {"success": False, "code": "ResourceNotFound", "message": "not found", "request_id": REQUEST_ID}
        return respond_json(body, 404)
    return respond_json({"success": True, "data": {"id": repo.id}, "request_id": REQUEST_ID})


def _revisions(repo: Repo | None) -> Response:
    if repo is None:
        return _error(404, "Record not found")
    branches = [_revision_row(repo, name, id) for name, id in repo.branches.items()]
    tags = [_revision_row(repo, name, id) for name, id in repo.tags.items()]
    return _success({"RevisionMap": {"Branches": branches, "Tags": tags}})


def _revision_row(repo: Repo, name: str, id: str) -> dict[str, object]:
    commit = repo.find(id)
    return {"Revision": name, "CreatedAt": repo.tagged_at.get(name, commit.created_at if commit else None)}


def _listing(site: Site, repo: Repo | None, request: Request) -> Response:
    rows = _rows(repo, request)
    # A list with nothing in it is null there.
    return rows if isinstance(rows, Response) else _success({"Files": rows[: site.listing_limit] or None})


def _page(site: Site, repo: Repo | None, request: Request) -> Response:
    rows = _rows(repo, request)
    if isinstance(rows, Response):
        return rows
    size = min(int(request.query.get("PageSize", "200")), site.listing_limit)
    start = (int(request.query.get("PageNumber", "1")) - 1) * size
    return _success({"Files": rows[start : start + size], "TotalCount": len(rows)})


def _rows(repo: Repo | None, request: Request) -> list[dict[str, object]] | Response:
    commit = repo.find(request.query.get("Revision", "master")) if repo else None
    if commit is None:
        return _error(404, "Record not found" if repo is None else "Revision not found")
    root = request.query.get("Root", "").strip("/")
    recursive = request.query.get("Recursive", "").lower() == "true"
    return [row for path, row in sorted(_every_row(commit)) if _below(path, root, recursive=recursive)]


def _below(path: str, root: str, *, recursive: bool) -> bool:
    inside = f"{root}/" if root else ""
    return path.startswith(inside) and (recursive or "/" not in path[len(inside) :])


def _every_row(commit: Commit) -> Iterator[tuple[str, dict[str, object]]]:
    for folder in commit.folders:
        yield folder, _row(folder, "tree", commit.id, commit.created_at) | {"Mode": "16384", "Size": 0, "Sha256": ""}
    for path, file in commit.files.items():
        row = _row(path, "blob", file.commit, file.committed_at)
        yield path, row | {"IsLFS": file.lfs, "Sha256": file.sha256, "Size": file.size}


def _row(path: str, kind: str, commit: str, committed_at: int) -> dict[str, object]:
    return {
        "CommitMessage": "update",
        "CommittedDate": committed_at,
        "CommitterName": "fakehub",
        "InCheck": False,
        "IsLFS": False,
        "Mode": "33188",
        "Name": path.rpartition("/")[2],
        "Path": path,
        "Revision": commit,
        "Type": kind,
    }


def _body(site: Site, repo: Repo | None, revision: str, path: str, request: Request) -> Response:
    if repo is None:
        return _error(404, "Record not found")
    if repo.gated and not (site.standing(request, cookies=True) == "member" and repo.granted):
        return _error(403, "You have no permission to read this repository")
    commit = repo.find(revision)
    file = commit.files.get(path) if commit else None
    if file is None:
        return _error(404, "Revision not found" if commit is None else "File not found")
    return _redirect(site, file) if site.cdn and file.lfs else _bytes(file, request)


def _redirect(site: Site, file: File) -> Response:
    location = f"{site.cdn}/cdn/{file.sha256}?sig={site.signature(file.sha256)}"
    return respond(302, headers={"location": location, "x-linked-etag": file.sha256})


def _bytes(file: File, request: Request) -> Response:
    headers = {"etag": f'"{file.sha256}"', "x-linked-etag": file.sha256}
    return ranged(request, respond(200, file.data, content_type="application/octet-stream", headers=headers))


def _success(data: object) -> Response:
    return respond_json({"Code": 200, "Data": data, "Message": "success", "RequestId": REQUEST_ID, "Success": True})


def _error(status: int, message: str, *, code: int | None = None) -> Response:
    body = {"Code": code or status, "Message": message, "RequestId": REQUEST_ID, "Success": False}
    return respond_json(body, status)
