"""The process that is measured: one client does one job, once, and says what that took as JSON.

    python worker.py CLIENT JOB        JOB is JSON, see `clients.Job`

`seconds` is counted from when the process was started to the end of the call, and where there is a recording, to a
detector that is ready for it; `heard_s` to its segments.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Job = dict[str, Any]
REPEATS = 20
STATUS = "/proc/self/status"


def mirrorhub(job: Job) -> Callable[[], Any]:
    """The whole repository, through a chain of endpoints."""
    from mirrorhub import fetch

    return lambda: fetch(job["repo"], job["revision"], hub=job["hub"], endpoints=job["urls"]).path


def load_vad(job: Job) -> Callable[[], Any]:
    """The detector's files through a chain of endpoints, and the detector."""
    from mirrorhub import load_vad

    return lambda: load_vad(job["repo"], endpoints=job["urls"])


def huggingface_hub(job: Job) -> Callable[[], Any]:
    """The whole repository, from HF_ENDPOINT."""
    from huggingface_hub import snapshot_download

    return lambda: snapshot_download(job["repo"])


def modelscope(job: Job) -> Callable[[], Any]:
    """The whole repository, from MODELSCOPE_ENDPOINT."""
    from modelscope import snapshot_download  # type: ignore[import-untyped]

    return lambda: snapshot_download(job["repo"])


def again(job: Job) -> Callable[[], Any]:
    """Calls for what is on disk already: their medians go into the job's outcome."""
    from mirrorhub import fetch

    def repeat() -> None:
        whole, beside = [], []
        for _ in range(REPEATS):
            started = time.perf_counter()
            snapshot = fetch(job["repo"], job["revision"], hub=job["hub"], endpoints=job["urls"])
            whole.append(time.perf_counter() - started)
            beside.append(whole[-1] - snapshot.seconds.get("resolve", 0.0))
        job["outcome"] = {"again_s": statistics.median(whole), "beside_listing_s": statistics.median(beside)}

    fetch(job["repo"], job["revision"], hub=job["hub"], endpoints=job["urls"])
    return repeat


CLIENTS = {one.__name__: one for one in (mirrorhub, load_vad, huggingface_hub, modelscope, again)}


def main() -> None:
    client, job = sys.argv[1], json.loads(sys.argv[2])
    call = CLIENTS[client](job)
    got = call()
    outcome = job.get("outcome", {}) | listen(got, job)
    if isinstance(got, str | Path):
        outcome["size"] = sum(one.stat().st_size for one in Path(got).rglob("*") if one.is_file())
    if Path(STATUS).exists():
        # Not getrusage: its peak is the parent's, where that was larger.
        outcome["peak_mb"] = int(Path(STATUS).read_text().split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    print(json.dumps(outcome), file=os.fdopen(int(job["answer"]), "w"))


def listen(got: Any, job: Job) -> dict[str, float]:
    """Say when all was there; where there is a recording, have a detector and let it hear that."""
    if not job["audio"]:
        return {"seconds": time.monotonic() - job["spawned"]}
    if isinstance(got, str | Path):
        from mirrorhub import load_vad as load

        got = load(str(got))
    ready_s = time.monotonic() - job["spawned"]
    assert got(job["audio"]), "no speech was found"
    return {"seconds": ready_s, "heard_s": time.monotonic() - job["spawned"]}


if __name__ == "__main__":
    main()
