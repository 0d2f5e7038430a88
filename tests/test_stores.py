"""What lies on disk: notes, publishing, moved branches, and what older programs left."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mirrorhub import fetch
from mirrorhub.cli import main
from mirrorhub.errors import NotCachedError, StoreError
from mirrorhub.models import FileEntry, Manifest, Share, TransferReport, Voucher
from mirrorhub.models import Repo as RepoName
from mirrorhub.paths import OWN_FOLDER
from mirrorhub.stores.notes import Note, NoteBook, encode_note, held_files, left_over, merged, stamp_of
from mirrorhub.stores.publish import Publication, finish_interrupted, publish
from mirrorhub.stores.seen import boot_name, name_of_boot
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import NoDigests

REPO = RepoName("modelscope", "org/name")


def entry(path: str, data: bytes) -> FileEntry:
    """What a hub lists for a file."""
    return FileEntry(path, len(data), sha256=hashlib.sha256(data).hexdigest())


def manifest(*files: FileEntry, revision: str = "master") -> Manifest:
    """A listing."""
    return Manifest(REPO, revision, None, files, Voucher("official", "https://modelscope.cn"))


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a snapshot, our own folder and the SDK's books left out."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in files
        if not {OWN_FOLDER, ".cache"}.intersection(path.relative_to(folder).parts)
    }


A, B = entry("a.txt", b"a"), entry("sub/b.txt", b"bb")
BARE = FileEntry("bare.txt", 4)
GIT = FileEntry("git.txt", 1, git_sha1=hashlib.sha1(b"blob 1\0g", usedforsecurity=False).hexdigest(), commit="c" * 40)
FULL = Note(
    Manifest(replace(REPO, type="dataset"), "feature/x", "f" * 40, (A, B, BARE, GIT), Voucher("named", "https://x")),
    {"a.txt": (1, 10**18), "bare.txt": (4, 5)},
    {"a.txt": ("https://x", "https://y")},
)


def test_a_note_comes_back(tmp_path: Path) -> None:
    """A note is read as it was written, and readable by its owner alone."""
    book = NoteBook(tmp_path)
    book.write("feature/x", FULL)
    assert book.read("feature/x") == FULL
    assert book.read("master") is None
    (file,) = (tmp_path / OWN_FOLDER / "notes").iterdir()
    assert os.name == "nt" or stat.S_IMODE(file.stat().st_mode) == 0o600


def test_notes_of_two_revisions(tmp_path: Path) -> None:
    """Revisions whose names look alike as folders have notes of their own."""
    book = NoteBook(tmp_path)
    names = ["a/b", "a--b", "a"]
    for name in names:
        book.write(name, Note(manifest(A, revision=name), {}))
    read = [book.read(name) for name in names]
    assert [note and note.manifest.revision for note in read] == names


WHOLE: dict[str, Any] = {
    "format": 1,
    "repo": {"hub": "modelscope", "id": "org/name", "type": "model"},
    "revision": "master",
    "commit": None,
    "vouched_by": {"kind": "official", "name": "x"},
    "files": [{"path": "a.txt", "size": 1, "sha256": A.sha256, "stamp": [1, 2], "from": ["https://x"]}],
}
DAMAGED = {
    "empty": b"",
    "torn": json.dumps(WHOLE).encode()[:-20],
    "zeros": b"\0" * 100,
    "not utf-8": b"\xff\xfe\xff",
    "a list": b"[]",
    "a number": b"1",
    "another format": json.dumps({**WHOLE, "format": 2}).encode(),
    "no files": json.dumps({**WHOLE, "files": None}).encode(),
    "a file without a path": json.dumps({**WHOLE, "files": [{"size": 1}]}).encode(),
    "a repository of another shape": json.dumps({**WHOLE, "repo": {"name": "x"}}).encode(),
    "a stamp of one number": json.dumps({**WHOLE, "files": [{"path": "a", "stamp": [1]}]}).encode(),
    "a stamp of words": json.dumps({**WHOLE, "files": [{"path": "a", "stamp": ["x", "y"]}]}).encode(),
    "deep": b"[" * 200_000,
    "deep below": b'{"format": ' + b"[" * 200_000,
    "an endless stamp": json.dumps({**WHOLE, "files": [{"path": "a", "stamp": [float("inf"), 0]}]}).encode(),
    "a stamp beyond measure": json.dumps({**WHOLE, "files": [{"path": "a", "stamp": [10**300, 0]}]}).encode(),
    "a size beyond measure": json.dumps({**WHOLE, "files": [{"path": "a", "size": 10**400}]}).encode(),
    "a size in words": json.dumps({**WHOLE, "files": [{"path": "a", "size": "12"}]}).encode(),
    "a digest that is a number": json.dumps({**WHOLE, "files": [{"path": "a", "sha256": 5}]}).encode(),
    "a digest that is a path": json.dumps({**WHOLE, "files": [{"path": "a", "sha256": "../x"}]}).encode(),
    "a path that is a number": json.dumps({**WHOLE, "files": [{"path": 5}]}).encode(),
    "givers that are numbers": json.dumps({**WHOLE, "files": [{"path": "a", "from": [5]}]}).encode(),
    "a repository that is a number": json.dumps({**WHOLE, "repo": {**WHOLE["repo"], "id": 5}}).encode(),
    "a hub that is a list": json.dumps({**WHOLE, "repo": {**WHOLE["repo"], "hub": ["x"]}}).encode(),
    "a revision that is a list": json.dumps({**WHOLE, "revision": ["x"]}).encode(),
    "a commit that is none": json.dumps({**WHOLE, "commit": {}}).encode(),
    "a voucher of another kind": json.dumps({**WHOLE, "vouched_by": {"kind": ["x"], "name": 5}}).encode(),
    "half a character": json.dumps({**WHOLE, "revision": "\ud800"}).encode(),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_note(data: bytes) -> None:
    """A note that cannot be read counts as none: the files are compared again, none is fetched again."""
    with FakeHub([Repo("modelscope", "org/name", {"a.txt": b"a", "b.bin": b"b" * 1000})]) as hub:
        path = fetch("org/name", endpoints=hub.url).path
        (note,) = (path.parents[1] / OWN_FOLDER / "notes").iterdir()
        note.write_bytes(data)
        hub.log.clear()
        assert main(["cache", "list"]) == 0
        assert fetch("org/name", endpoints=hub.url).verified
        assert not hub.log.requests(kind="body")


def test_held_by_stamp(tmp_path: Path) -> None:
    """A file whose size and time are as noted is taken as it was; `verify` compares it all the same."""
    file = tmp_path / "a.txt"
    file.write_bytes(b"x")
    note = Note(manifest(A), {"a.txt": stamp_of(file)}, boot=boot_name())
    assert held_files(tmp_path, [A], note) == {"a.txt": stamp_of(file)}
    assert not held_files(tmp_path, [A], note, verify=True)
    os.utime(file, ns=(1, 1))
    assert not held_files(tmp_path, [A], note)


def test_a_system_that_does_not_say_which_start_it_is(tmp_path: Path) -> None:
    """Then each process counts as one: of an earlier one, and of nobody knows which, no small file is trusted."""
    stamp = (1, 1)
    earlier, later = name_of_boot(tmp_path / "none"), name_of_boot(tmp_path / "none")
    assert earlier != later
    for boot in (earlier, later, ""):
        assert not Note(manifest(A), {"a.txt": stamp}, boot=boot).trusts("a.txt", stamp)


@pytest.mark.parametrize(
    ("told", "name"),
    [(b"1-2a\n", "1-2a"), (b"", None), (b"../x", None), (b"\xff", None), (b"1" * 65, None)],
    ids=range(5),
)
def test_the_name_of_a_start(told: bytes, name: str | None, tmp_path: Path) -> None:
    """It is as the system tells it; what cannot be a part of a file's name is none."""
    file = tmp_path / "boot_id"
    file.write_bytes(told)
    found = name_of_boot(file)
    assert found.replace("-", "").isalnum()
    assert (found == name) is (name is not None)


