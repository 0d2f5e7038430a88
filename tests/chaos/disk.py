"""What lies in a snapshot, and harm that is done to it."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.schedule import Damage
from tests.chaos.watch import OWN, sha256


def digests_below(folder: Path) -> dict[str, str]:
    """Return path and digest of every file of a snapshot."""
    files = (path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()) if path.exists() else "dangling"
        for path in files
        if OWN not in path.parts
    }


def hurt(path: Path, damage: Damage) -> None:
    """Do harm to a published file, if it is still there."""
    if not path.exists():
        return
    if damage.harm == "delete":
        path.unlink()
    elif damage.harm == "truncate":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        flip(path)


def flip(path: Path) -> None:
    """Change a byte in the middle of a file."""
    data = bytearray(path.read_bytes())
    if data:
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data)
