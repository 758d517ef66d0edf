"""Binance's particularities, spot and futures: what the suite of all venues does not show."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from rxstreams.errors import HistoryTooShort, MessageError, RateLimited, UnknownSymbol
from rxstreams.instants import DAY, HOUR, MINUTE, SECOND
from rxstreams.items import PriceTick
from rxstreams.sources import Venue
from rxstreams.sources._pages import trade_pages
from rxstreams.sources.binance import Binance
from rxstreams.sources.binance_futures import BinanceFutures
from rxstreams.sources.venue import Channel, RestPage, RestRequest, Unknown
from rxstreams.timeframe import Timeframe

SPOT, FUTURES = Binance(), BinanceFutures()
TRADES = Channel("trades")
SYMBOLS: Mapping[str, str] = {"binance": "BTC/USDT", "binance_futures": "BTC/USDT:USDT"}
TRADE = {
    **{"e": "aggTrade", "E": 1_762_795_433_972, "s": "BTCUSDT", "a": 77, "p": "64000.1", "q": "0.25"},
    **{"f": 100, "l": 102, "T": 1_762_795_433_971, "m": False},
}
KLINE = {
    **{"t": 1_762_795_380_000, "T": 1_762_795_439_999, "s": "BTCUSDT", "i": "1m", "f": 100, "L": 102},
    **{"o": "1.5", "c": "2.0", "h": "2.5", "l": "1.25", "v": "10", "n": 3, "x": True, "q": "17.5", "V": "4", "Q": "7"},
}
both = pytest.mark.parametrize("venue", [SPOT, FUTURES], ids=["spot", "futures"])


def encode(message: object) -> bytes:
    """Return the message as the socket brings it."""
    return json.dumps(message, separators=(",", ":")).encode()


def trade(**changes: object) -> bytes:
    """Return a message with a trade."""
    return encode({**TRADE, **changes})


def kline(**changes: object) -> bytes:
    """Return a message with a candle."""
    return encode({"e": "kline", "E": 1_762_795_440_500, "s": "BTCUSDT", "k": {**KLINE, **changes}})


def rest_candle(minute: int) -> list[object]:
    """Return a row of a REST answer."""
    open_time = minute * 60_000
    return [open_time, "1.5", "2.5", "1.25", "2.0", "10", open_time + 59_999, "17.5", 3, "4", "7", "0"]


@both
@pytest.mark.parametrize(
    "frame",
    [
        trade(p="0"),
        trade(p="-1"),
        trade(p="nan"),
        trade(p="inf"),
        trade(p="dear"),
        trade(q="-0.1"),
        trade(l=99),
        trade(T=10**16),
        trade(s="BTC"),
        trade(s="BTCUSD_PERP"),
        kline(i="7x"),
        kline(i="3d"),
        kline(h="1.9"),
        kline(l="0", o="0"),
        kline(v="-1"),
        kline(t=10**16),
        kline(t=1_762_795_380_001),
        kline(i="1M"),
        kline(n=-1),
        b'{"stream":"btcusdt@aggTrade"}',
        b'{"stream":"btcusdt@aggTrade","data":[]}',
        b'{"e":"kline"}',
    ],
)
def test_parse_when_a_message_is_not_what_is_documented_then_raises_message_error(venue: Venue, frame: bytes) -> None:
    """Never a wrong item; prices are over 0, and a trade's last deal is not before its first."""
    with pytest.raises(MessageError):
        list(venue.parse(frame))


@both
def test_parse_when_a_request_fails_then_it_refuses_nobody(venue: Venue) -> None:
    """Unknown symbols are acknowledged, so no error is a symbol's; what is unanswered is asked for again anyway."""
    for frame in (
        b'{"code":-1003,"msg":"Too many requests"}',
        b'{"code":-1003,"msg":"Too many requests","id":4}',
        b'{"error":{"code":4,"msg":"Too many requests"},"id":4}',
    ):
        assert list(venue.parse(frame)) == [Unknown(kind="error: Too many requests")]


