"""Everybody who could be told a secret, each a host of its own behind one proxy, and what each of them may see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import Redirect
from tests.fakehub.proxy import ConnectProxy
from tests.fakehub.repo import HubName, sample_bytes
from tests.fakehub.rules import Rule
from tests.tokens.secrets import SECRETS, found_in

FILES = {"config.json": b"{}", "model.bin": sample_bytes("model", 20_000)}
NOWHERE = Redirect("ftp://nowhere.test")
"""A failure after which others are asked, in order, and nobody for a second time."""
Role = Literal["official", "marked", "own", "login", "nobody"]
Given = Literal["argument", "stored", "none"]
"""`token=` of the call: a text; not given, so that the environment or a login has its say; False."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A host that is asked in the call: what it is, and of which hub; None for both."""

    host: str
    role: Role = "nobody"
    hub: HubName | None = None
    sends_to: str = ""
    tls: bool = True


RECEIVERS = (
    Receiver("named.test"),
    Receiver("login.test", "login"),
    Receiver("marked.test", "marked", sends_to="https://marked.test:8443"),
    Receiver("marked.test:8443", sends_to="https://sub.marked.test"),
    Receiver("sub.marked.test", sends_to="https://marked.test/back"),
    Receiver("own.test", "own"),
    Receiver("plain.test", tls=False),
    Receiver("variable.test"),
    Receiver("huggingface.co", "official", "huggingface", sends_to="https://data.test"),
    Receiver("hf-mirror.com"),
    Receiver("modelscope.cn", "official", "modelscope", sends_to="https://data.test"),
    Receiver("modelscope.ai"),
    Receiver("data.test"),
    Receiver("last.test"),
)
CONFIG = """
endpoints = [
    "{named}",
    "https://user:{login}@login.test",
    {{ url = "https://marked.test", hub = "{hub}", auth = true }},
    {{ url = "https://own.test", hub = "{hub}", token_variable = "OWN_TOKEN" }},
    "http://plain.test",
    "default",
    "https://last.test",
]
"""
ALIASES = '[[content]]\nrepos = ["modelscope:org/name", "huggingface:org/name"]\n'


def may_see(receiver: Receiver, hub: HubName, given: Given) -> set[str]:
    """Say what a receiver may see of a call for a hub's repository: the rule, in a few lines.

    A given token is for its own hub: to the official one and to who is marked. Else these see the stored one of their
    own hub. Who names a variable sees what is in it; who has a login in the address sees that. Nobody else sees any.
    """
    kind = receiver.hub or hub
    match receiver.role:
        case "official" | "marked":
            token = {"argument": {"argument"} if kind == hub else set(), "stored": {kind}, "none": set()}[given]
            return token | ({"header"} if kind == hub else set())
        case "own":
            return set() if given == "none" else {"own"}
        case "login":
            return {"login"}
    return set()


@dataclass(frozen=True, slots=True)
class Scene:
    """Everybody, and the proxy that leads to them."""

    hubs: Mapping[str, FakeHub]
    proxy: ConnectProxy

    def clear(self) -> None:
        """Forget what was asked."""
        self.proxy.clear()
        for hub in self.hubs.values():
            hub.log.clear()

    def seen(self) -> dict[str, set[str]]:
        """Name what each receiver that was asked has seen: in addresses, headers, or anything else of a request."""
        asked = {host: hub.log.requests() for host, hub in self.hubs.items()}
        return {
            host: found_in(*(f"{one.path} {one.query} {one.headers}" for one in requests))
            for host, requests in asked.items()
            if requests
        }


@contextmanager
def everybody() -> Iterator[Scene]:
    """Start all receivers. All but the last fail, so that each of them is asked before it."""
    with ExitStack() as stack:
        hubs = {one.host: stack.enter_context(_hub(one)) for one in RECEIVERS}
        routes = {_target(one): hubs[one.host].address for one in RECEIVERS}
        yield Scene(hubs, stack.enter_context(ConnectProxy(routes, login=("user", SECRETS["proxy"]))))


def _hub(receiver: Receiver) -> FakeHub:
    repos = [Repo(hub, "org/name", FILES, lfs=("*.bin",)) for hub in ("modelscope", "huggingface")]
    elsewhere = Redirect(f"{receiver.sends_to}{{target}}") if receiver.sends_to else NOWHERE
    faults = [Rule(NOWHERE, "listing"), Rule(NOWHERE, "revision"), Rule(NOWHERE, "/back"), Rule(elsewhere, "body")]
    host = receiver.host.partition(":")[0]
    return FakeHub(repos, [] if receiver.host == "last.test" else faults, name=host, hosts=[host], tls=receiver.tls)


def _target(receiver: Receiver) -> str:
    return receiver.host if ":" in receiver.host else f"{receiver.host}:{443 if receiver.tls else 80}"
