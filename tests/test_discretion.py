"""What may be shown to anybody: every secret of a call, said again by whoever was told it, is gone from its report."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from mirrorhub import Endpoint, fetch
from mirrorhub.chain import Chain
from mirrorhub.chain.beat import Beat
from mirrorhub.chain.walk import walk
from mirrorhub.cli import main
from mirrorhub.config import Patience
from mirrorhub.errors import ChainError
from mirrorhub.faults import Hopeless
from mirrorhub.report.discretion import MAX_TEXT, Discretion
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import BadListing, GzipBody, Redirect, Status
from tests.fakehub.rules import Fault, Rule
from tests.quick import quick

SECRET = "aSecretThatMustNotBeShown/42"
LOGIN = f"user:{quote(SECRET, safe='')}"
BASE64 = base64.b64encode(SECRET.encode()).decode()
FILES = {"a.json": b"{}", "model.bin": b"model" * 100}
HEAD = SECRET[:10]
KINDS = ("reports", "published", "failed")
DISCRETION = Discretion([SECRET, f"user:{SECRET}"], "/home/alice", "alice", "alices-laptop")

TEXTS = [
    (f"answered 403: no {SECRET} here", "answered 403: no *** here"),
    (f"no {SECRET.upper()} here", "no *** here"),
    (f"no {quote(SECRET, safe='')} here", "no *** here"),
    (f"Basic {BASE64}", "Basic ***"),
    (f"cut off: {SECRET[:20]}", "cut off: ***"),
    (f"{SECRET[:20]} cut off, and {SECRET[:12]}, too", "*** cut off, and ***, too"),
    (f"https://user:{SECRET}@a.test/x?y=1#z", "https://a.test/x?..."),
    ("https://user:pw@a.test/x", "https://a.test/x"),
    ("user:pw@a.test refused", "a.test refused"),
    ("https://a.test/blob?X-Amz-Signature=abcdef&Expires=1 is gone", "https://a.test/blob?... is gone"),
    ("/blob?Signature=abcdef is gone", "/blob?... is gone"),
    ("Authorization: Bearer abcdefghijkl", "Authorization: ***"),
    ('{"token": "abcdefgh"}', '{"token": "***"}'),
    ("hf_ABCDEFGHIJKLMNOPQRSTUVWX was sent", "*** was sent"),
    ("/home/alice/.cache/x", "~/.cache/x"),
    ("/home/alices/x", "/home/alices/x"),
    ("/data/alice/cache: no", "/data/~/cache: no"),
    (r"C:\Users\alice\x", r"C:\Users\~\x"),
    ("modelscope:alice/model at https://a.test/alice/model", "modelscope:alice/model at https://a.test/alice/model"),
    ("process 12 on alices-laptop (since 3 s)", "process 12 on this machine (since 3 s)"),
    ("a\x1b[2J\nb\u202ec", "a?[2J?b?c"),
    ("x" * (MAX_TEXT + 1), "x" * (MAX_TEXT - 1) + "…"),
]


@pytest.mark.parametrize(("text", "shown"), TEXTS, ids=[row[1][:40] for row in TEXTS])
def test_texts(text: str, shown: str) -> None:
    """Tokens, logins, signed queries, the home directory and the names of user and machine are not shown."""
    assert DISCRETION.clean(text) == shown


def test_nothing_to_hide() -> None:
    """Without secrets, a user or a machine to hide a text stays as it is."""
    assert Discretion(["", "abc"], "/", "", "").clean("abc /x/y on z") == "abc /x/y on z"


ECHO = {"x-error-code": "EntryNotFound", "x-error-message": SECRET.lower()}
SMUGGLED: list[tuple[str, list[Fault | Rule]]] = [
    ("in an error", [Status(403, json={"Code": 10010101001, "Message": f"no {SECRET}", "error": f"no {SECRET}"})]),
    ("in a redirect's path", [Rule(Redirect(f"http://a.test/{quote(SECRET, safe='')}"), "body")]),
    ("in a redirect's query", [Rule(Redirect(f"http://a.test/x?sig={SECRET}"), "body")]),
    ("in a redirect's login", [Rule(Redirect(f"http://x:{SECRET}@a.test/x"), "body")]),
    ("in a redirect's host", [Rule(Redirect(f"https://{SECRET[:-3]}.invalid/x"), "body")]),
    ("in a header", [Rule(GzipBody(encoding=SECRET), "body")]),
    ("in a file's name", [Rule(BadListing(entries=(f"../{SECRET}",)), "listing")]),
    ("in a header of an error", [Rule(Status(404, json={"Code": 1, "Message": SECRET}, headers=ECHO))]),
    ("in a kind of content", [Status(200, b"x", content_type=f"text/{SECRET}")]),
    ("in a range", [Rule(Status(206, b"x", headers={"content-range": f"bytes {SECRET}"}), "body")]),
    ("in an error, encoded", [Status(403, json={"Code": 1, "Message": f"{BASE64} {SECRET.upper()}", "error": BASE64})]),
]


@pytest.fixture
def everything_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[list[str]]:
    """All that `why` shows, and all that was written for it."""
    told: list[str] = []
    yield told
    capsys.readouterr()
    page = tmp_path / "page.html"
    assert main(["why", "--html", str(page)]) == 0
    assert main(["why", "--json"]) == 0
    assert main(["why"]) == 0
    captured = capsys.readouterr()
    told += [captured.out, page.read_text(encoding="utf-8")]
    told += [path.read_text() for path in tmp_path.rglob("*.json") if path.parent.name in KINDS]
    assert len(told) > 2
    assert_discreet(*told)


def assert_discreet(*told: str) -> None:
    """Nothing of it is a secret, or a part of one."""
    for text in told:
        for spelling in (SECRET, HEAD, quote(SECRET, safe=""), BASE64, "x-amz"):
            assert spelling.casefold() not in text.casefold()


@pytest.mark.parametrize("hub_name", ["modelscope", "huggingface"])
@pytest.mark.parametrize(("way", "faults"), SMUGGLED, ids=[row[0] for row in SMUGGLED])
def test_smuggled(
    way: str,
    faults: list[Fault | Rule],
    hub_name: str,
    everything_told: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A hub that says the token again, in whatever place, gets it into no report, error, attempt or line of a log."""
    caplog.set_level(logging.DEBUG, "mirrorhub")
    repo = Repo("modelscope" if hub_name == "modelscope" else "huggingface", "org/name", FILES)
    with FakeHub([repo], faults, token=SECRET) as hub, pytest.raises(ChainError) as caught:
        fetch("org/name", hub=hub_name, settings=quick(hub.url), token=SECRET)
    logged = [caplog.handler.format(record) for record in caplog.records if record.name.startswith("mirrorhub")]
    assert logged
    assert caught.value.attempts
    assert_discreet("".join(traceback.format_exception(caught.value)), str(caught.value.attempts), *logged)


