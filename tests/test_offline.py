"""Offline means offline: no loop, no socket of the internet families, no look-up, no connect."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import mirrorhub
from mirrorhub import afetch, fetch
from mirrorhub.errors import NotCachedError
from tests.fakehub import FakeHub, Repo
from tests.quick import quick

FILES = {"config.json": b"{}", "model.bin": b"m" * 300_000}
_watched: list[str] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    """Note every network event that the interpreter announces (PEP 578)."""
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname") or (
        event == "socket.__new__" and arguments[1] in (socket.AF_INET, socket.AF_INET6)
    ):
        _watched.append(event)


sys.addaudithook(_watch)


@pytest.fixture
def watched() -> Iterator[list[str]]:
    """What the network was asked for since the test began."""
    mirrorhub.close()
    _watched.clear()
    yield _watched
    _watched.clear()


@pytest.fixture
def stored() -> str:
    """A repository that has been fetched."""
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        return str(fetch("org/name", endpoints=hub.url).path)


@pytest.mark.parametrize("variable", ["MIRRORHUB_OFFLINE", "MODELSCOPE_OFFLINE"])
def test_an_offline_variable(stored: str, variable: str, watched: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each offline variable works, whenever it is set; and no loop is started."""
    monkeypatch.setenv(variable, "True")
    assert str(fetch("org/name").path) == stored
    assert not watched
    assert not [thread for thread in threading.enumerate() if thread.name == "mirrorhub"]


def test_the_other_hubs_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """HF_HUB_OFFLINE is about Hugging Face repositories and no others."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        assert fetch("org/name", endpoints=hub.url).path.is_dir()
    with pytest.raises(NotCachedError):
        fetch("hf://org/name")


def test_nothing_is_there(watched: list[str]) -> None:
    """A miss is a NotCachedError (a FileNotFoundError) that says where it looked and what to do."""
    with pytest.raises(NotCachedError, match="mirrorhub download") as caught:
        fetch("org/other", local_files_only=True)
    assert isinstance(caught.value, FileNotFoundError)
    assert not watched


def test_a_part_is_not_the_whole(watched: list[str]) -> None:
    """A snapshot that was fetched in part is a hit for that part only."""
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        fetch("org/name", endpoints=hub.url, allow_patterns="*.json")
    assert fetch("org/name", local_files_only=True, allow_patterns="*.json").files == ("config.json",)
    with pytest.raises(NotCachedError):
        fetch("org/name", local_files_only=True)


def test_a_truncated_file_is_not_a_hit(stored: str) -> None:
    """A file that is not as it was when it was checked is not returned as if it were."""
    Path(stored, "model.bin").write_bytes(b"m")
    with pytest.raises(NotCachedError):
        fetch("org/name", local_files_only=True)


def test_a_flipped_byte_is_found_on_request(stored: str) -> None:
    """`verify=True` compares digests, also where size and time are as they were."""
    path = Path(stored, "model.bin")
    stat = path.stat()
    path.write_bytes(b"n" + b"m" * 299_999)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert fetch("org/name", local_files_only=True).verified
    with pytest.raises(NotCachedError):
        fetch("org/name", local_files_only=True, verify=True)


def test_a_commit_that_is_there(watched: list[str]) -> None:
    """A full commit never changes: once it is there, no connection is opened for it."""
    repo = Repo("huggingface", "org/name", FILES)
    with FakeHub([repo]) as hub:
        path = fetch("hf://org/name", repo.head.id, endpoints=hub.url).path
    mirrorhub.close()
    watched.clear()
    assert fetch("hf://org/name", repo.head.id).path == path
    assert not watched


def test_an_async_call_that_is_there(stored: str, watched: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The async twin answers from disk, too, without the internet."""
    monkeypatch.setenv("MIRRORHUB_OFFLINE", "1")
    assert str(asyncio.run(afetch("org/name")).path) == stored
    assert not watched


def test_no_endpoint_can_be_asked(stored: str, caplog: pytest.LogCaptureFixture) -> None:
    """With all endpoints down, what is complete on disk is returned, marked, with one warning; or refused on wish."""
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        address = hub.url
    snapshot = fetch("org/name", settings=quick(address))
    assert (str(snapshot.path), snapshot.stale) == (stored, True)
    assert [record.levelname for record in caplog.records if record.levelname == "WARNING"] == ["WARNING"]
    with pytest.raises(mirrorhub.errors.ResolutionError):
        fetch("org/name", settings=quick(address), allow_stale=False)
