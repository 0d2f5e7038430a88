"""The secrets of a call, each with a value of its own, and how to find them in whatever was sent or told."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from urllib.parse import quote

SECRETS = {
    "argument": "argumentTokenOf/theCall+1",
    "huggingface": "hf_theTokenOfTheHuggingFaceLogin",
    "modelscope": "ms-0f0f0f0f-theTokenOfTheModelScopeLogin",
    "own": "ownTokenOfOneEndpoint",
    "login": "passwordInAnAddress",
    "proxy": "passwordOfTheProxy",
    "header": "headerThatTheCallWasGiven",
    "cookie": "cookieThatTheCallWasGiven",
    "netrc": "passwordInNetrc",
}
"""Where a secret is from, and the secret."""
LOGINS = ("login", "proxy", "netrc")
"""Those that are sent with a user's name before them."""


def found_in(*texts: str) -> set[str]:
    """Name the secrets that stand in texts, in any of the spellings in which they travel."""
    whole = "\n".join(texts).casefold()
    return {name for name in SECRETS if any(one.casefold() in whole for one in _spellings(name))}


def _spellings(name: str) -> Iterable[str]:
    secret = SECRETS[name]
    yield from (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode())
    if name in LOGINS:
        yield base64.b64encode(f"user:{secret}".encode()).decode()
