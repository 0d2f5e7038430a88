"""Where every setting comes from: arguments > MIRRORHUB_* > the SDKs' own variables > config file > defaults.

Read afresh at every call: nothing is frozen at import, so it never matters when a variable is set.

The config file is TOML, at MIRRORHUB_CONFIG or in the user's configuration directory:

    endpoints = ["https://mirror.example/modelscope/", { url = "https://other.example", can = ["pull"] }, "default"]
    trust = "auto"
    silence_s = 60

    [[endpoint]]
    url = "https://hub.example.corp"
    hub = "huggingface"
    auth = true
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast, get_args

from mirrorhub.credentials import checked, is_unasked_token_off, stored_huggingface_token, stored_modelscope_token
from mirrorhub.errors import ConfigError
from mirrorhub.http.redact import bare_address, redact
from mirrorhub.lockfile.finding import FOUND, found_lock
from mirrorhub.models import Endpoint, HubName, Trust
from mirrorhub.tables import described, endpoint_from_table, one_of, parse_url, problem_of, read

Carrier = Literal["curl", "httpx"]
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_NAMED = frozenset({"argument", "MIRRORHUB_LOCKFILE", "config file"})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what, in seconds. Tests scale it down; users rarely touch it.

    Attributes:
        connect_s: Without a connection for so long, another endpoint is started beside.
        answer_s: Connected and without an answer for so long (or four times what connecting took), likewise.
        connect_limit_s: A connection that takes longer has failed.
        stall_s: A body without a byte for so long goes on elsewhere, where there is an elsewhere.
        laps: How often the chain is walked.
        listing_laps: How often it is walked to find out what there is.
        pause_s: Between the first two laps; doubled each time.
        pause_limit_s: The longest pause, unless an endpoint asks for more.
        wheel_s: The limit for the user's package installer.
        lock_s: How long to wait for another process that holds the repository.
    """

    connect_s: float = 0.5
    answer_s: float = 1.0
    connect_limit_s: float = 10.0
    stall_s: float = 5.0
    laps: int = 6
    listing_laps: int | None = None
    pause_s: float = 0.5
    pause_limit_s: float = 8.0
    wheel_s: float = 180.0
    lock_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a call, each with its source.

    Attributes:
        endpoints: The chain the user gave, or None for the default one.
        trust: Who is believed about what a repository holds: lock, official, auto, any.
        lockfile: What pins the project's repositories; None where nothing does.
        timeout_s: Total seconds for a call; None for no limit.
        silence_s: Seconds without a byte from anybody that end a call.
        offline: No network at all.
        modelscope_offline: None for ModelScope repositories.
        huggingface_offline: None for Hugging Face repositories.
        carrier: What carries the bytes: libcurl (`curl`) or httpx's own transport (`httpx`).
        max_files: The longest listing that is accepted.
        modelscope_endpoint: Where MODELSCOPE_ENDPOINT or MODELSCOPE_DOMAIN points.
        huggingface_endpoint: Where HF_ENDPOINT points.
        modelscope_cache: The directory above `models/`.
        huggingface_cache: The directory above `models--*`.
        state_dir: Where it is remembered how endpoints did.
        ca_file: Trust anchors in PEM; None for the system's.
        modelscope_token: From the environment or `modelscope login`.
        huggingface_token: From the environment or `hf auth login`.
        patience: How long to wait for what.
        tables: Endpoints that the config file describes: what it says of an address holds however that is named.
        own_tokens: What is in the variables that endpoints name, by the variable's name.
        sources: Where each value came from.
    """

    endpoints: tuple[str | Endpoint, ...] | None = field(default=None, repr=False)
    trust: Trust = "auto"
    lockfile: Path | None = field(default_factory=found_lock)
    timeout_s: float | None = None
    silence_s: float = 30.0
    offline: bool = False
    modelscope_offline: bool = False
    huggingface_offline: bool = False
    carrier: Carrier = "curl"
    max_files: int = 50_000
    modelscope_endpoint: str | None = field(default=None, repr=False)
    huggingface_endpoint: str | None = field(default=None, repr=False)
    modelscope_cache: Path = field(default_factory=lambda: _modelscope_cache({})[0])
    huggingface_cache: Path = field(default_factory=lambda: _huggingface_cache({})[0])
    state_dir: Path = field(default_factory=lambda: _state_dir({})[0])
    ca_file: Path | None = None
    modelscope_token: str | None = field(default=None, repr=False)
    huggingface_token: str | None = field(default=None, repr=False)
    patience: Patience = field(default_factory=Patience)
    tables: tuple[Endpoint, ...] = field(default=(), repr=False)
    own_tokens: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    sources: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def load(
        cls,
        arguments: Mapping[str, object] | None = None,
        environ: Mapping[str, str] | None = None,
        *,
        to_be_written: bool = False,
    ) -> Settings:
        """Collect the settings of a call.

        Args:
            arguments: Values given in code, by setting name; None values count as not given.
            environ: The environment; the process's own by default.
            to_be_written: The config file will be written, so that one that is named need not be there yet.

        Raises:
            ConfigError: A value cannot be used; the message names where it stands.
        """
        environ = os.environ if environ is None else environ
        given = {name: value for name, value in (arguments or {}).items() if value is not None}
        written = read_config_file(environ, to_be_written=to_be_written)
        values: dict[str, Any] = {}
        sources: dict[str, str] = {}
        for setting in SETTINGS:
            values[setting.name], sources[setting.name] = setting.find(given, environ, written)
        listed = written.get("endpoints")
        values["tables"] = _endpoints_among(listed if isinstance(listed, list) else ())
        values["own_tokens"] = _own_tokens((*_endpoints_among(values["endpoints"] or ()), *values["tables"]), environ)
        return cls(**values, patience=cast("Patience", given.get("patience", Patience())), sources=sources)

    def less(self, seconds: float) -> Settings:
        """Return these settings with so much less time, where time is limited."""
        return self if self.timeout_s is None else replace(self, timeout_s=max(0.001, self.timeout_s - seconds))

    @property
    def names_lockfile(self) -> bool:
        """Whether somebody has named the lock file: then it is taken wherever it lies, and must be there."""
        return self.sources.get("lockfile") in _NAMED

    def unlocked(self) -> Settings:
        """Return these settings without what is pinned: where the hubs themselves are to be asked."""
        return replace(self, lockfile=None, trust="official" if self.trust == "lock" else self.trust)

    def offline_for(self, hub: HubName) -> bool:
        """Whether calls for repositories of this hub must not touch the network."""
        return self.offline_by(hub) is not None

    def offline_by(self, hub: HubName) -> str | None:
        """Return where it was said that such calls are offline; None where they are not."""
        names = [name for name in ("offline", f"{hub}_offline") if getattr(self, name, False)]
        return self.sources.get(names[0], "settings") if names else None

    def token_for(self, hub: HubName) -> str | None:
        """Return the environment's or the stored token for a hub."""
        return {"modelscope": self.modelscope_token, "huggingface": self.huggingface_token}.get(hub)

    def token_of(self, endpoint: Endpoint) -> str | None:
        """Return the token in the variable that an endpoint names; of one that names none, that of its hub."""
        if endpoint.token_variable:
            return self.own_tokens.get(endpoint.token_variable)
        return self.token_for(endpoint.hub)

    def rows(self) -> list[tuple[str, str, str]]:
        """List name, value and source of every setting; of a token only that there is one."""
        names = [entry.name for entry in fields(self) if entry.name in self.sources]
        rows = [(name, _shown(name, getattr(self, name)), self.sources[name]) for name in names]
        listed = _endpoints_among(self.endpoints or ())
        if more := tuple(table for table in self.tables if table not in listed):
            rows.append(("tables", _shown("tables", more), "config file"))
        variables = sorted({one.token_variable for one in (*listed, *more) if one.token_variable})
        return [*rows, *((name, _shown("_token", self.own_tokens.get(name)), name) for name in variables)]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: how it is read, and which variables may give it, the first one that is set winning.

    Another variable may say that these are not to be read.
    """

    name: str
    parse: Callable[[Any], Any]
    variables: tuple[str, ...] = ()
    default: Callable[[Mapping[str, str]], tuple[Any, str]] = lambda _: (None, "default")
    in_file: bool = True
    is_off: Callable[[Mapping[str, str]], bool] = lambda _: False

    def find(
        self, given: Mapping[str, object], environ: Mapping[str, str], written: Mapping[str, object]
    ) -> tuple[Any, str]:
        """Return the value and its source."""
        if self.name in given:
            return self._parsed(given[self.name], "argument"), "argument"
        for variable in () if self.is_off(environ) else self.variables:
            if value := environ.get(variable, "").strip():
                return self._parsed(value, variable), variable
        if self.in_file and self.name in written:
            return self._parsed(written[self.name], "config file"), "config file"
        return self.default(environ)

    def _parsed(self, value: object, source: str) -> Any:
        try:
            return self.parse(value)
        except (ValueError, TypeError) as error:
            shown = "" if self.name.endswith("_token") else f" {redact(repr(value))}"
            raise ConfigError(f"{source}: {self.name}{shown} cannot be used: {error}") from None


def read_config_file(environ: Mapping[str, str], *, to_be_written: bool = False) -> Mapping[str, object]:
    """Read the user's config file; a missing one is empty, unless MIRRORHUB_CONFIG names it and it is only read.

    Raises:
        ConfigError: The file is missing though named, no TOML, or has unknown keys.
    """
    path = config_path(environ)
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if environ.get("MIRRORHUB_CONFIG", "").strip() and not to_be_written:
            raise ConfigError(f"MIRRORHUB_CONFIG: there is no file {path}") from None
        return {}
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from None
    if isinstance(listed := written.get("endpoints"), list):
        written["endpoints"] = _with_inline_tables(path, listed)
    if (tables := written.pop("endpoint", None)) is not None:
        written["endpoints"] = _with_tables(path, tables, written.get("endpoints", "default"))
    if twice := _described_twice(written.get("endpoints")):
        raise ConfigError(f"{path}: {twice} has two tables, and only the first would count: make them one")
    known = {setting.name for setting in SETTINGS if setting.in_file}
    if unknown := sorted(set(written) - known):
        raise ConfigError(f"{path}: unknown key {unknown[0]!r}; known are: endpoint, {', '.join(sorted(known))}")
    return written


def config_path(environ: Mapping[str, str]) -> Path:
    """Return where the user's config file lies, whether or not there is one."""
    if named := environ.get("MIRRORHUB_CONFIG", "").strip():
        return Path(named).expanduser()
    from platformdirs import user_config_path  # only needed where a call is configured

    return user_config_path("mirrorhub", appauthor=False) / "config.toml"


