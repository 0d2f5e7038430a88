"""What to do about an endpoint that refuses: which token it was sent, and the lines that would send it one. Pure."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence

from mirrorhub.config import config_path
from mirrorhub.credentials import TokenStanding
from mirrorhub.models import Endpoint
from mirrorhub.tables import variable_for

Standing = Callable[[Endpoint], TokenStanding]


def advice_on_tokens(refusing: Iterable[Endpoint], standing: Standing, environ: Mapping[str, str] = os.environ) -> str:
    """Say of endpoints that have refused what became of the token; nothing where there is none to speak of.

    Args:
        refusing: Those that have refused whoever brings no token, or the wrong one.
        standing: What became of the token at an endpoint.
        environ: Says where the config file lies.
    """
    by_standing: dict[TokenStanding, list[Endpoint]] = {}
    for endpoint in dict.fromkeys(refusing):
        by_standing.setdefault(standing(endpoint), []).append(endpoint)
    told = [_unset(endpoint) for endpoint in by_standing.get("unset", ())]
    if withheld := by_standing.get("withheld"):
        told.append(_withheld(withheld, environ))
    elif sent := by_standing.get("sent"):
        told.append(_refused(sent))
    return " ".join(told)


def _unset(endpoint: Endpoint) -> str:
    variable = endpoint.token_variable
    return f"{endpoint} was sent no token: {variable}, which its table names, is empty. Put a token into it."


def _refused(endpoints: Sequence[Endpoint]) -> str:
    names = " and ".join(map(str, endpoints))
    return (
        f"{names} was sent a token and does not accept it for this: see that it is valid and of that hub "
        "(`mirrorhub config` says where it is from), and on the hub's page whether terms must be accepted."
    )


def _withheld(endpoints: Sequence[Endpoint], environ: Mapping[str, str]) -> str:
    """Write the lines that mark an endpoint; a token of its own first, for that goes nowhere else."""
    names, one = " and ".join(map(str, endpoints)), endpoints[0]
    return (
        f"The token was not sent to {names}: it is for the official hub. If that endpoint has one of its own, write "
        f"into {config_path(environ)}\n\n"
        f'    [[endpoint]]\n    url = "{one.address}"\n    hub = "{one.hub}"\n'
        f'    token_variable = "{variable_for(one)}"\n\n'
        "and put it into that variable; auth = true in place of the last line sends it what the official hub is sent. "
        "token= is sent to the one endpoint that is given with it."
    )
