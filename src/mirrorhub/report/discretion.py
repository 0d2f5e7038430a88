"""What may be shown to anybody: no token, no login, no signed address, no name of whoever runs this.

A report is made to be pasted where everybody reads it, and much of what stands in it was said by the other end, which
knows the token that it was sent and may say it again: in an error, a redirect, a file's name. So every text goes
through here before it is written anywhere.
"""

from __future__ import annotations

import base64
import getpass
import os
import re
import socket
import urllib.request
from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TypeVar, cast
from urllib.parse import quote, unquote

from mirrorhub.config import Settings
from mirrorhub.http.redact import redact
from mirrorhub.models import Endpoint

MAX_TEXT = 800
"""Characters of one text that are kept."""
HIDDEN = "***"
T = TypeVar("T")
_HEAD = 8
"""So many characters of a secret give it away: a text may have been cut in the middle of one."""
_SHORTEST = 4
_LOGIN_ALONE = re.compile(r"(?<![\w/])[^\s/@:'\"]+:[^\s/@'\"]+@(?=[\w\[])")
_QUERY = re.compile(r"\?[^\s?'\"<>]*=[^\s'\"<>]*")
_TOKENS = re.compile(
    r"\bhf_[A-Za-z0-9]{16,}|\bms-[0-9a-f]{8}-[0-9a-f-]{20,}|\b(?:bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE
)
_NAMED = re.compile(
    r"\b((?:[\w-]*(?:token|secret|password|passwd|signature|credential|api[_-]?key|session|cookie)|authorization)"
    r"['\"]?\s*[=:]\s*['\"]?)[^\s'\"&,;]{4,}",
    re.IGNORECASE,
)
_PATH = re.compile(r"(?<![\w/:.~-])(?:[A-Za-z]:)?[\\/][^\s'\"<>|:*?]*")


class Discretion:
    """Removes from texts what must not be shown."""

    def __init__(self, secrets: Iterable[str], home: str, user: str, machine: str) -> None:
        """Know what to look for.

        Args:
            secrets: Tokens and passwords.
            home: The home directory.
            user: The user's name.
            machine: The machine's.
        """
        spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
        self._secrets = sorted((one for one in spellings if len(one) >= _SHORTEST), key=len, reverse=True)
        self._known = _any_of(self._secrets)
        self._heads = _any_of({secret[:_HEAD] for secret in self._secrets if len(secret) > _HEAD})
        self._home = home.rstrip("/\\")
        self._user = user
        self._seen: dict[str, str] = {}
        self._here = re.compile(rf"\bon {re.escape(machine)}(?![\w.-])") if machine else None

    def clean(self, text: str) -> str:
        """Return a text as it may be shown: on one line, and no longer than need be."""
        text = "".join(char if char.isprintable() else "?" for char in text)
        # What is known goes first: what only looks like a secret may be a part of one.
        text = self._without_heads(self._known.sub(HIDDEN, text))
        text = _QUERY.sub("?...", _LOGIN_ALONE.sub("", redact(text)))
        text = _NAMED.sub(rf"\1{HIDDEN}", _TOKENS.sub(HIDDEN, text))
        text = self._without_home(text)
        return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"

    def cleaned(self, value: T) -> T:
        """Return a value with every text in it, and in what it holds, as it may be shown."""
        return cast("T", self._cleaned(value))

    def _cleaned(self, value: object) -> object:
        if isinstance(value, str):
            # Of a hundred files most came from the same endpoint.
            return self._seen[value] if value in self._seen else self._seen.setdefault(value, self.clean(value))
        if isinstance(value, tuple):
            return tuple(map(self._cleaned, value))
        if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{one.name: self._cleaned(getattr(value, one.name)) for one in fields(value)})
        return value

    def _without_heads(self, text: str) -> str:
        """Take out what looks like the beginning of a secret, as far as it goes."""
        kept, start = [], 0
        for match in self._heads.finditer(text):
            if match.start() >= start:
                kept += [text[start : match.start()], HIDDEN]
                start = match.start() + max(_common(text[match.start() :], secret) for secret in self._secrets)
        return "".join([*kept, text[start:]])

    def _without_home(self, text: str) -> str:
        """Write `~` for the home directory, and for the user's name in other paths; leave the machine unnamed."""
        if len(self._home) > 1:
            text = re.sub(rf"{re.escape(self._home)}(?![\w.-])", "~", text)
        if self._here is not None:
            text = self._here.sub("on this machine", text)
        if not self._user:
            return text
        part = re.compile(rf"(?<=[\\/]){re.escape(self._user)}(?=[\\/]|$)")
        return _PATH.sub(lambda match: part.sub("~", match[0]), text)


def discretion_for(
    settings: Settings, endpoints: Iterable[Endpoint], token: str | bool | None, headers: Iterable[str] = ()
) -> Discretion:
    """Return what keeps a call's secrets.

    Args:
        settings: The call's settings, with the tokens of the environment.
        endpoints: The call's chain, with logins in addresses.
        token: The one that was given with the call.
        headers: What else was given to be sent.
    """
    tokens = [settings.modelscope_token, settings.huggingface_token, token, *settings.own_tokens.values()]
    addresses = [endpoint.url for endpoint in endpoints]
    addresses += [str(one) for one in (settings.modelscope_endpoint, settings.huggingface_endpoint) if one]
    addresses += [one.url if isinstance(one, Endpoint) else one for one in settings.endpoints or ()]
    addresses += [*urllib.request.getproxies().values(), *map(str, map(os.environ.get, _PROXIES))]
    # Whatever characters a password has: one that breaks its address in two is a secret all the same.
    logins = [address.partition("://")[2].rpartition("@")[0] for address in addresses if "://" in address]
    passwords = [part for login in logins for part in (login, login.partition(":")[2])]
    given = [one for one in tokens if isinstance(one, str)]
    return Discretion([*given, *passwords, *headers], str(Path.home()), _user(), socket.gethostname())


_PROXIES = [name for kind in ("http", "https", "all") for name in (f"{kind}_proxy", f"{kind}_proxy".upper())]


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def _spellings(secret: str) -> Iterable[str]:
    """Return a secret in the spellings in which it travels."""
    plain = unquote(secret)
    yield from (
        secret,
        plain,
        quote(plain, safe=""),
        quote(plain),
        plain.replace("_", "-"),  # as a host's name
        plain[::-1],
        plain.encode().hex(),
    )
    for encoded in (base64.b64encode(plain.encode()), base64.urlsafe_b64encode(plain.encode())):
        yield from (encoded.decode(), encoded.decode().rstrip("="))


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Return what finds any of these words, in small letters or large; a host's name comes in small ones."""
    return re.compile("|".join(map(re.escape, words)) or r"\Z.", re.IGNORECASE)


def _common(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    ends = (at for at, (left, right) in pairs if left.casefold() != right.casefold())
    return next(ends, min(len(one), len(other)))
