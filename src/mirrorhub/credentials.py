"""Tokens: what the SDKs' logins stored, and who may be sent one.

A token goes to the official hub it is for and to endpoints marked `auth`; one given with the call also to the one
endpoint it was given with. An endpoint that names a variable of its own gets the token in that one, nobody else does,
and none of the others goes there. Nobody else ever sees a token.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Literal

from mirrorhub.models import Endpoint, HubName
from mirrorhub.pickled import Rebuilding
from mirrorhub.records import mapping, text
from mirrorhub.secret import Secret

TokenStanding = Literal["sent", "withheld", "unset", "none"]
"""An endpoint is sent a token; there is one that it is not sent; the variable that it names is empty; there is none."""
_OF_HUBS = ("MIRRORHUB_", "MODELSCOPE_", "HF_", "HUGGING_FACE_", "HUGGINGFACE_")
_MAX_JAR = 1 << 20


def token_for(
    endpoint: Endpoint, *, request_hub: HubName, explicit: str | bool | None, sole: bool, ambient: str | None
) -> str | None:
    """Return the token that this endpoint may see, or None.

    Args:
        endpoint: Who would see it.
        request_hub: The hub that the request, and so an explicit token, is for.
        explicit: `token=` of the call; False for none at all.
        sole: The endpoint was given with the call, and alone.
        ambient: The token in the variable that the endpoint names; else the environment's or the stored one of its hub.
    """
    if explicit is False:
        return None
    is_for_its_hub = isinstance(explicit, str) and endpoint.hub == request_hub
    if endpoint.token_variable and not (is_for_its_hub and sole):
        return ambient
    if isinstance(explicit, str):
        return explicit if is_for_its_hub and (endpoint.auth or sole) else None
    return ambient if endpoint.auth else None


def checked(token: str) -> Secret:
    """Return a token that can be sent.

    Raises:
        ValueError: It holds what no header may hold; the message does not show it.
    """
    if not (token.isascii() and token.isprintable()):
        raise ValueError("it has a line break or another character that no token has; is all of it the token?")
    return Secret(token)


def installer_environment(environ: Mapping[str, str], private: Set[str] = frozenset()) -> dict[str, str]:
    """Return a package installer's environment: the user's index, proxy and certificates, and nothing that is for hubs.

    Tokens are among that, and addresses with a login in them.

    Args:
        environ: The environment.
        private: Other variables that hold tokens.
    """
    return {name: value for name, value in environ.items() if not (name in private or name.startswith(_OF_HUBS))}


def is_unasked_token_off(environ: Mapping[str, str]) -> bool:
    """Whether Hugging Face is sent a token only where the call names one, as huggingface_hub reads it."""
    return environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").strip().upper() in ("1", "ON", "YES", "TRUE")


def stored_huggingface_token(environ: Mapping[str, str]) -> tuple[str | None, str]:
    """Return what `hf auth login` stored, and the file."""
    if is_unasked_token_off(environ):
        return None, "default"
    home = environ.get("HF_HOME") or Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    path = Path(environ.get("HF_TOKEN_PATH") or Path(home) / "token").expanduser()
    try:
        found = checked(path.read_text(encoding="utf-8").strip())
    except (OSError, ValueError):
        return None, "default"
    return (found, str(path)) if found else (None, "default")


def stored_modelscope_token(environ: Mapping[str, str]) -> tuple[str | None, str]:
    """Return what `modelscope login` stored (a pickled cookie jar), and the file."""
    home = environ.get("MODELSCOPE_HOME") or Path.home() / ".modelscope"
    path = Path(environ.get("MODELSCOPE_CREDENTIALS_PATH") or Path(home) / "credentials").expanduser() / "cookies"
    try:
        found = _session_cookie(path.read_bytes())
    except (OSError, ValueError, LookupError):
        return None, "default"
    return (found, str(path)) if found else (None, "default")


class _Record(dict[str, object]):
    """Stands in for every class of a cookie jar: keeps the state, runs nothing."""


class _Jar(Rebuilding):
    """Reads the shape of a cookie jar. No class is imported and no function called, whatever the file says."""

    _KNOWN = frozenset(
        {
            ("requests.cookies", "RequestsCookieJar"),
            ("http.cookiejar", "CookieJar"),
            ("http.cookiejar", "Cookie"),
            ("http.cookiejar", "DefaultCookiePolicy"),
        }
    )

    def named(self, module: str, name: str) -> object:
        if (module, name) in self._KNOWN:
            return _Record
        return super().named(module, name)

    def made(self, what: object, arguments: object) -> object:
        if what is _Record:
            return _Record()
        return super().made(what, arguments)

    def fill(self, thing: object, state: object) -> None:
        if isinstance(thing, _Record) and isinstance(state, dict):
            thing.update(state)


def _session_cookie(data: bytes) -> str | None:
    jar = mapping(_Jar().read(data[:_MAX_JAR]))
    for by_path in mapping(jar.get("_cookies", {})).values():
        for by_name in mapping(by_path).values():
            cookie = mapping(by_name).get("m_session_id")
            if isinstance(cookie, _Record) and _is_fresh(cookie.get("expires")):
                return checked(text(cookie.get("value")))
    return None


def _is_fresh(expires: object) -> bool:
    return expires is None or (isinstance(expires, int | float) and expires > time.time())
