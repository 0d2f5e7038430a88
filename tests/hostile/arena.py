"""An attack is met in a cache among files that nobody may touch, by the mirror alone and before a good one."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mirrorhub import Endpoint, Snapshot, fetch
from mirrorhub.errors import MirrorHubError
from tests.fakehub import FakeHub, Repo, certs
from tests.fakehub.repo import HubName
from tests.hostile.attack import FILES, ID, Attack
from tests.quick import quick

CANARIES = (
    "canary.txt",
    "home/canary.txt",
    "home/.ssh/authorized_keys",
    "home/.state/canary.txt",
    "ms/canary.txt",
    "ms/models/canary.txt",
    "ms/models/org--other/snapshots/master/model.bin",
    "ms/models/org/name/keep.txt",
    "hf/canary.txt",
    "hf/models--org--other/blobs/" + "0" * 64,
    "hf/models--org--other/refs/main",
    "mirrorhub-evil/canary.txt",
)
_OURS = ("ms/models/org--name/", "hf/models--org--name/", "hf/CACHEDIR.TAG/", "home/.state/mirrorhub/")


@dataclass(frozen=True)
class Outcome:
    """What came of an attack.

    Attributes:
        mirror: The address of the one who attacked.
        error: What was raised, or None.
        snapshot: What was brought, or None.
        files: What a program finds at the path that it was given.
        published: What everybody sees of the repository afterwards.
        touched: What has changed outside of the repository's own folder.
        warnings: What was said beside.
        seconds: How long it took.
    """

    mirror: str
    error: MirrorHubError | None
    snapshot: Snapshot | None
    files: Mapping[str, bytes]
    published: Mapping[str, bytes]
    touched: tuple[str, ...]
    warnings: str
    seconds: float

    @property
    def words(self) -> str:
        """What is said of the mirror: its lines of the error, or its attempts."""
        if self.error is not None:
            return str(self.error)
        attempts = self.snapshot.attempts if self.snapshot else ()
        return "\n".join(f"{attempt.endpoint}: {attempt.outcome}" for attempt in attempts)


@contextmanager
def scene(root: Path) -> Iterator[None]:
    """An environment of its own below a folder, as the tests have it."""
    own = {
        "HOME": str(root / "home"),
        "XDG_CONFIG_HOME": str(root / "home" / ".config"),
        "XDG_STATE_HOME": str(root / "home" / ".state"),
        "MODELSCOPE_CACHE": str(root / "ms"),
        "HF_HUB_CACHE": str(root / "hf"),
        "SSL_CERT_FILE": str(certs.ca_file()),
    }
    before = dict(os.environ)
    os.environ.update(own)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def plant(root: Path) -> None:
    """Put files around the repository's folder that nobody may touch."""
    for name in CANARIES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine: " + name.encode())


Chained = Callable[[str, str], Sequence[Endpoint]]
"""A chain of a bad and a good mirror, from their addresses."""


def alone(bad: str, good: str) -> Sequence[Endpoint]:
    """Nobody else can be asked."""
    return (Endpoint(bad, named=True),)


def before_good(bad: str, good: str) -> Sequence[Endpoint]:
    """A good mirror stands behind the bad one; the user has named both."""
    return Endpoint(bad, named=True), Endpoint(good, named=True)


def giving_for_official(bad: str, good: str) -> Sequence[Endpoint]:
    """A mirror that only gives bytes, before the hub."""
    return Endpoint(bad, can=frozenset({"pull"})), Endpoint(good, official=True)


def face(attack: Attack, hub: HubName, root: Path, chained: Chained = alone, **more: object) -> Outcome:
    """Meet an attack, and look at what has come of it.

    Args:
        attack: Which.
        hub: Whose protocol the mirror speaks.
        root: Where the caches are.
        chained: Who can be asked.
        more: What the settings say besides.
    """
    plant(root)
    before = seen(root)
    with _listening() as said, attack.bring(hub) as bad, FakeHub([Repo(hub, ID, FILES)], name="good") as other:
        chain = [replace(endpoint, hub=hub) for endpoint in chained(bad.url, other.url)]
        settings = quick(*chain, silence_s=1.0, timeout_s=attack.timeout_s, **more)
        error, snapshot, began = None, None, time.monotonic()
        try:
            snapshot = fetch(ID, hub=hub, settings=settings)
        except MirrorHubError as caught:
            error = caught
        seconds = time.monotonic() - began
    after = seen(root)
    touched = tuple(sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)))
    files = _contents(snapshot.path) if snapshot else {}
    return Outcome(bad.url, error, snapshot, files, _published(root), touched, "\n".join(said), seconds)


@contextmanager
def _listening() -> Iterator[list[str]]:
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("mirrorhub")
    logger.addHandler(handler)
    try:
        yield said
    finally:
        logger.removeHandler(handler)


def seen(root: Path) -> dict[str, object]:
    """Everything below and beside a folder but the repository's own: kind, content and time of each file."""
    return {name: facts for name, facts in _facts(root) if not f"{name}/".startswith(_OURS)}


def _facts(root: Path) -> Iterator[tuple[str, object]]:
    for path in (*root.rglob("*"), *root.parent.iterdir()):
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else f"../{path.name}"
        status = path.lstat()
        is_file = path.is_file() and not path.is_symlink()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if is_file and status.st_size < 1 << 20 else ""
        # A folder's time says only that something was made in it, which is told by its name.
        yield name, (status.st_mode, content, status.st_mtime_ns if is_file else 0)


def _published(root: Path) -> dict[str, bytes]:
    homes = (root / "ms" / "models" / "org--name", root / "hf" / "models--org--name")
    found = {name: data for home in homes if home.is_dir() for name, data in _contents(home).items()}
    return {name: data for name, data in found.items() if not name.startswith(".mirrorhub/")}


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
