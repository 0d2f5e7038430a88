"""The command line: the answer on stdout, the story on stderr, and exit codes that scripts can rely on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mirrorhub import __version__
from mirrorhub.cli import main
from mirrorhub.vad import sample_path
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import Status
from tests.fakehub.repo import sample_bytes
from tests.fakehub.rules import Rule

FILES = {"config.json": b"{}", "sub/x.txt": b"x", "model.bin": sample_bytes("model", 100_000)}
SECRET = "aSecretThatMustNotBeShown"
Capture = pytest.CaptureFixture[str]


def repos(**options: bool) -> list[Repo]:
    """The files on both kinds of hub."""
    return [Repo("modelscope", "org/name", FILES, **options), Repo("huggingface", "org/name", FILES, **options)]  # type: ignore[arg-type]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in another process."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "mirrorhub", *arguments],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ, "COLUMNS": "300"},
    )


INTERRUPT_IMPORTS = """
import signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "mirrorhub.cli.why":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
"""
STARTS = {
    "the module": "import runpy; runpy.run_module('mirrorhub', run_name='__main__')",
    "the command": "from importlib.metadata import EntryPoint as Entry; sys.exit(Entry('', sys.argv[1], '').load()())",
}


@pytest.mark.parametrize("start", STARTS)
def test_interrupted_while_it_starts(start: str) -> None:
    """Ctrl-C is obeyed without a traceback while the command line is being imported, too."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    command = [sys.executable, "-c", INTERRUPT_IMPORTS + STARTS[start], project["scripts"]["mirrorhub"]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted.\n")


def test_download() -> None:
    """The path stands alone on stdout, for scripts; how it came is told on stderr."""
    with FakeHub(repos(), [Status(503)], name="a") as broken, FakeHub(repos(), name="b") as good:
        done = command("download", "org/name", "--endpoint", broken.url, "--endpoint", good.url)
    assert done.returncode == 0
    (path,) = done.stdout.splitlines()
    assert {name: Path(path, name).read_bytes() for name in FILES} == FILES
    first, second, vouched, more = done.stderr.splitlines()
    assert first == f"{broken.url}: left: answered 503"
    assert second == f"{good.url}: served 3 files"
    assert vouched == f"vouched for by: named {good.url}"
    assert more == "`mirrorhub why` tells more."


def test_download_what_is_there(capsys: Capture, tmp_path: Path) -> None:
    """What is on disk is said to be, and nobody is asked for it."""
    with FakeHub(repos()) as hub:
        assert main(["download", "org/name", "--endpoint", hub.url]) == 0
    path = capsys.readouterr().out
    assert main(["download", "org/name", "--offline"]) == 0
    told = capsys.readouterr()
    assert told.out == path
    assert told.err.startswith("everything was on disk\n")


def test_download_as_json(capsys: Capture) -> None:
    """With --json the whole report stands on stdout and nothing beside it."""
    with FakeHub(repos()) as hub:
        assert main(["download", "hf://org/name", "--endpoint", hub.url, "--json"]) == 0
    told = capsys.readouterr()
    report = json.loads(told.out)
    assert (told.err, set(report["files"])) == ("", set(FILES))
    assert Path(report["path"], "model.bin").read_bytes() == FILES["model.bin"]
    assert {row["path"] for row in report["reports"]} == set(FILES)
    assert report["manifest"]["vouched_by"] == {"kind": "named", "name": hub.url}


def test_download_part(capsys: Capture, tmp_path: Path) -> None:
    """Files, patterns and a folder of one's own do what their names say."""
    with FakeHub(repos()) as hub:
        assert main(["download", "org/name", "config.json", "--endpoint", hub.url]) == 0
        path = Path(capsys.readouterr().out.strip())
        assert path.name == "config.json"
        assert [file.name for file in path.parent.iterdir()] == ["config.json"]
        local = tmp_path / "local"
        arguments = ["--include", "*.bin", "--include", "*.txt", "--exclude", "sub/*", "--local-dir", str(local)]
        assert main(["download", "org/name", "--endpoint", hub.url, *arguments]) == 0
        assert capsys.readouterr().out.strip() == str(local)
        assert [file.name for file in local.iterdir() if not file.name.startswith(".")] == ["model.bin"]
        cache = tmp_path / "cache"
        assert main(["download", "org/name", "--endpoint", hub.url, "--cache-dir", str(cache)]) == 0
        assert Path(capsys.readouterr().out.strip()).is_relative_to(cache)


