"""Where one side of a comparison is played: a server of its own and a directory of its own, both always the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import modelscope_hub

from tests.fakehub import FakeHub, Repo
from tests.fakehub.repo import HubName

TOKEN = "the-right-token"
FILES = {
    ".gitattributes": b"*.bin filter=lfs\n",
    "README.md": b"# name\n",
    "config.json": b'{"a": 1}',
    "empty.txt": b"",
    "model.bin": b"weights" * 9000,
    "sub/y.json": b"{}",
    "sub/deep/x.txt": b"x" * 3000,
    "sub/a b+c%20#.txt": b"odd",
    "模型/说明.txt": "说明".encode(),
}
LATER = {"config.json": b'{"a": 2}', "data/test.csv": b"5,6\n", "new.txt": b"new"}
FAR_AHEAD = 4_000_000_000
Functions = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class Scene:
    """One side of a comparison.

    Attributes:
        hub: The server.
        root: The directory, which is also the working directory.
        functions: The side's functions by name.
        name: The hub that is spoken.
    """

    hub: FakeHub
    root: Path
    functions: Functions
    name: HubName

    def repo(self, id: str = "org/name") -> Repo:
        """Return a repository of the server."""
        return next(repo for repo in self.hub.site.repos if repo.id == id and repo.hub == self.name)

    @property
    def commit(self) -> str:
        """The commit of the default branch."""
        return self.repo().head.id

    @property
    def older(self) -> str:
        """The commit before it."""
        return self.repo().commits[0].id

    def filled(self, value: Any) -> Any:
        """Return an argument with what only this side knows put in: `{root}`, `{hub}`, `{commit}`."""
        if callable(value) and not isinstance(value, type):
            return value(self)
        if isinstance(value, str):
            return value.replace("{root}", str(self.root)).replace("{hub}", self.hub.url).replace("{token}", TOKEN)
        if isinstance(value, Path):
            return Path(self.filled(str(value)))
        return value

    def call(self, function: str, *args: Any, **given: Any) -> Any:
        """Call a function of this side."""
        filled = {name: self.filled(value) for name, value in given.items()}
        return self.functions[function](*map(self.filled, args), **filled)


@contextmanager
def scene(root: Path, functions: Functions, name: HubName) -> Iterator[Scene]:
    """Build a scene; leave nothing but the directory."""
    root.mkdir(parents=True)
    before = Path.cwd()
    with FakeHub(repos(name), token=TOKEN, tls=False, blobs=True) as hub:
        os.chdir(root)
        # The SDK asks for tags at its default endpoint, whatever `endpoint` says; ours asks at no other.
        modelscope_hub.set_default_config(modelscope_hub.HubConfig(endpoint=hub.url))
        try:
            yield Scene(hub, root, functions, name)
        finally:
            modelscope_hub.set_default_config(None)
            os.chdir(before)


def repos(name: HubName) -> list[Repo]:
    """Return what a server holds."""
    main = Repo(name, "org/name", {**FILES, "gone.txt": b"gone"})
    main.tag("v1.0")
    main.commit({}, delete=["gone.txt"])
    main.commit({"dev.txt": b"dev"}, branch="dev")
    main.commit({"dev.txt": b"dev/2"}, branch="feature/x")
    main.tag("v2.0")
    main.tag("v9.0", "dev", at=FAR_AHEAD)
    plain = Repo(name, "org/un.tagged", FILES)
    for branch in ("v1.0", "feature/x"):
        plain.commit({"config.json": branch.encode()}, branch=branch)
    data = Repo(name, "org/data", {"train.csv": b"1,2\n", "data/test.csv": b"3,4\n"}, repo_type="dataset")
    private = Repo(name, "org/private", FILES, private=True)
    gated = Repo(name, "org/gated", FILES, gated=True)
    others = [Repo(name, "org/space", {"app.py": b"pass\n"}, repo_type="space"), Repo(name, "alone", FILES)]
    return [main, plain, data, private, gated, *(others if name == "huggingface" else [])]
