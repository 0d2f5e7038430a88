"""`mirrorhub download` reads what fingers know: the options of both SDKs' commands, spelt and meant as there."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import click
import pytest
from huggingface_hub.cli._cli_utils import _FORMATTING_OPTIONS_HELP_RECORDS
from huggingface_hub.cli.hf import app
from huggingface_hub.errors import HfUriError
from huggingface_hub.utils._hf_uris import parse_hf_uri
from modelscope_hub.cli.compat import normalize_download_args, normalize_patterns
from modelscope_hub.cli.main import _build_parser

from mirrorhub.cli import cli, main
from mirrorhub.cli.naming import Named, parse_name
from mirrorhub.cli.spelling import REFUSED, respell
from mirrorhub.errors import ConfigError
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import NoDigests
from tests.fakehub.repo import sample_bytes

FILES = {"config.json": b"{}", "sub/x.txt": b"x", "sub/y.bin": b"y", "model.bin": sample_bytes("model", 30_000)}
FORMATTING = {"--format", "--json", "-q", "--quiet", "--no-truncate"}
Capture = pytest.CaptureFixture[str]
ABOVE = click.Context(cli, info_name="mirrorhub", **cli.context_settings)
"""Above every command's own context: click keeps what it has once read of that, for the whole process."""


def repos() -> list[Repo]:
    """The same files everywhere, at two revisions."""
    every = [
        Repo("modelscope", "org/name", FILES),
        Repo("modelscope", "org/data", FILES, repo_type="dataset"),
        Repo("huggingface", "org/name", FILES),
        Repo("huggingface", "org/data", FILES, repo_type="dataset"),
    ]
    for repo in every:
        repo.commit({"new.txt": b"new"}, branch="dev")
    return every


def options_of(command: click.Command) -> set[str]:
    """Every option of a command, in all its spellings."""
    context = click.Context(command, parent=ABOVE if command in cli.commands.values() else None)
    options = [option for option in command.get_params(context) if isinstance(option, click.Option)]
    return {name for option in options for name in (*option.opts, *option.secondary_opts)}


def modelscope_parser() -> argparse.ArgumentParser:
    """The parser of `modelscope download`, as it is installed."""
    subparsers = next(one for one in _build_parser()._actions if isinstance(one, argparse._SubParsersAction))
    return subparsers.choices["download"]  # type: ignore[no-any-return]


def test_every_option_is_known() -> None:
    """Each option of the installed SDKs' commands is read here, in each spelling, or stands on a list with a reason."""
    ours = options_of(cli.commands["download"])
    theirs = {name for action in modelscope_parser()._actions for name in action.option_strings}
    theirs |= options_of(app.commands["download"].materialize())  # type: ignore[attr-defined]
    theirs |= FORMATTING
    missing = {name for name in theirs if (name if name == "-q" else name.replace("_", "-")) not in ours}
    assert missing - {"-h"} == set(REFUSED)


def test_what_was_looked_at() -> None:
    """The options that hf takes out before it parses are those that the test above adds."""
    names = {name.strip() for row, _ in _FORMATTING_OPTIONS_HELP_RECORDS for name in row.split("[")[0].split(",")}
    assert names == FORMATTING


