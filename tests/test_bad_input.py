"""Bad input from users, hubs and disks: a clear error with every attempt, nothing outside, nothing half-published."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mirrorhub import errors, fetch
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import (
    BadListing,
    EndlessBody,
    GzipBody,
    Html,
    HugeListing,
    NotJson,
    OverLong,
    Redirect,
    RedirectDowngrade,
    RedirectLoop,
    Status,
)
from tests.fakehub.repo import HubName
from tests.fakehub.rules import Fault, Rule
from tests.quick import quick

FILES = {"config.json": b"{}", "model.bin": b"m" * 300_000}
HUBS = ("modelscope", "huggingface")


def repos() -> list[Repo]:
    """The same files on both kinds of hub."""
    return [Repo(hub, "org/name", FILES) for hub in HUBS]


def tree(root: Path) -> set[str]:
    """Every file below a directory, but for what is remembered of endpoints and of calls that failed."""
    found = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    return {path for path in found if not path.startswith("home/.state/mirrorhub/")}


@pytest.mark.parametrize("bad", ["", " ", "name", "a/b/c", "../x", "a/..", "a/b?c", "a/b c", "/a/b", "a//b", "a/.b"])
def test_no_repository_id(bad: str) -> None:
    """What cannot be a repository's id is refused at once."""
    with pytest.raises(errors.ConfigError):
        fetch(bad)


@pytest.mark.parametrize("bad", ["../x", "/x", "a\\b", "a\x00b", "-x", "a//b", "C:x", ""])
def test_no_revision(bad: str) -> None:
    """What cannot be a revision is refused at once: it becomes the name of a directory."""
    with pytest.raises(errors.ConfigError):
        fetch("org/name", bad)


@pytest.mark.parametrize("bad", ["line-break\n", "two\r\nlines", "wide-\uff41", "accent-\u00e9", "tab\t"])
def test_no_token(bad: str) -> None:
    """What no header may hold is refused before anybody is asked, by the faces, too, and is not shown."""
    from mirrorhub import huggingface_hub, modelscope

    with FakeHub(repos()) as hub:
        for ours in (fetch, huggingface_hub.snapshot_download, modelscope.snapshot_download):
            with pytest.raises(errors.ConfigError, match="token") as caught:
                ours("org/name", token=bad, endpoint=hub.url)
            assert bad.strip() not in str(caught.value)
        assert not hub.log.requests()


@pytest.mark.parametrize("hub_name", HUBS)
def test_a_repository_that_is_not_there(hub_name: str) -> None:
    """The hub's own word is passed on as what it is."""
    with FakeHub(repos()) as hub, pytest.raises(errors.RepoNotFoundError) as caught:
        fetch("org/other", hub=hub_name, endpoints=hub.url)
    assert hub.url in str(caught.value)


@pytest.mark.parametrize("hub_name", HUBS)
def test_a_revision_that_is_not_there(hub_name: str) -> None:
    """A missing revision is told from a missing repository."""
    with FakeHub(repos()) as hub, pytest.raises(errors.RevisionNotFoundError, match="v9"):
        fetch("org/name", "v9", hub=hub_name, endpoints=hub.url)


