"""What lies in our own folder on its way: whose it is, how large, how old; and what of it goes by itself.

    .mirrorhub/partial/{content}.{owner}/     bytes so far, for whoever wants the same content next
    .mirrorhub/ready/{content}                whole, and not published yet
    .mirrorhub/staging-{owner}/, links/,
               publish-{owner}.json           a publishing that was cut off

What a living process owns stays, and what the present call could use. All else is a saving, not a duty: it goes when it
is old, and the oldest first when there is too much of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mirrorhub.ours import refuse_link
from mirrorhub.owner import is_alive
from mirrorhub.paths import OWN_FOLDER
from mirrorhub.stores import aside, trash
from mirrorhub.stores.aside import DAY_S, Limits

KEPT = Limits(number=100_000, size=50 << 30, age_s=14 * DAY_S)
_IN_FOLDERS = ("partial", "ready", "links")
_OWNED = ("staging", "publish")


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something on its way.

    Attributes:
        path: Where it lies.
        kind: `partial`, `ready`, `links`, `staging` or `publish`.
        content: The content's digest, as `sha256-...`; empty where it is not about one content.
        size: Bytes on disk.
        written_s: When it was written to last, in seconds of the epoch.
        alive: A living process owns it.
    """

    path: Path
    kind: str
    content: str
    size: int
    written_s: float
    alive: bool


def leftovers(home: Path) -> list[Leftover]:
    """Return what is on its way in a repository's folder, the newest first."""
    found = [_leftover(path, kind, owner) for path, kind, owner in _places(home / OWN_FOLDER)]
    return sorted(found, key=lambda one: one.written_s, reverse=True)


def tidy(
    home: Path,
    keep: Iterable[Path] = (),
    limits: Limits = KEPT,
    now_s: float | None = None,
    *,
    blobs: bool = False,
) -> None:
    """Remove what is old, or too much. The caller holds the repository.

    Args:
        home: The repository's folder.
        keep: Where content that the present call wants would be ready; whatever is of the same content stays.
        limits: What is kept.
        now_s: The time that ages are counted from.
        blobs: Its snapshots are links to blobs.
    """
    now_s = time.time() if now_s is None else now_s
    wanted = {place.name for place in keep}
    total = 0
    for one in leftovers(home):
        if one.alive or one.content in wanted:
            continue
        total += one.size
        if total > limits.size or now_s - one.written_s > limits.age_s:
            total -= one.size
            drop(home, one)
    trash.empty(home, own=True, blobs=blobs)
    aside.trim(home, now_s=now_s)


def drop(home: Path, leftover: Leftover) -> None:
    """Take it away by a rename: whoever renames it first has it, this call or one that takes it up.

    Raises:
        OSError: The disk refuses.
    """
    trash.discard(home, [leftover.path])


def size_of(place: Path) -> int:
    """Add up what lies at a place, in bytes; a link counts as itself."""
    total = 0
    pending = [place]
    while pending:
        path = pending.pop()
        with suppress(OSError):
            total += 0 if path.is_dir() and not path.is_symlink() else path.lstat().st_size
            if path.is_dir() and not path.is_symlink():
                pending.extend(path.iterdir())
    return total


def _places(own: Path) -> Iterator[tuple[Path, str, str]]:
    """Yield place, kind and owner; nothing where somebody has planted a link."""
    for kind in _IN_FOLDERS:
        for path in _children(own / kind):
            yield path, kind, path.name.partition(".")[2] if kind == "partial" else ""
    for path in _children(own):
        kind, mark, owner = path.name.partition("-")
        if mark and kind in _OWNED:
            yield path, kind, owner.removesuffix(".json")


def _leftover(path: Path, kind: str, owner: str) -> Leftover:
    content = path.name.partition(".")[0] if kind in ("partial", "ready") else ""
    return Leftover(path, kind, content, size_of(path), _written_s(path), bool(owner) and is_alive(owner, path))


def _written_s(path: Path) -> float:
    """When it, or something just below it, was written last; what is gone meanwhile is of now."""
    times = [time.time()]
    with suppress(OSError):
        places = [path, *(_children(path) if path.is_dir() and not path.is_symlink() else ())]
        times = [place.lstat().st_mtime for place in places]
    return max(times)


def _children(folder: Path) -> list[Path]:
    try:
        refuse_link(folder)
        return list(folder.iterdir())
    except OSError:
        return []
