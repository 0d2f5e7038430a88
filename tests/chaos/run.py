"""Run a schedule against the public `fetch`, and say what came of it."""

from __future__ import annotations

from pathlib import Path

import mirrorhub
from tests.chaos.belongings import Belongings, complaints, grown_since
from tests.chaos.course import Course
from tests.chaos.hubs import TOKEN, hubs_of
from tests.chaos.outcome import Outcome
from tests.chaos.schedule import Schedule
from tests.chaos.watch import secrets_in


def run(schedule: Schedule, root: Path) -> Outcome:
    """Run a schedule in an empty directory."""
    outcome = Outcome()
    mirrorhub.close()
    before = Belongings.now()
    ports: set[int] = set()
    with complaints(ports) as told, hubs_of(schedule) as hubs:
        ports.update(hub.address[1] for hub in hubs)
        Course(schedule, hubs, root, outcome).run()
        mirrorhub.close()
        outcome.left += [f"{hub.name}: {words}" for hub in hubs for words in hub.log.violations]
        outcome.left += [f"a token reached {hub.name}" for hub in hubs if hub.log.tokens_seen()]
    outcome.left += [*told, *grown_since(before), *secrets_in(root, TOKEN)]
    return outcome
