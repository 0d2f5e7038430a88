"""How bytes come, by the hub's own log: how many connections and requests, which bytes twice, who was asked what."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from tqdm import tqdm

from mirrorhub import Endpoint, Settings, Snapshot, close, fetch, file_download
from mirrorhub.chain import Chain
from mirrorhub.chain.beat import Beat
from mirrorhub.config import Patience
from mirrorhub.contacts import Contacts
from mirrorhub.errors import TransferError
from mirrorhub.health import Health
from mirrorhub.health.memory import Memory, sighting
from mirrorhub.http.client import Client
from mirrorhub.lane import Contact
from mirrorhub.models import LanesReport, SnapshotRequest
from mirrorhub.models import Repo as Repository
from mirrorhub.spans import PIECE
from mirrorhub.transfer.lanes import FAR_PIECE, FAR_ROOM, FAR_S, FAST_PIECE, MAX_LANES, NEAR_ROOM, Lanes, lanes_for
from tests.fakehub import FakeHub, Log, Repo
from tests.fakehub.faults import (
    Drip,
    HangInBody,
    LateHandshake,
    NoDigests,
    Range200,
    RangeIgnored,
    Redirect,
    Reset,
    RstStream,
    Slow,
    Status,
)
from tests.fakehub.messages import Request, Response
from tests.fakehub.repo import sample_bytes
from tests.fakehub.rules import Fault, Rule
from tests.quick import quick
from tests.test_chain import virtually

HUB = "https://hub.test"
LATE_S = 0.25
FAR = LateHandshake(LATE_S)
BIG = sample_bytes("big", 9_500_000)
SMALL = {f"part/{number:03d}.txt": sample_bytes(f"{number}", 2_000 + number) for number in range(200)}
MIDDLING = {f"{number:02d}.json": sample_bytes(f"m{number}", 100_000) for number in range(40)}
# So slow that pieces do not grow, and so fast that nobody calls it slow.
STEADY = Drip(bytes_per_s=2_500_000)


def repo(files: Mapping[str, bytes]) -> Repo:
    """A ModelScope repository; `*.bin` are those that a hub redirects to its data host."""
    return Repo("modelscope", "org/name", files)


@pytest.fixture(autouse=True, scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Load once what the first call of a process loads: no connection is late for that."""
    folder = tmp_path_factory.mktemp("warm")
    with FakeHub([repo({"a.txt": b"a"})]) as hub, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(hub.ca_file))
        patch.setenv("MIRRORHUB_STATE", str(folder))
        for kind in ("curl", "httpx"):
            patch.setenv("MIRRORHUB_CARRIER", kind)
            fetch("org/name", endpoints=hub.url, cache_dir=folder / kind)


def contents(snapshot: Snapshot) -> dict[str, bytes]:
    """The files of a snapshot."""
    return {name: (snapshot.path / name).read_bytes() for name in snapshot.files}


def spans(log: Log, file: str) -> list[tuple[int, int]]:
    """The parts of a file that were answered, sorted, each from its first byte up to, not including, its end."""
    ranges = [text.removeprefix("bytes ").partition("/")[0].split("-") for text in log.ranges_by_file().get(file, [])]
    return sorted((int(first), int(last) + 1) for first, last in ranges)


def sent(*hubs: FakeHub) -> int:
    """Bytes of bodies that left all of these hubs."""
    return sum(sum(hub.log.bytes_sent_by_file().values()) for hub in hubs)


def size_of(files: Mapping[str, bytes]) -> int:
    """Bytes of a repository."""
    return sum(map(len, files.values()))


def bodies(hub: FakeHub) -> int:
    """How many bodies a hub was asked for."""
    return len(hub.log.requests(kind="body"))


def lanes_used(hub: FakeHub) -> int:
    """Over how many connections bodies were asked for."""
    return len({request.connection for request in hub.log.requests(kind="body")})