def test_held_by_digest(tmp_path: Path) -> None:
    """Without a note a file is held if its bytes are right, whichever digest the hub gave."""
    for path, data in (("a.txt", b"a"), ("git.txt", b"g")):
        (tmp_path / path).write_bytes(data)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.txt").write_bytes(b"BB")
    assert set(held_files(tmp_path, [A, B, GIT], None)) == {"a.txt", "git.txt"}


def test_held_without_a_digest(tmp_path: Path) -> None:
    """A file without a digest is as good as its note: without one it is not known to be whole."""
    file = tmp_path / "bare.txt"
    file.write_bytes(b"1234")
    assert not held_files(tmp_path, [BARE], None)
    assert set(held_files(tmp_path, [BARE], Note(manifest(BARE), {"bare.txt": stamp_of(file)}))) == {"bare.txt"}


def test_a_stamp_is_for_one_digest(tmp_path: Path) -> None:
    """When a branch has moved, an old stamp says nothing of the new digest."""
    file = tmp_path / "a.txt"
    file.write_bytes(b"a")
    note = Note(manifest(A), {"a.txt": stamp_of(file)})
    assert not held_files(tmp_path, [entry("a.txt", b"z")], note)


def test_notes_are_merged() -> None:
    """After a call the note knows what was checked now, and what was checked before of the same content."""
    old = Note(manifest(A, B, BARE), {"a.txt": (1, 1), "sub/b.txt": (2, 2), "bare.txt": (4, 4)}, {"a.txt": ("old",)})
    changed = entry("sub/b.txt", b"new")
    shares = (Share("new", "new.test", 2, ((0, 2),)), Share("new", "data.test", 1, ((2, 3),)))
    report = TransferReport("sub/b.txt", 3, {"wrong": 3, "new": 3}, (), 0, 2, 0.1, verified=True, shares=shares)
    note = merged(old, manifest(A, changed, BARE), {"sub/b.txt": (3, 3)}, [report])
    assert note.stamps == {"a.txt": (1, 1), "sub/b.txt": (3, 3)}
    assert note.origins == {"a.txt": ("old",), "sub/b.txt": ("new",)}


