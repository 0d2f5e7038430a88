"""What `mirrorhub bench` shows: a table, JSON and a page, none of which servers can write into."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from mirrorhub.bench.comparison import Comparison, Measurement, Round, Trouble
from mirrorhub.cli import main
from mirrorhub.cli.bench import record_of
from mirrorhub.cli.bench_page import columns_of, facts_of, page_of
from mirrorhub.cli.bench_table import print_table
from mirrorhub.models import Endpoint, Repo
from tests.fakehub import FakeHub
from tests.fakehub import Repo as FakeRepo
from tests.fakehub.faults import HangBeforeAnswer, RefuseConnection
from tests.fakehub.repo import sample_bytes

SECRET = "aSecretThatMustNotBeShown"
HOSTILE = "<script>alert(1)</script>&\"'[red]\x1b[2J\u202e"
GOOD = Round(1, 0.01, 0.1, 0.12, 0.1, 0.05, "2", 0.1, "data.test", True, 0.1, 2.5e6, 0.2, 1_000_000)
FOUND = Comparison(
    Repo("modelscope", "org/name"),
    28_200_000,
    3,
    8_000_000,
    (
        Measurement(Endpoint(f"https://user:{SECRET}@a.test"), (GOOD, GOOD)),
        Measurement(Endpoint("https://b.test"), (Round(1, http="1.1", host=HOSTILE, reason=HOSTILE),)),
        Measurement(Endpoint("https://c.test"), (Round(1, troubles=(Trouble(HOSTILE, HOSTILE, "busy"),)),)),
        Measurement(Endpoint("name==1.0", "wheel")),
    ),
)
FILES = {"config.json": b"{}", "model.bin": sample_bytes("model", 900_000)}


class Elements(HTMLParser):
    """The elements of a page, with their attributes, and whether they are closed as they were opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone() -> None:
    """The page runs nothing and fetches nothing: no script, no address, no handler."""
    page = Elements(page_of(FOUND))
    assert page.open == []
    assert {tag for tag, _ in page.found} & {"script", "link", "img", "iframe", "object", "a", "form"} == set()
    names = {name for _, attributes in page.found for name in attributes}
    assert {name for name in names if name.startswith("on") or name in ("src", "href", "style")} == set()
    assert "url(" not in page_of(FOUND)
    assert "@import" not in page_of(FOUND)


def test_hostile_words_on_the_page() -> None:
    """What servers said is text on the page, without control characters."""
    page = page_of(FOUND)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", page)
    assert SECRET not in page


def test_what_the_page_shows() -> None:
    """Every endpoint has its row, the measured ones their bars, and each round its dot; in both languages."""
    page = page_of(FOUND, lambda: time.struct_time((2025, 1, 2, 3, 4, 5, 3, 2, 0)))
    for words in ("2025-01-02 03:04", "28.2 MB", "端点对比", "Endpoints compared", "data.test", "20.0", "未测量"):
        assert words in page
    assert page.count("<circle") == 2
    assert page.count("<rect class='tls'") == 2
    assert "does not work 不可用" in page


def printed(found: Comparison, width: int | None = None) -> str:
    """The table as it is printed to a terminal of so many columns, or to a pipe."""
    written = io.StringIO()
    print_table(found, Console(file=written, width=width, force_terminal=width is not None, color_system=None))
    return written.getvalue()


CLEAN = Comparison(FOUND.repo, FOUND.size, 3, 8_000_000, (Measurement(Endpoint("https://a.test"), (GOOD, GOOD)),))
ERROR = "Could not resolve host: " + "a-rather-long-name." * 8
UNKNOWN = Measurement(Endpoint("https://c.test"), (Round(1, troubles=(Trouble("listing", ERROR, "DNS"),)),))


@pytest.mark.parametrize("width", [80, 100, 129])
def test_a_narrow_terminal(width: int) -> None:
    """Where there is no room for all columns, the telling ones are there, each number on one line, whole."""
    measurement = Measurement(Endpoint("https://a-mirror-with-a-long-name.example.org"), (GOOD,))
    told = printed(Comparison(FOUND.repo, FOUND.size, 3, 8_000_000, (measurement, *FOUND.measurements)), width)
    table = told[: told.index("  2 ")]
    for words in ("connect ms", "DNS+TCP+TLS", "listing ms", "Mbit/s", "would take", " 230 ", " 150 ", "20.0", "11.8"):
        assert words in table
    assert "bytes from" not in told
    assert max(map(len, told[: told.index("  3  ")].splitlines())) <= width


