"""All rows of the table."""

from __future__ import annotations

from tests.parity import huggingface
from tests.parity.case import Case

ROWS: tuple[Case, ...] = tuple(huggingface.rows())
