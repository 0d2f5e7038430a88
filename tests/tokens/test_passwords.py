"""A password in an address that breaks it in two: the mistake is told of, and nothing of the password."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mirrorhub import Settings, fetch
from mirrorhub.cli import main
from mirrorhub.errors import MirrorHubError
from mirrorhub.http.redact import bare_address, redact
from tests.quick import quick

ODD = ["se cret", "se/cret", "se#cret", "se?cret", "se@cret", "se%zzcret", "se:cret", "s\u00e9-cret"]
KINDS = ["space", "slash", "hash", "question", "at", "percent", "colon", "accent"]
"""Names of them: pytest makes folders of these, and errors name folders."""
ROWS = list(zip(ODD, KINDS, strict=True))


def unspoken(*told: str) -> bool:
    """Whether neither half of the password is told, nor whose it is."""
    return not any(word in " ".join(told) for word in ("cret", "alice9", "'se'", "s\u00e9"))


def said(act: Callable[[], object]) -> str:
    """What an error says, if there is one."""
    try:
        act()
    except MirrorHubError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("password", ODD, ids=KINDS)
def test_an_endpoint(password: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an argument, a list, a variable or a table: the error names the host, and how such a password is written."""
    address = f"https://alice9:{password}@localhost:1"
    (tmp_path / "config.toml").write_text(f'[[endpoint]]\nurl = "{address}"\n', encoding="utf-8")
    told = [said(lambda: fetch("org/name", settings=quick(address)))]
    told.append(said(lambda: fetch("org/name", endpoints=[address, 5])))  # type: ignore[list-item]
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", address)
    told.append(said(Settings.load))
    monkeypatch.setenv("MIRRORHUB_CONFIG", str(tmp_path / "config.toml"))
    told.append(said(Settings.load))
    assert unspoken(*told)
    assert "localhost:1" in told[0]
    assert "https://localhost:1" in told[1]
    if password in ("se/cret", "se#cret", "se?cret"):
        assert all("%2F" in told[number] for number in (0, 2, 3))


def test_a_password_that_begins_like_a_port() -> None:
    """An address with `@` in its path is none: what stands before it is a password."""
    told = said(lambda: fetch("org/name", settings=quick("https://alice9:12/cret@localhost:1")))
    assert unspoken(told)
    assert "%2F" in told


FEW = [pytest.param(*row, id=row[1], marks=[] if row[1] in ("space", "slash") else pytest.mark.slow) for row in ROWS]


@pytest.mark.parametrize(("password", "kind"), FEW)
def test_a_proxy(
    password: str, kind: str, carrier: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a proxy's address neither an error nor `config` nor a report tells it, whatever the library below says."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://alice9:{password}@127.0.0.1:1")
    monkeypatch.setenv("MIRRORHUB_ENDPOINTS", "https://x.test")
    told = said(lambda: fetch("org/name", settings=quick("https://x.test")))
    assert "https://x.test: listing: " in told
    assert main(["config"]) == 0
    assert main(["why"]) == 0
    assert unspoken(told, capsys.readouterr().out)


ADDRESSES = {
    "https://a.test/x": "https://a.test/x",
    "https://a.test:443: no": "https://a.test:443: no",
    "see https://a.test:8443, or https://b.test.": "see https://a.test:8443, or https://b.test.",
    "https://[::1]:8443/x": "https://[::1]:8443/x",
    "https://u:p@a.test/x@main": "https://a.test/x@main",
    "'https://a.test:8443/org/name@main'": "'https://a.test:8443/org/name@main'",
    "'https://u:p w/@a.test/x'": "'https://a.test/x'",
    "https://u:p/w@a.test": "https://a.test",
    "https://u:p": "https://...",
    "https://a.test/x?y=z#s": "https://a.test/x?...",
}


@pytest.mark.parametrize(("text", "shown"), ADDRESSES.items())
def test_addresses_in_a_text(text: str, shown: str) -> None:
    """Addresses stay as they are, less their logins, queries and fragments."""
    assert redact(text) == shown


@pytest.mark.parametrize("text", ["https://u:p w@a.test/x", "hf+https://u:p/w#@a.test/x", "u:p w@a.test/x"])
def test_one_address(text: str) -> None:
    """Of what is one address all before the last `@` is its login."""
    assert bare_address(text).removeprefix("hf+").removeprefix("https://") == "a.test/x"
