"""In which order the endpoints of a chain would be asked now, and why; after a look at each of them, if wanted.

A probe is one listing from each endpoint, all at once and over connections of their own, in a few seconds. What it
finds is remembered like what a call finds. Throughput is not measured: that takes bytes, and is what `bench` is for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mirrorhub.bench.comparison import Round
from mirrorhub.bench.flow import Allowance
from mirrorhub.bench.keeping import memory_of
from mirrorhub.bench.visit import Tally, Visit
from mirrorhub.chain import Chain
from mirrorhub.config import Settings
from mirrorhub.contacts import Contacts
from mirrorhub.endpoints import endpoints_for
from mirrorhub.health import Health
from mirrorhub.health.preference import Place, order_to_pull, places
from mirrorhub.http.carrier import build_carrier
from mirrorhub.http.client import Client
from mirrorhub.http.route import route_for
from mirrorhub.lane import MAX_LISTING
from mirrorhub.models import PINNED, Endpoint, SnapshotRequest
from mirrorhub.resolver import believed_endpoints

CONNECT_S, SILENCE_S = 3.0, 5.0
"""A connection, or an answer, that takes longer has failed, whatever a call would allow."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What to expect of one endpoint.

    Attributes:
        place: Where it stands, and what is remembered of it.
        asks: Its number among those who are asked what a repository holds; None where it is not asked.
        pulls: Its number among those who are asked for bytes; likewise.
        found: What a probe has just found; None without one.
    """

    place: Place
    asks: int | None
    pulls: int | None
    found: Round | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Whom."""
        return self.place.endpoint


def outlook_of(
    request: SnapshotRequest, settings: Settings, found: Mapping[Endpoint, Round] | None = None
) -> tuple[Outlook, ...]:
    """Return the chain of a request, in the order in which it would be asked for bytes.

    Raises:
        ConfigError: No endpoint of the chain can serve the repository.
    """
    health = Health(settings.state_dir)
    placed = places(_chain(request, settings), health, default=settings.endpoints is None)
    pullers = [endpoint for endpoint in order_to_pull(placed) if "pull" in endpoint.can]
    speakers = _speakers(request, settings, placed)
    everybody = dict.fromkeys([*pullers, *speakers])
    by_endpoint = {place.endpoint: place for place in placed}
    return tuple(
        Outlook(by_endpoint[one], _number(one, speakers), _number(one, pullers), (found or {}).get(one))
        for one in everybody
    )


async def probed(request: SnapshotRequest, settings: Settings) -> tuple[Outlook, ...]:
    """Look at every endpoint at once, remember what was found, and return what to expect now.

    Raises:
        ConfigError: No endpoint of the chain can serve the repository.
    """
    endpoints = [endpoint for endpoint in _chain(request, settings) if endpoint.hub != "wheel"]
    rounds = await asyncio.gather(*(_look(endpoint, request, settings) for endpoint in endpoints))
    health = Health(settings.state_dir)
    for endpoint, found in zip(endpoints, rounds, strict=True):
        health.learn(endpoint, memory_of(found, health.now))
    health.save()
    return outlook_of(request, settings, dict(zip(endpoints, rounds, strict=True)))


def _chain(request: SnapshotRequest, settings: Settings) -> tuple[Endpoint, ...]:
    """Return all that a call could ask, if it were not offline: to look at a list needs no network."""
    online = replace(settings, offline=False, modelscope_offline=False, huggingface_offline=False)
    return endpoints_for(request.repo, online)


def _speakers(request: SnapshotRequest, settings: Settings, placed: Sequence[Place]) -> list[Endpoint]:
    """Return who is asked what a repository holds: first whose word counts, and of these the living."""
    dead = {place.endpoint for place in placed if place.is_gone}
    chain = [place.endpoint for place in placed]
    believed, others = believed_endpoints(request.repo.hub, chain, settings.trust)
    return [one for group in (believed, others) for one in sorted(group, key=lambda one: one in dead)]


def _number(endpoint: Endpoint, order: Sequence[Endpoint]) -> int | None:
    return order.index(endpoint) + 1 if endpoint in order else None


async def _look(endpoint: Endpoint, request: SnapshotRequest, settings: Settings) -> Round:
    """Ask one endpoint for its listing."""
    tally = Tally(MAX_LISTING)
    route = route_for(settings)
    client = Client(build_carrier(settings.carrier, route), tally, route.proxy_for)
    patience = replace(settings.patience, connect_limit_s=min(CONNECT_S, settings.patience.connect_limit_s))
    settings = replace(settings, patience=patience, silence_s=min(SILENCE_S, settings.silence_s))
    contacts = Contacts(request, settings, client, Chain([endpoint], patience, settings.silence_s))
    visit = Visit(endpoint, contacts, tally, Allowance(MAX_LISTING), Round(1))
    own = request.revision if endpoint.hub == request.repo.hub and request.revision != PINNED else None
    try:
        await visit.list(request.repo, endpoint.revision or own, settings.max_files)
    finally:
        await contacts.aclose()
        await client.aclose()
    return visit.found
