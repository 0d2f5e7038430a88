"""What is remembered of endpoints: how it fades, adds up among processes, and that nothing in the file can harm."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorhub import Endpoint
from mirrorhub.health import LEASE_S, QUIET_S, Health
from mirrorhub.health.ledger import KEPT_S, MAX_ADDITIONS, MAX_ENTRIES
from mirrorhub.health.memory import AHEAD_S, HALF_LIFE_S, Memory, find_memory, row_of, sighting

A, B = Endpoint("https://a.test/hub"), Endpoint("https://b.test")
A_KEY = f"endpoint {A.address}"
SOME = replace(
    sighting(0.3, 0.1, 2_000_000, 4.0), small_from="", large_from="https://large.test:8443", takes_range=True
)
NOW = 1_000_000.0


class Clock:
    """Seconds since the epoch."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def written(folder: Path) -> dict[str, dict[str, object]]:
    """What stands in the file."""
    rows: dict[str, dict[str, object]] = json.loads((folder / "health.json").read_text())["hosts"]
    return rows


def gone(at: float = NOW) -> Memory:
    """What is learnt of an endpoint that refuses."""
    return Memory(faults={"REFUSED": 1.0}, gone_at=at, failed_at=at)


class TestMemory:
    def test_the_next_process_knows(self, tmp_path: Path) -> None:
        """What one call has learnt the next one recalls; of others it knows nothing."""
        clock = Clock()
        first = Health(tmp_path / "new" / "folder", clock)
        assert first.recall(A) == Memory(told_at=NOW)
        first.learn(A, SOME)
        first.learn_host("https://large.test:8443", sighting(0.7))
        first.save()
        second = Health(tmp_path / "new" / "folder", clock)
        assert second.recall(A) == replace(SOME, told_at=NOW)
        assert (second.recall(A).connect_s, second.recall(A).bytes_per_s) == (0.3, 500_000.0)
        assert second.recall_host("https://large.test:8443").connect_s == 0.7
        assert second.recall(B) == Memory(told_at=NOW)

    def test_it_fades(self, tmp_path: Path) -> None:
        """Within an hour all counts halve; means stay what they were until something newer weighs more."""
        clock = Clock()
        health = Health(tmp_path, clock)
        health.learn(A, replace(sighting(0.4, received=1_000_000, busy_s=1.0), faults={"BUSY": 2.0}))
        clock.now += HALF_LIFE_S
        assert health.recall(A).faults == {"BUSY": pytest.approx(1.0)}
        assert health.recall(A).bytes_per_s == pytest.approx(1_000_000)
        health.learn(A, replace(sighting(0.1, received=4_000_000, busy_s=1.0), faults={"BUSY": 2.0}))
        now = health.recall(A)
        assert now.faults == {"BUSY": pytest.approx(3.0)}
        assert now.connect.mean == pytest.approx((0.4 / 2 + 0.1) / 1.5)
        assert now.bytes_per_s == pytest.approx((500_000 + 4_000_000) / 1.5)
        assert now.connect_s == 0.1

    def test_the_order_of_telling(self) -> None:
        """It does not matter who writes first: two memories added are the same either way."""
        early = replace(SOME, told_at=NOW, faults={"RESET": 1.0}, heard_at=NOW)
        late = replace(gone(NOW + 1800), told_at=NOW + 1800, large_from="https://other.test")
        assert early.plus(late) == late.plus(early)
        assert early.plus(late).large_from == "https://other.test"
        assert early.plus(late).takes_range

    @pytest.mark.parametrize(
        ("after_s", "dead"), [(0, True), (2 * HALF_LIFE_S, True), (4 * HALF_LIFE_S, False)], ids=str
    )
    def test_how_long_one_is_dead(self, after_s: float, dead: bool, tmp_path: Path) -> None:
        """An endpoint that was silent once is taken for dead for some hours, if nobody hears of it; then forgotten."""
        clock = Clock()
        health = Health(tmp_path, clock)
        health.learn(A, gone())
        health.save()
        clock.now += after_s
        again = Health(tmp_path, clock)
        assert (again.recall(A).is_gone, again.recall(A).is_failing, again.recall(B).is_gone) == (dead, dead, False)

    def test_a_sign_of_life(self, tmp_path: Path) -> None:
        """Whoever is heard again is not dead, however often it was silent before."""
        health = Health(tmp_path, Clock())
        for _ in range(5):
            health.learn(A, gone())
        health.learn(A, Memory(heard_at=NOW + 1))
        assert (health.recall(A).is_gone, health.recall(A).is_failing) == (False, False)

    @pytest.mark.parametrize(("fault", "name"), [("WRONG_DIGEST", "has_lied"), ("CRAWLING", "has_crawled")])
    def test_what_counts_for_an_hour(self, fault: str, name: str, tmp_path: Path) -> None:
        """Wrong bytes and crawling count for an hour, whatever was heard since; twice of it, for two."""
        for times in (1, 2):
            clock = Clock()
            health = Health(tmp_path / f"{times}", clock)
            for _ in range(times):
                health.learn(A, Memory(faults={fault: 1.0}, heard_at=NOW))
            clock.now += times * HALF_LIFE_S - 1
            assert getattr(health.recall(A), name)
            clock.now += 2
            assert not getattr(health.recall(A), name)

    def test_no_secret_is_written(self, tmp_path: Path) -> None:
        """A password in an endpoint's address is not written."""
        health = Health(tmp_path)
        health.learn(Endpoint("https://me:secret@a.test/hub"), SOME)
        health.save()
        assert "secret" not in (tmp_path / "health.json").read_text()
        assert Health(tmp_path).recall(A).connect_s == 0.3

    @pytest.mark.parametrize(
        ("url", "origin", "followed"),
        [
            ("http://a.test", "http://large.test", True),
            ("http://a.test", "https://large.test", True),
            ("https://a.test", "https://large.test", True),
            ("https://a.test", "http://large.test", False),
            ("https://a.test", "https://large.test/path", False),
            ("https://a.test", "https://large.test?token=1", False),
            ("https://a.test", "https://me:secret@large.test", False),
            ("https://a.test", "https://", False),
            ("https://a.test", "https://large.test:0", False),
            ("https://a.test", "https://large.test:99999", False),
            ("https://a.test", "https://[::1", False),
            ("https://a.test", "file:///etc/passwd", False),
        ],
    )
    def test_whom_a_redirect_may_lead_to(self, url: str, origin: str, followed: bool, tmp_path: Path) -> None:
        """A remembered data host obeys the rule of redirects; else nothing that stands beside it is believed."""
        health = Health(tmp_path, Clock())
        health.learn(Endpoint(url), replace(sighting(0.3), large_from=origin))
        health.save()
        known = Health(tmp_path, Clock()).recall(Endpoint(url))
        assert (known.large_from, known.connect_s) == ((origin, 0.3) if followed else (None, 0.0))


