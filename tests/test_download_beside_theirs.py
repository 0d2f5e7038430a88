"""The SDKs' own download commands and ours, with the same words behind them, against one hub: the same files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mirrorhub.cli import main
from tests.fakehub import FakeHub, Repo
from tests.fakehub.repo import HubName

FILES = {
    "README.md": b"#",
    "config.json": b"{}",
    "model.bin": b"m" * 5000,
    "sub/x.txt": b"x",
    "sub/y.bin": b"y",
    "sub/deep/z.json": b"z",
}
BIN = Path(sys.executable).parent
COMMANDS: dict[HubName, str] = {"modelscope": "modelscope", "huggingface": "hf"}
LINES: list[tuple[HubName, str]] = [
    ("modelscope", "org/name"),
    ("modelscope", "org/name config.json sub/x.txt"),
    ("modelscope", "org/name --include *.json *.md"),
    ("modelscope", "org/name --include *.json --include *.md"),
    ("modelscope", "org/name --include *.json,*.md --exclude sub/*"),
    ("modelscope", "org/name --exclude *.bin sub/deep/*"),
    ("modelscope", "--model org/name --include *.bin"),
    ("modelscope", "--model org/name config.json"),
    ("modelscope", "--dataset org/data --exclude *.bin"),
    ("modelscope", "org/data --repo_type dataset --revision dev"),
    ("modelscope", "--include *.bin --revision dev org/name"),
    ("modelscope", "org/name README.md --max-workers 2 --force --endpoint {url}"),
    ("huggingface", "{hf}org/name"),
    ("huggingface", "{hf}org/name config.json"),
    ("huggingface", "{hf}org/name config.json sub/x.txt"),
    ("huggingface", "{hf}org/name sub/"),
    ("huggingface", "{hf}org/name sub/ README.md"),
    ("huggingface", "{hf}org/name --include *.json --include *.md"),
    ("huggingface", "--include *.json --exclude sub/* {hf}org/name"),
    ("huggingface", "{hf}org/data --type dataset --revision dev"),
    ("huggingface", "{hf}org/name --force-download --quiet --max-workers 3"),
    ("huggingface", "hf://datasets/org/data@dev/new.txt"),
    ("huggingface", "hf://datasets/org/data@dev/sub/"),
    ("huggingface", "hf://org/name/sub/deep/"),
]


def repos() -> list[Repo]:
    """The same files everywhere, and a branch."""
    every = [Repo(hub, "org/name", FILES) for hub in COMMANDS]
    every += [Repo(hub, "org/data", FILES, repo_type="dataset") for hub in COMMANDS]
    for repo in every:
        repo.commit({"new.txt": b"new"}, branch="dev")
    return every


def tree(folder: Path) -> dict[str, bytes]:
    """The files that a user sees."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix(): (folder / path).read_bytes() for path in found if not path.parts[0].startswith(".")}


def run_theirs(hub_name: HubName, hub: FakeHub, *arguments: str) -> str:
    """Run their command; return what it prints."""
    done = subprocess.run(
        [BIN / COMMANDS[hub_name], "download", *arguments],
        env={**os.environ, "MODELSCOPE_ENDPOINT": hub.url, "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("hub_name", "line"), LINES, ids=[line for _, line in LINES])
def test_the_same_files(hub_name: HubName, line: str, tmp_path: Path) -> None:
    """What their command puts into a folder, ours puts there for the same words."""
    with FakeHub(repos(), tls=False) as hub:
        theirs = line.replace("{hf}", "").replace("{url}", hub.url).split()
        run_theirs(hub_name, hub, *theirs, "--local-dir", str(tmp_path / "theirs"))
        ours = line.replace("{hf}", "hf://").replace("{url}", hub.url).split()
        assert main(["download", *ours, "--endpoint", hub.url, "--local-dir", str(tmp_path / "ours")]) == 0
    assert tree(tmp_path / "ours") == tree(tmp_path / "theirs") != {}


@pytest.mark.slow
@pytest.mark.parametrize("hub_name", COMMANDS)
@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_the_same_place(hub_name: HubName, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a cache that is named, ours lie where theirs lie: the second command fetches nothing, whoever was first."""
    prefix = "hf://" if hub_name == "huggingface" else ""
    with FakeHub(repos(), tls=False) as hub:
        options = ["--repo-type", kind, "--cache-dir", str(tmp_path / "cache"), "--include", "*.json"]
        name = "org/name" if kind == "model" else "org/data"
        assert main(["download", f"{prefix}{name}", "--endpoint", hub.url, *options]) == 0
        path = capsys.readouterr().out.strip()
        hub.log.clear()
        assert path in run_theirs(hub_name, hub, name, *options)
        assert not [request for request in hub.log.requests(kind="body") if request.method == "GET"]