SAMPLE = str(sample_path())
WRONG = [
    ([], 2, "Usage"),
    (["fly"], 2, "No such command"),
    (["download"], 2, "Missing argument"),
    (["download", "org/name", "--wings"], 2, "No such option"),
    (["download", "org/name", "--hub", "gitlab"], 2, "gitlab"),
    (["download", "org/name", "--timeout", "0"], 2, "timeout"),
    (["download", "org/name", "--max-workers", "0"], 2, "max-workers"),
    (["download", "not-an-id"], 2, "owner/name"),
    (["download", "org/name", "--revision", "../x"], 2, "climbs"),
    (["download", "org/name", "--endpoint", "ftp://a.test"], 2, "ftp://a.test"),
    (["download", "org/name", "--offline"], 4, "not complete"),
    (["warmup", "org/name", "--offline"], 4, "not complete"),
    (["bench", "not-an-id"], 2, "owner/name"),
    (["bench", "--rounds", "0"], 2, "rounds"),
    (["bench", "--limit", "0.1"], 2, "limit"),
    (["bench", "--limit", "nan"], 2, "limit"),
    (["bench", "--limit", "inf"], 2, "limit"),
    (["bench", "--limit", "1e305"], 2, "limit"),
    (["bench", "--timeout", "nan"], 2, "timeout"),
    (["bench", "--timeout", "inf"], 2, "timeout"),
    (["bench", "--html", "no-such-folder/x.html"], 2, "does not exist"),
    (["bench", "--endpoint", "ftp://a.test"], 2, "ftp://a.test"),
    (["vad"], 2, "Missing argument"),
    (["vad", "x.wav", "--set", "max_end_silence_time"], 2, "NAME=VALUE"),
    (["vad", "x.wav", "--set", "max_end_silence_time=soon"], 2, "number"),
    (["vad", SAMPLE, "--set", "no_such_parameter=1", "--offline"], 2, "no_such_parameter"),
    (["vad", SAMPLE, "--offline"], 4, "not complete"),
    (["vad", SAMPLE, "--model", "./no/such/folder"], 1, "folder"),
    (["vad", "nosuch.wav", "--offline"], 2, "there is no file nosuch.wav"),
    (["why", "--html", f"{SAMPLE}/x.html"], 2, "is a file, and no folder"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), WRONG, ids=[" ".join(row[0]) or "nothing" for row in WRONG])
def test_exit_codes(arguments: list[str], code: int, words: str, capsys: Capture) -> None:
    """What is wrong is said on stderr, and the exit code says of which kind it is."""
    assert main(arguments) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err
    assert "Traceback" not in told.err


def test_a_repository_that_is_not_there(capsys: Capture) -> None:
    """What no endpoint has cannot be fetched: exit code 1, and every attempt is told."""
    with FakeHub(repos()) as hub:
        assert main(["download", "org/other", "--endpoint", hub.url]) == 1
    assert f"{hub.url}: listing: " in capsys.readouterr().err


def test_what_is_printed_can_be_typed(capsys: Capture) -> None:
    """A repository's name as messages and reports write it is read by every command that takes one."""
    both = [*repos(), Repo("huggingface", "data", {"x.csv": b"1"}, repo_type="dataset")]
    with FakeHub(both) as hub:
        for name in ("modelscope:org/name", "huggingface:org/name", "huggingface:datasets/data"):
            assert main(["download", name, "--endpoint", hub.url]) == 0
            capsys.readouterr()
            assert main(["why", name, "--json"]) == 0
            assert json.loads(capsys.readouterr().out)["reports"][0]["repo"] == name
            assert main(["cache", "verify", name]) == 0
            assert main(["endpoints", "show", name, "--json"]) == 0


