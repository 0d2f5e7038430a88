"""Every option is checked when it is given: its name, its type, its range."""

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import numpy as np
import pytest
import yaml

from mirrorhub.errors import ConfigError
from mirrorhub.vad import Options, Scores, Segment, Vad


def test_names_and_defaults_are_the_models(model_dir: Path) -> None:
    """Options knows each parameter of config.yaml and no other, with its value as default."""
    given = yaml.safe_load((model_dir / "config.yaml").read_text())["model_conf"]
    assert set(given) == {field.name for field in fields(Options)}
    assert Options() == Options().changed(given)


def test_an_unknown_name(vad: Vad, all_scores: dict[str, Scores]) -> None:
    """A misspelt option is a TypeError that lists the known ones, wherever it is given."""
    for call in (
        lambda: Vad(vad.path, max_end_silence=500),
        lambda: vad((), max_end_silence=500),
        lambda: vad.segments(all_scores["edges"], max_end_silence=500),
    ):
        with pytest.raises(TypeError, match=r"max_end_silence; the options are max_end_silence_time, max_single"):
            call()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_end_silence_time", -1),
        ("max_end_silence_time", 500.5),
        ("max_end_silence_time", "500"),
        ("max_end_silence_time", None),
        ("max_end_silence_time", True),
        ("detect_mode", 2),
        ("do_extend", -1),
        ("sample_rate", 8000),
        ("frame_in_ms", 20),
        ("window_size_ms", 9),
        ("noise_frame_num_used_for_snr", 0),
        ("speech_noise_thres", float("nan")),
        ("speech_noise_thres", float("inf")),
        ("speech_noise_thres", "0.5"),
        ("speech_noise_thres", []),
        ("speech_2_noise_ratio", -0.1),
        ("output_frame_probs", "yes"),
        ("sil_pdf_ids", []),
        ("sil_pdf_ids", [248]),
        ("sil_pdf_ids", [0, 1]),
        ("sil_pdf_ids", 0),
        ("silence_pdf_num", 2),
    ],
)
def test_a_value_that_cannot_be(name: str, value: object) -> None:
    """A value of the wrong type or out of range is refused by the option's name."""
    with pytest.raises(ConfigError, match=name):
        Options(**{name: value})


def test_whole_numbers_may_be_floats() -> None:
    """A slider's 500.0 is 500."""
    assert Options(max_end_silence_time=500) == Options(max_end_silence_time=500.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"snr_mode": 1},
        {"do_start_point_detection": False, "do_end_point_detection": 0},
        {"speech_noise_thresh_low": 0.0, "speech_noise_thresh_high": 0.9},
        {"output_frame_probs": True},
        {"fe_prior_thres": 0.999},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_options_without_effect(vad: Vad, all_scores: dict[str, Scores], changes: dict[str, object]) -> None:
    """What the original reads and ignores is accepted and ignored here too."""
    assert vad.segments(all_scores["ladder"]) == vad.segments(all_scores["ladder"], **changes)


def test_a_prior_of_one_silences_everything(vad: Vad, all_scores: dict[str, Scores]) -> None:
    """From fe_prior_thres 1 up no frame is speech."""
    assert vad.segments(all_scores["ladder"], fe_prior_thres=1) == []


def test_other_outputs_for_silence(model_dir: Path, vad: Vad, all_scores: dict[str, Scores]) -> None:
    """Scores belong to the sil_pdf_ids that they were summed over, and other ones are refused."""
    several = Vad(model_dir, sil_pdf_ids=[0, 5], silence_pdf_num=2)
    scores = several.scores((np.zeros(800), 16000))
    assert scores.silence_ids == (0, 5)
    assert several.segments(scores) == []
    with pytest.raises(ConfigError, match="when the detector is made"):
        vad.segments(all_scores["ladder"], sil_pdf_ids=[0, 5], silence_pdf_num=2)


def test_values_do_not_change(vad: Vad) -> None:
    """Options and segments are frozen."""
    with pytest.raises(FrozenInstanceError):
        vad.options.max_end_silence_time = 1
    with pytest.raises(FrozenInstanceError):
        Segment(1, 2).end_ms = 3


def test_a_segment_unpacks() -> None:
    """A segment is two numbers with names and a duration."""
    start_ms, end_ms = Segment(100, 250)
    assert (start_ms, end_ms, Segment(100, 250).duration_ms) == (100, 250, 150)
