"""Read the files of an FSMN-VAD model. Nothing in them is run: the pickle may name three things, all else is refused.

`model.pt` is a zip with one pickle, which describes the tensors, and one member per tensor with its bytes.
"""

from __future__ import annotations

import itertools
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
import numpy.typing as npt

from mirrorhub.errors import WeightsError

Floats = npt.NDArray[np.float32]

FILES = ("model.pt", "am.mvn", "config.yaml")
INPUTS, LINEAR, MEMORY, AFFINE, OUTPUTS = 400, 250, 128, 140, 248
LAYERS, TAPS = 4, 20

_MAX_TEXT = 1 << 20
_FETCH_AGAIN = "delete the file and fetch the model again"
_FRONTEND = {
    "fs": 16000,
    "window": "hamming",
    "n_mels": 80,
    "frame_length": 25,
    "frame_shift": 10,
    "lfr_m": 5,
    "lfr_n": 1,
}
_ENCODER = {
    "input_dim": INPUTS,
    "input_affine_dim": AFFINE,
    "fsmn_layers": LAYERS,
    "linear_dim": LINEAR,
    "proj_dim": MEMORY,
    "lorder": TAPS,
    "rorder": 0,
    "lstride": 1,
    "output_affine_dim": AFFINE,
    "output_dim": OUTPUTS,
}


@dataclass(frozen=True, slots=True)
class Weights:
    """What the model's directory holds.

    Attributes:
        tensors: The network's tensors under the names that `model.pt` gives them, of known shape, finite.
        shift: Added to the 400 inputs of the network.
        scale: Multiplied with them after that.
        options: `model_conf` of `config.yaml` as it stands there.
    """

    tensors: Mapping[str, Floats]
    shift: Floats
    scale: Floats
    options: Mapping[str, object]


def read_weights(directory: Path) -> Weights:
    """Read `model.pt`, `am.mvn` and `config.yaml`.

    Args:
        directory: Where the three files lie.

    Returns:
        Weights of the shapes that the network expects.

    Raises:
        WeightsError: A file is missing, damaged, or not of this model.
    """
    missing = [name for name in FILES if not (directory / name).is_file()]
    if missing:
        what = "has no" if directory.is_dir() else "is not a directory with"
        raise WeightsError(f"{directory} {what} {', '.join(missing)}: give the path of a complete FSMN-VAD model")
    shift, scale = _read_normalisation(directory / "am.mvn")
    options = _read_options(directory / "config.yaml")
    return Weights(tensors=_read_tensors(directory / "model.pt"), shift=shift, scale=scale, options=options)


def _refuse(path: Path, reason: str) -> NoReturn:
    raise WeightsError(f"{path}: {reason}; {_FETCH_AGAIN}")


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_TEXT:
            _refuse(path, "is far too large")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path}: cannot be read ({error}); {_FETCH_AGAIN}") from error


def _read_options(path: Path) -> Mapping[str, object]:
    import yaml  # here: half of the detector's callers only want its types

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        config = yaml.load(_read_text(path), Loader=loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{path}: is not YAML ({error}); {_FETCH_AGAIN}") from error
    sections = config if isinstance(config, dict) else {}
    for section, known in (("frontend_conf", _FRONTEND), ("encoder_conf", _ENCODER)):
        given = sections.get(section)
        for key, value in known.items():
            if not isinstance(given, dict) or given.get(key) != value:
                _refuse(path, f"{section}.{key} is not {value}: not the 16 kHz FSMN-VAD model")
    options = sections.get("model_conf")
    if not isinstance(options, dict):
        _refuse(path, "has no model_conf")
    return options


def _read_normalisation(path: Path) -> tuple[Floats, Floats]:
    lines = [line.split() for line in _read_text(path).splitlines()]
    found = {
        before[0]: line[3:-1]
        for before, line in itertools.pairwise(lines)
        if before and before[0] in {"<AddShift>", "<Rescale>"} and line[:1] == ["<LearnRateCoef>"]
    }
    return _numbers(path, "<AddShift>", found), _numbers(path, "<Rescale>", found)


def _numbers(path: Path, name: str, found: Mapping[str, list[str]]) -> Floats:
    try:
        numbers = np.array(found.get(name, []), dtype=np.float32)
    except ValueError as error:
        raise WeightsError(f"{path}: {name} holds something else than numbers; {_FETCH_AGAIN}") from error
    if numbers.shape != (INPUTS,) or not np.isfinite(numbers).all():
        _refuse(path, f"{name} holds {numbers.size} numbers instead of {INPUTS} finite ones")
    return numbers


def _shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "in_linear1.linear.weight": (AFFINE, INPUTS),
        "in_linear1.linear.bias": (AFFINE,),
        "in_linear2.linear.weight": (LINEAR, AFFINE),
        "in_linear2.linear.bias": (LINEAR,),
        "out_linear1.linear.weight": (AFFINE, LINEAR),
        "out_linear1.linear.bias": (AFFINE,),
        "out_linear2.linear.weight": (OUTPUTS, AFFINE),
        "out_linear2.linear.bias": (OUTPUTS,),
    }
    for layer in range(LAYERS):
        shapes[f"fsmn.{layer}.linear.linear.weight"] = (MEMORY, LINEAR)
        shapes[f"fsmn.{layer}.fsmn_block.conv_left.weight"] = (MEMORY, 1, TAPS, 1)
        shapes[f"fsmn.{layer}.affine.linear.weight"] = (LINEAR, MEMORY)
        shapes[f"fsmn.{layer}.affine.linear.bias"] = (LINEAR,)
    return shapes


