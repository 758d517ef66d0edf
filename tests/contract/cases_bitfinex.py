"""Bitfinex's messages, written after its documentation, for the suite that every venue passes.

Source: what is named in ``rxstreams/sources/_wire/bitfinex.py``, read 2026-11-28.
"""

from __future__ import annotations

import json

from venue_case import Page, Sample, VenueCase

from rxstreams.instants import parse_iso
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources.bitfinex import Bitfinex
from rxstreams.sources.venue import Acknowledged, Goodbye, Heartbeat, Rejected, Unknown
from rxstreams.testing.formats.bitfinex import BitfinexFormat
from rxstreams.timeframe import Timeframe

_BEGIN = parse_iso("2025-11-10T17:23:00Z") // 1_000_000
_TRADES = b'{"event":"subscribed","channel":"trades","chanId":17470,"symbol":"tBTCUSD","subId":"7","pair":"BTCUSD"}'
_CANDLES = b'{"event":"subscribed","channel":"candles","chanId":343351,"key":"trade:1m:tDOGE:USD","subId":"8"}'
_CANDLE = b"[1762795380000,1.5,2.0,2.5,1.25,10.5]"


def tick(trade_id: int, milliseconds: int, *, side: Side = Side.BUY) -> PriceTick:
    """Return a trade of the messages here."""
    return PriceTick(
        symbol="BTC/USD",
        price=7245.3,
        volume=0.005,
        timestamp=milliseconds * 1_000_000,
        exchange="bitfinex",
        trade_id=trade_id,
        side=side,
    )


def candle(open_time: str, symbol: str = "DOGE/USD", *, closed: bool = False) -> OHLCCandle:
    """Return a candle of the messages here."""
    return OHLCCandle(
        symbol=symbol,
        timeframe=Timeframe("1m"),
        open_time=parse_iso(open_time),
        open=1.5,
        high=2.5,
        low=1.25,
        close=2.0,
        volume=10.5,
        exchange="bitfinex",
        closed=closed,
        complete=closed,
    )


