"""Modules below the faces: `from mirrorhub.modelscope.hub.snapshot_download import snapshot_download`.

Old code names the module that a function lived in. Such a module is made when it is imported: it has the names of the
SDK's own, and of those that we answer, ours.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

PACKAGE = "mirrorhub."
FACES = ("huggingface_hub", "modelscope")


class Mirror(ModuleType):
    """A module that has the names of another one."""

    def __getattr__(self, name: str) -> Any:
        """Return ours, or theirs."""
        theirs = sys.modules[self.__name__.removeprefix(PACKAGE)]
        if name in ("__all__", "__version__") or not name.startswith("__"):
            face, found = sys.modules[PACKAGE + self.__name__.split(".")[1]], getattr(theirs, name)
            is_ours = name in _names(face) and not isinstance(found, ModuleType)
            return getattr(face, name) if is_ours else found
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        """Return the names of the other one."""
        return dir(sys.modules[self.__name__.removeprefix(PACKAGE)])


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds what lies below the faces, and nothing else."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return a spec where the SDK has a module of this name."""
        below = fullname.removeprefix(PACKAGE)
        if below == fullname or below.partition(".")[0] not in FACES or "." not in below:
            return None
        try:
            theirs = importlib.import_module(below)
        except ModuleNotFoundError as error:
            if error.name and below.startswith(error.name):
                return None
            raise
        return importlib.machinery.ModuleSpec(fullname, self, is_package=hasattr(theirs, "__path__"))

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Make the module."""
        return Mirror(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is run: names are looked up when they are asked for."""


def watch() -> None:
    """Let imports find them; once is enough."""
    if not any(isinstance(one, Finder) for one in sys.meta_path):
        sys.meta_path.append(Finder())


def _names(face: ModuleType) -> frozenset[str]:
    return frozenset(face.__all__)
