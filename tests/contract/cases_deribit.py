"""Deribit's messages, written from its documentation, for the suite that every venue passes.

Source: https://docs.deribit.com/articles/json-rpc-overview, …/articles/errors,
https://docs.deribit.com/subscriptions/trades/tradesinstrument_nameinterval,
https://docs.deribit.com/subscriptions/market-data/charttradesinstrument_nameresolution and
https://docs.deribit.com/api-reference/market-data/public-get_tradingview_chart_data, read 2026-11-28.
"""

from __future__ import annotations

from venue_case import Page, Sample, VenueCase

from rxstreams.instants import MINUTE, parse_iso
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources.deribit import Deribit
from rxstreams.sources.venue import Acknowledged, Heartbeat, Rejected, Unknown
from rxstreams.testing.formats import DeribitFormat
from rxstreams.timeframe import Timeframe

PERPETUAL, OPTION = "BTC/USD:BTC", "ETH/USD:ETH-261225-4000-P"
# Half a coin for 32,000 dollars; an option states its amount in coins.
FIRST = PriceTick(
    symbol=PERPETUAL,
    price=64000.0,
    volume=0.5,
    timestamp=parse_iso("2026-11-28T09:23:53.971Z"),
    exchange="deribit",
    trade_id=77,
    side=Side.SELL,
)
SECOND_TRADE = PriceTick(
    symbol=OPTION,
    price=0.0725,
    volume=3.0,
    timestamp=parse_iso("2026-11-28T09:23:54Z"),
    exchange="deribit",
    trade_id=12,
    side=Side.BUY,
)
_FIRST = (
    b'{"trade_seq":77,"trade_id":"4001","timestamp":1795857833971,"tick_direction":2,"price":64000,"mark_price":64001.5,'
    b'"instrument_name":"BTC-PERPETUAL","index_price":64002.25,"direction":"sell","contracts":3200,"amount":32000}'
)
_SECOND = (
    b'{"trade_seq":12,"trade_id":"ETH-31","timestamp":1795857834000,"tick_direction":0,"price":0.0725,"mark_price":0.0721,'
    b'"iv":61.2,"instrument_name":"ETH-25DEC26-4000-P","index_price":3802.5,"direction":"buy","contracts":3,"amount":3,'
    b'"block_trade_id":"BLOCK-5","block_trade_leg_count":2}'
)
_TIMES = b'"usIn":1795857833980000,"usOut":1795857833980500,"usDiff":500,"testnet":false'
_SENT = 1_795_857_833_980_500_000
_COLUMNS = b'"volume":[%b],"open":[%b],"low":[%b],"high":[%b],"cost":[%b],"close":[%b]'


def _trades(channel: bytes, *rows: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"trades.%b.100ms","data":[%b]}}' % (
        channel,
        b",".join(rows),
    )


