"""What a call learns is of use to the next one, judged by the hubs' own logs: who is asked, and for what."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from mirrorhub import Endpoint, Settings, Snapshot, close, fetch
from mirrorhub.config import Patience
from mirrorhub.health import QUIET_S, Health
from mirrorhub.health.memory import Figure, Memory, sighting
from mirrorhub.health.preference import Grade, order_to_pull, places
from mirrorhub.health.revival import see_who_lives_again
from mirrorhub.http.carrier import build_carrier
from mirrorhub.http.client import Client
from mirrorhub.http.route import route_for
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import (
    Alter,
    Drip,
    HangBeforeAnswer,
    HangOnAccept,
    NoConnect,
    Redirect,
    RefuseConnection,
    Status,
)
from tests.fakehub.repo import sample_bytes
from tests.fakehub.rules import Fault, Rule
from tests.quick import IMPATIENT, quick

FILES = {f"{number:02d}.json": sample_bytes(f"m{number}", 100_000) for number in range(20)}
BIG = {"model.bin": sample_bytes("big", 3_000_000)}
DEAD = {
    "refuses": RefuseConnection(),
    "accepts and is silent": HangOnAccept(),
    "never answers": HangBeforeAnswer(),
}
if sys.platform == "linux":
    DEAD["drops what is sent"] = NoConnect()


PATIENT = Patience(connect_s=40.0, answer_s=40.0)
"""Nobody else is asked only because a busy machine is late."""


def repo(files: Mapping[str, bytes] = FILES) -> Repo:
    """A ModelScope repository."""
    return Repo("modelscope", "org/name", files)


def huge() -> Repo:
    """A Hugging Face repository, whose large file is redirected to a data host."""
    return Repo("huggingface", "org/name", BIG)


def remembered() -> Health:
    """What the next call will know."""
    return Health(Settings.load().state_dir)


def remember(*endpoints: FakeHub, memory: Memory, ago_s: float = 0.0) -> None:
    """Let this have been learnt some seconds ago."""
    health = Health(Settings.load().state_dir, lambda: time.time() - ago_s)
    for hub in endpoints:
        health.learn(Endpoint(hub.url), memory)
    health.save()


def gone(ago_s: float) -> Memory:
    """What is learnt of an endpoint that refuses."""
    return Memory(faults={"REFUSED": 1.0}, gone_at=time.time() - ago_s, failed_at=time.time() - ago_s)


def again(*hubs: FakeHub, files: Mapping[str, bytes] = FILES, patience: Patience = IMPATIENT) -> Snapshot:
    """Fetch everything anew, with connections of one's own."""
    settings = quick(*(hub.url for hub in hubs), patience=patience)
    snapshot = fetch("org/name", settings=settings, force_download=True)
    close()
    assert {name: (snapshot.path / name).read_bytes() for name in snapshot.files} == files
    return snapshot


def first_giver(snapshot: Snapshot) -> str:
    """Who was asked for bytes first."""
    return next(attempt.endpoint for attempt in snapshot.attempts if attempt.subject != "listing")


def asked(snapshot: Snapshot) -> set[str]:
    """Whom a call has asked anything."""
    return {attempt.endpoint for attempt in snapshot.attempts}


@pytest.mark.parametrize("fault", DEAD.values(), ids=DEAD)
def test_a_dead_endpoint(fault: Fault, carrier: str) -> None:
    """The first call finds out that an endpoint is dead; the second does not ask it; without health it asks again."""
    with FakeHub([repo()], [fault], name="dead") as dead, FakeHub([repo()], name="good") as good:
        assert asked(again(dead, good)) == {dead.url, good.url}
        connections = len(dead.log.connections)
        assert remembered().recall(Endpoint(dead.url)).is_gone
        assert asked(again(dead, good, patience=PATIENT)) == {good.url}
        assert len(dead.log.connections) == connections
        remembered().forget()
        assert asked(again(dead, good)) == {dead.url, good.url}


