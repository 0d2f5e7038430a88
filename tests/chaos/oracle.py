"""What must come of a call, from its schedule alone. Pure: nothing is run here.

An endpoint serves a subject (the listing, or a file's body) surely, after some failures that heal, unsurely, or never.
A call must succeed where somebody serves the listing and each file surely or after failures that heal. It must fail
where nobody ever serves one of them, or give the whole snapshot that is on disk, as a stale one. Either is the rest:

  - an endpoint that once gave what is final for a walk or for the call (a login page, wrong bytes) and might do better
    if it were asked again, which the chain's table rules out;
  - one that gives part of a body each time, or crawls: whether that ends within the limit is a matter of seconds;
  - silence at the only endpoint: it ends the call, as does any silence that is longer than what is allowed;
  - a stream limit that is lowered under httpx's own connections, which may hang then;
  - a listing without digests: then the bytes may come from nobody but who gave it;
  - a call that is allowed less time than anything may take.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, IntEnum
from fnmatch import fnmatchcase

from tests.chaos.effects import Effect, Subject, body_of, effect, listing_of, touches
from tests.chaos.schedule import LIMIT_S, Call, File, Host, Schedule
from tests.fakehub import faults as f
from tests.fakehub.repo import LFS_PATTERNS, HubName
from tests.fakehub.rules import ConnectionFault, Fault, Rule

LAPS, STALL_S, CONNECT_LIMIT_S, SILENCE_S = 6, 0.5, 0.6, 2.5
HEALING = LAPS - 2
"""Failures at an endpoint after which it is still asked once more, with one lap to spare."""
SILENT_S = SILENCE_S - 1.0
PARKED_S = 1.0


class Service(IntEnum):
    """How surely an endpoint serves a subject."""

    NEVER = 0
    UNSURE = 1
    HEALS = 2
    SURE = 3


class Verdict(Enum):
    """What must come of a call."""

    SUCCESS = "must succeed"
    STALE = "must give what is on disk"
    FAILURE = "must fail"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Before:
    """What is on disk before a call, as far as it is known.

    Attributes:
        stale: A whole snapshot, which will do where nobody says what there is now, or gives it.
        missing: The files that surely have to be fetched.
        doubtful: The files that may have to be.
    """

    stale: bool
    missing: tuple[File, ...]
    doubtful: tuple[File, ...] = ()


def verdict(schedule: Schedule, call: Call, before: Before, files: Sequence[File]) -> Verdict:
    """Say what must come of a schedule's call for a repository of these files."""
    hosts = schedule.hosts
    listings = [listing_of(schedule.hub, host, len(files)) for host in hosts]
    given_rules = [_as_carried(schedule, given) for given in call.rules]
    rules = [
        _harmful(given, [listing, *(body_of(file, host) for file in files)])
        for given, host, listing in zip(given_rules, hosts, listings, strict=True)
    ]
    listing = _best(service(own, listings[number], alone=_is_alone(number, rules)) for number, own in enumerate(rules))
    outcome = _of_listing(listing)
    if listing is not Service.NEVER:
        outcome = _of_both(outcome, _of_bodies(schedule.hub, hosts, rules, before))
    if outcome is Verdict.FAILURE and before.stale:
        outcome = Verdict.EITHER if _is_told(call) else Verdict.STALE
    in_time = call.limit_s >= LIMIT_S or outcome is Verdict.FAILURE
    return outcome if in_time else Verdict.EITHER


def _is_told(call: Call) -> bool:
    """Whether somebody may say no, or give wrong bytes: then what is on disk does not stand for what was asked."""
    every = (rule.fault for rules in call.rules for rule in rules)
    return any(isinstance(one, f.Alter) or (isinstance(one, f.Status) and one.status in (401, 403)) for one in every)


def _as_carried(schedule: Schedule, rules: Iterable[Rule]) -> list[Rule]:
    """Where a stream limit is lowered, httpx's own connections may hang: take it for the worst that may be."""
    stuck = f.LowerStreamLimit if schedule.carrier == "httpx" else ()
    return [
        replace(rule, fault=f.EndlessBody(), match=None) if isinstance(rule.fault, stuck) else rule for rule in rules
    ]


def _harmful(rules: Iterable[Rule], subjects: Iterable[Subject]) -> list[Rule]:
    """Leave out what harms nothing that could be asked for; a listing without digests is no harm in itself."""
    every = list(subjects)
    return [
        rule
        for rule in rules
        if isinstance(rule.fault, f.NoDigests)
        or any(touches(rule, one) and effect(rule.fault, one) is not Effect.HARMLESS for one in every)
    ]


