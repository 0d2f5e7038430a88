"""What one call asks with: the chain, the lanes to its endpoints, a stopwatch, and the account that is given of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import cache

from mirrorhub.chain import Chain
from mirrorhub.config import Settings
from mirrorhub.contacts import Contacts
from mirrorhub.endpoints import endpoints_for
from mirrorhub.errors import StoreError, TransferError
from mirrorhub.health import QUIET_S, Health
from mirrorhub.health.preference import Grade, Place, order_to_pull, places
from mirrorhub.health.revival import see_who_lives_again
from mirrorhub.http.client import Client
from mirrorhub.models import Endpoint, SnapshotRequest
from mirrorhub.report.account import Account
from mirrorhub.report.discretion import Discretion, discretion_for
from mirrorhub.stopwatch import Stopwatch
from mirrorhub.transfer.lanes import EXPECTED_SIZE, Lanes


class Moved(Exception):  # noqa: N818 - a signal: the call begins once more
    """A branch has moved between its listing and the bodies of its files."""

    def __init__(self, error: TransferError | StoreError) -> None:
        super().__init__()
        self.error = error


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked for, how, and with what.

    Attributes:
        request: What is asked for.
        settings: What holds for this call.
        chain: The endpoints, in order, and what is learnt of them.
        lanes: The connections to them.
        watch: Times the parts of the call.
        account: What is told of it, once it is over.
    """

    request: SnapshotRequest
    settings: Settings
    chain: Chain
    lanes: Lanes
    watch: Stopwatch
    account: Account


@contextlib.asynccontextmanager
async def asking(request: SnapshotRequest, settings: Settings, client: Client) -> AsyncIterator[Asking]:
    """What one call asks with; however it ends, it leaves its report."""
    health = Health(settings.state_dir)
    found = places(endpoints_for(request.repo, settings), health, default=settings.endpoints is None)
    chain = _chain(found, settings, _discreet(request, settings, [place.endpoint for place in found]))
    see_who_lives_again(found, settings, client, health, chain.welcome)
    expected = EXPECTED_SIZE if request.wanted.paths is None else 0
    lanes = Lanes(Contacts(request, settings, client, chain), chain, health, expected=expected)
    watch = Stopwatch(settings.timeout_s, chain.attempts, chain.came)
    account = Account(request, settings, chain, lanes, watch)
    try:
        lanes.begin()
        yield Asking(request, settings, chain, lanes, watch, account)
    except BaseException as error:
        account.failed(error.error if isinstance(error, Moved) else error)
        raise
    finally:
        await lanes.aclose()


def _discreet(request: SnapshotRequest, settings: Settings, endpoints: Sequence[Endpoint]) -> Callable[[str], str]:
    """Keep what this call may send to itself; most calls have nothing to tell, and never look for it."""

    @cache
    def discretion() -> Discretion:
        return discretion_for(settings, endpoints, request.token, (value for _, value in request.headers))

    return lambda text: discretion().clean(text)


def _chain(found: Sequence[Place], settings: Settings, discreet: Callable[[str], str]) -> Chain:
    """Put the endpoints in order, with what is remembered of them."""
    endpoints = [place.endpoint for place in found]
    chain = Chain(endpoints, settings.patience, settings.silence_s, discreet=discreet)
    chain.pull_in_order(order_to_pull(found))
    for place in found:
        if place.is_gone:
            chain.avoid(place.endpoint)
        if place.grade >= Grade.GONE:
            chain.spare(place.endpoint, QUIET_S)
    return chain
