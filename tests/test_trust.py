"""`trust` at its four levels: where it is said, whose word is taken, and what of that is taken again from disk."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mirrorhub import Endpoint, Settings, fetch, resolve
from mirrorhub.cli import main
from mirrorhub.errors import ConfigError, MirrorHubError, NotCachedError, PinnedError, ResolutionError
from mirrorhub.lockfile import LockedRepo, LockFile
from mirrorhub.lockfile.writing import save_lock
from mirrorhub.models import FileEntry, Trust, Voucher, VoucherKind
from mirrorhub.models import Repo as RepoName
from mirrorhub.recall import is_believed
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import NoDigests, Status
from tests.fakehub.rules import Fault
from tests.quick import quick

HONEST, LIE = b"what the hub holds", b"what a liar holds!"
LEVELS: tuple[Trust, ...] = ("lock", "official", "auto", "any")
PULL = frozenset({"pull"})
Outcome = tuple[str, bytes] | type[MirrorHubError]


@contextmanager
def chain(scene: str) -> Iterator[list[Endpoint]]:
    """A chain of two: a liar, a mirror or one that the user named, before the hub itself, honest, silent or brief."""
    liar, _, hub = scene.partition(", ")
    faults: list[Fault] = {"silent": [Status(500)], "without digests": [NoDigests()]}.get(hub.partition(" ")[2], [])
    lying, honest = ({"a.bin": content} for content in (LIE, HONEST))
    with (
        FakeHub([Repo("modelscope", "org/name", lying, lfs=("*.bin",))], name="a") as one,
        FakeHub([Repo("modelscope", "org/name", honest, lfs=("*.bin",))], faults, name="b") as other,
    ):
        first = Endpoint(one.url, named=True) if liar == "named" else Endpoint(one.url, can=PULL)
        yield [first, Endpoint(other.url, official=True)]


# The scene; and for each level of trust whose word is taken and what comes, or the error.
SCENES: dict[str, tuple[Outcome, Outcome, Outcome, Outcome]] = {
    "mirror, hub honest": (PinnedError, ("official", HONEST), ("official", HONEST), ("mirror", LIE)),
    "mirror, hub silent": (PinnedError, ResolutionError, ("mirror", LIE), ("mirror", LIE)),
    "named, hub honest": (PinnedError, ("official", HONEST), ("named", LIE), ("named", LIE)),
    "named, hub silent": (PinnedError, ResolutionError, ("named", LIE), ("named", LIE)),
}
ROWS = [(scene, trust, outcome) for scene, row in SCENES.items() for trust, outcome in zip(LEVELS, row, strict=True)]


@pytest.mark.parametrize(("scene", "trust", "expected"), ROWS, ids=[f"{scene}, {trust}" for scene, trust, _ in ROWS])
def test_whose_word_is_taken(scene: str, trust: Trust, expected: Outcome, caplog: pytest.LogCaptureFixture) -> None:
    """A mirror is the only word where nobody else's counts or can be had; at `auto` that is said in one warning."""
    caplog.set_level(logging.WARNING, "mirrorhub")
    with chain(scene) as endpoints:
        settings = quick(*endpoints, trust=trust)
        if isinstance(expected, type):
            with pytest.raises(expected):
                fetch("org/name", settings=settings)
            return
        snapshot = fetch("org/name", settings=settings)
    assert (snapshot.vouched_by.kind, (snapshot.path / "a.bin").read_bytes()) == expected
    warnings = [one.getMessage() for one in caplog.records if "own word" in one.getMessage()]
    assert len(warnings) == (1 if (trust, expected[0]) == ("auto", "mirror") else 0)


def test_a_chain_without_the_hub() -> None:
    """Where the chain has nobody whose word counts nobody is asked, and the error says so."""
    with (
        chain("named, hub honest") as (named, _),
        pytest.raises(ResolutionError, match="trust is 'official'") as caught,
    ):
        fetch("org/name", settings=quick(named, trust="official"))
    assert str(named) in str(caught.value)
    assert "`default`" in str(caught.value)


@pytest.mark.parametrize("scene", ["mirror, hub honest", "named, hub honest"])
@pytest.mark.parametrize("trust", LEVELS)
def test_what_is_locked(scene: str, trust: Trust, tmp_path: Path) -> None:
    """What a lock file says counts before everybody's word, at every level; whoever has other bytes is left."""
    entry = FileEntry("a.bin", len(HONEST), sha256(HONEST))
    save_lock(
        tmp_path / "mirrorhub.lock", LockFile((LockedRepo(RepoName("modelscope", "org/name"), "master", (entry,)),))
    )
    with chain(scene) as endpoints:
        settings = quick(*endpoints, trust=trust, lockfile=str(tmp_path / "mirrorhub.lock"))
        snapshot = fetch("org/name", settings=settings)
    assert (snapshot.vouched_by.kind, (snapshot.path / "a.bin").read_bytes()) == ("lock", HONEST)


@pytest.mark.parametrize("trust", LEVELS[1:])
def test_a_hub_that_tells_no_digests(trust: Trust) -> None:
    """Whoever's word it is: without a digest nothing can be compared, and the snapshot says so."""
    with chain("mirror, hub without digests") as (_, hub):
        snapshot = fetch("org/name", settings=quick(hub, trust=trust))
    assert (snapshot.vouched_by.kind, snapshot.verified) == ("official", False)


