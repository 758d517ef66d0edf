"""Bitstamp's messages, written after its documentation and recordings, for the suite that every venue passes.

Source: what is named in ``rxstreams/sources/_wire/bitstamp.py``, read 2026-11-28.
"""

from __future__ import annotations

import json

from venue_case import Page, Sample, VenueCase

from rxstreams.instants import SECOND, parse_iso
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources.bitstamp import Bitstamp
from rxstreams.sources.venue import Acknowledged, Goodbye, Heartbeat, Unknown
from rxstreams.testing.formats.bitstamp import BitstampFormat
from rxstreams.timeframe import Timeframe


def tick(trade_id: int, stamp: str, *, price: float = 64000.1, side: Side = Side.SELL) -> PriceTick:
    """Return a trade of the messages here."""
    return PriceTick(
        symbol="BTC/USD",
        price=price,
        volume=0.25,
        timestamp=parse_iso(stamp),
        exchange="bitstamp",
        trade_id=trade_id,
        side=side,
    )


def candle(open_time: str) -> OHLCCandle:
    """Return a candle of the page here."""
    return OHLCCandle(
        symbol="BTC/USD",
        timeframe=Timeframe("1m"),
        open_time=parse_iso(open_time),
        open=9040.87,
        high=9064.77,
        low=9040.5,
        close=9064.0,
        volume=18.5,
        exchange="bitstamp",
        closed=True,
        complete=True,
    )


def _row(trade_id: int, seconds: int, price: str, kind: str) -> dict[str, str]:
    return {"date": str(seconds), "tid": str(trade_id), "amount": "0.25000000", "type": kind, "price": price}


_BEGIN = parse_iso("2025-11-10T17:23:00Z") // SECOND
_PRICES = {"open": "9040.87", "high": "9064.77", "low": "9040.50", "close": "9064.00", "volume": "18.50000000"}
_TRADE = (
    b'{"data":{"id":77,"timestamp":"1762795433","amount":0.25,"amount_str":"0.25000000","price":64000.1,'
    b'"price_str":"64000.10","type":%b,"microtimestamp":"1762795433971744","buy_order_id":1443875737346049,'
    b'"sell_order_id":1443875731320832},"channel":"live_trades_btcusd","event":"trade"}'
)
_PERPETUAL = (
    b'{"event":"trade","channel":"live_trades_btcusd-perp","data":{"id":2001939623936278528,'
    b'"id_str":"2001939623936278528","type":0,"amount":0.00921,"amount_str":"0.00921","price":77204,'
    b'"price_str":"77204","microtimestamp":"1789456400586000","timestamp":"1789456400586"}}'
)

CASE = VenueCase(
    venue=Bitstamp(),
    format=BitstampFormat,
    spellings={
        "BTC/USD": "btcusd",
        "ETH/EUR": "etheur",
        "USDT/EUR": "usdteur",
        "XRP/USDC": "xrpusdc",
        "1INCH/USD": "1inchusd",
        "BTC/USD:USD": "btcusd-perp",
        "ASTER/USD:USD": "asterusd-perp",
    },
    malformed_symbols=("BTC/USD:BTC", "BTC/USD:USD-261225", "BTC/USD:USD-261225-60000-C"),
    samples=(
        Sample(
            kind="acknowledgement",
            frame=b'{"event":"bts:subscription_succeeded","channel":"live_trades_etheur","data":{}}',
            expected=(Acknowledged(symbols=("ETH/EUR",)),),
        ),
        Sample(
            kind="acknowledgement",
            frame=b'{"event":"bts:unsubscription_succeeded","channel":"live_trades_btcusd-perp","data":{}}',
            expected=(Acknowledged(symbols=("BTC/USD:USD",), subscribed=False),),
        ),
        Sample(
            kind="unknown kind",
            frame=b'{"event":"bts:error","channel":"","data":{"code":null,"message":"Invalid channel provided."}}',
            expected=(Unknown(kind="error: Invalid channel provided."),),
        ),
        Sample(
            kind="probe answer",
            frame=b'{"event":"bts:heartbeat","channel":"","data":{"status":"success"}}',
            expected=(Heartbeat(),),
        ),
        Sample(kind="one trade", frame=_TRADE % b"1", expected=(tick(77, "2025-11-10T17:23:53.971744Z"),)),
        Sample(
            kind="one trade",
            frame=_TRADE % b"0",
            expected=(tick(77, "2025-11-10T17:23:53.971744Z", side=Side.BUY),),
        ),
        Sample(
            kind="one trade",
            frame=_PERPETUAL,
            expected=(
                PriceTick(
                    symbol="BTC/USD:USD",
                    price=77204.0,
                    volume=0.00921,
                    timestamp=1_789_456_400_586_000_000,
                    exchange="bitstamp",
                    trade_id=2001939623936278528,
                    side=Side.BUY,
                ),
            ),
        ),
        Sample(
            kind="goodbye",
            frame=b'{"event":"bts:request_reconnect","channel":"","data":""}',
            expected=(Goodbye(reason="bts:request_reconnect"),),
        ),
        Sample(
            kind="unknown kind",
            frame=b'{"data":{"id":5,"order_type":1,"price":0.6881},"channel":"live_orders_btcusd","event":"order_deleted"}',
            expected=(Unknown(kind="order_deleted"),),
        ),
    ),
    absent={
        "refusal": "a market that it does not have is acknowledged; an error does not say what it is about",
        "heartbeat": "the server sends pings of the WebSocket protocol only",
        "several trades": "each message has one trade",
        "trade snapshot": "the channel sends nothing of the past",
        "open candle": "there are no live candles",
        "closed candle": "there are no live candles",
        "candle snapshot": "there are no live candles",
    },
    trade_pages=(
        Page(
            symbol="BTC/USD",
            body=json.dumps(
                [
                    _row(102, _BEGIN + 1, "64000.10", "1"),
                    _row(101, _BEGIN, "64000.20", "0"),
                    _row(100, _BEGIN, "64000.10", "1"),
                ]
            ).encode(),
            items=(
                tick(100, "2025-11-10T17:23:00Z"),
                tick(101, "2025-11-10T17:23:00Z", price=64000.2, side=Side.BUY),
                tick(102, "2025-11-10T17:23:01Z"),
            ),
        ),
    ),
    candle_pages=(
        Page(
            symbol="BTC/USD",
            body=json.dumps(
                {
                    "data": {
                        "pair": "BTC/USD",
                        "ohlc": [
                            {"timestamp": str(_BEGIN), **_PRICES},
                            {"timestamp": str(_BEGIN + 60), **_PRICES},
                        ],
                    }
                }
            ).encode(),
            items=(candle("2025-11-10T17:23:00Z"), candle("2025-11-10T17:24:00Z")),
        ),
    ),
    empty_trades=b"[]",
    empty_candles=b'{"data":{"pair":"BTC/USD","ohlc":[]}}',
    symbols=(
        b'[{"name":"BTC/USD","market_symbol":"btcusd","market_type":"SPOT","trading":"Enabled"},'
        b'{"name":"BTC/USD-PERP","market_symbol":"btcusd-perp","market_type":"PERPETUAL","trading":"Enabled"}]',
        frozenset({"btcusd", "btcusd-perp"}),
    ),
)
