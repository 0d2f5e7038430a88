"""Which files are wanted, as the SDKs themselves would say it, and which of them must be fetched."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub.utils import filter_repo_objects
from modelscope_hub import _download as modelscope_download
from modelscope_hub.utils.patterns import normalize_patterns

from mirrorhub import fetch
from mirrorhub.models import FileEntry, HubName, Manifest, Repo, Voucher, Wanted
from mirrorhub.plan import make_plan, wanted_files
from tests.fakehub import FakeHub
from tests.fakehub import Repo as HubRepo

PATHS = (
    ".gitattributes",
    "README.md",
    "config.json",
    "Config.JSON",
    "model.bin",
    "model.safetensors",
    "onnx/model.onnx",
    "onnx/config.json",
    "onnx/int8/model.onnx",
    "onnx2/model.onnx",
    "a[1].txt",
    "data/part-00001.bin",
    "模型/权重.bin",
)

PATTERNS = [
    ["*"],
    ["*.json"],
    ["*.JSON"],
    ["config.json"],
    ["*/config.json"],
    ["onnx/*"],
    ["onnx/"],
    ["onnx"],
    ["onnx/int8/"],
    ["onnx/**"],
    ["**/*.onnx"],
    ["*.bin", "*.md"],
    ["model.*"],
    [".*"],
    [".*\\.bin"],
    [".*.json"],
    ["[abc]*"],
    ["a[1].txt"],
    ["a[[]1].txt"],
    ["part-?????.bin"],
    ["data/part-?????.bin"],
    ["data\\part-*.bin"],
    ["模型/*"],
    ["./config.json"],
    ["/config.json"],
    ["nothing-like-it"],
]


def manifest(hub: HubName) -> Manifest:
    """A repository that holds `PATHS`."""
    files = tuple(FileEntry(path, 1) for path in sorted(PATHS))
    return Manifest(Repo(hub, "org/name"), "main", None, files, Voucher("official"))


def chosen(hub: HubName, allow: list[str] | None, ignore: list[str] | None) -> set[str]:
    """What we choose."""
    wanted = Wanted(allow=tuple(allow) if allow is not None else None, ignore=tuple(ignore or ()))
    return {entry.path for entry in wanted_files(manifest(hub), wanted)}


@pytest.mark.parametrize("patterns", PATTERNS, ids=str)
def test_patterns_of_hugging_face(patterns: list[str]) -> None:
    """Allowed and ignored files are those that huggingface_hub would allow and ignore."""
    allowed = set(filter_repo_objects(PATHS, allow_patterns=patterns))
    kept = set(filter_repo_objects(PATHS, ignore_patterns=patterns))
    assert chosen("huggingface", patterns, None) == allowed
    assert chosen("huggingface", None, patterns) == kept


@pytest.mark.parametrize("patterns", PATTERNS, ids=str)
def test_patterns_of_modelscope(patterns: list[str]) -> None:
    """Allowed and ignored files are those that modelscope would allow and ignore."""
    matched = {path for path in PATHS if modelscope_download._matches_patterns(path, patterns)}
    assert chosen("modelscope", patterns, None) == matched
    assert chosen("modelscope", None, patterns) == set(PATHS) - matched


@pytest.mark.parametrize("hub", ["modelscope", "huggingface"])
def test_ignored_wins(hub: HubName) -> None:
    """What is both allowed and ignored is ignored."""
    assert chosen(hub, ["*.json"], ["onnx/*"]) == {"config.json"} | ({"Config.JSON"} & chosen(hub, ["*.json"], None))


GIVEN: list[str | list[str]] = [
    "*.txt",
    "*.txt,*.bin",
    " *.txt , sub/* ",
    ["*.txt", "*.bin"],
    ["*.txt,*.bin"],
    "",
    [],
    ",",
]


@pytest.mark.parametrize("given", GIVEN, ids=repr)
def test_how_modelscope_reads_patterns(given: str | list[str]) -> None:
    """Texts and lists of patterns, divided at commas or not, mean what modelscope takes them for."""
    files = {"a.txt": b"a", "b.bin": b"b", "sub/c.json": b"c", "x,y": b"xy"}
    patterns = normalize_patterns(given)
    expected = {path for path in files if patterns is None or modelscope_download._matches_patterns(path, patterns)}
    with FakeHub([HubRepo("modelscope", "org/name", files)]) as hub:
        assert set(fetch("org/name", endpoints=hub.url, allow_patterns=given).files) == expected


def test_how_hugging_face_reads_patterns() -> None:
    """A text is one pattern there, commas and all."""
    files = {"a.txt": b"a", "x,y.txt": b"xy"}
    with FakeHub([HubRepo("huggingface", "org/name", files)]) as hub:
        assert fetch("hf://org/name", endpoints=hub.url, allow_patterns="x,*").files == ("x,y.txt",)


def test_exact_paths() -> None:
    """Files asked for by name are no patterns, and come in the repository's order."""
    wanted = Wanted(paths=("model.bin", "a[1].txt", "*.json", "nothing"))
    assert [entry.path for entry in wanted_files(manifest("modelscope"), wanted)] == ["a[1].txt", "model.bin"]


ONE = FileEntry("one.bin", 10, sha256="1" * 64)
SAME = FileEntry("sub/same.bin", 10, sha256="1" * 64)
OTHER = FileEntry("other.bin", 5, sha256="2" * 64)
GIT = FileEntry("config.json", 2, git_sha1="1" * 40)
BARE = FileEntry("bare.txt", 3)
BARE_TOO = FileEntry("bare-too.txt", None)


def test_each_content_once() -> None:
    """Of several files with one digest the first is fetched; files without a digest are each their own."""
    plan = make_plan([ONE, SAME, OTHER, GIT, BARE, BARE_TOO], {})
    assert plan.fetch == (ONE, OTHER, GIT, BARE, BARE_TOO)
    assert plan.wanted == (ONE, SAME, OTHER, GIT, BARE, BARE_TOO)
    assert plan.size == 10 + 5 + 2 + 3


def test_what_is_held_is_not_fetched() -> None:
    """A file that is there is left out; its twin of the same content elsewhere is not there for that."""
    plan = make_plan([ONE, SAME, OTHER], {"one.bin": (1, 2)})
    assert plan.fetch == (SAME, OTHER)
    assert plan.held == {"one.bin": (1, 2)}


def test_what_lies_there_under_another_name() -> None:
    """Content that is there under another name is not fetched."""
    plan = make_plan([ONE, OTHER], {}, {"one.bin": Path("blobs/1")})
    assert plan.fetch == (OTHER,)


def test_nothing_is_wanted() -> None:
    """A plan of nothing fetches nothing."""
    plan = make_plan([], {})
    assert (plan.fetch, plan.size) == ((), 0)