@pytest.mark.parametrize("hub_name", ["modelscope", "huggingface"])
def test_a_token_that_was_withheld(hub_name: HubName, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has given a token is told where it was not sent, and how it would be, and not to give one."""
    private = Repo(hub_name, "org/name", FILES, private=True)
    with FakeHub([private], token="secret") as hub, pytest.raises(errors.ResolutionError) as caught:
        fetch("org/name", hub=hub_name, token="secret", settings=quick(hub.url, hub.url + "/other"))
    assert f"The token was not sent to {hub.url}" in str(caught.value)
    assert "auth = true" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("hub_name", HUBS)
def test_a_private_repository(hub_name: str) -> None:
    """Without a token, a private repository is missing or denied, never a bare failure."""
    private = Repo(hub_name, "org/name", FILES, private=True)
    with (
        FakeHub([private], token="secret") as hub,
        pytest.raises((errors.RepoNotFoundError, errors.AccessDeniedError)),
    ):
        fetch("org/name", hub=hub_name, endpoints=hub.url)


def test_a_file_that_is_not_there() -> None:
    """A file asked for by name and not listed is an error that knows the nearest name."""
    from mirrorhub import file_download

    with FakeHub(repos()) as hub, pytest.raises(errors.ResolutionError, match=r"did you mean 'model\.bin'"):
        file_download("org/name", "model.bim", endpoints=hub.url)


@pytest.mark.parametrize("hub_name", HUBS)
@pytest.mark.parametrize(
    "path", ["../../../evil", "/etc/evil", "C:/evil", "a\\..\\evil", "a\x00b", "a//b", "x/../evil", ".mirrorhub/evil"]
)
def test_a_listing_that_climbs_out(hub_name: str, path: str, tmp_path: Path) -> None:
    """A path that must not be written ends the endpoint's part in the call; nothing is written for it anywhere."""
    with FakeHub(repos(), [BadListing([path])]) as hub, pytest.raises(errors.ResolutionError, match="listing"):
        fetch("org/name", hub=hub_name, endpoints=hub.url)
    assert not tree(tmp_path)


LYING: list[tuple[Fault, str]] = [
    (HugeListing(100_000), "more than 50,000 files"),
    (Html(), "web page"),
    (NotJson(), "instead of a listing"),
    (Status(404, body=b"not here"), "not a hub's answer"),
    (Rule(RedirectLoop(), "listing"), "redirected more than 5 times"),
    (Rule(RedirectDowngrade(), "listing"), "from https to http"),
    (Rule(Redirect("ftp://a.test/x"), "listing"), "neither http nor https"),
    (Rule(GzipBody("br"), "listing"), "encoded as 'br'"),
    (Rule(GzipBody(keep=20), "listing"), "ended too early"),
    (Rule(GzipBody(garble=True), "listing"), "calls itself gzip and is not"),
    (Rule(EndlessBody(), "listing"), "not read further"),
]


@pytest.mark.parametrize("hub_name", HUBS)
def test_a_compressed_listing(carrier: str, hub_name: str) -> None:
    """A listing may come compressed; it was asked for so."""
    with FakeHub(repos(), [Rule(GzipBody(), "listing"), Rule(GzipBody(), "revision")]) as hub:
        assert fetch("org/name", hub=hub_name, endpoints=hub.url).verified
        listing = hub.log.requests()[0]
        assert listing.headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize(("fault", "words"), LYING, ids=[str(fault)[:40] for fault, _ in LYING])
def test_a_listing_that_is_none(fault: Fault, words: str, tmp_path: Path) -> None:
    """Whatever an endpoint says instead of a listing is named in the attempt; a good endpoint is used instead."""
    with FakeHub(repos(), [fault]) as bad, FakeHub(repos()) as good:
        with pytest.raises(errors.ResolutionError) as caught:
            fetch("org/name", settings=quick(bad.url))
        assert words in str(caught.value)
        assert not tree(tmp_path / "ms")
        assert fetch("org/name", endpoints=[bad.url, good.url]).verified


BODIES: list[tuple[Fault, str]] = [
    (OverLong(5), "model.bin: "),
    (EndlessBody(), "more than the 300,000 bytes"),
    (Html(), "web page"),
    (GzipBody(), "encoded as 'gzip'"),
    (RedirectLoop(), "redirected more than 5 times"),
    (RedirectDowngrade(), "from https to http"),
]


@pytest.mark.parametrize(("fault", "words"), BODIES, ids=[str(fault)[:40] for fault, _ in BODIES])
def test_a_body_that_is_not_the_file(carrier: str, fault: Fault, words: str, tmp_path: Path) -> None:
    """A body that cannot be the file is left with its reason; nothing of it is published."""
    with FakeHub(repos(), [Rule(fault, "model.bin")]) as bad, FakeHub(repos()) as good:
        with pytest.raises(errors.TransferError) as caught:
            fetch("org/name", settings=quick(bad.url))
        assert words in str(caught.value)
        assert not list(tmp_path.rglob("snapshots/*/*"))
        snapshot = fetch("org/name", endpoints=[bad.url, good.url])
    assert (snapshot.path / "model.bin").read_bytes() == FILES["model.bin"]


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """More than fits is refused before the first body is asked for."""
    huge = {"Path": "huge.bin", "Type": "blob", "Size": 1 << 49, "Sha256": "0" * 64}
    with FakeHub(repos(), [BadListing([huge])]) as hub, pytest.raises(errors.StoreError, match="are free"):
        fetch("org/name", endpoints=hub.url)
    assert not hub.log.requests(kind="body")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root writes everywhere")
def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    """A read-only cache is said before the first body is asked for."""
    (tmp_path / "ms").mkdir(mode=0o555)
    with FakeHub(repos()) as hub, pytest.raises(errors.StoreError, match="permission"):
        fetch("org/name", endpoints=hub.url)
    assert not hub.log.requests(kind="body")


def test_a_cache_that_is_a_file(tmp_path: Path) -> None:
    """A file in the way of the cache is said by its name, before the first body is asked for."""
    (tmp_path / "ms").write_text("not a directory")
    with FakeHub(repos()) as hub, pytest.raises(errors.StoreError) as caught:
        fetch("org/name", endpoints=hub.url)
    assert str(caught.value) == f"{tmp_path / 'ms'}: a file is in the way of a directory"
    assert caught.value.errno == errno.ENOTDIR
    assert not hub.log.requests(kind="body")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no such file system")
def test_a_cache_where_nothing_can_be_made() -> None:
    """Where no directory can be made, that is said of what is there, with what to do."""
    with FakeHub(repos()) as hub, pytest.raises(errors.StoreError) as caught:
        fetch("org/name", cache_dir="/proc/nope", endpoints=hub.url)
    assert str(caught.value) == "/proc: no directory can be made there; choose another cache directory"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root writes everywhere")
def test_a_repository_that_cannot_be_written(tmp_path: Path) -> None:
    """Of a repository's folder that refuses, the folder is named, and no file that nobody but us has made."""
    own = tmp_path / "ms" / "models" / "org--name" / ".mirrorhub"
    own.mkdir(parents=True, mode=0o555)
    with FakeHub(repos()) as hub, pytest.raises(errors.StoreError) as caught:
        fetch("org/name", endpoints=hub.url)
    assert str(caught.value).startswith(f"{own.parent}: permission denied; choose a cache directory")


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_link_planted_in_the_cache(tmp_path: Path) -> None:
    """Nothing is written through a symbolic link that stands where a folder of the repository belongs."""
    outside = tmp_path / "outside"
    outside.mkdir()
    with FakeHub([Repo("modelscope", "org/name", {"a.txt": b"a"})]) as hub:
        path = fetch("org/name", endpoints=hub.url).path
        (path / "sub").symlink_to(outside)
    with (
        FakeHub([Repo("modelscope", "org/name", {"a.txt": b"a", "sub/x.txt": b"x"})]) as hub,
        pytest.raises(errors.StoreError, match="symbolic link"),
    ):
        fetch("org/name", endpoints=hub.url)
    assert not tree(outside)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MIRRORHUB_TRUST", "everybody"),
        ("MIRRORHUB_TIMEOUT", "-1"),
        ("MIRRORHUB_OFFLINE", "perhaps"),
        ("MODELSCOPE_ENDPOINT", "https：//mirror.example"),
        ("SSL_CERT_FILE", "/no/such/file.pem"),
        ("MIRRORHUB_CONFIG", "/no/such/config.toml"),
    ],
)
def test_a_variable_that_cannot_be_used(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped variable is an error that names it."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(errors.ConfigError, match=variable):
        fetch("org/name")


def test_an_error_names_what_can_be_typed() -> None:
    """Where no revision was asked for, none is made up; what an error calls a repository names it in a call, too."""
    for name in ("org/name", "ms://org/name", "modelscope:org/name"):
        with FakeHub([]) as hub, pytest.raises(errors.PinnedError, match=r"for modelscope:org/name: trust another"):
            fetch(name, trust="lock", endpoints=hub.url)
    with FakeHub([Repo("huggingface", "org/name", {"a.txt": b"a"}, repo_type="dataset")]) as hub:
        assert fetch("huggingface:datasets/org/name", endpoints=hub.url).manifest.repo.type == "dataset"
    with (
        FakeHub([], [Status(503)]) as hub,
        pytest.raises(errors.ResolutionError, match="what modelscope:org/name holds"),
    ):
        fetch("org/name", settings=quick(hub.url))


def test_an_unknown_argument() -> None:
    """An argument that does not exist is a TypeError that lists those that do."""
    with pytest.raises(TypeError, match="allow_patterns"):
        fetch("org/name", allow_pattern="*")  # type: ignore[call-arg]
