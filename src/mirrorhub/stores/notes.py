"""Our notes on a repository's folder: what a snapshot holds, who vouched for it, and what each file looked like.

    {home}/.mirrorhub/notes/{revision}.json

The note, not the directory, says what is complete: a directory may hold what another program left half-done. A file
whose size and time are as noted is taken as it was when it was checked; any other is hashed again.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mirrorhub.digest import file_matches
from mirrorhub.models import FileEntry, Manifest, Repo, TransferReport, Voucher
from mirrorhub.paths import OWN_FOLDER, file_name, path_problem

FORMAT = 1
Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of a snapshot.

    Attributes:
        manifest: What the repository holds at the revision, wanted or not.
        stamps: (size, time of change in ns) of each file that is there and was checked.
        origins: Which endpoints gave each file's bytes.
    """

    manifest: Manifest
    stamps: Mapping[str, Stamp]
    origins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class NoteBook:
    """The notes of one repository's folder."""

    def __init__(self, home: Path) -> None:
        self._folder = home / OWN_FOLDER / "notes"

    def read(self, revision: str) -> Note | None:
        """Return the note on a revision; a damaged one counts as none, and its files are hashed again."""
        try:
            return decode_note(json.loads(self._path(revision).read_bytes()))
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None

    def write(self, revision: str, note: Note) -> None:
        """Replace the note on a revision, whole.

        Raises:
            OSError: The disk refuses.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._path(revision), json.dumps(encode_note(note), ensure_ascii=False).encode(), private=True)

    def _path(self, revision: str) -> Path:
        return self._folder / f"{file_name(revision)}.json"


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
    known = _known(note)
    held: dict[str, Stamp] = {}
    for entry in entries:
        with suppress(OSError):
            path = folder / entry.path
            stamp = stamp_of(path)
            trusted = not verify and known.get(entry.path) == (entry.digest, stamp)
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
    return status.st_size, status.st_mtime_ns


def _stamp_or_none(path: Path) -> Stamp | None:
    try:
        return stamp_of(path)
    except OSError:
        return None


def merged(old: Note | None, manifest: Manifest, held: Mapping[str, Stamp], reports: Iterable[TransferReport]) -> Note:
    """Return the note after a call: what it checked, and what the old note knew of the same content."""
    stamps: dict[str, Stamp] = {}
    origins: dict[str, tuple[str, ...]] = {}
    if old is not None:
        current = {entry.path: entry.digest for entry in manifest.files}
        for entry in old.manifest.files:
            if entry.path in old.stamps and entry.digest is not None and current.get(entry.path) == entry.digest:
                stamps[entry.path] = old.stamps[entry.path]
                origins[entry.path] = old.origins.get(entry.path, ())
    stamps.update(held)
    origins.update({report.path: tuple(report.endpoints) for report in reports if report.endpoints})
    return Note(manifest, stamps, origins)


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
        and entry.path in old.stamps
        and entry.path not in new.stamps
        and old.stamps[entry.path] == _stamp_or_none(folder / entry.path)
    )


def write_whole(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write a file so that nobody sees half of it.

    Raises:
        OSError: The disk refuses.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with os.fdopen(
            os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666), "wb"
        ) as file:
            file.write(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _known(note: Note | None) -> dict[str, tuple[object, Stamp]]:
    if note is None:
        return {}
    digests = {entry.path: entry.digest for entry in note.manifest.files}
    return {path: (digests.get(path), stamp) for path, stamp in note.stamps.items()}


def encode_note(note: Note) -> dict[str, object]:
    """Return a note as JSON holds it."""
    manifest = note.manifest
    return {
        "format": FORMAT,
        "repo": asdict(manifest.repo),
        "revision": manifest.revision,
        "commit": manifest.commit,
        "vouched_by": asdict(manifest.vouched_by),
        "files": [
            {
                **{name: value for name, value in asdict(entry).items() if value is not None},
                **({"stamp": note.stamps[entry.path]} if entry.path in note.stamps else {}),
                **({"from": note.origins[entry.path]} if note.origins.get(entry.path) else {}),
            }
            for entry in manifest.files
        ],
    }


def decode_note(raw: Any) -> Note:
    """Read a note from JSON.

    Raises:
        ValueError: It is another format, or touches what it must not; LookupError, TypeError and others, it is none.
    """
    if raw["format"] != FORMAT:
        raise ValueError("another format")
    rows = raw["files"]
    if any(path_problem(row["path"]) for row in rows):
        raise ValueError("a path that must not be touched")
    entries = tuple(
        FileEntry(row["path"], row.get("size"), row.get("sha256"), row.get("git_sha1"), row.get("commit"))
        for row in rows
    )
    manifest = Manifest(Repo(**raw["repo"]), raw["revision"], raw["commit"], entries, Voucher(**raw["vouched_by"]))
    stamps = {row["path"]: (int(row["stamp"][0]), int(row["stamp"][1])) for row in rows if "stamp" in row}
    return Note(manifest, stamps, {row["path"]: tuple(row["from"]) for row in rows if "from" in row})
