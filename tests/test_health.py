"""What is remembered of endpoints: for how long, for whom, and that nothing which stands in the file can harm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mirrorhub import Endpoint
from mirrorhub.health import AVOIDED_S, KEPT_S, MAX_ENTRIES, Health, Memory

A, B = Endpoint("https://a.test/hub"), Endpoint("https://b.test")
SOME = Memory(0.3, "https://small.test", "https://large.test:8443", takes_range=True)


class Clock:
    """Seconds since the epoch."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def told(folder: Path) -> dict[str, dict[str, object]]:
    """What stands in the file."""
    rows: dict[str, dict[str, object]] = json.loads((folder / "health.json").read_text())
    return rows


def test_the_next_process_knows(tmp_path: Path) -> None:
    """What one call has learnt the next one recalls; of others it knows nothing."""
    clock = Clock()
    first = Health(tmp_path / "new" / "folder", clock)
    assert first.recall(A) == Memory()
    first.learn(A, SOME)
    first.save()
    second = Health(tmp_path / "new" / "folder", clock)
    expected = Memory(0.3, "https://small.test", "https://large.test:8443", True, 0.0, clock.now)
    assert (second.recall(A), second.recall(B)) == (expected, Memory())


def test_nothing_learnt_is_nothing_written(tmp_path: Path) -> None:
    """A call that has learnt nothing new does not touch the file."""
    health = Health(tmp_path, Clock())
    health.learn(A, Memory())
    health.save()
    assert not (tmp_path / "health.json").exists()


def test_two_processes(tmp_path: Path) -> None:
    """Whoever saves last keeps what the other has learnt meanwhile."""
    one, other = Health(tmp_path, Clock()), Health(tmp_path, Clock())
    one.learn(A, SOME)
    other.learn(B, SOME)
    one.save()
    other.save()
    assert set(told(tmp_path)) == {A.address, B.address}
    assert [path.name for path in tmp_path.iterdir()] == ["health.json"]


@pytest.mark.parametrize(
    ("after_s", "avoided"), [(0, True), (AVOIDED_S - 1, True), (AVOIDED_S, False), (-60, False)], ids=str
)
def test_how_long_a_failure_counts(after_s: float, avoided: bool, tmp_path: Path) -> None:
    """An endpoint that failed is avoided for ten minutes, and not if the clock was set back; the rest stays known."""
    clock = Clock()
    health = Health(tmp_path, clock)
    health.learn(A, SOME)
    health.save()
    health.failed(A)
    health.save()
    clock.now += after_s
    again = Health(tmp_path, clock)
    assert (again.is_avoided(A), again.is_avoided(B)) == (avoided, False)
    assert again.recall(A).large_from == SOME.large_from


def test_old_and_many_entries(tmp_path: Path) -> None:
    """The file does not grow: the oldest go, and whatever was not told for a month."""
    clock = Clock()
    health = Health(tmp_path, clock)
    for number in range(MAX_ENTRIES + 20):
        clock.now += 1
        health.learn(Endpoint(f"https://{number}.test"), SOME)
    health.save()
    rows = told(tmp_path)
    assert len(rows) == MAX_ENTRIES
    assert "https://0.test" not in rows
    clock.now += KEPT_S
    health.learn(A, SOME)
    health.save()
    assert set(told(tmp_path)) == {A.address}


def test_no_secret_is_written(tmp_path: Path) -> None:
    """A password in an endpoint's address is not written."""
    health = Health(tmp_path, Clock())
    health.learn(Endpoint("https://me:secret@a.test/hub"), SOME)
    health.save()
    assert "secret" not in (tmp_path / "health.json").read_text()
    assert Health(tmp_path).recall(A).connect_s == 0.3


ROW = {"connect_s": 0.3, "large_from": "https://large.test"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"a"',
        "\xff\xfe",
        "[" * 100_000,
        json.dumps({A.address: None}),
        json.dumps({A.address: []}),
        json.dumps({A.address: {**ROW, "connect_s": "0.3"}}),
        json.dumps({A.address: {**ROW, "connect_s": 1}}),
        json.dumps({A.address: {**ROW, "connect_s": True}}),
        json.dumps({A.address: {**ROW, "takes_range": 1}}),
        json.dumps({A.address: {**ROW, "large_from": None}}),
        json.dumps({A.address: {**ROW, "large_from": "http://large.test"}}),
        json.dumps({A.address: {**ROW, "large_from": "https://large.test/path"}}),
        json.dumps({A.address: {**ROW, "large_from": "https://large.test?token=1"}}),
        json.dumps({A.address: {**ROW, "large_from": "https://"}}),
        json.dumps({A.address: {**ROW, "large_from": "https://large.test:0"}}),
        json.dumps({A.address: {**ROW, "large_from": "https://large.test:99999"}}),
        json.dumps({A.address: {**ROW, "large_from": "https://[::1"}}),
        json.dumps({A.address: {**ROW, "large_from": "file:///etc/passwd"}}),
        json.dumps({A.address: {**ROW, "small_from": "ftp://large.test"}}),
    ],
    ids=lambda text: text[:90],
)
def test_a_damaged_file(text: str, tmp_path: Path) -> None:
    """Whatever is not of our making, or names an origin that no redirect would be followed to, is not known."""
    (tmp_path / "health.json").write_text(text, encoding="latin-1")
    health = Health(tmp_path, Clock())
    assert health.recall(A) == Memory()
    assert not health.is_avoided(A)
    health.learn(B, SOME)
    health.save()
    assert Health(tmp_path).recall(B).connect_s == 0.3


def test_unknown_fields(tmp_path: Path) -> None:
    """What a later version writes beside is no damage."""
    (tmp_path / "health.json").write_text(json.dumps({A.address: {**ROW, "colour": "blue"}}))
    assert Health(tmp_path).recall(A) == Memory(0.3, large_from="https://large.test")


@pytest.mark.parametrize(
    ("url", "origin", "followed"),
    [
        ("http://a.test", "http://large.test", True),
        ("http://a.test", "https://large.test", True),
        ("https://a.test", "https://large.test", True),
        ("https://a.test", "http://large.test", False),
    ],
)
def test_never_from_https_to_http(url: str, origin: str, followed: bool, tmp_path: Path) -> None:
    """A remembered data host obeys the rule of redirects."""
    health = Health(tmp_path, Clock())
    health.learn(Endpoint(url), Memory(large_from=origin))
    health.save()
    assert Health(tmp_path).recall(Endpoint(url)).large_from == (origin if followed else "")


@pytest.mark.parametrize("figure", ["NaN", "Infinity", "-Infinity", "-1.0", "1e300"])
def test_figures_that_make_no_sense(figure: str, tmp_path: Path) -> None:
    """A connect time or a date that cannot be is not believed."""
    path = tmp_path / "health.json"
    path.write_text(f'{{"{A.address}": {{"connect_s": {figure}, "failed_at": 0.0, "told_at": 5.0}}}}')
    assert Health(tmp_path, Clock()).recall(A).connect_s == 0.0
    path.write_text(f'{{"{A.address}": {{"failed_at": {figure}, "told_at": {figure}}}}}')
    assert not Health(tmp_path, Clock()).is_avoided(A)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """Where the file cannot be written the call does not mind, and the process still knows."""
    (tmp_path / "file").write_text("")
    health = Health(tmp_path / "file", Clock())
    health.learn(A, SOME)
    health.save()
    assert health.recall(A).connect_s == 0.3
