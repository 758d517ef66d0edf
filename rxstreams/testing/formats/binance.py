"""Binance's wire format, as its servers write it: spot, and the futures that differ little (``binance_futures``).

Source: https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md,
https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints, read 2026-11-28, checked
against recorded messages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from rxstreams.items import PriceTick
from rxstreams.testing.candles import TrueCandle
from rxstreams.testing.formats._format import (
    BadQuery,
    CandlesQuery,
    Command,
    Malformed,
    Ping,
    RestQuery,
    Subscribe,
    SymbolsQuery,
    TradesQuery,
)

_MILLISECOND = 1_000_000
# Months have no number of minutes; on which day three days begin is not documented; seconds are no minutes.
_MINUTES = {
    **{"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240},
    **{"6h": 360, "8h": 480, "12h": 720, "1d": 1440, "1w": 10080},
}
_INTERVALS = {minutes: interval for interval, minutes in _MINUTES.items()}
_STREAM = re.compile(r"([^@]+)@(?:(aggTrade)|kline_(\w+))")
_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE")
_TRADES_LIMIT = 1000
# Deals have ids of their own; so far apart that those of two trades don't meet.
_DEALS_APART = 1000


class _Request(msgspec.Struct):
    method: str
    params: tuple[str, ...] = ()
    id: int | None = None


_decode = msgspec.json.Decoder(_Request).decode
_encode = msgspec.json.Encoder().encode


def _milliseconds(instant: int) -> int:
    return instant // _MILLISECOND


class BinanceFormat:
    """``Format`` of Binance's spot market."""

    name = "binance"
    path = "/ws"
    resolution = _MILLISECOND
    opens: Literal["first_trade", "previous_close"] = "first_trade"
    fill: Literal["skip", "flat"] = "flat"
    closes_candles = True
    snapshot_trades = 0
    snapshot_candles = 0
    items_per_message: int | None = 1
    refuses_whole = True  # a refusal names its request only
    accepts_unknown = True
    api = "/api/v3"
    candles_limit = 1000
    window: int | None = None
    """Nanoseconds that start and end of a request for trades may be apart; None: any number."""

    def spelling(self, symbol: str) -> str:
        """Return the venue's spelling of a symbol."""
        return symbol.replace("/", "")

    def spellings(self, symbol: str) -> set[str]:
        """Return REST's spelling and that of the streams, in lower case."""
        spelling = self.spelling(symbol)
        return {spelling, spelling.lower()}

    def decode(self, message: bytes) -> Command:
        """Return what a client's message says; streams of several kinds in one message are not taken here."""
        try:
            request = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Malformed(reason="Invalid JSON: expected value at line 1 column 1")
        if request.method not in _METHODS:
            expected = ", ".join(f"`{method}`" for method in _METHODS)
            reason = f"Invalid request: unknown variant `{request.method}`, expected one of {expected}"
            return Malformed(reason=reason, request=request.id, method=request.method)
        found = [_STREAM.fullmatch(stream) for stream in request.params]
        streams = [(each[1], each[3]) for each in found if each is not None]
        intervals = {interval for _, interval in streams}
        if not streams or len(streams) < len(found) or len(intervals) > 1 or not intervals <= {None, *_MINUTES}:
            return Malformed(reason="Invalid request: invalid stream", request=request.id, method=request.method)
        interval = intervals.pop()
        return Subscribe(
            kind="candles" if interval else "trades",
            symbols=tuple(symbol for symbol, _ in streams),
            minutes=_MINUTES[interval] if interval else 0,
            request=request.id,
            active=request.method == "SUBSCRIBE",
        )

    def greeting(self, connection: int) -> bytes | None:
        """Return None: Binance does not greet."""
        del connection
        return None

    def acknowledge(self, request: Subscribe, symbols: Sequence[str], time_in: int, time_out: int) -> list[bytes]:
        """Return one message for all, which names the request."""
        del time_in, time_out
        return [_encode({"result": None, "id": request.request})] if symbols else []

    def refuse(
        self, request: Subscribe, symbols: Sequence[str], reason: str | None, time_in: int, time_out: int
    ) -> list[bytes]:
        """Return one message for all, which names the request."""
        del time_in, time_out
        answer = _complaint(reason or "Invalid request: invalid stream", request.request)
        return [answer] if symbols else []

    def complain(self, command: Malformed, time_in: int, time_out: int) -> bytes | None:
        """Return the error that Binance sends for a message that it does not take."""
        del time_in, time_out
        return _complaint(command.reason, command.request)

    def pong(self, command: Ping, time_in: int, time_out: int) -> bytes:
        """Refuse: ``decode`` gives no ``Ping``, since Binance has no ping as a message."""
        raise NotImplementedError("Binance has no ping as a message")

    def heartbeat(self) -> bytes | None:
        """Return None: Binance sends pings of the WebSocket protocol."""
        return None

    def trades(self, ticks: Sequence[PriceTick], *, snapshot: bool = False) -> bytes:
        """Return a message of the stream of aggregate trades."""
        del snapshot
        (tick,) = ticks
        event = {"e": "aggTrade", "E": _milliseconds(tick.timestamp), "s": self.spelling(tick.symbol)}
        return _encode(event | self.trade_row(tick))

    def trade_row(self, tick: PriceTick) -> dict[str, str | int]:
        """Return a trade as REST writes it."""
        number = int(tick.trade_id or 0)
        first = number * _DEALS_APART
        return {
            "a": number,
            "p": plain(tick.price),
            "q": plain(tick.volume),
            "f": first,
            "l": first + tick.count - 1,
            "T": _milliseconds(tick.timestamp),
            "m": tick.side == "sell",
            "M": True,
        }

    def candles(self, rows: Sequence[TrueCandle], minutes: int, *, time: int, snapshot: bool = False) -> bytes:
        """Return a message of a stream of candles."""
        del snapshot
        (row,) = rows
        spelling = self.spelling(row.symbol)
        kline = {
            "t": _milliseconds(row.open_time),
            "T": _milliseconds(row.close_time) - 1,
            "s": spelling,
            "i": _INTERVALS[minutes],
            "f": _first_deal(row),
            "L": _first_deal(row) + max(0, row.trades - 1),
            "o": plain(row.open),
            "c": plain(row.close),
            "h": plain(row.high),
            "l": plain(row.low),
            "v": plain(row.volume),
            "n": row.trades,
            "x": row.close_time <= time,
            "q": plain(row.quote_volume),
            "V": plain(row.buy_volume),
            "Q": plain(_bought(row)),
            "B": "0",
        }
        return _encode({"e": "kline", "E": _milliseconds(time), "s": spelling, "k": kline})

    def rest_query(self, path: str, query: Mapping[str, str], body: bytes) -> RestQuery:
        """Return what a request for aggTrades, klines or exchangeInfo asks for."""
        del body
        if path == f"{self.api}/exchangeInfo":
            return SymbolsQuery()
        if path not in (f"{self.api}/aggTrades", f"{self.api}/klines"):
            return BadQuery(status=404, reason="Not found.")
        try:
            return self._rest_query(path.endswith("klines"), query)
        except KeyError as error:
            return BadQuery(status=400, reason=f"Mandatory parameter {error} was not sent.")
        except ValueError as error:
            return BadQuery(status=400, reason=f"Illegal parameter: {error}")

    def _rest_query(self, candles: bool, query: Mapping[str, str]) -> RestQuery:
        symbol = query["symbol"]
        since = int(query["startTime"]) * _MILLISECOND if "startTime" in query else None
        until = (int(query["endTime"]) + 1) * _MILLISECOND if "endTime" in query else None
        limit = int(query.get("limit", "500"))
        if not 1 <= limit <= (self.candles_limit if candles else _TRADES_LIMIT):
            raise ValueError(f"limit {limit}")
        if candles:
            minutes = _MINUTES.get(query["interval"])
            if minutes is None:
                raise ValueError(f"interval {query['interval']}")
            return CandlesQuery(
                symbol=symbol, minutes=minutes, since=since, until=until, limit=limit, newest=since is None
            )
        if "fromId" in query:
            if since is not None or until is not None:
                raise ValueError("fromId beside startTime or endTime")
            return TradesQuery(symbol=symbol, after_id=int(query["fromId"]) - 1, limit=limit)
        if self.window is not None and since is not None and until is not None and until - since > self.window:
            raise ValueError("startTime and endTime more than an hour apart")
        return TradesQuery(symbol=symbol, since=since, until=until, limit=limit, newest=since is None)

    def rest_trades(self, symbol: str, ticks: Sequence[PriceTick], query: TradesQuery, *, more: bool) -> bytes:
        """Return trades; nothing says whether there are more."""
        del symbol, query, more
        return _encode([self.trade_row(tick) for tick in ticks])

    def rest_candles(
        self, symbol: str, rows: Sequence[TrueCandle], query: CandlesQuery, *, now: int, more: bool
    ) -> bytes:
        """Return candles; nothing says whether the last one is over, or whether there are more."""
        del symbol, query, now, more
        return _encode(
            [
                [
                    _milliseconds(row.open_time),
                    plain(row.open),
                    plain(row.high),
                    plain(row.low),
                    plain(row.close),
                    plain(row.volume),
                    _milliseconds(row.close_time) - 1,
                    plain(row.quote_volume),
                    row.trades,
                    plain(row.buy_volume),
                    plain(_bought(row)),
                    "0",
                ]
                for row in rows
            ]
        )

    def rest_symbols(self, symbols: Sequence[str]) -> bytes:
        """Return the list of symbols, each with what tells it from others."""
        rows: list[dict[str, str]] = []
        for symbol in symbols:
            base, _, quote = symbol.partition("/")
            quote = quote.partition(":")[0]
            rows.append({"symbol": self.spelling(symbol), "status": "TRADING", "baseAsset": base, "quoteAsset": quote})
        return _encode({"timezone": "UTC", "serverTime": 0, "rateLimits": [], "exchangeFilters": [], "symbols": rows})

    def rest_error(self, reason: str | None) -> tuple[int, bytes]:
        """Return an error in Binance's form."""
        code, text = (-1121, "Invalid symbol.") if reason is None else (-1100, reason)
        return 400, _encode({"code": code, "msg": text})


def plain(number: float) -> str:
    """Return a number with eight digits after the point, or with as many more as it takes to read it back."""
    text = f"{number:.8f}"
    return text if float(text) == number else format(Decimal(repr(number)), "f")


def _complaint(reason: str, request: int | None) -> bytes:
    answer: dict[str, str | int] = {"code": 3 if reason.startswith("Invalid JSON") else 2, "msg": reason}
    return _encode(answer if request is None else answer | {"id": request})


def _first_deal(row: TrueCandle) -> int:
    return row.open_time // _MILLISECOND if row.trades else -1


def _bought(row: TrueCandle) -> float:
    """Return the quote volume that takers bought, roughly: nobody reads it."""
    return row.quote_volume * row.buy_volume / row.volume if row.volume else 0.0
