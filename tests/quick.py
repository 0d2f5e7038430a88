"""Settings whose patience is short: a test waits no longer than it must."""

from __future__ import annotations

from dataclasses import replace

from mirrorhub import Endpoint, Settings
from mirrorhub.config import Patience

IMPATIENT = Patience(connect_s=0.3, answer_s=0.3, stall_s=0.5, pause_s=0.01, pause_limit_s=0.05, laps=4)


def quick(*endpoints: str | Endpoint, lock_s: float = IMPATIENT.lock_s, **more: object) -> Settings:
    """Read the settings of the environment, for a chain of these endpoints."""
    return Settings.load({"endpoints": endpoints, "patience": replace(IMPATIENT, lock_s=lock_s), **more})
