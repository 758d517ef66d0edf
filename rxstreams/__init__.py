"""Market data as Observables: from an exchange's socket to a candle that says whether it is true."""

from importlib.metadata import version

from rxstreams.backoff import BackoffPolicy
from rxstreams.bridge import pipe, run, to_async_iterable
from rxstreams.config import StreamConfig
from rxstreams.errors import RxStreamsError, StreamError
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.limits import (
    APIPriority,
    APIRateLimiter,
    RateLimitConfig,
    create_rate_limiter,
    get_rate_limiter,
)
from rxstreams.manager import WebSocketManager, get_websocket_manager, register_websocket_manager
from rxstreams.resolver import Resolver
from rxstreams.scheduler import EventLoopThreadScheduler
from rxstreams.sinks import OHLCBuffer, OHLCCacheManager, get_ohlc_cache_manager
from rxstreams.sources import Stream, Venue
from rxstreams.states import StreamEvent, StreamState, StreamStats
from rxstreams.symbols import SymbolMap
from rxstreams.timeframe import Timeframe

__version__ = version("rxstreams")

__all__ = [
    "APIPriority",
    "APIRateLimiter",
    "BackoffPolicy",
    "EventLoopThreadScheduler",
    "OHLCBuffer",
    "OHLCCacheManager",
    "OHLCCandle",
    "PriceTick",
    "RateLimitConfig",
    "Resolver",
    "RxStreamsError",
    "Side",
    "Stream",
    "StreamConfig",
    "StreamError",
    "StreamEvent",
    "StreamState",
    "StreamStats",
    "SymbolMap",
    "Timeframe",
    "Venue",
    "WebSocketManager",
    "__version__",
    "create_rate_limiter",
    "get_ohlc_cache_manager",
    "get_rate_limiter",
    "get_websocket_manager",
    "pipe",
    "register_websocket_manager",
    "run",
    "to_async_iterable",
]
