"""`mirrorhub run`: the program runs as Python itself would run it, and it and its children are led along the chain."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mirrorhub.cli import main
from mirrorhub.cli.run import STARTUP
from tests.fakehub import FakeHub, Repo

FILES = {"config.json": b"{}"}
DEAD = "https://localhost:9"
REPORT = """
import json, sys
print(json.dumps([sys.argv, sys.path, __name__, sys.stdin.read(), list(sys.flags)]))
sys.exit(7)
"""


def run(*arguments: object, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program in front of which the command stands."""
    return python("-m", "mirrorhub", "run", *arguments, stdin=stdin, **environment)


def python(*arguments: object, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A script, also as a module, that tells what it sees and ends with 7."""
    path = tmp_path / "told.py"
    path.write_text(REPORT, encoding="utf-8")
    return path


WAYS = {"script": ["{}"], "module": ["-m", "told"], "joined": ["-mtold"], "code": ["-c", REPORT]}


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_as_python_runs_it(script: Path, way: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments, path, name, input and exit code are those that Python itself gives."""
    monkeypatch.chdir(script.parent)
    arguments = [word.format(script) if word == "{}" else word for word in way] + ["--endpoints", "x", "-h", "a b"]
    without, led = python(*arguments, stdin="in"), run("--endpoints", DEAD, *arguments, stdin="in")
    assert (led.returncode, led.stdout, led.stderr) == (without.returncode, without.stdout, without.stderr)
    assert led.returncode == 7


def test_a_program_that_fails(tmp_path: Path) -> None:
    """Its traceback is Python's own, down to the last character, and so is what Python says of a missing file."""
    broken = tmp_path / "broken.py"
    broken.write_text("def work():\n    raise ValueError('no')\n\nwork()\n", encoding="utf-8")
    for program in (broken, tmp_path / "none.py"):
        without, led = python(program), run(program)
        assert (led.returncode, led.stderr) == (without.returncode, without.stderr)
        assert led.returncode in (1, 2)


def test_a_name_that_begins_with_a_dash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind `--` it is a file, and no option of Python's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-x.py").write_text("import sys; print(sys.argv)")
    assert run("--", "-x.py", "-u").stdout == f"{[f'.{os.sep}-x.py', '-u']}\n"


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """What is no program is said to be none; without a program there is nothing to do."""
    words = {"nosuchcommand": "neither a file nor a command", "--nope": "No such option"}
    for program, told in words.items():
        assert main(["run", program]) == 2
        assert told in capsys.readouterr().err
    assert main(["run"]) == 2


CHILDREN = """
import multiprocessing, subprocess, sys

def fetch(number):
    from huggingface_hub import hf_hub_download
    return hf_hub_download("org/name", "config.json")

if __name__ == "__main__":
    print(fetch(0))
    code = "import told_children; print(told_children.fetch(0))"
    print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip())
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(*pool.map(fetch, [0]))
    with multiprocessing.get_context("fork").Pool(1) as pool:
        print(*pool.map(fetch, [0]))
"""


def test_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program and every Python that it starts download along the chain, past a dead first endpoint."""
    program = tmp_path / "told_children.py"
    program.write_text(CHILDREN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with FakeHub([Repo("huggingface", "org/name", FILES)]) as hub:
        done = run("--endpoints", f"{DEAD} {hub.url}", program, HF_ENDPOINT=DEAD)
    assert done.returncode == 0, done.stderr
    paths = done.stdout.split()
    assert len(paths) == 4
    assert {Path(path).read_bytes() for path in paths} == {b"{}"}


@pytest.mark.slow
def test_an_installed_command() -> None:
    """A command that an SDK brings is found beside Python, and led: both SDKs' own download commands."""
    repos = [Repo(name, "org/name", FILES) for name in ("modelscope", "huggingface")]
    with FakeHub(repos) as hub:
        environment = {"MODELSCOPE_ENDPOINT": DEAD, "HF_ENDPOINT": DEAD, "PATH": os.defpath}
        for command in ("hf", "modelscope"):
            done = run("--endpoint", DEAD, "--endpoint", hub.url, command, "download", "org/name", **environment)
            assert done.returncode == 0, done.stderr
    assert sum(hub.log.bytes_sent_by_file().values()) == 4


def test_the_sitecustomize_that_was_there(tmp_path: Path) -> None:
    """One of the user's own is run as before, and under its name."""
    (tmp_path / "sitecustomize.py").write_text("seen = 'theirs'", encoding="utf-8")
    code = "import sitecustomize, requests; print(sitecustomize.seen, requests.Session.send.__code__.co_filename)"
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = run("-c", code, PYTHONPATH=path)
    assert done.stdout.startswith("theirs ")
    assert done.stdout.strip().endswith("detour.py")
    broken = "raise RuntimeError('theirs')"
    (tmp_path / "sitecustomize.py").write_text(broken, encoding="utf-8")
    without, led = python("-c", "print(1)", PYTHONPATH=path), run("-c", "print(1)", PYTHONPATH=path)
    # Said twice: by the Python of the command, and by the program's.
    assert (led.returncode, led.stdout, led.stderr) == (0, without.stdout, without.stderr * 2)


def test_an_old_python() -> None:
    """The file that every Python comes by is one that an old Python can read: no syntax of later years."""
    ast.parse((STARTUP / "sitecustomize.py").read_text(encoding="utf-8"), feature_version=(3, 4))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_a_python_without_mirrorhub() -> None:
    """A Python that has no mirrorhub runs what it is given; only where it is the program itself it says so."""
    other = getattr(sys, "_base_executable", sys.executable)
    if subprocess.run([other, "-c", "import mirrorhub"], env={}, capture_output=True, check=False).returncode == 0:
        pytest.skip("the Python below this environment has mirrorhub, too")
    for number, words in ("1", ""), ("$$", "runs the program without it"):
        command = ["sh", "-c", f'MIRRORHUB_RUN={number} exec "$0" -c "print(1)"', other]
        environment = {"PYTHONPATH": str(STARTUP)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=False)
        assert (done.returncode, done.stdout) == (0, "1\n")
        assert words in done.stderr
        assert bool(words) == bool(done.stderr)


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_signals(tmp_path: Path) -> None:
    """A signal reaches the program itself: there is no process in between."""
    code = "import os, signal, sys; print(os.getpid(), flush=True); signal.pause()"
    command = [sys.executable, "-m", "mirrorhub", "run", "-c", code]
    for number, end in ((signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, -signal.SIGINT)):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            assert int(process.stdout.readline()) == process.pid
            process.send_signal(number)
            assert process.wait(20) == end


def test_options_become_variables() -> None:
    """What is said to the command, the program and its children find in the environment."""
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    options = ["--endpoints", "https://a.test default", "--endpoint", "https://b.test", "--trust", "any"]
    seen = json.loads(run(*options, "--timeout", "9", "--offline", "-c", code).stdout)
    expected = {
        "MIRRORHUB_ENDPOINTS": "https://a.test default https://b.test",
        "MIRRORHUB_TRUST": "any",
        "MIRRORHUB_TIMEOUT": "9.0",
        "MIRRORHUB_OFFLINE": "1",
        "HF_HUB_OFFLINE": "1",
    }
    assert {name: seen.get(name) for name in expected} == expected
