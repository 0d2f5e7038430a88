"""With nobody to ask, what is complete on disk is returned and marked; never a mixture, and never against the trust."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mirrorhub import Endpoint, Snapshot, errors, fetch, file_download
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import (
    Alter,
    Close,
    HangBeforeAnswer,
    HangInBody,
    HangOnAccept,
    Html,
    NotJson,
    RedirectLoop,
    RefuseConnection,
    Reset,
    Status,
    Truncate,
)
from tests.fakehub.repo import HubName, sample_bytes
from tests.fakehub.rules import ConnectionFault, Fault, Rule
from tests.quick import IMPATIENT, quick

OLD = {"config.json": b"old", "model.bin": sample_bytes("old", 300_000), "same.txt": b"same"}
NEW = {"config.json": b"new", "model.bin": sample_bytes("new", 300_000)}


@pytest.fixture(params=["modelscope", "huggingface", pytest.param("local", marks=pytest.mark.slow)])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Both caches, and with the slow tests a folder of the user's."""
    if request.param == "local":
        return {"hub": "modelscope", "local_dir": tmp_path / "local"}
    return {"hub": request.param}


@pytest.fixture
def repo(where: dict[str, Any]) -> Repo:
    """A repository."""
    return Repo(where["hub"], "org/name", OLD)


@pytest.fixture
def hub(repo: Repo) -> Iterator[FakeHub]:
    """Who holds it."""
    with FakeHub([repo]) as hub:
        yield hub


@pytest.fixture
def stored(where: dict[str, Any], hub: FakeHub) -> Snapshot:
    """It has been fetched."""
    return fetch("org/name", settings=quick(hub.url), **where)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was warned of."""
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def content(snapshot: Snapshot) -> dict[str, bytes]:
    """Its files."""
    return {name: (snapshot.path / name).read_bytes() for name in snapshot.files}


def down(fault: Fault | ConnectionFault) -> Callable[[], str]:
    """Return who makes an address at which that goes wrong."""

    def address() -> str:
        holder = [Repo(name, "org/name", OLD) for name in ("modelscope", "huggingface")]
        rule = fault if isinstance(fault, ConnectionFault) else Rule(fault, lambda request: True)
        hub = FakeHub(holder, [rule], name="down")
        hub.start()
        started.append(hub)
        return hub.url

    return address


def stopped() -> str:
    """The address of a hub that is no more."""
    with FakeHub([]) as hub:
        return hub.url


def of_another_authority() -> str:
    """The address of a hub whose certificate nobody should accept."""
    hub = FakeHub([], cert="expired")
    hub.start()
    started.append(hub)
    return hub.url


started: list[FakeHub] = []


@pytest.fixture(autouse=True)
def all_stopped() -> Iterator[None]:
    """Nothing listens after a test."""
    yield
    while started:
        started.pop().stop()


DOWN: dict[str, Callable[[], str]] = {
    "stopped": stopped,
    "refused": down(RefuseConnection()),
    "hangs on accept": down(HangOnAccept()),
    "hangs before the answer": down(HangBeforeAnswer()),
    "503": down(Status(503)),
    "429": down(Status(429)),
    "500": down(Status(500)),
    "reset": down(Reset()),
    "closed": down(Close()),
    "a page of html": down(Html()),
    "not json": down(NotJson()),
    "redirects in a circle": down(RedirectLoop()),
    "an expired certificate": of_another_authority,
    "no such host": lambda: "https://nowhere.invalid",
}


@pytest.mark.parametrize("kind", DOWN)
def test_every_kind_of_down(
    where: dict[str, Any], stored: Snapshot, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """However all endpoints fail, the snapshot is returned, marked as stale, with one warning and what was tried."""
    address = DOWN[kind]()
    settings = quick(address, silence_s=0.3, patience=replace(IMPATIENT, connect_limit_s=0.3))
    snapshot = fetch("org/name", settings=settings, **where)
    assert (snapshot.path, snapshot.stale, snapshot.verified) == (stored.path, True, True)
    assert content(snapshot) == OLD
    assert {attempt.endpoint for attempt in snapshot.attempts} == {address}
    (said,) = warnings(caplog)
    assert "no endpoint could be asked" in said
    assert str(stored.path) in said


def test_who_wants_nothing_old(where: dict[str, Any], stored: Snapshot, hub: FakeHub, repo: Repo) -> None:
    """With `allow_stale=False` it is the endpoints' error, wherever it happened, and the snapshot is left as it is."""
    with pytest.raises(errors.ResolutionError):
        fetch("org/name", settings=quick(stopped()), allow_stale=False, **where)
    repo.commit(NEW)
    hub.set_faults(Rule(Status(503), "body"))
    with pytest.raises(errors.TransferError):
        fetch("org/name", settings=quick(hub.url), allow_stale=False, **where)
    assert content(stored) == OLD


