"""Our notes on a repository's folder: what a snapshot holds, who vouched for it, and what each file looked like.

    {home}/.mirrorhub/notes/{revision}.json

The note, not the directory, says what is complete: a directory may hold what another program left half-done. A file
whose size and time are as noted is taken as it was when it was checked; any other is hashed again, and so is a small
one after the machine was started anew (`seen`). Neither inode nor time of change of the inode is in a stamp: renames,
links, backups and moves to another machine alter both. So bytes that were changed under the same size and a restored
time are found by their digest only: with `verify=True`, or `mirrorhub cache verify`.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final, get_args
from urllib.parse import unquote

from mirrorhub.digest import file_matches
from mirrorhub.models import FileEntry, HubName, Manifest, Repo, RepoType, TransferReport, Voucher, VoucherKind
from mirrorhub.ours import own_part
from mirrorhub.paths import file_name, path_problem
from mirrorhub.rawfile import NOT_THROUGH_LINKS, SYNCED, to_read
from mirrorhub.records import hex_digits, items, mapping, number, one_of, parsed, text, texts
from mirrorhub.stores.disk import write_whole as write_whole
from mirrorhub.stores.seen import SeenBook, Stamp, boot_name, mark_of, read_stamp

FORMAT, PARTIAL = 1, 2
"""Of a note on a whole revision, and on a part of one: who does not know the second must not take it for the first."""

WORTH: Final[tuple[VoucherKind, ...]] = get_args(VoucherKind)
"""Whose word is worth most comes first."""


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of a snapshot.

    Attributes:
        manifest: What the repository holds at the revision, wanted or not.
        stamps: (size, time of change in ns) of each file that is there and was checked.
        origins: Which endpoints gave each file's bytes; only of those that it holds.
        told: Paths of files that were not hashed: an SDK had noted that they are what is listed.
        boot: Under which start of the machine the stamps of small files were taken; empty in an old note.
        name: Under which name it was read.
        mark: Which state of the note was read.
        seen: Stamps that were found right since.
    """

    manifest: Manifest
    stamps: Mapping[str, Stamp]
    origins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    boot: str = ""
    told: frozenset[str] = frozenset()
    name: str = field(default="", compare=False)
    mark: str = field(default="", compare=False)
    seen: Mapping[str, Stamp] = field(default_factory=dict, compare=False)

    def trusts(self, path: str, stamp: Stamp) -> bool:
        """Whether a file that looks like this is as it was when it was checked."""
        if self.seen.get(path) == stamp:
            return True
        return self.stamps.get(path) == stamp and (stamp[0] >= SYNCED or self.boot == boot_name())


class NoteBook:
    """The notes of one repository's folder."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._seen = SeenBook(home)

    def read(self, revision: str) -> Note | None:
        """Return the note on a revision; a damaged one counts as none, and its files are hashed again."""
        try:
            with to_read(self.path(revision), NOT_THROUGH_LINKS) as file:
                mark = mark_of(os.fstat(file.fileno()))
                note = decode_note(parsed(file.read()))
        except (OSError, ValueError, LookupError):
            return None
        return replace(note, name=revision, mark=mark, seen=self._seen.read(revision, mark))

    def is_closed(self, revision: str) -> bool:
        """Whether there is a note on a revision, and this user may not read it: somebody else has filled the cache."""
        try:
            self.path(revision).open("rb").close()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def held(
        self, folder: Path, entries: Iterable[FileEntry], note: Note | None, *, verify: bool = False
    ) -> dict[str, Stamp]:
        """Do what `held_files` does, and write down which files need not be hashed the next time.

        Args:
            folder: The snapshot's directory.
            entries: The files in question, of the note's own manifest.
            note: What was read of the directory, if anything.
            verify: Hash each file, whatever its stamp says.
        """
        held = held_files(folder, entries, note, verify=verify)
        if note is not None:
            self.remember(note, held)
        return held

    def remember(self, note: Note, hashed: Mapping[str, Stamp]) -> None:
        """Write down which files were hashed and are right, where the note that was read does not say so."""
        news = {path: stamp for path, stamp in hashed.items() if not note.trusts(path, stamp)}
        if news and note.mark:
            self._seen.write(note.name, note.mark, {**note.seen, **news})

    def write(self, revision: str, note: Note) -> None:
        """Replace the note on a revision, whole.

        Raises:
            StoreError: A link stands in the place of the notes' folder.
            OSError: The disk refuses.
        """
        path = self.path(revision)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(encode_note(note), ensure_ascii=False).encode(), private=True)
        self._seen.forget(revision)

    def forget(self, revision: str) -> None:
        """Remove the note on a revision: from then on nothing says that its directory is complete.

        Raises:
            StoreError: A link stands in the place of the notes' folder.
            OSError: The disk refuses.
        """
        self.path(revision).unlink(missing_ok=True)
        self._seen.forget(revision)

    def names(self) -> list[str]:
        """Return the revisions that there is a note on."""
        try:
            files = sorted(own_part(self._home, "notes").iterdir())
        except OSError:
            return []
        names = ((unquote(file.name.removesuffix(".json")), file.name) for file in files)
        # Only what we would name so: whatever else may stand here was planted.
        return [name for name, file in names if not path_problem(name) and f"{file_name(name)}.json" == file]

    def mark(self, revision: str) -> str:
        """Return what names the present state of a note; nothing where there is none."""
        try:
            return mark_of(self.path(revision).lstat())
        except OSError:
            return ""

    def path(self, revision: str) -> Path:
        """Return where the note on a revision is kept.

        Raises:
            StoreError: A link stands in the place of the notes' folder.
        """
        return own_part(self._home, "notes") / f"{file_name(revision)}.json"


def held_files(
    folder: Path, entries: Iterable[FileEntry], note: Note | None, *, verify: bool = False
) -> dict[str, Stamp]:
    """Return path and stamp of every file that is there and right.

    Args:
        folder: The snapshot's directory.
        entries: The files in question.
        note: What is known of the directory, if anything.
        verify: Hash each file, whatever its stamp says.
    """
    known = {entry.path: entry.digest for entry in note.manifest.files} if note else {}
    held: dict[str, Stamp] = {}
    for entry in entries:
        with suppress(OSError):
            path = folder / entry.path
            stamp = stamp_of(path)
            same = entry.path in known and known[entry.path] == entry.digest
            trusted = note is not None and same and _trusted(note, entry, stamp, verify=verify)
            # Without a digest a file is as good as its note; found without one it is not known to be whole.
            if trusted or (entry.digest is not None and file_matches(path, entry)):
                held[entry.path] = stamp
    return held


def stamp_of(path: Path) -> Stamp:
    """Return size and time of change.

    Raises:
        OSError: There is no such file.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return status.st_size, status.st_mtime_ns


