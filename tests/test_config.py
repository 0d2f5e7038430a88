"""Where each setting comes from, what it may be, and that no secret is ever shown."""

from __future__ import annotations

import os
import pickle
import sys
import time
from collections.abc import Callable, Mapping
from http.cookiejar import Cookie
from pathlib import Path
from typing import Any

import pytest
from modelscope_hub.config import HubConfig
from requests.cookies import RequestsCookieJar

from mirrorhub import Endpoint, Settings, fetch
from mirrorhub.config import SETTINGS
from mirrorhub.errors import ConfigError, MirrorHubError
from mirrorhub.models import Repo as RepoName
from mirrorhub.models import SnapshotRequest
from tests.fakehub import FakeHub, Repo

SECRET = "hf_thisIsASecretToken"
NAMES = [setting.name for setting in SETTINGS]


@pytest.fixture
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Writes the config file that MIRRORHUB_CONFIG names."""
    path = tmp_path / "config.toml"

    def write(text: str) -> Path:
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("MIRRORHUB_CONFIG", str(path))
        return path

    return write


ADDRESSES = ("https://a.test", "https://b.test", "https://c.test")
FOLDERS = (Path("/a"), Path("/b"), Path("/c"))
CHAINS = (("a.test", "default"), ("b.test",), ("c.test",))
Meanings = tuple[object, object, object]

# Setting; a variable and its value; the same in the file; an argument; and what each of the three means.
EVERY: list[tuple[str, str, str, str, object, Meanings]] = [
    ("endpoints", "MIRRORHUB_ENDPOINTS", "a.test, default", '["b.test"]', ["c.test"], CHAINS),
    ("trust", "MIRRORHUB_TRUST", "any", '"official"', "lock", ("any", "official", "lock")),
    ("lockfile", "MIRRORHUB_LOCKFILE", "/a", '"/b"', "/c", FOLDERS),
    ("timeout_s", "MIRRORHUB_TIMEOUT", "1.5", "2", 3, (1.5, 2.0, 3.0)),
    ("silence_s", "MODELSCOPE_REQUEST_TIMEOUT", "5", "6.5", 7, (5.0, 6.5, 7.0)),
    ("offline", "MIRRORHUB_OFFLINE", "yes", "true", False, (True, True, False)),
    ("modelscope_offline", "MODELSCOPE_OFFLINE", "True", "true", False, (True, True, False)),
    ("huggingface_offline", "HF_HUB_OFFLINE", "ON", "true", False, (True, True, False)),
    ("huggingface_offline", "TRANSFORMERS_OFFLINE", "1", "true", False, (True, True, False)),
    ("carrier", "MIRRORHUB_CARRIER", "httpx", '"httpx"', "curl", ("httpx", "httpx", "curl")),
    ("max_files", "MIRRORHUB_MAX_FILES", "10", "20", 30, (10, 20, 30)),
    ("modelscope_endpoint", "MODELSCOPE_ENDPOINT", "a.test/", '"b.test"', "c.test", ADDRESSES),
    ("modelscope_endpoint", "MODELSCOPE_DOMAIN", "a.test", '"https://b.test"', "c.test", ADDRESSES),
    ("huggingface_endpoint", "HF_ENDPOINT", "HTTPS://a.test", '"b.test"', "c.test", ADDRESSES),
    ("modelscope_cache", "MODELSCOPE_CACHE", "/a", '"/b"', "/c", FOLDERS),
    ("huggingface_cache", "HF_HUB_CACHE", "/a", '"/b"', "/c", FOLDERS),
    ("huggingface_cache", "HUGGINGFACE_HUB_CACHE", "/a", '"/b"', "/c", FOLDERS),
    ("state_dir", "MIRRORHUB_STATE", "/a", '"/b"', "/c", FOLDERS),
]


@pytest.mark.parametrize(
    ("name", "variable", "value", "written", "argument", "meant"), EVERY, ids=[f"{row[0]}-{row[1]}" for row in EVERY]
)
def test_precedence(
    name: str,
    variable: str,
    value: str,
    written: str,
    argument: object,
    meant: tuple[object, object, object],
    config_file: Callable[[str], Path],
) -> None:
    """An argument goes before a variable, a variable before the file, the file before the default; each says so."""
    by_variable, by_file, by_argument = meant
    named = {"MIRRORHUB_CONFIG": str(config_file(f"{name} = {written}"))}
    found = [
        Settings.load({name: argument}, {**named, variable: value}),
        Settings.load({name: None}, {**named, variable: value}),
        Settings.load({}, {**named, variable: f"  {value} "}),
        Settings.load({}, {**named, variable: " "}),
        Settings.load({}, {}),
    ]
    assert [getattr(settings, name) for settings in found[:4]] == [by_argument, by_variable, by_variable, by_file]
    sources = [settings.sources[name] for settings in found]
    assert sources == ["argument", variable, variable, "config file", "default"]


def test_every_setting_is_in_the_table() -> None:
    """The table above leaves out only what the file may not hold, and what names a file of certificates."""
    assert set(NAMES) - {row[0] for row in EVERY} == {"ca_file", "modelscope_token", "huggingface_token"}
    assert set(Settings.load({}, {}).sources) == set(NAMES)


DEFAULTS: dict[str, object] = {
    "endpoints": None,
    "trust": "auto",
    "lockfile": None,
    "timeout_s": None,
    "silence_s": 30.0,
    "offline": False,
    "modelscope_offline": False,
    "huggingface_offline": False,
    "carrier": "curl",
    "max_files": 50_000,
    "modelscope_endpoint": None,
    "huggingface_endpoint": None,
    "ca_file": None,
    "modelscope_token": None,
    "huggingface_token": None,
}


def test_the_defaults(tmp_path: Path) -> None:
    """With nothing set the SDKs' own directories are used, and nothing else is assumed."""
    settings = Settings.load({}, {})
    assert {name: getattr(settings, name) for name in DEFAULTS} == DEFAULTS
    assert settings.modelscope_cache == tmp_path / "home" / ".cache" / "modelscope"
    assert settings.huggingface_cache == tmp_path / "home" / ".cache" / "huggingface" / "hub"
    assert settings.state_dir == tmp_path / "home" / ".state" / "mirrorhub"


