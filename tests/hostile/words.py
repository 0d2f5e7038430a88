"""Lies that fit together: only who vouches tells them apart, so it is said who did, and a pin or a hub refuses them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from tests.fakehub import FakeHub, Repo
from tests.fakehub.repo import HubName
from tests.hostile.attack import EVIL, FILES, ID, Attack, Mirror

Files = dict[str, bytes]
OLDER: Files = {**FILES, "model.bin": b"older" * 60_000}
OTHER: Files = {"config.json": b'{"other": 1}', "sub/tokens.txt": b"other", "model.bin": b"other" * 60_000}


def holding(files: Files) -> Callable[[HubName], AbstractContextManager[Mirror]]:
    """A mirror that holds other files under this name, and lists them as they are."""
    return lambda hub: FakeHub([Repo(hub, ID, files)], name="bad")


WORDS = [
    Attack("a listing that matches altered bytes", holding({**FILES, "model.bin": EVIL}), "digest", alone="its word"),
    Attack("an older commit for a branch", holding(OLDER), "digest", alone="its word"),
    Attack("another repository's files", holding(OTHER), "digest", alone="its word"),
    Attack("a file more", holding({**FILES, "setup.py": b"evil"}), "", alone="its word"),
    Attack("a file less", holding({k: v for k, v in FILES.items() if k != "config.json"}), "", alone="its word"),
]
