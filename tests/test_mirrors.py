"""A chain of mirrors of which few work: the right bytes come, and nothing wrong is ever seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mirrorhub import Endpoint, fetch
from mirrorhub.api import why
from mirrorhub.errors import IntegrityError, RepoNotFoundError, ResolutionError, TransferError
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import (
    Alter,
    Drip,
    HangBeforeAnswer,
    HangInBody,
    HangOnAccept,
    LateHandshake,
    NoDigests,
    RefuseConnection,
)
from tests.fakehub.messages import Request, Response
from tests.fakehub.repo import sample_bytes
from tests.fakehub.rules import Fault, Rule
from tests.quick import IMPATIENT, quick

FILES = {
    "config.json": b'{"a": 1}',
    "empty.txt": b"",
    "sub/tokens.txt": sample_bytes("tokens", 40_000),
    "model.bin": sample_bytes("model", 3_000_000),
}
HUBS = ("modelscope", "huggingface")


def repos() -> list[Repo]:
    """The same files on both kinds of hub."""
    return [Repo(hub, "org/name", FILES) for hub in HUBS]


@pytest.fixture
def four() -> Iterator[list[FakeHub]]:
    """One that refuses, one that hangs, one that alters, one that is good."""
    faults = [[RefuseConnection()], [HangBeforeAnswer()], [Alter()], []]
    with ExitStack() as stack:
        yield [
            stack.enter_context(FakeHub(repos(), fault, name=name, token="secret"))
            for name, fault in zip("rhag", faults, strict=True)
        ]


def written(root: Path) -> dict[str, bytes]:
    """Every published file below a directory, our own notes left out."""
    files = (path for path in root.rglob("*") if path.is_file() and ".mirrorhub" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("hub", HUBS)
def test_only_the_last_of_four_works(four: list[FakeHub], carrier: str, hub: str) -> None:
    """Refused, hung and altered endpoints cost little, and the good one's bytes are published."""
    snapshot = fetch("org/name", hub=hub, endpoints=[hub.url for hub in four])
    assert written(snapshot.path) == FILES
    assert all(len(endpoint.log.connections) <= 1 for endpoint in four)
    assert not any(endpoint.log.heads for endpoint in four)
    assert {attempt.endpoint for attempt in snapshot.attempts} == {endpoint.url for endpoint in four}


def test_altered_bytes_everywhere(carrier: str, tmp_path: Path) -> None:
    """When nobody has the right bytes the error says who gave what, and nothing is published."""
    with (
        FakeHub(repos(), [Alter()], name="a") as one,
        FakeHub(repos(), [Alter(offset=7)], name="b") as other,
        pytest.raises(IntegrityError) as caught,
    ):
        fetch("org/name", endpoints=[one.url, other.url], allow_patterns="model.bin")
    assert caught.value.file == "model.bin"
    assert set(caught.value.actual) == {one.url, other.url}
    assert not list((tmp_path / "ms").rglob("model.bin"))


@dataclass(frozen=True)
class Move(Fault):
    """Right after the listing was made, the branch moves to other files."""

    repo: Repo
    files: Mapping[str, bytes]

    def after(self, request: Request, response: Response) -> Response:
        """Move it, and give the listing of before."""
        self.repo.commit(self.files, delete=FILES.keys() - self.files.keys())
        return response.with_body(response.read())


@pytest.mark.parametrize("files", [{**FILES, "model.bin": b"new"}, {"config.json": b"{}"}], ids=["changed", "gone"])
def test_a_branch_that_moves_between_listing_and_bodies(files: dict[str, bytes], carrier: str) -> None:
    """Files that are not as they were listed because the branch has moved are fetched as it is now, all of them."""
    moving = Repo("modelscope", "org/name", FILES)
    with FakeHub([moving], [Rule(Move(moving, files), "listing", times=1)]) as hub:
        snapshot = fetch("org/name", settings=quick(hub.url))
    assert written(snapshot.path) == files
    assert why("org/name")[0].outcome == "published"


def test_wrong_bytes_first_and_a_crawl_next() -> None:
    """Bytes that came in vain are still to come: a crawling endpoint is left for a good one after them, too."""
    with (
        FakeHub(repos(), [Alter()], name="a") as wrong,
        FakeHub(repos(), [Rule(Drip(bytes_per_s=20_000), "model.bin")], name="b") as slow,
        FakeHub(repos(), name="c") as good,
    ):
        snapshot = fetch("org/name", endpoints=[wrong.url, slow.url, good.url], timeout=20)
    assert written(snapshot.path) == FILES


def test_a_crawl_beside_one_that_could_not_be_reached_once() -> None:
    """An endpoint that failed when it was tried beside a crawling one is tried again, and brings what is left."""
    with (
        FakeHub(repos(), [Rule(Drip(bytes_per_s=20_000), "model.bin")], name="a") as slow,
        FakeHub(repos(), [Rule(RefuseConnection(), times=1)], name="b") as late,
    ):
        snapshot = fetch("org/name", settings=quick(slow.url, late.url))
    assert written(snapshot.path) == FILES
    assert late.log.bytes_sent_by_file()["model.bin"] > 2_000_000


