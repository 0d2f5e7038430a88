"""What was fetched stays fetched: after a kill, from another endpoint, in another process; and many at once."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from mirrorhub import fetch
from mirrorhub.errors import TransferError
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import (
    Alter,
    HangInBody,
    NoDigests,
    RangeIgnored,
    RangeRefused,
    RstStream,
    Status,
    Truncate,
    WrongContentRange,
)
from tests.fakehub.repo import sample_bytes
from tests.fakehub.rules import Rule

BIG = sample_bytes("big", 10_000_000)
FILES = {"a.json": b"{}", "b.bin": sample_bytes("b", 600_000), "model.bin": BIG}
PROGRAM = """
import json, sys
from mirrorhub import fetch, close

snapshot = fetch("org/name", endpoints=sys.argv[1:])
close()
print(json.dumps([str(snapshot.path), sum(report.reused for report in snapshot.reports)]))
"""


def repo() -> Repo:
    """The files on a ModelScope hub."""
    return Repo("modelscope", "org/name", FILES)


def start(*urls: str) -> subprocess.Popen[str]:
    """Start another process that fetches."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, *urls], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def result(process: subprocess.Popen[str]) -> tuple[str, int]:
    """Wait for another process; return the path it got and the bytes it found on disk."""
    output, errors = process.communicate(timeout=50)
    assert (process.returncode, errors) == (0, "")
    path, reused = json.loads(output.splitlines()[-1])
    return path, reused


def lines(journal: Path) -> list[tuple[int, int, str]]:
    """The runs of bytes that a partial's journal names."""
    return [json.loads(line) for line in journal.read_text().splitlines(keepends=True) if line.endswith("\n")]


def kill(process: subprocess.Popen[str], home: Path, least: int) -> int:
    """Kill a process that fetches once so many bytes are on disk; return how many were."""
    deadline = time.monotonic() + 40
    while (had := on_disk(home)) < least:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    return had


def on_disk(home: Path) -> int:
    """How many bytes the journals of a repository name."""
    journals = home.glob(".mirrorhub/partial/*/journal")
    return sum(end - start for journal in journals for start, end, _ in lines(journal))


def contents(path: Path) -> Mapping[str, bytes]:
    """The files of a snapshot."""
    return {name: (path / name).read_bytes() for name in FILES}


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_killed_in_the_middle_and_another_endpoint_next_time(tmp_path: Path) -> None:
    """After kill -9 the next process takes up, from another endpoint, what was on disk: nothing is fetched twice."""
    hang = Rule(HangInBody(after_bytes=500_000), "model.bin", after=2)
    with FakeHub([repo()], [hang], name="a") as first:
        had = kill(start(first.url), tmp_path / "ms/models/org--name", 2_000_000)
    with FakeHub([repo()], name="b") as second:
        path, reused = result(start(second.url))
    assert contents(Path(path)) == FILES
    assert reused >= had
    assert second.log.bytes_sent_by_file()["model.bin"] <= len(BIG) - had
    # What was whole and checked before the kill is not asked for again at all.
    assert not second.log.requests(file="b.bin")


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize("target", ["v2", "org/other", "hf://org/other"])
def test_killed_and_wanted_elsewhere(target: str, tmp_path: Path) -> None:
    """What a killed process had of a file serves a new revision, another repository, and one on the other hub."""
    hang = Rule(HangInBody(after_bytes=500_000), "model.bin", after=2)
    with FakeHub([repo()], [hang]) as hub:
        had = kill(start(hub.url), tmp_path / "ms/models/org--name", 2_000_000)
    revised = repo()
    revised.branches["v2"] = revised.commit({**FILES, "new.txt": b"new"}).id
    others = [
        Repo("modelscope", "org/other", {"weights": BIG}),
        Repo("huggingface", "org/other", {"weights": BIG}, lfs=["weights"]),
    ]
    with FakeHub([revised, *others]) as hub:
        wanted = ("org/name", "v2") if target == "v2" else (target,)
        snapshot = fetch(*wanted, endpoints=hub.url)
        sent = sum(hub.log.bytes_sent_by_file()[name] for name in ("model.bin", "weights"))
    assert (snapshot.path / ("model.bin" if target == "v2" else "weights")).read_bytes() == BIG
    assert sent <= len(BIG) - had


