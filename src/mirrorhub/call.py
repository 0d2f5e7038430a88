"""One call: a request with the settings it is answered under, from disk where that can be done, else on the loop."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorhub.arguments import Options, check_names, request_of, settings_of
from mirrorhub.config import Settings
from mirrorhub.models import Manifest, Snapshot, SnapshotRequest
from mirrorhub.pinned import pinned_for
from mirrorhub.recall import recall, recall_offline
from mirrorhub.repo_names import repo_of

if TYPE_CHECKING:
    from mirrorhub.http.client import Client
    from mirrorhub.preview import Preview
    from mirrorhub.report import Report


@dataclass(frozen=True, slots=True)
class Call:
    """A request with the settings it is answered under."""

    request: SnapshotRequest
    settings: Settings
    offline: bool

    @property
    def offline_by(self) -> str:
        """What made the call offline: a variable, `config file`, or an argument."""
        found = self.settings.offline_by(self.request.repo.hub)
        return "local_files_only" if found is None else found

    def from_disk(self) -> Snapshot | None:
        """Answer without a loop or a socket, where that can be done.

        Raises:
            NotCachedError: The call is offline, and it cannot be done.
        """
        pinned = pinned_for(self.request, self.settings)
        if self.offline:
            return recall_offline(self.request, self.settings, pinned)
        return recall(self.request, self.settings, pinned)

    def is_told_of(self, report: Report) -> bool:
        """Whether a report is one of what is asked for."""
        revision = self.request.revision
        return report.repo == str(self.request.repo) and revision in (None, report.revision, report.commit)

    async def fetch(self, client: Client) -> Snapshot:
        """Answer on the loop."""
        from mirrorhub.snapshot import fetch  # brings in httpx: only where something is asked for

        return await fetch(self.request, self.settings, client)

    async def resolve(self, client: Client) -> Manifest:
        """Answer on the loop what the repository holds, and fetch nothing."""
        from mirrorhub.lookup import look_up

        return await look_up(self.request, self.settings, client)

    async def preview(self, client: Client) -> Preview:
        """Answer on the loop what a call would do, and fetch nothing."""
        from mirrorhub.preview import preview

        return await preview(self.request, self.settings, client)

    def previewed_from_disk(self) -> Preview | None:
        """Answer the same without a loop or a socket, where that can be done.

        Raises:
            NotCachedError: The call is offline, and it cannot be done.
        """
        from mirrorhub.preview import preview_of, preview_on_disk

        pinned = pinned_for(self.request, self.settings)
        if self.offline:
            return preview_on_disk(recall_offline(self.request, self.settings, pinned))
        return preview_of(self.request, self.settings, pinned) if pinned else None


def call_of(
    repo_id: str | None,
    revision: str | None,
    cache_dir: str | os.PathLike[str] | None,
    options: Options,
    paths: tuple[str, ...] | None = None,
) -> Call:
    """Check and normalise the arguments of a call.

    Raises:
        TypeError: An unknown argument.
        ConfigError: A value that cannot be used.
    """
    check_names(options)
    repo = repo_of(repo_id or options.get("model_id"), options.get("hub", "auto"), options.get("repo_type"))
    request, settings = request_of(repo, revision, options, paths), settings_of(repo.hub, cache_dir, options)
    return Call(request, settings, bool(options.get("local_files_only")) or settings.offline_for(repo.hub))


def fetched(call: Call) -> Snapshot:
    """Bring what is asked for to disk."""
    if found := call.from_disk():
        return found
    from mirrorhub import loop  # brings in asyncio: 40 ms that an answer from disk does not need

    return loop.run(call.fetch, call.settings)


async def afetched(call: Call) -> Snapshot:
    """Do the same from a running event loop."""
    import asyncio

    from mirrorhub import loop

    if found := await asyncio.to_thread(call.from_disk):
        return found
    return await loop.arun(call.fetch, call.settings)
