"""Bybit's messages, spot and linear, written from its documentation, for the suite that every venue passes.

Source: https://bybit-exchange.github.io/docs/v5/websocket/public/{trade,kline}, …/v5/ws/connect,
…/v5/market/{recent-trade,kline} and …/v5/error, read 2026-11-28.
"""

from __future__ import annotations

from venue_case import Page, Sample, VenueCase

from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources.bybit import Bybit, BybitLinear
from rxstreams.sources.venue import Acknowledged, Heartbeat, Rejected, Unknown
from rxstreams.testing.formats.bybit import BybitFormat, BybitLinearFormat
from rxstreams.timeframe import Timeframe

_MS = 1_000_000
_START = 1672324800000
_ABSENT = {
    "heartbeat": "the server sends none of its own: the client pings every 20 seconds",
    "trade snapshot": "every message of trades is called a snapshot, and holds new trades only",
    "candle snapshot": "every message of candles is called a snapshot, and holds the present candle",
}


def tick(symbol: str, exchange: str, price: float, volume: float, time: int, trade_id: str, side: Side) -> PriceTick:
    """Return a trade; ``time`` in milliseconds."""
    return PriceTick(
        symbol=symbol,
        exchange=exchange,
        price=price,
        volume=volume,
        timestamp=time * _MS,
        trade_id=trade_id,
        side=side,
    )


def candle(
    symbol: str, exchange: str, timeframe: str, start: int, values: tuple[float, ...], *, closed: bool, complete: bool
) -> OHLCCandle:
    """Return a candle; ``start`` in milliseconds, the values as REST orders them."""
    return OHLCCandle(
        symbol=symbol,
        exchange=exchange,
        timeframe=Timeframe(timeframe),
        open_time=start * _MS,
        open=values[0],
        high=values[1],
        low=values[2],
        close=values[3],
        volume=values[4],
        quote_volume=values[5],
        closed=closed,
        complete=complete,
    )


def kline(symbol: str, *, confirm: str) -> bytes:
    """Return the documentation's example of a candle."""
    return (
        f'{{"topic":"kline.5.{symbol}","data":[{{"start":{_START},"end":1672325099999,"interval":"5","open":"16649.5",'
        f'"close":"16677","high":"16677","low":"16608","volume":"2.081","turnover":"34666.4005","confirm":{confirm},'
        f'"timestamp":1672324988882}}],"ts":1672324988882,"type":"snapshot"}}'
    ).encode()


def rest_klines(category: str, symbol: str) -> bytes:
    """Return three minutes; whether the last one is still running nobody says."""
    row = '"16649.5","16677","16608","16677","2.081","34666.4005"]'
    rows = ",".join(f'["{_START + minute * 60_000}",{row}' for minute in (2, 1, 0))
    return (
        f'{{"retCode":0,"retMsg":"OK","result":{{"symbol":"{symbol}","category":"{category}","list":[{rows}]}},'
        f'"retExtInfo":{{}},"time":{_START + 150_000}}}'
    ).encode()


def empty(category: str, symbol: str) -> bytes:
    """Return an answer that holds nothing."""
    return (
        f'{{"retCode":0,"retMsg":"OK","result":{{"symbol":"{symbol}","category":"{category}","list":[]}},'
        f'"retExtInfo":{{}},"time":{_START}}}'
    ).encode()


_VALUES = (16649.5, 16677.0, 16608.0, 16677.0, 2.081, 34666.4005)


def _klines(symbol: str, exchange: str) -> tuple[OHLCCandle, ...]:
    return tuple(
        candle(symbol, exchange, "1m", _START + minute * 60_000, _VALUES, closed=True, complete=True)
        for minute in range(3)
    )


_NOT_SUPPORTED = b'{"retCode":10001,"retMsg":"Not supported symbols","result":{},"retExtInfo":{},"time":1726147060461}'

