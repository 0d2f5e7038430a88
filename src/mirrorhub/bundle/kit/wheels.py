"""The kit's wheels into an environment: unpacked, checked, then installed by pip, by their hashes and from no index."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mirrorhub.bundle.kit.archive import FolderKit, ZipKit
from mirrorhub.bundle.kit.caches import make_folder, user_cache
from mirrorhub.bundle.kit.checking import checked_blocks, is_member
from mirrorhub.bundle.kit.contents import Contents, KitWheels, Member
from mirrorhub.bundle.kit.placing import check_room, sweep, write_blocks
from mirrorhub.bundle.kit.python import Interpreter, make_venv, run_pip, versions_in
from mirrorhub.bundle.kit.words import KitError

_STRICT = ("--no-index", "--require-hashes", "--only-binary=:all:", "--no-cache-dir", "--no-warn-script-location")


@dataclass(frozen=True)
class Environment:
    """Where wheels go.

    Attributes:
        python: The Python that is asked, or that makes the environment.
        venv: The environment that is to be made; None where there is one.
    """

    python: Interpreter
    venv: Path | None


def work_folder(environ: Mapping[str, str], sha256: str) -> Path:
    """Return where a kit's wheels lie while they are installed; the same on each run, so that none comes twice."""
    return user_cache(environ) / "mirrorhub" / f"kit-{sha256[:16]}"


def are_installed(wheels: KitWheels, python: str) -> bool:
    """Whether an environment has all of them, in these versions."""
    found = versions_in(python, [package.name for package in wheels.packages])
    return all(found.get(package.name) == package.version for package in wheels.packages)


def unpack(kit: ZipKit | FolderKit, contents: Contents, folder: Path) -> None:
    """Write the wheels into a folder, each checked.

    Raises:
        KitError: One is not what is listed, or a link is in the way.
        OSError: The disk refuses.
    """
    make_folder(folder.parent.parent, f"{folder.parent.name}/{folder.name}")
    sweep(folder)
    check_room([(folder, sum(one.size for one in contents.members.values() if one.kind == "wheel"))])
    for member in (one for one in contents.members.values() if one.kind == "wheel"):
        place = folder / member.path.rpartition("/")[2]
        if not is_member(place, member):
            write_blocks(place, checked_blocks(kit, member), folder)
        _check_wheel(place, member)


def install_wheels(contents: Contents, wheels: KitWheels, folder: Path, environment: Environment) -> str:
    """Let pip install what was unpacked; return the Python that has it.

    Raises:
        KitError: pip failed, or no environment could be made.
        OSError: The disk refuses.
    """
    requirements = folder / "requirements.txt"
    write_blocks(requirements, [requirements_text(contents, wheels).encode()], folder)
    python = make_venv(environment.python, environment.venv) if environment.venv else environment.python.path
    quiet = ("--quiet", "--no-input", "--disable-pip-version-check")
    arguments = ["install", *quiet, *_STRICT, "--find-links", str(folder), "-r", str(requirements)]
    run_pip(environment.python, python, arguments)
    with suppress(OSError):
        shutil.rmtree(str(folder))
    return python


def requirements_text(contents: Contents, wheels: KitWheels) -> str:
    """Write every package with its version and hash, as pip reads it."""
    lines = (
        f"{package.name}=={package.version} --hash=sha256:{contents.members[package.member].sha256}\n"
        for package in wheels.packages
    )
    return "".join(sorted(lines))


def has_package(wheels: KitWheels, name: str) -> bool:
    """Whether a package is among the wheels."""
    return any(re.sub("[-_.]+", "-", package.name).lower() == name for package in wheels.packages)


def _check_wheel(place: Path, member: Member) -> None:
    try:
        with zipfile.ZipFile(str(place)) as archive:
            climbing = climbing_member(archive)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise KitError("no_wheel", member.path, reason=type(error).__name__) from error
    if climbing is not None:
        raise KitError("climbing_wheel", member.path, reason=climbing)


def climbing_member(archive: zipfile.ZipFile) -> str | None:
    """Return a member of a wheel that would be written outside of where it is installed, or None."""
    for name in archive.namelist():
        parts = name.replace("\\", "/").split("/")
        if ".." in parts or parts[0] == "" or ":" in parts[0] or "\\" in name:
            return name
    return None
