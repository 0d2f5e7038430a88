"""What commits hold, for a little while: programs ask for the files of one repository one after the other.

A commit never changes, so that its listing need not be asked for again. It is forgotten soon all the same: an endpoint
that listed it wrongly must not be believed for as long as a process lives.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from mirrorhub.models import Endpoint, Manifest, Repo

KEPT_S = 30.0
MOST = 32
_Key = tuple[str, Repo, str]


class Listings:
    """Listings by endpoint, repository and commit. Used on one event loop: there are no locks."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[_Key, tuple[float, Manifest]] = OrderedDict()

    def keep(self, endpoint: Endpoint, manifest: Manifest) -> None:
        """Keep a listing for a while; one of no commit may change at any time."""
        if manifest.commit:
            self._kept[endpoint.url, manifest.repo, manifest.commit] = self._clock(), manifest
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)

    def knows(self, endpoint: Endpoint, repo: Repo) -> bool:
        """Whether any commit of a repository is known as this endpoint has it."""
        self._forget()
        return any(key[:2] == (endpoint.url, repo) for key in self._kept)

    def find(self, endpoint: Endpoint, repo: Repo, commit: str) -> Manifest | None:
        """Return what a commit holds."""
        found = self._kept.get((endpoint.url, repo, commit))
        return found[1] if found else None

    def _forget(self) -> None:
        old = [key for key, (since, _) in self._kept.items() if self._clock() - since > KEPT_S]
        for key in old:
            del self._kept[key]


LISTINGS = Listings()
