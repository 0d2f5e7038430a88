"""Compare endpoints: rounds of visits to each in turn, never to two at once, for they share the user's line.

Every visit has connections of its own, so that each is as cold as a first call. An endpoint is asked for so many bytes
in all rounds and no more; what it gives is thrown away, and what it says of the repository is believed as in any call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from mirrorhub.bench.comparison import Comparison, Measurement, Round, Trouble, ranked
from mirrorhub.bench.flow import Allowance
from mirrorhub.bench.visit import Tally, Visit
from mirrorhub.chain import Chain
from mirrorhub.config import Settings
from mirrorhub.contacts import Contacts
from mirrorhub.endpoints import endpoints_for
from mirrorhub.faults import Fault
from mirrorhub.http.carrier import build_carrier
from mirrorhub.http.client import Client
from mirrorhub.http.route import route_for
from mirrorhub.hubs.aliases import pinned_manifest
from mirrorhub.models import PINNED, Endpoint, FileEntry, Manifest, SnapshotRequest, total_size
from mirrorhub.pinned import pinned_for
from mirrorhub.report.discretion import discretion_for
from mirrorhub.resolver import believed_endpoints

ROUNDS = 3
LIMIT = 8_000_000
CONNECT_S = 3.0
"""A connection that takes longer has failed, whatever a call would allow."""
HOPELESS_AFTER = 2
"""So many rounds without a connection or an answer, from the first on, and an endpoint is not asked again."""
SILENT = frozenset(
    fault.value
    for fault in (
        Fault.CONNECT_TIMEOUT,
        Fault.REFUSED,
        Fault.DNS,
        Fault.CERTIFICATE,
        Fault.PROXY,
        Fault.READ_TIMEOUT,
    )
)
"""After these a visit is over."""
RAMP = 1.5
"""A visit that asked for so many times its share did so because the rate still grew."""
LISTING_PARTS = 4
"""All visits' listings together may be this part of what an endpoint is asked for."""
Told = Callable[[int, Endpoint], None]


async def compare(
    request: SnapshotRequest,
    settings: Settings,
    *,
    rounds: int = ROUNDS,
    limit: int = LIMIT,
    told: Told = lambda _number, _endpoint: None,
) -> Comparison:
    """Visit every endpoint of a request's chain in each round, and rank them.

    Args:
        request: The repository and the revision.
        settings: As for any call; when its total time is over, what was found until then is ranked.
        rounds: How often each endpoint is visited.
        limit: Bytes that each is asked for at most, in all rounds.
        told: Called with the number of the round and the endpoint when a visit begins.

    Raises:
        ConfigError: No endpoint of the chain can serve the repository.
    """
    patience = replace(settings.patience, connect_limit_s=min(CONNECT_S, settings.patience.connect_limit_s))
    bench = Bench(request, replace(settings, patience=patience), rounds, limit, told)
    try:
        async with asyncio.timeout(settings.timeout_s):
            for number in range(1, rounds + 1):
                await bench.round(number)
    except TimeoutError:
        pass
    return bench.comparison()


@dataclass(slots=True)
class Standing:
    """What is known of an endpoint so far.

    Attributes:
        allowance: What it may still be asked for.
        rounds: What the visits found.
        takes_range: It gives parts of files; None before it was tried.
        listing_size: Bytes of its listing.
        ramp: Bytes that it took until its rate grew no more, where that was more than a round's share.
        manifest: What it says that the repository holds.
    """

    allowance: Allowance
    rounds: list[Round] = field(default_factory=list)
    takes_range: bool | None = None
    listing_size: int = 0
    ramp: int = 0
    manifest: Manifest | None = None

    @property
    def is_hopeless(self) -> bool:
        """Whether nothing has ever come from it, often enough."""
        return len(self.rounds) >= HOPELESS_AFTER and all(map(_was_silent, self.rounds))

    def share(self, visits: int) -> int:
        """Return how many bytes of files a visit may ask for, with so many visits to come, this one among them."""
        room = self.allowance.left
        if self.ramp <= room // visits:
            return room // visits
        # A thin slice would end before the rate has grown: all that is left at once, or nothing.
        return room if room >= self.ramp else 0