def test_a_wide_terminal() -> None:
    """Where there is room, every part has a column of its own."""
    (line,) = [line for line in printed(CLEAN, 140).splitlines() if "a.test" in line]
    assert " ".join(line.split()) == "1 https://a.test 10 100 120 2 100 50 20.0 yes data.test 11.8"


def test_a_pipe() -> None:
    """What is not printed to a terminal is never folded, and has all columns."""
    long = Measurement(Endpoint("https://" + "long." * 60 + "test"), (GOOD,))
    told = printed(Comparison(FOUND.repo, FOUND.size, 3, 8_000_000, (long, UNKNOWN)))
    (line,) = [line for line in told.splitlines() if "long.long" in line]
    assert line.split()[-3:] == ["yes", "data.test", "11.8"]
    assert f"  2  https://c.test: listing: {ERROR}\n" in told


@pytest.mark.parametrize("width", [None, 80, 200])
def test_what_went_wrong(width: int | None) -> None:
    """What went wrong stands under the table, at every width, with the endpoint that it went wrong at."""
    told = printed(Comparison(FOUND.repo, FOUND.size, 3, 8_000_000, (*CLEAN.measurements, UNKNOWN)), width)
    assert f"  2  https://c.test: listing: {ERROR}\n" in told
    assert told.index("  2  https://c.test: listing") > told.index("would take")


def test_hostile_words_in_the_table() -> None:
    """What servers said is text in the table too: no markup, no control characters, no login."""
    for width in (None, 80, 200):
        told = printed(FOUND, width)
        assert "<script>" in told
        assert "[red]" in told
        assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", told)
        assert SECRET not in told


def test_nothing_works() -> None:
    """Where no endpoint works none is called the best; of a package index it is said that it was not measured."""
    for failed, index in (FOUND.measurements[2:], True), (FOUND.measurements[2:3], False):
        found = Comparison(FOUND.repo, 0, 3, 8_000_000, failed)
        page = page_of(found)
        assert Elements(page).open == []
        for told in (page, printed(found), printed(found, 80)):
            assert "No endpoint worked." in told
            assert "best is first" not in told
            assert ("The package index was not measured" in told) is index
        assert "没有可用的端点" in page
        assert ("软件包索引未测量" in page) is index
        assert "<tr class='best" not in page


def test_the_best_is_marked() -> None:
    """On the page the first row is marked, if that endpoint works."""
    assert page_of(FOUND).count("<tr class='best") == 1
    assert page_of(FOUND).index("<tr class='best") < page_of(FOUND).index("https://a.test")


FACTS = [
    (28_200_000, 3, "28.2 MB, 3 rounds"),
    (900_000, 1, "0.9 MB, 1 round"),
    (4_321, 2, "4.3 kB, 2 rounds"),
    (0, 1, "size unknown, 1 round"),
]


@pytest.mark.parametrize(("size", "rounds", "facts"), FACTS, ids=[row[2] for row in FACTS])
def test_sizes_and_rounds(size: int, rounds: int, facts: str) -> None:
    """A small repository is not one of no bytes, an unknown size is said to be, and one round is one."""
    found = Comparison(FOUND.repo, size, rounds, 8_000_000, CLEAN.measurements)
    assert facts_of(found) == facts
    assert all(words in page_of(found) for words in facts.split(", "))
    assert "1 rounds" not in page_of(found)
    assert record_of(found)["size"] == (size or None)


@pytest.mark.parametrize(("rate", "words"), [(2.5e6, "0.51"), (2.5e9, "0.47"), (7.55e6, "0.60"), (1e5, "10.5")])
def test_short_times(rate: float, words: str) -> None:
    """What would take less than a second has two digits, too."""
    one = Measurement(Endpoint("https://a.test"), (Round(1, 0.01, 0.1, 0.12, 0.1, 0.04, "2", 0.1, bytes_per_s=rate),))
    assert columns_of(one, 100_000 if rate == 2.5e6 else 1_000_000).estimate == words


