"""The endpoints of a schedule: run, mistreated, asked what they saw."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.chaos.schedule import Schedule
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import RefuseConnection
from tests.fakehub.rules import ConnectionFault, Rule

REPO = "org/name"
TOKEN = "hub-token-that-nobody-may-see"


@contextmanager
def hubs_of(schedule: Schedule) -> Iterator[list[FakeHub]]:
    """Run the endpoints of a schedule, then their data host; each has a repository of its own."""
    contents = {file.path: file.data for file in schedule.files}
    with ExitStack() as stack:
        data_host = stack.enter_context(FakeHub([Repo(schedule.hub, REPO, contents)], name="data", token=TOKEN))
        yield [
            stack.enter_context(
                FakeHub(
                    [Repo(schedule.hub, REPO, contents)],
                    name=name,
                    token=TOKEN,
                    cdn=data_host if host.redirects else None,
                    blobs=host.blobs,
                    alpn=host.http,
                    stream_limit=host.streams,
                )
            )
            for name, host in zip("abcd", schedule.hosts, strict=False)
        ] + [data_host]


def mistreat(hub: FakeHub, rules: tuple[Rule, ...]) -> None:
    """Let other things go wrong at an endpoint; one that refuses connections has to stop listening."""
    restarts = hub.backend.plan.permanent(RefuseConnection)
    hub.set_faults(*rules)
    if restarts or hub.backend.plan.permanent(RefuseConnection):
        hub.stop()
        hub.start()
    elif any(isinstance(rule.fault, ConnectionFault) for rule in rules):
        # What goes wrong with connections would not be met on those that stand.
        hub.cut()


def unfinished(hub: FakeHub) -> list[str]:
    """Return the requests that are still open although the call that made them has ended."""
    try:
        hub.log.wait_until(lambda log: all(request.outcome != "open" for request in log.requests()), 2.0)
    except TimeoutError:
        return [f"{one.kind} {one.file} is still open" for one in hub.log.requests() if one.outcome == "open"]
    return []
