"""Where the SDKs' questions leave: the HTTP libraries' `send`, for requests that an SDK signs with its User-Agent.

Everything else that passes there goes on untouched: uploads and logins, files, other hosts, other people's requests.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from mirrorhub.endpoints import OFFICIAL
from mirrorhub.faults import Hopeless
from mirrorhub.models import HubName
from mirrorhub.routing.question import Question, Reply, ask, question_of

_SIGNATURES: dict[HubName, tuple[str, ...]] = {
    "huggingface": ("hf_hub/",),
    "modelscope": ("modelscope_hub/", "modelscope/"),
}


def through_httpx(original: Callable[..., Any], client: Any, request: Any, **options: Any) -> Any:
    """Stand in for `httpx.Client.send`, or that of its successor."""
    library = sys.modules[type(request).__module__.partition(".")[0]]

    def response(reply: Reply) -> Any:
        return library.Response(reply.status, headers=dict(reply.headers), content=reply.body, request=request)

    def error(message: str) -> Exception:
        found: Exception = library.ConnectError(message, request=request)
        return found

    found = _answered(request, response, error)
    return original(client, request, **options) if found is None else found


def through_requests(original: Callable[..., Any], session: Any, request: Any, **options: Any) -> Any:
    """Stand in for `requests.Session.send`."""
    import io

    import requests

    def response(reply: Reply) -> Any:
        made = requests.Response()
        made.status_code, made.url, made.request = reply.status, request.url, request
        made.headers.update(reply.headers)
        made.raw = io.BytesIO(reply.body)
        made.encoding = "utf-8"
        return made

    def error(message: str) -> Exception:
        return requests.exceptions.ConnectionError(message, request=request)

    found = _answered(request, response, error)
    return original(session, request, **options) if found is None else found


def _answered(request: Any, response: Callable[[Reply], Any], error: Callable[[str], Exception]) -> Any:
    """Answer a request along the chain; None where it is not one that we answer."""
    if (question := _question(request)) is None:
        return None
    try:
        reply = ask(question)
    except Hopeless as hopeless:
        told = "; ".join(dict.fromkeys(f"{endpoint}: {failure}" for endpoint, failure in hopeless.failures))
        raise error(f"{question.repo}: nobody could be asked: {told}") from None
    return None if reply is None else response(reply)


def _question(request: Any) -> Question | None:
    signature = str(request.headers.get("user-agent", ""))
    for hub, marks in _SIGNATURES.items() if request.method == "GET" else ():
        if any(mark in signature for mark in marks):
            url = str(request.url)
            home = next((home for home in homes(hub) if url.startswith(home + "/")), None)
            return None if home is None else question_of(hub, home, url.removeprefix(home), _token(request.headers))
    return None


def homes(hub: HubName) -> tuple[str, ...]:
    """Return the addresses that an SDK asks of its own accord, as the environment and its release have it."""
    if hub == "huggingface":
        from huggingface_hub import constants

        return (constants.ENDPOINT.rstrip("/"),)
    from modelscope_hub.config import HubConfig

    return (str(HubConfig().endpoint), *sorted(OFFICIAL["modelscope"]))


def _token(headers: Any) -> str | bool:
    """Return the token that the SDK would send; False where it sends none."""
    scheme, _, token = str(headers.get("authorization", "")).partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else False
