"""How many connections a call has to an endpoint: one, or more where the line is far and there is much to bring.

A cold connection sends some 14 kB in its first round trip and doubles that with each further one (RFC 6928, RFC 5681),
so on a far line it is idle for most of a short download; n of them start n times as high. A lost packet halves one of
n, and where each connection is capped, n bring n times as much. Near an endpoint none of that matters, and one is best.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace

from mirrorhub.chain import Chain
from mirrorhub.chain.beat import Beat
from mirrorhub.contacts import Contacts
from mirrorhub.health import Health
from mirrorhub.health.findings import tell
from mirrorhub.hubs.registry import Hub
from mirrorhub.lane import Contact, Lane
from mirrorhub.models import Endpoint, LanesReport
from mirrorhub.spans import PIECE

log = logging.getLogger(__name__)
MAX_LANES = 16
STREAMS = 128
"""Requests that are under way on one lane at most."""
FAR_S = 0.15
"""An endpoint is far when TCP and TLS, two round trips or three, take longer."""
NEAR_ROOM, FAR_ROOM = 8 << 20, 12 << 20
"""Bytes of bodies that are open to begin with, near an endpoint and far from it, where a line holds some itself.

More would only fill the queue before a far line until it drops what it cannot hold."""
FAR_PIECE = PIECE // 4
FAST_PIECE, FAST_RATE = 4 << 20, 40 << 20
"""Bytes to ask for at a time where so many come in a second."""
LANE_SIZE = 1 << 19
"""Bytes that make a further lane worth its handshake on a far line."""
EXPECTED_SIZE = 16 << 20
"""What a call for a whole repository is taken to bring, as long as nobody knows."""


def lanes_for(connect_s: float, size: int) -> int:
    """Return how many lanes to begin with.

    Args:
        connect_s: Seconds that TCP and TLS took; 0.0 where that is not known.
        size: Bytes to bring.
    """
    return min(MAX_LANES, max(1, size // LANE_SIZE)) if connect_s >= FAR_S else 1


class Lanes:
    """Opens lanes: early to whom the bytes will come from, more of them where that pays.

    Attributes:
        rate: The most bytes per second that an endpoint was seen to give.
    """

    def __init__(self, contacts: Contacts, chain: Chain, health: Health, *, expected: int) -> None:
        """Begin with what is remembered.

        Args:
            contacts: Whom the call may talk to.
            chain: In which order.
            health: What earlier calls have learnt.
            expected: Bytes that the call may bring, before anybody has listed them.
        """
        self.contacts = contacts
        self._chain = chain
        self._health = health
        self._expected = expected
        self._lanes: dict[Endpoint, list[Lane]] = {}
        self.rate = 0.0
        self._reasons: dict[Endpoint, str] = {}
        self._in_vain: dict[Endpoint, list[Lane]] = {}
        self._timers: list[asyncio.TimerHandle] = []

    @property
    def streams(self) -> int:
        """How many requests may be under way."""
        return STREAMS * max(map(len, self._lanes.values()), default=1)

    @property
    def room(self) -> int:
        """How many bytes of bodies may be open, over all lanes: what nobody has read yet is held in memory."""
        return FAR_ROOM if self._spread else NEAR_ROOM

    @property
    def _spread(self) -> bool:
        return any(len(lanes) > 1 for lanes in self._lanes.values())

    @property
    def piece(self) -> int:
        """How many bytes to ask for at a time: where they come fast, larger pieces cost less to handle.

        Over many lanes smaller ones: a lane that has lost packets then ends with less to do than the others.
        """
        if self.rate > FAST_RATE:
            return FAST_PIECE
        return FAR_PIECE if self._spread else PIECE

    @property
    def blind_pieces(self) -> float:
        """How many pieces of a file may be asked for before an answer has shown that there are pieces at all.

        Where there are none, each request brings the whole file, and all but one are called off: one for each lane
        costs what a cold connection sends in a round trip.
        """
        for endpoint in self._chain.preferred("pull"):
            contact = self.lane(endpoint).contact
            # From behind a redirect, too, only so many: the first answer has the address for all the others.
            if contact.takes_range and not contact.relays(None):
                return float("inf")
        return max(map(len, self._lanes.values()), default=1)

    def hub(self, endpoint: Endpoint) -> Hub:
        """Return the protocol of an endpoint."""
        return self.contacts.hub(endpoint)

    def lane(self, endpoint: Endpoint) -> Lane:
        """Return the first lane to an endpoint."""
        contact = self.contacts.contact(endpoint)
        if endpoint not in self._lanes:
            self._lanes[endpoint] = [Lane(contact)]
            self._recall(contact)
            # Whoever is not reached by then is far: nobody needs to wait for TLS to know that.
            self._timers.append(asyncio.get_running_loop().call_later(FAR_S, self._late, contact))
        return self._lanes[endpoint][0]

    def lightest(self, endpoint: Endpoint) -> Lane:
        """Return the lane to an endpoint on which the least is under way."""
        first = self.lane(endpoint)
        lane = min(self._lanes[endpoint], key=lambda lane: lane.load) if first.contact.multiplexes else first
        lane.used = True
        return lane

    def count(self, endpoint: Endpoint) -> int:
        """Return how many lanes lead to an endpoint."""
        return len(self._lanes.get(endpoint, ()))

    def begin(self) -> None:
        """Connect early to where the bytes came from last time."""
        for endpoint in self._chain.preferred("pull"):
            contact = self.lane(endpoint).contact
            if contact.relays(None):
                count = lanes_for(contact.connect_s, self._expected)
                self.widen(endpoint, count, _takes(contact.connect_s), early=False)
                self._connect(self._lanes[endpoint], contact.data_origins[True])

    def decide(self, size: int) -> None:
        """Decide on the number of lanes, before the first body is asked for, by what there is to bring."""
        self._expected = size
        for endpoint in self._chain.preferred("pull"):
            connect_s = self.lane(endpoint).contact.connect_s
            count = lanes_for(connect_s, size)
            # Opened early for more than there is: a thin line would only drop what so many send at a time.
            self._drop(endpoint, count)
            if count > 1:
                reason = f"connecting took {connect_s:.2f} s, and there are {size / 1e6:.1f} MB to bring"
                self.widen(endpoint, count, reason)

    def widen(self, endpoint: Endpoint, count: int, reason: str, *, early: bool = True) -> None:
        """Have so many lanes, and connect those that are new, early or with their first bodies."""
        lanes = self._lanes[endpoint]
        contact = lanes[0].contact
        if not contact.multiplexes:
            return
        self._reasons[endpoint] = reason
        new = [Lane(contact, number) for number in range(len(lanes), count)]
        lanes += new
        if early:
            self._connect(new, contact.data_origins.get(True, contact.origin))

    def narrow(self, endpoint: Endpoint, count: int) -> None:
        """Use only so many lanes from now on; what is under way on the others ends there."""
        self._reasons[endpoint] = f"{self.count(endpoint)} were tried, and gave no more than {count}"
        self._drop(endpoint, count)

    def _drop(self, endpoint: Endpoint, count: int) -> None:
        """Give no more bodies to lanes beyond so many; those that had some stay in the report."""
        lanes = self._lanes[endpoint]
        self._in_vain.setdefault(endpoint, []).extend(lanes[count:])
        del lanes[count:]

    def reports(self) -> tuple[LanesReport, ...]:
        """Say how many lanes each endpoint's bytes came over."""
        every = {endpoint: lanes + self._in_vain.get(endpoint, []) for endpoint, lanes in self._lanes.items()}
        used = {endpoint: len({lane.number for lane in lanes if lane.used}) for endpoint, lanes in every.items()}
        return tuple(
            LanesReport(str(endpoint), count, self._reasons.get(endpoint, "") if count > 1 else "")
            for endpoint, count in used.items()
            if count
        )

    async def aclose(self) -> None:
        """Remember what was learnt; connections stay for the next call."""
        for timer in self._timers:
            timer.cancel()
        tell([lanes[0].contact for lanes in self._lanes.values()], self._chain, self._health)
        self._health.save()
        await self.contacts.aclose()

    def _connect(self, lanes: Iterable[Lane], origin: str) -> None:
        """Open connections to whoever will give bytes, as far as is known."""
        for lane in lanes:
            ask = lane.contact.ask(origin + "/", Beat(), lane=lane.number)
            seen = lane.contact.impressions.at(origin)
            lane.contact.client.connect_early(replace(ask, credentials={}, connected=seen.connected))

    def _reached(self, endpoint: Endpoint, connect_s: float) -> None:
        """A connection stands."""
        contact = self.contacts.contact(endpoint)
        contact.took(connect_s)
        self._spread_early(contact, connect_s)

    def _late(self, contact: Contact) -> None:
        """The first connection is still on its way: the endpoint is far, or cannot be reached, which nobody knows yet.

        So it is not noted as what connecting took.
        """
        if not contact.stands:
            contact.connect_s = max(contact.connect_s, FAR_S)
            self._spread_early(contact, FAR_S)

    def _spread_early(self, contact: Contact, connect_s: float) -> None:
        """Open more connections early, if the endpoint is far."""
        endpoint = contact.endpoint
        # The first connection is the endpoint's own. Of a later one, maybe a data host's, it is not known whose.
        early = not contact.stands
        if contact.relays(None):
            if early and connect_s >= FAR_S:
                # Large files come from elsewhere, and small ones, some of them at least, from here over as many lanes.
                self._connect(self._lanes[endpoint][1:], contact.origin)
        elif self.count(endpoint) == 1 and "pull" in endpoint.can:
            self.widen(endpoint, lanes_for(contact.connect_s, self._expected), _takes(contact.connect_s), early=early)

    def _recall(self, contact: Contact) -> None:
        contact.reached = self._reached
        memory = self._health.recall(contact.endpoint)
        contact.takes_range = memory.takes_range or None
        for large, origin in ((False, memory.small_from), (True, memory.large_from)):
            if origin:
                contact.data_origins[large] = origin
        relays = contact.relays(None)
        giver = self._health.recall_host(contact.data_origins[True]) if relays else memory
        contact.connect_s = giver.connect_s


def _takes(connect_s: float) -> str:
    return f"connecting takes {connect_s:.2f} s or more"
