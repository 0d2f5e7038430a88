"""What the SDKs ask beside files: a stored token does not go to whoever says no at an address that a variable names."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from modelscope_hub import HubApi

import mirrorhub
from tests.fakehub import FakeHub, Repo

STORED = "theStoredToken"
TABLE = """
[[endpoint]]
url = "{}"
hub = "{}"
{}
"""


@pytest.fixture
def private() -> Iterator[FakeHub]:
    """A hub that shows its repositories to one token."""
    repos = [Repo(hub, "org/name", {"a.txt": b"a"}, private=True) for hub in ("modelscope", "huggingface")]
    with FakeHub(repos, token=STORED) as hub:
        yield hub


@pytest.fixture
def stored(private: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That hub is the SDKs' own address, by their variables, and its token is stored; return the config file."""
    for name in ("MODELSCOPE_ENDPOINT", "HF_ENDPOINT", "MIRRORHUB_ENDPOINTS"):
        monkeypatch.setenv(name, private.url)
    for name in ("MODELSCOPE_API_TOKEN", "HF_TOKEN"):
        monkeypatch.setenv(name, STORED)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(private.ca_file))
    monkeypatch.setenv("MIRRORHUB_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").touch()
    return tmp_path / "config.toml"


def test_a_hub_that_is_not_marked(private: FakeHub, stored: Path) -> None:
    """Whoever says no is not sent the stored token by the SDK either, and the SDK's error says how it would be."""
    with mirrorhub.install(), pytest.raises(Exception, match=r"was not sent to https://localhost.*\[\[endpoint\]\]"):
        HubApi().get_repo("org/name", "model")
    assert private.log.requests()
    assert not private.log.tokens_seen()


def test_a_hub_that_is_marked(private: FakeHub, stored: Path) -> None:
    """A hub that is marked in the config file is sent it."""
    stored.write_text(TABLE.format(private.url, "modelscope", "auth = true"), encoding="utf-8")
    with mirrorhub.install():
        assert HubApi().get_repo("org/name", "model").id == "org/name"


def test_a_hub_with_a_token_of_its_own(private: FakeHub, stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub whose table names a variable is sent what is in that one, and not what the SDK would send."""
    stored.write_text(TABLE.format(private.url, "modelscope", 'token_variable = "HOUSE_TOKEN"'), encoding="utf-8")
    monkeypatch.setenv("HOUSE_TOKEN", STORED)
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "theTokenOfTheOfficialHub")
    with mirrorhub.install():
        assert HubApi().get_repo("org/name", "model").id == "org/name"
    assert "theTokenOfTheOfficialHub" not in str(private.log.tokens_seen())


QUESTIONS = """
import huggingface_hub
api = huggingface_hub.HfApi()
for ask in (api.model_info, api.list_repo_files, api.repo_info):
    try:
        ask("org/name")
    except huggingface_hub.errors.RepositoryNotFoundError as error:
        print(error)
print(huggingface_hub.file_exists("org/name", "a.txt"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("marked", [False, True])
def test_a_program(marked: bool, private: FakeHub, stored: Path) -> None:
    """A program that `run` starts asks a hub behind HF_ENDPOINT without the stored token, unless it is marked."""
    stored.write_text(TABLE.format(private.url, "huggingface", "auth = true") if marked else "", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mirrorhub", "run", "-c", QUESTIONS],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ},
    )
    assert done.stdout.strip().endswith(str(marked)), done.stderr
    assert bool(private.log.tokens_seen()) is marked
    assert done.stdout.count("The token was not sent to") == (0 if marked else 3)