ORDERED = [
    (("MODELSCOPE_ENDPOINT", "MODELSCOPE_DOMAIN"), "modelscope_endpoint"),
    (("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"), "huggingface_offline"),
    (("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"), "huggingface_cache"),
    (("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), "ca_file"),
    (("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"), "huggingface_token"),
]


@pytest.mark.parametrize(("variables", "name"), ORDERED, ids=[name for _, name in ORDERED])
def test_which_variable_comes_first(variables: tuple[str, ...], name: str, tmp_path: Path) -> None:
    """Of several variables for one thing the first that is set and not empty counts."""
    (tmp_path / "file").touch()
    value = {"huggingface_offline": "1", "modelscope_endpoint": "a.test"}.get(name, str(tmp_path / "file"))
    for position, variable in enumerate(variables):
        environ = dict.fromkeys(variables[:position], "") | dict.fromkeys(variables[position:], value)
        assert Settings.load({}, environ).sources[name] == variable


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [("HF_HOME", "/a", "/a/hub"), ("XDG_CACHE_HOME", "/b", "/b/huggingface/hub"), ("HF_HUB_CACHE", "~/c", "~/c")],
)
def test_hugging_faces_directories(variable: str, value: str, expected: str) -> None:
    """The cache lies where huggingface_hub would have it."""
    assert Settings.load({}, {variable: value}).huggingface_cache == Path(expected).expanduser()


# What is said; and a word of the answer.
WRONG: list[tuple[Mapping[str, object], Mapping[str, str], str]] = [
    ({"trust": "everybody"}, {}, "argument: trust 'everybody'"),
    ({"timeout_s": 0}, {}, "argument: timeout_s 0"),
    ({"timeout_s": True}, {}, "argument: timeout_s"),
    ({"timeout_s": "soon"}, {}, "argument: timeout_s"),
    ({"timeout_s": float("inf")}, {}, "argument: timeout_s"),
    ({"timeout_s": float("nan")}, {}, "argument: timeout_s"),
    ({"endpoints": []}, {}, "argument: endpoints"),
    ({"endpoints": [5]}, {}, "argument: endpoints"),
    ({"endpoints": 5}, {}, "argument: endpoints"),
    ({}, {"MIRRORHUB_ENDPOINTS": ","}, "MIRRORHUB_ENDPOINTS: endpoints"),
    ({}, {"MIRRORHUB_MAX_FILES": "0"}, "MIRRORHUB_MAX_FILES: max_files"),
    ({}, {"MIRRORHUB_MAX_FILES": "many"}, "MIRRORHUB_MAX_FILES: max_files"),
    ({}, {"MIRRORHUB_CARRIER": "pigeon"}, "MIRRORHUB_CARRIER: carrier 'pigeon'"),
    ({}, {"MODELSCOPE_OFFLINE": "perhaps"}, "MODELSCOPE_OFFLINE"),
    ({}, {"HF_ENDPOINT": "ftp://a.test"}, "HF_ENDPOINT"),
    ({}, {"HF_ENDPOINT": "https://"}, "HF_ENDPOINT"),
    ({}, {"HF_ENDPOINT": "https:///x"}, "HF_ENDPOINT"),
    ({}, {"HF_ENDPOINT": "a b"}, "HF_ENDPOINT"),
    ({}, {"REQUESTS_CA_BUNDLE": "/no/such.pem"}, "REQUESTS_CA_BUNDLE"),
]


@pytest.mark.parametrize(("arguments", "environ", "words"), WRONG, ids=str)
def test_what_cannot_be_used(arguments: Mapping[str, object], environ: Mapping[str, str], words: str) -> None:
    """A value that cannot be used is an error that says where it stands and what it is."""
    with pytest.raises(ConfigError) as caught:
        Settings.load(arguments, environ)
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["1", "true", "TRUE", "Yes", "on", "0", "False", "no", "OFF"])
def test_yes_and_no(text: str) -> None:
    """Yes and no may be said in the ways that both SDKs take."""
    assert Settings.load({}, {"MIRRORHUB_OFFLINE": text}).offline is (text.lower() in ("1", "true", "yes", "on"))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the directory is another one")
