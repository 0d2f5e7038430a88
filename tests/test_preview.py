"""A dry run says what a call would bring and what is there, and leaves the disk as it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from huggingface_hub import DryRunFileInfo
from huggingface_hub import snapshot_download as their_snapshot_download

from mirrorhub import errors, fetch
from mirrorhub.api import apreview, preview
from mirrorhub.arguments import Options
from tests.fakehub import FakeHub, Repo
from tests.fakehub.repo import sample_bytes

FILES = {"config.json": b"{}", "sub/x.txt": b"x" * 3000, "model.bin": sample_bytes("model", 30_000)}
SIZE = sum(map(len, FILES.values()))


def everything_below(folder: Path) -> dict[str, int]:
    """Every file of the caches below a folder, and its size; what is remembered of endpoints may change."""
    return {str(path): path.lstat().st_size for path in folder.glob("[mh][sf]/**/*") if not path.is_dir()}


@pytest.mark.parametrize("prefix", ["ms://", "hf://"])
def test_nothing_is_there(prefix: str, tmp_path: Path) -> None:
    """Before a call everything would come: the listing is asked for, no file is, and no folder is made."""
    with FakeHub([Repo("modelscope", "org/name", FILES), Repo("huggingface", "org/name", FILES)]) as hub:
        found = preview(f"{prefix}org/name", endpoints=hub.url)
        assert not hub.log.requests(kind="body")
        assert not (tmp_path / "ms").exists()
        assert not (tmp_path / "hf").exists()
        assert [(one.entry.path, one.cached, one.comes) for one in found.files] == [
            (path, False, True) for path in sorted(FILES)
        ]
        assert (found.size, found.path) == (SIZE, fetch(f"{prefix}org/name", endpoints=hub.url).path)


CALLS: dict[str, tuple[Options, dict[str, tuple[bool, bool]]]] = {
    "everything": ({}, {"config.json": (True, False), "model.bin": (False, True), "sub/x.txt": (True, False)}),
    "some": ({"allow_patterns": "*.bin"}, {"model.bin": (False, True)}),
    "again": ({"allow_patterns": "*.json", "force_download": True}, {"config.json": (True, True)}),
    "nothing": ({"allow_patterns": "*.none"}, {}),
}


@pytest.mark.parametrize("prefix", ["ms://", "hf://"])
@pytest.mark.parametrize(("options", "expected"), CALLS.values(), ids=CALLS)
def test_some_is_there(prefix: str, options: Options, expected: dict[str, tuple[bool, bool]], tmp_path: Path) -> None:
    """What is there is told apart from what would come, and nothing on disk is changed by looking."""
    with FakeHub([Repo("modelscope", "org/name", FILES), Repo("huggingface", "org/name", FILES)]) as hub:
        fetch(f"{prefix}org/name", endpoints=hub.url, ignore_patterns="*.bin")
        before = everything_below(tmp_path)
        given: Options = {**options, "endpoints": hub.url}
        found = preview(f"{prefix}org/name", **given)
        assert {one.entry.path: (one.cached, one.comes) for one in found.files} == expected
        assert everything_below(tmp_path) == before


@pytest.mark.parametrize("prefix", ["ms://", "hf://"])
def test_it_is_there_under_another_name(prefix: str) -> None:
    """What another revision has brought is there: it would be linked or copied, not fetched."""
    repos = [Repo("modelscope", "org/name", FILES), Repo("huggingface", "org/name", FILES)]
    for repo in repos:
        repo.commit({"new.txt": b"new"}, branch="dev")
    with FakeHub(repos) as hub:
        fetch(f"{prefix}org/name", endpoints=hub.url)
        found = preview(f"{prefix}org/name", "dev", endpoints=hub.url)
        assert [one.entry.path for one in found.files if one.comes] == ["new.txt"]
        assert found.size == 3


def test_one_content_comes_once() -> None:
    """Files of one content are all to come, and its bytes are counted once."""
    with FakeHub([Repo("modelscope", "org/name", {"a.bin": b"same", "b.bin": b"same"})]) as hub:
        found = asyncio.run(apreview("org/name", endpoints=hub.url))
        assert ([one.comes for one in found.files], found.size) == ([True, True], 4)


@pytest.mark.parametrize("prefix", ["ms://", "hf://"])
def test_offline(prefix: str) -> None:
    """Offline a dry run tells what is there, where all of it is; else it says so, as the call would."""
    with FakeHub([Repo("modelscope", "org/name", FILES), Repo("huggingface", "org/name", FILES)]) as hub:
        path = fetch(f"{prefix}org/name", endpoints=hub.url, allow_patterns="*.json").path
    found = preview(f"{prefix}org/name", allow_patterns="*.json", local_files_only=True)
    assert (found.path, [(one.cached, one.comes) for one in found.files]) == (path, [(True, False)])
    with pytest.raises(errors.NotCachedError):
        preview(f"{prefix}org/name", local_files_only=True)


def test_a_file_by_name() -> None:
    """A file that is named and is not there is an error, as it would be for the call."""
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        assert [one.entry.path for one in preview("org/name", endpoints=hub.url, paths=["config.json"]).files] == [
            "config.json"
        ]
        with pytest.raises(errors.ResolutionError, match=r"did you mean .config\.json"):
            preview("org/name", endpoints=hub.url, paths=["confg.json"])


@pytest.mark.parametrize("force_download", [False, True])
@pytest.mark.parametrize("allow_patterns", [None, "*.txt", "*.bin"])
def test_it_says_what_the_sdk_says(allow_patterns: str | None, force_download: bool) -> None:
    """huggingface_hub's own dry run says the same of each file, over the same cache."""
    with FakeHub([Repo("huggingface", "org/name", FILES)], tls=False) as hub:
        fetch("hf://org/name", endpoints=hub.url, ignore_patterns="*.bin")
        options: Options = {"allow_patterns": allow_patterns, "force_download": force_download, "endpoint": hub.url}
        found = preview("hf://org/name", **options)
        theirs = their_snapshot_download(
            "org/name",
            endpoint=hub.url,
            dry_run=True,
            cache_dir=found.path.parents[2],
            allow_patterns=allow_patterns,
            force_download=force_download,
        )
    commit = found.manifest.commit or ""
    ours = [
        DryRunFileInfo(commit, one.entry.size, one.entry.path, str(one.place), one.cached, one.comes)
        for one in found.files
    ]
    assert ours == sorted(theirs, key=lambda info: info.filename)
