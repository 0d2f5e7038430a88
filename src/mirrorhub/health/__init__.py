"""What is remembered of endpoints, and of the hosts they redirect to, from one call to the next and between processes.

It only saves time: it says in which order endpoints are asked, and where to connect early. Nobody is left out for what
is remembered, and nothing is believed for it. Whatever is damaged or gets lost is learnt again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from mirrorhub.health.ledger import Book, Ledger, merged
from mirrorhub.health.memory import Memory
from mirrorhub.models import Endpoint

QUIET_S = 60.0
"""A dead endpoint is left in peace for so long before somebody looks whether it lives again."""
LEASE_S = 30.0
"""Whoever looks does so alone for so long."""
FORGET_S = 2.0
"""How long to wait for others to finish writing before everything is forgotten."""


class Health:
    """The memory of all endpoints and hosts: read when a call begins, written when it ends."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._ledger = Ledger(folder, clock)
        self._known = self._ledger.read()
        self._learnt: Book = {}

    @property
    def now(self) -> float:
        """Seconds since the epoch, by the clock that memories go by."""
        return self._clock()

    def recall(self, endpoint: Endpoint) -> Memory:
        """Return what is remembered of an endpoint, as of now; of an unknown one, nothing."""
        memory = self._recall(_of_endpoint(endpoint))
        origins = (memory.small_from, memory.large_from)
        return (
            memory if all(_may_follow(endpoint, origin) for origin in origins if origin) else Memory(told_at=self.now)
        )

    def recall_host(self, origin: str) -> Memory:
        """Return what is remembered of a data host."""
        return self._recall(_of_host(origin))

    def knows(self, endpoint: Endpoint) -> bool:
        """Whether anything is remembered of an endpoint."""
        return _of_endpoint(endpoint) in self._known

    def learn(self, endpoint: Endpoint, memory: Memory) -> None:
        """Add what was seen of an endpoint now."""
        self._learn(_of_endpoint(endpoint), memory)

    def learn_host(self, origin: str, memory: Memory) -> None:
        """Add what was seen of a data host now."""
        self._learn(_of_host(origin), memory)

    def save(self) -> None:
        """Write what was learnt, beside what other processes learn meanwhile; a full disk does no harm."""
        if self._learnt:
            self._ledger.add(self._learnt)
            self._learnt = {}

    def is_due(self, memory: Memory) -> bool:
        """Whether it is time to see if a dead host lives again, and nobody else is about to."""
        now = self.now
        return memory.is_gone and now - memory.gone_at >= QUIET_S and now - memory.probed_at >= LEASE_S

    def claim(self, endpoint: Endpoint, origin: str = "") -> bool:
        """Say that this process will see whether a dead endpoint, or data host, lives; False where another one does."""
        key, now = _of_host(origin) if origin else _of_endpoint(endpoint), self.now

        def claimed(book: Book) -> Book | None:
            memory = book.get(key, Memory()).faded(now)
            return {**book, key: replace(memory, probed_at=now)} if self.is_due(memory) else None

        return self._ledger.change(claimed)

    def forget(self, endpoints: Iterable[Endpoint] | None = None) -> bool:
        """Forget these endpoints and their data hosts, or everything; False where that cannot be written."""
        names = None if endpoints is None else {name for one in endpoints for name in self._names(one)}

        def forgotten(book: Book) -> Book:
            return {} if names is None else {key: memory for key, memory in book.items() if key not in names}

        done = self._ledger.change(forgotten, within_s=FORGET_S)
        self._known = forgotten(self._known)
        return done

    def _names(self, endpoint: Endpoint) -> set[str]:
        memory = self._recall(_of_endpoint(endpoint))
        return {_of_endpoint(endpoint), *(_of_host(one) for one in (memory.small_from, memory.large_from) if one)}

    def _recall(self, key: str) -> Memory:
        return self._known.get(key, Memory()).faded(self.now)

    def _learn(self, key: str, memory: Memory) -> None:
        told = {key: replace(memory, told_at=self.now)}
        self._learnt, self._known = merged(self._learnt, told), merged(self._known, told)


def _of_endpoint(endpoint: Endpoint) -> str:
    return f"endpoint {endpoint.address}"


def _of_host(origin: str) -> str:
    return f"host {origin}"


def _may_follow(endpoint: Endpoint, origin: str) -> bool:
    """Whether a redirect from this endpoint to that origin would be followed."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return False
    plain = origin == f"{parts.scheme}://{parts.netloc}" and parts.hostname and port != 0 and "@" not in parts.netloc
    return bool(plain) and parts.scheme in ("https", "http") and (parts.scheme == "https" or _is_plain(endpoint))


def _is_plain(endpoint: Endpoint) -> bool:
    return endpoint.address.startswith("http:")
