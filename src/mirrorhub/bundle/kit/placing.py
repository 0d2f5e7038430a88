"""Models into the SDKs' caches: first every missing byte is written aside and checked, then all of it is published.

A snapshot that is not there appears by one rename; in one that is, files are replaced one by one. What was checked
before the process was ended is found again, hashed, and not unpacked twice.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import stat
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from mirrorhub.bundle.kit.archive import BLOCK_SIZE, FolderKit, ZipKit
from mirrorhub.bundle.kit.caches import Seat, make_folder, refuse_planted
from mirrorhub.bundle.kit.checking import checked_blocks
from mirrorhub.bundle.kit.contents import Contents, KitFile
from mirrorhub.bundle.kit.words import KitError
from mirrorhub.paths import OWN_FOLDER

_TRIES = 5
_UNFINISHED = ".kit"
_LINK = re.compile("link-[0-9a-f]{16}")


@dataclass(frozen=True)
class Staged:
    """What is left to be done for a model.

    Attributes:
        seat: Where it belongs.
        missing: Files whose bytes wait to be published; all others are in their place, and right.
    """

    seat: Seat
    missing: tuple[KitFile, ...]


def stage(kit: ZipKit | FolderKit, contents: Contents, seats: Iterable[Seat]) -> list[Staged]:
    """Write every byte that is missing aside, and check it; nothing is published.

    Raises:
        KitError: A member is not what is listed, or the disk has no room.
        OSError: The disk refuses.
    """
    staged = [_compared(seat) for seat in seats]
    wanted = [(one.seat, _unwritten(one)) for one in staged]
    check_room([(seat.home, sum(file.size or 0 for file in files)) for seat, files in wanted])
    for seat, files in wanted:
        for file in files:
            _extract(kit, contents, seat, file)
    return staged


def check_room(needs: Iterable[tuple[Path, int]]) -> None:
    """Find out before the first byte whether there is room for all of them, on one disk or on several.

    Raises:
        KitError: There is not.
    """
    places = [(next(one for one in (place, *place.parents) if one.exists()), size) for place, size in needs]
    sums: Counter[int] = Counter()
    for place, size in places:
        sums[place.stat().st_dev] += size
        free = shutil.disk_usage(str(place)).free
        if sums[place.stat().st_dev] > free:
            raise KitError("room", place, needed=sums[place.stat().st_dev], free=free)


def publish(staged: Staged) -> None:
    """Bring what waits to where the SDKs find it.

    Raises:
        KitError: A link is in the way, or another process changes the folder all the time.
        OSError: The disk refuses.
    """
    for _ in range(_TRIES):
        try:
            _publish(staged)
        except FileNotFoundError:
            # Another installer has published the same: what it left is compared anew.
            staged = _compared(staged.seat)
        else:
            return
    raise KitError("raced", staged.seat.home)


def write_blocks(place: Path, blocks: Iterable[bytes], waiting: Path, mode: int = 0o666) -> None:
    """Write a file of any size to a place, by way of another name: it is on the medium before it has its own.

    Args:
        place: Where it is to be.
        blocks: Its bytes.
        waiting: A folder on the same disk, where nobody sees half of it.
        mode: Of the file, less what the user's umask takes away.

    Raises:
        KitError: A block is refused while they come.
        OSError: The disk refuses.
    """
    temporary = waiting / f"{place.name[:100]}.{secrets.token_hex(8)}{_UNFINISHED}"
    try:
        with os.fdopen(_new(temporary, mode), "wb") as file:
            _hold(file)
            for block in blocks:
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(place)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def clear(seat: Seat) -> None:
    """Leave nothing behind of what is published: an installer that runs beside this one may have come too late.

    One that was about to publish it finds that it is gone, and compares anew.
    """
    for file in seat.model.shipped:
        with suppress(OSError):
            seat.ready(file).unlink()
    with suppress(OSError):
        (seat.home / OWN_FOLDER / "ready").rmdir()


def sweep(waiting: Path) -> None:
    """Remove what a run that was ended has left half-written; what another one is writing just now stays."""
    with suppress(OSError):
        for path in waiting.iterdir():
            if path.name.endswith(_UNFINISHED) and path.is_file():
                with suppress(OSError), path.open("rb") as file:
                    _hold(file)
                    path.unlink()


def sweep_links(own: Path) -> None:
    """Remove links that a run that was ended had not yet brought to their place; one that is alive makes another."""
    with suppress(OSError):
        for path in own.iterdir():
            if _LINK.fullmatch(path.name) and path.is_symlink():
                with suppress(OSError):
                    path.unlink()


def is_file_of(place: Path, file: KitFile) -> bool:
    """Whether a regular file has a file's bytes."""
    try:
        status = place.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size != file.size:
            return False
        with place.open("rb") as opened:
            for _ in _proven(iter(lambda: opened.read(BLOCK_SIZE), b""), file):
                pass
    except (OSError, KitError):
        return False
    return True


def _compared(seat: Seat) -> Staged:
    """Compare what is there with the kit."""
    own = seat.home / OWN_FOLDER
    for folder in (own, own / "ready", seat.home / "snapshots", seat.target):
        refuse_planted(folder)
    return Staged(seat, tuple(file for file in seat.model.shipped if not _is_placed(seat, seat.target, file)))


def _is_placed(seat: Seat, root: Path, file: KitFile) -> bool:
    """Whether a file is in its place: there itself, or as the SDK's link to a blob that is right."""
    place = root / file.path
    if any((root / parent).is_symlink() for parent in PurePosixPath(file.path).parents):
        return False
    if not place.is_symlink():
        return is_file_of(place, file)
    if not seat.keeps_blobs or not is_file_of(seat.blob(file), file):
        return False
    return os.readlink(str(place)) == seat.link(file)  # noqa: PTH115 - Path.readlink is not in 3.8


