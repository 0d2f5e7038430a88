"""The nouns of the story: what was asked for, what a repository holds, what happened. Values only, no IO."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

HubName = Literal["modelscope", "huggingface", "wheel"]
RepoType = Literal["model", "dataset", "space", "kernel"]
Trust = Literal["lock", "official", "auto", "any"]
Capability = Literal["resolve", "pull"]
VoucherKind = Literal["lock", "pin", "official", "named", "mirror", "nobody"]

MAX_WORKERS = 1024
"""How many files come at once at most, if nobody says fewer: memory and streams set narrower limits than this one."""

PINNED = "pinned"
"""The revision that means: the files whose digests are built into this package."""


@dataclass(frozen=True, slots=True)
class Repo:
    """A repository on a hub: `modelscope:iic/name`."""

    hub: HubName
    id: str
    type: RepoType = "model"

    def __str__(self) -> str:
        kind = "" if self.type == "model" else f"{self.type}s/"
        return f"{self.hub}:{kind}{self.id}"


@dataclass(frozen=True, slots=True)
class Digest:
    r"""A content digest: sha256 of the bytes, or git's sha1 of `blob <size>\0` and the bytes."""

    algorithm: Literal["sha256", "git-sha1"]
    value: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.value}"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of a repository. `size` is in bytes; a hub may leave out size or digest.

    `pointer` is git's sha1 of what stands for an LFS file in git: no digest of the content, but a name that
    huggingface_hub keeps.
    """

    path: str
    size: int | None = None
    sha256: str | None = None
    git_sha1: str | None = None
    commit: str | None = None
    pointer: str | None = field(default=None, compare=False)

    @property
    def digest(self) -> Digest | None:
        """The digest to check against: sha256 where it is known."""
        if self.sha256:
            return Digest("sha256", self.sha256)
        return Digest("git-sha1", self.git_sha1) if self.git_sha1 else None

    @property
    def etag(self) -> str | None:
        """What huggingface_hub calls the content: git's sha1 of a small file, sha256 of one in LFS."""
        return self.git_sha1 or self.sha256


@dataclass(frozen=True, slots=True)
class Voucher:
    """Who said what the repository holds.

    `lock`: a lock file; `pin`: digests built into this package; `official`: an official hub; `named`: an endpoint
    that the user named; `mirror`: a mirror's own word; `nobody`: found on disk, with nothing to compare it to.
    """

    kind: VoucherKind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".rstrip()