def _described_twice(listed: object) -> Endpoint | None:
    """Return an endpoint that has more than one table."""
    tables = _endpoints_among(listed) if isinstance(listed, list) else ()
    seen = [(table.address, table.hub) for table in tables]
    return next((table for table in tables if seen.count((table.address, table.hub)) > 1), None)


def _with_inline_tables(path: Path, listed: list[object]) -> list[object]:
    """Read the tables among the endpoints of the list.

    Raises:
        ConfigError: A table cannot be used.
    """
    try:
        return [endpoint_from_table(item) if isinstance(item, dict) else item for item in listed]
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def _with_tables(path: Path, tables: object, others: object) -> list[str | Endpoint]:
    """Put the endpoints that have a table of their own before the others.

    Raises:
        ConfigError: A table cannot be used.
    """
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{path}: endpoints have tables of the form [[endpoint]]")
    try:
        return [*map(endpoint_from_table, tables), *read("endpoints", others, _endpoints)]
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def _bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().casefold()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError("say 1 or 0, true or false, yes or no, on or off")


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not 0 < (number := float(cast("str", value))) < float("inf"):
        raise ValueError("say a number of seconds above 0")
    return number


def _count(value: object) -> int:
    if isinstance(value, bool) or (number := int(cast("str", value))) < 1:
        raise ValueError("say a whole number above 0")
    return number


