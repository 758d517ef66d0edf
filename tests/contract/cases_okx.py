"""OKX's messages, written from its documentation, for the suite that every venue passes.

Source: https://www.okx.com/docs-v5/en/#order-book-trading-market-data and …/#error-code, read 2026-11-28; refusals of
an instrument: https://github.com/sieblyio/okx-api/issues/106.
"""

from __future__ import annotations

from venue_case import Page, Sample, VenueCase

from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources.okx import Okx
from rxstreams.sources.venue import Acknowledged, Goodbye, Heartbeat, Rejected, Unknown
from rxstreams.testing.formats.okx import OkxFormat
from rxstreams.timeframe import Timeframe

_MILLISECOND = 1_000_000
FIRST = PriceTick(
    symbol="BTC/USDT",
    price=42219.9,
    volume=0.12060306,
    timestamp=1_630_048_897_897 * _MILLISECOND,
    exchange="okx",
    trade_id=130639474,
    side=Side.BUY,
)
NEXT = PriceTick(
    symbol="BTC/USDT",
    price=42220.0,
    volume=0.00001,
    timestamp=1_630_048_898_001 * _MILLISECOND,
    exchange="okx",
    trade_id=130639475,
    side=Side.SELL,
)
_FIRST = (
    b'{"instId":"BTC-USDT","tradeId":"130639474","px":"42219.9","sz":"0.12060306","side":"buy","source":"0",'
    b'"ts":"1630048897897"}'
)
_NEXT = (
    b'{"instId":"BTC-USDT","tradeId":"130639475","px":"42220","sz":"0.00001","side":"sell","source":"0",'
    b'"ts":"1630048898001"}'
)
_SUMMED = (
    b'{"arg":{"channel":"trades","instId":"BTC-USD-SWAP"},"data":[{"instId":"BTC-USD-SWAP","tradeId":"130639474",'
    b'"px":"42219.9","sz":"12","side":"buy","ts":"1630048897897","count":"3","source":"0","seqId":1234}]}'
)
_ACCEPTED = b'{"id":"1512","event":"subscribe","arg":{"channel":"trades-all","instId":"BTC-USDT"},"connId":"a4d3ae55"}'
_REFUSAL = (
    "Wrong URL or channel:trades-all,instId:ABC-USDT doesn't exist. Please use the correct URL, channel and parameters "
    "referring to API document."
)


def candle(open_ms: int, *, closed: bool, complete: bool = False) -> OHLCCandle:
    """Return the candle of the messages here."""
    return OHLCCandle(
        symbol="BTC/USDT",
        timeframe=Timeframe("1m"),
        open_time=open_ms * _MILLISECOND,
        open=3.721,
        high=3.743,
        low=3.677,
        close=3.708,
        volume=8422410.0,
        quote_volume=31230448.0482849,
        exchange="okx",
        closed=closed,
        complete=complete,
    )


def _trades(*rows: bytes) -> bytes:
    return b'{"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[%b]}' % b",".join(rows)


def _row(open_ms: int, confirm: int) -> bytes:
    prices = b'"3.721","3.743","3.677","3.708","8422410","31230448.0482849","31230448.0482849"'
    return b'["%d",%b,"%d"]' % (open_ms, prices, confirm)


def _candles(*rows: bytes) -> bytes:
    return b'{"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[%b]}' % b",".join(rows)


def _rest(*rows: bytes) -> bytes:
    return b'{"code":"0","msg":"","data":[%b]}' % b",".join(rows)


