"""The installer is one file that any Python from 3.8 on can run, and nothing else is needed."""

from __future__ import annotations

import ast
import re
import string
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirrorhub.bundle.joined import MODULES, installer, source_of, starter
from mirrorhub.bundle.kit.words import WORDS, told

TREE = ast.parse(installer(), feature_version=(3, 8))


def names_of(tree: ast.Module) -> Iterator[str]:
    """What a module defines at its top level."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name))


def test_no_name_stands_twice() -> None:
    """Modules that were written apart share one name space there: no name is anybody else's."""
    assert [name for name, count in Counter(names_of(TREE)).items() if count > 1] == []


def test_the_standard_library_is_enough() -> None:
    """It imports nothing that does not come with Python."""
    nodes = list(ast.walk(TREE))
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    assert not [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    modules |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in modules} <= set(sys.stdlib_module_names)


def test_the_starter_can_be_read_by_any_python() -> None:
    """A Python that is too old for the installer is told so, and shown no error of syntax."""
    node = ast.parse(starter())
    assert not [one for one in ast.walk(node) if isinstance(one, ast.JoinedStr | ast.NamedExpr | ast.AnnAssign)]
    assert "Python 3.8 or later is needed" in starter()


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_renamed(module: str) -> None:
    """What a part imports from another one keeps its name, since the import itself goes."""
    nodes = [node for node in ast.walk(ast.parse(source_of(module))) if isinstance(node, ast.ImportFrom | ast.Import)]
    ours = [node for node in nodes if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mirrorhub")]
    assert [alias.name for node in ours for alias in node.names if alias.asname] == []
    assert [
        alias.name
        for node in nodes
        if isinstance(node, ast.Import)
        for alias in node.names
        if "mirrorhub" in alias.name
    ] == []


def test_it_runs_alone(tmp_path: Path, kit: Path) -> None:
    """As a file, isolated from everything that is installed, it verifies a kit; what lies beside it is not imported."""
    script = tmp_path / "apart" / "install.py"
    script.parent.mkdir()
    script.write_text(installer(), encoding="utf-8")
    script.with_name("zipfile.py").write_text("raise SystemExit('imported what lies beside it')")
    command = [sys.executable, "-S", "-W", "error", str(script), str(kit), "--verify-only", "--lang", "en"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "verified: all 9 members" in done.stdout


WAYS = {
    "by its name": ["{}/install.py"],
    "by a link": ["{}/../linked.py"],
    "by a link to its folder": ["{}/../linked/install.py"],
    "as a module": ["-m", "install"],
    "the folder": ["{}"],
    "the folder where it is": ["."],
    "a link to the folder": ["{}/../linked"],
}
OURS = {"__future__", "argparse", "hashlib", "json", "secrets", "shutil", "socket", "struct", "subprocess", "zipfile"}
"""What Python itself imports when it is given a module or a folder, before anything else is run, is not among these."""


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_lies_beside_it(way: list[str], tmp_path: Path, kit_members: dict[str, bytes]) -> None:
    """However the installer of an unpacked kit is reached, it imports nothing from its own folder."""
    folder, ran = tmp_path / "downloads", tmp_path / "ran"
    folder.mkdir()
    for name in sys.stdlib_module_names if way[0].endswith(".py") else OURS:
        (folder / f"{name}.py").write_text(f"open({str(ran)!r}, 'a').write({name + ' '!r})")
    for name, data in kit_members.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    (tmp_path / "linked.py").symlink_to(folder / "install.py")
    (tmp_path / "linked").symlink_to(folder)
    command = [sys.executable, "-S", *(part.format(folder) for part in way), ".", "--verify-only", "--lang", "en"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=50, check=False)
    assert "verified: all 9 members" in done.stdout
    assert not ran.exists()


def test_the_kit_runs_itself(kit: Path) -> None:
    """`python3 kit.zip` is enough."""
    command = [sys.executable, "-S", str(kit), "--verify-only", "--lang", "zh"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "已验证：全部 9 个成员与清单一致" in done.stdout


def test_both_languages_say_the_same() -> None:
    """Every sentence is there in both, with the same values in it."""
    for english, chinese in WORDS.values():
        fields = [
            sorted(field for _, field, _, _ in string.Formatter().parse(text) if field) for text in (english, chinese)
        ]
        assert fields[0] == fields[1]
        assert re.search("[\u4e00-\u9fff]", chinese) or chinese == "{reason}"
    assert told("missing", "zh") == "列在 manifest.json 中，但不存在"
