"""The environments of the SDKs, kept between runs."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def environments(pytestconfig: pytest.Config) -> Path:
    """Where the environments are kept."""
    return Path(pytestconfig.cache.mkdir("sdks"))
