"""Bitget's messages, written from its documentation, for the suite that every venue passes.

Source: https://www.bitget.com/api-doc/common/websocket-intro, …/spot/websocket/public/{Trades,Candlesticks}-Channel and
…/spot/market/{Get-Recent-Trades,Get-Market-Trades,Get-Candle-Data}, read 2026-11-28.
"""

from __future__ import annotations

from venue_case import Page, Sample, VenueCase

from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources.bitget import Bitget
from rxstreams.sources.venue import Acknowledged, Heartbeat, Rejected, Unknown
from rxstreams.testing.formats.bitget import BitgetFormat
from rxstreams.timeframe import Timeframe

_MS = 1_000_000
_START = 1695672780000
_TRADE = b'{"instType":"SPOT","channel":"trade","instId":"BTCUSDT"}'
_CANDLE = b'{"instType":"SPOT","channel":"candle1m","instId":"ETHEUR"}'
_ROW = b'["1695672780000","2200.1","2201","2199.5","2200.5","3.5","7701.75","8471.925"]'
_REST_ROW = b'["1695672780000","2200.1","2201","2199.5","2200.5","3.5","8471.925","7701.75"]'
_FIRST = b'{"ts":"1695709835822","price":"26293.4","size":"0.0013","side":"buy","tradeId":"1000000000"}'
_SECOND = b'{"ts":"1695709835822","price":"26293.5","size":"2","side":"sell","tradeId":"1000000001"}'


def tick(symbol: str, price: float, volume: float, time: int, trade_id: int, side: Side) -> PriceTick:
    """Return a trade; ``time`` in milliseconds."""
    return PriceTick(
        symbol=symbol,
        exchange="bitget",
        price=price,
        volume=volume,
        timestamp=time * _MS,
        trade_id=trade_id,
        side=side,
    )


def candle(start: int = _START, *, closed: bool = False) -> OHLCCandle:
    """Return the candle of the messages here; ``start`` in milliseconds."""
    return OHLCCandle(
        symbol="ETH/EUR",
        exchange="bitget",
        timeframe=Timeframe("1m"),
        open_time=start * _MS,
        open=2200.1,
        high=2201.0,
        low=2199.5,
        close=2200.5,
        volume=3.5,
        quote_volume=7701.75,
        closed=closed,
        complete=closed,
    )


def push(action: bytes, topic: bytes, *rows: bytes) -> bytes:
    """Return a message of a channel."""
    return b'{"action":"%b","arg":%b,"data":[%b],"ts":1695711090682}' % (action, topic, b",".join(rows))


def rest(data: bytes, time: int = 1695808949356) -> bytes:
    """Return an answer of the REST API; ``time`` in milliseconds."""
    return b'{"code":"00000","msg":"success","requestTime":%d,"data":%b}' % (time, data)


