"""What is remembered of endpoints from one call to the next, in other processes too.

    {state}/health.json     address of an endpoint -> how far it is, whom it redirects to, when it last failed

It only saves time: connections are opened early to where the bytes came from last, and an endpoint that was silent is
asked after the others for a while. Whatever is damaged or gets lost is learnt again.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from urllib.parse import urlsplit

from mirrorhub.models import Endpoint

log = logging.getLogger(__name__)
AVOIDED_S = 600.0
"""An endpoint that was silent or refused is asked after the others for so long."""
KEPT_S = 30 * 86_400.0
LONGEST_S = 600.0
"""Connecting never takes longer."""
MAX_ENTRIES = 500
MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of one endpoint.

    Attributes:
        connect_s: Seconds that TCP and TLS took to whoever gave the bytes; 0.0 where that is not known.
        small_from: The origin that small files came from, where the endpoint redirects them.
        large_from: The same for large ones.
        takes_range: It gives parts of files.
        failed_at: When it was last silent or refused, in seconds since the epoch; 0.0 once it has answered since.
        told_at: When any of this was last learnt.
    """

    connect_s: float = 0.0
    small_from: str = ""
    large_from: str = ""
    takes_range: bool = False
    failed_at: float = 0.0
    told_at: float = 0.0


class Health:
    """The memory of all endpoints: read when a call begins, written when it ends."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = folder / "health.json"
        self._clock = clock
        self._known = _read(self._path)
        self._learnt: dict[str, Memory] = {}

    def recall(self, endpoint: Endpoint) -> Memory:
        """Return what is remembered of an endpoint; of an unknown one, nothing."""
        memory = self._known.get(endpoint.address, Memory())
        origins = (memory.small_from, memory.large_from)
        return memory if all(_may_follow(endpoint, origin) for origin in origins) else Memory()

    def is_avoided(self, endpoint: Endpoint) -> bool:
        """Whether it failed so lately that others are asked first."""
        return 0 <= self._clock() - self.recall(endpoint).failed_at < AVOIDED_S

    def learn(self, endpoint: Endpoint, memory: Memory) -> None:
        """Remember something of an endpoint."""
        if memory != self._known.get(endpoint.address, Memory()):
            self._learnt[endpoint.address] = replace(memory, told_at=self._clock())

    def failed(self, endpoint: Endpoint) -> None:
        """Remember that it was silent or refused."""
        self.learn(endpoint, replace(self.recall(endpoint), failed_at=self._clock()))

    def save(self) -> None:
        """Write what was learnt, beside what other processes have written meanwhile; a full disk does no harm."""
        if not self._learnt:
            return
        now = self._clock()
        kept = {name: one for name, one in _read(self._path).items() if now - one.told_at < KEPT_S} | self._learnt
        newest = sorted(kept, key=lambda name: kept[name].told_at)[-MAX_ENTRIES:]
        try:
            _write(self._path, {name: asdict(kept[name]) for name in newest})
        except OSError as error:
            log.debug("%s: cannot be written: %s", self._path, error)
        self._known |= self._learnt
        self._learnt.clear()


def _read(path: Path) -> dict[str, Memory]:
    with suppress(OSError, ValueError, RecursionError):
        with path.open("rb") as file:
            told = json.loads(file.read(MAX_BYTES))
        if isinstance(told, dict):
            return {name: memory for name, row in told.items() if (memory := _memory(row)) is not None}
    return {}


def _memory(row: object) -> Memory | None:
    """Read one row; None where it is not of our making."""
    if not isinstance(row, dict):
        return None
    values = {field.name: row.get(field.name, field.default) for field in fields(Memory)}
    if any(type(values[field.name]) is not type(field.default) for field in fields(Memory)):
        return None
    memory = Memory(**values)
    # JSON as Python reads it knows NaN and Infinity, too.
    return memory if 0 <= memory.connect_s < LONGEST_S else None


def _write(path: Path, rows: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(rows, file, indent=1)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _may_follow(endpoint: Endpoint, origin: str) -> bool:
    """Whether a redirect from this endpoint to that origin would be followed."""
    if not origin:
        return True
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return False
    plain = origin == f"{parts.scheme}://{parts.netloc}" and parts.hostname and port != 0
    return bool(plain) and parts.scheme in ("https", "http") and (parts.scheme == "https" or _is_plain(endpoint))


def _is_plain(endpoint: Endpoint) -> bool:
    return endpoint.address.startswith("http:")