def test_an_answer_that_no_rule_foresaw(caplog: pytest.LogCaptureFixture) -> None:
    """What Python says of an answer that cannot be read may hold a part of it: a log tells it without the token."""
    caplog.set_level(logging.DEBUG, "mirrorhub")
    chain = Chain([Endpoint("https://a.test")], Patience(), 60, discreet=DISCRETION.clean)

    async def ask(endpoint: Endpoint, beat: Beat) -> int:
        return int(SECRET)

    async def use(endpoint: Endpoint, answer: int) -> int:
        return answer

    with pytest.raises(Hopeless) as caught:
        asyncio.run(walk(chain, "listing", ask, use))
    ((_, failure),) = caught.value.failures
    assert "Traceback" in caplog.text
    assert_discreet(caplog.text, str(failure), str(chain.attempts))


def test_a_comparison_of_endpoints(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that says the token again does not get it into a comparison."""
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", SECRET)
    faults = [Status(404, json={"Code": 1, "Message": f"no {SECRET.upper()}"})]
    with FakeHub([Repo("modelscope", "org/name", FILES)], faults) as hub:
        main(["bench", "org/name", "--endpoint", hub.url, "--json"])
    told = capsys.readouterr()
    assert "answered 404: no ***" in told.out
    assert_discreet(told.out, told.err)


def test_a_file_named_after_the_token(everything_told: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A file that bears the token in its name is fetched, and told of without it."""
    name = SECRET.replace("/", "-")
    with FakeHub([Repo("modelscope", "org/name", {f"{name}.txt": b"x", "a.json": b"{}"})], token=name) as hub:
        snapshot = fetch("org/name", endpoints=hub.url, token=name)
    assert (snapshot.path / f"{name}.txt").exists()


def test_logins_in_addresses(everything_told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The login of an endpoint's address and that of a proxy's are in no report, though a setting holds them."""
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    monkeypatch.setenv("HTTPS_PROXY", f"http://proxy:{SECRET}@proxy.test:3128")
    faults = [Rule(Status(403, json={"Message": f"Basic {BASE64} {SECRET}"}), "listing", times=1)]
    with (
        FakeHub([Repo("modelscope", "org/name", FILES)], faults, name="a") as one,
        FakeHub([Repo("modelscope", "org/name", FILES)], name="b") as two,
    ):
        login = one.url.replace("://", f"://{LOGIN}@")
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", login)
        fetch("org/name", endpoints=[login, two.url])


def test_whose_machine_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Home directory and user name are shortened in whatever path a report names."""
    monkeypatch.setenv("LOGNAME", "alice")
    monkeypatch.setenv("USER", "alice")
    monkeypatch.setenv("USERNAME", "alice")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "home" / "hf"))
    cache = tmp_path / "data" / "alice" / "cache"
    with FakeHub([Repo("modelscope", "alice/name", FILES)]) as hub:
        fetch("alice/name", endpoints=hub.url, cache_dir=cache)
    assert main(["why", "alice/name", "--cache-dir", str(cache), "--json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)["reports"]
    settings = {row["name"]: row["value"] for row in report["settings"]}
    assert report["place"] == str(tmp_path / "data" / "~" / "cache" / "models" / "alice--name")
    assert settings["huggingface_cache"] == str(Path("~") / "hf")
    assert report["repo"] == "modelscope:alice/name"