def test_left_over(tmp_path: Path) -> None:
    """What an old manifest brought and the new one lacks, or has otherwise, is left over, if nobody changed it."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_bytes(b"a")
    (tmp_path / "sub" / "b.txt").write_bytes(b"b")
    old = Note(manifest(A, B, GIT), {path: stamp_of(tmp_path / path) for path in ("a.txt", "sub/b.txt")})
    assert left_over(tmp_path, old, Note(manifest(A, entry("sub/b.txt", b"new")), {})) == ("sub/b.txt",)
    assert left_over(tmp_path, old, Note(manifest(B), {})) == ("a.txt",)
    assert left_over(tmp_path, None, Note(manifest(A), {})) == ()
    (tmp_path / "a.txt").write_bytes(b"mine by now")
    assert left_over(tmp_path, old, Note(manifest(B), {})) == ()


@pytest.mark.parametrize("local_dir", [None, "here"])
def test_digests_that_come_later(local_dir: str | None, tmp_path: Path) -> None:
    """Files that a listing without digests brought stay where a later one, with digests, says that they are right."""
    files = {"a.txt": b"a", "b.bin": b"b" * 1000, "c.txt": b"c"}
    where = {"local_dir": tmp_path / local_dir} if local_dir else {}
    with FakeHub([Repo("modelscope", "org/name", files)], [NoDigests()]) as hub:
        path = fetch("org/name", endpoints=hub.url, **where).path
        (path / "c.txt").write_bytes(b"other")
        hub.set_faults()
        hub.log.clear()
        snapshot = fetch("org/name", endpoints=hub.url, **where)
        asked = {request.file for request in hub.log.requests(kind="body")}
    assert snapshot.verified
    assert files == {name: (path / name).read_bytes() for name in snapshot.files}
    assert asked == {"c.txt"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A repository's folder, with our own in it."""
    (tmp_path / "home" / OWN_FOLDER / "ready").mkdir(parents=True)
    return tmp_path / "home"


def ready(home: Path, **files: bytes) -> dict[str, Path]:
    """Checked files that wait; `__` in a name stands for a slash."""
    places = {}
    for name, data in files.items():
        place = home / OWN_FOLDER / "ready" / f"key-{name}"
        place.write_bytes(data)
        places[name.replace("__", "/") + ".txt"] = place
    return places


def put(home: Path, target: Path, places: dict[str, Path], deletes: Sequence[str]) -> None:
    """Publish files under a note."""
    publish(home, Publication(target, places, tuple(deletes), Note(manifest(A), {}), "master"))


def test_a_new_directory(home: Path) -> None:
    """A directory that is not there yet appears with everything in it, and nothing is left beside."""
    target = home / "snapshots" / "master"
    put(home, target, ready(home, a=b"a", sub__b=b"b"), ())
    assert tree(target) == {"a.txt": b"a", "sub/b.txt": b"b"}
    assert sorted(path.name for path in (home / OWN_FOLDER).iterdir()) == ["notes", "ready"]
    assert not list((home / OWN_FOLDER / "ready").iterdir())