@both
def test_ids_when_they_jump_then_the_library_is_told_that_this_is_a_loss(venue: Venue) -> None:
    """All that were recorded count every trade."""
    assert venue.contiguous_ids


@both
def test_parse_when_single_deals_come_then_they_are_no_trades(venue: Venue) -> None:
    """They have ids of their own; counted beside the aggregate ones they would count twice."""
    deal = {"e": "trade", "E": 1, "s": "BTCUSDT", "t": 5, "p": "1.5", "q": "2", "T": 1, "m": True}
    assert list(venue.parse(encode(deal))) == [Unknown(kind="trade")]


@both
def test_frames_when_built_then_name_streams_in_lower_case(venue: Venue) -> None:
    """What the documentation says to send."""
    symbols = [SYMBOLS[venue.name]]
    assert json.loads(venue.subscribe_frame(TRADES, symbols, 7)) == {
        "method": "SUBSCRIBE",
        "params": ["btcusdt@aggTrade"],
        "id": 7,
    }
    assert json.loads(venue.unsubscribe_frame(Channel("candles", Timeframe("1d")), symbols, 8) or "") == {
        "method": "UNSUBSCRIBE",
        "params": ["btcusdt@kline_1d"],
        "id": 8,
    }


def test_rest_trades_when_a_page_is_full_then_the_next_begins_after_its_last_id() -> None:
    """By time only the first: several trades have one stamp. Binance takes an id or a time, not both."""
    row = {key: TRADE[key] for key in ("a", "p", "q", "f", "l", "T", "m")}
    body = encode([{**row, "a": number} for number in range(500, 1500)])
    page = SPOT.parse_rest_trades("BTC/USDT", body, None)
    assert (len(page.items), page.cursor) == (1000, "1500")
    assert SPOT.parse_rest_trades("BTC/USDT", encode([row] * 999), "1500").cursor is None
    since = time.time_ns() // SECOND * SECOND - HOUR
    first = SPOT.rest_trades_request("BTC/USDT", since + 1, since + SECOND, None)
    assert first == RestRequest(
        path="/api/v3/aggTrades",
        query={"symbol": "BTCUSDT", "startTime": str(since // 1_000_000), "limit": "1000"},
        cursor=f"since {since + 1}",
    )
    following = FUTURES.rest_trades_request("BTC/USDT:USDT-251226", 5 * SECOND, None, "1500")
    assert following == RestRequest(
        path="/fapi/v1/aggTrades", query={"symbol": "BTCUSDT_251226", "fromId": "1500", "limit": "1000"}
    )


def test_rest_candles_when_a_page_is_full_then_the_next_begins_after_its_last_open() -> None:
    """The end is inclusive there; which candle is still running nobody says."""
    minute = Timeframe("1m")
    page = FUTURES.parse_rest_candles("BTC/USDT:USDT", minute, encode([rest_candle(m) for m in range(499)]), None)
    assert (len(page.items), page.cursor) == (499, "29880001")
    assert all(candle.closed and candle.complete for candle in page.items)
    assert not FUTURES.rest_closes_candles
    first = FUTURES.rest_candles_request("BTC/USDT:USDT", minute, HOUR, HOUR + MINUTE, None).query
    assert (first["startTime"], first["endTime"], first["limit"]) == ("3600000", "3659999", "499")
    following = FUTURES.rest_candles_request("BTC/USDT:USDT", minute, HOUR, None, "29880001").query
    assert following["startTime"] == "29880001"
    assert "endTime" not in following
    with pytest.raises(ValueError, match="it has 1m, 3m"):
        FUTURES.rest_candles_request("BTC/USDT:USDT", Timeframe("3d"), HOUR, None, None)
    sunday = rest_candle(3 * 24 * 60)
    monday = rest_candle(4 * 24 * 60)
    assert SPOT.parse_rest_candles("BTC/USDT", Timeframe("1w"), encode([monday]), None).items
    with pytest.raises(MessageError, match="1w candle"):
        SPOT.parse_rest_candles("BTC/USDT", Timeframe("1w"), encode([sunday]), None)


def walk(
    venue: Venue, since: int, served: Sequence[int], until: int | None = None, *, apart: int = 1
) -> tuple[list[int], bool]:
    """Return the ids that a walk finds, and whether it ends well; of a trade every few hours ``served`` are given.

    Times are hours before now; the trade with the id 72 would be made now.
    """
    now = time.time_ns() // 1_000_000
    rows: list[dict[str, Any]] = [
        {"a": each, "p": "1", "q": "1", "f": each, "l": each, "T": now - (72 - each) * apart * 3_600_000, "m": True}
        for each in served
    ]
    found: list[int] = []

    def answer(request: RestRequest) -> bytes:
        query, limit = request.query, int(request.query["limit"])
        if "fromId" in query:
            return encode([row for row in rows if row["a"] >= int(query["fromId"])][:limit])
        if "startTime" in query:
            return encode([row for row in rows if row["T"] >= int(query["startTime"])][:limit])
        return encode(rows[-limit:])

    async def ask(request: RestRequest, parse: Callable[[bytes, int], RestPage]) -> RestPage:
        return parse(answer(request), now * 1_000_000)

    def keep(tick: PriceTick) -> None:
        assert isinstance(tick.trade_id, int)
        found.append(tick.trade_id)

    try:
        asyncio.run(trade_pages(venue, SYMBOLS[venue.name], since, until).walk(ask, keep))
    except HistoryTooShort:
        return found, False
    return found, True


def test_rest_trades_when_old_ones_are_left_out_then_the_walk_says_so() -> None:
    """Nothing in the answer does: the trade before its first one does."""
    old = time.time_ns() - 2 * DAY - HOUR // 2
    assert walk(SPOT, old, range(72)) == (list(range(24, 72)), True)
    assert walk(SPOT, old, range(60, 72)) == (list(range(60, 72)), False)
    assert walk(SPOT, old, range(60, 72), old + 4 * HOUR) == ([], False)
    assert walk(SPOT, old, range(72), old + 4 * HOUR) == ([24, 25, 26, 27], True)
    assert walk(SPOT, old - 3 * DAY, range(72)) == (list(range(72)), True)  # from the first on
    assert walk(SPOT, old + 2 * DAY - HOUR, range(72)) == ([71], True)


def test_rest_trades_when_there_were_none_for_long_then_the_one_before_proves_it() -> None:
    """A quiet symbol is no short history."""
    old = time.time_ns() - 50 * HOUR
    assert walk(SPOT, old, range(72), apart=3) == (list(range(56, 72)), True)
    assert walk(SPOT, old, range(56, 72), apart=3) == (list(range(56, 72)), False)
    assert walk(SPOT, old, range(20)) == ([], True)  # the newest one is older
    assert walk(SPOT, old, ()) == ([], True)
    assert walk(SPOT, old + 2 * DAY, range(20)) == ([], True)


def test_rest_trades_when_they_are_older_than_futures_surely_have_then_the_walk_says_so() -> None:
    """A day is promised; what comes of the time before may be all, or not."""
    recent = time.time_ns() - DAY + HOUR // 2
    assert walk(FUTURES, recent, range(72)) == (list(range(49, 72)), True)
    assert walk(FUTURES, recent, range(50, 72)) == (list(range(50, 72)), False)
    assert walk(FUTURES, recent - HOUR, range(72)) == (list(range(48, 72)), False)
    assert walk(FUTURES, recent - HOUR, ()) == ([], True)


@both
def test_rest_trades_when_one_is_made_meanwhile_then_that_is_no_loss(venue: Venue) -> None:
    """It is the newest where there was none, and goes on from there."""
    since = time.time_ns() - 2 * DAY
    page = venue.parse_rest_trades(SYMBOLS[venue.name], b"[]", f"old {since}")
    assert (page.cursor, page.truncated) == (f"newest {since}", False)
    row = {"a": 9, "p": "1", "q": "1", "f": 1, "l": 1, "T": since // 1_000_000 + 5, "m": True}
    page = venue.parse_rest_trades(SYMBOLS[venue.name], encode([row]), page.cursor)
    assert (list(page.items), page.cursor) == ([], f"before 9 {since}")
    request = venue.rest_trades_request(SYMBOLS[venue.name], since, None, page.cursor)
    assert (request.query["fromId"], request.query["limit"]) == ("8", "1")
    row |= {"a": 8, "T": since // 1_000_000 - 5}
    page = venue.parse_rest_trades(SYMBOLS[venue.name], encode([row]), page.cursor)
    assert (list(page.items), page.cursor, page.truncated) == ([], "9", False)


def test_symbols_when_listed_then_those_of_all_documented_permissions_are_asked_for() -> None:
    """Without them only some come, and the others would be refused for ever."""
    request = SPOT.symbols_request()
    assert request is not None
    permissions = json.loads(request.query["permissions"])
    assert permissions[:4] == ["SPOT", "MARGIN", "LEVERAGED", "TRD_GRP_002"]
    assert (permissions[-1], len(permissions)) == ("TRD_GRP_025", 27)
    assert request.query["showPermissionSets"] == "false"


def test_rest_weight_when_asked_then_is_the_documented_one() -> None:
    """Futures' candles weigh by how many are asked for."""
    minute = Timeframe("1m")
    assert SPOT.rest_weight(SPOT.rest_trades_request("BTC/USDT", 0, None, None)) == 4
    assert SPOT.rest_weight(SPOT.rest_candles_request("BTC/USDT", minute, 0, None, None)) == 2
    info = SPOT.symbols_request()
    assert info is not None
    assert SPOT.rest_weight(info) == 20
    assert FUTURES.rest_weight(FUTURES.rest_trades_request("BTC/USDT:USDT", 0, None, None)) == 20
    assert FUTURES.rest_weight(FUTURES.rest_candles_request("BTC/USDT:USDT", minute, 0, None, None)) == 2
    assert FUTURES.rest_weight(RestRequest(path="/fapi/v1/exchangeInfo")) == 1
    weights = [
        FUTURES.rest_weight(RestRequest(path="/fapi/v1/klines", query={"limit": str(limit)}))
        for limit in (99, 100, 499, 500, 1000, 1001)
    ]
    assert weights == [1, 2, 2, 5, 5, 10]


@both
def test_used_weight_when_the_header_is_there_then_is_that_of_the_minute(venue: Venue) -> None:
    """Names in any case; what can't be read is left out."""
    assert venue.used_weight({"X-MBX-USED-WEIGHT-1M": "37", "x-mbx-used-weight": "38"}) == {60.0: 37}
    assert venue.used_weight({"x-mbx-used-weight-1m": "5"}) == {60.0: 5}
    assert {60.0} == {period for _, period in venue.rest_limits}
    for value in ("", "many", "-1", "²"):
        assert venue.used_weight({"x-mbx-used-weight-1m": value}) == {}


@both
def test_explain_refusal_when_there_were_too_many_requests_then_says_so(venue: Venue) -> None:
    """It is the address that has to wait, not the symbol that is wrong; other codes say no more than the status."""
    too_many = b'{"code":-1003,"msg":"Too much request weight used."}'
    assert isinstance(venue.explain_refusal(SYMBOLS[venue.name], 400, too_many), RateLimited)
    assert venue.explain_refusal(SYMBOLS[venue.name], 400, b'{"code":-1120,"msg":"Invalid interval."}') is None
    assert venue.explain_refusal("", 400, b'{"code":-1121,"msg":"Invalid symbol."}') is None


def test_symbols_when_they_are_of_the_other_market_then_the_error_shows_the_right_form() -> None:
    """The same spelling means two things: BTCUSDT is a pair there and a perpetual here."""
    with pytest.raises(UnknownSymbol, match="spot pair such as"):
        SPOT.to_venue_symbol("BTC/USDT:USDT")
    with pytest.raises(UnknownSymbol, match="BTC/USDT:USDT-251226"):
        FUTURES.to_venue_symbol("BTC/USDT")
    for spelling in ("BTCUSDT_PERP", "BTCUSDT_", "_251226", "USDT"):
        with pytest.raises(ValueError):
            FUTURES.from_venue_symbol(spelling)
