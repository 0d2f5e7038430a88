"""Meet some attacks in a process of their own, and say what they have cost: `python -m tests.hostile NAME...`."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.hostile.arena import face, scene
from tests.hostile.bodies import BODIES
from tests.hostile.listings import LISTINGS
from tests.hostile.redirects import REDIRECTS
from tests.hostile.wire import WIRE
from tests.hostile.words import WORDS

ATTACKS = {attack.name: attack for attack in (*LISTINGS, *BODIES, *REDIRECTS, *WIRE, *WORDS)}


def peak_mb() -> float:
    """The most memory that this program has had."""
    status = Path("/proc/self/status")
    if status.exists():
        # What Linux tells of the process counts the one that started it, too, as it was then.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(names: Sequence[str]) -> None:
    """Meet them one after the other, and print what came of each, and the most memory up to then."""
    for name in names:
        attack = ATTACKS[name]
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "root"
            root.mkdir()
            with scene(root):
                outcome = face(attack, attack.hubs[0], root)
        print(json.dumps({"name": name, "peak_mb": peak_mb(), "error": str(outcome.error or "")}))


if __name__ == "__main__":
    main(sys.argv[1:])
