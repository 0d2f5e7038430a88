"""ModelScope's envelope around every answer: what it holds, or why it holds nothing.

    {"Code": 200, "Data": ..., "Message": "success", "Success": true}
    {"Code": 10010103009, "Message": "...", "Success": false}               under 400, 404, or 200

Source: modelscope_hub 0.5.1, `errors.py` and `_legacy_api.py`.
"""

from __future__ import annotations

from mirrorhub.faults import Failure, Fault
from mirrorhub.http.backoff import retry_after_s
from mirrorhub.http.client import Answer
from mirrorhub.hubs.listing import rows_of, text_of
from mirrorhub.hubs.pages import Row
from mirrorhub.lane import common_failure, read_json

_BY_CODE = {
    "10010103009": Fault.DENIED,  # the token is wrong or has expired; comes under 400, too
    "InvalidAuthentication": Fault.DENIED,
    "OperationNotAllowed": Fault.DENIED,
    "RateLimitExceed": Fault.BUSY,
    "401": Fault.DENIED,
    "403": Fault.DENIED,
    "429": Fault.BUSY,
}
_OF_A_REVISION = ("revision", "branch", "版本", "分支")


def rows_in(answer: Answer) -> list[Row]:
    """Read the rows of a listing.

    Raises:
        Failure: There are none, for the reason that is said.
    """
    body = read_json(answer, listing_failure)
    if isinstance(body, dict) and _is_refusal(body):
        raise _refusal(answer, body, _missing(body))
    return rows_of(_listed(body), "the listing")


def _listed(body: object) -> object:
    """A server writes null for a list with nothing in it; without the envelope that says nothing at all."""
    if not isinstance(body, dict):
        return body
    data = body.get("Data", body)
    if isinstance(data, dict) and data:
        data = data.get("Files", data.get("files", data))
    return [] if not data and "Data" in body else data


def listing_failure(answer: Answer) -> Failure:
    """A 404 is the hub's own word only in the hub's own envelope; a bare one says that this is no hub."""
    envelope = _envelope(answer)
    return common_failure(answer) if envelope is None else _refusal(answer, envelope, _missing(envelope))


def file_failure(answer: Answer) -> Failure:
    """Name why a file is not given."""
    envelope = _envelope(answer)
    return common_failure(answer) if envelope is None else _refusal(answer, envelope, Fault.NO_FILE)


def _refusal(answer: Answer, envelope: Row, missing: Fault) -> Failure:
    fault = _BY_CODE.get(str(envelope.get("Code", envelope.get("code"))))
    if fault is None and answer.status not in (200, 400, 404):
        fault = common_failure(answer).fault
    message = f"answered {answer.status}: {_message(envelope)}"
    return Failure(fault or missing, message, retry_after_s=_rest_s(answer) if fault else None)


def _rest_s(answer: Answer) -> float | None:
    return common_failure(answer).retry_after_s or (retry_after_s(answer.headers) if answer.status == 200 else None)


def _missing(envelope: Row) -> Fault:
    words = _message(envelope).lower()
    return Fault.NO_REVISION if any(word in words for word in _OF_A_REVISION) else Fault.NO_REPO


def _is_refusal(body: Row) -> bool:
    return body.get("Success") is False or str(body.get("Code", 200)) not in ("200", "0", "None")


def _envelope(answer: Answer) -> Row | None:
    try:
        body = read_json(Answer(200, answer.headers, answer.body, answer.url), common_failure)
    except Failure:
        return None
    return body if isinstance(body, dict) and not {"Code", "Message", "Success"}.isdisjoint(body) else None


def _message(envelope: Row) -> str:
    names = ("Message", "message", "Msg", "msg", "Error", "error", "Detail", "detail")
    return (text_of(envelope, *names) or "no reason")[:300]
