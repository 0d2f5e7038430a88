"""Make classroom.flac: a lesson in Mandarin, teacher and pupil, pauses, turned pages, knocks and a quiet room.

    python examples/make_classroom.py examples/classroom.flac [--sample src/mirrorhub/vad/sample.flac]

Needs espeak-ng for the voices. Same espeak-ng, same file: nothing is random but a fixed seed.
"""

from __future__ import annotations

import argparse
import io
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

RATE = 16000
BITS = 10  # more would only store the noise exactly
SAMPLE_S = (0.0, 9.0)  # the part that the package carries
Signal = npt.NDArray[np.float64]

# Speaker, text, pause after it in seconds.
LESSON = [
    ("teacher", "同学们好，今天我们学习第三课。", 0.9),
    ("pupil", "老师好！", 0.6),
    ("teacher", "请大家把书翻到第二十五页。", 2.4),
    ("teacher", "谁来读一下第一段？", 0.5),
    ("pupil", "我来读。", 0.35),
    ("pupil", "春天来了，小草从地里钻出来，花儿也开了。", 0.3),
    ("pupil", "孩子们在院子里放风筝。", 1.2),
    ("teacher", "读得很好。大家想一想，作者为什么喜欢春天？", 3.0),
    ("pupil", "因为春天很暖和。", 0.4),
    ("teacher", "很好。现在请把答案写在本子上，写完以后举手。", 2.8),
    ("pupil", "老师，我写完了。", 0.5),
    ("teacher", "好的，下课以后交给我。同学们再见。", 1.0),
]
VOICES = {"teacher": ["-v", "cmn+m3", "-s", "200", "-p", "38"], "pupil": ["-v", "cmn+f4", "-s", "215", "-p", "78"]}
# What happens in the room: a page or a knock, when, how loud.
ROOM = [("page", 8.9, 0.10), ("page", 9.6, 0.07), ("knock", 21.0, 0.25), ("page", 24.4, 0.09), ("knock", 40.0, 0.2)]


def main() -> None:
    """Write the lesson, and the sample if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--sample", type=Path, help="also write the first seconds here")
    arguments = parser.parse_args()
    lesson = make_lesson(np.random.default_rng(20240901))
    soundfile.write(arguments.output, lesson, RATE, subtype="PCM_16")
    if arguments.sample:
        first, last = (int(second * RATE) for second in SAMPLE_S)
        soundfile.write(arguments.sample, lesson[first:last], RATE, subtype="PCM_16")


def make_lesson(random: np.random.Generator) -> Signal:
    """Speech, then the room around it."""
    parts = [np.zeros(RATE)]
    for speaker, text, pause_s in LESSON:
        parts += [speak(speaker, text), np.zeros(int(pause_s * RATE))]
    lesson = np.concatenate(parts)
    for kind, second, loudness in ROOM:
        noise = loudness * (turn_page(random) if kind == "page" else knock(random))
        start = int(second * RATE)
        lesson[start : start + len(noise)] += noise[: max(0, len(lesson) - start)]
    lesson += 10 ** (-66 / 20) * pink_noise(random, len(lesson))
    return np.asarray(np.round(lesson * 2**BITS) / 2**BITS)


def speak(speaker: str, text: str) -> Signal:
    """One sentence by espeak-ng, without the silence around it, as loud as speech is."""
    command = ["espeak-ng", *VOICES[speaker], "--stdout", text]
    samples, rate = soundfile.read(io.BytesIO(subprocess.run(command, check=True, capture_output=True).stdout))
    samples = soxr.resample(samples, rate, RATE)
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    return np.asarray(0.3 * samples[loud[0] : loud[-1] + 1] / np.abs(samples).max())


def turn_page(random: np.random.Generator) -> Signal:
    """Half a second of rustle."""
    length = RATE // 2
    crackle = 0.4 + 0.6 * random.random(length // 200).repeat(200)
    envelope = np.sin(np.linspace(0, np.pi, length)) ** 2 * crackle
    return np.asarray(np.diff(random.standard_normal(length + 1)) * envelope / 3)


def knock(random: np.random.Generator) -> Signal:
    """Something falls on a desk."""
    time = np.arange(RATE // 8) / RATE
    return np.asarray(np.exp(-time * 60) * (np.sin(2 * np.pi * 180 * time) + 0.3 * random.standard_normal(len(time))))


def pink_noise(random: np.random.Generator, length: int) -> Signal:
    """Noise of unit power whose bands are equally loud."""
    spectrum = np.fft.rfft(random.standard_normal(length)) / np.sqrt(np.arange(length // 2 + 1) + 1)
    noise = np.fft.irfft(spectrum, length)
    return np.asarray(noise / noise.std())


if __name__ == "__main__":
    main()
