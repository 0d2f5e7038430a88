"""Calls under a lock file: what arrives is what was locked, whoever carries it, or nothing does."""

from __future__ import annotations

import asyncio
import hashlib
import os
import pickle
import py_compile
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError
from modelscope_hub.errors import CacheNotFound, FileDownloadError

from mirrorhub import afetch, aresolve, errors, fetch, file_download, resolve
from mirrorhub import huggingface_hub as hf_face
from mirrorhub import modelscope as ms_face
from mirrorhub.api import FSMN_VAD, VAD_FILES, fetch_files, fetch_vad_files, preview
from mirrorhub.cli import main
from mirrorhub.config import Settings
from mirrorhub.endpoints import named_endpoint
from mirrorhub.health import Health
from mirrorhub.lockfile.finding import Standing, distrust, new_lock, project_folders
from mirrorhub.lockfile.locking import read_lock
from mirrorhub.lockfile.reading import load_lock
from mirrorhub.models import Snapshot
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import Alter, Rule, Status
from tests.fakehub.repo import HubName
from tests.locks import lock_now, under
from tests.quick import quick

FILES = {"a.txt": b"first", "sub/m.bin": b"m" * 5000}
NAMES: dict[HubName, str] = {"modelscope": "org/name", "huggingface": "hf://org/name"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the lock file lies."""
    return tmp_path / "mirrorhub.lock"


@pytest.fixture
def forget(tmp_path: Path) -> Callable[[], None]:
    """Empties both caches: what a fresh clone on another machine has."""

    def work() -> None:
        shutil.rmtree(tmp_path / "ms", ignore_errors=True)
        shutil.rmtree(tmp_path / "hf", ignore_errors=True)

    return work


@pytest.fixture(params=NAMES)
def repo(request: pytest.FixtureRequest) -> Repo:
    """A repository of each hub."""
    return Repo(request.param, "org/name", FILES)


def name_of(repo: Repo) -> str:
    return NAMES[repo.hub]


def contents(snapshot: Snapshot) -> dict[str, bytes]:
    files = (path for path in snapshot.path.rglob("*") if path.is_file())
    return {path.relative_to(snapshot.path).as_posix(): path.read_bytes() for path in files}


def test_what_is_locked(repo: Repo, place: Path) -> None:
    """Of every file size and sha256 are locked, also of those of which a hub lists git's sha1 only."""
    with FakeHub([repo]) as hub:
        (entry,) = lock_now(place, hub, name_of(repo))
    assert load_lock(place).repositories == (entry,)
    assert [(one.path, one.size, one.sha256) for one in entry.files] == [
        (path, len(data), hashlib.sha256(data).hexdigest()) for path, data in FILES.items()
    ]
    assert entry.vouched_by == f"named {hub.url}"
    assert (entry.date is not None) and entry.commit == (repo.head.id if repo.hub == "huggingface" else None)


def test_nobody_is_asked(repo: Repo, place: Path, forget: Callable[[], None]) -> None:
    """No listing is asked for, and a call whose files are there asks for nothing."""
    with FakeHub([repo]) as hub:
        lock_now(place, hub, name_of(repo))
        forget()
        hub.log.clear()
        first = fetch(name_of(repo), settings=under(place, hub))
        assert {one.kind for one in hub.log.requests()} == {"body"}
        hub.log.clear()
        second = fetch(name_of(repo), settings=under(place, hub))
        assert not hub.log.requests()
    assert contents(first) == contents(second) == FILES
    assert str(second.vouched_by) == f"lock {place}"
    assert second.verified
    assert first.path == second.path


def test_a_moved_branch(repo: Repo, place: Path, forget: Callable[[], None]) -> None:
    """A branch that has moved makes no difference as long as somebody has what was locked."""
    with FakeHub([repo]) as hub:
        lock_now(place, hub, name_of(repo))
        repo.commit({"a.txt": b"other", "new.py": b"import os"}, delete=["sub/m.bin"])
        forget()
        snapshot = fetch(name_of(repo), settings=under(place, hub))
        assert {path: contents(snapshot)[path] for path in FILES} == FILES
        assert snapshot.files == tuple(FILES)
        assert "new.py" not in contents(snapshot)
        assert resolve(name_of(repo), settings=under(place, hub)).files == load_lock(place).repositories[0].files


def test_by_name_where_the_commit_is_unknown(place: Path, forget: Callable[[], None]) -> None:
    """An endpoint that does not know a file's commit is asked by the revision's name, once for each commit."""
    repo = Repo("modelscope", "org/name", FILES)
    with FakeHub([repo]) as hub:
        lock_now(place, hub, "org/name")
    mirror = Repo("modelscope", "org/name", {"old": b""})
    mirror.commit(FILES, delete=["old"])
    forget()
    with FakeHub([mirror]) as hub:
        assert contents(fetch("org/name", max_workers=1, settings=under(place, hub))) == FILES
        asked = [one.query["Revision"] for one in hub.log.requests(kind="body")]
    assert asked == [repo.head.id, "master", "master"]


def test_altered_bytes_and_a_good_mirror(repo: Repo, place: Path, forget: Callable[[], None]) -> None:
    """A mirror that gives other bytes of the same size is left, and the good one gives them."""
    with FakeHub([repo], [Alter()]) as bad, FakeHub([repo]) as good:
        lock_now(place, good, name_of(repo))
        forget()
        snapshot = fetch(name_of(repo), settings=under(place, bad, good))
    assert contents(snapshot) == FILES
    assert {one.endpoint for one in snapshot.attempts if one.fault == "WRONG_DIGEST"} == {bad.url}


def test_altered_bytes_alone(repo: Repo, place: Path, forget: Callable[[], None], tmp_path: Path) -> None:
    """Where nobody gives the locked bytes, nothing is published; the error says that the listing is the locked one."""
    with FakeHub([repo], [Alter()]) as bad, FakeHub([repo]) as good:
        lock_now(place, good, name_of(repo))
        forget()
        with pytest.raises(errors.PinnedError, match="the bytes are others: they were changed on") as raised:
            fetch(name_of(repo), settings=under(place, bad))
    assert raised.value.difference == ()
    assert bad.url in str(raised.value)
    assert not [path for path in tmp_path.rglob("snapshots/*/*") if path.is_file()]


def test_what_is_gone(repo: Repo, place: Path, forget: Callable[[], None]) -> None:
    """A repository that was made anew: what changed, what is gone and what is new is told, and who was asked."""
    with FakeHub([repo]) as hub:
        lock_now(place, hub, name_of(repo))
    other = Repo(repo.hub, "org/name", {"start": b""})
    other.commit({"a.txt": b"other", "new.py": b"x"}, delete=["start"])
    forget()
    with FakeHub([other]) as hub, pytest.raises(errors.PinnedError, match="it has changed since") as raised:
        fetch(name_of(repo), settings=under(place, hub))
    kinds = [line.partition(":")[0] for line in raised.value.difference]
    assert kinds == (["main"] if repo.hub == "huggingface" else []) + ["changed", "removed", "extra"]
    assert {one.endpoint for one in raised.value.attempts} == {hub.url}
    assert f"  {hub.url}: " in str(raised.value)


def test_a_rollback(repo: Repo, place: Path, forget: Callable[[], None]) -> None:
    """An older state under the locked name is called older."""
    old = Repo(repo.hub, "org/name", FILES)
    repo.commit({"a.txt": b"fixed"})
    with FakeHub([repo]) as hub:
        lock_now(place, hub, name_of(repo))
    forget()
    with FakeHub([old]) as hub, pytest.raises(errors.PinnedError, match="older than what is locked") as raised:
        fetch(name_of(repo), settings=under(place, hub))
    assert any(line.startswith("older than what is locked: of 2023-11-14 22:13") for line in raised.value.difference)


def test_nobody_can_be_asked(repo: Repo, place: Path, forget: Callable[[], None]) -> None:
    """Silence is no difference: that the network is at fault is said as it is without a lock file."""
    with FakeHub([repo]) as hub:
        lock_now(place, hub, name_of(repo))
    forget()
    with FakeHub([repo], [Status(503)]) as hub, pytest.raises(errors.TransferError, match="answered 503"):
        fetch(name_of(repo), settings=under(place, hub))


def test_nothing_older_will_do(place: Path) -> None:
    """What an earlier call has brought is not taken in the place of what is locked, although nobody can be asked."""
    repo = Repo("modelscope", "org/name", FILES)
    with FakeHub([repo]) as hub:
        fetch("org/name", settings=quick(hub.url, lockfile=False))
        repo.commit({"a.txt": b"newer"})
        lock_now(place, hub, "org/name")
    with FakeHub([repo], [Status(503)]) as hub:
        assert fetch("org/name", settings=quick(hub.url, lockfile=False)).stale
        with pytest.raises(errors.TransferError):
            fetch("org/name", settings=under(place, hub))


def test_a_newer_snapshot_is_brought_back(repo: Repo, place: Path) -> None:
    """A directory that holds a newer state becomes the locked one again; what that state has added goes."""
    with FakeHub([repo]) as hub:
        lock_now(place, hub, name_of(repo))
        repo.commit({"a.txt": b"newer", "new.py": b"x"})
        assert "new.py" in contents(fetch(name_of(repo), settings=quick(hub.url, lockfile=False)))
        with pytest.raises(errors.NotCachedError, match="this call is offline") as raised:
            fetch(name_of(repo), settings=under(place, hub, offline=True))
        assert raised.value.locked
        assert contents(fetch(name_of(repo), settings=under(place, hub))) == FILES


def test_only_an_added_file(place: Path) -> None:
    """Where a newer state has only added a file, it goes too, and nobody is asked for that."""
    repo = Repo("modelscope", "org/name", FILES)
    with FakeHub([repo]) as hub:
        lock_now(place, hub, "org/name")
        repo.commit({"new.py": b"x"})
        fetch("org/name", settings=quick(hub.url, lockfile=False))
        hub.log.clear()
        assert contents(fetch("org/name", settings=under(place, hub))) == FILES
        assert not hub.log.requests()


def test_offline(repo: Repo, place: Path, forget: Callable[[], None]) -> None:
    """Offline, what is on disk must be what is locked; else the error names the file and the lock file."""
    with FakeHub([repo]) as hub:
        lock_now(place, hub, name_of(repo))
        path = fetch(name_of(repo), settings=under(place, hub)).path
    settings = under(place, hub, offline=True)
    assert contents(fetch(name_of(repo), settings=settings)) == FILES
    file = (path / "a.txt").resolve()
    file.write_bytes(b"firsT")
    with pytest.raises(errors.NotCachedError, match=r"a\.txt is not as .*mirrorhub\.lock, and this call is offline"):
        fetch(name_of(repo), settings=settings)
    forget()
    with pytest.raises(errors.NotCachedError, match=r"is not there, as .* is locked in"):
        resolve_and_fetch(name_of(repo), settings)


def resolve_and_fetch(name: str, settings: Settings) -> None:
    resolve(name, settings=settings)
    fetch(name, settings=settings)


def test_another_revision(repo: Repo, place: Path) -> None:
    """Another revision than the locked one is refused with the command that locks it; the locked commit is not."""
    with FakeHub([repo]) as hub:
        repo.tag("v1")
        lock_now(place, hub, name_of(repo))
        with pytest.raises(errors.PinnedError, match=r"lock add \w+:org/name --revision v1"):
            fetch(name_of(repo), "v1", settings=under(place, hub))
        lock_now(place, hub, name_of(repo), revision="v1")
        assert contents(fetch(name_of(repo), "v1", settings=under(place, hub))) == FILES
        assert resolve(name_of(repo), settings=under(place, hub)).revision == repo.default_branch
        if repo.hub == "huggingface":
            assert contents(fetch(name_of(repo), repo.head.id, settings=under(place, hub))) == FILES


def test_the_only_revision(place: Path) -> None:
    """Where no revision is named, the only one that is locked is meant; of several tags none is."""
    repo = Repo("modelscope", "org/name", FILES)
    repo.tag("v1")
    repo.commit({"a.txt": b"second"})
    repo.tag("v2")
    repo.commit({"a.txt": b"third"})
    with FakeHub([repo]) as hub:
        lock_now(place, hub, "org/name", revision="v1")
        assert contents(fetch("org/name", settings=under(place, hub))) == FILES
        lock_now(place, hub, "org/name", revision="v2")
        with pytest.raises(errors.PinnedError, match="which of them is meant"):
            fetch("org/name", settings=under(place, hub))


def test_a_file_that_is_not_locked(repo: Repo, place: Path) -> None:
    """A file that the lock does not have is refused, although it is there by now; one that it has comes alone."""
    with FakeHub([repo]) as hub:
        lock_now(place, hub, name_of(repo))
        repo.commit({"new.py": b"x"})
        with pytest.raises(errors.PinnedError, match=r"has no file 'new\.py'") as raised:
            file_download(name_of(repo), "new.py", settings=under(place, hub))
        assert raised.value.file == "new.py"
        assert Path(file_download(name_of(repo), "a.txt", settings=under(place, hub))).read_bytes() == b"first"


def test_a_part(repo: Repo, place: Path, forget: Callable[[], None]) -> None:
    """Of a part that is locked the same part, less of it, and its files can be had; more is refused."""
    with FakeHub([repo]) as hub:
        lock_now(place, hub, name_of(repo), include=("*.bin", "*.txt"), exclude=("b*",))
        repo.commit({"late.txt": b""})
        forget()
        settings = under(place, hub)
        for patterns in (["*.bin", "*.txt"], ["*.txt"]):
            found = fetch(name_of(repo), allow_patterns=patterns, ignore_patterns="b*", settings=settings)
            assert set(found.files) == {path for path in FILES if f"*{path[-4:]}" in patterns}
        assert fetch_files(name_of(repo), ["sub/m.bin"], settings=settings).files == ("sub/m.bin",)
        with pytest.raises(errors.PinnedError, match="only a part is locked"):
            fetch(name_of(repo), settings=settings)
        with pytest.raises(errors.PinnedError, match="only a part is locked"):
            fetch(name_of(repo), allow_patterns="*.txt", settings=settings)
        with pytest.raises(errors.PinnedError, match="late"):
            fetch_files(name_of(repo), ["late.txt"], settings=settings)


def test_what_is_not_in_it(place: Path) -> None:
    """A repository that is not in the lock file comes as without one, unless only what is locked is trusted."""
    with FakeHub([Repo("modelscope", "org/name", FILES), Repo("modelscope", "org/other", FILES)]) as hub:
        lock_now(place, hub, "org/name")
        assert fetch("org/other", settings=under(place, hub)).vouched_by.kind == "named"
        with pytest.raises(errors.PinnedError, match="mirrorhub lock add modelscope:org/other"):
            fetch("org/other", settings=under(place, hub, trust="lock"))
        for trust in ("lock", "official", "auto", "any"):
            assert fetch("org/name", settings=under(place, hub, trust=trust)).vouched_by.kind == "lock"


@pytest.mark.parametrize("options", [{"force_download": True}, {"verify": True}], ids=str)
def test_other_ways_to_ask(repo: Repo, place: Path, options: dict[str, bool]) -> None:
    """Whatever else is asked of a call, it holds to the lock file."""
    with FakeHub([repo]) as hub:
        lock_now(place, hub, name_of(repo))
        repo.commit({"a.txt": b"other", "new.py": b"x"})
        snapshot = fetch(name_of(repo), settings=under(place, hub), **options)
        assert contents(snapshot) == FILES


def test_a_folder_of_the_callers(repo: Repo, place: Path, tmp_path: Path) -> None:
    """A folder that holds a newer state is brought to the locked one; a user's own file in it stays."""
    folder = tmp_path / "plain"
    with FakeHub([repo]) as hub:
        lock_now(place, hub, name_of(repo))
        repo.commit({"a.txt": b"other", "new.py": b"x"})
        fetch(name_of(repo), local_dir=folder, settings=quick(hub.url, lockfile=False))
        (folder / "mine.txt").write_text("mine")
        fetch(name_of(repo), local_dir=folder, settings=under(place, hub))
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert files == {"a.txt": b"first", "mine.txt": b"mine"} | {k: files[k] for k in files if k.startswith(".")}


def test_the_async_twins(place: Path) -> None:
    """The async twins hold to the lock file, too."""
    repo = Repo("modelscope", "org/name", FILES)
    with FakeHub([repo]) as hub:
        lock_now(place, hub, "org/name")
        repo.commit({"a.txt": b"other"})
        settings = under(place, hub)

        async def both() -> tuple[Snapshot, str]:
            return await afetch("org/name", settings=settings), (await aresolve("org/name", settings=settings)).repo.id

        snapshot, _ = asyncio.run(both())
    assert contents(snapshot) == FILES


def test_a_dry_run(place: Path, forget: Callable[[], None]) -> None:
    """A preview shows what is locked, and asks nobody."""
    repo = Repo("modelscope", "org/name", FILES)
    with FakeHub([repo]) as hub:
        lock_now(place, hub, "org/name")
        repo.commit({"new.py": b"x"})
        forget()
        hub.log.clear()
        found = preview("org/name", settings=under(place, hub))
        assert [one.entry.path for one in found.files if one.comes] == list(FILES)
        assert not hub.log.requests()


def test_the_other_hub(place: Path, forget: Callable[[], None]) -> None:
    """A repository of another hub that was found equal gives the bytes where the locked one is dead."""
    files = {**FILES, "b.txt": b"b"}
    repo, twin = Repo("modelscope", "org/name", files), Repo("huggingface", "twin/h", files)
    with FakeHub([repo, twin]) as hub:
        lock_now(place, hub, "org/name", also=("hf://twin/h",))
    forget()
    with FakeHub([Repo("huggingface", "twin/h", files)], name="b") as other:
        settings = quick(f"hf+{other.url}", lockfile=place)
        assert contents(fetch("org/name", settings=settings)) == files
        assert {one.kind for one in other.log.requests()} == {"body"}


def test_another_hubs_files_that_differ(place: Path) -> None:
    """Nothing is locked under a second name whose files are not equal."""
    repo, twin = Repo("modelscope", "org/name", FILES), Repo("huggingface", "twin/h", {**FILES, "a.txt": b"other"})
    with FakeHub([repo, twin]) as hub, pytest.raises(errors.PinnedError, match="does not hold the same") as raised:
        lock_now(place, hub, "org/name", also=("hf://twin/h",))
    assert raised.value.difference == ("differs: a.txt",)
    assert not place.exists()


def test_what_an_sdk_has_noted_is_hashed(place: Path, tmp_path: Path) -> None:
    """An SDK's word that a file is what was listed does not count under a lock file: the file is hashed."""
    repo, folder = Repo("huggingface", "org/name", FILES), tmp_path / "plain"
    with FakeHub([repo]) as hub:
        lock_now(place, hub, "hf://org/name")
        fetch("hf://org/name", local_dir=folder, settings=quick(hub.url, lockfile=False))
        stamp = (folder / "a.txt").stat()
        (folder / "a.txt").write_bytes(b"firsT")
        os.utime(folder / "a.txt", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        shutil.rmtree(folder / ".mirrorhub")
        fetch("hf://org/name", local_dir=folder, settings=under(place, hub))
    assert (folder / "a.txt").read_bytes() == b"first"


def test_the_blobs_names(place: Path, forget: Callable[[], None]) -> None:
    """In huggingface_hub's cache a locked file has the name that it has there without a lock file."""
    repo = Repo("huggingface", "org/name", FILES)
    with FakeHub([repo]) as hub:
        lock_now(place, hub, "hf://org/name")
        forget()
        path = fetch("hf://org/name", settings=under(place, hub)).path
    assert {name: (path / name).resolve().name for name in FILES} == {n: f.etag for n, f in repo.files.items()}


def test_a_lock_file_that_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is named must be there, wherever it lies; `off` and False mean none."""
    repo = Repo("modelscope", "org/name", FILES)
    with FakeHub([repo]) as hub:
        with pytest.raises(errors.ConfigError, match="there is no lock file"):
            fetch("org/name", endpoints=hub.url, lockfile=place)
        lock_now(place, hub, "org/name")
        assert fetch("org/name", endpoints=hub.url, lockfile=str(place)).vouched_by.kind == "lock"
        monkeypatch.setenv("MIRRORHUB_LOCKFILE", str(place))
        assert fetch("org/name", endpoints=hub.url).vouched_by.kind == "lock"
        assert fetch("org/name", endpoints=hub.url, lockfile=False).vouched_by.kind == "named"
        monkeypatch.setenv("MIRRORHUB_LOCKFILE", "off")
        monkeypatch.chdir(place.parent)
        assert fetch("org/name", endpoints=hub.url).vouched_by.kind == "named"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with a locked repository; its root is the working directory."""
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    (root / "src" / "deep").mkdir(parents=True)
    monkeypatch.chdir(root)
    return root


def test_found_from_below(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock file in the project's root counts anywhere below it, and the settings say where it was found."""
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        lock_now(project / "mirrorhub.lock", hub, "org/name")
        monkeypatch.chdir(project / "src" / "deep")
        assert fetch("org/name", endpoints=hub.url).vouched_by.name == str(project / "mirrorhub.lock")
        rows = {name: (value, source) for name, value, source in Settings.load().rows()}
    assert rows["lockfile"] == (str(project / "mirrorhub.lock"), "found from the working directory")


def test_not_beyond_the_project(project: Path) -> None:
    """A lock file above the project's root is none of its own."""
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        lock_now(project.parent / "mirrorhub.lock", hub, "org/name")
        assert fetch("org/name", endpoints=hub.url).vouched_by.kind == "named"


@pytest.mark.parametrize("kind", ["folder", "file", "link", "no file"])
def test_one_that_anybody_may_have_put_there(project: Path, tmp_path: Path, kind: str) -> None:
    """One that was found where everybody may write is refused by name; who names it is taken at his word."""
    place = project / "mirrorhub.lock"
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        if kind == "no file":
            place.mkdir()
        elif kind == "link":
            (tmp_path / "shared").mkdir(mode=0o777)
            (tmp_path / "shared").chmod(0o777)
            lock_now(tmp_path / "shared" / "real.lock", hub, "org/name")
            place.symlink_to(tmp_path / "shared" / "real.lock")
        else:
            lock_now(place, hub, "org/name")
            (project if kind == "folder" else place).chmod(0o777)
        with pytest.raises(errors.ConfigError, match="was found and is not read") as raised:
            fetch("org/name", endpoints=hub.url)
        assert str(place) in str(raised.value)
        assert "MIRRORHUB_LOCKFILE=off" in str(raised.value)
        if kind != "no file":
            assert fetch("org/name", endpoints=hub.url, lockfile=place).vouched_by.kind == "lock"
        assert fetch("org/name", endpoints=hub.url, lockfile=False).vouched_by.kind == "named"


FOLDER, FILE, LINK = 0o040755, 0o100644, 0o120777
WAYS: dict[str, tuple[list[tuple[int, int]], str | None]] = {
    "mine": ([(7, FOLDER), (7, FILE)], None),
    "root's": ([(0, FOLDER), (0, FILE)], None),
    "another user's": ([(7, FOLDER), (8, FILE)], "1 belongs to another user (number 8)"),
    "in a folder for all": ([(0, 0o041777), (7, FILE)], "everybody may write in 0"),
    "a file for all": ([(7, FOLDER), (7, 0o100666)], "everybody may write 1"),
    "another user's link": ([(7, FOLDER), (8, LINK), (7, FOLDER), (7, FILE)], "1 belongs to another user (number 8)"),
    "a link to another user's": (
        [(7, FOLDER), (7, LINK), (8, FOLDER), (8, FILE)],
        "3 belongs to another user (number 8)",
    ),
    "a link into a folder for all": (
        [(7, FOLDER), (7, LINK), (7, 0o040777), (7, FILE)],
        "everybody may write in 2",
    ),
    "a pipe": ([(7, FOLDER), (7, 0o010644)], "1 is not a regular file"),
}


@pytest.mark.parametrize(("way", "problem"), WAYS.values(), ids=WAYS.keys())
def test_who_is_distrusted(way: list[tuple[int, int]], problem: str | None) -> None:
    """Whoever else may have put it there, or what it leads to, is a reason to refuse it."""
    assert distrust([Standing(str(at), *one) for at, one in enumerate(way)], 7) == problem


def test_where_it_is_looked_for(tmp_path: Path) -> None:
    """Up to the project's root or home, whichever comes first; where neither is above, in one folder only."""
    home = tmp_path / "home"
    project, below = home / "work" / "project", home / "work" / "project" / "a" / "b"
    below.mkdir(parents=True)
    assert project_folders(below, home)[-1] == home
    assert project_folders(below, tmp_path / "other") == [below]
    (project / "pyproject.toml").touch()
    assert list(project_folders(below, home)) == [below, below.parent, project]
    assert list(project_folders(home, home)) == [home]


def test_where_a_new_one_goes(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Into the project's root; where there is no project, into the working directory."""
    monkeypatch.chdir(project / "src")
    assert new_lock() == project / "mirrorhub.lock"
    (tmp_path / "loose").mkdir()
    monkeypatch.chdir(tmp_path / "loose")
    assert new_lock() == tmp_path / "loose" / "mirrorhub.lock"


def test_an_endpoint_that_fails_for_a_while(repo: Repo, place: Path, forget: Callable[[], None]) -> None:
    """An endpoint that fails at first gives what is locked afterwards."""
    with FakeHub([repo]) as clean, FakeHub([repo], [Rule(Status(503), "body", times=1)]) as hub:
        lock_now(place, clean, name_of(repo))
        forget()
        assert contents(fetch(name_of(repo), settings=under(place, hub))) == FILES


def test_the_detectors_files(place: Path) -> None:
    """The detector's files come as the project has locked them, and as they are built in where it has not."""
    repo = Repo("modelscope", FSMN_VAD, {**dict.fromkeys(VAD_FILES, b"mine"), "more": b""})
    with FakeHub([repo]) as hub:
        lock_now(place, hub, FSMN_VAD)
        repo.commit(dict.fromkeys(VAD_FILES, b"newer"))
        assert contents(fetch_vad_files(settings=under(place, hub))) == dict.fromkeys(VAD_FILES, b"mine")
        lock_now(place, hub, FSMN_VAD, include=("more",))
        with pytest.raises(errors.TransferError, match="@pinned could not be fetched"):
            fetch_vad_files(settings=under(place, hub))
        with pytest.raises(errors.TransferError, match="@pinned could not be fetched"):
            fetch_vad_files(revision="pinned", settings=under(place, hub))


@pytest.fixture
def named(repo: Repo, place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub whose repository has moved since it was locked, and the lock file in the environment."""
    monkeypatch.setenv("MIRRORHUB_LOCKFILE", str(place))
    with FakeHub([repo]) as hub:
        repo.tag("v1", at=1)
        lock_now(place, hub, name_of(repo))
        repo.commit({"a.txt": b"newer", "new.py": b"x"})
        yield hub


def face_of(repo: Repo, hub: FakeHub, file: str | None = None, **options: Any) -> Path:
    """Ask as a program does that knows the hub's own SDK only."""
    options["endpoint"] = hub.url
    if repo.hub == "huggingface":
        found = hf_face.hf_hub_download("org/name", file, **options) if file else None
        return Path(found or hf_face.snapshot_download("org/name", **options))
    found = ms_face.model_file_download("org/name", file, **options) if file else None
    return Path(found or ms_face.snapshot_download("org/name", **options))


def test_the_faces(repo: Repo, named: FakeHub) -> None:
    """Programs that know the SDK only get what is locked, one file or all, whatever tags there are."""
    assert face_of(repo, named, "a.txt").read_bytes() == b"first"
    path = face_of(repo, named)
    assert {name: (path / name).read_bytes() for name in FILES} == FILES
    assert not (path / "new.py").exists()


def test_the_faces_errors(repo: Repo, named: FakeHub) -> None:
    """A file that is not locked is missing, as the SDK says that; another revision is an error of both."""
    missing = EntryNotFoundError if repo.hub == "huggingface" else requests.HTTPError
    with pytest.raises(missing) as raised:
        face_of(repo, named, "new.py")
    assert isinstance(raised.value, errors.PinnedError)
    theirs = HfHubHTTPError if repo.hub == "huggingface" else FileDownloadError
    with pytest.raises(theirs) as raised:
        face_of(repo, named, revision="v1")
    assert isinstance(raised.value, errors.PinnedError)
    assert pickle.loads(pickle.dumps(raised.value)).difference == ()


def test_the_faces_offline(repo: Repo, named: FakeHub) -> None:
    """Offline the SDK finds something else on disk, and it is not taken for what is locked."""
    fetch(name_of(repo), settings=quick(named.url, lockfile=False))
    theirs = LocalEntryNotFoundError if repo.hub == "huggingface" else CacheNotFound
    with pytest.raises(theirs) as raised:
        face_of(repo, named, local_files_only=True)
    assert isinstance(raised.value, errors.NotCachedError)
    face_of(repo, named)
    assert (face_of(repo, named, local_files_only=True) / "a.txt").read_bytes() == b"first"


def test_the_name_of_the_revision_leads_to_it(place: Path, tmp_path: Path) -> None:
    """Where the branch's name leads to a newer commit in the cache, it is led back, and nobody is asked for that."""
    repo = Repo("huggingface", "org/name", FILES)
    with FakeHub([repo]) as hub:
        lock_now(place, hub, "hf://org/name")
        fetch("hf://org/name", settings=under(place, hub))
        locked = repo.head.id
        repo.commit({"a.txt": b"newer"})
        fetch("hf://org/name", settings=quick(hub.url, lockfile=False))
        hub.log.clear()
        fetch("hf://org/name", settings=under(place, hub))
        assert not hub.log.requests()
    assert next(tmp_path.rglob("refs/main")).read_text() == locked


def test_a_hub_that_knows_no_commits_is_no_liar(place: Path, forget: Callable[[], None]) -> None:
    """An honest hub that is asked by the branch's name, and whose branch has moved, is not remembered as a liar."""
    repo = Repo("modelscope", "org/name", FILES)
    with FakeHub([repo]) as hub:
        lock_now(place, hub, "org/name")
    forget()
    with FakeHub([Repo("modelscope", "org/name", {"a.txt": b"other", "sub/m.bin": b"n" * 5000})]) as moved:
        settings = under(place, moved)
        with pytest.raises(errors.PinnedError):
            fetch("org/name", settings=settings)
        assert "WRONG_DIGEST" not in Health(settings.state_dir).recall(named_endpoint(moved.url)).faults


def test_a_lock_file_that_lies(place: Path, tmp_path: Path) -> None:
    """A digest that fits no file spoils nothing in the cache: what is there is right by its own name."""
    repo = Repo("huggingface", "org/name", FILES)
    with FakeHub([repo]) as hub:
        lock_now(place, hub, "hf://org/name")
        path = fetch("hf://org/name", settings=quick(hub.url, lockfile=False)).path
        place.write_text(place.read_text().replace(repo.files["a.txt"].sha256, "0" * 64))
        with pytest.raises(errors.PinnedError, match="the bytes are others"):
            fetch("hf://org/name", settings=under(place, hub))
        assert (path / "a.txt").read_bytes() == b"first"
        assert fetch("hf://org/name", settings=quick(hub.url, lockfile=False)).reports == ()


def test_a_long_difference() -> None:
    """An error of a thousand lines is read by nobody: it shows some, and has all."""
    error = errors.PinnedError("it has changed", [f"extra: {number}" for number in range(1000)])
    assert len(error.difference) == 1000
    assert str(error).splitlines()[-1] == "  and 980 more"


def test_another_projects_lock_file(place: Path) -> None:
    """What another project's lock file has brought is not the official hub's word, be it at a commit that is named."""
    repo = Repo("huggingface", "org/name", FILES)
    with FakeHub([repo]) as hub:
        lock_now(place, hub, "hf://org/name")
        fetch("hf://org/name", settings=under(place, hub))
        with pytest.raises(errors.ResolutionError):
            fetch("hf://org/name", repo.head.id, settings=quick(hub.url, lockfile=False, trust="official"))
        with pytest.raises(errors.NotCachedError, match="does not count"):
            fetch("hf://org/name", settings=quick(hub.url, lockfile=False, trust="official", offline=True))
        assert fetch("hf://org/name", settings=under(place, hub, trust="official", offline=True)).verified


def test_a_link_that_leads_nowhere(project: Path, tmp_path: Path) -> None:
    """A lock file is not written through a link to where nothing is: a clone may hold one to anywhere."""
    (project / "mirrorhub.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(errors.ConfigError):
        read_lock(Settings.load(), None, may_be_new=True)
    assert not (tmp_path / "elsewhere").exists()


def test_a_repair_of_what_is_not_locked(project: Path) -> None:
    """A snapshot that the project's lock file did not bring is repaired as it is."""
    repo = Repo("modelscope", "org/name", FILES)
    repo.commit({"a.txt": b"second"}, branch="dev")
    with FakeHub([repo]) as hub:
        lock_now(project / "mirrorhub.lock", hub, "org/name")
        path = fetch("org/name", "dev", endpoints=hub.url, lockfile=False).path
        (path / "a.txt").write_bytes(b"damaged")
        assert main(["cache", "verify", "org/name", "--repair", "--endpoint", hub.url]) == 0
    assert (path / "a.txt").read_bytes() == b"second"


def test_what_was_taken_at_an_sdks_word_is_hashed(place: Path, tmp_path: Path) -> None:
    """Nor does it count once an earlier call has taken it at that word, and noted it."""
    repo, folder = Repo("huggingface", "org/name", FILES), tmp_path / "plain"
    file = folder / "sub" / "m.bin"
    with FakeHub([repo]) as hub:
        lock_now(place, hub, "hf://org/name")
        fetch("hf://org/name", local_dir=folder, settings=quick(hub.url, lockfile=False))
        stamp = file.stat()
        file.write_bytes(b"M" * 5000)
        os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        shutil.rmtree(folder / ".mirrorhub")
        assert not fetch("hf://org/name", local_dir=folder, settings=quick(hub.url, lockfile=False)).verified
        fetch("hf://org/name", local_dir=folder, settings=under(place, hub))
    assert file.read_bytes() == FILES["sub/m.bin"]


def test_a_lock_file_that_names_a_blob_wrongly(place: Path, forget: Callable[[], None]) -> None:
    """A content gets huggingface_hub's name only if that is its own: else the SDK would take it for another one."""
    repo = Repo("huggingface", "org/name", FILES)
    with FakeHub([repo]) as hub:
        lock_now(place, hub, "hf://org/name")
        place.write_text(place.read_text().replace(repo.files["a.txt"].git_sha1, "0" * 40))
        forget()
        path = fetch("hf://org/name", settings=under(place, hub)).path
    assert (path / "a.txt").resolve().name == repo.files["a.txt"].sha256


@pytest.mark.parametrize("planted", ["modeling_x.py", "sub/model.pt", "__pycache__/a.cpython-311.pyc", "linked"])
def test_a_file_beside_the_locked_ones(repo: Repo, place: Path, planted: str, tmp_path: Path) -> None:
    """A file that somebody else has put into the snapshot's folder is refused by name, and stays; also offline."""
    with FakeHub([repo]) as hub:
        lock_now(place, hub, name_of(repo))
        path = fetch(name_of(repo), settings=under(place, hub)).path
        (path / planted).parent.mkdir(exist_ok=True)
        if planted == "linked":
            (path / planted).symlink_to(tmp_path)
        else:
            (path / planted).write_bytes(b"evil")
        for more in ({}, {"offline": True}):
            settings = under(place, hub, **more)
            for options in ({}, {"allow_patterns": "*.txt"}, {"force_download": True}):
                with pytest.raises(errors.PinnedError, match="lock update") as raised:
                    fetch(name_of(repo), settings=settings, **options)  # type: ignore[arg-type]
                assert [line.partition(" (")[0] for line in raised.value.difference] == [f"extra: {planted}"]
                assert str(path) in str(raised.value)
            assert fetch_files(name_of(repo), ["a.txt"], settings=settings).files == ("a.txt",)
    assert os.path.lexists(path / planted)


def test_an_sdk_has_brought_more(place: Path, forget: Callable[[], None], tmp_path: Path) -> None:
    """What an SDK has left in the folder, which we have no note of, is looked at, too, before anything is fetched."""
    repo = Repo("modelscope", "org/name", FILES)
    with FakeHub([repo]) as hub:
        lock_now(place, hub, "org/name")
        path = fetch("org/name", settings=under(place, hub)).path
        shutil.rmtree(path.parents[1] / ".mirrorhub")
        (path / "a.txt").unlink()
        (path / "new.py").write_bytes(b"import os")
        hub.log.clear()
        with pytest.raises(errors.PinnedError, match="has not locked") as raised:
            fetch("org/name", settings=under(place, hub))
        assert raised.value.difference == ("extra: new.py (9 bytes)",)
        assert not hub.log.requests()
        (path / "new.py").unlink()
        assert contents(fetch("org/name", settings=under(place, hub))) == FILES


def test_what_comes_of_use(place: Path) -> None:
    """What Python compiles of a locked source, and what a desktop leaves behind, is no file of anybody's."""
    repo = Repo("modelscope", "org/name", {**FILES, "code.py": b"x = 1"})
    with FakeHub([repo]) as hub:
        lock_now(place, hub, "org/name")
        path = fetch("org/name", settings=under(place, hub)).path
        py_compile.compile(str(path / "code.py"), doraise=True)
        (path / ".DS_Store").touch()
        assert fetch("org/name", settings=under(place, hub, offline=True)).path == path
        py_compile.compile(str(path / "code.py"), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
        with pytest.raises(errors.PinnedError, match=r"extra: __pycache__/code\."):
            fetch("org/name", settings=under(place, hub, offline=True))


def test_beside_a_part(place: Path) -> None:
    """A lock of a part says nothing of other files."""
    repo = Repo("modelscope", "org/name", FILES)
    with FakeHub([repo]) as hub:
        lock_now(place, hub, "org/name", include=("*.txt",))
        path = fetch("org/name", allow_patterns="*.txt", settings=under(place, hub)).path
        (path / "mine.py").touch()
        assert fetch("org/name", allow_patterns="*.txt", settings=under(place, hub)).path == path


def test_a_locked_file_as_a_pattern(repo: Repo, place: Path) -> None:
    """A pattern without a wildcard that names a locked file asks for nothing beyond what is locked."""
    with FakeHub([repo]) as hub:
        lock_now(place, hub, name_of(repo), include=("*.bin",))
        settings = under(place, hub)
        assert fetch(name_of(repo), allow_patterns="sub/m.bin", settings=settings).files == ("sub/m.bin",)
        with pytest.raises(errors.PinnedError, match="only a part is locked"):
            fetch(name_of(repo), allow_patterns=["sub/m.bin", "a.txt"], settings=settings)
