"""What a repository holds, and whether that has changed while its files came. Nothing is fetched here."""

from __future__ import annotations

from dataclasses import replace

from mirrorhub.asking import asking
from mirrorhub.chain.beat import Beat
from mirrorhub.chain.walk import walk
from mirrorhub.config import Settings
from mirrorhub.errors import ResolutionError, TransferError
from mirrorhub.faults import Fault, Hopeless
from mirrorhub.http.client import Client
from mirrorhub.hubs.modelscope import ModelScope, Tag
from mirrorhub.models import PINNED, Endpoint, Manifest, SnapshotRequest
from mirrorhub.pinned import is_locked
from mirrorhub.resolver import believed_endpoints, resolve

OTHERWISE_LISTED = frozenset(
    fault.name for fault in (Fault.NO_FILE, Fault.SHORT_BODY, Fault.LONG_BODY, Fault.RANGE, Fault.WRONG_DIGEST)
)
"""What is said of a file that is not as it was listed."""
LOOK_AGAIN_S = 10.0
"""What a call that has failed spends on finding out whether it need not have."""


async def look_up(request: SnapshotRequest, settings: Settings, client: Client) -> Manifest:
    """Find out what a repository holds; fetch nothing.

    Raises:
        MirrorHubError: Nobody could say.
    """
    async with asking(request, settings, client) as call, call.watch.part("resolve", ResolutionError):
        return await resolve(request, settings, call.chain, call.lanes)


async def look_up_tags(request: SnapshotRequest, settings: Settings, client: Client) -> tuple[Tag, ...]:
    """Ask once around which tags a ModelScope repository has; nothing where nobody says."""
    async with asking(request, settings, client) as call:
        hub = ModelScope()
        believed, _ = believed_endpoints("modelscope", call.chain.endpoints, settings.trust)

        async def ask(endpoint: Endpoint, beat: Beat) -> tuple[Tag, ...]:
            return await hub.tags(call.lanes.lane(endpoint), request.repo, beat)

        async def use(_: Endpoint, tags: tuple[Tag, ...]) -> tuple[Tag, ...]:
            return tags

        try:
            return await walk(call.chain, "revisions", ask, use, endpoints=believed, laps=1)
        except Hopeless:
            return ()


async def has_moved(
    request: SnapshotRequest, settings: Settings, client: Client, manifest: Manifest, error: TransferError
) -> bool:
    """Whether something else is listed by now for a file that no endpoint gave as it was listed."""
    fixed = manifest.revision in (PINNED, manifest.commit) or is_locked(manifest)
    if fixed or error.file is None or not any(one.fault in OTHERWISE_LISTED for one in error.attempts):
        return False
    brief = replace(settings, timeout_s=min(settings.timeout_s or LOOK_AGAIN_S, LOOK_AGAIN_S))
    try:
        return (await look_up(request, brief, client)).entry(error.file) != manifest.entry(error.file)
    except ResolutionError:
        return False
