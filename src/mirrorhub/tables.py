"""What the config file says of one endpoint, read and written: its address, what it may do, and whose token it gets.

It stands in a table of its own, `[[endpoint]]`, or as one among the addresses in `endpoints`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args
from urllib.parse import SplitResult, urlsplit

from mirrorhub.http.redact import redact
from mirrorhub.models import Capability, Endpoint, HubName

_PORTS = {"http": 80, "https": 443}
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


def endpoint_from_table(table: Mapping[str, object]) -> Endpoint:
    """Read an endpoint that has a table of its own; one that may only pull is not one whose word is taken.

    Raises:
        ValueError: It has no address, or a key or a value that cannot be used.
    """
    known: dict[str, Callable[[object], Any]] = {
        "url": parse_url,
        "hub": one_of(get_args(HubName)),
        "can": lambda given: frozenset(map(one_of(get_args(Capability)), _list(given))),
        "auth": _flag,
        "repo": str,
        "token_variable": _name,
    }
    if "token" in table:
        raise ValueError(
            "an [[endpoint]] holds no token: files are copied, backed up and read by others. Put it into a variable, "
            'and write the name of that one here: token_variable = "EXAMPLE_HUB_TOKEN"'
        )
    if unknown := sorted(set(table) - set(known)):
        raise ValueError(f"an [[endpoint]] has no {unknown[0]!r}; it has {', '.join(known)}")
    if "url" not in table:
        raise ValueError("an [[endpoint]] needs a url")
    if "repo" in table:
        # It holds something else under that name: it may give bytes whose digest is known, and say nothing.
        table = {**table, "can": ["pull"]}
    values = {key: read(f"[[endpoint]] {key}", value, known[key]) for key, value in table.items()}
    endpoint = Endpoint(named="resolve" in values.get("can", ("resolve",)), **values)
    if problem := problem_of(endpoint):
        raise ValueError(f"[[endpoint]] {problem}")
    return endpoint


def described(endpoint: Endpoint) -> str:
    """Write an endpoint that has a table of its own as it may be shown: its limits, and no login."""
    words = [endpoint.hub, *(["auth: True"] if endpoint.auth else [])]
    words += [f"token in {endpoint.token_variable}"] if endpoint.token_variable else []
    words += [f"repo: {endpoint.repo}"] if endpoint.repo else []
    words += [] if "resolve" in endpoint.can else ["bytes only, its listing is not believed"]
    return f"{endpoint} ({', '.join(words)})"


def read(name: str, value: object, parse: Callable[[object], Any]) -> Any:
    """Read one value.

    Raises:
        ValueError: It cannot be used; the message names it, without a login.
    """
    try:
        return parse(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name} = {redact(repr(value))} cannot be used: {error}") from None


def _name(value: object) -> str:
    # What it is, problem_of says without showing it.
    return value if isinstance(value, str) else ""


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("say true or false")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("say a list")
    return value


def problem_of(endpoint: Endpoint) -> str | None:
    """Return why an endpoint cannot be used as it is; None where it can. A token in the wrong place is not shown."""
    if endpoint.token_variable is None:
        return None
    if not _VARIABLE.fullmatch(str(endpoint.token_variable)):
        return "token_variable is the name of a variable, in capitals, digits and _: the token itself goes into that"
    if endpoint.auth:
        return "auth sends it what HF_TOKEN or a login holds, token_variable a token of its own: say one of the two"
    return None


def variable_for(endpoint: Endpoint) -> str:
    """Suggest a name for the variable that holds an endpoint's own token."""
    host = urlsplit(endpoint.address).hostname or ""
    name = re.sub(r"[^A-Z0-9]+", "_", host.upper()).strip("_")
    return f"{name}_TOKEN" if name[:1].isalpha() else f"HUB_{name}_TOKEN"


def one_of(choices: tuple[Any, ...]) -> Callable[[object], Any]:
    """Return what accepts these values and no others."""

    def parse(value: object) -> Any:
        if value not in choices:
            raise ValueError(f"say one of {', '.join(choices)}")
        return value

    return parse


def parse_url(value: object) -> str:
    """Accept an endpoint with or without scheme and slash, as the SDKs do; return it in one spelling."""
    text = str(value).strip()
    if not text.isascii() or any(char.isspace() for char in text):
        raise ValueError("an address has no spaces and no full-width characters")
    parts = urlsplit(text if "://" in text else f"https://{text}")
    beside = parts.query or parts.fragment or "@" in parts.path
    if parts.scheme not in _PORTS or not parts.hostname or beside or not _has_port(parts):
        hint = "; in a password / ? # @ : and spaces are written as %2F, %3F, %23, %40, %3A, %20" if "@" in text else ""
        raise ValueError(f"an endpoint is http:// or https:// with a host, and perhaps a port and a path{hint}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in (None, _PORTS[parts.scheme]) else f":{parts.port}"
    login = "".join(parts.netloc.rpartition("@")[:2])
    return f"{parts.scheme}://{login}{host}{port}{parts.path.rstrip('/')}"


def _has_port(parts: SplitResult) -> bool:
    """Whether the port is one, or there is none; what urllib says of another may be a part of a password."""
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False
