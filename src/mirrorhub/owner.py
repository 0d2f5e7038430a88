"""Who owns what lies in our folder: a name that says host, process and token, and whether that process still lives."""

from __future__ import annotations

import os
import secrets
import socket
import stat
import time
from functools import cache
from pathlib import Path

QUIET_S = 60.0
"""An owner on another host cannot be asked whether it lives; one that has written nothing for so long does not."""
_TOKEN = secrets.token_hex(4)


def read_regular(path: Path) -> bytes:
    """Read a file that is a file: no link, no pipe that would never end.

    Raises:
        OSError: It is something else, or cannot be read.
    """
    if not is_regular(path):
        raise FileNotFoundError(f"{path} is not a regular file")
    return path.read_bytes()


def is_regular(path: Path) -> bool:
    """Whether a path is a file of its own: neither a symbolic link nor another name of somebody else's file."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def own_name() -> str:
    """Return a name that nobody else has."""
    return f"{_host()}-{os.getpid()}-{_TOKEN}{secrets.token_hex(2)}"


@cache
def _host() -> str:
    return "".join(char if char.isalnum() else "_" for char in socket.gethostname())[:60]


def is_alive(owner: str, path: Path) -> bool:
    """Whether the owner of something may still write to it."""
    host, _, rest = owner.partition("-")
    pid, _, token = rest.partition("-")
    if not token:
        return False
    if host != _host():
        return _quiet_for(path) < QUIET_S
    if pid == str(os.getpid()):
        return token.startswith(_TOKEN)
    return pid.isdecimal() and _process_exists(int(pid))


def _process_exists(pid: int) -> bool:
    if os.name == "nt":
        # os.kill would end the process there.
        return _windows_process_exists(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


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
