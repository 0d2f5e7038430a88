"""Who hears how far a call is: a bar for people at a terminal, callbacks for programs, nobody else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from mirrorhub.models import Watchers


class Stopped(Exception):  # noqa: N818 - carries what a callback raised to whoever called
    """A callback wants the process, not only the call, to end: SystemExit or KeyboardInterrupt.

    They must not reach the event loop as they are: it would end with them.
    """

    def __init__(self, wish: BaseException) -> None:
        super().__init__(repr(wish))
        self.wish = wish


class FileProgress:
    """The progress of one file: its callbacks, and the bar that all files share."""

    def __init__(self, bar: Any, callbacks: list[Any]) -> None:
        self._bar = bar
        self._callbacks = callbacks

    def update(self, count: int) -> None:
        """`count` more bytes are there; fewer than none when a file starts over."""
        with _contained():
            if self._bar is not None:
                self._bar.update(count)
            for callback in self._callbacks:
                callback.update(count)

    def end(self) -> None:
        """The file is complete."""
        with _contained():
            for callback in self._callbacks:
                callback.end()


class Progress:
    """The progress of one call."""

    def __init__(self, watchers: Watchers, description: str, total: int) -> None:
        self._watchers = watchers
        self._bar = _bar(watchers, description, total)

    def file(self, path: str, size: int | None) -> FileProgress:
        """Announce a file to the callbacks, modelscope's way: each is a class, made with name and size."""
        with _contained():
            return FileProgress(self._bar, [callback(path, size or 0) for callback in self._watchers.callbacks])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


@contextmanager
def _contained() -> Iterator[None]:
    try:
        yield
    except (SystemExit, KeyboardInterrupt) as wish:
        raise Stopped(wish) from wish


def _bar(watchers: Watchers, description: str, total: int) -> Any:
    """Make a bar where somebody sees it, or where the caller brought one."""
    make = watchers.tqdm_class
    if make is None:
        if not sys.stderr or not sys.stderr.isatty():
            return None
        from tqdm.auto import tqdm

        make = tqdm
    return make(total=total, desc=description, unit="B", unit_scale=True, initial=0)
