"""What an exception of a call says about the server's answer, whatever HTTP library it comes from."""

from __future__ import annotations

import math
import time
from datetime import timedelta

from rxstreams._retry_after import parse_retry_after
from rxstreams.errors import RateLimited

# 418 is how Binance bans an address for a while.
_RATE_LIMITED = (429, 418)


def is_rate_limited(error: Exception) -> bool:
    """Return whether the server refused the call for its rate."""
    return isinstance(error, RateLimited) or status_of(error) in _RATE_LIMITED


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status that an exception carries; None: there was no answer, or it does not tell."""
    response = getattr(error, "response", None)
    for owner, name in ((error, "status"), (error, "status_code"), (response, "status_code")):
        status = getattr(owner, name, None)
        if isinstance(status, int) and not isinstance(status, bool):
            return int(status)
    return None


def retry_after_of(error: BaseException) -> float | None:
    """Return the seconds that the server asked to wait for, more than 0; None: it did not."""
    stated = getattr(error, "retry_after", None)
    if isinstance(stated, timedelta):
        stated = stated.total_seconds()
    if stated is None:
        headers = getattr(error, "headers", None) or getattr(getattr(error, "response", None), "headers", None)
        stated = _from_headers(headers)
    if not isinstance(stated, (int, float)) or isinstance(stated, bool) or not 0 < stated < math.inf:
        return None
    return float(stated)


def _from_headers(headers: object) -> float | None:
    get = getattr(headers, "get", None)
    if not callable(get):
        return None
    # Most libraries' headers don't care about the case; a plain dict does.
    value = get("Retry-After") or get("retry-after")
    return parse_retry_after(value, time.time()) if isinstance(value, str) else None
