"""Many kills, many processes, many calls: the benchmarks of benchmarks/resilience, short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")]


def run(name: str, *arguments: str) -> None:
    """Run one of them; what it prints is shown where it finds something."""
    command = [sys.executable, "-m", f"benchmarks.resilience.{name}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(180)
def test_killed_again_and_again() -> None:
    """After each of many kills the next process asks for nothing that was on disk, and in the end all is right."""
    run("kill", "--kills", "15")


@pytest.mark.timeout(180)
def test_together() -> None:
    """Many processes on a cold cache fetch each byte once, and go on when the one that fetches is killed."""
    run("together", "--processes", "8")


@pytest.mark.timeout(180)
def test_steady() -> None:
    """Neither descriptors nor threads nor memory grow with the number of calls."""
    run("steady", "--calls", "160")
