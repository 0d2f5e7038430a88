"""Where a redirect may lead: outwards, or where the endpoint is itself; never further into the user's own network.

A mirror says where its bytes are, and this machine asks there: so a mirror could have it ask its own services, the
router, or the machine that tells a cloud's passwords. What an address reaches is told from the address alone:

    public      the Internet; also 198.18.0.0/15, which proxies give in place of public addresses
    private     a network of one's own: RFC 1918, unique local, shared (100.64.0.0/10)
    link        the nearest neighbours, and the machines that tell a cloud's passwords, wherever they are
    loopback    this machine, also as 0.0.0.0
    nowhere     groups and what is reserved

A number may be written in many ways (`0x7f.1`, `::ffff:127.0.0.1`); all are read. No IO here: names are looked up by
`Reaches`, over a function that is given to it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable
from enum import Enum

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
LookUp = Callable[[str], Awaitable[Iterable[str]]]
"""Host name -> its addresses, or none where nobody knows it."""
_MAX_NAMES = 1024


class Reach(Enum):
    """What an address reaches; the value is how that is called in a message."""

    PUBLIC = "a public address"
    PRIVATE = "a private address"
    LINK = "a link-local or metadata address"
    LOOPBACK = "this machine itself"
    NOWHERE = "an address that is nobody's"


_METADATA_NAMES = frozenset(
    {
        "metadata",
        "metadata.goog",
        "metadata.google.internal",
        "metadata.azure.internal",
        "metadata.tencentyun.com",
        "instance-data",
        "instance-data.ec2.internal",
    }
)
_LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain", "localhost6", "ip6-localhost", "ip6-loopback"})
_METADATA = "100.100.100.200/32 168.63.129.16/32 192.0.0.192/32 fd00:ec2::254/128 fd20:ce::254/128 fd00:42::42/128"
_NETWORKS = [
    (Reach.LINK, f"{_METADATA} 169.254.0.0/16 fe80::/10"),
    (Reach.LOOPBACK, "127.0.0.0/8 0.0.0.0/8 ::1/128 ::/128"),
    (Reach.PRIVATE, "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 192.0.0.0/24 fc00::/7 fec0::/10"),
    (Reach.NOWHERE, "224.0.0.0/4 240.0.0.0/4 ff00::/8"),
]
_BY_NETWORK = [(ipaddress.ip_network(one), reach) for reach, many in _NETWORKS for one in many.split()]
# IPv6 addresses that stand for an IPv4 one, and how many bits follow it.
_EMBEDDING = [
    (ipaddress.IPv6Network("::/96"), 0),
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("64:ff9b:1::/48"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
]
_TEREDO = ipaddress.IPv6Network("2001::/32")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{0,61}|[0-9]{1,63}")
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


def reach_of(address: Address) -> Reach:
    """Say what an address reaches."""
    if isinstance(address, ipaddress.IPv6Address) and (inner := _embedded(address)) is not None:
        return reach_of(inner)
    return next((reach for network, reach in _BY_NETWORK if address in network), Reach.PUBLIC)


def address_of(host: str) -> Address | None:
    """Read a host that is a number, in any of the ways in which resolvers take one; None where it is a name."""
    try:
        return ipaddress.IPv6Address(host.strip("[]").partition("%")[0]) if ":" in host else _ipv4(host)
    except ValueError:
        return None


def is_host(host: str) -> bool:
    """Whether this is a number or a name that every resolver reads alike: none with percent signs or empty parts."""
    return address_of(host) is not None or (":" not in host and _NAME.fullmatch(_bare(host)) is not None)


def known_reach(host: str) -> Reach | None:
    """Say what a host reaches, where that can be told without a look-up."""
    if (address := address_of(host)) is not None:
        return reach_of(address)
    name = _bare(host)
    if name in _LOCAL_NAMES or name.endswith(".localhost"):
        return Reach.LOOPBACK
    return Reach.LINK if name in _METADATA_NAMES else None


def innermost(addresses: Iterable[str]) -> Reach:
    """Say what a name reaches that has all these addresses: a client may take any of them."""
    reaches = [reach_of(address) for text in addresses if (address := address_of(text)) is not None]
    order = (Reach.LOOPBACK, Reach.LINK, Reach.NOWHERE, Reach.PRIVATE)
    return next((reach for reach in order if reach in reaches), Reach.PUBLIC)


class Reaches:
    """What hosts reach; each name is looked up once in a process, and not at all where a proxy carries requests to it.

    The answer may be another one when the connection is made: whoever has connected compares again, see `Client`.
    """

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._known: dict[str, Reach] = {}

    async def refusal(self, target: str, home: str, *, relayed: bool = False, home_relayed: bool = False) -> str | None:
        """Say why a redirect is not followed, or return None.

        Args:
            target: The host that it leads to.
            home: The host of the endpoint that was asked.
            relayed: A proxy carries requests to the target, and looks its name up.
            home_relayed: It does so for the endpoint: where that is, is not known here.
        """
        if not is_host(target):
            return "is not a host's name"
        known = known_reach(target)
        reach = known or (Reach.PUBLIC if relayed else await self._reach(target))
        # Many a company gives its files' hosts private addresses: by their names they may be reached.
        if reach is Reach.PUBLIC or (known is None and reach is Reach.PRIVATE):
            return None
        return None if await self._is_there(home, reach, relayed=home_relayed) else f"is {reach.value}"

    async def peer_refusal(self, peer: str, target: str, home: str) -> str | None:
        """Say why an answer of this address is not read, or return None: a name may have moved since its look-up."""
        reach = innermost([peer])
        is_fine = reach in (Reach.PUBLIC, Reach.PRIVATE) or reach is known_reach(target)
        if is_fine or await self._is_there(home, reach):
            return None
        return f"led to {peer}, which is {reach.value}"

    async def _is_there(self, home: str, reach: Reach, *, relayed: bool = False) -> bool:
        known = known_reach(home)
        return reach is (known or (Reach.PUBLIC if relayed else await self._reach(home)))

    async def _reach(self, host: str) -> Reach:
        if (known := known_reach(host) or self._known.get(host)) is not None:
            return known
        # A name that nobody knows is not remembered: the carrier says so, and the line may be back next time.
        if not (addresses := list(await self._look_up(host))):
            return Reach.PUBLIC
        if len(self._known) >= _MAX_NAMES:
            self._known.clear()
        return self._known.setdefault(host, innermost(addresses))


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _TEREDO:
        return ipaddress.IPv4Address(~int(address) & 0xFFFFFFFF)
    if int(address) <= 1:
        return None
    shifts = (shift for network, shift in _EMBEDDING if address in network)
    return next((ipaddress.IPv4Address(int(address) >> shift & 0xFFFFFFFF) for shift in shifts), None)


def _ipv4(host: str) -> ipaddress.IPv4Address | None:
    """Read one to four numbers, each decimal, octal or hexadecimal; the last one fills what is left."""
    parts = _bare(host).split(".")
    if len(parts) > 4 or not all(map(_NUMBER.fullmatch, parts)):
        return None
    *first, last = map(_number, parts)
    if any(number > 255 for number in first) or last >= 256 ** (4 - len(first)):
        return None
    return ipaddress.IPv4Address(sum(number << 24 - 8 * place for place, number in enumerate(first)) + last)


def _number(digits: str) -> int:
    if digits[:2].lower() == "0x":
        return int(digits[2:] or "0", 16)
    is_octal = len(digits) > 1 and digits[0] == "0" and not set(digits) & set("89")
    return int(digits, 8 if is_octal else 10)


def _bare(host: str) -> str:
    return host.lower().removesuffix(".")
