"""The same repository, fetched by the installed SDK and by us from the same hub: the same tree, the same bytes."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import huggingface_hub.constants
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirrorhub import fetch
from mirrorhub.api import preview
from tests.fakehub import FakeHub, Repo
from tests.fakehub.repo import HubName, RepoType, sample_bytes

ENTROPY = 1 << 16
CASES = 60
LONGEST = {"modelscope": 244, "huggingface": 255}
"""Bytes of a name. modelscope's partial file is called like the file, with eleven characters more."""
PARTS = (
    *(
        "a",
        "b",
        "B",
        "sub",
        "README.md",
        "config.json",
        "model.safetensors",
        "x y",
        "  two  spaces  ",
        "a#b",
        "#",
        "a+b",
    ),
    *(
        "100%",
        "%2F",
        "%25",
        "a?b=c&d",
        "?",
        "&amp;",
        "it's",
        'say "hi"',
        "[a]",
        "{b}",
        "(c)",
        "<d>",
        "a*b",
        "a|b",
        "a;b",
    ),
    *(
        "ab:c",
        "@2x",
        "$HOME",
        "`id`",
        "!bang",
        "~",
        "=",
        ",",
        "^",
        "模型",
        "权重 一.bin",
        "é",
        "e\u0301",
        "ß",
        "İ",
        "שלום",
    ),
    *(
        "مرحبا.txt",
        "\u202egpj.exe",
        "🤗",
        "👩\u200d💻",
        "\u3000",
        "．",
        ".hidden",
        "..x",
        "...",
        "-",
        "--help",
        "-rf",
        "con",
    ),
    *(
        "aux.txt",
        "nul",
        ".msc",
        ".gitattributes",
        ".no_exist",
        "refs",
        "blobs",
        "snapshots",
        "x.lock",
        "x.metadata",
        ".tmp",
    ),
)
"""Names of files and folders; nothing that either SDK refuses."""
REVISIONS = ("dev", "feature/x+y", "v1.0", "标签", "refs/pr/1", "a#b", "100%", "main", "master")
PATTERNS = (None, "*", "*.json", "sub/*", "a*", "*b*", "[ab]*", "模*", "?", "*.bin")

lengths = st.one_of(st.sampled_from([0, 1, 255]), st.integers(2, 3000), st.integers(3000, 200_000))


@dataclass(frozen=True, slots=True)
class Case:
    """A repository, and how it is asked for.

    Attributes:
        hub: Which kind of hub has it.
        kind: Of which type it is.
        commits: What it holds, one commit after the other; of each the name that leads to it, empty for the default.
        lfs: Which files are in LFS.
        redirects: These come from a data host.
        xet: It says that they are in Xet's store.
        blobs: Sizes and digests come with the revision.
        page_size: Rows on a page of a Hugging Face listing.
        allow: Which files are wanted.
        ignore: Which are not.
        prefix: The path below which the hub is mounted.
    """

    hub: HubName
    kind: RepoType
    commits: tuple[tuple[str, Mapping[str, bytes]], ...]
    lfs: tuple[str, ...]
    redirects: bool
    xet: bool
    blobs: bool
    page_size: int
    allow: str | None
    ignore: str | None
    prefix: str


@st.composite
def paths(draw: st.DrawFn, hub: HubName) -> str:
    """A path; now and then a very long one."""
    parts = draw(st.lists(st.sampled_from(PARTS), min_size=1, max_size=4))
    if draw(st.integers(0, 15)) == 15:
        parts[-1] = parts[-1] + "n" * (LONGEST[hub] - len(parts[-1].encode()))
    if draw(st.integers(0, 15)) == 15:
        parts = ["folder " * 10] * 20 + parts
    return "/".join(parts)


