"""What is compared: who brings what over which lines, how often, and what is hoped for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypedDict, Unpack

from benchmarks.speed.lines import Line

FSMN_VAD = "iic/speech_fsmn_vad_zh-cn-16k-common-pytorch"

FAR = Line(0.3, 100)
LOSSY = Line(0.2, 100, loss=0.005)
NEAR = Line(0.02, 300)
THIN = Line(0.3, 0.7)
CRAWLING = Line(0.2, 0.688)
GOOD = Line(0.05, 50)
BROKEN = Line(0.3, 5, loss=0.15)

# Much like the repository of FSMN-VAD: a recording, a model and what belongs to them.
MODEL = {"example/recording.wav": 22_000_000, "model.bin": 3_500_000, "model.pt": 1_720_000, "tokens.txt": 93_000}
MODEL |= {"am.mvn": 8_000, "config.yaml": 1_200, "README.md": 10_000, "structure.png": 390_000, "logo.png": 180_000}
MODEL |= {"example/short.wav": 280_000, "example/test.py": 2_000, "configuration.json": 400}
CONTENTS: Mapping[str, Mapping[str, int]] = {
    "bench/model": MODEL,
    "bench/many": {f"part-{n // 50}/file-{n:03}.bin": 50_000 for n in range(200)},
    "bench/large": {f"weights-{n}.bin": 64 << 20 for n in range(8)},
    "bench/huge": {"weights.bin": 4 << 30},
    "bench/tiny": {f"part-{n // 500:02}/file-{n:05}.bin": 1000 for n in range(20_000)},
    "bench/middle": {f"weights-{n}.bin": 5_000_000 for n in range(3)} | {f"file-{n}.json": 20_000 for n in range(9)},
}
TENTH, WHOLE = 1_090_000, 26_480_000
"""Bytes beside the detector's own four files that make its repository a tenth of 28.2 MB, or all of it."""

