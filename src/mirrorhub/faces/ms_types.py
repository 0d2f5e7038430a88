"""modelscope's functions as a type checker sees them: modelscope brings no types. Never called.

At run time the signature is that of the version that is installed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

Patterns = str | Sequence[str] | None
Place = str | os.PathLike[str] | None


def snapshot_download(
    model_id: str | None = None,
    revision: str | None = None,
    cache_dir: Place = None,
    user_agent: Mapping[str, str] | str | None = None,
    local_files_only: bool | None = False,
    cookies: object = None,
    ignore_file_pattern: Patterns = None,
    allow_file_pattern: Patterns = None,
    local_dir: Place = None,
    allow_patterns: Patterns = None,
    ignore_patterns: Patterns = None,
    max_workers: int | None = None,
    repo_id: str | None = None,
    repo_type: str | None = None,
    progress_callbacks: Sequence[type[Any]] | None = None,
    token: str | None = None,
    endpoint: str | None = None,
) -> str:
    """Bring a repository to disk; return the directory."""
    raise NotImplementedError


def dataset_snapshot_download(
    dataset_id: str | None = None,
    revision: str | None = None,
    cache_dir: Place = None,
    local_dir: Place = None,
    allow_file_pattern: Patterns = None,
    ignore_file_pattern: Patterns = None,
    allow_patterns: Patterns = None,
    ignore_patterns: Patterns = None,
    max_workers: int | None = None,
    cookies: object = None,
    repo_id: str | None = None,
    token: str | None = None,
    endpoint: str | None = None,
) -> str:
    """Bring a dataset to disk; return the directory."""
    raise NotImplementedError


def model_file_download(
    model_id: str,
    file_path: str,
    revision: str | None = None,
    *,
    cache_dir: Place = None,
    local_dir: Place = None,
    cookies: object = None,
    token: str | None = None,
    endpoint: str | None = None,
    local_files_only: bool = False,
    user_agent: Mapping[str, str] | str | None = None,
) -> str:
    """Bring one file of a model to disk; return where it is."""
    raise NotImplementedError


def dataset_file_download(
    dataset_id: str,
    file_path: str,
    *,
    cache_dir: Place = None,
    local_dir: Place = None,
    revision: str | None = None,
    cookies: object = None,
    token: str | None = None,
    endpoint: str | None = None,
    local_files_only: bool = False,
    user_agent: Mapping[str, str] | str | None = None,
) -> str:
    """Bring one file of a dataset to disk; return where it is."""
    raise NotImplementedError
