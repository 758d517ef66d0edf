"""Coinbase Exchange's messages, written from its documentation, for the suite that every venue passes.

Source: as in ``rxstreams/sources/coinbase.py``.
"""

from __future__ import annotations

from venue_case import Page, Sample, VenueCase

from rxstreams.instants import SECOND, parse_iso
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources.coinbase import Coinbase
from rxstreams.sources.venue import Acknowledged, Heartbeat, Rejected, Unknown
from rxstreams.testing.formats.coinbase import CoinbaseFormat
from rxstreams.timeframe import Timeframe

_OPEN = parse_iso("2025-11-10T17:23:00Z")
_BODY = (
    b'"trade_id":10,"maker_order_id":"ac928c66-0000-4000-8000-000000000001",'
    b'"taker_order_id":"132fb6ae-0000-4000-8000-000000000002","side":"sell","size":"5.23512","price":"400.23",'
    b'"product_id":"BTC-USD","sequence":50,"time":"2014-11-07T08:19:27.028459Z"}'
)
_ROWS = (
    b'[{"time":"2020-03-20T00:37:01.5Z","trade_id":8,"price":"6225.5","size":"0.5","side":"buy"},'
    b'{"time":"2020-03-20T00:36:59.860Z","trade_id":7,"price":"6225.32000000","size":"0.06469797","side":"sell"}]'
)


def tick(number: int, price: float, volume: float, time: str, side: Side) -> PriceTick:
    """Return a trade of the messages here."""
    return PriceTick(
        symbol="BTC/USD",
        price=price,
        volume=volume,
        timestamp=parse_iso(time),
        exchange="coinbase",
        trade_id=number,
        side=side,
    )


def candle(open_time: int, low: float) -> OHLCCandle:
    """Return a candle of the answers here."""
    return OHLCCandle(
        symbol="BTC/USD",
        timeframe=Timeframe("1m"),
        open_time=open_time,
        open=1.5,
        high=2.5,
        low=low,
        close=2.0,
        volume=10.0,
        exchange="coinbase",
        closed=True,
        complete=True,
    )


MATCH = tick(10, 400.23, 5.23512, "2014-11-07T08:19:27.028459Z", Side.BUY)

CASE = VenueCase(
    venue=Coinbase(),
    format=CoinbaseFormat,
    spellings={"BTC/USD": "BTC-USD", "ETH/EUR": "ETH-EUR", "1INCH/USD": "1INCH-USD", "ETH/BTC": "ETH-BTC"},
    malformed_symbols=("BTC/USD:USD", "BTC/USD:USD-251226", "BTC/PERP-INTX", "A-B/USD"),
    samples=(
        Sample(
            kind="acknowledgement",
            frame=(
                b'{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTC-USD","ETH-USD"]},'
                b'{"name":"heartbeat","product_ids":["BTC-USD","ETH-USD","SOL-USD"]}]}'
            ),
            expected=(Acknowledged(symbols=("BTC/USD", "ETH/USD")),),
        ),
        Sample(kind="acknowledgement", frame=b'{"type":"subscriptions","channels":[]}', expected=()),
        Sample(
            kind="refusal",
            frame=b'{"type":"error","message":"Failed to subscribe","reason":"ABC-USD is not a valid product"}',
            expected=(Rejected(symbols=("ABC/USD",), reason="ABC-USD is not a valid product"),),
        ),
        Sample(
            kind="unknown kind",
            frame=b'{"type":"error","message":"Failed to subscribe","reason":"BTC-USD: rate limit exceeded"}',
            expected=(Unknown(kind="error: Failed to subscribe: BTC-USD: rate limit exceeded"),),
        ),
        Sample(
            kind="heartbeat",
            frame=(
                b'{"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"BTC-USD",'
                b'"time":"2014-11-07T08:19:28.464459Z"}'
            ),
            expected=(Heartbeat(),),
        ),
        Sample(kind="one trade", frame=b'{"type":"match",' + _BODY, expected=(MATCH,)),
        Sample(kind="one trade", frame=b'{"user_id":"5844","type":"match",' + _BODY, expected=(MATCH,)),
        Sample(
            kind="trade snapshot", frame=b'{"type":"last_match",' + _BODY, expected=(Unknown(kind="trade snapshot"),)
        ),
        Sample(
            kind="unknown kind",
            frame=b'{"type":"ticker","sequence":3,"product_id":"BTC-USD","price":"4388.01"}',
            expected=(Unknown(kind="ticker"),),
        ),
    ),
    absent={
        "probe answer": "there is no ping as a message",
        "several trades": "each trade is a message of its own",
        "open candle": "there are no live candles",
        "closed candle": "there are no live candles",
        "candle snapshot": "there are no live candles",
    },
    trade_pages=(
        Page(
            symbol="BTC/USD",
            body=_ROWS,
            items=(
                tick(7, 6225.32, 0.06469797, "2020-03-20T00:36:59.860Z", Side.BUY),
                tick(8, 6225.5, 0.5, "2020-03-20T00:37:01.5Z", Side.SELL),
            ),
            cursor="7",
            backwards=True,
        ),
    ),
    candle_pages=(
        Page(
            symbol="BTC/USD",
            body=b"[[%d,1.25,2.5,1.5,2,10],[%d,1,2.5,1.5,2,10.0]]" % (_OPEN // SECOND + 60, _OPEN // SECOND),
            items=(candle(_OPEN, 1.0), candle(_OPEN + 60 * SECOND, 1.25)),
        ),
        Page(
            symbol="BTC/USD",
            body=b"[[%d,1,2.5,1.5,2,10.0]]" % (_OPEN // SECOND),
            items=(candle(_OPEN, 1.0),),
            asked="1762794600",
            cursor="1762794600",
        ),
    ),
    empty_trades=b"[]",
    empty_candles=b"[]",
    unknown_symbol=(404, b'{"message":"NotFound"}'),
)
