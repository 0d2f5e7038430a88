"""Where nobody can be asked, or nobody gives what is new, what is on disk is used, and says that it may be old."""

from __future__ import annotations

import logging
from dataclasses import replace

from mirrorhub.asking import Asking
from mirrorhub.errors import (
    AccessDeniedError,
    ChainError,
    IntegrityError,
    RepoNotFoundError,
    ResolutionError,
    RevisionNotFoundError,
)
from mirrorhub.models import Snapshot
from mirrorhub.recall import is_believed, remembered
from mirrorhub.stores.registry import Store

log = logging.getLogger(__name__)


def what_is_there(call: Asking, store: Store, error: ChainError) -> Snapshot:
    """Nobody could be asked, or nobody could give what is new: return what is complete on disk, and say so.

    Raises:
        ChainError: Nothing is, or the caller will not have it, or somebody did answer: with a no, or wrong bytes.
    """
    request = call.request
    answered = isinstance(error, RepoNotFoundError | RevisionNotFoundError | AccessDeniedError | IntegrityError)
    wanted = request.allow_stale and not request.force_download and not answered
    try:
        found = remembered(request, store) if wanted else None
    except ResolutionError:
        found = None  # what is there is of a commit that has no such file
    if found is None or not found.files or not is_believed(found.vouched_by, call.settings.trust):
        raise error
    call.account.stale(error)
    log.warning("%s: %s; using what is in %s, which may be old", request.repo, _lack(error), found.path)
    return replace(found, stale=True, attempts=error.attempts)


def _lack(error: ChainError) -> str:
    asked = isinstance(error, ResolutionError)
    return "no endpoint could be asked" if asked else "what is new could not be brought"
