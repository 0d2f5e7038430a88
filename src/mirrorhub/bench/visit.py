"""One visit to an endpoint: connecting, its listing, and how fast bytes come. Nothing is kept of what it gives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mirrorhub.bench.comparison import Round, Trouble
from mirrorhub.bench.flow import (
    MIN_RATIO,
    Allowance,
    Course,
    Flow,
    Piece,
    failure_of,
    piece_size,
    pieces_of,
    whole_pieces,
)
from mirrorhub.chain.beat import Beat
from mirrorhub.contacts import Contacts
from mirrorhub.faults import UNREADABLE, Failure, Fault
from mirrorhub.http.client import Stream
from mirrorhub.http.timing import Timing
from mirrorhub.lane import Body, Contact, Lane
from mirrorhub.models import Endpoint, FileEntry, Manifest, Repo, Sought

LISTING = "listing"
LISTING_S = 15.0
"""How long a listing may take."""
LARGE = 1 << 20
"""Smaller files are often kept elsewhere, and say little about a rate."""
LEAST = 64 << 10
"""Fewer bytes than these say nothing about a rate."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of an answer: when it came, over which version of HTTP, and how long its connection took."""

    at: float
    is_redirect: bool
    http: str
    timing: Timing | None


class Tally:
    """Notes every answer's head, and counts every byte of a visit."""

    def __init__(self, limit: int) -> None:
        """Begin to count; more than `limit` bytes are a failure."""
        self.heads: list[Head] = []
        self.count = 0
        self._limit = limit

    def answered(self, stream: Stream) -> None:
        """Note the head of an answer."""
        http = "2" if stream.multiplexed else "1.1"
        self.heads.append(Head(time.monotonic(), 300 <= stream.status < 400, http, stream.timing))

    def received(self, count: int) -> None:
        """Count bytes of a body.

        Raises:
            Failure: More than the endpoint may be asked for.
        """
        self.count += count
        if self.count > self._limit:
            raise Failure(Fault.LONG_BODY, f"gave more than the {self._limit:,} bytes that it may be asked for")

    def unread(self, count: int) -> None:
        """Count bytes that nobody reads, of a redirect's body, say: they came over the user's line, too."""
        self.count += count

    def connecting(self) -> Timing:
        """Add up what connecting took, over all connections so far."""
        timings = [head.timing for head in self.heads if head.timing]
        return Timing(
            _sum([timing.dns_s for timing in timings]),
            _sum([timing.connect_s for timing in timings]),
            _sum([timing.tls_s for timing in timings]),
        )


