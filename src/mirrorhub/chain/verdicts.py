"""What a failure at one endpoint means: again here, the next one, or nobody. One table; no IO, no state."""

from __future__ import annotations

from enum import Enum

from mirrorhub.faults import Fault


class Verdict(Enum):
    """What a failure at one endpoint means for the walk."""

    AGAIN = "again here, after the others had their turn"
    NEXT = "not here again, the next one"
    OUT = "the next one, and this one is out for the call"
    NOBODY = "no endpoint can mend it"


VERDICTS: dict[Fault, Verdict] = {
    Fault.CONNECT_TIMEOUT: Verdict.AGAIN,
    Fault.READ_TIMEOUT: Verdict.AGAIN,
    Fault.REFUSED: Verdict.AGAIN,
    Fault.RESET: Verdict.AGAIN,
    Fault.PROTOCOL: Verdict.AGAIN,
    Fault.SHORT_BODY: Verdict.AGAIN,
    Fault.ENCODED: Verdict.NEXT,
    Fault.BUSY: Verdict.AGAIN,
    Fault.SERVER_ERROR: Verdict.AGAIN,
    Fault.DNS: Verdict.OUT,
    Fault.CERTIFICATE: Verdict.OUT,
    Fault.PROXY: Verdict.NEXT,
    Fault.NOT_A_HUB: Verdict.NEXT,
    Fault.BAD_LISTING: Verdict.OUT,
    Fault.DENIED: Verdict.NEXT,
    Fault.NO_REPO: Verdict.NEXT,
    Fault.NO_REVISION: Verdict.NEXT,
    Fault.NO_FILE: Verdict.NEXT,
    Fault.RANGE: Verdict.NEXT,
    Fault.REDIRECT: Verdict.NEXT,
    Fault.LONG_BODY: Verdict.OUT,
    Fault.WRONG_DIGEST: Verdict.OUT,
    Fault.MIXED: Verdict.AGAIN,
    Fault.INSTALLER: Verdict.OUT,
    Fault.CRAWLING: Verdict.AGAIN,
    Fault.DISK: Verdict.NOBODY,
}

DEMOTING = frozenset(
    {
        Fault.CONNECT_TIMEOUT,
        Fault.READ_TIMEOUT,
        Fault.REFUSED,
        Fault.RESET,
        Fault.PROXY,
        Fault.SERVER_ERROR,
        Fault.NOT_A_HUB,
    }
)
"""After these an endpoint is asked after the others, until a byte has come from it."""

FINAL_WORDS = frozenset({Fault.NO_REPO, Fault.NO_REVISION, Fault.NO_FILE, Fault.DENIED})
"""What only the hub itself can say for good."""


def verdict(fault: Fault, *, last_word: bool) -> Verdict:
    """Say what a fault means.

    Args:
        fault: What happened.
        last_word: It was said by the last official hub of the chain, about content that nobody else vouches for.
    """
    if last_word and fault in FINAL_WORDS:
        return Verdict.NOBODY
    return VERDICTS[fault]
