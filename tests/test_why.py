"""`mirrorhub why`: each fact of a call is in its report, whether the call went well or not."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mirrorhub import Settings, afetch, fetch, resolve
from mirrorhub.cli import main
from mirrorhub.errors import LockTimeoutError, ResolutionError, StoreError, TransferError
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import (
    Alter,
    Drip,
    Fault,
    HangBeforeAnswer,
    HangInBody,
    LateHandshake,
    OverLong,
    RangeIgnored,
    RangeRefused,
    RefuseConnection,
    RstStream,
    Slow,
    Status,
    Truncate,
    WrongContentRange,
)
from tests.fakehub.repo import sample_bytes
from tests.fakehub.rules import Rule
from tests.quick import IMPATIENT, quick

BIG = sample_bytes("big", 5_000_000)
FILES = {"a.json": b"{}", "b.txt": b"text", "model.bin": BIG}
SIZE = sum(map(len, FILES.values()))
Capture = pytest.CaptureFixture[str]
Row = dict[str, Any]
Tell = Callable[..., list[Row]]


def repo(files: dict[str, bytes] = FILES) -> Repo:
    """The files on a ModelScope hub."""
    return Repo("modelscope", "org/name", files)


@pytest.fixture
def told(capsys: Capture) -> Tell:
    """What `mirrorhub why --json` says, for further arguments."""

    def tell(*arguments: str) -> list[Row]:
        capsys.readouterr()
        assert main(["why", *arguments, "--json"]) == 0
        reports: list[Row] = json.loads(capsys.readouterr().out)["reports"]
        return reports

    return tell


def host(hub: FakeHub) -> str:
    """The host that a hub's bytes come from."""
    return hub.url.partition("://")[2]


def part(report: Row, hub: FakeHub) -> Row:
    """What a report says of an endpoint."""
    (found,) = [row for row in report["parts"] if row["endpoint"] == hub.url]
    return dict(found)


def fault_of(report: Row, hub: FakeHub, fault: str) -> Row:
    """What a report says of a kind of fault at an endpoint."""
    (found,) = [row for row in report["troubles"] if (row["endpoint"], row["fault"]) == (hub.url, fault)]
    return dict(found)


def file_of(report: Row, path: str) -> Row:
    """What a report says of a file."""
    (found,) = [row for row in report["files"] if row["path"] == path]
    return dict(found)


def runs(report: Row, path: str) -> list[list[int]]:
    """Which bytes of a file came from anywhere, in order."""
    return sorted(run for share in file_of(report, path)["shares"] for run in share["runs"])


def test_who_gave_what(told: Tell) -> None:
    """Who vouched, which endpoint and, behind its redirect, which host gave which bytes of which file."""
    with FakeHub([repo()], name="cdn") as cdn, FakeHub([repo()], name="a", cdn=cdn) as hub:
        snapshot = fetch("org/name", endpoints=hub.url)
        (report,) = told("org/name")
    assert (report["repo"], report["revision"], report["outcome"]) == ("modelscope:org/name", "master", "published")
    assert report["vouched_by"] == f"named {hub.url}"
    assert (report["wanted"], report["came"], report["size"], report["reused"]) == (3, 3, SIZE, 0)
    flows = {(row["endpoint"], row["host"]): row for row in report["flows"]}
    assert {key: row["size"] for key, row in flows.items()} == {
        (hub.url, host(hub)): len(FILES["a.json"] + FILES["b.txt"]),
        (hub.url, host(cdn)): len(BIG),
    }
    assert all(sum(row["bins"]) == row["size"] for row in flows.values())
    assert file_of(report, "model.bin")["shares"] == [
        {"endpoint": hub.url, "host": host(cdn), "size": len(BIG), "runs": []}
    ]
    assert (part(report, hub)["received"], part(report, hub)["lost"], part(report, hub)["end"]) == (SIZE, 0, "served")
    assert [share.size for one in snapshot.reports for share in one.shares if one.path == "a.json"] == [2]