def test_four_processes_at_once() -> None:
    """Each byte is fetched once, and all four get the same path."""
    with FakeHub([repo()]) as hub:
        processes = [start(hub.url) for _ in range(4)]
        paths = {result(process)[0] for process in processes}
        assert hub.log.bytes_sent_by_file() == {name: len(data) for name, data in FILES.items()}
    assert len(paths) == 1
    assert contents(Path(paths.pop())) == FILES


LOCKLESS = """
import errno, fcntl, sys

def missing(*_):
    raise OSError(errno.ENOSYS, "Function not implemented")

fcntl.flock = missing if sys.argv.pop(1) == "missing" else lambda *_: None
from mirrorhub import fetch, close

paths = set()
for target in sys.argv[2:]:
    paths.add(fetch(target, endpoints=sys.argv[1]).path)
close()
"""


@pytest.mark.skipif(os.name == "nt", reason="its locks cannot be made to do nothing")
@pytest.mark.parametrize(
    ("locks", "said"), [pytest.param("idle", "", marks=pytest.mark.slow), ("missing", "has no locks; going on without")]
)
def test_where_locks_do_nothing(locks: str, said: str) -> None:
    """On a file system whose locks do nothing, or that has none, processes that fetch the same all end well."""
    files = {f"{number}/part.txt": sample_bytes(str(number), 20_000 + number) for number in range(30)}
    moving = [Repo(hub, f"org/{number}", files) for hub in ("modelscope", "huggingface") for number in range(2)]
    targets = [("hf://" if repo.hub == "huggingface" else "") + repo.id for repo in moving]
    with FakeHub(moving) as hub:
        command = [sys.executable, "-W", "error", "-c", LOCKLESS, locks, hub.url, *targets]
        processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(6)]
        told = [process.communicate(timeout=50)[1].splitlines() for process in processes]
        assert [process.returncode for process in processes] == [0] * 6, told
        hub.log.clear()
        snapshots = [fetch(target, endpoints=hub.url) for target in targets]
        assert not hub.log.bytes_sent_by_file()
    # Who finds that another one has done everything takes no lock, and says nothing.
    assert all(said and line.endswith(said) for one in told for line in one)
    assert any(told) == bool(said)
    for snapshot in snapshots:
        assert {name: (snapshot.path / name).read_bytes() for name in files} == files


@pytest.mark.parametrize("fault", [RstStream(after_bytes=500_000), Truncate(to=500_000)], ids=["reset", "truncated"])
def test_broken_off_at_one_endpoint(carrier: str, fault: RstStream | Truncate) -> None:
    """A body that breaks off goes on at the next endpoint where it stopped."""
    with FakeHub([repo()], [Rule(fault, "model.bin")], name="a") as bad, FakeHub([repo()], name="b") as good:
        snapshot = fetch("org/name", endpoints=[bad.url, good.url])
        sent = good.log.bytes_sent_by_file()["model.bin"]
    assert contents(snapshot.path) == FILES
    assert 0 < sent < len(BIG)


def test_stalled_in_the_middle() -> None:
    """A body that falls silent goes on at the next endpoint, long before the call's own end."""
    with (
        FakeHub([repo()], [Rule(HangInBody(after_bytes=1_000_000), "model.bin")], name="a") as bad,
        FakeHub([repo()], name="b") as good,
    ):
        snapshot = fetch("org/name", endpoints=[bad.url, good.url])
    assert contents(snapshot.path) == FILES
    assert len(BIG) - good.log.bytes_sent_by_file()["model.bin"] >= 700_000


@pytest.mark.parametrize(
    "fault", [RangeIgnored(), RangeRefused(), RangeRefused(status=416), WrongContentRange()], ids=str
)
def test_an_endpoint_that_does_not_take_ranges(fault: RangeIgnored, carrier: str) -> None:
    """A Range header that is ignored, refused or answered wrongly costs the bytes again, never the right ones."""
    breaks = Rule(Truncate(to=1_000_000), "model.bin", times=1)
    with FakeHub([repo()], [breaks, fault]) as hub:
        snapshot = fetch("org/name", endpoints=hub.url)
    assert contents(snapshot.path) == FILES


