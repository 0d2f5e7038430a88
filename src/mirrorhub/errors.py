"""Everything mirrorhub raises, in families by who has to act.

    MirrorHubError
      ConfigError(ValueError)              you: an argument, a variable or a configuration file
      ResolutionError                      nobody could say what the repository holds
        RepoNotFoundError, RevisionNotFoundError, AccessDeniedError, MissingFileError
      TransferError                        the bytes did not come
        IntegrityError                     they came, and were not what was promised
      PinnedError                          what came is not what was pinned
      NotCachedError(FileNotFoundError)    offline, and not on disk
      StoreError(OSError)                  your disk: full, read-only, an unsafe path
      LockTimeoutError(TimeoutError)       another process holds the repository
      AudioError(ValueError)               mirrorhub.vad: not audio that can be read
      WeightsError(ValueError)             mirrorhub.vad: not the files of a known model
      BundleError(ValueError)              mirrorhub bundle: an offline kit that is damaged, or cannot be made

A message says what happened, where, and what to do next; then comes one line per attempt, the endpoint first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mirrorhub.models import Attempt


MOST_LINES = 20
"""Of a difference so many lines stand in a message; all are in the error's attribute."""


class MirrorHubError(Exception):
    """The root of all errors of this package."""


class ConfigError(MirrorHubError, ValueError):
    """An argument, an environment variable or a configuration file cannot be used."""


class ChainError(MirrorHubError):
    """A failure with a history: every attempt that led to it.

    Attributes:
        attempts: What was tried, in order of time.
    """

    def __init__(self, message: str, attempts: Sequence[Attempt] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.attempts = tuple(attempts)

    def __str__(self) -> str:
        return "\n".join([self.message, *_attempt_lines(self.attempts)])


class ResolutionError(ChainError):
    """No endpoint could say what the repository holds."""


class RepoNotFoundError(ResolutionError):
    """The hub itself says that there is no such repository (or that it is private)."""


class RevisionNotFoundError(ResolutionError):
    """The repository exists; the revision does not."""


class AccessDeniedError(ResolutionError):
    """The hub itself refuses: a token is missing, wrong, or not allowed to read this."""


class MissingFileError(ResolutionError):
    """The revision exists; a file that was asked for by name is not in it.

    Attributes:
        file: The path that was asked for.
    """

    def __init__(self, message: str, attempts: Sequence[Attempt] = (), *, file: str = "") -> None:
        super().__init__(message, attempts)
        self.file = file


class TransferError(ChainError):
    """A file could not be fetched from any endpoint.

    Attributes:
        file: The path in the repository, or None where the whole call failed.
    """

    def __init__(self, message: str, attempts: Sequence[Attempt] = (), *, file: str | None = None) -> None:
        super().__init__(message, attempts)
        self.file = file


class IntegrityError(TransferError):
    """Every endpoint that answered gave bytes that are not what was vouched for.

    Attributes:
        expected: The digest that was vouched for.
        actual: The digests that came, by endpoint.
        endpoint: The last endpoint that gave wrong bytes.
    """

    def __init__(
        self,
        message: str,
        attempts: Sequence[Attempt] = (),
        *,
        file: str | None = None,
        expected: str = "",
        actual: dict[str, str] | None = None,
        endpoint: str = "",
    ) -> None:
        super().__init__(message, attempts, file=file)
        self.expected = expected
        self.actual = dict(actual or {})
        self.endpoint = endpoint


class PinnedError(ChainError):
    """What is asked for, or what came, is not what was pinned.

    Attributes:
        difference: One line per file that differs.
        file: The path that was asked for and is not pinned, where it was one.
        advice: What to do, where it stands below what differs.
    """

    def __init__(
        self,
        message: str,
        difference: Sequence[str] = (),
        attempts: Sequence[Attempt] = (),
        *,
        file: str = "",
        advice: str = "",
    ) -> None:
        super().__init__(message, attempts)
        self.advice = advice
        self.difference = tuple(difference)
        self.file = file

    def __str__(self) -> str:
        differing = [f"  {line}" for line in self.difference[:MOST_LINES]]
        if len(self.difference) > MOST_LINES:
            differing.append(f"  and {len(self.difference) - MOST_LINES:,} more")
        advice = [self.advice] if self.advice else []
        return "\n".join([self.message, *differing, *_attempt_lines(self.attempts), *advice])


class NotCachedError(MirrorHubError, FileNotFoundError):
    """The call was offline and what it needs is not on disk.

    Attributes:
        locked: A lock file says what it needs: nothing else that is on disk will do.
    """

    locked = False


class StoreError(MirrorHubError, OSError):
    """The disk refuses: full, read-only, or a path that must not be written."""

    def __str__(self) -> str:
        # The number is for programs, in `errno`.
        return self.strerror or super().__str__()


class LockTimeoutError(MirrorHubError, TimeoutError):
    """Another process holds the repository and did not let go in time."""


class AudioError(MirrorHubError, ValueError):
    """The input is not audio that can be read."""


class WeightsError(MirrorHubError, ValueError):
    """The model's files are missing, damaged, or not those of a known model."""


class BundleError(MirrorHubError, ValueError):
    """An offline kit is damaged, was altered, or cannot be made or installed.

    Attributes:
        member: What it is about: a member of the kit, a package, or the kit.
        reason: What is wrong with it.
    """

    def __init__(self, member: str, reason: str) -> None:
        super().__init__(f"{member}: {reason}" if member else reason)
        self.member, self.reason = member, reason


def _attempt_lines(attempts: Sequence[Attempt]) -> list[str]:
    """One line per distinct attempt, the endpoint first; repetitions are counted, not repeated."""
    counts: dict[str, int] = {}
    for attempt in attempts:
        line = f"  {attempt.endpoint}: {attempt.subject}: {attempt.outcome}"
        counts[line] = counts.get(line, 0) + 1
    return [line if times == 1 else f"{line} (x{times})" for line, times in counts.items()]