def _waiting(seat: Seat, file: KitFile) -> bool:
    """Whether the bytes are here already, checked by a run that was ended, or as another snapshot's blob."""
    if seat.keeps_blobs and is_file_of(seat.blob(file), file):
        return True
    return is_file_of(seat.ready(file), file) or _is_placed(seat, seat.building, file)


def _unwritten(staged: Staged) -> list[KitFile]:
    """Return a file for each content that is nowhere yet; what a dead run has left half-written is removed."""
    sweep(staged.seat.home / OWN_FOLDER / "ready")
    sweep_links(staged.seat.home / OWN_FOLDER)
    return list({file.key: file for file in staged.missing if not _waiting(staged.seat, file)}.values())


def _extract(kit: ZipKit | FolderKit, contents: Contents, seat: Seat, file: KitFile) -> None:
    blocks = _named(checked_blocks(kit, contents.members[file.member]), file)
    write_blocks(seat.ready(file), blocks, _waiting_room(seat))


def _waiting_room(seat: Seat) -> Path:
    return make_folder(seat.home, f"{OWN_FOLDER}/ready")


def _proven(blocks: Iterator[bytes], file: KitFile) -> Iterator[bytes]:
    """Yield a file's bytes, the last of them only if they are what is listed.

    Raises:
        KitError: They are others.
    """
    content = hashlib.sha256()
    for block in _named(blocks, file):
        content.update(block)
        yield block
    if content.hexdigest() != file.content:
        raise KitError("digest", file.path, actual=content.hexdigest(), expected=file.content)


def _named(blocks: Iterator[bytes], file: KitFile) -> Iterator[bytes]:
    """Yield a file's bytes, the last of them only if git calls them so: the SDK's blobs may bear that name."""
    if not file.git_sha1:
        yield from blocks
        return
    git = hashlib.sha1(b"blob %d\0" % (file.size or 0))
    for block in blocks:
        git.update(block)
        yield block
    if git.hexdigest() != file.git_sha1:
        raise KitError("digest", file.path, actual=git.hexdigest(), expected=file.git_sha1)


def _publish(staged: Staged) -> None:
    seat = staged.seat
    make_folder(seat.home, str(PurePosixPath("snapshots", seat.model.snapshot).parent))
    refuse_planted(seat.target)
    if seat.target.is_dir():
        _place_all(seat, seat.target, staged.missing)
    else:
        make_folder(seat.home, seat.building.relative_to(seat.home).as_posix())
        _place_all(seat, seat.building, staged.missing)
        seat.building.rename(seat.target)
    if seat.keeps_blobs and seat.model.revision != seat.model.snapshot:
        _write_ref(seat)


def _place_all(seat: Seat, root: Path, files: tuple[KitFile, ...]) -> None:
    left = Counter(file.key for file in files)
    for file in files:
        left[file.key] -= 1
        if not _is_placed(seat, root, file):
            make_folder(root, str(PurePosixPath(file.path).parent))
            if (root / file.path).is_dir() and not (root / file.path).is_symlink():
                raise KitError("in_the_way", root / file.path)
            _place(seat, root, file, is_needed=left[file.key] > 0)


def _place(seat: Seat, root: Path, file: KitFile, *, is_needed: bool) -> None:
    """Bring one file to its place: as a link to its blob where the SDK does so and links can be made."""
    if seat.keeps_blobs and _linked(seat, root, file):
        return
    source = seat.ready(file)
    if seat.keeps_blobs and not source.exists():
        source, is_needed = seat.blob(file), True
    if is_needed:
        with source.open("rb") as opened:
            blocks = _proven(iter(lambda: opened.read(BLOCK_SIZE), b""), file)
            write_blocks(root / file.path, blocks, _waiting_room(seat))
    else:
        source.replace(root / file.path)


def _linked(seat: Seat, root: Path, file: KitFile) -> bool:
    """Move the bytes to their blob and link to it; False where no links can be made."""
    if os.environ.get("HF_HUB_DISABLE_SYMLINKS", "").strip().upper() in ("1", "ON", "YES", "TRUE"):
        return False
    link = seat.home / OWN_FOLDER / f"link-{secrets.token_hex(8)}"
    try:
        link.symlink_to(seat.link(file))
    except (OSError, NotImplementedError):
        return False
    try:
        if not is_file_of(seat.blob(file), file):
            make_folder(seat.home, "blobs")
            seat.ready(file).replace(seat.blob(file))
        link.replace(root / file.path)
    finally:
        with suppress(FileNotFoundError):
            link.unlink()
    return True


def _write_ref(seat: Seat) -> None:
    """Let the revision's name lead to the snapshot."""
    place = PurePosixPath("refs", seat.model.revision)
    ref = make_folder(seat.home, str(place.parent)) / place.name
    with suppress(OSError):
        if not ref.is_symlink() and ref.read_bytes() == seat.model.snapshot.encode():
            return
    write_blocks(ref, [seat.model.snapshot.encode()], _waiting_room(seat))


def _hold(file: IO[bytes]) -> None:
    """Mark a file as being written, for as long as it is open.

    Raises:
        OSError: It is being written by another.
    """
    if sys.platform != "win32":  # there, nobody removes a file that is open
        import fcntl

        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def _new(place: Path, mode: int = 0o666) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.open(str(place), flags, mode)
