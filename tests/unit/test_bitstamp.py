"""What is Bitstamp's own: microseconds here and whole seconds there, and no refusals."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from itertools import count

import pytest

from rxstreams.errors import HistoryTooShort, MessageError, RateLimited, UnknownSymbol
from rxstreams.instants import DAY, HOUR, MINUTE, SECOND
from rxstreams.items import PriceTick
from rxstreams.sources import bitstamp
from rxstreams.sources._pages import trade_pages
from rxstreams.sources._subscriptions import Subscriptions
from rxstreams.sources.venue import Acknowledged, Channel, RestPage, RestRequest, Skipped, Unknown
from rxstreams.testing._pages import page_of
from rxstreams.testing.formats import TradesQuery
from rxstreams.testing.formats.bitstamp import BitstampFormat
from rxstreams.timeframe import Timeframe

VENUE = bitstamp.Bitstamp()
TRADES = Channel("trades")
START = 1_762_795_440 * SECOND
TRADE = {
    "id": 77,
    "timestamp": "1762795440",
    "amount": 0.0015847299999999999,
    "amount_str": "0.00158473",
    "price": 5112.8500000000004,
    "price_str": "5112.85",
    "type": 1,
    "microtimestamp": "1762795440971744",
}


def live(channel: str = "live_trades_btcusd", **changes: object) -> bytes:
    """Return a message with one trade."""
    return json.dumps({"data": {**TRADE, **changes}, "channel": channel, "event": "trade"}).encode()


def row(trade_id: int, second: int, price: str = "64000.10") -> dict[str, str]:
    """Return a trade as REST writes it."""
    stamp = START // SECOND + second
    return {"date": str(stamp), "tid": str(trade_id), "price": price, "amount": "0.5", "type": "0"}


def read(rows: list[dict[str, str]]) -> list[PriceTick]:
    """Return the trades of a REST answer."""
    return list(VENUE.parse_rest_trades("BTC/USD", json.dumps(rows).encode(), None).items)


def test_parse_when_numbers_come_as_texts_too_then_the_texts_count() -> None:
    """The JSON numbers had rounding errors."""
    (tick,) = VENUE.parse(live())
    assert isinstance(tick, PriceTick)
    assert (tick.price, tick.volume, tick.timestamp) == (5112.85, 0.00158473, START + 971_744_000)


@pytest.mark.parametrize(
    "frame",
    [
        live(price_str="0"),
        live(price_str="-1"),
        live(price_str="nan"),
        live(amount_str="-0.5"),
        live(microtimestamp="1762795440.97"),
        live(microtimestamp="yesterday"),
        live(microtimestamp="971744"),
        live(microtimestamp="99999999999999999999"),
        live(type=2),
        live("live_trades_"),
        live("live_trades_usd"),
        b'{"event":"bts:subscription_succeeded","channel":"live_trades_usd","data":{}}',
        b'{"event":"bts:error","channel":"","data":"no object"}',
    ],
)
def test_parse_when_a_frame_is_not_as_documented_then_raises_message_error(frame: bytes) -> None:
    """Never a wrong item, never another exception."""
    with pytest.raises(MessageError):
        list(VENUE.parse(frame))


def test_parse_when_trades_come_on_another_channel_then_they_are_not_ours() -> None:
    """An account's own trades look alike; what the first bytes promise is looked at."""
    for frame in (live("private-my_trades_btcusd-7"), live("private-my_trades_btcusd-7").replace(b" ", b"")):
        assert list(VENUE.parse(frame)) == [Unknown(kind="trade")]


def test_parse_when_the_event_of_a_channel_of_trades_is_unknown_then_it_may_hold_a_trade() -> None:
    """What is not documented is not passed over."""
    frame = live().replace(b'"event": "trade"', b'"event": "trade_busted"')
    assert list(VENUE.parse(frame)) == [Skipped(symbols=("BTC/USD",), kind="trade_busted")]


def test_frames_when_built_then_name_one_channel_and_stay_below_the_servers_limit() -> None:
    """The server reads 512 bytes of a client's message."""
    frame = VENUE.subscribe_frame(TRADES, ["BTC/USD:USD"], 7)
    assert json.loads(frame) == {"event": "bts:subscribe", "data": {"channel": "live_trades_btcusd-perp"}}
    frame = VENUE.unsubscribe_frame(TRADES, ["BTC/USD"], 8)
    assert json.loads(frame) == {"event": "bts:unsubscribe", "data": {"channel": "live_trades_btcusd"}}
    assert len(VENUE.subscribe_frame(TRADES, ["A" * 40 + "/USD"], 9)) < 512


