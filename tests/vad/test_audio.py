"""Audio of every kind gives the segments of the same sound at 16 kHz mono; anything else is an AudioError."""

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from mirrorhub.errors import AudioError
from mirrorhub.vad import Segment, Vad

RATE = 16000


@pytest.fixture(scope="module")
def expected(vad: Vad, speech: np.ndarray) -> list[Segment]:
    segments = vad((speech.astype(np.float32) / 32768, RATE))
    assert len(segments) >= 2
    return segments


def wav(samples: np.ndarray, rate: int = RATE, **options: str) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format=options.pop("format", "WAV"), **options)
    return stream.getvalue()


def near(expected: list[Segment], actual: list[Segment], tolerance_ms: int = 50) -> bool:
    pairs = zip(expected, actual, strict=False)
    return len(expected) == len(actual) and all(
        abs(one - other) <= tolerance_ms for left, right in pairs for one, other in zip(left, right, strict=True)
    )


@pytest.mark.parametrize(
    "dtype", ["int16", "int32", "int64", "uint16", "uint32", "uint64", "float16", "float64", ">i2", "<f4"]
)
def test_number_types(vad: Vad, speech: np.ndarray, expected: list[Segment], dtype: str) -> None:
    """Whole numbers are scaled by their type's range, unsigned ones are centred, floats are taken as they are."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        samples = (speech / 32768).astype(kind)
    else:
        wide = speech.astype(object) + (32768 if kind.kind == "u" else 0)
        samples = np.array([value << (8 * kind.itemsize - 16) for value in wide.tolist()], dtype=kind)
    assert (expected == vad((samples, RATE))) if dtype != "float16" else near(expected, vad((samples, RATE)))


def test_eight_bits(vad: Vad, speech: np.ndarray, expected: list[Segment]) -> None:
    """int8 and uint8 carry the same sound, 128 apart."""
    signed = (speech // 256).astype(np.int8)
    assert vad((signed, RATE)) == vad(((signed.astype(np.int16) + 128).astype(np.uint8), RATE))
    assert near(expected, vad((signed, RATE)), 150)


@pytest.mark.parametrize("samples", [[True] * 800, [1j] * 800, ["a"], [None], [[1], [2, 3]], np.zeros((2, 2, 2)), 1.0])
def test_arrays_that_are_no_samples(vad: Vad, samples: object) -> None:
    """Booleans, complex numbers, objects and other shapes are refused."""
    with pytest.raises(AudioError, match=r"pass \(samples, sample_rate\)"):
        vad((samples, RATE))


def test_a_list_of_samples(vad: Vad, speech: np.ndarray, expected: list[Segment]) -> None:
    """Whatever numpy can turn into numbers is samples."""
    assert expected == vad(((speech / 32768).tolist(), RATE))


@pytest.mark.parametrize("rate", [0, -16000, 10**9, 1.5, float("nan"), float("inf"), None, "16000", True, 999])
def test_rates_that_are_none(vad: Vad, rate: object) -> None:
    """A sample rate that no audio has is refused."""
    with pytest.raises(AudioError, match="sample rate"):
        vad((np.zeros(16000), rate))


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000, 44100.0, np.int64(48000)])
def test_rates(vad: Vad, speech: np.ndarray, expected: list[Segment], rate: float) -> None:
    """Audio of another rate is resampled, and times stay true."""
    samples = soxr.resample(speech.astype(np.float32) / 32768, RATE, int(rate))
    assert near(expected, vad((samples, rate)), 60)


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("channels_first", [False, True])
def test_equal_channels(
    vad: Vad, speech: np.ndarray, expected: list[Segment], channels: int, channels_first: bool
) -> None:
    """The same sound in every channel is that sound, whichever axis the channels are."""
    samples = np.repeat(speech[:, None], channels, axis=1)
    assert near(expected, vad((samples.T if channels_first else samples, RATE)), 10)


@pytest.mark.parametrize("signs", [(1, 0), (0, 1), (1, -1), (-1, 1), (0, 0, 1, 0), (0, 1, -1)], ids=str)
def test_channels_that_would_lose_speech(
    vad: Vad, speech: np.ndarray, expected: list[Segment], signs: tuple[int, ...]
) -> None:
    """A silent channel costs no level, and a channel turned over cancels nothing."""
    assert near(expected, vad((speech[:, None] * np.array(signs, np.int16), RATE)), 10)


def test_a_speaker_per_channel(vad: Vad, speech: np.ndarray) -> None:
    """Two people on two channels, over different noise, are both heard."""
    half = len(speech) // 2
    noise = np.random.RandomState(0).standard_normal((len(speech), 2)) * 20
    both = noise.copy()
    both[:half, 0] += speech[:half]
    both[half:, 1] += speech[half:]
    together = both.sum(axis=1)
    assert near(vad((together / 65536, RATE)), vad((both / 32768, RATE)), 20)


def test_too_many_channels(vad: Vad) -> None:
    """65 channels are a mistake."""
    with pytest.raises(AudioError, match="65 channels"):
        vad((np.zeros((16000, 65)), RATE))


@pytest.mark.parametrize(
    ("format", "subtype"),
    [("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("WAV", "DOUBLE"), ("FLAC", "PCM_16"), ("AIFF", "PCM_16")],
)
def test_lossless_formats(vad: Vad, speech: np.ndarray, expected: list[Segment], format: str, subtype: str) -> None:
    """What keeps every sample gives the same segments."""
    assert expected == vad(wav(speech / 32768, format=format, subtype=subtype))


@pytest.mark.parametrize(
    ("format", "subtype"),
    [("WAV", "ULAW"), ("WAV", "PCM_U8"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")],
)
def test_lossy_formats(vad: Vad, speech: np.ndarray, expected: list[Segment], format: str, subtype: str) -> None:
    """What loses some of the sound moves segments a little."""
    assert near(expected, vad(wav(speech, format=format, subtype=subtype)), 150)


def test_ways_to_hand_over_a_file(vad: Vad, speech: np.ndarray, expected: list[Segment], tmp_path: Path) -> None:
    """A path as text or Path, bytes, open files and streams that cannot seek are the same audio, whatever the name."""
    path = tmp_path / "speech.raw"
    path.write_bytes(wav(speech))
    assert expected == vad(path)
    assert expected == vad(str(path))
    assert expected == vad(memoryview(path.read_bytes()))
    with path.open("rb") as file:
        file.read()
        assert expected == vad(file)
        assert not file.closed
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb") as end:
        end.write(wav(speech[:16000]))
        end.close()
        assert vad(wav(speech[:16000])) == vad(pipe)


@pytest.mark.parametrize(
    "audio", [None, 5, np.zeros(16000), [0.0] * 16000, (), (1, 2, 3)], ids=lambda audio: str(type(audio))
)
def test_what_is_not_audio(vad: Vad, audio: object) -> None:
    """Anything else is refused, with what to give instead; an array needs its rate."""
    with pytest.raises(AudioError, match="give a path, bytes, a binary file object, or"):
        vad(audio)


def test_text_mode(vad: Vad) -> None:
    """A file that was opened as text is refused."""
    with pytest.raises(AudioError, match="text mode"):
        vad(io.StringIO("x"))


def test_a_file_that_is_closed(vad: Vad, tmp_path: Path) -> None:
    """A closed file is refused."""
    file = (tmp_path / "x").open("wb+")
    file.close()
    with pytest.raises(AudioError, match="open it anew"):
        vad(file)


class Failing(io.BytesIO):
    """A disk that fails in the middle."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 20000:
            raise OSError(5, "input/output error")
        return super().read(size)


