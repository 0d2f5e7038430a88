"""Corporate networks: proxies and certificates, from the environment, through the whole of a call, on both carriers."""

from __future__ import annotations

import pytest

from mirrorhub import errors, fetch
from tests.fakehub import FakeHub, Repo
from tests.fakehub.proxy import ConnectProxy, Proxy, Socks5Proxy
from tests.quick import quick

FILES = {"config.json": b"{}", "model.bin": b"m" * 300_000}


def repo() -> Repo:
    """A small repository."""
    return Repo("modelscope", "org/name", FILES)


@pytest.mark.parametrize("kind", [ConnectProxy, Socks5Proxy], ids=["http", "socks5"])
@pytest.mark.parametrize("login", [None, ("me", "pass-word")], ids=["open", "with a password"])
def test_a_proxy(
    kind: type[Proxy], login: tuple[str, str] | None, carrier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTPS_PROXY is used for everything, with its password."""
    with FakeHub([repo()], hosts=["hub.test"]) as hub, kind({"hub.test:443": hub.address}, login=login) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("socks5://", "socks5h://"))
        snapshot = fetch("org/name", endpoints="https://hub.test")
        assert (snapshot.path / "model.bin").read_bytes() == FILES["model.bin"]
        assert set(proxy.targets) == {"hub.test:443"}
        assert len(hub.log.connections) == 1


def test_a_host_without_a_proxy(carrier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY is respected."""
    with FakeHub([repo()]) as hub, ConnectProxy({}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "localhost")
        assert fetch("org/name", endpoints=hub.url).files
        assert proxy.targets == ()


def test_a_proxy_that_refuses(carrier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that refuses is named as such, and its password is not shown."""
    with ConnectProxy({}, login=("me", "right-one")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("right-one", "wrong-one"))
        with pytest.raises(errors.ResolutionError, match=r"[Pp]roxy") as caught:
            fetch("org/name", settings=quick("https://hub.test"))
    assert "wrong-one" not in str(caught.value)


@pytest.mark.parametrize(
    ("cert", "words"),
    [
        ("expired", "certificate has expired"),
        ("self-signed", "self-signed certificate"),
        ("other-host", "certificate is for another host"),
        ("unknown-ca", "unknown issuer"),
    ],
)
def test_a_certificate_that_is_not_accepted(cert: str, words: str, carrier: str) -> None:
    """What is wrong with a certificate is said in the same words by both carriers, with the mend; and asked once."""
    with FakeHub([repo()], cert=cert) as hub, pytest.raises(errors.ResolutionError, match="SSL_CERT_FILE") as caught:
        fetch("org/name", endpoints=hub.url)
    assert words in str(caught.value)
    assert len(caught.value.attempts) == 1


def test_a_hub_that_speaks_http1(carrier: str) -> None:
    """Where ALPN says http/1.1 a few connections do."""
    files = {f"{number}.txt": b"x" * 1000 for number in range(40)}
    with FakeHub([Repo("modelscope", "org/name", files)], alpn=["http/1.1"]) as hub:
        snapshot = fetch("org/name", endpoints=hub.url)
        assert {path.name: path.read_bytes() for path in snapshot.path.iterdir()} == files
        assert len(hub.log.connections) <= 8


def test_many_files_over_one_connection(carrier: str) -> None:
    """Two hundred files, one connection, no HEAD, and the server's stream limit kept."""
    files = {f"{number}.txt": b"x" * number for number in range(200)}
    with FakeHub([Repo("modelscope", "org/name", files)], stream_limit=16) as hub:
        snapshot = fetch("org/name", endpoints=hub.url)
        assert {path.name: path.read_bytes() for path in snapshot.path.iterdir()} == files
        assert (len(hub.log.connections), hub.log.heads, hub.log.violations) == (1, (), ())
        assert hub.log.max_concurrent_streams <= 16
