"""All the wheels that requirements need at a target, and no other; pip collects them, and then each is read."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from email.parser import BytesHeaderParser
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, NormalizedName, canonicalize_name, parse_wheel_filename

from mirrorhub.bundle.kit.wheels import climbing_member
from mirrorhub.bundle.pip import Sources, run_pip
from mirrorhub.bundle.requirements import Root
from mirrorhub.bundle.target import Target
from mirrorhub.errors import BundleError

ROUNDS = 10
MAX_METADATA = 16 << 20
_IS_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel on disk, and what it says that it needs."""

    path: Path
    name: NormalizedName
    version: str
    needs: tuple[Requirement, ...]


def collect(roots: Sequence[Root], target: Target, sources: Sources, folder: Path) -> list[Wheel]:
    """Bring every wheel that is needed into a folder.

    Args:
        roots: What is asked for.
        target: Where it is to run.
        sources: Where wheels may come from.
        folder: An empty one.

    Raises:
        BundleError: One cannot be had, or what they need contradicts itself.
    """
    wanted, known = [root.given for root in roots], sources
    for number in range(ROUNDS):
        place = folder / f"round-{number}"
        options = ["--only-binary=:all:", *target.pip_options(), "--dest", str(place)]
        run_pip(["download", *options, *wanted], known, target)
        wheels = {wheel.name: wheel for wheel in map(read_wheel, sorted(place.glob("*.whl")))}
        reached, missing = reach([root.needed for root in roots], wheels, target)
        if not missing:
            chosen = [wheels[name] for name in sorted(reached)]
            _confirm(roots, chosen, target, folder)
            return chosen
        wanted += missing
        known = replace(sources, links=(*sources.links, str(place)))
    raise BundleError(
        "wheels", f"what {', '.join(root.asked for root in roots)} needs is not complete after {ROUNDS} tries"
    )


def reach(
    roots: Iterable[Requirement], wheels: Mapping[NormalizedName, Wheel], target: Target
) -> tuple[set[NormalizedName], list[str]]:
    """Walk from requirement to requirement.

    Returns:
        The packages that are needed, and requirements that no wheel meets.
    """
    environments = target.environments()
    pending = list(roots)
    seen: set[tuple[NormalizedName, str]] = set()
    missing: dict[str, None] = {}
    while pending:
        need = pending.pop()
        name = canonicalize_name(need.name)
        wheel = wheels.get(name)
        if wheel is None or not need.specifier.contains(wheel.version, prereleases=True):
            missing[_bare(need)] = None
            continue
        for extra in {"", *need.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                pending += [one for one in wheel.needs if _applies(one, extra, environments)]
    return {name for name, _ in seen}, list(missing)


def read_wheel(path: Path) -> Wheel:
    """Read what a wheel needs.

    Raises:
        BundleError: It is none, or its members climb out of it.
    """
    try:
        name, version, *_ = parse_wheel_filename(path.name)
        with zipfile.ZipFile(path) as archive:
            if climbing := climbing_member(archive):
                raise BundleError(path.name, f"is refused: its member {climbing!r} would be written somewhere else")
            headers = BytesHeaderParser().parsebytes(_metadata(archive))
        needs = tuple(Requirement(str(value)) for value in headers.get_all("Requires-Dist", ()))
    except (zipfile.BadZipFile, InvalidWheelFilename, InvalidRequirement, LookupError, OSError) as error:
        raise BundleError(path.name, f"is no wheel that can be read: {error}") from error
    return Wheel(path, name, str(version), needs)


def _metadata(archive: zipfile.ZipFile) -> bytes:
    infos = [one for one in archive.infolist() if _IS_METADATA.fullmatch(one.filename)]
    if len(infos) != 1 or infos[0].file_size > MAX_METADATA:
        raise LookupError("it has no METADATA, or several")
    return archive.read(infos[0])


def _applies(need: Requirement, extra: str, environments: Iterable[Mapping[str, str]]) -> bool:
    if need.marker is None:
        return extra == ""
    return any(need.marker.evaluate({**environment, "extra": extra}) for environment in environments)


def _bare(need: Requirement) -> str:
    extras = f"[{','.join(sorted(need.extras))}]" if need.extras else ""
    return f"{need.name}{extras}{need.specifier}"


def _confirm(roots: Sequence[Root], wheels: Sequence[Wheel], target: Target, folder: Path) -> None:
    """Let pip itself say that nothing else is needed: it is asked to install them from nowhere else.

    Raises:
        BundleError: It says that something is.
    """
    own = folder / "chosen"
    own.mkdir()
    for wheel in wheels:
        _linked(wheel.path, own / wheel.path.name)
    pins = [f"{wheel.name}=={wheel.version}" for wheel in wheels]
    options = ["--dry-run", "--no-index", "--only-binary=:all:", "--ignore-installed", *target.pip_options()]
    place = [] if target.is_here else ["--target", str(folder / "nowhere")]
    nowhere_else = Sources(links=(str(own),))
    run_pip(["install", *options, *place, *pins, *_extras(roots)], nowhere_else, target)


def _extras(roots: Iterable[Root]) -> Iterator[str]:
    yield from (f"{root.needed.name}[{','.join(sorted(root.needed.extras))}]" for root in roots if root.needed.extras)


def _linked(source: Path, goal: Path) -> None:
    """Let a file have a second name; where that cannot be, a link will do for as long as pip looks."""
    with suppress(OSError):
        goal.hardlink_to(source)
        return
    goal.symlink_to(source)
