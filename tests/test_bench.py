"""Comparing endpoints: what is asked of each, what is found, and that nobody can make it ask for more."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mirrorhub import Endpoint, Settings
from mirrorhub.api import FSMN_VAD, bench
from mirrorhub.bench.comparison import NOT_MEASURED, NOT_VISITED, Comparison, Measurement, Round, Trouble, ranked
from mirrorhub.bench.flow import Allowance
from mirrorhub.bench.rates import Arrivals
from mirrorhub.bench.rounds import Standing
from mirrorhub.bench.visit import chosen_file
from mirrorhub.config import Patience
from mirrorhub.errors import ConfigError, NotCachedError
from mirrorhub.faults import Fault
from mirrorhub.models import FileEntry
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import (
    Drip,
    EndlessBody,
    HangBeforeAnswer,
    HangOnAccept,
    HugeListing,
    NotJson,
    RangeIgnored,
    RangeRefused,
    RefuseConnection,
    Status,
)
from tests.fakehub.repo import sample_bytes
from tests.fakehub.rules import Rule

LIMIT = 2_000_000
FILES = {
    "config.json": b"{}",
    "small.bin": sample_bytes("small", 1_100_000),
    "large.bin": sample_bytes("large", 5_000_000),
}


def repos() -> list[Repo]:
    """The same files on both kinds of hub."""
    return [Repo(hub, "org/name", FILES) for hub in ("modelscope", "huggingface")]


def hurried(*endpoints: str | Endpoint, **more: object) -> Settings:
    """Settings under which nobody who is silent is waited for."""
    patience = Patience(connect_limit_s=0.3, stall_s=0.3)
    return Settings.load({"endpoints": endpoints, "patience": patience, **more})


def found_at(found: Comparison, hub: FakeHub) -> Measurement:
    """What was found at a hub."""
    return next(one for one in found.measurements if one.endpoint.url == hub.url)


def sent(hub: FakeHub) -> int:
    """Bytes of bodies that a hub has sent, whatever was asked for."""
    return sum(request.bytes_sent for request in hub.log.requests())


@pytest.mark.parametrize("hub", ["modelscope", "huggingface"])
def test_what_is_asked_for(hub: str, carrier: str) -> None:
    """Each visit has a connection of its own, and all visits together ask for no more than the limit."""
    with FakeHub(repos(), name="a") as one, FakeHub(repos(), name="b", blobs=True) as other:
        found = bench("org/name", hub=hub, endpoints=[one.url, other.url], limit=LIMIT)
    for each in (one, other):
        measurement = found_at(found, each)
        assert LIMIT * 0.75 < sent(each) <= LIMIT
        assert sent(each) == measurement.asked
        assert len(each.log.connections) == 3
        assert (each.log.heads, each.log.violations) == ((), ())
        assert (measurement.success, measurement.http, measurement.takes_range) == (1.0, "2", True)
        assert measurement.bytes_per_s
    assert found.size == sum(map(len, FILES.values()))


def test_the_default_limit() -> None:
    """Nobody is asked for more than 8 MB if nothing else is said."""
    with FakeHub(repos()) as hub:
        found = bench("org/name", endpoints=hub.url)
    assert sent(hub) == found.measurements[0].asked
    assert 6_000_000 < sent(hub) <= 8_000_000


def test_rounds_take_turns() -> None:
    """Endpoints are visited one after the other, and never two at once."""
    visits: list[tuple[int, str]] = []
    with FakeHub(repos(), name="a") as one, FakeHub(repos(), name="b") as other:
        urls = [one.url, other.url]
        bench(
            "org/name", endpoints=urls, rounds=2, limit=LIMIT, told=lambda number, it: visits.append((number, it.url))
        )
    assert visits == list(itertools.product((1, 2), urls))


def test_the_parts_of_a_visit() -> None:
    """A visit says how long each part took, and where the bytes came from."""
    with FakeHub(repos()) as hub:
        (measurement,) = bench("org/name", endpoints=hub.url, rounds=1, limit=LIMIT).measurements
    (one,) = measurement.rounds
    for part in (one.dns_s, one.connect_s, one.tls_s, one.first_byte_s, one.listing_s, one.file_s, one.bytes_per_s):
        assert part is not None
        assert part > 0
    assert one.host == hub.url.removeprefix("https://")


def test_a_redirect_to_another_host() -> None:
    """The host that the bytes really come from is told, and the limit holds for both together."""
    with FakeHub(repos(), name="cdn") as cdn, FakeHub(repos(), name="a", cdn=cdn) as hub:
        (measurement,) = bench("hf://org/name", endpoints=hub.url, limit=LIMIT).measurements
    assert measurement.host == cdn.url.removeprefix("https://")
    assert sent(cdn) + sent(hub) <= LIMIT
    assert sent(cdn) > LIMIT / 2


def test_no_ranges(carrier: str) -> None:
    """Where only whole files are given, one is asked for that is small enough."""
    with FakeHub(repos(), [RangeIgnored()]) as hub:
        (measurement,) = bench("org/name", endpoints=hub.url, limit=LIMIT).measurements
    assert measurement.takes_range is False
    assert measurement.bytes_per_s
    assert set(hub.log.bytes_sent_by_file()) == {"small.bin"}
    assert sent(hub) <= LIMIT


def test_a_refused_range() -> None:
    """A router that refuses the Range header is no failure: the file comes whole."""
    with FakeHub(repos(), [RangeRefused()]) as hub:
        (measurement,) = bench("org/name", endpoints=hub.url, limit=LIMIT).measurements
    assert (measurement.takes_range, measurement.troubles) == (False, ())
    assert measurement.bytes_per_s


def test_no_ranges_and_no_small_file() -> None:
    """Where every file is larger than may be asked for and comes whole, there is no rate, and the reason is told."""
    with FakeHub([Repo("modelscope", "org/name", {"large.bin": FILES["large.bin"]})], [RangeIgnored()]) as hub:
        (measurement,) = bench("org/name", endpoints=hub.url, limit=LIMIT).measurements
    assert (measurement.bytes_per_s, measurement.works) == (None, True)
    assert "whole files" in measurement.reason
    assert len(hub.log.requests(kind="body")) == 1


CAUSES = {
    "refused": (RefuseConnection(), "connect"),
    "silent TLS": (HangOnAccept(), "within 0.3 s"),
    "silent": (HangBeforeAnswer(), "within 0.3 s"),
    "busy": (Status(503), "answered 503"),
    "no hub": (NotJson(), "instead of a listing"),
}


@pytest.mark.parametrize(("fault", "words"), CAUSES.values(), ids=CAUSES.keys())
def test_what_fails(fault: RefuseConnection, words: str) -> None:
    """An endpoint that does not work is ranked last, with the cause in words."""
    rule = Rule(fault, "listing") if isinstance(fault, Status | NotJson) else fault
    with FakeHub(repos(), [rule, Rule(Status(503), "body")], name="a") as broken, FakeHub(repos(), name="b") as good:
        settings = hurried(broken.url, good.url)
        found = bench("org/name", settings=settings, rounds=2, limit=LIMIT)
    assert [one.endpoint.url for one in found.measurements] == [good.url, broken.url]
    assert not found_at(found, broken).works
    assert words in str(found_at(found, broken).troubles[0])


def test_a_bad_certificate() -> None:
    """A certificate that is not accepted is told as the cause."""
    with FakeHub(repos(), cert="expired") as hub:
        found = bench("org/name", endpoints=hub.url, rounds=1)
    assert not found.works
    assert found.measurements[0].troubles == (
        Trouble("listing", "certificate has expired", "certificate not accepted"),
    )


@pytest.mark.parametrize("fault", [HangOnAccept(), HangBeforeAnswer()], ids=["no connection", "no answer"])
def test_a_dead_endpoint_is_not_asked_for_ever(fault: HangOnAccept | HangBeforeAnswer) -> None:
    """Without a connection or an answer in the first two rounds there is no third."""
    with FakeHub(repos(), [fault], name="d") as dead, FakeHub(repos(), name="g") as good:
        bench("org/name", settings=hurried(dead.url, good.url), rounds=4, limit=LIMIT)
        assert (len(dead.log.connections), len(good.log.connections)) == (2, 4)


def test_one_that_serves_sometimes() -> None:
    """One failed round of three leaves a rate, and is told."""
    with FakeHub(repos(), [Rule(Status(503), "listing", times=1)]) as hub:
        (measurement,) = bench("org/name", endpoints=hub.url, limit=LIMIT).measurements
    assert measurement.works
    assert measurement.success < 1
    assert [str(trouble) for trouble in measurement.troubles] == ["listing: answered 503"]


def test_a_listing_without_end() -> None:
    """A listing that is larger than what may be asked for is left, and nothing more is asked of whoever sends it."""
    with FakeHub(repos(), [HugeListing()]) as hub:
        (measurement,) = bench("org/name", endpoints=hub.url, limit=LIMIT).measurements
        assert len(hub.log.requests()) == 1
    assert "more than the 2,000,000 bytes" in str(measurement.troubles[0])


def test_a_large_listing() -> None:
    """A listing that is a good part of what may be asked for is asked for once; the rates of all visits are known."""
    many = {f"{number:04d}-{'x' * 80}.txt": b"x" for number in range(1200)}
    with FakeHub([Repo("modelscope", "org/name", FILES | many)]) as hub:
        (measurement,) = bench("org/name", endpoints=hub.url, limit=LIMIT).measurements
    assert len(hub.log.requests(kind="listing")) == 1
    assert [one.listing_s is not None for one in measurement.rounds] == [True, False, False]
    assert all(one.bytes_per_s for one in measurement.rounds)
    assert sent(hub) <= LIMIT


def test_a_body_without_end() -> None:
    """A body that goes on after what was asked for is left at once, and said to have."""
    with FakeHub(repos(), [EndlessBody()]) as hub:
        (measurement,) = bench("org/name", endpoints=hub.url, rounds=1, limit=LIMIT).measurements
    assert "gave more than the" in str(measurement.troubles[0])


def test_a_mirror_does_not_say_which_files_there_are() -> None:
    """A mirror's listing is timed; the files that it is asked for are those of whoever is believed."""
    lies = [Repo("modelscope", "org/name", {"lie.bin": sample_bytes("lie", 3_000_000), **FILES})]
    with FakeHub(lies, name="m") as mirror, FakeHub(repos(), name="b") as hub:
        endpoints = [Endpoint(mirror.url, can=frozenset({"pull"})), Endpoint(hub.url, named=True)]
        found = bench("org/name", endpoints=endpoints, rounds=2, limit=LIMIT)
        assert set(mirror.log.bytes_sent_by_file()) <= set(FILES)
        assert mirror.log.requests(kind="listing")
    assert found.size == sum(map(len, FILES.values()))


