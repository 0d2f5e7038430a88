"""Signals that every machine computes alike: vowels, noise and silence, by numpy's frozen generator."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RATE = 16000
Floats = npt.NDArray[np.float32]


def vowel(seconds: float, *, pitch: float = 120.0, level_db: float = -12.0) -> Floats:
    """A voice that sings: harmonics under three formants, swelling four times a second."""
    time = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * pitch * (time + 0.002 * np.sin(2 * np.pi * 3 * time))
    sound = np.zeros(len(time))
    for harmonic in range(1, int(4000 / pitch)):
        frequency = harmonic * pitch
        strength = sum(1 / (1 + ((frequency - formant) / 90) ** 2) for formant in (650, 1100, 2500))
        sound += strength * np.sin(harmonic * phase)
    sound *= 0.6 + 0.4 * np.sin(2 * np.pi * 4 * time)
    return (10 ** (level_db / 20) * sound / np.abs(sound).max(initial=1e-9)).astype(np.float32)


def noise(seconds: float, *, level_db: float = -60.0, seed: int = 1) -> Floats:
    """White noise."""
    samples = np.random.RandomState(seed).standard_normal(int(seconds * RATE))
    return (10 ** (level_db / 20) * samples).astype(np.float32)


def silence(seconds: float) -> Floats:
    """Digital silence."""
    return np.zeros(int(seconds * RATE), np.float32)


def _ladder() -> Floats:
    """Vowels with pauses from 100 ms to 1.5 s over a quiet room."""
    parts = [silence(0.7)]
    for step, pause in enumerate((0.1, 0.2, 0.3, 0.5, 0.6, 0.75, 0.9, 1.2, 1.5)):
        parts += [vowel(0.8 + 0.1 * step, pitch=110 + 15 * step), silence(pause)]
    signal = np.concatenate(parts)
    return signal + noise(len(signal) / RATE)


def _loud_and_quiet() -> Floats:
    """The same voice from -45 to -6 dB while the room gets louder."""
    parts = []
    for step in range(8):
        voiced = np.concatenate([silence(0.9), vowel(1.1, pitch=140, level_db=(-6, -30, -18, -45)[step % 4])])
        parts.append(voiced + noise(len(voiced) / RATE, level_db=-70 + 5 * step, seed=step))
    return np.concatenate(parts)


def _edges() -> Floats:
    """Speech from the first sample, a pause, speech to the last one."""
    return np.concatenate([vowel(1.2), silence(1.3), vowel(1.0, pitch=200)])


SIGNALS = {
    "ladder": _ladder,
    "loud_and_quiet": _loud_and_quiet,
    "edges": _edges,
    "short": lambda: vowel(0.35),
    "noise": lambda: noise(4.0, level_db=-30),
    "silence": lambda: silence(4.0),
    "one_frame": lambda: vowel(0.025),
}

PARAMETERS: dict[str, dict[str, object]] = {
    "default": {},
    "end_500": {"max_end_silence_time": 500},
    "end_200": {"max_end_silence_time": 200},
    "end_1500": {"max_end_silence_time": 1500},
    "single_1500": {"max_single_segment_time": 1500},
    "no_extension": {"do_extend": 0, "max_end_silence_time": 400},
    "first_only": {"detect_mode": 0},
    "first_within_500": {"detect_mode": 0, "max_start_silence_time": 500},
    "threshold_0.9": {"speech_noise_thres": 0.9},
    "threshold_below_0": {"speech_noise_thres": -0.4},
    "ratio_0.5": {"speech_2_noise_ratio": 0.5},
    "louder_than_-10": {"decibel_thres": -10.0},
    "above_noise_by_15": {"snr_thres": 15.0, "noise_frame_num_used_for_snr": 20},
    "window_400": {"window_size_ms": 400, "sil_to_speech_time_thres": 300, "speech_to_sil_time_thres": 100},
    "window_105": {"window_size_ms": 105, "sil_to_speech_time_thres": 60, "speech_to_sil_time_thres": 20},
    "long_padding": {"lookback_time_start_point": 700, "lookahead_time_end_point": 450},
    "everything": {
        "max_end_silence_time": 355,
        "max_single_segment_time": 2005,
        "window_size_ms": 250,
        "decibel_thres": -25.0,
        "snr_thres": 3.0,
        "speech_noise_thres": 0.3,
        "lookahead_time_end_point": 55,
    },
}
