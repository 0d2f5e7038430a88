"""How each client is run: in a process of its own, with an empty cache and home, and a bare environment."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

from benchmarks.speed.lines import CLIENT, inside

WORKER = Path(__file__).with_name("worker.py")


@dataclass(frozen=True, slots=True)
class Job:
    """What a client is to do.

    Attributes:
        repo: The repository.
        size: Bytes that it must bring; less is a failure.
        urls: The endpoints, in order; clients that know but one use the first.
        files: Path -> address, for clients that know no hub.
        ca_file: The authority behind the endpoints' certificates.
        hub: The protocol to speak.
        revision: The revision; None for the hub's default.
        audio: A recording that a detector is to hear afterwards.
        on_line: It runs in the clients' namespace.
        limit_s: Longer is a failure.
        home: Where it finds and leaves caches and memories; None for an empty place that is thrown away.
    """

    repo: str
    size: int
    urls: tuple[str, ...]
    ca_file: Path
    files: Mapping[str, str] = field(default_factory=dict)
    hub: str = "modelscope"
    revision: str | None = None
    audio: str = ""
    on_line: bool = True
    limit_s: float = 600.0
    home: Path | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took.

    Attributes:
        client: Who ran.
        seconds: From the start of the process until the call returned; of a command, until it ended.
        figures: Whatever else was measured.
        failure: Why it counts as failed; empty where it went well.
    """

    client: str
    seconds: float
    figures: Mapping[str, float] = field(default_factory=dict)
    failure: str = ""


def run(client: str, job: Job) -> Run:
    """Let a client do a job."""
    with tempfile.TemporaryDirectory(prefix="mirrorhub-speed-") as name:
        home = job.home or Path(name)
        command = _COMMANDS[client](job, home) if client in _COMMANDS else None
        return _run_command(client, command, job, home) if command else _run_worker(client, job, home)


def installed(client: str) -> bool:
    """Whether a client is there to be measured."""
    program = {"curl": "curl", "aria2c": "aria2c"}.get(client)
    return program is None or shutil.which(program) is not None


def versions() -> dict[str, str]:
    """Say which versions are compared."""
    told = {name: version(name) for name in ("mirrorhub", "huggingface_hub", "modelscope", "curl_cffi", "httpx")}
    told["python"] = sys.version.split()[0]
    for program, words in {"curl": ["--version"], "aria2c": ["--version"], "nginx": ["-v"]}.items():
        if shutil.which(program):
            done = subprocess.run([program, *words], capture_output=True, text=True)
            told[program] = re.search(r"[\d.]+\d", done.stdout or done.stderr)[0]  # type: ignore[index]
    return told


def _run_worker(client: str, job: Job, home: Path) -> Run:
    reading, writing = os.pipe()
    told = {**asdict(job), "files": {}, "ca_file": "", "home": "", "answer": writing, "spawned": time.monotonic()}
    command = [*_inside(job), sys.executable, str(WORKER), client, json.dumps(told, default=str)]
    with os.fdopen(reading) as answers:
        try:
            words, failure, cpu_s = _finish(command, job, home, pass_fds=(writing,))
        finally:
            os.close(writing)
        answer = answers.read()
    if failure or not answer:
        return Run(client, job.limit_s, failure=failure or words or "no answer")
    figures: dict[str, float] = {**json.loads(answer), "cpu_s": cpu_s}
    short = 0 <= figures.get("size", job.size) < job.size
    return Run(client, figures.pop("seconds"), figures, "bytes are missing" if short else "")


def _run_command(client: str, command: list[str], job: Job, home: Path) -> Run:
    started = time.perf_counter()
    _, failure, cpu_s = _finish([*_inside(job), *command], job, home)
    seconds = time.perf_counter() - started
    size = sum(one.stat().st_size for one in (home / "got").rglob("*") if one.is_file())
    return Run(client, seconds, {"cpu_s": cpu_s}, failure or ("bytes are missing" if size < job.size else ""))


def _finish(command: list[str], job: Job, home: Path, pass_fds: tuple[int, ...] = ()) -> tuple[str, str, float]:
    """Run to the end; return its last words, why it failed, and the CPU seconds of the whole process."""
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    with (home / "words").open("w+", errors="replace") as words:
        process = subprocess.Popen(
            command, stdout=words, stderr=words, env=_environment(job, home), cwd=home, pass_fds=pass_fds
        )
        failure = "" if _ends(process.pid, job.limit_s) else f"not done after {job.limit_s:g} s"
        if failure:
            process.kill()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        words.seek(0)
        lines = words.read().strip().splitlines()
    last = lines[-1][-300:] if lines else ""
    if not failure and process.returncode:
        failure = last or f"exit {process.returncode}"
    return last, failure, used.ru_utime + used.ru_stime


def _ends(pid: int, limit_s: float) -> bool:
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
            return True
        time.sleep(0.005)
    return False


def _environment(job: Job, home: Path) -> dict[str, str]:
    url, ca_file = job.urls[0], str(job.ca_file)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "MODELSCOPE_CACHE": str(home / "modelscope"),
        "MODELSCOPE_ENDPOINT": url,
        "HF_HUB_CACHE": str(home / "huggingface"),
        "HF_ENDPOINT": url,
        "HF_HUB_DISABLE_XET": "1",  # the server, like most mirrors, speaks plain HTTP
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "SSL_CERT_FILE": ca_file,
        "REQUESTS_CA_BUNDLE": ca_file,
        "CURL_CA_BUNDLE": ca_file,
        "OMP_NUM_THREADS": "1",
    }


def _inside(job: Job) -> list[str]:
    return inside(CLIENT) if job.on_line else []


def _curl(job: Job, home: Path) -> list[str]:
    """All files at once over one HTTP/2 connection."""
    rows = [f'url = "{url}"\noutput = "{home}/got/{path}"' for path, url in job.files.items()]
    (home / "urls").write_text("\n".join(rows))
    options = ["--http2", "--parallel", "--parallel-max", "300", "--create-dirs", "--cacert", str(job.ca_file)]
    return ["curl", "-sS", "--no-progress-meter", *options, "-K", str(home / "urls")]


def _aria2c(job: Job, home: Path) -> list[str]:
    """Up to eight connections for each file, and eight files at once."""
    rows = [f"{url}\n  dir={home}/got\n  out={path}" for path, url in job.files.items()]
    (home / "urls").write_text("\n".join(rows))
    options = ["-x8", "-s8", "-k1M", "-j8", "--file-allocation=none", f"--ca-certificate={job.ca_file}", "--no-conf"]
    return ["aria2c", "-q", *options, "-i", str(home / "urls")]


_COMMANDS: Mapping[str, Callable[[Job, Path], list[str]]] = {"curl": _curl, "aria2c": _aria2c}
