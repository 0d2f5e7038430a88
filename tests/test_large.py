"""Repositories too large to be listed for one file: what is asked for then, and what is believed of the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from mirrorhub import errors, fetch, file_download
from mirrorhub.api import fetch_files
from mirrorhub.hubs.looks import MOST
from mirrorhub.stores.notes import PARTIAL
from tests.fakehub import FakeHub, Repo
from tests.fakehub.dialects import NothingLinked, RootIgnored
from tests.fakehub.faults import Alter, NoDigests, Status
from tests.fakehub.repo import RepoType
from tests.fakehub.rules import Rule
from tests.quick import quick

TREE = {f"d{n % 5}/{n:04d}.txt": str(n).encode() for n in range(40)} | {"empty.txt": b"", "model.bin": b"m" * 5000}
FLAT = {f"flat/{n:04d}.txt": b"%d" % n for n in range(3050)} | {"sub/a.txt": b"a", "sub/b.txt": b"b", "top.txt": b"t"}
NAME, OF_TREE = "d3/0003.txt", 5
"""A file, and how many pages tell of all."""


def large(files: Mapping[str, bytes] = TREE) -> Repo:
    """A model on Hugging Face; with ten rows on a page it is a large one."""
    return Repo("huggingface", "org/name", files)


def flat(kind: RepoType = "model") -> Repo:
    """A repository on ModelScope whose listing is cut off, and that of one folder as well."""
    return Repo("modelscope", "org/name", FLAT, repo_type=kind)


def listings(hub: FakeHub) -> list[str]:
    """Which folders were listed."""
    return [one.query.get("Root", "") for one in hub.log.requests(kind="listing")]


def note_in(place: Path) -> dict[str, object]:
    """The one note in a repository's folder."""
    (note,) = place.glob("**/.mirrorhub/notes/*.json")
    return dict(json.loads(note.read_text()))


@pytest.mark.parametrize("name", [NAME, "model.bin", "empty.txt"])
def test_one_file_of_a_large_repository(name: str, tmp_path: Path) -> None:
    """The file is asked for, and no more than one page of the tree; it is checked, and the SDK finds it offline."""
    import huggingface_hub

    with FakeHub([large()], page_size=10) as data, FakeHub([large()], page_size=10, cdn=data) as hub:
        snapshot = fetch_files("hf://org/name", [name], endpoints=hub.url)
        assert (snapshot.path / name).read_bytes() == TREE[name]
        assert snapshot.verified
        assert len(listings(hub)) == 1
        assert file_download("hf://org/name", name, endpoints=hub.url) == str(snapshot.path / name)
        assert [one.outcome for one in snapshot.attempts if one.fault] == []
    found = huggingface_hub.hf_hub_download("org/name", name, local_files_only=True, cache_dir=tmp_path / "hf")
    assert found == str(snapshot.path / name)


def test_files_one_after_the_other() -> None:
    """Of a commit that is known to be large no page is asked for again, and nothing is fetched again."""
    with FakeHub([large()], page_size=10) as hub:
        for name in ("d1/0001.txt", "d2/0002.txt", "d1/0001.txt"):
            fetch_files("hf://org/name", [name], endpoints=hub.url)
        assert len(listings(hub)) == 1
        snapshot = fetch_files("hf://org/name", ["d1/0001.txt", "d2/0002.txt"], local_files_only=True)
        assert snapshot.verified
        assert sorted(hub.log.bytes_sent_by_file()) == ["d1/0001.txt", "d2/0002.txt"]


def test_a_file_that_a_large_repository_has_not(tmp_path: Path) -> None:
    """It is said so, without the tree; and written down as the SDK does."""
    with FakeHub([large()], page_size=10) as hub, pytest.raises(errors.MissingFileError, match="no file 'none'") as no:
        file_download("hf://org/name", "none", endpoints=hub.url)
    assert "among" not in str(no.value)
    assert len(listings(hub)) == 1
    assert list(tmp_path.glob("hf/models--org--name/.no_exist/*/none"))