def test_a_mirror_that_cannot_list() -> None:
    """One that only gives bytes loses nothing by having no listing."""
    with FakeHub(repos(), [Rule(Status(404), "listing")], name="m") as mirror, FakeHub(repos(), name="b") as hub:
        endpoints = [Endpoint(mirror.url, can=frozenset({"pull"})), Endpoint(hub.url, named=True)]
        found = bench("org/name", endpoints=endpoints, rounds=1, limit=LIMIT)
    assert found_at(found, mirror).success == 1.0
    assert found_at(found, mirror).bytes_per_s


def test_another_hub_and_the_package_index() -> None:
    """Another hub is asked for the same content under its own name; the package index is listed, last, not asked."""
    files = {"model.pt": sample_bytes("model", 1_721_366)}
    there = [Repo("huggingface", "funasr/fsmn-vad", files)]
    with FakeHub([Repo("modelscope", FSMN_VAD, files)], name="a") as own, FakeHub(there, name="b") as other:
        found = bench(endpoints=["wheel", own.url, f"hf+{other.url}"], rounds=1, limit=LIMIT)
        assert other.log.bytes_sent_by_file()["model.pt"] > 0
    wheel = found.measurements[-1]
    assert (wheel.endpoint.hub, wheel.rounds, wheel.reason) == ("wheel", (), NOT_MEASURED)
    assert all(one.works for one in found.measurements[:-1])


