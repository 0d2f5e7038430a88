"""How schedules are drawn: most have a way to success, and most of what goes wrong is small."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.chaos.schedule import LIMIT_S, Call, Damage, File, Host, Schedule
from tests.fakehub import faults as f
from tests.fakehub.repo import HubName
from tests.fakehub.rules import ConnectionFault, Fault, Rule

KIB = 1 << 10
ENTROPY = 64 * KIB
"""Bytes that a schedule is drawn from: many more than the largest one takes."""
ALTERING = f.Alter | f.Truncate | f.OverLong | f.EndlessBody | f.GzipBody
"""Without digests these could not be told from what is right."""

sizes = st.one_of(
    st.sampled_from([0, 1]),
    st.integers(2, 2 * KIB),
    st.integers(2 * KIB, 64 * KIB),
    st.integers(64 * KIB, 256 * KIB),
)
large_sizes = st.integers(1024 * KIB - 1, 4 * 1024 * KIB)
offsets = st.one_of(st.just(0), st.integers(1, 300 * KIB))
positions = st.one_of(st.none(), offsets)

connections: st.SearchStrategy[Fault] = st.one_of(
    st.just(f.RefuseConnection()),
    st.just(f.HangOnAccept()),
    st.builds(f.LateHandshake, st.sampled_from([0.05, 0.15])),
)
answers: st.SearchStrategy[Fault] = st.one_of(
    st.builds(f.Status, st.sampled_from([408, 429, 500, 502, 503, 504]), st.sampled_from([None, None, 0, 1, 30])),
    st.builds(f.Status, st.sampled_from([401, 403, 404, 410])),
    st.just(f.Html()),
    st.just(f.RangeIgnored()),
    st.builds(f.RangeRefused, st.sampled_from([403, 416])),
    st.just(f.Range200()),
    st.just(f.RedirectLoop()),
    st.just(f.RedirectDowngrade()),
    st.just(f.HangBeforeAnswer()),
    st.builds(f.Slow, st.sampled_from([0.05, 0.2])),
)
listings: st.SearchStrategy[Fault] = st.one_of(
    st.just(f.NotJson()),
    st.just(f.NoSizes()),
    st.just(f.NoDigests()),
    st.builds(f.BadListing, st.sampled_from([("../x",), ("/etc/x",), ("a\0b",)])),
    st.just(f.HugeListing(2_000)),
)
contents: st.SearchStrategy[Fault] = st.one_of(
    st.builds(f.Alter, offsets),
    st.builds(f.Truncate, to=offsets, honest=st.booleans()),
    st.builds(f.OverLong, st.integers(1, 5000), st.booleans()),
    st.just(f.EndlessBody()),
    st.builds(f.WrongContentRange, st.sampled_from(["start", "total"])),
    st.just(f.NoContentLength()),
    st.just(f.GzipBody()),
)
deliveries: st.SearchStrategy[Fault] = st.one_of(
    st.builds(f.HangInBody, offsets),
    st.builds(f.Reset, positions),
    st.builds(f.RstStream, positions, st.sampled_from([2, 7])),
    st.builds(f.GoAway, positions, graceful=st.booleans()),
    st.builds(f.Close, positions),
    st.builds(f.Drip, st.sampled_from([2_000, 20_000, 200_000])),
    st.builds(f.LowerStreamLimit, st.sampled_from([1, 4]), positions),
)
denials: st.SearchStrategy[Rule] = st.sampled_from(
    [
        Rule(f.RefuseConnection()),
        Rule(f.HangOnAccept()),
        Rule(f.Status(500)),
        Rule(f.Status(403), "body"),
        Rule(f.Html()),
        Rule(f.HangBeforeAnswer(), "body"),
        Rule(f.RstStream(), "listing"),
        Rule(f.Alter(0)),
    ]
)
every_fault = st.one_of(connections, answers, listings, contents, deliveries)


@st.composite
def rules(draw: st.DrawFn, files: Sequence[File]) -> Rule:
    """One thing that goes wrong at an endpoint."""
    fault = draw(every_fault)
    times = draw(st.sampled_from([1, 1, 2, None]))
    after = draw(st.sampled_from([0, 0, 0, 1, 3]))
    if isinstance(fault, ConnectionFault):
        return Rule(fault, times=times, after=0 if times is None else after)
    matches: list[str | None] = [None, None]
    if "body" in fault.kinds:
        matches.append(draw(st.sampled_from(files)).path)
    if len(fault.kinds) > 2:
        matches += ["listing", "body", "revision"]
    return Rule(fault, draw(st.sampled_from(matches)), times, after)


@st.composite
def sets_of_rules(draw: st.DrawFn, files: Sequence[File], *, gloomy: bool) -> tuple[Rule, ...]:
    """What goes wrong at one endpoint: nothing at one of five, or something that never ends on a gloomy day."""
    drawn = [draw(rules(files)) for _ in range(draw(st.sampled_from([0, 1, 1, 2, 3])))]
    if gloomy:
        drawn.insert(0, draw(denials))
    if any(isinstance(rule.fault, f.NoDigests) for rule in drawn):
        drawn = [rule for rule in drawn if not isinstance(rule.fault, ALTERING)]
    endless = [rule for rule in drawn if isinstance(rule.fault, f.EndlessBody)]
    # One, and the last: another fault behind it would wait for its end, and hold all of it.
    return (*(rule for rule in drawn if rule not in endless), *endless[:1])


@st.composite
def sets_of_files(draw: st.DrawFn) -> tuple[File, ...]:
    """What a repository holds: some files are equal, and now and then one is large."""
    count = draw(st.sampled_from([1, 2, 3, 4, 6, 10, 30]))
    names = st.sampled_from(["config.json", "a.txt", "model.bin", "sub/tokens.txt", "sub/deep/part.bin", "b.onnx"])
    made = []
    for number in range(count):
        size = draw(large_sizes if number == 0 and draw(st.integers(0, 6)) == 6 else sizes)
        folder, _, name = draw(names).rpartition("/")
        path = f"{folder}/{number}-{name}" if folder else f"{number}-{name}"
        made.append(File(path, size, f"content {draw(st.integers(0, count))}"))
    twin = draw(st.one_of(st.none(), st.sampled_from(made)))
    return (*made, File("twin.bin", twin.size, twin.content)) if twin else tuple(made)


@st.composite
def calls(draw: st.DrawFn, files: Sequence[File], hosts: int, *, first: bool) -> Call:
    """One call; before a later one a new revision may come, and harm to the disk."""
    gloomy = draw(st.integers(0, 7)) == 7
    given = tuple(draw(sets_of_rules(files, gloomy=gloomy)) for _ in range(hosts))
    limit_s = draw(st.sampled_from([LIMIT_S] * 19 + [0.05, 0.2, 0.6]))
    if first:
        return Call(given, limit_s=limit_s)
    changed = draw(st.one_of(st.just(()), st.lists(st.sampled_from(files), max_size=3, unique=True)))
    renewed = tuple(File(file.path, draw(sizes), f"{file.content}, changed") for file in changed)
    harms = st.builds(Damage, st.sampled_from(["delete", "truncate", "flip", "journal", "partial"]), st.integers(0, 9))
    return Call(given, renewed, tuple(draw(st.lists(harms, max_size=2))), limit_s)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """A schedule."""
    files = draw(sets_of_files())
    host: Any = st.builds(
        Host,
        pulls=st.sampled_from([False, False, False, True]),
        blobs=st.booleans(),
        http=st.sampled_from([("h2", "http/1.1")] * 4 + [("http/1.1",)]),
        streams=st.sampled_from([128, 128, 128, 4]),
        redirects=st.sampled_from([False, False, False, True]),
    )
    hosts = tuple(draw(host) for _ in range(draw(st.integers(1, 4))))
    made = [draw(calls(files, len(hosts), first=True))]
    if draw(st.integers(0, 2)) == 2:
        made.append(draw(calls(files, len(hosts), first=False)))
    hub: HubName = "huggingface" if draw(st.booleans()) else "modelscope"
    carrier: Literal["curl", "httpx"] = "httpx" if draw(st.integers(0, 3)) == 3 else "curl"
    return Schedule(hub, carrier, files, hosts, tuple(made))


def drawn(number: int) -> Schedule:
    """Return the schedule of a number: always the same one with the same version of hypothesis.

    Drawn from bytes, because hypothesis's own choice depends on the constants of whatever modules are loaded.
    """
    found: list[Schedule] = []

    @settings(database=None, deadline=None, suppress_health_check=[*HealthCheck])
    @given(schedules())
    def note(schedule: Schedule) -> None:
        found.append(schedule)

    note.hypothesis.fuzz_one_input(Random(number).randbytes(ENTROPY))
    return found[-1]
