"""Who sees which secret: a table computed by a rule of a few lines, against every header that every host recorded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from mirrorhub import Endpoint, Settings, fetch, file_download, install, resolve
from mirrorhub.api import bench, outlook, preview
from mirrorhub.errors import ChainError
from tests.fakehub import FakeHub, Repo
from tests.fakehub.dialects import Relink
from tests.fakehub.repo import HubName
from tests.fakehub.rules import Rule
from tests.quick import IMPATIENT
from tests.tokens.receivers import RECEIVERS, Given, Scene, may_see
from tests.tokens.secrets import SECRETS, found_in

HUBS: tuple[HubName, ...] = ("modelscope", "huggingface")
TOKENS: dict[Given, str | bool | None] = {"argument": SECRETS["argument"], "stored": None, "none": False}
BESIDE: dict[str, Any] = {"headers": {"x-house": SECRETS["header"]}, "cookies": {"session": SECRETS["cookie"]}}
Configure = Callable[[HubName], None]
Store = Callable[..., None]


def expected(scene: Scene, hub: HubName, given: Given) -> dict[str, set[str]]:
    """What everybody who was asked may have seen, and so has."""
    return {one.host: may_see(one, hub, given) for one in RECEIVERS if one.host in scene.seen()}


def quick(*endpoints: Endpoint) -> Settings:
    """The settings of environment and config file, for whoever has no time."""
    return Settings.load({"patience": IMPATIENT, "endpoints": endpoints or None})


IN_VARIABLES: dict[str, str] = {}
CASES: list[Any] = [
    ("huggingface", "argument", IN_VARIABLES),
    ("huggingface", "stored", IN_VARIABLES),
    pytest.param("huggingface", "none", IN_VARIABLES, marks=pytest.mark.slow),
    pytest.param("modelscope", "argument", IN_VARIABLES, marks=pytest.mark.slow),
    ("modelscope", "none", IN_VARIABLES),
    pytest.param(
        "huggingface",
        "stored",
        {"huggingface": "HUGGING_FACE_HUB_TOKEN", "modelscope": "login"},
        marks=pytest.mark.slow,
    ),
    ("modelscope", "stored", {"modelscope": "login", "huggingface": "login"}),
]


@pytest.mark.parametrize(("hub", "given", "where"), CASES, ids=str)
def test_who_sees_what(
    hub: HubName, given: Given, where: dict[str, str], scene: Scene, configured: Configure, stored: Store, carrier: str
) -> None:
    """Each secret reaches whom it is for and nobody else: no mirror, data host, other port, sub domain, proxy."""
    configured(hub)
    stored(**where)
    snapshot = fetch("org/name", hub=hub, settings=quick(), token=TOKENS[given], **BESIDE)
    assert [share.endpoint for share in snapshot.reports[-1].shares] == ["https://last.test"]
    assert scene.seen() == expected(scene, hub, given)
    assert set(scene.seen()) == {one.host for one in RECEIVERS}
    assert found_in(*scene.proxy.heads) == {"proxy"}


def by_the_face(hub: HubName, token: Any) -> None:
    """The drop-in functions, which take no settings of ours."""
    from mirrorhub import huggingface_hub, modelscope

    face = huggingface_hub if hub == "huggingface" else modelscope
    face.snapshot_download("org/name", token=token)


def by_the_sdk(hub: HubName, token: Any) -> None:
    """The SDK's own functions, led along the chain; a token that it has stored comes with its questions."""
    import huggingface_hub
    import modelscope

    with install():
        if hub == "modelscope":
            modelscope.snapshot_download("org/name", token=token)
        else:
            huggingface_hub.snapshot_download("org/name", token=token)
            assert huggingface_hub.file_exists("org/name", "config.json", token=token)


WAYS: dict[str, Callable[[HubName, Any], object]] = {
    "resolve": lambda hub, token: resolve("org/name", hub=hub, settings=quick(), token=token, **BESIDE),
    "preview": lambda hub, token: preview("org/name", hub=hub, settings=quick(), token=token, **BESIDE),
    "one file": lambda hub, token: file_download(
        "org/name", "model.bin", hub=hub, settings=quick(), token=token, **BESIDE
    ),
    "a probe": lambda hub, token: outlook("org/name", probe=True, hub=hub, settings=quick(), token=token, **BESIDE),
    "a comparison": lambda hub, token: bench(
        "org/name", rounds=1, limit=100_000, hub=hub, settings=quick(), token=token, **BESIDE
    ),
    "the faces": by_the_face,
    "the SDKs": by_the_sdk,
}
WITHOUT_HEADERS = ("the faces", "the SDKs")