def _read_tensors(path: Path) -> dict[str, Floats]:
    try:
        with zipfile.ZipFile(path) as archive:
            described, tensor_root = _read_description(path, archive)
            return {
                name: _read_tensor(path, archive, tensor_root, described.get(f"encoder.{name}"), shape)
                for name, shape in _shapes().items()
            }
    # zipfile says NotImplementedError and RuntimeError for methods and encryption that it does not know.
    except (zipfile.BadZipFile, OSError, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
        raise WeightsError(f"{path}: is truncated or damaged ({error}); {_FETCH_AGAIN}") from error


def _read_description(path: Path, archive: zipfile.ZipFile) -> tuple[Mapping[str, object], str]:
    members = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(members) != 1:
        _refuse(path, "is not a PyTorch file")
    root = members[0].removesuffix("data.pkl")
    if archive.getinfo(members[0]).file_size > _MAX_TEXT:
        _refuse(path, f"{members[0]} is far too large")
    if f"{root}byteorder" in archive.namelist() and _member(archive, f"{root}byteorder", 6) != b"little":
        _refuse(path, "is not in little-endian order")
    with archive.open(members[0]) as stream:
        described = _Unpickler(stream, path).described()
    return described, f"{root}data/"


def _member(archive: zipfile.ZipFile, name: str, size: int) -> bytes:
    """The bytes of a member that must have this size; a larger one is never unpacked."""
    if archive.getinfo(name).file_size != size:
        raise zipfile.BadZipFile(f"{name} has {archive.getinfo(name).file_size} bytes instead of {size}")
    return archive.read(name)


@dataclass(frozen=True, slots=True)
class _Storage:
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _read_tensor(path: Path, archive: zipfile.ZipFile, root: str, tensor: object, shape: tuple[int, ...]) -> Floats:
    if not isinstance(tensor, _Tensor) or tensor.shape != shape or len(tensor.strides) != len(shape):
        _refuse(path, f"lacks a tensor of shape {shape}: not the 16 kHz FSMN-VAD model")
    count = int(np.prod(shape))
    last = tensor.offset + sum((size - 1) * stride for size, stride in zip(shape, tensor.strides, strict=True))
    if tensor.storage.count != count or min(tensor.offset, *tensor.strides) < 0 or last >= count:
        _refuse(path, f"a tensor of shape {shape} reaches beyond its bytes")
    flat = np.frombuffer(_member(archive, root + tensor.storage.name, count * 4), dtype="<f4")[tensor.offset :]
    strides = tuple(stride * 4 for stride in tensor.strides)
    values = np.ascontiguousarray(np.lib.stride_tricks.as_strided(flat, shape, strides), dtype=np.float32)
    if not np.isfinite(values).all():
        _refuse(path, f"a tensor of shape {shape} holds numbers that are not finite")
    return values


class _Unpickler(pickle.Unpickler):
    """Knows an ordered dictionary, the rebuilding of a tensor and float storage; refuses every other name."""

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        super().__init__(stream)
        self._path = path

    def described(self) -> Mapping[str, object]:
        try:
            described = self.load()
        except WeightsError:
            raise
        except Exception as error:  # a damaged pickle may raise anything, says the module's own documentation
            raise WeightsError(f"{self._path}: its pickle is damaged ({error}); {_FETCH_AGAIN}") from error
        if not isinstance(described, dict):
            _refuse(self._path, "does not hold a dictionary of tensors")
        return described

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _describe_tensor,
            ("torch", "FloatStorage"): "FloatStorage",
        }
        if (module, name) not in known:
            raise WeightsError(
                f"{self._path}: its pickle asks for {module}.{name}, which no model needs, and nothing of it was run; "
                "do not use this file"
            )
        return known[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        match pid:
            case ("storage", "FloatStorage", str(name), str(), int(count)):
                return _Storage(name, count)
        return _refuse(self._path, "holds tensors of another type than float32")


def _describe_tensor(*description: object) -> _Tensor:
    match description:
        case (_Storage() as storage, int(offset), tuple(shape), tuple(strides), *_):
            if all(isinstance(number, int) for number in (*shape, *strides)):
                return _Tensor(storage, offset, shape, strides)
    raise pickle.UnpicklingError("a tensor is not described by numbers")
