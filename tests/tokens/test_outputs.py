"""What is told of a call with every kind of secret in it: logs, errors, values, files, every command."""

from __future__ import annotations

import json
import logging
import pickle
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from mirrorhub import Endpoint, Settings, fetch
from mirrorhub.call import call_of
from mirrorhub.chain import Chain
from mirrorhub.cli import main
from mirrorhub.contacts import Contacts
from mirrorhub.errors import AccessDeniedError, ChainError
from mirrorhub.models import Repo as RepoName
from mirrorhub.models import SnapshotRequest
from mirrorhub.secret import Secret
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import Status
from tests.fakehub.repo import HubName
from tests.quick import IMPATIENT
from tests.tokens.receivers import Scene
from tests.tokens.secrets import SECRETS, found_in

Configure = Callable[[HubName], None]
Store = Callable[..., None]
Capture = pytest.CaptureFixture[str]
INPUTS = frozenset({"config.toml", "hf-token", "cookies", "netrc", ".netrc"})
"""Files that hold secrets because the user, or a login, has put them there."""


@pytest.fixture
def ready(scene: Scene, configured: Configure, stored: Store) -> Scene:
    """Everything that a call for a Hugging Face repository could tell is there to be told."""
    configured("huggingface")
    stored()
    return scene


def in_our_frames(error: BaseException) -> set[str]:
    """Name the secrets that the frames of the library hold openly; those of whoever called are his own."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [str(frame.locals) for frame in told.stack if "/mirrorhub/" in frame.filename.replace("\\", "/")]
    assert ours
    return found_in(*ours)


def files_below(folder: Path) -> dict[str, str]:
    """Every file that was written, but for those that held a secret before."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name not in INPUTS)
    return {str(path): path.read_bytes().decode("latin-1") + str(path) for path in paths}


def test_logs_and_files(ready: Scene, carrier: str, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """With every logger of the process at DEBUG none tells a secret, and no file that is written holds one."""
    caplog.set_level(logging.DEBUG)
    for name in ("mirrorhub", "hpack", "hpack.hpack", "hpack.table", "h2", "httpcore", "httpx", "asyncio", "curl_cffi"):
        caplog.set_level(logging.DEBUG, name)
    options: dict[str, Any] = {"token": SECRETS["argument"], "headers": {"x-house": SECRETS["header"]}}
    snapshot = fetch("hf://org/name", settings=Settings.load({"patience": IMPATIENT}), **options)
    # The hubs of this test unpack headers in the same process, with the same library.
    ours = [record for record in caplog.records if not str(record.threadName).startswith("fakehub")]
    logged = [caplog.handler.format(record) for record in ours]
    assert any("nowhere.test" in line for line in logged)
    assert found_in(*logged) == set()
    written = files_below(tmp_path)
    assert any("published" in path for path in written)
    assert {path: found for path, text in written.items() if (found := found_in(text))} == {}
    assert found_in(repr(snapshot), json.dumps(asdict(snapshot), default=str)) == set()


def test_values(ready: Scene) -> None:
    """No value shows a secret when it is printed, as a whole or in parts, and settings do not when they are listed."""
    settings = Settings.load()
    call = call_of("hf://org/name", None, None, {"token": SECRETS["argument"], "headers": {"x-a": SECRETS["header"]}})
    endpoint = Endpoint(f"https://user:{SECRETS['login']}@a.test", token_variable="OWN_TOKEN")
    tokens = {name: value for name, value in asdict(settings).items() if "token" in name}
    told = [repr(settings), repr(settings.rows()), repr(call), repr(call.settings), repr(endpoint), f"{endpoint}"]
    assert found_in(*told, repr(tokens), repr(call.request.token)) == set()
    assert settings.own_tokens == {"OWN_TOKEN": SECRETS["own"]}


def test_a_secret_is_a_text() -> None:
    """A secret is sent as it is, compares like any text, survives a pickle, and shows itself to nobody."""
    secret = Secret("abc")
    assert (f"{secret}", secret, pickle.loads(pickle.dumps(secret))) == ("abc", "abc", "abc")
    assert (repr(secret), repr({"token": secret})) == ("'***'", "{'token': '***'}")


GIVEN: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a token": {"token": SECRETS["argument"]},
    "a header": {"headers": {"x-house": SECRETS["header"]}},
}
NAMES = {"token": "argument", "headers": "header"}


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
@pytest.mark.parametrize("hub_name", ["modelscope", "huggingface"])
def test_errors(hub_name: HubName, given: dict[str, Any], scene: Scene, stored: Store, carrier: str) -> None:
    """A hub that says a secret again gets it into no error: not its text, repr or pickle, nor the frames it came by."""
    stored()
    known = ["modelscope", "huggingface", "proxy", *(NAMES[name] for name in given)]
    echo = " ".join(SECRETS[name] for name in known)
    denied = Status(403, json={"Code": 10010101001, "Message": echo, "error": echo}, headers={"x-error-message": echo})
    host = f"{hub_name}-{len(known)}.test"
    with FakeHub([Repo(hub_name, "org/name", {"a.txt": b"a"})], [denied], hosts=[host]) as hub:
        scene.proxy.routes[f"{host}:443"] = hub.address
        endpoint = Endpoint(f"https://{host}", hub_name, auth=True, named=True)
        settings = Settings.load({"patience": IMPATIENT, "endpoints": [endpoint]})
        with pytest.raises(ChainError) as caught:
            fetch("org/name", hub=hub_name, settings=settings, **given)
    error = caught.value
    told = [str(error), repr(error), repr(vars(error)), "".join(traceback.format_exception(error))]
    assert "***" in str(error)
    assert found_in(*told, pickle.dumps(error).decode("latin-1")) == set()
    assert in_our_frames(error) == set()


