"""One writer of a lock file at a time. A courtesy: where locks do nothing, it is written all the same, and whole.

What is locked is the folder itself, so that nothing of it lies in the project; where a folder cannot be locked, a file
of its name in the user's folder for what is temporary.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mirrorhub.errors import LockTimeoutError
from mirrorhub.flock import is_taken

LIMIT_S = 60.0
_PAUSE_S = 0.02


@contextmanager
def in_turn(folder: Path, limit_s: float = LIMIT_S) -> Iterator[None]:
    """Hold a folder, in which a lock file is read, changed and written.

    Args:
        folder: The one that the file itself lies in.
        limit_s: How long to wait for whoever holds it.

    Raises:
        LockTimeoutError: It was held for longer.
        OSError: The folder cannot be opened.
    """
    descriptor = _opened(folder)
    try:
        _wait(descriptor, folder, limit_s)
        yield
    finally:
        os.close(descriptor)  # and with it goes the lock


def _wait(descriptor: int, folder: Path, limit_s: float) -> None:
    until = time.monotonic() + limit_s
    while not is_taken(descriptor):
        if time.monotonic() > until:
            raise LockTimeoutError(
                f"{folder} has been held by another process for more than {limit_s:.0f} s. Try again."
            )
        time.sleep(_PAUSE_S)


if sys.platform == "win32":

    def _opened(folder: Path) -> int:
        name = hashlib.sha256(os.path.normcase(folder).encode()).hexdigest()[:32]
        return os.open(Path(tempfile.gettempdir(), f"mirrorhub-{name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)

else:

    def _opened(folder: Path) -> int:
        return os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
