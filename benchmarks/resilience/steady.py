"""Thousands of calls in one process: does anything grow? Descriptors, threads, memory, every few hundred calls.

    python -m benchmarks.resilience.steady [--calls 2000]

Calls in turn: cold (another cache each time), warm (a listing, nothing to fetch), from disk (no network), and failing:
no such repository, a hub that is not there, wrong bytes, a file that stalls. The same from eight threads, from inside a
running loop, and in a child after a fork.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from mirrorhub import Settings, afetch, close, errors, fetch
from mirrorhub.config import Patience
from tests.fakehub import FakeHub, Repo, certs
from tests.fakehub.faults import Alter, HangInBody
from tests.fakehub.repo import sample_bytes
from tests.fakehub.rules import Rule

PATIENCE = Patience(connect_s=0.2, answer_s=0.3, stall_s=0.2, laps=2, pause_s=0.01, pause_limit_s=0.05)
NOBODY = "https://localhost:9"
FILES = {"config.json": b"{}", "a.txt": sample_bytes("a", 30_000), "model.bin": sample_bytes("model", 1_500_000)}
Case = tuple[str, Settings, bool]
Held = tuple[int, int, float]
"""Descriptors, threads, memory in MiB."""
NOISE_THREADS, NOISE_MIB = 4, 8.0
"""An executor makes its threads as they are needed, up to its limit."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000)
    count = parser.parse_args().calls
    print(f"{'':34}{'calls':>7}{'descriptors':>13}{'threads':>9}{'MiB':>7}")
    with cases() as every:
        flat = one_by_one(every, count)
        from_threads(every, count)
        asyncio.run(from_a_loop(every, count // 4))
        after_a_fork(every, count // 4)
    close()
    show("closed", 0)
    sys.exit(0 if flat else 1)


@contextmanager
def cases() -> Iterator[Callable[[], Case]]:
    """Yield what gives the next call to make, each of another kind than the one before."""
    os.environ["SSL_CERT_FILE"] = str(certs.ca_file())
    repo = Repo("modelscope", "org/name", FILES)
    bad = [Rule(Alter(), "a.txt")]
    stalling = [Rule(HangInBody(after_bytes=10_000), "a.txt")]
    with (
        tempfile.TemporaryDirectory() as home,
        FakeHub([repo]) as hub,
        FakeHub([repo], bad) as liar,
        FakeHub([repo], stalling) as stalled,
    ):
        numbers = itertools.count()

        def settings(kind: str, *endpoints: str, offline: bool = False) -> Settings:
            given = {"endpoints": endpoints, "modelscope_cache": Path(home, kind), "state_dir": Path(home, "state")}
            return Settings.load({**given, "patience": PATIENCE, "silence_s": 0.5, "offline": offline})

        fetch("org/name", settings=settings("warm", hub.url))

        def next_case() -> Case:
            number = next(numbers)
            shutil.rmtree(Path(home, f"cold-{number - 64}"), ignore_errors=True)
            for one in (hub, liar, stalled):
                if number % 50 == 0:
                    one.log.clear()
            kinds: list[Case] = [
                ("org/name", settings(f"cold-{number}", hub.url), True),
                ("org/name", settings("warm", hub.url), True),
                ("org/name", settings("warm", hub.url, offline=True), True),
                ("org/none", settings("warm", hub.url), False),
                ("org/name", settings("cold", NOBODY), False),
                ("org/name", settings(f"cold-{number}", liar.url), False),
                ("org/name", settings(f"cold-{number}", stalled.url), False),
                ("org/name", settings(f"cold-{number}", stalled.url, hub.url), True),
            ]
            return kinds[number % len(kinds)]

        yield next_case


def call(case: Case) -> None:
    """Make a call that is to end well, or with one of our errors."""
    repo, settings, well = case
    try:
        fetch(repo, settings=settings, allow_stale=False)
    except errors.MirrorHubError:
        if well:
            raise
    else:
        assert well, case


async def acall(case: Case) -> None:
    """The same from inside a loop."""
    repo, settings, well = case
    try:
        await afetch(repo, settings=settings, allow_stale=False)
    except errors.MirrorHubError:
        if well:
            raise
    else:
        assert well, case


def one_by_one(cases: Callable[[], Case], count: int) -> bool:
    """Whether the second half of the calls left no more open than the first, and no more memory than noise."""
    held: dict[int, Held] = {}
    for number in range(1, count + 1):
        call(cases())
        if number in (8, count // 8, count // 4, count // 2, count):
            held[number] = show("one by one", number)
    half, whole = held[count // 2], held[count]
    more = [after - before for before, after in zip(half, whole, strict=True)]
    return more[0] <= 0 and more[1] <= NOISE_THREADS and more[2] <= NOISE_MIB


def from_threads(cases: Callable[[], Case], count: int) -> None:
    lock = threading.Lock()

    def some(_: int) -> None:
        with lock:
            case = cases()
        call(case)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(some, range(count)))
    show("from eight threads", count)


async def from_a_loop(cases: Callable[[], Case], count: int) -> None:
    for _ in range(count // 8):
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(acall(cases()))
        for _ in range(4):
            call(cases())
    show("inside a running loop", count)


def after_a_fork(cases: Callable[[], Case], count: int) -> None:
    show("before a fork", 0)
    if (child := os.fork()) == 0:
        try:
            for number in range(1, count + 1):
                call(cases())
                if number in (8, count):
                    show("in the child", number)
            close()
            show("in the child, closed", 0)
        except BaseException as error:
            print(repr(error))
            os._exit(1)
        sys.stdout.flush()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    for _ in range(8):
        call(cases())
    show(f"after it (child: {os.waitstatus_to_exitcode(status)})", 8)


def show(what: str, calls: int) -> Held:
    """Print what the process holds, and return it."""
    gc.collect()
    descriptors = sum(os.path.lexists(entry) for entry in list(Path("/proc/self/fd").iterdir()))
    memory = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / (1 << 20)
    held = (descriptors, threading.active_count(), memory)
    print(f"{what:34}{calls:7,}{held[0]:13,}{held[1]:9,}{held[2]:7.0f}", flush=True)
    return held


if __name__ == "__main__":
    main()
