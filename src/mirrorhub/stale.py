"""Where nobody can be asked, or nobody gives what is new, what is on disk is used, and says that it may be old."""

from __future__ import annotations

import logging
from dataclasses import replace

from mirrorhub.asking import Asking
from mirrorhub.chain.verdicts import FINAL_WORDS
from mirrorhub.config import Settings
from mirrorhub.errors import (
    AccessDeniedError,
    ChainError,
    IntegrityError,
    RepoNotFoundError,
    ResolutionError,
    RevisionNotFoundError,
)
from mirrorhub.models import Snapshot, SnapshotRequest
from mirrorhub.pinned import DEFAULT_BRANCHES, locked_for
from mirrorhub.recall import TAKING_AT_ITS_WORD, counts, remembered, unnoted
from mirrorhub.stores.registry import Store, stores_for

log = logging.getLogger(__name__)
_SAYING_NO = frozenset(fault.name for fault in FINAL_WORDS)


def what_is_there(call: Asking, error: ChainError) -> Snapshot:
    """Nobody could be asked, or nobody could give what is new: return what is complete on disk, and say so.

    Raises:
        ChainError: Nothing is, or the caller will not have it, or somebody did answer: with a no, or wrong bytes.
    """
    request = call.request
    wanted = request.allow_stale and not request.force_download and not _is_answered(call, error)
    # What is locked never gets old, and nothing else will do.
    wanted = wanted and locked_for(request, call.settings) is None
    found = _found(request, call.settings) if wanted else None
    if found is None:
        raise error
    call.account.stale(error)
    unsure = "" if found.verified else ", and could not be verified"
    log.warning("%s: %s; using what is in %s, which may be old%s", request.repo, _lack(error), found.path, unsure)
    return replace(found, stale=True, attempts=error.attempts)


def _is_answered(call: Asking, error: ChainError) -> bool:
    """Whether that is the last word: a no is one where no official hub is left that could not be asked."""
    if isinstance(error, IntegrityError):
        return True
    if not isinstance(error, RepoNotFoundError | RevisionNotFoundError | AccessDeniedError):
        return False
    hub = call.request.repo.hub
    official = {str(endpoint) for endpoint in call.chain.endpoints if endpoint.official and endpoint.hub == hub}
    return official <= {attempt.endpoint for attempt in error.attempts if attempt.fault in _SAYING_NO}


def _found(request: SnapshotRequest, settings: Settings) -> Snapshot | None:
    """Find what was asked for; of the default revision, what bears its name.

    A tag or a commit that is the only one there does for an SDK that is offline, and for whoever asks for that: nobody
    has said that it is what the default revision was.
    """
    revisions = [request.revision] if request.revision else DEFAULT_BRANCHES[request.repo.hub]
    tried = (
        _as_noted(replace(request, revision=one), store, settings)
        for one in revisions
        for store in stores_for(request, settings)
    )
    return next((found for found in tried if found is not None), None)


def _as_noted(request: SnapshotRequest, store: Store, settings: Settings) -> Snapshot | None:
    """Find what is complete; what somebody else has brought, and noted for himself only, is taken at its word."""
    try:
        found = remembered(request, store)
    except ResolutionError:
        return None  # what is there is of a commit that has no such file
    if found is not None:
        return found if found.files and counts(found.vouched_by, settings) else None
    return unnoted(request, store, closed=True) if settings.trust in TAKING_AT_ITS_WORD else None


def _lack(error: ChainError) -> str:
    asked = isinstance(error, ResolutionError)
    return "no endpoint could be asked" if asked else "what is new could not be brought"
