"""An SDK's question, asked along the chain: the SDK's own address may be dead, and it would wait there.

Endpoints are asked in order, beside a silent one the next. A hub's no counts once the others have had their turn: a
mirror does not hold everything. Who may see which token is decided as for every other call.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from mirrorhub.config import Settings
from mirrorhub.errors import (
    ConfigError,
    MirrorHubError,
    NotCachedError,
    RepoNotFoundError,
    RevisionNotFoundError,
)
from mirrorhub.faults import Failure, Fault, Hopeless
from mirrorhub.models import Endpoint, SnapshotRequest, Wanted
from mirrorhub.pinned import pinned_for
from mirrorhub.recall import recall_offline
from mirrorhub.refusals import advice_on_tokens
from mirrorhub.routing.question import Question
from mirrorhub.routing.reply import Reply, of_file, of_repo, passed_on, refused
from mirrorhub.stores.registry import stores_for

if TYPE_CHECKING:
    from mirrorhub.asking import Asking
    from mirrorhub.chain.beat import Beat
    from mirrorhub.http.client import Answer, Client

LAPS = 1
"""How often the chain is walked: an SDK asks again by itself."""
_NO = {401: Fault.DENIED, 403: Fault.DENIED, 404: Fault.NO_FILE}
_REFUSALS = frozenset(fault.name for fault in (*_NO.values(), Fault.NO_REPO, Fault.NO_REVISION))


def ask(question: Question, settings: Settings) -> Reply | None:
    """Ask along the chain.

    Returns:
        The answer; None where the chain serves no such repository, or the SDK's own address has refused.

    Raises:
        Hopeless: Nobody answered.
        MirrorHubError: Nobody could list the repository whose file is asked about; or nobody may be asked, and the disk
            does not tell.
    """
    if offline_by := settings.offline_by(question.repo.hub):
        return _from_disk(question, settings, offline_by)
    from mirrorhub import loop

    settings = replace(settings, patience=replace(settings.patience, laps=LAPS))

    async def work(client: Client) -> Reply | None:
        return await _Inquiry(question).run(settings, client)

    try:
        return loop.run(work, settings)
    except ConfigError:
        return None


class _Inquiry:
    """One question on its way, and what has been said to it that is not the last word."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._noes: dict[Endpoint, Reply] = {}

    async def run(self, settings: Settings, client: Client) -> Reply | None:
        """Return the first answer; None where the SDK's own address has refused: what it says to its token counts.

        A stored token is not for an address that only a variable names: whoever refuses there does not get it so.

        Raises:
            Hopeless: Nobody answered.
            MirrorHubError: Nobody could list the repository whose file is asked about.
        """
        from mirrorhub.asking import asking

        wanted = SnapshotRequest(self._question.repo, self._question.revision, Wanted(), token=self._question.token)
        async with asking(wanted, settings, client) as call:
            reply = None
            try:
                reply = await self._answer(call)
            except (Hopeless, MirrorHubError):
                if self._refusing_home(call) is None:
                    raise
            return reply if reply and reply.status == 200 else self._no(reply, call, settings)

    def _no(self, reply: Reply | None, call: Asking, settings: Settings) -> Reply | None:
        """Return a no as it is passed on; None where the SDK is to ask by itself."""
        home = self._refusing_home(call)
        if home is None:
            return reply
        if self._is_for(home, settings):
            return None
        if reply is not None and reply.status == 404 and not self._question.is_existence:
            return reply
        advice = advice_on_tokens([home], call.lanes.contacts.token_standing)
        return refused(self._question.repo, " ".join(advice.split()), reply)

    async def _answer(self, call: Asking) -> Reply:
        """Return the first answer; where there is none, the most official no, or what a listing says."""
        if self._question.file is not None:
            return await self._of_file(call)
        try:
            return await self._walk(call)
        except Hopeless:
            found = self._most_official() or await self._of_repo(call)
            if found is None:
                raise
            return found

    def _refusing_home(self, call: Asking) -> Endpoint | None:
        """Return the endpoint that the SDK would ask by itself, if it has refused."""
        refused = {one.endpoint for one in call.chain.attempts if one.fault in _REFUSALS}
        homes = (one for one in call.chain.endpoints if str(one) == self._question.home)
        return next((one for one in homes if str(one) in refused), None)

    def _is_for(self, home: Endpoint, settings: Settings) -> bool:
        """Whether what the SDK would send is for that address: a token given in code is, a stored one may be."""
        token = self._question.token
        return token is False or home.auth or token != settings.token_for(home.hub)

    async def _walk(self, call: Asking) -> Reply:
        from mirrorhub.chain.walk import walk
        from mirrorhub.resolver import believed_endpoints, hurried_s

        async def ask(endpoint: Endpoint, beat: Beat) -> Reply:
            lane = call.lanes.lane(endpoint)
            # Others wait: who does not connect soon has nothing to say.
            lane.contact.timeouts = replace(lane.contact.timeouts, connect_s=hurried_s(call.chain, endpoint))
            return self._read(endpoint, await lane.get(self._question.path, beat))

        believed, others = believed_endpoints(self._question.repo.hub, call.chain.endpoints, call.settings.trust)
        speakers = [endpoint for endpoint in (*believed, *others) if not endpoint.repo]
        return await walk(call.chain, "question", ask, _as_it_is, endpoints=speakers, told=False)

    def _read(self, endpoint: Endpoint, answer: Answer) -> Reply:
        """Take an answer.

        Raises:
            Failure: It is a no, or no hub's answer.
        """
        from mirrorhub.lane import common_failure

        reply = passed_on(answer, self._question.path, self._question.home)
        if reply is None or answer.status not in (200, *_NO):
            raise Failure(Fault.NOT_A_HUB, "answered no JSON") if answer.status == 200 else common_failure(answer)
        if answer.status != 200:
            self._noes[endpoint] = reply
            raise Failure(_NO[answer.status], f"answered {answer.status}")
        return reply

    def _most_official(self) -> Reply | None:
        first = max(self._noes, key=lambda endpoint: endpoint.official, default=None)
        return None if first is None else self._noes[first]

    async def _of_repo(self, call: Asking) -> Reply | None:
        """Say whether the repository is there: a mirror may know listings and files only, and the disk has them."""
        from mirrorhub.resolver import resolve

        if not self._question.is_existence:
            return None
        try:
            await resolve(call.request, call.settings, call.chain, call.lanes)
        except RepoNotFoundError:
            return of_repo(self._question.repo, exists=False)
        except MirrorHubError:
            if not await asyncio.to_thread(_is_on_disk, call.request, call.settings):
                return None
        return of_repo(self._question.repo, exists=True)

    async def _of_file(self, call: Asking) -> Reply:
        from mirrorhub.resolver import resolve

        try:
            return of_file(self._question, await resolve(call.request, call.settings, call.chain, call.lanes))
        except (RepoNotFoundError, RevisionNotFoundError) as error:
            code = "RepoNotFound" if isinstance(error, RepoNotFoundError) else "RevisionNotFound"
            return Reply(404, {"x-error-code": code, "x-error-message": "not found"})


def _request(question: Question) -> SnapshotRequest:
    return SnapshotRequest(question.repo, question.revision, Wanted(), token=question.token)


def _from_disk(question: Question, settings: Settings, offline_by: str) -> Reply:
    """Answer what the disk can tell.

    Raises:
        NotCachedError: It cannot.
    """
    request = _request(question)
    if question.is_existence and _is_on_disk(request, settings):
        return of_repo(question.repo, exists=True)
    if question.file is not None:
        manifest = pinned_for(request, settings) or recall_offline(request, settings, None).manifest
        if manifest.entry(question.file) is not None:
            return of_file(question, manifest)
    raise NotCachedError(f"{question.repo}: nobody may be asked about it: {offline_by} says to be offline.")


def _is_on_disk(request: SnapshotRequest, settings: Settings) -> bool:
    """Whether some revision of the repository is on disk: whoever wants one finds out when it asks for files."""
    return any(any(store.directories()) for store in stores_for(request, settings))


async def _as_it_is(endpoint: Endpoint, reply: Reply) -> Reply:
    return reply
