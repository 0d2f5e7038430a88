"""A machine without a network gets everything in one file: seen by the kernel, as a user without rights."""

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

from mirrorhub.api import FSMN_VAD
from mirrorhub.vad import sample_path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0 or not all(map(shutil.which, ("ip", "strace", "setpriv"))),
        reason="needs Linux, root, iproute2, strace and setpriv",
    ),
]
ROOT = Path(__file__).parents[2]
NOBODY = 54321
PATH = "/usr/local/bin:/usr/bin:/bin"
PROGRAM = "import sys; from mirrorhub import load_vad; print(len(load_vad(local_files_only=True)(sys.argv[1])))"
SDK = f"import modelscope; print(modelscope.snapshot_download({FSMN_VAD!r}, local_files_only=True))"


class Cell:
    """Somebody's machine: a network namespace with nothing but lo, a home with nothing in it, no environment."""

    def __init__(self, namespace: str, folder: Path) -> None:
        self._namespace, self.folder = namespace, folder
        self.sockets = self.connections = 0

    def run(self, *command: str, variables: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run something there, and count the internet sockets that it and its children make."""
        trace = self.folder / f"trace-{secrets.token_hex(4)}"
        user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        bare = ["env", "-i", f"HOME={self.folder}", f"PATH={PATH}", "LANG=C.UTF-8", *variables]
        watched = ["strace", "-f", "--seccomp-bpf", "-e", "trace=socket,connect", "-o", str(trace)]
        done = subprocess.run(
            ["ip", "netns", "exec", self._namespace, *user, *bare, *watched, *command],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        told = trace.read_text()
        self.sockets += len(re.findall(r"socket\(AF_INET6?\b", told))
        self.connections += told.count("connect(")
        return done


@pytest.fixture
def cell() -> Iterator[Cell]:
    """A machine without a network, and a user without rights on it."""
    name, folder = f"mirrorhub-{secrets.token_hex(4)}", Path("/var/tmp", f"mirrorhub-{secrets.token_hex(4)}")
    subprocess.run(["ip", "netns", "add", name], check=True)
    folder.mkdir()
    try:
        subprocess.run(["ip", "netns", "exec", name, "ip", "link", "set", "lo", "up"], check=True)
        os.chown(folder, NOBODY, NOBODY)
        yield Cell(name, folder)
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)
        shutil.rmtree(folder)


def version_of(python: str) -> str:
    """The version of a Python, as 3.11."""
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def test_a_kit_on_a_machine_without_a_network(cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From Python and the kit alone: it is installed, speech is found, the SDK looks there; not one socket is made.

    Run again, there is nothing to do; a kit that was cut off, or of which a byte was changed, is refused.
    """
    python = shutil.which("python3", path=PATH)
    if python is None or tuple(map(int, version_of(python).split("."))) < (3, 11):
        pytest.skip("needs a Python that every user can run")
    monkeypatch.delenv("SSL_CERT_FILE")
    kit = cell.folder / "kit.zip"
    wheels = ["--wheels", str(ROOT), "--python", version_of(python)]
    command = [sys.executable, "-m", "mirrorhub", "bundle", "create", FSMN_VAD, *wheels, "-o", str(kit)]
    subprocess.run(command, check=True, timeout=200, env={**os.environ, "PYTHONPATH": str(ROOT / "src")})
    shutil.copyfile(sample_path(), cell.folder / "sample.flac")

    done = cell.run(python, "kit.zip")
    assert done.returncode == 0, done.stderr
    assert "(files: 4)" in done.stdout
    inside = cell.folder / "kit-venv" / "bin"
    found = cell.run(str(inside / "mirrorhub"), "vad", "sample.flac", "--json")
    assert (found.returncode, found.stderr) == (0, "")
    assert cell.run(str(inside / "python"), "-c", PROGRAM, "sample.flac").stdout.strip() == "3"
    again = cell.run(python, "kit.zip")
    assert again.returncode == 0
    assert again.stdout.count("nothing to do") == 2

    whole = kit.read_bytes()
    for name, data in {"cut": whole[:-1000], "changed": whole[:-5_000_000] + b"?" + whole[-4_999_999:]}.items():
        (cell.folder / f"{name}.zip").write_bytes(data)
        refused = cell.run(python, f"{name}.zip", "--verify-only")
        assert refused.returncode == 1, name
    assert (cell.sockets, cell.connections) == (0, 0)
    theirs = cell.run(str(inside / "python"), "-c", SDK)
    assert theirs.stdout.strip().endswith("/snapshots/pinned"), theirs.stderr
    assert cell.connections == 0
