"""Where modelscope 1.10 to 1.37 kept a repository: one directory for whatever revision it had fetched last.

    1.10           {MODELSCOPE_CACHE}/{owner}/{name}
    1.12           {MODELSCOPE_CACHE}/{owner}/{name, ___ for dots}      any version's cache_dir=
    1.15 - 1.22    {MODELSCOPE_CACHE}/hub/{owner}/{name, ___ for dots}
    1.23 - 1.37    {MODELSCOPE_CACHE}/models/{owner}/{name, ___ for dots}; without the variable below hub/, too

Data sets have `datasets` in place of `models`. What its books say (`books`) tells which revision it is, and which files
should be there. modelscope 1.38 and later go on to use such a directory; so do we, as long as it is right: what is
missing is added, with our notes in it, and nothing that stands there is changed. A revision of which something differs
goes to where 1.38 keeps it, with copies of what is the same; the older directory stays for whoever uses it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from mirrorhub.models import FileEntry, Manifest, Repo, RepoType
from mirrorhub.owner import is_regular
from mirrorhub.stores.books import Books, read_books
from mirrorhub.stores.folder import CURRENT
from mirrorhub.stores.local import ModelScopeFolder
from mirrorhub.stores.notes import Note, NoteBook, held_files, stamp_of
from mirrorhub.stores.seen import Stamp, boot_name

_DEFAULT = "master"


def older_folders(cache: Path, repo: Repo) -> Iterator[Path]:
    """Yield the directories of older versions that hold something, in the order in which modelscope looks for them."""
    owner, _, name = repo.id.partition("/")
    kind, safe = f"{repo.type}s", name.replace(".", "___")
    below = [f"{kind}/{owner}/{safe}", f"hub/{kind}/{owner}/{safe}"]
    below += [f"{above}{owner}/{one}" for above in ("", "hub/", f"{kind}/", f"hub/{kind}/") for one in (name, safe)]
    seen: set[Path] = set()
    # The name with its dots may be a link to the other one, which comes first then.
    folders = sorted((cache / one for one in dict.fromkeys(below)), key=lambda folder: folder.is_symlink())
    for folder in folders:
        if is_filled(folder) and (real := folder.resolve()) not in seen:
            seen.add(real)
            yield folder


def is_filled(folder: Path) -> bool:
    """Whether a directory holds anything."""
    try:
        return folder.is_dir() and next(folder.iterdir(), None) is not None
    except OSError:
        return False


class OlderStore(ModelScopeFolder):
    """A directory that an older modelscope filled."""

    def __init__(self, repo: Repo, folder: Path) -> None:
        super().__init__(repo, folder)
        self.books = read_books(folder)
        self._compared: Note | None = None

    @property
    def is_another_type(self) -> bool:
        """Whether it is of a data set where a model is asked for, or the reverse: some places are shared."""
        return self.books.type not in (None, self._repo.type)

    def note(self, manifest: Manifest) -> Note | None:
        """Return what is known of the directory: noted in an earlier call, or compared in this one."""
        return super().note(manifest) or self._compared

    def found(self, revision: str | None) -> tuple[Path, Note | None] | None:
        """Find the directory, if its books or our note say that it is this revision; if neither does, the default."""
        note = self.notes.read(CURRENT)
        if note is not None and note.manifest.repo != self._repo:
            return None
        if note is not None and revision in (None, note.manifest.revision):
            return self.home, note
        known = self.books.revision or (None if note else _DEFAULT)
        return (self.home, None) if revision is None or revision == known else None

    def may_hold(self, manifest: Manifest, chosen: Iterable[FileEntry], asked: str | None, *, verify: bool) -> bool:
        """Whether this is the place for a snapshot: something of it is here, and nothing that differs.

        Args:
            manifest: What the repository holds.
            chosen: What is wanted of it.
            asked: The revision that was asked for; None for the default.
            verify: Hash each file, whatever its stamp says.
        """
        note = super().note(manifest)
        revision = note.manifest.revision if note else self.books.revision
        if asked is not None and (revision or _DEFAULT) != manifest.revision:
            return False
        if self.home.is_symlink() or not (note or self.books.kept):
            return False
        wanted = tuple(chosen)
        here = [entry for entry in wanted if os.path.lexists(self.home / entry.path)]
        if not here or not all(self._is_of(entry, note) or self._may_be(entry) for entry in here):
            return False
        held = self._by_commit(here) | held_files(self.home, here, note, verify=verify)
        self._compared = Note(manifest, held, boot=boot_name())
        if not all(entry.path in held or self._is_of(entry, note) for entry in here):
            return False
        return len(held) == len(wanted) or os.access(self.home, os.W_OK)

    def _is_of(self, entry: FileEntry, note: Note | None) -> bool:
        """Whether what is listed is what was brought here once: a file that is not like it is damaged, not older."""
        noted = note.manifest.entry(entry.path) if note else None
        if noted is not None and noted.digest is not None:
            return noted.digest == entry.digest
        return _same_commit(self.books, entry) is True

    def _may_be(self, entry: FileEntry) -> bool:
        """Whether a file may be what is listed, as far as can be told without hashing it."""
        with suppress(OSError):
            size_fits = entry.size in (None, stamp_of(self.home / entry.path)[0])
            return size_fits and _same_commit(self.books, entry) is not False
        return False

    def _by_commit(self, entries: Iterable[FileEntry]) -> dict[str, Stamp]:
        """Return the files whose digest nobody tells, and that came with the commit that is listed."""
        bare = (entry for entry in entries if entry.digest is None and _same_commit(self.books, entry))
        return {entry.path: stamp_of(self.home / entry.path) for entry in bare if self._may_be(entry)}


def _same_commit(books: Books, entry: FileEntry) -> bool | None:
    """Whether a file came with the commit that is listed; None where either is unknown. One may be short."""
    ours = books.commits.get(entry.path)
    if not ours or not entry.commit:
        return None
    return ours.startswith(entry.commit) or entry.commit.startswith(ours)


def all_older(cache: Path, types: Iterable[RepoType]) -> Iterator[tuple[Repo, Path]]:
    """Yield every directory of an older version in a cache: those in which it kept books, or we notes."""
    seen: set[Path] = set()
    for kind in types:
        for above in (f"{kind}s", f"hub/{kind}s", "", "hub"):
            for folder in _two_below(cache / above):
                told = read_books(folder).type
                known = told in (None, kind) and _has_books(folder)
                if known and (real := folder.resolve()) not in seen:
                    seen.add(real)
                    yield Repo("modelscope", f"{folder.parent.name}/{folder.name.replace('___', '.')}", kind), folder


def _two_below(above: Path) -> Iterator[Path]:
    for owner in _folders(above):
        yield from _folders(owner)


def _folders(above: Path) -> list[Path]:
    """Return the folders in a folder; none through a link: from 1.23 on the name with its dots is one."""
    try:
        return sorted(path for path in above.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:
        return []


def _has_books(folder: Path) -> bool:
    return is_regular(folder / ".msc") or bool(NoteBook(folder).mark(CURRENT))
