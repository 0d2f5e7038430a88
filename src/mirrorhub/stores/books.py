"""What modelscope 1.10 to 1.37 wrote beside the files of a repository, read without running any of it.

    .msc    pickle: [{"Path": ..., "Revision": the commit that changed the file last}, ...]
    .mv     text: `Revision:master,CreatedAt:1700000000`; of a data set the name alone
    .mdl    pickle: the repository's name, with `___` for its dots; not needed

The folder may have come from anybody, so a pickle is not unpickled but read as `pickled` does. What cannot be read
counts as not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mirrorhub.models import RepoType
from mirrorhub.paths import path_problem, revision_problem
from mirrorhub.pickled import unpacked
from mirrorhub.rawfile import NOT_THROUGH_LINKS, to_read
from mirrorhub.records import items, mapping, text

BOOKS = frozenset({".msc", ".mdl", ".mv"})
UNFINISHED = "._____temp"
"""The folder in which older versions kept what was on its way, also in a folder that was named to them."""
MAX_BYTES = 4 << 20
_LONGEST_VERSION = 1000


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
