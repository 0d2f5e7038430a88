"""A kit's zip file: written from front to back, every byte hashed; the same content gives the same file.

Members are stored, since neither models nor wheels get smaller, and have no times. What is read is compared with what
the manifest, which comes first, says of it: a file that changed meanwhile is not shipped under another one's digest.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mirrorhub.bundle.kit.archive import MANIFEST
from mirrorhub.digest import BLOCK
from mirrorhub.errors import BundleError, ConfigError
from mirrorhub.owner import own_name
from mirrorhub.rawfile import sync, to_read
from mirrorhub.stores.disk import check_room, disk_errors

EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Source:
    """A member that is to be written. `size` is in bytes.

    Attributes:
        path: What it is called in the kit.
        kind: `model`, `wheel`, `script`, `readme` or `lock`.
        size: How long it is.
        sha256: What it is.
        origin: The file that has it, or the bytes themselves.
    """

    path: str
    kind: str
    size: int
    sha256: str
    origin: Path | bytes


def source_of(path: str, kind: str, origin: Path | bytes) -> Source:
    """Return a member for bytes, or for a file that is hashed for it.

    Raises:
        StoreError: The file cannot be read.
    """
    hasher, size = hashlib.sha256(), 0
    for block in _blocks(origin):
        hasher.update(block)
        size += len(block)
    return Source(path, kind, size, hasher.hexdigest(), origin)


def write_kit(output: Path, manifest: bytes, sources: Sequence[Source], *, force: bool = False) -> str:
    """Write a kit, whole or not at all; return the sha256 of the file.

    Args:
        output: Where.
        manifest: The first member.
        sources: The others, in their order.
        force: Replace what is there.

    Raises:
        ConfigError: Something is there.
        BundleError: A file is not what it was when it was listed.
        StoreError: The disk refuses, or has no room.
    """
    check_output(output, force=force)
    temporary = output.with_name(f".{output.name}.{own_name()}")
    with disk_errors(output.parent):
        output.parent.mkdir(parents=True, exist_ok=True)
        check_room(output.parent, sum(source.size + 300 for source in sources))
        try:
            with temporary.open("xb", buffering=0) as file, zipfile.ZipFile(file, "w") as archive:
                _write(archive, Source(MANIFEST, "", len(manifest), hashlib.sha256(manifest).hexdigest(), manifest))
                for source in sources:
                    _write(archive, source)
            digest = _synced_digest(temporary)
            check_output(output, force=force)
            temporary.replace(output)
        finally:
            temporary.unlink(missing_ok=True)
    return digest


def check_output(output: Path, *, force: bool) -> None:
    """Refuse to replace what is there before anything is fetched.

    Raises:
        ConfigError: Something is there.
    """
    if output.is_dir():
        raise ConfigError(f"-o {output}: is a folder; name the file, {output / 'kit.zip'}")
    if os.path.lexists(output) and not (force and output.is_file()):
        raise ConfigError(f"-o {output}: is there already; --force replaces a file")


def _write(archive: zipfile.ZipFile, source: Source) -> None:
    info = zipfile.ZipInfo(source.path, EPOCH)
    info.create_system, info.external_attr, info.file_size = 3, (stat.S_IFREG | 0o644) << 16, source.size
    hasher, size = hashlib.sha256(), 0
    with archive.open(info, "w") as member:
        for block in _blocks(source.origin):
            hasher.update(block)
            size += len(block)
            if size > source.size:
                break
            member.write(block)
    if (size, hasher.hexdigest()) != (source.size, source.sha256):
        place = source.origin if isinstance(source.origin, Path) else source.path
        advice = "; `mirrorhub cache verify --repair` mends a cache" if source.kind == "model" else ""
        raise BundleError(str(place), f"is not what it was when it was checked{advice}")


def _blocks(origin: Path | bytes) -> Iterator[bytes]:
    if isinstance(origin, bytes):
        yield origin
        return
    with disk_errors(origin), to_read(origin) as file:
        while block := file.read(BLOCK):
            yield block


def _synced_digest(path: Path) -> str:
    with path.open("r+b", buffering=0) as written:
        sync(written)
    with to_read(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
