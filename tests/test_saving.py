"""Saving an order of endpoints: what is written, what stays, and that nobody gains anything by being written down."""

from __future__ import annotations

import json
import logging
import os
import stat
import sys
import tomllib
from pathlib import Path

import pytest

from mirrorhub import Endpoint, Settings, fetch
from mirrorhub.api import FSMN_VAD, bench
from mirrorhub.bench.saving import save_order, shown, with_order
from mirrorhub.cli import main
from mirrorhub.config import config_path
from mirrorhub.endpoints import endpoints_for
from mirrorhub.errors import ConfigError
from mirrorhub.models import Repo as RepoName
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import BadListing, Drip, RefuseConnection, Status
from tests.fakehub.repo import sample_bytes
from tests.fakehub.rules import Rule

MS, HF = RepoName("modelscope", "org/name"), RepoName("huggingface", "org/name")
VAD_MS, VAD_HF = RepoName("modelscope", FSMN_VAD), RepoName("huggingface", "funasr/fsmn-vad")
FILES = {"config.json": b"{}", "model.bin": sample_bytes("model", 700_000)}
PULL = frozenset({"pull"})


def repos() -> list[Repo]:
    """The same files on both kinds of hub."""
    return [Repo("modelscope", "org/name", FILES), Repo("huggingface", "org/name", FILES)]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's config file, which is not there yet."""
    return config_path(os.environ)


def saved(path: Path, repo: RepoName, **settings: object) -> tuple[Settings, Settings]:
    """Save the chain of a repository, reversed; return the settings before and after."""
    before = Settings.load(settings)
    save_order(path, endpoints_for(repo, before)[::-1], repo, before)
    return before, Settings.load()


@pytest.mark.parametrize("repo", [MS, HF, VAD_MS, VAD_HF], ids=str)
@pytest.mark.parametrize("asked", [MS, HF, VAD_MS, VAD_HF], ids=str)
def test_nobody_gains_anything(repo: RepoName, asked: RepoName, path: Path) -> None:
    """Once the default chain is saved, every endpoint may do what it might before, for every repository."""
    before, after = saved(path, repo)
    rights = {(one.url, one.hub): one for one in endpoints_for(asked, before)}
    for one in endpoints_for(asked, after):
        was = rights[one.url, one.hub]
        assert (one.can, one.auth, one.official, one.repo) == (was.can, was.auth, was.official, was.repo)
        assert one.official or not one.named


@pytest.mark.parametrize("repo", [MS, HF, VAD_MS, VAD_HF], ids=str)
def test_the_order_is_kept(repo: RepoName, path: Path) -> None:
    """The saved order is that of the next call; whoever was not measured, such as a package index, comes after."""
    before, after = saved(path, repo)
    measured = [one.url for one in endpoints_for(repo, before)[::-1] if one.hub != "wheel"]
    chain = [one.url for one in endpoints_for(repo, after) if one.hub != "wheel"]
    assert chain == measured


ONLY_BYTES = {"url": "https://a.test", "hub": "modelscope", "can": ["pull"]}
GIVEN = {
    "an address": ("https://a.test", "https://a.test"),
    "a protocol": ("ms+https://a.test/x", "ms+https://a.test/x"),
    "a login": ("https://user:pw@a.test", "https://user:pw@a.test"),
    "only bytes": (
        Endpoint("https://a.test", can=PULL),
        {"url": "https://a.test", "hub": "modelscope", "can": ["pull"]},
    ),
    "not named": (Endpoint("https://a.test"), {"url": "https://a.test", "hub": "modelscope", "can": ["pull"]}),
    "tokens": (
        Endpoint("https://a.test", auth=True, named=True),
        {"url": "https://a.test", "hub": "modelscope", "auth": True},
    ),
    "another id": (
        Endpoint("https://a.test", can=PULL, repo="x/y"),
        {**ONLY_BYTES, "repo": "x/y"},
    ),
}


@pytest.mark.parametrize(("given", "written"), GIVEN.values(), ids=GIVEN.keys())
def test_how_an_endpoint_is_written(given: str | Endpoint, written: object, path: Path) -> None:
    """What the user wrote is written the same way; what needs more words is a table."""
    settings = Settings.load({"endpoints": [given]})
    assert save_order(path, endpoints_for(MS, settings), MS, settings) == [written, "default"]


FILE = """\
# My settings.
trust = "auto"  # as it is
endpoints = ["a.test", "hf+https://b.test", "default"]
silence_s = 60

[[endpoint]]
url = "https://c.test"
auth = true

[[endpoint]]
url = "https://d.test"
hub = "huggingface"
"""


def test_what_stays(path: Path) -> None:
    """Other keys and comments stay; of the endpoints, those that were not measured, after those that were."""
    path.parent.mkdir(parents=True)
    path.write_text(FILE, encoding="utf-8")
    settings = Settings.load()
    chain = endpoints_for(MS, settings)
    save_order(path, [one for one in chain if one.url in ("https://a.test", "https://c.test")][::-1], MS, settings)
    text = path.read_text(encoding="utf-8")
    assert text.startswith('# My settings.\ntrust = "auto"  # as it is\nendpoints = [\n')
    assert text.rstrip().endswith("silence_s = 60")
    assert Settings.load().endpoints == (
        "https://a.test",
        Endpoint("https://c.test", auth=True, named=True),
        Endpoint("https://d.test", "huggingface", named=True),
        "hf+https://b.test",
        "default",
    )


