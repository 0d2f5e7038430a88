"""Stretches of a file: joined, counted from the front, and what is missing between them."""

from __future__ import annotations

import pytest

from mirrorhub.spans import Run, Span, front, gaps, with_run


@pytest.mark.parametrize(
    ("span", "header", "whole"),
    [
        (Span(), "bytes=0-", True),
        (Span(0, 10), "bytes=0-9", False),
        (Span(5, 6), "bytes=5-5", False),
        (Span(7), "bytes=7-", False),
    ],
    ids=["whole", "beginning", "one byte", "rest"],
)
def test_a_span(span: Span, header: str, whole: bool) -> None:
    """A span names its last byte in the header, and is whole only without start and end."""
    assert (header, whole) == (span.header, span.is_whole)


@pytest.mark.parametrize(
    ("runs", "new", "expected"),
    [
        ([], (0, 5, "a"), [(0, 5, "a")]),
        ([(0, 5, "a")], (5, 9, "a"), [(0, 9, "a")]),
        ([(5, 9, "a")], (0, 5, "a"), [(0, 9, "a")]),
        ([(0, 5, "a")], (5, 9, "b"), [(0, 5, "a"), (5, 9, "b")]),
        ([(0, 5, "a")], (6, 9, "a"), [(0, 5, "a"), (6, 9, "a")]),
        ([(0, 2, "a"), (4, 6, "a")], (2, 4, "a"), [(0, 6, "a")]),
        ([(0, 2, "a"), (4, 6, "b")], (2, 4, "b"), [(0, 2, "a"), (2, 6, "b")]),
        ([(0, 2, "a"), (8, 9, "a")], (4, 6, "a"), [(0, 2, "a"), (4, 6, "a"), (8, 9, "a")]),
    ],
    ids=["first", "after", "before", "other giver", "apart", "bridge", "half a bridge", "island"],
)
def test_a_run_among_others(
    runs: list[tuple[int, int, str]], new: tuple[int, int, str], expected: list[tuple[int, int, str]]
) -> None:
    """Runs stay in order, and neighbours become one only where one endpoint gave both."""
    assert expected == with_run([Run(*run) for run in runs], Run(*new))


@pytest.mark.parametrize(
    ("runs", "end"),
    [
        ([], 0),
        ([(1, 5)], 0),
        ([(0, 5)], 5),
        ([(0, 5), (5, 9)], 9),
        ([(0, 5), (6, 9)], 5),
        ([(0, 5), (3, 4), (5, 6)], 6),
    ],
    ids=["nothing", "no beginning", "one", "two", "gap", "overlap"],
)
def test_the_front(runs: list[tuple[int, int]], end: int) -> None:
    """The front is where the first gap begins, whoever gave what is before it."""
    assert end == front([Run(start, stop, "a") for start, stop in runs])


@pytest.mark.parametrize(
    ("runs", "start", "end", "missing"),
    [
        ([], 0, 9, [(0, 9)]),
        ([], 4, 4, []),
        ([(0, 9)], 0, 9, []),
        ([(0, 9)], 3, 7, []),
        ([(2, 4), (6, 7)], 0, 9, [(0, 2), (4, 6), (7, 9)]),
        ([(2, 4), (6, 7)], 3, 6, [(4, 6)]),
        ([(0, 6), (2, 4)], 0, 9, [(6, 9)]),
        ([(20, 30)], 0, 9, [(0, 9)]),
    ],
    ids=["all", "nothing asked", "none", "inside", "between", "part", "overlap", "beyond"],
)
def test_what_is_missing(runs: list[tuple[int, int]], start: int, end: int, missing: list[tuple[int, int]]) -> None:
    """Gaps are what no run covers between two offsets; runs may overlap."""
    assert missing == list(gaps([(*run, "") for run in runs], start, end))
