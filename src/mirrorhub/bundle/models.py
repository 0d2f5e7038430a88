"""What was fetched, as a kit lists it: every file of the repository, and the bytes of those that were wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mirrorhub.bundle.packing import Source, source_of
from mirrorhub.config import Settings
from mirrorhub.departure import present_state
from mirrorhub.digest import file_digest
from mirrorhub.errors import BundleError
from mirrorhub.http.redact import redact
from mirrorhub.lockfile import LockedRepo
from mirrorhub.models import Digest, FileEntry, Snapshot, Voucher, Wanted
from mirrorhub.stores.registry import STORES


@dataclass(frozen=True, slots=True)
class Shipment:
    """A model that goes into a kit.

    Attributes:
        snapshot: What was fetched.
        wanted: What was asked for of it.
        label: What its folder in the cache is called.
        contents: The member of each wanted file, by the file's path.
    """

    snapshot: Snapshot
    wanted: Wanted
    label: str
    contents: Mapping[str, Source]

    def row(self) -> dict[str, object]:
        """Return it as the manifest holds it."""
        manifest = self.snapshot.manifest
        voucher = _told_outside(manifest.vouched_by)
        return {
            "hub": manifest.repo.hub,
            "repo": manifest.repo.id,
            "type": manifest.repo.type,
            "revision": manifest.revision,
            "commit": manifest.commit,
            "snapshot": self.label,
            "vouched_by": {"kind": voucher.kind, "name": voucher.name},
            "scope": None if manifest.scope is None else sorted(manifest.scope),
            "files": [_row(entry, self.contents.get(entry.path)) for entry in self._entries()],
        }

    def locked(self) -> LockedRepo:
        """Return it as a lock file holds it: what is in the kit."""
        manifest = self.snapshot.manifest
        files = tuple(
            replace(entry, sha256=source.sha256, size=source.size)
            for entry in self._entries()
            if (source := self.contents.get(entry.path)) is not None
        )
        entry = LockedRepo(
            manifest.repo,
            manifest.revision,
            files,
            manifest.commit,
            vouched_by=str(_told_outside(manifest.vouched_by)),
            include=self.wanted.allow,
            exclude=self.wanted.ignore,
        )
        return replace(entry, date=present_state(entry, manifest).date)

    def _entries(self) -> tuple[FileEntry, ...]:
        return self.snapshot.manifest.files


def shipment_of(snapshot: Snapshot, wanted: Wanted, settings: Settings) -> Shipment:
    """Find the bytes of what was fetched, and what the SDK calls their folder.

    Raises:
        BundleError: A file is not what was vouched for.
        StoreError: One cannot be read.
    """
    manifest = snapshot.manifest
    entries = {entry.path: entry for entry in manifest.files}
    contents = {path: _member(snapshot, entries[path]) for path in snapshot.files}
    return Shipment(snapshot, wanted, STORES[manifest.repo.hub](manifest.repo, settings).label(manifest), contents)


def members_of(shipments: Iterable[Shipment]) -> list[Source]:
    """Return each content once, whichever files have it."""
    found = {source.path: source for one in shipments for source in one.contents.values()}
    return [found[path] for path in sorted(found)]


def _member(snapshot: Snapshot, entry: FileEntry) -> Source:
    """Hash a file; of one that was compared with its sha256 already, that is done again while it is written."""
    place = snapshot.path / entry.path
    if entry.sha256 is not None and entry.size is not None:
        return Source(f"models/{entry.sha256}", "model", entry.size, entry.sha256, place)
    found = source_of("", "model", place)
    if entry.git_sha1 and file_digest(place, Digest("git-sha1", entry.git_sha1), found.size) != entry.git_sha1:
        raise BundleError(str(place), "is not what was vouched for; `mirrorhub cache verify --repair` mends the cache")
    if entry.sha256 not in (None, found.sha256):
        raise BundleError(str(place), "is not what was vouched for; `mirrorhub cache verify --repair` mends the cache")
    return replace(found, path=f"models/{found.sha256}")


def _row(entry: FileEntry, source: Source | None) -> dict[str, object]:
    """A file without a digest gets that of its bytes: from here on the kit vouches for it."""
    known = {"size": entry.size, "sha256": entry.sha256, "git_sha1": entry.git_sha1}
    if source is not None:
        known = {**known, "size": source.size, "content": source.sha256}
        known["sha256"] = entry.sha256 if entry.digest else source.sha256
    row = {"path": entry.path, **known, "commit": entry.commit, "pointer": entry.pointer}
    return {name: value for name, value in row.items() if value is not None}


def _told_outside(voucher: Voucher) -> Voucher:
    """Tell no login and no folder of whoever made the kit."""
    name = Path(voucher.name).name if voucher.kind == "lock" else redact(voucher.name)
    return replace(voucher, name=name)
