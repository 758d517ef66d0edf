"""The keywords of ``update_from_trade`` and ``update_from_candle``, for the buffer and the manager alike."""

from __future__ import annotations

from typing import TypedDict

from rxstreams.items import Side


class TradeFields(TypedDict, total=False):
    """What a trade may say beside its price, volume and time; see ``PriceTick``."""

    trade_id: int | str | None
    side: Side | None
    count: int
    received: int
    span: int
    since: int


class CandleFields(TypedDict, total=False):
    """What a candle may say beside its time and prices; see ``OHLCCandle``."""

    volume: float
    trades: int
    quote_volume: float
    buy_volume: float
    closed: bool
    complete: bool
    revision: int
    span: int
    since: int