def test_access_denied(capsys: Capture) -> None:
    """A gated repository without a token is exit code 3, with what to do about it."""
    with FakeHub(repos(gated=True), token=SECRET) as hub:
        assert main(["download", "hf://org/name", "--endpoint", hub.url]) == 3
        assert "HF_TOKEN" in capsys.readouterr().err
        assert main(["download", "hf://org/name", "--endpoint", hub.url, "--token", SECRET]) == 0
        told = capsys.readouterr()
        assert SECRET not in told.out + told.err


def test_a_variable_that_cannot_be_used(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped variable is exit code 2 for every command that reads it."""
    monkeypatch.setenv("MIRRORHUB_TRUST", "everybody")
    for arguments in (["download", "org/name"], ["config"], ["warmup"]):
        assert main(arguments) == 2
        assert "MIRRORHUB_TRUST" in capsys.readouterr().err


def test_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every setting stands in the table with its value and its source; of a token only that there is one."""
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", SECRET)
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{SECRET}@proxy.test:3128")
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", f"https://user:{SECRET}@mirror.test")
    monkeypatch.setenv("MIRRORHUB_TRUST", "official")
    done = command("config")
    assert (done.returncode, done.stderr) == (0, "")
    assert SECRET not in done.stdout
    rows = {words[0]: words[1:] for line in done.stdout.splitlines() if (words := line.split())}
    assert rows["trust"] == ["official", "MIRRORHUB_TRUST"]
    assert rows["modelscope_token"] == ["set,", "not", "shown", "MODELSCOPE_API_TOKEN"]
    assert rows["modelscope_cache"] == [str(tmp_path / "ms"), "MODELSCOPE_CACHE"]
    assert rows["https_proxy"][0] == "http://proxy.test:3128"


def test_config_as_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With --json the same stands as JSON, with what the SDKs would use by themselves."""
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.test")
    done = command("config", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert SECRET not in done.stdout
    told = json.loads(done.stdout)
    assert told["settings"]["huggingface_endpoint"] == {"value": "https://mirror.test", "source": "HF_ENDPOINT"}
    assert told["settings"]["huggingface_token"] == {"value": "set, not shown", "source": "HF_TOKEN"}
    sdks = json.dumps(told["sdks"])
    assert str(tmp_path / "ms") in sdks
    assert str(tmp_path / "hf") in sdks


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["download"],
        ["why"],
        ["vad"],
        ["endpoints"],
        ["warmup"],
        ["bench"],
        ["config"],
        ["cache"],
        ["cache", "list"],
        ["cache", "verify"],
        ["cache", "prune"],
        ["cache", "partials"],
    ],
    ids=lambda a: " ".join(a),
)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help(arguments: list[str], option: str, capsys: Capture) -> None:
    """Every command explains itself and its options."""
    assert main([*arguments, option]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("Usage: mirrorhub")
    assert told.err == ""


def test_help_of_bench(capsys: Capture) -> None:
    """The list of commands says in a whole line what `bench` does; its own help explains every option."""
    assert main(["--help"]) == 0
    assert "Compare endpoints; --save keeps the order.\n" in capsys.readouterr().out
    assert main(["bench", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Whose protocol MODEL and plain addresses mean." in told
    assert "Without it: those a download would use." in told


def test_version(capsys: Capture) -> None:
    """The version is told."""
    assert main(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


def test_verbose() -> None:
    """-v tells on stderr what is tried and why it is left, and leaves stdout alone."""
    with FakeHub(repos(), [Rule(Status(503), "listing", times=1)]) as hub:
        done = command("-v", "download", "org/name", "--endpoint", hub.url)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    assert f"left {hub.url} for listing: answered 503" in done.stderr


def test_vad(model_dir: Path, capsys: Capture) -> None:
    """Segments are printed as a table, or as JSON; a parameter that is set changes them."""
    audio = str(sample_path())
    arguments = ["vad", audio, "--model", str(model_dir)]
    assert main([*arguments, "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["file"] == audio
    assert all(0 <= start < end for start, end in record["segments"])
    assert main(arguments) == 0
    table = capsys.readouterr().out
    assert f"{len(record['segments'])} segments" in table
    assert "seconds" in table
    assert main([*arguments, "--json", "--set", "max_single_segment_time=500"]) == 0
    (shorter,) = json.loads(capsys.readouterr().out)
    assert len(shorter["segments"]) > len(record["segments"])


def test_vad_of_many(model_dir: Path, capsys: Capture, tmp_path: Path) -> None:
    """A file that cannot be read does not hold up the others: exit code 5; when none can be read, 1."""
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF no audio at all")
    missing = tmp_path / "missing.wav"
    model = ["--model", str(model_dir)]
    assert main(["vad", str(broken), str(sample_path()), *model]) == 5
    told = capsys.readouterr()
    assert str(broken) in told.err
    assert "segments" in told.out
    assert main(["vad", str(broken), str(missing), *model, "--json"]) == 1
    records = json.loads(capsys.readouterr().out)
    assert [set(record) for record in records] == [{"file", "error"}] * 2


def test_a_parameter_that_does_not_exist(model_dir: Path, capsys: Capture) -> None:
    """An unknown --set name is exit code 2, and the known ones are told."""
    assert main(["vad", str(sample_path()), "--model", str(model_dir), "--set", "silence=1"]) == 2
    told = capsys.readouterr().err
    assert "silence" in told
    assert "max_end_silence_time" in told


def test_warmup(model_dir: Path, capsys: Capture) -> None:
    """The model is brought, verified, loaded and tried, and each part's time is told."""
    files = {file.name: file.read_bytes() for file in model_dir.iterdir() if file.is_file()}
    with FakeHub([Repo("modelscope", "iic/speech_fsmn_vad_zh-cn-16k-common-pytorch", files)]) as hub:
        assert main(["warmup", "--endpoint", hub.url]) == 0
    told = capsys.readouterr().out
    for word in ("fetch", "verify", "load", "detect", "vouched for by: pin", "ready: "):
        assert word in told
    assert main(["warmup", "--offline", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert set(record["seconds"]) == {"fetch", "verify", "load", "detect"}
    assert record["segments"] > 0


def test_warmup_of_another_model(capsys: Capture) -> None:
    """A model that is no detector is brought and verified."""
    with FakeHub(repos()) as hub:
        assert main(["warmup", "org/name", "--endpoint", hub.url, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["segments"] is None
    assert {"fetch", "verify"} <= set(record["seconds"])


def test_warmup_for_modelscope(tmp_path: Path, capsys: Capture) -> None:
    """The whole repository comes, with a link of its name where the program starts; what stands there is left alone."""
    with FakeHub([Repo("modelscope", "org/name", {"a.txt": b"a", "sub/b.txt": b"b"})]) as hub:
        call = ["warmup", "org/name", "--endpoint", hub.url, "--for", "modelscope", "--link", str(tmp_path)]
        assert main(call) == 0
        assert "linked" in capsys.readouterr().out
        assert (tmp_path / "org" / "name" / "sub" / "b.txt").read_bytes() == b"b"
        (tmp_path / "org" / "name").unlink()
        (tmp_path / "org" / "name").mkdir()
        assert main(call) == 0
        assert "left alone" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="a pipe breaks otherwise there")
@pytest.mark.parametrize("more", [[], ["--json"]], ids=["text", "json"])
def test_a_pipe_that_nobody_reads(more: list[str]) -> None:
    """Whoever reads only the first line ends the command as every program ends then, and nothing is said of it."""
    with FakeHub(repos()) as hub:
        assert command("download", "org/name", "--endpoint", hub.url).returncode == 0
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "mirrorhub", "why", *more],
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=50,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_pipe_in_another_encoding(tmp_path: Path) -> None:
    """What a pipe cannot hold is written as a question mark, and ends nothing."""
    environ = {**os.environ, "PYTHONIOENCODING": "gbk"}
    with FakeHub(repos()) as hub:
        command = [sys.executable, "-m", "mirrorhub", "download", "org/name", "--endpoint", hub.url]
        done = subprocess.run(
            [*command, "--local-dir", str(tmp_path / "\U0001f600")], env=environ, capture_output=True, check=True
        )
    assert done.stdout.strip().endswith(b"?")
