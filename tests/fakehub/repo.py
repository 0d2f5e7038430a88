"""Repositories in memory: files with their digests, commits, branches that move, tags that do not.

Everything is derived from the content, so two runs give the same ids and the same times.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

HubName = Literal["modelscope", "huggingface"]
RepoType = Literal["model", "dataset", "space", "kernel"]

LFS_PATTERNS = ("*.bin", "*.gguf", "*.onnx", "*.pt", "*.safetensors")
FIRST_COMMIT_AT = 1_700_000_000
COMMIT_INTERVAL_S = 3600


@dataclass(frozen=True, slots=True)
class File:
    """A file of a commit. `size` is in bytes; `commit` is the one that last changed it."""

    data: bytes = field(repr=False)
    sha256: str
    git_sha1: str
    lfs: bool
    commit: str
    committed_at: int

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.data)

    @property
    def pointer(self) -> bytes:
        """The git-lfs pointer that stands for the file in git."""
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {self.size}\n".encode()

    @property
    def oid(self) -> str:
        """The git object id: of the file, or of its pointer if it is in LFS."""
        return git_sha1(self.pointer) if self.lfs else self.git_sha1

    @property
    def xet(self) -> str:
        """The name of the file in Xet's store; not of its content as such."""
        return hashlib.sha256(f"xet {self.sha256}".encode()).hexdigest()

    @property
    def etag(self) -> str:
        """What Hugging Face gives as ETag: sha256 for LFS, the git object id for the others."""
        return self.sha256 if self.lfs else self.git_sha1


@dataclass(frozen=True, slots=True)
class Commit:
    """One state of a repository. `files` is sorted by path; `created_at` is in epoch seconds."""

    id: str
    files: Mapping[str, File]
    created_at: int

    @property
    def folders(self) -> tuple[str, ...]:
        """Every folder that holds a file, sorted."""
        return tuple(sorted({folder for path in self.files for folder in _parents(path)}))


class Repo:
    """A repository of one hub. Commits are never changed: a branch is moved to a new one.

    Attributes:
        branches: Name of each branch and the id of its commit.
        tags: Name of each tag and the id of its commit, newest first.
        tagged_at: When a tag was given, in epoch seconds, where that was not when its commit was made.
        granted: Whether the hub's own token has been let into this gated repository.
    """

    def __init__(
        self,
        hub: HubName,
        id: str,
        files: Mapping[str, bytes],
        *,
        repo_type: RepoType = "model",
        private: bool = False,
        gated: bool = False,
        granted: bool = True,
        lfs: Iterable[str] = LFS_PATTERNS,
    ) -> None:
        self.hub = hub
        self.id = id
        self.repo_type = repo_type
        self.private = private
        self.gated = gated
        self.granted = granted
        self.branches: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.tagged_at: dict[str, int] = {}
        self._lfs = tuple(lfs)
        self._commits: dict[str, Commit] = {}
        self.commit(files)

    def __repr__(self) -> str:
        return f"<Repo {self.hub} {self.repo_type} {self.id} {self.head.id[:8]} files={len(self.head.files)}>"

    @property
    def default_branch(self) -> str:
        """The branch that a caller who names none means."""
        return "master" if self.hub == "modelscope" else "main"

    @property
    def head(self) -> Commit:
        """The newest commit of the default branch."""
        return self._commits[self.branches[self.default_branch]]

    @property
    def files(self) -> Mapping[str, File]:
        """The files of the newest commit of the default branch."""
        return self.head.files

    @property
    def number(self) -> int:
        """The numeric id that ModelScope gives to a data set."""
        return zlib.crc32(self.id.encode())

    @property
    def commits(self) -> tuple[Commit, ...]:
        """Every commit, oldest first."""
        return tuple(self._commits.values())

    def commit(self, files: Mapping[str, bytes], *, branch: str | None = None, delete: Iterable[str] = ()) -> Commit:
        """Add files to a branch as a new commit, and move the branch to it.

        Args:
            files: What is new or changed.
            branch: The branch to move; one that does not exist starts at the default branch.
            delete: The paths that go.
        """
        name = branch or self.default_branch
        parent = self.find(name) or (self.head if self._commits else None)
        content = {path: file.data for path, file in parent.files.items()} if parent else {}
        content = {path: data for path, data in {**content, **files}.items() if path not in set(delete)}
        made = self._made(content, parent)
        self._commits[made.id] = made
        self.branches[name] = made.id
        return made

    def tag(self, name: str, revision: str | None = None, *, at: int | None = None) -> Commit:
        """Name a commit for good; the newest tag comes first, as the hubs list them."""
        commit = self.find(revision) if revision else self.head
        if commit is None:
            raise KeyError(f"{self!r} has no revision {revision!r}")
        self.tags = {name: commit.id, **self.tags}
        if at is not None:
            self.tagged_at[name] = at
        return commit

    def find(self, revision: str) -> Commit | None:
        """Find the commit that a branch, a tag or a full commit id means."""
        id = self.branches.get(revision) or self.tags.get(revision) or revision
        return self._commits.get(id)

    def find_blob(self, sha256: str) -> tuple[str, File] | None:
        """Find a file of any commit, newest first, by its content."""
        every = (pair for commit in reversed(self.commits) for pair in commit.files.items())
        return next(((path, file) for path, file in every if file.sha256 == sha256), None)

    def _made(self, content: Mapping[str, bytes], parent: Commit | None) -> Commit:
        digests = {path: hashlib.sha256(content[path]).hexdigest() for path in sorted(content)}
        id = self._commit_id(digests, parent)
        at = parent.created_at + COMMIT_INTERVAL_S if parent else FIRST_COMMIT_AT
        old = parent.files if parent else {}
        files = {
            path: old[path]
            if path in old and old[path].sha256 == sha256
            else File(content[path], sha256, git_sha1(content[path]), self._in_lfs(path), id, at)
            for path, sha256 in digests.items()
        }
        return Commit(id, files, at)

    def _commit_id(self, digests: Mapping[str, str], parent: Commit | None) -> str:
        lines = [self.hub, self.id, parent.id if parent else "", *(f"{sha} {path}" for path, sha in digests.items())]
        return hashlib.sha1("\n".join(lines).encode(), usedforsecurity=False).hexdigest()

    def _in_lfs(self, path: str) -> bool:
        return any(fnmatchcase(path, pattern) for pattern in self._lfs)


def git_sha1(data: bytes) -> str:
    """Give the id that git gives to a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def sample_bytes(name: str, size: int) -> bytes:
    """Give `size` bytes that look random, always the same ones for the same name."""
    return hashlib.shake_128(name.encode()).digest(size)


def _parents(path: str) -> Iterable[str]:
    parts = path.split("/")[:-1]
    return ("/".join(parts[: end + 1]) for end in range(len(parts)))