def test_the_allowed_time() -> None:
    """When the time is over, what was found until then is told."""
    with FakeHub(repos(), name="a") as good, FakeHub(repos(), [HangBeforeAnswer()], name="b") as silent:
        found = bench("org/name", endpoints=[good.url, silent.url], timeout=1.0, limit=LIMIT)
    assert found_at(found, good).works
    assert "allowed" in str(found_at(found, silent).troubles[0])


def test_no_time_for_all() -> None:
    """Whoever was not reached in the allowed time is said to be just that, and stands before the package index."""
    with FakeHub(repos(), [HangBeforeAnswer()], name="a") as silent, FakeHub(repos(), name="b") as other:
        found = bench("org/name", endpoints=["wheel", silent.url, other.url], timeout=0.5, limit=LIMIT)
        assert other.log.connections == ()
    assert found_at(found, other).reason == NOT_VISITED
    assert [one.endpoint.url for one in found.measurements[:2]] == [silent.url, other.url]


def test_offline() -> None:
    """Offline there is nothing to compare."""
    with pytest.raises(NotCachedError, match="local_files_only"):
        bench("org/name", local_files_only=True)
    with pytest.raises(ConfigError):
        bench("org/name", endpoints="ftp://a.test")


OFFLINE = {
    "all": ("MIRRORHUB_OFFLINE", "org/name"),
    "one hub": ("MODELSCOPE_OFFLINE", "org/name"),
    "the other": ("TRANSFORMERS_OFFLINE", "hf://org/name"),
}