CASE = VenueCase(
    venue=Bybit(),
    format=BybitFormat,
    spellings={"BTC/USDT": "BTCUSDT", "ETH/BTC": "ETHBTC", "USDC/USDT": "USDCUSDT", "BTC/EUR": "BTCEUR"},
    malformed_symbols=("BTC/USDT:USDT", "BTC/USD:BTC"),
    samples=(
        Sample(
            kind="acknowledgement",
            frame=(
                b'{"success":true,"ret_msg":"subscribe","conn_id":"2324d924-aa4d-45b0-a858-7b8be29ab52b",'
                b'"req_id":"10001","op":"subscribe"}'
            ),
            expected=(Acknowledged(symbols=(), request=10),),
        ),
        Sample(
            kind="refusal",
            frame=(
                b'{"success":false,"ret_msg":"Invalid symbol :[publicTrade.NOPEUSDT]",'
                b'"conn_id":"2324d924-aa4d-45b0-a858-7b8be29ab52b","req_id":"6002","op":"subscribe"}'
            ),
            expected=(Rejected(reason="Invalid symbol :[publicTrade.NOPEUSDT]", request=6),),
        ),
        Sample(
            kind="probe answer",
            frame=b'{"success":true,"ret_msg":"pong","conn_id":"0970e817-426e-429a-a679-ff7f55e0b16a","op":"ping"}',
            expected=(Heartbeat(),),
        ),
        Sample(
            kind="one trade",
            frame=(
                b'{"topic":"publicTrade.BTCUSDT","ts":1791365009231,"type":"snapshot","data":[{"i":"2290000001225843671",'
                b'"T":1791365009230,"p":"83805.1","v":"0.001466","S":"Buy","seq":115058640184,"s":"BTCUSDT","BT":false,'
                b'"RPI":false}]}'
            ),
            expected=(tick("BTC/USDT", "bybit", 83805.1, 0.001466, 1791365009230, "2290000001225843671", Side.BUY),),
        ),
        Sample(
            kind="several trades",
            frame=(
                b'{"type":"snapshot","topic":"publicTrade.ETHBTC","ts":1672304486868,"data":['
                b'{"i":"7","T":1672304486865,"p":"0.07","v":"2","S":"Sell","s":"ETHBTC","BT":false},'
                b'{"i":"9","T":1672304486866,"p":"0.08","v":"3.5","S":"Buy","s":"ETHBTC","BT":false}]}'
            ),
            expected=(
                tick("ETH/BTC", "bybit", 0.07, 2.0, 1672304486865, "7", Side.SELL),
                tick("ETH/BTC", "bybit", 0.08, 3.5, 1672304486866, "9", Side.BUY),
            ),
        ),
        Sample(
            kind="open candle",
            frame=kline("BTCUSDT", confirm="false"),
            expected=(candle("BTC/USDT", "bybit", "5m", _START, _VALUES, closed=False, complete=False),),
        ),
        Sample(
            kind="closed candle",
            frame=kline("BTCUSDT", confirm="true"),
            expected=(candle("BTC/USDT", "bybit", "5m", _START, _VALUES, closed=True, complete=False),),
        ),
        Sample(
            kind="unknown kind",
            frame=b'{"success":false,"ret_msg":"Internal server error","req_id":"6001","op":"subscribe"}',
            expected=(Unknown(kind="error: Internal server error"),),
        ),
        Sample(
            kind="unknown kind",
            frame=b'{"topic":"tickers.BTCUSDT","ts":1673853746003,"type":"snapshot","data":{"symbol":"BTCUSDT"}}',
            expected=(Unknown(kind="tickers"),),
        ),
    ),
    absent=_ABSENT,
    trade_pages=(
        Page(
            symbol="BTC/USDT",
            body=(
                b'{"retCode":0,"retMsg":"OK","result":{"category":"spot","list":['
                b'{"execId":"2100000000007764264","symbol":"BTCUSDT","price":"16618.5","size":"0.5","side":"Sell",'
                b'"time":"1672052955758","isBlockTrade":false},'
                b'{"execId":"2100000000007764263","symbol":"BTCUSDT","price":"16618.49","size":"0.00012","side":"Buy",'
                b'"time":"1672052955758","isBlockTrade":false}]},"retExtInfo":{},"time":1672053054358}'
            ),
            items=(
                tick("BTC/USDT", "bybit", 16618.49, 0.00012, 1672052955758, "2100000000007764263", Side.BUY),
                tick("BTC/USDT", "bybit", 16618.5, 0.5, 1672052955758, "2100000000007764264", Side.SELL),
            ),
            backwards=True,
            truncated=True,
        ),
    ),
    candle_pages=(
        Page(
            symbol="BTC/USDT",
            body=rest_klines("spot", "BTCUSDT"),
            items=_klines("BTC/USDT", "bybit"),
            cursor=str(_START),
            backwards=True,
        ),
    ),
    empty_trades=empty("spot", "BTCUSDT"),
    empty_candles=empty("spot", "BTCUSDT"),
    unknown_symbol=(200, _NOT_SUPPORTED),
)

