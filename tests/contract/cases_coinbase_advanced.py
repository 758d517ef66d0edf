"""Coinbase Advanced Trade's messages, written from its documentation, for the suite that every venue passes.

Source: as in ``rxstreams/sources/coinbase_advanced.py``.
"""

from __future__ import annotations

from venue_case import Page, Sample, VenueCase

from rxstreams.instants import SECOND, parse_iso
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources.coinbase_advanced import CoinbaseAdvanced
from rxstreams.sources.venue import Acknowledged, Heartbeat, Unknown
from rxstreams.testing.formats.coinbase_advanced import CoinbaseAdvancedFormat
from rxstreams.timeframe import Timeframe

_OPEN = parse_iso("2026-03-02T10:15:00Z")
_HEAD = b'"client_id":"","timestamp":"2026-03-02T10:15:02.345678Z","sequence_num":5,"events":'
_BTC = (
    b'{"trade_id":"10","product_id":"BTC-USD","price":"4000.50","size":"0.25000000","side":"BUY",'
    b'"time":"2026-03-02T10:15:02.345678Z"}'
)
_BTC_NEXT = (
    b'{"trade_id":"9","product_id":"BTC-USD","price":"4000","size":"0.05","side":"SELL",'
    b'"time":"2026-03-02T10:15:02.345678Z"}'
)
_ETH = (
    b'{"trade_id":"12","product_id":"ETH-USD","price":"3500","size":"2","side":"SELL","time":"2026-03-02T10:15:02.3Z"}'
)


def tick(symbol: str, number: str, price: float, volume: float, time: str, side: Side) -> PriceTick:
    """Return a trade of the messages here."""
    return PriceTick(
        symbol=symbol,
        price=price,
        volume=volume,
        timestamp=parse_iso(time),
        exchange="coinbase_advanced",
        trade_id=number,
        side=side,
    )


def candle(open_time: int = _OPEN, timeframe: str = "5m", *, closed: bool = False) -> OHLCCandle:
    """Return a candle of the messages here."""
    return OHLCCandle(
        symbol="BTC/USD",
        timeframe=Timeframe(timeframe),
        open_time=open_time,
        open=1.5,
        high=2.5,
        low=1.25,
        close=2.0,
        volume=10.0,
        exchange="coinbase_advanced",
        closed=closed,
        complete=closed,
    )


FIRST = tick("BTC/USD", "10", 4000.5, 0.25, "2026-03-02T10:15:02.345678Z", Side.SELL)
BEFORE = tick("BTC/USD", "9", 4000.0, 0.05, "2026-03-02T10:15:02.345678Z", Side.BUY)
OTHER = tick("ETH/USD", "12", 3500.0, 2.0, "2026-03-02T10:15:02.3Z", Side.BUY)


def _trades(kind: bytes, *rows: bytes) -> bytes:
    return b'{"channel":"market_trades",%b[{"type":"%b","trades":[%b]}]}' % (_HEAD, kind, b",".join(rows))


