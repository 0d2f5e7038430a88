"""Write an order of endpoints into the user's config file, and leave everything else in it as it is.

Nobody gains anything by being written down. An address alone stands for an endpoint whose word on a repository is
taken; so whoever was not named by the user, and whoever needs more words, gets a table that says what it may.
"""

from __future__ import annotations

import os
import secrets
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirrorhub.config import Settings
from mirrorhub.errors import ConfigError
from mirrorhub.hubs.aliases import content_of
from mirrorhub.models import Endpoint, Repo
from mirrorhub.tables import described, endpoint_from_table, parse_url

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

Item = str | dict[str, object]
_PREFIXES = {"huggingface": "hf+", "modelscope": "ms+"}
_WORDS = frozenset({"default", "wheel"})


def save_order(path: Path, endpoints: Sequence[Endpoint], repo: Repo, settings: Settings) -> list[Item]:
    """Write endpoints into the config file in this order, before those that it lists already; return the whole list.

    Args:
        path: The file; it need not be there.
        endpoints: Those that worked, the best first.
        repo: What they were measured with: an address without a protocol was taken for its hub's.
        settings: Under which they were measured: what the user wrote there is written the same way.

    Raises:
        ConfigError: The file cannot be read or written.
    """
    try:
        before = _read(path)
        items = [item_for(endpoint, repo, settings) for endpoint in endpoints if endpoint.hub != "wheel"]
        text, listed = with_order(before, items, repo)
        if _read(path) != before:
            raise ConfigError(f"{path}: somebody else has just changed it; nothing was saved, try again")
        _write(path.resolve(), text, private=any(endpoint.login for endpoint in endpoints))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read or written: {error.strerror}") from None
    return listed


def not_among(endpoints: Iterable[Endpoint], listed: Iterable[Item], repo: Repo) -> list[Endpoint]:
    """Return those endpoints that a list does not name."""
    named = {_key(item, repo) for item in listed}
    return [endpoint for endpoint in endpoints if (_url(endpoint.url), endpoint.hub) not in named]


def item_for(endpoint: Endpoint, repo: Repo, settings: Settings) -> Item:
    """Write one endpoint as it stands in the config file, so that it may do what it might before and no more."""
    other_id = None if _is_alias(endpoint, repo) else endpoint.repo
    is_hub = endpoint.official and endpoint.auth
    is_named = endpoint.named and not endpoint.official and not endpoint.auth and not endpoint.token_variable
    may_list = "resolve" in endpoint.can or _is_alias(endpoint, repo)
    if not other_id and (is_hub or (is_named and may_list)):
        bare = endpoint.hub == repo.hub and endpoint.url in _bare_addresses(settings)
        return endpoint.url if bare else _PREFIXES[endpoint.hub] + endpoint.url
    table: dict[str, object] = {"url": endpoint.url, "hub": endpoint.hub}
    if endpoint.token_variable:
        table["token_variable"] = endpoint.token_variable
    elif endpoint.official:
        # An address alone would let the other site's token go there.
        table["auth"] = endpoint.auth
    elif endpoint.auth:
        table["auth"] = True
    if not endpoint.official and (not endpoint.named or "resolve" not in endpoint.can):
        table["can"] = ["pull"]
    if other_id:
        table["repo"] = other_id
    return table


def with_order(text: str, items: Sequence[Item], repo: Repo) -> tuple[str, list[Item]]:
    """Put endpoints first in a config file's text; what it lists beside them stays, after them.

    Raises:
        ConfigError: The text is not TOML.
    """
    import tomlkit  # only needed where something is saved
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise ConfigError(f"the config file is not TOML: {error}") from None
    # What the user has written of an endpoint in a table holds, however it was named this time.
    tables = {_key(item, repo): item for item in reversed(_listed(document)) if isinstance(item, Mapping)}
    items = [tables.get(_key(item, repo), item) for item in items]
    measured = {_key(item, repo) for item in items}
    listed = [*items, *(item for item in _listed(document) if _key(item, repo) not in measured)]
    document.pop("endpoint", None)
    array = tomlkit.array().multiline(True)
    for item in listed:
        array.append(_inline(item))
    document["endpoints"] = array
    written = tomlkit.dumps(document)
    if tomllib.loads(written) != _others(text) | {"endpoints": listed}:
        raise ConfigError("the config file could not be changed safely: write the endpoints into it by hand")
    return written, listed


def _others(text: str) -> dict[str, object]:
    """Return what a config file says beside the endpoints."""
    return {name: value for name, value in tomllib.loads(text).items() if name not in ("endpoint", "endpoints")}


def _is_alias(endpoint: Endpoint, repo: Repo) -> bool:
    """Whether it serves this repository only because the alias table says under which name."""
    content = content_of(repo)
    return endpoint.hub != repo.hub and content is not None and f"{endpoint.hub}:{endpoint.repo}" in content.repos


def _bare_addresses(settings: Settings) -> set[str]:
    """Return what the user wrote as an address alone."""
    found = set()
    for item in settings.endpoints or ():
        if isinstance(item, str) and item not in _WORDS and not item.startswith(tuple(_PREFIXES.values())):
            with suppress(ValueError):
                found.add(parse_url(item))
    return found


def _listed(document: TOMLDocument) -> list[Item]:
    """Return what a config file lists, in the order in which it counts; `default` where it lists nothing."""
    plain = document.unwrap()
    given = plain.get("endpoints", ["default"])
    listed = given.replace(",", " ").split() if isinstance(given, str) else given
    return [*plain.get("endpoint", []), *listed]


def _key(item: Item, repo: Repo) -> tuple[str, str]:
    """Return address and hub of an item, whatever way it is written."""
    address, hub = item if isinstance(item, str) else str(item["url"]), repo.hub
    if isinstance(item, Mapping):
        return _url(address), str(item.get("hub", "modelscope"))
    for name, prefix in _PREFIXES.items():
        if address.startswith(prefix):
            return _url(address.removeprefix(prefix)), name
    return address if address in _WORDS else _url(address), hub


def _url(address: str) -> str:
    try:
        return Endpoint(parse_url(address)).address  # with a login or without, it is the same one
    except ValueError:
        return address


def _inline(item: Item) -> Any:
    import tomlkit

    if isinstance(item, str):
        return item
    table = tomlkit.inline_table()
    table.update(item)
    return table


def _read(path: Path) -> str:
    """Read the file as it is, line ends included; one that is not there is empty."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not TOML: it is no UTF-8") from None


def _write(path: Path, text: str, *, private: bool) -> None:
    """Put the file in its place at once, readable by whom it was; by its owner only where it is new or has a login."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() and not private else 0o600
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text.encode("utf-8"))
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def shown(items: Iterable[Item]) -> list[str]:
    """Write the items of a list as they may be shown, without logins."""
    return [_shown(item) for item in items]


def _shown(item: Item) -> str:
    if isinstance(item, str):
        prefix = next((prefix for prefix in _PREFIXES.values() if item.startswith(prefix)), "")
        return item if item in _WORDS else prefix + Endpoint(item.removeprefix(prefix)).address
    return described(endpoint_from_table(item))
