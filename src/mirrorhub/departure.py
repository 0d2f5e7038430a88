"""Where what is locked is to be had from nobody: what there is instead, file by file."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from mirrorhub.config import Settings
from mirrorhub.errors import (
    AccessDeniedError,
    IntegrityError,
    MirrorHubError,
    PinnedError,
    RepoNotFoundError,
    TransferError,
)
from mirrorhub.faults import Fault
from mirrorhub.http.client import Client
from mirrorhub.lockfile import LockedRepo
from mirrorhub.lockfile.comparing import Difference, State, compare
from mirrorhub.lookup import LOOK_AGAIN_S, OTHERWISE_LISTED, look_up
from mirrorhub.models import Attempt, Manifest, SnapshotRequest, Wanted
from mirrorhub.pinned import locked_for
from mirrorhub.plan import wanted_files

_SAID = OTHERWISE_LISTED | {Fault.NO_REVISION.name, Fault.NO_REPO.name}


async def departure(
    request: SnapshotRequest, settings: Settings, client: Client, error: TransferError
) -> PinnedError | None:
    """Return what is to be said where nobody has what is locked; None where nobody could be asked.

    Args:
        request: What is asked for.
        settings: What holds for this call.
        client: What sends.
        error: How the transfer ended.
    """
    entry = await asyncio.to_thread(locked_for, request, settings)
    if entry is None or not _is_said_by_all(error):
        return None
    now = await _now(entry, request, settings, client)
    difference = compare(locked_state(entry), now) if isinstance(now, State) else now
    return PinnedError(
        f"{_what(error)} {entry} is not to be had as it is locked in {settings.lockfile}: {_said(entry, difference)}",
        difference.lines if isinstance(difference, Difference) else (),
        error.attempts,
    )


def locked_state(entry: LockedRepo) -> State:
    """Return what is locked, to be compared."""
    return State(entry.revision, entry.commit, entry.files, entry.date)


def present_state(entry: LockedRepo, manifest: Manifest) -> State:
    """Return what a repository holds now, as far as what is locked tells of it."""
    files = wanted_files(manifest, Wanted(allow=entry.include, ignore=entry.exclude))
    date = datetime.fromtimestamp(manifest.dated_s, UTC).replace(microsecond=0) if manifest.dated_s else None
    return State(entry.revision, manifest.commit, files, date)


def _is_said_by_all(error: TransferError) -> bool:
    """Whether everybody who was asked has other bytes, or says that there are none; who is silent may have them."""
    last = {one.endpoint: one for one in error.attempts if one.subject == error.file and one.fault is not None}
    return isinstance(error, IntegrityError) or (bool(last) and all(map(_says, last.values())))


def _says(attempt: Attempt) -> bool:
    return attempt.fault in _SAID


async def _now(
    entry: LockedRepo, request: SnapshotRequest, settings: Settings, client: Client
) -> State | MirrorHubError:
    """Ask those who are believed what there is, and for no longer than a call that has failed may still take."""
    brief = replace(settings.unlocked(), timeout_s=min(settings.timeout_s or LOOK_AGAIN_S, LOOK_AGAIN_S))
    whole = replace(request, revision=entry.revision, wanted=Wanted())
    try:
        return present_state(entry, await look_up(whole, brief, client))
    except MirrorHubError as error:
        return error


def _what(error: TransferError) -> str:
    return f"{error.file} of" if error.file else "A file of"


def _said(entry: LockedRepo, difference: Difference | MirrorHubError) -> str:
    """Say what is the matter, and what to do about it: only what has changed in the open is to be taken."""
    if isinstance(difference, RepoNotFoundError | AccessDeniedError):
        # To whoever brings no token, a private repository is not there.
        return f"no endpoint gave it. {difference.message}"
    if isinstance(difference, MirrorHubError):
        return "no endpoint has it, and none could say what there is instead. Name another endpoint."
    if difference.older:
        return "what there is now is older than what is locked. Name another endpoint, or find out who went back."
    if difference:
        return (
            f"it has changed since. `mirrorhub lock diff {entry.repo}` shows it, and `mirrorhub lock update "
            f"{entry.repo}` takes it."
        )
    return "the listing is as locked, and the bytes are others: they were changed on the way. Name another endpoint."