def test_the_file_in_its_usual_place(tmp_path: Path) -> None:
    """Without MIRRORHUB_CONFIG the file lies in the user's configuration directory, and may be missing."""
    assert Settings.load().trust == "auto"
    folder = tmp_path / "home" / ".config" / "mirrorhub"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('trust = "official"')
    assert Settings.load().sources["trust"] == "config file"


def test_endpoint_tables(config_file: Callable[[str], Path]) -> None:
    """[[endpoint]] tables come first in the chain, with what they say of themselves; then the chain of the file."""
    config_file(
        'endpoints = ["https://mirror.test/x/"]\n'
        '[[endpoint]]\nurl = "hub.test/"\nhub = "huggingface"\nauth = true\n'
        '[[endpoint]]\nurl = "http://lan.test:8080"\ncan = ["pull"]\nrepo = "other/name"\n'
    )
    assert Settings.load().endpoints == (
        Endpoint("https://hub.test", "huggingface", auth=True, named=True),
        Endpoint("http://lan.test:8080", can=frozenset({"pull"}), repo="other/name"),
        "https://mirror.test/x/",
    )


def test_tables_in_the_list(config_file: Callable[[str], Path]) -> None:
    """A table may stand in the list, in its place; one that may only pull is not one whose word the user takes."""
    config_file(
        'endpoints = ["ms+https://a.test", { url = "b.test", can = ["pull"] }, "default", { url = "c.test", hub = '
        '"huggingface" }]\n'
    )
    assert Settings.load().endpoints == (
        "ms+https://a.test",
        Endpoint("https://b.test", can=frozenset({"pull"})),
        "default",
        Endpoint("https://c.test", "huggingface", named=True),
    )


def test_endpoint_tables_alone(config_file: Callable[[str], Path]) -> None:
    """[[endpoint]] tables alone stand before the default chain."""
    config_file('[[endpoint]]\nurl = "hub.test"\n')
    assert Settings.load().endpoints == (Endpoint("https://hub.test", named=True), "default")


