"""Compare downloads by mirrorhub, huggingface_hub, modelscope, curl and aria2c on one machine, in one run.

    python -m benchmarks.speed [--quick] [--only far,near] [--json FILE] [--page docs/results]

Every client meets the same nginx over the same line, turn and turn about, each run in a process of its own with an
empty cache; what is compared is the time of the whole process. Needs nginx, and for lines of a round trip root and
iproute2 (and gcc, where the kernel has no netem); what cannot be run here is left out, and said. `--page` writes the
results page from what was measured, or with `--from FILE ...` from earlier runs' JSON: where several have a scenario,
the last file's counts.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.speed import results
from benchmarks.speed.lines import why_not
from benchmarks.speed.scenarios import SCENARIOS, Scenario
from benchmarks.speed.trace import trace
from benchmarks.speed.track import measure


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.speed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer runs, and none of the long scenarios")
    parser.add_argument("--only", metavar="NAMES", help=f"of {', '.join(one.name for one in SCENARIOS)}")
    parser.add_argument("--runs", type=int, help="how often, whatever the scenario says")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument("--trace", action="store_true", help="show when the server was asked and had answered, instead")
    parser.add_argument("--page", type=Path, metavar="FOLDER", help="write the results page and its plots")
    parser.add_argument(
        "--from", dest="earlier", type=Path, nargs="+", metavar="FILE", help="measure nothing: read this"
    )
    arguments = parser.parse_args()
    if arguments.trace:
        for scenario, _ in chosen(arguments):
            print(trace(scenario))
        return
    whole = results.joined(reports(arguments))
    print(f"\n{results.goal_table(whole)}")
    if arguments.page:
        from benchmarks.speed.page import write_page  # matplotlib is needed for nothing else

        write_page(whole, arguments.page)


def reports(arguments: argparse.Namespace) -> Iterator[results.Report]:
    """Yield what was measured earlier; or measure, show what came of each scenario, and write it down at once."""
    for path in arguments.earlier or ():
        yield json.loads(path.read_text())
    scenarios = []
    for one in map(results.summary, measure([] if arguments.earlier else chosen(arguments))):
        print(results.scenario_table(one), flush=True)
        scenarios.append(one)
        report = results.report(scenarios, quick=arguments.quick)
        if arguments.json:
            arguments.json.write_text(json.dumps(report, indent=1) + "\n")
        yield report


def chosen(arguments: argparse.Namespace) -> list[tuple[Scenario, int]]:
    """Choose the scenarios that can be run here, and how often."""
    if not shutil.which("nginx"):
        sys.exit("nginx is needed: bodies come from a real server, so that the client is what is measured")
    names = arguments.only.split(",") if arguments.only else [one.name for one in SCENARIOS]
    if unknown := set(names) - {one.name for one in SCENARIOS}:
        sys.exit(f"no such scenario: {', '.join(sorted(unknown))}")
    plan = []
    for scenario in SCENARIOS:
        runs = arguments.runs or (scenario.quick_runs if arguments.quick else scenario.runs)
        if scenario.name not in names or not runs:
            continue
        if scenario.lines and (reason := why_not()):
            print(f"{scenario.name}: left out: {reason}")
        else:
            plan.append((scenario, runs))
    return plan


if __name__ == "__main__":
    main()