@pytest.mark.slow
def test_a_repository_beyond_the_limit() -> None:
    """One file comes of a repository that holds more files than a call lists; all of it is refused as before."""
    with FakeHub([large()], page_size=10) as hub:
        settings = quick(hub.url, max_files=20)
        assert fetch_files("hf://org/name", [NAME], settings=settings).verified
        with pytest.raises(errors.ResolutionError, match="more than 20 files"):
            fetch("hf://org/name", settings=settings)


SILENT = {
    "a mirror that drops headers": NothingLinked(),
    "who knows nothing there": Rule(Status(404), "body", times=1),
    "who refuses the range": Rule(Status(416), "body", times=1),
    "a hiccup": Rule(Status(502), "body", times=1),
}


@pytest.mark.parametrize(("fault", "pages"), [*zip(SILENT.values(), (OF_TREE, OF_TREE, 1, 1), strict=True)], ids=SILENT)
def test_a_mirror_that_does_not_tell_of_files(fault: Rule, pages: int) -> None:
    """Who gives files and not what the hub says of them is asked for its tree; a hiccup is asked again."""
    with FakeHub([large()], [fault], page_size=10) as hub:
        assert fetch_files("hf://org/name", [NAME], settings=quick(hub.url)).verified
        assert len(listings(hub)) == pages


@pytest.mark.slow
def test_wrong_bytes_of_a_file() -> None:
    """A digest that is told with a file is compared like one that is listed: wrong bytes do not come through."""
    with FakeHub([large()], [Rule(Alter(), "body", after=1)], page_size=10) as hub, FakeHub([large()]) as good:
        with pytest.raises(errors.IntegrityError):
            fetch_files("hf://org/name", [NAME], settings=quick(hub.url))
        assert fetch_files("hf://org/name", [NAME], settings=quick(hub.url, good.url)).verified


def test_a_part_is_not_taken_for_the_whole(tmp_path: Path) -> None:
    """After one file nothing says that all is there: no tree, no answer offline; a later call brings the rest."""
    home = tmp_path / "hf" / "models--org--name"
    with FakeHub([large()], page_size=10) as hub:
        fetch_files("hf://org/name", [NAME], endpoints=hub.url)
        assert note_in(home)["format"] == PARTIAL
        assert not (home / "trees").exists()
        commit = large().head.id
        for revision in (None, commit):
            with pytest.raises(errors.NotCachedError):
                fetch("hf://org/name", revision, local_files_only=True)
        with pytest.raises(errors.NotCachedError):
            fetch_files("hf://org/name", [NAME, "model.bin"], commit, local_files_only=True)
        assert fetch("hf://org/name", commit, endpoints=hub.url).files == tuple(sorted(TREE))
        assert note_in(home)["format"] != PARTIAL
        assert hub.log.bytes_sent_by_file()[NAME] <= 2 * len(TREE[NAME])


def test_one_file_beside_the_whole(tmp_path: Path) -> None:
    """Where all is there, one file asked for later leaves it so."""
    with FakeHub([large()], page_size=10) as hub:
        fetch("hf://org/name", endpoints=hub.url)
        fetch_files("hf://org/name", [NAME], endpoints=hub.url, force_download=True)
    assert fetch("hf://org/name", local_files_only=True).files == tuple(sorted(TREE))
    assert list(tmp_path.glob("hf/models--org--name/trees/*.json"))


@pytest.mark.slow
def test_one_file_beside_what_the_sdk_has_brought(tmp_path: Path) -> None:
    """A note on one file does not hide offline what the SDK has brought of the rest."""
    import huggingface_hub

    with FakeHub([large()], page_size=10) as hub:
        huggingface_hub.snapshot_download("org/name", endpoint=hub.url, cache_dir=tmp_path / "hf")
        fetch_files("hf://org/name", [NAME], endpoints=hub.url)
    assert fetch("hf://org/name", local_files_only=True).files == tuple(sorted(TREE))


