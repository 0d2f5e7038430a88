"""`mirrorhub bundle create`: models that were fetched and wheels that were collected become one file."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mirrorhub import __version__
from mirrorhub.bundle.closure import Wheel, collect
from mirrorhub.bundle.joined import installer, starter
from mirrorhub.bundle.kit.contents import KIT_FORMAT, KIT_VERSION, MAX_MANIFEST, decode_contents
from mirrorhub.bundle.kit.words import KitError
from mirrorhub.bundle.models import Shipment, members_of
from mirrorhub.bundle.packing import Source, source_of, write_kit
from mirrorhub.bundle.pip import Sources
from mirrorhub.bundle.readme import chinese_readme, readme
from mirrorhub.bundle.requirements import roots_of
from mirrorhub.bundle.target import Target
from mirrorhub.errors import BundleError, ConfigError
from mirrorhub.lockfile import LOCK_NAME, LockFile
from mirrorhub.lockfile.writing import lock_text

OLDEST_PYTHON = "3.8"


@dataclass(frozen=True, slots=True)
class WheelOrder:
    """The wheels that a kit is to have.

    Attributes:
        asked: Requirements.
        target: Where they are to run.
        sources: Where they may come from.
    """

    asked: tuple[str, ...]
    target: Target
    sources: Sources


@dataclass(frozen=True, slots=True)
class Made:
    """A kit that was made. `size` is in bytes.

    Attributes:
        path: Where it is.
        size: Of the file.
        sha256: Of the file.
        manifest_sha256: Of its manifest: it stands for all of it.
        members: How many there are.
        wheels: The wheels, as name==version.
    """

    path: Path
    size: int
    sha256: str
    manifest_sha256: str
    members: int
    wheels: tuple[str, ...]


def create(output: Path, shipments: Sequence[Shipment], order: WheelOrder | None, *, force: bool = False) -> Made:
    """Make a kit.

    Args:
        output: The file.
        shipments: The models.
        order: The wheels, if there are to be any.
        force: Replace a file that is there.

    Raises:
        ConfigError: There is nothing to put into it, or something is in the way.
        BundleError: A wheel cannot be had, or a file has changed.
        StoreError: The disk refuses.
    """
    if not shipments and order is None:
        raise ConfigError("A kit of nothing: name models, or wheels with --wheels.")
    with tempfile.TemporaryDirectory(prefix="mirrorhub-kit-") as folder:
        order, wheels = _collected(order, Path(folder)) if order else (None, [])
        packed = [source_of(f"wheels/{wheel.path.name}", "wheel", wheel.path) for wheel in wheels]
        sources = [*_own_members(shipments, order, wheels), *packed, *members_of(shipments)]
        manifest = _manifest(sources, shipments, order, wheels)
        digest = write_kit(output, manifest, sources, force=force)
    pins = tuple(f"{wheel.name}=={wheel.version}" for wheel in wheels)
    size = output.stat().st_size
    return Made(output, size, digest, hashlib.sha256(manifest).hexdigest(), len(sources) + 1, pins)


def _collected(order: WheelOrder, folder: Path) -> tuple[WheelOrder, list[Wheel]]:
    """Return the wheels, and the order as it is told in the kit: of what lies on disk its name, and not where."""
    roots = roots_of(order.asked, order.sources, folder)
    wheels = collect(roots, order.target, order.sources, folder)
    return replace(order, asked=tuple(root.asked for root in roots)), wheels


def _own_members(shipments: Sequence[Shipment], order: WheelOrder | None, wheels: Iterable[Wheel]) -> list[Source]:
    """Return what a kit has beside models and wheels."""
    told = _told(shipments, order, len(list(wheels)))
    python = order.target.python if order else f"{OLDEST_PYTHON} or later"
    chinese_python = order.target.python if order else f"{OLDEST_PYTHON} 或更高版本"
    maker = _maker()
    members = [
        source_of("__main__.py", "script", starter().encode()),
        source_of("install.py", "script", installer().encode()),
        source_of("README.md", "readme", readme(maker, told, python).encode()),
        source_of("README.zh-CN.md", "readme", chinese_readme(maker, told, chinese_python).encode()),
    ]
    if shipments:
        lock = lock_text(LockFile().with_all(one.locked() for one in shipments))
        members.append(source_of(LOCK_NAME, "lock", lock.encode()))
    return members


def _told(shipments: Iterable[Shipment], order: WheelOrder | None, count: int) -> list[str]:
    lines = [f"{one.snapshot.manifest.repo}@{one.snapshot.manifest.revision}" for one in shipments]
    if order is not None:
        lines.append(f"{', '.join(order.asked)}: {count} wheels, {order.target}")
    return lines


def _maker() -> str:
    return f"mirrorhub {__version__}"


def _manifest(
    sources: Iterable[Source], shipments: Iterable[Shipment], order: WheelOrder | None, wheels: Sequence[Wheel]
) -> bytes:
    """Write the manifest, and read it as the other side will: what is refused there is not made here.

    Raises:
        BundleError: It would be refused.
    """
    members = [{"path": one.path, "kind": one.kind, "size": one.size, "sha256": one.sha256} for one in sources]
    manifest = {
        "format": KIT_FORMAT,
        "version": KIT_VERSION,
        "made_by": _maker(),
        "members": members,
        "models": [one.row() for one in shipments],
        "wheels": None if order is None else _wheels_row(order, wheels),
    }
    data = json.dumps(manifest, ensure_ascii=False, indent=1).encode()
    try:
        decode_contents(data, "")
    except (KitError, ValueError, LookupError) as error:
        raise BundleError("manifest.json", f"cannot be made: {error}") from error
    if len(data) > MAX_MANIFEST:
        raise BundleError("manifest.json", f"is longer than {MAX_MANIFEST:,} bytes; make several kits")
    return data


def _wheels_row(order: WheelOrder, wheels: Iterable[Wheel]) -> dict[str, object]:
    return {
        "python": order.target.python,
        "implementation": order.target.implementation,
        "platforms": order.target.platforms,
        "requirements": order.asked,
        "packages": [
            {"name": wheel.name, "version": wheel.version, "member": f"wheels/{wheel.path.name}"} for wheel in wheels
        ],
    }