def test_symbols_when_a_pair_could_be_split_in_two_ways_then_the_longer_quote_counts() -> None:
    """``btcusdt`` is no BTCUSD/T; a pair with a quote that is new here is taken as it was asked for."""
    venue = bitstamp.Bitstamp()
    assert venue.from_venue_symbol("btcusdt") == "BTC/USDT"
    assert venue.from_venue_symbol("usdtusd") == "USDT/USD"
    assert venue.to_venue_symbol("BTC/XYZ") == "btcxyz"
    assert venue.from_venue_symbol("btcxyz") == "BTC/XYZ"
    assert venue.to_venue_symbol("XRP/RLUSD") == "xrprlusd"
    assert venue.from_venue_symbol("pyusdusd") == "PYUSD/USD"
    with pytest.raises(UnknownSymbol, match="did you mean"):
        venue.to_venue_symbol("BTCUS/DT")


def test_error_when_it_is_of_another_request_then_no_symbol_is_ended() -> None:
    """It does not say what it is about: a message that ends a subscription, say."""
    subscriptions = Subscriptions(VENUE, TRADES, ["ETH/EUR"])
    subscriptions.open()
    frame = b'{"event":"bts:error","channel":"","data":{"code":null,"message":"Bad subscription string."}}'
    assert list(subscriptions.conversation.parse(frame)) == [Unknown(kind="error: Bad subscription string.")]
    named = frame.replace(b'"channel":""', b'"channel":"live_trades_etheur"')
    assert list(subscriptions.conversation.parse(named)) == [Unknown(kind="error: Bad subscription string.")]


def test_rest_when_answered_by_a_gateway_then_the_symbol_is_not_called_unknown() -> None:
    """404 comes for a market that there is not, with a page that says nothing of it."""
    assert VENUE.explain_refusal("BTC/USD", 404, b"<html><title>404 Not Found</title></html>") is None


def test_unknown_market_when_subscribed_then_is_acknowledged_and_missing_in_the_list() -> None:
    """So feeds have to compare."""
    fmt = BitstampFormat()
    command = fmt.decode(VENUE.subscribe_frame(TRADES, ["NOPE/USD"], 1).encode())
    (answer,) = fmt.acknowledge(command, ["nopeusd"], 0, 0)  # type: ignore[arg-type]  # it is a subscription
    assert list(VENUE.parse(answer)) == [Acknowledged(symbols=("NOPE/USD",))]
    assert not VENUE.refuses_unknown
    assert "nopeusd" not in VENUE.parse_symbols(fmt.rest_symbols(["BTC/USD"]))


@pytest.mark.parametrize(
    ("age", "span"),
    [
        (-HOUR, "minute"),
        (39 * SECOND, "minute"),
        (42 * SECOND, "hour"),
        (57 * MINUTE, "hour"),
        (59 * MINUTE, "day"),
        (30 * DAY, "day"),
    ],
)
def test_rest_trades_request_when_built_then_takes_the_shortest_span_that_may_be_long_enough(
    age: int, span: str
) -> None:
    """With some room, for two clocks and a cache; a longer one if the answer before was too short."""
    since = time.time_ns() - age
    path = "/api/v2/transactions/btcusd/"
    for cursor, expected in ((None, span), ("hour", "hour"), ("day", "day")):
        request = VENUE.rest_trades_request("BTC/USD", since, None, cursor)
        assert request == RestRequest(path=path, query={"time": expected}, cursor=f"{since}|{expected}")


def walked(
    since: int, stamps: list[int], answered: int, *, is_dated: bool = True
) -> tuple[list[object], list[str], Exception | None]:
    """Return the ids that come of a walk, the spans asked for and the error; the server has a clock of its own."""
    fmt = BitstampFormat()
    trades = [PriceTick(symbol="BTC/USD", price=2.5, volume=1.0, timestamp=t, trade_id=n) for n, t in enumerate(stamps)]
    spans: list[str] = []

    async def ask(request: RestRequest, parse: Callable[[bytes, int | None], RestPage]) -> RestPage:
        spans.append(request.query["time"])
        query = fmt.rest_query(request.path, request.query, b"")
        assert isinstance(query, TradesQuery)
        ticks, more = page_of(trades, query, answered)
        return parse(fmt.rest_trades("BTC/USD", ticks, query, more=more), answered if is_dated else None)

    got: list[PriceTick] = []
    error = None
    try:
        asyncio.run(trade_pages(VENUE, "BTC/USD", since, None).walk(ask, got.append))
    except HistoryTooShort as raised:
        error = raised
    return [tick.trade_id for tick in got], spans, error


