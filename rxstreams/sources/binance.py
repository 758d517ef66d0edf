"""Binance spot: streams and REST, aggregate trades and candles.

Conventions: a candle opens at its first trade, its close time is written a millisecond short, a flag says when it is
closed, and intervals without a trade are flat at the last close with volume 0. A trade is what one taker's order dealt
at one price at one time: ``count`` deals. What the messages look like stands in ``_wire/binance.py``.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from rxstreams.sources._binance import BinanceVenue
from rxstreams.sources._feeds import Feeds
from rxstreams.sources._spelling import PairSpelling, SpotPairs
from rxstreams.sources.venue import RestRequest

# Assets that others are quoted in. Left out is AEUR: ADAEUR is ADA/EUR.
_QUOTES = (
    *("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USDP", "USD1", "DAI", "EURI", "PAX"),
    *("BTC", "ETH", "BNB", "XRP", "TRX", "DOGE", "SOL", "DOT"),
    *("EUR", "TRY", "BRL", "GBP", "AUD", "JPY", "ARS", "MXN", "ZAR", "PLN", "RON", "CZK", "COP"),
    *("UAH", "RUB", "NGN", "IDRT", "BIDR", "BVND", "BKRW", "IDR"),
)
# Source: https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints and
# …/general-endpoints, read 2026-11-28.
_WEIGHTS = {"/api/v3/aggTrades": 4, "/api/v3/klines": 2, "/api/v3/exchangeInfo": 20}
# Without them the list holds symbols of the first three only.
# Source: https://github.com/binance/binance-spot-api-docs/blob/master/enums.md, read 2026-11-28.
_PERMISSIONS = ("SPOT", "MARGIN", "LEVERAGED", *(f"TRD_GRP_{number:03d}" for number in range(2, 26)))


class Binance(SpotPairs, BinanceVenue):
    """Binance spot.

    Trades: the stream of aggregate trades, since REST has the same with the same ids, from any time or id on, without a
    key. Single deals (``SYMBOL@trade``) have ids of their own, and REST gives them by id only. Old trades may be left
    out of an answer without a word (https://github.com/binance/binance-public-data/issues/376): where an answer begins
    over an hour later than asked for, the trade before its first one has to prove that none is missing.

    Candles have streams of their own, sent every two seconds while something changes (each second those of ``1s``).
    That empty intervals have candles is not documented; a log of 2023 in a public repository has live ones of ``1s``,
    flat and closed. Weeks begin on Monday, as the one of the documentation's REST example. Three days (``3d``) and
    months (``1M``) are left out: on which day they begin was not found. Trades that its candles leave out: not found.

    A symbol that does not exist is acknowledged, then nothing comes; so feeds ask for the list. It holds those too that
    are halted.

    Limits: 1,024 streams on a socket, five messages a second on it, pings and pongs among them, and 300 connections in
    five minutes from one address. A socket lives for a day at most; ``serverShutdown`` may come before it goes, and a
    line of trades then begins its hand-over. The server pings every 20 seconds; there is no ping as a message. Streams
    in one message: not found; 100 is cautious.

    REST: 6,000 a minute by address, in weights that each endpoint has; the header ``X-MBX-USED-WEIGHT-1M`` tells what
    was counted. The weights are documented; the 6,000 were found only in what others show of exchangeInfo's answer.

    Source: https://developers.binance.com/legacy-docs/binance-spot-api-docs/web-socket-streams, read 2026-11-28.
    """

    name: ClassVar[str] = "binance"
    examples: ClassVar[tuple[str, ...]] = ("BTC/USDT", "ETH/BTC")
    url: ClassVar[str] = "wss://stream.binance.com:9443/ws"
    rest_url: ClassVar[str] = "https://api.binance.com"
    api: ClassVar[str] = "/api/v3"
    candles_per_page: ClassVar[int] = 1000
    rest_limits: ClassVar[tuple[tuple[int, float], ...]] = ((6000, 60.0),)
    symbols_per_socket: ClassVar[int | None] = 1024
    messages_per_second: ClassVar[float] = 4.0  # of five: pings and pongs count too
    connection_limit: ClassVar[tuple[int, float] | None] = (300, 300.0)
    candle_timeframes: ClassVar[tuple[str, ...]] = (
        *("1s", "1m", "3m", "5m", "15m", "30m"),
        *("1h", "2h", "4h", "6h", "8h", "12h", "1d", "1w"),
    )
    documentation: ClassVar[tuple[str, str]] = (
        "https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams",
        "2026-11-28",
    )
    spelling: ClassVar[PairSpelling] = PairSpelling("", quotes=_QUOTES)

    def rest_weight(self, request: RestRequest) -> int:
        """Return the weight of the endpoint."""
        return _WEIGHTS.get(request.path, 1)

    def symbols_request(self) -> RestRequest | None:
        """Return the request for the symbols of all permissions that are documented, which it does not list again.

        Groups with higher numbers than those of the documentation exist (others show them in answers). Whether a symbol
        has none but such a group, and whether they may be asked for: not found.
        """
        permissions = msgspec.json.encode(_PERMISSIONS).decode()
        return RestRequest(
            path="/api/v3/exchangeInfo", query={"permissions": permissions, "showPermissionSets": "false"}
        )


FEEDS = Feeds(Binance())
trades = FEEDS.trades
ohlc = FEEDS.ohlc
candles = FEEDS.candles
rest_trades = FEEDS.rest_trades
rest_candles = FEEDS.rest_candles
to_ohlc = FEEDS.to_ohlc