class TestNear:
    def test_many_small_files(self, carrier: str) -> None:
        """Two hundred small files come over one connection, whole, with a request each, and nothing is asked ahead."""
        with FakeHub([repo(SMALL)]) as hub:
            snapshot = fetch("org/name", endpoints=hub.url)
            log = hub.log
        assert contents(snapshot) == SMALL
        assert len(log.connections) == 1
        assert [request.kind for request in log.requests()] == ["listing"] + ["body"] * len(SMALL)
        assert not log.heads
        assert not any("range" in request.headers for request in log.requests())
        assert log.bytes_sent_by_file() == {name: len(data) for name, data in SMALL.items()}
        assert snapshot.lanes == (LanesReport(hub.url, 1, ""),)
        assert 1 < log.max_concurrent_streams <= 128
        assert log.violations == ()

    def test_a_large_file(self, carrier: str) -> None:
        """A large file comes in pieces of 1 MiB, side by side over the one connection, and each byte once."""
        with FakeHub([repo({"model.bin": BIG, "a.txt": b"a"})], [Rule(STEADY, "model.bin")]) as hub:
            snapshot = fetch("org/name", endpoints=hub.url)
            log = hub.log
        assert contents(snapshot) == {"model.bin": BIG, "a.txt": b"a"}
        pieces = spans(log, "model.bin")
        assert pieces == [(start, min(start + PIECE, len(BIG))) for start in range(0, len(BIG), PIECE)]
        assert len(log.requests(file="model.bin")) == len(pieces)
        assert log.bytes_sent_by_file() == {"model.bin": len(BIG), "a.txt": 1}
        assert len(log.connections) == 1
        assert log.max_concurrent_streams >= 4
        assert snapshot.lanes == (LanesReport(hub.url, 1, ""),)

    def test_a_fast_line(self) -> None:
        """However fast it goes, pieces cover the file without a gap or a byte twice, and are of 4 MiB at most."""
        data = bytes(40 << 20)
        with FakeHub([repo({"model.bin": data})]) as hub:
            assert contents(fetch("org/name", endpoints=hub.url)) == {"model.bin": data}
            pieces = spans(hub.log, "model.bin")
            assert len(hub.log.connections) == 1
        assert (pieces[0][0], pieces[-1][1]) == (0, len(data))
        assert all(before[1] == after[0] for before, after in pairwise(pieces))
        assert max(end - start for start, end in pieces) <= FAST_PIECE

    @pytest.mark.parametrize("limit", [8, 1])
    def test_a_server_that_allows_few_streams(self, limit: int, carrier: str) -> None:
        """A server's own limit of streams is kept, over one connection, and what is above it waits."""
        files = {**MIDDLING, "model.bin": BIG[:5_000_000]}
        with FakeHub([repo(files)], stream_limit=limit) as hub:
            snapshot = fetch("org/name", endpoints=hub.url)
            log = hub.log
        assert contents(snapshot) == files
        assert log.max_concurrent_streams <= limit
        assert log.violations == ()
        assert len(log.connections) == 1
        assert snapshot.lanes == (LanesReport(hub.url, 1, ""),)
        assert sum(log.bytes_sent_by_file().values()) == size_of(files)

    def test_the_next_call(self, carrier: str, tmp_path: Path) -> None:
        """The next call goes over the connection that stands."""
        with FakeHub([repo(MIDDLING)]) as hub:
            for number in range(3):
                fetch("org/name", endpoints=hub.url, cache_dir=tmp_path / f"{number}")
            assert len(hub.log.connections) == 1
            assert sent(hub) == 3 * size_of(MIDDLING)


@pytest.mark.parametrize(
    ("connect_s", "size", "lanes"),
    [
        (0.0, 1 << 40, 1),
        (0.149, 1 << 40, 1),
        (0.15, 0, 1),
        (0.15, (1 << 20) - 1, 1),
        (0.15, 1 << 20, 2),
        (0.3, 5_000_000, 9),
        (0.3, 8 << 20, 16),
        (9.0, 1 << 40, 16),
        (float("inf"), 1 << 40, 16),
        (float("nan"), 1 << 40, 1),
        (-1.0, 1 << 40, 1),
        (0.3, -5, 1),
    ],
    ids=str,
)
def test_how_many_lanes(connect_s: float, size: int, lanes: int) -> None:
    """Near, one lane; far, one for each half MiB, sixteen at most; and one wherever the figures make no sense."""
    assert lanes == lanes_for(connect_s, size)


