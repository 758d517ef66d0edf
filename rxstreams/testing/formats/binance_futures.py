"""Binance's wire format of USD-M futures, as far as it differs from that of spot.

Source:
https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Aggregate-Trade-Streams,
https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/Kline-Candlestick-Data, read
2026-11-28, checked against recorded messages.
"""

from __future__ import annotations

from rxstreams.items import PriceTick
from rxstreams.symbols import split_symbol
from rxstreams.testing.formats.binance import BinanceFormat, plain

_HOUR = 3_600_000_000_000


class BinanceFuturesFormat(BinanceFormat):
    """``Format`` of Binance's USD-M futures."""

    name = "binance_futures"
    path = "/market/ws"
    api = "/fapi/v1"
    candles_limit = 1500
    window: int | None = _HOUR

    def spelling(self, symbol: str) -> str:
        """Return the venue's spelling of a symbol."""
        parts = split_symbol(symbol)
        pair = f"{parts.base}{parts.quote}"
        return f"{pair}_{parts.expiry}" if parts.expiry else pair

    def trade_row(self, tick: PriceTick) -> dict[str, str | int]:
        """Return a trade as REST writes it; no order of it was a retail price improvement."""
        row = super().trade_row(tick)
        del row["M"]
        return row | {"nq": plain(tick.volume)}