def test_rest_trades_when_answered_late_then_a_longer_span_is_asked_for() -> None:
    """The minute that was chosen begins after what is wanted, by the server's time: it was a wait, or another clock."""
    now = time.time_ns() // SECOND * SECOND
    since = now - 30 * SECOND
    stamps = [now + n * 10 * SECOND for n in range(-6, 7)]
    ids, spans, error = walked(since, stamps, now + 60 * SECOND)
    assert (ids, spans, error) == (list(range(3, 13)), ["minute", "hour"], None)
    ids, spans, error = walked(since, stamps[:6], now)
    assert (ids, spans, error) == ([3, 4, 5], ["minute"], None)


def test_rest_trades_when_a_market_is_quiet_then_asks_until_the_answer_reaches_back() -> None:
    """A trade before what is wanted shows it, and the longest answer has all that there is."""
    now = time.time_ns() // SECOND * SECOND
    stamps = [now - 2 * HOUR, now - 10 * SECOND]
    assert walked(now - 20 * SECOND, stamps, now) == ([1], ["minute", "hour", "day"], None)
    assert walked(now - 20 * SECOND, stamps[1:], now) == ([0], ["minute", "hour", "day"], None)
    assert walked(now - 20 * SECOND, [], now) == ([], ["minute", "hour", "day"], None)
    assert walked(now - 50 * MINUTE, stamps, now) == ([1], ["hour", "day"], None)


def test_rest_trades_when_the_second_of_the_oldest_is_that_of_the_beginning_then_it_proves_nothing() -> None:
    """It may have been made after the beginning, and others between them."""
    now = time.time_ns() // SECOND * SECOND
    since = now - 30 * SECOND + SECOND // 2
    assert walked(since, [now - 30 * SECOND + 900_000_000], now)[1] == ["minute", "hour", "day"]
    assert walked(since, [now - 31 * SECOND], now)[1] == ["minute"]


@pytest.mark.parametrize(("age", "is_short"), [(48 * HOUR, True), (24 * HOUR + MINUTE, True), (23 * HOUR, False)])
def test_rest_trades_when_older_than_a_day_are_wanted_then_says_that_they_may_be_missing(
    age: int, is_short: bool
) -> None:
    """Of a market that traded once within the day too, or not at all."""
    now = time.time_ns()
    for stamps in ([now - 3 * HOUR], []):
        ids, spans, error = walked(now - age, stamps, now)
        assert (ids, spans, error is not None) == (list(range(len(stamps))), ["day"], is_short)
        # Where the answer does not say its time, ours has to do.
        ids, spans, error = walked(now - age, stamps, now, is_dated=False)
        assert (ids, spans, error is not None) == (list(range(len(stamps))), ["day"], is_short)


def test_rest_trades_when_seconds_are_equal_then_the_ids_give_the_order() -> None:
    """The answer begins with the newest, and equal seconds may stand in any order."""
    ticks = read([row(105, 2), row(103, 1), row(104, 1), row(102, 1), row(101, 0)])
    assert [tick.trade_id for tick in ticks] == [101, 102, 103, 104, 105]
    assert [tick.timestamp for tick in ticks] == [START + n * SECOND for n in (0, 1, 1, 1, 2)]


def test_rest_trades_when_compared_with_live_ones_then_lie_in_the_same_minute_and_have_the_same_ids() -> None:
    """A stamp that is cut to the second is at most a second early, and never in the minute before."""
    fmt = BitstampFormat()
    for number, offset in zip(count(1), range(0, 120 * SECOND, 377_000_000), strict=False):
        stamp = (START + offset) // 1000 * 1000
        tick = PriceTick(symbol="BTC/USD", price=2.5, volume=1.0, timestamp=stamp, trade_id=number, side="buy")
        (from_socket,) = VENUE.parse(fmt.trades([tick]))
        query = fmt.rest_query("/api/v2/transactions/btcusd/", {}, b"")
        body = fmt.rest_trades("BTC/USD", [tick], query, more=False)  # type: ignore[arg-type]  # it asks for trades
        (from_rest,) = VENUE.parse_rest_trades("BTC/USD", body, None).items
        assert isinstance(from_socket, PriceTick)
        assert from_socket.timestamp == stamp
        assert from_rest.trade_id == from_socket.trade_id
        assert 0 <= stamp - from_rest.timestamp < SECOND
        assert from_rest.timestamp // MINUTE == stamp // MINUTE