def _row(open_time: int) -> bytes:
    return b'"start":"%d","high":"2.5","low":"1.25","open":"1.5","close":"2.0","volume":"10"' % (open_time // SECOND)


def _candles(kind: bytes, *opens: int) -> bytes:
    rows = b",".join(b'{%b,"product_id":"BTC-USD"}' % _row(each) for each in opens)
    return b'{"channel":"candles",%b[{"type":"%b","candles":[%b]}]}' % (_HEAD, kind, rows)


CASE = VenueCase(
    venue=CoinbaseAdvanced(),
    format=CoinbaseAdvancedFormat,
    spellings={"BTC/USD": "BTC-USD", "ETH/EUR": "ETH-EUR", "USDT/USDC": "USDT-USDC"},
    malformed_symbols=("BTC/USDC", "BTC/USD:USD", "BTC/USD:USD-251226", "BTC/PERP-INTX"),
    samples=(
        Sample(
            kind="acknowledgement",
            frame=(
                b'{"channel":"subscriptions",%b[{"subscriptions":{"market_trades":["BTC-USD","ETH-USD"],'
                b'"heartbeats":["heartbeats"]}}]}'
            )
            % _HEAD,
            expected=(Acknowledged(symbols=("BTC/USD", "ETH/USD")),),
        ),
        Sample(
            kind="acknowledgement", frame=b'{"channel":"subscriptions",%b[{"subscriptions":{}}]}' % _HEAD, expected=()
        ),
        Sample(
            kind="heartbeat",
            frame=(
                b'{"channel":"heartbeats",%b[{"current_time":"2026-03-02 10:15:10.000000000 +0000 UTC",'
                b'"heartbeat_counter":42}]}'
            )
            % _HEAD,
            expected=(Heartbeat(),),
        ),
        Sample(
            kind="probe answer",
            frame=b'{"channel":"heartbeats",%b[{"current_time":"","heartbeat_counter":"1"}]}' % _HEAD,
            expected=(Heartbeat(),),
        ),
        Sample(kind="one trade", frame=_trades(b"update", _BTC), expected=(FIRST,)),
        Sample(kind="several trades", frame=_trades(b"update", _BTC, _BTC_NEXT, _ETH), expected=(OTHER, BEFORE, FIRST)),
        Sample(
            kind="several trades",
            frame=b"{%b[],%b}" % (_HEAD.replace(b'"events":', b'"other":'), _trades(b"update", _BTC, _ETH)[1:-1]),
            expected=(OTHER, FIRST),
        ),
        Sample(
            kind="trade snapshot",
            frame=_trades(b"snapshot", _BTC, _BTC_NEXT),
            expected=(Unknown(kind="trade snapshot"),),
        ),
        Sample(kind="open candle", frame=_candles(b"update", _OPEN), expected=(candle(),)),
        Sample(
            kind="candle snapshot",
            frame=_candles(b"snapshot", _OPEN, _OPEN - 300 * SECOND),
            expected=(candle(_OPEN - 300 * SECOND), candle()),
        ),
        Sample(
            kind="unknown kind",
            frame=b'{"channel":"ticker",%b[{"type":"update","tickers":[]}]}' % _HEAD,
            expected=(Unknown(kind="ticker"),),
        ),
        Sample(
            kind="unknown kind",
            frame=b'{"type":"error","message":"failure"}',
            expected=(Unknown(kind="error: failure"),),
        ),
    ),
    absent={
        "refusal": "what it answers to an unknown product is not documented: its list is asked instead",
        "closed candle": "a candle is followed by one of the next interval, without a flag",
    },
    trade_pages=(
        Page(
            symbol="BTC/USD",
            body=b'{"trades":[%b,%b],"best_bid":"1","best_ask":"2"}' % (_BTC, _BTC_NEXT),
            items=(BEFORE, FIRST),
            cursor=str(_OPEN // SECOND + 3),
            backwards=True,
        ),
        Page(
            symbol="BTC/USD",
            body=b'{"trades":[%b]}' % _BTC,
            items=(FIRST,),
            asked=str(_OPEN // SECOND + 3),
            backwards=True,
            truncated=True,
        ),
    ),
    candle_pages=(
        Page(
            symbol="BTC/USD",
            body=b'{"candles":[{%b},{%b}]}' % (_row(_OPEN + 60 * SECOND), _row(_OPEN)),
            items=(candle(_OPEN, "1m", closed=True), candle(_OPEN + 60 * SECOND, "1m", closed=True)),
            asked="1762794600",
            cursor="1762794600",
        ),
    ),
    empty_trades=b'{"trades":[],"best_bid":"","best_ask":""}',
    empty_candles=b'{"candles":[]}',
    unknown_symbol=(404, b'{"error":"NOT_FOUND","error_details":"no such product","message":"no such product"}'),
    symbols=(
        b'{"products":[{"product_id":"BTC-USD"},{"product_id":"BIP-20DEC30-CDE"}],"num_products":2}',
        frozenset({"BTC-USD", "BIP-20DEC30-CDE"}),
    ),
)
