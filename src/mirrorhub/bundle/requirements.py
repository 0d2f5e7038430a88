"""What wheels are asked for: names, versions, extras, wheels and checkouts on disk, files with a list of them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from mirrorhub.bundle.pip import Sources, run_pip
from mirrorhub.errors import BundleError, ConfigError
from mirrorhub.http.redact import redact

_WITH_EXTRAS = re.compile(r"(.+?)(\[[^\[\]]*\])?")
_ARCHIVES = (".whl", ".tar.gz", ".zip")
_OURSELVES = "mirrorhub"


@dataclass(frozen=True, slots=True)
class Root:
    """One requirement.

    Attributes:
        asked: As it is told in the kit.
        given: As pip is told it.
        needed: What it means; of a wheel on disk, its name and extras.
    """

    asked: str
    given: str
    needed: Requirement


def read_requirements(given: Sequence[str], files: Sequence[str]) -> list[str]:
    """Return every requirement, those in files one by one.

    Raises:
        ConfigError: A file cannot be read, or holds something else.
    """
    return [*given, *(line for file in files for line in _lines_of(Path(file), 0))]


def roots_of(asked: Sequence[str], sources: Sources, folder: Path) -> list[Root]:
    """Read requirements; what lies on disk and is no wheel is built, without what it depends on.

    Args:
        asked: The requirements.
        sources: Where a build may find what it needs.
        folder: Where wheels are put that are built.

    Raises:
        ConfigError: One cannot be read.
        BundleError: One cannot be built.
    """
    return [_root(one.strip(), sources, folder) for one in asked]


def own_source() -> Path | None:
    """Return the checkout or wheel that this package was installed from, if it is still there."""
    try:
        told = metadata.distribution(_OURSELVES).read_text("direct_url.json")
        url = urlsplit(json.loads(told or "{}").get("url", ""))
    except (metadata.PackageNotFoundError, ValueError):
        return None
    place = Path(unquote(url.path))
    return place if url.scheme == "file" and place.exists() else None


def _root(asked: str, sources: Sources, folder: Path) -> Root:
    if "://" in asked:
        raise ConfigError(f"--wheels {redact(asked)}: an address is not taken; fetch that file yourself, and name it")
    match = _WITH_EXTRAS.fullmatch(asked)
    place, extras = (match[1], match[2] or "") if match else (asked, "")
    if _is_place(place):
        return _local(asked, Path(place), extras, sources, folder)
    needed = _requirement(asked)
    if canonicalize_name(needed.name) == _OURSELVES and not needed.specifier and (source := _unlinked(sources)):
        extras = f"[{','.join(sorted(needed.extras))}]" if needed.extras else ""
        return _local(asked, source, extras, sources, folder)
    return Root(asked, asked, needed)


def _unlinked(sources: Sources) -> Path | None:
    """Return where this package came from, unless a folder was named that has its wheel."""
    for link in sources.links:
        if "://" not in link and any(Path(link).glob(f"{_OURSELVES}-*.whl")):
            return None
    return own_source()


def _is_place(text: str) -> bool:
    return os.sep in text or text.startswith(".") or text.endswith(_ARCHIVES)


def _local(asked: str, place: Path, extras: str, sources: Sources, folder: Path) -> Root:
    if not place.exists():
        raise ConfigError(f"--wheels {asked}: there is no such file or folder")
    wheel = place.absolute() if place.suffix == ".whl" else _built(place.absolute(), sources, folder)
    name, version, *_ = parse_wheel_filename(wheel.name)
    return Root(f"{name}{extras}=={version}", f"{wheel}{extras}", _requirement(f"{name}{extras}"))


def _built(place: Path, sources: Sources, folder: Path) -> Path:
    own = folder / f"built-{len(list(folder.glob('built-*')))}"
    run_pip(["wheel", "--no-deps", "--wheel-dir", str(own), str(place)], sources)
    wheel = next(own.glob("*.whl"), None)
    if wheel is None:
        raise BundleError(str(place), "no wheel came out of it")
    return wheel


def _requirement(asked: str) -> Requirement:
    try:
        return Requirement(asked)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"--wheels {asked}: is no requirement, and no file or folder: {reason}") from None


def _lines_of(file: Path, depth: int) -> Iterator[str]:
    try:
        text = file.read_text(encoding="utf-8-sig").replace("\\\n", " ")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--requirement {file}: cannot be read: {error}") from None
    for line in text.splitlines():
        words = re.sub(r"(^|\s)#.*", "", line).split(" --hash=")[0].strip()
        option = re.match(r"(?:-r|--requirement)[ =]?\s*(.+)", words)
        if option and depth < 10:
            yield from _lines_of(file.parent / option[1], depth + 1)
        elif words.startswith("-"):
            raise ConfigError(f"--requirement {file}: {words.split()[0]} is not read there; give it as an option")
        elif words:
            yield words
