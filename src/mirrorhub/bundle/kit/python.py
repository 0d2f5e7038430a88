"""The interpreter that the wheels are for: found, asked what it is, or made as a virtual environment of its own."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mirrorhub.bundle.kit.contents import KitWheels
from mirrorhub.bundle.kit.words import KitError

_PROBE = """
import importlib.util, json, platform, sys, sysconfig
print(json.dumps({
    "version": "%d.%d" % sys.version_info[:2],
    "implementation": sys.implementation.name,
    "platform": sysconfig.get_platform(),
    "glibc": platform.libc_ver()[1] if platform.libc_ver()[0] == "glibc" else "",
    "pip": importlib.util.find_spec("pip") is not None,
    "ensurepip": importlib.util.find_spec("ensurepip") is not None,
}))
"""
_VERSIONS = """
import json, sys
from importlib import metadata
found = {}
for name in json.loads(sys.stdin.read()):
    try:
        found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""
# Nothing is imported from the folder that happens to be the current one: it goes before anything is imported. Not by
# `-I`: with that pip installs nothing for the user alone where the Python itself cannot be written to.
_APART = "import sys; sys.path[:1] = []; "
# As with `python -m pip`, and without the socket that urllib3 opens when it is imported, to see whether there is IPv6:
# nothing here is to open any.
_PIP = (
    "import runpy, socket; socket.has_ipv6 = False; sys.argv[0] = 'pip'; "
    "runpy.run_module('pip', run_name='__main__', alter_sys=True)"
)
# Where CPython keeps the pip that it comes with, or where a distribution does.
_PIP_OF = """
import ensurepip, pathlib, sysconfig
folders = [pathlib.Path(ensurepip.__file__).parent / "_bundled", sysconfig.get_config_var("WHEEL_PKG_DIR") or ""]
found = [str(wheel) for folder in folders if folder for wheel in pathlib.Path(folder).glob("pip-*.whl")]
print(*found[:1])
"""
_LEFT_OUT = ("PIP_", "PYTHON", "MIRRORHUB_", "MODELSCOPE_", "HF_", "HUGGING_FACE_", "HUGGINGFACE_")
_MANYLINUX = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_IMPLEMENTATIONS = {"cp": "cpython", "pp": "pypy"}


@dataclass(frozen=True)
class Interpreter:
    """What a Python is.

    Attributes:
        path: Its executable.
        version: As `3.11`.
        implementation: As `cpython`.
        platform: As sysconfig names it: `linux-x86_64`.
        glibc: Its version, where the system has it.
        pip: Whether it has pip.
        ensurepip: Whether it can put pip into an environment.
    """

    path: str
    version: str
    implementation: str
    platform: str
    glibc: tuple[int, ...] | None
    pip: bool
    ensurepip: bool


def interpreter_of(path: str) -> Interpreter:
    """Ask a Python what it is.

    Raises:
        KitError: It cannot be run.
    """
    try:
        raw = json.loads(_asked(path, _PROBE))
        glibc = tuple(int(part) for part in re.findall(r"\d+", raw["glibc"])) or None
        version, implementation, platform = (str(raw[name]) for name in ("version", "implementation", "platform"))
        pip, ensurepip = bool(raw["pip"]), bool(raw["ensurepip"])
    except KitError:
        raise
    except (OSError, ValueError, LookupError, TypeError, subprocess.SubprocessError) as error:
        raise KitError("no_python", path, code=2, reason=type(error).__name__) from error
    return Interpreter(path, version, implementation, platform, glibc, pip, ensurepip)


def check_fits(wheels: KitWheels, python: Interpreter) -> None:
    """Find out before anything is done whether the wheels are for this Python and system.

    Raises:
        KitError: They are not.
    """
    implementation = _IMPLEMENTATIONS.get(wheels.implementation, wheels.implementation)
    if (wheels.python, implementation) != (python.version, python.implementation):
        found = (
            python.version if implementation == python.implementation else f"{python.version} ({python.implementation})"
        )
        raise KitError("python", python.path, code=2, wanted=wheels.python, found=found)
    for package in wheels.packages:
        tags = package.member[: -len(".whl")].rpartition("-")[2].split(".")
        if not any(tag_fits(tag, python.platform, python.glibc) for tag in tags):
            found = python.platform + (" with glibc {}.{}".format(*python.glibc[:2]) if python.glibc else "")
            raise KitError("platform", package.member, code=2, wanted=".".join(tags), found=found)


def tag_fits(tag: str, platform: str, glibc: tuple[int, ...] | None) -> bool:
    """Whether a wheel of a platform tag runs on a platform, as sysconfig names it."""
    if tag == "any":
        return True
    system, _, machine = platform.partition("-")
    if system == "linux":
        return _linux_fits(tag, machine, glibc)
    if system == "macosx":
        arch = machine.rpartition("-")[2]
        return tag.startswith("macosx_") and tag.endswith((f"_{arch}", "_universal2"))
    return tag == platform.replace("-", "_").replace(".", "_")


