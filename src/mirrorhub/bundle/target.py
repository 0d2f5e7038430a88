"""The Python and the system that a kit's wheels are for, as pip and as environment markers name them. Pure."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from packaging.markers import default_environment
from packaging.tags import interpreter_name, platform_tags

from mirrorhub.errors import ConfigError

_PYTHON = re.compile(r"(\d)\.?(\d{1,2})(\.\d+)?")
_LINUX = re.compile(r"(linux|manylinux1|manylinux20\d\d|manylinux_2_\d+|musllinux_1_\d+)_(\w+)")
_LEGACY = {"manylinux2014": 17, "manylinux2010": 12, "manylinux1": 5}
_OLDEST_GLIBC = 5
_IMPLEMENTATIONS = {"cp": ("cpython", "CPython"), "pp": ("pypy", "PyPy")}
_SYSTEMS = {
    "linux": ("linux", "Linux", "posix"),
    "macosx": ("darwin", "Darwin", "posix"),
    "win": ("win32", "Windows", "nt"),
}


@dataclass(frozen=True, slots=True)
class Target:
    """What wheels are for.

    Attributes:
        python: The version, as `3.11`.
        implementation: `cp`, as in the names of wheels.
        abis: Other ABIs than the one that follows from both.
        platforms: Tags, as they were given; this machine's without any.
        is_here: It is the running Python on this machine.
    """

    python: str
    implementation: str
    abis: tuple[str, ...]
    platforms: tuple[str, ...]
    is_here: bool

    def __str__(self) -> str:
        return f"Python {self.python} on {', '.join(self.platforms)}"

    def pip_options(self) -> list[str]:
        """Return how pip is told of it; of a system it is told every tag that runs there."""
        if self.is_here:
            return []
        options = ["--python-version", self.python, "--implementation", self.implementation]
        for tag in dict.fromkeys(tag for platform in self.platforms for tag in _tags_of(platform)):
            options += ["--platform", tag]
        return options + [part for abi in self.abis for part in ("--abi", abi)]

    def environments(self) -> list[dict[str, str]]:
        """Return the values of environment markers there: for the first and for a late patch of the version."""
        return [self._environment(f"{self.python}.{patch}") for patch in (0, 99)]

    def _environment(self, full: str) -> dict[str, str]:
        name, platform_name = _IMPLEMENTATIONS.get(self.implementation, (self.implementation, self.implementation))
        system, title, family = _SYSTEMS[_system_of(self.platforms[0])]
        named = dict(zip(("sys_platform", "platform_system", "os_name"), (system, title, family), strict=True))
        version = {"python_version": self.python, "python_full_version": full, "implementation_version": full}
        kind = {"implementation_name": name, "platform_python_implementation": platform_name}
        machine = {"platform_machine": _machine_of(self.platforms[0])}
        unknown = {} if self.is_here else {"platform_release": "", "platform_version": ""}
        here = {key: str(value) for key, value in default_environment().items()}
        return here | named | version | kind | machine | unknown


def target_of(python: str | None, platforms: Sequence[str], implementation: str | None, abis: Sequence[str]) -> Target:
    """Read what wheels are to be for.

    Raises:
        ConfigError: It is no Python or no platform, or they are of different systems.
    """
    is_here = python is None and not platforms and implementation is None and not abis
    chosen = tuple(platforms) or (_here(),)
    systems = {(_system_of(platform), _machine_of(platform)) for platform in chosen}
    if len(systems) > 1:
        raise ConfigError(f"--platform {', '.join(chosen)}: these are different systems; make a kit for each of them")
    return Target(_version(python), implementation or interpreter_name(), tuple(abis), chosen, is_here)


def _here() -> str:
    """Return this machine's platform; on Linux with the libc that it has."""
    tags = list(platform_tags())
    return next((tag for tag in tags if not tag.startswith("linux_")), tags[0])


def _version(given: str | None) -> str:
    if given is None:
        return f"{sys.version_info[0]}.{sys.version_info[1]}"
    match = _PYTHON.fullmatch(given.strip())
    if match is None or match[1] != "3":
        raise ConfigError(f"--python {given}: is no version of Python 3; write 3.11")
    return f"{match[1]}.{match[2]}"


def _system_of(platform: str) -> str:
    if _LINUX.fullmatch(platform):
        return "linux"
    if re.fullmatch(r"macosx_\d+_\d+_\w+", platform):
        return "macosx"
    if re.fullmatch(r"win32|win_(amd64|arm64)", platform):
        return "win"
    known = "manylinux2014_x86_64, manylinux_2_28_aarch64, musllinux_1_2_x86_64, macosx_11_0_arm64, win_amd64"
    raise ConfigError(f"--platform {platform}: is no platform tag; they look like {known}")


def _machine_of(platform: str) -> str:
    """Return what platform.machine() says there."""
    if match := _LINUX.fullmatch(platform):
        return match[2]
    if platform.startswith("macosx_"):
        arch = platform.split("_", 3)[3]
        return "arm64" if arch == "universal2" else arch
    return {"win_amd64": "AMD64", "win_arm64": "ARM64", "win32": "x86"}[platform]


def _tags_of(platform: str) -> Iterator[str]:
    """Yield every tag whose wheels run where those of a tag do, the newest first; pip knows some of them only."""
    yield platform
    match = _LINUX.fullmatch(platform)
    if match is None:
        return
    family, machine = match[1], match[2]
    if family.startswith("musllinux_1_"):
        yield from (f"musllinux_1_{minor}_{machine}" for minor in range(int(family.rpartition("_")[2]), -1, -1))
    elif family != "linux":
        newest = _LEGACY.get(family) or int(family.rpartition("_")[2])
        for minor in range(newest, _OLDEST_GLIBC - 1, -1):
            yield f"manylinux_2_{minor}_{machine}"
            yield from (f"{name}_{machine}" for name, legacy in _LEGACY.items() if legacy == minor)
    yield f"linux_{machine}"
