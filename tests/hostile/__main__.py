"""Meet one attack in a process of its own, and say what it has cost: `python -m tests.hostile NAME [HUB]`."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.hostile.arena import face, scene
from tests.hostile.bodies import BODIES
from tests.hostile.listings import LISTINGS
from tests.hostile.redirects import REDIRECTS
from tests.hostile.wire import WIRE
from tests.hostile.words import WORDS

ATTACKS = {attack.name: attack for attack in (*LISTINGS, *BODIES, *REDIRECTS, *WIRE, *WORDS)}


def peak_mb() -> float:
    """The most memory that this process has had."""
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(name: str, hub: str = "") -> None:
    """Meet it, and print what came of it."""
    attack = ATTACKS[name]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        root.mkdir()
        with scene(root):
            outcome = face(attack, hub or attack.hubs[0], root)  # type: ignore[arg-type]
    print(json.dumps({"peak_mb": peak_mb(), "seconds": outcome.seconds, "error": str(outcome.error or "")}))


if __name__ == "__main__":
    main(*sys.argv[1:])
