"""Compare the detector with segments of the original implementation.

    python benchmarks/oracle.py MODEL_DIR AUDIO_DIR ORACLE.json

ORACLE.json holds `sets`; each has a name, `params` (options) and `segments`: [[start_ms, end_ms], ...] by file name
without its ending.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from mirrorhub.vad import Scores, Vad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_dir", type=Path)
    parser.add_argument("audio_dir", type=Path)
    parser.add_argument("oracle", type=Path)
    arguments = parser.parse_args()
    vad = Vad(arguments.model_dir)
    files = {path.stem: path for path in sorted(arguments.audio_dir.iterdir())}
    scores: dict[str, Scores] = {}
    compared = equal = 0
    for case, wanted in json.loads(arguments.oracle.read_text())["sets"].items():
        for name, expected in wanted["segments"].items():
            if name not in scores:
                scores[name] = vad.scores(files[name])
            actual = [list(segment) for segment in vad.segments(scores[name], **wanted["params"])]
            compared += 1
            equal += expected == actual
            if expected != actual:
                original, here = missing(expected, actual), missing(actual, expected)
                print(f"{case}: {name}: only in the original {original}, only here {here}")
    print(f"{equal} of {compared} equal")
    return int(equal < compared)


def missing(some: list[list[int]], others: list[list[int]]) -> list[list[int]]:
    return [segment for segment in some if segment not in others]


if __name__ == "__main__":
    sys.exit(main())
