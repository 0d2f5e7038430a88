"""Both carriers, and certificates, for the tests of this folder."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import trustme

from mirrorhub.http.carrier import Kind, build_carrier
from mirrorhub.http.origin import Route

Client = Callable[..., httpx.AsyncClient]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["curl", pytest.param("httpx", marks=pytest.mark.slow)])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each carrier in turn: the one that is asked for by name with the slow tests."""
    kind: Kind = request.param
    return kind


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def server_context(leaf: trustme.LeafCert, *protocols: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    context.set_alpn_protocols(list(protocols or ("h2", "http/1.1")))
    return context


@pytest.fixture(scope="session")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """A server that speaks HTTP/2, and HTTP/1.1 to those who cannot."""
    return server_context(authority.issue_cert("localhost", "127.0.0.1"))


@pytest.fixture(scope="session")
def tls_http1(authority: trustme.CA) -> ssl.SSLContext:
    """A server that speaks only HTTP/1.1."""
    return server_context(authority.issue_cert("localhost", "127.0.0.1"), "http/1.1")


@pytest.fixture
def client(kind: Kind, ca_file: str) -> Client:
    """Build a client over the carrier under test; route options by keyword."""

    def build(timeout: httpx.Timeout | float = 10, **route: object) -> httpx.AsyncClient:
        carrier = build_carrier(kind, Route(**({"ca_file": ca_file} | route)))  # type: ignore[arg-type]
        return httpx.AsyncClient(transport=carrier, timeout=timeout)

    return build


@pytest.fixture
def open_files() -> Callable[[], int]:
    """Count this process's descriptors, where the system tells them."""
    listing = Path("/proc/self/fd")

    def count() -> int:
        return len(list(listing.iterdir())) if listing.exists() else 0

    return count
