"""Compare the carriers on one local nginx (TLS, HTTP/2), turn and turn about, each run in a process of its own.

    python benchmarks/carrier.py [--rounds 3] [--json]

Two loads: 8 files of 64 MiB, hashed as they come (MB/s, CPU seconds of the client per GB), and 2,000 files of 1 kB
(files a second). Beside the carriers runs the curl command where it is installed, which neither hashes nor keeps the
bytes. Needs nginx and the test dependencies.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LARGE_FILES, LARGE_BYTES = 8, 64 << 20
SMALL_FILES, SMALL_BYTES = 2000, 1000
AT_ONCE = 64

NGINX = """
daemon off; pid {root}/nginx.pid; error_log {root}/error.log; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log {root}/access.log combined; sendfile on; tcp_nodelay on;
    client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
    uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
    log_format line '$connection $status $server_protocol'; access_log {root}/line.log line;
    keepalive_requests 100000;
    server {{
        listen 127.0.0.1:{port} ssl http2; server_name localhost; root {root}/files;
        ssl_certificate {root}/server.pem; ssl_certificate_key {root}/server.pem;
    }}
}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        kind, load, url, ca_file = arguments.worker
        print(json.dumps(asyncio.run(measure(kind, load, url, ca_file))))
        return
    with nginx() as (url, ca_file, log):
        runs = [
            {"carrier": kind, "load": load} | run(kind, load, url, ca_file, log)
            for _ in range(arguments.rounds)
            for load in ("large", "small")
            for kind in ("curl", "httpx", *(("command",) if shutil.which("curl") else ()))
        ]
    summary = summarise(runs)
    print(json.dumps({"summary": summary, "runs": runs}, indent=1) if arguments.json else table(summary))


def run(kind: str, load: str, url: str, ca_file: str, log: Path) -> dict[str, Any]:
    before = len(log.read_bytes().splitlines()) if log.exists() else 0
    if kind == "command":
        result = run_command(load, url, ca_file)
    else:
        command = [sys.executable, __file__, "--worker", kind, load, url, ca_file]
        result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    time.sleep(0.2)  # nginx writes its log when a request has ended
    lines = log.read_text().splitlines()[before:]
    return result | {"connections": len({line.split()[0] for line in lines})}


def paths(load: str) -> list[str]:
    return [f"/{load}/{n}" for n in range(LARGE_FILES if load == "large" else SMALL_FILES)]


async def measure(kind: Any, load: str, url: str, ca_file: str) -> dict[str, float]:
    import httpx

    from mirrorhub.http.carrier import build_carrier
    from mirrorhub.http.origin import Route

    places = asyncio.Semaphore(AT_ONCE)
    transport = build_carrier(kind, Route(ca_file=ca_file))
    async with httpx.AsyncClient(transport=transport, timeout=120) as http:

        async def fetch(path: str) -> int:
            digest, size = hashlib.sha256(), 0
            async with places, http.stream("GET", url + path) as response:
                async for chunk in response.aiter_raw():
                    digest.update(chunk)
                    size += len(chunk)
            return size

        started, cpu = time.perf_counter(), time.process_time()
        total = sum(await asyncio.gather(*(fetch(path) for path in paths(load))))
        took, cpu = time.perf_counter() - started, time.process_time() - cpu
    expected = LARGE_FILES * LARGE_BYTES if load == "large" else SMALL_FILES * SMALL_BYTES
    assert total == expected, (total, expected)
    return figures(load, took, cpu)


def run_command(load: str, url: str, ca_file: str) -> dict[str, float]:
    config = "\n".join(f'url = "{url}{path}"\noutput = "/dev/null"' for path in paths(load))
    options = [
        "curl",
        "-sS",
        "--no-progress-meter",
        "--http2",
        "-Z",
        "--parallel-max",
        str(AT_ONCE),
        "--cacert",
        ca_file,
        "-K",
        "-",
    ]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(options, input=config, text=True, check=True, stderr=subprocess.DEVNULL)
    took, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return figures(load, took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def figures(load: str, took: float, cpu: float) -> dict[str, float]:
    if load == "small":
        return {"files/s": SMALL_FILES / took, "CPU ms/file": cpu * 1000 / SMALL_FILES}
    total = LARGE_FILES * LARGE_BYTES
    return {"MB/s": total / took / 1e6, "CPU s/GB": cpu / total * 1e9}


def summarise(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for load, names in (("large", ("MB/s", "CPU s/GB")), ("small", ("files/s", "CPU ms/file"))):
        for name in (*names, "connections"):
            values = {
                kind: [one[name] for one in runs if (one["carrier"], one["load"]) == (kind, load)]
                for kind in dict.fromkeys(one["carrier"] for one in runs)
            }
            medians = {kind: statistics.median(each) for kind, each in values.items()}
            rows.append({"load": load, "figure": name} | medians | {"curl/httpx": medians["curl"] / medians["httpx"]})
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    columns = list(rows[0])
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = (f"{row[column]:.2f}" if isinstance(row[column], float) else str(row[column]) for column in columns)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


@contextlib.contextmanager
def nginx() -> Iterator[tuple[str, str, Path]]:
    """Serve the files from a temporary directory; yield the URL, the CA file and the log of connections."""
    import trustme

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(root / "ca.pem"))
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(root / "server.pem"))
        write_files(root / "files")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (root / "nginx.conf").write_text(NGINX.format(root=root, port=port))
        process = subprocess.Popen(["nginx", "-c", str(root / "nginx.conf")], stderr=subprocess.DEVNULL)
        try:
            wait_for(port)
            yield f"https://localhost:{port}", str(root / "ca.pem"), root / "line.log"
        finally:
            process.terminate()
            process.wait()


def write_files(folder: Path) -> None:
    for load, count, size in (("large", LARGE_FILES, LARGE_BYTES), ("small", SMALL_FILES, SMALL_BYTES)):
        (folder / load).mkdir(parents=True)
        for n in range(count):
            (folder / load / str(n)).write_bytes(os.urandom(size))


def wait_for(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise SystemExit("nginx did not start")


if __name__ == "__main__":
    main()
