"""How long it takes until something happens: the import, and a cold `load_vad` with a detection, as whole processes.

    python benchmarks/start.py [AUDIO]

Each program runs in a process of its own, in turn with an interpreter that does nothing; medians of the wall time.
The model is brought in once, before anything is timed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

SAMPLE = Path(__file__).parents[1] / "examples" / "classroom.flac"
PROGRAMS = {
    "nothing": "pass",
    "import mirrorhub": "import mirrorhub",
    "load_vad": "from mirrorhub import load_vad; load_vad()",
    "load_vad and detect": "import sys; from mirrorhub import load_vad; print(len(load_vad()(sys.argv[1])))",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("audio", nargs="?", type=Path, default=SAMPLE)
    parser.add_argument("--rounds", type=int, default=11)
    arguments = parser.parse_args()
    _run(PROGRAMS["load_vad"], arguments.audio, {})
    offline = {"MIRRORHUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    seconds: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(arguments.rounds):
        for name, program in PROGRAMS.items():
            seconds[name].append(_run(program, arguments.audio, offline))
    nothing = statistics.median(seconds["nothing"])
    for name, taken in seconds.items():
        median = statistics.median(taken)
        print(f"{name:20} {median:6.3f} s   {median - nothing:6.3f} s more than nothing   best {min(taken):6.3f} s")


def _run(program: str, audio: Path, environment: dict[str, str]) -> float:
    started = time.perf_counter()
    command = [sys.executable, "-c", program, str(audio)]
    subprocess.run(command, env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
