"""What a process holds: descriptors, threads; and what its event loops complain of."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DESCRIPTORS = Path("/proc/self/fd")
PATIENCE_S = 2.0
SERVERS = "fakehub-"
"""How the names of the endpoints' threads begin."""


@dataclass(frozen=True, slots=True)
class Belongings:
    """What is open and running, each by its kind."""

    descriptors: Counter[str]
    threads: Counter[str]

    @classmethod
    def now(cls) -> Belongings:
        """Look."""
        kinds = (_kind(path) for path in DESCRIPTORS.iterdir()) if DESCRIPTORS.is_dir() else ()
        return cls(Counter(kind for kind in kinds if kind), Counter(thread.name for thread in threading.enumerate()))

    def grown_to(self, now: Belongings) -> list[str]:
        """Return what has come since."""
        more = [*(now.descriptors - self.descriptors).elements(), *(now.threads - self.threads).elements()]
        return [f"still there after close(): {one}" for one in more]


def grown_since(before: Belongings) -> list[str]:
    """Return what is held that was not before; threads and sockets of servers end a moment after they are told to."""
    until = time.monotonic() + PATIENCE_S
    while (grown := before.grown_to(Belongings.now())) and time.monotonic() < until:
        gc.collect()
        time.sleep(0.01)
    return grown


def _kind(descriptor: Path) -> str:
    """Say what a descriptor is; nothing where it is gone again, as the one that lists them is."""
    try:
        name = str(descriptor.readlink())
    except OSError:
        return ""
    return name.partition("[")[0]


@contextmanager
def complaints(ports: Collection[int]) -> Iterator[list[str]]:
    """Collect what nobody would hear: errors of forgotten tasks, unclosed resources, exceptions in finalisers.

    Args:
        ports: Where servers of ours listen, once all is over: what they leave open is not looked at.
    """
    told: list[str] = []
    listener = _Listener(told.append)
    loop_log, hook = logging.getLogger("asyncio"), sys.unraisablehook
    loop_log.addHandler(listener)
    sys.unraisablehook = lambda unraisable: told.append(
        f"unraisable: {unraisable.exc_value!r} in {unraisable.object!r}"
    )
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield told
            gc.collect()
        told += [f"warning: {one.message}" for one in caught if _port(one) not in ports]
    finally:
        sys.unraisablehook = hook
        loop_log.removeHandler(listener)


def _port(warning: warnings.WarningMessage) -> int | None:
    """Return the port at our end of what was left open; None where it is no connection."""
    if isinstance(warning.source, asyncio.BaseTransport):
        return int((warning.source.get_extra_info("sockname") or (None, -1))[1])
    found = re.search(r"laddr=\('[^']*', (\d+)\)", str(warning.message))
    return int(found[1]) if found else None


class _Listener(logging.Handler):
    def __init__(self, tell: Callable[[str], object]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        if (record.threadName or "").startswith(SERVERS):
            return  # an endless body that goes on to be sent is no complaint of ours
        error = record.exc_info[1] if record.exc_info else None
        self._tell(f"asyncio: {record.getMessage()} {error!r}"[:500])
