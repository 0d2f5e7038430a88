"""The bars that huggingface_hub shows: one of bytes, one of files; by the caller's class, or by none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

from mirrorhub.faces.signatures import Given


class Bars:
    """What is shown of a call."""

    def __init__(self, make: Callable[..., Any] | None, *, files: bool) -> None:
        self._make = make
        self._files = files
        self._made = False

    @property
    def options(self) -> dict[str, Any]:
        """What to call ours with."""
        return {"tqdm_class": self._bar if self._make else None, "files_bar": self._files}

    def complete(self, count: int) -> None:
        """Where nothing had to be fetched, show that all files are there."""
        if self._make is not None and self._files and not self._made:
            bar = self._make(total=count, desc=f"Fetching {count} files")
            bar.update(count)
            bar.close()

    def _bar(self, **given: Any) -> Any:
        self._made = True
        return self._make(**given) if self._make else None


@contextmanager
def bars_for(given: Given, *, files: bool = True) -> Iterator[Bars]:
    """Give the bars of a call; those that the user has switched off stay so."""
    yield Bars(given["tqdm_class"] or _silent(), files=files and given["tqdm_class"] is not None)


def _silent() -> Callable[..., Any] | None:
    from tqdm.auto import tqdm

    is_off = import_module("huggingface_hub.utils").are_progress_bars_disabled()
    return partial(tqdm, disable=True) if is_off else None