CHAINS: dict[str, tuple[str, list[object]]] = {
    "none": ("", ["https://x.test", "default"]),
    "without default": ('endpoints = ["https://corp.test"]', ["https://x.test", "https://corp.test"]),
    "one text": ('endpoints = "https://corp.test, wheel"', ["https://x.test", "https://corp.test", "wheel"]),
    "tables alone": ('[[endpoint]]\nurl = "corp.test"\n', ["https://x.test", {"url": "corp.test"}, "default"]),
    "the same, otherwise written": ('endpoints = ["x.test/", "default"]', ["https://x.test", "default"]),
}


@pytest.mark.parametrize(("text", "listed"), CHAINS.values(), ids=CHAINS.keys())
def test_a_chain_is_not_widened(text: str, listed: list[object]) -> None:
    """The default chain follows only where it was part of the chain before."""
    assert with_order(text, ["https://x.test"], MS)[1] == listed


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_who_may_read_it(path: Path) -> None:
    """A new file is its owner's only; an old one keeps its mode, unless a password is written into it."""
    saved(path, MS, endpoints="https://a.test")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    saved(path, MS, endpoints="https://b.test")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    saved(path, MS, endpoints="https://user:pw@c.test")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_linked_file(path: Path, tmp_path: Path) -> None:
    """A config file that is a link stays one."""
    path.parent.mkdir(parents=True)
    (tmp_path / "dotfiles.toml").write_text('trust = "auto"\n', encoding="utf-8")
    path.symlink_to(tmp_path / "dotfiles.toml")
    saved(path, MS, endpoints="https://a.test")
    assert path.is_symlink()
    assert "a.test" in (tmp_path / "dotfiles.toml").read_text(encoding="utf-8")


def test_a_folder_in_its_place(path: Path) -> None:
    """What cannot be written is an error of our own."""
    path.mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be"):
        save_order(path, [], MS, Settings())


def test_what_is_shown() -> None:
    """Logins are not shown; limits are."""
    items = ["https://u:p@a.test/x", "hf+https://u:p@b.test", {"url": "https://u:p@c.test", "can": ["pull"]}, "default"]
    assert shown(items) == [
        "https://a.test/x",
        "hf+https://b.test",
        "https://c.test (modelscope, bytes only, its listing is not believed)",
        "default",
    ]


