"""`mirrorhub cache`: what lies there, whether it is right, and making room, also while somebody works in it."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from mirrorhub import Settings, fetch
from mirrorhub.cache.inventory import StoredRepo, stored_folder, stored_repos
from mirrorhub.cache.pruning import Removal, Wish, chosen, remove
from mirrorhub.cli import main
from mirrorhub.errors import NotCachedError
from mirrorhub.models import FileEntry
from mirrorhub.owner import own_name
from mirrorhub.partials import PartialPool
from mirrorhub.paths import OWN_FOLDER
from mirrorhub.stores.aside import Limits, asides, put_aside
from mirrorhub.stores.leftovers import leftovers, tidy
from mirrorhub.stores.trash import discard, empty
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import Alter
from tests.fakehub.repo import sample_bytes
from tests.fakehub.rules import Rule
from tests.quick import quick

FILES = {"config.json": b"{}", "sub/x.txt": b"x" * 3000, "model.bin": sample_bytes("model", 1_200_000)}
SHARED = sample_bytes("shared", 200_000)
Capture = pytest.CaptureFixture[str]


@pytest.fixture(params=["modelscope", "huggingface"])
def hub_name(request: pytest.FixtureRequest) -> str:
    """Each hub in turn."""
    return str(request.param)


def repo_of(hub_name: str, id: str = "org/name", files: dict[str, bytes] | None = None) -> Repo:
    """A repository."""
    return Repo(hub_name, id, FILES if files is None else files)  # type: ignore[arg-type]


def bring(hub_name: str, id: str = "org/name", **options: Any) -> Path:
    """Bring a repository into the cache."""
    with FakeHub([repo_of(hub_name, id)]) as hub:
        return fetch(id, hub=hub_name, settings=quick(hub.url), **options).path


def address(hub_name: str, id: str = "org/name") -> str:
    """What the command line calls it."""
    return f"{'hf' if hub_name == 'huggingface' else 'ms'}://{id}"


def stored(address: str) -> StoredRepo | None:
    """What lies in the caches under an address."""
    return next((one for one in stored_repos(Settings.load()) if one.address == address), None)


def listed(capsys: Capture, *names: str) -> list[dict[str, Any]]:
    """What `list --json` says."""
    capsys.readouterr()
    assert main(["cache", "list", "--json", *names]) == 0
    records: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return records


def test_list(hub_name: str, capsys: Capture) -> None:
    """Every snapshot stands there with its files, its bytes, who vouched for it, and that it was verified."""
    path = bring(hub_name)
    (record,) = listed(capsys)
    (snapshot,) = record["snapshots"]
    size = sum(len(data) for data in FILES.values())
    assert (record["repo"], record["hub"], record["id"]) == (address(hub_name), hub_name, "org/name")
    assert (snapshot["path"], snapshot["files"], snapshot["size"]) == (str(path), 3, size)
    assert size < record["size"] < size + 10_000
    assert (snapshot["ours"], snapshot["verified"], snapshot["changed"]) == (True, True, [])
    assert snapshot["revisions"] == ["main" if hub_name == "huggingface" else "master"]
    assert snapshot["vouched_by"].startswith("named https://localhost")
    assert main(["cache", "list"]) == 0
    told = capsys.readouterr().out
    assert "verified" in told
    assert "1 repository, 1 snapshot, 1.2 MB" in told


def test_list_of_nothing(tmp_path: Path, capsys: Capture) -> None:
    """An empty cache, or none, is no error; it is said where was looked."""
    assert listed(capsys) == []
    for command in ("list", "verify"):
        assert main(["cache", command]) == 0
        told = capsys.readouterr()
        assert told.out == f"Nothing is in the caches: {tmp_path / 'ms'}, {tmp_path / 'hf'}.\n"
        assert told.err == ""
    assert main(["cache", "list", "--cache-dir", str(tmp_path / "x")]) == 0
    assert capsys.readouterr().out == f"Nothing is in the caches: {tmp_path / 'x'}.\n"
    assert main(["cache", "partials"]) == 0
    assert main(["cache", "prune", "--older-than", "1d"]) == 0


def test_a_cache_of_another_place(hub_name: str, tmp_path: Path, capsys: Capture) -> None:
    """A folder that was given as --cache-dir is looked after by the same option."""
    with FakeHub([repo_of(hub_name)]) as hub:
        path = fetch("org/name", hub=hub_name, cache_dir=tmp_path / "other", endpoints=hub.url).path
        assert listed(capsys) == []
        place = ["--cache-dir", str(tmp_path / "other")]
        assert [one["repo"] for one in listed(capsys, *place)] == [address(hub_name)]
        damage(path / "model.bin")
        assert main(["cache", "verify", *place]) == 5
        assert main(["cache", "verify", "--repair", "--endpoint", hub.url, *place]) == 0
    assert {name: (path / name).read_bytes() for name in FILES} == FILES
    assert main(["cache", "prune", address(hub_name), "-y", *place]) == 0
    assert not path.exists()


def test_a_name_as_messages_write_it(hub_name: str, capsys: Capture) -> None:
    """A repository may be named as errors and reports name it."""
    path = bring(hub_name)
    assert [one["path"] for one in listed(capsys, f"{hub_name}:org/name")] == [str(path.parents[1])]


def screen(capsys: Capture, monkeypatch: pytest.MonkeyPatch, width: int, *arguments: str) -> list[str]:
    """The lines that a terminal of this width shows."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    capsys.readouterr()
    assert main(["cache", *arguments]) == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()


