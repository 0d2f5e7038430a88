"""One row of the table: a call, what happened before it, and what is known of a difference."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Literal

from tests.parity.outcome import Outcome, differences, outcome
from tests.parity.reasons import REASONS
from tests.parity.scene import Functions, Scene, scene

Sdk = Literal["huggingface_hub", "modelscope"]
LEFT_OUT = object()
"""Stands for a parameter that a call does not name."""
NAMES = {
    "huggingface_hub": ("snapshot_download", "hf_hub_download"),
    "modelscope": (
        "snapshot_download",
        "dataset_snapshot_download",
        "model_file_download",
        "dataset_file_download",
    ),
}


@dataclass(frozen=True, slots=True)
class Case:
    """A call that both sides make.

    Attributes:
        sdk: Whose function it is.
        function: Its name.
        parameter: What the row is about.
        value: What is given for it, or the situation, in words.
        given: All that is given.
        args: What is given by position.
        before: What happens before the call, step by step, on each side.
        quick: Fast enough, and telling enough, for every run of the tests.
    """

    sdk: Sdk
    function: str
    parameter: str
    value: str
    given: Mapping[str, Any] = field(default_factory=dict)
    args: tuple[Any, ...] = ()
    before: tuple[Callable[[Scene], Any], ...] = ()
    quick: bool = False

    @property
    def id(self) -> str:
        """A name for the row."""
        return f"{self.sdk}.{self.function}-{self.parameter}-{self.value}"

    @property
    def reason(self) -> str:
        """Why the outcomes differ, where that is known."""
        return next((reason for pattern, reason in REASONS.items() if fnmatchcase(self.id, pattern)), "")

    def compare(self, root: Path) -> list[str]:
        """Make the call on both sides; say in what the outcomes differ."""
        return differences(self._played(root / "theirs", theirs(self.sdk)), self._played(root / "ours", ours(self.sdk)))

    def _played(self, root: Path, functions: Functions) -> Outcome:
        hub = "huggingface" if self.sdk == "huggingface_hub" else "modelscope"
        given = {name: value for name, value in self.given.items() if value is not LEFT_OUT}
        with scene(root, functions, hub) as stage:
            for step in self.before:
                step(stage)
            return outcome(stage, self.function, self.args, given)


@cache
def theirs(sdk: Sdk) -> Functions:
    """Return the SDK's own functions."""
    module = importlib.import_module(sdk)
    return {name: getattr(module, name) for name in NAMES[sdk]}


@cache
def ours(sdk: Sdk) -> Functions:
    """Return ours."""
    module = importlib.import_module(f"mirrorhub.{sdk}")
    return {name: getattr(module, name) for name in NAMES[sdk]}