def test_a_download_follows(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After --save the first request of a download goes to the best endpoint, and none to the others."""
    with (
        FakeHub(repos(), [RefuseConnection()], name="d") as dead,
        FakeHub(repos(), [Drip(bytes_per_s=300_000)], name="s") as slow,
        FakeHub(repos(), name="f") as fast,
    ):
        urls = [dead.url, slow.url, fast.url]
        arguments = [word for url in urls for word in ("--endpoint", url)]
        assert main(["bench", "org/name", *arguments, "--rounds", "1", "--limit", "0.5", "--save"]) == 0
        told = capsys.readouterr().err
        assert str(path) in told
        assert told.index(fast.url) < told.index(slow.url) < told.index("default")
        assert f"Not saved, because it never worked: {dead.url}\n" in told
        assert path.read_text(encoding="utf-8").count("https://") == 2
        slow.log.clear()
        snapshot = fetch("org/name")
        assert {attempt.endpoint for attempt in snapshot.attempts} == {fast.url}
        assert slow.log.requests() == ()


def test_a_saved_mirror_is_not_believed(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A mirror that only gave bytes before it was saved is asked for bytes only, however good it was."""
    lies = BadListing([{"Path": "lie.txt", "Name": "lie.txt", "Type": "blob", "Size": 1, "Sha256": "0" * 64}])
    with FakeHub(repos(), [lies], name="m") as mirror, FakeHub(repos(), name="h") as hub:
        settings = Settings.load({"endpoints": [Endpoint(mirror.url, can=PULL), hub.url]})
        found = bench("org/name", settings=settings, rounds=1, limit=600_000)
        endpoints = sorted((one.endpoint for one in found.measurements), key=lambda one: one.url != mirror.url)
        save_order(path, endpoints, MS, settings)
        mirror.log.clear()
        snapshot = fetch("org/name")
        assert snapshot.vouched_by.name == hub.url
        assert "lie.txt" not in snapshot.files
        assert {r.kind for r in mirror.log.requests()} == {"body"}
        hub.set_faults(Rule(Status(503), "listing"))
        with caplog.at_level(logging.WARNING, "mirrorhub"):
            assert fetch("org/name", allow_patterns="config.json", force_download=True).vouched_by.kind == "mirror"
        assert "own word" in caplog.text


def test_nothing_is_saved_where_nothing_works(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no endpoint worked there is no order: nothing is written, and that is said."""
    with FakeHub(repos(), [RefuseConnection()]) as hub:
        assert main(["bench", "org/name", "--endpoint", hub.url, "--save"]) == 1
    assert "Not saved" in capsys.readouterr().err
    assert not path.exists()


def test_one_that_was_listed_and_does_not_work(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the file lists already stays though it never worked, after those that did; nobody else is let in."""
    with (
        FakeHub(repos(), [RefuseConnection()], name="d") as dead,
        FakeHub(repos(), [RefuseConnection()], name="e") as other,
        FakeHub(repos(), name="f") as good,
    ):
        path.parent.mkdir(parents=True)
        path.write_text(f'endpoints = ["ms+{dead.url}/", "wheel"]\n', encoding="utf-8")
        arguments = [word for url in (dead.url, other.url, good.url) for word in ("--endpoint", url)]
        assert main(["bench", "org/name", *arguments, "--rounds", "1", "--limit", "0.5", "--save"]) == 0
        told = capsys.readouterr().err
        assert Settings.load().endpoints == (good.url, f"ms+{dead.url}/", "wheel")
        assert told.count("because it never worked") == 1
        assert f"because it never worked: {other.url}" in told


def test_a_file_that_is_not_there_yet(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A config file that MIRRORHUB_CONFIG names can be made by --save; otherwise one has to be there."""
    path.parent.mkdir(parents=True)
    path.write_text('trust = "nonsense"\n', encoding="utf-8")
    named = tmp_path / "new" / "named.toml"
    monkeypatch.setenv("MIRRORHUB_CONFIG", str(named))
    with FakeHub(repos()) as hub:
        arguments = ["bench", "org/name", "--endpoint", hub.url, "--rounds", "1", "--limit", "0.5"]
        assert main(arguments) == 2
        assert f"there is no file {named}" in capsys.readouterr().err
        assert main([*arguments, "--save"]) == 0
        assert Settings.load().endpoints == (hub.url, "default")
        assert main(arguments) == 0


def test_a_variable_that_wins(path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where MIRRORHUB_ENDPOINTS is set, the saved order would not count: that is said."""
    with FakeHub(repos()) as hub:
        monkeypatch.setenv("MIRRORHUB_ENDPOINTS", hub.url)
        assert main(["bench", "org/name", "--rounds", "1", "--limit", "0.5", "--save"]) == 0
    assert "MIRRORHUB_ENDPOINTS is set" in capsys.readouterr().err
    assert path.exists()


def test_mirrorhub_config_shows_it(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The saved order is shown with its source, and without logins."""
    saved(path, MS, endpoints=["https://user:secret@a.test", "default"])
    assert main(["config", "--json"]) == 0
    told = capsys.readouterr().out
    assert "secret" not in told
    order = "https://modelscope.ai (modelscope), ms+https://modelscope.cn, https://a.test, default"
    assert json.loads(told)["settings"]["endpoints"] == {"value": order, "source": "config file"}


TABLES = {
    "only bytes": ('can = ["pull"]', "modelscope, bytes only, its listing is not believed"),
    "tokens": ('hub = "huggingface", auth = true', "huggingface, auth: True"),
    "another id": ('repo = "x/y"', "modelscope, repo: x/y, bytes only, its listing is not believed"),
}


@pytest.mark.parametrize(("keys", "words"), TABLES.values(), ids=TABLES.keys())
def test_mirrorhub_config_shows_limits(keys: str, words: str, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`mirrorhub config` says of an endpoint with a table what --save says of it."""
    path.parent.mkdir(parents=True)
    path.write_text(f'endpoints = [{{ url = "https://user:secret@b.test", {keys} }}]', encoding="utf-8")
    assert main(["config", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["settings"]["endpoints"]["value"]
    assert [told] == shown(tomllib.loads(path.read_text(encoding="utf-8"))["endpoints"])
    assert told == f"https://b.test ({words})"


TABLES: list[tuple[str, str]] = [
    ('{ url = "https://m.test", can = ["pull"] }', "https://m.test"),
    ('{ url = "https://modelscope.cn", auth = false }', "https://modelscope.cn"),
    ('{ url = "https://m.test", auth = true }', "https://m.test"),
    ('{ url = "https://m.test", repo = "other/x" }', "https://m.test"),
    ('{ url = "https://me:secret@m.test", can = ["pull"] }', "https://m.test"),
]


@pytest.mark.parametrize(("table", "address"), TABLES, ids=[table for table, _ in TABLES])
def test_a_table_holds_however_its_endpoint_was_named(table: str, address: str) -> None:
    """What the user wrote of an endpoint in a table stays, where it was measured by its address alone."""
    text = f"endpoints = [{table}, 'default']\n"
    _, listed = with_order(text, ["https://fast.test", f"ms+{address}"], RepoName("modelscope", "a/b"))
    assert listed == ["https://fast.test", tomllib.loads(text)["endpoints"][0], "default"]


def test_line_ends_stay() -> None:
    """A file that was written on Windows stays one."""
    text, _ = with_order('# mine\r\ntrust = "official"\r\n', ["https://m.test"], RepoName("modelscope", "a/b"))
    assert '# mine\r\ntrust = "official"\r\n' in text
