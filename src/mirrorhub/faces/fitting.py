"""What the calls of both SDKs have in common: arguments that become ours, and what attempts tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from mirrorhub.config import Settings
from mirrorhub.errors import ChainError, MirrorHubError
from mirrorhub.models import Attempt, HubName
from mirrorhub.tables import parse_url

_STATUS = re.compile(r"answered (\d{3})")


def own_chain(endpoint: object, token: object, *, sites: Iterable[str], named: str | None) -> str | None:
    """Return the one endpoint to ask; None where it is the one that the SDK would have asked anyway.

    Libraries hand the SDK's default on as an argument: that is no wish to have no other. With a token it is: a token
    goes to the one endpoint that it was given with, and to no mirror that a variable names.

    Args:
        endpoint: What was given.
        token: What was given with it.
        sites: The hub's own addresses.
        named: What a variable names.
    """
    if endpoint is None or endpoint == "":
        return None
    usual = {_same(one) for one in sites} | ({_same(named)} if named and not isinstance(token, str) else set())
    return None if _same(endpoint) in usual else str(endpoint)


def settings_for(hub: HubName, endpoint: str | None, cache: object, *, is_there: bool) -> Settings:
    """Return the settings of a call; where something is on disk already, the chain is asked once.

    The SDKs ask once, too: a program that has its files must not wait for a network that is not there.
    """
    settings = Settings.load({"endpoints": endpoint, f"{hub}_cache": cache})
    return replace(settings, patience=replace(settings.patience, listing_laps=1)) if is_there else settings


def failures(error: MirrorHubError) -> Iterator[Attempt]:
    """Yield what failed on the way to an error, the last first."""
    attempts = error.attempts if isinstance(error, ChainError) else ()
    yield from (attempt for attempt in reversed(attempts) if attempt.fault is not None)


def status_of(error: MirrorHubError) -> int | None:
    """Return the status that was answered last; None where nobody answered."""
    found = (_STATUS.search(attempt.outcome) for attempt in failures(error))
    return next((int(match[1]) for match in found if match), None)


def _same(address: object) -> str:
    try:
        return parse_url(address)
    except ValueError:
        return str(address)
