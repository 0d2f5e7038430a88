"""Turn 16 kHz samples into what the network sees: Kaldi's filter bank, five neighbouring frames side by side.

Works on blocks of any length: what a block leaves over is in the state that comes back with its result.
The mean and scale of the model are not applied here; the network's first layer contains them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from mirrorhub.vad.tensors import Floats

Doubles = npt.NDArray[np.float64]

SAMPLE_RATE = 16000
FRAME_SHIFT_MS = 10
FRAME, SHIFT = 400, 160
BANDS, NEIGHBOURS = 80, 2

_FFT = 512
_EMPHASIS = np.float32(0.97)
_FULL_SCALE = np.float32(32768)
_FLOOR = np.finfo(np.float32).eps


@dataclass(frozen=True, slots=True)
class FeatureState:
    """What earlier blocks left over.

    Attributes:
        samples: From the first sample of the next frame on.
        bands: Filter bank of the frames that are still needed as neighbours, [80, up to 4].
        level_db: Levels of the frames whose right neighbours have not come yet.
    """

    samples: Floats
    bands: Floats
    level_db: Floats


@dataclass(frozen=True, slots=True)
class Features:
    """Frames that have all their neighbours: `inputs` [400, frames] and `level_db` [frames]."""

    inputs: Floats
    level_db: Floats


def initial_features() -> FeatureState:
    """The state before the first sample."""
    none = np.empty(0, np.float32)
    return FeatureState(samples=none, bands=np.empty((BANDS, 0), np.float32), level_db=none)


def compute_features(state: FeatureState, samples: Floats, *, final: bool = False) -> tuple[FeatureState, Features]:
    """Compute the frames that a block of samples completes.

    Args:
        state: What the call before this one returned, or `initial_features()`.
        samples: Mono, 16 kHz, full scale is 1.
        final: No more samples come: the last frame stands in for the neighbours it lacks.

    Returns:
        The state for the next block, and the frames.
    """
    samples = np.concatenate([state.samples, samples])
    count = max(0, (len(samples) - FRAME) // SHIFT + 1)
    frames = as_strided(samples, (count, FRAME), (SHIFT * samples.itemsize, samples.itemsize), writeable=False)
    fresh = _filter_bank(frames)
    bands = np.concatenate([state.bands, fresh], axis=1)
    if count and not state.bands.size:
        bands = np.concatenate([np.repeat(fresh[:, :1], NEIGHBOURS, axis=1), bands], axis=1)
    if final and bands.size:
        bands = np.concatenate([bands, np.repeat(bands[:, -1:], NEIGHBOURS, axis=1)], axis=1)
    level_db = np.concatenate([state.level_db, _levels(frames)])
    ready = max(0, bands.shape[1] - 2 * NEIGHBOURS)
    rest = FeatureState(samples=samples[count * SHIFT :].copy(), bands=bands[:, ready:], level_db=level_db[ready:])
    return rest, Features(inputs=_side_by_side(bands, ready), level_db=level_db[:ready])


def _levels(frames: Floats) -> Floats:
    energy = np.einsum("ij,ij->i", frames, frames)
    levels: Floats = 10 * np.log10(energy + np.float32(1e-6))
    return levels


def _filter_bank(frames: Floats) -> Floats:
    """Logarithm of the energy in 80 mel bands, one column per frame."""
    centred = frames - frames.mean(axis=1, keepdims=True)
    emphasised = np.empty_like(centred)
    np.multiply(centred[:, :-1], -_EMPHASIS, out=emphasised[:, 1:])
    emphasised[:, 1:] += centred[:, 1:]
    emphasised[:, 0] = centred[:, 0] - _EMPHASIS * centred[:, 0]
    emphasised *= _window()
    spectrum = np.fft.rfft(emphasised, _FFT).astype(np.complex64, copy=False)
    power = np.square(spectrum.real)
    power += np.square(spectrum.imag)
    energy: Floats = np.concatenate([weights @ power[:, bins].T for bins, weights in _mel_weights()])
    np.log(np.maximum(energy, _FLOOR, out=energy), out=energy)
    return energy


def _side_by_side(bands: Floats, count: int) -> Floats:
    """Each frame with its two neighbours on either side: [400, count]."""
    return np.concatenate([bands[:, shift : shift + count] for shift in range(2 * NEIGHBOURS + 1)])


@functools.cache
def _window() -> Floats:
    """Hamming, times the full scale that Kaldi expects: a power of two, so nothing is rounded differently."""
    return _FULL_SCALE * (0.54 - 0.46 * np.cos(2 * np.pi * np.arange(FRAME) / (FRAME - 1))).astype(np.float32)


@functools.cache
def _mel_weights() -> tuple[tuple[slice, Floats], ...]:
    """Triangles, evenly spaced on the mel scale from 20 Hz to half the sample rate, 20 at a time.

    The 20 bands of a group need only some bins of the spectrum; the groups come with theirs.
    """
    edges = np.linspace(_mel(20.0), _mel(SAMPLE_RATE / 2), BANDS + 2)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    mels = _mel(np.arange(_FFT // 2) * (SAMPLE_RATE / _FFT))
    rise, fall = (mels - left) / (centre - left), (right - mels) / (right - centre)
    weights = np.maximum(np.minimum(rise, fall), 0).astype(np.float32)
    groups = []
    for group in np.split(weights, 4):
        used = np.flatnonzero(group.any(axis=0))
        bins = slice(int(used[0]), int(used[-1]) + 1)
        groups.append((bins, np.ascontiguousarray(group[:, bins])))
    return tuple(groups)


def _mel(frequency: npt.ArrayLike) -> Doubles:
    return np.asarray(1127.0 * np.log(1.0 + np.asarray(frequency) / 700.0), np.float64)