def test_a_directory_that_is_there(home: Path) -> None:
    """A directory that is there is changed file by file: others' files stay, what goes goes with its empty folder."""
    target = home / "snapshots" / "master"
    put(home, target, ready(home, a=b"old", sub__gone=b"x", keep=b"k"), ())
    (target / "mine.txt").write_bytes(b"mine")
    inode = target.stat().st_ino
    put(home, target, ready(home, a=b"new", deep__er__c=b"c"), ["sub/gone.txt", "not-there.txt"])
    assert tree(target) == {"a.txt": b"new", "deep/er/c.txt": b"c", "keep.txt": b"k", "mine.txt": b"mine"}
    assert not (target / "sub").exists()
    assert target.stat().st_ino == inode


def test_what_is_replaced_is_not_deleted(home: Path) -> None:
    """A path that both comes and goes comes."""
    target = home / "snapshots" / "master"
    put(home, target, ready(home, a=b"old"), ())
    put(home, target, ready(home, a=b"new"), ["a.txt"])
    assert tree(target) == {"a.txt": b"new"}


def test_one_content_under_two_paths(home: Path) -> None:
    """A file that stands at two paths is there twice, and the two are apart."""
    (place,) = ready(home, a=b"same").values()
    target = home / "snapshots" / "master"
    put(home, target, {"a.txt": place, "sub/b.txt": place}, ())
    (target / "a.txt").write_bytes(b"changed")
    assert tree(target) == {"a.txt": b"changed", "sub/b.txt": b"same"}


COPIES: list[str] = []


def test_copies_are_made_where_nobody_looks(home: Path) -> None:
    """In a snapshot that is there already a second path of one content is never seen half-written."""
    target = home / "snapshots" / "master"
    target.mkdir(parents=True)
    (place,) = ready(home, one=b"1234").values()
    # An audit hook stays for good; it is asked for what happens in here.
    sys.addaudithook(lambda event, told: COPIES.append(str(told[1])) if event == "shutil.copyfile" else None)
    COPIES.clear()
    publish(home, Publication(target, {"a": place, "b": place}, (), FULL, "master"))
    assert tree(target) == {"a": b"1234", "b": b"1234"}
    assert COPIES
    assert all(OWN_FOLDER in Path(copy).parts for copy in COPIES)


def test_one_content_under_two_paths_from_a_hub() -> None:
    """One content listed at two paths is fetched once."""
    with FakeHub([Repo("modelscope", "org/name", {"a.bin": b"x" * 5000, "sub/b.bin": b"x" * 5000})]) as hub:
        path = fetch("org/name", endpoints=hub.url).path
        assert sum(hub.log.bytes_sent_by_file().values()) == 5000
    assert tree(path) == {"a.bin": b"x" * 5000, "sub/b.bin": b"x" * 5000}


def journal(home: Path, target: Path | str, places: dict[str, Path], deletes: list[str] | None = None) -> Path:
    """Write the journal of a publish that was ended before it began to move."""
    path = home / OWN_FOLDER / "publish-free-1.json"
    folder = next(iter(places.values())).parent if places else home / OWN_FOLDER / "ready"
    record = {
        "target": str(target),
        "source": os.path.relpath(folder, home / OWN_FOLDER),
        "note": encode_note(Note(manifest(A), {})),
        "name": "master",
        "moves": {name: place.name for name, place in places.items()},
        "deletes": deletes or [],
        "before": NoteBook(home).mark("master"),
    }
    path.write_text(json.dumps(record))
    return path


@pytest.mark.parametrize("moved", [0, 1, 2], ids=["none", "one", "all"])
def test_an_interrupted_publish_of_a_new_directory(home: Path, moved: int) -> None:
    """A new directory whose publishing was cut off anywhere is published whole by the next call."""
    target, places = home / "snapshots" / "master", ready(home, a=b"a", sub__b=b"b")
    path = journal(home, target, places)
    staging = home / OWN_FOLDER / "staging-free-1"
    for name, place in list(places.items())[:moved]:
        (staging / name).parent.mkdir(parents=True, exist_ok=True)
        place.replace(staging / name)
    finish_interrupted(home)
    assert tree(target) == {"a.txt": b"a", "sub/b.txt": b"b"}
    assert not path.exists()
    assert not staging.exists()


@pytest.mark.parametrize("moved", [0, 1, 2], ids=["none", "one", "all"])
def test_an_interrupted_change_of_a_directory(home: Path, moved: int) -> None:
    """A directory whose change was cut off anywhere gets the rest of it, deletions and all."""
    target = home / "snapshots" / "master"
    put(home, target, ready(home, a=b"old", gone=b"x"), ())
    places = ready(home, a=b"new", sub__b=b"b")
    path = journal(home, target, places, ["gone.txt"])
    (target / "sub").mkdir()
    for name, place in list(places.items())[:moved]:
        place.replace(target / name)
    finish_interrupted(home)
    assert tree(target) == {"a.txt": b"new", "sub/b.txt": b"b"}
    assert NoteBook(home).read("master") == Note(manifest(A), {})
    assert not path.exists()


