"""The installer as one file: the modules of `kit`, and the two that they stand on, one after the other."""

from __future__ import annotations

import ast
import builtins
import json
from collections.abc import Iterator
from importlib.resources import files

MODULES = (
    "paths",
    "records",
    "bundle.kit.words",
    "bundle.kit.archive",
    "bundle.kit.contents",
    "bundle.kit.checking",
    "bundle.kit.caches",
    "bundle.kit.placing",
    "bundle.kit.project",
    "bundle.kit.noting",
    "bundle.kit.python",
    "bundle.kit.wheels",
    "bundle.kit.script",
)
_HEAD = '''#!/usr/bin/env python3
"""Install an offline kit: python3 kit.zip, python3 install.py kit.zip, or from the folder where it was unpacked.

Python 3.8 or later and its pip are all that is needed; no network is used. Written by `mirrorhub bundle create` out of
the modules that `mirrorhub bundle install` runs.
"""

import sys

# Nothing that lies beside this file is to be imported in place of what belongs to Python, not even `__future__`; Python
# may have come here by a link, and have written down where that leads.
_path_before = list(sys.path)
del sys.path[:1]

import os

_folders_of_this = {
    os.path.realpath(os.path.dirname(os.path.abspath(__file__))),
    os.path.dirname(os.path.realpath(__file__)),
}
sys.path[:] = [path for path in _path_before if os.path.realpath(path) not in _folders_of_this]
'''
_STARTER = '''"""Run the installer beside this file, in a zip file or a folder."""

import sys

del sys.path[:1]  # this file or folder itself: Python's own modules are not in it
if sys.version_info < (3, 8):
    sys.exit("install: Python 3.8 or later is needed, and this is %d.%d" % sys.version_info[:2])
place = __file__[: -len("__main__.py")] + "install.py"
exec(compile(__loader__.get_data(place), place, "exec"))
'''
_FOOT = """

if __name__ == "__main__":
    sys.exit(main(here=os.path.dirname(os.path.abspath(__file__))))
"""


def installer() -> str:
    """Return the installer's text; the same for the same version of this package."""
    return _HEAD + "".join(f"\n\n# {name}\n\n{_body(source_of(name))}" for name in MODULES) + _FOOT


def starter() -> str:
    """Return what Python runs when it is given the kit itself; also one that cannot read the installer."""
    return _STARTER


def source_of(name: str) -> str:
    """Return a module's source."""
    *folders, module = name.split(".")
    place = files("mirrorhub")
    for folder in folders:
        place = place.joinpath(folder)
    return place.joinpath(f"{module}.py").read_text(encoding="utf-8")


def _body(source: str) -> str:
    """Return a module without what it imports from the others: all of that stands above it."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.module and _is_above(node.module):
            lines[node.lineno - 1 : node.end_lineno] = [""] * ((node.end_lineno or node.lineno) - node.lineno + 1)
    return _quoted("\n".join(lines)).strip() + "\n"


def _quoted(source: str) -> str:
    """Write annotations as strings: an older Python need not understand them, and nothing is imported for that."""
    lines = [line.encode() for line in source.split("\n")]
    for node in sorted(_annotations(source), key=lambda one: (one.lineno, one.col_offset), reverse=True):
        if node.end_lineno != node.lineno:
            raise ValueError(f"line {node.lineno}: an annotation of several lines")
        line, start, end = lines[node.lineno - 1], node.col_offset, node.end_col_offset
        lines[node.lineno - 1] = line[:start] + json.dumps(line[start:end].decode()).encode() + line[end or start :]
    return b"\n".join(lines).decode()


def _annotations(source: str) -> Iterator[ast.expr]:
    for node in ast.walk(ast.parse(source)):
        found = node.returns if isinstance(node, ast.FunctionDef) else getattr(node, "annotation", None)
        is_plain = isinstance(found, ast.Constant) or (isinstance(found, ast.Name) and hasattr(builtins, found.id))
        if found is not None and not is_plain:
            yield found


def _is_above(module: str) -> bool:
    return module == "__future__" or module.partition(".")[0] == "mirrorhub"
