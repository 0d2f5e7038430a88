"""Whatever the caller calls audio, as mono float32 blocks at 16 kHz. Memory does not grow with the length."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

from mirrorhub.errors import AudioError
from mirrorhub.vad.decode import open_stream
from mirrorhub.vad.mix import resampled, to_mono
from mirrorhub.vad.samples import Source, finite, source_of_array
from mirrorhub.vad.tensors import Floats

if TYPE_CHECKING:
    import numpy.typing as npt

Audio: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | tuple[npt.ArrayLike, float]"

_ACCEPTED = "give a path, bytes, a binary file object, or (samples, sample_rate)"


def read_audio(audio: Audio) -> Iterator[Floats]:
    """Read audio of any kind, a few seconds at a time.

    Args:
        audio: A path; the bytes of a file; a binary file object, which is read from its beginning if it can seek and
            is left open; or (samples, sample_rate) with samples of any number type, [n] or [n, channels].

    Yields:
        Mono float32 at 16 kHz, full scale is 1.

    Raises:
        AudioError: It is not audio, cannot be read, or holds samples that are not numbers.
    """
    with ExitStack() as stack:
        source = _open(audio, stack)
        yield from resampled(to_mono(finite(source), source.rate), source.rate)


def _open(audio: Audio, stack: ExitStack) -> Source:
    match audio:
        case str() | os.PathLike():
            path = Path(audio)
            return open_stream(stack.enter_context(_open_path(path)), str(path))
        case bytes() | bytearray() | memoryview():
            return open_stream(io.BytesIO(audio), f"{len(audio)} bytes")
        case (samples, rate):
            return source_of_array(samples, rate)
    if hasattr(audio, "read"):
        return open_stream(_seekable(audio, stack), str(getattr(audio, "name", "file object")))
    raise AudioError(f"{type(audio).__name__} is not audio: {_ACCEPTED}")


def _open_path(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise AudioError(f"{path}: no such file: check the path") from None
    except IsADirectoryError:
        raise AudioError(f"{path}: is a directory: {_ACCEPTED}") from None
    except (OSError, ValueError) as error:
        raise AudioError(f"{path}: cannot be opened ({error}): check the path and its permissions") from error


def _seekable(stream: IO[bytes], stack: ExitStack) -> IO[bytes]:
    """The stream itself, or a copy on disk of one that cannot seek."""
    try:
        binary = isinstance(stream.read(0), bytes)
        if binary and not getattr(stream, "seekable", bool)():
            copy = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  closed by the stack
            shutil.copyfileobj(stream, copy)
            return copy
    except (OSError, ValueError) as error:
        raise AudioError(f"the file object cannot be read ({error}): open it anew") from error
    if not binary:
        raise AudioError(f"a file in text mode is not audio: {_ACCEPTED}")
    return stream