def test_an_interrupted_publish_that_cannot_be_finished(home: Path) -> None:
    """When files that should be moved are nowhere, no half of a new directory appears."""
    places = ready(home, a=b"a", b=b"b")
    path = journal(home, home / "snapshots" / "master", places)
    places["b.txt"].unlink()
    finish_interrupted(home)
    assert not (home / "snapshots").exists()
    assert not path.exists()


def test_nothing_was_interrupted(home: Path) -> None:
    """Without a journal nothing is done."""
    finish_interrupted(home)
    assert not (home / "snapshots").exists()


def test_an_interrupted_publish_that_was_overtaken(home: Path) -> None:
    """What was cut off is not finished over what another call has published since."""
    target = home / "snapshots" / "master"
    put(home, target, ready(home, a=b"first"), ())
    path = journal(home, target, ready(home, a=b"second"), [])
    (home / OWN_FOLDER / "ready" / "third").write_bytes(b"third")
    put(home, target, {"a.txt": home / OWN_FOLDER / "ready" / "third"}, ())
    finish_interrupted(home)
    assert tree(target) == {"a.txt": b"third"}
    assert not path.exists()


def test_a_publisher_of_another_container(home: Path) -> None:
    """Whoever holds the repository finishes what another container had begun, however lately: that one held it, too."""
    target = home / "snapshots" / "master"
    journal(home, target, ready(home, a=b"a")).rename(home / OWN_FOLDER / "publish-host_0-1x1-0123456789abcdef.json")
    finish_interrupted(home)
    assert tree(target) == {"a.txt": b"a"}


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"target": 1}', b'{"target": "x", "moves": []}'])
def test_a_damaged_journal(home: Path, data: bytes) -> None:
    """A journal that cannot be read is dropped."""
    path = home / OWN_FOLDER / "publish-free-1.json"
    path.write_bytes(data)
    finish_interrupted(home)
    assert not path.exists()


@pytest.mark.parametrize(
    "target", ["{outside}", "{home}/../outside", "{home}/snapshots/../../outside", "relative"], ids=str
)
def test_a_journal_with_a_target_outside(home: Path, target: str) -> None:
    """A journal whose directory is not in the repository's folder is dropped; nothing is moved or deleted there."""
    outside = home.parent / "outside"
    outside.mkdir()
    (outside / "precious.txt").write_bytes(b"precious")
    places = ready(home, a=b"a")
    path = journal(home, target.format(home=home, outside=outside), places, ["precious.txt"])
    finish_interrupted(home)
    assert tree(outside) == {"precious.txt": b"precious"}
    assert not path.exists()


@pytest.mark.parametrize("name", ["../../../outside/precious.txt", "{outside}/precious.txt"])
@pytest.mark.parametrize("act", ["move", "delete"])
def test_a_journal_with_a_path_outside(home: Path, name: str, act: str) -> None:
    """A journal with a path that climbs out is dropped: nothing is written or deleted outside."""
    outside, target = home.parent / "outside", home / "snapshots" / "master"
    outside.mkdir()
    target.mkdir(parents=True)
    (outside / "precious.txt").write_bytes(b"precious")
    (place,) = ready(home, a=b"evil").values()
    path = name.format(outside=outside)
    journal(home, target, {path: place} if act == "move" else {"a.txt": place}, [path] if act == "delete" else [])
    finish_interrupted(home)
    assert tree(outside) == {"precious.txt": b"precious"}


def test_a_journal_that_takes_from_outside(home: Path) -> None:
    """A journal whose files wait elsewhere is dropped: nothing is taken away from there."""
    outside, target = home.parent / "outside", home / "snapshots" / "master"
    outside.mkdir()
    target.mkdir(parents=True)
    (outside / "precious.txt").write_bytes(b"precious")
    journal(home, target, {"a.txt": outside / "precious.txt"})
    finish_interrupted(home)
    assert tree(outside) == {"precious.txt": b"precious"}
    assert not tree(target)


def test_a_planted_note(tmp_path: Path) -> None:
    """A note that came with a folder from elsewhere makes no call delete a file outside of it."""
    precious = tmp_path / "precious.txt"
    precious.write_bytes(b"precious")
    folder = tmp_path / "local"
    climbing = replace(entry("x", b"x"), path="../precious.txt")
    NoteBook(folder).write("current", Note(manifest(climbing), {"../precious.txt": stamp_of(precious)}))
    with FakeHub([Repo("modelscope", "org/name", {"a.txt": b"a"})]) as hub:
        fetch("org/name", endpoints=hub.url, local_dir=folder)
    assert precious.read_bytes() == b"precious"
    assert tree(folder) == {"a.txt": b"a"}


