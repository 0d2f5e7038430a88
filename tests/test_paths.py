"""Which listed paths and revisions may become names on a disk: tables, for both families of systems, on any system."""

from __future__ import annotations

import unicodedata

import pytest

from mirrorhub.paths import (
    MAX_PART_BYTES,
    MAX_PATH_BYTES,
    books_of_sdk,
    file_and_folder,
    file_name,
    misfit,
    path_problem,
    revision_problem,
    twins,
)

GOOD = [
    "a",
    "config.json",
    "onnx/model.onnx",
    "a/b/c/d/e",
    ".gitattributes",
    "..a/b..",
    "...",
    "a b/c d.txt",
    "模型/权重.bin",
    "na\u00efve.txt",
    "\U0001f917.txt",
    "mirrorhub/x",
    ".mirrorhub.txt",
    "x" * MAX_PART_BYTES,
    "/".join(["x" * 99] * 40),
]

# Refused everywhere: the path, and a word of the reason.
BAD = [
    ("", "empty"),
    (".", "empty part"),
    ("..", "climbs"),
    ("../x", "climbs"),
    ("a/../b", "climbs"),
    ("a/..", "climbs"),
    ("./a", "empty part"),
    ("a//b", "empty part"),
    ("a/", "empty part"),
    ("/", "absolute"),
    ("/etc/passwd", "absolute"),
    ("//server/share", "absolute"),
    ("C:/x", "drive"),
    ("c:x", "drive"),
    ("a\\b", "backslash"),
    ("..\\x", "backslash"),
    ("\\\\server\\share", "backslash"),
    ("a\x00b", "control"),
    ("a\nb", "control"),
    ("a\x7fb", "control"),
    ("a\x9bb", "control"),
    ("a\ud800b", "control"),
    (".mirrorhub/notes/x", "ours"),
    ("a/.mirrorhub/x", "ours"),
    (".MirrorHub/x", "ours"),
    (".mirror\u200chub/x", "ours"),
    (".GIT/hooks/post-checkout", "git"),
    ("a/.g\u200cit/config", "git"),
    ("//server/share", "absolute"),
    ("C:", "drive"),
    ("z:file", "drive"),
    ("x" * (MAX_PART_BYTES + 1), "part of more than"),
    ("模" * 86, "part of more than"),
    ("/".join(["x" * 99] * 41), f"longer than {MAX_PATH_BYTES}"),
]

# Refused for Windows only.
BAD_ON_WINDOWS = [
    ("con", "reserves"),
    ("CON", "reserves"),
    ("nul.txt", "reserves"),
    ("a/aux", "reserves"),
    ("prn.tar.gz", "reserves"),
    ("com1", "reserves"),
    ("LPT9.log", "reserves"),
    ("com¹", "reserves"),
    ("CONIN$", "reserves"),
    ("conout$.txt", "reserves"),
    ("con .txt", "reserves"),
    ("aux .tar.gz", "reserves"),
    ("GIT~1/hooks", "second name"),
    ("mirror~1/notes", "second name"),
    ("a.", "dot or a space"),
    ("a /b", "dot or a space"),
    ("...", "dot or a space"),
    ("a?b", "forbids"),
    ("a*b", "forbids"),
    ("a<b", "forbids"),
    ("a>b", "forbids"),
    ('a"b', "forbids"),
    ("a|b", "forbids"),
    ("file:stream", "forbids"),
]
GOOD_ON_WINDOWS = ["console.txt", "com", "com10", "lpt", "nulls", "a.b", "aux_/x", "x.con"]


def shown(value: object) -> str:
    """A short name for a test."""
    return ascii(value)[:30]


@pytest.mark.parametrize("path", GOOD, ids=shown)
def test_paths_that_may_be_written(path: str) -> None:
    """Whatever stays below its folder may be written."""
    assert path_problem(path) is None


@pytest.mark.parametrize(("path", "word"), BAD, ids=shown)
@pytest.mark.parametrize("windows", [False, True], ids=["posix", "windows"])
def test_paths_that_may_not(path: str, word: str, windows: bool) -> None:
    """What climbs out, is absolute or cannot be a name is refused for every system, with the reason."""
    assert word in str(path_problem(path, windows=windows))


@pytest.mark.parametrize(("path", "word"), BAD_ON_WINDOWS, ids=shown)
def test_paths_that_windows_cannot_hold(path: str, word: str) -> None:
    """What Windows reserves, drops or forbids is refused there, and allowed elsewhere."""
    assert word in str(path_problem(path, windows=True))
    assert path_problem(path) is None