def test_down_in_different_ways(where: dict[str, Any], stored: Snapshot) -> None:
    """Several endpoints, each down in its own way, are down."""
    addresses = [DOWN[kind]() for kind in ("stopped", "503", "a page of html")]
    assert fetch("org/name", settings=quick(*addresses), **where).stale


def test_no_snapshot_is_no_answer(where: dict[str, Any]) -> None:
    """Where nothing is on disk, the error is that of the endpoints."""
    with pytest.raises(errors.ResolutionError, match="No endpoint"):
        fetch("org/name", settings=quick(stopped()), **where)


def test_another_revision_is_no_answer(where: dict[str, Any], hub: FakeHub, repo: Repo) -> None:
    """A tag is not taken for the default revision because nothing else is there; asked for by name it is returned."""
    repo.tag("v1.0")
    repo.commit(NEW)
    tagged = fetch("org/name", "v1.0", settings=quick(hub.url), **where)
    hub.stop()
    with pytest.raises(errors.ResolutionError, match="No endpoint"):
        fetch("org/name", settings=quick(hub.url), **where)
    assert fetch("org/name", "v1.0", settings=quick(hub.url), **where).stale
    assert fetch("org/name", tagged.manifest.revision, local_files_only=True, **where).path == tagged.path


def test_a_default_branch_that_was_named(where: dict[str, Any], hub: FakeHub, repo: Repo) -> None:
    """What was brought by the default branch's name is the default revision, whatever else leads to that commit."""
    branch = "master" if where["hub"] == "modelscope" else "main"
    repo.tag("v1.0")
    fetch("org/name", branch, settings=quick(hub.url), **where)
    if "local_dir" not in where:
        fetch("org/name", "v1.0", settings=quick(hub.url), **where)
    hub.stop()
    assert content(fetch("org/name", settings=quick(hub.url), **where)) == OLD


def test_a_part_will_do_for_a_part(where: dict[str, Any], hub: FakeHub) -> None:
    """Complete means: all files that are wanted now."""
    fetch("org/name", settings=quick(hub.url), allow_patterns="*.json", **where)
    hub.stop()
    assert fetch("org/name", settings=quick(hub.url), allow_patterns="*.json", **where).stale
    for wanted in (None, "*.bin", "*.nothing"):
        with pytest.raises(errors.ResolutionError, match="No endpoint"):
            fetch("org/name", settings=quick(hub.url), allow_patterns=wanted, **where)


def test_verified_when_asked(where: dict[str, Any], stored: Snapshot) -> None:
    """With `verify=True` the stale snapshot is hashed, and what does not match is no answer."""
    address = stopped()
    assert fetch("org/name", settings=quick(address), verify=True, **where).stale
    file = stored.path / "model.bin"
    before = file.stat()
    with file.open("r+b") as opened:
        opened.write(b"?")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert fetch("org/name", settings=quick(address), **where).stale
    with pytest.raises(errors.ResolutionError):
        fetch("org/name", settings=quick(address), verify=True, **where)


def test_force_means_anew(where: dict[str, Any], stored: Snapshot) -> None:
    """Who wants the files anew does not want the old ones."""
    with pytest.raises(errors.ResolutionError):
        fetch("org/name", settings=quick(stopped()), force_download=True, **where)


def test_a_no_is_an_answer(where: dict[str, Any], stored: Snapshot, hub: FakeHub, repo: Repo) -> None:
    """A hub that says no is not down: what it refuses is not handed out from the disk."""
    repo.private = True
    with pytest.raises(errors.ResolutionError) as caught:
        fetch("org/name", settings=quick(hub.url), **where)
    assert isinstance(caught.value, errors.RepoNotFoundError | errors.AccessDeniedError)


DEAD_BODIES = {"503": Status(503), "reset": Reset(), "truncated": Truncate(10)}
HANGING_BODIES = {"hangs": HangBeforeAnswer(), "hangs in the body": HangInBody()}
# How long is waited does not depend on where the files lie.
LAYOUTS = [(layout, fault) for layout in ("modelscope", "huggingface", "local") for fault in DEAD_BODIES.items()]
DYING = [*LAYOUTS, *(("modelscope", fault) for fault in HANGING_BODIES.items())]