class Bench:
    """The endpoints of one comparison, and what is known of each."""

    def __init__(self, request: SnapshotRequest, settings: Settings, rounds: int, limit: int, told: Told) -> None:
        self._request = request
        self._settings = settings
        self._rounds = rounds
        self._limit = limit
        self._told = told
        self._endpoints = endpoints_for(request.repo, settings)
        self._standing = {one: Standing(Allowance(limit)) for one in self._endpoints if one.hub != "wheel"}
        self._believed, _ = believed_endpoints(request.repo.hub, self._endpoints, settings.trust)
        self._pinned = pinned_manifest(request.repo)
        # A project may have locked a part, or another revision: what is measured here is no content.
        self._manifest = pinned_for(request, replace(settings, lockfile=None))

    async def round(self, number: int) -> None:
        """Visit every endpoint once; those first whose word on what the repository holds is believed."""
        for endpoint, standing in sorted(self._standing.items(), key=lambda item: item[0] not in self._believed):
            if not standing.is_hopeless:
                self._told(number, endpoint)
                await self._visit(number, endpoint, standing)

    def comparison(self) -> Comparison:
        """Rank what was found so far."""
        found = [Measurement(one, self._rounds_at(one)) for one in self._endpoints]
        manifests = [self._manifest, *(standing.manifest for standing in self._standing.values()), self._pinned]
        size = next((total_size(manifest.files) for manifest in manifests if manifest), 0)
        return Comparison(self._request.repo, size, self._rounds, self._limit, ranked(found, size))

    def _rounds_at(self, endpoint: Endpoint) -> tuple[Round, ...]:
        return tuple(self._standing[endpoint].rounds) if endpoint in self._standing else ()

    async def _visit(self, number: int, endpoint: Endpoint, standing: Standing) -> None:
        tally = Tally(standing.allowance.total)
        route = route_for(self._settings)
        client = Client(build_carrier(self._settings.carrier, route), tally, route.proxy_for)
        chain = Chain(self._endpoints, self._settings.patience, self._settings.silence_s)
        contacts = Contacts(self._request, self._settings, client, chain)
        contacts.contact(endpoint).takes_range = standing.takes_range
        visit = Visit(endpoint, contacts, tally, standing.allowance, Round(number))
        try:
            await self._ask(visit, standing)
        except asyncio.CancelledError:
            if not visit.found.troubles:
                over = Trouble("visit", "not done within the time that was allowed", Fault.READ_TIMEOUT.value)
                visit.found = replace(visit.found, troubles=(over,))
            raise
        finally:
            discretion = discretion_for(self._settings, self._endpoints, self._request.token)
            standing.rounds.append(discretion.cleaned(visit.found))
            standing.takes_range = contacts.contact(endpoint).takes_range
            await contacts.aclose()
            await client.aclose()

    async def _ask(self, visit: Visit, standing: Standing) -> None:
        visits = self._rounds - visit.found.number + 1
        if self._lists_again(standing):
            await self._list(visit, standing)
        standing.allowance.reserve = standing.listing_size * (visits - 1) if self._lists_again(standing) else 0
        if any(trouble.fault in SILENT for trouble in visit.found.troubles):
            return
        share = standing.share(visits)
        files, manifest = self._files(visit.endpoint, standing)
        if manifest is None or not files:
            visit.found = replace(visit.found, reason="nobody could say which files there are")
        elif share == 0:
            visit.found = replace(visit.found, reason="all that may be asked for was")
        else:
            revision = visit.contacts.revision(visit.endpoint, manifest)
            listed = visit.found.asked
            await visit.measure(files, self._request.repo, revision, share)
            asked = visit.found.asked - listed
            standing.ramp = max(standing.ramp, asked if asked > RAMP * share else 0)

    def _lists_again(self, standing: Standing) -> bool:
        """Whether the listing is small enough to be asked for in every visit; a large one is asked for once."""
        return standing.listing_size * LISTING_PARTS * self._rounds <= self._limit

    async def _list(self, visit: Visit, standing: Standing) -> None:
        """Ask for the listing; the first one whose word counts says which files are asked for everywhere."""
        endpoint, request = visit.endpoint, self._request
        own = request.revision if endpoint.hub == request.repo.hub and request.revision != PINNED else None
        manifest = await visit.list(request.repo, endpoint.revision or own, self._settings.max_files)
        standing.listing_size = max(standing.listing_size, visit.tally.count)
        if manifest is None:
            return
        standing.manifest = manifest
        if self._manifest is None and endpoint in self._believed:
            self._manifest = manifest

    def _files(self, endpoint: Endpoint, standing: Standing) -> tuple[Sequence[FileEntry], Manifest | None]:
        """Return which files an endpoint is asked for: of another hub's, those that are the same there."""
        manifest = self._manifest or standing.manifest
        if endpoint.hub != self._request.repo.hub:
            manifest = self._pinned or standing.manifest
        return ([entry for entry in manifest.files if entry.size], manifest) if manifest else ((), None)


def _was_silent(one: Round) -> bool:
    return one.bytes_per_s is None and any(trouble.fault in SILENT for trouble in one.troubles)
