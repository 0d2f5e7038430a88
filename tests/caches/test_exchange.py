"""What a version of an SDK stores is found here, and what is stored here it finds: each in its own environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.caches.environments import SDKS, Sdk, here, python_of
from tests.caches.exchange import FILES, Found, exchange, holds, repo_of
from tests.caches.parties import Kind, Party, Wish
from tests.fakehub import FakeHub

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1000)]
KINDS: dict[str, tuple[Kind, ...]] = {
    "modelscope": ("model", "dataset"),
    "huggingface_hub": ("model", "dataset", "space"),
}
CASES = [(sdk, kind) for sdk in SDKS for kind in KINDS[sdk.name] if kind != "dataset" or sdk.data_sets]
READERS = [(sdk, kind) for sdk, kind in CASES if sdk.reads_ours]


def named(case: tuple[Sdk, Kind]) -> str:
    """How a case is called."""
    return f"{case[0]} {case[1]}".replace(" ", "-")


def parties(sdk: Sdk, environments: Path, home: Path) -> tuple[Party, Party]:
    """The SDK and mirrorhub, with one home."""
    return Party(sdk.name, python_of(sdk, environments), home), Party("mirrorhub", here(), home)


def wish_for(sdk: Sdk, kind: Kind, **more: str) -> Wish:
    """Ask for all of a repository, whose name has a dot in it."""
    hub = "huggingface" if sdk.name == "huggingface_hub" else "modelscope"
    return Wish(hub, "org/tiny-0.5B", kind, files=("config.json", "sub/deeper/some text.txt"), **more)


def hit(found: Found) -> None:
    """Everything was found, and nothing asked for again."""
    assert (found.asked, found.bodies, found.whole) == (0, (), True), found


@pytest.mark.parametrize("case", CASES, ids=named)
def test_theirs_is_ours(case: tuple[Sdk, Kind], environments: Path, tmp_path: Path) -> None:
    """What an SDK stored is found where it lies, offline without a request, and online no body is fetched."""
    sdk, kind = case
    them, us = parties(sdk, environments, tmp_path)
    wish = wish_for(sdk, kind)
    with FakeHub([repo_of(wish)]) as hub:
        found = exchange(hub, them, us, wish)
    hit(found)
    assert {found.offline.resolve(), found.online.resolve()} == {found.stored.resolve()}


@pytest.mark.parametrize("case", READERS, ids=named)
def test_ours_is_theirs(case: tuple[Sdk, Kind], environments: Path, tmp_path: Path) -> None:
    """What is stored here an SDK finds at the same place, offline without a request, and online it fetches no body."""
    sdk, kind = case
    them, us = parties(sdk, environments, tmp_path)
    wish = wish_for(sdk, kind)
    with FakeHub([repo_of(wish)]) as hub:
        found = exchange(hub, us, them, wish)
    hit(found)
    assert {found.offline, found.online} == {found.stored}


@pytest.mark.parametrize("place", ["local_dir", "cache_dir"])
@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: str(sdk).replace(" ", "-"))
def test_a_folder_of_theirs(sdk: Sdk, place: str, environments: Path, tmp_path: Path) -> None:
    """A folder that was named to an SDK is a hit when it is named here."""
    them, us = parties(sdk, environments, tmp_path)
    wish = wish_for(sdk, "model", **{place: str(tmp_path / "folder")})
    with FakeHub([repo_of(wish)]) as hub:
        hit(exchange(hub, them, us, wish))


@pytest.mark.parametrize("place", ["local_dir", "cache_dir"])
@pytest.mark.parametrize("sdk", [sdk for sdk in SDKS if sdk.reads_ours], ids=lambda sdk: str(sdk).replace(" ", "-"))
def test_a_folder_of_ours(sdk: Sdk, place: str, environments: Path, tmp_path: Path) -> None:
    """A folder that was named here is a hit when it is named to an SDK."""
    them, us = parties(sdk, environments, tmp_path)
    wish = wish_for(sdk, "model", **{place: str(tmp_path / "folder")})
    with FakeHub([repo_of(wish)]) as hub:
        hit(exchange(hub, us, them, wish))


@pytest.mark.parametrize("sdk", [sdk for sdk in SDKS if sdk.name == "huggingface_hub"], ids=str)
def test_without_links(sdk: Sdk, environments: Path, tmp_path: Path) -> None:
    """Where nobody makes links, files stand in the snapshots, and are found both ways."""
    wish = wish_for(sdk, "model")
    plain = (("HF_HUB_DISABLE_SYMLINKS", "1"),)
    them, us = (
        Party(sdk.name, python_of(sdk, environments), tmp_path / "a", plain),
        Party("mirrorhub", here(), tmp_path / "a", plain),
    )
    with FakeHub([repo_of(wish)]) as hub:
        hit(exchange(hub, them, us, wish))
    them, us = (Party(one.name, one.python, tmp_path / "b", plain) for one in (them, us))
    with FakeHub([repo_of(wish)]) as hub:
        hit(exchange(hub, us, them, wish))


@pytest.mark.parametrize("sdk", [sdk for sdk in SDKS if not sdk.reads_ours], ids=str)
def test_the_next_version_after_us(sdk: Sdk, environments: Path, tmp_path: Path) -> None:
    """A directory of an older modelscope that was completed here stays one for itself, and for the newest one."""
    them, us = parties(sdk, environments, tmp_path)
    newest = Party("modelscope", python_of(SDKS[4], environments), tmp_path)
    wish = wish_for(sdk, "model")
    repo = repo_of(wish)
    repo.commit({".gitattributes": b"*.bin filter=lfs\n"})
    with FakeHub([repo]) as hub:
        stored = them.ask(hub, wish)
        hub.log.clear()
        assert us.ask(hub, wish).resolve() == stored.resolve()
        assert set(hub.log.bytes_sent_by_file()) == {".gitattributes"}
        for party in (newest, them):
            hit(exchange(hub, us, party, wish))
    assert holds(stored, {**FILES, ".gitattributes": b"*.bin filter=lfs\n"})
