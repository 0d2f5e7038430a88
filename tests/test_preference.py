"""Who is asked when, by what is remembered: decided by values alone, for the default chain and for a user's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mirrorhub import Endpoint, Settings
from mirrorhub.endpoints import endpoints_for
from mirrorhub.health import Health
from mirrorhub.health.memory import Memory, sighting
from mirrorhub.health.preference import Grade, Place, order_to_pull, places
from mirrorhub.models import Repo

NOW = 1_000_000.0
A, B, C = (Endpoint(f"https://{name}.test") for name in "abc")
WHEEL = Endpoint("package==1.0", "wheel", can=frozenset({"pull"}))
CDN = "https://cdn.test"


def did(*faults: str, well: bool = False, is_gone: bool = False, rate: int = 0, data: str | None = None) -> Memory:
    """What a call has told."""
    return replace(
        sighting(0.1, 0.1, 10 * rate, 10.0),
        faults=dict.fromkeys(faults, 1.0),
        heard_at=NOW if well else 0.0,
        failed_at=0.0 if well else NOW,
        gone_at=NOW if is_gone else 0.0,
        large_from=data,
    )


REFUSED = did("REFUSED", is_gone=True)
BUSY = did("SERVER_ERROR")
CRAWLED = did("CRAWLING", well=True)
LIED = did("WRONG_DIGEST")
FINE, FAST, SLOW = did(well=True), did(well=True, rate=1_000_000), did(well=True, rate=400_000)
BEHIND = did(well=True, data=CDN)


def placed(
    folder: Path, memories: list[Memory], *, default: bool = True, host: Memory | None = None, index: bool = False
) -> tuple[Place, ...]:
    """A chain of A, B and C (and a package index), of which this is remembered."""
    health = Health(folder, lambda: NOW)
    for endpoint, memory in zip((A, B, C), memories, strict=True):
        health.learn(endpoint, memory)
    if host:
        health.learn_host(CDN, host)
    return places([A, B, C, WHEEL] if index else [A, B, C], health, default=default)


def letters(endpoints: list[Endpoint]) -> str:
    """Their names, in order; of a package index, `w`."""
    return "".join("w" if one.hub == "wheel" else one.url.removeprefix("https://")[0] for one in endpoints)


@pytest.mark.parametrize(
    ("memories", "by_default", "of_a_user"),
    [
        ([FINE, FINE, FINE], "abc", "abc"),
        ([REFUSED, FINE, FINE], "bca", "bca"),
        ([BUSY, FINE, FINE], "bca", "abc"),
        ([CRAWLED, FINE, FINE], "bca", "bca"),
        ([LIED, FINE, FINE], "bca", "bca"),
        ([SLOW, FAST, FINE], "bca", "abc"),
        ([FAST, SLOW, FINE], "acb", "abc"),
        ([SLOW, FINE, FINE], "abc", "abc"),
        ([did(well=True, rate=600_000), FAST, FINE], "abc", "abc"),
        ([SLOW, replace(FAST, faults={"WRONG_DIGEST": 1.0}), FINE], "acb", "acb"),
        ([SLOW, did(well=True, rate=50_000), replace(FINE, rate=did(rate=90_000).rate)], "abc", "abc"),
        ([LIED, REFUSED, CRAWLED], "cba", "cba"),
        ([REFUSED, REFUSED, REFUSED], "abc", "abc"),
        ([REFUSED, LIED, REFUSED], "acb", "acb"),
        ([REFUSED, REFUSED, BUSY], "cab", "cab"),
    ],
    ids=[
        "all is well",
        "one refuses",
        "one failed",
        "one crawled",
        "one lied",
        "another one is much better",
        "the first is the best",
        "nobody knows whether others are better",
        "another one is a little better",
        "a liar is no measure",
        "too few bytes to tell",
        "each in another way",
        "all are dead",
        "all but a liar are dead",
        "all but one that failed are dead",
    ],
)
def test_the_order_for_bytes(memories: list[Memory], by_default: str, of_a_user: str, tmp_path: Path) -> None:
    """What failed, crawls, is dead or lies comes later, in this order; what a user named only for the last three."""
    assert letters(order_to_pull(placed(tmp_path / "default", memories))) == by_default
    assert letters(order_to_pull(placed(tmp_path / "user", memories, default=False))) == of_a_user


def test_the_order_for_listings(tmp_path: Path) -> None:
    """Who says what a repository holds is asked in the chain's order, whatever is remembered; only the dead wait."""
    found = placed(tmp_path, [LIED, FAST, REFUSED])
    assert letters([place.endpoint for place in found]) == "abc"
    assert [place.is_gone for place in found] == [False, False, True]