def test_an_endpoint_that_was_never_reached(carrier: str) -> None:
    """Where no connection stood, nothing is remembered of how long connecting takes."""
    with FakeHub([repo()], [HangOnAccept()], name="dead") as dead, FakeHub([repo()], name="good") as good:
        again(dead, good)
    assert remembered().recall(Endpoint(dead.url)).connect == Figure()
    assert remembered().recall(Endpoint(good.url)).connect.mean > 0


def test_a_crawling_endpoint() -> None:
    """One that crawled is asked what there is, in its turn, and for bytes after the others: nobody pays twice."""
    with FakeHub([repo()], [Drip(bytes_per_s=3_000)], name="slow") as slow, FakeHub([repo()], name="good") as good:
        again(slow, good)
        assert remembered().recall(Endpoint(slow.url)).has_crawled
        slow.log.clear()
        assert first_giver(again(slow, good, patience=PATIENT)) == good.url
        assert len(slow.log.requests(kind="listing")) == 1
        remembered().forget()
        assert first_giver(again(slow, good)) == slow.url


@pytest.mark.parametrize("files", [FILES, BIG], ids=["small files", "a large file"])
def test_a_liar(files: Mapping[str, bytes]) -> None:
    """One that gave wrong bytes is asked for none by the next call, while another one has what is wanted.

    It is still asked what there is, in its turn: whose bytes are wrong is said by whose listing is believed, and no
    memory of that may decide whose listing is believed next.
    """
    with FakeHub([repo(files)], [Alter()], name="liar") as liar, FakeHub([repo(files)], name="good") as good:
        again(liar, good, files=files)
        assert remembered().recall(Endpoint(liar.url)).has_lied
        liar.log.clear()
        again(liar, good, files=files, patience=PATIENT)
        assert [request.kind for request in liar.log.requests()] == ["listing"]
        assert not good.log.requests(kind="listing")


def test_a_liar_that_names_somebody_else() -> None:
    """One that redirects to another file on an honest data host has lied itself: the host is not to blame."""
    other = Repo("huggingface", "org/other", {name: bytes(len(data)) for name, data in BIG.items()})
    with FakeHub([huge(), other], name="cdn") as cdn, FakeHub([huge()], name="good", cdn=cdn) as good:
        ((path, _),) = BIG.items()
        elsewhere = Rule(Redirect(f"{cdn.url}/org/other/resolve/main/{path}"), "body")
        with FakeHub([huge()], [elsewhere], name="liar") as liar:
            fetch("org/name", hub="huggingface", settings=quick(liar.url, good.url))
            assert remembered().recall(Endpoint(liar.url)).has_lied
            assert not remembered().recall_host(cdn.url).has_lied
            found = places([Endpoint(liar.url), Endpoint(good.url)], remembered(), default=False)
            assert order_to_pull(found) == [Endpoint(good.url), Endpoint(liar.url)]


def test_a_data_host_that_lies_to_two() -> None:
    """Where bytes were wrong whoever had led to a data host, that one has lied, too."""
    with FakeHub([huge()], [Alter()], name="cdn") as cdn, FakeHub([huge()], name="good") as good:
        with FakeHub([huge()], name="one", cdn=cdn) as one, FakeHub([huge()], name="two", cdn=cdn) as two:
            fetch("org/name", hub="huggingface", settings=quick(one.url, two.url, good.url))
        assert remembered().recall_host(cdn.url).has_lied


@pytest.mark.parametrize(
    "fault", [RefuseConnection(), HangOnAccept(), Rule(HangBeforeAnswer())], ids=["refuses", "accepts", "never answers"]
)
def test_a_dead_data_host(fault: Fault | Rule) -> None:
    """A dead data host counts against whoever redirects to it: that one lists as ever, and is asked later for bytes."""
    with (
        FakeHub([repo(BIG)], [fault], name="cdn") as cdn,
        FakeHub([repo(BIG)], name="hub", cdn=cdn) as hub,
        FakeHub([repo(BIG)], name="good") as good,
    ):
        again(hub, good, files=BIG)
        assert hub.log.requests(kind="body")
        assert places([Endpoint(hub.url), Endpoint(good.url)], remembered(), default=False)[0].grade >= Grade.CRAWLED
        assert not remembered().recall(Endpoint(hub.url)).is_gone
        assert remembered().recall(Endpoint(hub.url)).large_from == cdn.url
        hub.log.clear()
        assert first_giver(again(hub, good, files=BIG, patience=PATIENT)) == good.url
        assert len(hub.log.requests(kind="listing")) == 1


