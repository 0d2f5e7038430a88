"""Offline, as the kernel sees it: a network namespace with nothing but lo, and a record of every system call."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirrorhub.vad import sample_path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("strace"),
        reason="needs Linux, root, iproute2 and strace",
    ),
]
PROGRAM = "import sys; from mirrorhub import load_vad; print(len(load_vad()(sys.argv[1])))"
CALLS = "trace=socket,connect,sendto,sendmsg"


@pytest.fixture
def namespace() -> Iterator[str]:
    """A network namespace with nothing but lo."""
    name = f"mirrorhub-{secrets.token_hex(4)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "netns", "exec", name, "ip", "link", "set", "lo", "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def run(namespace: str, trace: Path, cache: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Detect the packaged sample in the namespace; every network system call is written to `trace`."""
    inside = ["ip", "netns", "exec", namespace, "strace", "-f", "-e", CALLS, "-o", str(trace)]
    return subprocess.run(
        [*inside, sys.executable, "-c", PROGRAM, str(sample_path())],
        env={**os.environ, "MODELSCOPE_CACHE": str(cache), **environment},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_a_cached_model_offline(namespace: str, model_dir: Path, tmp_path: Path) -> None:
    """With the model in the cache no internet socket is made, nothing is connected to, no name is looked up."""
    done = run(namespace, tmp_path / "trace", model_dir.parents[3], MIRRORHUB_OFFLINE="1")
    assert (done.returncode, done.stdout.strip()) == (0, "3"), done.stderr
    assert not re.findall(r"AF_INET6?|connect\(", (tmp_path / "trace").read_text())


def test_a_missing_model_offline(namespace: str, tmp_path: Path) -> None:
    """Without the model the answer is an error that says what to do, and still no socket."""
    done = run(namespace, tmp_path / "trace", tmp_path / "empty", MODELSCOPE_OFFLINE="True")
    assert done.returncode == 1
    assert "NotCachedError" in done.stderr
    assert "mirrorhub download" in done.stderr
    assert not re.findall(r"AF_INET6?|connect\(", (tmp_path / "trace").read_text())