def test_a_file_that_fails(vad: Vad, speech: np.ndarray, capfd: pytest.CaptureFixture[str]) -> None:
    """An error while reading is an AudioError, and nothing is printed."""
    with pytest.raises(AudioError, match="input/output error"):
        vad(Failing(wav(speech)))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"empty \(0 bytes\)"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80>", "not audio"),
        (b"This is a text, not a recording. " * 40, "not audio"),
        (
            bytes(np.random.RandomState(3).bytes(64000)),
            r"headerless samples must be passed as \(samples, sample_rate\)",
        ),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/x.ts\n", "not audio"),
    ],
    ids=["empty", "header", "text", "raw", "playlist"],
)
@pytest.mark.parametrize("name", ["sound.wav", "sound.m4a", "sound.raw"])
def test_files_that_are_not_audio(vad: Vad, tmp_path: Path, content: bytes, message: str, name: str) -> None:
    """Files without audio are refused by name and reason, whatever their ending promises."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AudioError, match=message) as caught:
        vad(tmp_path / name)
    assert name in str(caught.value)


def test_paths_without_a_file(vad: Vad, tmp_path: Path) -> None:
    """A missing path and a directory are refused as what they are."""
    with pytest.raises(AudioError, match="no such file"):
        vad(tmp_path / "nothing.wav")
    with pytest.raises(AudioError, match="is a directory"):
        vad(tmp_path)
    with pytest.raises(AudioError, match="check the path"):
        vad("nul\0byte")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_samples_that_are_not_numbers(vad: Vad, value: float) -> None:
    """NaN, infinite and absurd samples are refused with the time of the first, in arrays and in files."""
    samples = np.zeros(200_000)
    samples[160_000:] = value
    for audio in ((samples, RATE), wav(samples.astype(np.float64), subtype="DOUBLE"), (np.stack([samples] * 2), RATE)):
        with pytest.raises(AudioError, match=r"10\.000 s"):
            vad(audio)


def test_truncated_data(vad: Vad, speech: np.ndarray) -> None:
    """A header that promises more than there is: what is there is used."""
    whole = wav(speech)
    kept = speech[:80000]
    assert vad((kept, RATE)) == vad(whole[: 44 + 160000])
    assert vad((kept, RATE)) == vad(whole[: 44 + 160001])


@pytest.mark.parametrize("length", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x00"], ids=["endless", "none"])
def test_streaming_header(vad: Vad, speech: np.ndarray, expected: list[Segment], length: bytes) -> None:
    """A header written before the length was known: the data runs to the end of the file."""
    whole = bytearray(wav(speech))
    whole[4:8] = whole[40:44] = length
    assert expected == vad(bytes(whole))


def test_a_broken_flac(vad: Vad, speech: np.ndarray, expected: list[Segment]) -> None:
    """A flac that was cut off is used as far as it goes."""
    whole = wav(speech, format="FLAC")
    assert expected[0] == vad(whole[: len(whole) * 3 // 4])[0]


def test_no_frames(vad: Vad) -> None:
    """A wav with a header and no samples has no speech."""
    assert vad(wav(np.zeros(0, np.int16))) == []


def m4a(samples: np.ndarray, path: Path, rate: int) -> Path:
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return path


@pytest.mark.parametrize("name", ["sound.m4a", "sound.mp4", "sound.mkv", "sound.mov"])
def test_media(vad: Vad, speech: np.ndarray, expected: list[Segment], tmp_path: Path, name: str) -> None:
    """With PyAV installed, what libsndfile cannot read is read too."""
    path = m4a(soxr.resample(speech / 32768, RATE, 48000), tmp_path / name, 48000)
    assert near(expected, vad(path), 100)
    assert near(expected, vad(path.read_bytes()), 100)


def test_media_without_pyav(vad: Vad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyAV the message says how to get it."""
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "sound.m4a").write_bytes(b"\x00\x00\x00\x20ftypM4A " + bytes(100))
    with pytest.raises(AudioError, match=r'pip install "mirrorhub\[media\]"'):
        vad(tmp_path / "sound.m4a")
