"""For tests of your own: an exchange that breaks on command, made-up trades, and the truth to compare with."""

from rxstreams.testing.candles import TrueCandle, candles_of
from rxstreams.testing.config import fast_config
from rxstreams.testing.exchange import FakeExchange
from rxstreams.testing.faults import (
    AcceptThenDrop,
    AnyFault,
    CloseAfter,
    DropAfter,
    DropRest,
    Duplicate,
    Fault,
    Garbage,
    HttpStatus,
    HugeFrame,
    NoAck,
    RefuseConnection,
    RefuseSymbols,
    Reorder,
    RestError,
    RestFault,
    RestStatus,
    SlowAck,
    SlowHandshake,
    SlowRest,
    StallAfter,
    TimedFault,
)
from rxstreams.testing.market import Market
from rxstreams.testing.records import ConnectionRecord, Published, ReceivedCommand, ReceivedRequest
from rxstreams.testing.report import Difference, Report, compare

__all__ = [
    "AcceptThenDrop",
    "AnyFault",
    "CloseAfter",
    "ConnectionRecord",
    "Difference",
    "DropAfter",
    "DropRest",
    "Duplicate",
    "FakeExchange",
    "Fault",
    "Garbage",
    "HttpStatus",
    "HugeFrame",
    "Market",
    "NoAck",
    "Published",
    "ReceivedCommand",
    "ReceivedRequest",
    "RefuseConnection",
    "RefuseSymbols",
    "Reorder",
    "Report",
    "RestError",
    "RestFault",
    "RestStatus",
    "SlowAck",
    "SlowHandshake",
    "SlowRest",
    "StallAfter",
    "TimedFault",
    "TrueCandle",
    "candles_of",
    "compare",
    "fast_config",
]
