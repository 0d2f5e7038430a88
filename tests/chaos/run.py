"""Run a schedule against the public `fetch`, and say what came of it."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import mirrorhub
from mirrorhub import Endpoint, Settings, Snapshot
from mirrorhub.config import Patience
from mirrorhub.errors import ConfigError, MirrorHubError
from tests.chaos.belongings import Belongings, complaints, grown_since
from tests.chaos.oracle import CONNECT_LIMIT_S, LAPS, SILENCE_S, STALL_S, Before, Verdict, verdict
from tests.chaos.schedule import Call, Damage, File, Host, Schedule
from tests.chaos.watch import OWN, Watcher, debris, secrets_in, sha256, visible
from tests.fakehub import FakeHub, Repo, certs
from tests.fakehub.faults import NoDigests, RefuseConnection
from tests.fakehub.repo import git_sha1
from tests.fakehub.rules import ConnectionFault, Rule

REPO = "org/name"
TOKEN = "hub-token-that-nobody-may-see"
GRACE_S = 2.0
"""What a call may take beyond its limit, to bring what has come to disk: the machine may be busy."""
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


def run(schedule: Schedule, root: Path) -> Outcome:
    """Run a schedule in an empty directory."""
    outcome = Outcome()
    mirrorhub.close()
    before = Belongings.now()
    with complaints() as told, hubs_of(schedule) as hubs:
        Course(schedule, hubs, root, outcome).run()
        mirrorhub.close()
        outcome.left += [f"{hub.name}: {words}" for hub in hubs for words in hub.log.violations]
        outcome.left += [f"a token reached {hub.name}" for hub in hubs if hub.log.tokens_seen()]
    outcome.left += [*told, *grown_since(before), *secrets_in(root, TOKEN)]
    return outcome


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


class Course:
    """The calls of a schedule, one after the other, over one cache."""

    def __init__(self, schedule: Schedule, hubs: list[FakeHub], root: Path, outcome: Outcome) -> None:
        self._schedule = schedule
        self._hubs = hubs
        self._root = root
        self._outcome = outcome
        self._files = {file.path: file for file in schedule.files}
        self._revisions = [self._digests()]
        self._published: Mapping[str, str] | None = None
        self._place = root
        self._home = root / ("ms/models/org--name" if schedule.hub == "modelscope" else "hf/models--org--name")

    def run(self) -> None:
        """Make the calls, and a last one in which nothing goes wrong."""
        clean = Call(((),) * len(self._schedule.hosts))
        for call in (*self._schedule.calls, clean):
            self._renew(call.changed)
            for damage in call.damages:
                self._harm(damage)
            for hub, rules in zip(self._hubs, call.rules, strict=False):
                mistreat(hub, rules)
            self._make(call, self._before(), last=call is clean)

    def _make(self, call: Call, before: Before, *, last: bool) -> None:
        expected = verdict(self._schedule, call, before, tuple(self._files.values()))
        for hub in self._hubs:
            hub.log.clear()
        with Watcher(self._home, self._allowed()) as watcher:
            caller = Caller(self._settings(call), self._schedule.hub)
            seconds = caller.wait()
        self._outcome.wrong += watcher.wrong
        self._outcome.told.append(Told(caller.kind, expected, seconds))
        self._judge(call, caller, expected, seconds)
        self._look_at_disk(caller)
        if last:
            self._judge_last(before)

    def _judge(self, call: Call, caller: Caller, expected: Verdict, seconds: float) -> None:
        outcome, number = self._outcome, len(self._outcome.told)
        if caller.kind == "hung":
            outcome.late.append(f"call {number} hung")
        elif seconds > call.limit_s + GRACE_S:
            outcome.late.append(f"call {number} took {seconds:.1f} s of {call.limit_s:g}")
        if caller.foreign:
            outcome.needless.append(f"call {number} ended in {caller.words}")
        if expected is Verdict.SUCCESS and caller.snapshot is None:
            outcome.needless.append(f"call {number} failed: {caller.words}")
        if expected is Verdict.FAILURE and caller.snapshot is not None:
            outcome.needless.append(f"call {number} was expected to fail, and did not")
        if TOKEN in caller.words:
            outcome.left.append(f"call {number}: a token in the error")

    def _look_at_disk(self, caller: Caller) -> None:
        """The snapshot is all of one revision; after a failure what was published before is still there."""
        if caller.snapshot is not None:
            there = digests_below(caller.snapshot.path)
            wanted = self._revisions if caller.snapshot.stale else self._revisions[-1:]
            if there not in wanted:
                self._outcome.wrong.append(
                    f"call {len(self._outcome.told)} published {_differences(there, wanted[-1])}"
                )
            self._published, self._place = there, caller.snapshot.path
        elif self._published is not None and not self._hurt:
            snapshots = [digests_below(path) for path in (self._home / "snapshots").iterdir()]
            if self._published not in snapshots:
                self._outcome.wrong.append(f"after failed call {len(self._outcome.told)} the old snapshot is not whole")
        complete = caller.snapshot is not None and not caller.snapshot.stale
        self._outcome.left += debris(self._home, self._names() if complete else None)
        self._outcome.left += [f"{hub.name}: {words}" for hub in self._hubs for words in unfinished(hub)]

    def _judge_last(self, before: Before) -> None:
        """The last call asks for what is missing, and for nothing else."""
        may = {file.path for file in (*before.missing, *before.doubtful)}
        asked = {request.file for hub in self._hubs for request in hub.log.requests(kind="body")}
        if extra := asked - may:
            self._outcome.needless.append(f"the last call asked for {sorted(map(str, extra))}, which was there")

    def _before(self) -> Before:
        """Say what is on disk: of one content at several paths all may be hit at once."""
        there = digests_below(self._place) if self._published else {}
        harmed = {path for path, digest in (self._published or {}).items() if there.get(path) != digest}
        self._hurt = bool(harmed)
        if self._published is None:
            first = not self._outcome.told
            every = tuple(self._files.values())
            return Before(False, every if first else (), () if first else every)
        lost = harmed | {path for path, digest in self._revisions[-1].items() if self._published.get(path) != digest}
        # What is lost may be there under another name.
        known = {digest for path, digest in self._published.items() if path not in harmed}
        doubtful = {path for path in lost if self._revisions[-1][path] in known}
        if self._is_bare and self._published != self._revisions[-1]:
            # Blobs that came without a digest are not found by one.
            doubtful = set(self._files) - lost
        missing = tuple(self._files[path] for path in sorted(lost - doubtful))
        return Before(not harmed, missing, tuple(self._files[path] for path in sorted(doubtful)))

    def _renew(self, changed: tuple[File, ...]) -> None:
        if not changed:
            return
        self._files |= {file.path: file for file in changed}
        for hub in self._hubs:
            hub.site.repos[0].commit({file.path: file.data for file in changed})
        self._revisions.append(self._digests())

    def _harm(self, damage: Damage) -> None:
        """Do harm to the disk."""
        if damage.harm in ("journal", "partial"):
            name = "journal" if damage.harm == "journal" else "data"
            found = sorted((self._home / OWN / "partial").glob(f"*/{name}"))
            if found:
                flip(found[damage.number % len(found)])
        elif self._published is not None:
            hurt(self._place / sorted(self._published)[damage.number % len(self._published)], damage)

    def _digests(self) -> dict[str, str]:
        return {path: sha256(file.data) for path, file in self._files.items()}

    @property
    def _is_bare(self) -> bool:
        """Whether there are listings without digests."""
        every = (rule for call in self._schedule.calls for rules in call.rules for rule in rules)
        return any(isinstance(rule.fault, NoDigests) for rule in every)

    def _names(self) -> set[str]:
        """Every digest by which content of the newest revision may be known; of a listing without any it has none."""
        if self._is_bare:
            return set()
        files = [file.data for file in self._files.values()]
        return {sha256(data) for data in files} | {git_sha1(data) for data in files}

    def _allowed(self) -> dict[str, set[str]]:
        """What may be seen: the bytes of any revision, and what was there before the call."""
        allowed: dict[str, set[str]] = {}
        for revision in self._revisions:
            for path, digest in revision.items():
                allowed.setdefault(path, set()).add(digest)
        for path in visible(self._home):
            inside = path.relative_to(self._home).parts
            if inside[0] in ("snapshots", "blobs") and path.exists():
                allowed.setdefault("/".join(inside[2:]), set()).add(sha256(path.read_bytes()))
        return allowed

    def _settings(self, call: Call) -> Settings:
        hub = self._schedule.hub
        endpoints = [_endpoint(fake, host, hub) for fake, host in zip(self._hubs, self._schedule.hosts, strict=False)]
        values: dict[str, object] = {
            "endpoints": tuple(endpoints),
            "patience": PATIENCE,
            "silence_s": SILENCE_S,
            "timeout_s": call.limit_s,
            "carrier": self._schedule.carrier,
            "max_files": 1000,
            "modelscope_cache": self._root / "ms",
            "huggingface_cache": self._root / "hf",
            "state_dir": self._root / "state",
            "ca_file": certs.ca_file(),
            "modelscope_token": TOKEN,
            "huggingface_token": TOKEN,
        }
        return Settings.load(values, {})


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
            snapshot = mirrorhub.fetch(REPO, hub=self._hub, settings=self._settings, allow_stale=False)
        except MirrorHubError as error:
            self.kind, self.words, self.foreign = type(error).__name__, str(error), isinstance(error, ConfigError)
        except BaseException as error:
            self.kind, self.foreign = f"foreign {type(error).__name__}", True
            self.words = "".join(traceback.format_exception(error))[-600:]
        else:
            self.snapshot, self.kind = snapshot, "stale" if snapshot.stale else "right bytes"


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


def digests_below(folder: Path) -> dict[str, str]:
    """Return path and digest of every file of a snapshot."""
    files = (path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()) if path.exists() else "dangling"
        for path in files
        if OWN not in path.parts
    }


def hurt(path: Path, damage: Damage) -> None:
    """Do harm to a published file, if it is still there."""
    if not path.exists():
        return
    if damage.harm == "delete":
        path.unlink()
    elif damage.harm == "truncate":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        flip(path)


def flip(path: Path) -> None:
    """Change a byte in the middle of a file."""
    data = bytearray(path.read_bytes())
    if data:
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data)


def _endpoint(fake: FakeHub, host: Host, hub: str) -> Endpoint:
    can = frozenset({"pull"} if host.pulls else {"resolve", "pull"})
    return Endpoint(fake.url, hub, can=can, named=not host.pulls)  # type: ignore[arg-type]


def _differences(there: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    paths = sorted({*there, *wanted})
    return ", ".join(path for path in paths if there.get(path) != wanted.get(path)) or "nothing"
