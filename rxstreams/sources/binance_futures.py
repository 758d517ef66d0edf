"""Binance USD-M futures: perpetuals and futures that settle in what they are quoted in; streams and REST.

Conventions: as on spot (``binance``), but a trade here is all that was dealt at one price and taking side in 100
milliseconds. What the messages look like stands in ``_wire/binance.py``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import ClassVar

from rxstreams.errors import UnknownSymbol
from rxstreams.instants import DAY
from rxstreams.sources._binance import BinanceVenue
from rxstreams.sources._feeds import Feeds
from rxstreams.sources._spelling import PairSpelling
from rxstreams.sources.venue import RestRequest
from rxstreams.symbols import split_symbol

_PAIR = PairSpelling("", quotes=("USDT", "USDC", "BUSD", "BTC"))
_EXPIRY = re.compile(r"[0-9]{6}")
# Of candles by how many are asked for: below each number, the weight beside it; then 10.
# Source: https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/Kline-Candlestick-Data,
# read 2026-11-28. The weight of trades: …/Compressed-Aggregate-Trades-List, read there in a copy.
_CANDLE_WEIGHTS = ((100, 1), (500, 2), (1001, 5))
_TRADES_WEIGHT = 20


@lru_cache(4096)
def _from_venue(spelling: str) -> str:
    pair, dot, expiry = spelling.partition("_")
    if dot and not _EXPIRY.fullmatch(expiry):
        raise ValueError(f"expected a spelling such as 'BTCUSDT' or 'BTCUSDT_251226', got {spelling!r}")
    symbol = _PAIR.from_venue(pair)
    contract = f"-{expiry}" if dot else ""
    return f"{symbol}:{symbol.rpartition('/')[2]}{contract}"


class BinanceFutures(BinanceVenue):
    """Binance USD-M futures: ``BTC/USDT:USDT`` is BTCUSDT, ``BTC/USDT:USDT-251226`` is BTCUSDT_251226.

    Trades: ``SYMBOL@aggTrade``, which REST has too, with the same ids. Each is stamped once, so in candles that are
    built of them up to 100 ms around an interval's end may be counted on its other side. Trades of the insurance fund
    and automatic deleveraging are left out of them; whether the venue's candles have those, and whether their ids lie
    between ``f`` and ``l``, which ``count`` is reckoned by: not found. Retail price improvement orders are in ``q``,
    which is read; ``nq`` is the quantity without them. What the field ``st`` means, which newer messages have: not
    found. In a recording of 2021 the trades made the running candles that the venue sent, in all fields, and no id was
    missing.

    Candles: sent while something changes, at least 0.28 s apart in the recording; how often is documented, but the page
    was not found. Three days, weeks and months are left out: on which day they begin was not found. That empty
    intervals have candles is not documented; an answer in the venue's own repository says so
    (https://github.com/binance/binance-public-data/issues/153), and its data has some, flat with volume 0 (issue 103
    there).

    Addresses: since 2026-04-23 trades and candles come on ``/market`` alone; without it a socket opens, and stays
    silent. A symbol that does not exist is acknowledged, then nothing comes; so feeds ask for the list.

    Limits: ten messages a second on a socket. The documentation's copies have 200 and, later, 1,024 streams on one: 200
    is safe. Connections: not found; those of spot are taken, 300 in five minutes. A socket lives for a day at most;
    whether ``serverShutdown`` comes before its end, as on spot: not found. The server pings every three minutes.
    Streams in one message: not found; 100 is cautious.

    REST: 2,400 a minute by address, in weights; ``X-MBX-USED-WEIGHT-1M`` tells what was counted. How far back trades
    go: not found; others count on a day or two, so a day is promised, and what was made before is said to be missing.
    What is answered to those who ask for it, and that ``startTime`` may stand without ``endTime`` (it may on spot): not
    found.

    Source:
    https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Aggregate-Trade-Streams
    and …/Important-WebSocket-Change-Notice, read 2026-11-28.
    """

    name: ClassVar[str] = "binance_futures"
    examples: ClassVar[tuple[str, ...]] = ("BTC/USDT:USDT", "BTC/USDT:USDT-251226")
    url: ClassVar[str] = "wss://fstream.binance.com/market/ws"
    rest_url: ClassVar[str] = "https://fapi.binance.com"
    api: ClassVar[str] = "/fapi/v1"
    candles_per_page: ClassVar[int] = 499  # of the most for one weight
    rest_limits: ClassVar[tuple[tuple[int, float], ...]] = ((2400, 60.0),)
    trades_reach: ClassVar[str] = "24 hours"
    sure_reach: ClassVar[int] = DAY
    symbols_per_socket: ClassVar[int | None] = 200
    messages_per_second: ClassVar[float] = 8.0  # of ten: pings and pongs may count too
    connection_limit: ClassVar[tuple[int, float] | None] = (300, 300.0)
    candle_timeframes: ClassVar[tuple[str, ...]] = (
        *("1m", "3m", "5m", "15m", "30m"),
        *("1h", "2h", "4h", "6h", "8h", "12h", "1d"),
    )
    verified: ClassVar[str] = "15 states of its own running one-minute candles of 3 symbols, 2021-07-22; no empty ones"
    documentation: ClassVar[tuple[str, str]] = (
        "https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams",
        "2026-11-28",
    )

    def to_venue_symbol(self, symbol: str) -> str:
        """Return ``BTCUSDT`` for ``BTC/USDT:USDT`` and ``BTCUSDT_251226`` for ``BTC/USDT:USDT-251226``."""
        parts = split_symbol(symbol)
        if parts.settle != parts.quote or parts.strike:
            raise UnknownSymbol(
                f"binance_futures has symbols such as 'BTC/USDT:USDT' and 'BTC/USDT:USDT-251226', got {symbol!r}"
            )
        pair = _PAIR.to_venue(f"{parts.base}/{parts.quote}")
        return f"{pair}_{parts.expiry}" if parts.expiry else pair

    def from_venue_symbol(self, spelling: str) -> str:
        """Return the symbol of a spelling, the inverse of ``to_venue_symbol``."""
        return _from_venue(spelling)

    def rest_weight(self, request: RestRequest) -> int:
        """Return the weight of the endpoint, for candles by how many are asked for."""
        if request.path.endswith("/aggTrades"):
            return _TRADES_WEIGHT
        if not request.path.endswith("/klines"):
            return 1
        limit = int(request.query.get("limit", "500"))
        return next((weight for below, weight in _CANDLE_WEIGHTS if limit < below), 10)

    def symbols_request(self) -> RestRequest | None:
        """Return the request for the list."""
        return RestRequest(path="/fapi/v1/exchangeInfo")


FEEDS = Feeds(BinanceFutures())
trades = FEEDS.trades
ohlc = FEEDS.ohlc
candles = FEEDS.candles
rest_trades = FEEDS.rest_trades
rest_candles = FEEDS.rest_candles
to_ohlc = FEEDS.to_ohlc
