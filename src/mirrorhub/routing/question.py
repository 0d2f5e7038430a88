"""What an SDK asks about a repository beside its files, asked along the chain, as the SDK's own address may be dead.

Only questions (GET) of a hub's API about one repository. The answer is a hub's own, whole, with its status; nothing is
kept of it. Who may see which token is decided as for every other call.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from json import dumps, loads
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mirrorhub.config import Settings
from mirrorhub.errors import ConfigError, MirrorHubError, RepoNotFoundError
from mirrorhub.faults import Failure, Fault, Hopeless
from mirrorhub.models import Endpoint, HubName, Repo, RepoType, SnapshotRequest, Wanted

if TYPE_CHECKING:
    from mirrorhub.asking import Asking
    from mirrorhub.chain.beat import Beat
    from mirrorhub.http.client import Answer, Client

LAPS = 1
"""How often the chain is walked: an SDK asks again by itself."""
_TYPES: dict[str, RepoType] = {"models": "model", "datasets": "dataset", "spaces": "space"}
_PATHS: dict[HubName, re.Pattern[str]] = {
    "huggingface": re.compile(r"/api/(?P<type>models|datasets|spaces)/(?P<id>[^/?]+/[^/?]+)(?P<rest>[/?].*)?"),
    "modelscope": re.compile(r"/(?:open)?api/v1/(?P<type>models|datasets)/(?P<id>[^/?]+/[^/?]+)(?P<rest>[/?].*)?"),
}
_SAID = {401: Fault.DENIED, 403: Fault.DENIED, 404: Fault.NO_FILE}


@dataclass(frozen=True, slots=True)
class Question:
    """One question of an SDK.

    Attributes:
        repo: What it is about.
        home: The address that the SDK asks by itself.
        path: Path and query below an endpoint.
        is_existence: It asks for the repository itself, and for nothing in it.
        token: The token that the SDK would send; False for none.
    """

    repo: Repo
    home: str
    path: str
    is_existence: bool = False
    token: str | bool | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a hub answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def question_of(hub: HubName, home: str, path: str, token: str | bool | None) -> Question | None:
    """Read a question about a repository; None for everything else that a hub can be asked."""
    found = _PATHS[hub].fullmatch(path)
    if found is None or (hub == "modelscope" and "FilePath=" in path):
        return None
    rest = (found["rest"] or "").partition("?")[0]
    repo = Repo(hub, unquote(found["id"]), _TYPES[found["type"]])
    return Question(repo, home, path, is_existence=not rest.strip("/"), token=token)


def ask(question: Question) -> Reply | None:
    """Ask along the chain.

    Returns:
        The answer; None where the settings say that nobody may be asked, or that the chain serves no such repository.

    Raises:
        Hopeless: Nobody answered.
    """
    from mirrorhub import loop

    settings = Settings.load()
    settings = replace(settings, patience=replace(settings.patience, laps=LAPS))
    if settings.offline_for(question.repo.hub):
        return None

    async def work(client: Client) -> Reply:
        return await _Walk(question).answer(settings, client)

    try:
        return loop.run(work, settings)
    except ConfigError:
        return None


class _Walk:
    """The question on its way, and what hubs that are not the last to ask have said to it."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._said: dict[Endpoint, Reply] = {}

    async def answer(self, settings: Settings, client: Client) -> Reply:
        """Return the first answer; if there is none, the most official refusal.

        Raises:
            Hopeless: There is none either.
        """
        from mirrorhub.asking import asking

        wanted = SnapshotRequest(self._question.repo, None, Wanted(), token=self._question.token)
        async with asking(wanted, settings, client) as call:
            try:
                return await self._walk(call)
            except Hopeless:
                if self._said:
                    return self._said[max(self._said, key=lambda endpoint: endpoint.official)]
                if self._question.is_existence and (found := await _existence(call)):
                    return found
                raise

    async def _walk(self, call: Asking) -> Reply:
        from mirrorhub.chain.walk import walk
        from mirrorhub.resolver import hurried_s

        endpoints = [one for one in call.chain.endpoints if one.hub == self._question.repo.hub and not one.repo]

        async def ask(endpoint: Endpoint, beat: Beat) -> Reply:
            lane = call.lanes.lane(endpoint)
            # A mirror's no is kept until the others have been asked: who does not connect soon has nothing to say.
            connect_s = hurried_s(call.chain, endpoint)
            lane.contact.timeouts = replace(lane.contact.timeouts, connect_s=connect_s)
            return self._read(endpoint, await lane.get(self._question.path, beat))

        return await walk(call.chain, "question", ask, _as_it_is, endpoints=endpoints, told=False)

    def _read(self, endpoint: Endpoint, answer: Answer) -> Reply:
        """Take an answer, or name the failure.

        Raises:
            Failure: It is a refusal, or no hub's answer.
        """
        from mirrorhub.lane import common_failure

        if answer.status in (200, *_SAID) and _is_json(answer):
            reply = Reply(answer.status, _headers(answer, endpoint.address, self._question.home), answer.body)
            if answer.status == 200:
                return reply
            self._said[endpoint] = reply
            raise Failure(_SAID[answer.status], f"answered {answer.status}")
        raise common_failure(answer) if answer.status != 200 else Failure(Fault.NOT_A_HUB, "answered no JSON")


async def _existence(call: Asking) -> Reply | None:
    """Say whether a repository is there, where nobody can tell more: a mirror may know listings and files only."""
    from mirrorhub.resolver import resolve

    try:
        await resolve(call.request, call.settings, call.chain, call.lanes)
    except RepoNotFoundError:
        return _made(404, call.request.repo)
    except MirrorHubError:
        return None
    return _made(200, call.request.repo)


def _made(status: int, repo: Repo) -> Reply:
    """Write an answer in the shape that the SDK reads; it says nothing that is not known."""
    said: dict[str, object] = {"id": repo.id}
    headers = {"content-type": "application/json"}
    if repo.hub == "modelscope":
        owner, _, name = repo.id.partition("/")
        said = {"success": status == 200, "Code": status, "data": {"id": repo.id, "Path": owner, "Name": name}}
    elif status == 404:
        headers |= {"x-error-code": "RepoNotFound", "x-error-message": "Repository not found"}
    return Reply(status, headers, dumps(said).encode())


def _is_json(answer: Answer) -> bool:
    try:
        loads(answer.body)
    except (ValueError, RecursionError):
        return False
    return True


def _headers(answer: Answer, address: str, home: str) -> dict[str, str]:
    """Return the headers without those that tell how the body came: here it is whole and unpacked.

    The next page lies at home again: the SDK follows the address as it is given, and with its token.
    """
    transport = {"content-encoding", "content-length", "transfer-encoding", "connection", "set-cookie"}
    headers = {name: value for name, value in answer.headers.items() if name not in transport}
    return {name: value.replace(address, home) if name == "link" else value for name, value in headers.items()}


async def _as_it_is(endpoint: Endpoint, reply: Reply) -> Reply:
    return reply
