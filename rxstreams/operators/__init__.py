"""Operators: functions from one Observable to another, for ``source.pipe(...)``."""

from rxstreams.operators._deduplicate import deduplicate
from rxstreams.operators._into import into
from rxstreams.operators._normalize_symbols import normalize_symbols
from rxstreams.operators._resample import resample
from rxstreams.operators._retry_with_backoff import RetryInfo, retry_with_backoff
from rxstreams.operators._throttle_by_priority import throttle_by_priority
from rxstreams.operators._to_ohlc import to_ohlc

__all__ = [
    "RetryInfo",
    "deduplicate",
    "into",
    "normalize_symbols",
    "resample",
    "retry_with_backoff",
    "throttle_by_priority",
    "to_ohlc",
]
