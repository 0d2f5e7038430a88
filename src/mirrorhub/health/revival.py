"""Whether an endpoint that was dead lives again: one process looks, beside its call, and no call waits for it.

A dead endpoint is asked after the others, so in a chain that works it would never be asked again. After a while
somebody asks it for its front page, over a connection that the next call can use; any answer will do. Whoever wants to
says so first, in the state that all processes share: of sixteen that start together, one does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from mirrorhub.config import Settings
from mirrorhub.faults import Failure, Fault
from mirrorhub.health import Health
from mirrorhub.health.impressions import NEVER, Impression, Impressions
from mirrorhub.health.memory import Memory, sighting
from mirrorhub.health.preference import Place
from mirrorhub.http.client import Ask, Client, Timeouts
from mirrorhub.models import Endpoint

log = logging.getLogger(__name__)
LIMIT_S = 20.0
"""For all of it, redirects included: less than others keep away meanwhile."""
_looking: set[asyncio.Task[object]] = set()


def see_who_lives_again(
    found: Sequence[Place], settings: Settings, client: Client, health: Health, welcome: Callable[[Endpoint], None]
) -> None:
    """Begin to ask whoever is due, each once; it goes on beside the call, and after it while the process lasts.

    Args:
        found: A chain.
        settings: How long to wait.
        client: What sends.
        health: Who is due; and where it is remembered what came of it.
        welcome: Called with an endpoint that lives again.
    """

    async def look(endpoint: Endpoint) -> None:
        if await _lives(endpoint, "", settings, client, health):
            welcome(endpoint)

    for place in found:
        if place.is_gone and health.is_due(place.memory) and health.claim(place.endpoint):
            _begin(look(place.endpoint))
        for origin, memory in place.hosts:
            if origin in place.gone_hosts and health.is_due(memory) and health.claim(place.endpoint, origin):
                _begin(_lives(place.endpoint, origin, settings, client, health))


def _begin(look: Coroutine[Any, Any, object]) -> None:
    task = asyncio.ensure_future(look)
    # The loop itself keeps no task alive.
    _looking.add(task)
    task.add_done_callback(_looking.discard)


async def _lives(endpoint: Endpoint, origin: str, settings: Settings, client: Client, health: Health) -> bool:
    """Ask once, without credentials, and remember what came of it; nothing where the process ends meanwhile."""
    url, impressions = (origin or endpoint.address) + "/", Impressions()
    timeouts = Timeouts(settings.patience.connect_limit_s, settings.patience.stall_s)
    try:
        async with asyncio.timeout(LIMIT_S):
            stream = await client.open(Ask(url, timeouts, impressions=impressions))
            await stream.aclose()
    except (Failure, TimeoutError) as error:
        log.debug("%s: asked whether it lives again: %s", origin or endpoint, error)
    memory = _verdict(impressions.at(url), health.now)
    if origin:
        health.learn_host(origin, memory)
    else:
        health.learn(endpoint, memory)
    health.save()
    return memory.heard_at > 0


def _verdict(seen: Impression, now: float) -> Memory:
    measured = sighting(seen.connect_s, seen.first_byte_s)
    if seen.heard_at > NEVER:
        return replace(measured, heard_at=now)
    faults = [fault.name for fault in seen.faults] or [Fault.READ_TIMEOUT.name]
    return replace(measured, faults=dict.fromkeys(faults, 1.0), gone_at=now)