@pytest.mark.parametrize(("variable", "repo"), OFFLINE.values(), ids=OFFLINE.keys())
def test_what_made_it_offline(variable: str, repo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that made the call offline is named."""
    monkeypatch.setenv(variable, "1")
    with pytest.raises(NotCachedError, match=variable):
        bench(repo)


def test_a_token_stays_away_from_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in the environment is sent to no endpoint that it is not for."""
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "secret")
    with FakeHub(repos(), token="secret") as hub:
        bench("org/name", endpoints=hub.url, rounds=1, limit=LIMIT)
        assert hub.log.tokens_seen() == set()


def test_a_slow_endpoint_comes_after_a_fast_one() -> None:
    """The order is that of the rates where these differ widely, whatever the order in the chain."""
    with FakeHub(repos(), [Drip(bytes_per_s=200_000)], name="s") as slow, FakeHub(repos(), name="f") as fast:
        found = bench("org/name", endpoints=[slow.url, fast.url], rounds=1, limit=600_000)
    assert [one.endpoint.url for one in found.measurements] == [fast.url, slow.url]


# Pure rules.

GOOD = Round(1, 0.01, 0.1, 0.1, 0.1, 0.1, file_s=0.1, bytes_per_s=1e6, startup_s=0.1)
FAILED = Round(1, troubles=(Trouble("listing", "answered 503", "server error"),))
NO_LISTING = Round(1, http="2", file_s=0.1, bytes_per_s=1e6, troubles=FAILED.troubles)
NO_RATE = Round(1, 0.01, 0.1, 0.1, 0.1, 0.1, reason="whole files")


@contextmanager
def named(**rounds: tuple[Round, ...]) -> Iterator[list[Measurement]]:
    """Endpoints with these rounds, by their names."""
    yield [Measurement(Endpoint(name, "wheel" if name == "w" else "modelscope"), each) for name, each in rounds.items()]


def faster(times: float) -> Round:
    """A round with another rate."""
    return Round(1, 0.01, 0.1, 0.1, 0.1, 0.1, file_s=0.1, bytes_per_s=1e6 * times, startup_s=0.1)


ORDERS = {
    "the rate": ({"a": (GOOD,), "b": (faster(2),)}, 10_000_000, "ba"),
    "the way there, where little is to bring": (
        {"a": (Round(1, 0.0, 0.9, 0.9, bytes_per_s=9e6),), "b": (GOOD,)},
        10_000,
        "ba",
    ),
    "the median, not one lucky round": ({"a": (faster(9), GOOD, GOOD), "b": (faster(2),)}, 10_000_000, "ba"),
    "who fails half of the time": ({"a": (faster(1.5), FAILED), "b": (GOOD, GOOD)}, 10_000_000, "ba"),
    "but is much faster": ({"a": (faster(3), FAILED), "b": (GOOD, GOOD)}, 10_000_000, "ab"),
    "no rate, failed, index": ({"w": (), "a": (FAILED,), "b": (NO_RATE,), "c": (GOOD,)}, 10, "cbaw"),
}


@pytest.mark.parametrize(("rounds", "size", "order"), ORDERS.values(), ids=ORDERS.keys())
def test_the_order(rounds: dict[str, tuple[Round, ...]], size: int, order: str) -> None:
    """Whoever would bring the whole model soonest comes first; failures count against their endpoint."""
    with named(**rounds) as measurements:
        assert "".join(one.endpoint.url for one in ranked(measurements, size)) == order


SILENT = Round(1, http="2", troubles=(Trouble("model.bin", "no answer within 15 s", Fault.READ_TIMEOUT.value),))
STALLED = Round(1, http="2", bytes_per_s=1e6, troubles=SILENT.troubles)
HOPES = {
    "silent once": ((SILENT,), False),
    "silent twice": ((SILENT, SILENT), True),
    "it served before": ((GOOD, SILENT, SILENT), False),
    "it served since": ((SILENT, GOOD), False),
    "bytes came": ((STALLED, STALLED), False),
    "busy": ((FAILED, FAILED), False),
}


@pytest.mark.parametrize(("rounds", "hopeless"), HOPES.values(), ids=HOPES.keys())
def test_who_is_not_asked_again(rounds: tuple[Round, ...], hopeless: bool) -> None:
    """Only whoever has been silent from the first round on is given up."""
    assert Standing(Allowance(LIMIT), list(rounds)).is_hopeless is hopeless


SUCCESSES = {
    "no trouble": (True, (GOOD, NO_RATE), 1.0),
    "bytes, and no listing where there should be one": (True, (NO_LISTING,), 0.5),
    "nothing": (True, (FAILED, GOOD), 0.5),
    "only bytes: no listing is needed": (False, (NO_LISTING,), 1.0),
    "only bytes: no connection": (False, (FAILED,), 0.0),
    "never visited": (True, (), 0.0),
}