Scope = frozenset[str] | None
"""A part of a repository: paths, and folders with a slash at the end, each with all that is below; None for the whole.
"""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a repository holds at a revision, and who vouched for it.

    Attributes:
        repo: The repository.
        revision: As it was asked for.
        commit: Which one that is, where the hub has one for the whole repository.
        files: In order of their paths.
        vouched_by: Who says so.
        dated_s: When the newest of it was committed, in epoch seconds, where the hub says.
        scope: What is told of, where that is not all: paths, and folders with a slash at the end. What lies elsewhere
            may be there or not; a file in `files` that is not in here is no more than one that was there once.
    """

    repo: Repo
    revision: str
    commit: str | None
    files: tuple[FileEntry, ...]
    vouched_by: Voucher
    scope: Scope = None
    dated_s: float | None = field(default=None, compare=False)

    def tells_of(self, name: str) -> bool:
        """Whether it is known of a path, or of all in a folder with a slash at its end, what is there and what not."""
        if self.scope is None or name in self.scope:
            return True
        parts = name.rstrip("/").split("/")
        return any("/".join(parts[:count]) + "/" in self.scope for count in range(1, len(parts)))

    def covers(self, scope: Scope) -> bool:
        """Whether it tells of everything in a scope."""
        return self.scope is None or (scope is not None and all(map(self.tells_of, scope)))

    def confirms(self, other: Manifest) -> bool:
        """Whether another one tells nothing that is not told here, too."""
        if not self.covers(other.scope):
            return False
        return tuple(entry for entry in self.files if other.tells_of(entry.path)) == other.files

    def entry(self, path: str) -> FileEntry | None:
        """Return the entry of a path, or None."""
        return next((entry for entry in self.files if entry.path == path), None)


@dataclass(frozen=True, slots=True)
class Sought:
    """What an endpoint is asked to list.

    Attributes:
        repo: Of which repository.
        revision: At which revision.
        max_files: No more than so many.
        scope: What will do, where the whole takes many requests or cannot be told.
        is_large: That is known to be so.
    """

    repo: Repo
    revision: str
    max_files: int
    scope: Scope = None
    is_large: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A base URL that speaks a hub's protocol.

    Attributes:
        url: Scheme, host and path prefix, without a slash at the end; for a package index the requirement.
        hub: The protocol it speaks.
        can: `resolve`: its word on what a repository holds is taken; `pull`: it gives bytes.
        auth: Environment and stored tokens may be sent to it.
        official: It is the hub itself.
        named: The user named it.
        repo: The id under which it holds the content, where that differs from the request's.
        revision: The revision it holds it at, where that differs.
        token_variable: The variable that holds this endpoint's own token: it is sent that one, and none of the others.
    """

    url: str
    hub: HubName = "modelscope"
    can: frozenset[Capability] = frozenset({"resolve", "pull"})
    auth: bool = False
    official: bool = False
    named: bool = False
    repo: str | None = None
    revision: str | None = None
    token_variable: str | None = None

    def __repr__(self) -> str:
        # In the wrong place there may be the token itself.
        name = self.token_variable if str(self.token_variable).isupper() else "***"
        own = f", token_variable={name!r}" if self.token_variable else ""
        return f"Endpoint({self.address!r}, hub={self.hub!r}, can={sorted(self.can)}, auth={self.auth}{own})"

    def __str__(self) -> str:
        """Return the address as it may be shown: without user and password."""
        if self.hub == "wheel":
            return f"package index ({self.url})"
        return self.address

    @property
    def address(self) -> str:
        """The address without user and password."""
        scheme, mark, rest = self.url.partition("://")
        host, slash, path = rest.partition("/")
        return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"

    @property
    def login(self) -> str | None:
        """`user:password` out of the address, still quoted as there; None without one."""
        return self.url.partition("://")[2].partition("/")[0].rpartition("@")[0] or None

    @property
    def voucher(self) -> Voucher:
        """What its word on a repository is worth."""
        if self.official:
            return Voucher("official", str(self))
        return Voucher("named" if self.named else "mirror", str(self))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one endpoint.

    Attributes:
        endpoint: Its URL.
        subject: What was asked for: `listing` or a file's path.
        outcome: `ok`, or what went wrong, in words.
        fault: The fault's name, None when it went well.
        elapsed_s: How long it took.
        at_s: When it began, in seconds since the call did.
    """

    endpoint: str
    subject: str
    outcome: str
    fault: str | None
    elapsed_s: float
    at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Share:
    """Bytes of one file from one place.

    Attributes:
        endpoint: Who was asked.
        host: Who gave them, redirects followed.
        size: How many.
        runs: Which ones, as (start, end) with the end left out, a hundred runs at most; empty where all of the file is.
    """

    endpoint: str
    host: str
    size: int
    runs: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class TransferReport:
    """How one file came.

    Attributes:
        path: The path in the repository.
        size: Its size in bytes.
        endpoints: Bytes by the endpoint that gave them; empty when nothing was fetched.
        hosts: The hosts the bytes really came from, redirects followed.
        reused: Bytes that were on disk already.
        tries: How often a body was asked for.
        elapsed_s: From the first request to the checked file.
        verified: The digest was compared.
        shares: Who gave which of the bytes that are in the file now.
    """

    path: str
    size: int
    endpoints: Mapping[str, int]
    hosts: tuple[str, ...]
    reused: int
    tries: int
    elapsed_s: float
    verified: bool
    shares: tuple[Share, ...] = ()


@dataclass(frozen=True, slots=True)
class LanesReport:
    """How many connections bytes came over, and why so many.

    Attributes:
        endpoint: The endpoint that gave them, or redirected to who did.
        lanes: Connections to each host that bytes came from.
        reason: What was measured.
    """

    endpoint: str
    lanes: int
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A repository, or the wanted part of it, on disk.

    Attributes:
        path: The directory that holds the files.
        manifest: What the repository holds, wanted or not.
        files: The wanted files' paths in the repository.
        reports: One for each file that had to be fetched.
        attempts: Everything that was tried, in order of time.
        lanes: How many connections to the endpoints that gave bytes, and why.
        stale: No endpoint could be asked: this is what was there.
        verified: Every wanted file was compared with a digest, in this call or when it was published.
        seconds: How long each part of the call took: resolve, lock, plan, transfer, publish.
    """

    path: Path
    manifest: Manifest
    files: tuple[str, ...] = ()
    reports: tuple[TransferReport, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    lanes: tuple[LanesReport, ...] = ()
    stale: bool = False
    verified: bool = True
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def vouched_by(self) -> Voucher:
        """Who said what the repository holds."""
        return self.manifest.vouched_by

    @property
    def commit(self) -> str | None:
        """The commit, where the hub has one for the whole repository."""
        return self.manifest.commit


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which files of a repository are wanted: exact paths, or patterns as the repository's own SDK reads them."""

    paths: tuple[str, ...] | None = None
    allow: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Watchers:
    """Who wants to hear of progress: a tqdm class for the bar, and modelscope's callback classes.

    Attributes:
        tqdm_class: Makes the bar of bytes.
        callbacks: Made for each file.
        files: A second bar counts files.
    """

    tqdm_class: Callable[..., Any] | None = None
    callbacks: tuple[Callable[[str, int], Any], ...] = ()
    files: bool = False


@dataclass(frozen=True, slots=True)
class SnapshotRequest:
    """The arguments of a call, checked and normalised.

    Attributes:
        repo: The repository.
        revision: Branch, tag or commit; `pinned` for the built-in digests; None for the hub's default.
        wanted: Which files.
        local_dir: Where plain files go instead of the hub's cache.
        token: Given with this call; False for none at all.
        force_download: Fetch although it is there.
        verify: Compare what is there with its digests, not only with its stamps.
        allow_stale: What is there will do when no endpoint can be asked.
        max_workers: How many files at once.
        watchers: Who wants to hear of progress.
        headers: Sent to whoever may see a token that is given with the call.
        agent: Who calls, beside us: said to the endpoints of the repository's own hub.
    """

    repo: Repo
    revision: str | None = None
    wanted: Wanted = field(default_factory=Wanted)
    local_dir: Path | None = None
    token: str | bool | None = field(default=None, repr=False)
    force_download: bool = False
    verify: bool = False
    allow_stale: bool = True
    max_workers: int = MAX_WORKERS
    watchers: Watchers = field(default_factory=Watchers)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    agent: str = ""


def total_size(files: Iterable[FileEntry]) -> int:
    """Add up the sizes that are known, in bytes."""
    return sum(entry.size or 0 for entry in files)