def test_bytes_of_two_endpoints_that_do_not_fit() -> None:
    """The endpoint that gave the wrong range is convicted, not the one that gave the rest."""
    faults = [Rule(Alter(offset=5), "model.bin"), Rule(Truncate(to=1_000_000), "model.bin", times=1)]
    with FakeHub([repo()], faults, name="a") as bad, FakeHub([repo()], name="b") as good:
        snapshot = fetch("org/name", endpoints=[bad.url, good.url])
    assert contents(snapshot.path) == FILES
    wrong = {attempt.endpoint for attempt in snapshot.attempts if attempt.fault == "WRONG_DIGEST"}
    assert wrong == {bad.url}


def test_wrong_bytes_that_an_earlier_call_left() -> None:
    """They convict nobody: the endpoint may have been mended, or the disk be to blame, and it may be the only one."""
    small = {f"{number}.txt": sample_bytes(f"{number}", 50_000) for number in range(3)}
    breaks = [Alter(), HangInBody(after_bytes=20_000)]
    with FakeHub([Repo("modelscope", "org/name", small)], breaks) as hub:
        with pytest.raises(TransferError):
            fetch("org/name", endpoints=hub.url, timeout=1)
        hub.set_faults()
        hub.log.clear()
        snapshot = fetch("org/name", endpoints=hub.url)
    assert small == {name: (snapshot.path / name).read_bytes() for name in small}
    assert {attempt.fault for attempt in snapshot.attempts} == {None, "MIXED"}


@pytest.mark.slow
def test_what_no_later_call_could_use(tmp_path: Path) -> None:
    """Without digests a call that failed leaves nothing behind: nobody could tell what it is."""
    broken = [NoDigests(), Rule(RstStream(after_bytes=50_000), "b.bin")]
    with FakeHub([repo()], broken) as hub, pytest.raises(TransferError):
        fetch("org/name", endpoints=hub.url, allow_patterns=["a.json", "b.bin"], timeout=2)
    own = tmp_path / "ms" / "models" / "org--name" / ".mirrorhub"
    assert [path.name for folder in ("partial", "ready") for path in own.glob(f"{folder}/*")] == []


def test_a_call_that_failed_leaves_its_bytes() -> None:
    """What came before a failure is not fetched again by the next call."""
    with FakeHub([repo()], [Rule(Status(500), "model.bin", after=3)]) as hub:
        with pytest.raises(TransferError):
            fetch("org/name", endpoints=hub.url, timeout=2)
        first = sum(hub.log.bytes_sent_by_file().values())
        hub.set_faults()
        hub.log.clear()
        snapshot = fetch("org/name", endpoints=hub.url)
    assert contents(snapshot.path) == FILES
    assert first > 0
    assert first + sum(hub.log.bytes_sent_by_file().values()) <= sum(map(len, FILES.values())) + 1000


BEGUN = re.compile(r"^(\d+) +(\w+)\(\d+<[^>]*/partial/[^>]*/(data|journal)>")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>")


def events(trace: str) -> Iterator[str]:
    """What a trace says of data and journal: `synced` where a sync of data ended, `named` where a line began."""
    under_way: dict[str, str] = {}
    for line in trace.splitlines():
        if found := BEGUN.match(line):
            thread, call, file = found.groups()
            event = "named" if (call, file) == ("write", "journal") else "synced" * (call != "write" and file == "data")
            if event == "synced" and line.endswith("<unfinished ...>"):
                under_way[thread] = event
            elif event:
                yield event
        elif (found := RESUMED.match(line)) and found[1] in under_way:
            yield under_way.pop(found[1])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_synced_before_it_is_named(tmp_path: Path) -> None:
    """As the kernel saw it: between two lines of a large file's journal its data was synced."""
    trace = tmp_path / "trace"
    with FakeHub([repo()]) as hub:
        calls = "trace=write,fdatasync,fsync"
        command = ["strace", "-f", "-y", "-s", "64", "-e", calls, "-o", str(trace), sys.executable, "-c", PROGRAM]
        done = subprocess.run([*command, hub.url], capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, done.stderr
    told = list(events(trace.read_text()))
    assert "named" in told
    assert all(before == "synced" for before, event in itertools.pairwise(["", *told]) if event == "named")
