"""What a call has found out of an endpoint and its data hosts, for health to keep. No IO here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import replace

from mirrorhub.chain import Chain
from mirrorhub.faults import Fault
from mirrorhub.health import Health
from mirrorhub.health.impressions import NEVER, Impression
from mirrorhub.health.memory import Memory, sighting
from mirrorhub.lane import Contact

LEAST = 64 << 10
"""Fewer bytes than these say nothing about a rate."""
COUNTED = 3
"""Of one fault so many count for a call at most: two hundred files that fail together are one event."""
NOT_ITS_OWN = frozenset(
    {
        Fault.NO_REPO,
        Fault.NO_REVISION,
        Fault.NO_FILE,
        Fault.DENIED,
        Fault.RANGE,
        Fault.MIXED,
        Fault.CRAWLING,
        Fault.INSTALLER,
        Fault.DISK,
    }
)
"""These say something of the content, the caller or this machine. Who crawls is decided by who is left for it."""
_OF_OTHER_BYTES = (Fault.WRONG_DIGEST, Fault.SHORT_BODY, Fault.LONG_BODY)


def tell(contacts: Iterable[Contact], chain: Chain, health: Health) -> None:
    """Tell health what one call has seen of endpoints and their data hosts; of whom it did not ask, nothing."""
    found = [contact for contact in contacts if contact.endpoint.hub != "wheel"]
    wholes = [contact.impressions.whole for contact in found]
    best = max((_rate(whole) for whole in wholes if whole.received >= LEAST), default=0.0)
    told = [(contact, _faults(contact, chain, best)) for contact in found]
    liars = _lying_hosts(told)
    for contact, faults in told:
        if faults or contact.answered:
            _tell(contact, chain, health, faults, liars)


def _lying_hosts(told: Iterable[tuple[Contact, Counter[Fault]]]) -> frozenset[str]:
    """Return data hosts whose bytes were wrong whoever had led there: one endpoint may have named a wrong file."""
    led = Counter(
        origin
        for contact, faults in told
        if faults[Fault.WRONG_DIGEST]
        for origin, seen in contact.impressions
        if origin != contact.origin and seen.received
    )
    return frozenset(origin for origin, endpoints in led.items() if endpoints > 1)


def _tell(contact: Contact, chain: Chain, health: Health, faults: Counter[Fault], liars: Container[str]) -> None:
    # Whoever was left waiting had kept still, and did not get over it: else it was only not needed.
    silent = Fault.READ_TIMEOUT in faults and chain.is_avoided(contact.endpoint)
    hosts = {origin: seen for origin, seen in contact.impressions if origin != contact.origin and seen.is_known}
    for origin, seen in hosts.items():
        of_bytes = (Fault.CRAWLING, Fault.WRONG_DIGEST) if origin in liars else (Fault.CRAWLING,)
        own = Counter({fault: faults[fault] for fault in of_bytes})
        health.learn_host(origin, _of_host(seen, own, health.now, silent=silent))
        faults = faults - seen.faults
    stuck = next((origin for origin, seen in hosts.items() if seen.is_gone(silent=True)), None)
    if stuck and silent:
        faults = faults - Counter({Fault.READ_TIMEOUT: 1})
    health.learn(contact.endpoint, _of_endpoint(contact, chain, faults, stuck, health.now, silent=silent))


def _faults(contact: Contact, chain: Chain, best: float) -> Counter[Fault]:
    """What went wrong at an endpoint, wherever it had redirected to."""
    name = str(contact.endpoint)
    told = Counter(Fault[one.fault] for one in chain.attempts if one.endpoint == name and one.fault)
    faults = Counter({fault: count for fault, count in told.items() if fault not in NOT_ITS_OWN})
    if contact.by_name:
        faults -= Counter({fault: faults[fault] for fault in _OF_OTHER_BYTES})
    # A call may be over before it is decided; that bodies were taken from both says enough then.
    overtaken = Fault.CRAWLING in told and best > 2 * _rate(contact.impressions.whole)
    if chain.is_slow(contact.endpoint) or overtaken:
        faults[Fault.CRAWLING] = 1
    return faults


def _rate(seen: Impression) -> float:
    return seen.received / seen.busy_s if seen.busy_s else 0.0


def _of_host(seen: Impression, faults: Counter[Fault], now: float, *, silent: bool) -> Memory:
    gone = seen.is_gone(silent=silent)
    own = Counter(seen.faults)
    if seen.received or seen.left_at > seen.heard_at:
        # The bytes were its own, or should have been: so is whatever was wrong with them.
        own |= faults
    if gone and silent:
        own |= Counter({Fault.READ_TIMEOUT: 1})
    return replace(
        _measured(seen, seen),
        faults=_counted(own),
        gone_at=now if gone else 0.0,
        heard_at=now if seen.heard_at > NEVER and not gone else 0.0,
    )


def _of_endpoint(
    contact: Contact, chain: Chain, faults: Counter[Fault], stuck: str | None, now: float, *, silent: bool
) -> Memory:
    """Write down how an endpoint did itself; `stuck` is a data host that it led to and from which nothing came."""
    own, origins = contact.impressions.at(contact.origin), contact.data_origins
    gone = own.is_gone(silent=silent)
    avoided = chain.is_avoided(contact.endpoint) and (gone or not stuck)
    well = contact.answered and not avoided and not chain.is_out(contact.endpoint)
    return replace(
        _measured(own, contact.impressions.whole, connect_s=0.0 if contact.relays(None) else contact.took_s),
        faults=_counted(faults | own.faults),
        small_from=_elsewhere(origins.get(False), contact),
        large_from=_elsewhere(origins.get(True, stuck), contact),
        takes_range=contact.takes_range,
        heard_at=now if well else 0.0,
        failed_at=0.0 if well else now,
        gone_at=now if gone and not well else 0.0,
    )


def _measured(near: Impression, gave: Impression, connect_s: float = 0.0) -> Memory:
    """Write down figures: how near a host is, and how fast bytes came, which may have been another one's."""
    enough = gave.received >= LEAST
    return sighting(
        near.connect_s or connect_s,
        near.first_byte_s,
        gave.received if enough else 0,
        gave.busy_s if enough else 0.0,
    )


def _counted(faults: Counter[Fault]) -> dict[str, float]:
    return {fault.name: float(min(count, COUNTED)) for fault, count in faults.items() if count > 0}


def _elsewhere(origin: str | None, contact: Contact) -> str | None:
    """Return whom it redirects to: nobody where that is itself; None where it is not known."""
    return "" if origin == contact.origin else origin
