"""A cache folder that came from somebody else: whatever was planted in it, nothing outside of it changes."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest

from mirrorhub import fetch
from mirrorhub.cli import main
from mirrorhub.errors import NotCachedError, StoreError
from mirrorhub.paths import OWN_FOLDER
from mirrorhub.stores.notes import NoteBook
from mirrorhub.stores.publish import finish_interrupted
from mirrorhub.stores.seen import boot_name
from tests.fakehub import FakeHub, Repo
from tests.quick import quick

FILES = {"config.json": b'{"a": 1}', "sub/x.txt": b"x" * 3000, "pkg/__init__.py": b""}
HUBS = ("modelscope", "huggingface")
BLOB = "a" * 64


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder of the user's that links lead to."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "thesis.txt").write_bytes(b"years of work")
    return folder


def home_of(tmp_path: Path, hub_name: str) -> Path:
    """The repository's folder in the cache of each hub."""
    return tmp_path / ("ms/models/org--name" if hub_name == "modelscope" else "hf/models--org--name")


def bring(hub_name: str = "modelscope", local_dir: Path | None = None) -> Path:
    """Bring the repository."""
    with FakeHub([Repo(hub_name, "org/name", FILES)]) as hub:  # type: ignore[arg-type]
        return fetch("org/name", hub=hub_name, settings=quick(hub.url), local_dir=local_dir).path


def contents(folder: Path) -> dict[str, bytes]:
    """What a folder of the user's holds."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def planted(home: Path, *targets: str) -> None:
    """Put links into the trash of a process that is gone."""
    heap = home / OWN_FOLDER / "trash-x"
    heap.mkdir(parents=True)
    for number, target in enumerate(targets):
        (heap / str(number)).symlink_to(target)


@pytest.mark.parametrize("linked", ["blobs", "snapshots"])
def test_a_linked_folder_of_blobs(linked: str, docs: Path, tmp_path: Path) -> None:
    """Where `blobs` is a link, or `snapshots`, which says what is in use, the trash takes no blob with it."""
    (docs / BLOB).write_bytes(b"mine")
    home = home_of(tmp_path, "huggingface")
    planted(home, f"../blobs/{BLOB}")
    (home / linked).symlink_to(docs)
    if linked == "snapshots":
        (home / "blobs").mkdir()
        (home / "blobs" / BLOB).write_bytes(b"mine")
    with pytest.raises(StoreError, match=linked):
        bring("huggingface")
    assert (home / "blobs" / BLOB).read_bytes() == b"mine"


def test_a_folder_of_blobs_where_there_are_none(docs: Path, tmp_path: Path) -> None:
    """ModelScope's layout has no blobs: what is called so is not ours to delete."""
    home = home_of(tmp_path, "modelscope")
    planted(home, "../blobs/thesis.txt", f"../blobs/{BLOB}")
    (docs / BLOB).write_bytes(b"mine")
    (home / "blobs").symlink_to(docs)
    bring()
    assert sorted(path.name for path in docs.iterdir()) == [BLOB, "thesis.txt"]


def test_what_is_no_blob(tmp_path: Path) -> None:
    """Among the blobs only what bears a blob's name goes."""
    home = home_of(tmp_path, "huggingface")
    planted(home, "../blobs/thesis.txt", f"../blobs/{BLOB}")
    (home / "blobs").mkdir()
    for name in ("thesis.txt", BLOB):
        (home / "blobs" / name).write_bytes(b"x")
    bring("huggingface")
    assert (home / "blobs" / "thesis.txt").exists()
    assert not (home / "blobs" / BLOB).exists()


PARTS = ["notes", "seen", "partial", "ready", "links", "aside"]


@pytest.mark.parametrize("hub_name", HUBS)
@pytest.mark.parametrize("part", PARTS)
def test_a_linked_part_of_our_folder(part: str, hub_name: str, docs: Path, tmp_path: Path) -> None:
    """A call into a folder whose parts are links ends before the first byte, and says what to remove."""
    for name in ("master.tar.gz", "master.v1.docx", "master.json"):
        (docs / name).write_bytes(b"mine")
    before = contents(docs)
    own = home_of(tmp_path, hub_name) / OWN_FOLDER
    own.mkdir(parents=True)
    (own / part).symlink_to(docs)
    with pytest.raises(StoreError, match=f"{OWN_FOLDER}/{part}: a symbolic link.*remove it"):
        bring(hub_name)
    assert contents(docs) == before


