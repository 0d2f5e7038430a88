"""Each attack of the suite: the bad mirror is named and nothing of it is published; a good one is used where there is.

Everything outside of the repository's own folder is looked at before and after: names, kinds, contents, times.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from mirrorhub import Endpoint
from mirrorhub.errors import PinnedError, ResolutionError, StoreError, TransferError
from tests.fakehub import FakeHub, Repo
from tests.fakehub.repo import HubName
from tests.hostile.arena import Outcome, alone, before_good, face, giving_for_official, scene
from tests.hostile.attack import FILES, HUBS, ID, Attack
from tests.hostile.bodies import BODIES
from tests.hostile.listings import LISTINGS
from tests.hostile.redirects import REDIRECTS
from tests.hostile.wire import WIRE
from tests.hostile.words import WORDS
from tests.locks import lock_now

OFTEN = {
    "path climbs in the middle",
    "path lies in our own folder, hidden",
    "size of 2**63 bytes",
    "more bytes than any disk has",
    "a file that nobody has",
    "next page is a metadata service",
    "altered bytes of equal size",
    "a web page",
    "body to a metadata service",
    "body to a name in percent signs",
    "a header of a megabyte",
    "a packed head that is a bomb",
    "a certificate for another host",
}
"""The attacks that are tried with every run of the tests; the others take their time."""
MOST_MB = 260
"""What a process may come to need, whatever it is sent: itself, a listing of the longest, and that as objects."""


def cases(attacks: Iterable[Attack], carriers: Sequence[str] = ("curl", "httpx")) -> list[object]:
    """Each attack on both hubs; over httpx on the one and the other in turn."""
    made: list[object] = []
    for number, attack in enumerate(attacks):
        every = [(carrier, hub) for carrier in carriers for hub in attack.hubs]
        chosen = attack.hubs[number % len(attack.hubs)]
        for carrier, hub in every:
            if carrier == "httpx" and hub != chosen:
                continue
            often = attack.name in OFTEN and (carrier, hub) == ("curl", chosen)
            marks = () if often else (pytest.mark.slow,)
            made.append(pytest.param(attack, hub, carrier, marks=marks, id=f"{attack}-{hub}-{carrier}"))
    return made


EVERY = cases(LISTINGS, ["curl"]) + cases(BODIES) + cases(REDIRECTS, ["curl"]) + cases(WIRE)


def nothing_touched(outcome: Outcome, attack: Attack) -> None:
    """Whatever came of it, nothing outside has changed and nobody waited for ever."""
    assert outcome.touched == ()
    assert outcome.seconds < attack.limit_s


@pytest.mark.parametrize(("attack", "hub", "carrier"), EVERY)
def test_a_hostile_mirror_alone(
    attack: Attack, hub: HubName, carrier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says who it was and what is wrong with it; nothing is published."""
    monkeypatch.setenv("MIRRORHUB_CARRIER", carrier)
    outcome = face(attack, hub, tmp_path)
    nothing_touched(outcome, attack)
    if attack.alone == "right":
        assert outcome.files == FILES
        return
    assert isinstance(outcome.error, ResolutionError | TransferError | StoreError)
    assert outcome.mirror in str(outcome.error)
    assert attack.says in str(outcome.error) or carrier == "httpx"
    assert outcome.published == {}


