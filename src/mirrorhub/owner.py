"""Who owns what lies in our folder: a name that says host, process and token, and whether that process still lives.

    {host}_{boot and process namespace}-{pid}x{start}-{token}

A number alone names no process: it is given again after a while, and means another one in each container and after each
start of the machine. So its start time is part of the name, and a boot, or a container, counts as a host of its own.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import socket
import stat
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from mirrorhub.rawfile import NOT_THROUGH_LINKS, to_read

QUIET_S = 60.0
"""An owner on another host cannot be asked whether it lives; one that has written nothing for so long does not."""
_TOKEN = secrets.token_hex(4)


def read_regular(path: Path) -> bytes:
    """Read a file that is a file: no link, no pipe that would never end.

    Raises:
        OSError: It is something else, or cannot be read.
    """
    with to_read(path, NOT_THROUGH_LINKS) as file:
        if os.fstat(file.fileno()).st_nlink != 1:
            raise OSError(errno.EMLINK, "another name of somebody else's file", str(path))
        return file.read()


def is_regular(path: Path) -> bool:
    """Whether a path is a file of its own: neither a symbolic link nor another name of somebody else's file."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def own_name() -> str:
    """Return a name that nobody else has."""
    pid = os.getpid()
    return f"{_host()}-{pid}x{_own_start(pid)}-{_TOKEN}{secrets.token_hex(2)}"


@cache
def _host() -> str:
    name = "".join(char if char.isalnum() else "_" for char in socket.gethostname())[:60]
    return f"{name}_{_machine()}"


def _machine() -> str:
    """Tell this boot of this machine, and this container, from others; on systems that do not say, tell nothing."""
    told = []
    with suppress(OSError):
        told.append(Path("/proc/sys/kernel/random/boot_id").read_text())
    with suppress(OSError):
        told.append(os.readlink("/proc/self/ns/pid"))  # noqa: PTH115 - it is no path
    return hashlib.sha256("".join(told).encode()).hexdigest()[:8]


@cache
def _own_start(pid: int) -> str:
    return _state(pid)[1]


def is_alive(owner: str, path: Path) -> bool:
    """Whether the owner of something may still write to it."""
    if _is_elsewhere(owner):
        return _quiet_for(path) < QUIET_S
    return is_known_alive(owner)


def is_known_alive(owner: str) -> bool:
    """Whether the owner lives in this boot and container; of others it is not known."""
    host, _, rest = owner.partition("-")
    process, _, token = rest.partition("-")
    if not token or host != _host():
        return False
    pid, _, start = process.partition("x")
    if pid == str(os.getpid()):
        return token.startswith(_TOKEN)
    return pid.isdecimal() and _process_lives(int(pid), start)


def _is_elsewhere(owner: str) -> bool:
    host, _, rest = owner.partition("-")
    return bool(rest.partition("-")[2]) and host != _host()


def _process_lives(pid: int, start: str) -> bool:
    if os.name == "nt":
        # os.kill would end the process there.
        return _windows_process_exists(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    state, started = _state(pid)
    # Killed, but nobody has asked yet how it ended: it writes no more.
    return state not in ("Z", "X") and (not started or started == start)


def _state(pid: int) -> tuple[str, str]:
    """Return a process's state and start time (proc(5)); nothing where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0], fields[19]
    except (OSError, IndexError, UnicodeDecodeError):
        return "", ""


def _windows_process_exists(pid: int) -> bool:
    import ctypes

    synchronize = 0x00100000
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - known to type checkers on Windows only
    handle = kernel.OpenProcess(synchronize, False, pid)
    if not handle:
        return False
    kernel.CloseHandle(handle)
    return True


def _quiet_for(path: Path) -> float:
    data = path / "data"
    try:
        return time.time() - max(place.stat().st_mtime for place in (path, data if path.is_dir() else path))
    except OSError:
        return QUIET_S