CASE = VenueCase(
    venue=Bitget(),
    format=BitgetFormat,
    spellings={"BTC/USDT": "BTCUSDT", "ETH/BTC": "ETHBTC", "USDC/USDT": "USDCUSDT", "BGB/USDC": "BGBUSDC"},
    malformed_symbols=("BTC/USDT:USDT", "BTC/USD:BTC"),
    samples=(
        Sample(
            kind="acknowledgement",
            frame=b'{"event":"subscribe","arg":%b}' % _TRADE,
            expected=(Acknowledged(symbols=("BTC/USDT",)),),
        ),
        Sample(
            kind="refusal",
            frame=(
                b'{"event":"error","arg":{"instType":"SPOT","channel":"trade","instId":"NOPEUSDT"},"code":30001,'
                b'"msg":"instType:SPOT,channel:trade,instId:NOPEUSDT doesn\'t exist","op":"subscribe"}'
            ),
            expected=(
                Rejected(
                    symbols=("NOPE/USDT",), reason="30001 instType:SPOT,channel:trade,instId:NOPEUSDT doesn't exist"
                ),
            ),
        ),
        Sample(kind="probe answer", frame=b"pong", expected=(Heartbeat(),), noise=True),
        Sample(
            kind="one trade",
            frame=push(b"update", _TRADE, _FIRST),
            expected=(tick("BTC/USDT", 26293.4, 0.0013, 1695709835822, 1000000000, Side.BUY),),
        ),
        Sample(
            kind="several trades",
            frame=push(b"update", _TRADE, _SECOND, _FIRST),
            expected=(
                tick("BTC/USDT", 26293.4, 0.0013, 1695709835822, 1000000000, Side.BUY),
                tick("BTC/USDT", 26293.5, 2.0, 1695709835822, 1000000001, Side.SELL),
            ),
        ),
        Sample(
            kind="unknown kind",
            frame=(b'{"event":"error","arg":%b,"code":30006,"msg":"request too many","op":"subscribe"}' % _TRADE),
            expected=(Unknown(kind="error: 30006 request too many"),),
        ),
        Sample(
            kind="trade snapshot", frame=push(b"snapshot", _TRADE, _FIRST), expected=(Unknown(kind="trade snapshot"),)
        ),
        Sample(kind="open candle", frame=push(b"update", _CANDLE, _ROW), expected=(candle(),)),
        Sample(
            kind="candle snapshot", frame=push(b"snapshot", _CANDLE, _ROW), expected=(Unknown(kind="candle snapshot"),)
        ),
        Sample(
            kind="unknown kind",
            frame=(
                b'{"action":"snapshot","arg":{"instType":"SPOT","channel":"ticker","instId":"BTCUSDT"},"data":[],'
                b'"ts":1695702438029}'
            ),
            expected=(Unknown(kind="ticker"),),
        ),
    ),
    absent={
        "heartbeat": "the server sends none of its own: the client sends the text ping",
        "closed candle": "an open candle is followed by one of the next interval, without a flag",
    },
    trade_pages=(
        Page(
            symbol="BFT/USDT",
            body=rest(
                b'[{"symbol":"BFTUSDT","tradeId":"2","side":"buy","price":"2.38735","size":"2470.6224",'
                b'"ts":"1622097282536"},{"symbol":"BFTUSDT","tradeId":"1","side":"sell","price":"2.38649",'
                b'"size":"3239.7976","ts":"1622097280642"}]'
            ),
            items=(
                tick("BFT/USDT", 2.38649, 3239.7976, 1622097280000, 1, Side.SELL),
                tick("BFT/USDT", 2.38735, 2470.6224, 1622097282000, 2, Side.BUY),
            ),
            cursor="1",
            backwards=True,
        ),
        Page(
            symbol="ETH/USDT",
            asked="1294151170843025600",
            body=rest(
                b'[{"symbol":"ETHUSDT","tradeId":"1294151170843025500","side":"Buy","price":"1592.58","size":"2.1982",'
                b'"ts":"1744275603000"},{"symbol":"ETHUSDT","tradeId":"1294151170834636801","side":"Sell",'
                b'"price":"1592.57","size":"0.0045","ts":"1744275603000"}]'
            ),
            items=(
                tick("ETH/USDT", 1592.57, 0.0045, 1744275603000, 1294151170834636801, Side.SELL),
                tick("ETH/USDT", 1592.58, 2.1982, 1744275603000, 1294151170843025500, Side.BUY),
            ),
            cursor="1294151170834636801",
            backwards=True,
        ),
    ),
    candle_pages=(
        Page(
            symbol="ETH/EUR",
            body=rest(b"[%b,%b]" % (_REST_ROW, _REST_ROW.replace(b"2780000", b"2840000")), _START + 90_000),
            items=(candle(closed=True), candle(_START + 60_000, closed=True)),
            cursor=str(_START),
            backwards=True,
        ),
    ),
    empty_trades=rest(b"[]"),
    empty_candles=rest(b"[]"),
    unknown_symbol=(
        400,
        b'{"code":"40034","msg":"Parameter BTCUSDT does not exist","requestTime":1790133421135,"data":null}',
    ),
)
