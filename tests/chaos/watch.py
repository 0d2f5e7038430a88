"""What everybody can see of a cache while calls run, and what is left of them afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping, Set
from pathlib import Path, PurePath
from types import TracebackType
from typing import Self

OWN = ".mirrorhub"
LOOK_S = 0.003
KEPT = frozenset({"notes", "lock", "reports", "aside", "seen"})
"""What may stay of our own beside a whole snapshot."""


def sha256(data: bytes) -> str:
    """Return a digest as the allowed ones are written."""
    return hashlib.sha256(data).hexdigest()


def visible(home: Path) -> Iterator[Path]:
    """Yield what another program would find of a repository: all files below its folder but our own."""
    for root, folders, names in os.walk(home):
        folders[:] = [name for name in folders if name != OWN]
        yield from (Path(root, name) for name in names)


def is_tree(name: str, data: bytes) -> bool:
    """Whether it is a whole list of a commit's files; under a name that nobody reads half of it may be."""
    try:
        return name.startswith(".") or json.loads(data)["format_version"] == 1
    except ValueError:
        return False


class Watcher:
    """A thread that looks at a repository's folder again and again while a call runs.

    Attributes:
        wrong: What was seen that nobody may see.
    """

    def __init__(self, home: Path, allowed: Mapping[str, set[str]]) -> None:
        """Begin.

        Args:
            home: The repository's folder.
            allowed: The digests that the file of a path may have.
        """
        self.wrong: dict[str, None] = {}
        self._home = home
        self._allowed = allowed
        self._blobs = set().union(*allowed.values())
        self._seen: dict[tuple[str, int, int, int], None] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="chaos-watcher")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_S):
            self._look()

    def _look(self) -> None:
        for path in visible(self._home):
            try:
                with path.open("rb") as file:
                    status = os.fstat(file.fileno())
                    key = (str(path), status.st_ino, status.st_size, status.st_mtime_ns)
                    if key in self._seen:
                        continue
                    self._seen[key] = None
                    self._judge(path, file.read())
            except OSError:
                # It was replaced or removed between two looks.
                continue

    def _judge(self, path: Path, data: bytes) -> None:
        place, *inside = path.relative_to(self._home).parts
        if place in ("refs", ".no_exist") or (place == "trees" and is_tree(path.name, data)):
            return
        allowed = self._blobs if place == "blobs" else self._allowed.get("/".join(inside[1:]), set())
        if place not in ("blobs", "snapshots") or sha256(data) not in allowed:
            self.wrong[f"seen: {path.relative_to(self._home)} ({len(data)} bytes)"] = None


def debris(home: Path, wanted: Set[str] | None) -> list[str]:
    """Return what a call should not have left among our own files.

    Args:
        home: The repository's folder.
        wanted: The digests of what was published; nothing of it waits any more, while bytes of another revision may.
            None after a call that failed: then anything may wait.
    """
    own = home / OWN
    found = sorted(path.relative_to(own) for path in own.rglob("*")) if own.is_dir() else []
    wrong = [
        path for path in found if path.name.startswith(("staging-", "publish-", "link-", "writable", "lock.holder"))
    ]
    if wanted is not None:
        wrong += [path for path in found if path.parts[0] not in KEPT and _is_useless(path, wanted)]
    return [f"left behind: {path}" for path in wrong]


def _is_useless(path: PurePath, wanted: Set[str]) -> bool:
    if path.parts[0] not in ("partial", "ready"):
        return True
    key = path.parts[1].partition(".")[0] if len(path.parts) > 1 else ""
    return key.startswith("unknown-") or key.partition("-")[2].removeprefix("sha1-") in wanted


def secrets_in(root: Path, secret: str) -> list[str]:
    """Return the files below a directory that hold a secret."""
    return [
        f"secret in {path.name}" for path in root.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()
    ]