PATTERNS = [
    "org/name --include *.json *.bin",
    "org/name --include *.json --include *.bin",
    "org/name --include *.json,*.bin --exclude a b c",
    "--include a b --exclude c --cache-dir x org/name",
    "--include a b --model org/name",
    "--model org/name --include a b --exclude c d --local_dir y",
    "--dataset org/name x.txt y.txt",
    "--repo_type dataset org/name --cache_dir x --max-workers 3",
    "org/name -- x.txt",
    "org/name x.txt y.txt --revision v1 --force",
    "org/name --endpoint https://a.test --token t",
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("line", PATTERNS)
def test_read_as_modelscope_reads(line: str) -> None:
    """A line that modelscope's parser takes means here what it means there."""
    theirs = normalize_download_args(modelscope_parser().parse_args(line.split()))
    command = cli.commands["download"]
    ours = command.make_context("download", line.split(), parent=ABOVE).params
    repo, files = ours["model"] or ours["dataset"] or ours["repo_id"], list(ours["files"])
    if ours["model"] or ours["dataset"]:
        files = [*([ours["repo_id"]] if ours["repo_id"] else []), *files]
    kind = "dataset" if ours["dataset"] else ours["repo_type"] or "model"
    assert (repo, files, kind) == (theirs.repo_id, theirs.files, theirs.repo_type)
    for name in ("allow_patterns", "ignore_patterns"):
        assert normalize_patterns(list(ours[name])) == normalize_patterns(getattr(theirs, name))
    for name in ("revision", "cache_dir", "local_dir"):
        assert ours[name] == getattr(theirs, name)
    assert (ours["force_download"], ours["max_workers"] or 4) == (theirs.force, theirs.max_workers)


HF_LINES = [
    "org/name",
    "org/name a.txt b.txt",
    "--include *.json org/name",
    "--include *.json --include *.bin org/name",
    "--exclude x --revision v1 org/name a.txt",
    "org/name --type dataset --force-download --dry-run",
    "org/name --repo-type space --max-workers 3 --token t",
    "org/name --cache-dir x",
    "org/name art/ --local-dir y",
]


@pytest.mark.parametrize("line", HF_LINES)
def test_read_as_hf_reads(line: str) -> None:
    """A line that hf's parser takes means here what it means there."""
    theirs = app.commands["download"].materialize().make_context("download", line.split()).params  # type: ignore[attr-defined]
    ours = cli.commands["download"].make_context("download", line.split(), parent=ABOVE).params
    assert (ours["repo_id"], list(ours["files"])) == (theirs["repo_id"], list(theirs["filenames"] or ()))
    for name, other in (("allow_patterns", "include"), ("ignore_patterns", "exclude")):
        assert list(ours[name]) == list(theirs[other] or ())
    for name in ("revision", "cache_dir", "local_dir", "force_download", "dry_run", "token"):
        assert ours[name] == theirs[name]
    assert ours["repo_type"] == theirs["repo_type"]


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_taken(name: str, capsys: Capture) -> None:
    """An option that is not taken is an error that says why, and nobody is asked."""
    assert main(["download", "org/name", name, "x"]) == 2
    assert f"{name} is not taken: {REFUSED[name]}" in capsys.readouterr().err


URIS = [
    "hf://org/name",
    "hf://org/name/",
    "hf://models/org/name",
    "hf://datasets/org/name",
    "hf://spaces/org/name@v1",
    "hf://kernels/org/name@v1/build/",
    "hf://org/name@v1.0",
    "hf://org/name@feature%2Fx/sub/a.txt",
    "hf://org/name@refs/pr/3",
    "hf://org/name@refs/pr/3/sub/a.txt",
    "hf://org/name@refs/convert/parquet/x/",
    "hf://org/name/sub/a.txt",
    "hf://org/name/sub/",
    "hf://org/name/icon@2x.png",
    "hf://buckets/org/name",
    "hf://dataset/org/name",
    "hf://org/name@",
]


@pytest.mark.parametrize("uri", URIS)
def test_addresses(uri: str) -> None:
    """An address is taken apart as huggingface_hub takes it apart; what means no repository there means none here."""
    try:
        theirs = parse_hf_uri(uri)
    except HfUriError:
        theirs = None
    if theirs is None or theirs.is_bucket:
        with pytest.raises(ConfigError):
            parse_name(uri)
        return
    ours = parse_name(uri)
    slash = "/" if theirs.path_in_repo and uri.endswith("/") else ""
    kind = f"{theirs.type}s/" if ours.is_typed else ""
    assert theirs.type == "model" or ours.is_typed
    assert ours == Named(f"hf://{kind}{theirs.id}", ours.is_typed, theirs.revision, theirs.path_in_repo + slash)


def test_names_without_an_owner() -> None:
    """What has no owner, as Hugging Face's oldest models, is read, too; so is a plain id, whatever is in it."""
    assert parse_name("hf://gpt2@v1") == Named("hf://gpt2", revision="v1")
    assert parse_name("hf://datasets/squad") == Named("hf://datasets/squad", is_typed=True)
    assert parse_name("org/name") == Named("org/name")
    assert parse_name("org/name@v1.0.0") == Named("org/name", revision="v1.0.0")
    assert parse_name("modelscope:org/name@feature/x") == Named("modelscope:org/name", revision="feature/x")
    assert parse_name("huggingface:datasets/org/name@v1") == Named("huggingface:datasets/org/name", revision="v1")
    assert parse_name("https://a:b@host/name") == Named("https://a:b@host/name")
    assert parse_name("ms://org/name/a.txt") == Named("ms://org/name", path="a.txt")


BRINGS: dict[str, tuple[str, set[str]]] = {
    "all": ("org/name", set(FILES)),
    "one file": ("org/name config.json", {"config.json"}),
    "several patterns": ("org/name --include *.json *.txt", {"config.json", "sub/x.txt"}),
    "a pattern again": ("org/name --include *.json --include *.txt", {"config.json", "sub/x.txt"}),
    "all but": ("org/name --exclude *.bin *.json", {"sub/x.txt"}),
    "a folder": ("org/name sub/", {"sub/x.txt", "sub/y.bin"}),
    "a folder and a file": ("org/name sub/ config.json", {"sub/x.txt", "sub/y.bin", "config.json"}),
    "a folder of Hugging Face": ("hf://org/name sub/", {"sub/x.txt", "sub/y.bin"}),
    "a model's old option": ("--model org/name", set(FILES)),
    "a data set's old option": ("--dataset org/data config.json", {"config.json"}),
    "a data set": ("org/data --repo-type dataset --include *.json", {"config.json"}),
    "a data set of Hugging Face": ("hf://org/data --type dataset --include *.json", {"config.json"}),
    "what older guides say": ("--resume-download hf://org/name --local-dir-use-symlinks False", set(FILES)),
    "an address": ("hf://datasets/org/data@dev/new.txt", {"new.txt"}),
    "an address and a folder": ("hf://datasets/org/data@dev/sub/", {"sub/x.txt", "sub/y.bin"}),
    "an address of ModelScope": ("ms://org/name@dev/new.txt", {"new.txt"}),
    "an address and a revision": ("hf://org/name new.txt --revision dev", {"new.txt"}),
}


@pytest.mark.parametrize(("line", "expected"), BRINGS.values(), ids=BRINGS)
def test_what_is_brought(line: str, expected: set[str], capsys: Capture) -> None:
    """What a line names comes, and nothing else; the path stands alone on stdout: of one named file its own."""
    with FakeHub(repos()) as hub:
        assert main(["download", *line.split(), "--endpoint", hub.url, "--quiet"]) == 0
        assert set(hub.log.bytes_sent_by_file()) == expected
    told = capsys.readouterr()
    assert told.err == ""
    (path,) = told.out.splitlines()
    if Path(path).is_file():
        assert [Path(path).name] == [name for name in expected if name in line]
    else:
        assert all(Path(path, name).is_file() for name in expected)


WRONG: dict[str, tuple[str, str]] = {
    "a type beside a type": ("hf://datasets/org/name --repo-type model", "--repo-type cannot stand beside it"),
    "a revision beside a revision": ("hf://org/name@v1 --revision v2", "--revision cannot stand beside it"),
    "files beside a path": ("hf://org/name/a.txt b.txt", "FILES cannot stand beside it"),
    "both folders": ("hf://org/name --cache-dir x --local-dir y", "--cache-dir cannot stand beside it"),
    "a folder and patterns": ("org/name sub/ --include x", "--include 'sub/*'"),
    "two old options": ("--model org/name --dataset org/name", "only one"),
    "nothing": ("--revision v1", "Missing argument 'REPO_ID'"),
    "an empty pattern": ("--include *.json", "Missing argument 'REPO_ID'"),
    "no pattern": ("org/name --include", "requires an argument"),
    "no pattern but an option": ("org/name --exclude --revision v1", "requires an argument"),
    "patterns first": ("--include *.json *.md org/name", "put the repository first"),
    "a type beside an old option": ("--repo-type dataset --model org/name", "--repo-type dataset does not fit"),
    "two ways to print": ("org/name --json --quiet", "only one"),
    "another two": ("org/name --format json -q", "only one"),
    "a form": ("org/name --format xml", "xml"),
    "a name without an owner": ("gpt2", "or hf://gpt2"),
    "a bucket": ("hf://buckets/org/name", "no repository"),
    "the singular": ("hf://dataset/org/name", "hf://datasets/org/name"),
    "a kernel of ModelScope": ("org/name --repo-type kernel", "no kernels"),
}


@pytest.mark.parametrize(("line", "words"), WRONG.values(), ids=WRONG)
def test_what_does_not_go_together(line: str, words: str, capsys: Capture) -> None:
    """What cannot be meant is said before anybody is asked, with exit code 2."""
    assert main(["download", *line.split()]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err


@pytest.mark.parametrize("option", ["--local-dir", "--cache-dir", "--local_dir="])
def test_a_folder_that_is_empty(option: str, capsys: Capture) -> None:
    """A shell variable that is not set does not mean the working directory."""
    words = [option] if option.endswith("=") else [option, ""]
    assert main(["download", "org/name", *words]) == 2
    assert "is empty" in capsys.readouterr().err


def test_options_before_the_command() -> None:
    """Modelscope's own place for endpoint and token, before the command, is read, too."""
    private = Repo("modelscope", "org/name", FILES, private=True)
    with FakeHub([private], token="secret") as hub:
        assert main(["--token", "secret", "--endpoint", hub.url, "download", "org/name"]) == 0
        assert (
            main(
                [
                    "--token",
                    "wrong",
                    "--endpoint",
                    "x.test",
                    "download",
                    "org/name",
                    "--token",
                    "secret",
                    "--endpoint",
                    hub.url,
                ]
            )
            == 0
        )
        assert hub.log.tokens_seen() == {"Bearer secret", "m_session_id=secret"}


def test_a_dry_run(capsys: Capture, tmp_path: Path) -> None:
    """A dry run tells what would come and what is there, as a table, as names or as JSON; nothing comes."""
    with FakeHub(repos()) as hub:
        line = ["download", "hf://org/name", "--endpoint", hub.url]
        assert main([*line, "config.json", "--quiet"]) == 0
        path = Path(capsys.readouterr().out.strip()).parent
        hub.log.clear()
        assert main([*line, "--dry-run", "--exclude", "*.txt"]) == 0
        table = capsys.readouterr().out
        assert f"dry run: 2 of 3 files would come, 30.0 kB, to {path}" in table
        assert [row.split() for row in table.splitlines() if "model.bin" in row] == [
            ["model.bin", "30.0", "kB", "would", "come"]
        ]
        assert main([*line, "--dry-run", "-q"]) == 0
        assert capsys.readouterr().out.split() == ["model.bin", "sub/x.txt", "sub/y.bin"]
        assert main([*line, "config.json", "--dry-run", "--format", "json", "--force"]) == 0
        record = json.loads(capsys.readouterr().out)
        assert [(one["path"], one["cached"], one["comes"], one["size"]) for one in record["files"]] == [
            ("config.json", True, True, 2)
        ]
        assert not hub.log.requests(kind="body")


def test_what_cannot_be_verified(capsys: Capture) -> None:
    """What came without a digest is said to be not verified."""
    with FakeHub(repos(), [NoDigests()]) as hub:
        assert main(["download", "org/name", "--endpoint", hub.url, "--trust", "any"]) == 0
    assert "not verified" in capsys.readouterr().err


def test_patterns_beside_files(capsys: Capture) -> None:
    """Patterns beside files that are named say nothing, as in both SDKs, and that is told."""
    with FakeHub(repos()) as hub:
        assert main(["download", "hf://org/name", "model.bin", "--include=*.json", "--endpoint", hub.url]) == 0
        assert set(hub.log.bytes_sent_by_file()) == {"model.bin"}
    assert "left aside" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["org/name sub/ nosuch.json", "hf://org/name nosuch.json"])
def test_a_name_that_is_not_there(line: str, capsys: Capture) -> None:
    """A file that is named and is not there is an error, also beside a folder."""
    with FakeHub(repos()) as hub:
        assert main(["download", *line.split(), "--endpoint", hub.url]) == 1
    assert "no file 'nosuch.json'" in capsys.readouterr().err


def test_nothing_matches(capsys: Capture) -> None:
    """A pattern that matches nothing is no error, as in both SDKs, and that is told."""
    with FakeHub(repos()) as hub:
        assert main(["download", "org/name", "--include", "*.nothing", "--endpoint", hub.url]) == 0
    assert "nothing matches" in capsys.readouterr().err


def test_respelling_leaves_the_rest_alone() -> None:
    """Values that look like something else stay what they are."""
    assert respell(["a", "--cache_dir", "x_y", "--", "--local_dir"], {"--cache-dir"}) == [
        "a",
        "--cache-dir",
        "x_y",
        "--",
        "--local_dir",
    ]
