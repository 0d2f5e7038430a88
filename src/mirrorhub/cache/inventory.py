"""What lies in the caches: every repository with its snapshots, what is on its way, and what was put aside.

Reads only. A folder that an SDK made and that bears no note of ours is counted like any other, and marked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from mirrorhub.config import Settings
from mirrorhub.models import Repo, RepoType
from mirrorhub.paths import OWN_FOLDER
from mirrorhub.stores.aside import Aside, asides
from mirrorhub.stores.books import BOOKS, UNFINISHED, read_books
from mirrorhub.stores.huggingface import read_ref
from mirrorhub.stores.leftovers import Leftover, leftovers
from mirrorhub.stores.notes import Note, NoteBook, stamp_of
from mirrorhub.stores.older import all_older, is_filled

_TYPES: tuple[RepoType, ...] = get_args(RepoType)
_CURRENT = "current"
Inode = tuple[int, int]


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """A snapshot on disk.

    Attributes:
        repo: Of which repository.
        name: Under which name its note is kept: a revision of ModelScope's, a commit of Hugging Face's.
        revisions: What it is called: the branches and tags that lead to it, or the name alone.
        path: Its directory; in a folder of the user's, the folder.
        note: What is known of it; None where an SDK made it.
        contents: Each file's bytes on disk by what holds them, so that what snapshots share is counted once.
        files: How many files there are.
        unlike: Files that the note says are there and that do not look as noted.
        used_s: When a file of it was read or written last, in seconds of the epoch.
        published_s: When its note was written; None without one.
        unreadable: Its note is there, and cannot be read.
    """

    repo: Repo
    name: str
    revisions: tuple[str, ...]
    path: Path
    note: Note | None
    contents: Mapping[Inode, int]
    files: int
    unlike: tuple[str, ...]
    used_s: float
    published_s: float | None
    unreadable: bool = False

    @property
    def ours(self) -> bool:
        """Whether we published it."""
        return self.note is not None

    @property
    def size(self) -> int:
        """Bytes on disk, what it shares with others included."""
        return sum(self.contents.values())

    @property
    def verified(self) -> bool:
        """Whether each of its files was compared with a digest when it was published."""
        if self.note is None:
            return False
        known = [entry for entry in self.note.manifest.files if entry.path in self.note.stamps]
        return all(entry.digest and entry.path not in self.note.told for entry in known)


@dataclass(frozen=True, slots=True)
class StoredRepo:
    """A repository on disk.

    Attributes:
        repo: Which.
        home: Its folder.
        users: It is a folder that the user named, not a cache.
        snapshots: Its snapshots.
        on_its_way: What no call has published yet.
        aside: What was put aside.
        other: Bytes below `home` that belong to no snapshot and are neither on their way nor put aside.
        shared: Another repository lies in the same folder.
        older: A modelscope before 1.38 has made the folder; like one of the user's it holds the files themselves.
    """

    repo: Repo
    home: Path
    users: bool
    snapshots: tuple[StoredSnapshot, ...]
    on_its_way: tuple[Leftover, ...] = field(default=())
    aside: tuple[Aside, ...] = field(default=())
    other: int = 0
    shared: bool = False
    older: bool = False

    @property
    def plain(self) -> bool:
        """Whether the files stand in its folder itself."""
        return self.users or self.older

    @property
    def size(self) -> int:
        """Bytes on disk, each counted once."""
        return size_together(self.snapshots) + self.size_on_its_way + self.size_aside + self.other

    @property
    def size_on_its_way(self) -> int:
        """Bytes that no call has published yet."""
        return sum(one.size for one in self.on_its_way)

    @property
    def size_aside(self) -> int:
        """Bytes that were put aside."""
        return sum(one.held for one in self.aside)

    @property
    def address(self) -> str:
        """What a command line calls it: `ms://owner/name`, `hf://datasets/owner/name`, or the folder."""
        return str(self.home) if self.users else address_of(self.repo)


def address_of(repo: Repo) -> str:
    """Write a repository as every command reads it."""
    kind = "" if repo.type == "model" else f"{repo.type}s/"
    return f"{'hf' if repo.hub == 'huggingface' else 'ms'}://{kind}{repo.id}"


def size_together(snapshots: Iterable[StoredSnapshot]) -> int:
    """Add up what snapshots hold on disk, counting once what they share."""
    contents: dict[Inode, int] = {}
    for snapshot in snapshots:
        contents.update(snapshot.contents)
    return sum(contents.values())


def stored_repos(settings: Settings) -> list[StoredRepo]:
    """Return everything that lies in both caches."""
    homes = (*_modelscope(settings), *_huggingface(settings))
    found = [one for guessed, home in homes for one in _stored(guessed, home)]
    found += [_stored_older(*one) for one in all_older(settings.modelscope_cache, _TYPES)]
    return sorted(found, key=lambda one: one.address)


def stored_folder(folder: Path) -> StoredRepo | None:
    """Return what lies in a folder that a user named, if we brought anything there."""
    note = NoteBook(folder).read(_CURRENT)
    if note is None and _published_s(folder, _CURRENT) is None:
        return None
    # Where the note cannot be read nobody knows what the folder is of.
    repo, revision = (note.manifest.repo, note.manifest.revision) if note else (Repo("modelscope", folder.name), "?")
    snapshot = _snapshot(repo, folder, _CURRENT, folder, (revision,), note)
    return StoredRepo(repo, folder, True, (snapshot,), tuple(leftovers(folder)), tuple(asides(folder)))


def _stored_older(guessed: Repo, home: Path) -> StoredRepo:
    """Return what lies in a directory that an older modelscope has made."""
    note, books = NoteBook(home).read(_CURRENT), read_books(home)
    repo = note.manifest.repo if note and _is_older(note.manifest.repo, home) else guessed
    told = (note.manifest.revision if note else None, books.revision)
    revisions = tuple(dict.fromkeys(name for name in told if name)) or ("?",)
    snapshot = _snapshot(repo, home, _CURRENT, home, revisions, note, users=False)
    return StoredRepo(repo, home, False, (snapshot,), tuple(leftovers(home)), tuple(asides(home)), older=True)


def _is_older(repo: Repo, home: Path) -> bool:
    """Whether a repository's older directory may be called so."""
    owner, _, name = repo.id.partition("/")
    return repo.hub == "modelscope" and home.parent.name == owner and home.name in (name, name.replace(".", "___"))


