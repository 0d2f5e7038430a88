"""The calls of a schedule, one after the other over one cache, each judged by what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from tests.chaos.caller import Caller, settings_for
from tests.chaos.disk import digests_below, flip, hurt
from tests.chaos.hubs import TOKEN, mistreat, unfinished
from tests.chaos.oracle import Before, Verdict, verdict
from tests.chaos.outcome import Outcome, Told
from tests.chaos.schedule import Call, Damage, File, Schedule
from tests.chaos.watch import OWN, Watcher, debris, sha256, visible
from tests.fakehub import FakeHub
from tests.fakehub.faults import NoDigests
from tests.fakehub.repo import LFS_PATTERNS, git_sha1

GRACE_S = 2.0
"""What a call may take beyond its limit, to bring what has come to disk: the machine may be busy."""


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
            caller = Caller(settings_for(self._schedule, self._hubs, self._root, call.limit_s), self._schedule.hub)
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
        if expected in (Verdict.SUCCESS, Verdict.STALE) and caller.snapshot is None:
            outcome.needless.append(f"call {number} failed: {caller.words}")
        if expected is Verdict.SUCCESS and caller.kind == "stale":
            outcome.needless.append(f"call {number} gave what was on disk, though it could have had what is new")
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
        known |= {sha256(blob.read_bytes()) for blob in (self._home / "blobs").glob("*")}
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
        """Every digest by which the newest revision is listed; of a listing without any it has none."""
        if self._is_bare:
            return set()
        return {self._name(file) for file in self._files.values()}

    def _name(self, file: File) -> str:
        in_lfs = any(fnmatchcase(file.path, pattern) for pattern in LFS_PATTERNS)
        return sha256(file.data) if in_lfs or self._schedule.hub == "modelscope" else git_sha1(file.data)

    def _allowed(self) -> dict[str, set[str]]:
        """What may be seen: the bytes of any revision, and what was there before the call."""
        allowed: dict[str, set[str]] = {}
        for revision in self._revisions:
            for path, digest in revision.items():
                allowed.setdefault(path, set()).add(digest)
        for file in visible(self._home):
            inside = file.relative_to(self._home).parts
            if inside[0] in ("snapshots", "blobs") and file.exists():
                allowed.setdefault("/".join(inside[2:]), set()).add(sha256(file.read_bytes()))
        return allowed


def _differences(there: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    paths = sorted({*there, *wanted})
    return ", ".join(path for path in paths if there.get(path) != wanted.get(path)) or "nothing"