@pytest.mark.parametrize(("attack", "hub", "carrier"), EVERY)
def test_a_hostile_mirror_before_a_good_one(
    attack: Attack, hub: HubName, carrier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The right bytes arrive, and the attempts name the one who did not give them."""
    monkeypatch.setenv("MIRRORHUB_CARRIER", carrier)
    outcome = face(attack, hub, tmp_path, before_good)
    nothing_touched(outcome, attack)
    assert outcome.files == FILES
    if attack.alone == "refused" and attack.name != "more bytes than any disk has":
        assert outcome.mirror in outcome.words


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="what a process has used is asked of Unix")
@pytest.mark.parametrize(
    ("carrier", "parts"), [("curl", [LISTINGS, BODIES, WIRE]), ("httpx", [WIRE])], ids=["curl", "httpx"]
)
def test_what_attacks_cost(carrier: str, parts: list[list[Attack]], monkeypatch: pytest.MonkeyPatch) -> None:
    """However much a mirror sends, memory stays bounded, in a process that does nothing else."""
    monkeypatch.setenv("MIRRORHUB_CARRIER", carrier)
    names = [attack.name for part in parts for attack in part if attack.heavy]
    command = [sys.executable, "-m", "tests.hostile", *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=58, check=True)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["name"] for one in told] == names
    assert [one for one in told if one["peak_mb"] >= MOST_MB] == []


def giving(bad: str, good: str) -> Sequence[Endpoint]:
    """A mirror that nobody named, alone."""
    return (Endpoint(bad, can=frozenset({"pull"})),)


def giving_for_named(bad: str, good: str) -> Sequence[Endpoint]:
    """A mirror that only gives bytes, before one that the user believes."""
    return Endpoint(bad, can=frozenset({"pull"})), Endpoint(good, named=True)


def named_before_official(bad: str, good: str) -> Sequence[Endpoint]:
    """A mirror that the user believes, before the hub."""
    return Endpoint(bad, named=True), Endpoint(good, official=True)


words = pytest.mark.parametrize("attack", WORDS, ids=str)
hubs = pytest.mark.parametrize("hub", [HUBS[0], pytest.param(HUBS[1], marks=pytest.mark.slow)])


@words
@hubs
def test_the_word_of_one_who_was_named(attack: Attack, hub: HubName, tmp_path: Path) -> None:
    """Of a lie that fits together, told by the only one who is believed, the result says whose word it is."""
    outcome = face(attack, hub, tmp_path)
    nothing_touched(outcome, attack)
    assert outcome.snapshot is not None
    assert outcome.files != FILES
    assert (outcome.snapshot.vouched_by.kind, outcome.snapshot.vouched_by.name) == ("named", outcome.mirror)


@words
@hubs
def test_the_word_of_one_whom_nobody_named(attack: Attack, hub: HubName, tmp_path: Path) -> None:
    """The word of a mirror is taken where nobody else can be asked, and a warning says so and whose it is."""
    outcome = face(attack, hub, tmp_path, giving)
    nothing_touched(outcome, attack)
    assert outcome.snapshot is not None
    assert outcome.snapshot.vouched_by.kind == "mirror"
    assert f"{outcome.mirror}'s own word" in outcome.warnings


@words
@hubs
@pytest.mark.parametrize("chained", [giving_for_named, giving_for_official], ids=["named", "official"])
def test_a_lie_beside_somebody_who_is_believed(attack: Attack, hub: HubName, chained: object, tmp_path: Path) -> None:
    """A mirror that only gives bytes is held to what the other one lists."""
    outcome = face(attack, hub, tmp_path, chained)  # type: ignore[arg-type]
    nothing_touched(outcome, attack)
    assert outcome.files == FILES
    assert outcome.mirror in outcome.words or not attack.says


@words
@hubs
def test_a_lie_where_only_the_hub_is_believed(attack: Attack, hub: HubName, tmp_path: Path) -> None:
    """With `trust="official"` a mirror's word counts for nothing, named or not: the hub's does, or it is an error."""
    outcome = face(attack, hub, tmp_path, trust="official")
    assert isinstance(outcome.error, ResolutionError)
    assert outcome.published == {}
    both = face(attack, hub, tmp_path, named_before_official, trust="official")
    assert both.files == FILES


@words
@hubs
def test_a_lie_where_only_pins_are_believed(attack: Attack, hub: HubName, tmp_path: Path) -> None:
    """With `trust="lock"` nobody's word counts."""
    outcome = face(attack, hub, tmp_path, alone, trust="lock")
    assert isinstance(outcome.error, PinnedError)
    assert outcome.published == {}


@words
@hubs
def test_a_lie_under_a_lock_file(attack: Attack, hub: HubName, tmp_path: Path) -> None:
    """With a lock file nobody's word is asked for: the locked bytes come, or an error that names who gave others."""
    place = tmp_path / "project" / "mirrorhub.lock"
    (tmp_path / "before" / "home").mkdir(parents=True)
    place.parent.mkdir()
    with scene(tmp_path / "before"), FakeHub([Repo(hub, ID, FILES)]) as honest:
        lock_now(place, honest, f"{hub}:{ID}")
    outcome = face(attack, hub, tmp_path, lockfile=place)
    nothing_touched(outcome, attack)
    assert outcome.files in ({}, FILES)
    if outcome.error is not None:
        assert isinstance(outcome.error, PinnedError)
        assert outcome.mirror in str(outcome.error)
        assert outcome.published == {}
    both = face(attack, hub, tmp_path, before_good, lockfile=place)
    assert both.files == FILES