@pytest.mark.parametrize(("lists", "rounds", "success"), SUCCESSES.values(), ids=SUCCESSES.keys())
def test_what_counts_as_success(lists: bool, rounds: tuple[Round, ...], success: float) -> None:
    """A round counts whole, half or not at all; who only gives bytes is not asked to list."""
    can = frozenset({"resolve", "pull"} if lists else {"pull"})
    assert Measurement(Endpoint("a", can=can), rounds).success == success  # type: ignore[arg-type]


def test_connections_of_a_call_save_round_trips() -> None:
    """On a far line a call has several connections: what one loses at its start is not all lost to a call."""
    one = Measurement(Endpoint("a"), (Round(1, bytes_per_s=1e6, startup_s=2.0, round_trip_s=0.3),))
    assert one.estimate_s(1_000_000) == pytest.approx(1 + 2.0)
    assert one.estimate_s(16 << 20) == pytest.approx((16 << 20) / 1e6 + 2.0 - 4 * 0.3)


def arrived(*stretches: tuple[float, float], step_s: float = 0.01) -> Arrivals:
    """Bytes that come at one rate after the other: seconds and bytes per second of each."""
    arrivals, now = Arrivals(), 0.0
    for seconds, rate in stretches:
        for _ in range(round(seconds / step_s)):
            now += step_s
            arrivals.add(now, round(rate * step_s))
    return arrivals


RATES = {
    "steady": (arrived((2, 1e6)), 0.02, 1e6),
    "slow start": (arrived(*((0.1, 1e5 * 2**n) for n in range(6)), (1, 6.4e6)), 0.1, 6.4e6),
    "far, full for a round trip": (arrived(*((0.3, 2e5 * 2**n) for n in range(6)), (0.3, 12e6)), 0.3, 12e6),
    "a bucket that is emptied first": (arrived((0.05, 1e7), (3, 1e6)), 0.02, 1e6),
    "a lost packet, then what waited for it": (arrived((1, 1e6), (0.1, 0), (0.02, 6e6), (1, 1e6)), 0.05, 1e6),
    "a lost packet in the middle": (
        arrived((2, 1e6), (0.5, 0), (0.1, 5e6), (2.5, 1e6)),
        0.3,
        1e6,
    ),
    "a lost packet on a far line": (arrived((1, 1e6), (0.6, 0), (0.02, 3e7), (1.2, 1e6)), 0.1, 1e6),
    "the last bytes come slowly": (arrived((1, 1e6), (0.1, 2e5)), 0.02, 1e6),
}


@pytest.mark.parametrize(("arrivals", "round_trip_s", "rate"), RATES.values(), ids=RATES.keys())
def test_the_rate(arrivals: Arrivals, round_trip_s: float, rate: float) -> None:
    """The rate is that of the line in the end, whatever happened at the start and on the way."""
    found = arrivals.rate(round_trip_s)
    assert found is not None
    assert found.bytes_per_s == pytest.approx(rate, rel=0.12)


def test_no_rate() -> None:
    """Where nothing came there is no rate; what came all at once came at least so fast as it was asked for."""
    assert arrived().rate(0.1) is None
    at_once = arrived((0.01, 1e6)).rate(0.1)
    assert at_once is not None
    assert at_once.bytes_per_s == pytest.approx(1e6)


def test_a_growing_rate() -> None:
    """A rate that doubles with every round trip is still growing; a steady one is not."""
    assert arrived(*((0.1, 1e5 * 2**n) for n in range(6))).is_growing(0.1)
    assert not arrived((1, 1e6)).is_growing(0.1)
    assert arrived((0.1, 1e6)).is_growing(0.1)


SIZES = [FileEntry(f"{size}", size) for size in (10, 1_500_000, 3_000_000, 9_000_000)] + [FileEntry("unknown")]
CHOICES = [(True, 9_000_000), (None, 1_500_000), (False, 1_500_000)]


@pytest.mark.parametrize(("ranged", "size"), CHOICES, ids=str)
def test_which_file(ranged: bool | None, size: int) -> None:
    """The largest file where parts are given; else one that may come whole."""
    assert chosen_file(SIZES, 2_000_000, 8_000_000, ranged=ranged) == FileEntry(f"{size}", size)


def test_no_file_that_is_small_enough() -> None:
    """Where only whole files are given and all are too large, none is asked for."""
    assert chosen_file(SIZES[3:], 2_000_000, 8_000_000, ranged=False) is None