CASE_LINEAR = VenueCase(
    venue=BybitLinear(),
    format=BybitLinearFormat,
    spellings={
        "BTC/USDT:USDT": "BTCUSDT",
        "BTC/USDC:USDC": "BTCPERP",
        "1000PEPE/USDT:USDT": "1000PEPEUSDT",
        "BTC/USDT:USDT-261225": "BTCUSDT-25DEC26",
        "ETH/USDC:USDC-270305": "ETH-5MAR27",
    },
    malformed_symbols=(
        "BTC/USDT",
        "BTC/USD:BTC",
        "BTC/USDT:USDC",
        "BTC/USDT:USDT-261225-60000-C",
        "BTC/USDT:USDT-261325",
    ),
    samples=(
        Sample(
            kind="acknowledgement",
            frame=(
                b'{"success":true,"ret_msg":"","conn_id":"3cd84cb1-4d06-4a05-930a-2efe5fc70f0f","req_id":"3002",'
                b'"op":"subscribe"}'
            ),
            expected=(Acknowledged(symbols=(), request=3),),
        ),
        Sample(
            kind="refusal",
            frame=(
                b'{"success":false,"ret_msg":"error:handler not found,topic:publicTrade.NOPEUSDT",'
                b'"conn_id":"db29396o6jg9l5np2l4g-cyzk","req_id":"4001","op":"subscribe"}'
            ),
            expected=(Rejected(reason="error:handler not found,topic:publicTrade.NOPEUSDT", request=4),),
        ),
        Sample(
            kind="refusal",
            frame=(
                b'{"success":false,"ret_msg":"error:already subscribed,topic:publicTrade.BTCUSDT","req_id":"7002",'
                b'"op":"subscribe"}'
            ),
            expected=(Rejected(reason="error:already subscribed,topic:publicTrade.BTCUSDT", request=7),),
        ),
        Sample(
            kind="acknowledgement",
            frame=(
                b'{"success":false,"ret_msg":"error:already subscribed,topic:publicTrade.BTCUSDT","req_id":"8001",'
                b'"op":"subscribe"}'
            ),
            expected=(Acknowledged(symbols=(), request=8),),
        ),
        Sample(
            kind="probe answer",
            frame=(
                b'{"success":true,"ret_msg":"pong","conn_id":"465772b1-7630-4fdc-a492-e003e6f0f260","req_id":"",'
                b'"op":"ping"}'
            ),
            expected=(Heartbeat(),),
        ),
        Sample(
            kind="one trade",
            frame=(
                b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[{"T":1672304486865,'
                b'"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick",'
                b'"i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false}]}'
            ),
            expected=(
                tick(
                    "BTC/USDT:USDT",
                    "bybit_linear",
                    16578.5,
                    0.001,
                    1672304486865,
                    "20f43950-d8dd-5b31-9112-a178eb6023af",
                    Side.BUY,
                ),
            ),
        ),
        Sample(
            kind="several trades",
            frame=(
                b'{"topic":"publicTrade.BTCPERP","type":"snapshot","ts":1672304486868,"data":['
                b'{"T":1672304486865,"s":"BTCPERP","S":"Sell","v":"1","p":"16578","L":"MinusTick","i":"a-1","BT":false},'
                b'{"T":1672304486865,"s":"BTCPERP","S":"Buy","v":"2","p":"16579","L":"PlusTick","i":"b-2","BT":true}]}'
            ),
            expected=(
                tick("BTC/USDC:USDC", "bybit_linear", 16578.0, 1.0, 1672304486865, "a-1", Side.SELL),
                tick("BTC/USDC:USDC", "bybit_linear", 16579.0, 2.0, 1672304486865, "b-2", Side.BUY),
            ),
        ),
        Sample(
            kind="open candle",
            frame=kline("BTCUSDT-25DEC26", confirm="false"),
            expected=(
                candle("BTC/USDT:USDT-261225", "bybit_linear", "5m", _START, _VALUES, closed=False, complete=False),
            ),
        ),
        Sample(
            kind="closed candle",
            frame=kline("BTCUSDT", confirm="true"),
            expected=(candle("BTC/USDT:USDT", "bybit_linear", "5m", _START, _VALUES, closed=True, complete=False),),
        ),
        Sample(
            kind="unknown kind",
            frame=(
                b'{"topic":"allLiquidation.BTCUSDT","type":"snapshot","ts":1739502303204,"data":[{"T":1739502302929,'
                b'"s":"BTCUSDT","S":"Sell","v":"20000","p":"0.04499"}]}'
            ),
            expected=(Unknown(kind="allLiquidation"),),
        ),
    ),
    absent=_ABSENT,
    trade_pages=(
        Page(
            symbol="BTC/USDT:USDT",
            body=(
                b'{"retCode":0,"retMsg":"OK","result":{"category":"linear","list":['
                b'{"execId":"a905d5c3-1ed0-4f37-83e4-9c73a2fe2f01","symbol":"BTCUSDT","price":"27450.50","size":"0.005",'
                b'"side":"Buy","time":"1709891679000","isBlockTrade":false}]},"retExtInfo":{},"time":1709891679050}'
            ),
            items=(
                tick(
                    "BTC/USDT:USDT",
                    "bybit_linear",
                    27450.5,
                    0.005,
                    1709891679000,
                    "a905d5c3-1ed0-4f37-83e4-9c73a2fe2f01",
                    Side.BUY,
                ),
            ),
            backwards=True,
            truncated=True,
        ),
    ),
    candle_pages=(
        Page(
            symbol="BTC/USDT:USDT",
            body=rest_klines("linear", "BTCUSDT"),
            items=_klines("BTC/USDT:USDT", "bybit_linear"),
            cursor=str(_START),
            backwards=True,
        ),
    ),
    empty_trades=empty("linear", "BTCUSDT"),
    empty_candles=empty("linear", "BTCUSDT"),
    unknown_symbol=(200, _NOT_SUPPORTED),
)