def test_where_the_time_went(told: Tell) -> None:
    """The parts of the call follow each other and fill it; an endpoint's times are within it."""
    with FakeHub([repo()]) as hub:
        snapshot = fetch("org/name", endpoints=hub.url)
        (report,) = told()
    phases = report["phases"]
    assert [phase["name"] for phase in phases] == ["resolve", "lock", "plan", "transfer", "publish"]
    assert list(snapshot.seconds) == [phase["name"] for phase in phases]
    ends = [phase["at_s"] + phase["elapsed_s"] for phase in phases]
    assert all(later["at_s"] >= end for later, end in zip(phases[1:], ends, strict=False))
    assert ends[-1] <= report["elapsed_s"] <= sum(phase["elapsed_s"] for phase in phases) + 0.5
    times = [part(report, hub)[name] for name in ("connect_s", "answer_s", "body_s")]
    assert all(0 < seconds < report["elapsed_s"] for seconds in times)
    ended = [round(attempt.at_s + attempt.elapsed_s, 6) for attempt in snapshot.attempts]
    assert ended == sorted(ended)
    assert all(0 <= attempt.at_s < report["elapsed_s"] for attempt in snapshot.attempts)


def test_what_it_ran_on(told: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions are told, the carrier's too, and the settings that somebody set, each with its source."""
    monkeypatch.setenv("MIRRORHUB_CARRIER", "httpx")
    with FakeHub([repo()]) as hub:
        fetch("org/name", endpoints=hub.url, trust="any")
        (report,) = told()
    assert {name for name, _ in report["versions"]} == {"mirrorhub", "httpx", "python", "platform"}
    settings = {row["name"]: (row["value"], row["source"]) for row in report["settings"]}
    assert settings["carrier"] == ("httpx", "MIRRORHUB_CARRIER")
    assert settings["trust"] == ("any", "argument")
    assert settings["endpoints"] == (hub.url, "argument")
    assert "silence_s" not in settings


def test_how_many_lanes(told: Tell) -> None:
    """How many connections bodies came over is told, and what was measured where it was more than one."""
    with FakeHub([repo()], [LateHandshake(0.2)]) as far, FakeHub([repo()]) as near:
        fetch("org/name", endpoints=far.url)
        (report,) = told()
        assert part(report, far)["lanes"] > 1
        assert "connecting t" in part(report, far)["reason"]
        fetch("org/name", endpoints=near.url, force_download=True)
        (report,) = told()
        assert (part(report, near)["lanes"], part(report, near)["reason"]) == (1, "")


def test_one_that_breaks_off(told: Tell) -> None:
    """Why an endpoint was left is told, and which bytes of a file each of two gave: all of them, and none twice."""
    breaks = Rule(Truncate(to=300_000, honest=True), "model.bin")
    with FakeHub([repo()], [breaks], name="a") as bad, FakeHub([repo()], name="b") as good:
        fetch("org/name", endpoints=[bad.url, good.url])
        (report,) = told()
    short = fault_of(report, bad, "SHORT_BODY")
    assert (short["subjects"], short["times"] > 0) == (["model.bin"], True)
    assert "ended at byte" in short["outcome"]
    shares = {share["endpoint"]: share["size"] for share in file_of(report, "model.bin")["shares"]}
    assert set(shares) == {bad.url, good.url}
    assert sum(shares.values()) == len(BIG)
    told_runs = runs(report, "model.bin")
    assert [run[0] for run in told_runs] == [0, *(run[1] for run in told_runs[:-1])]
    assert told_runs[-1][1] == len(BIG)


def test_one_that_lies(told: Tell) -> None:
    """Who gave a wrong range is convicted, for that range; what was fetched in vain is told by endpoint and fault."""
    faults = [Rule(Alter(offset=5), "model.bin"), Rule(Truncate(to=1_000_000), "model.bin", times=1)]
    with FakeHub([repo()], faults, name="a") as bad, FakeHub([repo()], name="b") as good:
        fetch("org/name", endpoints=[bad.url, good.url])
        (report,) = told()
    convictions = report["convictions"]
    assert {row["endpoint"] for row in convictions} == {bad.url}
    assert {row["path"] for row in convictions} == {"model.bin"}
    assert all(row["start"] <= 5 < row["end"] for row in convictions)
    # For the range that it gave before the other one went on, and not only for the file that it gave again as a whole.
    assert min(row["end"] for row in convictions) <= 1_000_000
    assert fault_of(report, bad, "WRONG_DIGEST")["size"] > 0
    assert part(report, bad)["end"] == "out"
    assert part(report, bad)["received"] - part(report, bad)["lost"] == len(FILES["a.json"] + FILES["b.txt"])
    assert part(report, good)["received"] - part(report, good)["lost"] == len(BIG)
    assert file_of(report, "model.bin")["shares"] == [
        {"endpoint": good.url, "host": host(good), "size": len(BIG), "runs": []}
    ]


def test_who_served(told: Tell, capsys: Capture) -> None:
    """Whoever gave the bytes that are kept has served, and whoever only gave the listing has not, in every telling."""
    small = sample_bytes("small", 100_000)
    with (
        FakeHub([repo({"model.bin": small})], [Rule(Alter(), "model.bin")], name="a") as lies,
        FakeHub([repo({"model.bin": small})], name="b") as good,
    ):
        assert main(["download", "org/name", "--endpoint", lies.url, "--endpoint", good.url]) == 0
        lines = capsys.readouterr().err.splitlines()
        (report,) = told("org/name")
    assert lines[:2] == [
        f"{lies.url}: served the listing only; left: gave wrong bytes in 1 file",
        f"{good.url}: served 1 file",
    ]
    assert [part(report, hub)["end"] for hub in (lies, good)] == ["out", "served"]


def test_who_only_gave_the_listing(told: Tell, capsys: Capture) -> None:
    """An endpoint that said what there is, and gave no file, has not served."""
    nothing = [Rule(Status(404), pattern) for pattern in ("*.json", "*.txt", "*.bin")]
    with FakeHub([repo()], nothing, name="a") as lists, FakeHub([repo()], name="b") as good:
        assert main(["download", "org/name", "--endpoint", lists.url, "--endpoint", good.url]) == 0
        lines = capsys.readouterr().err.splitlines()
        (report,) = told("org/name")
    assert lines[0].startswith(f"{lists.url}: served the listing only; left: ")
    assert lines[1] == f"{good.url}: served 3 files"
    assert [part(report, hub)["end"] for hub in (lists, good)] == ["listing only", "served"]


def test_large_files_after_a_lie(told: Tell, capsys: Capture) -> None:
    """Whoever gave a large file again after wrong bytes has its line, although its pieces are not told one by one."""
    with FakeHub([repo()], [Alter(offset=1)], name="a") as lies, FakeHub([repo()], name="b") as good:
        assert main(["download", "org/name", "--endpoint", lies.url, "--endpoint", good.url]) == 0
        lines = capsys.readouterr().err.splitlines()
        (report,) = told("org/name")
    assert lines[:2] == [
        f"{lies.url}: served the listing only; left: gave wrong bytes in 3 files",
        f"{good.url}: served 3 files",
    ]
    assert part(report, good)["end"] == "served"


def test_a_small_file_that_is_wrong(told: Tell) -> None:
    """A small file is judged whole: its bytes are lost, and who gave them is convicted for all of them."""
    with FakeHub([repo()], [Rule(Alter(), "b.txt")], name="a") as bad, FakeHub([repo()], name="b") as good:
        fetch("org/name", endpoints=[bad.url, good.url])
        (report,) = told()
    (conviction,) = report["convictions"]
    assert conviction == {"endpoint": bad.url, "path": "b.txt", "start": 0, "end": len(FILES["b.txt"])}
    assert fault_of(report, bad, "WRONG_DIGEST")["size"] >= len(FILES["b.txt"])


LOSSES: list[tuple[str, list[Fault | Rule]]] = [
    ("nothing", []),
    ("no ranges", [Rule(Truncate(to=1_000_000), "model.bin", times=1), RangeIgnored()]),
    ("ranges refused", [Rule(Truncate(to=1_000_000), "model.bin", times=1), RangeRefused()]),
    ("reset", [Rule(RstStream(after_bytes=300_000), "model.bin", times=3)]),
    ("wrong ranges", [Rule(Truncate(to=1_000_000), "model.bin", times=1), Rule(WrongContentRange(), times=5)]),
    ("altered", [Rule(Alter(offset=4_000_000), "model.bin")]),
    ("altered, small", [Rule(Alter(), "*.json")]),
    ("too long", [Rule(OverLong(), "*.json"), Rule(OverLong(), "model.bin", times=2)]),
    ("too long, honestly", [Rule(OverLong(honest=True), "*.json")]),
    ("slow", [Rule(Drip(bytes_per_s=100_000), "model.bin")]),
]


@pytest.mark.parametrize(("name", "faults"), LOSSES, ids=[row[0] for row in LOSSES])
def test_what_came_and_what_was_lost(name: str, faults: list[Fault | Rule], told: Tell, carrier: str) -> None:
    """Whatever goes wrong, what came less what was lost is what the files hold; and so are the shares of each file."""
    with FakeHub([repo()], faults, name="a") as bad, FakeHub([repo()], name="b") as good:
        fetch("org/name", endpoints=[bad.url, good.url])
        (report,) = told()
    assert sum(row["received"] - row["lost"] for row in report["parts"]) == SIZE
    assert sum(row["received"] for row in report["parts"]) == sum(flow["size"] for flow in report["flows"])
    assert sum(row["lost"] for row in report["parts"]) == sum(row["size"] for row in report["troubles"])
    shares = {row["path"]: sum(share["size"] for share in row["shares"]) for row in report["files"]}
    assert shares == {path: len(data) for path, data in FILES.items()}
    assert (
        name not in ("altered", "altered, small", "too long, honestly")
        or sum(row["lost"] for row in report["parts"]) > 0
    )


def test_parked(told: Tell) -> None:
    """Whoever sends Retry-After is waited for, and that is told: for whom, and for how long."""
    with FakeHub([repo()], [Rule(Status(429, retry_after=1), "listing", times=1)]) as hub:
        fetch("org/name", endpoints=hub.url)
        (report,) = told()
    (wait,) = [row for row in report["waits"] if row["kind"] == "parked"]
    assert (wait["who"], wait["times"]) == (hub.url, 1)
    assert wait["elapsed_s"] == pytest.approx(1.0, abs=0.1)
    assert fault_of(report, hub, "BUSY")["outcome"] == "answered 429"


def test_pauses_between_laps(told: Tell) -> None:
    """Pauses between laps are added up."""
    with FakeHub([repo()], [Rule(Status(500), "listing", times=2)]) as hub:
        fetch("org/name", settings=quick(hub.url))
        (report,) = told()
    (wait,) = report["waits"]
    assert (wait["kind"], wait["who"], wait["times"]) == ("pause", "", 2)
    assert wait["elapsed_s"] == pytest.approx(3 * IMPATIENT.pause_s, rel=0.01)


def test_beside_a_silent_endpoint(told: Tell) -> None:
    """How long a silent endpoint was waited for before another one was started beside it."""
    with FakeHub([repo()], [HangBeforeAnswer()], name="a") as mute, FakeHub([repo()], name="b") as good:
        fetch("org/name", settings=quick(mute.url, good.url))
        (report,) = told()
    (wait,) = [row for row in report["waits"] if row["kind"] == "silent"]
    assert wait["who"] == mute.url
    assert IMPATIENT.answer_s <= wait["elapsed_s"] < report["elapsed_s"]
    assert fault_of(report, mute, "READ_TIMEOUT")["times"] > 0
    assert (part(report, mute)["received"], part(report, mute)["end"]) == (0, "asked")


HOLDER = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from mirrorhub.exclusive import exclusive

async def hold():
    async with exclusive(Path(sys.argv[1]), 5):
        print("held", flush=True)
        sys.stdin.readline()

asyncio.run(hold())
"""


def holder(tmp_path: Path) -> subprocess.Popen[str]:
    """Another process that holds the repository until a line comes or its input ends."""
    own = tmp_path / "ms" / "models" / "org--name" / ".mirrorhub"
    own.mkdir(parents=True)
    command = [sys.executable, "-c", HOLDER, str(own / "lock")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


class Releaser(logging.Handler):
    """Lets another process end as soon as it is said that it is waited for."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(logging.INFO)
        self._process = process

    def emit(self, record: logging.LogRecord) -> None:
        """Close its input."""
        if "waiting for" in record.getMessage() and self._process.stdin is not None:
            self._process.stdin.close()


def test_a_lock_that_another_process_holds(told: Tell, tmp_path: Path) -> None:
    """Waiting for the repository's lock is told, with the process that held it, and the machine left unnamed."""
    log = logging.getLogger("mirrorhub.exclusive")
    with holder(tmp_path) as process, FakeHub([repo()]) as hub:
        handler = Releaser(process)
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        try:
            fetch("org/name", endpoints=hub.url)
        finally:
            log.removeHandler(handler)
            log.setLevel(logging.NOTSET)
        (report,) = told()
    (wait,) = [row for row in report["waits"] if row["kind"] == "lock"]
    assert wait["who"] == f"process {process.pid} on this machine"
    assert 0.05 <= wait["elapsed_s"] <= report["elapsed_s"]


def test_a_lock_that_is_never_let_go(told: Tell, tmp_path: Path) -> None:
    """A call that waited too long for another process failed in its part `lock`, and says for whom it waited."""
    settings = Settings.load({"patience": type(IMPATIENT)(lock_s=0.3)})
    with holder(tmp_path) as process, FakeHub([repo()]) as hub:
        with pytest.raises(LockTimeoutError):
            fetch("org/name", settings=Settings.load({"endpoints": hub.url, "patience": settings.patience}))
        process.communicate("\n", timeout=20)
    (report,) = told("org/name")
    assert report["outcome"] == "failed"
    assert report["error"].startswith("LockTimeoutError: ")
    assert f"held by process {process.pid} on this machine (since" in report["error"]
    assert [phase["name"] for phase in report["phases"]] == ["resolve", "lock"]
    assert f"process {process.pid} on this machine" in {row["who"] for row in report["waits"]}
    assert report["vouched_by"] == f"named {hub.url}"


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_resumed_after_a_kill(told: Tell, tmp_path: Path) -> None:
    """Bytes that a killed call had left are told as resumed, and who had given them is not asked for them again."""
    with FakeHub([repo()], [Rule(HangInBody(after_bytes=500_000), "model.bin", after=2)], name="a") as first:
        command = [sys.executable, "-m", "mirrorhub", "download", "org/name", "--endpoint", first.url]
        ends_at = time.monotonic() + 30
        with subprocess.Popen(command) as process:
            while not any(path.stat().st_size for path in tmp_path.rglob("journal")) and time.monotonic() < ends_at:
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
    with FakeHub([repo()], name="b") as second:
        fetch("org/name", endpoints=second.url)
        (report,) = told()
    model = file_of(report, "model.bin")
    assert report["reused"] >= model["reused"] > 0
    assert model["reused"] + sum(share["size"] for share in model["shares"]) == len(BIG)
    assert part(report, second)["received"] <= SIZE - report["reused"]


def test_a_call_that_failed(told: Tell, capsys: Capture) -> None:
    """A failed call leaves its report, the command line points to it, and a later success makes it old news."""
    with FakeHub([repo()], [Rule(Status(404), "model.bin")]) as hub:
        assert main(["download", "org/name", "--endpoint", hub.url, "--timeout", "5"]) == 1
        assert capsys.readouterr().err.endswith("\n`mirrorhub why` tells more.\n")
        (report,) = told("org/name")
        assert (report["outcome"], report["wanted"]) == ("failed", 3)
        assert report["error"].startswith("TransferError: model.bin of modelscope:org/name@master could not be fetched")
        assert fault_of(report, hub, "NOT_A_HUB")["subjects"] == ["model.bin"]
        hub.set_faults()
        fetch("org/name", endpoints=hub.url)
        (report,) = told("org/name")
        assert report["outcome"] == "published"


def test_a_later_failure_comes_first(told: Tell) -> None:
    """Of a snapshot and a later call that failed the failure is told first, and the snapshot's story is kept."""
    with FakeHub([repo()]) as hub:
        fetch("org/name", endpoints=hub.url)
        hub.set_faults(Status(503))
        with pytest.raises(ResolutionError):
            fetch("org/name", settings=quick(hub.url), allow_stale=False)
        with pytest.raises(ResolutionError):
            fetch("org/other", settings=quick(hub.url))
    assert [row["outcome"] for row in told("org/name")] == ["failed", "published"]
    assert [row["repo"] for row in told()] == ["modelscope:org/other", "modelscope:org/name"]
    assert [row["repo"] for row in told("org/other")] == ["modelscope:org/other"]


def test_a_failure_somewhere_else(told: Tell, tmp_path: Path) -> None:
    """A call that failed for another folder is told where it is asked for, and where no place is named."""
    local = tmp_path / "local"
    with FakeHub([repo()]) as hub:
        fetch("org/name", endpoints=hub.url)
        hub.set_faults(Status(503))
        with pytest.raises(ResolutionError):
            fetch("org/name", settings=quick(hub.url), local_dir=local)
    assert [row["outcome"] for row in told("org/name")] == ["failed", "published"]
    assert [row["outcome"] for row in told("org/name", "--cache-dir", str(tmp_path / "ms"))] == ["published"]
    assert [row["outcome"] for row in told("org/name", "--local-dir", str(local))] == ["failed"]


def test_a_success_somewhere_else(told: Tell, tmp_path: Path, capsys: Capture) -> None:
    """Without a place `why MODEL` says what `why` says: where the last call put the model, and no older failure."""
    cache, local = str(tmp_path / "cache"), str(tmp_path / "local")
    with FakeHub([repo()]) as hub:
        fetch("org/name", endpoints=hub.url, cache_dir=cache)
        assert told("org/name") == told()
        hub.set_faults(Status(503))
        with pytest.raises(ResolutionError):
            fetch("org/name", settings=quick(hub.url))
        hub.set_faults()
        fetch("org/name", endpoints=hub.url, local_dir=local)
    assert told("org/name") == told()
    assert [row["place"].rpartition("/")[2] for row in told("org/name")] == ["local"]
    assert [row["outcome"] for row in told("org/name", "--cache-dir", cache)] == ["published"]


def test_nobody_could_be_asked(told: Tell) -> None:
    """What was there will do when nobody answers; why nobody did is told all the same."""
    with FakeHub([repo()]) as hub:
        fetch("org/name", endpoints=hub.url)
        hub.set_faults(Status(503))
        assert fetch("org/name", settings=quick(hub.url)).stale
    stale, published = told("org/name")
    assert (stale["outcome"], published["outcome"]) == ("stale", "published")
    assert stale["error"].startswith("ResolutionError: No endpoint could say what")
    assert fault_of(stale, hub, "SERVER_ERROR")["times"] > 1
    assert len(fault_of(stale, hub, "SERVER_ERROR")["stretches"]) == fault_of(stale, hub, "SERVER_ERROR")["times"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_download_of_the_old(language: str, capsys: Capture) -> None:
    """Where the old content was taken the download points to why, and that has a heading of its own."""
    with FakeHub([repo()]) as hub:
        fetch("org/name", endpoints=hub.url)
        hub.set_faults(Status(503))
        assert main(["download", "org/name", "--endpoint", hub.url, "--timeout", "1"]) == 0
    assert capsys.readouterr().err.endswith("\n`mirrorhub why` tells more.\n")
    assert main(["why", "--lang", language]) == 0
    heading = {"en": "Why the old one was taken: ", "zh": "为什么用了旧内容："}[language]
    assert capsys.readouterr().out.startswith(heading)


@pytest.mark.slow
def test_out_of_time_for_a_silent_hub(told: Tell) -> None:
    """Who had kept silent until the time was over is named, in the error and in the report; nothing came, and so on."""
    with FakeHub([repo()], [HangBeforeAnswer()], name="a") as mute, FakeHub([repo()], [HangBeforeAnswer()]) as other:
        for hubs in ([mute], [mute, other]):
            settings = quick(*(hub.url for hub in hubs), timeout_s=1.5, silence_s=60.0)
            settings = replace(settings, patience=replace(settings.patience, stall_s=60.0))
            with pytest.raises(ResolutionError) as caught:
                fetch("org/name", settings=settings)
            assert caught.value.message == "resolve: not done within the 1.5 s that were allowed."
            for hub in hubs:
                assert re.search(rf"{hub.url}: listing: had been silent for [01]\.\d s", str(caught.value))
            (report,) = told("org/name")
            assert [fault_of(report, hub, "READ_TIMEOUT")["times"] for hub in hubs] == [1] * len(hubs)
            assert [part(report, hub)["end"] for hub in hubs] == ["asked"] * len(hubs)


def test_out_of_time_for_a_body_that_stopped(told: Tell) -> None:
    """Who stopped in the middle of a file until the time was over is named as well."""
    hangs = Rule(HangInBody(after_bytes=10_000), "model.bin")
    with FakeHub([repo()], [hangs]) as hub:
        settings = replace(quick(hub.url, timeout_s=1.5), patience=replace(IMPATIENT, stall_s=60.0))
        with pytest.raises(TransferError, match=r"(?s)What has come stays.*\n.*model.bin: had been silent for"):
            fetch("org/name", settings=settings)
    (report,) = told()
    assert fault_of(report, hub, "READ_TIMEOUT")["times"] == 1


def test_out_of_time(told: Tell) -> None:
    """A call whose time was over says so, and in which part of it that was."""
    hangs = Rule(HangInBody(after_bytes=10_000), "model.bin")
    with FakeHub([repo()], [hangs]) as hub, pytest.raises(TransferError, match="not done within"):
        fetch("org/name", endpoints=hub.url, timeout=1.5)
    (report,) = told()
    assert "transfer: not done within the 1.5 s that were allowed" in report["error"]
    assert report["phases"][-1]["name"] == "transfer"
    assert part(report, hub)["received"] > 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_called_off(told: Tell) -> None:
    """A call that was called off with Ctrl-C is told as such."""
    command = [sys.executable, "-m", "mirrorhub", "download", "org/name", "--endpoint"]
    ends_at = time.monotonic() + 30
    with FakeHub([repo()], [HangBeforeAnswer()]) as hub, subprocess.Popen([*command, hub.url]) as process:
        while not hub.log.requests() and time.monotonic() < ends_at:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
    (report,) = told()
    assert (report["outcome"], report["error"]) == ("cancelled", "")


def test_a_question_that_failed(told: Tell) -> None:
    """A call that only asked what a repository holds leaves the same report."""
    with FakeHub([], [RefuseConnection()]) as hub, pytest.raises(ResolutionError):
        resolve("org/name", settings=quick(hub.url))
    (report,) = told("org/name")
    assert (report["outcome"], report["wanted"], report["vouched_by"]) == ("failed", 0, "")
    assert fault_of(report, hub, "REFUSED")["times"] > 0


def reports_below(folder: Path) -> dict[Path, tuple[int, int]]:
    """Every report on disk, with when it was written."""
    kinds = ("reports", "published", "failed")
    return {
        path: (path.stat().st_mtime_ns, path.stat().st_ino)
        for path in folder.rglob("*.json")
        if path.parent.name in kinds
    }


def test_what_is_on_disk_writes_nothing(tmp_path: Path) -> None:
    """A call that is satisfied from disk leaves the reports as they are, whether or not it asked for the listing."""
    with FakeHub([repo()]) as hub:
        fetch("org/name", endpoints=hub.url)
        before = reports_below(tmp_path)
        fetch("org/name", endpoints=hub.url)
        fetch("org/name", local_files_only=True)
    assert reports_below(tmp_path) == before
    assert len(before) == 2


def test_whoever_waited_and_found_it_there(told: Tell, tmp_path: Path) -> None:
    """Of two calls at once the one that brought the files is told, not the one that waited and found them."""

    async def both() -> None:
        await asyncio.gather(*(afetch("org/name", endpoints=hub.url) for _ in range(2)))

    with FakeHub([repo()], [Rule(Slow(delay_s=0.3), "model.bin")]) as hub:
        asyncio.run(both())
        assert hub.log.bytes_sent_by_file() == {path: len(data) for path, data in FILES.items()}
    assert [row["came"] for row in told("org/name")] == [3]
    assert len(reports_below(tmp_path)) == 2


def test_private(tmp_path: Path) -> None:
    """Reports are for their owner's eyes: whether to show them is for nobody else to decide."""
    with FakeHub([repo()]) as hub:
        fetch("org/name", endpoints=hub.url)
        hub.set_faults(Status(503))
        with pytest.raises(ResolutionError):
            fetch("org/other", settings=quick(hub.url))
    paths = reports_below(tmp_path)
    assert len(paths) == 3
    if os.name != "nt":
        assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}


def test_where_it_was_put(told: Tell, tmp_path: Path, capsys: Capture) -> None:
    """A report is found by the spelling of the download: hub, revision or commit, cache directory, folder."""
    cache, local = str(tmp_path / "cache"), str(tmp_path / "local")
    with FakeHub([Repo("huggingface", "org/name", FILES)]) as hub:
        commit = fetch("hf://org/name", endpoints=hub.url, cache_dir=cache).commit
        fetch("hf://org/name", endpoints=hub.url, local_dir=local)
    assert told("hf://org/name", "--cache-dir", cache)[0]["commit"] == commit
    assert told("org/name", "--hub", "huggingface", "--cache-dir", cache, "--revision", "main")[0]["came"] == 3
    assert told("hf://org/name", "--cache-dir", cache, "--revision", str(commit))[0]["revision"] == "main"
    assert told("hf://org/name", "--local-dir", local)[0]["place"].endswith("local")
    for arguments in (["org/name"], ["hf://org/name", "--cache-dir", cache, "--revision", "other"]):
        assert main(["why", *arguments]) == 4


@pytest.mark.parametrize("arguments", [[], ["org/name"], ["org/name", "--json"]], ids=lambda one: " ".join(one))
def test_nothing_is_known(arguments: list[str], capsys: Capture) -> None:
    """Where nothing is known that is said, with what to do: exit code 4, and nothing on stdout."""
    assert main(["why", *arguments]) == 4
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "mirrorhub download" in captured.err
    assert main(["why", *arguments, "--lang", "zh"]) == 4
    assert "用 `mirrorhub download" in capsys.readouterr().err


def test_a_state_directory_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: Tell) -> None:
    """Where nothing can be kept of it a call goes as it would have gone, and its error is its own."""
    blocked = tmp_path / "blocked"
    blocked.write_text("a file stands here")
    monkeypatch.setenv("MIRRORHUB_STATE", str(blocked))
    with FakeHub([repo()]) as hub:
        snapshot = fetch("org/name", endpoints=hub.url)
        assert (snapshot.path / "model.bin").read_bytes() == BIG
        with pytest.raises(ResolutionError, match="org/other"):
            fetch("org/other", settings=Settings.load({"endpoints": hub.url, "patience": IMPATIENT}))
    assert told("org/name")[0]["outcome"] == "published"
    assert main(["why"]) == 4


