"""What can go wrong at one endpoint, by name, before a verdict says what it means; and when all have failed."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from mirrorhub.models import Endpoint

UNREADABLE = ValueError | LookupError | TypeError | AttributeError | OverflowError | RecursionError
"""What reading a hostile answer ends in where no rule foresaw it."""


class Fault(Enum):
    """A kind of failure. One table (`verdicts`) says for each whether to try again and whether to go on."""

    CONNECT_TIMEOUT = "no connection in time"
    READ_TIMEOUT = "no byte in time"
    REFUSED = "connection refused"
    RESET = "connection broken"
    PROTOCOL = "not understood"
    SHORT_BODY = "body shorter than listed"
    ENCODED = "body is encoded"
    BUSY = "busy"
    SERVER_ERROR = "server error"
    DNS = "name not found"
    CERTIFICATE = "certificate not accepted"
    PROXY = "proxy refused"
    NOT_A_HUB = "not a hub's answer"
    BAD_LISTING = "listing not accepted"
    DENIED = "access denied"
    NO_REPO = "no such repository"
    NO_REVISION = "no such revision"
    NO_FILE = "no such file"
    RANGE = "range not honoured"
    REDIRECT = "redirect not followed"
    LONG_BODY = "body longer than listed"
    WRONG_DIGEST = "wrong digest"
    MIXED = "bytes of several endpoints do not fit together"
    INSTALLER = "package installer failed"
    CRAWLING = "too slow"
    DISK = "disk"


class Failure(Exception):  # noqa: N818 - not an error yet: the chain decides
    """One endpoint failed at one thing.

    Attributes:
        fault: The kind.
        message: What happened, in words; whoever is told it, is told it without secrets: see `Chain.discreet`.
        retry_after_s: When the endpoint wants to be asked again, in seconds from now.
    """

    def __init__(self, fault: Fault, message: str = "", *, retry_after_s: float | None = None) -> None:
        # Parts of it come from the other end: no control characters, no half characters.
        self.message = "".join(char if char.isprintable() else "?" for char in message or fault.value)
        super().__init__(self.message)
        self.fault = fault
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return self.message


class WrongDigest(Failure):
    """Bytes came, and are not what was vouched for.

    Attributes:
        actual: The digest of what came.
    """

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(Fault.WRONG_DIGEST, f"gave bytes whose digest is {actual}, not {expected}")
        self.actual = actual


class Hopeless(Exception):  # noqa: N818 - the caller knows what was walked for, and names the error
    """No endpoint gave what a walk asked for.

    Attributes:
        failures: The failures of this walk, in order of time.
    """

    def __init__(self, failures: Sequence[tuple[Endpoint, Failure]]) -> None:
        super().__init__()
        self.failures = tuple(failures)
