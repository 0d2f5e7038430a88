"""Where a redirect may lead: what an address reaches, however it is written, and who may send a request there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from mirrorhub.http.reach import Reach, Reaches, address_of, innermost, is_host, known_reach

HOSTS = [
    ("8.8.8.8", Reach.PUBLIC),
    ("198.18.0.7", Reach.PUBLIC),
    ("[2606:4700::1]", Reach.PUBLIC),
    ("127.0.0.1", Reach.LOOPBACK),
    ("127.255.255.254.", Reach.LOOPBACK),
    ("2130706433", Reach.LOOPBACK),
    ("0x7f000001", Reach.LOOPBACK),
    ("0x7F.1", Reach.LOOPBACK),
    ("0177.0.0.1", Reach.LOOPBACK),
    ("017700000001", Reach.LOOPBACK),
    ("127.1", Reach.LOOPBACK),
    ("127.0.1", Reach.LOOPBACK),
    ("0", Reach.LOOPBACK),
    ("0x", Reach.LOOPBACK),
    ("0.0.0.0", Reach.LOOPBACK),
    ("::1", Reach.LOOPBACK),
    ("[::]", Reach.LOOPBACK),
    ("::ffff:127.0.0.1", Reach.LOOPBACK),
    ("::ffff:7f00:1", Reach.LOOPBACK),
    ("::127.0.0.1", Reach.LOOPBACK),
    ("::ffff:0:127.0.0.1", Reach.LOOPBACK),
    ("64:ff9b::7f00:1", Reach.LOOPBACK),
    ("64:ff9b:1::7f00:1", Reach.LOOPBACK),
    ("2002:7f00:1::", Reach.LOOPBACK),
    ("2001:0:1:2:3:4:80ff:fffe", Reach.LOOPBACK),
    ("localhost", Reach.LOOPBACK),
    ("LOCALHOST.", Reach.LOOPBACK),
    ("mirror.localhost", Reach.LOOPBACK),
    ("10.1.2.3", Reach.PRIVATE),
    ("172.31.0.1", Reach.PRIVATE),
    ("172.32.0.1", Reach.PUBLIC),
    ("192.168.1.1", Reach.PRIVATE),
    ("3232235777", Reach.PRIVATE),
    ("100.64.0.1", Reach.PRIVATE),
    ("fd12::1", Reach.PRIVATE),
    ("64:ff9b::a00:1", Reach.PRIVATE),
    ("169.254.169.254", Reach.LINK),
    ("0xa9fea9fe", Reach.LINK),
    ("100.100.100.200", Reach.LINK),
    ("168.63.129.16", Reach.LINK),
    ("192.0.0.192", Reach.LINK),
    ("fd00:ec2::254", Reach.LINK),
    ("fe80::1%eth0", Reach.LINK),
    ("metadata.google.internal", Reach.LINK),
    ("224.0.0.1", Reach.NOWHERE),
    ("255.255.255.255", Reach.NOWHERE),
    ("ff02::1", Reach.NOWHERE),
    ("mirror.test", None),
    ("256.1.1.1", None),
    ("1.2.3.4.5", None),
    ("4294967296", None),
]


@pytest.mark.parametrize(("host", "reach"), HOSTS, ids=[host for host, _ in HOSTS])
def test_what_a_host_reaches(host: str, reach: Reach | None) -> None:
    """A number says what it reaches in every way of writing it; of a name it is told by looking it up."""
    assert known_reach(host) is reach


@pytest.mark.parametrize("host", ["%31%32%37.0.0.1", "a..b", "", "a b", "a/b", "evil.test:80", "x\n.test"])
def test_what_is_no_host(host: str) -> None:
    """What one program reads as a name and another one as a number is taken for neither."""
    assert address_of(host) is None
    assert not is_host(host)


def test_a_name_with_several_addresses() -> None:
    """A name reaches as far inside as any of its addresses does."""
    assert innermost(["8.8.8.8", "::1"]) is Reach.LOOPBACK
    assert innermost(["8.8.8.8", "10.0.0.1"]) is Reach.PRIVATE
    assert innermost(["8.8.8.8", "no address"]) is Reach.PUBLIC


BOOK = {
    "mirror.test": ["203.0.113.5"],
    "inside.test": ["10.0.0.8"],
    "here.test": ["127.0.0.1"],
    "fake.test": ["198.18.0.9"],
    "clouds.test": ["169.254.169.254"],
    "both.test": ["203.0.113.5", "::1"],
}
FOLLOWED = [
    ("mirror.test", "data.test"),
    ("mirror.test", "8.8.8.8"),
    ("mirror.test", "inside.test"),
    ("mirror.test", "fake.test"),
    ("mirror.test", "nobody-knows-it.test"),
    ("inside.test", "inside.test"),
    ("inside.test", "10.9.9.9"),
    ("10.0.0.1", "192.168.0.1"),
    ("10.0.0.1", "mirror.test"),
    ("localhost", "127.0.0.1"),
    ("127.0.0.1", "here.test"),
    ("here.test", "localhost"),
]
REFUSED = [
    ("mirror.test", "10.0.0.1", "a private address"),
    ("mirror.test", "127.0.0.1", "this machine itself"),
    ("mirror.test", "here.test", "this machine itself"),
    ("mirror.test", "both.test", "this machine itself"),
    ("mirror.test", "169.254.169.254", "metadata"),
    ("mirror.test", "clouds.test", "metadata"),
    ("mirror.test", "224.0.0.1", "nobody's"),
    ("10.0.0.1", "localhost", "this machine itself"),
    ("10.0.0.1", "169.254.169.254", "metadata"),
    ("localhost", "10.0.0.1", "a private address"),
    ("localhost", "100.100.100.200", "metadata"),
    ("mirror.test", "%31%32%37.0.0.1", "not a host's name"),
]


class Book:
    """A name server that counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def look_up(self, host: str) -> Iterable[str]:
        self.asked.append(host)
        return BOOK.get(host, [])


