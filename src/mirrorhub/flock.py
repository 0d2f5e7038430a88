"""The system's own lock on an open file or folder: gone with the descriptor, and with the process.

A library for locks takes 20 ms to import, as long as all else of a short call.
"""

from __future__ import annotations

import errno
import sys

_HELD = frozenset({errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK})
"""Somebody else has it; all else that a system may say is that there are no locks here."""

if sys.platform == "win32":
    import msvcrt

    def is_taken(descriptor: int) -> bool:
        """Take the lock; return whether it could be had, or there are none here."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            return error.errno not in _HELD
        return True

else:
    import fcntl

    def is_taken(descriptor: int) -> bool:
        """Take the lock; return whether it could be had, or there are none here."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in _HELD
        return True
