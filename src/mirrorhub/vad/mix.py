"""Bring audio of any rate and number of channels to the mono 16 kHz that the features want, block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from mirrorhub.vad.features import SAMPLE_RATE
from mirrorhub.vad.tensors import Floats

_MIRRORED = -0.5  # correlation from which a channel counts as turned over


def to_mono(blocks: Iterable[Floats], rate: int) -> Iterator[Floats]:
    """Mix the channels of float32 blocks [n, channels].

    The result is the mean of the channels, with two exceptions that would lose speech, looked for in every half second:
    a channel that is digitally silent does not count (one microphone on a stereo recorder would be 6 dB too quiet), and
    a channel that mirrors the first one that sounds is turned over (a wrongly wired microphone would cancel the other).
    Half seconds are counted from the start, so the blocks' lengths change nothing.
    """
    window = rate // 2
    kept: Floats | None = None
    for block in blocks:
        if block.shape[1] == 1:
            yield block[:, 0]
            continue
        joined = block if kept is None else np.concatenate([kept, block])
        whole = len(joined) // window * window
        yield from (_mix(joined[start : start + window]) for start in range(0, whole, window))
        kept = joined[whole:].copy()
    if kept is not None and len(kept):
        yield _mix(kept)


def resampled(blocks: Iterable[Floats], rate: int) -> Iterator[Floats]:
    """The same signal at 16 kHz."""
    if rate == SAMPLE_RATE:
        yield from blocks
        return
    import soxr  # type: ignore[import-untyped]  # here: most audio for speech has 16 kHz already

    stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block))
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)


def _mix(window: Floats) -> Floats:
    sounding = window[:, window.any(axis=0)]
    if not sounding.size:
        return np.zeros(len(window), np.float32)
    together = sounding[:, 0] @ sounding
    energy = np.einsum("ij,ij->j", sounding, sounding)
    signs = np.where(together < _MIRRORED * np.sqrt(energy[0] * energy), -1, 1).astype(np.float32)
    mixed: Floats = sounding @ signs / np.float32(len(signs))
    return mixed