CASE = VenueCase(
    venue=Bitfinex(),
    format=BitfinexFormat,
    spellings={
        "BTC/USD": "tBTCUSD",
        "BTC/USDT": "tBTCUST",
        "DOGE/USD": "tDOGE:USD",
        "IOTA/USDT": "tIOTUST",
        "TESTBTC/TESTUSD": "tTESTBTC:TESTUSD",
        "BTC/USDT:USDT": "tBTCF0:USTF0",
        "ETH/BTC:BTC": "tETHF0:BTCF0",
        "ALGO/USDT:USDT": "tALGF0:USTF0",
    },
    malformed_symbols=("BTC/USD:BTC", "BTC/USDT:USDT-261225", "BTC/UST", "kPEPE/USD", "BTC F0/USD"),
    samples=(
        Sample(kind="acknowledgement", frame=_TRADES, expected=(Acknowledged(symbols=("BTC/USD",), request=7),)),
        Sample(kind="acknowledgement", frame=_CANDLES, expected=(Acknowledged(symbols=("DOGE/USD",), request=8),)),
        Sample(
            kind="acknowledgement",
            frame=(
                b'{"channel":"trades","symbol":"tBTCF0:USTF0","subId":"9","event":"error","msg":"subscribe: dup",'
                b'"code":10301,"chanId":722711,"pair":"BTCF0:USTF0"}'
            ),
            expected=(Acknowledged(symbols=("BTC/USDT:USDT",), request=9),),
        ),
        Sample(
            kind="acknowledgement",
            before=(_TRADES,),
            frame=b'{"event":"unsubscribed","status":"OK","chanId":17470}',
            expected=(Acknowledged(symbols=("BTC/USD",), subscribed=False),),
        ),
        Sample(
            kind="refusal",
            frame=(
                b'{"channel":"trades","symbol":"tNOPEF0:USTF0","subId":"4","event":"error","msg":"symbol: invalid",'
                b'"code":10300,"pair":"NOPEF0:USTF0"}'
            ),
            expected=(Rejected(symbols=("NOPE/USDT:USDT",), reason="symbol: invalid", request=4),),
        ),
        Sample(
            kind="refusal",
            frame=b'{"channel":"candles","key":"trade:1m:tABCUSD","event":"error","msg":"key: invalid","code":10300}',
            expected=(Rejected(symbols=("ABC/USD",), reason="key: invalid"),),
        ),
        Sample(
            kind="unknown kind",
            frame=(
                b'{"channel":"candles","key":"trade:1m:tABCUSD","event":"error","msg":"subscribe: limit","code":10305}'
            ),
            expected=(Unknown(kind="error: subscribe: limit (10305)"),),
        ),
        Sample(kind="heartbeat", before=(_TRADES,), frame=b'[17470,"hb"]', expected=(Heartbeat(),)),
        Sample(
            kind="probe answer",
            frame=b'{"event":"pong","ts":1511545528111,"cid":1234}',
            expected=(Heartbeat(),),
        ),
        Sample(
            kind="one trade",
            before=(_TRADES,),
            frame=b'[17470,"te",[401597395,1574694478808,0.005,7245.3]]',
            expected=(tick(401597395, 1574694478808),),
        ),
        Sample(
            kind="one trade",
            before=(_TRADES,),
            frame=b'[17470,"te",[401597396,1574694478809,-0.005,7245.3],128]',
            expected=(tick(401597396, 1574694478809, side=Side.SELL),),
        ),
        Sample(
            kind="trade snapshot",
            before=(_TRADES,),
            frame=b"[17470,[[401597393,1574694475039,0.005,7244.9],[401597392,1574694470503,-0.01,7245.3]]]",
            expected=(Unknown(kind="trade snapshot"),),
        ),
        Sample(
            kind="open candle",
            before=(_CANDLES,),
            frame=b"[343351,%b]" % _CANDLE,
            expected=(candle("2025-11-10T17:23:00Z"),),
        ),
        Sample(
            kind="candle snapshot",
            before=(_CANDLES,),
            frame=b"[343351,[%b,[1762795320000,1.5,2,2.5,1.25,10]]]" % _CANDLE,
            expected=(Unknown(kind="candle snapshot"),),
        ),
        Sample(
            kind="goodbye",
            frame=b'{"event":"info","code":20051,"msg":"Stopping. Please try to reconnect"}',
            expected=(Goodbye(reason="Stopping. Please try to reconnect"),),
        ),
        Sample(
            kind="unknown kind", before=(_TRADES,), frame=b'[17470,"cs",1330055495]', expected=(Unknown(kind="cs"),)
        ),
    ),
    absent={
        "several trades": "each message has one trade, but for snapshots",
        "closed candle": "an open candle is followed by one of a later interval, without a flag",
    },
    trade_pages=(
        Page(
            symbol="BTC/USD",
            body=(
                b"[[401597395,1574694478808,0.005,7245.3],[401597397,1574694478809,0.005,7245.3],"
                b"[401597396,1574694478809,-0.005,7245.3]]"
            ),
            items=(
                tick(401597395, 1574694478808),
                tick(401597396, 1574694478809, side=Side.SELL),
                tick(401597397, 1574694478809),
            ),
        ),
    ),
    candle_pages=(
        Page(
            symbol="BTC/USDT:USDT",
            body=json.dumps(
                [[_BEGIN, 1.5, 2.0, 2.5, 1.25, 10.5], [_BEGIN + 120_000, 1.5, 2.0, 2.5, 1.25, 10.5]]
            ).encode(),
            items=(
                candle("2025-11-10T17:23:00Z", "BTC/USDT:USDT", closed=True),
                candle("2025-11-10T17:25:00Z", "BTC/USDT:USDT", closed=True),
            ),
        ),
    ),
    empty_trades=b"[]",
    empty_candles=b"[]",
    unknown_symbol=(500, b'["error",10020,"symbol: invalid"]'),
)
