"""Who says what a repository holds, and who is believed.

| trust    | whose word counts                                                                             |
|----------|-----------------------------------------------------------------------------------------------|
| lock     | a lock file's, and digests that are built in; a lock file's word counts before any other's    |
| official | also the official hub's                                                                       |
| auto     | also that of endpoints the user named; when they are all silent, a mirror's, with one WARNING |
| any      | whoever answers first                                                                         |
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial as bind

from mirrorhub.chain import Chain
from mirrorhub.chain.beat import Beat
from mirrorhub.chain.walk import walk
from mirrorhub.config import Settings
from mirrorhub.diagnosis import nobody_counts, resolution_error
from mirrorhub.faults import Failure, Fault, Hopeless
from mirrorhub.hubs.registry import Hub
from mirrorhub.lane import Lane
from mirrorhub.listings import LISTINGS
from mirrorhub.models import Endpoint, HubName, Manifest, SnapshotRequest, Sought, Trust
from mirrorhub.pinned import pinned_for
from mirrorhub.plan import scope_of
from mirrorhub.transfer.lanes import Lanes

log = logging.getLogger(__name__)
LISTING = "listing"
LIVING_PATIENCE, DEAD_PATIENCE = 6, 2
"""How many times the patience for a connection an endpoint gets whose word counts, while mirrors wait to be asked; less
where it was silent or refused lately. Afterwards it is asked beside them, for as long as it takes."""
Unfit = Callable[[Manifest], str | None]
_SAID = frozenset({Fault.NO_REPO, Fault.NO_REVISION, Fault.DENIED})


async def resolve(
    request: SnapshotRequest, settings: Settings, chain: Chain, lanes: Lanes, unfit: Unfit = lambda _: None
) -> Manifest:
    """Find out what a repository holds at a revision.

    Args:
        request: What is asked for.
        settings: Who is believed.
        chain: Whom to ask.
        lanes: How they are reached.
        unfit: Says why the files of a manifest cannot be brought to where they belong; then others are asked.

    Raises:
        ResolutionError: Nobody who is believed could say.
        PinnedError: `trust` is `lock`, and nothing is pinned; or what is locked is not what is asked for.
    """
    if pinned := pinned_for(request, settings):
        return pinned
    believed, others = believed_endpoints(request.repo.hub, chain.endpoints, settings.trust)
    inquiry = Inquiry(request, settings, chain, lanes, unfit)
    if not believed and not others:
        raise nobody_counts(request.repo, chain.endpoints, settings.trust)
    if not believed:
        return await inquiry.ask_mirrors(others)
    if not others:
        return await inquiry.ask(believed)
    try:
        return await inquiry.ask(believed, laps=1, hurried=True)
    except Hopeless as hopeless:
        if any(failure.fault in _SAID for endpoint, failure in hopeless.failures if endpoint.official):
            raise inquiry.error(hopeless) from None
        return await inquiry.ask_mirrors([*others, *believed])


def believed_endpoints(
    hub: HubName, endpoints: Sequence[Endpoint], trust: Trust
) -> tuple[list[Endpoint], list[Endpoint]]:
    """Part the endpoints of a hub into those whose word counts, and those that are asked when these are silent."""
    speakers = [endpoint for endpoint in endpoints if endpoint.hub == hub]
    if trust == "any":
        return speakers, []
    if trust == "official":
        return [endpoint for endpoint in speakers if endpoint.official], []
    believed = [
        endpoint for endpoint in speakers if "resolve" in endpoint.can and (endpoint.official or endpoint.named)
    ]
    return believed, [endpoint for endpoint in speakers if endpoint not in believed]


class Inquiry:
    """One question to the chain: what does this repository hold?"""

    def __init__(
        self, request: SnapshotRequest, settings: Settings, chain: Chain, lanes: Lanes, unfit: Unfit = lambda _: None
    ) -> None:
        self._unfit = unfit
        self._request = request
        self._settings = settings
        self._chain = chain
        self._lanes = lanes

    async def ask(self, endpoints: Sequence[Endpoint], laps: int | None = None, *, hurried: bool = False) -> Manifest:
        """Ask endpoints; with `laps` given, let somebody else be asked after so many.

        Args:
            endpoints: Whom.
            laps: How often at most.
            hurried: Others wait until these have failed: who does not connect has failed soon.

        Raises:
            ResolutionError: Nobody answered; Hopeless instead where `laps` is given.
        """
        try:
            ask = self._hurried if hurried else self._manifest
            gained = bind(self._told, endpoints)
            most = laps or self._settings.patience.listing_laps
            return await walk(self._chain, LISTING, ask, _as_it_is, endpoints=endpoints, laps=most, gained=gained)
        except Hopeless as hopeless:
            if laps is not None:
                raise
            raise self.error(hopeless) from None

    async def ask_mirrors(self, endpoints: Sequence[Endpoint]) -> Manifest:
        """Ask endpoints that nobody named, and say whose word was taken.

        Raises:
            ResolutionError: Nobody answered.
        """
        manifest = await self.ask(endpoints)
        if manifest.vouched_by.kind == "mirror":
            log.warning(
                "%s: what it holds is %s's own word: no official hub could be asked. "
                "Name an endpoint that you trust, or pin the files.",
                self._request.repo,
                manifest.vouched_by.name,
            )
        return manifest

    def error(self, hopeless: Hopeless) -> Exception:
        """Return the error that says most."""
        request, standing = self._request, self._lanes.contacts.token_standing
        return resolution_error(request.repo, request.revision, hopeless, self._chain.attempts, standing)

    def _told(self, endpoints: Sequence[Endpoint]) -> int:
        """How much of the listings has come: a long one that breaks off goes on where it was."""
        return sum(self._lanes.hub(endpoint).told for endpoint in endpoints)

    async def _hurried(self, endpoint: Endpoint, beat: Beat) -> Manifest:
        return await self._manifest(endpoint, beat, hurried_s(self._chain, endpoint))

    async def _manifest(self, endpoint: Endpoint, beat: Beat, connect_limit_s: float | None = None) -> Manifest:
        hub, lane = self._lanes.hub(endpoint), self._lanes.lane(endpoint)
        if connect_limit_s is not None:
            lane.contact.timeouts = replace(lane.contact.timeouts, connect_s=connect_limit_s)
        revision = self._request.revision or hub.default_revision
        manifest = await self._remembered(hub, lane, revision, beat)
        if manifest is None:
            manifest = await hub.manifest(lane, self._sought(revision), beat)
            LISTINGS.keep(endpoint, manifest)
        if problem := await asyncio.to_thread(self._unfit, manifest):
            raise Failure(Fault.BAD_LISTING, f"lists what the disk here cannot hold: {problem}")
        if self._settings.trust == "any":
            return manifest
        return replace(manifest, vouched_by=endpoint.voucher)

    async def _remembered(self, hub: Hub, lane: Lane, revision: str, beat: Beat) -> Manifest | None:
        """Where one file after the other is asked for, ask for the commit alone, and list it once."""
        repo = self._request.repo
        if self._request.wanted.paths is None or not LISTINGS.knows(lane.endpoint, repo):
            return None
        try:
            commit = await hub.commit(lane, repo, revision, beat)
        except Failure as failure:
            if failure.fault is Fault.NOT_A_HUB:
                return None  # a mirror that knows the long question only
            raise
        found = LISTINGS.find(lane.endpoint, repo, commit) if commit else None
        if found and commit and not found.covers(scope_of(self._request.wanted)):
            # Of a commit that is known to hold much, the file is asked for and nothing else.
            found = await hub.manifest(lane, replace(self._sought(commit), is_large=True), beat)
            LISTINGS.keep(lane.endpoint, found)
        return replace(found, revision=revision) if found else None

    def _sought(self, revision: str) -> Sought:
        scope = scope_of(self._request.wanted)
        return Sought(self._request.repo, revision, self._settings.max_files, scope)


def hurried_s(chain: Chain, endpoint: Endpoint) -> float:
    """Return how long a connection may take while others wait."""
    times = DEAD_PATIENCE if chain.is_avoided(endpoint) else LIVING_PATIENCE
    return min(chain.patience.connect_limit_s, times * chain.patience.connect_s)


async def _as_it_is(endpoint: Endpoint, manifest: Manifest) -> Manifest:
    return manifest