def refusal(home: str, target: str, *, relayed: bool = False) -> str | None:
    """What is said about one redirect."""
    return asyncio.run(Reaches(Book().look_up).refusal(target, home, relayed=relayed))


@pytest.mark.parametrize(("home", "target"), FOLLOWED)
def test_redirects_that_are_followed(home: str, target: str) -> None:
    """A redirect leads outwards, or to where the endpoint is; by its name a host may have a private address."""
    assert refusal(home, target) is None


@pytest.mark.parametrize(("home", "target", "words"), REFUSED)
def test_redirects_that_are_not(home: str, target: str, words: str) -> None:
    """A redirect into the user's own network is refused, and what is there is said."""
    assert words in str(refusal(home, target))


def test_behind_a_proxy() -> None:
    """Where a proxy carries the requests no name is looked up here; what a number reaches is known all the same."""
    book = Book()
    reaches = Reaches(book.look_up)
    assert asyncio.run(reaches.refusal("here.test", "mirror.test", relayed=True)) is None
    assert asyncio.run(reaches.refusal("127.0.0.1", "mirror.test", relayed=True, home_relayed=True))
    assert book.asked == []


def test_a_name_is_looked_up_once() -> None:
    """However many files come from a data host, its name is looked up once; one that nobody knew, again."""
    book = Book()
    reaches = Reaches(book.look_up)
    for host in ("mirror.test", "inside.test", "unknown.test") * 3:
        assert asyncio.run(reaches.refusal(host, "home.test")) is None
    assert book.asked == ["mirror.test", "inside.test", *["unknown.test"] * 3]


def test_a_name_that_has_moved() -> None:
    """An answer from inside is not read, whatever the name's look-up said before the connection was made."""
    reaches = Reaches(Book().look_up)
    assert "led to 127.0.0.1" in str(asyncio.run(reaches.peer_refusal("127.0.0.1", "data.test", "mirror.test")))
    assert asyncio.run(reaches.peer_refusal("10.0.0.1", "data.test", "mirror.test")) is None
    assert asyncio.run(reaches.peer_refusal("127.0.0.1", "data.test", "here.test")) is None
    assert asyncio.run(reaches.peer_refusal("127.0.0.1", "localhost", "127.0.0.1")) is None


def test_an_endpoint_beside_the_proxy() -> None:
    """A hub that is asked without the proxy is known to be inside, though the proxy carries what it redirects to."""
    reaches = Reaches(Book().look_up)
    assert asyncio.run(reaches.refusal("10.9.9.9", "inside.test", relayed=True)) is None
    assert asyncio.run(reaches.refusal("10.9.9.9", "inside.test", relayed=True, home_relayed=True))