def _linux_fits(tag: str, machine: str, glibc: tuple[int, ...] | None) -> bool:
    match = re.fullmatch(r"(linux|manylinux1|manylinux20\d\d|(many|musl)linux_(\d+)_(\d+))_(.+)", tag)
    if match is None or match.group(5) != machine:
        return False
    family, libc, major, minor = match.group(1, 2, 3, 4)
    if family == "linux":
        return True
    if libc == "musl":
        return glibc is None
    needed = (int(major), int(minor)) if libc else _MANYLINUX.get(family)
    return glibc is not None and needed is not None and glibc[:2] >= needed


def default_python(venv: str | None, python: str | None, kit: str) -> tuple[str, Path | None]:
    """Say which Python is meant, and which environment is to be made with it, if one is.

    Raises:
        KitError: The environment that nobody named and that is there may be somebody else's.
    """
    if python:
        return python, None
    if venv is None and sys.prefix != sys.base_prefix:
        return sys.executable, None
    name = Path(kit).absolute().name
    folder = Path(venv or f"{name[: -len('.zip')] if name.endswith('.zip') else name}-venv").absolute()
    inside = python_in(folder)
    if venv is None:
        _check_own(folder, inside)
    return (str(inside), None) if inside.exists() else (sys.executable, folder)


def _check_own(folder: Path, inside: Path) -> None:
    """Run nothing that others have put into the current folder: it may be one of downloads that many share."""
    if sys.platform != "win32":
        for place in (folder, folder / "pyvenv.cfg", inside.parent, inside):
            if any(_is_open(one, os.geteuid()) for one in _seen(place, follow=place != inside)):
                raise KitError("not_own", place, code=2)


def _seen(place: Path, *, follow: bool) -> Iterator[os.stat_result]:
    """Look at what is there, and at what it leads to; an own link to a Python says whose that may be."""
    with suppress(FileNotFoundError):
        yield place.lstat()
        if follow:
            yield place.stat()


def _is_open(status: os.stat_result, user: int) -> bool:
    """Whether others may have written it."""
    if status.st_uid not in (0, user):
        return True
    return not stat.S_ISLNK(status.st_mode) and bool(status.st_mode & stat.S_IWOTH)


def python_in(venv: Path) -> Path:
    """Return where the Python of an environment is."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make_venv(python: Interpreter, folder: Path) -> str:
    """Make a virtual environment with pip in it, where that can be had; return its Python.

    Raises:
        KitError: It cannot be made.
    """
    if not (python.pip or python.ensurepip):
        raise KitError("no_pip", python.path)
    done = _run([python.path, "-I", "-m", "venv", "--without-pip", str(folder)])
    inside = python_in(folder)
    if done.returncode != 0 or not inside.exists():
        raise KitError("no_venv", folder, reason=last_line(done.stdout) or "venv failed")
    _add_pip(python, str(inside))
    return str(inside)


def _add_pip(python: Interpreter, inside: str) -> None:
    """Put in the pip that comes with Python; without one the environment is filled from outside."""
    if not python.ensurepip:
        return
    found = _asked(inside, _PIP_OF).strip()
    if not found:
        # Some versions of it start one more Python, which looks into the current folder: that is the new environment.
        _run([inside, "-I", "-m", "ensurepip", "--default-pip"], folder=Path(inside).parent)
        return
    wheel = f"{_APART}sys.path.insert(0, {found!r}); {_PIP}"
    _run([inside, "-c", wheel, "install", "--quiet", "--no-index", "--no-cache-dir", "--no-deps", found])


def run_pip(python: Interpreter, inside: str, arguments: Sequence[str]) -> None:
    """Let pip install into an environment: its own one, or the one of the Python that made it.

    Raises:
        KitError: There is none, or it failed.
    """
    own = interpreter_of(inside)
    command = [inside, "-c", _APART + _PIP] if own.pip else [python.path, "-c", _APART + _PIP, "--python", inside]
    if not own.pip and not python.pip:
        raise KitError("no_pip", inside)
    done = _run([*command, *arguments])
    if done.returncode != 0:
        raise KitError("pip_failed", inside, reason=last_line(done.stdout))


def versions_in(python: str, names: Sequence[str]) -> dict[str, str]:
    """Return which versions of packages an environment has."""
    try:
        return dict(json.loads(_asked(python, _VERSIONS, json.dumps(list(names)))))
    except (ValueError, KitError):
        return {}


def last_line(output: str) -> str:
    """Return the line that says why."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or [""])[-1][:400]


def _asked(python: str, program: str, given: str = "") -> str:
    done = subprocess.run(
        [python, "-I", "-c", program],
        input=given,
        env=_environment(),
        check=False,
        timeout=60,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    if done.returncode != 0:
        raise KitError("no_python", python, code=2, reason=f"exit code {done.returncode}")
    return done.stdout


def _run(command: Sequence[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(command),
        cwd=folder,
        env=_environment(),
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _environment() -> dict[str, str]:
    """The environment without what would lead pip to an index, or Python to other modules; and without hubs' tokens."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
    offline = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return {**kept, **offline, "PIP_NO_INPUT": "1", "PYTHONIOENCODING": "utf-8"}