def test_one_file_in_a_folder_of_another_revision(tmp_path: Path) -> None:
    """In a user's folder a part of a newer commit deletes nothing, and is not mixed up with the older whole."""
    model = large()
    with FakeHub([model], page_size=10) as hub:
        fetch("hf://org/name", endpoints=hub.url, local_dir=tmp_path / "here")
        model.commit({NAME: b"new"}, delete=["d1/0001.txt"])
        fetch_files("hf://org/name", [NAME], endpoints=hub.url, local_dir=tmp_path / "here")
        assert (tmp_path / "here" / NAME).read_bytes() == b"new"
        assert (tmp_path / "here" / "d1/0001.txt").exists()
        with pytest.raises(errors.NotCachedError):
            fetch_files("hf://org/name", ["d2/0002.txt"], local_dir=tmp_path / "here", local_files_only=True)
        fetch("hf://org/name", endpoints=hub.url, local_dir=tmp_path / "here")
        assert not (tmp_path / "here" / "d1/0001.txt").exists()


@pytest.mark.parametrize("kind", ["model", "dataset"])
@pytest.mark.parametrize(("name", "told"), {"flat/3040.txt": 1, "sub/a.txt": 0, "top.txt": 0}.items())
def test_one_file_of_a_listing_that_is_cut_off(kind: RepoType, name: str, told: int) -> None:
    """Its own folder is listed; where that is cut off too, and does not tell of it, the file itself is asked for."""
    with FakeHub([flat(kind)]) as hub:
        snapshot = fetch_files("org/name", [name], repo_type=kind, settings=quick(hub.url))
        assert (snapshot.path / name).read_bytes() == FLAT[name]
        assert snapshot.verified
        assert set(listings(hub)) == {"", name.rpartition("/")[0]}
        assert len(hub.log.requests(kind="body")) == 1 + told
        with pytest.raises(errors.NotCachedError):
            fetch("org/name", repo_type=kind, local_files_only=True)


@pytest.mark.slow
def test_a_file_that_is_not_in_a_folder_cut_off() -> None:
    """The hub's word that there is no such file is passed on, of a folder that is told whole and of one that is not."""
    with FakeHub([flat()]) as hub:
        for name in ("flat/none.txt", "sub/none.txt", "no/such.txt"):
            with pytest.raises(errors.MissingFileError):
                file_download("org/name", name, settings=quick(hub.url))


@pytest.mark.slow
def test_a_file_of_which_no_digest_is_told() -> None:
    """Who tells no digest with a file gives it unverified, as with a listing that has none."""
    with FakeHub([flat()], [NothingLinked(), NoDigests()]) as hub:
        snapshot = fetch_files("org/name", ["flat/3040.txt"], settings=quick(hub.url))
        assert not snapshot.verified


@pytest.mark.slow
def test_who_does_not_know_folders() -> None:
    """A mirror that lists the whole each time is asked for the file itself."""
    with FakeHub([flat()], [RootIgnored()]) as hub:
        assert fetch_files("org/name", ["sub/b.txt"], settings=quick(hub.url)).verified


def test_patterns_that_name_folders(tmp_path: Path) -> None:
    """Of a listing that is cut off no more is walked than the folders that all patterns begin with."""
    with FakeHub([flat()]) as hub:
        snapshot = fetch("org/name", settings=quick(hub.url), allow_patterns=["sub/*.txt", "none/*"])
        assert snapshot.files == ("sub/a.txt", "sub/b.txt")
        assert set(listings(hub)) == {"", "none", "sub"}
        found = fetch("org/name", allow_patterns="sub/a*", local_files_only=True)
        assert found.files == ("sub/a.txt",)
        with pytest.raises(errors.NotCachedError):
            fetch("org/name", allow_patterns="*.txt", local_files_only=True)
        hub.log.clear()
        again = fetch("org/name", settings=quick(hub.url), allow_patterns="sub/*")
        assert again.files == snapshot.files
        assert hub.log.requests(kind="body") == ()