def test_an_endpoint_that_failed() -> None:
    """A chain that the user named keeps its order although its first endpoint did not do well; it is not dead."""
    with FakeHub([repo()], [Status(500)], name="broken") as broken, FakeHub([repo()], name="good") as good:
        again(broken, good)
        known = remembered().recall(Endpoint(broken.url))
        assert (known.is_gone, known.is_failing) == (False, True)
        assert asked(again(broken, good)) == {broken.url, good.url}


@pytest.mark.parametrize(
    "memory",
    [gone(1.0), Memory(faults={"WRONG_DIGEST": 9.0}), Memory(faults={"CRAWLING": 9.0}), gone(QUIET_S + 1)],
    ids=["dead", "lied", "crawled", "dead for long"],
)
def test_the_only_endpoint(memory: Memory) -> None:
    """Whatever is remembered of the only endpoint, it is asked at once, and nothing else than ever."""
    with FakeHub([repo()]) as hub:
        remember(hub, memory=memory)
        again(hub)
        assert [request.kind for request in hub.log.requests()] == ["listing"] + ["body"] * len(FILES)


def test_all_are_dead() -> None:
    """Where everybody is believed dead, the chain is asked as if nothing were known, and nobody is looked after."""
    with FakeHub([repo()], name="a") as first, FakeHub([repo()], name="b") as second:
        remember(first, second, memory=gone(QUIET_S + 1))
        assert asked(again(first, second, patience=PATIENT)) == {first.url}
        assert not second.log.connections
        assert not first.log.requests(kind="other")


def test_what_a_good_call_leaves(carrier: str) -> None:
    """Of whoever did well it is remembered how near and how fast it is, and of its data host the same."""
    with FakeHub([repo(BIG)], name="cdn") as cdn, FakeHub([repo(BIG)], name="hub", cdn=cdn) as hub:
        again(hub, files=BIG)
        endpoint, host = remembered().recall(Endpoint(hub.url)), remembered().recall_host(cdn.url)
        assert (endpoint.large_from, endpoint.takes_range) == (cdn.url, True)
        assert endpoint.heard_at > 0
        assert 0 < endpoint.connect_s < 5
        assert 0 < endpoint.first_byte.mean < 5
        assert endpoint.rate.total == pytest.approx(3_000_000, rel=0.01)
        assert host.rate.total == pytest.approx(3_000_000, rel=0.01)
        assert 0 < host.connect_s < 5
        assert (endpoint.faults, host.faults) == ({}, {})


def test_a_signed_address_is_not_remembered() -> None:
    """Of a data host only the origin is kept: no path and no signature."""
    with FakeHub([repo(BIG)], name="cdn") as cdn, FakeHub([repo(BIG)], name="hub", cdn=cdn) as hub:
        again(hub, files=BIG)
    text = (Settings.load().state_dir / "health.json").read_text()
    assert "model.bin" not in text
    assert "?" not in text


