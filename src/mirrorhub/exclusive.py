"""One process at a time in a repository's folder. A courtesy: what is on disk stays right without it.

The lock saves fetching twice. That no partial has two writers and no file is seen half-written is held by claims and
renames, so a file system whose locks do nothing corrupts nothing.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorhub.errors import LockTimeoutError, StoreError
from mirrorhub.rawfile import NOT_THROUGH_LINKS, to_read
from mirrorhub.records import moment_s, number, parsed, text
from mirrorhub.stores.disk import disk_errors

if TYPE_CHECKING:
    from filelock import BaseFileLock

log = logging.getLogger(__name__)
LONG_S = 3.0
_LONGEST_HOLDER = 4_096
_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP})


@asynccontextmanager
async def exclusive(
    path: Path, limit_s: float, waited: Callable[[str, float], None] = lambda _who, _pause_s: None
) -> AsyncIterator[None]:
    """Hold the lock file `path`; wait for whoever holds it, without a thread.

    Args:
        path: The lock file.
        limit_s: How long to wait.
        waited: Called before each pause with who holds it, and how long the pause is.

    Raises:
        LockTimeoutError: It was held for longer than `limit_s` seconds; the message names the holder.
        StoreError: The lock file cannot be made or opened, or something else stands in its place.
    """
    lock = _file_lock(path)
    holder = path.with_name(path.name + ".holder")
    try:
        await _acquire(lock, holder, limit_s, waited)
    except NotImplementedError:
        log.warning("%s: this file system has no locks; going on without", path.parent)
        yield
        return
    try:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
            holder.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}))
        yield
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def _file_lock(path: Path) -> BaseFileLock:
    """Make a lock that is the kernel's, or none: a mere file would outlive the process that made it."""
    from filelock import FileLock

    # Not thread-local: taken and let go on the loop's thread, whichever task that is.
    try:
        return FileLock(path, thread_local=False, fallback_to_soft=False)
    except TypeError:  # older versions never fall back
        return FileLock(path, thread_local=False)


async def _acquire(lock: BaseFileLock, holder: Path, limit_s: float, waited: Callable[[str, float], None]) -> None:
    from filelock import Timeout
    from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_before_delay, wait_random

    said: set[int] = set()

    def say(state: RetryCallState) -> None:
        """Say it at once to who listens closely, and after a while to everybody: a silent wait looks like a hang."""
        if state.next_action is not None:
            waited(_holder_name(holder), state.next_action.sleep)
        level = logging.WARNING if (state.seconds_since_start or 0.0) > LONG_S else logging.INFO
        if level not in said:
            said.add(level)
            log.log(level, "waiting for %s, which holds %s", _holder_words(holder), lock.lock_file)

    retrying = AsyncRetrying(
        # Whoever makes room takes the folder away with the lock that it holds: the next one makes both anew.
        retry=retry_if_exception_type((Timeout, FileNotFoundError)),
        wait=wait_random(0.05, 0.2),
        stop=stop_before_delay(limit_s),
        before_sleep=say,
        reraise=True,
    )

    async def attempt() -> None:
        try:
            holder.parent.mkdir(parents=True, exist_ok=True)
            _refuse_what_is_none(Path(lock.lock_file))
            lock.acquire(blocking=False)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                raise NotImplementedError from error
            raise

    try:
        with disk_errors(holder.parent):
            await retrying(attempt)
    except Timeout:
        raise LockTimeoutError(
            f"{lock.lock_file} has been held by {_holder_words(holder)} for more than {limit_s:.0f} s. "
            "If that process is stuck, end it; the lock goes with it."
        ) from None


def _refuse_what_is_none(path: Path) -> None:
    """Lock a file of ours only: older versions of the library follow a link, and empty the file that it leads to."""
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise StoreError(errno.EINVAL, f"{path}: something else stands where our lock belongs; remove it")


def _holder_words(holder: Path) -> str:
    told = _told(holder)
    return f"{told[0]} (since {time.time() - told[1]:.0f} s)" if told else "another process"


def _holder_name(holder: Path) -> str:
    told = _told(holder)
    return told[0] if told else "another process"


def _told(holder: Path) -> tuple[str, float] | None:
    """Read who holds the lock, and since when."""
    try:
        with to_read(holder, NOT_THROUGH_LINKS) as file:
            told = parsed(file.read(_LONGEST_HOLDER))
        pid, host, since_s = number(told["pid"]), text(told["host"])[:100], moment_s(told["since"])
    except (OSError, ValueError, LookupError):
        return None
    # It is shown: nothing in it may speak to a terminal.
    return (f"process {pid} on {host}", since_s) if host.isprintable() else None