def test_numbers() -> None:
    """Milliseconds, Mbit/s and seconds, as medians; a dash where nothing is known."""
    row = columns_of(FOUND.measurements[0], FOUND.size)
    assert (row.dns, row.connect, row.tls, row.http, row.rate, row.takes_range) == (
        "10",
        "100",
        "120",
        "2",
        "20.0",
        "yes",
    )
    assert float(row.estimate) == pytest.approx(11.28 + 0.48, abs=0.1)
    wheel = columns_of(FOUND.measurements[-1], FOUND.size)
    assert (wheel.rate, wheel.estimate, wheel.takes_range) == ("-", "-", "-")


def test_the_record() -> None:
    """The JSON has every round of every endpoint, and no login."""
    text = json.dumps(record_of(FOUND))
    assert SECRET not in text
    told = json.loads(text)
    assert [one["endpoint"] for one in told["endpoints"]][:2] == ["https://a.test", "https://b.test"]
    assert told["endpoints"][0]["rounds"][0]["bytes_per_s"] == 2.5e6
    assert told["endpoints"][2]["rounds"][0]["troubles"][0]["fault"] == "busy"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table names every endpoint and every cause; the page is written beside it."""
    page = tmp_path / "page.html"
    with (
        FakeHub([FakeRepo("modelscope", "org/name", FILES)], name="a") as good,
        FakeHub([], [RefuseConnection()], name="b") as dead,
    ):
        login = good.url.replace("https://", f"https://user:{SECRET}@")
        arguments = ["bench", "org/name", "--endpoint", login, "--endpoint", dead.url, "--rounds", "1"]
        assert main([*arguments, "--html", str(page)]) == 0
        told = capsys.readouterr()
        assert main([*arguments, "--json"]) == 0
        record = json.loads(capsys.readouterr().out)
    assert "modelscope:org/name, 0.9 MB, 1 round" in told.out
    assert SECRET not in told.out + told.err + page.read_text(encoding="utf-8") + json.dumps(record)
    assert "Traceback" not in told.out + told.err
    assert [one["works"] for one in record["endpoints"]] == [True, False]
    assert "connect" in record["endpoints"][1]["rounds"][0]["troubles"][0]["message"]


def test_a_page_in_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A page in a folder that is not there is a mistake of the caller's, told before anybody is asked."""
    with FakeHub([FakeRepo("modelscope", "org/name", FILES)]) as hub:
        arguments = ["--endpoint", hub.url, "--rounds", "1", "--html", str(tmp_path / "no" / "page.html")]
        assert main(["bench", "org/name", *arguments]) == 2
        assert hub.log.connections == ()
    assert f"the folder {tmp_path / 'no'} does not exist" in capsys.readouterr().err


def test_a_page_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A page that cannot be written is exit code 2; what was to be saved is saved all the same."""
    with FakeHub([FakeRepo("modelscope", "org/name", FILES)]) as hub:
        arguments = ["--endpoint", hub.url, "--rounds", "1", "--html", str(tmp_path / f"{'x' * 300}.html")]
        assert main(["bench", "org/name", *arguments, "--save"]) == 2
    told = capsys.readouterr().err
    assert "cannot be written" in told
    assert "Saved to" in told


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_an_interruption(tmp_path: Path) -> None:
    """Ctrl-C ends the comparison, and says that nothing was kept: bytes of a comparison never are."""
    command = [sys.executable, "-m", "mirrorhub", "bench", "org/name", "--save"]
    with FakeHub([], [HangBeforeAnswer()]) as hub:
        process = subprocess.Popen([*command, "--endpoint", hub.url], stderr=subprocess.PIPE, text=True)
        ends_at = time.monotonic() + 20
        while not hub.log.requests() and time.monotonic() < ends_at:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    assert process.returncode == 130
    assert told.strip().endswith("Interrupted. Nothing was kept or saved.")
    assert "stays on disk" not in told