def _of_listing(listing: Service) -> Verdict:
    if listing >= Service.HEALS:
        return Verdict.SUCCESS
    return Verdict.EITHER if listing is Service.UNSURE else Verdict.FAILURE


def _of_bodies(hub: HubName, hosts: Sequence[Host], rules: Sequence[Sequence[Rule]], before: Before) -> Verdict:
    bare = [number for number, own in enumerate(rules) if any(isinstance(rule.fault, f.NoDigests) for rule in own)]
    if any(_fetched(hosts, rules, file) is Service.NEVER for file in _distinct(hub, before.missing)):
        return Verdict.FAILURE
    every = [*before.missing, *before.doubtful]
    served = [_fetched(hosts, rules, file) for file in (every if bare else _distinct(hub, every))]
    # Whoever lists without digests has to bring every file itself.
    served += [service(rules[number], body_of(file, hosts[number]), alone=True) for number in bare for file in every]
    return Verdict.SUCCESS if all(one >= Service.HEALS for one in served) else Verdict.EITHER


def _of_both(one: Verdict, other: Verdict) -> Verdict:
    if Verdict.FAILURE in (one, other):
        return Verdict.FAILURE
    return Verdict.EITHER if Verdict.EITHER in (one, other) else Verdict.SUCCESS


def _fetched(hosts: Sequence[Host], rules: Sequence[Sequence[Rule]], file: File) -> Service:
    return _best(
        service(rules[number], body_of(file, host), alone=_is_alone(number, rules)) for number, host in enumerate(hosts)
    )


def _is_alone(number: int, rules: Sequence[Sequence[Rule]]) -> bool:
    """Whether nobody else might be left to ask."""
    return all(_may_go_out(own) for at, own in enumerate(rules) if at != number)


def _distinct(hub: HubName, files: Iterable[File]) -> list[File]:
    """Of several files with one digest the first is fetched; Hugging Face names files in LFS by another than others."""
    first: dict[tuple[str, int, bool], File] = {}
    for file in sorted(files, key=lambda file: file.path):
        in_lfs = hub == "huggingface" and any(fnmatchcase(file.path, pattern) for pattern in LFS_PATTERNS)
        first.setdefault((file.content if file.size else "", file.size, in_lfs), file)
    return list(first.values())


def service(rules: Sequence[Rule], subject: Subject, *, alone: bool) -> Service:
    """Say how surely an endpoint serves a subject."""
    struck = [(rule, effect(rule.fault, subject)) for rule in rules if touches(rule, subject)]
    harmful = [(rule, what) for rule, what in struck if what is not Effect.HARMLESS]
    if any(_denies(rule, what) for rule, what in harmful):
        return Service.NEVER
    if any(what not in (Effect.AGAIN, Effect.HANG) or rule.times is None for rule, what in harmful):
        return Service.UNSURE
    if _may_go_out(rules) or any(_breaks_all(rule) and rule.times is None for rule in rules):
        return Service.UNSURE
    if not all(_heals(rule.fault) for rule, _ in harmful) or _silence_s(harmful, alone=alone) > SILENT_S:
        return Service.UNSURE
    failures = sum(rule.times or 0 for rule in rules)
    if failures > HEALING:
        return Service.UNSURE
    return Service.HEALS if harmful or failures else Service.SURE


def _denies(rule: Rule, what: Effect) -> bool:
    certain = (Effect.AGAIN, Effect.HANG, Effect.NEXT, Effect.OUT)
    return rule.times is None and rule.after == 0 and what in certain


def _heals(fault: Fault) -> bool:
    return not (isinstance(fault, f.Status) and float(fault.retry_after or 0) > PARKED_S)


def _silence_s(harmful: Iterable[tuple[Rule, Effect]], *, alone: bool) -> float:
    """How long an endpoint that heals may be silent in all."""
    read_s = SILENCE_S if alone else STALL_S
    hangs = [rule for rule, what in harmful if what is Effect.HANG]
    return sum(
        (rule.times or 0) * (CONNECT_LIMIT_S if isinstance(rule.fault, ConnectionFault) else read_s) for rule in hangs
    )


def _may_go_out(rules: Iterable[Rule]) -> bool:
    outs = f.BadListing | f.HugeListing | f.Alter | f.OverLong | f.EndlessBody
    return any(isinstance(rule.fault, outs) for rule in rules)


def _breaks_all(rule: Rule) -> bool:
    """Whether a fault ends a connection with all that is under way on it."""
    return isinstance(rule.fault, f.Reset | f.Close | f.GoAway | f.RefuseConnection | f.HangOnAccept)


def _best(services: Iterable[Service]) -> Service:
    return max(services, default=Service.NEVER)
