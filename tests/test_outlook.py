"""`mirrorhub endpoints`: who would be asked now and why; what a look finds, and that it can all be forgotten."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mirrorhub import Endpoint, Settings, fetch
from mirrorhub.api import bench, forget, outlook
from mirrorhub.cli import main
from mirrorhub.cli.endpoints import record_of
from mirrorhub.cli.endpoints_table import ago, print_outlook
from mirrorhub.errors import ConfigError, NotCachedError
from mirrorhub.health import Health
from mirrorhub.health.memory import Memory, sighting
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import Alter, HangBeforeAnswer, HangOnAccept, RefuseConnection, Status
from tests.fakehub.repo import sample_bytes
from tests.fakehub.rules import Fault
from tests.quick import quick

Capture = pytest.CaptureFixture[str]
FILES = {"config.json": b"{}", "model.bin": sample_bytes("model", 200_000)}


def repo() -> Repo:
    """A ModelScope repository."""
    return Repo("modelscope", "org/name", FILES)


def named(*hubs: FakeHub) -> list[str]:
    """The options that name these hubs."""
    return [word for hub in hubs for word in ("--endpoint", hub.url)]


def remembered() -> Health:
    """What the next call will know."""
    return Health(Settings.load().state_dir)


def told(capsys: Capture) -> list[dict[str, Any]]:
    """What was printed as JSON."""
    records: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return records


def test_the_default_chain(capsys: Capture) -> None:
    """Without a model it is that of FSMN-VAD; it says who says what there is, who gives bytes, who may see a token."""
    assert main(["endpoints", "--json"]) == 0
    records = told(capsys)
    assert [(one["endpoint"], one["listing"], one["bytes"], one["auth"]) for one in records[:4]] == [
        ("https://modelscope.cn", 1, 1, True),
        ("https://modelscope.ai", 2, 2, False),
        ("https://huggingface.co", None, 3, True),
        ("https://hf-mirror.com", None, 4, False),
    ]
    assert (records[4]["hub"], records[4]["bytes"]) == ("wheel", 5)
    assert {one["why"] for one in records} == {""}
    assert {one["probe"] for one in records} == {None}


def test_what_a_call_has_learnt(capsys: Capture) -> None:
    """After a call through a bad endpoint the table has the other one first for bytes, and says why."""
    with FakeHub([repo()], [Alter()], name="liar") as liar, FakeHub([repo()], name="good") as good:
        fetch("org/name", settings=quick(liar.url, good.url))
        assert main(["endpoints", "org/name", "--json", *named(liar, good)]) == 0
        first, second = told(capsys)
    assert (first["endpoint"], first["bytes"], first["listing"], first["grade"]) == (good.url, 1, 2, "in_its_place")
    assert (second["endpoint"], second["bytes"], second["listing"], second["grade"]) == (liar.url, 2, 1, "lied")
    assert second["why"] == "it gave wrong bytes lately"
    assert second["remembered"]["faults"]["WRONG_DIGEST"] > 0.9
    assert first["remembered"]["heard_at"] == pytest.approx(time.time(), abs=120)
    assert first["remembered"]["bytes_per_s"] > 0


def test_the_table() -> None:
    """For people it is a table, with the reasons, the faults and the data hosts in words below it."""
    health = remembered()
    health.learn(Endpoint("https://a.test"), replace(sighting(0.25, 0.05), large_from="https://cdn.test"))
    health.learn_host("https://cdn.test", Memory(faults={"REFUSED": 2.0}, gone_at=time.time()))
    health.learn(Endpoint("https://b.test"), replace(sighting(0.1, 0.1, 2_000_000, 1.0), heard_at=time.time() - 200))
    health.save()
    command = [sys.executable, "-W", "error", "-m", "mirrorhub", "endpoints", "org/name"]
    command += ["--endpoint", "https://a.test", "--endpoint", "https://b.test"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["1", "2", "b.test", "pull,", "resolve", "100", "100", "16.0", "3", "min", "ago"] in rows
    assert ["2", "1", "a.test", "pull,", "resolve", "250", "50"] in rows
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "a.test: https://cdn.test, which it redirects to, could not be reached" in lines
    assert "a.test: bytes from https://cdn.test, lately connection refused (2)" in lines


def screen(found: Any, width: int) -> list[str]:
    """The lines that a terminal of this width shows."""
    from rich.console import Console

    console = Console(file=io.StringIO(), record=True, force_terminal=True, width=width, legacy_windows=False)
    print_outlook("org/name", found, console)
    return console.export_text().splitlines()


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_in_a_narrow_terminal(width: int) -> None:
    """Every endpoint stands there whole, and every heading; of columns for which there is no room it is said."""
    health = remembered()
    health.learn(Endpoint("https://modelscope.cn"), replace(sighting(0.1, 0.1, 2_000_000, 1.0), heard_at=time.time()))
    health.save()
    found = outlook()
    lines = screen(found, width)
    assert max(len(line.rstrip()) for line in lines[:10]) <= width
    rows = [line.split() for line in lines]
    for one in found:
        name = str(one.endpoint).removeprefix("https://")
        assert any(name in line for line in lines), name
        assert any(row[:1] == [str(one.pulls)] and name.split()[-1] in row for row in rows), name
    headings = {"bytes", "endpoint"}
    assert any(headings <= set(row) for row in rows)
    left_out = next((line for line in lines if "no room for:" in line), "")
    assert ("first byte ms" in left_out) == (width < 160)
    assert ("can" in left_out) != any("can" in row for row in rows)


def test_counts_that_have_faded() -> None:
    """Two failures of a while ago are no part of one; programs are told the figure itself."""
    health = Health(Settings.load().state_dir, lambda: time.time() - 300)
    health.learn(Endpoint("https://a.test"), Memory(faults={"DNS": 1.0, "WRONG_DIGEST": 3.0}))
    health.save()
    (one,) = outlook("org/name", endpoints="https://a.test")
    told = "\n".join(screen([one], 120))
    assert "lately wrong digest (3), name not found (1)" in told
    assert ["1", "3"] in [row[-2:] for row in map(str.split, told.splitlines())]
    assert record_of(one)["remembered"]["faults"]["DNS"] == pytest.approx(0.944, abs=0.01)  # type: ignore[index]


def test_when_nobody_can_be_reached() -> None:
    """Where all are dead that is said once, and what to look at."""
    health = remembered()
    for name in ("a", "b"):
        gone = Memory(faults={"DNS": 1.0}, gone_at=time.time(), failed_at=time.time())
        health.learn(Endpoint(f"https://{name}.test"), gone)
    health.save()
    told = "\n".join(screen(outlook("org/name", endpoints=["https://a.test", "https://b.test"]), 200))
    assert told.count("None could be reached lately") == 1
    assert "is there a network?" in told
    assert "like all others" not in told
    assert "a.test: lately name not found (1)" in told


def test_nothing_is_markup() -> None:
    """What stands in an address is shown as it is, and changes no colours."""
    from rich.console import Console

    console = Console(file=io.StringIO(), record=True)
    print_outlook("[red]name", outlook("org/name", endpoints="https://a.test/[bold]x"), console)
    text = console.export_text()
    assert "[red]name" in text
    assert "a.test/[bold]x" in text


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "0 s ago"), (59, "59 s ago"), (7200, "2 h ago"), (1e6, "12 d ago")]
)
def test_how_long_ago(seconds: float, words: str) -> None:
    """How long ago something was is said in the unit that fits."""
    assert (ago(1e9 - seconds, 1e9), ago(0.0, 1e9)) == (words, "")


class TestProbe:
    @pytest.mark.parametrize(
        ("faults", "grade", "fault"),
        [
            ([], "in_its_place", None),
            ([RefuseConnection()], "gone", "connection refused"),
            ([HangOnAccept()], "gone", "no connection in time"),
            ([HangBeforeAnswer()], "gone", "no byte in time"),
            ([Status(500)], "in_its_place", "server error"),
        ],
        ids=["good", "refuses", "accepts and is silent", "never answers", "broken"],
    )
    def test_what_it_finds(self, faults: Iterable[Fault], grade: str, fault: str | None) -> None:
        """A look says how an endpoint is now, and the next call knows it."""
        with FakeHub([repo()], faults, name="a") as one, FakeHub([repo()], name="b") as good:
            settings = quick(one.url, good.url, silence_s=0.5)
            settings = replace(settings, patience=replace(settings.patience, connect_limit_s=0.5))
            found = {each.endpoint.url: each for each in outlook("org/name", probe=True, settings=settings)}
        mine, other = found[one.url], found[good.url]
        assert mine.place.grade.name.lower() == grade
        assert mine.found is not None
        assert [trouble.fault for trouble in mine.found.troubles] == ([fault] if fault else [])
        assert other.found is not None
        assert other.found.troubles == ()
        assert remembered().recall(Endpoint(one.url)).is_gone == (grade == "gone")
        assert 0 < remembered().recall(Endpoint(good.url)).connect_s < 30

    def test_what_is_asked(self, carrier: str) -> None:
        """Each endpoint is asked for one listing over one connection, and for no bytes."""
        with FakeHub([repo()], name="a") as one, FakeHub([repo()], name="b") as other:
            assert main(["endpoints", "org/name", "--probe", *named(one, other)]) == 0
            for hub in (one, other):
                assert [request.kind for request in hub.log.requests()] == ["listing"]
                assert len(hub.log.connections) == 1

    def test_a_repository_that_is_not_there(self) -> None:
        """Whoever knows no such repository is well all the same."""
        with FakeHub([], name="a") as hub:
            (one,) = outlook("org/name", endpoints=hub.url, probe=True)
        assert (one.place.memory.is_failing, one.place.memory.faults) == (False, {})

    def test_exit_codes(self, capsys: Capture) -> None:
        """0 where any endpoint is well, 1 where none is; without a look always 0."""
        with FakeHub([repo()], [Status(503)], name="a") as broken, FakeHub([repo()], name="b") as good:
            assert main(["endpoints", "org/name", *named(broken)]) == 0
            assert main(["endpoints", "org/name", "--probe", *named(broken)]) == 1
            assert "now: listing: answered 503" in capsys.readouterr().out
            assert main(["endpoints", "org/name", "--probe", *named(broken, good)]) == 0
            assert "now: answers over HTTP/2" in capsys.readouterr().out

    def test_no_token_for_a_mirror(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A look shows a token to nobody it is not for."""
        monkeypatch.setenv("MODELSCOPE_API_TOKEN", "secret")
        with FakeHub([repo()], name="a") as one, FakeHub([repo()], name="b") as other:
            outlook("org/name", endpoints=[one.url, other.url], probe=True)
            assert (one.log.tokens_seen(), other.log.tokens_seen()) == (set(), set())

    def test_offline(self, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
        """Offline the table is shown from what is remembered, and nobody is looked at."""
        monkeypatch.setenv("MIRRORHUB_OFFLINE", "1")
        assert main(["endpoints", "org/name", "--json"]) == 0
        assert len(told(capsys)) == 2
        assert main(["endpoints", "org/name", "--probe"]) == 4
        with pytest.raises(NotCachedError, match="MIRRORHUB_OFFLINE"):
            outlook("org/name", probe=True)


class TestReset:
    def test_everything(self, capsys: Capture) -> None:
        """`reset` forgets all."""
        health = remembered()
        health.learn(Endpoint("https://a.test"), sighting(0.3))
        health.save()
        assert main(["endpoints", "reset"]) == 0
        assert capsys.readouterr().out == "Forgotten: everything.\n"
        assert remembered().recall(Endpoint("https://a.test")).connect_s == 0.0

    def test_one(self) -> None:
        """`reset` with an address, written in any way, forgets that one."""
        health = remembered()
        for url in ("https://a.test", "https://b.test"):
            health.learn(Endpoint(url), sighting(0.3))
        health.save()
        assert main(["endpoints", "reset", "a.test/"]) == 0
        assert [remembered().recall(Endpoint(f"https://{name}.test")).connect_s for name in "ab"] == [0.0, 0.3]

    def test_what_was_never_known(self, capsys: Capture) -> None:
        """Of an endpoint that nothing was known of it is not said that it is forgotten, and no password is repeated."""
        health = remembered()
        health.learn(Endpoint("https://a.test"), sighting(0.3))
        health.save()
        assert main(["endpoints", "reset", "a.test", "https://me:secret@nosuch.example"]) == 0
        told = capsys.readouterr().out.splitlines()
        assert told[0] == "Forgotten: a.test."
        assert told[1].startswith("Nothing was known of https://")
        assert "secret" not in told[1]
        assert main(["endpoints", "reset", "a.test"]) == 0
        assert capsys.readouterr().out == "Nothing was known of a.test.\n"

    @pytest.mark.parametrize("word", ["resett", "rest", "shows"])
    def test_a_mistyped_command(self, word: str, capsys: Capture) -> None:
        """What is nearly a command is taken for one, and not for a model."""
        assert main(["endpoints", word]) == 2
        assert "Did you mean" in capsys.readouterr().err

    def test_what_cannot_be_forgotten(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
        """Where the state cannot be written that is said; what is no address is refused."""
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("MIRRORHUB_STATE", str(tmp_path / "file"))
        assert main(["endpoints", "reset"]) == 1
        assert "cannot be written" in capsys.readouterr().err
        with pytest.raises(ConfigError, match="endpoint"):
            forget("https://")


def test_bench_is_remembered() -> None:
    """What `bench` has measured is remembered, too."""
    with FakeHub([repo()], name="a") as hub, FakeHub([repo()], [RefuseConnection()], name="b") as dead:
        bench("org/name", rounds=1, endpoints=[hub.url, dead.url])
        known = remembered().recall(Endpoint(hub.url))
        assert known.connect_s > 0
        assert known.heard_at > 0
        assert remembered().recall(Endpoint(dead.url)).is_gone


def test_help(capsys: Capture) -> None:
    """The list of commands says in a whole line what it does; its help names the way to forget."""
    assert main(["--help"]) == 0
    assert "Who would be asked now, and why; --probe looks, reset forgets.\n" in capsys.readouterr().out
    assert main(["endpoints", "--help"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("Usage: mirrorhub endpoints [OPTIONS] [MODEL]\n")
    assert re.search(r"mirrorhub endpoints reset \[ENDPOINT\]", told)
