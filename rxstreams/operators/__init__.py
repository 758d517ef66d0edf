"""Operators: functions from one Observable to another, for ``source.pipe(...)``."""

from rxstreams.operators._deduplicate import deduplicate
from rxstreams.operators._detect_gaps import detect_gaps
from rxstreams.operators._into import into
from rxstreams.operators._normalize_symbols import normalize_symbols
from rxstreams.operators._prepend_history import prepend_history
from rxstreams.operators._recover_gaps import recover_gaps
from rxstreams.operators._redundant import redundant
from rxstreams.operators._resample import resample
from rxstreams.operators._retry_with_backoff import RetryInfo, retry_with_backoff
from rxstreams.operators._throttle_by_priority import throttle_by_priority
from rxstreams.operators._to_ohlc import to_ohlc

__all__ = [
    "RetryInfo",
    "deduplicate",
    "detect_gaps",
    "into",
    "normalize_symbols",
    "prepend_history",
    "recover_gaps",
    "redundant",
    "resample",
    "retry_with_backoff",
    "throttle_by_priority",
    "to_ohlc",
]
