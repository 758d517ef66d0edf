"""Gate's messages, written from its documentation, for the suite that every venue passes.

Source: https://www.gate.com/docs/developers/apiv4/ws/en/ and https://www.gate.com/docs/developers/apiv4/en/, read
2026-11-28; refusals of a pair: https://docs.rs/barter-data/latest/src/barter_data/exchange/gateio/message.rs.html.
"""

from __future__ import annotations

from venue_case import Page, Sample, VenueCase

from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources.gate import Gate
from rxstreams.sources.venue import Acknowledged, Heartbeat, Rejected, Unknown
from rxstreams.testing.formats.gate import GateFormat
from rxstreams.timeframe import Timeframe

FIRST = PriceTick(
    symbol="GT/USDT",
    price=0.4705,
    volume=16.47,
    timestamp=1_606_292_218_213_457_800,
    exchange="gate",
    trade_id=2390902,
    side=Side.SELL,
)
NEXT = PriceTick(
    symbol="GT/USDT",
    price=0.4706,
    volume=0.15,
    timestamp=1_606_292_219_000_208_000,
    exchange="gate",
    trade_id=2390903,
    side=Side.BUY,
)
_TIMES = b'"time":1606292218,"time_ms":1606292218231,'
_TRADE = (
    b'{"time":1606292218,"time_ms":1606292218231,"channel":"spot.trades","event":"update","result":{"id":309143071,'
    b'"id_market":2390902,"create_time":1606292218,"create_time_ms":"1606292218213.4578","side":"sell",'
    b'"currency_pair":"GT_USDT","amount":"16.4700000000","price":"0.4705000000","range":"2390902-2390902"}}'
)
_CANDLE = (
    b'{"time":1606292600,"time_ms":1606292600376,"channel":"spot.candlesticks","event":"update","result":'
    b'{"t":"1606292580","v":"2362.32035","c":"19128.1","h":"19130","l":"19120.5","o":"19125","n":"1m_BTC_USDT",'
    b'"a":"3.8283","w":%b}}'
)
_ACCEPTED = (
    b'{"time":1611541000,"time_ms":1611541000001,"id":7,"conn_id":"b2c2b0629e0c34a3","channel":"spot.trades",'
    b'"event":"subscribe","payload":["BTC_USDT"],"error":null,"result":{"status":"success"}}'
)
_FIRST = (
    b'{"id":"309143071","create_time":"1606292218","create_time_ms":"1606292218213.4578","currency_pair":"GT_USDT",'
    b'"side":"sell","amount":"16.47","price":"0.4705","sequence_id":"2390902"}'
)
_NEXT = (
    b'{"id":"309143099","create_time":"1606292219","create_time_ms":"1606292219000.208","currency_pair":"GT_USDT",'
    b'"side":"buy","amount":"0.15","price":"0.4706","sequence_id":"2390903"}'
)


def candle(seconds: int, *, closed: bool, complete: bool = False) -> OHLCCandle:
    """Return the candle of the messages here."""
    return OHLCCandle(
        symbol="BTC/USDT",
        timeframe=Timeframe("1m"),
        open_time=seconds * SECOND,
        open=19125.0,
        high=19130.0,
        low=19120.5,
        close=19128.1,
        volume=3.8283,
        quote_volume=2362.32035,
        exchange="gate",
        closed=closed,
        complete=complete,
    )


def _row(seconds: int, closed: bytes) -> bytes:
    columns = b'"2362.32035","19128.1","19130","19120.5","19125","3.8283"'
    return b'["%d",%b,"%b"]' % (seconds, columns, closed)


def _page(*rows: bytes) -> bytes:
    return b"[%b]" % b",".join(rows)


CASE = VenueCase(
    venue=Gate(),
    format=GateFormat,
    spellings={"BTC/USDT": "BTC_USDT", "GT/USDT": "GT_USDT", "QTUM3S/USDT": "QTUM3S_USDT", "NEO/BTC": "NEO_BTC"},
    malformed_symbols=("BTC/USDT:USDT", "BTC/USD:BTC-251226", "BTC_X/USDT"),
    samples=(
        Sample(
            kind="acknowledgement",
            frame=_ACCEPTED,
            expected=(Acknowledged(symbols=("BTC/USDT",), time=1_611_541_000_001_999_999, request=7),),
        ),
        Sample(
            kind="acknowledgement",
            frame=_ACCEPTED.replace(b"spot.trades", b"spot.candlesticks").replace(b'["', b'["1m","'),
            expected=(Acknowledged(symbols=("BTC/USDT",), time=1_611_541_000_001_999_999, request=7),),
        ),
        Sample(
            kind="acknowledgement",
            frame=_ACCEPTED.replace(b'"subscribe"', b'"unsubscribe"'),
            expected=(
                Acknowledged(symbols=("BTC/USDT",), time=1_611_541_000_001_999_999, request=7, subscribed=False),
            ),
        ),
        Sample(
            kind="refusal",
            frame=b'{%b"id":8,"channel":"spot.trades","event":"subscribe","error":{"code":2,"message":"unknown '
            b'currency pair GIBBERISH_USD"},"result":null}' % _TIMES,
            expected=(Rejected(reason="unknown currency pair GIBBERISH_USD", request=8),),
        ),
        Sample(
            kind="unknown kind",
            frame=b'{%b"id":8,"channel":"spot.trades","event":"subscribe","error":{"code":3,"message":"internal"},'
            b'"result":null}' % _TIMES,
            expected=(Unknown(kind="error: subscribe: internal (3)"),),
        ),
        Sample(
            kind="probe answer",
            frame=b'{"time":1545404023,"channel":"spot.pong","event":"","error":null,"result":null}',
            expected=(Heartbeat(),),
        ),
        Sample(kind="one trade", frame=_TRADE, expected=(FIRST,)),
        Sample(kind="open candle", frame=_CANDLE % b"false", expected=(candle(1_606_292_580, closed=False),)),
        Sample(kind="closed candle", frame=_CANDLE % b"true", expected=(candle(1_606_292_580, closed=True),)),
        Sample(
            kind="unknown kind",
            frame=b'{%b"channel":"spot.tickers","event":"update","result":{"currency_pair":"BTC_USDT"}}' % _TIMES,
            expected=(Unknown(kind="spot.tickers"),),
        ),
    ),
    absent={
        "heartbeat": "the server sends WebSocket pings only",
        "several trades": "a message holds one trade",
        "trade snapshot": "none is documented, and in a recording the first trade came 11 s after the subscription",
        "candle snapshot": "none is documented; what comes first is the running candle, as any other update of it",
    },
    trade_pages=(
        Page(symbol="GT/USDT", body=_page(_NEXT, _FIRST), items=(FIRST, NEXT), backwards=True),
        Page(symbol="GT/USDT", body=_page(_FIRST, _NEXT), items=(FIRST, NEXT), asked="::2::"),
    ),
    candle_pages=(
        Page(
            symbol="BTC/USDT",
            body=_page(_row(1_606_292_520, b"true"), _row(1_606_292_580, b"false")),
            items=(candle(1_606_292_520, closed=True, complete=True), candle(1_606_292_580, closed=False)),
            backwards=True,
        ),
    ),
    empty_trades=b"[]",
    empty_candles=b"[]",
    unknown_symbol=(400, b'{"label":"INVALID_CURRENCY_PAIR","message":"Invalid currency pair GIBBERISH_USD"}'),
)