# What stands in the file; and a word of the answer, which always names the file.
MISTAKES = {
    "not TOML": ("trust = ", "not TOML"),
    "unknown key": ('trusted = "any"', "unknown key 'trusted'"),
    "a token": (f'modelscope_token = "{SECRET}"', "unknown key 'modelscope_token'"),
    "wrong type": ("trust = 5", "trust 5"),
    "wrong text": ('max_files = "many"', "max_files 'many'"),
    "a table for a value": ("[timeout_s]\nx = 1", "timeout_s"),
    "endpoint: unknown key": ('[[endpoint]]\nurl = "a.test"\ntoken = "x"', "token"),
    "endpoint: wrong type": ('[[endpoint]]\nurl = "a.test"\nauth = "yes"', "auth"),
    "endpoint: no url": ('[[endpoint]]\nhub = "modelscope"', "needs a url"),
    "endpoint: unknown hub": ('[[endpoint]]\nurl = "a.test"\nhub = "gitlab"', "gitlab"),
    "endpoint: unknown ability": ('[[endpoint]]\nurl = "a.test"\ncan = ["fly"]', "fly"),
    "endpoint: bad address": ('[[endpoint]]\nurl = "ftp://a.test"', "ftp://a.test"),
    "endpoint: not a table": ('endpoint = "a.test"', "endpoint"),
    "endpoint: one table": ('[endpoint]\nurl = "a.test"', "endpoint"),
    "endpoint: two tables": ('[[endpoint]]\nurl = "a.test"\n' * 2, "https://a.test has two tables"),
    "endpoints: a table twice": (
        'endpoints = [{ url = "a.test" }]\n[[endpoint]]\nurl = "https://a.test/"',
        "has two tables",
    ),
    "endpoints: a mistake in a table": ('endpoints = [{ url = "a.test", can = ["fly"] }]', "fly"),
    "endpoints: not a list beside a table": ('endpoints = 5\n[[endpoint]]\nurl = "a.test"', "endpoints"),
}


@pytest.mark.parametrize(("text", "words"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_in_the_file(text: str, words: str, config_file: Callable[[str], Path]) -> None:
    """A mistake in the file is an error of our own that says what is wrong; a secret in it is not repeated."""
    config_file(text)
    with pytest.raises(ConfigError) as caught:
        Settings.load()
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)


def test_one_word_beside_tables(config_file: Callable[[str], Path]) -> None:
    """A chain that the file gives as one text is read like one in a variable, tables or not."""
    config_file('endpoints = "a.test, default"\n[[endpoint]]\nurl = "hub.test"\n')
    assert Settings.load().endpoints == (Endpoint("https://hub.test", named=True), "a.test", "default")


def test_a_named_file_that_is_missing(tmp_path: Path) -> None:
    """A file that MIRRORHUB_CONFIG names must be there."""
    with pytest.raises(ConfigError, match="MIRRORHUB_CONFIG"):
        Settings.load({}, {"MIRRORHUB_CONFIG": str(tmp_path / "missing.toml")})


def test_a_file_that_is_a_folder(tmp_path: Path) -> None:
    """A path that cannot be read as a file is an error of ours."""
    with pytest.raises(ConfigError, match="cannot be read"):
        Settings.load({}, {"MIRRORHUB_CONFIG": str(tmp_path)})


def test_a_relative_cache_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative MODELSCOPE_CACHE does not follow the process when it changes its directory."""
    name = f"cache-{tmp_path.name}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELSCOPE_CACHE", name)
    with FakeHub([Repo("modelscope", "org/name", {"a.txt": b"a"})]) as hub:
        path = fetch("org/name", endpoints=hub.url).path
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert fetch("org/name", endpoints=hub.url).path == path
    assert path.is_relative_to(tmp_path / name)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_variables_are_read_at_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not matter when a variable is set."""
    assert Settings.load().trust == "auto"
    monkeypatch.setenv("MIRRORHUB_TRUST", "any")
    assert Settings.load().trust == "any"


def test_modelscope_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    """MODELSCOPE_DOMAIN, with or without scheme, is asked first; an empty MODELSCOPE_ENDPOINT does not hide it."""
    with FakeHub([Repo("modelscope", "org/name", {"a.txt": b"a"})]) as hub:
        monkeypatch.setenv("MODELSCOPE_DOMAIN", hub.url.removeprefix("https://"))
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", "")
        assert fetch("org/name").vouched_by.name == hub.url


TOKENS = [
    ({"MODELSCOPE_API_TOKEN": SECRET}, "modelscope"),
    ({"HF_TOKEN": SECRET}, "huggingface"),
    ({"HUGGING_FACE_HUB_TOKEN": f" {SECRET}\n"}, "huggingface"),
]


@pytest.mark.parametrize(("environ", "hub"), TOKENS, ids=[str(*environ) for environ, _ in TOKENS])
def test_a_token_of_the_environment(environ: dict[str, str], hub: Any) -> None:
    """A token is found, is for its own hub only, and is shown nowhere."""
    settings = Settings.load({}, environ)
    assert settings.token_for(hub) == SECRET
    assert [settings.token_for(other) for other in ("modelscope", "huggingface", "wheel")].count(SECRET) == 1
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings.rows())
    assert [row[1:] for row in settings.rows() if row[0] == f"{hub}_token"] == [("set, not shown", *environ)]


