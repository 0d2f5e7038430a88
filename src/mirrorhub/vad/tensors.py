"""Read tensors from a file that PyTorch saved. Nothing in it is run: its pickle may name three things, no more.

The file is a zip with one pickle, which describes the tensors, and one member per tensor with its bytes.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from mirrorhub.errors import WeightsError
from mirrorhub.pickled import Rebuilding

Floats = npt.NDArray[np.float32]

MAX_TEXT = 1 << 20
_MAX_FILE = 1 << 22
"""More than twice what the model has: the list of a zip's members costs far more memory than it has bytes."""
FETCH_AGAIN = "delete the file and fetch the model again; if a lock file has it so, `mirrorhub lock diff` tells more"


def read_tensors(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Floats]:
    """Read some tensors of a file that PyTorch saved.

    Args:
        path: The file.
        shapes: The tensors that are wanted and the shapes that they must have; others are left alone.

    Returns:
        Finite float32 arrays.

    Raises:
        WeightsError: The file is damaged, is not PyTorch's, lacks a tensor, or wants to run something.
    """
    if path.stat().st_size > _MAX_FILE:
        refuse(path, "is far too large")
    try:
        with zipfile.ZipFile(path) as archive:
            described, tensor_root = _read_description(path, archive)
            return {
                name: _read_tensor(path, archive, tensor_root, described.get(name), shape)
                for name, shape in shapes.items()
            }
    except WeightsError:
        raise
    # KeyError is a missing member, RuntimeError encryption; the last two are what damaged directories give.
    except (zipfile.BadZipFile, OSError, EOFError, KeyError, RuntimeError, struct.error, ValueError) as error:
        raise WeightsError(f"{path}: is truncated or damaged ({error}); {FETCH_AGAIN}") from error


def refuse(path: Path, reason: str) -> NoReturn:
    """Say what is wrong with a file of the model, and what to do."""
    raise WeightsError(f"{path}: {reason}; {FETCH_AGAIN}")


def _read_description(path: Path, archive: zipfile.ZipFile) -> tuple[Mapping[str, object], str]:
    members = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(members) != 1:
        refuse(path, "is not a PyTorch file")
    root = members[0].removesuffix("data.pkl")
    if f"{root}byteorder" in archive.namelist() and _member(archive, f"{root}byteorder", MAX_TEXT) != b"little":
        refuse(path, "is not in little-endian order")
    return _Description(path).described(_member(archive, members[0], MAX_TEXT)), f"{root}data/"


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """The bytes of a member. PyTorch never packs them, so nothing here can unpack to more than there is."""
    member = archive.getinfo(name)
    if member.file_size > most or member.compress_type != zipfile.ZIP_STORED:
        raise zipfile.BadZipFile(f"{name} is packed or has more than {most} bytes")
    return archive.read(member)


class _Name(Enum):
    """What the description of a tensor may name."""

    DICTIONARY = "collections.OrderedDict"
    TENSOR = "torch._utils._rebuild_tensor_v2"
    STORAGE = "torch.FloatStorage"


_NAMES = {tuple(name.value.rsplit(".", 1)): name for name in _Name}


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
        refuse(path, f"lacks a tensor of shape {shape}: not the 16 kHz FSMN-VAD model")
    count = int(np.prod(shape))
    last = tensor.offset + sum((size - 1) * stride for size, stride in zip(shape, tensor.strides, strict=True))
    within = min(tensor.offset, *tensor.strides) >= 0 and max(last, *tensor.strides) <= count and last < count
    content = _member(archive, root + tensor.storage.name, count * 4)
    if not within or len(content) != count * 4:
        refuse(path, f"a tensor of shape {shape} reaches beyond its bytes")
    flat = np.frombuffer(content, dtype="<f4")[tensor.offset :]
    strides = tuple(stride * 4 for stride in tensor.strides)
    values = np.ascontiguousarray(np.lib.stride_tricks.as_strided(flat, shape, strides), dtype=np.float32)
    if not np.isfinite(values).all():
        refuse(path, f"a tensor of shape {shape} holds numbers that are not finite")
    return values


class _Description(Rebuilding):
    """Knows an ordered dictionary, the rebuilding of a tensor and float storage; refuses every other name."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def described(self, data: bytes) -> Mapping[str, object]:
        try:
            described = self.read(data)
        except (ValueError, LookupError, TypeError, OverflowError) as error:
            raise WeightsError(f"{self._path}: its pickle is damaged ({error}); {FETCH_AGAIN}") from error
        if not isinstance(described, dict):
            refuse(self._path, "does not hold a dictionary of tensors")
        return described

    def named(self, module: str, name: str) -> object:
        if (module, name) not in _NAMES:
            raise WeightsError(
                f"{self._path}: its pickle asks for {module}.{name}, which no model needs, and nothing of it was run; "
                "do not use this file"
            )
        return _NAMES[module, name]

    def made(self, what: object, arguments: object) -> object:
        match what, arguments:
            case _Name.DICTIONARY, ():
                return {}
            case _Name.TENSOR, tuple():
                return _describe_tensor(*arguments)
        raise ValueError("wants to call something")

    def stored(self, name: object) -> _Storage:
        match name:
            case ("storage", _Name.STORAGE, str(key), str(), int(count)):
                return _Storage(key, count)
        return refuse(self._path, "holds tensors of another type than float32")


def _describe_tensor(*description: object) -> _Tensor:
    match description:
        case (_Storage() as storage, int(offset), tuple(shape), tuple(strides), *_):
            if all(isinstance(number, int) for number in (*shape, *strides)):
                return _Tensor(storage, offset, shape, strides)
    raise ValueError("a tensor is not described by numbers")