def test_a_cache_that_cannot_be_written(tmp_path: Path, told: Tell) -> None:
    """A call that failed because of the cache itself is told, too."""
    (tmp_path / "ms").write_text("a file stands here")
    with FakeHub([repo()]) as hub, pytest.raises(StoreError):
        fetch("org/name", endpoints=hub.url)
    (report,) = told()
    assert report["error"].startswith("StoreError: ")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_where_reports_belong(tmp_path: Path) -> None:
    """Nothing is written through a symbolic link that somebody has planted in a cache."""
    own = tmp_path / "ms" / "models" / "org--name" / ".mirrorhub"
    elsewhere = tmp_path / "elsewhere"
    own.mkdir(parents=True)
    elsewhere.mkdir()
    (own / "reports").symlink_to(elsewhere)
    with FakeHub([repo()]) as hub:
        fetch("org/name", endpoints=hub.url)
    assert list(elsewhere.iterdir()) == []


def test_many_small_files(told: Tell, tmp_path: Path) -> None:
    """Of five hundred files no more is written down than of a hundred; their bytes are all counted."""
    files = {f"{number:04}.txt": b"%d" % number for number in range(500)}
    with FakeHub([repo(files)], [Rule(Status(503), "*.txt", times=50)]) as hub:
        fetch("org/name", settings=quick(hub.url))
        (report,) = told()
    assert (report["wanted"], report["came"], len(report["files"])) == (500, 500, 100)
    assert sum(flow["size"] for flow in report["flows"]) == report["size"] == sum(map(len, files.values()))
    assert fault_of(report, hub, "SERVER_ERROR")["times"] == 50
    assert max(path.stat().st_size for path in reports_below(tmp_path)) < 100_000


def test_old_failures_go(tmp_path: Path) -> None:
    """Of calls that failed the last twenty are kept, and none that is older than a month."""
    folder = tmp_path / "home" / ".state" / "mirrorhub" / "failed"
    with FakeHub([], [RefuseConnection()]) as hub:
        settings = quick(hub.url, patience=replace(IMPATIENT, laps=1))
        for _ in range(22):
            with pytest.raises(ResolutionError):
                resolve("org/name", settings=settings, timeout=None)
        assert len(list(folder.iterdir())) == 20
        old = int((time.time() - 31 * 86_400) * 1_000_000)
        for path in list(folder.iterdir())[3:]:
            path.rename(folder / f"{old:016d}-{path.name[17:]}")
        with pytest.raises(ResolutionError):
            resolve("org/name", settings=quick(hub.url), timeout=None)
    assert len(list(folder.iterdir())) == 4