def test_books_of_the_users(docs: Path) -> None:
    """A hit that was hashed again writes nothing through a linked book, and says nothing of it."""
    path = bring()
    note = path.parents[1] / OWN_FOLDER / "notes" / "master.json"
    note.write_bytes(note.read_bytes().replace(b'"boot": "', b'"boot": "another-'))
    (path.parents[1] / OWN_FOLDER / "seen").symlink_to(docs)
    assert fetch("org/name", local_files_only=True).path == path
    assert contents(docs) == {"thesis.txt": b"years of work"}


def test_what_looks_like_a_book(tmp_path: Path) -> None:
    """Of the books only those go with a note that are named as we name them."""
    seen = home_of(tmp_path, "modelscope") / OWN_FOLDER / "seen"
    seen.mkdir(parents=True)
    names = ["master.tar.gz", "master.a.b.json", "master.11-22.json"]
    for name in names:
        (seen / name).write_bytes(b"{}")
    bring()
    assert sorted(path.name for path in seen.iterdir()) == sorted(names[:2])


@pytest.mark.parametrize("name", ["trash-x", "writable", "lock.holder"])
def test_other_links_in_our_folder(name: str, docs: Path, tmp_path: Path) -> None:
    """Nothing is made, changed or deleted where a link leads that has the name of something short-lived."""
    own = home_of(tmp_path, "modelscope") / OWN_FOLDER
    own.mkdir(parents=True)
    (own / name).symlink_to(docs if name == "trash-x" else docs / "new.txt")
    bring()
    assert contents(docs) == {"thesis.txt": b"years of work"}


@pytest.mark.parametrize("folder", ["blobs", "refs", "snapshots"])
def test_a_linked_folder_of_the_sdks(folder: str, docs: Path, tmp_path: Path) -> None:
    """Nor is anything written through a link in the place of one of Hugging Face's folders."""
    home = home_of(tmp_path, "huggingface")
    home.mkdir(parents=True)
    (home / folder).symlink_to(docs)
    with pytest.raises(StoreError, match="symbolic link"):
        bring("huggingface")
    assert contents(docs) == {"thesis.txt": b"years of work"}


