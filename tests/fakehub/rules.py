"""Where a fault applies and how often: Rule says it, FaultPlan counts. The faults themselves are in faults.py."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar, get_args

from tests.fakehub.messages import Kind, Request, Response
from tests.fakehub.site import Subject

ALL_KINDS: frozenset[Kind] = frozenset(get_args(Kind))

Match = str | Callable[[Request], bool] | None


class Fault:
    """Something that can go wrong. `kinds` is where it does, unless its rule says otherwise."""

    kinds: ClassVar[frozenset[Kind]] = ALL_KINDS

    def before(self, request: Request) -> Request:
        """Change the request before the hub sees it."""
        return request

    def after(self, request: Request, response: Response) -> Response:
        """Change the answer before the client sees it."""
        return response


class ConnectionFault(Fault):
    """Something that goes wrong before there is a request."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a fault applies, and how often.

    Attributes:
        match: A kind ("listing", "revision", "body", "other"), a pattern for the path of the file ("*.bin"), a part of
            the request's path ("/resolve/"), or a question about the request. None: the fault's own kinds.
        times: How many of the matching requests (or connections) it hits; None for all.
        after: How many of them it lets pass first.
    """

    fault: Fault
    match: Match = None
    times: int | None = None
    after: int = 0

    def matches(self, request: Request, subject: Subject) -> bool:
        """Say whether a request is one that this rule counts."""
        if self.match is None:
            return subject.kind in self.fault.kinds
        if callable(self.match):
            return self.match(request)
        if self.match in ALL_KINDS:
            return subject.kind == self.match
        if "/" in self.match and self.match in request.path:
            return True
        return subject.kind in self.fault.kinds and fnmatchcase(subject.file or "", self.match)

    def hits(self, count: int) -> bool:
        """Say whether the fault strikes at the match of this number, from 0 on."""
        return count >= self.after and (self.times is None or count < self.after + self.times)


class FaultPlan:
    """The rules of a hub, and how often each has matched. Safe to change while the hub runs."""

    def __init__(self, faults: Iterable[Fault | Rule] = ()) -> None:
        self._lock = threading.Lock()
        self.replace(faults)

    def __repr__(self) -> str:
        return f"<FaultPlan {list(self._rules)}>"

    def replace(self, faults: Iterable[Fault | Rule]) -> None:
        """Put other rules in place; counting starts again."""
        rules = tuple(fault if isinstance(fault, Rule) else Rule(fault) for fault in faults)
        with self._lock:
            self._rules = rules
            self._counts = [0] * len(rules)

    def take(self, request: Request, subject: Subject) -> tuple[Fault, ...]:
        """Count a request and give the faults that strike it."""
        return tuple(
            self._strike(lambda rule: not isinstance(rule.fault, ConnectionFault) and rule.matches(request, subject))
        )

    def take_connection(self) -> ConnectionFault | None:
        """Count a connection and give the fault that strikes it."""
        struck = self._strike(lambda rule: isinstance(rule.fault, ConnectionFault))
        return next((fault for fault in struck if isinstance(fault, ConnectionFault)), None)

    def permanent(self, kind: type[ConnectionFault]) -> bool:
        """Say whether a fault of this kind strikes every connection."""
        rules = (rule for rule in self._rules if isinstance(rule.fault, kind))
        return any(rule.times is None and rule.after == 0 for rule in rules)

    def _strike(self, counted: Callable[[Rule], bool]) -> list[Fault]:
        struck = []
        with self._lock:
            for number, rule in enumerate(self._rules):
                if counted(rule):
                    if rule.hits(self._counts[number]):
                        struck.append(rule.fault)
                    self._counts[number] += 1
        return struck