@st.composite
def contents(draw: st.DrawFn, hub: HubName) -> dict[str, bytes]:
    """What a commit holds: no file that is a folder, too; some files are equal."""
    files: dict[str, bytes] = {}
    count = draw(st.sampled_from([0, 1, 4, 8, 8, 20, 20, 40]))
    for path in draw(st.lists(paths(hub), min_size=count // 2, max_size=count, unique=True)):
        above = {"/".join(path.split("/")[:depth]) for depth in range(1, path.count("/") + 1)}
        if not above.intersection(files) and not any(other.startswith(f"{path}/") for other in files):
            files[path] = sample_bytes(f"{draw(st.integers(0, 5))}", draw(lengths))
    return files


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A case."""
    hub: HubName = draw(st.sampled_from(["modelscope", "huggingface"]))
    kinds: Sequence[RepoType] = ("model", "dataset") if hub == "modelscope" else ("model", "dataset", "space", "kernel")
    names = ["", *draw(st.lists(st.sampled_from(REVISIONS), max_size=2, unique=True))]
    return Case(
        hub=hub,
        kind=draw(st.sampled_from(kinds)),
        commits=tuple((name, draw(contents(hub))) for name in names),
        lfs=draw(st.sampled_from([(), ("*",), ("*.bin", "*.safetensors"), ("*b*",)])),
        redirects=draw(st.booleans()),
        xet=draw(st.booleans()),
        blobs=draw(st.booleans()),
        page_size=draw(st.sampled_from([1, 2, 5, 1000])),
        allow=draw(st.sampled_from((*[None] * 12, *PATTERNS))),
        ignore=draw(st.sampled_from((*[None] * 12, *PATTERNS[2:]))),
        prefix=draw(st.sampled_from(["", "", "/hub", "/a/b"])),
    )


def drawn(number: int) -> Case:
    """Return the case of a number: always the same one with the same version of hypothesis."""
    found: list[Case] = []

    @settings(database=None, deadline=None, suppress_health_check=[*HealthCheck])
    @given(cases())
    def note(case: Case) -> None:
        found.append(case)

    handle: Any = note
    handle.hypothesis.fuzz_one_input(Random(number).randbytes(ENTROPY))
    return found[-1]


def repo_of(case: Case) -> Repo:
    """The repository of a case, with all its revisions."""
    repo = Repo(case.hub, "org/name", case.commits[0][1], repo_type=case.kind, lfs=case.lfs)
    for name, files in case.commits[1:]:
        if name != repo.default_branch:
            repo.commit(files, branch=name, delete=set(repo.files) - set(files))
    return repo


def tree(folder: str | Path) -> dict[str, bytes]:
    """Every file below a folder, with its bytes."""
    found = (path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def theirs(case: Case, url: str, revision: str | None, cache: Path) -> str:
    """Fetch with the installed SDK."""
    modules = {"modelscope": "modelscope_hub.compat.snapshot_download", "huggingface": "huggingface_hub"}
    function: Callable[..., str] = importlib.import_module(modules[case.hub]).snapshot_download
    return function(
        "org/name",
        repo_type=case.kind,
        revision=revision,
        endpoint=url,
        cache_dir=str(cache),
        allow_patterns=case.allow,
        ignore_patterns=case.ignore,
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", range(CASES))
def test_the_same_tree(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a repository holds, under whatever names, the installed SDK and we make the same of it."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    logging.getLogger("modelscope_hub").setLevel(logging.ERROR)
    case = drawn(number)
    repo = repo_of(case)
    with ExitStack() as stack:
        cdn = stack.enter_context(FakeHub([repo], tls=False)) if case.redirects else None
        hub = FakeHub(
            [repo], cdn=cdn, tls=False, prefix=case.prefix, xet=case.xet, blobs=case.blobs, page_size=case.page_size
        )
        stack.enter_context(hub)
        for name, revision in ((name, name or None) for name, _ in case.commits):
            expected = tree(theirs(case, hub.url, revision, tmp_path / f"theirs {name.replace('/', ' ')}"))
            where = {"hub": case.hub, "repo_type": case.kind, "endpoints": hub.url, "cache_dir": tmp_path / "ours"}
            wanted = {"allow_patterns": case.allow, "ignore_patterns": case.ignore}
            foreseen = preview("org/name", revision, **where, **wanted)  # type: ignore[arg-type]
            snapshot = fetch("org/name", revision, **where, **wanted)  # type: ignore[arg-type]
            ours = {path: (snapshot.path / path).read_bytes() for path in snapshot.files}
            assert (ours, snapshot.verified) == (expected, True)
            assert {one.entry.path for one in foreseen.files} == set(expected)
            assert {one.path for one in snapshot.reports} <= {one.entry.path for one in foreseen.files if one.comes}


def test_cases_are_drawn_from_their_number() -> None:
    """A number draws the same case each time, and the numbers draw different ones."""
    assert drawn(7) == drawn(7)
    assert len({drawn(number).hub for number in range(20)}) == 2