@pytest.mark.parametrize("part", ["notes", "seen", "reports"])
def test_prune_through_a_linked_part(part: str, docs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Making room deletes nothing through a link, and says what to remove."""
    for name in ("settings.json", "settings.11-22.json"):
        (docs / name).write_bytes(b"{}")
    before = contents(docs)
    home = home_of(tmp_path, "modelscope")
    (home / "snapshots" / "settings").mkdir(parents=True)
    (home / "snapshots" / "settings" / "a.txt").write_bytes(b"a")
    (home / OWN_FOLDER).mkdir()
    (home / OWN_FOLDER / part).symlink_to(docs)
    assert main(["cache", "prune", "org/name", "-y"]) == 5
    assert "symbolic link" in capsys.readouterr().err
    assert contents(docs) == before


def test_a_linked_folder_to_publish_from(docs: Path, tmp_path: Path) -> None:
    """What an ended call had begun to publish is not finished through a link."""
    own = home_of(tmp_path, "modelscope") / OWN_FOLDER
    path = bring()
    note = json.loads((own / "notes" / "master.json").read_bytes())
    shutil.rmtree(path)
    (own / "ready").mkdir(exist_ok=True)
    (own / "ready" / "key").write_bytes(b"new")
    (own / "staging-free-1").symlink_to(docs)
    record = {"source": "ready", "moves": {"evil.txt": "key"}, "deletes": [], "note": note, "name": "master"}
    (own / "publish-free-1.json").write_text(json.dumps({"target": str(path), **record}))
    bring()
    assert contents(docs) == {"thesis.txt": b"years of work"}
    assert not path.is_symlink()


def journal(folder: Path, target: Path, **record: object) -> None:
    """Plant a journal of a publishing that was cut off, with a file that waits."""
    ready = folder / OWN_FOLDER / "ready"
    ready.mkdir(exist_ok=True)
    (ready / "key").write_bytes(b"evil")
    before = NoteBook(folder).mark("current")
    whole = {"target": str(target), "source": "ready", "moves": {}, "deletes": [], "name": "current", "before": before}
    whole |= record
    (folder / OWN_FOLDER / "publish-free-1.json").write_text(json.dumps(whole))


@pytest.mark.parametrize("inside", [False, True], ids=["of the folder", "of a folder in it"])
@pytest.mark.parametrize("listed", [False, True], ids=["not listed", "listed"])
def test_a_journal_in_a_folder_of_the_users(listed: bool, inside: bool, tmp_path: Path) -> None:
    """A journal that came with a folder takes nothing away and replaces nothing that the user has there."""
    folder = tmp_path / "local"
    bring(local_dir=folder)
    target = folder / "snapshots" / "current" if inside else folder
    target.mkdir(parents=True, exist_ok=True)
    for name in ("thesis.txt", "notes.txt"):
        (target / name).write_bytes(b"mine")
    note = json.loads((folder / OWN_FOLDER / "notes" / "current.json").read_bytes())
    if listed:
        row = {"size": 4, "sha256": sha256(b"evil").hexdigest(), "stamp": [4, 1]}
        note["files"] += [{"path": name, **row} for name in ("thesis.txt", "notes.txt")]
    journal(folder, target, moves={"notes.txt": "key"}, deletes=["thesis.txt"], note=note)
    (folder / "config.json").unlink()
    bring(local_dir=folder)
    assert [(target / name).read_bytes() for name in ("thesis.txt", "notes.txt")] == [b"mine", b"mine"]
    assert (folder / "config.json").read_bytes() == FILES["config.json"]


@pytest.mark.parametrize("name", ["../../../escape", "other", "master\0"])
def test_a_journal_of_another_name(name: str) -> None:
    """A journal whose note is on another directory than its own is dropped."""
    path = bring()
    home = path.parents[1]
    note = json.loads((home / OWN_FOLDER / "notes" / "master.json").read_bytes())
    journal(home, path, moves={"evil.txt": "key"}, note=note, name=name)
    (path / "config.json").unlink()
    bring()
    assert not (path / "evil.txt").exists()
    assert [note.name for note in (home / OWN_FOLDER / "notes").iterdir()] == ["master.json"]


def test_a_publishing_into_a_folder_of_the_users_that_was_cut_off(tmp_path: Path) -> None:
    """What is known to be ours is finished: a checked file gets to its place, one that we brought goes."""
    folder = tmp_path / "local"
    bring(local_dir=folder)
    note = json.loads((folder / OWN_FOLDER / "notes" / "current.json").read_bytes())
    row = {"path": "new.txt", "size": 4, "sha256": sha256(b"evil").hexdigest()}
    moves, note["files"] = {"new.txt": "key"}, [*note["files"], row]
    journal(folder, folder, moves=moves, deletes=["sub/x.txt"], note=note)
    finish_interrupted(folder, users=True)
    assert (folder / "new.txt").read_bytes() == b"evil"
    assert not (folder / "sub").exists()


def to_pipe(path: Path) -> None:
    """Put a pipe that nobody writes to in a file's place, with the file's time."""
    times = None
    with suppress(FileNotFoundError):
        status = path.stat()
        times = status.st_atime_ns, status.st_mtime_ns
        path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    if times:
        os.utime(path, ns=times)


pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name")
PIPES = [".mirrorhub/notes/{label}.json", ".mirrorhub/seen/{label}.{boot}.json", ".mirrorhub/publish-free-1.json"]
PIPES += ["snapshots/{label}/pkg/__init__.py", "snapshots/{label}/config.json", "refs/main", ".mirrorhub/lock.holder"]


@pipes
@pytest.mark.parametrize("hub_name", HUBS)
@pytest.mark.parametrize("place", PIPES)
def test_a_pipe(place: str, hub_name: str) -> None:
    """A pipe in the place of a file of ours or of a snapshot holds nobody up: a call, a look at the cache, a hash."""
    path = bring(hub_name)
    to_pipe(path.parents[1] / place.format(label=path.name, boot=boot_name() or "any"))
    assert main(["cache", "list"]) == 0
    assert main(["cache", "verify"]) == (5 if "snapshots" in place or "notes" in place else 0)
    assert {name: (bring(hub_name) / name).read_bytes() for name in FILES} == FILES
    assert main(["cache", "prune", "hf://org/name" if hub_name == "huggingface" else "org/name", "-y"]) == 0


@pipes
@pytest.mark.parametrize("hub_name", HUBS)
def test_a_pipe_offline(hub_name: str) -> None:
    """A pipe of the size and time of an empty file is not that file."""
    path = bring(hub_name)
    to_pipe(path / "pkg" / "__init__.py")
    with pytest.raises(NotCachedError):
        fetch("org/name", hub=hub_name, local_files_only=True)


@pytest.mark.parametrize("name", ["%00.json", "a%00b.json", "%ff.json", "%2e%2e.json", "%1b%5b31m.json", "a b.json"])
def test_notes_of_names_that_are_none(name: str) -> None:
    """A note whose name we would not give counts as none, and breaks no command."""
    notes = bring().parents[1] / OWN_FOLDER / "notes"
    shutil.copyfile(notes / "master.json", notes / name)
    assert NoteBook(notes.parents[1]).names() == ["master"]
    assert main(["cache", "list"]) == 0
    assert main(["cache", "prune", "org/name", "--dry-run"]) == 0
