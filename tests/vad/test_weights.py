"""Only the files of the model are taken for it; nothing in them can run or fill the memory."""

import collections
import io
import os
import pickle
import shutil
import time
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


TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"
STEPS = {
    "remembered at 2**31": b"\x80\x02}r\xff\xff\xff\x7f.",
    "remembered at 10**18": b"}p1000000000000000000\n.",
    "a text of 2**31 bytes": b"\x80\x02X\xff\xff\xff\x7fabc.",
    "bytes of 2**62": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x3fabc.",
    "an array of 2**40 bytes": b"\x80\x05\x96\x00\x00\x00\x00\x00\x01\x00\x00abc.",
    "a number of 2**31 bytes": b"\x80\x02\x8b\xff\xff\xff\x7f1.",
    "a number of 100,000 digits": b"I" + b"9" * 100_000 + b"\n.",
    "a long frame": b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "a key that takes for ever to hash": b"\x80\x02}K\x01" + b"q\x00h\x00\x86" * 60 + b"K\x01s.",
    "a dictionary that holds itself": b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.",
    "a million steps": b"\x80\x02" + b"]" * 1_000_100 + b".",
    "INST": b"(S'echo x'\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nS'echo x'\no.",
    "EXT1": b"\x80\x02\x82\x01.",
    "EXT4": b"\x80\x02\x84\xff\xff\xff\x7f.",
    "a dotted name": b"\x80\x04\x8c\x0btorch._utils\x8c\x1c_rebuild_tensor_v2.__globals__\x93.",
    "a name out of nothing": b"\x80\x04\x93.",
    "a persistent name in a line": b"Pos.system\n.",
    "a persistent name that is a call": b"\x80\x02" + TENSOR + b"Q.",
    "a state for a function": b"\x80\x02" + TENSOR + b"N}X\x0c\x00\x00\x00__defaults__)s\x86b.",
    "an object of a known name": b"\x80\x02ccollections\nOrderedDict\n)}\x92.",
    "a dictionary out of pairs": b"\x80\x02ccollections\nOrderedDict\n]]K\x01aK\x01aa\x85R.",
    "a buffer from outside": b"\x80\x05\x97.",
    "nothing to take off": b"\x80\x02sssss.",
    "a mark that is none": b"\x80\x02u.",
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if "million" in name else name for name in STEPS]
)
def test_a_pickle_that_would_take_all_there_is(copy: Path, name: str) -> None:
    """No step of a pickle is taken that costs more than its bytes, or that does anything."""
    repack(copy / "model.pt", {"model/data.pkl": STEPS[name]})
    began = time.monotonic()
    with pytest.raises(WeightsError, match=r"model\.pt"):
        Vad(copy)
    assert time.monotonic() - began < 5


def patched(path: Path, name: str, offset: int, value: bytes) -> None:
    """Write into the entry of a member in the list at the end of a zip."""
    data = path.read_bytes()
    at = data.rindex(name.encode()) - 46 + offset
    path.write_bytes(data[:at] + value + data[at + len(value) :])


ZIPS = {
    "a packing that nobody knows": (10, b"\x63\x00"),
    "a password": (8, b"\x01\x00"),
    "a member that is all there is": (20, b"\xff\xff\xff\xfe\xff\xff\xff\xfe"),
    "a member beyond the end": (42, b"\xff\xff\xff\x7f"),
    "a member over another one": (42, b"\x00\x00\x00\x00"),
    "a wrong checksum": (16, b"\x00\x00\x00\x00"),
    "a name that climbs": (46, b"../.."),
    "extra fields beyond the end": (30, b"\xff\xff"),
}


@pytest.mark.parametrize("name", ZIPS)
def test_a_zip_that_lies(copy: Path, name: str) -> None:
    """Whatever the list of members says, the error is WeightsError, and nothing is unpacked anywhere."""
    before = sorted(copy.rglob("*"))
    with zipfile.ZipFile(copy / "model.pt") as archive:
        member = next(one for one in archive.namelist() if one.endswith("data/0"))
    patched(copy / "model.pt", member, *ZIPS[name])
    with pytest.raises(WeightsError, match=r"model\.pt"):
        Vad(copy)
    assert sorted(copy.rglob("*")) == before


def test_a_zip_of_many_members(copy: Path) -> None:
    """A file is refused by its size before the list of its members is read."""
    with zipfile.ZipFile(copy / "model.pt", "a") as archive:
        for number in range(40_000):
            archive.writestr(f"model/{number}", b"")
    with pytest.raises(WeightsError, match="far too large"):
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
