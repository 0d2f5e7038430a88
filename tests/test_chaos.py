"""Under any mix of faults the call ends with the right bytes or a documented error, and nothing wrong is ever seen.

A selection of schedules: some with every run, more with the slow tests. `python -m benchmarks.chaos` runs as many as
one likes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from tests.chaos.drawing import drawn
from tests.chaos.oracle import Before, Verdict, verdict
from tests.chaos.run import run
from tests.chaos.schedule import LIMIT_S, Call, Damage, File, Host, Schedule, replayed
from tests.fakehub import faults as f
from tests.fakehub.rules import Rule

SELECTED = [*range(5), *(pytest.param(number, marks=pytest.mark.slow) for number in range(5, 130))]
FILE = File("a.bin", 1000, "a")
OTHER = File("b.txt", 10, "b")
FILES = (FILE, OTHER)


@pytest.mark.parametrize("number", SELECTED)
def test_a_schedule(number: int, tmp_path: Path) -> None:
    """Right bytes or a documented error, in time, success where it is possible, and nothing left behind."""
    schedule = drawn(number)
    assert run(schedule, tmp_path).problems == [], schedule


def test_a_schedule_is_its_repr() -> None:
    """What is printed of a schedule that failed makes it again."""
    call = Call(((Rule(f.Status(500, 1), "a.bin", 2, 1),),), (FILE,), (Damage("flip", 3),), 0.5)
    schedule = Schedule("huggingface", "httpx", (FILE, OTHER), (Host(pulls=True, http=("http/1.1",)),), (call,))
    assert schedule == replayed(repr(schedule))


def test_a_schedule_is_that_of_its_number() -> None:
    """What is drawn depends on the number alone, not on the modules that are loaded."""
    program = "from tests.chaos.drawing import drawn; print([drawn(number) for number in range(20)])"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == repr([drawn(number) for number in range(20)])


def over(hosts: tuple[Host, ...], carrier: Literal["curl", "httpx"] = "curl") -> Schedule:
    """A schedule with these endpoints."""
    return Schedule("modelscope", carrier, FILES, hosts, ())


SUCCESS, FAILURE, EITHER = Verdict.SUCCESS, Verdict.FAILURE, Verdict.EITHER
REFUSES, BROKEN, HANGS = (Rule(f.RefuseConnection()),), (Rule(f.Status(500)),), (Rule(f.HangBeforeAnswer(), "body"),)

# What is wrong at each endpoint; what must come of the first call.
TABLE = [
    ("nothing", [()], SUCCESS),
    ("one of two refuses", [REFUSES, ()], SUCCESS),
    ("both refuse", [REFUSES, REFUSES], FAILURE),
    ("one lists, the other gives", [HANGS, (Rule(f.Status(500), "listing"),)], SUCCESS),
    ("nobody gives", [HANGS, HANGS], FAILURE),
    ("one file only is refused", [(Rule(f.Status(500), "a.bin"),)], FAILURE),
    ("heals", [(Rule(f.Status(503, 1), None, 2), Rule(f.Reset(), "body", 2))], SUCCESS),
    ("heals too late", [(Rule(f.Status(503), None, 5),)], EITHER),
    ("parked for too long", [(Rule(f.Status(429, 30), None, 1),)], EITHER),
    ("a login page once", [(Rule(f.Html(), "listing", 1),)], EITHER),
    ("wrong bytes once", [(Rule(f.Alter(), None, 1),)], EITHER),
    ("wrong bytes always", [(Rule(f.Alter()),)], FAILURE),
    ("wrong bytes beyond the end", [(Rule(f.Alter(1000)),)], SUCCESS),
    ("wrong bytes at one of two", [(Rule(f.Alter()),), ()], SUCCESS),
    ("wrong bytes once at the only one that works", [(Rule(f.Alter(), None, 1),), BROKEN], EITHER),
    ("silent once, and alone", [(Rule(f.HangBeforeAnswer(), "body", 1),)], EITHER),
    ("silent once, with another", [(Rule(f.HangBeforeAnswer(), "body", 1),), BROKEN], SUCCESS),
    ("ends early each time", [(Rule(f.Truncate(to=10)),)], EITHER),
    ("ends after the end", [(Rule(f.Reset(after_bytes=5000), "body"),)], SUCCESS),
    ("crawls", [(Rule(f.Drip(10)),)], EITHER),
    ("crawls beside a good one", [(Rule(f.Drip(10)),), ()], SUCCESS),
    ("no digests, and breaks off", [(Rule(f.NoDigests()), Rule(f.RstStream(), "b.txt")), ()], EITHER),
    ("no digests, and all its bytes", [(Rule(f.NoDigests()),), BROKEN], SUCCESS),
]


@pytest.mark.parametrize(("faults", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_oracle(faults: list[tuple[Rule, ...]], expected: Verdict) -> None:
    """What must come of a call follows from what is wrong at its endpoints."""
    hosts = (Host(),) * len(faults)
    before = Before(stale=False, missing=(FILE, OTHER))
    assert expected is verdict(over(hosts), Call(tuple(faults)), before, FILES)


def test_the_oracle_knows_redirects() -> None:
    """What happens to the bytes at an endpoint that redirects them may happen to nobody; a refusal does."""
    before = Before(stale=False, missing=(FILE,))
    hosts = (Host(redirects=True),)
    assert verdict(over(hosts), Call(((Rule(f.Alter()),),)), before, FILES) is EITHER
    assert verdict(over(hosts), Call(((Rule(f.Status(500), "body"),),)), before, FILES) is FAILURE


def test_the_oracle_knows_carriers() -> None:
    """A stream limit that is lowered harms nobody over one carrier, and may over the other."""
    before, call = Before(stale=False, missing=FILES), Call(((Rule(f.LowerStreamLimit(1)),),))
    assert verdict(over((Host(),), "curl"), call, before, FILES) is SUCCESS
    assert verdict(over((Host(),), "httpx"), call, before, FILES) is EITHER


def test_the_oracle_knows_the_disk() -> None:
    """A whole snapshot will do where nobody serves what is new, and what is there needs nobody who gives it."""
    old, here, hurt = Before(True, (OTHER,)), Before(True, ()), Before(False, (OTHER,))

    def said(before: Before, *rules: Rule, limit_s: float = LIMIT_S) -> Verdict:
        return verdict(over((Host(),)), Call((rules,), limit_s=limit_s), before, FILES)

    assert said(here, *REFUSES) is said(old, *REFUSES) is said(old, *HANGS) is Verdict.STALE
    assert said(hurt, *REFUSES) is said(hurt, *HANGS) is FAILURE
    assert said(here, *HANGS) is said(hurt, Rule(f.Status(500), "a.bin")) is SUCCESS
    assert said(old, Rule(f.Status(403), "body")) is said(old, Rule(f.Alter())) is EITHER
    assert said(here, limit_s=0.1) is said(old, *HANGS, limit_s=0.1) is EITHER
    assert said(hurt, *HANGS, limit_s=0.1) is FAILURE