def _stamp_or_none(path: Path) -> Stamp | None:
    try:
        return stamp_of(path)
    except OSError:
        return None


def merged(
    old: Note | None,
    manifest: Manifest,
    held: Mapping[str, Stamp],
    reports: Iterable[TransferReport],
    told: frozenset[str] = frozenset(),
) -> Note:
    """Return the note after a call: what it checked, or was told, and what the old note knew of the same content."""
    manifest = manifest if old is None else combined(old, manifest)
    stamps: dict[str, Stamp] = {}
    origins: dict[str, tuple[str, ...]] = {}
    if old is not None:
        current = {entry.path: entry.digest for entry in manifest.files}
        for entry in old.manifest.files:
            if entry.path in old.stamps and entry.digest is not None and current.get(entry.path) == entry.digest:
                stamps[entry.path] = old.seen.get(entry.path, old.stamps[entry.path])
                origins[entry.path] = old.origins.get(entry.path, ())
    # A small file that was taken over from another boot and not hashed in this call keeps the whole note in that one.
    unsure = old is not None and any(not old.trusts(path, stamp) for path, stamp in stamps.items() if path not in held)
    origins.update({report.path: _givers(report) for report in reports if report.endpoints})
    told |= frozenset(path for path in stamps if old is not None and path in old.told and path not in held)
    return Note(manifest, stamps | dict(held), origins, old.boot if old and unsure else boot_name(), told)


def combined(old: Note, manifest: Manifest) -> Manifest:
    """Return what is known once a manifest of a part has come: that part, and what the note knew of the rest.

    Where nothing that is told has changed, both hold; who is less worth vouches for what two have told. Where anything
    has, the rest is no longer known: its files stay, and are named as what was brought once, to be compared or removed
    when the whole is told.
    """
    if manifest.scope is None:
        return manifest
    agreed = _agree(old.manifest, manifest)
    if agreed and old.manifest.covers(manifest.scope):
        return replace(old.manifest, revision=manifest.revision)
    known = {entry.path: entry for entry in old.manifest.files if entry.path in old.stamps}
    rest = {path: entry for path, entry in known.items() if not manifest.tells_of(path)}
    files = sorted((*manifest.files, *rest.values()), key=lambda entry: entry.path)
    one = replace(manifest, files=tuple(files))
    if old.manifest.scope is None or not agreed:
        return one
    voucher = max(old.manifest.vouched_by, manifest.vouched_by, key=lambda one: WORTH.index(one.kind))
    return replace(one, scope=manifest.scope | old.manifest.scope, vouched_by=voucher)


