"""What modelscope 1.10 to 1.37 wrote beside the files of a repository, read without running any of it.

    .msc    pickle: [{"Path": ..., "Revision": the commit that changed the file last}, ...]
    .mv     text: `Revision:master,CreatedAt:1700000000`; of a data set the name alone
    .mdl    pickle: the repository's name, with `___` for its dots; not needed

A pickle is a program, and the folder may have come from anybody. So it is not unpickled: the few steps that build lists
and dictionaries of texts and numbers are taken one by one, and any other, above all one that names something to import
or to call, ends the reading. What cannot be read counts as not there.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mirrorhub.models import RepoType
from mirrorhub.paths import path_problem, revision_problem
from mirrorhub.rawfile import NOT_THROUGH_LINKS, to_read
from mirrorhub.records import items, mapping, text

BOOKS = frozenset({".msc", ".mdl", ".mv"})
UNFINISHED = "._____temp"
"""The folder in which older versions kept what was on its way, also in a folder that was named to them."""
MAX_BYTES = 4 << 20
MAX_STEPS = 1_000_000
_LONGEST_VERSION = 1000
_VALUES = frozenset({"BINUNICODE", "SHORT_BINUNICODE", "UNICODE", "BININT", "BININT1", "BININT2", "LONG1", "INT"})


@dataclass(frozen=True, slots=True)
class Books:
    """What an older modelscope knew of a folder.

    Attributes:
        revision: The branch or tag that it had fetched last; None where it does not say.
        type: Of what it is a repository, as far as it says.
        commits: Path -> the commit that had changed the file last, of every file that it had fetched.
        kept: Whether it kept books at all: the folder is one of its own.
    """

    revision: str | None = None
    type: RepoType | None = None
    commits: Mapping[str, str] = field(default_factory=dict)
    kept: bool = False


def read_books(folder: Path) -> Books:
    """Read what an older modelscope wrote down in a folder; nothing where it wrote nothing, or nothing readable."""
    rows = _read(folder / ".msc", MAX_BYTES)
    commits: dict[str, str] = {}
    with suppress(ValueError, LookupError):
        commits = dict(_commits(unpacked(rows or b"")))
    return Books(*_version(_read(folder / ".mv", _LONGEST_VERSION) or b""), kept=rows is not None, commits=commits)


def unpacked(data: bytes) -> object:
    """Return the value that a pickle describes, if it is made of lists, dictionaries, texts and whole numbers alone.

    Raises:
        ValueError: It is none, is longer than any of modelscope's, or wants to do something; LookupError, it is broken.
    """
    import pickletools  # only where an older folder is found

    pile = _Pile()
    for steps, (opcode, argument, _) in enumerate(pickletools.genops(io.BytesIO(data))):
        if steps > MAX_STEPS:
            raise ValueError("longer than any of modelscope's")
        if opcode.name == "STOP":
            return pile.values[-1]
        pile.take(opcode.name, argument)
    raise ValueError("no end")


class _Pile:
    """The values that the steps of a pickle leave, and what they remember."""

    def __init__(self) -> None:
        self.values: list[object] = []
        self._marks: list[int] = []
        self._memory: dict[int, object] = {}

    def take(self, step: str, argument: object) -> None:
        """Take one step.

        Raises:
            ValueError: It is none of those that build plain values; LookupError, there is nothing to take it on.
        """
        match step:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                self._marks.append(len(self.values))
            case "MEMOIZE":
                self._memory[len(self._memory)] = self.values[-1]
            case "BINPUT" | "LONG_BINPUT" | "PUT" if isinstance(argument, int):
                self._memory[argument] = self.values[-1]
            case "BINGET" | "LONG_BINGET" | "GET" if isinstance(argument, int):
                self.values.append(self._memory[argument])
            case _ if step in _VALUES:
                self.values.append(argument)
            case _:
                self._gather(step)

    def _gather(self, step: str) -> None:
        """Put values into a container."""
        match step:
            case "EMPTY_LIST" | "EMPTY_DICT":
                self._contain(step, [])
            case "LIST" | "DICT":
                self._contain(step, self._since(self._marks.pop()))
            case "APPENDS" | "SETITEMS":
                self._fill(self._since(self._marks.pop()))
            case "APPEND" | "SETITEM":
                self._fill(self._since(len(self.values) - (1 if step == "APPEND" else 2)))
            case _:
                raise ValueError(f"wants to do something: {step}")

    def _since(self, place: int) -> list[object]:
        taken = self.values[place:]
        del self.values[place:]
        return taken

    def _contain(self, step: str, values: list[object]) -> None:
        self.values.append([] if step.endswith("LIST") else {})
        self._fill(values)

    def _fill(self, values: list[object]) -> None:
        container = self.values[-1]
        if isinstance(container, list):
            container.extend(values)
        elif isinstance(container, dict):
            container.update((text(key), value) for key, value in zip(values[::2], values[1::2], strict=True))
        else:
            raise ValueError("no container")  # noqa: TRY004 - it is the value of a record


def _commits(rows: object) -> Iterator[tuple[str, str]]:
    for row in map(mapping, items(rows)):
        path, commit = text(row["Path"]), text(row["Revision"])
        if not path_problem(path):
            yield path, commit


def _version(version: bytes) -> tuple[str | None, RepoType | None]:
    """Return the revision out of `Revision:name,CreatedAt:time`, or of the name alone; and what is written so."""
    name = version.decode("utf-8", "replace").strip()
    of_model = name.startswith("Revision:")
    if of_model:
        name = name.removeprefix("Revision:").rpartition(",CreatedAt:")[0]
    if not name or revision_problem(name):
        return None, None
    return name, "model" if of_model else "dataset"


def _read(path: Path, limit: int) -> bytes | None:
    """Return a file, no longer than it may be; None where there is none."""
    with suppress(OSError), to_read(path, NOT_THROUGH_LINKS) as file:
        data = file.read(limit + 1)
        return data if len(data) <= limit else b""
    return None
