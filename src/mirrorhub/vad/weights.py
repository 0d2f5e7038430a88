"""Read the files of an FSMN-VAD model, and take them for nothing else: every shape and every setting is checked."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mirrorhub.errors import WeightsError
from mirrorhub.vad.tensors import FETCH_AGAIN, MAX_TEXT, Floats, read_tensors, refuse

FILES = ("model.pt", "am.mvn", "config.yaml")
INPUTS, LINEAR, MEMORY, AFFINE, OUTPUTS = 400, 250, 128, 140, 248
LAYERS, TAPS = 4, 20

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
    tensors = read_tensors(directory / "model.pt", {f"encoder.{name}": shape for name, shape in _shapes().items()})
    return Weights(
        tensors={name.removeprefix("encoder."): tensor for name, tensor in tensors.items()},
        shift=shift,
        scale=scale,
        options=options,
    )


def _read_text(path: Path) -> str:
    try:
        too_large = path.stat().st_size > MAX_TEXT
        text = "" if too_large else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path}: cannot be read ({error}); {FETCH_AGAIN}") from error
    if too_large:
        refuse(path, "is far too large")
    return text


def _read_options(path: Path) -> Mapping[str, object]:
    import yaml  # here: half of the detector's callers only want its types

    text = _read_text(path)
    try:
        config = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: is not YAML ({error}); {FETCH_AGAIN}") from error
    sections = config if isinstance(config, dict) else {}
    for section, known in (("frontend_conf", _FRONTEND), ("encoder_conf", _ENCODER)):
        given = sections.get(section)
        for key, value in known.items():
            if not isinstance(given, dict) or given.get(key) != value:
                refuse(path, f"{section}.{key} is not {value}: not the 16 kHz FSMN-VAD model")
    options = sections.get("model_conf")
    if not isinstance(options, dict):
        refuse(path, "has no model_conf")
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
        raise WeightsError(f"{path}: {name} holds something else than numbers; {FETCH_AGAIN}") from error
    if numbers.shape != (INPUTS,) or not np.isfinite(numbers).all():
        refuse(path, f"{name} holds {numbers.size} numbers instead of {INPUTS} finite ones")
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
