"""What came of a schedule, and of each of its calls. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.chaos.oracle import Verdict


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one call.

    Attributes:
        kind: `right bytes`, `stale`, or the error's class.
        expected: What the oracle said.
        seconds: How long it took.
    """

    kind: str
    expected: Verdict
    seconds: float


@dataclass(slots=True)
class Outcome:
    """What came of a schedule; no problems means that all held.

    Attributes:
        told: Call by call, the last one without faults.
        wrong: Wrong bytes that were seen, or published.
        late: Calls that took longer than they were allowed.
        needless: Failures that need not have been, and successes that cannot have been.
        left: What was left behind, in the cache or in the process.
    """

    told: list[Told] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    needless: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """All of them."""
        return [*self.wrong, *self.late, *self.needless, *self.left]
