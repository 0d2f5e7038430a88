"""Lines of a known round trip, rate and loss, each to a network namespace of its own.

By netem where the kernel has it, else by `link.c`, a line of the benchmark's own over TUN devices. Real TCP runs over
both. Needs root, iproute2, and gcc for the second.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

CLIENT = f"mirrorhub-{os.getpid()}"
"""The namespace that every client runs in."""
SETTINGS = ("net.ipv4.tcp_no_metrics_save=1", "net.ipv4.ip_nonlocal_bind=1")
"""No run learns from the one before it; a server may listen before its line is up."""


@dataclass(frozen=True, slots=True)
class Line:
    """What lies between a client and a server.

    Attributes:
        round_trip_s: There and back.
        megabits: Per second and direction; 0 for as many as the machine can.
        loss: The share of packets that is lost, in each direction.
        queue_s: What may wait for the rate before packets are dropped.
    """

    round_trip_s: float
    megabits: float
    loss: float = 0.0
    queue_s: float = 0.3

    def __str__(self) -> str:
        loss = f", {self.loss:.1%} loss" if self.loss else ""
        return f"{self.round_trip_s * 1000:g} ms, {self.megabits:g} Mbit/s{loss}"

    def least_s(self, size: int, round_trips: int) -> float:
        """Seconds that nobody can beat: the bytes at full rate, and the round trips before the first of them."""
        return size * 8 / (self.megabits * 1e6 or float("inf")) + round_trips * self.round_trip_s


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server of a run listens, and how a command is run there."""

    address: str
    namespace: str | None

    @property
    def enter(self) -> list[str]:
        """The words before a command that is to run there."""
        return inside(self.namespace) if self.namespace else []


LOOPBACK = Place("127.0.0.1", None)


def why_not() -> str | None:
    """Say what is missing for lines on this machine; None where nothing is."""
    if os.name != "posix" or os.geteuid() != 0:
        return "lines need root"
    missing = [name for name in ("ip", "sysctl", *([] if has_netem() else ["gcc"])) if not shutil.which(name)]
    if missing:
        return f"lines need {' and '.join(missing)}"
    return None if has_netem() or Path("/dev/net/tun").exists() else "lines need netem or /dev/net/tun"


@cache
def has_netem() -> bool:
    """Whether the kernel can delay packets itself."""
    trial = f"{CLIENT}-netem"
    if not (shutil.which("ip") and shutil.which("tc")):
        return False
    if subprocess.run(["ip", "netns", "add", trial], capture_output=True).returncode:
        return False
    try:
        words = ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
        return subprocess.run([*inside(trial), *words], capture_output=True).returncode == 0
    finally:
        subprocess.run(["ip", "netns", "delete", trial], check=True)


def kind() -> str:
    """Say what makes the lines."""
    return "netem" if has_netem() else "link.c over TUN"


@contextlib.contextmanager
def client_namespace() -> Iterator[None]:
    """Make the namespace of the clients."""
    with _namespace(CLIENT):
        yield


@contextlib.contextmanager
def server_namespace(number: int) -> Iterator[Place]:
    """Make the namespace of a server; a line leads there only while one is `joined`."""
    with _namespace(f"{CLIENT}-{number}") as name:
        yield Place(f"10.78.{number}.2", name)


@contextlib.contextmanager
def joined(number: int, line: Line, seed: int) -> Iterator[None]:
    """Join the clients to a server; over `link.c` the same seed loses the same packets."""
    if has_netem():
        _join_by_netem(number, line)
        try:
            yield
        finally:
            subprocess.run([*inside(CLIENT), "ip", "link", "delete", f"line{number}"], check=True)
        return
    quality = [line.round_trip_s * 500, line.megabits, line.loss, line.queue_s * 1000, seed]
    words = [str(_link_program()), CLIENT, f"{CLIENT}-{number}", str(number), *map(str, quality)]
    link = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert link.stdout is not None
        if link.stdout.readline().strip() != "up":
            raise SystemExit("the line does not come up")
        yield
    finally:
        link.kill()
        link.wait()


def _join_by_netem(number: int, line: Line) -> None:
    near, server = f"line{number}", f"{CLIENT}-{number}"
    pair = ["ip", "link", "add", near, "netns", CLIENT, "type", "veth", "peer", "name", "line", "netns", server]
    subprocess.run(pair, check=True)
    packets = int(line.megabits * 1e6 / 8 / 1500 * (line.queue_s + line.round_trip_s)) or 100_000
    delay = ["delay", f"{line.round_trip_s * 500}ms", "limit", str(packets), "loss", f"{line.loss * 100}%"]
    rate = ["rate", f"{line.megabits}mbit"] if line.megabits else []
    for namespace, device, last in ((CLIENT, near, 1), (server, "line", 2)):
        for words in (
            ["ip", "address", "add", f"10.78.{number}.{last}/24", "dev", device],
            ["ip", "link", "set", device, "up"],
            ["tc", "qdisc", "add", "dev", device, "root", "netem", *delay, *rate],
        ):
            subprocess.run([*inside(namespace), *words], check=True)


@cache
def _link_program() -> Path:
    folder = mkdtemp(prefix="mirrorhub-link-")
    atexit.register(shutil.rmtree, folder)
    program = Path(folder) / "link"
    subprocess.run(["gcc", "-O2", "-o", program, Path(__file__).with_name("link.c")], check=True)
    return program


@contextlib.contextmanager
def _namespace(name: str) -> Iterator[str]:
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        for words in (["ip", "link", "set", "lo", "up"], ["sysctl", "-qw", *SETTINGS]):
            subprocess.run([*inside(name), *words], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def inside(namespace: str) -> list[str]:
    """Return the words before a command that is to run in a namespace."""
    return ["ip", "netns", "exec", namespace]
