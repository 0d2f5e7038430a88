"""A listing that nothing fits: who gave it is believed no more in this call, and whoever else is believed is asked.

An endpoint that the user named may list digests that no bytes have, files that nobody gives, or more than any disk
holds. That must not end a call in which another one would have told what there really is. What an official hub says, or
what is pinned, is not doubted.
"""

from __future__ import annotations

import errno
from dataclasses import replace

from mirrorhub.asking import Asking, Moved
from mirrorhub.errors import ChainError, MirrorHubError, StoreError, TransferError
from mirrorhub.lookup import OTHERWISE_LISTED
from mirrorhub.models import Capability, Endpoint, Manifest, Snapshot
from mirrorhub.resolver import believed_endpoints

_DOUBTFUL = frozenset({"named", "mirror"})
_PULL: frozenset[Capability] = frozenset({"pull"})


class Doubted(Moved):
    """Nothing fits what one endpoint has listed.

    Attributes:
        error: What the call would end in.
        lister: That endpoint.
        endpoints: The chain with it as one that only gives bytes.
    """

    def __init__(self, error: TransferError | StoreError, lister: str, endpoints: tuple[Endpoint, ...]) -> None:
        super().__init__(error)
        self.lister = lister
        self.endpoints = endpoints


def doubted(call: Asking, manifest: Manifest, error: TransferError | StoreError) -> Doubted | None:
    """Return the doubt that an error casts on a listing, where there is anybody else to ask; else None."""
    if manifest.vouched_by.kind not in _DOUBTFUL or not _is_cast_by(error):
        return None
    hub, trust, lister = call.request.repo.hub, call.settings.trust, manifest.vouched_by.name
    others = tuple(one for one in call.chain.endpoints if str(one) != lister)
    believed, rest = believed_endpoints(hub, others, trust)
    if manifest.vouched_by.kind == "mirror" or trust == "any":
        # It would be asked again as long as it is in the chain.
        return Doubted(error, lister, others) if believed or rest else None
    endpoints = tuple(replace(one, can=_PULL) if str(one) == lister else one for one in call.chain.endpoints)
    # Who has been doubted once is asked again only where all others are silent: then this is the end.
    return Doubted(error, lister, endpoints) if believed and endpoints != tuple(call.chain.endpoints) else None


def all_told(snapshot: Snapshot, doubts: list[Doubted]) -> Snapshot:
    """Return what was brought in the end, with the attempts of before."""
    before = (attempt for doubt in doubts if isinstance(doubt.error, ChainError) for attempt in doubt.error.attempts)
    return replace(snapshot, attempts=(*before, *snapshot.attempts)) if doubts else snapshot


def told_of(error: MirrorHubError, doubts: list[Doubted]) -> MirrorHubError:
    """Return the error of a call that has doubted: one that has every attempt of it."""
    first = doubts[0].error
    if not isinstance(error, TransferError) or not isinstance(first, ChainError):
        return first
    error.attempts = (*first.attempts, *error.attempts)
    return error


def _is_cast_by(error: TransferError | StoreError) -> bool:
    if isinstance(error, StoreError):
        return error.errno == errno.ENOSPC
    return any(attempt.fault in OTHERWISE_LISTED for attempt in error.attempts)
