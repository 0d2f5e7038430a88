"""A cache folder that came from somebody else: whatever was planted in it, nothing outside of it changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirrorhub import fetch
from mirrorhub.errors import StoreError
from mirrorhub.paths import OWN_FOLDER
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
