"""One cache with the SDKs: what they wrote is read as they meant it, and what is written here is what they write."""

from __future__ import annotations

import json
import os
import pickle
import stat
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from mirrorhub import fetch, file_download, resolve
from mirrorhub.api import preview
from mirrorhub.cli import main
from mirrorhub.errors import NotCachedError, ResolutionError
from mirrorhub.paths import OWN_FOLDER
from mirrorhub.pickled import unpacked
from mirrorhub.stores.books import MAX_BYTES, Books, read_books
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import NoDigests
from tests.fakehub.repo import File, sample_bytes
from tests.test_sdks import run

FILES = {"config.json": b'{"a": 1}', "model.bin": sample_bytes("model", 30_000), "sub/x.txt": b"x"}
LARGE = sample_bytes("large", 1_100_000)
ID = "org/tiny-0.5B"
PLACES = {
    "1.12": "ms/org/tiny-0___5B",
    "1.22": "ms/hub/org/tiny-0___5B",
    "1.37": "ms/models/org/tiny-0___5B",
    "1.37 without the variable": "ms/hub/models/org/tiny-0___5B",
}


def older(tmp_path: Path, files: Mapping[str, File], place: str = PLACES["1.37"], revision: str = "master") -> Path:
    """A directory as modelscope 1.37 leaves it: without git's own files, its books beside the others."""
    folder = tmp_path / place
    kept = {path: file for path, file in files.items() if path != ".gitattributes"}
    for path, file in kept.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(file.data)
    rows = [{"Path": path, "Revision": file.commit} for path, file in kept.items()]
    (folder / ".msc").write_bytes(pickle.dumps(rows))
    (folder / ".mdl").write_bytes(pickle.dumps({"id": "org/tiny-0___5B"}))
    (folder / ".mv").write_text(f"Revision:{revision},CreatedAt:1700000000")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """What a directory holds beside books and notes."""
    files = (path for path in folder.rglob("*") if path.is_file())
    held = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    return {path: data for path, data in held.items() if path[0] != "." or path == ".gitattributes"}


class Opens:
    """Does something when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Name something to call."""
        return os.system, ("touch pwned",)