def _endpoints(value: object) -> tuple[str | Endpoint, ...]:
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    if isinstance(value, Endpoint):
        value = (value,)
    items = tuple(cast("Any", value))
    if not items or not all(isinstance(item, Endpoint) or (isinstance(item, str) and item.strip()) for item in items):
        raise ValueError("say one or more addresses, Endpoint values, or the word default")
    if problem := next(filter(None, map(problem_of, _endpoints_among(items))), None):
        raise ValueError(problem)
    return items


def _endpoints_among(items: Iterable[object]) -> tuple[Endpoint, ...]:
    return tuple(item for item in items if isinstance(item, Endpoint))


def _own_tokens(endpoints: Iterable[Endpoint], environ: Mapping[str, str]) -> dict[str, str]:
    """Read the variables that endpoints name.

    Raises:
        ConfigError: What is in one is no token.
    """
    names = {endpoint.token_variable for endpoint in endpoints if endpoint.token_variable}
    found = {name: _token_in(name, environ) for name in names}
    return {name: token for name, token in found.items() if token}


def _token_in(variable: str, environ: Mapping[str, str]) -> str:
    try:
        return checked(environ.get(variable, "").strip())
    except ValueError as error:
        raise ConfigError(f"{variable}: {error}") from None


@lru_cache(maxsize=64)
def _directory(value: str | os.PathLike[str]) -> Path:
    """Make a directory absolute once: it must not follow the process when it changes its working directory."""
    return Path(value).expanduser().absolute()


