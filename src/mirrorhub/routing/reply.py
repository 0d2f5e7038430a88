"""What an SDK is answered: a hub's own words, or what a listing says where a hub has no words for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from json import dumps, loads
from typing import TYPE_CHECKING

from mirrorhub.faults import Failure, Fault
from mirrorhub.hubs.pages import next_page
from mirrorhub.models import Manifest, Repo
from mirrorhub.routing.question import Question

if TYPE_CHECKING:
    from mirrorhub.http.client import Answer

_TOLD = frozenset({"content-type", "etag", "ratelimit", "retry-after", "x-error-code", "x-error-message"})
_OF_HUBS = ("x-repo-", "x-linked-", "x-request-", "x-total-")
"""Headers that are passed on: what a hub says of its answer. All others may lead the SDK, and its token, elsewhere."""
_JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A hub's answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


def passed_on(answer: Answer, path: str, home: str) -> Reply | None:
    """Pass on what an endpoint has answered; None where it is no hub's answer.

    Args:
        answer: What it said.
        path: What was asked for, below the endpoint.
        home: The address that the SDK asks by itself. The next page lies there, too: the SDK follows its address as it
            stands, and with its token.

    Raises:
        Failure: The next page is said to be elsewhere.
    """
    try:
        loads(answer.body)
    except (ValueError, RecursionError):
        return None
    headers = {name: value for name, value in answer.headers.items() if name in _TOLD or name.startswith(_OF_HUBS)}
    if following := next_page(answer, path.partition("?")[0]):
        headers["link"] = f'<{_at_home(following, home)}>; rel="next"'
    return Reply(answer.status, headers, answer.body)


def _at_home(following: str, home: str) -> str:
    """Return the address of a page at home; only what is the same listing is there."""
    if not following.startswith("/"):
        raise Failure(Fault.REDIRECT, "the next page of the listing is at an address that is not followed")
    return f"{home}{following}"


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
    linked = (
        {"x-linked-etag": f'"{entry.sha256}"', "x-linked-size": str(entry.size)} if entry.etag == entry.sha256 else {}
    )
    return Reply(200, known | size | linked | {"etag": f'"{entry.etag}"'})


def refused(repo: Repo, why: str, reply: Reply | None) -> Reply:
    """Say that a repository is not shown to whoever brings no token, and why none was sent.

    Args:
        repo: Which.
        why: In words.
        reply: The no that was said, if there was one; its status stays.
    """
    status, told = (reply.status, reply.headers) if reply else (401, {})
    said = {"success": False, "Success": False, "Code": status, "Message": f"{repo}: {why}", "error": f"{repo}: {why}"}
    # A header holds nothing but this.
    plain = f"{repo}: {why}".encode("ascii", "replace").decode()
    return Reply(status, {**told, **_JSON, "x-error-message": plain}, dumps(said).encode())


def _missing(code: str) -> dict[str, str]:
    return {"x-error-code": code, "x-error-message": "not found"}