@pytest.mark.parametrize("path", GOOD_ON_WINDOWS)
def test_paths_that_only_look_reserved(path: str) -> None:
    """A name that merely begins like a reserved one is fine."""
    assert path_problem(path, windows=True) is None


TWINS = [
    ([], None),
    (["a", "b", "c/a"], None),
    (["README.md", "readme.md"], ("README.md", "readme.md")),
    (["x/A.txt", "X/a.txt"], ("x/A.txt", "X/a.txt")),
    (["straße", "STRASSE"], ("straße", "STRASSE")),
    (["a", "a"], None),
    (["A", "a/b"], ("A", "a/b")),
    (["x/y/z", "X"], ("X", "x/y/z")),
    (["a/b", "A/c"], None),
    (["\u212aelvin", "kelvin"], ("\u212aelvin", "kelvin")),
    (["a\u200db", "ab"], ("a\u200db", "ab")),
    (
        [unicodedata.normalize("NFC", "é.txt"), unicodedata.normalize("NFD", "é.txt")],
        (unicodedata.normalize("NFC", "é.txt"), unicodedata.normalize("NFD", "é.txt")),
    ),
]


@pytest.mark.parametrize(("paths", "found"), TWINS, ids=shown)
def test_twins(paths: list[str], found: tuple[str, str] | None) -> None:
    """Two paths that some file systems take for one are found, in the order they are listed."""
    assert twins(paths) == found


MISFITS = [
    (["aux.json", "AUX.json"], False, False, None),
    (["aux.json", "AUX.json"], False, True, "one file"),
    (["aux.json"], True, False, "reserves"),
    (["file:stream"], False, True, None),
    (["a/b", "A"], False, True, "one file"),
    (["a", "b"], True, True, None),
]


@pytest.mark.parametrize(("paths", "windows", "folding", "word"), MISFITS)
def test_misfits(paths: list[str], windows: bool, folding: bool, word: str | None) -> None:
    """What a file system can hold is told from how it takes names, on any system."""
    problem = misfit(paths, windows=windows, folding=folding)
    assert problem is None if word is None else word in str(problem)


BOOKS = [
    ([".msc"], ".msc"),
    ([".MDL"], ".MDL"),
    ([".mv"], ".mv"),
    (["a", "._____temp/x"], "._____temp/x"),
    ([".cache/huggingface/download/a.metadata"], ".cache/huggingface/download/a.metadata"),
    ([".cache/x"], None),
    (["a/.msc", ".mscx", ".mv.txt"], None),
]


@pytest.mark.parametrize(("paths", "found"), BOOKS)
def test_books_of_the_sdks(paths: list[str], found: str | None) -> None:
    """What would stand in the place of an SDK's own books is found."""
    assert books_of_sdk(paths) == found


CLASHES = [
    ([], None),
    (["a", "b/c"], None),
    (["a", "ab/c"], None),
    (["a", "a/b"], "a"),
    (["a/b/c", "a/b"], "a/b"),
    (["x/y/z", "x"], "x"),
]


@pytest.mark.parametrize(("paths", "found"), CLASHES, ids=shown)
def test_file_and_folder(paths: list[str], found: str | None) -> None:
    """A path that is listed as a file and as a folder is found."""
    assert file_and_folder(paths) == found


REVISIONS = [
    ("master", None),
    ("v1.0.0", None),
    ("feature/x", None),
    ("refs/pr/1", None),
    ("0" * 40, None),
    ("", "empty"),
    ("-x", "hyphen"),
    ("--upload-pack=x", "hyphen"),
    ("../../x", "climbs"),
    ("a/../b", "climbs"),
    ("/x", "absolute"),
    ("a\\b", "backslash"),
    ("a\nb", "control"),
    ("C:x", "drive"),
    (".mirrorhub", "ours"),
]


@pytest.mark.parametrize(("revision", "word"), REVISIONS, ids=shown)
def test_revisions(revision: str, word: str | None) -> None:
    """A revision becomes the name of a folder: what could not be one is refused."""
    problem = revision_problem(revision)
    assert problem is None if word is None else word in str(problem)


@pytest.mark.parametrize(("revision", "name"), [("master", "master"), ("a/b/c", "a%2Fb%2Fc"), ("v1.0", "v1.0")])
def test_file_name(revision: str, name: str) -> None:
    """A revision stands in one file, however many slashes it has, and no other revision in the same."""
    assert file_name(revision) == name