def _agree(old: Manifest, new: Manifest) -> bool:
    """Whether two may tell of one state: nothing that both tell of differs."""
    if old.commit != new.commit or (new.commit is None and old.revision != new.revision):
        return False
    both = [{entry.path: entry.digest for entry in one.files} for one in (old, new)]
    paths = {path for one in both for path in one if old.tells_of(path) and new.tells_of(path)}
    return all(path in one for path in paths for one in both) and all(both[0][path] == both[1][path] for path in paths)


def _givers(report: TransferReport) -> tuple[str, ...]:
    """Return who gave the bytes that the file holds, and not who gave some that were thrown away."""
    return tuple(dict.fromkeys(share.endpoint for share in report.shares))


def left_over(folder: Path, old: Note | None, new: Note) -> tuple[str, ...]:
    """Return the files that an earlier manifest brought and this one does not: they would mix two manifests.

    A file that somebody has changed since is theirs, and stays; so does one that was compared with the new manifest,
    which may know it by another digest than the old one did, or by the first that anybody told.
    """
    if old is None:
        return ()
    current = {entry.path: entry.digest for entry in new.manifest.files}
    return tuple(
        entry.path
        for entry in old.manifest.files
        if (entry.path not in current or current[entry.path] != entry.digest)
        and entry.path not in new.stamps
        and is_as_noted(folder, entry.path, old)
    )


def is_as_noted(folder: Path, path: str, note: Note | None) -> bool:
    """Whether a file is there and looks as the note says that we brought it."""
    if note is None or path not in note.stamps:
        return False
    return _stamp_or_none(folder / path) in (note.stamps[path], note.seen.get(path, ()))


def _trusted(note: Note, entry: FileEntry, stamp: Stamp, *, verify: bool) -> bool:
    """A file without a digest cannot be compared: its stamp has to do, whenever it was taken."""
    if entry.digest is None:
        return note.stamps.get(entry.path) == stamp
    return not verify and note.trusts(entry.path, stamp)


def encode_note(note: Note) -> dict[str, object]:
    """Return a note as JSON holds it."""
    manifest = note.manifest
    return {
        "format": FORMAT if manifest.scope is None else PARTIAL,
        "repo": asdict(manifest.repo),
        "revision": manifest.revision,
        "commit": manifest.commit,
        **({} if manifest.scope is None else {"scope": sorted(manifest.scope)}),
        "vouched_by": asdict(manifest.vouched_by),
        "boot": note.boot,
        "files": [
            {
                **{name: value for name, value in asdict(entry).items() if value is not None},
                **({"stamp": note.stamps[entry.path]} if entry.path in note.stamps else {}),
                **({"from": note.origins[entry.path]} if note.origins.get(entry.path) else {}),
                **({"told": True} if entry.path in note.told else {}),
            }
            for entry in manifest.files
        ],
    }


def decode_note(raw: object) -> Note:
    """Read a note from JSON.

    Raises:
        ValueError: It is another format, or holds what a note cannot; LookupError, it is none.
    """
    record = mapping(raw)
    if record["format"] not in (FORMAT, PARTIAL):
        raise ValueError("another format")
    rows = [mapping(row) for row in items(record["files"])]
    manifest = Manifest(
        _repo(mapping(record["repo"])),
        _checked(record["revision"]),
        None if record["commit"] is None else _checked(record["commit"]),
        tuple(map(_entry, rows)),
        _voucher(mapping(record["vouched_by"])),
        frozenset(texts(record["scope"])) if record["format"] == PARTIAL else None,
    )
    stamps = {text(row["path"]): read_stamp(row["stamp"]) for row in rows if "stamp" in row}
    origins = {text(row["path"]): texts(row["from"]) for row in rows if "from" in row}
    told = frozenset(text(row["path"]) for row in rows if row.get("told") is True)
    return Note(manifest, stamps, origins, text(record.get("boot", "")), told)


def _repo(raw: Mapping[str, object]) -> Repo:
    return Repo(one_of(raw["hub"], get_args(HubName)), _checked(raw["id"]), one_of(raw["type"], get_args(RepoType)))


def _voucher(raw: Mapping[str, object]) -> Voucher:
    return Voucher(one_of(raw["kind"], get_args(VoucherKind)), text(raw["name"]))


def _entry(raw: Mapping[str, object]) -> FileEntry:
    sha256, git_sha1, size, commit = (raw.get(name) for name in ("sha256", "git_sha1", "size", "commit"))
    pointer = raw.get("pointer")
    return FileEntry(
        _checked(raw["path"]),
        None if size is None else number(size),
        None if sha256 is None else hex_digits(sha256, 64),
        None if git_sha1 is None else hex_digits(git_sha1, 40),
        None if commit is None else text(commit),
        None if pointer is None else hex_digits(pointer, 40),
    )


def _checked(raw: object) -> str:
    """Read what may become a part of a path."""
    path = text(raw)
    if path_problem(path):
        raise ValueError("a path that must not be touched")
    return path
