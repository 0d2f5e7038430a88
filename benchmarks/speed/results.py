"""From runs to medians, ratios and tables."""

from __future__ import annotations

import datetime
import io
import os
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed import clients, lines
from benchmarks.speed.clients import Run
from benchmarks.speed.scenarios import SCENARIOS, Goal
from benchmarks.speed.track import Measured

ORDER = [scenario.name for scenario in SCENARIOS]
ROUND_TRIPS = 4
"""What nobody can save who starts cold: TCP, TLS, a listing, and the first body."""
_SYSCTL = ("tcp_congestion_control", "tcp_rmem", "tcp_wmem")
Report = Mapping[str, Any]


def report(scenarios: Iterable[Report], *, quick: bool) -> Report:
    """Put together everything that was measured, and on what."""
    settings = {name: _read(f"/proc/sys/net/ipv4/{name}") for name in _SYSCTL}
    return {
        "scenarios": list(scenarios),
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "quick": quick,
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, {platform.machine()}",
        "lines": lines.kind() if lines.why_not() is None else "none",
        "settings": settings | {"HTTP/2 stream and connection window of mirrorhub": _windows()},
        "versions": clients.versions(),
    }


def joined(several: Iterable[Report]) -> Report:
    """Put several runs of the benchmark together: of a scenario that several have, the last one's counts."""
    whole: dict[str, Any] = {}
    scenarios: dict[str, Report] = {}
    for one in several:
        whole |= one
        scenarios |= {scenario["name"]: {"when": one["when"], **scenario} for scenario in one["scenarios"]}
    return whole | {"scenarios": [scenarios[name] for name in ORDER if name in scenarios]}


def summary(measured: Measured) -> Report:
    """Draw a scenario's runs together."""
    scenario = measured.scenario
    by_label: dict[str, list[Run]] = {}
    for run in measured.runs:
        by_label.setdefault(run.client, []).append(run)
    rows = {label: _row(runs) for label, runs in by_label.items()}
    # The best line that leads anywhere is what bounds the whole.
    line = max(scenario.lines.values(), key=lambda line: line.megabits, default=None)
    return {
        "name": scenario.name,
        "title": scenario.title,
        "lines": {server: str(line) for server, line in scenario.lines.items()},
        "size": measured.size,
        "bound_s": line.least_s(measured.size, ROUND_TRIPS) if line else None,
        "redirects": scenario.redirects,
        "rows": rows,
        "goals": [_goal(goal, rows) for goal in scenario.goals if goal.entry in rows],
    }


def scenario_table(one: Report) -> str:
    """Show a scenario's medians and spread. On a line a client's CPU and memory are not the question."""
    figures = [name for name in _FIGURES if any(name in row["medians"] for row in one["rows"].values())]
    figures = [name for name in figures if name not in _AT_HOME or not one["lines"]]
    cold = cold_labels(one["name"])
    head = ["", "runs", *(_FIGURES[name][0] for name in figures), "least - most s", "x bound", "failures"]
    body = []
    for label, row in one["rows"].items():
        medians = row["medians"]
        bounded = one["bound_s"] and "seconds" in medians and label in cold
        bound = f"{medians['seconds'] / one['bound_s']:.2f}" if bounded else ""
        spread = f"{row['least_s']:.2f} - {row['most_s']:.2f}" if "seconds" in medians else ""
        cells = [_FIGURES[name][1].format(medians[name]) if name in medians else "" for name in figures]
        body.append([label, str(row["runs"]), *cells, spread, bound, str(row["failures"] or "")])
    bound = f"; bound {one['bound_s']:.2f} s" if one["bound_s"] else ""
    between = ", ".join(f"{server}: {line}" for server, line in one["lines"].items()) or "loopback"
    title = f"{one['name']}: {one['title']} ({between}; {one['size'] / 1e6:.1f} MB{bound})"
    return f"\n{title}\n\n{table(head, body)}\n"


def cold_labels(name: str) -> set[str]:
    """Return whom a scenario's bound is for: who starts cold, asks for a listing and brings everything."""
    entries = [entry for scenario in SCENARIOS if scenario.name == name for entry in scenario.entries]
    return {entry.label for entry in entries if entry.is_cold}


def goal_table(whole: Report) -> str:
    """Show every goal, and what came of it; where nobody could be compared it is not met."""
    body = [
        [one["name"], _words(goal), _figure(goal["value"]), _figure(goal["limit"]), "yes" if goal["met"] else "NO"]
        for one in whole["scenarios"]
        for goal in one["goals"]
    ]
    return table(["scenario", "figure", "measured", "goal, at most", "met"], body)


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """Set a table that reads well in a terminal, and is Markdown."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    rows = Table(*head, box=box.MARKDOWN)
    for cells in body:
        rows.add_row(*map(escape, cells))
    out = io.StringIO()
    Console(file=out, width=240, color_system=None).print(rows)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).strip("\n")


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


_AT_HOME = ("cpu_s", "peak_mb")
_FIGURES = {
    "seconds": ("median s", "{:.2f}"),
    "heard_s": ("first result s", "{:.2f}"),
    "again_s": ("again s", "{:.4f}"),
    "beside_listing_s": ("beside listing s", "{:.4f}"),
    "cpu_s": ("CPU s", "{:.2f}"),
    "peak_mb": ("peak MB", "{:.0f}"),
}


def _row(runs: Sequence[Run]) -> Report:
    good = [run for run in runs if not run.failure]
    figures = {name: [run.figures[name] for run in good if name in run.figures] for name in _FIGURES}
    figures["seconds"] = [run.seconds for run in good]
    return {
        "runs": len(runs),
        "failures": len(runs) - len(good),
        "words": sorted({run.failure for run in runs if run.failure}),
        "medians": {name: statistics.median(values) for name, values in figures.items() if values},
        "least_s": min(figures["seconds"], default=None),
        "most_s": max(figures["seconds"], default=None),
        "every_s": figures["seconds"],
    }


def _goal(goal: Goal, rows: Mapping[str, Report]) -> Report:
    value = _value(goal, rows)
    met = value is not None and value <= goal.limit
    return {
        "entry": goal.entry,
        "against": goal.against,
        "figure": goal.figure,
        "unit": goal.unit,
        "limit": goal.limit,
        "value": value,
        "met": met,
    }


def _value(goal: Goal, rows: Mapping[str, Report]) -> float | None:
    if goal.figure == "failures":
        return float(rows[goal.entry]["failures"])
    own = rows[goal.entry]["medians"].get(goal.figure)
    if goal.unit == "at most" or own is None:
        return own if own is None else float(own)
    other = rows.get(goal.against, {"medians": {}})["medians"].get(goal.figure)
    if other is None:
        return None
    return float(own - other if goal.unit == "more" else own / other)


def _words(goal: Report) -> str:
    match goal["unit"]:
        case "ratio":
            return f"{goal['figure']}: {goal['entry']} / {goal['against']}"
        case "more":
            return f"{goal['figure']} more: {goal['entry']} - {goal['against']}"
        case _:
            return f"{goal['figure']}: {goal['entry']}"


def _windows() -> str:
    from mirrorhub.http.curl_options import CONNECTION_WINDOW, STREAM_WINDOW

    return f"{STREAM_WINDOW >> 20} MiB, {CONNECTION_WINDOW >> 20} MiB"


def _read(path: str) -> str:
    try:
        return " ".join(Path(path).read_text().split())
    except OSError:
        return "unknown"