def test_an_own_token_that_is_said_again(scene: Scene, stored: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token in the variable that an endpoint names is a secret like any other."""
    stored()
    monkeypatch.setenv("OWN_TOKEN", SECRETS["own"])
    denied = Status(403, json={"Code": 10010101001, "Message": SECRETS["own"]})
    with FakeHub([Repo("modelscope", "org/name", {"a.txt": b"a"})], [denied], hosts=["own-echo.test"]) as hub:
        scene.proxy.routes["own-echo.test:443"] = hub.address
        with pytest.raises(AccessDeniedError, match=r"\*\*\*") as caught:
            fetch("org/name", endpoints=Endpoint("https://own-echo.test", named=True, token_variable="OWN_TOKEN"))
        assert {name for one in hub.log.requests() for name in found_in(str(one.headers))} == {"own"}
    assert found_in(str(caught.value)) == set()
    assert in_our_frames(caught.value) == set()


def test_what_is_sent() -> None:
    """The headers that an endpoint is sent are not shown by whatever holds them on their way."""
    endpoint = Endpoint(f"https://user:{SECRETS['login']}@a.test", named=True)
    request = SnapshotRequest(RepoName("modelscope", "org/name"), headers=(("x-house", SECRETS["header"]),))
    chain = Chain([endpoint], IMPATIENT, 30.0)
    contacts = Contacts(request, Settings(sources={"endpoints": "argument"}, endpoints=(endpoint,)), Mock(), chain)
    sent = contacts.contact(endpoint).credentials
    assert found_in(*sent.values()) == {"login", "header"}
    assert found_in(repr(sent), repr(dict(sent)), repr(contacts.contact(endpoint))) == set()


COMMANDS = [
    ["config"],
    ["config", "--json"],
    ["endpoints", "hf://org/name"],
    ["endpoints", "hf://org/name", "--probe"],
    ["endpoints", "hf://org/name", "--json"],
    ["bench", "hf://org/name", "--rounds", "1", "--json"],
    ["bench", "hf://org/name", "--rounds", "1", "--html", "{}"],
    ["download", "hf://org/name", "--dry-run", "--json"],
    ["download", "hf://org/name", "--token", SECRETS["argument"]],
    ["-vv", "download", "hf://org/name", "--json", "--force"],
    ["cache", "list", "--json"],
    ["cache", "partials", "--json"],
    ["cache", "verify", "--json"],
    ["lock", "add", "hf://org/name"],
    ["lock", "check", "--json"],
    ["lock", "diff"],
    ["why"],
    ["why", "--json"],
    ["why", "--html", "{}"],
    ["bench", "hf://org/name", "--rounds", "1", "--save"],
]


@pytest.mark.slow
def test_commands(ready: Scene, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """No command tells a secret, as text, JSON, page or lock file; `--save` writes the name of a token's variable."""
    page = tmp_path / "page.html"
    (tmp_path / "project" / ".git").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    for command in COMMANDS:
        main([word.format(page) for word in command])
        told = capsys.readouterr()
        assert told.out + told.err or page.exists()
        pages = page.read_text(encoding="utf-8") if page.exists() else ""
        assert (command, found_in(told.out, told.err, pages)) == (command, set())
        page.unlink(missing_ok=True)
    assert (tmp_path / "project" / "mirrorhub.lock").exists()
    assert {path: found for path, text in files_below(tmp_path).items() if (found := found_in(text))} == {}
    saved = tmp_path / "config" / "config.toml"
    assert found_in(saved.read_text(encoding="utf-8")) == {"login"}
    assert 'token_variable = "OWN_TOKEN"' in saved.read_text(encoding="utf-8")
