"""The chaos suite at length: schedules of faults, drawn at random, against the public `fetch`.

python -m benchmarks.chaos --schedules 2000 --seed 1 --jobs 2 [--json FILE]
python -m benchmarks.chaos --replay 1234                  by its number
python -m benchmarks.chaos --replay "Schedule(hub=...)"   as it was printed
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import logging
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.drawing import drawn
from tests.chaos.oracle import Verdict
from tests.chaos.outcome import Outcome
from tests.chaos.run import run
from tests.chaos.schedule import Schedule, replayed

SLOWEST = 5
BATCH = 50
FOREIGN = ("MIRRORHUB_", "MODELSCOPE_", "HF_", "HUGGING", "TRANSFORMERS_")
PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})
console = Console()


@dataclass(frozen=True, slots=True)
class Done:
    """A schedule that was run."""

    number: int
    outcome: Outcome
    seconds: float

    @property
    def slowest_s(self) -> float:
        """How long the longest of its calls took."""
        return max((told.seconds for told in self.outcome.told), default=0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schedules", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1, help="the number of the first schedule is a million times this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, help="write all results here")
    parser.add_argument("--replay", help="a schedule's number, or its text")
    arguments = parser.parse_args()
    if arguments.replay:
        sys.exit(_replay(arguments.replay))
    first = 1_000_000 * arguments.seed
    started = time.monotonic()
    every = list(_told(_run_all(range(first, first + arguments.schedules), arguments.jobs)))
    _show(every, time.monotonic() - started)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(done) for done in every], default=lambda value: value.name))
    sys.exit(any(done.outcome.problems for done in every))


def _run_all(numbers: Sequence[int], jobs: int) -> Iterator[Done]:
    """Run schedules in processes of their own, each many of them."""
    batches = [numbers[start : start + BATCH] for start in range(0, len(numbers), BATCH)]
    with ThreadPoolExecutor(jobs) as threads:
        for batch in threads.map(_run_batch, batches):
            yield from batch


def _run_batch(numbers: Sequence[int]) -> list[Done]:
    """Run schedules in a process; where one ends the process, the others get the next."""
    done: list[Done] = []
    context = multiprocessing.get_context("spawn")
    while left := numbers[len(done) :]:
        reader, writer = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(left, writer))
        process.start()
        writer.close()
        with suppress(EOFError):
            while True:
                done.append(reader.recv())
        process.join()
        if len(done) < len(numbers):
            words = f"the process died with {process.exitcode}"
            done.append(Done(numbers[len(done)], Outcome(needless=[words]), 0.0))
    return done


def _work(numbers: Sequence[int], writer: Connection) -> None:
    faulthandler.enable()
    _prepare()
    for number in numbers:
        writer.send(_run(number))


def _run(number: int) -> Done:
    try:
        return _run_one(drawn(number), number)
    except Exception as error:
        return Done(number, Outcome(left=[f"the suite itself failed: {error!r}"]), 0.0)


def _prepare() -> None:
    """Let nothing of whoever runs this get into the calls, and say nothing of what they log."""
    for name in list(os.environ):
        if name.startswith(FOREIGN) or name.upper() in PROXIES:
            del os.environ[name]
    logging.getLogger("mirrorhub").addHandler(logging.NullHandler())
    logging.getLogger("mirrorhub").propagate = False


def _run_one(schedule: Schedule, number: int) -> Done:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-") as root:
        outcome = run(schedule, Path(root))
    return Done(number, outcome, time.monotonic() - started)


def _told(every: Iterator[Done]) -> Iterator[Done]:
    """Print what failed as it comes."""
    for count, done in enumerate(every, 1):
        if done.outcome.problems:
            _show_failed(done, drawn(done.number))
        if count % 100 == 0:
            console.print(f"{count} schedules", style="dim")
        yield done


def _replay(what: str) -> int:
    _prepare()
    schedule = drawn(int(what)) if what.isdecimal() else replayed(what)
    done = _run_one(schedule, int(what) if what.isdecimal() else -1)
    for told in done.outcome.told:
        console.print(f"{told.kind}; {told.expected.value}; {told.seconds:.2f} s")
    if done.outcome.problems:
        _show_failed(done, schedule)
    return bool(done.outcome.problems)


def _show_failed(done: Done, schedule: Schedule) -> None:
    console.print(f"schedule {done.number}:", style="bold red")
    for problem in done.outcome.problems:
        console.print(f"  {problem}", markup=False, highlight=False)
    console.print(repr(schedule), markup=False, highlight=False, soft_wrap=True)


def _show(every: Sequence[Done], seconds: float) -> None:
    calls = [told for done in every for told in done.outcome.told]
    table = Table("outcome", *(one.value for one in Verdict), title=f"{len(every)} schedules, {len(calls)} calls")
    counts = Counter((told.kind, told.expected.name) for told in calls)
    for kind in sorted({told.kind for told in calls}):
        table.add_row(kind, *(str(counts[kind, name] or "") for name in Verdict.__members__))
    console.print(table)
    console.print(f"{sum(bool(done.outcome.wrong) for done in every)} with wrong bytes")
    console.print(f"{sum(bool(done.outcome.late) for done in every)} beyond what a call was allowed")
    console.print(f"{sum(bool(done.outcome.needless) for done in every)} with failures that need not have been")
    console.print(f"{sum(bool(done.outcome.left) for done in every)} that left something behind")
    slowest = sorted(every, key=lambda done: -done.slowest_s)[:SLOWEST]
    console.print("slowest calls: " + ", ".join(f"{done.slowest_s:.1f} s in {done.number}" for done in slowest))
    console.print(f"{seconds:.0f} s in all, {sum(done.seconds for done in every) / max(1, len(every)):.2f} s for each")


if __name__ == "__main__":
    main()
