"""Kraken's messages, written from its documentation, for the suite that every venue passes.

Source: https://docs.kraken.com/api/docs/websocket-v2/{trade,ohlc,ping,heartbeat} and
https://docs.kraken.com/api/docs/rest-api/{get-recent-trades,get-ohlc-data}, read 2026-11-23.
"""

from __future__ import annotations

from venue_case import Page, Sample, VenueCase

from rxstreams.instants import SECOND, parse_iso
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources.kraken import Kraken
from rxstreams.sources.venue import Acknowledged, Heartbeat, Rejected, Skipped, Unknown
from rxstreams.testing.formats import KrakenFormat
from rxstreams.timeframe import Timeframe

FIRST = PriceTick(
    symbol="BTC/USD",
    price=64000.1,
    volume=0.25,
    timestamp=parse_iso("2025-11-10T17:23:53.971744Z"),
    exchange="kraken",
    trade_id=77,
    side=Side.SELL,
)
SECOND_TRADE = PriceTick(
    symbol="ETH/USD",
    price=3500.0,
    volume=1.5,
    timestamp=parse_iso("2025-11-10T17:23:54Z"),
    exchange="kraken",
    trade_id=12,
    side=Side.BUY,
)
_FIRST = (
    b'{"symbol":"BTC/USD","side":"sell","price":64000.1,"qty":0.25,"ord_type":"market","trade_id":77,'
    b'"timestamp":"2025-11-10T17:23:53.971744Z"}'
)
_SECOND = (
    b'{"symbol":"ETH/USD","side":"buy","price":3500.0,"qty":1.5,"ord_type":"limit","trade_id":12,'
    b'"timestamp":"2025-11-10T17:23:54.000000Z"}'
)
_CANDLE = (
    b'{"symbol":"BTC/USD","open":1.5,"high":2.5,"low":1.25,"close":2.0,"trades":4,"volume":10.0,"vwap":1.75,'
    b'"interval_begin":"2025-11-10T17:23:00.000000000Z","interval":1,"timestamp":"2025-11-10T17:24:00.000000Z"}'
)


def candle(open_time: str = "2025-11-10T17:23:00Z", *, closed: bool = False) -> OHLCCandle:
    """Return the candle of the messages here."""
    return OHLCCandle(
        symbol="BTC/USD",
        timeframe=Timeframe("1m"),
        open_time=parse_iso(open_time),
        open=1.5,
        high=2.5,
        low=1.25,
        close=2.0,
        volume=10.0,
        trades=4,
        quote_volume=17.5,
        exchange="kraken",
        closed=closed,
        complete=closed,
    )


def _trades(kind: bytes, *rows: bytes) -> bytes:
    return b'{"channel":"trade","type":"%b","data":[%b]}' % (kind, b",".join(rows))


def _rest_candles() -> bytes:
    row = '"1.5","2.5","1.25","2.0","1.75","10.0",4]'
    begin = parse_iso("2025-11-10T17:22:00Z") // SECOND
    return f'{{"error":[],"result":{{"XXBTZUSD":[[{begin},{row},[{begin + 60},{row}],"last":{begin}}}}}'.encode()


CASE = VenueCase(
    venue=Kraken(),
    format=KrakenFormat,
    spellings={"BTC/USD": "BTC/USD", "ETH/EUR": "ETH/EUR", "DOGE/USDT": "DOGE/USDT"},
    samples=(
        Sample(
            kind="acknowledgement",
            frame=(
                b'{"method":"subscribe","req_id":3,"result":{"channel":"trade","snapshot":false,"symbol":"BTC/USD"},'
                b'"success":true,"time_in":"2023-09-25T09:04:31.742599Z","time_out":"2023-09-25T09:04:31.742648Z"}'
            ),
            expected=(Acknowledged(symbols=("BTC/USD",), time=parse_iso("2023-09-25T09:04:31.742648Z"), request=3),),
        ),
        Sample(
            kind="unknown kind",
            frame=b'{"error":"Exceeded msg rate","method":"subscribe","req_id":4,"success":false,"symbol":"ABC/USD"}',
            expected=(Unknown(kind="error: Exceeded msg rate"),),
        ),
        Sample(
            kind="refusal",
            frame=(
                b'{"error":"Currency pair not supported ABC/USD","method":"subscribe","req_id":4,"success":false,'
                b'"symbol":"ABC/USD","time_in":"2023-09-25T09:04:31.742599Z","time_out":"2023-09-25T09:04:31.742648Z"}'
            ),
            expected=(Rejected(symbols=("ABC/USD",), reason="Currency pair not supported ABC/USD", request=4),),
        ),
        Sample(kind="heartbeat", frame=b'{"channel":"heartbeat"}', expected=(Heartbeat(),)),
        Sample(
            kind="probe answer",
            frame=(
                b'{"method":"pong","req_id":101,"time_in":"2023-09-24T14:10:23.799685Z",'
                b'"time_out":"2023-09-24T14:10:23.799703Z"}'
            ),
            expected=(Heartbeat(),),
        ),
        Sample(kind="one trade", frame=_trades(b"update", _FIRST), expected=(FIRST,)),
        Sample(kind="several trades", frame=_trades(b"update", _FIRST, _SECOND), expected=(FIRST, SECOND_TRADE)),
        Sample(
            kind="trade snapshot",
            frame=_trades(b"snapshot", _FIRST),
            expected=(Skipped(symbols=("BTC/USD",), kind="trade snapshot"),),
        ),
        Sample(
            kind="open candle",
            frame=b'{"channel":"ohlc","type":"update","timestamp":"2025-11-10T17:23:53Z","data":[%b]}' % _CANDLE,
            expected=(candle(),),
        ),
        Sample(
            kind="candle snapshot",
            frame=b'{"channel":"ohlc","type":"snapshot","timestamp":"2025-11-10T17:23:53Z","data":[%b]}' % _CANDLE,
            expected=(candle(),),
        ),
        Sample(
            kind="unknown kind",
            frame=b'{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":1.5}]}',
            expected=(Unknown(kind="ticker"),),
        ),
    ),
    absent={"closed candle": "an open candle is followed by one of the next interval, without a flag"},
    trade_pages=(
        Page(
            symbol="BTC/USD",
            body=(
                b'{"error":[],"result":{"XXBTZUSD":[["64000.1","0.25",1762795433.9717445,"s","m","",77]],'
                b'"last":"1762795433971744512"}}'
            ),
            items=(FIRST,),
        ),
    ),
    candle_pages=(
        Page(
            symbol="BTC/USD",
            body=_rest_candles(),
            items=(candle("2025-11-10T17:22:00Z", closed=True), candle("2025-11-10T17:23:00Z")),
        ),
    ),
    empty_trades=b'{"error":[],"result":{"XXBTZUSD":[],"last":"1762795433971744000"}}',
    empty_candles=b'{"error":[],"result":{"XXBTZUSD":[],"last":1762795380}}',
    unknown_symbol=(200, b'{"error":["EQuery:Unknown asset pair"]}'),
)