BELIEVED: dict[VoucherKind, tuple[bool, bool, bool, bool]] = {
    "lock": (True, True, True, True),
    "pin": (True, True, True, True),
    "official": (False, True, True, True),
    "named": (False, False, True, True),
    "mirror": (False, False, True, True),
    "nobody": (False, False, False, True),
}


@pytest.mark.parametrize(("kind", "row"), BELIEVED.items())
def test_whose_word_counts_on_disk(kind: VoucherKind, row: tuple[bool, ...]) -> None:
    """Each level takes what the one before it takes, and more."""
    assert tuple(is_believed(Voucher(kind), trust) for trust in LEVELS) == row


@pytest.mark.parametrize("scene", ["mirror, hub silent", "named, hub silent"])
def test_what_is_taken_from_disk(scene: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What a mirror vouched for is used offline at `auto`, and told of as its word; at `official` it is not there."""
    kind = scene.partition(",")[0]
    with chain(scene) as endpoints:
        fetch("org/name", settings=quick(*endpoints))
        with pytest.raises(ResolutionError):  # nor when nobody can be asked
            fetch("org/name", settings=quick(*endpoints, trust="official"))
    assert fetch("org/name", settings=quick(*endpoints, offline=True)).vouched_by.kind == kind
    for act in (fetch, resolve):
        with pytest.raises(NotCachedError, match=rf"\({kind} https.*does not count: trust is 'official' \(argument\)"):
            act("org/name", settings=quick(*endpoints, offline=True, trust="official"))
    assert main(["cache", "list", "--json"]) == 0
    assert f'"vouched_by": "{kind} {endpoints[0]}"' in capsys.readouterr().out
    assert main(["why", "org/name", "--json"]) == 0
    assert f"{kind} {endpoints[0]}" in capsys.readouterr().out
    assert main(["download", "org/name", "--offline"]) == 0
    assert f"vouched for by: {kind} {endpoints[0]}" in capsys.readouterr().err


def test_what_an_sdk_has_stored(tmp_path: Path) -> None:
    """What nobody has vouched for is used offline at `auto`; whoever trusts the hub alone is not given it."""
    folder = tmp_path / "ms" / "models" / "org--name" / "snapshots" / "master"
    folder.mkdir(parents=True)
    (folder / "a.bin").write_bytes(LIE)
    assert fetch("org/name", local_files_only=True).vouched_by.kind == "nobody"
    with pytest.raises(NotCachedError, match="nobody"):
        fetch("org/name", local_files_only=True, trust="official")


def test_a_higher_level_mends() -> None:
    """What a mirror has brought is not what the hub holds: asked for at `official`, the hub's files take its place."""
    with chain("mirror, hub honest") as endpoints:
        assert (fetch("org/name", settings=quick(*endpoints, trust="any")).path / "a.bin").read_bytes() == LIE
        snapshot = fetch("org/name", settings=quick(*endpoints, trust="official"))
        assert (snapshot.path / "a.bin").read_bytes() == HONEST
        again = fetch("org/name", settings=quick(*endpoints, trust="official", offline=True))
        assert again.vouched_by.kind == "official"


WHERE = ["argument", "MIRRORHUB_TRUST", "config file"]


@pytest.mark.parametrize("trust", LEVELS)
@pytest.mark.parametrize("where", WHERE)
def test_where_it_is_said(where: str, trust: Trust, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an argument, the environment, the config file: the first of these that says anything holds."""
    others: list[Trust] = [one for one in LEVELS if one != trust]
    place = WHERE.index(where)
    said = [None] * place + [trust] + others[: 2 - place]
    (tmp_path / "config.toml").write_text(f'trust = "{said[2]}"' if said[2] else "", encoding="utf-8")
    monkeypatch.setenv("MIRRORHUB_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("MIRRORHUB_TRUST", said[1] or "")
    settings = Settings.load({"trust": said[0]})
    assert (settings.trust, settings.sources["trust"]) == (trust, where)


@pytest.mark.parametrize("command", [["download", "org/name"], ["endpoints", "org/name"], ["run", "-c", "pass"]])
def test_on_the_command_line(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """`--trust` takes the four levels, and names them where it is given another."""
    assert main([command[0], "--trust", "everybody", *command[1:]]) == 2
    told = capsys.readouterr().err
    assert all(f"'{level}'" in told for level in LEVELS)


@pytest.mark.parametrize("wrong", ["everybody", "Official", "0", 5, True, ["auto"]], ids=str)
def test_levels_that_are_none(wrong: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another word is refused wherever it is said, by the name of that place, with the four that there are."""
    (tmp_path / "config.toml").write_text(
        f"trust = {str(wrong).lower() if wrong is True else wrong!r}", encoding="utf-8"
    )
    with pytest.raises(ConfigError, match=r"argument: trust.*lock, official, auto, any"):
        fetch("org/name", trust=wrong)  # type: ignore[arg-type]
    monkeypatch.setenv("MIRRORHUB_CONFIG", str(tmp_path / "config.toml"))
    with pytest.raises(ConfigError, match=r"config file: trust.*lock, official, auto, any"):
        fetch("org/name")
    monkeypatch.setenv("MIRRORHUB_TRUST", str(wrong))
    with pytest.raises(ConfigError, match=r"MIRRORHUB_TRUST: trust.*lock, official, auto, any"):
        fetch("org/name")


def test_nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable says nothing."""
    monkeypatch.setenv("MIRRORHUB_TRUST", " ")
    assert Settings.load().trust == "auto"


def sha256(data: bytes) -> str:
    """The digest of bytes."""
    return hashlib.sha256(data).hexdigest()