@pytest.mark.parametrize(
    ("host", "grade"), [(REFUSED, Grade.GONE), (CRAWLED, Grade.CRAWLED), (LIED, Grade.LIED)], ids=lambda one: str(one)
)
def test_a_data_host(host: Memory, grade: Grade, tmp_path: Path) -> None:
    """Whoever redirects to a bad data host is asked for bytes as late as if it were bad itself, but lists as ever."""
    found = placed(tmp_path, [BEHIND, BEHIND, FINE], default=False, host=host)
    assert letters(order_to_pull(found)) == "cab"
    assert [place.grade for place in found] == [grade, grade, Grade.IN_ITS_PLACE]
    assert [place.is_gone for place in found] == [False] * 3
    assert bool(found[0].gone_hosts) == (grade is Grade.GONE)


def test_everybody_behind_a_dead_data_host(tmp_path: Path) -> None:
    """Where every endpoint redirects to the same dead host, nothing is changed for it."""
    found = placed(tmp_path, [BEHIND, BEHIND, BEHIND], host=REFUSED)
    assert letters(order_to_pull(found)) == "abc"
    assert [place.gone_hosts for place in found] == [[]] * 3


@pytest.mark.parametrize(
    ("memories", "order"),
    [
        ([FINE, BUSY, REFUSED], "abwc"),
        ([BUSY, CRAWLED, REFUSED], "abwc"),
        ([REFUSED, REFUSED, REFUSED], "abcw"),
    ],
    ids=["some work", "none works well", "all are dead"],
)
def test_a_package_index(memories: list[Memory], order: str, tmp_path: Path) -> None:
    """A package index is asked after whoever still gives bytes, however badly, and before the dead, unless all are."""
    assert letters(order_to_pull(placed(tmp_path, memories, index=True))) == order


def test_a_named_endpoint_in_the_default_chain(tmp_path: Path) -> None:
    """What HF_ENDPOINT names keeps its place in the default chain, while the others may change theirs."""
    settings = Settings(huggingface_endpoint="https://mine.test")
    chain = endpoints_for(Repo("huggingface", "org/name"), settings)
    health = Health(tmp_path, lambda: NOW)
    for endpoint, memory in zip(chain, (BUSY, BUSY, FINE), strict=True):
        health.learn(endpoint, memory)
    order = order_to_pull(places(chain, health, default=True))
    assert [one.url for one in order] == ["https://mine.test", "https://hf-mirror.com", "https://huggingface.co"]


def test_nobody_is_left_out(tmp_path: Path) -> None:
    """Whatever is remembered, everybody is in the order, once."""
    for number, memories in enumerate([[LIED, REFUSED, CRAWLED], [LIED] * 3, [REFUSED] * 3]):
        found = placed(tmp_path / f"{number}", memories, index=True)
        assert {*order_to_pull(found)} == {A, B, C, WHEEL}
        assert len(order_to_pull(found)) == 4


def test_why(tmp_path: Path) -> None:
    """Each place says in words why it is where it is; of a redirect, whose fault it is."""
    found = placed(tmp_path, [BEHIND, LIED, FINE], host=REFUSED)
    assert [place.why for place in found] == [
        "https://cdn.test, which it redirects to, could not be reached",
        "it gave wrong bytes lately",
        "",
    ]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("DNS", "it could not be reached"),
        ("REFUSED", "it could not be reached"),
        ("CONNECT_TIMEOUT", "it could not be reached"),
        ("READ_TIMEOUT", "it gave no answer"),
        ("RESET", "it gave no answer"),
    ],
)
def test_why_the_dead_are_asked_later(fault: str, words: str, tmp_path: Path) -> None:
    """Of whom there was no connection to, it is not said that it was silent."""
    gone = Memory(faults={fault: 1.0}, gone_at=NOW, failed_at=NOW)
    assert placed(tmp_path / "one", [gone, FINE, FINE])[0].why == words
    everybody = placed(tmp_path / "all", [gone, gone, gone])
    assert everybody[0].why == f"{words}, like all others, and is asked as if nothing were known"