def test_a_large_file_that_hangs_keeps_nobody_waiting() -> None:
    """A large file that comes whole takes no more room than is read ahead of it: the others come beside it."""
    files = {name: sample_bytes(name, 12_000_000) for name in ("a.bin", "b.bin")}
    hang = [NoDigests(), Rule(HangInBody(after_bytes=100_000), "a.bin")]
    with FakeHub([Repo("modelscope", "org/name", files)], hang) as hub, pytest.raises(TransferError):
        fetch("org/name", settings=quick(hub.url, silence_s=1.0))
    assert hub.log.bytes_sent_by_file()["b.bin"] == 12_000_000


def test_a_token_goes_to_nobody_it_is_not_for(four: list[FakeHub], monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in the environment is sent to none of the endpoints that the user named as mirrors."""
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "secret")
    fetch("org/name", endpoints=[hub.url for hub in four], token="secret")
    assert [hub.log.tokens_seen() for hub in four] == [set()] * 4


def test_a_token_goes_to_the_one_endpoint_it_was_given_with() -> None:
    """An explicit token opens a private repository at the only endpoint of the call."""
    with FakeHub([Repo("modelscope", "org/name", FILES, private=True)], token="secret") as hub:
        assert written(fetch("org/name", endpoints=hub.url, token="secret").path) == FILES
        assert hub.log.tokens_seen()


def test_nobody_listens() -> None:
    """A chain that refuses ends in one error with every attempt, the endpoint first."""
    with FakeHub(repos(), [RefuseConnection()]) as hub, pytest.raises(ResolutionError) as caught:
        fetch("org/name", settings=quick(hub.url))
    assert caught.value.attempts
    assert f"{hub.url}: listing: " in str(caught.value)


def test_one_hub_says_no_and_the_other_cannot_be_reached() -> None:
    """Where one of two official hubs says that there is no such repository, the dead one is asked twice, no more."""
    with FakeHub([], name="a") as hub, FakeHub([], [RefuseConnection()], name="b") as dead:
        chain = [Endpoint(one.url, official=True, named=True) for one in (hub, dead)]
        with pytest.raises(RepoNotFoundError) as caught:
            fetch("org/name", settings=quick(*chain))
    assert [attempt.endpoint for attempt in caught.value.attempts] == [hub.url, dead.url, dead.url]


def test_tls_that_never_answers(carrier: str) -> None:
    """An endpoint that accepts and then says nothing is overtaken."""
    with FakeHub(repos(), [HangOnAccept()], name="h") as silent, FakeHub(repos(), name="g") as good:
        snapshot = fetch("org/name", endpoints=[silent.url, good.url])
    assert written(snapshot.path) == FILES
    assert not silent.log.requests()
    (overtaken,) = (attempt.outcome for attempt in snapshot.attempts if attempt.endpoint == silent.url)
    assert overtaken == "silent, another one was faster"


def test_a_listing_that_drips(carrier: str) -> None:
    """An endpoint whose listing comes byte by byte is overtaken like a silent one."""
    with (
        FakeHub(repos(), [Rule(Drip(bytes_per_s=20), "listing")], name="d") as slow,
        FakeHub(repos(), name="g") as good,
    ):
        snapshot = fetch("org/name", settings=quick(slow.url, good.url))
    assert written(snapshot.path) == FILES
    assert snapshot.vouched_by.name == good.url


def test_a_blob_is_never_moved_out_of_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without links a shared file is copied: the snapshot that links to its blob stays whole."""
    repo = Repo("huggingface", "org/name", {"shared.bin": b"s" * 3000, "a.txt": b"1"})
    with FakeHub([repo]) as hub:
        first = fetch("hf://org/name", endpoints=hub.url).path
        repo.commit({"a.txt": b"2"})
        monkeypatch.setenv("HF_HUB_DISABLE_SYMLINKS", "1")
        second = fetch("hf://org/name", endpoints=hub.url).path
    assert written(first) == {"shared.bin": b"s" * 3000, "a.txt": b"1"}
    assert written(second) == {"shared.bin": b"s" * 3000, "a.txt": b"2"}


def test_a_believed_endpoint_that_does_not_connect(caplog: pytest.LogCaptureFixture) -> None:
    """A hub that cannot be reached keeps a mirror's listing waiting for a short while, and next time a shorter one."""
    with FakeHub(repos(), [HangOnAccept()], name="a") as dead, FakeHub(repos(), name="b") as mirror:
        chain = (Endpoint(dead.url, named=True), Endpoint(mirror.url, can=frozenset({"pull"})))
        settings = quick(*chain)
        snapshots = [fetch("org/name", settings=settings) for _ in range(2)]
    assert written(snapshots[0].path) == FILES
    assert caplog.text.count("own word") == 2
    outcomes = [snapshot.attempts[0].outcome for snapshot in snapshots]
    assert outcomes == [f"no connection to {dead.url} within {seconds} s" for seconds in (1.8, 0.6)]
    assert settings.patience.connect_limit_s > 1.8


def test_a_believed_endpoint_that_connects_late(carrier: str) -> None:
    """A hub that is too far for that patience is asked again beside the mirrors, for as long as it takes."""
    with FakeHub(repos(), [Rule(LateHandshake(delay_s=1.0))], name="a") as late:
        chain = (Endpoint(late.url, named=True), Endpoint("https://localhost:9", can=frozenset({"pull"})))
        patience = replace(IMPATIENT, connect_s=0.05, connect_limit_s=10.0)
        snapshot = fetch("org/name", settings=replace(quick(*chain), patience=patience))
    assert written(snapshot.path) == FILES
    assert snapshot.vouched_by.kind == "named"
