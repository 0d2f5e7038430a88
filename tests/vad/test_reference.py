"""The segments are the original implementation's, to the millisecond. How they were computed: make_reference.py."""

import numpy as np
import pytest

from mirrorhub.vad import Scores, Vad
from tests.vad.signals import PARAMETERS, SIGNALS


@pytest.mark.parametrize("name", [*SIGNALS, "classroom.flac"])
@pytest.mark.parametrize("case", PARAMETERS)
def test_segments_of_the_original(
    vad: Vad, all_scores: dict[str, Scores], reference: dict[str, dict[str, list[list[int]]]], case: str, name: str
) -> None:
    """Every signal gives, under every parameter set, exactly the segments of funasr."""
    assert reference[case][name] == [list(segment) for segment in vad.segments(all_scores[name], **PARAMETERS[case])]


def test_options_of_the_detector_and_of_the_call_mean_the_same(vad: Vad, model_dir, all_scores, reference) -> None:
    """An option may be given when the detector is made, with the call, or with the scores."""
    ladder = SIGNALS["ladder"](), 16000
    wanted = [tuple(pair) for pair in reference["end_500"]["ladder"]]
    assert wanted == [tuple(segment) for segment in Vad(model_dir, max_end_silence_time=500)(ladder)]
    assert wanted == [tuple(segment) for segment in vad(ladder, max_end_silence_time=500)]
    assert wanted == [tuple(segment) for segment in vad.segments(all_scores["ladder"], max_end_silence_time=500)]


@pytest.mark.parametrize("samples", [0, 1, 399], ids=["none", "one", "one too few"])
def test_less_than_a_frame(vad: Vad, samples: int) -> None:
    """25 ms make the first frame; with less there is neither a score nor a segment."""
    assert vad((np.ones(samples, np.float32) / 2, 16000)) == []
    assert len(vad.scores((np.ones(samples, np.float32) / 2, 16000)).silence) == 0


@pytest.mark.parametrize(("samples", "frames"), [(400, 1), (559, 1), (560, 2), (720, 3), (880, 4), (1040, 5)])
def test_few_frames(vad: Vad, samples: int, frames: int) -> None:
    """Fewer frames than the features look to either side are scored all the same, one per 10 ms."""
    assert frames == len(vad.scores((np.ones(samples, np.float32) / 2, 16000)).silence)