Server = Literal["main", "other", "dead", "refusing", "hanging"]
Unit = Literal["ratio", "more", "at most"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One client in a scenario.

    Attributes:
        label: What it is called in the tables.
        client: Who it is: a client of the worker, or a command.
        servers: Whom it asks, in order.
        hub: The protocol of its endpoints.
        revision: What it asks for; None for the default.
        listens: It ends with a detector and the segments of a recording.
        remembers: It was run once before, and remembers how endpoints did, but has no files.
        keeps_files: It was run once before, and still has its files.
    """

    label: str
    client: str
    servers: tuple[Server, ...] = ("main",)
    hub: str = "modelscope"
    revision: str | None = None
    listens: bool = False
    remembers: bool = False
    keeps_files: bool = False

    @property
    def is_cold(self) -> bool:
        """Whether it knows nothing at first, asks for a listing and brings everything."""
        whole = self.client in ("mirrorhub", "huggingface_hub", "modelscope")
        return whole and not (self.remembers or self.keeps_files)


@dataclass(frozen=True, slots=True)
class Goal:
    """What is hoped for: a figure of one entry, compared with another's median or with a number.

    Attributes:
        entry: Whose figure.
        limit: What it may be at most.
        against: Whom it is compared to; nobody where `unit` is `at most`.
        figure: `seconds` or another figure of the runs; `failures` counts.
        unit: `ratio` of the two, seconds `more`, or `at most` as a number.
    """

    entry: str
    limit: float
    against: str = ""
    figure: str = "seconds"
    unit: Unit = "ratio"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A situation, and who is compared in it.

    Attributes:
        name: One word for the command line.
        title: What it is about.
        repo: What is brought.
        lines: What lies between the clients and each server; no line means loopback.
        entries: Who is compared.
        goals: What is hoped for.
        runs: How often each entry runs; and in a quick run of the benchmark, where 0 leaves the scenario out.
        redirects: The server sends large files' bytes from another host.
        size: Bytes beside a detector's files, where the repository is one's own.
        limit_s: A run that takes longer has failed.
    """

    name: str
    title: str
    repo: str
    entries: tuple[Entry, ...]
    goals: tuple[Goal, ...] = ()
    lines: Mapping[Server, Line] = field(default_factory=dict)
    runs: int = 5
    quick_runs: int = 1
    redirects: bool = False
    size: int = 0
    limit_s: float = 300.0


class Options(TypedDict, total=False):
    """What may be said of an entry beside who it is: see `Entry`."""

    revision: str
    listens: bool
    remembers: bool
    keeps_files: bool


def entry(label: str, *servers: Server, **options: Unpack[Options]) -> Entry:
    """Describe a client by its label: its first word is who it is, `(hf)` its hub."""
    client = label.partition(" ")[0].partition(",")[0]
    hub = "huggingface" if "(hf" in label else "modelscope"
    return Entry(label, client, servers or ("main",), hub, **options)


OURS = (entry("mirrorhub (hf)"), entry("mirrorhub (ms)"))
PEERS = (entry("huggingface_hub"), entry("modelscope"))
COMMANDS = (entry("curl"), entry("aria2c"))
REMEMBERING = (
    entry("mirrorhub (hf), next call", remembers=True),
    entry("mirrorhub (ms), next call", remembers=True),
)


def against_peers(by_huggingface: float, by_modelscope: float | None = None) -> tuple[Goal, ...]:
    """Hope for ratios to both SDKs, each over its own protocol."""
    goals = (Goal("mirrorhub (hf)", by_huggingface, "huggingface_hub"),)
    return goals if by_modelscope is None else (*goals, Goal("mirrorhub (ms)", by_modelscope, "modelscope"))


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        "far",
        "a far line, 12 files of 28.2 MB",
        "bench/model",
        (*OURS, *PEERS, *COMMANDS),
        (*against_peers(0.75, 0.7), Goal("mirrorhub (ms)", 0.85, "curl")),
        {"main": FAR},
    ),
    Scenario(
        "far-redirected",
        "the same, from a hub that redirects weights and recordings to another host",
        "bench/model",
        (*OURS, *REMEMBERING, *PEERS),
        against_peers(0.75, 0.7),
        {"main": FAR},
        redirects=True,
    ),
    Scenario(
        "far-many",
        "a far line, 200 files of 10 MB",
        "bench/many",
        (*OURS, *PEERS, *COMMANDS),
        against_peers(0.2, 0.11),
        {"main": FAR},
    ),
    Scenario(
        "far-many-redirected",
        "the same, from a hub that redirects all of them to another host",
        "bench/many",
        (*OURS, *PEERS),
        against_peers(0.2, 0.11),
        {"main": FAR},
        redirects=True,
    ),
    Scenario(
        "lossy",
        "a lossy line, 12 files of 28.2 MB, each round with losses of its own",
        "bench/model",
        (*OURS, *PEERS, *COMMANDS),
        (*against_peers(0.8), Goal("mirrorhub (ms)", 1.2, "aria2c")),
        {"main": LOSSY},
        runs=15,
        quick_runs=2,
    ),
    Scenario(
        "near",
        "a near line, 12 files of 28.2 MB",
        "bench/model",
        (*OURS, *PEERS, *COMMANDS),
        against_peers(0.8),
        {"main": NEAR},
        quick_runs=2,
    ),
    Scenario(
        "near-many",
        "a near line, 200 files of 10 MB",
        "bench/many",
        (*OURS, *PEERS, *COMMANDS),
        against_peers(0.4),
        {"main": NEAR},
        quick_runs=2,
    ),
    Scenario(
        "loopback",
        "no line at all, 8 files of 64 MiB; huggingface_hub does not hash them",
        "bench/large",
        (*OURS, *PEERS, *COMMANDS),
        (
            *against_peers(1 / 1.5, 1 / 2.5),
            Goal("mirrorhub (hf)", 0.6, "huggingface_hub", "cpu_s"),
        ),
        quick_runs=2,
    ),
    Scenario(
        "huge",
        "no line, one file of 4 GiB",
        "bench/huge",
        (*OURS, *PEERS),
        (Goal("mirrorhub (hf)", 150, figure="peak_mb", unit="at most"),),
        runs=3,
        quick_runs=0,
    ),
    Scenario(
        "tiny",
        "no line, 20,000 files of 1 kB",
        "bench/tiny",
        (entry("mirrorhub (hf)"), entry("huggingface_hub")),
        against_peers(1 / 5),
        runs=3,
        quick_runs=0,
    ),
    Scenario(
        "crawling",
        "an endpoint that crawls before a good one",
        "bench/middle",
        (
            entry("mirrorhub, the good one alone", "other"),
            entry("mirrorhub, behind one that crawls", "main", "other"),
            entry("mirrorhub, the same once more", "main", "other", remembers=True),
        ),
        (Goal("mirrorhub, behind one that crawls", 1.5, "mirrorhub, the good one alone"),),
        {"main": CRAWLING, "other": GOOD},
        quick_runs=2,
    ),
    Scenario(
        "dead",
        "an endpoint that is dead, refuses or hangs, before a good one",
        "bench/middle",
        (
            entry("mirrorhub, the good one alone", "main"),
            entry("mirrorhub, behind a dead one", "dead", "main"),
            entry("mirrorhub, behind a dead one, next call", "dead", "main", remembers=True),
            entry("mirrorhub, behind one that refuses", "refusing", "main"),
            entry("mirrorhub, behind one that hangs", "hanging", "main"),
            entry("mirrorhub, behind one that hangs, next call", "hanging", "main", remembers=True),
        ),
        (
            Goal("mirrorhub, behind a dead one", 1.0, "mirrorhub, the good one alone", unit="more"),
            Goal("mirrorhub, behind a dead one, next call", 0.1, "mirrorhub, the good one alone", unit="more"),
            Goal("mirrorhub, behind one that refuses", 1.0, "mirrorhub, the good one alone", unit="more"),
            Goal("mirrorhub, behind one that hangs", 1.0, "mirrorhub, the good one alone", unit="more"),
            Goal("mirrorhub, behind one that hangs, next call", 0.1, "mirrorhub, the good one alone", unit="more"),
        ),
        {"main": GOOD},
    ),
    Scenario(
        "cold-hanging",
        "cold starts, the first origin hangs; a good mirror is there for whoever can use it",
        "bench/middle",
        (entry("mirrorhub (ms)", "hanging", "main"), *(entry(one.label, "hanging", "main") for one in PEERS)),
        (Goal("mirrorhub (ms)", 0, figure="failures", unit="at most"),),
        {"main": GOOD},
        quick_runs=0,
        limit_s=60,
    ),
    Scenario(
        "cold-lossy",
        "cold starts, the first origin loses 15 % of the packets; a good mirror is there for whoever can use it",
        "bench/middle",
        (entry("mirrorhub (ms)", "main", "other"), *(entry(one.label, "main", "other") for one in PEERS)),
        (Goal("mirrorhub (ms)", 0, figure="failures", unit="at most"),),
        {"main": BROKEN, "other": GOOD},
        quick_runs=0,
        limit_s=60,
    ),
    *(
        Scenario(
            name,
            f"from the start of a process to a detector, {title}; a thin official hub, and a near mirror",
            FSMN_VAD,
            (
                entry("modelscope, official alone", "main", listens=True),
                entry("modelscope, near mirror", "other", listens=True),
                entry("modelscope, official, warm cache", "main", listens=True, keeps_files=True),
                entry("modelscope, near mirror, warm cache", "other", listens=True, keeps_files=True),
                entry("mirrorhub, official alone, whole repository", "main", listens=True),
                entry("mirrorhub, official and near mirror, whole repository", "main", "other", listens=True),
                entry("load_vad, official alone", "main", listens=True),
                entry("load_vad, near mirror alone", "other", listens=True),
                entry("load_vad, official and near mirror", "main", "other", listens=True),
                entry("load_vad, official, warm cache", "main", listens=True, keeps_files=True),
                entry(
                    "load_vad, official and near mirror, warm cache", "main", "other", listens=True, keeps_files=True
                ),
            ),
            (Goal("load_vad, official and near mirror", 1.3, "load_vad, near mirror alone"),),
            {"main": THIN, "other": GOOD},
            runs=runs,
            quick_runs=quick,
            size=size,
            limit_s=900,
        )
        for name, title, size, runs, quick in (
            ("article", "a tenth of 28.2 MB", TENTH, 5, 1),
            ("article-full", "28.2 MB", WHOLE, 1, 0),
        )
    ),
    Scenario(
        "on-disk",
        "everything is on disk already",
        "bench/model",
        (
            entry("again (hf), a commit", revision="commit"),
            entry("again (hf), a branch"),
            entry("again (ms), a branch"),
        ),
        (
            Goal("again (hf), a commit", 0.010, figure="again_s", unit="at most"),
            Goal("again (hf), a branch", 0.010, figure="beside_listing_s", unit="at most"),
            Goal("again (ms), a branch", 0.010, figure="beside_listing_s", unit="at most"),
        ),
    ),
)
