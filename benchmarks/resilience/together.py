"""Many processes want the same repository at the same time, from a cold cache; then the one that fetches is killed.

    python -m benchmarks.resilience.together [--processes 16] [--megabytes-per-s 20]

Each byte is fetched once: the bytes of bodies that the hub has sent are counted from its log. After the kill another
process goes on with what is on disk.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.resilience.kill import asked_span
from benchmarks.resilience.throttle import throttled
from tests.fakehub import FakeHub, Repo, certs
from tests.fakehub.repo import sample_bytes

WORKER = """
import sys
from mirrorhub import close, fetch

print(fetch("org/name", endpoints=sys.argv[1]).path)
close()
"""
SIZES = {f"large-{number}.bin": 8_000_000 for number in range(3)} | {f"small-{n}.txt": 40_000 + n for n in range(30)}
OWN = "models/org--name/.mirrorhub"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--megabytes-per-s", type=float, default=20.0)
    arguments = parser.parse_args()
    well = [together(arguments.processes, arguments.megabytes_per_s, killing=killing) for killing in (False, True)]
    sys.exit(0 if all(well) else 1)


def together(count: int, megabytes_per_s: float, *, killing: bool) -> bool:
    """Start so many processes, kill the holder of the lock in the middle or not; print how it went."""
    files = {name: sample_bytes(name, size) for name, size in SIZES.items()}
    with (
        tempfile.TemporaryDirectory() as cache,
        FakeHub([Repo("modelscope", "org/name", files)]) as hub,
        throttled([urlsplit(hub.url).port or 0], megabytes_per_s * 1e6) as ports,
    ):
        environment = {**os.environ, "MODELSCOPE_CACHE": cache, "MIRRORHUB_STATE": cache + "/state"}
        environment |= {"SSL_CERT_FILE": str(certs.ca_file())}
        command = [sys.executable, "-c", WORKER, f"https://localhost:{ports[0]}"]
        started = time.perf_counter()
        processes = [
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(count)
        ]
        on_disk = kill_holder(Path(cache, OWN), hub) if killing else 0
        paths = [process.communicate()[0].strip() for process in processes]
        seconds = time.perf_counter() - started
        codes = [process.returncode for process in processes]
        spans = [asked_span(request, SIZES[request.file or ""]) for request in hub.log.requests(kind="body")]
        whole = {
            path: all(Path(path, name).read_bytes() == data for name, data in files.items()) for path in paths if path
        }
    size, asked = sum(SIZES.values()), sum(end - start for start, end in spans)
    ended_well = codes.count(0) == count - killing and all(whole.values()) and len(whole) == 1
    print(f"{count} processes{', the holder of the lock killed in the middle' if killing else ''}: {seconds:.1f} s")
    print(f"  ended well               {codes.count(0):12,}   killed {codes.count(-signal.SIGKILL)}")
    print(f"  bytes of the repository  {size:12,}")
    if killing:
        print(f"  on disk at the kill      {on_disk:12,}")
    share = asked / (size - on_disk)
    print(f"  bytes asked for{' after it' if killing else '         '} {asked:12,}   {share:.3f} of what was missing")
    return ended_well and asked <= size - on_disk


def is_whole(path: Path, files: Mapping[str, bytes]) -> bool:
    """Whether a snapshot is what it should be."""
    return all((path / name).read_bytes() == data for name, data in files.items())


def kill_holder(own: Path, hub: FakeHub) -> int:
    """Kill whoever holds the lock once something is on disk; return how many bytes were."""
    while True:
        held = sum(_named(journal) for journal in own.glob("partial/*/journal"))
        if held > sum(SIZES.values()) // 3:
            os.kill(json.loads((own / "lock.holder").read_text())["pid"], signal.SIGSTOP)
            held = sum(_named(journal) for journal in own.glob("partial/*/journal"))
            held += sum(path.stat().st_size for path in own.glob("ready/*"))
            hub.log.clear()
            os.kill(json.loads((own / "lock.holder").read_text())["pid"], signal.SIGKILL)
            return held
        time.sleep(0.01)


def _named(journal: Path) -> int:
    lines = (json.loads(line) for line in journal.read_text().splitlines(keepends=True) if line.endswith("\n"))
    return sum(end - start for start, end, _ in lines)


if __name__ == "__main__":
    main()
