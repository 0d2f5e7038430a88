"""What is pinned for a request: by the project's lock file, else by the digests that are built in. Nobody is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from mirrorhub.config import Settings
from mirrorhub.errors import PinnedError
from mirrorhub.hubs.aliases import pinned_manifest
from mirrorhub.lockfile import LockedRepo
from mirrorhub.lockfile.reading import lock_of
from mirrorhub.models import PINNED, HubName, Manifest, Repo, SnapshotRequest, Voucher, Wanted
from mirrorhub.plan import scope_of

_WILD = re.compile(r"[*?\[\\]")
DEFAULT_BRANCHES: dict[HubName, tuple[str, ...]] = {"modelscope": ("master", "main"), "huggingface": ("main",)}


def pinned_for(request: SnapshotRequest, settings: Settings) -> Manifest | None:
    """Return the manifest that is pinned, where the request means one.

    Raises:
        ConfigError: There is a lock file, and it cannot be used.
        PinnedError: One is meant, and there is none; or it is not for what is asked for.
    """
    if (entry := locked_for(request, settings)) is not None:
        return _manifest(entry, request, settings)
    if request.revision != PINNED and settings.trust != "lock":
        return None
    manifest = pinned_manifest(request.repo)
    if manifest is None or request.revision not in (None, PINNED):
        raise PinnedError(
            f"Nothing is pinned for {_named(request)}: trust another level than 'lock', or lock it: "
            f"`mirrorhub lock add {_typed(request.repo, request.revision)}`."
        )
    return manifest


def locked_for(request: SnapshotRequest, settings: Settings) -> LockedRepo | None:
    """Return what the lock file says of what is asked for; None where it does not name the repository.

    Raises:
        ConfigError: There is a lock file, and it cannot be used.
        PinnedError: It names another revision of the repository only.
    """
    entries = entries_for(request.repo, settings)
    if not entries:
        return None
    named = [one for one in entries if request.revision and request.revision in (one.revision, one.commit)]
    if named or request.revision == PINNED:
        # The built-in digests cannot change either: who names them gets them.
        return named[0] if named else None
    chosen = _default_of(entries) if request.revision is None else None
    if chosen is None:
        raise PinnedError(_elsewhere(request, entries, settings))
    return chosen


def entries_for(repo: Repo, settings: Settings) -> tuple[LockedRepo, ...]:
    """Return what the lock file says of a repository, one entry for each of its revisions.

    Raises:
        ConfigError: There is a lock file, and it cannot be used.
    """
    lock = lock_of(settings)
    return lock.of(repo) if lock else ()


def is_locked(manifest: Manifest) -> bool:
    """Whether a lock file says what a repository holds."""
    return manifest.vouched_by.kind == "lock"


def _default_of(entries: Sequence[LockedRepo]) -> LockedRepo | None:
    """Return what is meant where no revision is named: the only one that is locked, else the default branch."""
    if len(entries) == 1:
        return entries[0]
    branches = DEFAULT_BRANCHES[entries[0].repo.hub]
    return next((one for branch in branches for one in entries if one.revision == branch), None)


def _manifest(entry: LockedRepo, request: SnapshotRequest, settings: Settings) -> Manifest:
    manifest = entry.manifest(Voucher("lock", str(settings.lockfile)))
    if entry.is_part and not manifest.covers(scope_of(request.wanted)) and not _is_within(request.wanted, entry):
        raise PinnedError(_beyond(request.wanted, entry, settings), file=_first_beyond(request.wanted, manifest))
    return replace(manifest, revision=request.revision or entry.revision)


def _is_within(wanted: Wanted, entry: LockedRepo) -> bool:
    """Whether patterns can match nothing but what was locked.

    They name locked files, are among the patterns that it was locked with, or it was locked without any.
    """
    if wanted.paths is not None:
        return False
    # Without a wildcard it matches the file of that name and no other.
    wild = (
        None if wanted.allow is None else {one for one in wanted.allow if _WILD.search(one) or one not in entry.paths}
    )
    if wanted.allow and not wild:
        return True
    if not set(entry.exclude) <= set(wanted.ignore):
        return False
    return entry.include is None or (wild is not None and wild <= set(entry.include))


def _first_beyond(wanted: Wanted, manifest: Manifest) -> str:
    return next((path for path in wanted.paths or () if not manifest.tells_of(path)), "")


def _beyond(wanted: Wanted, entry: LockedRepo, settings: Settings) -> str:
    patterns = [f"include {', '.join(entry.include)}"] if entry.include is not None else []
    patterns += [f"exclude {', '.join(entry.exclude)}"] if entry.exclude else []
    more = f"{', '.join(wanted.paths)} is not in it" if wanted.paths else "more is asked for"
    return (
        f"Of {entry} only a part is locked in {settings.lockfile} ({'; '.join(patterns)}), and {more}. Ask for that "
        f"part, or lock more: `mirrorhub lock update {_typed(entry.repo)} --include ...`."
    )


def _elsewhere(request: SnapshotRequest, entries: Sequence[LockedRepo], settings: Settings) -> str:
    locked = " and ".join(_shown(one) for one in entries)
    asked = repr(request.revision) if request.revision else "which of them is meant is not said"
    return (
        f"{request.repo} is locked at {locked} in {settings.lockfile}; asked for: {asked}. Ask for what is locked, or "
        f"lock that too: `mirrorhub lock add {_typed(request.repo, request.revision)}`."
    )


def _shown(entry: LockedRepo) -> str:
    return f"{entry.revision!r} ({entry.commit[:7]})" if entry.commit else repr(entry.revision)


def _named(request: SnapshotRequest) -> str:
    return f"{request.repo}@{request.revision}" if request.revision else f"{request.repo}"


def _typed(repo: Repo, revision: str | None = None) -> str:
    return f"{repo} --revision {revision}" if revision and revision != PINNED else f"{repo}"
