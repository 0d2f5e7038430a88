"""The hubs that are known. A new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mirrorhub.chain.beat import Beat
from mirrorhub.hubs.huggingface import HuggingFace
from mirrorhub.hubs.modelscope import ModelScope
from mirrorhub.hubs.wheel import WheelIndex
from mirrorhub.lane import Body, Lane
from mirrorhub.models import FileEntry, HubName, Manifest, Repo, Sought
from mirrorhub.spans import Span


class Hub(Protocol):
    """How to ask an endpoint, and how to read its answers. One is made for each endpoint of a call."""

    default_revision: str

    @property
    def told(self) -> int:
        """How many pages of listings have come in this call."""

    def credentials(self, token: str) -> dict[str, str]:
        """Return the headers that carry a token."""

    async def manifest(self, lane: Lane, sought: Sought, beat: Beat) -> Manifest:
        """Ask what a repository holds; of a large one, at least what is in the scope.

        Raises:
            Failure: The endpoint did not say.
        """

    async def commit(self, lane: Lane, repo: Repo, revision: str, beat: Beat) -> str | None:
        """Ask which commit a revision names, and no more; None where the hub names none.

        Raises:
            Failure: The endpoint did not say.
        """

    async def open(self, lane: Lane, repo: Repo, revision: str, entry: FileEntry, span: Span, beat: Beat) -> Body:
        """Ask for a span of a file's bytes.

        Raises:
            Failure: The endpoint did not give them.
        """

    async def aclose(self) -> None:
        """Let go of what the call has gathered."""


HUBS: dict[HubName, Callable[[], Hub]] = {
    "modelscope": ModelScope,
    "huggingface": HuggingFace,
    "wheel": WheelIndex,
}
