"""Which versions of the SDKs share the cache: what each stores is found here, and what is stored here it finds.

    python -m benchmarks.caches [--environments FOLDER] [--markdown]

Each version gets a virtual environment of its own, made with pip and kept in FOLDER. A local hub serves a repository;
one stores it, the other looks for it offline and then online. `hit`: offline no request, online no body, every byte
right.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.caches.environments import SDKS, Sdk, here, python_of
from tests.caches.exchange import exchange, repo_of
from tests.caches.parties import Kind, Party, Wish
from tests.fakehub import FakeHub

COLUMNS = ("SDK", "stores", "theirs -> ours", "local_dir", "ours -> theirs", "local_dir")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=Path, default=Path(tempfile.gettempdir()) / "mirrorhub-sdks")
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()
    rows = [COLUMNS]
    for sdk in SDKS:
        for kind in _kinds(sdk):
            print(f"{sdk}, {kind}", file=sys.stderr)
            rows.append(_row(sdk, kind, arguments.environments))
    print("\n".join(_markdown(rows) if arguments.markdown else _plain(rows)))
    return 0 if all("miss" not in cell for row in rows for cell in row) else 1


def _kinds(sdk: Sdk) -> tuple[Kind, ...]:
    if sdk.name == "huggingface_hub":
        return ("model", "dataset", "space")
    return ("model", "dataset") if sdk.data_sets else ("model",)


def _row(sdk: Sdk, kind: Kind, environments: Path) -> tuple[str, ...]:
    python = python_of(sdk, environments)
    where = ""
    cells: list[str] = []
    for ours_first in (False, True):
        for local in (False, True):
            with tempfile.TemporaryDirectory() as home:
                if ours_first and not sdk.reads_ours:
                    cells.append("looks elsewhere")
                    continue
                them = Party(sdk.name, python, Path(home))
                cell, stored = _exchanged(them, kind, Path(home), ours_first=ours_first, local=local)
                where = where or stored
                cells.append(cell)
    return (f"{sdk} {kind}", where, *cells)


def _exchanged(them: Party, kind: Kind, home: Path, *, ours_first: bool, local: bool) -> tuple[str, str]:
    us = Party("mirrorhub", here(), home)
    hub_name = "huggingface" if them.name == "huggingface_hub" else "modelscope"
    wish = Wish(hub_name, "org/tiny-0.5B", kind, local_dir=str(home / "folder") if local else "")
    first, second = (us, them) if ours_first else (them, us)
    with FakeHub([repo_of(wish)]) as hub:
        found = exchange(hub, first, second, wish)
    stored = found.stored.resolve().relative_to(home.resolve()).as_posix()
    cell = "hit" if found.is_hit else f"miss: {found.asked} requests, {len(found.bodies)} bodies"
    return cell, _shortened(stored)


def _shortened(place: str) -> str:
    """Write `{commit}` for a commit's 40 digits."""
    return "/".join("{commit}" if len(part) == 40 else part for part in place.split("/"))


def _plain(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _markdown(rows: list[tuple[str, ...]]) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield f"| {' | '.join(row)} |"
        if number == 0:
            yield f"|{'---|' * len(row)}"


if __name__ == "__main__":
    raise SystemExit(main())
