"""A listing that nothing fits does not end a call in which somebody else can tell what there is."""

from __future__ import annotations

import pytest

from mirrorhub import Endpoint, fetch
from mirrorhub.config import Settings
from mirrorhub.errors import IntegrityError, TransferError
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import RefuseConnection
from tests.fakehub.rules import Fault, Rule
from tests.hostile.attack import FILES, ID, saying
from tests.quick import quick

LIE = saying(sha256="0" * 64)


def hub(*faults: Fault | Rule, name: str = "a") -> FakeHub:
    """A hub that holds the files."""
    return FakeHub([Repo("modelscope", ID, FILES)], faults, name=name)


def giving(*hubs: FakeHub, **more: object) -> Settings:
    """Settings for a chain of mirrors whose word nobody has asked for."""
    return quick(*(Endpoint(one.url, can=frozenset({"pull"})) for one in hubs), **more)


@pytest.mark.parametrize("trust", ["auto", "any"])
def test_two_that_lie_before_one_that_does_not(trust: str) -> None:
    """Everybody who lists what is not is doubted in turn, and the attempts of all are told."""
    with hub(LIE) as one, hub(LIE, name="b") as two, hub(name="c") as good:
        snapshot = fetch(ID, settings=quick(one.url, two.url, good.url, trust=trust))
    assert (snapshot.path / "model.bin").read_bytes() == FILES["model.bin"]
    assert snapshot.vouched_by.name == good.url
    assert {one.url, two.url, good.url} <= {attempt.endpoint for attempt in snapshot.attempts}


def test_mirrors_whose_word_nobody_asked_for() -> None:
    """Where mirrors have to be taken at their word, one that nothing fits is left for the next."""
    with hub(LIE) as one, hub(name="b") as good:
        snapshot = fetch(ID, settings=giving(one, good))
    assert (snapshot.vouched_by.kind, snapshot.vouched_by.name) == ("mirror", good.url)


@pytest.mark.parametrize("trust", ["auto", "any"])
def test_all_that_can_be_asked_lie(trust: str) -> None:
    """Where nobody tells the truth the call ends, and names each of them."""
    with hub(LIE) as one, hub(LIE, name="b") as two:
        with pytest.raises(TransferError) as caught:
            fetch(ID, settings=quick(one.url, two.url, trust=trust))
        with pytest.raises(TransferError):
            fetch(ID, settings=giving(one, two, trust=trust))
    assert one.url in str(caught.value)
    assert two.url in str(caught.value)


def test_whoever_else_is_believed_is_silent() -> None:
    """Where the others cannot be asked, the error is that of the one who could."""
    with hub(LIE) as one, hub(RefuseConnection(), name="b") as dead, pytest.raises(IntegrityError) as caught:
        fetch(ID, settings=quick(one.url, dead.url))
    assert one.url in str(caught.value)


def test_the_hub_itself_is_not_doubted() -> None:
    """What an official hub lists is the truth: a mirror that says otherwise is not asked."""
    with hub(LIE) as official, hub(name="b") as mirror, pytest.raises(IntegrityError):
        fetch(ID, settings=quick(Endpoint(official.url, official=True), Endpoint(mirror.url, can=frozenset({"pull"}))))
    assert not mirror.log.requests(kind="listing")