def _lockfile(value: object) -> Path | None:
    """Read a lock file's path; `off` means none."""
    if value is False or (isinstance(value, str) and value.strip().casefold() in _FALSE):
        return None
    if not isinstance(value, str | os.PathLike) or not str(value).strip() or "\0" in str(value):
        raise ValueError("say a path, or off")
    return Path(value).expanduser().absolute()


def _found_lockfile(environ: Mapping[str, str]) -> tuple[Path | None, str]:
    found = found_lock()
    return found, FOUND if found else "default"


def _pem(value: object) -> Path:
    path = Path(str(value)).expanduser().absolute()
    if not path.is_file():
        raise ValueError("there is no such file; certificates are read from it")
    return path


def _modelscope_cache(environ: Mapping[str, str]) -> tuple[Path, str]:
    return _directory(Path.home() / ".cache" / "modelscope"), "default"


def _huggingface_cache(environ: Mapping[str, str]) -> tuple[Path, str]:
    if home := environ.get("HF_HOME", "").strip():
        return _directory(home) / "hub", "HF_HOME"
    if cache := environ.get("XDG_CACHE_HOME", "").strip():
        return _directory(cache) / "huggingface" / "hub", "XDG_CACHE_HOME"
    return _directory(Path.home() / ".cache" / "huggingface" / "hub"), "default"


def _state_dir(environ: Mapping[str, str]) -> tuple[Path, str]:
    from platformdirs import user_state_path

    return user_state_path("mirrorhub", appauthor=False), "default"


def _constant(value: object) -> Callable[[Mapping[str, str]], tuple[object, str]]:
    return lambda _: (value, "default")


SETTINGS: tuple[Setting, ...] = (
    Setting("endpoints", _endpoints, ("MIRRORHUB_ENDPOINTS",)),
    Setting("trust", one_of(get_args(Trust)), ("MIRRORHUB_TRUST",), _constant("auto")),
    Setting("lockfile", _lockfile, ("MIRRORHUB_LOCKFILE",), _found_lockfile),
    Setting("timeout_s", _seconds, ("MIRRORHUB_TIMEOUT",)),
    Setting("silence_s", _seconds, ("MODELSCOPE_REQUEST_TIMEOUT",), _constant(30.0)),
    Setting("offline", _bool, ("MIRRORHUB_OFFLINE",), _constant(False)),
    Setting("modelscope_offline", _bool, ("MODELSCOPE_OFFLINE",), _constant(False)),
    Setting("huggingface_offline", _bool, ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"), _constant(False)),
    Setting("carrier", one_of(get_args(Carrier)), ("MIRRORHUB_CARRIER",), _constant("curl")),
    Setting("max_files", _count, ("MIRRORHUB_MAX_FILES",), _constant(50_000)),
    Setting("modelscope_endpoint", parse_url, ("MODELSCOPE_ENDPOINT", "MODELSCOPE_DOMAIN")),
    Setting("huggingface_endpoint", parse_url, ("HF_ENDPOINT",)),
    Setting("modelscope_cache", _directory, ("MODELSCOPE_CACHE",), _modelscope_cache),
    Setting("huggingface_cache", _directory, ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"), _huggingface_cache),
    Setting("state_dir", _directory, ("MIRRORHUB_STATE",), _state_dir),
    Setting("ca_file", _pem, ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")),
    Setting("modelscope_token", checked, ("MODELSCOPE_API_TOKEN",), stored_modelscope_token, in_file=False),
    Setting(
        "huggingface_token",
        checked,
        ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
        stored_huggingface_token,
        in_file=False,
        is_off=is_unasked_token_off,
    ),
)


def _shown(name: str, value: object) -> str:
    if name.endswith("_token"):
        return "set, not shown" if value else "not set"
    if isinstance(value, tuple):
        return ", ".join(described(item) if isinstance(item, Endpoint) else bare_address(str(item)) for item in value)
    return "not set" if value is None else redact(str(value))