def test_a_token_given_with_the_call() -> None:
    """A token that was given with a call is not in the request's repr."""
    assert SECRET not in repr(SnapshotRequest(RepoName("modelscope", "a/b"), token=SECRET))


def test_a_token_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """No error of a call that was sent with a token repeats it."""
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", SECRET)
    with FakeHub([Repo("modelscope", "org/name", {}, private=True)], token="another") as hub:
        for name in ("org/name", "org/other"):
            with pytest.raises(MirrorHubError) as caught:
                fetch(name, endpoints=Endpoint(hub.url, auth=True, named=True))
            assert SECRET not in str(caught.value) + repr(caught.value) + repr(vars(caught.value))
        assert any(SECRET in seen for seen in hub.log.tokens_seen())


PASSWORDS: list[tuple[dict[str, object], dict[str, str]]] = [
    ({"endpoints": ["https://user:pass-word@a.test/x", Endpoint("https://user:pass-word@b.test")]}, {}),
    ({}, {"MIRRORHUB_ENDPOINTS": "https://user:pass-word@a.test,ms+https://user:pass-word@b.test"}),
    ({}, {"MODELSCOPE_ENDPOINT": "https://user:pass-word@a.test"}),
    ({}, {"HF_ENDPOINT": "user:pass-word@a.test"}),
]


@pytest.mark.parametrize(("arguments", "environ"), PASSWORDS, ids=str)
def test_a_password_in_an_address(arguments: dict[str, object], environ: dict[str, str]) -> None:
    """A password in an address is not shown in the rows that `mirrorhub config` prints."""
    rows = Settings.load(arguments, environ).rows()
    assert "pass-word" not in str(rows)
    assert "a.test" in str(rows)


def test_a_password_in_a_mistyped_address() -> None:
    """A mistyped address is not repeated with its password."""
    for value in ("ftp://user:pass-word@a.test", "https://user:pass-word@ａ.test"):
        with pytest.raises(ConfigError) as caught:
            Settings.load({"modelscope_endpoint": value}, {})
        assert "pass-word" not in str(caught.value)


def jar(value: str = SECRET, *, expires: int | None = None, name: str = "m_session_id") -> RequestsCookieJar:
    """A cookie jar as `modelscope login` fills it."""
    cookies = RequestsCookieJar()
    when = int(time.time()) + 3600 if expires is None else expires
    cookie = Cookie(
        0, name, value, None, False, ".modelscope.cn", True, True, "/", True, False, when, False, None, None, {}
    )
    cookies.set_cookie(cookie)
    return cookies


def test_modelscope_login() -> None:
    """What modelscope's own login stored is found, and its file is the source."""
    sdk = HubConfig()
    sdk.save_token(SECRET)
    settings = Settings.load()
    assert settings.modelscope_token == SECRET == sdk.load_token()
    assert settings.sources["modelscope_token"] == str(sdk.credentials_dir / "cookies")


def test_modelscope_cookies() -> None:
    """A jar with other cookies and a token among them is read, in every pickle protocol of Python 3."""
    sdk = HubConfig()
    cookies = jar()
    cookies.set("csrf", "x", domain="modelscope.ai", path="/api")
    sdk.save_cookies(cookies)
    assert Settings.load().modelscope_token == SECRET
    for protocol in range(3, pickle.HIGHEST_PROTOCOL + 1):
        (sdk.credentials_dir / "cookies").write_bytes(pickle.dumps(cookies, protocol))
        assert Settings.load().modelscope_token == SECRET


@pytest.mark.parametrize("cookies", [jar(name="other"), RequestsCookieJar()], ids=["another-cookie", "empty"])
def test_modelscope_cookies_without_a_token(cookies: RequestsCookieJar) -> None:
    """A jar without the session's cookie is no login."""
    HubConfig().save_cookies(cookies)
    assert Settings.load().modelscope_token is None


def test_modelscope_login_that_expired() -> None:
    """A login that is over is no login, as for modelscope itself."""
    sdk = HubConfig()
    sdk.save_cookies(jar(expires=1))
    assert sdk.load_token() is None
    assert Settings.load().modelscope_token is None


