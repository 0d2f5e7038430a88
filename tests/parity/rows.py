"""All rows of the table."""

from __future__ import annotations

from tests.parity import huggingface, modelscope
from tests.parity.case import Case

ROWS: tuple[Case, ...] = (*huggingface.rows(), *modelscope.rows())
