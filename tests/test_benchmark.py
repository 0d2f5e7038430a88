"""The benchmark against the peers: its sums are right, and it runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.speed.clients import Run
from benchmarks.speed.lines import Line
from benchmarks.speed.results import goal_table, joined, scenario_table, summary
from benchmarks.speed.scenarios import SCENARIOS, Entry, Goal, Scenario
from benchmarks.speed.track import Measured

ROOT = Path(__file__).parents[1]
OURS, THEIRS = Entry("ours", "mirrorhub"), Entry("theirs", "modelscope")


def measured(*runs: Run, goals: tuple[Goal, ...] = ()) -> Measured:
    """A scenario of 12.5 MB over a line of 0.1 s and 100 Mbit/s, with these runs."""
    scenario = Scenario("far", "a far line", "a/b", (OURS, THEIRS), goals, {"main": Line(0.1, 100)})
    return Measured(scenario, 12_500_000, runs)


def test_medians_and_the_bound() -> None:
    """Failed runs count as failures and not as times; the bound is the bytes at full rate and four round trips."""
    runs = [Run("ours", seconds) for seconds in (3.0, 1.0, 2.0)]
    told = summary(measured(*runs, Run("ours", 600.0, failure="not done")))
    row = told["rows"]["ours"]
    assert (row["medians"]["seconds"], row["least_s"], row["most_s"]) == (2.0, 1.0, 3.0)
    assert (row["runs"], row["failures"], row["words"]) == (4, 1, ["not done"])
    assert told["bound_s"] == pytest.approx(1.4)
    assert "| ours | 4    | 2.00" in scenario_table(told)


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [
        (Goal("ours", 0.5, "theirs"), 0.5, True),
        (Goal("ours", 0.4, "theirs"), 0.5, False),
        (Goal("ours", 1.0, "theirs", unit="more"), -2.0, True),
        (Goal("ours", 0.5, "theirs", "cpu_s"), 3.0, False),
        (Goal("ours", 150, figure="peak_mb", unit="at most"), 99.0, True),
        (Goal("ours", 0, figure="failures", unit="at most"), 0.0, True),
        (Goal("ours", 1.0, "nobody"), None, False),
    ],
    ids=str,
)
def test_goals(goal: Goal, value: float | None, met: bool) -> None:
    """A goal is a ratio, a difference or a number; without a figure to compare with it is not met."""
    figures = {"cpu_s": 3.0, "peak_mb": 99.0}
    told = summary(measured(Run("ours", 2.0, figures), Run("theirs", 4.0, {"cpu_s": 1.0}), goals=(goal,)))
    assert (told["goals"][0]["value"], told["goals"][0]["met"]) == (value, met)


def test_runs_that_are_put_together() -> None:
    """Of a scenario that was measured twice the later runs count."""
    first, second = (
        {"scenarios": [summary(measured(Run("ours", seconds)))], "when": when}
        for seconds, when in ((1.0, "then"), (2.0, "now"))
    )
    whole = joined([first, second])
    assert whole["when"] == "now"
    assert [one["rows"]["ours"]["medians"]["seconds"] for one in whole["scenarios"]] == [2.0]
    assert "scenario" in goal_table(whole)


def test_every_goal_is_about_somebody() -> None:
    """Each goal names entries that its scenario has."""
    for scenario in SCENARIOS:
        labels = {entry.label for entry in scenario.entries}
        assert {goal.entry for goal in scenario.goals} <= labels
        assert {goal.against for goal in scenario.goals if goal.against} <= labels


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.skipif(not shutil.which("nginx"), reason="needs nginx")
def test_it_runs(tmp_path: Path) -> None:
    """A scenario without a line is measured from end to end, and the page is written."""
    command = [sys.executable, "-m", "benchmarks.speed", "--only", "on-disk", "--runs", "1", "--json", "speed.json"]
    subprocess.run(
        [*command, "--page", "page"],
        cwd=tmp_path,
        env={"PATH": "/usr/sbin:/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        check=True,
    )
    told = json.loads((tmp_path / "speed.json").read_text())
    assert [one["name"] for one in told["scenarios"]] == ["on-disk"]
    assert not any(row["failures"] for one in told["scenarios"] for row in one["rows"].values())
    assert {path.name for path in (tmp_path / "page").iterdir()} == {"speed.md", "speed.zh-CN.md"}
