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
    """The progress of one file: its callbacks, and the bars that all files share."""

    def __init__(self, bar: Any, callbacks: list[Any], files: Any = None) -> None:
        self._bar = bar
        self._files = files
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
            if self._files is not None:
                self._files.update(1)
            for callback in self._callbacks:
                callback.end()


class Progress:
    """The progress of one call."""

    def __init__(self, watchers: Watchers, description: str, total: int, wanted: int = 0, missing: int = 0) -> None:
        self._watchers = watchers
        self._files = _files_bar(watchers, wanted, missing)
        self._bar = _bar(watchers, description, total)

    def file(self, path: str, size: int | None) -> FileProgress:
        """Announce a file to the callbacks, modelscope's way: each is a class, made with name and size."""
        with _contained():
            callbacks = [callback(path, size or 0) for callback in self._watchers.callbacks]
        return FileProgress(self._bar, callbacks, self._files)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for bar in (self._bar, self._files):
            if bar is not None:
                bar.close()


@contextmanager
def _contained() -> Iterator[None]:
    try:
        yield
    except (SystemExit, KeyboardInterrupt) as wish:
        raise Stopped(wish) from wish


def _files_bar(watchers: Watchers, wanted: int, missing: int) -> Any:
    """Make a bar that counts files, as huggingface_hub has one; those that are there are counted."""
    if not watchers.files or watchers.tqdm_class is None:
        return None
    return watchers.tqdm_class(total=wanted, desc=f"Fetching {wanted} files", initial=wanted - missing)


def _bar(watchers: Watchers, description: str, total: int) -> Any:
    """Make a bar where somebody sees it, or where the caller brought one."""
    make = watchers.tqdm_class
    if make is None:
        if not sys.stderr or not sys.stderr.isatty():
            return None
        from tqdm.auto import tqdm

        make = tqdm
    return make(total=total, desc=description, unit="B", unit_scale=True, initial=0)
