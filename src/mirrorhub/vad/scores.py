"""The network: 16 kHz samples in, for every 10 ms the probability of silence and the level out.

It looks back, never ahead (beyond two frames of features), so it runs over blocks of any length and a block's result
does not depend on how the samples were cut. Arrays hold one column per frame: matrices times columns are what BLAS
does best, and the memory's convolution becomes one product per channel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mirrorhub.vad.features import FRAME_SHIFT_MS, FeatureState, compute_features, initial_features
from mirrorhub.vad.tensors import Floats
from mirrorhub.vad.weights import LAYERS, MEMORY, TAPS, Weights

_LARGEST = 1 << 24


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What the network says about every frame; segments are cut from this alone.

    Attributes:
        silence: Probability of silence, one per frame.
        level_db: Level, one per frame: 10 log10 of the energy of its 400 samples.
        silence_ids: The outputs of the network that were taken for silence.
    """

    silence: Floats
    level_db: Floats
    silence_ids: tuple[int, ...] = (0,)

    @property
    def frame_shift_ms(self) -> int:
        """From one frame to the next."""
        return FRAME_SHIFT_MS

    @property
    def duration_ms(self) -> int:
        """Where the last frame ends, as segments count."""
        return len(self.silence) * FRAME_SHIFT_MS


@dataclass(frozen=True, slots=True)
class Affine:
    """`weight @ x + bias`."""

    weight: Floats
    bias: Floats

    def __call__(self, columns: Floats) -> Floats:
        """Apply it to one column per frame."""
        result: Floats = self.weight @ columns
        result += self.bias
        return result


@dataclass(frozen=True, slots=True)
class Layer:
    """One memory layer: narrow, remember the last 20 frames, widen.

    Attributes:
        narrow: 250 to 128.
        taps: Per channel the matrix that takes 39 frames to the last 20 of them, each convolved with its past.
        widen: 128 to 250.
    """

    narrow: Floats
    taps: Floats
    widen: Affine


@dataclass(frozen=True, slots=True)
class Network:
    """The model, ready to multiply.

    The mean and scale of its inputs are folded into the first matrix, its last two matrices into one.
    """

    before: tuple[Affine, Affine]
    layers: tuple[Layer, ...]
    after: Affine
    silence_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ScoreState:
    """Where a signal stands: its features' state and, per layer, the last 19 frames [128, 19]."""

    features: FeatureState
    memories: tuple[Floats, ...]


def build_network(weights: Weights, silence_ids: tuple[int, ...] = (0,)) -> Network:
    """Arrange the weights for `score_block`."""
    tensors = weights.tensors
    first = (tensors["in_linear1.linear.weight"] * weights.scale).astype(np.float64)
    bias = tensors["in_linear1.linear.bias"] + first @ weights.shift
    last = tensors["out_linear2.linear.weight"].astype(np.float64)
    last_bias = tensors["out_linear2.linear.bias"] + last @ tensors["out_linear1.linear.bias"]
    return Network(
        before=(_affine(first, bias), _affine_named(weights, "in_linear2")),
        layers=tuple(_layer(weights, f"fsmn.{index}") for index in range(LAYERS)),
        after=_affine(last @ tensors["out_linear1.linear.weight"], last_bias),
        silence_ids=silence_ids,
    )


def initial_scores() -> ScoreState:
    """The state before the first sample."""
    return ScoreState(initial_features(), (np.zeros((MEMORY, TAPS - 1), np.float32),) * LAYERS)


def score_block(
    network: Network, state: ScoreState, samples: Floats, *, final: bool = False
) -> tuple[ScoreState, Scores]:
    """Score the frames that a block of samples completes.

    Args:
        network: The model.
        state: What the call before this one returned, or `initial_scores()`.
        samples: Mono, 16 kHz, full scale is 1; may be empty.
        final: No more samples come.

    Returns:
        The state for the next block, and the scores of the frames, which may be none.
    """
    features, fresh = compute_features(state.features, samples, final=final)
    if not len(fresh.level_db):
        return ScoreState(features, state.memories), Scores(fresh.level_db, fresh.level_db, network.silence_ids)
    columns = network.before[1](network.before[0](fresh.inputs))
    np.maximum(columns, 0, out=columns)
    memories = []
    for layer, memory in zip(network.layers, state.memories, strict=True):
        remembered, memory_after = _remember(layer.taps, memory, layer.narrow @ columns)
        columns = layer.widen(remembered)
        np.maximum(columns, 0, out=columns)
        memories.append(memory_after)
    silence = _probability(network.after(columns), network.silence_ids)
    return ScoreState(features, tuple(memories)), Scores(silence, fresh.level_db, network.silence_ids)


def score_blocks(network: Network, blocks: Iterable[Floats]) -> Scores:
    """Score a whole signal that comes in blocks; only the scores are kept."""
    # Allocated and freed untouched: glibc learns that blocks of this size come again, and stops handing every
    # temporary back to the kernel. Without it a third of the time goes into page faults.
    np.empty(_LARGEST, np.uint8)
    state, parts = initial_scores(), []
    for block in blocks:
        state, scores = score_block(network, state, block)
        parts.append(scores)
    parts.append(score_block(network, state, np.empty(0, np.float32), final=True)[1])
    return Scores(
        silence=np.concatenate([part.silence for part in parts]),
        level_db=np.concatenate([part.level_db for part in parts]),
        silence_ids=network.silence_ids,
    )


def _remember(taps: Floats, memory: Floats, columns: Floats) -> tuple[Floats, Floats]:
    """Add to each frame the weighted sum of itself and its last 19; return that and the new memory."""
    count = columns.shape[1]
    padded = -(-count // TAPS) * TAPS
    history = np.zeros((MEMORY, TAPS - 1 + padded), np.float32)
    history[:, : TAPS - 1] = memory
    history[:, TAPS - 1 : TAPS - 1 + count] = columns
    windows = np.ascontiguousarray(sliding_window_view(history, 2 * TAPS - 1, axis=1)[:, ::TAPS])
    remembered: Floats = np.matmul(windows, taps).reshape(MEMORY, padded)
    return remembered[:, :count], history[:, count : count + TAPS - 1].copy()


def _probability(logits: Floats, silence_ids: tuple[int, ...]) -> Floats:
    logits -= logits.max(axis=0)
    np.exp(logits, out=logits)
    silence: Floats = logits[list(silence_ids)].sum(axis=0) / logits.sum(axis=0)
    return silence


def _layer(weights: Weights, name: str) -> Layer:
    kernel = weights.tensors[f"{name}.fsmn_block.conv_left.weight"].reshape(MEMORY, TAPS).copy()
    kernel[:, -1] += 1  # the frame itself is added to the sum over its past
    taps = np.zeros((MEMORY, 2 * TAPS - 1, TAPS), np.float32)
    for frame in range(TAPS):
        taps[:, frame : frame + TAPS, frame] = kernel
    narrow = weights.tensors[f"{name}.linear.linear.weight"]
    return Layer(narrow=narrow, taps=taps, widen=_affine_named(weights, f"{name}.affine"))


def _affine_named(weights: Weights, name: str) -> Affine:
    return _affine(weights.tensors[f"{name}.linear.weight"], weights.tensors[f"{name}.linear.bias"])


def _affine(
    weight: np.ndarray[tuple[int, ...], np.dtype[np.floating]], bias: np.ndarray[tuple[int, ...], np.dtype[np.floating]]
) -> Affine:
    return Affine(weight.astype(np.float32), bias.astype(np.float32)[:, None])
