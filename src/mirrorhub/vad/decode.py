"""Decode files, a block at a time: libsndfile first, and PyAV, where it is installed, for what that cannot read."""

from __future__ import annotations

import importlib
import io
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from mirrorhub.errors import AudioError
from mirrorhub.vad.samples import BLOCK, MOST_CHANNELS, Source, checked_rate
from mirrorhub.vad.tensors import Floats

if TYPE_CHECKING:
    import soundfile  # type: ignore[import-untyped]

logger = logging.getLogger(__name__)

# Containers that hold audio themselves. Play lists, which name other files and hosts, are not among them.
_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,asf,avi,flv,amr,caf,mpeg,mpegts,ogg,wav,aiff,ac3,eac3,wv,ape,tta"
)
_INSTALL = 'pip install "mirrorhub[media]" reads m4a, mp4, webm and others'
_HEAD = 1 << 16
_RAW = "headerless samples must be passed as (samples, sample_rate)"


def open_stream(stream: IO[bytes], name: str) -> Source:
    """Open an audio file from its beginning.

    Args:
        stream: Seekable, binary; stays open until the blocks are read, and is not closed here.
        name: What to call it in a message.

    Raises:
        AudioError: It is empty, or nothing here can read it.
    """
    stream.seek(0, io.SEEK_END)
    if not stream.tell():
        raise AudioError(f"{name}: is empty (0 bytes): record or download it again")
    import soundfile  # here: it loads a shared library, and an array needs none

    reader = _Reader(stream, name)
    try:
        file = soundfile.SoundFile(reader)
        if not file.frames and file.format == "WAV":
            file = _without_length(file, reader)
    except (soundfile.SoundFileError, RuntimeError, TypeError) as error:
        reader.check()
        said = str(getattr(error, "error_string", error)).rstrip(". \n")
        return _open_media(stream, name, f"libsndfile: {said}")
    if file.channels > MOST_CHANNELS:
        raise AudioError(f"{name}: has {file.channels} channels, more than {MOST_CHANNELS}: choose some of them")
    return Source(name, checked_rate(file.samplerate, name), _sound_blocks(file, reader, name))


class _Reader(io.RawIOBase):
    """A stream for libsndfile: nameless, since soundfile would judge the content by the name's ending, and quiet.

    Attributes:
        start: Where in the stream the file begins.
    """

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self.start = 0
        self._stream = stream
        self._name = name
        self._failure: Exception | None = None
        stream.seek(0)

    def check(self) -> None:
        """Raise what went wrong while reading; it cannot be raised through a C library."""
        if self._failure:
            raise AudioError(f"{self._name}: cannot be read ({self._failure}): open it anew") from self._failure

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        try:
            data = self._stream.read(len(view))
        except (OSError, ValueError) as error:
            self._failure = error
            return 0
        view[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with suppress(OSError, ValueError):  # to nowhere, in a damaged file: libsndfile compares what comes back
            self._stream.seek(offset + (self.start if whence == io.SEEK_SET else 0), whence)
        return self.tell()

    def tell(self) -> int:
        return self._stream.tell() - self.start


def _without_length(file: soundfile.SoundFile, reader: _Reader) -> soundfile.SoundFile:
    """The file of a recorder that died before it wrote the length: its header says 0, the samples run to the end."""
    import soundfile

    reader.seek(0)
    head = bytearray(_HEAD)
    reader.readinto(head)
    chunk = head.find(b"data\0\0\0\0")
    if chunk < 0:
        return file
    reader.start = chunk + 8
    reader.seek(0)
    return soundfile.SoundFile(
        reader, samplerate=file.samplerate, channels=file.channels, format="RAW", subtype=file.subtype, endian="LITTLE"
    )


def _sound_blocks(file: soundfile.SoundFile, reader: _Reader, name: str) -> Iterator[Floats]:
    import soundfile

    done = 0
    with file:
        while True:
            block = np.zeros((BLOCK // file.channels, file.channels), np.float32)
            try:
                block = file.read(out=block)
            except soundfile.SoundFileError as error:
                seconds = done / file.samplerate
                logger.warning("%s: damaged after about %.0f s, the rest is left out: %s", name, seconds, error)
                yield block[: np.flatnonzero(block.any(axis=1)).max(initial=-1) + 1]
                return
            reader.check()
            if not len(block):
                return
            done += len(block)
            yield block


def _open_media(stream: IO[bytes], name: str, why: str) -> Source:
    try:
        av = importlib.import_module("av")  # here: optional, and slow to load
    except ImportError:
        raise AudioError(f"{name}: not audio that can be read ({why}); {_INSTALL}; {_RAW}") from None
    stream.seek(0)
    try:
        container = av.open(stream, options={"format_whitelist": _CONTAINERS})
        audio = container.streams.audio[0]
        rate, channels = audio.rate, audio.channels
    except IndexError:
        raise AudioError(f"{name}: holds no audio: choose a file with sound") from None
    except (av.FFmpegError, AttributeError, ValueError) as error:  # no such attribute: a codec that it does not know
        reason = f"{why}; FFmpeg: {getattr(error, 'strerror', error)}"
        raise AudioError(f"{name}: not audio that can be read ({reason}); {_RAW}") from error
    if not 1 <= channels <= MOST_CHANNELS:
        raise AudioError(f"{name}: has {channels} channels: convert it to mono")
    return Source(name, checked_rate(rate, name), _media_blocks(container, name, channels))


def _media_blocks(container: Any, name: str, channels: int) -> Iterator[Floats]:
    av = importlib.import_module("av")
    audio = container.streams.audio[0]
    resampler = av.AudioResampler(format="flt", layout=audio.layout, rate=audio.rate)
    done = 0
    parts: list[Floats] = []  # packets are short, and every block costs the same few hundred calls
    with container:
        try:
            for frame in container.decode(audio):
                for part in resampler.resample(frame):
                    done += part.samples
                    parts.append(np.asarray(part.to_ndarray(), np.float32).reshape(-1, channels))
                if sum(map(len, parts)) * channels >= BLOCK:
                    yield np.concatenate(parts)
                    parts.clear()
        except (av.FFmpegError, ValueError) as error:
            logger.warning("%s: damaged after %.1f s, the rest is left out: %s", name, done / audio.rate, error)
    if parts:
        yield np.concatenate(parts)