class TestFile:
    def test_nothing_learnt_is_nothing_written(self, tmp_path: Path) -> None:
        """A call that has learnt nothing does not touch the disk."""
        Health(tmp_path, Clock()).save()
        assert list(tmp_path.iterdir()) == []

    def test_who_may_read_it(self, tmp_path: Path) -> None:
        """The file and its lock are their owner's alone, and nothing else is left lying about."""
        health = Health(tmp_path, Clock())
        health.learn(A, SOME)
        health.save()
        assert {path.name for path in tmp_path.iterdir()} == {"health.json", "health.lock"}
        if sys.platform != "win32":
            assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}

    def test_two_processes(self, tmp_path: Path) -> None:
        """Whoever saves last keeps what the other has learnt meanwhile, of the same endpoint, too."""
        one, other = Health(tmp_path, Clock()), Health(tmp_path, Clock())
        for health in (one, other):
            health.learn(A, Memory(faults={"RESET": 1.0}))
        other.learn(B, SOME)
        one.save()
        other.save()
        assert set(written(tmp_path)) == {A_KEY, f"endpoint {B.address}"}
        assert Health(tmp_path, Clock()).recall(A).faults == {"RESET": 2.0}

    def test_old_and_many_entries(self, tmp_path: Path) -> None:
        """The file does not grow: the oldest go, and whatever was not told for a month."""
        clock = Clock()
        health = Health(tmp_path, clock)
        for number in range(MAX_ENTRIES + 20):
            clock.now += 1
            health.learn(Endpoint(f"https://{number}.test"), SOME)
        health.save()
        assert len(written(tmp_path)) == MAX_ENTRIES
        assert "endpoint https://0.test" not in written(tmp_path)
        clock.now += KEPT_S
        health.learn(A, SOME)
        health.save()
        assert set(written(tmp_path)) == {A_KEY}

    def test_a_place_that_cannot_be_written(self, tmp_path: Path) -> None:
        """Where the file cannot be written the call does not mind, and the process still knows."""
        (tmp_path / "file").write_text("")
        health = Health(tmp_path / "file", Clock())
        health.learn(A, SOME)
        health.save()
        assert health.recall(A).connect_s == 0.3
        assert (health.claim(A), health.forget()) == (False, False)


