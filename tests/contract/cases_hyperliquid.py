"""Hyperliquid's messages, written from its documentation, for the suite that every venue passes.

Source: https://hyperliquid.gitbook.io/Hyperliquid-docs/for-developers/api/websocket/subscriptions, …/info-endpoint and
…/notation, read 2026-11-28; of the channel "error": https://github.com/gemwalletcom/wallet/issues/462, read 2026-11-28.
"""

from __future__ import annotations

from venue_case import Page, Sample, VenueCase

from rxstreams.instants import MINUTE, parse_iso
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources.hyperliquid import Hyperliquid
from rxstreams.sources.venue import Acknowledged, Heartbeat, Unknown
from rxstreams.testing.formats import HyperliquidFormat
from rxstreams.timeframe import Timeframe

SYMBOL = "BTC/USDC:USDC"
FIRST = PriceTick(
    symbol=SYMBOL,
    price=64000.5,
    volume=0.16,
    timestamp=parse_iso("2026-11-28T09:23:53.971Z"),
    exchange="hyperliquid",
    trade_id="7001",
    side=Side.SELL,
)
SECOND_TRADE = PriceTick(
    symbol=SYMBOL,
    price=64001.0,
    volume=2.0,
    timestamp=parse_iso("2026-11-28T09:23:54Z"),
    exchange="hyperliquid",
    trade_id="6002",
    side=Side.BUY,
)
_FIRST = (
    b'{"coin":"BTC","side":"A","px":"64000.5","sz":"0.16","time":1795857833971,"hash":"0x01","tid":7001,'
    b'"users":["0x02","0x03"]}'
)
_SECOND = (
    b'{"coin":"BTC","side":"B","px":"64001.0","sz":"2","time":1795857834000,"hash":"0x04","tid":6002,'
    b'"users":["0x03","0x02"]}'
)
_OPEN = parse_iso("2026-11-28T09:23:00Z")


def _row(open_time: int) -> bytes:
    begin = open_time // 1_000_000
    return (
        b'{"t":%d,"T":%d,"s":"BTC","i":"1m","o":"64000.5","c":"64005.0","h":"64010.0","l":"63990.0","v":"12.5","n":189}'
        % (begin, begin + 59_999)
    )


def candle(open_time: int, *, closed: bool) -> OHLCCandle:
    """Return the candle of the messages here."""
    return OHLCCandle(
        symbol=SYMBOL,
        timeframe=Timeframe("1m"),
        open_time=open_time,
        open=64000.5,
        high=64010.0,
        low=63990.0,
        close=64005.0,
        volume=12.5,
        trades=189,
        exchange="hyperliquid",
        closed=closed,
        complete=closed,
    )


def _answer(method: bytes, subscription: bytes) -> bytes:
    return b'{"channel":"subscriptionResponse","data":{"method":"%b","subscription":%b}}' % (method, subscription)


def _error(words: bytes) -> bytes:
    return b'{"channel":"error","data":"%b {\\"type\\":\\"trades\\",\\"coin\\":\\"BTC\\"}"}' % words


CASE = VenueCase(
    venue=Hyperliquid(),
    format=HyperliquidFormat,
    spellings={SYMBOL: "BTC", "ETH/USDC:USDC": "ETH", "kPEPE/USDC:USDC": "kPEPE"},
    malformed_symbols=("PURR/USDC", "BTC/USD:BTC", "BTC/USDT:USDT", "BTC/USDC:USDC-261225", "@107/USDC:USDC"),
    samples=(
        Sample(
            kind="acknowledgement",
            frame=_answer(b"subscribe", b'{"type":"trades","coin":"BTC"}'),
            expected=(Acknowledged(symbols=(SYMBOL,)),),
        ),
        Sample(
            kind="acknowledgement",
            frame=_answer(b"unsubscribe", b'{"type":"candle","coin":"BTC","interval":"1m"}'),
            expected=(Acknowledged(symbols=(SYMBOL,), subscribed=False),),
        ),
        Sample(kind="probe answer", frame=b'{"channel":"pong"}', expected=(Heartbeat(),)),
        Sample(kind="one trade", frame=b'{"channel":"trades","data":[%b]}' % _FIRST, expected=(FIRST,)),
        Sample(
            kind="several trades",
            frame=b'{"channel":"trades","data":[%b,%b]}' % (_FIRST, _SECOND),
            expected=(FIRST, SECOND_TRADE),
        ),
        Sample(
            kind="open candle",
            frame=b'{"channel":"candle","data":%b}' % _row(_OPEN),
            expected=(candle(_OPEN, closed=False),),
        ),
        Sample(
            kind="open candle",
            frame=b'{"channel":"candle","data":[%b,%b]}' % (_row(_OPEN - MINUTE), _row(_OPEN)),
            expected=(candle(_OPEN - MINUTE, closed=False), candle(_OPEN, closed=False)),
        ),
        Sample(
            kind="unknown kind",
            frame=b'{"channel":"allMids","data":{"mids":{"BTC":"64000.5"}}}',
            expected=(Unknown(kind="allMids"),),
        ),
        Sample(
            kind="unknown kind",
            frame=_error(b"Already subscribed:"),
            expected=(Unknown(kind='error: Already subscribed: {"type":"trades","coin":"BTC"}'),),
        ),
    ),
    absent={
        "refusal": "which words mean that there is no such coin was not found: errors are told and end nothing",
        "heartbeat": "it is the client that has to ping",
        "trade snapshot": "it is a message like any other, the first one after an acknowledgement: test_hyperliquid.py",
        "closed candle": "an open candle is followed by one of the next interval, without a flag",
        "candle snapshot": "the documentation names none for candles",
    },
    candle_pages=(
        Page(
            symbol=SYMBOL,
            body=b"[%b,%b]" % (_row(_OPEN - MINUTE), _row(_OPEN)),
            items=(candle(_OPEN - MINUTE, closed=True), candle(_OPEN, closed=True)),
        ),
    ),
    empty_candles=b"[]",
    unknown_symbol=(200, b"null"),
    symbols=(
        b'{"universe":[{"szDecimals":5,"name":"BTC","maxLeverage":40},{"szDecimals":0,"name":"kPEPE","maxLeverage":10},'
        b'{"szDecimals":1,"name":"OLD","maxLeverage":3,"isDelisted":true}],"marginTables":[]}',
        frozenset({"BTC", "kPEPE"}),
    ),
)