OLD = {"config.json": b"{}", "model.bin": b"old" * 1000, "sub/gone.txt": b"gone", "same.bin": b"same" * 1000}
NEW = {"config.json": b"{}", "model.bin": b"new" * 1000, "sub2/here.txt": b"here", "same.bin": b"same" * 1000}
CHANGE = {"model.bin": NEW["model.bin"], "sub2/here.txt": b"here"}


def test_a_moved_branch_on_modelscope() -> None:
    """The directory changes to the new commit: what it lacks goes, what is the same is not fetched, a user's stays."""
    repo = Repo("modelscope", "org/name", OLD)
    with FakeHub([repo]) as hub:
        path = fetch("org/name", endpoints=hub.url).path
        (path / "mine.txt").write_bytes(b"mine")
        (path / "sub" / "mine.txt").write_bytes(b"mine")
        repo.commit(CHANGE, delete=["sub/gone.txt"])
        hub.log.clear()
        assert fetch("org/name", endpoints=hub.url).path == path
        assert set(hub.log.bytes_sent_by_file()) == {"model.bin", "sub2/here.txt"}
        assert tree(path) == {**NEW, "mine.txt": b"mine", "sub/mine.txt": b"mine"}
    offline = fetch("org/name", local_files_only=True)
    assert (offline.path, set(offline.files), offline.verified) == (path, set(NEW), True)


def test_a_moved_branch_and_part_of_it() -> None:
    """After a call for some of a new commit's files no file of the old commit is beside them."""
    repo = Repo("modelscope", "org/name", OLD)
    with FakeHub([repo]) as hub:
        path = fetch("org/name", endpoints=hub.url).path
        repo.commit(CHANGE, delete=["sub/gone.txt"])
        fetch("org/name", endpoints=hub.url, allow_patterns="sub2/*")
    assert tree(path) == {name: NEW[name] for name in ("config.json", "same.bin", "sub2/here.txt")}


@pytest.mark.parametrize("hub_name", ["modelscope", "huggingface"])
@pytest.mark.parametrize(
    ("before", "after"), [("a", "a/b.txt"), ("a/b.txt", "a"), ("a/b/c.txt", "a")], ids=lambda path: path.count("/")
)
def test_a_file_becomes_a_folder(hub_name: str, before: str, after: str) -> None:
    """A path that was a file and is a folder in the new commit, or the other way round, is changed like any other."""
    repo = Repo(hub_name, "org/name", {before: b"before", "x.txt": b"x"})  # type: ignore[arg-type]
    with FakeHub([repo]) as hub:
        fetch("org/name", hub=hub_name, endpoints=hub.url)
        repo.commit({after: b"after"}, delete=[before])
        path = fetch("org/name", hub=hub_name, endpoints=hub.url).path
    assert tree(path) == {after: b"after", "x.txt": b"x"}


def test_a_moved_branch_on_hugging_face() -> None:
    """The reference moves, the old snapshot stays, and what both share is fetched once."""
    repo = Repo("huggingface", "org/name", OLD)
    with FakeHub([repo]) as hub:
        old = fetch("hf://org/name", endpoints=hub.url)
        repo.commit(CHANGE, delete=["sub/gone.txt"])
        hub.log.clear()
        new = fetch("hf://org/name", endpoints=hub.url)
        assert set(hub.log.bytes_sent_by_file()) == {"model.bin", "sub2/here.txt"}
    assert (tree(old.path), tree(new.path)) == (OLD, NEW)
    assert new.commit == repo.head.id != old.commit
    assert (new.path.parents[1] / "refs" / "main").read_text() == repo.head.id
    assert fetch("hf://org/name", local_files_only=True).path == new.path
    assert fetch("hf://org/name", old.commit, local_files_only=True).path == old.path


def test_a_branch_that_moves_back() -> None:
    """A branch that returns to a commit that is there fetches nothing, and the reference follows it."""
    repo = Repo("huggingface", "org/name", OLD)
    first = repo.head.id
    with FakeHub([repo]) as hub:
        old = fetch("hf://org/name", endpoints=hub.url).path
        repo.commit(CHANGE, delete=["sub/gone.txt"])
        fetch("hf://org/name", endpoints=hub.url)
        repo.branches["main"] = first
        hub.log.clear()
        assert fetch("hf://org/name", endpoints=hub.url).path == old
        assert not hub.log.requests(kind="body")
    assert fetch("hf://org/name", local_files_only=True).path == old


