"""Arrays of samples: any number type, any number of channels, to float32 columns where full scale is 1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mirrorhub.errors import AudioError
from mirrorhub.vad.tensors import Floats

BLOCK = 128_000  # samples of all channels together, 8 s of the usual kind
LOWEST_RATE, HIGHEST_RATE, MOST_CHANNELS = 1000, 768_000, 64

_LOUDEST = 1e10  # still leaves room in float32 for the square of 32768 times it
_HOW = "pass (samples, sample_rate), samples as [n] or [n, channels]"


@dataclass(frozen=True, slots=True)
class Source:
    """Audio that is being read.

    Attributes:
        name: What to call it in a message.
        rate: Samples per second.
        blocks: float32 [n, channels], full scale 1; the number of channels does not change.
    """

    name: str
    rate: int
    blocks: Iterator[Floats]


def source_of_array(samples: object, rate: object) -> Source:
    """Check an array and its sample rate; it is converted a block at a time.

    A two-dimensional array is [n, channels]. One with fewer rows than columns is [channels, n], as torchaudio and
    librosa give it: as [n, channels] it would be shorter than one frame.

    Raises:
        AudioError: The array holds something else than samples, or the rate is none.
    """
    try:
        array = np.asarray(samples)
    except (ValueError, TypeError) as error:
        raise AudioError(f"{type(samples).__name__}: is no array of samples ({error}); {_HOW}") from error
    name = f"array of {array.dtype}"
    if array.dtype.kind not in "fiu":
        raise AudioError(f"{name}: samples must be whole or floating-point numbers; {_HOW}")
    if array.ndim not in (1, 2):
        raise AudioError(f"{name}: has {array.ndim} dimensions; {_HOW}")
    columns = array[:, None] if array.ndim == 1 else array
    if columns.shape[0] < columns.shape[1]:
        columns = columns.T
    if columns.shape[1] > MOST_CHANNELS:
        raise AudioError(f"{name}: has {columns.shape[1]} channels, more than {MOST_CHANNELS}; {_HOW}")
    checked = checked_rate(rate, name)
    return Source(name, checked, _converted(columns))


def checked_rate(rate: object, name: str) -> int:
    """The sample rate as a whole number.

    Raises:
        AudioError: It is not one that audio has.
    """
    number = isinstance(rate, int | float | np.integer | np.floating) and not isinstance(rate, bool)
    if not number or rate != rate or not LOWEST_RATE <= rate <= HIGHEST_RATE or rate != int(rate):  # type: ignore[operator, call-overload]
        raise AudioError(
            f"{name}: sample rate {rate!r} is not a whole number from {LOWEST_RATE} to {HIGHEST_RATE}; {_HOW}"
        )
    return int(rate)  # type: ignore[call-overload, no-any-return]


def finite(source: Source) -> Iterator[Floats]:
    """The source's blocks, as long as they can be computed with.

    Raises:
        AudioError: A sample is not a number, infinite, or absurdly large; says when.
    """
    before = 0
    for block in source.blocks:
        if block.size and not max(block.max(), -block.min()) <= _LOUDEST:
            first = int(np.flatnonzero(~(np.abs(block) <= _LOUDEST).all(axis=1))[0])
            value = next(x for x in block[first].tolist() if not abs(x) <= _LOUDEST)
            seconds = (before + first) / source.rate
            raise AudioError(f"{source.name}: the sample at {seconds:.3f} s is {value}; repair or cut the audio there")
        before += len(block)
        yield block


def _converted(columns: npt.NDArray[np.generic]) -> Iterator[Floats]:
    length = BLOCK // max(1, columns.shape[1])
    for start in range(0, len(columns), length):
        yield _to_float(columns[start : start + length])


def _to_float(samples: npt.NDArray[np.generic]) -> Floats:
    kind = samples.dtype
    if kind.kind == "f":
        with np.errstate(over="ignore"):  # becomes infinite and is refused as such
            return samples.astype(np.float32)
    half = 2.0 ** (8 * kind.itemsize - 1)
    centre = half if kind.kind == "u" else 0.0  # unsigned silence is half scale, as in 8-bit wav files
    return ((samples.astype(np.float64) - centre) / half).astype(np.float32)
