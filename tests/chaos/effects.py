"""What each fault does to whoever asks for something. Pure: a table, and no more."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase

from tests.chaos.schedule import File, Host
from tests.fakehub import faults as f
from tests.fakehub.messages import Kind
from tests.fakehub.repo import LFS_PATTERNS, HubName
from tests.fakehub.rules import ConnectionFault, Fault, Rule

PIECE = 1 << 20
CRAWL_S = 1.0
IN_BODIES = (
    f.Alter
    | f.Truncate
    | f.OverLong
    | f.EndlessBody
    | f.GzipBody
    | f.HangInBody
    | f.Reset
    | f.RstStream
    | f.Close
    | f.GoAway
)


class Effect(Enum):
    """What a fault does to whoever asks, each time that it strikes."""

    HARMLESS = "the right answer comes all the same"
    AGAIN = "a failure, asked again later"
    HANG = "silence, asked again later"
    PARTLY = "some of it comes, and may be enough in the end"
    NEXT = "a failure, not asked for this again"
    OUT = "a failure, not asked for anything again"
    UNSURE_OUT = "perhaps that, perhaps the right answer"
    CRAWL = "comes, and slowly"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked for: the kinds of its requests, and its size in bytes, of a file also its path.

    Where it is redirected, what would harm its bytes may only harm the redirect, and nobody.
    """

    kinds: frozenset[Kind]
    size: int
    path: str = ""
    redirected: bool = False


def listing_of(hub: HubName, host: Host, count: int) -> Subject:
    """Return what a listing of so many files is asked for with; its size is about right."""
    kinds: frozenset[Kind] = frozenset({"listing"})
    if hub == "huggingface":
        kinds = frozenset({"revision"} if host.blobs else {"revision", "listing"})
    return Subject(kinds, 500 + 300 * count)


def body_of(file: File, host: Host) -> Subject:
    """Return what a file is asked for with."""
    redirected = host.redirects and any(fnmatchcase(file.path, pattern) for pattern in LFS_PATTERNS)
    return Subject(frozenset({"body"}), file.size, file.path, redirected)


def touches(rule: Rule, subject: Subject) -> bool:
    """Whether a rule counts requests for a subject."""
    if isinstance(rule.fault, ConnectionFault):
        return True
    if rule.match is None:
        return bool(rule.fault.kinds & subject.kinds)
    if rule.match in ("listing", "revision", "body"):
        return rule.match in subject.kinds
    return bool(rule.fault.kinds & subject.kinds) and rule.match == subject.path


def effect(fault: Fault, subject: Subject) -> Effect:
    """Say what a fault does to a subject's request that it strikes."""
    if subject.redirected and isinstance(fault, IN_BODIES):
        return Effect.PARTLY
    match fault:
        case f.NoConnect() | f.HangOnAccept() | f.HangBeforeAnswer():
            return Effect.HANG
        case f.RefuseConnection():
            return Effect.AGAIN
        case f.Status(status=status):
            return Effect.AGAIN if status >= 500 or status in (408, 425, 429) else Effect.NEXT
        case f.Html() | f.NotJson() | f.RedirectLoop() | f.RedirectDowngrade() | f.GzipBody():
            return Effect.NEXT
        case f.BadListing() | f.HugeListing():
            return Effect.OUT
        case f.Drip(bytes_per_s=rate):
            return Effect.CRAWL if subject.size / rate > CRAWL_S else Effect.HARMLESS
        case f.HangInBody(after_bytes=after):
            return _broken_off(after, subject, Effect.HANG)
        case f.Reset(after_bytes=after) | f.RstStream(after_bytes=after) | f.Close(after_bytes=after):
            return _broken_off(after or 0, subject, Effect.AGAIN)
        case f.GoAway(after_bytes=after):
            return Effect.PARTLY if fault.graceful else _broken_off(after or 0, subject, Effect.AGAIN)
        case f.Alter() | f.Truncate() | f.OverLong() | f.EndlessBody():
            return _of_wrong_bytes(fault, subject)
        case _:
            return Effect.HARMLESS


def _broken_off(after: int, subject: Subject, what: Effect) -> Effect:
    if after > subject.size:
        return Effect.HARMLESS
    return Effect.PARTLY if after else what


def _of_wrong_bytes(fault: Fault, subject: Subject) -> Effect:
    match fault:
        case f.Alter(offset=offset):
            return Effect.OUT if offset < subject.size else Effect.HARMLESS
        case f.Truncate(to=to):
            if subject.size == 0 or (to is not None and to >= subject.size):
                return Effect.HARMLESS
            return Effect.PARTLY if to else Effect.AGAIN
        case f.OverLong(honest=True) if subject.size <= PIECE:
            return Effect.OUT
    return Effect.UNSURE_OUT
