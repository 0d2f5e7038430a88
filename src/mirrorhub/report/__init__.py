"""What a call tells of itself when it is over. Values only; all of them go to disk as JSON, and come back from it.

Times are seconds. `at_s` counts from the call's beginning; `elapsed_s` is what passed on the clock, however many
requests were under way at a time, so that the times of one endpoint add up to no more than the call's.
"""

from __future__ import annotations

from dataclasses import dataclass

from mirrorhub.models import Share

TWICE = "TWICE"
"""Beside the names of faults: bytes that came once more, from the same endpoint or after another had brought them."""
PUBLISHED, FAILED, STALE, CANCELLED = "published", "failed", "stale", "cancelled"


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the call: `resolve`, `lock`, `plan`, `transfer`, `publish`."""

    name: str
    at_s: float
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Part:
    """What one endpoint of the chain had to do with the call.

    Attributes:
        endpoint: Its address.
        hub: Its protocol.
        word: What its word is worth: `official`, `named` or `mirror`.
        end: `served` (bytes that are right), `listing only`, `asked` (and gave nothing), `out` (for the whole call),
            `not asked`.
        requests: How often it was asked.
        connect_s: Waiting for its connections, the first of them mostly.
        answer_s: Waiting for answers, once connected; a listing counts until it is whole.
        body_s: Bytes of files were under way.
        received: Bytes of files that came.
        lost: How many of them came in vain.
        lanes: Connections that bodies came over.
        reason: Why so many.
    """

    endpoint: str
    hub: str
    word: str
    end: str
    requests: int
    connect_s: float
    answer_s: float
    body_s: float
    received: int
    lost: int
    lanes: int
    reason: str


@dataclass(frozen=True, slots=True)
class Flow:
    """Bytes that came through one endpoint from one host.

    Attributes:
        endpoint: Who was asked.
        host: Who gave them, redirects followed.
        size: How many bytes.
        bins: How many in each stretch of the call; `Report.bin_s` says how long one is.
    """

    endpoint: str
    host: str
    size: int
    bins: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an endpoint was left, and what that cost.

    Attributes:
        endpoint: Which one.
        fault: The fault's name; `TWICE` for bytes that came once more.
        outcome: What happened the first time, in words.
        subjects: What it was asked for: `listing` or paths, the first few.
        times: How often.
        size: Bytes that came in vain.
        elapsed_s: Time that the attempts took.
        at_s: When it first happened.
        last_s: When it last did.
        stretches: From when to when attempts went on that ended so, the longest of them.
    """

    endpoint: str
    fault: str
    outcome: str
    subjects: tuple[str, ...]
    times: int
    size: int
    elapsed_s: float
    at_s: float
    last_s: float
    stretches: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """Time in which the call waited.

    Attributes:
        kind: `pause` between laps, `parked` by Retry-After, `lock`, or `silent`: beside an endpoint that says nothing.
        who: Whom for.
        times: How often.
        at_s: Since when, the first time.
        elapsed_s: How long, all together.
        stretches: From when to when, the longest of them.
    """

    kind: str
    who: str
    times: int
    at_s: float
    elapsed_s: float
    stretches: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Conviction:
    """Wrong bytes, and who gave them: from `start` up to, not including, `end` of a file."""

    endpoint: str
    path: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class FileStory:
    """How one file came; `shares` say who gave which bytes."""

    path: str
    size: int
    reused: int
    tries: int
    elapsed_s: float
    verified: bool
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A setting that was not left to its default, and where that was said."""

    name: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Report:
    """What happened in one call. Secrets are not in it: it may be shown to anybody.

    Attributes:
        repo: `modelscope:owner/name`.
        revision: As it was asked for, or `default`.
        commit: What the revision stood for; empty where the hub has none, or nobody said.
        vouched_by: Whose word it was on what the repository holds; empty while nobody had given it.
        place: The repository's folder, or the caller's.
        outcome: `published`, `failed`, `stale` (nobody could be asked; what was there was taken) or `cancelled`.
        error: The error's name and what it says; empty where there was none.
        began_at: Seconds since the epoch.
        elapsed_s: How long the call took, until this was written.
        phases: Its parts, in order.
        parts: Every endpoint of the chain, in order.
        flows: Where bytes came from, and when.
        bin_s: How long one stretch of `Flow.bins` is.
        troubles: Why endpoints were left, and what was lost.
        waits: What the call waited for.
        convictions: Who gave wrong bytes.
        files: Some of the files that came, or were there in part: those with a story first, then the largest.
        wanted: How many files were asked for; 0 where nobody could say.
        came: How many came in this call.
        size: Bytes of the files that came.
        reused: Bytes of them that an earlier call had left.
        settings: What was set.
        versions: Of mirrorhub and what it stands on: name and version.
    """

    repo: str
    revision: str
    commit: str
    vouched_by: str
    place: str
    outcome: str
    error: str
    began_at: float
    elapsed_s: float
    phases: tuple[Phase, ...] = ()
    parts: tuple[Part, ...] = ()
    flows: tuple[Flow, ...] = ()
    bin_s: float = 0.0
    troubles: tuple[Trouble, ...] = ()
    waits: tuple[Wait, ...] = ()
    convictions: tuple[Conviction, ...] = ()
    files: tuple[FileStory, ...] = ()
    wanted: int = 0
    came: int = 0
    size: int = 0
    reused: int = 0
    settings: tuple[SettingRow, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()

    @property
    def ended_at(self) -> float:
        """When it was written, in seconds since the epoch."""
        return self.began_at + self.elapsed_s
