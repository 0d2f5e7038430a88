"""One call to the public `fetch`, with settings whose patience is short."""

from __future__ import annotations

import threading
import time
import traceback
from pathlib import Path

import mirrorhub
from mirrorhub import Endpoint, Settings, Snapshot
from mirrorhub.config import Patience
from mirrorhub.errors import ConfigError, MirrorHubError
from mirrorhub.models import Capability
from tests.chaos.hubs import REPO, TOKEN
from tests.chaos.oracle import CONNECT_LIMIT_S, LAPS, SILENCE_S, STALL_S
from tests.chaos.schedule import Schedule
from tests.fakehub import FakeHub, certs

HUNG_S = 20.0
PATIENCE = Patience(
    connect_s=0.2,
    answer_s=0.3,
    connect_limit_s=CONNECT_LIMIT_S,
    stall_s=STALL_S,
    laps=LAPS,
    pause_s=0.02,
    pause_limit_s=0.1,
    lock_s=5.0,
)


class Caller:
    """One call, in a thread of its own: one that never ends is no reason to wait for ever.

    Attributes:
        snapshot: What it returned.
        kind: What came of it, in a word.
        words: What it raised.
        foreign: That is no error that the documentation names.
    """

    def __init__(self, settings: Settings, hub: str) -> None:
        self.snapshot: Snapshot | None = None
        self.kind, self.words, self.foreign = "hung", "", False
        self._settings, self._hub = settings, hub
        self._thread = threading.Thread(target=self._call, name="chaos-caller", daemon=True)

    def wait(self) -> float:
        """Make the call; return how long it took."""
        started = time.monotonic()
        self._thread.start()
        self._thread.join(HUNG_S)
        seconds = time.monotonic() - started
        if self._thread.is_alive():
            mirrorhub.close()
            self._thread.join(HUNG_S)
        return seconds

    def _call(self) -> None:
        try:
            snapshot = mirrorhub.fetch(REPO, hub=self._hub, settings=self._settings)
        except MirrorHubError as error:
            self.kind, self.words, self.foreign = type(error).__name__, str(error), isinstance(error, ConfigError)
        except BaseException as error:
            self.kind, self.foreign = f"foreign {type(error).__name__}", True
            self.words = "".join(traceback.format_exception(error))[-600:]
        else:
            self.snapshot, self.kind = snapshot, "stale" if snapshot.stale else "right bytes"


def settings_for(schedule: Schedule, hubs: list[FakeHub], root: Path, limit_s: float) -> Settings:
    """Say who may be asked, for how long, and where the files go; nothing comes from the environment."""
    values: dict[str, object] = {
        "endpoints": tuple(_endpoints(schedule, hubs)),
        "patience": PATIENCE,
        "silence_s": SILENCE_S,
        "timeout_s": limit_s,
        "carrier": schedule.carrier,
        "max_files": 1000,
        "modelscope_cache": root / "ms",
        "huggingface_cache": root / "hf",
        "state_dir": root / "state",
        "ca_file": certs.ca_file(),
        "modelscope_token": TOKEN,
        "huggingface_token": TOKEN,
    }
    return Settings.load(values, {})


def _endpoints(schedule: Schedule, hubs: list[FakeHub]) -> list[Endpoint]:
    every, some = frozenset[Capability]({"resolve", "pull"}), frozenset[Capability]({"pull"})
    return [
        Endpoint(hub.url, schedule.hub, can=some if host.pulls else every, named=not host.pulls)
        for hub, host in zip(hubs, schedule.hosts, strict=False)
    ]