@pytest.mark.parametrize(
    ("where", "fault"),
    [(layout, fault) for layout, (_, fault) in DYING],
    ids=[f"{layout}-{kind}" for layout, (kind, _) in DYING],
    indirect=["where"],
)
def test_down_after_the_listing(
    where: dict[str, Any], stored: Snapshot, hub: FakeHub, repo: Repo, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    """Endpoints that die after the listing leave the old snapshot: whole, unmixed, marked, with one warning."""
    repo.commit(NEW)
    hub.set_faults(Rule(fault, "body"))
    settings = quick(hub.url, silence_s=1.0)
    snapshot = fetch("org/name", settings=settings, **where)
    assert (snapshot.path, snapshot.stale) == (stored.path, True)
    assert content(snapshot) == OLD
    assert snapshot.manifest.files == stored.manifest.files
    assert snapshot.attempts
    assert len([said for said in warnings(caplog) if "could not be brought" in said]) == 1
    hub.set_faults()
    assert content(fetch("org/name", settings=quick(hub.url), **where)) == {**OLD, **NEW}


def test_one_file_of_many_does_not_come(where: dict[str, Any], stored: Snapshot, hub: FakeHub, repo: Repo) -> None:
    """When some of the new files have come and one cannot, the old snapshot is not mixed with them."""
    repo.commit(NEW)
    hub.set_faults(Rule(Status(503), "model.bin"))
    snapshot = fetch("org/name", settings=quick(hub.url), **where)
    assert snapshot.stale
    assert content(snapshot) == OLD
    assert (snapshot.path / "config.json").read_bytes() == b"old"


def test_lies_are_not_covered_up(where: dict[str, Any], stored: Snapshot, hub: FakeHub, repo: Repo) -> None:
    """Endpoints that give wrong bytes are not down: that is an error, and the old snapshot is left as it is."""
    repo.commit(NEW)
    hub.set_faults(Rule(Alter(), "model.bin"))
    with pytest.raises(errors.IntegrityError):
        fetch("org/name", settings=quick(hub.url), **where)
    assert content(stored) == OLD


def test_a_new_file_that_is_not_in_the_old_snapshot(
    where: dict[str, Any], stored: Snapshot, hub: FakeHub, repo: Repo
) -> None:
    """A file that only the new commit has cannot be had from the old one: the transfer's own error is raised."""
    repo.commit({"brand-new.bin": b"n" * 1000})
    hub.set_faults(Rule(Status(503), "body"))
    options = {"hub": where["hub"], "settings": quick(hub.url), "local_dir": where.get("local_dir")}
    with pytest.raises(errors.TransferError, match=r"brand-new\.bin"):
        file_download("org/name", "brand-new.bin", **options)


def test_a_damaged_snapshot_is_not_complete(where: dict[str, Any], stored: Snapshot, hub: FakeHub, repo: Repo) -> None:
    """An old snapshot with a damaged file is no answer when nobody can give the file."""
    (stored.path / "model.bin").write_bytes(b"damaged")
    hub.set_faults(Rule(Status(503), "body"))
    with pytest.raises(errors.TransferError):
        fetch("org/name", settings=quick(hub.url), **where)


def test_trust_holds(where: dict[str, Any], stored: Snapshot) -> None:
    """What somebody vouched for whose word does not count now is no answer, however many endpoints are down."""
    with pytest.raises(errors.ResolutionError):
        fetch("org/name", settings=quick(stopped(), trust="official"), **where)
    assert fetch("org/name", settings=quick(stopped(), trust="any"), **where).stale


def test_a_commit_and_trust() -> None:
    """A commit on disk is a hit without asking only if who vouched for it counts now."""
    repo = Repo("huggingface", "org/name", OLD)
    with FakeHub([repo]) as hub:
        fetch("hf://org/name", repo.head.id, settings=quick(hub.url))
        hub.log.clear()
        assert fetch("hf://org/name", repo.head.id, settings=quick(hub.url)).files
        assert not hub.log.requests()
        with pytest.raises(errors.ResolutionError):
            fetch("hf://org/name", repo.head.id, settings=quick(hub.url, trust="official"), allow_stale=False)


@pytest.mark.parametrize("hub_name", ["modelscope", "huggingface"])
def test_another_hub_says_no(hub_name: HubName) -> None:
    """Where an official hub cannot be asked, another one's no is not the last word: what is on disk is returned."""
    with FakeHub([Repo(hub_name, "org/name", OLD)]) as hub, FakeHub([]) as other:
        here, there = (Endpoint(one.url, hub_name, official=True) for one in (hub, other))
        path = fetch("org/name", hub=hub_name, settings=quick(here, there)).path
        hub.set_faults(Status(503))
        found = fetch("org/name", hub=hub_name, settings=quick(here, there))
        assert (found.path, found.stale) == (path, True)
        with pytest.raises(errors.RepoNotFoundError, match=f"{hub.url} could not be asked, and may have it"):
            fetch("org/name", hub=hub_name, settings=quick(here, there), allow_stale=False)
        hub.set_faults(Status(404, json={"Code": 404, "Message": "gone", "error": "Repository not found"}))
        with pytest.raises(errors.RepoNotFoundError) as caught:
            fetch("org/name", hub=hub_name, settings=quick(here, there))
        assert "could not be asked" not in str(caught.value)
