"""A schedule: what endpoints hold, what goes wrong at them in which call, and what happens to the disk in between.

Values only. The repr of a schedule is Python that makes it again, so that one that failed can be replayed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.fakehub import faults, rules
from tests.fakehub.repo import HubName, sample_bytes
from tests.fakehub.rules import Rule

Harm = Literal["delete", "truncate", "flip", "journal", "partial"]
LIMIT_S = 8.0
"""What a call is allowed, unless its schedule says less."""


@dataclass(frozen=True, slots=True)
class File:
    """A file. Two of the same content and size are equal; `size` is in bytes."""

    path: str
    size: int
    content: str

    @property
    def data(self) -> bytes:
        """Its bytes."""
        return sample_bytes(self.content, self.size)


@dataclass(frozen=True, slots=True)
class Host:
    """An endpoint.

    Attributes:
        pulls: Bytes only: its word on what there is does not count as long as another one's does.
        blobs: It tells sizes and digests with a Hugging Face revision.
        http: The protocols that it offers.
        streams: How many it allows on a connection.
        redirects: Large files, those that are in LFS, come from a data host that always works.
    """

    pulls: bool = False
    blobs: bool = False
    http: tuple[str, ...] = ("h2", "http/1.1")
    streams: int = 128
    redirects: bool = False


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that happens to the disk before a call: to a published file, or to a partial's journal or bytes.

    Attributes:
        harm: What is done.
        number: To which file, counted in the order of their paths, from the beginning again after the last.
    """

    harm: Harm
    number: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    Attributes:
        rules: What goes wrong, endpoint by endpoint.
        changed: Files that a new revision has before the call.
        damages: What happens to the disk before it.
        limit_s: How long it may take.
    """

    rules: tuple[tuple[Rule, ...], ...]
    changed: tuple[File, ...] = ()
    damages: tuple[Damage, ...] = ()
    limit_s: float = LIMIT_S


@dataclass(frozen=True, slots=True)
class Schedule:
    """All of it. After its calls comes one more, in which nothing goes wrong."""

    hub: HubName
    carrier: Literal["curl", "httpx"]
    files: tuple[File, ...]
    hosts: tuple[Host, ...]
    calls: tuple[Call, ...]


def replayed(text: str) -> Schedule:
    """Make a schedule from its repr.

    Raises:
        TypeError: It is something else.
    """
    names = {name: value for module in (faults, rules) for name, value in vars(module).items()}
    own = {one.__name__: one for one in (File, Host, Damage, Call, Schedule)}
    made = eval(text, {"__builtins__": {}}, names | own)  # from our own command line
    if not isinstance(made, Schedule):
        raise TypeError("that is no schedule")
    return made