def _page(rows: bytes, *, number: int, more: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":%d,"result":{"trades":[%b],"has_more":%b},%b}' % (number, rows, more, _TIMES)


def _chart(result: bytes, *, number: int) -> bytes:
    return b'{"jsonrpc":"2.0","id":%d,"result":{%b},%b}' % (number, result, _TIMES)


def candle(open_time: int, *, closed: bool, volume: float = 0.5) -> OHLCCandle:
    """Return a candle of the messages here."""
    return OHLCCandle(
        symbol=PERPETUAL,
        timeframe=Timeframe("1m"),
        open_time=open_time,
        open=64000.0,
        high=64010.5,
        low=63990.0,
        close=64000.0,
        volume=volume,
        quote_volume=volume * 64000.0,
        exchange="deribit",
        closed=closed,
        complete=closed,
    )


_OPEN = parse_iso("2026-11-28T09:23:00Z")
_OPEN_MS = _OPEN // 1_000_000
_EMPTY_CHART = b'"ticks":[],"status":"no_data",' + _COLUMNS % ((b"",) * 6)

CASE = VenueCase(
    venue=Deribit(),
    format=DeribitFormat,
    spellings={
        PERPETUAL: "BTC-PERPETUAL",
        "BTC/USD:BTC-261225": "BTC-25DEC26",
        "BTC/USD:BTC-261204-60000-C": "BTC-4DEC26-60000-C",
        OPTION: "ETH-25DEC26-4000-P",
        "BTC/USDC:USDC": "BTC_USDC-PERPETUAL",
        "ETH/USDC:USDC-270326": "ETH_USDC-26MAR27",
        "XRP/USDC:USDC-261225-0.625-C": "XRP_USDC-25DEC26-0d625-C",
        "BTC/USDC": "BTC_USDC",
    },
    malformed_symbols=("BTC/USDT:BTC", "BTC/USD:ETH", "BTC/USD:BTC-261332", "BTC/USD:BTC-60000-C", "BTC_USDC"),
    samples=(
        Sample(
            kind="acknowledgement",
            frame=b'{"jsonrpc":"2.0","id":12289,"result":["trades.BTC-PERPETUAL.100ms"],%b}' % _TIMES,
            expected=(Acknowledged(symbols=(PERPETUAL,), time=_SENT, request=3),),
        ),
        Sample(
            kind="acknowledgement",
            frame=b'{"jsonrpc":"2.0","id":14337,"result":["chart.trades.BTC-PERPETUAL.1"],%b}' % _TIMES,
            expected=(Acknowledged(symbols=(PERPETUAL,), time=_SENT, request=3, subscribed=False),),
        ),
        Sample(
            kind="refusal",
            frame=b'{"jsonrpc":"2.0","id":16385,"result":[],%b}' % _TIMES,
            expected=(
                Rejected(reason="Deribit left it out of the subscribed channels: it has no such instrument", request=4),
            ),
        ),
        Sample(
            kind="refusal",
            frame=b'{"jsonrpc":"2.0","id":16386,"error":{"code":-32602,"message":"Invalid params"},%b}' % _TIMES,
            expected=(Rejected(reason="Invalid params (-32602)", request=4),),
        ),
        Sample(
            kind="unknown kind",
            frame=b'{"jsonrpc":"2.0","id":16386,"error":{"code":11051,"message":"system_maintenance"},%b}' % _TIMES,
            expected=(Unknown(kind="error: system_maintenance (11051)"),),
        ),
        Sample(
            kind="heartbeat",
            frame=b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}',
            expected=(Heartbeat(),),
        ),
        Sample(
            kind="probe answer",
            frame=b'{"jsonrpc":"2.0","id":20480,"result":{"version":"1.2.26"},%b}' % _TIMES,
            expected=(Heartbeat(),),
        ),
        Sample(kind="one trade", frame=_trades(b"BTC-PERPETUAL", _FIRST), expected=(FIRST,)),
        Sample(kind="one trade", frame=_trades(b"ETH-25DEC26-4000-P", _SECOND), expected=(SECOND_TRADE,)),
        Sample(kind="several trades", frame=_trades(b"BTC-PERPETUAL", _FIRST, _SECOND), expected=(FIRST, SECOND_TRADE)),
        Sample(
            kind="open candle",
            frame=(
                b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"chart.trades.BTC-PERPETUAL.1","data":'
                b'{"volume":0.5,"tick":%d,"open":64000,"low":63990,"high":64010.5,"cost":32000,"close":64000}}}'
                % _OPEN_MS
            ),
            expected=(candle(_OPEN, closed=False),),
        ),
        Sample(
            kind="unknown kind",
            frame=(
                b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"deribit_price_index.btc_usd","data":'
                b'{"timestamp":1535098298227,"price":6521.17,"index_name":"btc_usd"}}}'
            ),
            expected=(Unknown(kind="deribit_price_index"),),
        ),
    ),
    absent={
        "trade snapshot": "the documentation names none for trades",
        "closed candle": "an open candle is followed by one of the next interval, without a flag",
        "candle snapshot": "the documentation names none for charts",
    },
    trade_pages=(
        Page(
            symbol=PERPETUAL,
            body=_page(_FIRST, number=1795857833000, more=b"true"),
            items=(FIRST,),
            cursor="78",
        ),
        Page(symbol=PERPETUAL, body=_page(_FIRST, number=77, more=b"false"), items=(FIRST,), asked="77"),
        Page(
            symbol=PERPETUAL,
            body=_page(_FIRST, number=1795771433980, more=b"false"),
            items=(FIRST,),
        ),
        Page(
            symbol=PERPETUAL,
            body=_page(_FIRST, number=1795771433979, more=b"false"),
            items=(FIRST,),
            truncated=True,
        ),
    ),
    candle_pages=(
        Page(
            symbol=PERPETUAL,
            body=_chart(
                b'"ticks":[%d,%d],"status":"ok",' % (_OPEN_MS - 60_000, _OPEN_MS)
                + _COLUMNS
                % (
                    b"0.5,0.25",
                    b"64000,64000",
                    b"63990,63990",
                    b"64010.5,64010.5",
                    b"32000,16000",
                    b"64000,64000",
                ),
                number=_OPEN_MS + 300_000,
            ),
            items=(candle(_OPEN - MINUTE, closed=True), candle(_OPEN, closed=True, volume=0.25)),
        ),
        Page(
            symbol=PERPETUAL,
            body=_chart(
                b'"ticks":[%d],"status":"ok",' % _OPEN_MS
                + _COLUMNS % (b"0.5", b"64000", b"63990", b"64010.5", b"32000", b"64000"),
                number=_OPEN_MS,
            ),
            items=(candle(_OPEN, closed=True),),
            cursor=str(_OPEN_MS + 1),
        ),
    ),
    empty_trades=_page(b"", number=1795857833000, more=b"false"),
    empty_candles=_chart(_EMPTY_CHART, number=_OPEN_MS + 300_000),
    unknown_symbol=(
        400,
        b'{"jsonrpc":"2.0","error":{"message":"Invalid params","code":-32602,'
        b'"data":{"reason":"wrong format","param":"instrument_name"}},%b}' % _TIMES,
    ),
)
