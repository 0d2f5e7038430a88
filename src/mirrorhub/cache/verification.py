"""Hash what lies in the caches and compare it with what was vouched for; and bring again what is not right."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Literal

from mirrorhub.api import fetch, fetch_files
from mirrorhub.arguments import Options
from mirrorhub.cache.inventory import StoredRepo, StoredSnapshot
from mirrorhub.digest import BLOCK, hasher_for
from mirrorhub.models import Digest, FileEntry, Manifest, Snapshot, Voucher
from mirrorhub.paths import OWN_FOLDER
from mirrorhub.rawfile import UNNOTICED, to_read
from mirrorhub.stores.notes import NoteBook, stamp_of
from mirrorhub.stores.seen import Stamp

Problem = Literal["damaged", "missing", "extra", "unreadable"]
Key = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """A file that is not as it should be.

    Attributes:
        path: Its path in the repository.
        problem: `damaged`, `missing`, or `extra`: there, and in no listing. `unreadable` is a note, named by its place:
            nothing says what the files should be.
        expected: The digest that was vouched for; empty for an extra file.
        actual: The digest that it has; empty where it was not computed.
        origins: The endpoints that had given it.
    """

    path: str
    problem: Problem
    expected: str = ""
    actual: str = ""
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found in one snapshot.

    Attributes:
        snapshot: Which.
        checked: How many files were hashed and right.
        bare: How many have no digest, so that only size and time could be compared.
        findings: What is not right.
    """

    snapshot: StoredSnapshot
    checked: int
    bare: int
    findings: tuple[Finding, ...]

    @property
    def lost(self) -> tuple[str, ...]:
        """The paths of files that are damaged or missing."""
        return tuple(one.path for one in self.findings if one.problem in ("damaged", "missing"))

    @property
    def is_damage(self) -> bool:
        """Whether anything is not right that should be."""
        return bool(self.lost) or self.snapshot.unreadable


class Verification:
    """Hashes files, each once: several snapshots may share it."""

    def __init__(self, on_bytes: Callable[[int], None]) -> None:
        """Take who wants to hear how many bytes were read."""
        self._on_bytes = on_bytes
        self._known: dict[Key, str] = {}

    def verify(self, repo: StoredRepo, snapshot: StoredSnapshot) -> Verdict:
        """Compare every file that the note says is there; write down that small ones were hashed."""
        note = snapshot.note
        if note is None:
            place = str(NoteBook(repo.home).path(snapshot.name))
            return Verdict(snapshot, 0, 0, (Finding(place, "unreadable"),) if snapshot.unreadable else ())
        findings, right, bare = [], dict[str, Stamp](), 0
        for entry in (entry for entry in note.manifest.files if entry.path in note.stamps):
            finding = self._finding(snapshot.path, entry, note.stamps[entry.path], note.origins.get(entry.path, ()))
            if finding is not None:
                findings.append(finding)
            elif entry.digest is None:
                bare += 1
            else:
                with suppress(OSError):
                    right[entry.path] = stamp_of(snapshot.path / entry.path)
        NoteBook(repo.home).remember(note, right)
        return Verdict(snapshot, len(right), bare, (*findings, *_extra(repo, snapshot)))

    def _finding(self, folder: Path, entry: FileEntry, stamp: Stamp, origins: tuple[str, ...]) -> Finding | None:
        expected = str(entry.digest or "")
        try:
            now = stamp_of(folder / entry.path)
            actual = self._digest(folder / entry.path, entry.digest, now[0]) if entry.digest else ""
        except OSError:
            return Finding(entry.path, "missing", expected, "", origins)
        right = now == stamp if entry.digest is None else actual == entry.digest.value
        return None if right else Finding(entry.path, "damaged", expected, actual, origins)

    def _digest(self, place: Path, digest: Digest, size: int) -> str:
        status = place.stat()
        key = (status.st_dev, status.st_ino, digest.algorithm)
        if key not in self._known:
            self._known[key] = self._hash(place, digest, size)
        return self._known[key]

    def _hash(self, place: Path, digest: Digest, size: int) -> str:
        hasher = hasher_for(digest, size)
        with _unnoticed(place) as file:
            while block := file.read(BLOCK):
                hasher.update(block)
                self._on_bytes(len(block))
        return hasher.hexdigest()


def size_to_read(snapshots: Iterable[StoredSnapshot]) -> int:
    """Return how many bytes a verification reads, for a bar; what snapshots share is read once."""
    contents = {inode: size for one in snapshots if one.ours for inode, size in one.contents.items()}
    return sum(contents.values())


def _lockfile(manifest: Manifest) -> Literal[False] | None:
    """Use the lock file of where this is called only for what it has brought: other snapshots stay as they are."""
    from mirrorhub.config import Settings

    return None if manifest.vouched_by == Voucher("lock", str(Settings.load().lockfile)) else False


def repair(repo: StoredRepo, verdict: Verdict, cache_dir: str | None, options: Options) -> Snapshot:
    """Put aside what is damaged, and bring it again, from the revision that the snapshot is of.

    A branch that has moved since is brought as it is now: one snapshot never mixes two commits.

    Args:
        repo: Of which repository.
        verdict: What was found.
        cache_dir: The cache that it lies in, where it is not the settings' own.
        options: As for `fetch`.

    Raises:
        MirrorHubError: It cannot be brought.
    """
    note = verdict.snapshot.note
    assert note is not None, "only what we published can be brought again"
    manifest = note.manifest
    given: Options = {
        **options,
        "hub": manifest.repo.hub,
        "repo_type": manifest.repo.type,
        "verify": True,
        "allow_stale": False,
        "lockfile": _lockfile(manifest),
    }
    if repo.plain:
        given["local_dir"] = repo.home
    elif manifest.repo.hub == "huggingface" and manifest.commit:
        # A commit does not move: of its files those that are lost will do.
        return fetch_files(manifest.repo.id, verdict.lost, manifest.commit, cache_dir, **given)
    if manifest.scope is not None or any(entry.path not in note.stamps for entry in manifest.files):
        given["allow_patterns"] = [glob.escape(entry.path) for entry in manifest.files if entry.path in note.stamps]
    return fetch(manifest.repo.id, manifest.revision, cache_dir, **given)


def _unnoticed(path: Path) -> BufferedReader:
    """Open a file without leaving a time of reading: to be verified is not to be used."""
    try:
        return to_read(path, UNNOTICED)
    except PermissionError:
        return to_read(path)


def _extra(repo: StoredRepo, snapshot: StoredSnapshot) -> list[Finding]:
    """Name files that no listing has; in a folder of the user's they are the user's."""
    if repo.plain or snapshot.note is None:
        return []
    known = {entry.path for entry in snapshot.note.manifest.files}
    found = (
        path.relative_to(snapshot.path) for path in snapshot.path.rglob("*") if path.is_symlink() or not path.is_dir()
    )
    return [
        Finding(path.as_posix(), "extra")
        for path in sorted(found)
        if path.as_posix() not in known and OWN_FOLDER not in path.parts
    ]