CASE = VenueCase(
    venue=Okx(),
    format=OkxFormat,
    spellings={
        "BTC/USDT": "BTC-USDT",
        "BTC/USDT:USDT": "BTC-USDT-SWAP",
        "BTC/USD:BTC": "BTC-USD-SWAP",
        "BTC/USD:BTC-251226": "BTC-USD-251226",
        "ETH/USDT:USDT-251226": "ETH-USDT-251226",
    },
    malformed_symbols=("BTC/USD:BTC-251226-60000-C", "BTC/USDT:BTC", "BTC/USD:USD", "BT-C/USDT"),
    samples=(
        Sample(kind="acknowledgement", frame=_ACCEPTED, expected=(Acknowledged(symbols=("BTC/USDT",), request=1512),)),
        Sample(
            kind="acknowledgement",
            frame=_ACCEPTED.replace(b'"subscribe"', b'"unsubscribe"'),
            expected=(Acknowledged(symbols=("BTC/USDT",), request=1512, subscribed=False),),
        ),
        Sample(
            kind="refusal",
            frame=f'{{"id":"7","event":"error","msg":"{_REFUSAL}","code":"60018","connId":"2b5dc6ac"}}'.encode(),
            expected=(Rejected(symbols=("ABC/USDT",), reason=_REFUSAL, request=7),),
        ),
        Sample(
            kind="unknown kind",
            frame=b'{"id":"8","event":"error","code":"60012","msg":"Invalid request: {}","connId":"a4d3ae55"}',
            expected=(Unknown(kind="error: Invalid request: {} (60012)"),),
        ),
        Sample(kind="probe answer", frame=b"pong", expected=(Heartbeat(),), noise=True),
        Sample(kind="one trade", frame=_trades(_FIRST), expected=(FIRST,)),
        Sample(
            kind="one trade",
            frame=_SUMMED,
            expected=(
                PriceTick(
                    symbol="BTC/USD:BTC",
                    price=42219.9,
                    volume=12.0,
                    timestamp=FIRST.timestamp,
                    exchange="okx",
                    trade_id=130639474,
                    side=Side.BUY,
                    count=3,
                ),
            ),
        ),
        Sample(kind="several trades", frame=_trades(_FIRST, _NEXT), expected=(FIRST, NEXT)),
        Sample(
            kind="open candle",
            frame=_candles(_row(1_630_048_860_000, 0)),
            expected=(candle(1_630_048_860_000, closed=False),),
        ),
        Sample(
            kind="closed candle",
            frame=_candles(_row(1_630_048_860_000, 1)),
            expected=(candle(1_630_048_860_000, closed=True),),
        ),
        Sample(
            kind="unknown kind",
            frame=b'{"arg":{"channel":"tickers","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","last":"9999.99"}]}',
            expected=(Unknown(kind="tickers"),),
        ),
        Sample(
            kind="goodbye",
            frame=b'{"event":"notice","code":"64008","msg":"The connection will soon be closed.","connId":"a4d3ae55"}',
            expected=(Goodbye(reason="The connection will soon be closed."),),
        ),
    ),
    absent={
        "heartbeat": "the server sends nothing by itself; it answers pings",
        "trade snapshot": "it looks like a trade and is told by what came before: tests/unit/test_okx.py",
        "candle snapshot": "what comes at once is the running candle, as any other update of it",
    },
    trade_pages=(
        Page(symbol="BTC/USDT", body=_rest(_NEXT, _FIRST), items=(FIRST, NEXT), backwards=True, truncated=True),
        Page(
            symbol="BTC/USDT",
            body=_rest(*[_NEXT] * 100),
            items=(NEXT,) * 100,
            asked="130639476",
            cursor="130639475",
            backwards=True,
        ),
    ),
    candle_pages=(
        Page(
            symbol="BTC/USDT",
            body=_rest(_row(1_630_048_860_000, 0), _row(1_630_048_800_000, 1)),
            items=(
                candle(1_630_048_800_000, closed=True, complete=True),
                candle(1_630_048_860_000, closed=False),
            ),
            cursor="history-candles:1630048800000",
            backwards=True,
        ),
        Page(
            symbol="BTC/USDT",
            body=_rest(_row(1_630_048_800_000, 1)),
            items=(candle(1_630_048_800_000, closed=True, complete=True),),
            asked="history-candles:1630048860000",
            cursor="history-candles:1630048800000",
            backwards=True,
        ),
    ),
    empty_trades=_rest(),
    empty_candles=_rest(),
    unknown_symbol=(
        200,
        b'{"code":"51001","msg":"Instrument ID, Instrument ID code or Spread ID doesn\'t exist.","data":[]}',
    ),
)
