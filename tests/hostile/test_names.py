"""A redirect to a name: what the name stands for is looked up before anybody is connected to."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from mirrorhub import fetch
from mirrorhub.errors import TransferError
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import Redirect
from tests.fakehub.rules import Rule
from tests.hostile.attack import FILES, ID, headed
from tests.quick import quick

Book = dict[str, list[str]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The system's name server: it knows some names, and writes down which are asked for."""
    book: Book = {
        "clouds.test": ["169.254.169.254"],
        "router.test": ["203.0.113.9", "fe80::1"],
        "group.test": ["224.0.0.1"],
    }
    names: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: str, port: object, *more: object, **options: object) -> object:
        if not str(host).endswith(".test"):
            return real(host, port, *more, **options)  # type: ignore[call-overload]
        names.append(host)
        if host not in book:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in book[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return names


@pytest.mark.parametrize("name", ["clouds.test", "router.test", "group.test"])
def test_a_redirect_to_a_name_of_inside(name: str, asked: list[str], tmp_path: Path) -> None:
    """A name that leads to a metadata service or a neighbour is not connected to, and the good mirror is used."""
    leading = Rule(Redirect(f"https://{name}/x"), "model.bin")
    with FakeHub([Repo("modelscope", ID, FILES)], [leading]) as bad, FakeHub([Repo("modelscope", ID, FILES)]) as good:
        with pytest.raises(TransferError, match=f"redirected to https://{name}/x: {name} is") as caught:
            fetch(ID, settings=quick(bad.url))
        snapshot = fetch(ID, settings=quick(bad.url, good.url))
    assert bad.url in str(caught.value)
    assert (snapshot.path / "model.bin").read_bytes() == FILES["model.bin"]
    assert set(asked) <= {name}


def test_behind_a_proxy_no_name_is_looked_up(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a proxy carries the requests it looks names up; here only numbers and well-known names are judged."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "localhost")
    for target, words in (("proxied.test", "proxy|connect"), ("169.254.169.254", "metadata")):
        leading = Rule(Redirect(f"https://{target}/x"), "model.bin")
        with FakeHub([Repo("modelscope", ID, FILES)], [leading]) as bad, pytest.raises(TransferError, match=words):
            fetch(ID, settings=quick(bad.url), force_download=True)
    assert asked == []


def test_what_a_mirror_wants_to_be_remembered(carrier: str) -> None:
    """Cookies are given back to nobody, and what a mirror says of other addresses for itself is not followed."""
    wants = {"set_cookie": "spy=1; Path=/; Domain=localhost", "alt_svc": 'h2="localhost:9"; ma=9999'}
    wants |= {"strict_transport_security": "max-age=9999", "refresh": "0; url=https://localhost:9/"}
    faults = [Rule(headed(**wants), kind) for kind in ("listing", "body")]
    with FakeHub([Repo("modelscope", ID, FILES)], faults) as hub, FakeHub([Repo("modelscope", ID, FILES)]) as other:
        for one in (hub, hub, other):
            assert fetch(ID, settings=quick(one.url), force_download=True).verified
        asked = [*hub.log.requests(), *other.log.requests()]
    assert len(asked) == 12
    assert [request.headers.get("cookie") for request in asked] == [None] * 12
    assert len(hub.log.connections) <= 2
