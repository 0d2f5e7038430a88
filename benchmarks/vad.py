"""Measure the detector on one core, each number in a process of its own.

    python benchmarks/vad.py MODEL_DIR [--minutes 10] [--long] [--json]
    python benchmarks/vad.py MODEL_DIR --against funasr_onnx --reference-python ~/onnx/bin/python

The reference's interpreter needs funasr_onnx and numpy 1.26.4, and MODEL_DIR a model.onnx for it. The two take turns,
so a busy machine is busy for both. Long audio is the classroom example, repeated. CPU time, not wall time, is compared.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).parents[1]
RATE = 16000
OURS = """
from mirrorhub.vad import Vad
vad = Vad(sys.argv[1])
loaded = time.perf_counter()
run = lambda: [list(segment) for segment in vad(sys.argv[2])]
"""
FUNASR_ONNX = """
from funasr_onnx import Fsmn_vad
vad = Fsmn_vad(sys.argv[1], quantize=False, intra_op_num_threads=1)
loaded = time.perf_counter()
run = lambda: vad(sys.argv[2])[0]
"""
# Runs the snippet above once cold, then as often as asked, and prints what it cost.
CHILD = """
import json, os, resource, sys, time
begun = time.perf_counter()
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
%s
times = []
for _ in range(int(sys.argv[3])):
    wall, cpu = time.perf_counter(), time.process_time()
    segments = run()
    times.append((time.process_time() - cpu, time.perf_counter() - wall))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
best_cpu, best_wall = min(times)
print(json.dumps({
    "load_s": loaded - begun, "first_s": times[0][1], "cpu_s": best_cpu, "wall_s": best_wall,
    "process_cpu_s": time.process_time(), "peak_rss_mb": peak, "segments": len(segments),
}))
"""


def main() -> None:
    arguments = parse()
    results: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for seconds, calls in ((120, 5), (round(arguments.minutes * 60), 3)):
            audio = repeat_classroom(Path(scratch) / f"{seconds}.wav", seconds)
            results.append(compare(arguments, audio, seconds, calls))
        if arguments.long:
            audio = repeat_classroom(Path(scratch) / "long.wav", 7200)
            results.append({"seconds": 7200, "mirrorhub": measure(sys.executable, OURS, arguments.model_dir, audio, 1)})
    if arguments.json:
        print(json.dumps(results, indent=1))
    else:
        for result in results:
            show(result)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_dir", type=Path)
    parser.add_argument("--minutes", type=float, default=10, help="length of the second file, 10 unless told")
    parser.add_argument("--rounds", type=int, default=3, help="processes per number, the best one counts")
    parser.add_argument("--against", choices=["funasr_onnx"], help="measure this beside it")
    parser.add_argument("--reference-python", default=sys.executable, help="the interpreter that has it")
    parser.add_argument("--long", action="store_true", help="also the peak memory of two hours")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def repeat_classroom(path: Path, seconds: int) -> Path:
    lesson, _ = soundfile.read(ROOT / "examples" / "classroom.flac", dtype="int16")
    with soundfile.SoundFile(path, "w", RATE, 1, subtype="PCM_16") as file:
        left = seconds * RATE
        while left > 0:
            file.write(lesson[:left])
            left -= len(lesson)
    return path


def compare(arguments: argparse.Namespace, audio: Path, seconds: int, calls: int) -> dict[str, object]:
    ours, theirs, cold = [], [], []
    for _ in range(arguments.rounds):
        ours.append(measure(sys.executable, OURS, arguments.model_dir, audio, calls))
        cold.append(measure(sys.executable, OURS, arguments.model_dir, audio, 1)["process_cpu_s"])
        if arguments.against:
            theirs.append(measure(arguments.reference_python, FUNASR_ONNX, arguments.model_dir, audio, calls))
    result: dict[str, object] = {"seconds": seconds, "mirrorhub": best(ours) | {"cold_process_cpu_s": min(cold)}}
    if theirs:
        result[arguments.against] = best(theirs)
        result["ratio_cpu"] = best(ours)["cpu_s"] / best(theirs)["cpu_s"]
    return result


def best(runs: list[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.min([run[key] for run in runs])) for key in runs[0]}


def measure(python: str, snippet: str, model_dir: Path, audio: Path, calls: int) -> dict[str, float]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    command = [python, "-c", CHILD % snippet, str(model_dir), str(audio), str(calls)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{python}: {done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def show(result: dict[str, object]) -> None:
    print(f"{result['seconds']} s of audio")
    for name, numbers in result.items():
        if isinstance(numbers, dict):
            print(f"  {name:12}", "  ".join(f"{key} {value:.3g}" for key, value in numbers.items()))
    if "ratio_cpu" in result:
        print(f"  CPU of mirrorhub / reference: {result['ratio_cpu']:.2f}")


if __name__ == "__main__":
    main()
