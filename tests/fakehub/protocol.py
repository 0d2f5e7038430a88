"""Request -> Response. Pure: the same for the socket and for memory."""

from __future__ import annotations

from collections.abc import Iterable

from tests.fakehub import huggingface, modelscope
from tests.fakehub.messages import Request, Response, respond, respond_html
from tests.fakehub.ranges import ranged
from tests.fakehub.rules import Fault
from tests.fakehub.site import Site, Subject

NOT_FOUND = b"<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1></body></html>"


def describe(site: Site, request: Request) -> Subject:
    """Say what a request is about."""
    parts = _parts(site, request)
    if parts is None:
        return Subject("other")
    if sha256 := _find_blob_name(parts):
        found = site.find_blob(sha256)
        return Subject("body", found[0] if found else None)
    return modelscope.subject(parts, request) or huggingface.subject(parts) or Subject("other")


def exchange(site: Site, request: Request, faults: Iterable[Fault] = ()) -> Response:
    """Answer a request through the faults that apply to it, in their order."""
    faults = tuple(faults)
    for fault in faults:
        request = fault.before(request)
    response = answer(site, request)
    for fault in faults:
        response = fault.after(request, response)
    return response


def answer(site: Site, request: Request) -> Response:
    """Answer a request as the hub does when nothing is wrong."""
    parts = _parts(site, request)
    if parts is None:
        return respond_html(NOT_FOUND, 404)
    if request.method not in ("GET", "HEAD"):
        return respond(405, headers={"allow": "GET, HEAD"})
    if sha256 := _find_blob_name(parts):
        return _answer_cdn(site, sha256, request)
    if _is_modelscope(site, parts, request):
        return modelscope.answer(site, parts, request)
    return huggingface.answer(site, parts, request)


def _parts(site: Site, request: Request) -> list[str] | None:
    """Split the path below the prefix, or give None for a path outside of it."""
    if site.prefix and not request.path.startswith(f"{site.prefix}/"):
        return None
    return request.path[len(site.prefix) :].strip("/").split("/")


def _find_blob_name(parts: list[str]) -> str | None:
    return parts[1] if len(parts) == 2 and parts[0] == "cdn" else None


def _is_modelscope(site: Site, parts: list[str], request: Request) -> bool:
    # Both protocols have /datasets/{id}/resolve/...: whose repository it is decides.
    if modelscope.subject(parts, request) is None:
        return parts[:2] in (["api", "v1"], ["openapi", "v1"])
    return not (parts[0] == "datasets" and site.find("huggingface", "dataset", "/".join(parts[1:3])))


def _answer_cdn(site: Site, sha256: str, request: Request) -> Response:
    """Answer as an object store: the address is signed, and any other credential beside it is an error."""
    if "authorization" in request.headers:
        return _refuse(400, "InvalidArgument", "Only one auth mechanism allowed")
    if request.query.get("sig") != site.signature(sha256):
        return _refuse(403, "SignatureDoesNotMatch", "The signature does not match")
    found = site.find_blob(sha256)
    if found is None:
        return _refuse(404, "NoSuchKey", "The specified key does not exist")
    headers = {"etag": f'"{sha256}"'}
    return ranged(request, respond(200, found[1].data, content_type="application/octet-stream", headers=headers))


def _refuse(status: int, code: str, message: str) -> Response:
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return respond(status, body.encode(), content_type="application/xml")