def as_it_is(shown: StoredRepo) -> StoredRepo | None:
    """Look again at a repository; None where it is no longer there."""
    if shown.users:
        return stored_folder(shown.home)
    if shown.older:
        return _stored_older(shown.repo, shown.home) if is_filled(shown.home) else None
    return next((one for one in _stored(shown.repo, shown.home) if one.repo == shown.repo), None)


def _modelscope(settings: Settings) -> Iterator[tuple[Repo, Path]]:
    """`models/{owner}--{name}`: the note says where a name with `--` in it is divided."""
    for kind in _TYPES:
        for home in _folders(settings.modelscope_cache / f"{kind}s"):
            owner, mark, name = home.name.partition("--")
            if mark:
                yield Repo("modelscope", f"{owner}/{name}", kind), home


def _huggingface(settings: Settings) -> Iterator[tuple[Repo, Path]]:
    for home in _folders(settings.huggingface_cache):
        kind, _, rest = home.name.partition("s--")
        known = next((one for one in _TYPES if one == kind), None)
        if known and rest:
            yield Repo("huggingface", rest.replace("--", "/", 1), known), home


def _stored(guessed: Repo, home: Path) -> list[StoredRepo]:
    """Return the repositories of a folder, which `a--b/c` and `a/b--c` share.

    What no note says whose it is counts to the first of them.
    """
    snapshots = tuple(_snapshots(guessed, home))
    noted = [one.repo for one in snapshots if one.note is not None and one.repo == one.note.manifest.repo]
    way, aside = tuple(leftovers(home)), tuple(asides(home))
    held = StoredRepo(guessed, home, False, snapshots, way, aside)
    first, *others = dict.fromkeys(noted) or (guessed,)
    mine = tuple(replace(one, repo=first) for one in snapshots if one.repo not in others)
    other = max(0, _size_once(home) - held.size)
    return [
        StoredRepo(first, home, False, mine, way, aside, other, shared=bool(others)),
        *(StoredRepo(repo, home, False, tuple(s for s in snapshots if s.repo == repo), shared=True) for repo in others),
    ]


