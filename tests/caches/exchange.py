"""One stores, the other finds: offline without a request, online without a body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.caches.parties import Party, Wish
from tests.fakehub import FakeHub, Repo
from tests.fakehub.repo import sample_bytes

FILES = {
    "config.json": b'{"a": 1}',
    "sub/deeper/some text.txt": b"x" * 3000,
    "empty.txt": b"",
    "model.bin": sample_bytes("model", 1_500_000),
    "sub/weights.safetensors": sample_bytes("weights", 30_000),
}


@dataclass(frozen=True, slots=True)
class Found:
    """What came of an exchange.

    Attributes:
        stored: Where the first party put it.
        offline: Where the second one found it.
        online: Where it found it when it could ask.
        asked: Requests about the repository while it was offline.
        bodies: Files whose bytes were asked for when it could ask.
        whole: Every file had the right bytes, each time.
    """

    stored: Path
    offline: Path
    online: Path
    asked: int
    bodies: tuple[str, ...]
    whole: bool

    @property
    def is_hit(self) -> bool:
        """Whether everything was found, and nothing asked for again."""
        return self.whole and not self.asked and not self.bodies


def repo_of(wish: Wish) -> Repo:
    """Return a repository of these files, for a hub to serve."""
    return Repo(wish.hub, wish.repo, FILES, repo_type=wish.kind)  # type: ignore[arg-type]


def exchange(hub: FakeHub, first: Party, second: Party, wish: Wish) -> Found:
    """Let one party store a repository, and another one find it."""
    stored = first.ask(hub, wish)
    hub.log.clear()
    # What it looks for offline it may look for online with other means: nothing of it is to be left behind.
    offline = second.ask(hub, replace(wish, offline=True))
    asked = len([request for request in hub.log.requests() if request.kind != "other"])
    whole = holds(stored) and holds(offline)
    hub.log.clear()
    online = second.ask(hub, wish)
    bodies = [request.file or "?" for request in hub.log.requests(kind="body") if request.method == "GET"]
    return Found(stored, offline, online, asked, tuple(sorted(set(bodies))), whole and holds(online))


def holds(folder: Path, files: Mapping[str, bytes] = FILES) -> bool:
    """Whether a directory holds the files, each with the right bytes."""
    return all((folder / path).is_file() and (folder / path).read_bytes() == data for path, data in files.items())
