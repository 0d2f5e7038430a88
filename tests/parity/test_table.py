"""The table of parity holds: what differs from the SDKs has a reason, and the reasons are needed."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.parity.case import Case
from tests.parity.reasons import REASONS
from tests.parity.rows import ROWS

QUICK = [row for row in ROWS if row.quick]
OTHERS = [row for row in ROWS if not row.quick]


@pytest.fixture(autouse=True)
def own_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the SDKs nothing to show: their bars would fill the log."""
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def check(row: Case, folder: Path) -> None:
    """A row differs if, and only if, there is a reason."""
    found = row.compare(folder)
    assert not found or row.reason, found
    assert found or not row.reason, "the reason is not needed any more"


@pytest.mark.parametrize("row", QUICK, ids=[row.id for row in QUICK])
def test_what_matters_most_is_the_same(row: Case, tmp_path: Path) -> None:
    """Files, return value, error and warnings are those of the installed SDK, or there is a reason."""
    check(row, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("row", OTHERS, ids=[row.id for row in OTHERS])
def test_everything_else_is_the_same(row: Case, tmp_path: Path) -> None:
    """Files, return value, error and warnings are those of the installed SDK, or there is a reason."""
    check(row, tmp_path)


def test_no_reason_is_left_over() -> None:
    """Every reason is the reason of a row, and every row has a name of its own."""
    assert [one for one in REASONS if not any(fnmatchcase(row.id, one) for row in ROWS)] == []
    assert len({row.id for row in ROWS}) == len(ROWS)