def _is_of(guessed: Repo, repo: Repo) -> bool:
    """Whether a repository's folder may be the one that this one was guessed from."""
    flat = guessed.id.replace("/", "--")
    return (repo.hub, repo.type, repo.id.replace("/", "--")) == (guessed.hub, guessed.type, flat)


def _snapshots(guessed: Repo, home: Path) -> Iterator[StoredSnapshot]:
    """Yield what our notes name, and the directories that none of them does."""
    book, above = NoteBook(home), home / "snapshots"
    refs = _refs(home)
    noted = {name: book.read(name) for name in book.names() if _may_be(name)}
    for name, note in noted.items():
        repo = note.manifest.repo if note and _is_of(guessed, note.manifest.repo) else guessed
        yield _snapshot(repo, home, name, above / name, tuple(refs.get(name, (name,))), note)
    tops = {name.split("/")[0] for name in noted}
    for folder in _folders(above):
        if folder.name not in tops:
            yield _snapshot(guessed, home, folder.name, folder, tuple(refs.get(folder.name, (folder.name,))), None)


def _may_be(name: str) -> bool:
    """Whether a note's name may be a directory's: the folder may have come from somebody else."""
    return not {"", ".", ".."}.intersection(name.split("/")) and "\\" not in name and not Path(name).is_absolute()


def _refs(home: Path) -> dict[str, list[str]]:
    """Return the names that lead to each commit, in Hugging Face's layout."""
    found: dict[str, list[str]] = {}
    for path in _files_below(home / "refs"):
        with suppress(OSError, UnicodeDecodeError):
            commit = read_ref(path)
            found.setdefault(commit, []).append(path.relative_to(home / "refs").as_posix())
    return found


def _snapshot(
    repo: Repo,
    home: Path,
    name: str,
    path: Path,
    revisions: tuple[str, ...],
    note: Note | None,
    *,
    users: bool | None = None,
) -> StoredSnapshot:
    users = path == home if users is None else users
    places = [path / entry for entry in (note.stamps if note else ())] if users else list(_files_below(path))
    contents: dict[Inode, int] = {}
    used = written = _published_s(home, name)
    files = 0
    for place in places:
        with suppress(OSError):
            status = place.stat()
            contents[status.st_dev, status.st_ino] = status.st_size
            used = max(used or 0.0, status.st_atime, status.st_mtime)
            files += 1
    unlike = tuple(_unlike(path, note)) if note else ()
    lost = note is None and written is not None
    return StoredSnapshot(repo, name, revisions, path, note, contents, files, unlike, used or 0.0, written, lost)


def _unlike(folder: Path, note: Note) -> Iterator[str]:
    for path, stamp in note.stamps.items():
        try:
            now = stamp_of(folder / path)
        except OSError:
            now = (-1, 0)
        if now not in (stamp, note.seen.get(path)):
            yield path


def _published_s(home: Path, name: str) -> float | None:
    with suppress(OSError):
        return NoteBook(home).path(name).stat().st_mtime
    return None


def _size_once(home: Path) -> int:
    """Add up what lies below a folder, each file once; links are not followed."""
    contents: dict[Inode, int] = {}
    for path in _files_below(home, own=True):
        with suppress(OSError):
            status = path.lstat()
            if not path.is_symlink():
                contents[status.st_dev, status.st_ino] = status.st_size
    return sum(contents.values())


def _files_below(folder: Path, *, own: bool = False) -> Iterator[Path]:
    """Yield files and links to files; no link to a folder is entered."""
    for root, folders, names in os.walk(folder):
        if not own:
            folders[:] = [name for name in folders if name not in (OWN_FOLDER, UNFINISHED)]
        yield from (Path(root, name) for name in names if own or name not in BOOKS)


def _folders(above: Path) -> list[Path]:
    """Return the folders in a folder; a link to one is somebody else's affair."""
    try:
        return sorted(path for path in above.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:
        return []