def test_a_file_that_is_listed_otherwise_than_the_whole_was() -> None:
    """A branch that has moved: what was whole is no longer said to be; its files stay until all is listed again."""
    few = {name: data for name, data in FLAT.items() if not name.startswith("flat/")}
    model = Repo("modelscope", "org/name", few)
    with FakeHub([model], listing_limit=3000) as hub:
        old = fetch("org/name", settings=quick(hub.url))
        model.commit({**FLAT, "sub/a.txt": b"new"}, delete=["top.txt"])
        new = fetch_files("org/name", ["sub/a.txt"], settings=quick(hub.url))
        assert (new.path / "sub/a.txt").read_bytes() == b"new"
        assert old.path == new.path
        assert (old.path / "top.txt").read_bytes() == b"t"
        with pytest.raises(errors.NotCachedError):
            fetch("org/name", local_files_only=True)
        model.commit({}, delete=[name for name in FLAT if name.startswith("flat/")])
        assert fetch("org/name", settings=quick(hub.url)).files == ("sub/a.txt", "sub/b.txt")
        assert not (old.path / "top.txt").exists()


@pytest.mark.slow
def test_more_files_than_are_asked_for_alone() -> None:
    """Many names at once cost less as a listing."""
    files = {f"{n:05d}.txt": b"" for n in range(2 * MOST)}
    with FakeHub([large(files)], page_size=50) as hub:
        assert fetch_files("hf://org/name", sorted(files)[: MOST + 1], endpoints=hub.url).verified
        assert len(listings(hub)) == 4


@pytest.mark.slow
@pytest.mark.parametrize("count", [12_000, 60_000])
def test_a_very_large_repository_beside_the_sdk(count: int, tmp_path: Path) -> None:
    """One file of 12,000, and of more than a call lists: the SDK's bytes, in fewer than five requests."""
    import huggingface_hub

    name = "077/000077.txt"
    files = {f"{n % 100:03d}/{n:06d}.txt": b"%d" % n for n in range(count)}
    with FakeHub([large(files)], blobs=True) as hub:
        theirs = huggingface_hub.hf_hub_download("org/name", name, endpoint=hub.url, cache_dir=tmp_path / "theirs")
        hub.log.clear()
        ours = file_download("hf://org/name", name, endpoints=hub.url)
        assert len(hub.log.requests()) < 5
        again = [file_download("hf://org/name", f"{n:03d}/{n:06d}.txt", endpoints=hub.url) for n in range(5)]
        assert [Path(place).read_bytes() for place in again] == [b"%d" % n for n in range(5)]
    assert Path(ours).read_bytes() == Path(theirs).read_bytes() == files[name]
    assert Path(ours).resolve().name == Path(theirs).resolve().name


@pytest.mark.slow
def test_a_flat_folder_beside_the_sdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file of a folder of 3,500 comes as it does with modelscope, and its folders by patterns."""
    import modelscope  # type: ignore[import-untyped]

    files = {f"flat/{n:05d}.txt": b"%d" % n for n in range(3500)} | {"sub/a.txt": b"a"}
    with FakeHub([Repo("modelscope", "org/name", files)], tls=False) as hub:
        theirs = modelscope.model_file_download(
            "org/name", "flat/03400.txt", endpoint=hub.url, cache_dir=str(tmp_path / "theirs")
        )
        ours = file_download("org/name", "flat/03400.txt", settings=quick(hub.url))
        assert Path(ours).read_bytes() == Path(theirs).read_bytes() == b"3400"
        kept = {"allow_patterns": ["sub/*"], "max_workers": 1}
        sdk = modelscope.snapshot_download("org/name", endpoint=hub.url, cache_dir=str(tmp_path / "theirs"), **kept)
        assert (Path(sdk) / "sub/a.txt").read_bytes() == b"a"
        assert fetch("org/name", settings=quick(hub.url), allow_patterns=["sub/*"]).files == ("sub/a.txt",)
