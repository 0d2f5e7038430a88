"""What the calls of both SDKs have in common: arguments that become ours, and what attempts tell."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mirrorhub.config import parse_url
from mirrorhub.errors import ChainError, MirrorHubError
from mirrorhub.models import Attempt

_STATUS = re.compile(r"answered (\d{3})")


def own_chain(endpoint: object, *usual: object) -> str | None:
    """Return the one endpoint to ask; None where it is the one that the SDK would have asked anyway.

    Libraries hand the SDK's default on as an argument: that is no wish to have no other.
    """
    if endpoint is None or endpoint == "":
        return None
    return None if _same(endpoint) in {_same(one) for one in usual if one} else str(endpoint)


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