def test_another_name_of_a_commit() -> None:
    """A tag of a commit that is there fetches nothing, and is found offline afterwards."""
    repo = Repo("huggingface", "org/name", OLD)
    repo.tag("v1")
    with FakeHub([repo]) as hub:
        path = fetch("hf://org/name", endpoints=hub.url).path
        hub.log.clear()
        assert fetch("hf://org/name", "v1", endpoints=hub.url).path == path
        assert not hub.log.requests(kind="body")
    assert fetch("hf://org/name", "v1", local_files_only=True).path == path


def test_more_of_a_snapshot() -> None:
    """A call for more files adds them to what is there; the note knows both."""
    with FakeHub([Repo("modelscope", "org/name", OLD)]) as hub:
        fetch("org/name", endpoints=hub.url, allow_patterns="*.json")
        with pytest.raises(NotCachedError):
            fetch("org/name", local_files_only=True)
        hub.log.clear()
        path = fetch("org/name", endpoints=hub.url).path
        assert "config.json" not in hub.log.bytes_sent_by_file()
    assert tree(path) == OLD
    assert fetch("org/name", local_files_only=True).path == path


def test_links_that_waited(tmp_path: Path) -> None:
    """Neither the folder where links waited nor a link that found its place taken by a folder is left behind."""
    repo = Repo("huggingface", "org/name", {"a.txt": b"a", "b.txt": b"b"})
    own = tmp_path / "hf" / "models--org--name" / OWN_FOLDER
    with FakeHub([repo]) as hub:
        path = fetch("hf://org/name", endpoints=hub.url).path
        assert not (own / "links").exists()
        (path / "b.txt").unlink()
        (path / "b.txt" / "mine").mkdir(parents=True)
        with pytest.raises(StoreError):
            fetch("hf://org/name", endpoints=hub.url)
    assert not (own / "links").exists()


def test_without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where links are not wanted the files stand in the snapshot itself."""
    monkeypatch.setenv("HF_HUB_DISABLE_SYMLINKS", "1")
    with FakeHub([Repo("huggingface", "org/name", OLD)]) as hub:
        path = fetch("hf://org/name", endpoints=hub.url).path
    assert tree(path) == OLD
    assert not [file for file in path.rglob("*") if file.is_symlink()]
    assert fetch("hf://org/name", local_files_only=True).verified


@pytest.mark.parametrize("hub_name", ["modelscope", "huggingface"])
def test_a_local_folder(hub_name: str, tmp_path: Path) -> None:
    """A folder that the caller names gets plain files; a moved branch changes them, a user's files stay."""
    repo = Repo(hub_name, "org/name", OLD)  # type: ignore[arg-type]
    folder = tmp_path / "local"
    folder.mkdir()
    (folder / "mine.txt").write_bytes(b"mine")
    with FakeHub([repo]) as hub:
        assert fetch("org/name", hub=hub_name, endpoints=hub.url, local_dir=folder).path == folder
        assert tree(folder) == {**OLD, "mine.txt": b"mine"}
        repo.commit(CHANGE, delete=["sub/gone.txt"])
        hub.log.clear()
        fetch("org/name", hub=hub_name, endpoints=hub.url, local_dir=folder)
        assert set(hub.log.bytes_sent_by_file()) == {"model.bin", "sub2/here.txt"}
    assert tree(folder) == {**NEW, "mine.txt": b"mine"}
    assert not [file for file in folder.rglob("*") if file.is_symlink()]
    assert fetch("org/name", hub=hub_name, local_dir=folder, local_files_only=True).path == folder
    assert not (tmp_path / "ms" / "models").exists()


def test_a_local_folder_of_another_repository(tmp_path: Path) -> None:
    """A second repository in the same folder takes nothing of the first one away."""
    one, other = Repo("modelscope", "org/one", {"a.txt": b"a"}), Repo("modelscope", "org/other", {"b.txt": b"b"})
    with FakeHub([one, other]) as hub:
        fetch("org/one", endpoints=hub.url, local_dir=tmp_path / "local")
        fetch("org/other", endpoints=hub.url, local_dir=tmp_path / "local")
    assert tree(tmp_path / "local") == {"a.txt": b"a", "b.txt": b"b"}
    with pytest.raises(NotCachedError):
        fetch("org/one", local_files_only=True, local_dir=tmp_path / "local")


