"""What visits to endpoints have found, kept in health like what calls find."""

from __future__ import annotations

from dataclasses import replace

from mirrorhub.bench.comparison import Comparison, Round
from mirrorhub.config import Settings
from mirrorhub.faults import Fault
from mirrorhub.health import Health
from mirrorhub.health.impressions import GONE
from mirrorhub.health.memory import Memory, sighting

WELL = frozenset({Fault.NO_REPO, Fault.NO_REVISION, Fault.NO_FILE, Fault.DENIED, Fault.RANGE})
"""Whoever says so is well."""


def keep(found: Comparison, settings: Settings) -> None:
    """Remember what a comparison has found."""
    health = Health(settings.state_dir)
    for measurement in found.measurements:
        for one in measurement.rounds:
            health.learn(measurement.endpoint, memory_of(one, health.now))
    health.save()


def memory_of(found: Round, now: float) -> Memory:
    """Return what a visit has found as health keeps it."""
    connecting_s = sum(part or 0.0 for part in (found.dns_s, found.connect_s, found.tls_s))
    busy_s = found.asked / found.bytes_per_s if found.bytes_per_s else 0.0
    measured = sighting(connecting_s, found.first_byte_s or 0.0, found.asked, busy_s)
    faults = {fault for trouble in found.troubles if (fault := Fault(trouble.fault)) not in WELL}
    if not faults:
        return replace(measured, takes_range=found.takes_range, heard_at=now)
    # Whoever has answered is not dead.
    gone = found.http is None and not faults.isdisjoint(GONE)
    counts = {fault.name: 1.0 for fault in faults}
    return replace(measured, faults=counts, failed_at=now, gone_at=now if gone else 0.0)
