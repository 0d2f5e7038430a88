"""Cut scores into segments. No audio and no network here: a decision per frame, then a state machine over frames.

A window counts the speech among the last frames. A segment opens when it holds enough, reaches back to before the
window, and closes when silence has lasted, when the segment grows too long, or when the signal ends. All state is in
`Segmenter`, so a stream may feed it a few frames at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

from mirrorhub.vad.features import FRAME_SHIFT_MS
from mirrorhub.vad.options import Options
from mirrorhub.vad.scores import Scores

_NO_NOISE_YET_DB = -100.0
_ENDLESS = 1 << 62


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """Speech from `start_ms` to `end_ms`. Unpacks: `for start_ms, end_ms in segments`."""

    start_ms: int
    end_ms: int

    @property
    def duration_ms(self) -> int:
        """Its length."""
        return self.end_ms - self.start_ms

    def __iter__(self) -> Iterator[int]:
        yield self.start_ms
        yield self.end_ms


def cut(scores: Scores, options: Options) -> list[Segment]:
    """The segments of a whole signal."""
    segmenter = Segmenter(options)
    return [*segmenter.push(scores), *segmenter.finish()]


class Segmenter:
    """One pass over one signal.

    Attributes:
        frames: How many frames it has seen.
        open_start_ms: Where the segment that is open now begins, or None.
    """

    def __init__(self, options: Options) -> None:
        self.frames = 0
        self.open_start_ms: int | None = None
        self._decision = _Decision(options)
        self._window = _Window(options)
        self._options = options
        self._silent = 0  # frames in a row since the window fell silent
        self._latest = 0  # last frame that the open segment has taken
        self._taken = 0  # first frame that no segment has taken
        self._over = False
        extend = options.do_extend
        self._latency = self._window.size + (options.lookback_time_start_point // FRAME_SHIFT_MS if extend else 0)
        self._padding = options.lookahead_time_end_point // FRAME_SHIFT_MS if extend else 0
        self._patience_ms = options.max_end_silence_time - options.speech_to_sil_time_thres
        self._longest = options.max_single_segment_time / FRAME_SHIFT_MS

    def push(self, scores: Scores) -> list[Segment]:
        """Take the next frames; return the segments that they closed."""
        closed: list[Segment] = []
        for flag, count in _runs(self._decision.speech(scores)):
            while count:
                # A window of nothing but speech, or silence, that sees more of the same leaves nothing to decide.
                skipped = min(count, self._steady(flag))
                if skipped:
                    self._skip(skipped)
                elif segment := self._step(flag):
                    closed.append(segment)
                count -= skipped or 1
        return closed

    def finish(self) -> list[Segment]:
        """The signal ends here: an open segment runs to its last frame."""
        if self.open_start_ms is None:
            return []
        segment = Segment(self.open_start_ms, self.frames * FRAME_SHIFT_MS)
        self.open_start_ms = None
        return [segment]

    def _steady(self, flag: int) -> int:
        """How many frames more of the same leave everything as it is but the count of frames."""
        if self._over or not self._window.rests_on(flag):
            return 0
        if self.open_start_ms is None:
            return 0 if flag or self._options.detect_mode == 0 else _ENDLESS
        if not (flag and self._window.speech):
            return 0
        return max(0, int(self._longest) - (self.frames - self.open_start_ms // FRAME_SHIFT_MS))

    def _skip(self, count: int) -> None:
        """Do what `_step` would do for so many steady frames."""
        first = self.frames
        self.frames += count
        if self.open_start_ms is not None:
            self._silent = 0
            self._take(first, self.frames)

    def _step(self, flag: int) -> Segment | None:
        now = self.frames
        self.frames += 1
        if self._over:
            return None
        turned = self._window.turn(flag)
        quiet = not self._window.speech and not turned
        self._silent = self._silent + 1 if quiet else 0
        if self.open_start_ms is None:
            if turned:
                self._open(now)
            elif self._options.detect_mode == 0:
                self._over = self._silent * FRAME_SHIFT_MS > self._options.max_start_silence_time
            return None
        if quiet and self._silent * FRAME_SHIFT_MS >= self._patience_ms:
            return self._close(self._last_frame(now))
        if now - self.open_start_ms // FRAME_SHIFT_MS + 1 > self._longest:
            return self._close(now)
        if turned and self._window.speech:
            self._take(self._latest + 1, now)
        if not quiet or self._silent <= self._padding:
            self._take(now, now + 1)
        return None

    def _last_frame(self, now: int) -> int:
        """The frame that ends a segment after the longest pause it may contain."""
        back = int(self._patience_ms / FRAME_SHIFT_MS)
        return now - (max(0, back - self._padding - 1) if self._options.do_extend else back)

    def _open(self, now: int) -> None:
        start = max(self._taken, now - self._latency)
        self.open_start_ms = start * FRAME_SHIFT_MS
        self._taken = start + 1
        self._take(start + 1, now + 1)

    def _take(self, first: int, stop: int) -> None:
        """Give frames to the open segment. A frame that is given twice costs the next segment its first one."""
        if first < stop:
            self._latest = stop - 1
            self._taken = stop if self._taken <= first else self._taken + stop - first

    def _close(self, last: int) -> Segment:
        assert self.open_start_ms is not None
        self._take(self._latest + 1, last)
        self._taken = max(self._taken, last) + 1
        segment = Segment(self.open_start_ms, (last + 1) * FRAME_SHIFT_MS)
        self.open_start_ms = None
        self._silent = self._latest = 0
        self._over = self._options.detect_mode == 0
        self._window.clear()
        return segment


class _Window:
    """Counts the speech among the last frames, and turns with hysteresis."""

    def __init__(self, options: Options) -> None:
        self.size = options.window_size_ms // FRAME_SHIFT_MS
        self.speech = False
        self._enough = options.sil_to_speech_time_thres // FRAME_SHIFT_MS
        self._little = options.speech_to_sil_time_thres // FRAME_SHIFT_MS
        self.clear()

    def clear(self) -> None:
        self._ring = bytearray(self.size)
        self._next = self._sum = 0
        self.speech = False

    def rests_on(self, flag: int) -> bool:
        """Whether every frame in it is like this one, and more of them would not turn it."""
        if self._sum != self.size * flag or self.speech != bool(flag):
            return False
        return self._sum > self._little if self.speech else self._sum < self._enough

    def turn(self, flag: int) -> bool:
        """Count one more frame; say whether silence became speech or speech silence."""
        self._sum += flag - self._ring[self._next]
        self._ring[self._next] = flag
        self._next = (self._next + 1) % self.size
        turned = self._sum <= self._little if self.speech else self._sum >= self._enough
        self.speech ^= turned
        return turned


class _Decision:
    """Which frames are speech. Keeps the average level of the noise so far."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._noise_db = _NO_NOISE_YET_DB

    def speech(self, scores: Scores) -> npt.NDArray[np.bool_]:
        options = self._options
        silence = scores.silence.astype(np.float64)
        level_db = scores.level_db.astype(np.float64)
        bar = silence if options.speech_2_noise_ratio == 1 else silence**options.speech_2_noise_ratio
        loud = level_db >= options.decibel_thres
        likely = loud & (1 - silence >= bar + options.speech_noise_thres)
        above = level_db - self._noise_before(level_db, loud & ~likely) >= options.snr_thres
        return likely & above & (options.fe_prior_thres < 1)

    def _noise_before(self, level_db: npt.NDArray[np.float64], noise: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """The average level of the noise as it stood before each frame."""
        memory = self._options.noise_frame_num_used_for_snr

        def follow(average: float, level: float) -> float:
            return level if average == _NO_NOISE_YET_DB else (level + average * (memory - 1)) / memory

        averages = np.fromiter(accumulate(level_db[noise].tolist(), follow, initial=self._noise_db), np.float64)
        self._noise_db = float(averages[-1])
        return averages[np.cumsum(noise) - noise]


def _runs(speech: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield each run of equal frames: whether they are speech, and how many."""
    edges = [0, *(np.flatnonzero(np.diff(speech)) + 1).tolist(), len(speech)]
    for first, stop in pairwise(edges):
        if stop > first:
            yield int(speech[first]), stop - first
