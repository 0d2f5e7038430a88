"""In which order endpoints are asked, by what is remembered of them. Pure; nobody is left out.

| what is remembered                       | a chain of the user's      | the default chain          |
|------------------------------------------|----------------------------|----------------------------|
| did not do well last time                | in its place               | after the others for bytes |
| another one gave more than twice as much | in its place               | after that one for bytes   |
| was left lately because it crawled       | after the others for bytes | after the others for bytes |
| silent or refused                        | after the others           | after the others           |
| its data host was silent or refused      | after the others for bytes | after the others for bytes |
| gave wrong bytes lately                  | last for bytes             | last for bytes             |

Who says what a repository holds is asked in the chain's own order, and only the dead wait: two hubs may hold different
things under one name, and whose bytes are wrong is said by whose listing is believed. Of bytes all are checked, whoever
gives them. Where everybody is dead, nobody is: then the way there was, and they are asked as if nothing were known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from mirrorhub.faults import Fault
from mirrorhub.health import Health
from mirrorhub.health.memory import Memory
from mirrorhub.models import Endpoint

ENOUGH = 1_000_000
"""Bytes that have to have come lately before a rate is compared with another one."""
BETTER = 2.0
"""Of two, one is better where it gives more than so many times as much."""


class Grade(IntEnum):
    """How late an endpoint is asked for bytes."""

    IN_ITS_PLACE = 0
    SLOWER = 1
    FAILING = 2
    CRAWLED = 3
    INSTALLER = 4
    GONE = 5
    LIED = 6


WORDS = {
    Grade.IN_ITS_PLACE: "",
    Grade.SLOWER: "another one gave more than twice as much",
    Grade.FAILING: "it did not do well last time",
    Grade.CRAWLED: "it crawled lately, and was left for another one",
    Grade.INSTALLER: "",
    Grade.LIED: "it gave wrong bytes lately",
}


UNREACHED = (Fault.CONNECT_TIMEOUT, Fault.REFUSED, Fault.DNS)
"""Of those that are dead: there was not even a connection."""


@dataclass(frozen=True, slots=True)
class Place:
    """One endpoint of a chain, and what is remembered of it.

    Attributes:
        endpoint: Whom.
        memory: Of itself.
        hosts: Of those it redirects to, by their origins.
        movable: It stands where it does by default: nobody has put it there.
        excused: Everybody is dead: so nobody is.
        best: The highest rate of the chain's endpoints, in bytes per second; 0.0 where it is not known.
    """

    endpoint: Endpoint
    memory: Memory
    hosts: tuple[tuple[str, Memory], ...] = ()
    movable: bool = False
    excused: bool = False
    best: float = 0.0

    @property
    def is_gone(self) -> bool:
        """Whether it is dead, as far as is known."""
        return self.memory.is_gone and not self.excused

    @property
    def gone_hosts(self) -> list[str]:
        """The origins of its data hosts that are dead."""
        return [] if self.excused else [origin for origin, memory in self.hosts if memory.is_gone]

    @property
    def has_lied(self) -> bool:
        """Whether it, or whom it redirects to, gave wrong bytes lately."""
        return any(memory.has_lied for memory in self._all)

    @property
    def grade(self) -> Grade:
        """How late it is asked for bytes."""
        found = [Grade.IN_ITS_PLACE]
        found += [Grade.LIED] * self.has_lied
        found += [Grade.GONE] * (self.is_gone or bool(self.gone_hosts))
        found += [Grade.INSTALLER] * (self.endpoint.hub == "wheel")
        found += [Grade.CRAWLED] * any(memory.has_crawled for memory in self._all)
        if self.movable:
            found += [Grade.FAILING] * (self.memory.is_failing and not self.excused)
            found += [Grade.SLOWER] * (0 < BETTER * self.known_rate < self.best)
        return max(found)

    @property
    def known_rate(self) -> float:
        """Bytes per second; 0.0 where too few have come to say."""
        return self.memory.bytes_per_s if self.memory.rate.total >= ENOUGH else 0.0

    @property
    def why(self) -> str:
        """Why it is asked where it is, in words; nothing where it has its place."""
        if self.excused and self.memory.is_gone:
            return f"it {_how_gone(self.memory)}, like all others, and is asked as if nothing were known"
        if self.grade is not Grade.GONE:
            return WORDS[self.grade]
        if self.is_gone:
            return f"it {_how_gone(self.memory)}"
        origin = self.gone_hosts[0]
        return f"{origin}, which it redirects to, {_how_gone(dict(self.hosts)[origin])}"

    @property
    def _all(self) -> list[Memory]:
        return [self.memory, *(memory for _, memory in self.hosts)]


def places(endpoints: Sequence[Endpoint], health: Health, *, default: bool) -> tuple[Place, ...]:
    """Say of each endpoint of a chain, in the chain's order, what is remembered.

    Args:
        endpoints: The chain.
        health: What is remembered.
        default: It is the default chain; what the user named in it keeps its place all the same.
    """
    found = [_place(endpoint, health, movable=default and not endpoint.named) for endpoint in endpoints]
    servers = [place for place in found if place.endpoint.hub != "wheel"]
    excused = bool(servers) and all(place.is_gone or place.gone_hosts for place in servers)
    # Of those that would be asked first: one that lies or is dead is no measure.
    best = max((place.known_rate for place in found if place.grade is Grade.IN_ITS_PLACE), default=0.0)
    return tuple(Place(one.endpoint, one.memory, one.hosts, one.movable, excused=excused, best=best) for one in found)


def order_to_pull(found: Sequence[Place]) -> list[Endpoint]:
    """Return who is asked for bytes, in order."""
    return [place.endpoint for place in sorted(found, key=lambda place: place.grade)]


def _how_gone(memory: Memory) -> str:
    unreached = any(fault.name in memory.faults for fault in UNREACHED)
    return "could not be reached" if unreached else "gave no answer"


def _place(endpoint: Endpoint, health: Health, *, movable: bool) -> Place:
    memory = health.recall(endpoint)
    origins = dict.fromkeys(origin for origin in (memory.large_from, memory.small_from) if origin)
    return Place(endpoint, memory, tuple((origin, health.recall_host(origin)) for origin in origins), movable)