def test_rest_trades_when_asked_from_the_last_trade_less_disorder_then_none_after_it_is_left_out() -> None:
    """What follows a trade at .9 is stamped .0; the disorder that a gap's beginning is moved back by is longer."""
    assert VENUE.disorder > 1.0
    last_known = START + 5 * SECOND + 900_000_000
    since = last_known - int(VENUE.disorder * SECOND)
    body = json.dumps([row(107, 6), row(106, 5), row(105, 5), row(104, 1)]).encode()

    async def ask(request: RestRequest, parse: object) -> RestPage:
        del request
        return parse(body, 0)  # type: ignore[operator,no-any-return]  # the reader of a page

    emitted: list[PriceTick] = []
    walk = trade_pages(VENUE, "BTC/USD", since, None).walk(ask, emitted.append)
    with pytest.raises(StopIteration):
        walk.send(None)
    assert [tick.trade_id for tick in emitted] == [105, 106, 107]


def test_rest_candles_when_a_page_is_full_then_the_next_begins_where_it_ends() -> None:
    """Forward, without an end, which would push the start aside."""
    minute = Timeframe("1m")
    request = VENUE.rest_candles_request("BTC/USD", minute, START + 5, START + DAY, None)
    assert request.path == "/api/v2/ohlc/btcusd/"
    assert request.query == {"step": "60", "limit": "1000", "start": str(START // SECOND)}
    prices = {"open": "2.0", "high": "3.0", "low": "1.0", "close": "2.5", "volume": "0"}
    rows = [{"timestamp": str(START // SECOND + 60 * n), **prices} for n in range(1000)]
    page = VENUE.parse_rest_candles("BTC/USD", minute, json.dumps({"data": {"ohlc": rows}}).encode(), None)
    assert page.cursor == str(START // SECOND + 60_000)
    assert not page.backwards
    request = VENUE.rest_candles_request("BTC/USD", minute, START, None, page.cursor)
    assert request.query["start"] == page.cursor
    page = VENUE.parse_rest_candles("BTC/USD", minute, json.dumps({"data": {"ohlc": rows[:999]}}).encode(), None)
    assert page.cursor is None


@pytest.mark.parametrize(
    "change", [{"low": "0"}, {"high": "1.5"}, {"volume": "-1"}, {"timestamp": "soon"}, {"timestamp": "61"}]
)
def test_rest_candles_when_prices_contradict_each_other_then_raises_message_error(change: dict[str, str]) -> None:
    """Never a wrong candle."""
    prices = {"timestamp": "60", "open": "2.0", "high": "3.0", "low": "1.0", "close": "2.5", "volume": "0", **change}
    with pytest.raises(MessageError):
        VENUE.parse_rest_candles("BTC/USD", Timeframe("1m"), json.dumps({"data": {"ohlc": [prices]}}).encode(), None)


@pytest.mark.parametrize("code", ["400.002", "400.067", "400.068"])
def test_rest_when_a_limit_is_hit_then_is_rate_limited(code: str) -> None:
    """Whatever its HTTP status; other codes say nothing of limits."""
    body = json.dumps({"response_code": code, "response_explanation": "Too many."}).encode()
    error = VENUE.explain_refusal("BTC/USD", 400, body)
    assert isinstance(error, RateLimited)
    assert code in str(error)
    assert VENUE.explain_refusal("BTC/USD", 400, b'{"response_code":"400.001"}') is None


def test_a_feed_when_live_candles_are_wanted_then_says_that_there_are_none() -> None:
    """There are past ones only."""
    with pytest.raises(ValueError, match="no live candles"):
        bitstamp.candles(["BTC/USD"], "1m")
    assert VENUE.check_timeframe(Timeframe("4h"), rest=True) == Timeframe("4h")
