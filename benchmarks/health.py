"""What a bad first endpoint costs: the first call, and the second one with and without what the first has learnt.

    python -m benchmarks.health [--runs N] [--json FILE]

Two hubs of the test suite on this machine hold the same repository of 3 MB; the first one is bad, the second is good.
Every call is a process of its own with an empty cache and the patience that users have. Timed is the call itself, from
the first request to the checked files, not the start of Python; medians. `without`: the state directory was deleted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import Alter, Drip, HangBeforeAnswer, HangOnAccept, NoConnect, RefuseConnection
from tests.fakehub.repo import sample_bytes
from tests.fakehub.rules import Fault

FILES = {
    "model.bin": sample_bytes("model", 2_500_000),
    **{f"{n}.json": sample_bytes(f"{n}", 50_000) for n in range(10)},
}
FAULTS: dict[str, list[Fault]] = {
    "good": [],
    "dead (drops what is sent)": [NoConnect()],
    "hanging (accepts, never answers)": [HangOnAccept()],
    "silent (answers no request)": [HangBeforeAnswer()],
    "refusing": [RefuseConnection()],
    "crawling (10 kB/s)": [Drip(bytes_per_s=10_000)],
    "lying (alters bytes)": [Alter()],
}
COLUMNS = ("first call", "second, with", "second, without")
CALL = """
import sys, time
import mirrorhub.snapshot, mirrorhub.http.curl, mirrorhub.loop
from mirrorhub import close, fetch

started = time.perf_counter()
snapshot = fetch("org/name", endpoints=sys.argv[1:])
print(time.perf_counter() - started)
close()
assert len(snapshot.files) == 11
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.health", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5, help="how often")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every time that was measured")
    arguments = parser.parse_args()
    print(f"| first endpoint | {' | '.join(COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}")
    measured = {}
    for name, faults in FAULTS.items():
        measured[name] = measure(faults, arguments.runs)
        print(f"| {name} | {' | '.join(map(shown, measured[name]))} |", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(measured, indent=1))


def measure(faults: list[Fault], runs: int) -> list[list[float]]:
    """Return the seconds of every run, column by column."""
    repo = Repo("modelscope", "org/name", FILES)
    with FakeHub([repo], faults, name="first") as first, FakeHub([repo], name="second") as second:
        rows = [in_a_folder(lambda folder: times(first, second, folder)) for _ in range(runs)]
    return [list(column) for column in zip(*rows, strict=True)]


def times(first: FakeHub, second: FakeHub, folder: Path) -> list[float]:
    """Call once; again with what is remembered; and again without."""
    state = folder / "state"
    seconds = [call(first, second, folder / "1", state), call(first, second, folder / "2", state)]
    shutil.rmtree(state)
    return [*seconds, call(first, second, folder / "3", state)]


def call(first: FakeHub, second: FakeHub, cache: Path, state: Path) -> float:
    """Fetch everything in a process of its own; return the seconds of the call."""
    foreign = ("MIRRORHUB_", "MODELSCOPE_", "HF_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment |= {"MIRRORHUB_STATE": str(state), "MODELSCOPE_CACHE": str(cache), "SSL_CERT_FILE": str(first.ca_file)}
    command = [sys.executable, "-c", CALL, first.url, second.url]
    return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def in_a_folder(work: Callable[[Path], list[float]]) -> list[float]:
    """Do something in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        return work(Path(folder))


def shown(seconds: list[float]) -> str:
    """Write the median."""
    return f"{statistics.median(seconds):.2f} s"


if __name__ == "__main__":
    main()
