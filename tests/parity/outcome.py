"""What came of a call, as far as a caller, or whoever reads the cache, can tell."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from tests.parity.scene import Scene

BOOKKEEPING = frozenset({".mirrorhub", ".locks", ".lock", "trees", ".no_exist", ".cache", ".gitignore", "CACHEDIR.TAG"})
"""What each side keeps for itself; `.gitignore` and the last stand beside it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call.

    Attributes:
        returned: The value, the scene's own directory written as `{root}`.
        error: What was raised.
        files: Paths below the directory, and a digest of what is in each.
        warned: The categories of the warnings.
    """

    returned: Any
    error: BaseException | None
    files: dict[str, str]
    warned: tuple[str, ...]


def outcome(scene: Scene, function: str, args: tuple[Any, ...], given: dict[str, Any]) -> Outcome:
    """Make a call and say what came of it."""
    returned, error = None, None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            returned = scene.call(function, *args, **given)
        except Exception as raised:
            error = raised
    warned = tuple(sorted({one.category.__name__ for one in caught if one.category is not ResourceWarning}))
    return Outcome(_same_everywhere(returned, scene.root), error, dict(_files(scene.root)), warned)


def differences(theirs: Outcome, ours: Outcome) -> list[str]:
    """Say in what two outcomes differ."""
    found = []
    if (theirs.error is None) != (ours.error is None) or not isinstance(ours.error, type(theirs.error)):
        found.append(f"raised {_name(ours.error)} for {_name(theirs.error)}")
    if theirs.returned != ours.returned:
        found.append(f"returned {ours.returned!r} for {theirs.returned!r}")
    if theirs.files != ours.files:
        more, less = sorted(ours.files.keys() - theirs.files), sorted(theirs.files.keys() - ours.files)
        other = sorted(path for path in theirs.files.keys() & ours.files if theirs.files[path] != ours.files[path])
        found += [f"{word} {', '.join(paths[:3])}" for word, paths in _worded(more, less, other) if paths]
    if theirs.warned != ours.warned:
        found.append(f"warned {ours.warned} for {theirs.warned}")
    return found


def _worded(more: list[str], less: list[str], other: list[str]) -> list[tuple[str, list[str]]]:
    return [("also wrote", more), ("did not write", less), ("wrote otherwise", other)]


def _name(error: BaseException | None) -> str:
    return "nothing" if error is None else f"{type(error).__module__.partition('.')[0]}.{type(error).__name__}"


def _same_everywhere(value: Any, root: Path) -> Any:
    if isinstance(value, list):
        return sorted((_same_everywhere(one, root) for one in value), key=str)
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _same_everywhere(one, root) for name, one in asdict(value).items()}
    return value.replace(str(root), "{root}") if isinstance(value, str) else value


def _files(root: Path) -> Iterator[tuple[str, str]]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - BOOKKEEPING)
        for name in sorted(set(names) - BOOKKEEPING):
            path = Path(folder, name)
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "broken"
            yield path.relative_to(root).as_posix(), content
