"""A lock file in a project, as its users meet it: fresh clones, other processes, git between them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.lock import Project, steps

BESIDE = "A mirror gives other bytes of the same size; a good one stands beside it"
MS, HF = "modelscope:org/model@master", "huggingface:org/model@v1"
# What is expected of the steps, in order: the exit code, and what is told.
EXPECTED: list[tuple[str, int, tuple[str, ...]]] = [
    ("The author locks two models", 0, (f"locked {MS}: 2 files", f"locked {HF}", "~/project/mirrorhub.lock")),
    ("What is committed", 0, ("mirrorhub.lock",)),
    ("A fresh clone", 0, ("vouched for by: lock ~/project/mirrorhub.lock",)),
    ("The other hub, at the tag", 0, ("vouched for by: lock ~/project/mirrorhub.lock",)),
    ("Is all as it is locked?", 0, (f"{HF}: as locked", f"{MS}: as locked")),
    *[
        (
            "A mirror gives other bytes of the same size; a good one stands beside it",
            0,
            ("gave wrong bytes in 1 file",),
        ),
        ("The same mirror alone", 1, ("they were changed on the way", "https://mirror.example: model.bin: gave bytes")),
    ]
    * 2,
    ("The tag was moved; the hub still has the commit", 0, ("vouched for by: lock",)),
    ("What is said of the tag", 1, ("  v1: ", "changed: config.json: 14 bytes")),
    ("A file was added", 0, ("served 2 files",)),
    ("What is in the snapshot", 0, ("config.json model.bin",)),
    ("The added file is asked for", 1, ("has no file 'setup.py'",)),
    ("What is said of it", 1, ("extra: setup.py (10 bytes",)),
    ("It is not taken unseen", 2, ("extra: setup.py", "Nothing was written")),
    ("It is taken", 0, (f"locked {MS}: 3 files",)),
    ("What there is to review", 0, ('+    { path = "setup.py", size = 10',)),
    *[("An older state has come back", 1, ("older than what is locked: of 2023-11-14", "https://old.example"))] * 2,
    ("A step back is not taken by a nod", 2, ("a step back is taken with --older only",)),
]


@pytest.mark.slow
def test_a_project(tmp_path: Path) -> None:
    """Every step ends and says as its user needs it."""
    told = list(steps(Project(tmp_path)))
    assert [(one.title, one.code) for one in told] == [(title, code) for title, code, _ in EXPECTED]
    for step, (_, _, parts) in zip(told, EXPECTED, strict=True):
        assert [part for part in parts if part not in step.told] == [], step.told
