"""What huggingface_hub writes beside files, so that it need not ask again; written as it does, and read.

    CACHEDIR.TAG                    in a cache, and in a folder's `.cache/huggingface`: backups leave it out
    trees/{commit}.json             every file of a commit, with what the hub calls it
    .no_exist/{commit}/{path}       empty: the commit has no such file
    download/{path}.metadata        in a folder: commit, etag, and when that was true; void once the file is changed

Source: huggingface_hub 2.4.0, `_tree_cache.py`, `_local_folder.py`, `file_download.py`. None of it is needed, so no
call fails because it could not be written; and none of it goes through a link that somebody planted.
"""

from __future__ import annotations

import functools
import json
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mirrorhub.models import FileEntry, Manifest
from mirrorhub.ours import refuse_link
from mirrorhub.paths import path_problem
from mirrorhub.rawfile import NOT_THROUGH_LINKS, to_read
from mirrorhub.records import hex_digits, mapping, moment_s, number, parsed, text
from mirrorhub.stores.disk import write_whole

TREE_FORMAT = 1
MAX_TREE_BYTES = 256 << 20
TAG = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n"
    b"# This file is a cache directory tag.\n"
    b"# For information about cache directory tags, see https://bford.info/cachedir/\n"
)
BOOKS = ".cache/huggingface/"
"""Where the SDK keeps its books of a folder."""
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PRECISION_S = 1.0
"""By so much a file may be younger than what was written about it: not every file system keeps the time exactly."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What was written about a file in a folder.

    Attributes:
        commit: The commit that it came with.
        etag: What the hub calls its content: sha256 of an LFS file, git's sha1 of any other.
        at_s: When that was true, in seconds of the epoch.
    """

    commit: str
    etag: str
    at_s: float

    def is_of(self, mtime_ns: int) -> bool:
        """Whether it still holds for a file that was changed at this time."""
        return mtime_ns / 1e9 - _PRECISION_S <= self.at_s


def is_commit(name: str) -> bool:
    """Whether a name is a commit's."""
    return _COMMIT.fullmatch(name) is not None


def tag(cache: Path) -> None:
    """Mark a directory as a cache where the installed SDK does it, too: older ones warn of the mark."""
    if not (cache / "CACHEDIR.TAG").exists() and _is_known():
        _write(cache, "CACHEDIR.TAG", TAG, anew=False)


@functools.cache
def _is_known() -> bool:
    """Whether the installed SDK knows the mark; that is read, for importing it takes longer than a call from disk."""
    import importlib.util

    with suppress(OSError, ImportError, ValueError):
        spec = importlib.util.find_spec("huggingface_hub")
        if spec is not None and spec.origin is not None:
            return b"CACHEDIR.TAG" in Path(spec.origin).with_name("_local_folder.py").read_bytes()
    return False


def write_tree(home: Path, manifest: Manifest, below: str = "") -> None:
    """Write down every file of a commit, if all of them are known, and all that the SDK needs.

    Args:
        home: The repository's folder, or one of the user's.
        manifest: The commit.
        below: Where in it the SDK keeps its books, with a slash at the end.
    """
    if manifest.scope is not None:
        return
    rows = {entry.path: _row(entry) for entry in sorted(manifest.files, key=lambda entry: entry.path)}
    if manifest.commit is None or not is_commit(manifest.commit) or not all(rows.values()):
        return
    record = json.dumps({"format_version": TREE_FORMAT, "files": rows}, indent=1)
    _write(home, f"{below}trees/{manifest.commit}.json", record.encode())


def read_tree(above: Path, commit: str) -> Sequence[FileEntry]:
    """Return every file of a commit as the SDK wrote it down; nothing where it did not."""
    try:
        with to_read(above / "trees" / f"{commit}.json", NOT_THROUGH_LINKS) as file:
            tree = parsed(file.read(MAX_TREE_BYTES))
        if tree["format_version"] != TREE_FORMAT:
            return ()
        return tuple(_entry(path, mapping(row)) for path, row in mapping(tree["files"]).items())
    except (OSError, ValueError, LookupError):
        return ()


def write_absent(home: Path, commit: str, path: str) -> None:
    """Write down that a commit has no such file."""
    if is_commit(commit) and not path_problem(path):
        _write(home, f".no_exist/{commit}/{path}", b"")


def forget_absent(home: Path, commit: str, path: str) -> None:
    """Remove what was written of a file that is there now: the SDK would believe it."""
    _unlink(home, f".no_exist/{commit}/{path}")


def metadata_of(folder: Path, path: str) -> Metadata | None:
    """Read what was written about a file in a folder; None where nothing was, or nothing that can be read."""
    with (
        suppress(OSError, ValueError),
        to_read(_books(folder) / f"download/{path}.metadata", NOT_THROUGH_LINKS) as file,
    ):
        commit, etag, at = file.read(1000).decode("ascii").split("\n")[:3]
        return Metadata(commit.strip(), etag.strip(), moment_s(float(at)))
    return None


def write_metadata(folder: Path, path: str, commit: str, etag: str) -> None:
    """Write about a file in a folder what is true now."""
    _write(folder, f"{BOOKS}download/{path}.metadata", f"{commit}\n{etag}\n{time.time()}\n".encode())


def forget_metadata(folder: Path, path: str) -> None:
    """Remove what was written about a file that is about to change."""
    _unlink(folder, f"{BOOKS}download/{path}.metadata")


def open_books(folder: Path) -> None:
    """Mark where the SDK keeps its books of a folder, as it does."""
    _write(folder, f"{BOOKS}.gitignore", b"*", anew=False)
    _write(folder, f"{BOOKS}CACHEDIR.TAG", TAG, anew=False)


def commit_of(folder: Path) -> str | None:
    """Return the commit that most files of a folder came with, as far as is written."""
    commits: dict[str, int] = {}
    download = _books(folder) / "download"
    for place in download.rglob("*.metadata"):
        path = place.relative_to(download).as_posix().removesuffix(".metadata")
        if (found := metadata_of(folder, path)) and is_commit(found.commit):
            commits[found.commit] = commits.get(found.commit, 0) + 1
    return max(commits, key=lambda commit: commits[commit], default=None)


def _books(folder: Path) -> Path:
    return folder / BOOKS


def _row(entry: FileEntry) -> dict[str, object] | None:
    name = entry.git_sha1 or entry.pointer
    if name is None or entry.size is None:
        return None
    lfs = {} if entry.git_sha1 else {"lfs_sha256": entry.sha256, "lfs_size": entry.size}
    return {"size": entry.size, "blob_id": name, **lfs}


def _entry(path: str, row: dict[str, object]) -> FileEntry:
    if path_problem(path):
        raise ValueError("a path that must not be touched")
    if row.get("lfs_sha256"):
        return FileEntry(text(path), number(row.get("lfs_size", row["size"])), hex_digits(row["lfs_sha256"], 64))
    return FileEntry(text(path), number(row["size"]), git_sha1=hex_digits(row["blob_id"], 40))


def _write(above: Path, path: str, data: bytes, *, anew: bool = True) -> None:
    with suppress(OSError):
        for parent in reversed(PurePosixPath(path).parents[:-1]):
            refuse_link(above / parent)
        (above / path).parent.mkdir(parents=True, exist_ok=True)
        if anew or not (above / path).exists():
            write_whole(above / path, data)


def _unlink(above: Path, path: str) -> None:
    with suppress(OSError):
        for parent in reversed(PurePosixPath(path).parents[:-1]):
            refuse_link(above / parent)
        (above / path).unlink()
