"""The lock file as a file: what is written, what is read, what is refused, and what differs."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mirrorhub.errors import ConfigError, LockTimeoutError
from mirrorhub.hubs.listing import epoch_of
from mirrorhub.lockfile import LockedRepo, LockFile
from mirrorhub.lockfile.comparing import State, compare
from mirrorhub.lockfile.locking import write_lock
from mirrorhub.lockfile.reading import load_lock, parsed_lock
from mirrorhub.lockfile.turns import in_turn
from mirrorhub.lockfile.writing import lock_text, save_lock
from mirrorhub.models import FileEntry, Repo

A, B = "a" * 64, "b" * 64
ONE = LockedRepo(
    Repo("modelscope", "org/name"),
    "master",
    (FileEntry("am.mvn", 8040, A, commit="c" * 40), FileEntry("sub/比 \u202e.bin", 3, B, git_sha1="d" * 40)),
    date=datetime(2024, 5, 1, 12, tzinfo=UTC),
    vouched_by="official https://modelscope.cn",
    also=(Repo("huggingface", "other/name"),),
)
TWO = LockedRepo(
    Repo("huggingface", "org/data", "dataset"),
    "refs/pr/1",
    (FileEntry("a.txt", 0, A),),
    commit="e" * 40,
    include=("*.txt",),
    exclude=('b"\\.txt',),
)
HEAD = 'version = 1\n[[repository]]\nname = "modelscope:org/name"\nrevision = "master"\n'


def row(path: str = "a.txt", size: object = 1, sha256: object = A, **more: str) -> str:
    fields = {"path": f'"{path}"', "size": size, "sha256": f'"{sha256}"'} | {name: f'"{more[name]}"' for name in more}
    return "{ " + ", ".join(f"{name} = {value}" for name, value in fields.items() if value is not None) + " }"


def many(count: int) -> LockedRepo:
    """A repository of so many files."""
    return LockedRepo(Repo("modelscope", "org/many"), "master", tuple(FileEntry(f"{n:06}", 1, A) for n in range(count)))


def test_written_and_read() -> None:
    """What is written is read again, whatever it holds, and in which order it came makes no difference."""
    lock = LockFile().with_all([ONE, TWO])
    assert parsed_lock(lock_text(lock).encode(), "x") == lock
    assert lock_text(LockFile((ONE, TWO))) == lock_text(LockFile((TWO, ONE)))


def test_one_line_per_file() -> None:
    """A changed file is one changed line; what a reviewer could not see is written as its number."""
    lines = lock_text(LockFile((ONE,))).splitlines()
    assert f'    {{ path = "am.mvn", size = 8040, sha256 = "{A}", commit = "{"c" * 40}" }},' in lines
    assert any('path = "sub/比 \\u202e.bin"' in line for line in lines)


REFUSED = {
    "not text": (b"\xff\xfe", "is not TOML"),
    "not TOML": (b"version = ", "is not TOML"),
    "deep": (b"a = " + b"[" * 5000, "is not TOML"),
    "a merge": (f"version = 1\n<<<<<<< HEAD\n{HEAD}=======\n", "line 2 is git's mark of a merge"),
    "no version": ("", "its version is None"),
    "a later version": ("version = 2", "a newer mirrorhub may read it"),
    "an unknown key": ("version = 1\nrepositry = []", "unknown key 'repositry'"),
    "no table": ("version = 1\nrepository = 3", "no list"),
    "no name": ("version = 1\n[[repository]]", "repository 1: has no name"),
    "another spelling": ('version = 1\n[[repository]]\nname = "hf://a/b"', "should be written 'huggingface:a/b'"),
    "a name that climbs": ('version = 1\n[[repository]]\nname = "modelscope:../b"', "is no repository id"),
    "no revision": ('version = 1\n[[repository]]\nname = "modelscope:a/b"\nfiles = []', "has no revision"),
    "a revision that climbs": (
        'version = 1\n[[repository]]\nname = "modelscope:a/b"\nfiles = []\nrevision = "../x"',
        "climbs out",
    ),
    "a bad commit": (HEAD + 'files = []\ncommit = "abc"', "commit: no digest"),
    "no files": (HEAD, "modelscope:org/name: has no files"),
    "no size": (HEAD + f"files = [{row(size=None)}]", "file 1 ('a.txt'): has no size"),
    "a size below nothing": (HEAD + f"files = [{row(size=-1)}]", "file 1 ('a.txt'): size"),
    "a size that is no number": (HEAD + f"files = [{row(size='true')}]", "size: no number"),
    "a size beyond measure": (HEAD + f"files = [{row(size=1 << 60)}]", "beyond all measure"),
    "no sha256": (HEAD + f"files = [{row(sha256='')}]", "sha256: no digest"),
    "a sha1 for a sha256": (HEAD + f"files = [{row(sha256='a' * 40)}]", "sha256: no digest"),
    "upper case": (HEAD + f"files = [{row(sha256='A' * 64)}]", "sha256: no digest"),
    "a path that climbs": (HEAD + f"files = [{row('../a')}]", "climbs out"),
    "an absolute path": (HEAD + f"files = [{row('/a')}]", "is absolute"),
    "our own folder": (HEAD + f"files = [{row('.mirrorhub/notes/x')}]", "which is ours"),
    "a file twice": (HEAD + f"files = [{row()}, {row()}]", "lists 'a.txt' 2 times"),
    "a file and a folder": (HEAD + f"files = [{row('a')}, {row('a/b')}]", "as a file and as a folder"),
    "an unknown key of a file": (HEAD + f"files = [{row(md5='x')}]", "unknown key 'md5'"),
    "a repository twice": (
        HEAD + "files = []\n" + HEAD.replace("version = 1\n", "") + "files = []",
        "stands there twice",
    ),
    "a date that is none": (HEAD + "files = []\ndate = 1", "no date"),
    "a date beyond measure": (HEAD + "files = []\ndate = 0001-01-01T00:00:00+14:00", "date: is beyond all measure"),
    "control characters": (HEAD + 'files = []\n"\\u001b[31m" = 1', "unknown key"),
}


@pytest.mark.parametrize(("text", "problem"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(text: str | bytes, problem: str) -> None:
    """Whatever is wrong in a lock file is a ConfigError that names the file and the place, on one line."""
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ConfigError) as raised:
        parsed_lock(data, "x.lock")
    message = str(raised.value)
    assert message.startswith("lock file x.lock: ")
    assert problem in message
    assert message.isprintable()


def test_a_mark_of_the_byte_order() -> None:
    """What some editors put before the text is no part of it."""
    assert parsed_lock(b"\xef\xbb\xbf" + lock_text(LockFile((ONE,))).encode(), "x.lock").repositories == (ONE,)


def test_what_is_no_file(tmp_path: Path) -> None:
    """A missing file, a folder, a pipe and one of 65 MB are refused at once."""
    (tmp_path / "folder").mkdir()
    with (tmp_path / "large").open("wb") as file:
        file.truncate(65 << 20)
    os.mkfifo(tmp_path / "pipe")
    for name, problem in {
        "none": "there is no",
        "folder": "folder: (cannot be read|Is a dir)|not a regular",
        "pipe": "not a regular",
        "large": "larger than",
    }.items():
        with pytest.raises(ConfigError, match=problem):
            load_lock(tmp_path / name)


def test_a_file_that_changes(tmp_path: Path) -> None:
    """A lock file that was changed is read again."""
    place = tmp_path / "mirrorhub.lock"
    save_lock(place, LockFile((ONE,)))
    assert load_lock(place).repositories == (ONE,)
    save_lock(place, LockFile((TWO,)))
    assert load_lock(place).repositories == (TWO,)


def test_saved_through_a_link(tmp_path: Path) -> None:
    """A link in its place stays one; the mode of what it leads to stays, too; nothing is left beside it."""
    real = tmp_path / "shared" / "real.lock"
    real.parent.mkdir()
    real.touch(0o600)
    link = tmp_path / "mirrorhub.lock"
    link.symlink_to(real)
    save_lock(link, LockFile((ONE,)))
    assert link.is_symlink()
    assert load_lock(real).repositories == (ONE,)
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mirrorhub.lock", "shared"]


def test_two_that_write_at_once(tmp_path: Path) -> None:
    """What several add at the same time is all there afterwards, and nothing else lies beside it."""
    place = tmp_path / "mirrorhub.lock"
    write_lock(place, [many(2000)])
    more = [replace(ONE, repo=Repo("modelscope", f"org/m{number}")) for number in range(8)]
    with ThreadPoolExecutor(len(more)) as pool:
        list(pool.map(lambda one: write_lock(place, [one]), more))
    assert len(load_lock(place).repositories) == 1 + len(more)
    assert list(tmp_path.iterdir()) == [place]


def test_a_folder_that_is_kept(tmp_path: Path) -> None:
    """Who waits too long for another is told of it, and nothing is written."""
    with in_turn(tmp_path), pytest.raises(LockTimeoutError, match="held by another process"), in_turn(tmp_path, 0.0):
        pass
    with in_turn(tmp_path, 0.0):
        pass


def test_one_that_nobody_could_read(tmp_path: Path) -> None:
    """What is larger than what is read is not written: the old one stays, and the message says what helps."""
    place = tmp_path / "mirrorhub.lock"
    write_lock(place, [ONE])
    long = replace(many(1), files=tuple(FileEntry(f"{'x/' * 1800}{n}", 1, A) for n in range(19_000)))
    with pytest.raises(ConfigError, match=r"org/many@master has 19,000 files: lock a part of it with --include"):
        write_lock(place, [long])
    with pytest.raises(ConfigError, match="as a file and as a folder"):
        write_lock(place, [replace(ONE, files=(FileEntry("a", 1, A), FileEntry("a/b", 1, A)))])
    assert load_lock(place).repositories == (ONE,)


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    """Nothing is written where a link leads that nobody has named, and no folder made; nor where everybody may."""
    place = tmp_path / "mirrorhub.lock"
    place.symlink_to(tmp_path / "config" / "evil.toml")
    for named in (True, False):
        with pytest.raises(ConfigError):
            write_lock(place, [ONE], named=named)
        assert not (tmp_path / "config" / "evil.toml").exists()
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(ConfigError, match="everybody may write in"):
        write_lock(tmp_path / "open" / "mirrorhub.lock", [ONE], named=False)
    assert not list((tmp_path / "open").iterdir())
    write_lock(tmp_path / "open" / "mirrorhub.lock", [ONE])


def test_what_differs() -> None:
    """Each difference is one line: the commit, the age, what changed, what is gone, what is new."""
    locked = State("main", "a" * 40, (FileEntry("a", 1, A), FileEntry("b", 2, A)), datetime(2024, 5, 2, tzinfo=UTC))
    now = State("main", "b" * 40, (FileEntry("a", 1, B), FileEntry("c", 3, A)), datetime(2024, 5, 1, tzinfo=UTC))
    assert compare(locked, now).lines == (
        "main: aaaaaaa -> bbbbbbb",
        "older than what is locked: of 2024-05-01 00:00, and 2024-05-02 00:00 is locked",
        "changed: a: 1 bytes, sha256 aaaaaaa -> 1 bytes, sha256 bbbbbbb",
        "removed: b (2 bytes, sha256 aaaaaaa)",
        "extra: c (3 bytes, sha256 aaaaaaa)",
    )
    assert not compare(locked, locked)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (FileEntry("a", 1, A, git_sha1="1" * 40), FileEntry("a", 1, git_sha1="1" * 40), True),
        (FileEntry("a", 1, A, git_sha1="1" * 40), FileEntry("a", 1, git_sha1="2" * 40), False),
        (FileEntry("a", 1, A), FileEntry("a", 1, git_sha1="2" * 40), True),
        (FileEntry("a", 1, A), FileEntry("a", 2), False),
    ],
    ids=["equal sha1", "another sha1", "nothing to compare", "another size"],
)
def test_by_which_digest(one: FileEntry, other: FileEntry, same: bool) -> None:
    """Two entries are compared by a digest that both have; where there is none, by size."""
    assert bool(compare(State("m", None, (one,)), State("m", None, (other,)))) is not same


MOMENTS: dict[str, tuple[object, float | None]] = {
    "seconds": (1_700_000_000, 1_700_000_000.0),
    "milliseconds": (1_700_000_000_500, 1_700_000_000.5),
    "a date": ("2023-11-14T22:13:20.000Z", 1_700_000_000.0),
    "no date": ("yesterday", None),
    "a date before all": ("0001-01-01T00:00:00Z", None),
    "nothing": (None, None),
    "a truth": (True, None),
    "below nothing": (-5, None),
    "beyond measure": (10**30, None),
    "infinite": (float("inf"), None),
    "no number": (float("nan"), None),
}


@pytest.mark.parametrize(("told", "moment"), MOMENTS.values(), ids=MOMENTS.keys())
def test_when_a_hub_says_it_was(told: object, moment: float | None) -> None:
    """A moment is read in each form that hubs use; anything else is none, and no error."""
    assert epoch_of(told) == moment