QUICK = ("a probe", "the SDKs")
"""Of one hub these are enough by default."""
BOTH: list[Any] = [(way, "huggingface") for way in WAYS]
BOTH += [pytest.param(way, "modelscope", marks=[] if way in QUICK else pytest.mark.slow) for way in WAYS]


@pytest.mark.parametrize(("way", "hub"), BOTH)
def test_every_way_of_asking(way: str, hub: HubName, scene: Scene, configured: Configure, stored: Store) -> None:
    """Whatever asks, a download, a look, a comparison, the faces or the SDKs themselves: the same rule holds."""
    configured(hub)
    stored()
    WAYS[way](hub, TOKENS["argument"])
    unsaid = {"header"} if way in WITHOUT_HEADERS else set()
    assert scene.seen() == {host: seen - unsaid for host, seen in expected(scene, hub, "argument").items()}
    official = "huggingface.co" if hub == "huggingface" else "modelscope.cn"
    assert {"named.test", "login.test", "marked.test", "own.test", official, "last.test"} <= set(scene.seen())


@pytest.mark.parametrize("hub", HUBS)
def test_the_one_endpoint(hub: HubName, scene: Scene, configured: Configure, stored: Store) -> None:
    """An endpoint that is given with the call, and alone, sees the token that was given with it, and no other."""
    configured(hub)
    stored()
    for address in ("https://marked.test", "https://own.test", "https://named.test"):
        for token, own in ((SECRETS["argument"], {"argument", "header"}), (None, None)):
            scene.clear()
            with pytest.raises(ChainError):
                fetch("org/name", hub=hub, endpoints=address, token=token, timeout=5, **BESIDE)
            host = address.removeprefix("https://")
            usual = {"marked.test": {hub, "header"}, "own.test": {"own", "header"}, "named.test": {"header"}}
            assert scene.seen() == {host: own or usual[host]}


def test_an_address_without_tls(scene: Scene, configured: Configure, stored: Store) -> None:
    """The hub's own name without TLS is not the hub: no stored token goes there; one that was given with it does."""
    configured("modelscope")
    stored()
    scene.proxy.routes["modelscope.cn:80"] = scene.hubs["plain.test"].address
    for token, seen in ((None, set()), (SECRETS["argument"], {"argument"})):
        scene.clear()
        with pytest.raises(ChainError):
            fetch("org/name", endpoints="http://modelscope.cn", token=token, timeout=5)
        assert scene.seen() == {"plain.test": seen}


def test_an_address_without_tls_that_is_marked(scene: Scene, stored: Store) -> None:
    """What was said of the very address holds for one without TLS, too: it sees its token."""
    stored()
    endpoint = Endpoint("http://plain.test", "huggingface", auth=True, named=True)
    with pytest.raises(ChainError):
        fetch("hf://org/name", settings=quick(endpoint))
    assert scene.seen() == {"plain.test": {"huggingface"}}


@pytest.mark.parametrize("elsewhere", ["https://data.test", None], ids=["on another host", "on its own"])
def test_the_next_page(elsewhere: str | None, scene: Scene, stored: Store) -> None:
    """A token goes along to the next page of a listing on the same host, and to no page elsewhere."""
    stored()
    host = "pages-elsewhere.test" if elsewhere else "pages.test"
    repo = Repo("huggingface", "org/name", {f"{number}.txt": b"x" for number in range(4)})
    relink = [Rule(Relink(f'<{elsewhere}/pages?{{query}}>; rel="next"'), "listing")] if elsewhere else []
    with FakeHub([repo], relink, page_size=2, hosts=[host]) as hub, suppress(ChainError):
        scene.proxy.routes[f"{host}:443"] = hub.address
        settings = quick(Endpoint(f"https://{host}", "huggingface", auth=True, named=True))
        fetch("hf://org/name", settings=settings)
    listings = hub.log.requests(kind="listing")
    assert [found_in(str(one.headers)) for one in listings] == [{"huggingface"}] * (1 if elsewhere else 2)
    assert scene.seen() == ({"data.test": set()} if elsewhere else {})