class TestRevival:
    def test_it_is_asked_beside(self) -> None:
        """After a while a dead endpoint is asked once whether it lives, by its front page; the call goes elsewhere."""
        with FakeHub([repo()], name="dead") as dead, FakeHub([repo()], name="good") as good:
            remember(dead, memory=gone(QUIET_S + 1))
            snapshot = fetch("org/name", settings=quick(dead.url, good.url, patience=PATIENT))
            assert asked(snapshot) == {good.url}
            dead.log.wait_until(lambda log: len(log.requests()) == 1)
            assert [request.kind for request in dead.log.requests()] == ["other"]

    def test_not_before_its_time(self) -> None:
        """Within a minute nobody looks."""
        with FakeHub([repo()], name="dead") as dead, FakeHub([repo()], name="good") as good:
            remember(dead, memory=gone(QUIET_S / 2))
            again(dead, good, patience=PATIENT)
            assert not dead.log.connections

    @pytest.mark.parametrize(
        ("faults", "lives"),
        [([], True), ([Status(403)], True), ([RefuseConnection()], False), ([HangBeforeAnswer()], False)],
        ids=["answers", "refuses politely", "refuses", "is silent"],
    )
    def test_what_comes_of_it(self, faults: list[Fault], lives: bool) -> None:
        """Any answer is a sign of life; without one it is dead anew, and left in peace again."""
        with FakeHub([repo()], faults, name="dead") as dead, FakeHub([repo()], name="good") as good:
            remember(dead, memory=gone(QUIET_S + 1))
            assert look(dead, good) == [dead.url] * lives
            known = remembered().recall(Endpoint(dead.url))
            assert known.is_gone is not lives
            assert not remembered().is_due(known)

    def test_a_data_host(self) -> None:
        """A dead data host is asked itself."""
        with FakeHub([repo()], name="cdn") as cdn, FakeHub([repo()], name="hub") as hub, FakeHub() as good:
            health = remembered()
            health.learn(Endpoint(hub.url), replace(sighting(0.1), large_from=cdn.url, heard_at=time.time()))
            health.learn_host(cdn.url, gone(QUIET_S + 1))
            health.save()
            assert look(hub, good) == []
            assert not remembered().recall_host(cdn.url).is_gone
            assert (len(cdn.log.requests()), len(hub.log.requests())) == (1, 0)

    def test_no_credentials(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever only looks shows no token."""
        monkeypatch.setenv("MODELSCOPE_API_TOKEN", "secret")
        with FakeHub([repo()], name="dead", token="secret") as dead, FakeHub(name="good") as good:
            remember(dead, memory=gone(QUIET_S + 1))
            look(dead, good)
            assert len(dead.log.requests()) == 1
            assert not dead.log.tokens_seen()

    def test_one_of_many_processes(self, tmp_path: Path) -> None:
        """Of many processes that start at the same time, one connects to the dead endpoint."""
        with FakeHub([repo()], [HangOnAccept()], name="dead") as dead, FakeHub([repo()], name="good") as good:
            remember(dead, memory=gone(QUIET_S + 1))
            command = [sys.executable, "-W", "error", "-c", MANY, dead.url, good.url]
            calls = [subprocess.Popen([*command, str(tmp_path / f"{n}")], stdin=subprocess.PIPE) for n in range(6)]
            for call in calls:
                assert call.stdin is not None
                call.stdin.close()
            assert [call.wait(50) for call in calls] == [0] * len(calls)
            dead.log.wait_until(lambda log: len(log.connections) > 0)
            assert len(dead.log.connections) == 1


MANY = """
import sys
from mirrorhub import Settings, close, fetch
from mirrorhub.config import Patience

patience = Patience(connect_s=40.0, answer_s=40.0)
settings = Settings.load({"endpoints": sys.argv[1:3], "modelscope_cache": sys.argv[3], "patience": patience})
sys.stdin.read()
fetch("org/name", settings=settings)
close()
"""


def look(*hubs: FakeHub) -> list[str]:
    """See who lives again, wait for what comes of it, and return who is welcome again in the call."""

    async def story() -> None:
        settings = quick(*(hub.url for hub in hubs))
        client, health = Client(build_carrier("curl", route_for(settings))), remembered()
        found = places([Endpoint(hub.url) for hub in hubs], health, default=False)
        see_who_lives_again(found, settings, client, health, welcome.append)
        begun = asyncio.all_tasks() - {asyncio.current_task()}
        assert len(begun) == 1
        await asyncio.gather(*begun)
        await client.aclose()

    welcome: list[Endpoint] = []
    asyncio.run(story())
    return [endpoint.url for endpoint in welcome]
