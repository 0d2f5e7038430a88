"""mirrorhub's note on a snapshot, as `mirrorhub.stores.notes` reads it: who vouched for it, and what was checked.

With it the first call of mirrorhub knows what it has, and hashes nothing again. Programs that do not know of it do not
see it. The kit is the snapshot's lock file: what it lists has arrived, whoever carried it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from mirrorhub.bundle.kit.caches import Seat, make_folder
from mirrorhub.bundle.kit.contents import KitFile
from mirrorhub.bundle.kit.placing import write_blocks
from mirrorhub.paths import OWN_FOLDER, file_name, path_problem
from mirrorhub.records import items, mapping, parsed, text

_WHOLE_NOTE, _PART_NOTE = 1, 2
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def write_note(seat: Seat, kit: str) -> None:
    """Write down what was placed, and remove what an older note says was brought before and is no longer listed.

    Args:
        seat: Where the model is.
        kit: The kit's digest.

    Raises:
        KitError: A link stands where the notes belong.
        OSError: The disk refuses.
    """
    folder = make_folder(seat.home, f"{OWN_FOLDER}/notes")
    place = folder / f"{file_name(seat.model.snapshot)}.json"
    old, new = _old_rows(place), _note(seat, kit)
    if _without_boot(_read(place)) == _without_boot(json.loads(json.dumps(new))):
        return
    _remove_left_over(seat, old)
    waiting = make_folder(seat.home, f"{OWN_FOLDER}/ready")
    write_blocks(place, [json.dumps(new, ensure_ascii=False).encode()], waiting, 0o600)


def _note(seat: Seat, kit: str) -> dict[str, object]:
    model = seat.model
    kind, name = model.voucher
    return {
        "format": _WHOLE_NOTE if model.scope is None else _PART_NOTE,
        "repo": {"hub": model.hub, "id": model.repo, "type": model.type},
        "revision": model.revision,
        "commit": model.commit,
        **({} if model.scope is None else {"scope": sorted(model.scope)}),
        "vouched_by": {"kind": "lock", "name": f"kit {kit[:12]} ({kind} {name})"},
        "boot": _boot(),
        "files": [_row(seat, file) for file in model.files],
    }


def _row(seat: Seat, file: KitFile) -> dict[str, object]:
    names = ("path", "size", "sha256", "git_sha1", "commit", "pointer")
    row = {name: getattr(file, name) for name in names if getattr(file, name) is not None}
    if file.content is not None:
        status = (seat.target / file.path).stat()
        row["stamp"] = [status.st_size, status.st_mtime_ns]
    return row


def _boot() -> str:
    """Return the name of this start of the machine; where the system tells none, one that no other has."""
    with suppress(OSError, UnicodeDecodeError):
        return _BOOT.read_text(encoding="ascii").strip()
    return secrets.token_hex(16)


def _read(place: Path) -> Mapping[str, object]:
    with suppress(OSError, ValueError):
        if not place.is_symlink():
            return parsed(place.read_bytes())
    return {}


def _without_boot(note: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in note.items() if name != "boot"}


def _old_rows(place: Path) -> dict[str, object]:
    """Return path -> stamp of what an older note says was brought."""
    with suppress(ValueError, LookupError):
        rows = [mapping(row) for row in items(_read(place)["files"])]
        return {text(row["path"]): row["stamp"] for row in rows if "stamp" in row}
    return {}


def _remove_left_over(seat: Seat, old: Mapping[str, object]) -> None:
    """Let one folder hold one revision; a file that somebody has changed since is theirs, and stays."""
    current = {file.path for file in seat.model.files}
    for path, stamp in old.items():
        place = seat.target / path
        if seat.keeps_blobs or path in current or path_problem(path):
            continue
        if any((seat.target / parent).is_symlink() for parent in PurePosixPath(path).parents):
            continue
        with suppress(OSError):
            status = place.lstat()
            if [status.st_size, status.st_mtime_ns] == stamp:
                place.unlink()
