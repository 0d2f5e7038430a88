"""Whose something is, and whether its owner may still write to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirrorhub.owner import QUIET_S, is_alive, own_name

PROGRAM = """
from mirrorhub.owner import own_name
print(own_name(), flush=True)
input()
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Something that has just been written."""
    place = tmp_path / "thing"
    place.write_text("x")
    return place


@pytest.fixture
def other() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that lives, and its name."""
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        process.kill()


def long_ago(place: Path) -> None:
    """Let the last write have been longer ago than a living owner would leave it."""
    before = place.stat().st_mtime - QUIET_S - 5
    os.utime(place, (before, before))


def test_myself(place: Path) -> None:
    """This process owns what it names, and no two names are the same."""
    assert is_alive(own_name(), place)
    assert own_name() != own_name()


def test_another_process(place: Path, other: tuple[subprocess.Popen[str], str]) -> None:
    """A process owns what it has named as long as it lives."""
    process, name = other
    assert is_alive(name, place)
    process.kill()
    process.wait()
    assert not is_alive(name, place)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system does not say how processes are")
def test_killed_and_not_asked_for(place: Path, other: tuple[subprocess.Popen[str], str]) -> None:
    """A process that was killed owns nothing, though its parent has not asked yet how it ended."""
    process, name = other
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(name, place)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system does not say when processes began")
def test_a_number_that_was_given_again(place: Path, other: tuple[subprocess.Popen[str], str]) -> None:
    """A process that began at another time is another process, whatever its number."""
    _, name = other
    host, process, token = name.split("-")
    pid, _, start = process.partition("x")
    assert not is_alive(f"{host}-{pid}x{int(start) - 1}-{token}", place)


def test_another_boot_or_container(place: Path) -> None:
    """Of another boot, container or host nobody can say: it is alive until nothing was written for a while."""
    host, process, token = own_name().split("-")
    name = f"{host[:-8]}00000000-{process}-{token}"
    assert is_alive(name, place)
    long_ago(place)
    assert not is_alive(name, place)


@pytest.mark.parametrize("name", ["free-1234", "", "host", "a-b"])
def test_nobody(name: str, place: Path) -> None:
    """A name that is no owner's is nobody's."""
    assert not is_alive(name, place)


def test_mine_from_before(place: Path) -> None:
    """What bears this process's number and not its token is an earlier process's."""
    host, process, _ = own_name().split("-")
    assert not is_alive(f"{host}-{process}-0000000000000000", place)