# Where older versions keep demo-org/tiny-0.5B below MODELSCOPE_CACHE.
OLDER = {
    "1.10": "demo-org/tiny-0.5B",
    "1.12": "demo-org/tiny-0___5B",
    "1.15": "hub/demo-org/tiny-0___5B",
    "1.23": "models/demo-org/tiny-0___5B",
    "1.23 without the variable": "hub/models/demo-org/tiny-0___5B",
}


@pytest.fixture(params=list(OLDER.values()), ids=list(OLDER))
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A repository as an older version of the SDK left it, its own books beside the files."""
    folder: Path = tmp_path / "ms" / request.param
    for name, data in OLD.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / ".msc").write_bytes(b"\x80\x04]\x94.")
    (folder / ".mdl").write_bytes(b"\x80\x04}\x94.")
    (folder / ".mv").write_text("Revision:master,CreatedAt:1700000000")
    return folder


def test_an_older_layout_offline(older: Path) -> None:
    """What an older modelscope left is found offline, marked unverified; its books are not taken for model files."""
    snapshot = fetch("demo-org/tiny-0.5B", local_files_only=True)
    assert (snapshot.path, snapshot.verified) == (older, False)
    assert set(snapshot.files) == set(OLD)


def test_an_older_layout_with_digests(older: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where digests are known, files of an older layout are compared with them, and count as verified."""
    rows = "".join(
        f'[[content.file]]\npath = "{name}"\nsize = {len(data)}\nsha256 = "{hashlib.sha256(data).hexdigest()}"\n'
        for name, data in OLD.items()
    )
    (tmp_path / "config.toml").write_text("")
    (tmp_path / "aliases.toml").write_text(f'[[content]]\nrepos = ["modelscope:demo-org/tiny-0.5B"]\n{rows}')
    monkeypatch.setenv("MIRRORHUB_CONFIG", str(tmp_path / "config.toml"))
    snapshot = fetch("demo-org/tiny-0.5B", "pinned", local_files_only=True)
    assert (snapshot.path, snapshot.verified, snapshot.vouched_by.kind) == (older, True, "pin")
    (older / "model.bin").write_bytes(b"bad" * 1000)
    with pytest.raises(NotCachedError):
        fetch("demo-org/tiny-0.5B", "pinned", local_files_only=True)


def test_a_newer_layout_comes_first(older: Path, tmp_path: Path) -> None:
    """What was fetched is preferred to what an older version left."""
    with FakeHub([Repo("modelscope", "demo-org/tiny-0.5B", NEW)]) as hub:
        path = fetch("demo-org/tiny-0.5B", endpoints=hub.url).path
    assert path == tmp_path / "ms" / "models" / "demo-org--tiny-0.5B" / "snapshots" / "master"
    assert fetch("demo-org/tiny-0.5B", local_files_only=True).path == path


@pytest.mark.parametrize("hub_name", ["modelscope", "huggingface"])
def test_changed_while_others_come(hub_name: str) -> None:
    """A file that is changed while another one comes is not taken for the one that was looked at."""
    files = {"a.txt": b"right", "b.txt": b"b"}
    repo = Repo(hub_name, "org/name", files)  # type: ignore[arg-type]
    with FakeHub([repo]) as hub:
        first = fetch("org/name", hub=hub_name, endpoints=hub.url, allow_patterns="a.txt")

        class Changing:
            """Changes the first file while the second one comes."""

            def __init__(self, name: str, size: int) -> None:
                if name == "b.txt":
                    (first.path / "a.txt").write_bytes(b"wrong")

            def update(self, size: int) -> None: ...

            def end(self) -> None: ...

        second = fetch("org/name", hub=hub_name, endpoints=hub.url, progress_callbacks=[Changing])
    assert tree(second.path) == files


FULL_DISK = """
import resource, sys
from mirrorhub import errors, fetch

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    fetch("org/name", endpoints=sys.argv[1])
except errors.StoreError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit of file sizes")
@pytest.mark.parametrize("size", [300_000, 3_000_000], ids=["small", "large"])
def test_a_disk_that_takes_a_part(size: int, tmp_path: Path) -> None:
    """A disk that takes only the beginning of a file is told of; nothing of the file is published."""
    with FakeHub([Repo("modelscope", "org/name", {"model.bin": b"m" * size})]) as hub:
        command = [sys.executable, "-W", "error", "-c", FULL_DISK, hub.url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "too large" in done.stdout
    assert not (tmp_path / "ms/models/org--name/snapshots").exists()
