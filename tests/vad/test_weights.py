"""Only the files of the model are taken for it; nothing in them can run or fill the memory."""

import collections
import io
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mirrorhub.errors import WeightsError
from mirrorhub.vad import Vad, sample_path


class Malice:
    """Pickles to a call."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@pytest.fixture
def copy(model_dir: Path, tmp_path: Path) -> Path:
    """A model that may be damaged."""
    for name in ("model.pt", "am.mvn", "config.yaml"):
        shutil.copy(model_dir / name, tmp_path)
    return tmp_path


def repack(path: Path, changes: dict[str, bytes], **options: int) -> None:
    """Write the zip anew with other members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in (members | changes).items():
            archive.writestr(name, content)


@pytest.mark.parametrize("name", ["model.pt", "am.mvn", "config.yaml"])
def test_a_missing_file(copy: Path, name: str) -> None:
    """The message names the file that is missing."""
    (copy / name).unlink()
    with pytest.raises(WeightsError, match=f"has no {name}: give the path"):
        Vad(copy)


def test_no_directory(tmp_path: Path) -> None:
    """A path where nothing is is no model."""
    with pytest.raises(WeightsError, match=r"is not a directory with model\.pt, am\.mvn, config\.yaml"):
        Vad(tmp_path / "nothing")


@pytest.mark.parametrize("size", [0, 1, 100, 1000, 100_000, 1_721_000, 1_721_365])
def test_a_truncated_model(copy: Path, size: int) -> None:
    """A model.pt that was cut off anywhere is refused, and the message says what to do."""
    whole = (copy / "model.pt").read_bytes()
    (copy / "model.pt").write_bytes(whole[:size])
    with pytest.raises(WeightsError, match=r"model\.pt: .*; delete the file and fetch the model again"):
        Vad(copy)


def test_a_flipped_bit(copy: Path) -> None:
    """Bytes that do not fit their checksum are refused."""
    whole = bytearray((copy / "model.pt").read_bytes())
    whole[len(whole) // 2] ^= 1
    (copy / "model.pt").write_bytes(whole)
    with pytest.raises(WeightsError, match=r"model\.pt"):
        Vad(copy)


@pytest.mark.parametrize(
    "function",
    [os.system, eval, exec, getattr, __import__, io.open, shutil.rmtree],
    ids=lambda function: function.__name__,
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_malicious_pickle(copy: Path, function: Callable[..., object], protocol: int) -> None:
    """A pickle that asks for any other function is refused by that function's name, and nothing of it runs."""
    trace = copy / "trace"
    evil = pickle.dumps(Malice(function, f"open({str(trace)!r}, 'w')", "x"), protocol)
    repack(copy / "model.pt", {"model/data.pkl": evil})
    with pytest.raises(WeightsError, match=rf"model\.pt: its pickle asks for .*{function.__name__}"):
        Vad(copy)
    assert not trace.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02.",
        b"garbage",
        pickle.dumps([1, 2]),
        pickle.dumps(collections.OrderedDict(), 2),
        pickle.dumps({"encoder.in_linear1.linear.weight": 1}),
        b"\x80\x02U\x01x)R.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"\x80\x02(U\x07storageU\x0dDoubleStorageU\x010U\x03cpuK\x01tQ.",
        b"(" * 5000,
    ],
    ids=[
        "empty",
        "nothing",
        "text",
        "list",
        "no tensors",
        "no tensor",
        "call of text",
        "no arguments",
        "double",
        "deep",
    ],
)
def test_a_damaged_pickle(copy: Path, content: bytes) -> None:
    """Whatever else is wrong with the pickle, the error is WeightsError."""
    repack(copy / "model.pt", {"model/data.pkl": content})
    with pytest.raises(WeightsError, match=r"model\.pt"):
        Vad(copy)


@pytest.mark.parametrize("member", ["model/data.pkl", "model/data/0"])
def test_a_member_that_would_unpack_to_gigabytes(copy: Path, member: str) -> None:
    """A member of the wrong size is refused before it is unpacked."""
    repack(copy / "model.pt", {member: bytes(1 << 26)}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(WeightsError, match=r"model\.pt"):
        Vad(copy)


def test_tensors_of_other_shapes(copy: Path) -> None:
    """A model of other dimensions is not this model."""
    with zipfile.ZipFile(copy / "model.pt") as archive:
        described = archive.read("model/data.pkl")
    repack(copy / "model.pt", {"model/data.pkl": described.replace(b"encoder.in_linear1", b"encoder.in_linear9")})
    with pytest.raises(WeightsError, match=r"lacks a tensor of shape \(140, 400\)"):
        Vad(copy)


def test_weights_that_are_not_numbers(copy: Path) -> None:
    """NaN in a tensor is refused, not multiplied."""
    repack(copy / "model.pt", {"model/data/1": b"\xff" * 560})
    with pytest.raises(WeightsError, match="not finite"):
        Vad(copy)


@pytest.mark.parametrize(
    "content",
    ["", "<Nnet>", "<AddShift> 400 400\n<LearnRateCoef> 0 [ 1 2 3 ]", "<AddShift>\n<LearnRateCoef> 0 [ a b ]", "\xff"],
)
def test_a_damaged_normalisation(copy: Path, content: str) -> None:
    """am.mvn must hold 400 numbers twice."""
    (copy / "am.mvn").write_bytes(content.encode("latin-1"))
    with pytest.raises(WeightsError, match=r"am\.mvn"):
        Vad(copy)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("fs: 16000", "fs: 8000"),
        ("lorder: 20", "lorder: 10"),
        ("model_conf:", "other_conf:"),
        ("detect_mode: 1", "detect_mode: 7"),
        ("detect_mode: 1", "detect_moda: 1"),
        ("frontend_conf:", "frontend_conf: [" * 3),
        ("frontend:", "\t- :"),
        ("frontend: WavFrontendOnline", "frontend: !!python/object/apply:os.system [exit]"),
    ],
)
def test_another_config(copy: Path, old: str, new: str) -> None:
    """config.yaml must describe this model, in plain YAML."""
    text = (copy / "config.yaml").read_text()
    assert old in text
    (copy / "config.yaml").write_text(text.replace(old, new))
    with pytest.raises(WeightsError, match=r"config\.yaml"):
        Vad(copy)


def test_options_of_the_model(copy: Path) -> None:
    """What config.yaml says of segments is the default; what the caller says comes on top."""
    text = (copy / "config.yaml").read_text()
    (copy / "config.yaml").write_text(text.replace("max_end_silence_time: 800", "max_end_silence_time: 640"))
    assert Vad(copy).options.max_end_silence_time == 640
    assert Vad(copy, max_end_silence_time=300).options.max_end_silence_time == 300


def test_the_packaged_sample(vad: Vad) -> None:
    """The package carries some seconds of speech with a pause."""
    assert len(vad(sample_path())) == 3
    assert sample_path().stat().st_size < 100_000