ROWS = [{"Path": "a/b.txt", "Revision": "c" * 40}, {"Path": "x", "Revision": "d" * 40}]
HOSTILE = {
    "a call": pickle.dumps([Opens()]),
    "a call in protocol 0": pickle.dumps([Opens()], 0),
    "a class": pickle.dumps(Books),
    "persistent": b"Pabc\n.",
    "an extension": b"\x82\x01.",
    "a memory of gigabytes": b"\x80\x04]r\xff\xff\xff\x7f0.",
    "a text of exabytes": b"\x80\x04\x8d" + b"\xff" * 7 + b"\x7f.",
    "an array of exabytes": b"\x80\x05\x96" + b"\xff" * 7 + b"\x7f.",
    "no end": b"\x80\x04]",
    "nothing": b"",
    "no pickle": b"not a pickle",
    "no stack": b"e",
    "no memory": b"\x80\x04h\x05.",
    "other values": pickle.dumps([1, None, ROWS]),
    "a dictionary": pickle.dumps({"Path": "a"}),
    "a list in itself": b"](h\x000]\x94h\x00a.",
    "other types": pickle.dumps([{"Path": 1, "Revision": []}]),
    "deep": b"]" * 100_000 + b"a" * 99_999 + b".",
    "long": b"\x80\x04]" + b"(e" * 2_000_000 + b".",
    "huge": pickle.dumps(ROWS)[:-1] + b"0" * MAX_BYTES + b".",
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_books_of_any_protocol(protocol: int) -> None:
    """The rows come out as they went in, whichever Python has pickled them."""
    assert unpacked(pickle.dumps(ROWS, protocol)) == ROWS


@pytest.mark.parametrize("data", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_books(data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickle that is anything else is no book: quietly, soon, and nothing of it is run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".msc").write_bytes(data)
    began = time.monotonic()
    assert read_books(tmp_path) == Books(kept=True)
    assert time.monotonic() - began < 10
    assert [path.name for path in tmp_path.iterdir()] == [".msc"]


@pytest.mark.skipif(os.name == "nt", reason="there are no pipes in folders")
def test_books_that_are_no_files(tmp_path: Path) -> None:
    """A pipe holds nobody up, a link leads nowhere, and a path that climbs is none."""
    os.mkfifo(tmp_path / ".msc")
    (tmp_path / ".mv").symlink_to("/etc/hostname")
    assert read_books(tmp_path) == Books()
    (tmp_path / "b").mkdir()
    (tmp_path / "b/.msc").write_bytes(pickle.dumps([{"Path": "../x", "Revision": "c"}, ROWS[0]]))
    (tmp_path / "b/.mv").write_text("Revision:../../etc,CreatedAt:1")
    assert read_books(tmp_path / "b") == Books(None, None, {"a/b.txt": "c" * 40}, kept=True)


@pytest.mark.parametrize("place", PLACES.values(), ids=list(PLACES))
def test_an_older_directory_stays_in_use(place: str, tmp_path: Path) -> None:
    """What is missing is added where the older version has put the rest; then it is found offline, verified."""
    repo = Repo("modelscope", ID, {**FILES, ".gitattributes": b"*.bin"})
    folder = older(tmp_path, repo.files, place)
    with FakeHub([repo]) as hub:
        assert fetch(ID, endpoints=hub.url).path == folder
        assert set(hub.log.bytes_sent_by_file()) == {".gitattributes"}
        hub.log.clear()
        assert fetch(ID, endpoints=hub.url).path == folder
        assert not hub.log.requests(kind="body")
    found = fetch(ID, local_files_only=True)
    assert (found.path, found.verified) == (folder, True)
    assert contents(folder) == {**FILES, ".gitattributes": b"*.bin"}
    assert not (tmp_path / "ms/models/org--tiny-0.5B").exists()


def test_a_preview_of_an_older_directory(tmp_path: Path) -> None:
    """A dry run names the directory that the call will return, and what is there does not come."""
    repo = Repo("modelscope", ID, FILES)
    folder = older(tmp_path, repo.files)
    (folder / "model.bin").unlink()
    with FakeHub([repo]) as hub:
        found = preview(ID, endpoints=hub.url)
        assert (found.path, [entry.path for entry in found.fetch]) == (folder, ["model.bin"])
        assert fetch(ID, endpoints=hub.url).path == folder


def test_an_older_directory_with_a_link(tmp_path: Path) -> None:
    """From 1.22 on the name with its dots is a link to the directory: the same place is used."""
    repo = Repo("modelscope", ID, FILES)
    folder = older(tmp_path, repo.files, PLACES["1.22"])
    (folder.parent / "tiny-0.5B").symlink_to(folder)
    with FakeHub([repo]) as hub:
        assert fetch(ID, endpoints=hub.url).path == folder
        assert not hub.log.requests(kind="body")


def test_a_branch_that_moved_since(tmp_path: Path) -> None:
    """What differs goes to where the newest version keeps it, with copies of what is the same; the older one stays."""
    repo = Repo("modelscope", ID, FILES)
    folder = older(tmp_path, repo.files)
    repo.commit({"config.json": b'{"a": 2}'})
    with FakeHub([repo]) as hub:
        path = fetch(ID, endpoints=hub.url).path
        assert set(hub.log.bytes_sent_by_file()) == {"config.json"}
    assert path == tmp_path / "ms/models/org--tiny-0.5B/snapshots/master"
    assert (contents(folder), contents(path)) == (FILES, {**FILES, "config.json": b'{"a": 2}'})
    assert not (folder / OWN_FOLDER).exists()
    assert fetch(ID, local_files_only=True).path == path


def test_a_damaged_file_in_an_older_directory(tmp_path: Path) -> None:
    """A file that is not what its books say is brought again in its place; what was there is put aside."""
    repo = Repo("modelscope", ID, FILES)
    folder = older(tmp_path, repo.files)
    (folder / "config.json").write_bytes(b"mine")
    with FakeHub([repo]) as hub:
        assert fetch(ID, endpoints=hub.url).path == folder
        assert set(hub.log.bytes_sent_by_file()) == {"config.json"}
    assert contents(folder) == FILES
    assert [path.read_bytes() for path in folder.glob(f"{OWN_FOLDER}/aside/*/data")] == [b"mine"]


def test_an_older_directory_of_a_tag(tmp_path: Path) -> None:
    """A directory is of the revision that its books name: asked for another one, it is not taken for that."""
    repo = Repo("modelscope", ID, FILES)
    folder = older(tmp_path, repo.files, revision="v1.0.0")
    assert {fetch(ID, name, local_files_only=True).path for name in ("v1.0.0", None)} == {folder}
    with pytest.raises(NotCachedError):
        fetch(ID, "master", local_files_only=True)
    repo.tag("v1.0.0")
    with FakeHub([repo]) as hub:
        assert fetch(ID, "v1.0.0", endpoints=hub.url).path == folder
        assert fetch(ID, "master", endpoints=hub.url).path != folder
        assert not hub.log.requests(kind="body")


def test_a_folder_of_an_older_version(tmp_path: Path) -> None:
    """A folder that was named to an older version is of the revision that its books name, and as whole as they say."""
    folder = older(tmp_path, Repo("modelscope", ID, FILES).files, "folder")
    assert fetch(ID, "master", local_dir=folder, local_files_only=True).path == folder
    with pytest.raises(NotCachedError):
        fetch(ID, "v2", local_dir=folder, local_files_only=True)
    (folder / "model.bin").unlink()
    with pytest.raises(NotCachedError, match=r"model\.bin"):
        fetch(ID, local_dir=folder, local_files_only=True)


def test_what_an_older_version_had_not_finished(tmp_path: Path) -> None:
    """What it kept on its way is no file of the repository."""
    folder = older(tmp_path, Repo("modelscope", ID, FILES).files, "folder")
    (folder / "._____temp").mkdir()
    (folder / "._____temp/model.bin").write_bytes(b"half")
    assert set(fetch(ID, local_dir=folder, local_files_only=True).files) == set(FILES)


def test_a_data_set_of_a_models_name(tmp_path: Path) -> None:
    """With `cache_dir=` an older version has put both in one place: its books tell whose the directory is."""
    older(tmp_path, Repo("modelscope", ID, FILES).files, PLACES["1.12"])
    with pytest.raises(NotCachedError):
        fetch(ID, repo_type="dataset", local_files_only=True)
    (tmp_path / PLACES["1.12"] / ".mv").write_text("master")
    assert fetch(ID, repo_type="dataset", local_files_only=True).path == tmp_path / PLACES["1.12"]
    with pytest.raises(NotCachedError):
        fetch(ID, local_files_only=True)


def test_an_older_directory_that_is_not_whole(tmp_path: Path) -> None:
    """A file that the books name and that is gone makes it incomplete offline; the others are found one by one."""
    folder = older(tmp_path, Repo("modelscope", ID, FILES).files)
    (folder / "model.bin").unlink()
    with pytest.raises(NotCachedError, match=r"model\.bin"):
        fetch(ID, local_files_only=True)
    assert file_download(ID, "config.json", local_files_only=True) == str(folder / "config.json")
    assert fetch(ID, allow_patterns="*.json", local_files_only=True).files == ("config.json",)
    assert {entry.path for entry in resolve(ID, local_files_only=True, allow_patterns="sub/*").files} == set(FILES)


def test_an_older_directory_and_a_hub_without_digests(tmp_path: Path) -> None:
    """Where nobody tells digests, the commits in the books do; the snapshot says that nothing was compared."""
    repo = Repo("modelscope", ID, FILES)
    folder = older(tmp_path, repo.files)
    with FakeHub([repo], [NoDigests()]) as hub:
        snapshot = fetch(ID, endpoints=hub.url, trust="any")
        assert (snapshot.path, snapshot.verified) == (folder, False)
        assert not hub.log.requests(kind="body")


def test_the_commands_know_older_directories(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are listed by the repository's name, verified once they were compared, and pruned when they are named."""
    repo = Repo("modelscope", ID, FILES)
    folder = older(tmp_path, repo.files)
    (folder.parent / "tiny-0.5B").symlink_to(folder)
    assert listed(capsys) == [(f"ms://{ID}", ["master"], False, 3)]
    with FakeHub([repo]) as hub:
        fetch(ID, endpoints=hub.url)
    assert listed(capsys) == [(f"ms://{ID}", ["master"], True, 3)]
    assert main(["cache", "verify", ID]) == 0
    (folder / "model.bin").write_bytes(b"damaged")
    assert main(["cache", "verify", ID]) == 5
    assert main(["cache", "prune", "-y", "--keep-size", "0"]) == 0
    assert folder.exists()
    assert main(["cache", "prune", "-y", ID]) == 0
    assert not (tmp_path / "ms/models/org").exists()


def listed(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, list[str], bool, int]]:
    """What `cache list` says."""
    capsys.readouterr()
    assert main(["cache", "list", "--json"]) == 0
    repos = json.loads(capsys.readouterr().out)
    return [
        (one["repo"], snap["revisions"], snap["verified"], snap["files"]) for one in repos for snap in one["snapshots"]
    ]


@pytest.mark.parametrize("hub_name", ["modelscope", "huggingface"])
@pytest.mark.parametrize("local", [False, True], ids=["cache", "folder"])
def test_content_under_another_path(hub_name: str, local: bool, tmp_path: Path) -> None:
    """A file that was renamed is not fetched again, nor does it share its bytes with the one that it was."""
    repo = Repo(hub_name, "org/name", {"old.bin": b"same" * 1000, "a.txt": b"a"})  # type: ignore[arg-type]
    place = {"local_dir": tmp_path / "folder"} if local else {}
    with FakeHub([repo]) as hub:
        fetch("org/name", hub=hub_name, endpoints=hub.url, **place)
        repo.commit({"new.bin": b"same" * 1000}, delete=["old.bin"])
        repo.commit({"new.bin": b"same" * 1000, "again.bin": b"same" * 1000}, branch="next")
        hub.log.clear()
        first = fetch("org/name", hub=hub_name, endpoints=hub.url, **place).path
        second = fetch("org/name", "next", hub=hub_name, endpoints=hub.url, **place).path
        assert not hub.log.requests(kind="body")
    assert (second / "again.bin").read_bytes() == (first / "new.bin").read_bytes() == b"same" * 1000
    if hub_name == "modelscope" and not local:
        assert not (second / "new.bin").samefile(first / "new.bin")


@pytest.mark.parametrize("second", ["ms://org/two", "hf://org/two", "folder"])
@pytest.mark.parametrize("first", ["ms://org/one", "hf://org/one"])
def test_content_of_another_repository(first: str, second: str, tmp_path: Path) -> None:
    """A large file that another repository of either cache holds is copied, and hashed before."""
    hubs = ("modelscope", "huggingface")
    repos = [Repo(hub, f"org/{name}", {f"{name}.bin": LARGE}) for hub in hubs for name in ("one", "two")]
    place = {"local_dir": tmp_path / "folder"} if second == "folder" else {}
    with FakeHub(repos) as hub:
        source = fetch(first, endpoints=hub.url).path / "one.bin"
        hub.log.clear()
        path = fetch("ms://org/two" if place else second, endpoints=hub.url, **place).path / "two.bin"
        assert not hub.log.requests(kind="body")
        assert path.read_bytes() == LARGE
        assert not path.samefile(source)


def test_content_that_is_not_what_a_note_says() -> None:
    """What lies elsewhere is hashed before it is used: a note of another repository is not believed."""
    repos = [Repo("modelscope", f"org/{name}", {f"{name}.bin": LARGE}) for name in ("one", "two")]
    with FakeHub(repos) as hub:
        (fetch("org/one", endpoints=hub.url).path / "one.bin").write_bytes(b"x" * len(LARGE))
        assert (fetch("org/two", endpoints=hub.url).path / "two.bin").read_bytes() == LARGE


def hugging(files: Mapping[str, bytes] = FILES) -> Repo:
    """A repository of Hugging Face."""
    return Repo("huggingface", "org/name", files)


def test_marks_in_a_cache(tmp_path: Path) -> None:
    """A snapshot leaves the commit's tree, one file does not; the cache is marked, and its files are everybody's."""
    repo, home = hugging(), tmp_path / "hf/models--org--name"
    tree = home / f"trees/{repo.head.id}.json"
    with FakeHub([repo]) as hub:
        file_download("hf://org/name", "config.json", endpoints=hub.url)
        assert not tree.exists()
        fetch("hf://org/name", endpoints=hub.url)
    rows = json.loads(tree.read_bytes())
    model = repo.files["model.bin"]
    assert rows["format_version"] == 1
    assert rows["files"]["config.json"] == {"size": 8, "blob_id": repo.files["config.json"].git_sha1}
    lfs = {"lfs_sha256": model.sha256, "lfs_size": model.size}
    assert rows["files"]["model.bin"] == {"size": model.size, "blob_id": model.oid, **lfs}
    assert (tmp_path / "hf/CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55")
    umask = os.umask(0)
    os.umask(umask)
    shared = [path for path in home.rglob("*") if path.is_file() and OWN_FOLDER not in path.parts]
    assert os.name == "nt" or {stat.S_IMODE(path.stat().st_mode) for path in shared} == {0o666 & ~umask}


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """That a commit has no such file is written down as the SDK does, with the branch; once it has, it is no more."""
    repo, home = hugging(), tmp_path / "hf/models--org--name"
    with FakeHub([repo]) as hub:
        for name in ("adapter.json", "sub/adapter.json"):
            with pytest.raises(ResolutionError):
                file_download("hf://org/name", name, endpoints=hub.url)
            assert (home / f".no_exist/{repo.head.id}/{name}").read_bytes() == b""
        assert (home / "refs/main").read_text() == repo.head.id
        (home / f".no_exist/{repo.head.id}/config.json").touch()
        file_download("hf://org/name", "config.json", endpoints=hub.url)
        assert not (home / f".no_exist/{repo.head.id}/config.json").exists()


def stored_by_sdk(tmp_path: Path, repo: Repo, *, tree: bool = True) -> Path:
    """A cache as huggingface_hub 2.4 leaves it; the snapshot's directory."""
    home, commit = tmp_path / "hf/models--org--name", repo.head.id
    snapshot = home / "snapshots" / commit
    for path, file in repo.files.items():
        place = snapshot / path
        place.parent.mkdir(parents=True, exist_ok=True)
        (home / "blobs").mkdir(exist_ok=True)
        (home / "blobs" / file.etag).write_bytes(file.data)
        place.symlink_to(os.path.relpath(home / "blobs" / file.etag, place.parent))
    (home / "refs").mkdir()
    (home / "refs/main").write_text(commit)
    if tree:
        rows = {
            path: {"size": file.size, "blob_id": file.oid}
            | ({"lfs_sha256": file.sha256, "lfs_size": file.size} if file.lfs else {})
            for path, file in repo.files.items()
        }
        (home / "trees").mkdir()
        (home / f"trees/{commit}.json").write_text(json.dumps({"format_version": 1, "files": rows}))
    return snapshot


def test_a_store_that_their_repositories_share(tmp_path: Path) -> None:
    """Blobs that are links into huggingface_hub's store of all repositories are hits; damage there is healed here."""
    repo = hugging()
    snapshot = stored_by_sdk(tmp_path, repo)
    blob = tmp_path / "hf/models--org--name/blobs" / repo.files["model.bin"].etag
    shared = tmp_path / "hf/blobs/ab" / ("ab" * 32)
    shared.parent.mkdir(parents=True)
    (tmp_path / "hf/blobs/.huggingface-shared-blobs").write_text("1\n")
    blob.replace(shared)
    blob.symlink_to(os.path.relpath(shared, blob.parent))
    with FakeHub([repo]) as hub:
        assert fetch("hf://org/name", endpoints=hub.url).path == snapshot
        assert not hub.log.requests(kind="body")
        shared.write_bytes(b"x" * 30_000)
        assert contents(fetch("hf://org/name", endpoints=hub.url).path) == FILES
        assert set(hub.log.bytes_sent_by_file()) == {"model.bin"}
    assert shared.read_bytes() == b"x" * 30_000
    assert main(["cache", "prune", "-y", "hf://org/name"]) == 0
    assert shared.exists()


@pytest.mark.parametrize("tree", [True, False], ids=["tree", "no-tree"])
def test_a_snapshot_of_theirs(tree: bool, tmp_path: Path) -> None:
    """Offline it is taken at its word; with `verify` the digests that the SDK has kept are compared."""
    snapshot = stored_by_sdk(tmp_path, hugging(), tree=tree)
    found = fetch("hf://org/name", local_files_only=True)
    assert (found.path, found.verified, found.commit) == (snapshot, False, snapshot.name)
    assert fetch("hf://org/name", local_files_only=True, verify=True).verified
    (snapshot / "model.bin").write_bytes(b"x" * 30_000)
    with pytest.raises(NotCachedError):
        fetch("hf://org/name", local_files_only=True, verify=True)


@pytest.mark.parametrize("lost", ["entry", "blob"])
def test_a_snapshot_of_theirs_that_is_not_whole(lost: str, tmp_path: Path) -> None:
    """A file that the tree lists and that is gone, or whose blob is, makes it incomplete; the rest is found."""
    snapshot = stored_by_sdk(tmp_path, hugging(), tree=lost == "entry")
    (snapshot / "model.bin" if lost == "entry" else (snapshot / "model.bin").resolve()).unlink()
    with pytest.raises(NotCachedError, match=r"model\.bin"):
        fetch("hf://org/name", local_files_only=True)
    assert fetch("hf://org/name", ignore_patterns="*.bin", local_files_only=True).path == snapshot


def theirs(folder: Path, repo: Repo, at_s: float) -> None:
    """A folder as huggingface_hub leaves it for `local_dir`."""
    for path, file in repo.files.items():
        about = folder / f".cache/huggingface/download/{path}.metadata"
        for place, data in ((folder / path, file.data), (about, f"{repo.head.id}\n{file.etag}\n{at_s}\n".encode())):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)


def test_a_folder_of_theirs_is_not_hashed(tmp_path: Path) -> None:
    """What the SDK noted of a file that was not changed since is taken at its word, and the snapshot says so."""
    repo, folder = hugging(), tmp_path / "folder"
    theirs(folder, repo, time.time() + 5)
    with FakeHub([repo]) as hub:
        call = {"endpoints": hub.url, "local_dir": folder}
        assert [fetch("hf://org/name", **call).verified for _ in range(2)] == [False, False]
        assert not fetch("hf://org/name", local_files_only=True, **call).verified
        assert fetch("hf://org/name", verify=True, **call).verified
        assert not hub.log.requests(kind="body")


@pytest.mark.parametrize("how", ["later", "otherwise", "larger"])
def test_a_folder_of_theirs_that_was_changed(how: str, tmp_path: Path) -> None:
    """A file that was changed since the SDK noted it, or of which it noted something else, is compared."""
    repo, folder = hugging(), tmp_path / "folder"
    theirs(folder, repo, time.time() - (60 if how == "later" else -5))
    (folder / "model.bin").write_bytes(b"x" * (30_000 + (how == "larger")))
    if how == "otherwise":
        about = folder / ".cache/huggingface/download/model.bin.metadata"
        about.write_text(f"{repo.head.id}\n{'0' * 64}\n{time.time() + 5}\n")
    with FakeHub([repo]) as hub:
        fetch("hf://org/name", endpoints=hub.url, local_dir=folder)
        assert set(hub.log.bytes_sent_by_file()) == {"model.bin"}
    assert contents(folder) == FILES


def test_the_sdk_in_a_folder_of_ours(tmp_path: Path) -> None:
    """In a folder that was brought here the SDK asks which commit it is, and for nothing else; also for one file."""
    repo, folder = hugging(), tmp_path / "folder"
    program = (
        "import sys; from huggingface_hub import hf_hub_download, snapshot_download; place = sys.argv[1]; "
        "hf_hub_download('org/name', 'sub/x.txt', local_dir=place, revision=sys.argv[2]); "
        "print(snapshot_download('org/name', local_dir=place))"
    )
    with FakeHub([repo]) as hub:
        fetch("hf://org/name", endpoints=hub.url, local_dir=folder)
        hub.log.clear()
        assert run(program, str(folder), repo.head.id, HF_ENDPOINT=hub.url) == str(folder)
        assert [request.kind for request in hub.log.requests() if request.kind != "other"] == ["revision"]
    assert (folder / ".cache/huggingface/.gitignore").read_bytes() == b"*"


def test_the_sdk_verifies_ours(tmp_path: Path) -> None:
    """`hf cache verify` finds nothing wrong with what was brought here."""
    hf = Path(sys.executable).with_name("hf")
    with FakeHub([hugging()]) as hub:
        fetch("hf://org/name", endpoints=hub.url)
        done = subprocess.run(
            [hf, "cache", "verify", "org/name", "--fail-on-missing-files", "--fail-on-extra-files"],
            env={**os.environ, "HF_ENDPOINT": hub.url},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("link", [".cache", ".cache/huggingface", ".cache/huggingface/download"])
def test_planted_links_in_a_folder(link: str, tmp_path: Path) -> None:
    """Nothing of the SDK's books is written through a link that came with a folder, and the call goes well."""
    docs, folder = tmp_path / "docs", tmp_path / "folder"
    docs.mkdir()
    (folder / link).parent.mkdir(parents=True)
    (folder / link).symlink_to(docs)
    with FakeHub([hugging()]) as hub:
        fetch("hf://org/name", endpoints=hub.url, local_dir=folder)
    assert not list(docs.iterdir())


@pytest.mark.parametrize("part", ["trees", ".no_exist"])
def test_planted_links_in_a_cache(part: str, tmp_path: Path) -> None:
    """Nothing is written through a link that stands in the place of the SDK's books."""
    docs, home = tmp_path / "docs", tmp_path / "hf/models--org--name"
    docs.mkdir()
    home.mkdir(parents=True)
    (home / part).symlink_to(docs)
    with FakeHub([hugging()]) as hub:
        fetch("hf://org/name", endpoints=hub.url)
        with pytest.raises(ResolutionError):
            file_download("hf://org/name", "none.txt", endpoints=hub.url)
    assert not list(docs.iterdir())
