"""Kill a process that fetches, at a random moment, again and again; count what is asked for twice.

    python -m benchmarks.resilience.kill [--kills 200] [--megabytes-per-s 10] [--seed 1]

Three endpoints share one line, and are asked in another order each time. What is on disk (journals, checked files) is
looked up before each run, and compared with the ranges that the run asked for, from the endpoints' own logs.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.resilience.throttle import throttled
from mirrorhub.digest import file_digest
from mirrorhub.models import Digest
from tests.fakehub import FakeHub, Repo, certs
from tests.fakehub.log import RequestRecord
from tests.fakehub.repo import File, sample_bytes

MEBIBYTE = 1 << 20
WORKER = """
import mmap, struct, sys
from mirrorhub import close, fetch

file = open(sys.argv[1], "r+b")
counters = mmap.mmap(file.fileno(), 0)
names = sys.argv[2].split()

class Count:
    def __init__(self, name, size):
        self.at, self.total = 8 * names.index(name), 0
    def update(self, n):
        self.total += n
        struct.pack_into("q", counters, self.at, self.total)
    def end(self):
        pass

print(fetch("org/name", endpoints=sys.argv[3:], progress_callbacks=[Count]).path)
close()
"""
Span = tuple[int, int]


@dataclass(slots=True)
class Tally:
    """What was seen over all runs. Bytes, and the runs in which they were too many."""

    kills: int = 0
    completed: int = 0
    wrong: int = 0
    asked: int = 0
    on_disk_and_asked: int = 0
    lost: int = 0
    open_ranges: int = 0
    beyond: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--megabytes-per-s", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of those who were killed
    chance = random.Random(arguments.seed)
    sizes = {f"large-{number}.bin": 12_000_000 for number in range(4)}
    sizes |= {f"small-{number}.txt": chance.randrange(250_000) for number in range(30)}
    repo = Repo("modelscope", "org/name", {name: sample_bytes(name, size) for name, size in sizes.items()})
    with ExitStack() as stack:
        hubs = [stack.enter_context(FakeHub([repo], name=name)) for name in "abc"]
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = [urlsplit(hub.url).port or 0 for hub in hubs]
        urls = [
            f"https://localhost:{port}"
            for port in stack.enter_context(throttled(ports, arguments.megabytes_per_s * 1e6))
        ]
        tally = Tally()
        while tally.kills < arguments.kills:
            run(repo, hubs, chance.sample(urls, len(urls)), home, chance.uniform(0.2, 2.0), tally)
        while not tally.completed:
            run(repo, hubs, urls, home, 600.0, tally)
    report(tally)


def run(repo: Repo, hubs: list[FakeHub], urls: list[str], home: Path, lifetime_s: float, tally: Tally) -> None:
    """Let a process fetch for so long, or until it is done; see what it asked for."""
    files = repo.head.files
    counters = home / "counters"
    counters.write_bytes(bytes(8 * len(files)))
    before = on_disk(home, files)
    for hub in hubs:
        hub.log.clear()
    command = [sys.executable, "-c", WORKER, str(counters), " ".join(files), *urls]
    environment = {
        **os.environ,
        "MODELSCOPE_CACHE": str(home / "cache"),
        "MIRRORHUB_STATE": str(home / "state"),
        "SSL_CERT_FILE": str(certs.ca_file()),
    }
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        path, _ = process.communicate(timeout=lifetime_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        tally.kills += 1
        path = ""
    requests = [request for hub in hubs for request in asked_of(hub)]
    look_at_requests(requests, before, files, tally)
    if path:
        tally.completed += 1
        tally.wrong += sum(Path(path.strip(), name).read_bytes() != file.data for name, file in files.items())
        shutil.rmtree(home / "cache")
    elif process.returncode == -signal.SIGKILL:
        look_at_loss(requests, on_disk(home, files), counters, files, tally)
    else:
        raise SystemExit(f"the process ended with {process.returncode}")


def asked_of(hub: FakeHub) -> Iterator[RequestRecord]:
    """Yield what was asked of a hub, once everything has ended there."""
    hub.log.wait_until(lambda log: all(connection.closed for connection in log.connections))
    yield from hub.log.requests(kind="body")


def on_disk(home: Path, files: Mapping[str, File]) -> dict[str, list[Span]]:
    """Return which bytes of each file are on disk: named by a journal, or whole and right among the checked ones."""
    own = home / "cache/models/org--name/.mirrorhub"
    spans: dict[str, list[Span]] = {name: [] for name in files}
    for name, file in files.items():
        for journal in own.glob(f"partial/sha256-{file.sha256}.*/journal"):
            lines = journal.read_text().splitlines(keepends=True)
            spans[name] += [tuple(json.loads(line)[:2]) for line in lines if line.endswith("\n")]
        ready = own / f"ready/sha256-{file.sha256}"
        # Killed while it was published: there already, or on its way there.
        published = [own.parent / "snapshots/master" / name, *own.glob(f"staging-*/{name}")]
        if any(is_right(place, file) for place in (ready, *published)):
            spans[name] = [(0, file.size)]
    return spans


def is_right(place: Path, file: File) -> bool:
    """Whether a file is there and what it should be."""
    return place.is_file() and file_digest(place, Digest("sha256", file.sha256), file.size) == file.sha256


def look_at_requests(
    requests: Iterable[RequestRecord], before: Mapping[str, list[Span]], files: Mapping[str, File], tally: Tally
) -> None:
    """Compare what a run asked for with what was there when it began."""
    for request in requests:
        assert request.file is not None
        start, end = asked_span(request, files[request.file].size)
        twice = sum(max(0, min(end, b) - max(start, a)) for a, b in before[request.file])
        tally.asked += end - start
        tally.on_disk_and_asked += twice
        if twice:
            tally.beyond.append(f"{request.file}: {start}-{end} was asked for, and {twice} bytes of it were on disk")


def look_at_loss(
    requests: Iterable[RequestRecord],
    after: Mapping[str, list[Span]],
    counters: Path,
    files: Mapping[str, File],
    tally: Tally,
) -> None:
    """Compare what had come with what was on disk when the run was killed."""
    came = struct.unpack(f"{len(files)}q", counters.read_bytes())
    lost = sum(max(0, count - total(after[name])) for name, count in zip(files, came, strict=True))
    # Of whatever was asked for: what the server has sent long ago may not have come before the kill.
    open_ranges = sum(
        not covers(after[one.file or ""], *asked_span(one, files[one.file or ""].size)) for one in requests
    )
    tally.lost += lost
    tally.open_ranges += open_ranges
    if lost > open_ranges * MEBIBYTE:
        tally.beyond.append(f"{lost} bytes were lost, with {open_ranges} ranges open")


def asked_span(request: RequestRecord, size: int) -> Span:
    """Return what a request asks for."""
    first, _, last = request.headers.get("range", "").removeprefix("bytes=").partition("-")
    return (int(first), int(last) + 1 if last else size) if first else (0, size)


def covers(spans: Iterable[Span], start: int, end: int) -> bool:
    """Whether all bytes of a range are on disk."""
    return sum(max(0, min(end, b) - max(start, a)) for a, b in spans) == end - start


def total(spans: Iterable[Span]) -> int:
    """Count the bytes of spans that do not overlap."""
    return sum(end - start for start, end in spans)


def report(tally: Tally) -> None:
    """Print it."""
    print(f"killed                                  {tally.kills:12,}")
    print(f"completed                               {tally.completed:12,}")
    print(f"files with wrong bytes                  {tally.wrong:12,}")
    print(f"bytes asked for                         {tally.asked:12,}")
    print(f"of these on disk when the run began     {tally.on_disk_and_asked:12,}")
    print(f"bytes that had come and were lost       {tally.lost:12,}")
    print(f"lost for each range that was open       {tally.lost / max(1, tally.open_ranges):12,.0f}")
    print(f"runs beyond what is allowed             {len(tally.beyond):12,}")
    for line in tally.beyond:
        print(f"  {line}")
    sys.exit(1 if tally.beyond or tally.wrong else 0)


if __name__ == "__main__":
    main()