def row(**more: object) -> dict[str, object]:
    """One row as it is written, with something else in it."""
    return {"connect": [1.0, 0.3, 0.3], "told_at": NOW, **more}


def file_with(one: object, version: object = 2) -> str:
    """A file that tells this of A."""
    return json.dumps({"version": version, "hosts": {A_KEY: one}})


NAMES = st.sampled_from([field.name for field in fields(Memory)] + ["RESET", "WRONG_DIGEST", "x"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([1.0, 0.3, 0.3])
HOSTILE = {
    "empty": "",
    "cut off": '{"version": 2, "hosts": {',
    "a list": "[]",
    "null": "null",
    "text": '"a"',
    "no UTF-8": "\xff\xfe",
    "deep": "[" * 100_000,
    "long": '{"version": 2, "hosts": {' + " " * (1 << 20) + "}}",
    "the first version": json.dumps({A.address: {"connect_s": 0.3}}),
    "a later version": file_with(row(), version=3),
    "hosts that are none": json.dumps({"version": 2, "hosts": [row()]}),
    "a row that is null": file_with(None),
    "a row that is a list": file_with([]),
    "a figure that is one number": file_with(row(connect=0.3)),
    "a figure of two": file_with(row(connect=[1.0, 0.3])),
    "a figure of texts": file_with(row(connect=["1", "2", "3"])),
    "a figure of truths": file_with(row(connect=[True, True, True])),
    "NaN": file_with(row(connect=[1.0, float("nan"), 0.3])),
    "Infinity": file_with(row(connect=[1.0, float("inf"), 0.3])),
    "a negative figure": file_with(row(connect=[1.0, -0.3, 0.3])),
    "a huge figure": file_with(row(connect=[1.0, 1e300, 0.3])),
    "a mean beyond all bounds": file_with(row(connect=[5e-324, 1e15, 0.3])),
    "a long number": file_with(row(told_at=0)).replace('"told_at": 0', '"told_at": ' + "9" * 5000),
    "a fault that is none": file_with(row(faults={"GREED": 1.0})),
    "faults that are a list": file_with(row(faults=["RESET"])),
    "a count that is a text": file_with(row(faults={"RESET": "1"})),
    "a truth that is a number": file_with(row(takes_range=1)),
    "an origin that is a number": file_with(row(large_from=1)),
    "an origin with a line's end": file_with(row(large_from="https://large.test\n")),
    "a very long origin": file_with(row(large_from="https://" + "a" * 5000)),
    "an origin of another kind": file_with(row(large_from="ftp://large.test")),
    "the future": file_with(row(gone_at=NOW + AHEAD_S + 1)),
    "a time that is a text": file_with(row(gone_at="now")),
}


class TestHostile:
    @pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
    def test_a_damaged_file(self, text: str, tmp_path: Path) -> None:
        """Whatever is not of our making is not known, harms nobody, and is written over."""
        (tmp_path / "health.json").write_text(text, encoding="latin-1")
        health = Health(tmp_path, Clock())
        assert health.recall(A) == Memory(told_at=NOW)
        assert not health.recall(A).is_gone
        health.learn(B, SOME)
        health.save()
        assert Health(tmp_path, Clock()).recall(B).connect_s == 0.3

    @given(st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner)))
    def test_anything(self, value: object) -> None:
        """Whatever JSON holds for a row, it is read as a memory whose figures make sense, or not at all."""
        memory = find_memory(value, NOW)
        if memory is not None:
            figures = (memory.connect_s, memory.first_byte.mean, memory.bytes_per_s, *memory.faults.values())
            assert all(0 <= figure < float("inf") for figure in figures)
            assert max(memory.heard_at, memory.gone_at, memory.told_at) <= NOW + AHEAD_S
            assert find_memory(json.loads(json.dumps(row_of(memory))), NOW) == memory

    def test_one_bad_row_among_good_ones(self, tmp_path: Path) -> None:
        """What is beside a damaged row stays, and so does a row in which there is something unknown."""
        rows = {
            A_KEY: row(colour="blue"),
            f"endpoint {B.address}": row(told_at="now"),
            "x" * 2000: row(),
            "a\nb": row(),
        }
        (tmp_path / "health.json").write_text(json.dumps({"version": 2, "hosts": rows}))
        health = Health(tmp_path, Clock())
        assert (health.recall(A).connect_s, health.recall(B).connect_s) == (0.3, 0.0)
        health.learn(A, SOME)
        health.save()
        assert set(written(tmp_path)) == {A_KEY}

    @pytest.mark.skipif(sys.platform == "win32", reason="there are no such files")
    @pytest.mark.parametrize("name", ["health.json", "health-0123456789abcdef.json", "health.lock"])
    @pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
    def test_planted_files(self, name: str, kind: str, tmp_path: Path) -> None:
        """A link is not followed, a pipe holds nobody up, a folder breaks nothing; what a link names stays as it is."""
        target, folder = tmp_path / "target", tmp_path / "state"
        target.write_text(file_with(row()))
        folder.mkdir()
        if kind == "link":
            (folder / name).symlink_to(target)
        elif kind == "pipe":
            os.mkfifo(folder / name)
        else:
            (folder / name).mkdir()
        health = Health(folder, Clock())
        assert health.recall(A) == Memory(told_at=NOW)
        health.learn(B, SOME)
        health.save()
        assert health.recall(B).connect_s == 0.3
        assert target.read_text() == file_with(row())


