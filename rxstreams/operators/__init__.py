"""Operators: functions from one Observable to another, for ``source.pipe(...)``."""

from rxstreams.operators._resample import resample
from rxstreams.operators._retry_with_backoff import retry_with_backoff
from rxstreams.operators._to_ohlc import to_ohlc

__all__ = ["resample", "retry_with_backoff", "to_ohlc"]
