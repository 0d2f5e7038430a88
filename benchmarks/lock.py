"""A lock file in a sample project, step by step: the command, and what the user sees.

    python -m benchmarks.lock

A project locks a model on ModelScope at a branch, and one on Hugging Face at a tag; both hubs are local ones. Then, in
fresh clones of the project with empty caches: all is well, a mirror gives other bytes of the same size, with a good one
beside it and alone, the tag moves, a file is added, an older state comes back.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakehub import FakeHub, Repo, certs
from tests.fakehub.faults import Alter, Rule
from tests.fakehub.repo import sample_bytes

FILES = {"config.json": b'{"layers": 2}\n', "model.bin": sample_bytes("model", 200_000)}
FIXED = {"config.json": b'{"layers": 3}\n'}
MODELSCOPE, HUGGINGFACE = "org/model", "hf://org/model"
GIT = ("-c", "user.name=sample", "-c", "user.email=sample@localhost", "-c", "init.defaultBranch=main")


@dataclass(frozen=True, slots=True)
class Step:
    """One command, and what came of it."""

    title: str
    command: str
    code: int
    told: str


@dataclass(slots=True)
class Project:
    """The sample project, the hubs that it knows, and one clone after the other.

    Attributes:
        folder: Where everything lies.
        names: What the hubs' addresses are called in what is shown.
        clones: How many there are.
    """

    folder: Path
    names: dict[str, str] = field(default_factory=dict)
    clones: int = 0

    @property
    def origin(self) -> Path:
        """The project as its author has it."""
        return self.folder / "project"

    def begin(self) -> None:
        """Make the project."""
        self.origin.mkdir()
        (self.origin / "app.py").write_text("from mirrorhub import snapshot_download\n", encoding="utf-8")
        self.git(self.origin, "init", "-q")

    def commit(self, message: str) -> None:
        """Commit all there is."""
        self.git(self.origin, "add", "-A")
        self.git(self.origin, "commit", "-q", "-m", message)

    def clone(self) -> Path:
        """Clone the project, as somebody on another machine does."""
        self.clones += 1
        place = self.folder / f"clone-{self.clones}" / "project"
        self.git(self.folder, "clone", "-q", str(self.origin), str(place))
        return place

    def run(self, title: str, where: Path, *arguments: str, hubs: tuple[FakeHub, ...]) -> Step:
        """Run the command line in a clone, with caches that belong to that clone."""
        home = where.parent / "home"
        addresses = {hub.url: self.names.get(hub.url, hub.url) for hub in hubs}
        done = subprocess.run(
            [sys.executable, "-m", "mirrorhub", *arguments],
            cwd=where,
            env={**_clean(), "HOME": str(home), "MIRRORHUB_ENDPOINTS": " ".join(addresses)},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        told = (done.stderr + done.stdout).replace(str(where.parent), "~")
        for url, name in self.names.items():
            told = told.replace(url, name)
        return Step(title, f"mirrorhub {' '.join(arguments)}", done.returncode, told.rstrip())

    def git(self, where: Path, *arguments: str) -> str:
        """Run git."""
        done = subprocess.run(["git", *GIT, *arguments], cwd=where, capture_output=True, text=True, check=True)
        return done.stdout


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        for step in steps(Project(Path(folder))):
            print(f"## {step.title}\n\n$ {step.command}\n{step.told}\n(exit code {step.code})\n", flush=True)
    return 0


def steps(project: Project) -> Iterator[Step]:
    """Yield the steps, in order."""
    modelscope, huggingface = Repo("modelscope", "org/model", FILES), Repo("huggingface", "org/model", FILES)
    modelscope.commit(FIXED)
    huggingface.commit(FIXED)
    huggingface.tag("v1")
    project.begin()
    with FakeHub([modelscope, huggingface]) as hub:
        project.names[hub.url] = "https://hub.example"
        yield from _locked(project, hub)
        yield from _tampered(project, hub, [modelscope, huggingface])
        yield from _moved(project, hub, modelscope, huggingface)
    yield from _gone(project)


def _locked(project: Project, hub: FakeHub) -> Iterator[Step]:
    where = project.origin
    arguments = ("lock", "add", MODELSCOPE, f"{HUGGINGFACE}@v1")
    yield project.run("The author locks two models", where, *arguments, hubs=(hub,))
    project.commit("Lock the models")
    yield Step("What is committed", "git show --stat", 0, project.git(where, "show", "--stat", "--format=%s").strip())
    clone = project.clone()
    yield project.run("A fresh clone", clone, "download", MODELSCOPE, hubs=(hub,))
    yield project.run("The other hub, at the tag", clone, "download", HUGGINGFACE, hubs=(hub,))
    yield project.run("Is all as it is locked?", clone, "lock", "check", hubs=(hub,))


def _tampered(project: Project, hub: FakeHub, repos: list[Repo]) -> Iterator[Step]:
    with FakeHub(repos, [Rule(Alter(), "*.bin")]) as mirror:
        project.names[mirror.url] = "https://mirror.example"
        for name in (MODELSCOPE, HUGGINGFACE):
            title = "A mirror gives other bytes of the same size; a good one stands beside it"
            yield project.run(title, project.clone(), "download", name, hubs=(mirror, hub))
            yield project.run("The same mirror alone", project.clone(), "download", name, hubs=(mirror,))


def _moved(project: Project, hub: FakeHub, modelscope: Repo, huggingface: Repo) -> Iterator[Step]:
    huggingface.commit({"config.json": b'{"layers": 4}\n'})
    huggingface.tags["v1"] = huggingface.head.id
    clone = project.clone()
    yield project.run("The tag was moved; the hub still has the commit", clone, "download", HUGGINGFACE, hubs=(hub,))
    yield project.run("What is said of the tag", clone, "lock", "check", HUGGINGFACE, hubs=(hub,))
    modelscope.commit({"setup.py": b"import os\n"})
    clone = project.clone()
    yield project.run("A file was added", clone, "download", MODELSCOPE, hubs=(hub,))
    found = sorted(path.name for path in (clone.parent / "home").rglob("snapshots/master/*"))
    yield Step("What is in the snapshot", "ls", 0, " ".join(found))
    yield project.run("The added file is asked for", clone, "download", MODELSCOPE, "setup.py", hubs=(hub,))
    yield project.run("What is said of it", clone, "lock", "check", MODELSCOPE, hubs=(hub,))
    yield project.run("It is not taken unseen", clone, "lock", "update", MODELSCOPE, hubs=(hub,))
    yield project.run("It is taken", clone, "lock", "update", MODELSCOPE, "--yes", hubs=(hub,))
    diff = project.git(clone, "diff", "--unified=0", "--", "mirrorhub.lock").splitlines()
    changed = [line for line in diff if line.startswith(("+", "-")) and not line.startswith(("+++", "---"))]
    yield Step("What there is to review", "git diff", 0, "\n".join(changed))


def _gone(project: Project) -> Iterator[Step]:
    """An older state, and nothing of what came after it."""
    with FakeHub([Repo("modelscope", "org/model", FILES), Repo("huggingface", "org/model", FILES)]) as old:
        for repo in old.site.repos:
            repo.tag("v1")
        project.names[old.url] = "https://old.example"
        clone = project.clone()
        for name in (MODELSCOPE, HUGGINGFACE):
            yield project.run("An older state has come back", clone, "download", name, hubs=(old,))
        yield project.run("A step back is not taken by a nod", clone, "lock", "update", "--yes", hubs=(old,))


def _clean() -> dict[str, str]:
    """Return an environment that knows nothing of whoever runs this."""
    foreign = ("MIRRORHUB", "MODELSCOPE", "HF_", "XDG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "SSL_CERT_FILE": str(certs.ca_file()), "PYTHONUTF8": "1"}


if __name__ == "__main__":
    sys.exit(main())