@pytest.mark.parametrize("variable", ["MODELSCOPE_HOME", "MODELSCOPE_CREDENTIALS_PATH"])
def test_modelscope_login_elsewhere(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that move modelscope's home and credentials are followed."""
    monkeypatch.setenv("MODELSCOPE_HOME", str(tmp_path / "elsewhere"))
    HubConfig().save_cookies(jar())
    if variable == "MODELSCOPE_CREDENTIALS_PATH":
        monkeypatch.delenv("MODELSCOPE_HOME")
        monkeypatch.setenv(variable, str(tmp_path / "elsewhere" / "credentials"))
    assert Settings.load().modelscope_token == SECRET


class Malice:
    """Makes a folder when it is unpickled by whoever trusts the file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "in-a-jar"])
def test_malicious_cookies(tmp_path: Path, wrapped: bool) -> None:
    """Code in the cookies file does not run, and the file counts as no login."""
    target = tmp_path / "made-by-malice"
    cookies: object = Malice(target)
    if wrapped:
        cookies = jar()
        cookies.set("x", "y")
        cookies.policy = Malice(target)  # type: ignore[attr-defined]
    HubConfig().save_cookies(cookies)
    assert Settings.load().modelscope_token is None
    assert not target.exists()


WHOLE_JAR = pickle.dumps(jar())
DAMAGED = {
    "empty": b"",
    "text": b"m_session_id=x",
    "zeros": b"\0" * 50,
    "a number": pickle.dumps(5),
    "a dict": pickle.dumps({"_cookies": {"a": 1}}),
    "huge": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "deep": b"\x80\x04" + b"(" * 100_000 + b"t" * 100_000 + b".",
    **{f"cut at {at}": WHOLE_JAR[:at] for at in range(1, len(WHOLE_JAR), len(WHOLE_JAR) // 20)},
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_cookies(data: bytes) -> None:
    """A cookies file that cannot be read counts as no login, and stops no call."""
    sdk = HubConfig()
    sdk.save_cookies(jar())
    (sdk.credentials_dir / "cookies").write_bytes(data)
    assert Settings.load().modelscope_token is None


def test_hugging_face_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What huggingface_hub's own storage function wrote is found, and its file is the source."""
    from huggingface_hub.utils import _auth

    path = tmp_path / "hf-home" / "token"
    _auth._write_secret(path, SECRET)
    monkeypatch.setenv("HF_HOME", str(path.parent))
    settings = Settings.load()
    assert (settings.huggingface_token, settings.sources["huggingface_token"]) == (SECRET, str(path))
    assert SECRET not in repr(settings) + str(settings.rows())


HUGGING_FACE_FILES = [
    ({}, ".cache/huggingface/token"),
    ({"XDG_CACHE_HOME": "{home}/xdg"}, "xdg/huggingface/token"),
    ({"HF_HOME": "{home}/hf"}, "hf/token"),
    ({"HF_HOME": "{home}/hf", "HF_TOKEN_PATH": "{home}/elsewhere"}, "elsewhere"),
]


@pytest.mark.parametrize(("variables", "place"), HUGGING_FACE_FILES, ids=[place for _, place in HUGGING_FACE_FILES])
def test_where_hugging_face_keeps_a_token(
    variables: dict[str, str], place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables that move huggingface_hub's token are followed."""
    home = tmp_path / "home"
    (home / place).parent.mkdir(parents=True)
    (home / place).write_text(f"{SECRET}\n")
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(home=home))
    assert Settings.load().huggingface_token == SECRET
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    assert Settings.load().huggingface_token is None


@pytest.mark.parametrize("name", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
def test_a_token_that_is_only_sent_where_it_is_asked_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in huggingface_hub, the variable's token is then for `token=True`, and no call sends it by itself."""
    monkeypatch.setenv(name, SECRET)
    assert Settings.load().huggingface_token == SECRET
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    assert (Settings.load().huggingface_token, Settings.load().sources["huggingface_token"]) == (None, "default")


@pytest.mark.parametrize("data", [b"", b"  \n", b"\xff\xfe"], ids=["empty", "blank", "not-text"])
def test_a_hugging_face_token_that_is_none(data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token file without a token counts as no login."""
    (tmp_path / "token").write_bytes(data)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert Settings.load().huggingface_token is None


def test_an_argument_beside_settings(tmp_path: Path) -> None:
    """An argument is never silently left out because settings were given, too."""
    with FakeHub([Repo("modelscope", "org/name", {"a.txt": b"a"})]) as hub:
        settings = Settings.load({"endpoints": hub.url})
        with pytest.raises(ConfigError, match="cache"):
            fetch("org/name", settings=settings, cache_dir=tmp_path / "mine")
