"""The result does not depend on how a signal is cut, and nothing is shared between calls."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mirrorhub.vad import Scores, Vad
from mirrorhub.vad.scores import build_network, initial_scores, score_block, score_blocks
from mirrorhub.vad.segments import Segmenter, cut
from mirrorhub.vad.weights import read_weights
from tests.vad.signals import PARAMETERS, SIGNALS

LADDER = SIGNALS["ladder"]()


@pytest.mark.parametrize("length", [37, 160, 1001, 16000, 77777])
def test_scores_of_blocks(vad: Vad, all_scores: dict[str, Scores], model_dir: Path, length: int) -> None:
    """Blocks of any length, even shorter than a frame, give the scores of the whole."""
    signal = LADDER[: max(3000, min(len(LADDER), 400 * length))]
    blocks = (signal[start : start + length] for start in range(0, len(signal), length))
    scores = score_blocks(build_network(read_weights(model_dir)), blocks)
    whole = vad.scores((signal, 16000))
    np.testing.assert_allclose(whole.silence, scores.silence, atol=2e-5)
    np.testing.assert_allclose(whole.level_db, scores.level_db, atol=1e-4)
    assert cut(whole, vad.options) == cut(scores, vad.options)


def test_two_frames_wait(model_dir: Path) -> None:
    """A frame is scored when the two after it have come; the last two come with the end."""
    network = build_network(read_weights(model_dir))
    state, scores = score_block(network, initial_scores(), LADDER[: 400 + 9 * 160])
    assert len(scores.silence) == 8
    assert len(score_block(network, state, LADDER[:0], final=True)[1].silence) == 2


@pytest.mark.parametrize("frames", [1, 7, 100])
@pytest.mark.parametrize("case", ["default", "no_extension", "first_only", "above_noise_by_15", "everything"])
def test_segments_of_blocks(vad: Vad, all_scores: dict[str, Scores], case: str, frames: int) -> None:
    """A segmenter that is fed a few frames at a time closes the segments of the whole."""
    scores, options = all_scores["loud_and_quiet"], vad.options.changed(PARAMETERS[case])
    segmenter, segments = Segmenter(options), []
    for start in range(0, len(scores.silence), frames):
        part = slice(start, start + frames)
        segments += segmenter.push(Scores(scores.silence[part], scores.level_db[part]))
    assert cut(scores, options) == [*segments, *segmenter.finish()]


def test_an_open_segment_is_visible(vad: Vad, all_scores: dict[str, Scores]) -> None:
    """While a segment is open its start is known, and finish closes it at the last frame."""
    scores = all_scores["edges"]
    segmenter = Segmenter(vad.options)
    assert segmenter.push(Scores(scores.silence[:60], scores.level_db[:60])) == []
    assert segmenter.open_start_ms == 0
    assert [tuple(segment) for segment in segmenter.finish()] == [(0, 600)]
    assert segmenter.open_start_ms is None


def test_threads(vad: Vad, classroom: Path) -> None:
    """One detector serves many threads, each with its own audio."""
    signals = [(make(), 16000) for make in SIGNALS.values()] + [classroom]
    alone = [vad(signal) for signal in signals]
    with ThreadPoolExecutor(4) as pool:
        assert alone * 2 == list(pool.map(vad, signals * 2))


def test_probabilities_of_certainty(vad: Vad) -> None:
    """Frames whose P(silence) is exactly 0 or 1 are decided like any other."""
    silence = np.repeat(np.float32([1, 0, 1]), 100)
    scores = Scores(silence, np.zeros(300, np.float32))
    assert [tuple(segment) for segment in vad.segments(scores, speech_2_noise_ratio=0.5)] == [(740, 2160)]
