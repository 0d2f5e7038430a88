"""The parameters of the detector: those of the model's own `config.yaml`, each checked."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Self

from mirrorhub.errors import ConfigError
from mirrorhub.vad.weights import OUTPUTS

# What an int option may be; the others may be anything from 0 up.
_RANGES = {
    "sample_rate": (16000, 16000),
    "frame_in_ms": (10, 10),
    "frame_length_ms": (25, 25),
    "detect_mode": (0, 1),
    "do_extend": (0, 1),
    "window_size_ms": (10, 10**6),
    "noise_frame_num_used_for_snr": (1, 10**9),
    "silence_pdf_num": (1, OUTPUTS),
}
_AT_LEAST_ZERO = {"speech_2_noise_ratio"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How scores become segments. Names, units (ms, dB) and defaults are those of the model's `config.yaml`.

    Attributes:
        max_end_silence_time: A segment ends at a pause longer than about this less 240 ms.
        max_single_segment_time: A segment is cut when it is longer, even inside a word.
        speech_noise_thres: A frame is speech when P(speech) is at least P(silence) plus this.
        speech_2_noise_ratio: P(silence) is raised to this power before that.
        decibel_thres: A frame with a lower level is never speech.
        snr_thres: Nor is one whose level is less than this above that of the noise so far.
        noise_frame_num_used_for_snr: How slowly that average of the noise follows.
        window_size_ms: Frames are counted in a window of this length.
        sil_to_speech_time_thres: Speech begins when the window holds this much of it.
        speech_to_sil_time_thres: Silence begins when the window holds no more than this much speech.
        do_extend: 1 to pad segments by the two times below, 0 not to.
        lookback_time_start_point: Padding before the window in which speech began.
        lookahead_time_end_point: Padding after the last speech.
        detect_mode: 1 for every segment, 0 for the first one only.
        max_start_silence_time: In mode 0, give up when speech has not begun by then.
        sil_pdf_ids: The outputs of the network that mean silence.
        silence_pdf_num: How many these are.
        fe_prior_thres: Nothing is speech from 1 up; no effect below.
        sample_rate: 16000.
        frame_in_ms: 10.
        frame_length_ms: 25.
        snr_mode: No effect, as in the reference; so have the five below.
        do_start_point_detection: No effect.
        do_end_point_detection: No effect.
        speech_noise_thresh_low: No effect.
        speech_noise_thresh_high: No effect.
        output_frame_probs: No effect.
    """

    max_end_silence_time: int = 800
    max_single_segment_time: int = 60000
    speech_noise_thres: float = 0.6
    speech_2_noise_ratio: float = 1.0
    decibel_thres: float = -100.0
    snr_thres: float = -100.0
    noise_frame_num_used_for_snr: int = 100
    window_size_ms: int = 200
    sil_to_speech_time_thres: int = 150
    speech_to_sil_time_thres: int = 150
    do_extend: int = 1
    lookback_time_start_point: int = 200
    lookahead_time_end_point: int = 100
    detect_mode: int = 1
    max_start_silence_time: int = 3000
    sil_pdf_ids: tuple[int, ...] = (0,)
    silence_pdf_num: int = 1
    fe_prior_thres: float = 1e-4
    sample_rate: int = 16000
    frame_in_ms: int = 10
    frame_length_ms: int = 25
    snr_mode: int = 0
    do_start_point_detection: bool = True
    do_end_point_detection: bool = True
    speech_noise_thresh_low: float = -0.1
    speech_noise_thresh_high: float = 0.3
    output_frame_probs: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            check = {"int": _whole, "float": _number, "bool": _flag}.get(str(field.type), _ids)
            object.__setattr__(self, field.name, check(field.name, getattr(self, field.name)))
        if len(self.sil_pdf_ids) != self.silence_pdf_num:
            raise ConfigError(
                f"sil_pdf_ids names {len(self.sil_pdf_ids)} outputs and silence_pdf_num says {self.silence_pdf_num}: "
                "give both"
            )

    def changed(self, changes: Mapping[str, object]) -> Self:
        """These options with some of them changed.

        Raises:
            TypeError: There is no option of such a name.
            ConfigError: A value is of the wrong type or out of range.
        """
        known = [field.name for field in fields(self)]
        unknown = sorted(set(changes) - set(known))
        if unknown:
            raise TypeError(f"no such option: {', '.join(unknown)}; the options are {', '.join(known)}")
        return replace(self, **changes) if changes else self  # type: ignore[arg-type]  # checked by __post_init__


def _whole(name: str, value: object) -> int:
    low, high = _RANGES.get(name, (0, 10**9))
    if isinstance(value, bool) and high > 1:
        raise ConfigError(f"{name} must be a whole number, not {value!r}")
    try:
        whole = int(value) if isinstance(value, float) and value.is_integer() else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise ConfigError(f"{name} must be a whole number, not {value!r}") from None
    if not low <= whole <= high:
        raise ConfigError(f"{name} must be {low}" + (f" to {high}" if low < high else "") + f", not {whole}")
    return int(whole)


def _number(name: str, value: object) -> float:
    try:
        number = math.nan if isinstance(value, str | bytes) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or (name in _AT_LEAST_ZERO and number < 0):
        raise ConfigError(f"{name} must be a number{' from 0 up' if name in _AT_LEAST_ZERO else ''}, not {value!r}")
    return number


def _flag(name: str, value: object) -> bool:
    if value not in (True, False):
        raise ConfigError(f"{name} must be true or false, not {value!r}")
    return bool(value)


def _ids(name: str, value: object) -> tuple[int, ...]:
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise ConfigError(f"{name} must be a list of whole numbers, not {value!r}")
    ids = tuple(_whole(name, item) for item in value)
    if not ids or len(set(ids)) < len(ids) or max(ids) >= OUTPUTS:
        raise ConfigError(f"{name} must be different numbers below {OUTPUTS}, at least one, not {value!r}")
    return ids
