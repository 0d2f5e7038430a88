"""Print the table of parity.

    python -m benchmarks.parity [WORD ...]

WORD: only rows whose name has all these words in it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        # Before the SDKs are imported: they read all of it then.
        home = Path(folder, "home")
        own = {"HOME": home, "USERPROFILE": home, "XDG_STATE_HOME": home / "state", "XDG_CONFIG_HOME": home / "config"}
        own |= {"MODELSCOPE_CACHE": home / "ms", "HF_HOME": home / "hf", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        os.environ.update({name: str(value) for name, value in own.items()})
        os.environ["HF_HUB_DISABLE_XET"] = "1"
        return _table(Path(folder), sys.argv[1:])


def _table(folder: Path, words: list[str]) -> int:
    import logging

    from tests.parity.rows import ROWS

    logging.disable(logging.CRITICAL)
    chosen = [row for row in ROWS if all(word in row.id for word in words)]
    print("| function | parameter | value | difference | reason |\n|---|---|---|---|---|")
    unexplained = 0
    for number, row in enumerate(chosen):
        began = time.monotonic()
        found = row.compare(folder / str(number))
        unexplained += bool(found) and not row.reason
        said = "; ".join(found).replace("|", "\\|") or "none"
        print(f"| {row.function} | {row.parameter} | {row.value} | {said} | {row.reason} |", flush=True)
        if (took := time.monotonic() - began) > 2:
            print(f"{row.id}: {took:.1f} s", file=sys.stderr)
    print(f"\n{len(chosen)} rows, {unexplained} differences without a reason", file=sys.stderr)
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
