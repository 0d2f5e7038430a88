"""Where the SDKs' questions leave: the HTTP libraries' `send`, for requests that an SDK signs with its User-Agent.

Everything else that passes there goes on untouched: uploads and logins, files, other hosts, other people's requests.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from mirrorhub.config import Settings
from mirrorhub.endpoints import OFFICIAL
from mirrorhub.errors import ConfigError, MirrorHubError
from mirrorhub.faults import Hopeless
from mirrorhub.models import HubName
from mirrorhub.routing.question import Question, question_of
from mirrorhub.routing.reply import Reply

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
    if (hub := _signed_by(request)) is None:
        return None
    try:
        settings = Settings.load()
    except ConfigError:
        return None  # said where something is downloaded
    if (question := _question(hub, request, settings)) is None:
        return None
    from mirrorhub.routing.inquiry import ask

    try:
        reply = ask(question, settings)
    except Hopeless as hopeless:
        told = "; ".join(dict.fromkeys(f"{endpoint}: {failure}" for endpoint, failure in hopeless.failures))
        raise error(f"{question.repo}: nobody could be asked: {told}") from None
    except MirrorHubError as ours:
        raise error(str(ours)) from ours
    return None if reply is None else response(reply)


def _signed_by(request: Any) -> HubName | None:
    """Return whose SDK it is that asks."""
    if request.method not in ("GET", "HEAD"):
        return None
    signature = str(request.headers.get("user-agent", ""))
    return next((hub for hub, marks in _SIGNATURES.items() if any(mark in signature for mark in marks)), None)


def _question(hub: HubName, request: Any, settings: Settings) -> Question | None:
    """Read a request, if it goes to an address that the SDK asks of its own accord."""
    url = str(request.url)
    home = next((home for home in _homes(hub, settings) if home and url.startswith(f"{home}/")), None)
    if home is None:
        return None
    return question_of(hub, request.method, home, url.removeprefix(home), _token(request.headers))


def _homes(hub: HubName, settings: Settings) -> tuple[str | None, ...]:
    if hub == "modelscope":
        return (settings.modelscope_endpoint, *sorted(OFFICIAL[hub]))
    from huggingface_hub import constants

    return (constants.ENDPOINT.rstrip("/"), settings.huggingface_endpoint, *OFFICIAL[hub])


def _token(headers: Any) -> str | bool:
    """Return the token that the SDK would send; False where it sends none."""
    scheme, _, token = str(headers.get("authorization", "")).partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else False
