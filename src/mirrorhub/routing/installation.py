"""`install` and `uninstall`: code written for the SDKs goes through the chain, and not a line of it changes.

Nothing is imported here: the functions of modules that are there are led elsewhere at once, those of others when they
are imported, whoever does it.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec
from types import FunctionType, ModuleType, TracebackType
from typing import Any, Self

from mirrorhub.routing.detour import Detour, innermost
from mirrorhub.routing.routes import ROUTES


class Installation:
    """What `install` returns. As a context manager it is taken back at the end of the block; others stay."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _state.drop(self)


def install() -> Installation:
    """Lead the download functions of modelscope, modelscope_hub and huggingface_hub through the chain.

    It holds for the whole process: for SDKs that are imported already, for those that will be, and for whoever holds
    one of their functions. All else that the SDKs do stays theirs.

    Returns:
        A context manager: `with mirrorhub.install(): ...` takes it back at the end. Without `with` it stays until
        `uninstall`. Twice does no harm, and blocks may overlap, in threads, too: the last one to end takes it back.
    """
    return _state.add(Installation())


def uninstall() -> None:
    """Let the SDKs' functions do what they did, however often `install` was called."""
    _state.drop()


class _State:
    """What holds in this process: who wants it, and which functions are led elsewhere."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._wanted: list[Installation] = []
        self._detours: list[Detour] = []
        self._finder = _Finder(self)

    def add(self, wish: Installation) -> Installation:
        """Lead all that is there elsewhere, and what is imported from now on."""
        with self._lock:
            self._wanted.append(wish)
            if self._finder not in sys.meta_path:
                sys.meta_path.insert(0, self._finder)
        for name in [name for name in ROUTES if sys.modules.get(name) is not None]:
            # Waits for a thread that is just importing it and may be waiting for our lock: it must not be held here.
            self.lead(name, importlib.import_module(name))
        return wish

    def lead(self, name: str, module: object) -> None:
        """Lead the functions of a module elsewhere, while somebody wants it."""
        with self._lock:
            for path, route in ROUTES[name].items() if self._wanted else ():
                function = _find(module, path)
                if function is not None and not any(detour.leads(function) for detour in self._detours):
                    self._detours.append(Detour(function, route))
                    self._detours[-1].open()

    def drop(self, *wishes: Installation) -> None:
        """Forget these wishes, or all; with the last one goes all that was done."""
        with self._lock:
            self._wanted = [wish for wish in self._wanted if wishes and wish not in wishes]
            if self._wanted:
                return
            if self._finder in sys.meta_path:
                sys.meta_path.remove(self._finder)
            while self._detours:
                self._detours.pop().close()

    def after_fork(self) -> None:
        """Nobody holds the lock in the child: the thread that did is not there."""
        self._lock = threading.RLock()


class _Finder:
    """Finds nothing of its own: it lets the others find a module, and has its functions led once it is there."""

    def __init__(self, state: _State) -> None:
        self._state = state

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Let the other finders find one of the SDKs' modules."""
        if name not in ROUTES:
            return None
        others = (finder for finder in list(sys.meta_path) if finder is not self and hasattr(finder, "find_spec"))
        spec = next((found for finder in others if (found := finder.find_spec(name, path, target))), None)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            self._follow(spec)
        return spec

    def _follow(self, spec: ModuleSpec) -> None:
        """Come after the loader, which stays the one it is: inspect and importlib.resources ask for it."""
        loader: Any = spec.loader
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            if module.__name__ == spec.name:
                vars(loader).pop("exec_module", None)
                self._state.lead(spec.name, module)

        with suppress(AttributeError):  # a loader that takes no attributes
            loader.exec_module = exec_module


def _find(module: object, path: str) -> FunctionType | None:
    """Return a function of a module or of one of its classes; None where this version of the SDK has none of that."""
    found = module
    for name in path.split("."):
        found = getattr(found, "__dict__", {}).get(name)
    return innermost(found)


_state = _State()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_state.after_fork)
