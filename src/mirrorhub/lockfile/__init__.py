"""`mirrorhub.lock`: what a project's repositories hold, with the digest of every file. Values only, no IO.

    version = 1

    [[repository]]
    name = "modelscope:org/name"
    revision = "master"                     as it was asked for
    commit = "<40 hex>"                     where the hub has one for the whole repository
    date = 2024-05-01T12:00:00Z             when the newest of it was committed, where the hub says
    vouched_by = "official https://..."     who said so when it was written
    also = ["huggingface:other/name"]       other repositories whose files are equal by digest
    include = ["*.onnx"]                    where a part was locked, likewise `exclude`
    files = [
        { path = "am.mvn", size = 8040, sha256 = "<64 hex>" },
    ]

A file has its sha256, whatever the hub lists; git's sha1, which Hugging Face lists of small files, stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from mirrorhub.models import FileEntry, Manifest, Repo, Voucher, total_size

LOCK_NAME = "mirrorhub.lock"
VERSION = 1


@dataclass(frozen=True, slots=True)
class LockedRepo:
    """One repository at one revision.

    Attributes:
        repo: Which.
        revision: As it was asked for.
        files: What it holds, in order of their paths, each with size and sha256.
        commit: Which one that is, where the hub has one for the whole repository.
        date: When the newest of it was committed, where the hub says.
        vouched_by: Who said so when it was written.
        also: Other repositories whose files are equal by digest.
        include: Only what matches was locked; None for all.
        exclude: What matches was not locked.
    """

    repo: Repo
    revision: str
    files: tuple[FileEntry, ...]
    commit: str | None = None
    date: datetime | None = None
    vouched_by: str = ""
    also: tuple[Repo, ...] = ()
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.repo}@{self.revision}"

    @property
    def key(self) -> tuple[str, str]:
        """What names it in a lock file, and its place there."""
        return str(self.repo), self.revision

    @property
    def is_part(self) -> bool:
        """Whether a part of the repository was locked."""
        return self.include is not None or bool(self.exclude)

    @property
    def paths(self) -> frozenset[str]:
        """The paths of its files."""
        return frozenset(entry.path for entry in self.files)

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return total_size(self.files)

    def manifest(self, vouched_by: Voucher) -> Manifest:
        """Return it as a manifest; of a part, the files that are locked are all that it tells of."""
        scope = self.paths if self.is_part else None
        dated_s = self.date.timestamp() if self.date else None
        return Manifest(self.repo, self.revision, self.commit, self.files, vouched_by, scope, dated_s)


@dataclass(frozen=True, slots=True)
class LockFile:
    """What a lock file holds, in order of names and revisions."""

    repositories: tuple[LockedRepo, ...] = ()

    def of(self, repo: Repo) -> tuple[LockedRepo, ...]:
        """Return what is locked of a repository: one entry for each revision."""
        return tuple(one for one in self.repositories if one.repo == repo)

    def find(self, key: tuple[str, str]) -> LockedRepo | None:
        """Return the entry of this name and revision, or None."""
        return next((one for one in self.repositories if one.key == key), None)

    def without(self, key: tuple[str, str]) -> LockFile:
        """Return it without the entry of this name and revision."""
        return replace(self, repositories=tuple(one for one in self.repositories if one.key != key))

    def with_all(self, entries: Iterable[LockedRepo]) -> LockFile:
        """Return it with these entries, in the place of those of the same name and revision."""
        by_key = {one.key: one for one in self.repositories} | {one.key: one for one in entries}
        return replace(self, repositories=tuple(by_key[key] for key in sorted(by_key)))
