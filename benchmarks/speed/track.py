"""Run scenarios: make what is brought, serve it, join the clients to the servers, and let them run in turns."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.speed import clients, origin
from benchmarks.speed.clients import Job, Run
from benchmarks.speed.lines import LOOPBACK, Place, client_namespace, joined, server_namespace
from benchmarks.speed.origin import Content, Origin
from benchmarks.speed.scenarios import CONTENTS, FSMN_VAD, Entry, Scenario, Server

DETECTOR = ("model.pt", "am.mvn", "config.yaml", "configuration.json")
HANGING_PORT, REFUSING_PORT = 8450, 8451
NUMBERS: dict[Server, int] = {"main": 1, "other": 2}
SAMPLE = Path(__file__).parents[2] / "examples" / "classroom.flac"
RECORDING_S = 120
_HANGER = """
import socket, sys, time
listener = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=1000)
print("listening", flush=True)
time.sleep(1e6)
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """A scenario's runs, in order, and the bytes that each had to bring."""

    scenario: Scenario
    size: int
    runs: Sequence[Run]


@dataclass(frozen=True, slots=True)
class Track:
    """The servers of one scenario, and what they hold."""

    scenario: Scenario
    content: Content
    places: dict[Server, Place]
    origins: dict[Server, Origin]
    recording: str

    def run(self, entry: Entry, seed: int) -> Run:
        """Let one client run once; where it is to remember something, after a run that does not count."""
        with contextlib.ExitStack() as stack:
            for server, line in self.scenario.lines.items():
                stack.enter_context(joined(NUMBERS[server], line, seed))
            job = self._job(entry)
            if not (entry.remembers or entry.keeps_files):
                return replace(clients.run(entry.client, job), client=entry.label)
            job = replace(job, home=Path(stack.enter_context(tempfile.TemporaryDirectory())))
            if failed := self._rehearse(entry, job):
                return replace(failed, client=entry.label)
            return replace(clients.run(entry.client, job), client=entry.label)

    def _rehearse(self, entry: Entry, job: Job) -> Run | None:
        # Files that are to be there come from the fastest server: what a thin line takes for them is not the question.
        fastest = max(self.scenario.lines, key=lambda name: self.scenario.lines[name].megabits)
        first = replace(job, urls=(self.origins[fastest].url,)) if entry.keeps_files else job
        done = clients.run(entry.client, first)
        assert job.home is not None
        if entry.remembers:
            for cache in ("modelscope", "huggingface"):
                shutil.rmtree(job.home / cache, ignore_errors=True)
        return done if done.failure else None

    def _job(self, entry: Entry) -> Job:
        main = next(iter(self.origins.values()))
        return Job(
            repo=self.content.repo,
            size=self.content.size,
            urls=tuple(self._url(server) for server in entry.servers),
            ca_file=main.ca_file,
            files=main.file_urls(self.content),
            hub=entry.hub,
            revision=origin.COMMIT if entry.revision == "commit" else entry.revision,
            audio=self.recording if entry.listens else "",
            on_line=bool(self.scenario.lines),
            limit_s=self.scenario.limit_s,
        )

    def _url(self, server: Server) -> str:
        if server in self.origins:
            return self.origins[server].url
        address = self.places["main"].address
        if server == "dead":  # an address behind the line that nobody has
            return f"https://{address.rpartition('.')[0]}.77:{origin.PORT}"
        return f"https://{address}:{HANGING_PORT if server == 'hanging' else REFUSING_PORT}"


def measure(plan: Sequence[tuple[Scenario, int]]) -> Iterator[Measured]:
    """Run scenarios, each so many times."""
    for scenario, count in plan:
        with laid(scenario) as track:
            yield Measured(scenario, track.content.size, list(_rounds(track, count)))


def _rounds(track: Track, count: int) -> Iterator[Run]:
    entries = [entry for entry in track.scenario.entries if clients.installed(entry.client)]
    for number in range(count):
        turn = number % len(entries)  # nobody always goes first
        for entry in entries[turn:] + entries[:turn]:
            run = track.run(entry, seed=number + 1)
            words = f"{track.scenario.name} {number + 1}/{count} {entry.label}: {run.seconds:.2f} s {run.failure}"
            print(words, file=sys.stderr, flush=True)
            yield run


@contextlib.contextmanager
def laid(scenario: Scenario) -> Iterator[Track]:
    """Make what is brought, and start the scenario's servers."""
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mirrorhub-speed-")))
        home.chmod(0o755)  # nginx reads it as another user
        content = _content(scenario, home)
        places: dict[Server, Place] = {}
        if scenario.lines:
            stack.enter_context(client_namespace())
        for server in scenario.lines:
            places[server] = stack.enter_context(server_namespace(NUMBERS[server]))
        if not places:
            places["main"] = LOOPBACK
        certificates = origin.certify(home, [place.address for place in places.values()])
        origins = {
            server: stack.enter_context(
                origin.serving(home, content, place, certificates, redirects=scenario.redirects)
            )
            for server, place in places.items()
        }
        if any("hanging" in entry.servers for entry in scenario.entries):
            stack.enter_context(_hanging(places["main"]))
        listens = any(entry.listens for entry in scenario.entries)
        yield Track(scenario, content, places, origins, str(_recording(home)) if listens else "")


@contextlib.contextmanager
def _hanging(place: Place) -> Iterator[None]:
    """A hub whose kernel accepts connections, and that never says a word."""
    command = [*place.enter, sys.executable, "-c", _HANGER, place.address, str(HANGING_PORT)]
    hanger = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert hanger.stdout is not None
        hanger.stdout.readline()
        yield
    finally:
        hanger.kill()
        hanger.wait()


def _content(scenario: Scenario, home: Path) -> Content:
    """Make what is brought: bytes that nothing compresses, or the detector's own files and others beside them."""
    if scenario.repo != FSMN_VAD:
        return origin.make_content(home, scenario.repo, CONTENTS[scenario.repo])
    from mirrorhub.api import fetch_vad_files

    content = origin.make_content(home, FSMN_VAD, {"example/recording.wav": scenario.size})
    detector = fetch_vad_files().path
    for name in DETECTOR:
        shutil.copy(detector / name, content.folder / name)
    return content


def _recording(home: Path) -> Path:
    """A recording of two minutes: the packaged one, again and again."""
    import numpy
    import soundfile  # type: ignore[import-untyped]

    samples, rate = soundfile.read(SAMPLE, dtype="int16")
    place = home / "recording.wav"
    soundfile.write(place, numpy.resize(samples, RECORDING_S * rate), rate)
    return place