@dataclass(slots=True)
class Visit:
    """One round at one endpoint, over connections of its own.

    Attributes:
        endpoint: Whom.
        contacts: The protocol, the token and the time-outs.
        tally: What has come.
        allowance: What may still be asked for, in all rounds.
        found: What this visit has found so far.
    """

    endpoint: Endpoint
    contacts: Contacts
    tally: Tally
    allowance: Allowance
    found: Round

    async def list(self, repo: Repo, revision: str | None, max_files: int) -> Manifest | None:
        """Ask what the repository holds, and time the answer."""
        hub, lane = self.contacts.hub(self.endpoint), Lane(self.contacts.contact(self.endpoint))
        started, manifest = time.monotonic(), None
        try:
            async with asyncio.timeout(LISTING_S):
                manifest = await hub.manifest(lane, Sought(repo, revision or hub.default_revision, max_files), Beat())
        except Failure as failure:
            self._trouble(LISTING, failure)
        except TimeoutError:
            self._trouble(LISTING, Failure(Fault.READ_TIMEOUT, f"not there within {LISTING_S:g} s"))
        except Exception as error:
            if not isinstance(error, UNREADABLE):
                raise
            self._trouble(LISTING, failure_of(error))
        ended = time.monotonic()
        self.allowance.spend(self.tally.count)
        self._note_times(started, ended if manifest else None)
        self.found = replace(self.found, asked=self.found.asked + self.tally.count)
        return manifest

    async def measure(self, files: Sequence[FileEntry], repo: Repo, revision: str, share: int) -> None:
        """See how fast bytes come, asking for about `share` of them."""
        hub, lane = self.contacts.hub(self.endpoint), Lane(self.contacts.contact(self.endpoint))

        async def opened(piece: Piece) -> Body:
            return await hub.open(lane, repo, revision, piece.entry, piece.span, Beat())

        flow = Flow(opened, self.allowance)
        await self._measure(flow, lane.contact, files, share)
        if flow.failure:
            self._trouble(flow.subject, flow.failure)
        self._note_flow(flow)

    async def _measure(self, flow: Flow, contact: Contact, files: Sequence[FileEntry], share: int) -> None:
        entry = chosen_file(files, share, self.allowance.left, ranged=contact.takes_range)
        if entry is None:
            self._say("it gives only whole files, and none is small enough")
            return
        size = piece_size(share)
        first = next(whole_pieces(entry) if contact.takes_range is False else pieces_of([entry], size))
        started = time.monotonic()
        body = await flow.first(first)
        if body is None:
            return
        waited_s, ranged = time.monotonic() - started, contact.takes_range is not False
        self.found = replace(self.found, file_s=waited_s, host=body.host, takes_range=ranged)
        if not ranged:
            # The whole file may be on its way instead of a part.
            rest = (entry.size or 0) - first.size
            if rest > self.allowance.left:
                await body.aclose()
                self._say(f"it gives only whole files, and {entry.path} has more bytes than may be asked for")
                return
            flow.spend(rest)
            first = next(whole_pieces(entry))
        pieces = pieces_of(large_files(files), size) if ranged else whole_pieces(entry)
        await flow.run(body, first, Course(pieces, share, self.round_trip_s))
        self.found = replace(self.found, still_growing=flow.cut_short)

    @property
    def round_trip_s(self) -> float:
        """How long a byte takes there and back: TCP's handshake with whoever gives the bytes; 0.0 if unknown."""
        timings = (head.timing for head in reversed(self.tally.heads))
        return next((timing.connect_s or 0.0 for timing in timings if timing), 0.0)

    def _note_times(self, started: float, ended: float | None) -> None:
        heads = self.tally.heads
        if not heads:
            return
        took = self.tally.connecting()
        answered = next((head.at for head in heads if not head.is_redirect), heads[-1].at)
        connecting_s = sum(part or 0.0 for part in (took.dns_s, took.connect_s, took.tls_s))
        self.found = replace(
            self.found,
            dns_s=took.dns_s,
            connect_s=took.connect_s,
            tls_s=took.tls_s,
            http=heads[-1].http,
            first_byte_s=max(0.0, answered - started - connecting_s),
            listing_s=None if ended is None else ended - answered,
        )

    def _note_flow(self, flow: Flow) -> None:
        found = flow.arrivals.rate(self.round_trip_s) if flow.arrivals.total >= LEAST else None
        self.found = replace(
            self.found,
            asked=self.found.asked + flow.asked,
            http=self.tally.heads[-1].http if self.tally.heads else self.found.http,
            round_trip_s=self.round_trip_s or None,
            bytes_per_s=found.bytes_per_s if found else None,
            startup_s=found.startup_s if found else None,
        )
        if found is None and flow.failure is None:
            self._say("too few bytes came to tell")

    def _say(self, reason: str) -> None:
        self.found = replace(self.found, reason=self.found.reason or reason)

    def _trouble(self, subject: str, failure: Failure) -> None:
        trouble = Trouble(subject, failure.message, failure.fault.value)
        self.found = replace(self.found, troubles=(*self.found.troubles, trouble))


def chosen_file(files: Sequence[FileEntry], share: int, left: int, *, ranged: bool | None) -> FileEntry | None:
    """Choose the file to begin with.

    Args:
        files: What there is.
        share: Bytes that this visit may ask for.
        left: Bytes that may be asked for at all.
        ranged: Whether parts are given: if so the largest file is best, else one that may come whole.
    """
    known = sorted((entry for entry in files if entry.size), key=lambda entry: -(entry.size or 0))
    fitting = [entry for entry in known if (entry.size or 0) <= left]
    if ranged or (ranged is None and not fitting):
        return next(iter(known), None)
    at_once = [entry for entry in fitting if LARGE <= (entry.size or 0) <= share]
    large = [entry for entry in fitting if (entry.size or 0) >= LARGE]
    return next(iter(at_once or large[-1:] or fitting), None)


def large_files(files: Sequence[FileEntry]) -> list[FileEntry]:
    """Return the largest file, and those that are not much smaller."""
    largest = max((entry.size or 0 for entry in files), default=0)
    large = [entry for entry in files if entry.size and entry.size * MIN_RATIO >= largest]
    return sorted(large, key=lambda entry: -(entry.size or 0))


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
