"""One set of receivers for all tests; of each test its own environment, with every kind of secret in it."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from requests.cookies import RequestsCookieJar

from tests.fakehub.repo import HubName
from tests.tokens.receivers import ALIASES, CONFIG, Scene, everybody
from tests.tokens.secrets import SECRETS

Source = str


@pytest.fixture(scope="module")
def receivers() -> Iterator[Scene]:
    """Everybody, started once."""
    with everybody() as scene:
        yield scene


@pytest.fixture
def scene(receivers: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Everybody, with clean logs, behind a proxy that asks for a password; and a netrc that knows everybody."""
    receivers.clear()
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, receivers.proxy.url)
    netrc = tmp_path / "netrc"
    netrc.write_text(f"default login user password {SECRETS['netrc']}\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / ".netrc").write_bytes(netrc.read_bytes())
    return receivers


@pytest.fixture
def configured(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[HubName], None]:
    """Write the config file, the alias table and the variables for repositories of a hub."""

    def write(hub: HubName) -> None:
        folder = tmp_path / "config"
        folder.mkdir()
        named = "https://named.test" if hub == "modelscope" else "hf+https://named.test"
        text = CONFIG.format(hub=hub, named=named, login=SECRETS["login"])
        (folder / "config.toml").write_text(text, encoding="utf-8")
        (folder / "aliases.toml").write_text(ALIASES, encoding="utf-8")
        monkeypatch.setenv("MIRRORHUB_CONFIG", str(folder / "config.toml"))
        monkeypatch.setenv("OWN_TOKEN", SECRETS["own"])
        for name in ("MODELSCOPE_ENDPOINT", "HF_ENDPOINT"):
            monkeypatch.setenv(name, "https://variable.test")

    return write


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Store the tokens of both hubs: in variables, or as the SDKs' logins do."""

    def store(*, huggingface: str = "HF_TOKEN", modelscope: str = "MODELSCOPE_API_TOKEN") -> None:
        if huggingface == "login":
            monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "hf-token"))
            (tmp_path / "hf-token").write_text(f"{SECRETS['huggingface']}\n", encoding="utf-8")
        else:
            monkeypatch.setenv(huggingface, SECRETS["huggingface"])
        if modelscope == "login":
            monkeypatch.setenv("MODELSCOPE_CREDENTIALS_PATH", str(tmp_path / "ms"))
            (tmp_path / "ms").mkdir(exist_ok=True)
            jar = RequestsCookieJar()
            jar.set("m_session_id", SECRETS["modelscope"], domain=".modelscope.cn")
            (tmp_path / "ms" / "cookies").write_bytes(pickle.dumps(jar))
        else:
            monkeypatch.setenv(modelscope, SECRETS["modelscope"])

    return store
