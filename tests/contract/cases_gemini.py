"""Gemini's messages, written from its documentation, for the suite that every venue passes.

Source: as in ``rxstreams/sources/gemini.py``.
"""

from __future__ import annotations

from venue_case import Page, Sample, VenueCase

from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources.gemini import Gemini
from rxstreams.sources.venue import Acknowledged, Heartbeat, Rejected, Unknown
from rxstreams.testing.formats.gemini import GeminiFormat
from rxstreams.timeframe import Timeframe

_MILLISECOND = 1_000_000
_BODY = b'"E":1751508438600117161,"s":"btcusd","t":123456789,"p":"45000.50","q":"0.25000000","m":true}'
_ROW = (
    b'{"timestamp":1547146811,"timestampms":1547146811357,"tid":5335307668,"price":"3610.85","amount":"0.27413495",'
    b'"exchange":"gemini","type":"buy"}'
)
_NEWER = (
    b'{"timestamp":1547146812,"timestampms":1547146812000,"tid":5335307669,"price":"3611","amount":"1","exchange":'
    b'"gemini","type":"auction"}'
)


def tick(number: int, price: float, volume: float, timestamp: int, side: Side | None) -> PriceTick:
    """Return a trade of the messages here."""
    return PriceTick(
        symbol="BTC/USD",
        price=price,
        volume=volume,
        timestamp=timestamp,
        exchange="gemini",
        trade_id=number,
        side=side,
    )


def candle(milliseconds: int, low: float) -> OHLCCandle:
    """Return a candle of the answers here."""
    return OHLCCandle(
        symbol="BTC/USD",
        timeframe=Timeframe("1m"),
        open_time=milliseconds * _MILLISECOND,
        open=68038.0,
        high=68040.5,
        low=low,
        close=68039.0,
        volume=0.5,
        exchange="gemini",
        closed=True,
        complete=True,
    )


SOLD = tick(123456789, 45000.5, 0.25, 1_751_508_438_600_117_161, Side.SELL)

CASE = VenueCase(
    venue=Gemini(),
    format=GeminiFormat,
    spellings={
        "BTC/USD": "btcusd",
        "ETH/GUSD": "ethgusd",
        "PAXG/USD": "paxgusd",
        "PAXG/GUSD": "paxggusd",
        "MOODENG/USD": "moodengusd",
        "GUSD/USD": "gusdusd",
        "DOGE/BTC": "dogebtc",
    },
    malformed_symbols=("BTC/GUSD:GUSD", "PAX/GUSD", "MOODEN/GUSD"),
    samples=(
        Sample(
            kind="acknowledgement",
            frame=b'{"id":3,"status":200,"result":null}',
            expected=(Acknowledged(symbols=(), request=3),),
        ),
        Sample(kind="acknowledgement", frame=b'{"id":3,"status":200}', expected=(Acknowledged(symbols=(), request=3),)),
        Sample(
            kind="refusal",
            frame=b'{"id":4,"status":400,"error":{"code":-1002,"msg":"no such stream"}}',
            expected=(Rejected(symbols=(), reason="no such stream (-1002)", request=4),),
        ),
        Sample(
            kind="unknown kind",
            frame=b'{"id":4,"status":429,"error":{"code":-1003,"msg":"Too many requests"}}',
            expected=(Unknown(kind="error: Too many requests (-1003), status 429"),),
        ),
        Sample(kind="probe answer", frame=b'{"id":"ping","status":200,"result":{}}', expected=(Heartbeat(),)),
        Sample(kind="one trade", frame=b"{" + _BODY, expected=(SOLD,)),
        Sample(kind="one trade", frame=b'{"e":"trade",' + _BODY.replace(b"btcusd", b"BTCUSD"), expected=(SOLD,)),
        Sample(
            kind="unknown kind",
            frame=b'{"e":"depthUpdate","E":1751508260659505382,"s":"btcusd","U":1,"u":2,"b":[],"a":[]}',
            expected=(Unknown(kind="depthUpdate"),),
        ),
    ),
    absent={
        "heartbeat": "a sign of life of the server's own was not found",
        "several trades": "each trade is a message of its own",
        "trade snapshot": "a stream begins with what is traded next; only order books have snapshots",
        "open candle": "its WebSocket API has no candles; the archived one had",
        "closed candle": "its WebSocket API has no candles; the archived one had",
        "candle snapshot": "its WebSocket API has no candles; the archived one had",
    },
    trade_pages=(
        Page(
            symbol="BTC/USD",
            body=b"[%b,%b]" % (_NEWER, _ROW),
            items=(
                tick(5335307668, 3610.85, 0.27413495, 1547146811357 * _MILLISECOND, Side.BUY),
                tick(5335307669, 3611.0, 1.0, 1547146812000 * _MILLISECOND, None),
            ),
        ),
    ),
    candle_pages=(
        Page(
            symbol="BTC/USD",
            body=b"[[1714126740000,68038,68040.5,68037,68039,0.5],[1714126680000,68038,68040.5,68036.5,68039,0.5]]",
            items=(candle(1714126680000, 68036.5), candle(1714126740000, 68037.0)),
            truncated=True,
        ),
    ),
    empty_trades=b"[]",
    empty_candles=b"[]",
    unknown_symbol=(400, b'{"result":"error","reason":"InvalidSymbol","message":"not a valid symbol"}'),
    symbols=(b'["btcusd","BTCGUSDPERP"]', frozenset({"btcusd", "btcgusdperp"})),
)
