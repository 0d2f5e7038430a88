"""What a file system can hold is found out on the disk; what would stand among the SDKs' own books is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mirrorhub import errors, fetch
from mirrorhub.stores.fitting import Names, names_of
from tests.fakehub import FakeHub, Repo
from tests.quick import quick

linux = pytest.mark.skipif(sys.platform != "linux", reason="an ordinary file system of Linux is meant")


@linux
def test_names_on_linux(tmp_path: Path) -> None:
    """An ordinary file system of Linux keeps every name as it is given, and nothing stays of the look."""
    assert names_of(tmp_path / "own") == Names(windows=False, folding=False)
    assert list((tmp_path / "own").iterdir()) == []


def test_names_where_nothing_can_be_made(tmp_path: Path) -> None:
    """Where it cannot be tried out, names are taken as this system does."""
    (tmp_path / "file").touch()
    assert names_of(tmp_path / "file" / "own") == Names()


@linux
@pytest.mark.parametrize("hub_name", ["modelscope", "huggingface"])
def test_twins_on_linux(hub_name: str) -> None:
    """Names that only other systems reserve, drop or take for one are ordinary files here."""
    names = ("aux.json", "AUX.json", "a.", "file:stream", "e\u0301", "\u00e9", "con")
    files = {name: name.encode() for name in names}
    with FakeHub([Repo(hub_name, "org/name", files)]) as hub:  # type: ignore[arg-type]
        path = fetch("org/name", hub=hub_name, endpoints=hub.url).path
    assert {name: (path / name).read_bytes() for name in files} == files


@pytest.mark.parametrize("book", [".msc", ".mdl", ".cache/huggingface/download/a.txt.metadata"])
def test_books_of_the_sdks_in_a_plain_folder(book: str, tmp_path: Path) -> None:
    """A file in the place of an SDK's book is refused in a plain folder, and an ordinary file in a snapshot."""
    with FakeHub([Repo("modelscope", "org/name", {"a.txt": b"a", book: b"evil"})], name="m") as hub:
        settings = quick(hub.url)
        with pytest.raises(errors.StoreError, match="leave it out with ignore_patterns") as caught:
            fetch("org/name", settings=settings, local_dir=tmp_path / "plain")
        assert hub.url in str(caught.value)
        assert not (tmp_path / "plain" / book).exists()
        assert fetch("org/name", settings=settings, local_dir=tmp_path / "plain", ignore_patterns=book).verified
        assert (fetch("org/name", settings=settings).path / book).read_bytes() == b"evil"


def test_books_in_an_older_directory(tmp_path: Path) -> None:
    """Nothing that a hub lists gets among the books of an older modelscope."""
    older = tmp_path / "ms" / "models" / "org" / "name"
    older.mkdir(parents=True)
    with FakeHub([Repo("modelscope", "org/name", {"a.txt": b"a"})]) as hub:
        (older / "a.txt").write_bytes(b"a")
        (older / ".msc").write_bytes(b"books")
        settings = quick(hub.url)
        fetch("org/name", settings=settings)
    with FakeHub([Repo("modelscope", "org/name", {"a.txt": b"a", ".mdl": b"evil"})]) as hub:
        path = fetch("org/name", settings=quick(hub.url)).path
    assert sorted(path.name for path in older.iterdir() if path.name != ".mirrorhub") == [".msc", "a.txt"]
    assert (path / ".mdl").read_bytes() == b"evil"


LIKE_A_CACHE = [
    "refs/main",
    "blobs/" + "a" * 64,
    "snapshots/master/x",
    "trees/0.json",
    ".no_exist/main/x",
    ".cache/x",
    "a.txt.incomplete",
    "a.txt.lock",
    "a.txt",
    "mirrorhub/notes/master.json",
    "x/.msc",
    "\u202etxt.exe",
    "-rf",
    "~",
    "$HOME",
    "%2e%2e",
    "...",
    " ",
    "CACHEDIR.TAG",
]


@linux
@pytest.mark.parametrize("hub_name", ["modelscope", "huggingface"])
def test_names_like_those_of_a_cache(hub_name: str) -> None:
    """Files that are called as a cache calls its own are ordinary files of the snapshot, now and offline."""
    files = {name: name.encode() * 10 for name in LIKE_A_CACHE}
    with FakeHub([Repo(hub_name, "org/name", files)]) as hub:  # type: ignore[arg-type]
        path = fetch("org/name", hub=hub_name, endpoints=hub.url).path
    assert {name: (path / name).read_bytes() for name in files} == files
    found = fetch("org/name", hub=hub_name, local_files_only=True)
    assert (found.path, found.verified) == (path, True)
    assert set(found.files) == set(files)