AGAIN = """
import sys
from mirrorhub import fetch, close

fetch("org/name", endpoints=sys.argv[1], cache_dir=sys.argv[2])
close()
"""


def fetch_in_another_process(hub: FakeHub, folder: Path) -> None:
    """Fetch everything in a process that knows only what health.json says."""
    command = [sys.executable, "-W", "error", "-c", AGAIN, hub.url, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")


class Noting(Fault):
    """No fault: whenever a request comes, it notes how many connections another hub has."""

    def __init__(self, other: FakeHub) -> None:
        self.other = other
        self.noted: list[int] = []

    def after(self, request: Request, response: Response) -> Response:
        self.noted.append(len(self.other.log.connections))
        return response


class TestFar:
    @pytest.mark.parametrize(
        "files",
        [
            pytest.param({"model.bin": BIG}, id="one large file"),
            pytest.param(MIDDLING, id="many small files", marks=pytest.mark.slow),
        ],
    )
    def test_lanes_stand_before_the_first_body(self, files: Mapping[str, bytes]) -> None:
        """While the listing is on its way all lanes are opened, without a request; as many as pay have their part."""
        with FakeHub([repo(files)], [FAR, Rule(Slow(0.8), "listing")]) as hub:
            snapshot = fetch("org/name", endpoints=hub.url)
            log = hub.log
        assert contents(snapshot) == files
        assert len(log.connections) == MAX_LANES == 16
        first_body = min(request.at_s for request in log.requests(kind="body"))
        stood = [connection.stood_s for connection in log.connections]
        assert all(at is not None and at < first_body for at in stood)
        assert [request.kind for request in log.requests()].count("listing") == 1
        assert not log.requests(kind="other")
        assert not log.heads
        assert lanes_used(hub) == lanes_for(LATE_S, size_of(files))
        assert sum(log.bytes_sent_by_file().values()) == size_of(files)
        (report,) = snapshot.lanes
        assert (report.endpoint, report.lanes) == (hub.url, lanes_used(hub))
        assert report.reason.startswith("connecting took 0.")

    @pytest.mark.parametrize("size", [700_000, 3_500_000, 9_500_000])
    def test_one_file_by_name(self, size: int, carrier: str) -> None:
        """Where one file is asked for, nothing is opened in vain: a lane for each half MiB, with the first bodies."""
        with FakeHub([repo({"model.bin": BIG[:size], "b.bin": BIG})], [FAR]) as hub:
            path = file_download("org/name", "model.bin", endpoints=hub.url)
            assert Path(path).read_bytes() == BIG[:size]
            assert len(hub.log.connections) == lanes_for(LATE_S, size)
            assert lanes_used(hub) == lanes_for(LATE_S, size)

    def test_pieces_are_smaller(self) -> None:
        """Over many lanes a piece is half a MiB, so that a lane that lost packets ends with less left to do."""
        with FakeHub([repo({"model.bin": BIG})], [FAR, Rule(Drip(bytes_per_s=1_000_000), "model.bin")]) as hub:
            fetch("org/name", endpoints=hub.url)
            pieces = spans(hub.log, "model.bin")
        assert max(end - start for start, end in pieces) == FAR_PIECE
        assert len(pieces) == -(-len(BIG) // FAR_PIECE)

    def test_the_next_call(self, carrier: str, tmp_path: Path) -> None:
        """The next call of the process goes over the lanes that stand, and shakes no hand."""
        with FakeHub([repo({"model.bin": BIG})], [FAR]) as hub:
            fetch("org/name", endpoints=hub.url)
            opened = len(hub.log.connections)
            again = fetch("org/name", endpoints=hub.url, cache_dir=tmp_path / "again")
            assert len(hub.log.connections) == opened
            assert opened >= lanes_for(LATE_S, len(BIG))
        assert again.lanes[0].lanes > 1
        assert again.lanes[0].reason

    def test_one_protocol_without_streams(self, carrier: str) -> None:
        """An origin that speaks only HTTP/1.1 has six connections, however far it is."""
        with FakeHub([repo(MIDDLING)], [FAR], alpn=["http/1.1"]) as hub:
            snapshot = fetch("org/name", endpoints=hub.url)
            assert contents(snapshot) == MIDDLING
            # While the first connection is not there nobody knows; what was opened early meanwhile is not used.
            assert lanes_used(hub) <= 6
            assert len(hub.log.connections) <= 6 + MAX_LANES


class TestRedirected:
    def test_the_data_host_is_asked_itself(self, carrier: str) -> None:
        """The hub is asked once for a large file, its data host for all pieces of it, and that one sees no token."""
        content = [repo({"model.bin": BIG})]
        with (
            FakeHub(content, [Rule(STEADY, "model.bin")], name="cdn") as cdn,
            FakeHub(content, name="hub", cdn=cdn, token="secret") as hub,
        ):
            snapshot = fetch("org/name", endpoints=hub.url, token="secret")
            assert contents(snapshot) == {"model.bin": BIG}
            assert bodies(hub) == 1
            assert len(spans(cdn.log, "model.bin")) == bodies(cdn) == -(-len(BIG) // PIECE)
            assert sent(cdn) == len(BIG)
            assert (len(hub.log.connections), len(cdn.log.connections)) == (1, 1)
            assert (bool(hub.log.tokens_seen()), cdn.log.tokens_seen()) == (True, set())
        assert snapshot.reports[0].hosts == (cdn.url.removeprefix("https://"),)

    def test_an_address_that_expires(self, carrier: str) -> None:
        """Where the signed address is refused, the hub is asked for another one, and nothing comes twice."""
        content = [repo({"model.bin": BIG})]
        expired = Rule(Status(403), "model.bin", after=4, times=1)
        with (
            FakeHub(content, [expired, Rule(STEADY, "model.bin")], name="cdn") as cdn,
            FakeHub(content, name="hub", cdn=cdn) as hub,
        ):
            assert contents(fetch("org/name", endpoints=hub.url)) == {"model.bin": BIG}
            # Pieces that set out until the new address is there ask the hub, too.
            assert 1 < bodies(hub) < -(-len(BIG) // PIECE)
            assert sent(cdn) == len(BIG)

    def test_a_data_host_that_dies(self, carrier: str) -> None:
        """Where a data host breaks connections, the hub is asked again, and may name another one."""
        content = [repo({"model.bin": BIG})]
        dying = Rule(Reset(), "model.bin", after=3)
        with (
            FakeHub(content, [dying, Rule(STEADY, "model.bin")], name="one") as one,
            FakeHub(content, name="two") as two,
            FakeHub(
                content,
                [
                    Rule(Redirect(one.url + "{target}"), "model.bin", times=1),
                    Rule(Redirect(two.url + "{target}"), "model.bin", after=1),
                ],
                name="hub",
            ) as hub,
        ):
            snapshot = fetch("org/name", settings=quick(hub.url))
            assert contents(snapshot) == {"model.bin": BIG}
            assert sent(one) > 0
            assert sent(two) > 0
            assert len(BIG) <= sent(one, two) <= len(BIG) + PIECE

    def test_the_next_call_asks_as_little(self) -> None:
        """Who is known to redirect and to give parts is asked for one of them: its answer has the address."""
        content = [repo({"model.bin": BIG})]
        with (
            FakeHub(content, [Rule(STEADY, "model.bin")], name="cdn") as cdn,
            FakeHub(content, name="hub", cdn=cdn) as hub,
        ):
            fetch("org/name", endpoints=hub.url)
            hub.log.clear()
            fetch("org/name", endpoints=hub.url, force_download=True)
            assert bodies(hub) == 1

    def test_the_next_process_connects_early(self, tmp_path: Path) -> None:
        """The data host is remembered: another process connects to it before the hub was asked for any file."""
        content = [repo({"model.bin": BIG})]
        with FakeHub(content, [FAR], name="cdn") as cdn:
            note = Noting(cdn)
            with FakeHub(content, [Rule(Slow(0.5), "listing"), Rule(note, "body")], name="hub", cdn=cdn) as hub:
                fetch("org/name", endpoints=hub.url)
                assert note.noted[0] == 0
                before = len(cdn.log.connections)
                note.noted.clear()
                cdn.log.clear()
                close()
                fetch_in_another_process(hub, tmp_path / "again")
            assert note.noted[0] - before == MAX_LANES
            assert bodies(cdn) > 0
            assert len(hub.log.connections) == 2


class TestRanges:
    def test_ranges_that_are_ignored(self, carrier: str) -> None:
        """A server that gives the whole file whatever is asked gives it once."""
        with FakeHub([repo({"model.bin": BIG})], [RangeIgnored()]) as hub:
            assert contents(fetch("org/name", endpoints=hub.url)) == {"model.bin": BIG}
            assert (bodies(hub), sent(hub)) == (1, len(BIG))

    def test_a_slice_under_another_status(self, carrier: str) -> None:
        """A slice under status 200 is a slice: the file comes in pieces, each byte once."""
        with FakeHub([repo({"model.bin": BIG})], [Range200(), STEADY]) as hub:
            assert contents(fetch("org/name", endpoints=hub.url)) == {"model.bin": BIG}
            assert bodies(hub) == len(spans(hub.log, "model.bin")) == -(-len(BIG) // PIECE)
            assert sent(hub) == len(BIG)


class TestSwitching:
    @pytest.mark.parametrize(
        "fault",
        [HangInBody(after_bytes=300_000), RstStream(after_bytes=300_000), Reset(after_bytes=300_000)],
        ids=["hangs", "resets a stream", "resets the connection"],
    )
    def test_in_the_middle(self, fault: Fault, carrier: str) -> None:
        """What came before an endpoint broke off is not asked for again: a MiB at most for the switch.

        Where one stream is silent for too long, httpx ends its connection, and drops what has come for the others and
        is not read yet: the more, the busier the machine.
        """
        broken = [Rule(fault, "model.bin", after=2), Rule(STEADY, "model.bin")]
        with (
            FakeHub([repo({"model.bin": BIG})], broken, name="a") as bad,
            FakeHub([repo({"model.bin": BIG})], name="b") as good,
        ):
            snapshot = fetch("org/name", settings=quick(bad.url, good.url))
            assert contents(snapshot) == {"model.bin": BIG}
            assert sent(bad) > 0
            assert len(BIG) <= sent(bad, good) <= len(BIG) + PIECE * (1 if carrier == "curl" else 4)
        assert set(snapshot.reports[0].endpoints) == {bad.url, good.url}

    @pytest.mark.parametrize("files", [{"model.bin": BIG}, MIDDLING], ids=["one large file", "many small files"])
    def test_a_crawling_endpoint_is_left(self, files: Mapping[str, bytes], carrier: str) -> None:
        """What an endpoint that crawls has given stays, and all the rest comes from the one that does not."""
        with (
            FakeHub([repo(files)], [Drip(bytes_per_s=3_000)], name="a") as slow,
            FakeHub([repo(files)], name="b") as good,
        ):
            snapshot = fetch("org/name", endpoints=[slow.url, good.url])
            assert contents(snapshot) == files
            assert 0 < sent(slow) < size_of(files) / 4
            assert size_of(files) <= sent(slow, good) <= size_of(files) + PIECE

    def test_without_digests_nothing_is_mixed(self) -> None:
        """Where nobody knows the digests all bytes are of the endpoint whose listing it is, however slow it is."""
        files = {f"{number}.bin": sample_bytes(f"x{number}", 150_000) for number in range(3)}
        with (
            FakeHub([repo(files)], [NoDigests(), Drip(bytes_per_s=100_000)], name="a") as slow,
            FakeHub([repo(files)], [NoDigests()], name="b") as good,
        ):
            snapshot = fetch("org/name", endpoints=[slow.url, good.url])
            assert contents(snapshot) == files
            assert bodies(good) == 0
            assert sent(slow) == size_of(files)
        assert [set(report.endpoints) for report in snapshot.reports] == [{slow.url}] * 3


class TestMemory:
    @pytest.mark.parametrize(
        ("faults", "room"),
        [pytest.param([], NEAR_ROOM, id="near", marks=pytest.mark.slow), pytest.param([FAR], FAR_ROOM, id="far")],
    )
    def test_bodies_that_stop(self, faults: Iterable[Fault], room: int) -> None:
        """Bodies of which nothing more comes hold what was planned for them, and no more is asked for."""
        files = {"model.bin": bytes(24 << 20), "other.bin": bytes(23 << 20)}
        stop = [*faults, Rule(HangInBody(after_bytes=1000), "*.bin")]
        with FakeHub([repo(files)], stop) as hub, pytest.raises(TransferError):
            fetch("org/name", endpoints=hub.url, timeout=1.2)
        asked = sum(end - start for name in files for start, end in spans(hub.log, name))
        assert room // 2 < asked <= room <= 64 << 20


class TestSiblings:
    def test_one_body_that_stops(self, carrier: str) -> None:
        """A body of which nothing more comes holds up no other file."""
        ended: list[str] = []

        class Told:
            def __init__(self, name: str, size: int) -> None:
                self.name = name

            def update(self, count: int) -> None: ...

            def end(self) -> None:
                ended.append(self.name)

        files = {"00.bin": BIG[:300_000], **MIDDLING, "model.bin": BIG[:4_000_000]}
        with (
            FakeHub([repo(files)], [Rule(HangInBody(after_bytes=1000), "00.bin")], name="a") as bad,
            FakeHub([repo(files)], name="b") as good,
        ):
            # So much patience that on a busy machine, too, only the one that stops is slow.
            settings = replace(quick(bad.url, good.url), patience=Patience(connect_s=20, answer_s=20, stall_s=2))
            snapshot = fetch("org/name", settings=settings, progress_callbacks=[Told])
            assert contents(snapshot) == files
            assert set(good.log.bytes_sent_by_file()) == {"00.bin"}
        assert (len(ended), ended[-1]) == (len(files), "00.bin")


COUNTING = """
import collections, json, os, sys

calls = collections.Counter()


def counted(module, name):
    real = getattr(module, name)

    def call(*args, **kwargs):
        calls[name] += 1
        return real(*args, **kwargs)

    setattr(module, name, call)


counted(os, "fsync")
counted(os, "fdatasync")
import fcntl

counted(fcntl, "flock")
counted(fcntl, "lockf")
from mirrorhub import close, fetch

assert len(fetch("org/name", endpoints=sys.argv[1]).files) == 500
close()
print(json.dumps(calls))
"""


class TestTinyFiles:
    FILES: Mapping[str, bytes] = {f"{number:03d}.txt": b"%d" % number for number in range(500)}

    @pytest.mark.skipif(sys.platform == "win32", reason="there is no fcntl")
    def test_no_lock_and_no_sync_for_each(self) -> None:
        """Five hundred tiny files are under a handful of locks together, and none of them waits for the disk."""
        with FakeHub([repo(self.FILES)]) as hub:
            command = [sys.executable, "-W", "error", "-c", COUNTING, hub.url]
            done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert sum(json.loads(done.stdout).values()) < 10

    def test_no_redraw_for_each(self) -> None:
        """They share one bar, which is drawn by the clock and not by the file."""
        drawn: list[int] = []
        made: list[object] = []

        class Bar(tqdm):  # type: ignore[type-arg]
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                made.append(self)
                super().__init__(*args, file=io.StringIO(), **kwargs)

            def display(self, *args: Any, **kwargs: Any) -> None:
                drawn.append(self.n)

        with FakeHub([repo(self.FILES)]) as hub:
            fetch("org/name", endpoints=hub.url, tqdm_class=Bar)
        assert len(made) == 1
        assert 0 < len(drawn) < len(self.FILES) / 4


class Carrier(httpx.AsyncBaseTransport):
    """Carries nothing, and notes where connections were opened ahead of a request."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, int]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no bytes here", request=request)

    async def connect(self, request: httpx.Request) -> None:
        self.opened.append((str(request.url).removesuffix("/"), request.extensions["mirrorhub.lane"]))


class Opening:
    """Lanes to one endpoint, in virtual time."""

    def __init__(self, folder: Path, url: str = HUB, *, took_s: float = 0.0, data: str = "", **more: Any) -> None:
        self.endpoint = Endpoint(url, **more)
        self.carrier = Carrier()
        settings = Settings()
        request = SnapshotRequest(Repository("modelscope", "org/name"))
        clock = asyncio.get_running_loop().time
        chain = Chain([self.endpoint], Patience(), 60, clock)
        contacts = Contacts(request, settings, Client(self.carrier), chain)
        self.health = Health(folder, lambda: 1000.0)
        if data:
            self.health.learn(self.endpoint, replace(sighting(0.01), large_from=data))
            self.health.learn_host(data, sighting(took_s))
        elif took_s:
            self.health.learn(self.endpoint, sighting(took_s))
        self.health.save()
        self.lanes = Lanes(contacts, chain, self.health, expected=16 << 20)
        self.lanes.begin()

    @property
    def contact(self) -> Contact:
        return self.lanes.lane(self.endpoint).contact

    def connected(self, connect_s: float, url: str = "/") -> None:
        """Whoever sends a request says that its connection stands."""
        self.contact.ask(url, Beat()).connected(connect_s)

    async def close(self) -> Memory:
        """End the call; return what the next one remembers."""
        self.contact.answered = True
        await asyncio.sleep(0)
        await self.lanes.aclose()
        return self.health.recall(self.endpoint)

    def report(self, bodies: int = 64) -> LanesReport:
        """Say how many lanes so many bodies at once come over, and why."""
        for _ in range(bodies):
            self.lanes.lightest(self.endpoint).load += 1
        (report,) = self.lanes.reports()
        return report


class TestOpening:
    def test_near(self, tmp_path: Path) -> None:
        """Whoever is reached soon has one lane, and nothing is opened ahead."""

        async def story() -> None:
            call = Opening(tmp_path)
            call.connected(0.02)
            await asyncio.sleep(1)
            call.lanes.decide(1 << 30)
            assert (call.carrier.opened, call.report()) == ([], LanesReport(HUB, 1, ""))
            assert (await call.close()).connect_s == 0.02

        virtually(story)

    def test_late(self, tmp_path: Path) -> None:
        """Whoever is not reached in time is far: nobody waits for TLS to know it."""

        async def story() -> None:
            call = Opening(tmp_path)
            await asyncio.sleep(FAR_S * 1.1)
            assert call.carrier.opened == [(HUB, number) for number in range(1, 16)]
            call.connected(0.3)
            assert len(call.carrier.opened) == 15
            assert call.report() == LanesReport(HUB, 16, "connecting takes 0.15 s or more")
            call.lanes.decide(3 << 20)
            # Those that have had bodies stay in the report, and get no more.
            assert call.lanes.count(call.endpoint) == 6
            assert call.report() == LanesReport(HUB, 16, "connecting took 0.30 s, and there are 3.1 MB to bring")
            await call.close()

        virtually(story)

    def test_never_reached(self, tmp_path: Path) -> None:
        """Of whoever was not reached it is not remembered how long connecting took: nobody knows."""

        async def story() -> None:
            call = Opening(tmp_path)
            await asyncio.sleep(FAR_S * 1.1)
            assert (await call.close()).connect_s == 0.0

        virtually(story)

    def test_more_than_there_is_to_bring(self, tmp_path: Path) -> None:
        """Lanes that were opened for more than there is stay unused: on a thin line they would only be in the way."""

        async def story() -> None:
            call = Opening(tmp_path)
            await asyncio.sleep(FAR_S * 1.1)
            call.connected(0.3)
            call.lanes.decide(3 << 20)
            assert len(call.carrier.opened) == 15
            assert call.report() == LanesReport(HUB, 6, "connecting took 0.30 s, and there are 3.1 MB to bring")
            await call.close()

        virtually(story)

    def test_a_far_data_host_that_nobody_knew(self, tmp_path: Path) -> None:
        """A far data host behind a near endpoint gets more lanes, and the endpoint no connection in vain."""

        async def story() -> None:
            call = Opening(tmp_path)
            call.connected(0.01)
            call.lanes.decide(5 << 20)
            call.connected(0.3, "https://data.test/file")
            assert call.carrier.opened == []
            assert call.report() == LanesReport(HUB, 10, "connecting takes 0.30 s or more")
            await call.close()

        virtually(story)

    def test_a_data_host_that_is_remembered(self, tmp_path: Path) -> None:
        """A far data host is connected to at the very beginning, over all lanes; its endpoint has its first one."""

        async def story() -> None:
            call = Opening(tmp_path, took_s=0.3, data="https://data.test")
            await asyncio.sleep(0)
            assert call.carrier.opened == [("https://data.test", number) for number in range(16)]
            assert call.report() == LanesReport(HUB, 16, "connecting takes 0.30 s or more")
            await call.close()

        virtually(story)

    def test_far_once_is_not_far_for_ever(self, tmp_path: Path) -> None:
        """What connecting takes now is remembered, not the longest that it ever took."""

        async def story() -> None:
            call = Opening(tmp_path, took_s=5.0)
            call.connected(0.02)
            assert (await call.close()).connect_s == 0.02
            again = Opening(tmp_path)
            again.connected(0.0)  # over a connection that stood
            assert (await again.close()).connect_s == 0.02

        virtually(story)

    def test_a_far_data_host_stays_far(self, tmp_path: Path) -> None:
        """That its endpoint is near says nothing of a data host."""

        async def story() -> None:
            call = Opening(tmp_path, took_s=0.3, data="https://data.test")
            call.connected(0.01)
            await call.close()
            assert call.health.recall_host("https://data.test").connect_s == 0.3
            again = Opening(tmp_path)
            assert again.contact.connect_s == 0.3
            await again.close()

        virtually(story)

    @pytest.mark.parametrize("origin", ["https://a\0b", "https://xn--"])
    def test_an_origin_that_is_none(self, origin: str, tmp_path: Path) -> None:
        """What cannot be connected to costs nothing, whatever health.json says."""

        async def story() -> None:
            call = Opening(tmp_path, took_s=0.3, data=origin)
            await asyncio.sleep(0)
            assert call.carrier.opened == []
            await call.close()

        virtually(story)

    def test_a_package_index(self, tmp_path: Path) -> None:
        """A package index is no origin to connect to, however long it is silent."""

        async def story() -> None:
            call = Opening(tmp_path, "some-package==1.0", hub="wheel", can=frozenset({"pull"}))
            await asyncio.sleep(1)
            call.lanes.decide(16 << 20)
            assert (call.carrier.opened, call.report().lanes) == ([], 1)
            await call.close()

        virtually(story)

    def test_lanes_that_were_tried_in_vain(self, tmp_path: Path) -> None:
        """Lanes that brought no more are used no more, and the report counts them, and says so."""

        async def story() -> None:
            call = Opening(tmp_path)
            call.connected(0.02)
            call.lanes.widen(call.endpoint, 2, "1 gave 0.10 MB/s")
            assert call.report() == LanesReport(HUB, 2, "1 gave 0.10 MB/s")
            call.lanes.narrow(call.endpoint, 1)
            assert {call.lanes.lightest(call.endpoint).number for _ in range(9)} == {0}
            assert call.report() == LanesReport(HUB, 2, "2 were tried, and gave no more than 1")
            await call.close()

        virtually(story)
