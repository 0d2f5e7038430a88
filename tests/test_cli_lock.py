"""`mirrorhub lock`: what it writes, what it shows before it does, and its exit codes."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from mirrorhub.cli import main
from mirrorhub.lockfile.reading import load_lock
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import Status

FILES = {"a.txt": b"first", "m.bin": b"m" * 3000}
Capture = pytest.CaptureFixture[str]
MS, HF = "modelscope:org/name", "huggingface:org/name"


class Terminal(io.StringIO):
    """Somebody who answers."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project; its root is the working directory, and nobody sits there."""
    (tmp_path / "project" / ".git").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return tmp_path / "project"


@pytest.fixture
def repos() -> list[Repo]:
    """The files on both kinds of hub."""
    return [Repo("modelscope", "org/name", FILES), Repo("huggingface", "org/name", FILES)]


def lock(command: str, *arguments: str, hub: FakeHub | None = None) -> int:
    return main(["lock", command, *arguments, *(("--endpoint", hub.url) if hub else ())])


def test_add(repos: list[Repo], project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock file is made in the project's root, from wherever; who vouched is told, and what was written where."""
    (project / "src").mkdir()
    monkeypatch.chdir(project / "src")
    with FakeHub(repos) as hub:
        assert lock("add", "org/name", "hf://org/name", hub=hub) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"locked {MS}@master: 2 files, 3,005 bytes; vouched for by named {hub.url}"
    assert lines[1].startswith(f"locked {HF}@main ({repos[1].head.id[:7]}): 2 files, 3,005 bytes; vouched for by ")
    assert lines[2:] == [str(project / "mirrorhub.lock")]
    assert [str(one) for one in load_lock(project / "mirrorhub.lock").repositories] == [f"{HF}@main", f"{MS}@master"]


def test_add_once_more(repos: list[Repo], project: Path, capsys: Capture) -> None:
    """What is locked already and has changed is refused with the difference; the file stays as it is."""
    with FakeHub(repos) as hub:
        assert lock("add", "org/name", hub=hub) == 0
        before = (project / "mirrorhub.lock").read_text()
        assert lock("add", "org/name", hub=hub) == 0
        repos[0].commit({"new.py": b"x"})
        assert lock("add", "org/name", hub=hub) == 1
    told = capsys.readouterr().err
    assert "`mirrorhub lock update modelscope:org/name` takes what is new" in told
    assert "extra: new.py (1 bytes" in told
    assert "mirrorhub why" not in told
    assert (project / "mirrorhub.lock").read_text() == before


def test_add_a_revision_and_a_part(repos: list[Repo], project: Path, capsys: Capture) -> None:
    """A revision may stand with the name; of a part the patterns are written down; what matches nothing is refused."""
    repos[1].tag("v1")
    with FakeHub(repos) as hub:
        assert lock("add", "hf://org/name@v1", "--include", "*.txt", hub=hub) == 0
        assert lock("add", "hf://org/name", "--include", "*.none", hub=hub) == 2
        assert lock("add", "org/name", "--include", "none/*", hub=hub) == 2
    (entry,) = load_lock(project / "mirrorhub.lock").repositories
    assert (entry.revision, entry.include, [one.path for one in entry.files]) == ("v1", ("*.txt",), ["a.txt"])
    assert "no file matches" in capsys.readouterr().err


def test_check(repos: list[Repo], capsys: Capture) -> None:
    """All are checked and all are told; the code says whether all is as locked."""
    with FakeHub(repos) as hub:
        lock("add", "org/name", "hf://org/name", hub=hub)
        capsys.readouterr()
        assert lock("check", hub=hub) == 0
        assert capsys.readouterr().out.splitlines() == [f"{HF}@main: as locked", f"{MS}@master: as locked"]
        repos[0].commit({"a.txt": b"other", "new.py": b"x"})
        repos[1].commit({"a.txt": b"other"}, delete=["m.bin"])
        assert lock("check", hub=hub) == 1
        told = capsys.readouterr().out
        for part in (f"{HF}@main:\n  main: ", "changed: a.txt: 5 bytes", "removed: m.bin (3,000", "extra: new.py (1 b"):
            assert part in told
        assert lock("check", "--json", "hf://org/name", hub=hub) == 1
        (record,) = json.loads(capsys.readouterr().out)
    assert (record["repository"], record["as_locked"], len(record["difference"])) == (HF, False, 3)


def test_check_where_nobody_answers(repos: list[Repo], capsys: Capture) -> None:
    """Of what could not be checked it is told why, and the others are checked all the same."""
    with FakeHub(repos) as hub:
        lock("add", "org/name", "hf://org/name", hub=hub)
    with FakeHub(repos[:1]) as hub:
        assert lock("check", hub=hub) == 1
    told = capsys.readouterr()
    assert f"{HF}@main: could not be checked: There is no repository" in told.err
    assert f"{MS}@master: as locked" in told.out


def test_check_the_disk(repos: list[Repo], capsys: Capture, tmp_path: Path) -> None:
    """Files in the cache are compared, too; offline with nothing else, and what is not there is another code."""
    with FakeHub(repos) as hub:
        lock("add", "org/name", hub=hub)
        assert lock("check", "--offline") == 4
        assert "not on disk: 2 of 2 files" in capsys.readouterr().out
        main(["download", "org/name", "--endpoint", hub.url])
        assert lock("check", "--offline") == 0
        file = tmp_path / "ms" / "models" / "org--name" / "snapshots" / "master" / "a.txt"
        file.write_bytes(b"other bytes")
        capsys.readouterr()
        assert lock("check", hub=hub) == lock("check", "--offline") == 1
    assert capsys.readouterr().out.count(f"on disk, changed: {file}") == 2


def test_update_shows_and_asks(
    repos: list[Repo], project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What changes is shown first; where nobody can be asked nothing is written without --yes."""
    place = project / "mirrorhub.lock"
    with FakeHub(repos) as hub:
        lock("add", "org/name", hub=hub)
        before = place.read_text()
        repos[0].commit({"a.txt": b"other"})
        assert lock("update", hub=hub) == 2
        assert lock("update", "--dry-run", hub=hub) == 0
        told = capsys.readouterr()
        assert told.out.count("changed: a.txt: 5 bytes") == 2
        assert "--yes takes it" in told.err
        monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
        assert lock("update", hub=hub) == 1
        assert place.read_text() == before
        monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
        assert lock("update", hub=hub) == 0
        assert lock("check", hub=hub) == lock("update", hub=hub) == 0
    changed = [line for line in place.read_text().splitlines() if line not in before.splitlines()]
    assert [line.split()[0] for line in changed] == ["date", "{"]


def test_update_all_of_them(repos: list[Repo], project: Path, capsys: Capture) -> None:
    """Without a name everything is updated, and what is named alone otherwise; no line is in vain."""
    with FakeHub(repos) as hub:
        lock("add", "org/name", "hf://org/name", hub=hub)
        for repo in repos:
            repo.commit({"a.txt": b"other"})
        assert lock("update", "--yes", "org/name", hub=hub) == 0
        capsys.readouterr()
        assert lock("update", "--yes", hub=hub) == 0
        told = capsys.readouterr().out
        assert f"{MS}@master: as locked" in told
        assert f"{HF}@main:\n  main: " in told
        assert lock("check", hub=hub) == 0


def test_update_takes_no_step_back_by_itself(repos: list[Repo], project: Path, capsys: Capture) -> None:
    """An older state is called so, and not taken by whoever only nods, as a bot does."""
    old = Repo("modelscope", "org/name", FILES)
    repos[0].commit({"a.txt": b"fixed"})
    with FakeHub(repos) as hub:
        lock("add", "org/name", hub=hub)
    with FakeHub([old]) as hub:
        assert lock("update", "--yes", hub=hub) == 2
        told = capsys.readouterr()
        assert "older than what is locked" in told.out
        assert "a step back is taken with --older only" in told.err
        assert lock("update", "--older", hub=hub) == 2
        assert lock("check", hub=hub) == 1
        assert lock("update", "--older", "--yes", hub=hub) == 0
        assert lock("check", hub=hub) == 0


def test_update_to_another_revision(repos: list[Repo], project: Path, capsys: Capture) -> None:
    """The entry takes the place of the old one."""
    repos[0].tag("v1")
    with FakeHub(repos) as hub:
        lock("add", "org/name", "--revision", "v1", hub=hub)
        repos[0].commit({"a.txt": b"other"})
        repos[0].tag("v2")
        assert lock("update", "org/name", "--revision", "v2", "--yes", hub=hub) == 0
        assert "  revision: v1 -> v2" in capsys.readouterr().out
    assert [one.revision for one in load_lock(project / "mirrorhub.lock").repositories] == ["v2"]


def test_diff(repos: list[Repo], project: Path, capsys: Capture) -> None:
    """What an update would change, and what two lock files say differently; never an error."""
    with FakeHub(repos) as hub:
        lock("add", "org/name", hub=hub)
        shutil.copy("mirrorhub.lock", "old.lock")
        repos[0].commit({"a.txt": b"other"})
        assert lock("diff", hub=hub) == 0
        lock("update", "--yes", hub=hub)
        lock("add", "hf://org/name", hub=hub)
        capsys.readouterr()
    assert lock("diff", "old.lock", "mirrorhub.lock") == 0
    told = capsys.readouterr().out
    assert f"{HF}@main:\n  is locked now\n" in told
    assert f"{MS}@master:\n  changed: a.txt: 5 bytes, sha256 " in told


def test_a_mirrors_own_word(
    repos: list[Repo], project: Path, capsys: Capture, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no official hub could be asked, it is said whose word was taken, and written down."""
    with FakeHub(repos) as mirror, FakeHub([], [Status(503)]) as official:
        monkeypatch.setenv("MIRRORHUB_CONFIG", str(project / "config.toml"))
        (project / "config.toml").write_text(
            f'[[endpoint]]\nurl = "{official.url}"\n[[endpoint]]\nurl = "{mirror.url}"\ncan = ["pull"]\n'
        )
        assert lock("add", "org/name", "--timeout", "20") == 0
    assert f"{mirror.url}'s own word" in caplog.text
    assert f'vouched_by = "mirror {mirror.url}"' in (project / "mirrorhub.lock").read_text()


WRONG = {
    "no lock file": (["check"], 2, "`mirrorhub lock add` writes one"),
    "a file that is not there": (["check", "-f", "none.lock"], 2, "there is no lock file"),
    "no repository": (["add", "../x"], 2, "is no repository id"),
    "a path": (["add", "hf://a/b/c.txt"], 2, "--include chooses some"),
    "the same hub": (["add", "a/b", "--also", "c/d"], 2, "another hub's repository of the same type"),
    "nothing": (["add"], 2, "Missing argument"),
    "two revisions": (["add", "hf://a/b@v1", "--revision", "v2"], 2, "names a revision"),
}


@pytest.mark.parametrize(("arguments", "code", "problem"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong(arguments: list[str], code: int, problem: str, capsys: Capture, project: Path) -> None:
    """A mistake is said in a line, and nothing is written."""
    assert main(["lock", *arguments]) == code
    assert problem in capsys.readouterr().err
    assert os.listdir(project) == [".git"]  # noqa: PTH208


def test_what_is_not_locked(repos: list[Repo], capsys: Capture) -> None:
    """A name that is not in the lock file is an error that says how to lock it."""
    with FakeHub(repos) as hub:
        lock("add", "org/name", hub=hub)
        assert lock("update", "org/other", hub=hub) == 2
    assert "`mirrorhub lock add org/other` locks it" in capsys.readouterr().err


def test_the_option_of_commands_that_fetch(repos: list[Repo], project: Path, capsys: Capture) -> None:
    """`--lockfile` names one, and `off` none; what is locked is said to be vouched for by it."""
    with FakeHub(repos) as hub:
        assert lock("add", "org/name", "-f", "other.lock", hub=hub) == 0
        repos[0].commit({"a.txt": b"other"})
        for option, kind in {"other.lock": f"lock {project / 'other.lock'}", "off": f"named {hub.url}"}.items():
            capsys.readouterr()
            assert main(["download", "org/name", "--lockfile", option, "--endpoint", hub.url]) == 0
            assert f"vouched for by: {kind}\n" in capsys.readouterr().err


def test_listing_uses_nothing_that_is_locked(
    repos: list[Repo], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Even where only what is locked is trusted, checking asks the hubs, and takes none of the lock for an answer."""
    with FakeHub(repos) as hub:
        lock("add", "org/name", hub=hub)
        repos[0].commit({"a.txt": b"other"})
        monkeypatch.setenv("MIRRORHUB_TRUST", "any")
        assert lock("check", hub=hub) == 1
        monkeypatch.setenv("MIRRORHUB_TRUST", "lock")
        assert lock("check", hub=hub) == 1
    assert "could not be checked" in capsys.readouterr().err


@pytest.mark.parametrize("name", [MS, HF])
def test_check_of_a_file_that_was_planted(name: str, repos: list[Repo], capsys: Capture) -> None:
    """A file that lies beside the locked ones is told, with and without a network; the code is 1."""
    with FakeHub(repos) as hub:
        assert lock("add", name, hub=hub) == 0
        capsys.readouterr()
        assert main(["download", name, "--endpoint", hub.url]) == 0
        path = Path(capsys.readouterr().out.strip())
        (path / "modeling_x.py").touch()
        for offline in ((), ("--offline",)):
            assert lock("check", name, *offline, hub=hub) == 1
            assert f"on disk, extra: {path / 'modeling_x.py'}" in capsys.readouterr().out
        assert main(["download", name, "--endpoint", hub.url]) == 1
    told = capsys.readouterr().err
    assert "extra: modeling_x.py (0 bytes)" in told
    assert "Delete them, or lock what the repository holds now" in told.splitlines()[-1]


def test_update_asks_beside_the_json(repos: list[Repo], capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question is not mixed into what a program reads."""
    with FakeHub(repos) as hub:
        lock("add", "org/name", hub=hub)
        repos[0].commit({"a.txt": b"other"})
        capsys.readouterr()
        monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
        assert lock("update", "--json", hub=hub) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)[0]["repository"] == f"{MS}@master"
    assert "Take this?" in told.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["https://a:S3CRET@huggingface.co/org/name"],
        ["hf://a:S3CRET@huggingface.co/org/name"],
        ["hf://https://a:S3CRET@huggingface.co/org/name"],
        ["org/name", "--revision", "https://a:S3CRET@huggingface.co/org/name"],
    ],
    ids=["address", "hf address", "both", "revision"],
)
@pytest.mark.parametrize("command", [["download"], ["lock", "add"]], ids=["download", "lock"])
def test_an_address_with_a_password(command: list[str], arguments: list[str], capsys: Capture) -> None:
    """A password in what stands for a repository is not said again."""
    assert main([*command, *arguments]) == 2
    told = capsys.readouterr()
    assert "S3CRET" not in told.out + told.err
    assert "huggingface.co" in told.err
    assert "owner/name" in told.err or "revision" in told.err
