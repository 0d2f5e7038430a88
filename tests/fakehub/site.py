"""What one host serves: its repositories, its token, its prefix, its limits. Values and look-ups, no IO."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

from tests.fakehub.messages import Kind, Request
from tests.fakehub.repo import File, HubName, Repo, RepoType

Standing = Literal["nobody", "member", "impostor"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a request is about: its kind and, for a body, the path of the file."""

    kind: Kind
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """One host.

    Attributes:
        token: The one token that opens private repositories; without it tokens are not looked at.
        prefix: The path below which the hub is mounted, such as "/modelscope".
        cdn: The base URL that LFS files are redirected to; None serves them directly.
        page_size: Rows on a page of a Hugging Face listing.
        listing_limit: Rows after which ModelScope cuts a listing off without a word.
        blobs: Whether it tells sizes and digests with a Hugging Face revision; a mirror may not.
        xet: Whether its LFS files are kept in Xet's store, as nearly all of the hub's are: it says so, and gives them.
        secret: What the addresses at the CDN are signed with.
    """

    repos: list[Repo] = field(default_factory=list)
    token: str | None = None
    prefix: str = ""
    cdn: str | None = None
    page_size: int = 1000
    listing_limit: int = 3000
    blobs: bool = False
    xet: bool = False
    secret: str = "fakehub"

    def find(self, hub: HubName, repo_type: RepoType, id: str) -> Repo | None:
        """Find a repository by its id, a ModelScope data set also by its number."""
        for repo in self.repos:
            if (repo.hub, repo.repo_type) == (hub, repo_type) and id in (repo.id, str(repo.number)):
                return repo
        return None

    def find_blob(self, sha256: str) -> tuple[str, File] | None:
        """Find a file of any repository by its content."""
        return next((found for repo in self.repos if (found := repo.find_blob(sha256))), None)

    def standing(self, request: Request, *, cookies: bool = False) -> Standing:
        """Say who asks: with no token, with the right one, or with a wrong one."""
        given = request.bearer or (request.session if cookies else None)
        if given is None or self.token is None:
            return "nobody"
        return "member" if given == self.token else "impostor"

    def signature(self, sha256: str) -> str:
        """Sign the address of a blob."""
        return hashlib.sha256(f"{self.secret}:{sha256}".encode()).hexdigest()[:32]
