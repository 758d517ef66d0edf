"""Sinks: keep what flows, in memory, for readers in any thread."""

from rxstreams.sinks._named import get_ohlc_cache_manager
from rxstreams.sinks._shelf import CandleKey
from rxstreams.sinks.ohlc_buffer import OHLCBuffer
from rxstreams.sinks.ohlc_cache_manager import OHLCCacheManager

__all__ = ["CandleKey", "OHLCBuffer", "OHLCCacheManager", "get_ohlc_cache_manager"]
