"""When an endpoint wants to be asked again, as far as its answer says so."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Callable, Mapping

MAX_RETRY_AFTER_S = 3600.0
_EPOCH_S = 1e9
"""Beyond this a reset is a moment and not a number of seconds."""
_SECONDS = re.compile(r"\d+(\.\d+)?")
# `"api";r=0;t=55` of the draft that Hugging Face follows, and `remaining=0, reset=55` of an older one.
_SPENT = re.compile(r"\b(?:r|remaining)\s*=\s*0\b[^,\d]*,?\s*(?:t|reset)\s*=\s*(\d+)")


def retry_after_s(headers: Mapping[str, str], now: Callable[[], float] = time.time) -> float | None:
    """Read when an endpoint wants to be asked again, in seconds from now.

    `Retry-After` is a number of seconds or a date (RFC 9110, 10.2.3); Hugging Face sends `ratelimit: "api";r=0;t=55`;
    proxies in front of a mirror send `RateLimit-Reset` or `X-RateLimit-Reset`, in seconds or as a moment.
    """
    for read in (_after, _spent, _reset):
        if (seconds := read(headers, now)) is not None:
            return min(max(0.0, seconds), MAX_RETRY_AFTER_S)
    return None


def _after(headers: Mapping[str, str], now: Callable[[], float]) -> float | None:
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    date = email.utils.parsedate_tz(value) if value else None
    return email.utils.mktime_tz(date) - now() if date else None


def _spent(headers: Mapping[str, str], now: Callable[[], float]) -> float | None:
    found = _SPENT.findall(headers.get("ratelimit", "").lower())
    return max(map(float, found), default=None)


def _reset(headers: Mapping[str, str], now: Callable[[], float]) -> float | None:
    """A reset comes with every answer: it means something only where nothing is left."""
    for name in ("ratelimit", "x-ratelimit"):
        value = headers.get(f"{name}-reset", "").strip()
        if _SECONDS.fullmatch(value) and headers.get(f"{name}-remaining", "0").strip() == "0":
            return float(value) - now() if float(value) > _EPOCH_S else float(value)
    return None