WRITERS = """
import sys
from pathlib import Path
from mirrorhub import Endpoint
from mirrorhub.health import Health
from mirrorhub.health.memory import Memory

sys.stdin.readline()
for number in range(20):
    health = Health(Path(sys.argv[1]), lambda: 1_000_000.0)
    health.learn(Endpoint("https://a.test/hub"), Memory(faults={"RESET": 1.0}))
    health.learn(Endpoint(f"https://{sys.argv[2]}.test"), Memory(faults={"BUSY": 1.0}))
    health.save()
assert "asyncio" not in sys.modules and "httpx" not in sys.modules
"""


class TestManyProcesses:
    def test_nothing_is_lost(self, tmp_path: Path) -> None:
        """Four processes that save twenty times each at the same time all count, and leave one whole file."""
        command = [sys.executable, "-W", "error", "-c", WRITERS, str(tmp_path)]
        writers = [subprocess.Popen([*command, f"w{n}"], stdin=subprocess.PIPE, text=True) for n in range(4)]
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.close()
        assert [writer.wait(50) for writer in writers] == [0] * 4
        health = Health(tmp_path, Clock())
        assert health.recall(A).faults == {"RESET": 80.0}
        assert [health.recall(Endpoint(f"https://w{n}.test")).faults for n in range(4)] == [{"BUSY": 20.0}] * 4
        health.learn(B, SOME)
        health.save()
        assert {path.name for path in tmp_path.iterdir()} == {"health.json", "health.lock"}
        assert Health(tmp_path, Clock()).recall(A).faults == {"RESET": 80.0}

    @pytest.mark.skipif(sys.platform == "win32", reason="there is no fcntl")
    def test_a_lock_that_is_never_let_go(self, tmp_path: Path) -> None:
        """Where somebody holds the lock for ever nobody waits: additions lie beside the file, count, and stay few."""
        import fcntl

        with (tmp_path / "health.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            health = Health(tmp_path, Clock())
            health.learn(A, Memory(faults={"RESET": 1.0}))
            health.save()
            (addition,) = tmp_path.glob("health-*.json")
            for number in range(MAX_ADDITIONS - 5):
                shutil.copy(addition, tmp_path / f"health-{number:016x}.json")
            for _ in range(10):
                health = Health(tmp_path, Clock())
                health.learn(A, Memory(faults={"RESET": 1.0}))
                health.save()
            assert health.claim(A) is False
            assert Health(tmp_path, Clock()).recall(A).faults == {"RESET": float(MAX_ADDITIONS)}
        health.learn(A, Memory(faults={"RESET": 1.0}))
        health.save()
        assert Health(tmp_path, Clock()).recall(A).faults == {"RESET": MAX_ADDITIONS + 1.0}
        assert len(list(tmp_path.iterdir())) == 2


class TestClaims:
    def test_one_at_a_time(self, tmp_path: Path) -> None:
        """A dead endpoint is left in peace for a while; then one process asks it, and the next one after that one."""
        clock = Clock()
        health = Health(tmp_path, clock)
        health.learn(A, gone())
        health.save()
        one, other = Health(tmp_path, clock), Health(tmp_path, clock)
        assert [health.claim(A) for health in (one, other)] == [False, False]
        clock.now += QUIET_S
        assert one.is_due(one.recall(A))
        assert [health.claim(A) for health in (one, other)] == [True, False]
        clock.now += LEASE_S
        assert [health.claim(A) for health in (other, one)] == [True, False]

    def test_whom_nobody_need_ask(self, tmp_path: Path) -> None:
        """Whoever lives, or is not known, is not claimed."""
        health = Health(tmp_path, Clock())
        health.learn(A, SOME)
        health.save()
        assert [health.claim(A), health.claim(B), health.claim(A, "https://large.test")] == [False] * 3

    def test_a_data_host(self, tmp_path: Path) -> None:
        """A data host is claimed under its own name."""
        clock = Clock()
        health = Health(tmp_path, clock)
        health.learn_host("https://large.test", gone())
        health.save()
        clock.now += QUIET_S
        assert [health.claim(A, "https://large.test"), health.claim(B, "https://large.test")] == [True, False]


class TestForgetting:
    def test_everything(self, tmp_path: Path) -> None:
        """Everything is forgotten, also what waits beside the file."""
        health = Health(tmp_path, Clock())
        for endpoint in (A, B):
            health.learn(endpoint, SOME)
        health.save()
        assert health.forget()
        assert [health.recall(A), Health(tmp_path, Clock()).recall(B)] == [Memory(told_at=NOW)] * 2

    def test_one(self, tmp_path: Path) -> None:
        """Of one endpoint its data hosts are forgotten, too, and of others nothing."""
        health = Health(tmp_path, Clock())
        for endpoint in (A, B):
            health.learn(endpoint, SOME)
        health.learn_host("https://large.test:8443", gone())
        health.learn(B, replace(SOME, large_from="https://other.test"))
        health.save()
        assert health.forget([A])
        assert set(written(tmp_path)) == {f"endpoint {B.address}"}
