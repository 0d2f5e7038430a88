"""What an SDK is answered: a hub's own words, or what a listing says where a hub has no words for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from json import dumps, loads
from typing import TYPE_CHECKING

from mirrorhub.models import Manifest, Repo
from mirrorhub.routing.question import Question

if TYPE_CHECKING:
    from mirrorhub.http.client import Answer

_TRANSPORT = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection", "set-cookie"})
"""Headers that tell how a body came; here it is whole and unpacked."""
_JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A hub's answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


def passed_on(answer: Answer, address: str, home: str) -> Reply | None:
    """Pass on what an endpoint has answered; None where it is no hub's answer.

    The next page lies at home again: the SDK follows its address as it stands, and with its token.
    """
    try:
        loads(answer.body)
    except (ValueError, RecursionError):
        return None
    headers = {name: value for name, value in answer.headers.items() if name not in _TRANSPORT}
    if "link" in headers:
        headers["link"] = headers["link"].replace(address, home)
    return Reply(answer.status, headers, answer.body)


def of_repo(repo: Repo, *, exists: bool) -> Reply:
    """Say whether a repository is there, in the shape that its SDK reads, and nothing that is not known."""
    status = 200 if exists else 404
    if repo.hub == "huggingface":
        return Reply(status, _JSON if exists else _JSON | _missing("RepoNotFound"), dumps({"id": repo.id}).encode())
    owner, _, name = repo.id.partition("/")
    said = {"success": exists, "Code": status, "data": {"id": repo.id, "Path": owner, "Name": name}}
    return Reply(status, _JSON, dumps(said).encode())


def of_file(question: Question, manifest: Manifest) -> Reply:
    """Say of a file what its head would: commit, digest and size as they are listed."""
    known = {"x-repo-commit": manifest.commit or ""}
    entry = manifest.entry(question.file or "")
    if entry is None:
        return Reply(404, known | _missing("EntryNotFound"))
    size = {} if entry.size is None else {"content-length": str(entry.size)}
    linked = {"x-linked-etag": f'"{entry.sha256}"', "x-linked-size": str(entry.size)} if entry.sha256 else {}
    return Reply(200, known | size | linked | {"etag": f'"{entry.sha256 or entry.git_sha1}"'})


def _missing(code: str) -> dict[str, str]:
    return {"x-error-code": code, "x-error-message": "not found"}
