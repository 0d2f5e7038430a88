"""An endpoint with a token of its own: named by its variable, in a table or in code, and sent nowhere else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mirrorhub import Endpoint, Settings, fetch
from mirrorhub.cli import main
from mirrorhub.endpoints import endpoints_for
from mirrorhub.errors import AccessDeniedError, ConfigError, PinnedError, ResolutionError, TransferError
from mirrorhub.models import Repo as RepoName
from mirrorhub.tables import described, variable_for
from tests.fakehub import FakeHub, Repo
from tests.fakehub.repo import HubName
from tests.locks import lock_now
from tests.quick import quick

FILES = {"config.json": b"{}"}
SECRET = "theTokenOfTheHouse"
VARIABLES = {"modelscope": "MODELSCOPE_API_TOKEN", "huggingface": "HF_TOKEN"}
NAMES = {"modelscope": "MODELSCOPE_ENDPOINT", "huggingface": "HF_ENDPOINT"}
HUBS: tuple[HubName, ...] = ("modelscope", "huggingface")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Write the config file."""

    def write(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("MIRRORHUB_CONFIG", str(path))
        return path

    return write


def private(hub: HubName) -> FakeHub:
    """A hub of one's own, that shows its repository to whoever has its token."""
    return FakeHub([Repo(hub, "org/name", FILES, private=True)], token=SECRET)


@pytest.mark.parametrize("hub_name", HUBS)
def test_the_lines_of_the_error(
    hub_name: HubName, config: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub behind the SDK's variable is sent no token; the error writes the lines that mend it, and they do."""
    config("")
    monkeypatch.setenv(VARIABLES[hub_name], "theTokenOfTheOfficialHub")
    with private(hub_name) as hub:
        with pytest.raises(ResolutionError) as caught:
            fetch("org/name", hub=hub_name, settings=quick(hub.url))
        assert not hub.log.tokens_seen()
        (lines,) = re.findall(r"\n\n(.*)\n\n", str(caught.value), re.DOTALL)
        config(lines)
        monkeypatch.setenv("LOCALHOST_TOKEN", SECRET)
        monkeypatch.setenv(NAMES[hub_name], hub.url)
        for endpoints in (None, hub.url, [hub.url, "default"]):
            snapshot = fetch("org/name", hub=hub_name, endpoints=endpoints, force_download=True)
            assert snapshot.vouched_by.name == hub.url
        assert "theTokenOfTheOfficialHub" not in str(hub.log.tokens_seen())


@pytest.mark.parametrize("hub_name", HUBS)
def test_in_code(hub_name: HubName, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that is made in code names its variable, too; an empty one is named by the error."""
    monkeypatch.setenv(VARIABLES[hub_name], "theTokenOfTheOfficialHub")
    with private(hub_name) as hub:
        endpoint = Endpoint(hub.url, hub_name, named=True, token_variable="HOUSE_TOKEN")
        with pytest.raises(ResolutionError, match="HOUSE_TOKEN, which its table names, is empty"):
            fetch("org/name", hub=hub_name, settings=quick(endpoint))
        assert not hub.log.tokens_seen()
        monkeypatch.setenv("HOUSE_TOKEN", f" {SECRET}\n")
        assert fetch("org/name", hub=hub_name, settings=quick(endpoint)).files


def test_a_token_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has sent a token is not told to give one, but that it was not accepted."""
    monkeypatch.setenv("HOUSE_TOKEN", "anotherOne")
    with private("huggingface") as hub, pytest.raises(AccessDeniedError, match="was sent a token and does not accept"):
        fetch(
            "hf://org/name", settings=quick(Endpoint(hub.url, "huggingface", named=True, token_variable="HOUSE_TOKEN"))
        )


WRONG = {
    "the token itself": (f'token = "{SECRET}"', "holds no token"),
    "the token for the name": ('token_variable = "hf_ABCDEFGHIJKLMNOPQRSTUVWX"', "name of a variable"),
    "no name": ("token_variable = 5", "name of a variable"),
    "an empty name": ('token_variable = ""', "name of a variable"),
    "both": ('auth = true\ntoken_variable = "HOUSE_TOKEN"', "say one of the two"),
}


@pytest.mark.parametrize(("line", "words"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("form", ['[[endpoint]]\nurl = "a.test"\n{}', 'endpoints = [{{ url = "a.test", {} }}]'])
def test_mistakes_in_a_table(form: str, line: str, words: str, config: Callable[[str], Path]) -> None:
    """A token has no place in the file: the error says where it belongs, and does not repeat it."""
    path = config(form.format(line if "[[" in form else line.replace("\n", ", ")))
    with pytest.raises(ConfigError, match=words) as caught:
        Settings.load()
    assert str(path) in str(caught.value)
    assert not any(secret in str(caught.value) for secret in (SECRET, "hf_ABC"))


@pytest.mark.parametrize("more", [{"token_variable": SECRET}, {"auth": True, "token_variable": "HOUSE_TOKEN"}])
def test_mistakes_in_code(more: dict[str, object]) -> None:
    """The same holds for an endpoint that is made in code."""
    with pytest.raises(ConfigError, match="token") as caught:
        fetch("org/name", endpoints=Endpoint("https://a.test", **more))  # type: ignore[arg-type]
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("value", ["two\nlines", "wide-\uff41"])
@pytest.mark.parametrize("variable", ["HOUSE_TOKEN", "HF_TOKEN", "MODELSCOPE_API_TOKEN"])
def test_a_variable_that_holds_no_token(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no header may hold is refused by the variable's name before anybody is asked, and not shown."""
    monkeypatch.setenv(variable, value)
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        with pytest.raises(ConfigError, match=variable) as caught:
            fetch("org/name", endpoints=Endpoint(hub.url, named=True, token_variable="HOUSE_TOKEN"))
        assert value not in str(caught.value)
        assert not hub.log.requests()


TABLE = '[[endpoint]]\nurl = "https://hub.test"\nhub = "{}"\n{}\n'


@pytest.mark.parametrize("hub_name", HUBS)
@pytest.mark.parametrize("named", [(), ("https://hub.test",), ("hub.test", "default"), ("https://u:p@hub.test/",)])
def test_what_a_table_says_holds(
    hub_name: HubName, named: tuple[str, ...], config: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However an address comes into the chain, its table holds for it; a login that stands there stays."""
    config(TABLE.format(hub_name, 'token_variable = "HOUSE_TOKEN"'))
    monkeypatch.setenv(NAMES[hub_name], "hub.test/")
    chain = endpoints_for(RepoName(hub_name, "org/name"), Settings.load({"endpoints": named or None}))
    (first,) = (one for one in chain if one.address == "https://hub.test")
    assert (first.token_variable, first.named, first.auth) == ("HOUSE_TOKEN", True, False)
    assert first.login == ("u:p" if "u:p@" in "".join(named) else None)


def test_a_table_of_the_hub_itself(config: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The official hub may have a token of its own, too: it stays official, and the other token does not go there."""
    config('[[endpoint]]\nurl = "https://huggingface.co"\nhub = "huggingface"\ntoken_variable = "WORK_TOKEN"\n')
    for named in (None, "default", "https://huggingface.co"):
        chain = endpoints_for(RepoName("huggingface", "org/name"), Settings.load({"endpoints": named}))
        assert (chain[0].official, chain[0].auth, chain[0].token_variable) == (True, False, "WORK_TOKEN")


def test_other_tables_hold_for_nobody_else(config: Callable[[str], Path]) -> None:
    """A table is for its own address and protocol."""
    config(TABLE.format("huggingface", 'token_variable = "HOUSE_TOKEN"'))
    for address in ("https://hub.test:8443", "https://hub.test/other", "http://hub.test", "ms+https://hub.test"):
        chain = endpoints_for(
            RepoName("modelscope", "org/name"), Settings.load({"endpoints": ("ms+https://x.test", address)})
        )
        assert all(one.token_variable is None for one in chain)


def test_what_is_shown(
    config: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`config` names the variable of an endpoint, and whether there is anything in it."""
    config(TABLE.format("huggingface", 'token_variable = "HOUSE_TOKEN"'))
    monkeypatch.setenv("MIRRORHUB_ENDPOINTS", "default")
    for value, shown in ((None, "not set"), (SECRET, "set, not shown")):
        if value:
            monkeypatch.setenv("HOUSE_TOKEN", value)
        assert main(["config"]) == 0
        told = capsys.readouterr().out
        assert re.search(r"tables +https://hub.test \(huggingface, token in HOUSE_TOKEN\) +config file", told)
        assert re.search(rf"HOUSE_TOKEN +{shown}", told)
        assert SECRET not in told


SUGGESTED = {
    "https://hub.corp": "HUB_CORP_TOKEN",
    "https://u:p@hub-1.corp:8443/x": "HUB_1_CORP_TOKEN",
    "https://127.0.0.1": "HUB_127_0_0_1_TOKEN",
    "https://[::1]": "HUB_1_TOKEN",
}


@pytest.mark.parametrize(("url", "name"), SUGGESTED.items())
def test_a_name_for_a_variable(url: str, name: str) -> None:
    """The name that is suggested is one that the file takes, whatever the address."""
    endpoint = Endpoint(url, token_variable=variable_for(Endpoint(url)))
    assert endpoint.token_variable == name
    assert Settings.load({"endpoints": endpoint}).endpoints == (endpoint,)
    assert name in described(endpoint)
    assert name in repr(endpoint)


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside one that is dead"])
@pytest.mark.parametrize("hub_name", HUBS)
def test_a_private_repository_under_a_lock_file(
    hub_name: HubName, beside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a lock file says what there is and nobody lists it, an empty variable is named all the same."""
    place = tmp_path / "mirrorhub.lock"
    with FakeHub([Repo(hub_name, "org/name", FILES)]) as hub:
        lock_now(place, hub, f"{hub_name}:org/name")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "another"))
    with private(hub_name) as hub:
        chain = [Endpoint(hub.url, hub_name, named=True, token_variable="HOUSE_TOKEN")]
        chain += [Endpoint("https://localhost:9", hub_name, named=True)] * beside
        with pytest.raises((PinnedError, TransferError)) as caught:
            fetch("org/name", hub=hub_name, settings=quick(*chain, lockfile=place))
        assert "HOUSE_TOKEN, which its table names, is empty" in str(caught.value)
        monkeypatch.setenv("HOUSE_TOKEN", SECRET)
        assert fetch("org/name", hub=hub_name, settings=quick(*chain, lockfile=place)).vouched_by.kind == "lock"