def test_a_narrow_terminal(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 60 columns repository and size stand there whole, and what has no room is named."""
    with FakeHub([repo_of("modelscope", "organisation/a-model-of-some-name")]) as hub:
        fetch("organisation/a-model-of-some-name", settings=quick(hub.url))
    lines = screen(capsys, monkeypatch, 60, "list")
    rows = [line.split() for line in lines]
    assert all(len(line) <= 60 for line in lines)
    assert any({"repository", "size"} <= set(row) for row in rows)
    assert any("ms://organisation/a-model-of-some-name" in row for row in rows)
    assert any("no room for:" in line and "published" in line for line in lines)


def test_a_pipe(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file or a pipe nothing is folded, and no column is left out."""
    name = "organisation/" + "a-model-of-a-long-name-" * 4
    with FakeHub([repo_of("modelscope", name)]) as hub:
        fetch(name, settings=quick(hub.url))
    monkeypatch.setenv("COLUMNS", "60")
    capsys.readouterr()
    assert main(["cache", "list"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["repository", "revision", "files", "size", "used", "published", "state"] in rows
    assert [f"ms://{name}", "master", "3", "1.2", "MB"] in [row[:5] for row in rows]


def test_list_of_a_folder(tmp_path: Path, capsys: Capture) -> None:
    """A folder that was given as local_dir is shown where it is named; only what we brought is counted."""
    folder = tmp_path / "local"
    bring("modelscope", local_dir=folder)
    (folder / "mine.bin").write_bytes(b"m" * 10_000_000)
    assert listed(capsys) == []
    (record,) = listed(capsys, str(folder))
    assert record["local_dir"]
    assert record["size"] < 2_000_000
    assert record["snapshots"][0]["files"] == 3


def test_list_of_what_an_sdk_made(tmp_path: Path, capsys: Capture) -> None:
    """What bears no note of ours is shown as such."""
    folder = tmp_path / "ms" / "models" / "org--sdk" / "snapshots" / "master"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"a" * 10)
    (record,) = listed(capsys)
    assert (record["repo"], record["size"]) == ("ms://org/sdk", 10)
    assert not record["snapshots"][0]["ours"]
    assert main(["cache", "list"]) == 0
    assert "not ours" in capsys.readouterr().out


def test_list_counts_once_what_is_shared(capsys: Capture) -> None:
    """Bytes that two snapshots share are counted once."""
    repo = repo_of("huggingface")
    with FakeHub([repo]) as hub:
        fetch("hf://org/name", settings=quick(hub.url))
        repo.commit({"config.json": b"{ }"})
        fetch("hf://org/name", settings=quick(hub.url))
    (record,) = listed(capsys)
    assert [one["size"] > 1_200_000 for one in record["snapshots"]] == [True, True]
    assert record["size"] < 1_300_000


def test_names_that_could_harm_a_terminal(tmp_path: Path, capsys: Capture) -> None:
    """A folder may have come from somebody else: its names can do nothing to a terminal."""
    folder = tmp_path / "ms" / "models" / "org--\x1b[31mred" / "snapshots" / "[bold]master"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"a")
    assert main(["cache", "list"]) == 0
    told = capsys.readouterr().out
    assert "\x1b[31m" not in told
    assert "[bold]master" in told


def test_a_planted_note_names_a_folder_outside(tmp_path: Path) -> None:
    """A note whose name climbs out of its folder leads nowhere: nothing outside is listed, hashed or deleted."""
    bring("modelscope")
    outside = tmp_path / "ms" / "models" / "precious"
    outside.mkdir()
    (outside / "model.bin").write_bytes(b"precious")
    notes = tmp_path / "ms" / "models" / "org--name" / OWN_FOLDER / "notes"
    shutil.copy(notes / "master.json", notes / "..%2F..%2Fprecious.json")
    assert [one.name for one in stored_repos(Settings.load())[0].snapshots] == ["master"]
    assert main(["cache", "prune", "org/name", "-y"]) == 0
    assert (outside / "model.bin").read_bytes() == b"precious"


def damage(file: Path) -> None:
    """Flip a byte, and put the time back."""
    before = file.stat()
    with file.open("r+b") as opened:
        opened.write(b"?")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_who_is_named_for_damage(capsys: Capture) -> None:
    """Damage is not blamed on an endpoint whose bytes were all thrown away before the file was there."""
    good_repo = Repo("modelscope", "org/name", {"model.bin": b"right" * 20_000})
    with FakeHub([good_repo], [Rule(Alter(), "model.bin")]) as lies, FakeHub([good_repo]) as good:
        path = fetch("org/name", settings=quick(lies.url, good.url)).path
    damage(path / "model.bin")
    assert main(["cache", "verify", "--json"]) == 5
    assert lies.url not in (told := capsys.readouterr().out)
    assert good.url in told


def test_verify(hub_name: str, capsys: Capture) -> None:
    """Without damage the exit code is 0; damage, loss and extra files are told, with who gave the bytes: 5."""
    path = bring(hub_name)
    assert main(["cache", "verify"]) == 0
    assert "3 files right" in capsys.readouterr().out
    damage(path / "model.bin")
    (path / "sub" / "x.txt").unlink()
    (path / "more.txt").write_bytes(b"more")
    assert main(["cache", "verify"]) == 5
    told = capsys.readouterr().out
    assert "damaged: model.bin: sha256:" in told
    assert "it came from https://localhost" in told
    assert "missing: sub/x.txt" in told
    assert "extra: more.txt" in told
    assert main(["cache", "verify", "--json", address(hub_name)]) == 5
    (record,) = json.loads(capsys.readouterr().out)
    assert {one["path"]: one["problem"] for one in record["findings"]} == {
        "model.bin": "damaged",
        "sub/x.txt": "missing",
        "more.txt": "extra",
    }


def test_verify_and_an_extra_file_alone(hub_name: str) -> None:
    """A file that no listing has is told of, and is no damage."""
    (bring(hub_name) / "more.txt").write_bytes(b"more")
    assert main(["cache", "verify"]) == 0


@pytest.mark.parametrize("local", [False, True], ids=["cache", "folder"])
def test_a_note_that_cannot_be_read(hub_name: str, local: bool, tmp_path: Path, capsys: Capture) -> None:
    """A note that became unreadable is damage, and not an SDK's doing; to bring it once more writes it anew."""
    folder = tmp_path / "local" if local else None
    names = [str(folder)] if local else []
    with FakeHub([repo_of(hub_name)]) as hub:
        path = fetch("org/name", hub=hub_name, settings=quick(hub.url), local_dir=folder).path
        (note,) = ((path if local else path.parents[1]) / OWN_FOLDER / "notes").iterdir()
        note.write_text("{")
        (record,) = listed(capsys, *names)
        assert (record["snapshots"][0]["ours"], record["snapshots"][0]["unreadable"]) == (False, True)
        for more in ([], ["--repair"]):
            assert main(["cache", "verify", *more, *names]) == 5
            told = capsys.readouterr()
            assert f"damaged: its note cannot be read: {note}" in told.out
            assert "an SDK stored" not in told.out
            assert "mirrorhub download" in told.out + told.err
        assert main(["cache", "verify", "--json", *names]) == 5
        (record,) = json.loads(capsys.readouterr().out)
        assert [one["problem"] for one in record["findings"]] == ["unreadable"]
        hub.log.clear()
        fetch("org/name", hub=hub_name, settings=quick(hub.url), local_dir=folder)
        assert hub.log.bytes_sent_by_file() == {}
    assert main(["cache", "verify", *names]) == 0
    assert "3 files right" in capsys.readouterr().out


@pytest.mark.parametrize("local", [False, True], ids=["cache", "folder"])
def test_repair(hub_name: str, local: bool, tmp_path: Path, capsys: Capture) -> None:
    """With --repair the damaged file alone is put aside and brought again, and then all is right."""
    folder = tmp_path / "local" if local else None
    with FakeHub([repo_of(hub_name)]) as hub:
        path = fetch("org/name", hub=hub_name, settings=quick(hub.url), local_dir=folder).path
        damage(path / "model.bin")
        (path / "config.json").unlink()
        hub.log.clear()
        names = [str(folder)] if local else []
        assert main(["cache", "verify", "--repair", "--endpoint", hub.url, *names]) == 0
        sent = hub.log.bytes_sent_by_file()
    # A blob outlives its link.
    whole = {"config.json": 2} if local or hub_name == "modelscope" else {}
    assert sent == {"model.bin": 1_200_000, **whole}
    assert "brought again" in capsys.readouterr().out
    assert {name: (path / name).read_bytes() for name in FILES} == FILES
    (aside,) = asides(path if local else path.parents[1])
    assert aside.path == "model.bin"
    assert main(["cache", "verify", *names]) == 0
    assert main(["cache", "list", *names]) == 0
    assert "put aside: model.bin" in capsys.readouterr().out


def test_repair_of_a_part() -> None:
    """Of a snapshot that holds a part of the repository, that part is made right, and nothing else comes."""
    with FakeHub([repo_of("modelscope")]) as hub:
        path = fetch("org/name", settings=quick(hub.url), allow_patterns=["*.json", "*.bin"]).path
        damage(path / "config.json")
        assert main(["cache", "verify", "--repair", "--endpoint", hub.url]) == 0
    assert not (path / "sub").exists()
    assert (path / "config.json").read_bytes() == b"{}"


def test_repair_when_nobody_answers(hub_name: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be brought again stays told of: exit code 5, and why."""
    path = bring(hub_name)
    damage(path / "model.bin")
    monkeypatch.setenv("MIRRORHUB_OFFLINE", "1")
    assert main(["cache", "verify", "--repair"]) == 5
    assert "model.bin" in capsys.readouterr().err


def test_repair_and_whom_to_name(hub_name: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the chain of today has it not, it is said who had given it, and how to name an endpoint."""
    path = bring(hub_name)
    damage(path / "model.bin")
    with FakeHub([]) as empty:
        monkeypatch.setenv("MIRRORHUB_ENDPOINTS", empty.url)
        capsys.readouterr()
        assert main(["cache", "verify", "--repair"]) == 5
        told = capsys.readouterr().err
        assert re.search(r"It had come from https://localhost:\d+: name an endpoint that has it with --endpoint", told)
        assert main(["cache", "verify", "--repair", "--endpoint", empty.url]) == 5
        assert "--endpoint" not in capsys.readouterr().err


def test_counts_of_one(capsys: Capture) -> None:
    """One of something is written so."""
    with FakeHub([repo_of("modelscope", files={"a.txt": b"a"})]) as hub:
        path = fetch("org/name", settings=quick(hub.url)).path
    assert main(["cache", "verify"]) == 0
    assert "1 file right" in capsys.readouterr().out
    (path / "a.txt").write_bytes(b"ab")
    assert main(["cache", "list"]) == 0
    assert "1 file changed" in capsys.readouterr().out


def test_verify_what_is_shared_once(capsys: Capture) -> None:
    """A blob that two snapshots share is read once, and found damaged in both."""
    repo = repo_of("huggingface")
    with FakeHub([repo]) as hub:
        path = fetch("hf://org/name", settings=quick(hub.url)).path
        repo.commit({"config.json": b"{ }"})
        fetch("hf://org/name", settings=quick(hub.url))
        damage(path / "model.bin")
        assert main(["cache", "verify", "--json"]) == 5
        records = json.loads(capsys.readouterr().out)
        assert [[one["path"] for one in record["findings"]] for record in records] == [["model.bin"]] * 2
        hub.log.clear()
        assert main(["cache", "verify", "--repair", "--endpoint", hub.url]) == 0
        assert hub.log.bytes_sent_by_file() == {"model.bin": 1_200_000}
    assert main(["cache", "verify"]) == 0


def aged(path: Path, days: float) -> None:
    """Let a snapshot be as if it had not been used for so long."""
    at = time.time() - days * 86_400
    for file in (path, *path.rglob("*")):
        os.utime(file.resolve(), (at, at))
    for note in (path.parents[1] / OWN_FOLDER / "notes").iterdir():
        os.utime(note, (at, at))


def test_prune_a_repository(hub_name: str, tmp_path: Path, capsys: Capture) -> None:
    """What is named goes, and nothing is left of it; what is beside stays."""
    path, other = bring(hub_name), bring(hub_name, "org/other")
    assert list((path.parents[1] / OWN_FOLDER / "reports").iterdir())
    assert main(["cache", "prune", address(hub_name), "-y"]) == 0
    assert "freed 1.2 MB" in capsys.readouterr().out
    assert not path.parents[1].exists()
    assert (other / "model.bin").read_bytes() == FILES["model.bin"]
    with pytest.raises(NotCachedError):
        fetch("org/name", hub=hub_name, local_files_only=True)


def test_prune_asks(hub_name: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is deleted before somebody has said yes; --dry-run asks nothing and deletes nothing."""
    path = bring(hub_name)
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert main(["cache", "prune", address(hub_name)]) == 0
    assert "Delete this?" in capsys.readouterr().out
    assert main(["cache", "prune", address(hub_name), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "frees 1.2 MB" in told
    assert "Delete" not in told
    assert (path / "model.bin").is_file()
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert main(["cache", "prune", address(hub_name)]) == 0
    assert not path.exists()


@pytest.mark.parametrize("stdin", [io.StringIO(""), None], ids=["empty", "closed"])
def test_prune_with_nobody_to_ask(stdin: io.StringIO | None, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can answer nothing is deleted, and that is wrong usage: it is said what to give."""
    path = bring("modelscope")
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["cache", "prune", "org/name"]) == 2
    told = capsys.readouterr().err
    assert "Nobody to ask: give -y." in told
    assert "Interrupted" not in told
    assert (path / "model.bin").is_file()


class CtrlC(io.StringIO):
    """A terminal at which somebody presses Ctrl-C instead of answering."""

    def readline(self, size: int | None = -1, /) -> str:
        """Answer nothing."""
        raise KeyboardInterrupt


def test_prune_and_ctrl_c(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C at the question deletes nothing, and no word is said of a download."""
    path = bring("modelscope")
    monkeypatch.setattr(sys, "stdin", CtrlC())
    capsys.readouterr()
    assert main(["cache", "prune", "org/name"]) == 130
    assert capsys.readouterr().err == "Interrupted. Nothing was deleted.\n"
    assert (path / "model.bin").is_file()


def test_prune_by_age(hub_name: str) -> None:
    """What was not used for longer goes; reading a file is use."""
    old, read, new = (bring(hub_name, f"org/{name}") for name in ("old", "read", "new"))
    aged(old, 40)
    aged(read, 40)
    os.utime((read / "model.bin").resolve(), (time.time(), time.time() - 40 * 86_400))
    assert main(["cache", "prune", "--older-than", "30d", "-y"]) == 0
    assert [path.exists() for path in (old, read, new)] == [False, True, True]


def test_to_be_verified_is_not_to_be_used(hub_name: str) -> None:
    """A verification reads every byte, and what was not used for long is still that."""
    path = bring(hub_name)
    aged(path, 40)
    assert main(["cache", "verify"]) == 0
    assert main(["cache", "prune", "--older-than", "30d", "-y"]) == 0
    assert not path.exists()


def test_prune_to_a_size(hub_name: str) -> None:
    """The least used go until what is left is small enough."""
    paths = [bring(hub_name, f"org/{name}") for name in ("one", "two", "three")]
    for path, days in zip(paths, (20, 30, 10), strict=True):
        aged(path, days)
    assert main(["cache", "prune", "--keep-size", "3MB", "-y"]) == 0
    assert [path.exists() for path in paths] == [True, False, True]


def test_prune_by_size() -> None:
    """Only repositories that are larger go."""
    bring("modelscope")
    with FakeHub([repo_of("modelscope", "org/small", {"a.txt": b"a"})]) as hub:
        small = fetch("org/small", settings=quick(hub.url)).path
    assert main(["cache", "prune", "--larger-than", "1MB", "-y"]) == 0
    assert stored("ms://org/name") is None
    assert small.is_dir()


def test_prune_leaves_what_is_shared() -> None:
    """When one of two snapshots goes, the blobs that the other links to stay, and the rest goes."""
    repo = repo_of("huggingface", files={"shared.bin": SHARED, "own.bin": b"old" * 1000})
    with FakeHub([repo]) as hub:
        old = fetch("hf://org/name", settings=quick(hub.url))
        repo.commit({"own.bin": b"new" * 1000})
        new = fetch("hf://org/name", settings=quick(hub.url)).path
    assert main(["cache", "prune", f"hf://org/name@{str(old.commit)[:10]}", "-y"]) == 0
    assert not old.path.exists()
    assert (new / "shared.bin").read_bytes() == SHARED
    assert (new / "own.bin").read_bytes() == b"new" * 1000
    assert len(list((new.parents[1] / "blobs").iterdir())) == 2
    assert fetch("hf://org/name", local_files_only=True, verify=True).path == new


def test_prune_a_branch_with_a_slash() -> None:
    """A revision whose name has a slash goes with its folders and its report, and its neighbour stays."""
    repo = repo_of("modelscope")
    for branch in ("feature/x", "feature/y"):
        repo.commit({"branch.txt": branch.encode()}, branch=branch)
    with FakeHub([repo]) as hub:
        x, y = (fetch("org/name", branch, settings=quick(hub.url)).path for branch in ("feature/x", "feature/y"))
    assert main(["cache", "prune", "org/name@feature/x", "-y"]) == 0
    assert (x.exists(), y.exists()) == (False, True)
    assert [report.name for report in (y.parents[2] / OWN_FOLDER / "reports").iterdir()] == ["feature%2Fy.json"]
    assert main(["cache", "prune", "org/name@feature/y", "-y"]) == 0
    assert not y.parents[2].exists()


def test_prune_a_users_folder(tmp_path: Path) -> None:
    """Of a folder that the user named goes what we brought; what the user made or changed stays."""
    folder = tmp_path / "local"
    bring("modelscope", local_dir=folder)
    (folder / "mine.txt").write_bytes(b"mine")
    (folder / "config.json").write_bytes(b"edited")
    assert main(["cache", "prune", str(folder), "-y"]) == 0
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if OWN_FOLDER not in path.parts}
    assert left == {"mine.txt", "config.json"}


def test_prune_what_an_sdk_made(tmp_path: Path) -> None:
    """What bears no note of ours goes only where it is named."""
    home = tmp_path / "ms" / "models" / "org--sdk"
    folder = home / "snapshots" / "master"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"a")
    aged_at = time.time() - 10**8
    os.utime(folder / "a.txt", (aged_at, aged_at))
    assert main(["cache", "prune", "--older-than", "1d", "-y"]) == 0
    assert folder.is_dir()
    assert main(["cache", "prune", "org/sdk", "-y"]) == 0
    assert not home.exists()


def going(found: StoredRepo | None) -> Removal:
    """All snapshots of what was found, as somebody is shown them before being asked."""
    assert found is not None
    (removal,) = chosen([(found, found.snapshots)], Wish(), time.time(), named=True)
    return removal


def test_a_file_that_is_edited_while_the_question_stands(tmp_path: Path) -> None:
    """What a user has edited after having been asked is the user's, and stays."""
    folder = tmp_path / "local"
    bring("modelscope", local_dir=folder)
    removal = going(stored_folder(folder))
    (folder / "config.json").write_bytes(b"hours of work")
    assert asyncio.run(remove(removal)).problem is None
    assert {path.name for path in folder.iterdir()} - {OWN_FOLDER} == {"config.json"}
    assert (folder / "config.json").read_bytes() == b"hours of work"


def test_a_snapshot_that_is_published_while_the_question_stands(hub_name: str, tmp_path: Path) -> None:
    """What a call has published after somebody was asked stays, and that is said."""
    repo, folder = repo_of(hub_name), tmp_path / "local"
    with FakeHub([repo]) as hub:
        for local_dir in (None, folder):
            fetch("org/name", hub=hub_name, settings=quick(hub.url), local_dir=local_dir, allow_patterns="*.json")
        removals = [going(stored(address(hub_name))), going(stored_folder(folder))]
        paths = [
            fetch("org/name", hub=hub_name, settings=quick(hub.url), local_dir=local_dir).path
            for local_dir in (None, folder)
        ]
    for removal, path in zip(removals, paths, strict=True):
        outcome = asyncio.run(remove(removal))
        assert (outcome.freed, outcome.problem) == (0, "1 snapshot has changed since this was shown")
        assert (path / "model.bin").read_bytes() == FILES["model.bin"]


def test_one_of_two_snapshots_is_published_anew() -> None:
    """Of what was shown the rest goes, with what is its own alone."""
    repo = repo_of("modelscope")
    repo.tag("v1")
    with FakeHub([repo]) as hub:
        old = fetch("org/name", "v1", settings=quick(hub.url)).path
        new = fetch("org/name", settings=quick(hub.url)).path
        removal = going(stored("ms://org/name"))
        repo.commit({"config.json": b"new"})
        fetch("org/name", settings=quick(hub.url))
    outcome = asyncio.run(remove(removal))
    assert outcome.problem == "1 snapshot has changed since this was shown"
    assert outcome.freed == sum(map(len, FILES.values()))
    assert not old.exists()
    assert (new / "config.json").read_bytes() == b"new"


def test_what_an_sdk_adds_while_the_question_stands(tmp_path: Path) -> None:
    """Where there is no note the files say whether a snapshot is as it was shown."""
    folder = tmp_path / "ms" / "models" / "org--sdk" / "snapshots" / "master"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"a")
    removal = going(stored("ms://org/sdk"))
    (folder / "b.txt").write_bytes(b"b")
    assert asyncio.run(remove(removal)).problem
    assert (folder / "a.txt").exists()


def test_what_is_put_aside_while_the_question_stands(tmp_path: Path) -> None:
    """Only what was shown of what was put aside goes."""
    folder = tmp_path / "local"
    bring("modelscope", local_dir=folder)
    found = stored_folder(folder)
    assert found is not None
    (folder / "config.json").write_bytes(b"hours of work")
    entry = FileEntry("config.json", 2, "0" * 64)
    put = put_aside(folder, folder / "config.json", entry, "master", (), users=True)
    asyncio.run(remove(Removal(found, aside=True)))
    assert put.data.read_bytes() == b"hours of work"


def test_prune_one_of_two_repositories_in_a_folder(capsys: Capture) -> None:
    """`a--b/c` and `a/b--c` share a folder: of each only its own snapshots are listed, and go."""
    two = Repo("modelscope", "a/b--c", FILES)
    two.tag("v2")
    with FakeHub([Repo("modelscope", "a--b/c", FILES), two]) as hub:
        one = fetch("a--b/c", settings=quick(hub.url)).path
        other = fetch("a/b--c", "v2", settings=quick(hub.url)).path
    rows = {row["id"]: [snapshot["path"] for snapshot in row["snapshots"]] for row in listed(capsys)}
    assert rows == {"a--b/c": [str(one)], "a/b--c": [str(other)]}
    assert main(["cache", "prune", "a/b--c", "-y"]) == 0
    assert (one.exists(), other.exists()) == (True, False)
    assert main(["cache", "prune", "a--b/c", "-y"]) == 0
    assert not one.parents[1].exists()


def test_a_folder_of_a_repositorys_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """A name means the cache's repository, not a folder that happens to be called so; a folder is written as one."""
    monkeypatch.chdir(tmp_path)
    folder, path = tmp_path / "org" / "name", bring("modelscope")
    bring("modelscope", local_dir=folder)
    assert main(["cache", "prune", "org/name", "-y"]) == 0
    assert (path.exists(), (folder / "model.bin").exists()) == (False, True)
    assert main(["cache", "prune", "org/name", "-y"]) == 2
    assert "./org/name" in capsys.readouterr().err
    assert main(["cache", "prune", "./org/name", "-y"]) == 0
    assert not (folder / "model.bin").exists()


WRONG = [
    (["prune"], "Say what should go"),
    (["prune", "--older-than", "soon"], "30d"),
    (["prune", "--keep-size", "much"], "10GB"),
    (["prune", "--partials", "--keep-size", "1GB"], "not with --partials"),
    (["prune", "org/nothing", "-y"], "nothing in the caches is called"),
    (["verify", "hf://org/nothing"], "nothing in the caches is called"),
    (["list", "org/name@v9"], "nothing in the caches is called"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG, ids=[" ".join(row[0]) for row in WRONG])
def test_wrong_usage(arguments: list[str], words: str, capsys: Capture) -> None:
    """What cannot be meant is exit code 2, and said."""
    bring("modelscope")
    capsys.readouterr()
    assert main(["cache", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_name_of_the_other_hub(capsys: Capture) -> None:
    """A plain name means ModelScope, as everywhere; the other hub's is suggested."""
    bring("huggingface")
    assert main(["cache", "verify", "org/name"]) == 2
    assert "did you mean hf://org/name?" in capsys.readouterr().err


def test_the_sdks_after_pruning() -> None:
    """Both SDKs' scans see what is left, and warn of nothing."""
    repo = repo_of("huggingface", files={"shared.bin": SHARED, "own.bin": b"old" * 1000})
    with FakeHub([repo]) as hub:
        old = fetch("hf://org/name", settings=quick(hub.url))
        repo.commit({"own.bin": b"new" * 1000})
        path = fetch("hf://org/name", settings=quick(hub.url)).path
    bring("huggingface", "org/gone")
    assert main(["cache", "prune", "hf://org/gone", f"hf://org/name@{old.commit}", "-y"]) == 0
    program = (
        "import json; from huggingface_hub import scan_cache_dir, snapshot_download; s = scan_cache_dir(); "
        "print(json.dumps([[r.repo_id, r.nb_files] for r in s.repos] + [str(w) for w in s.warnings] "
        "+ [snapshot_download('org/name', local_files_only=True)]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == [["org/name", 2], str(path)]


CUT_OFF = """
import os, shutil, signal, sys
from mirrorhub import fetch
from mirrorhub.cli import main
from mirrorhub.errors import NotCachedError

hub, home, template, path, name, local = sys.argv[1:]
local = local or None
left = None

def cut(event, arguments):
    # Whatever changes the disk counts; at the chosen change the process is killed.
    global left
    if left is not None and event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir"):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

def content(folder):
    files = [os.path.join(root, file) for root, _, names in os.walk(folder) for file in names]
    return {os.path.relpath(file, folder): open(file, "rb").read() for file in files if ".mirrorhub" not in file}

def begin_anew():
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(template, home, symlinks=True)

sys.addaudithook(cut)
begin_anew()
whole = content(path)
# Once here: no child needs to load all that it takes.
assert main(["cache", "prune", name, "-y"]) == 0
for step in range(300):
    begin_anew()
    child = os.fork()
    if child == 0:
        left = step
        os._exit(main(["cache", "prune", name, "-y"]))
    status = os.waitpid(child, 0)[1]
    if status == 0:
        break
    assert os.WIFSIGNALED(status), status
    try:
        found = fetch("org/name", hub=hub, local_dir=local, local_files_only=True)
    except NotCachedError:
        found = None
    # Nobody calls a part of it complete, and whoever reads the cache without our note sees all of it or nothing.
    assert found is None or not found.verified or content(path) == whole, step
    assert local or not os.path.exists(path) or content(path) == whole, step
print(step)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize(
    ("hub_name", "local"),
    [("modelscope", False), ("huggingface", False), ("modelscope", True)],
    ids=["modelscope", "huggingface", "folder"],
)
def test_killed_in_the_middle(hub_name: str, local: bool, tmp_path: Path) -> None:
    """Killed at any change of the disk, it leaves no half-deleted snapshot that could be taken for complete."""
    folder = tmp_path / "local" if local else None
    path = bring(hub_name, local_dir=folder)
    home, template = path if local else path.parents[1], tmp_path / "template"
    shutil.copytree(home, template, symlinks=True)
    name = str(folder) if local else address(hub_name)
    done = subprocess.run(
        [sys.executable, "-c", CUT_OFF, hub_name, str(home), str(template), str(path), name, str(folder or "")],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert 10 < int(done.stdout.splitlines()[-1]) < 299


CUT_IN_THE_TRASH = """
import os, signal, sys
from mirrorhub.cli import main

def cut(event, arguments):
    if event == "shutil.rmtree" and "trash-" in str(arguments[0]):
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(cut)
main(["cache", "prune", sys.argv[1], "-y"])
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_killed_and_taken_up(hub_name: str) -> None:
    """After a kill in the middle the next call in that repository brings the rest of the deletion to its end."""
    path = bring(hub_name)
    home = path.parents[1]
    done = subprocess.run(
        [sys.executable, "-c", CUT_IN_THE_TRASH, address(hub_name)], capture_output=True, timeout=50, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert [one.name for one in (home / OWN_FOLDER).iterdir() if one.name.startswith("trash-")]
    with FakeHub([repo_of(hub_name)]) as hub:
        again = fetch("org/name", hub=hub_name, settings=quick(hub.url)).path
    assert {name: (again / name).read_bytes() for name in FILES} == FILES
    assert not [one.name for one in (home / OWN_FOLDER).iterdir() if one.name.startswith("trash-")]


def test_blobs_in_the_trash(tmp_path: Path) -> None:
    """What a discarded snapshot links to goes with it, unless another one links to it; links elsewhere lead nowhere."""
    home = tmp_path / "home"
    for name in ("a" * 64, "b" * 64, "c" * 64):
        (home / "blobs").mkdir(parents=True, exist_ok=True)
        (home / "blobs" / name).write_bytes(b"x")
    outside = tmp_path / "blobs"
    outside.mkdir()
    (outside / ("d" * 64)).write_bytes(b"x")
    for snapshot, blobs in (("one", ("a" * 64, "b" * 64)), ("two", ("b" * 64,))):
        folder = home / "snapshots" / snapshot
        folder.mkdir(parents=True)
        for name in blobs:
            (folder / name).symlink_to(f"../../blobs/{name}")
    (home / "snapshots" / "one" / "far").symlink_to(f"../../../blobs/{'d' * 64}")
    (home / "snapshots" / "one" / "up").symlink_to("../../blobs/..")
    (home / OWN_FOLDER).mkdir()
    discard(home, [home / "snapshots" / "one"])
    empty(home, blobs=True)
    assert (home / "blobs" / ("a" * 64)).exists(), "a living process's own"
    empty(home, own=True, blobs=True)
    assert sorted(path.name for path in (home / "blobs").iterdir()) == ["b" * 64, "c" * 64]
    assert (outside / ("d" * 64)).exists()


HOLD = """
import sys
from pathlib import Path
from mirrorhub.models import FileEntry
from mirrorhub.partials import PartialPool

pool = PartialPool(Path(sys.argv[1]))
pool.prepare()
partial = pool.claim(FileEntry("model.bin", 10_000, sha256="0" * 64))
partial.write(0, b"x" * 1000, "https://a.test")
print("held", flush=True)
sys.stdin.read()
"""


def test_prune_while_another_process_brings(hub_name: str, capsys: Capture) -> None:
    """What a living process works on is left as it is, and said; once it has ended, it goes."""
    path = bring(hub_name)
    own = path.parents[1] / OWN_FOLDER
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(own)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        capsys.readouterr()
        assert main(["cache", "partials", "--json"]) == 0
        (record,) = json.loads(capsys.readouterr().out)
        assert (record["alive"], record["kind"], record["size"] > 1000) == (True, "partial", True)
        assert main(["cache", "prune", address(hub_name), "-y"]) == 5
        assert "living process" in capsys.readouterr().err
        assert main(["cache", "prune", "--partials", "-y"]) == 5
        told = capsys.readouterr()
        assert told.err == "1 is being written by a living process, and stays\n"
        assert "Nothing has to go" not in told.out
        assert main(["cache", "prune", "--partials", "--older-than", "1d", "-y"]) == 0
        assert main(["cache", "partials"]) == 0
        assert "1 on the way, 1 of a living process" in capsys.readouterr().out
        assert leftovers(path.parents[1])
        assert fetch("org/name", hub=hub_name, local_files_only=True, verify=True).path == path
        holder.kill()
    capsys.readouterr()
    assert main(["cache", "partials", "--json"]) == 0
    assert not json.loads(capsys.readouterr().out)[0]["alive"]
    assert main(["cache", "prune", "--partials", "-y"]) == 0
    assert not leftovers(path.parents[1])
    assert (path / "model.bin").is_file()


def test_prune_and_fetch_at_once(hub_name: str) -> None:
    """Calls that bring a repository while another process prunes it over and over all end with the right bytes."""
    program = (
        "import sys; from mirrorhub.cli import main\n"
        "while True:\n    main(['cache', 'prune', sys.argv[1], '-y'])\n    print('.', flush=True)"
    )
    bring(hub_name)
    with FakeHub([repo_of(hub_name)]) as hub:
        pruning = subprocess.Popen(
            [sys.executable, "-c", program, address(hub_name)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with pruning:
            assert pruning.stdout is not None
            pruning.stdout.readline()
            # It reads on, so that the other never waits for room in the pipe.
            reading = threading.Thread(target=pruning.stdout.read)
            reading.start()
            try:
                for _ in range(15):
                    assert len(fetch("org/name", hub=hub_name, settings=quick(hub.url)).files) == 3
            finally:
                pruning.kill()
                reading.join()
        path = fetch("org/name", hub=hub_name, settings=quick(hub.url)).path
    assert {name: (path / name).read_bytes() for name in FILES} == FILES


def test_partials(hub_name: str, capsys: Capture) -> None:
    """What is on its way is shown with the file that it is of, where a note knows it."""
    path = bring(hub_name)
    repo = repo_of(hub_name)
    pool = PartialPool(path.parents[1] / OWN_FOLDER)
    pool.prepare()
    partial = pool.claim(FileEntry("model.bin", 1_200_000, sha256=repo.files["model.bin"].sha256))
    partial.note(partial.write(0, b"x" * 500, "https://a.test"))
    pool.release(partial)
    assert main(["cache", "partials"]) == 0
    told = capsys.readouterr().out
    assert "model.bin" in told
    assert "gone" in told
    left(path.parents[1], "7", 300, 1)
    assert main(["cache", "partials"]) == 0
    told = capsys.readouterr().out
    assert "sha256-777777777777 " in told
    assert "7" * 13 not in told
    assert re.search(r"^2 on the way, \d+", told, re.MULTILINE)
    shutil.rmtree(path.parents[1] / OWN_FOLDER / "partial" / f"sha256-{'7' * 64}.free-1")
    assert main(["cache", "list"]) == 0
    assert "on its way: 1" in capsys.readouterr().out


def test_prune_what_was_put_aside(capsys: Capture, tmp_path: Path) -> None:
    """--aside deletes what was put aside, and no snapshot."""
    path = bring("modelscope")
    (tmp_path / "x").write_bytes(b"wrong")
    home = path.parents[1]
    put_aside(home, tmp_path / "x", FileEntry("x", 1, sha256="0" * 64), "master", (), False)
    assert main(["cache", "prune", "--aside", "--older-than", "1d", "-y"]) == 0
    assert len(asides(home)) == 1
    assert main(["cache", "prune", "--aside", "-y"]) == 0
    assert asides(home) == []
    assert (path / "model.bin").is_file()


def left(home: Path, digit: str, size: int, days: float, owner: str = "free-1") -> Path:
    """Leave a partial behind."""
    folder = home / OWN_FOLDER / "partial" / f"sha256-{digit * 64}.{owner}"
    folder.mkdir(parents=True)
    (folder / "data").write_bytes(b"x" * size)
    at = time.time() - days * 86_400
    for path in (folder / "data", folder):
        os.utime(path, (at, at))
    return folder


def test_old_partials_go_by_themselves(hub_name: str) -> None:
    """A call that prepares a transfer removes what ended processes left long ago; not what it could use itself."""
    repo = repo_of(hub_name)
    with FakeHub([repo]) as hub:
        path = fetch("org/name", hub=hub_name, settings=quick(hub.url), allow_patterns="*.json").path
        home = path.parents[1]
        old, young = left(home, "1", 10, 20), left(home, "2", 10, 2)
        living = left(home, "3", 10, 20, own_name())
        (home / OWN_FOLDER / "ready").mkdir(exist_ok=True)
        wanted = home / OWN_FOLDER / "ready" / f"sha256-{repo.files['model.bin'].sha256}"
        wanted.write_bytes(FILES["model.bin"])
        os.utime(wanted, (1, 1))
        hub.log.clear()
        fetch("org/name", hub=hub_name, settings=quick(hub.url))
        assert set(hub.log.bytes_sent_by_file()) == {"sub/x.txt"}
    assert [folder.exists() for folder in (old, young, living)] == [False, True, True]


def test_too_many_partials(tmp_path: Path) -> None:
    """When there is too much the oldest goes first, and what a call wants does not count."""
    folders = [left(tmp_path, digit, 100, days) for digit, days in (("1", 1), ("2", 3), ("3", 2), ("4", 9))]
    tidy(tmp_path, [tmp_path / f"sha256-{'4' * 64}"], Limits(100, 250, 10**9))
    assert [folder.exists() for folder in folders] == [True, False, True, True]


def test_planted_links_among_the_leftovers(tmp_path: Path) -> None:
    """Of a planted symbolic link only the link goes."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious.txt").write_bytes(b"precious")
    home = tmp_path / "home"
    left(home, "1", 10, 20)
    link = home / OWN_FOLDER / "partial" / f"sha256-{'2' * 64}.free-2"
    link.symlink_to(outside)
    (home / OWN_FOLDER / "ready").symlink_to(outside)
    tidy(home, (), Limits(100, 0, 0.0), now_s=time.time() + 100)
    assert (outside / "precious.txt").read_bytes() == b"precious"
    assert not link.is_symlink()


def named(removals: list[Removal]) -> list[str]:
    """The names of what was chosen."""
    return [one.name for removal in removals for one in removal.snapshots]


def test_choosing() -> None:
    """Several conditions have all to be met; the size that is kept counts after them."""
    repo = repo_of("modelscope")
    for branch in ("one", "two", "three"):
        repo.commit({"branch.txt": branch.encode()}, branch=branch)
    with FakeHub([repo]) as hub:
        for branch in ("one", "two", "three"):
            fetch("org/name", branch, settings=quick(hub.url))
    (found,) = stored_repos(Settings.load())
    now = time.time() + 100
    everything = [(found, found.snapshots)]
    assert named(chosen(everything, Wish(older_than_s=1), now, named=False)) == ["one", "three", "two"]
    assert named(chosen(everything, Wish(older_than_s=1, larger_than=10**9), now, named=False)) == []
    assert named(chosen(everything, Wish(older_than_s=1000), now, named=True)) == []
    assert len(named(chosen(everything, Wish(keep_size=2_600_000), now, named=False))) == 1
    assert len(named(chosen(everything, Wish(keep_size=0), now, named=False))) == 3
