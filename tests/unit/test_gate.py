"""Gate: stamps, candles, refusals, and where history goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

import pytest

from rxstreams.errors import HistoryTooShort, MessageError, RateLimited, SubscriptionError, UnknownSymbol
from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sources import gate
from rxstreams.sources.venue import Acknowledged, Channel, Message, Rejected, RestPage, Unknown
from rxstreams.timeframe import Timeframe

VENUE = gate.Gate()
MINUTE = Timeframe("1m")
TRADE = {
    "id": 217831625,
    "id_market": 77,
    "create_time": 1788336082,
    "create_time_ms": "1788336082402.208000",
    "side": "sell",
    "currency_pair": "BTC_USDT",
    "amount": "0.000021",
    "price": "77474",
    "range": "77-77",
}
CANDLE = {
    "t": "1606292580",
    "v": "2362.32",
    "c": "19128.1",
    "h": "19130",
    "l": "19120.5",
    "o": "19125",
    "n": "1m_BTC_USDT",
    "a": "3.8283",
    "w": True,
}
ROW = ["1606292580", "2362.32", "19128.1", "19130", "19120.5", "19125", "3.8283", "true"]


def encode(message: object) -> bytes:
    """Return the message as the socket brings it."""
    return json.dumps(message, separators=(",", ":")).encode()


def update(channel: str, result: object) -> bytes:
    """Return a message of a channel."""
    return encode({"time": 1, "time_ms": 1000, "channel": channel, "event": "update", "result": result})


def trade(**changes: object) -> bytes:
    """Return a message with one trade."""
    return update("spot.trades", {**TRADE, **changes})


def ids(messages: Iterable[Message]) -> list[object]:
    """Return the ids of trades."""
    return [message.trade_id for message in messages if isinstance(message, PriceTick)]


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1788336082402.208000", 1_788_336_082_402_208_000),
        ("1606292218213.4578", 1_606_292_218_213_457_800),
        ("1619093560801.34", 1_619_093_560_801_340_000),
        ("1619093560801", 1_619_093_560_801_000_000),
        ("1619093560801.1234567", 1_619_093_560_801_123_456),
    ],
)
def test_trade_when_its_stamp_has_digits_after_the_point_then_all_of_them_count(text: str, nanoseconds: int) -> None:
    """Milliseconds as text, on the socket and over REST; never through a float."""
    (tick,) = VENUE.parse(trade(create_time_ms=text))
    assert isinstance(tick, PriceTick)
    assert tick.timestamp == nanoseconds
    row = {"id": "9", "create_time_ms": text, "side": "buy", "amount": "1", "price": "2", "sequence_id": "7"}
    assert VENUE.parse_rest_trades("BTC/USDT", encode([row]), None).items[0].timestamp == nanoseconds


def test_trade_when_it_has_a_number_of_its_own_market_then_that_is_its_id() -> None:
    """As over REST; the older number, of all markets, only where there is no other."""
    assert ids(VENUE.parse(trade())) == [77]
    old = {name: value for name, value in TRADE.items() if name not in ("id_market", "range")}
    assert ids(VENUE.parse(update("spot.trades", old))) == [217831625]
    row = {"id": "217831625", "create_time_ms": "1", "side": "buy", "amount": "1", "price": "2"}
    assert ids(VENUE.parse_rest_trades("BTC/USDT", encode([row]), None).items) == [217831625]
    assert ids(VENUE.parse_rest_trades("BTC/USDT", encode([{**row, "sequence_id": "77"}]), None).items) == [77]


@pytest.mark.parametrize(
    "changes",
    [
        {"price": "0"},
        {"price": "-1"},
        {"price": "nan"},
        {"price": "cheap"},
        {"amount": "-1"},
        {"create_time_ms": "yesterday"},
        {"create_time_ms": "1.x"},
        {"create_time_ms": "1."},
        {"create_time_ms": "-1"},
        {"create_time_ms": "99999999999999"},
        {"side": "hold"},
        {"currency_pair": "BTCUSDT"},
        {"id_market": None},
        {"id_market": 0},
        {"id_market": -1},
        {"range": "77-78"},
        {"range": "77"},
        {"range": "a-b"},
        {"range": 77},
    ],
)
def test_trade_when_a_part_is_not_as_documented_then_is_a_message_error(changes: dict[str, object]) -> None:
    """Of the right type or not."""
    with pytest.raises(MessageError):
        list(VENUE.parse(trade(**changes)))


@pytest.mark.parametrize(
    "changes",
    [
        {"n": "7m_BTC_USDT"},
        {"n": "7d_BTC_USDT"},
        {"n": "5m_BTC_USDT"},
        {"n": "1d_BTC_USDT"},
        {"n": "1m"},
        {"n": "1m_BTC"},
        {"t": "now"},
        {"l": "0"},
        {"h": "19000"},
        {"a": "-1"},
        {"v": "inf"},
        {"w": "true"},
        {"o": None},
    ],
)
def test_candle_when_a_part_is_not_as_documented_then_is_a_message_error(changes: dict[str, object]) -> None:
    """Of the right type or not."""
    with pytest.raises(MessageError):
        list(VENUE.parse(update("spot.candlesticks", {**CANDLE, **changes})))


def test_candle_when_the_flag_is_missing_then_is_open() -> None:
    """The documentation says that it may be."""
    result = {name: value for name, value in CANDLE.items() if name != "w"}
    (candle,) = VENUE.parse(update("spot.candlesticks", result))
    assert isinstance(candle, OHLCCandle)
    assert (candle.closed, candle.timeframe, candle.volume, candle.quote_volume) == (
        False,
        MINUTE,
        3.8283,
        2362.32,
    )


def test_parse_when_the_keys_come_in_another_order_then_gives_the_same() -> None:
    """The quick look at the first bytes is only a shortcut."""
    message = json.loads(trade())
    assert list(VENUE.parse(encode(dict(reversed(message.items()))))) == list(VENUE.parse(trade()))
    # The same words in another place.
    nested = {"note": {"channel": "spot.trades", "event": "update"}, **message, "channel": "spot.tickers"}
    assert list(VENUE.parse(encode(nested))) == [Unknown(kind="spot.tickers")]


def test_answer_when_it_names_pairs_or_a_request_or_neither_then_says_so() -> None:
    """Today's server repeats the payload, the documented one the number, an old one nothing."""
    answer = {"time": 5, "channel": "spot.trades", "event": "subscribe", "result": {"status": "success"}}
    assert list(VENUE.parse(encode(answer))) == [Acknowledged(symbols=())]
    assert list(VENUE.parse(encode({**answer, "id": 3}))) == [Acknowledged(symbols=(), request=3)]
    assert list(VENUE.parse(encode({**answer, "payload": ["BTC_USDT", "ETH_USDT"]}))) == [
        Acknowledged(symbols=("BTC/USDT", "ETH/USDT"))
    ]
    with pytest.raises(MessageError):
        list(VENUE.parse(encode({**answer, "payload": ["BTCUSDT"]})))


def test_refusal_when_it_has_no_number_then_the_pair_is_in_its_words() -> None:
    """With one, all that was asked for is refused: whether good pairs go on beside a bad one is not documented."""

    def refusal(**fields: object) -> bytes:
        return answer(2, "unknown currency pair ABC_USDT", **fields)

    reason = "unknown currency pair ABC_USDT"
    assert list(VENUE.parse(refusal())) == [Rejected(symbols=("ABC/USDT",), reason=reason)]
    assert list(VENUE.parse(refusal(id=4))) == [Rejected(reason=reason, request=4)]
    assert list(VENUE.parse(refusal(id=4, event="unsubscribe"))) == [Unknown(kind=f"error: unsubscribe: {reason} (2)")]
    invalid = "Invalid currency pair"
    assert list(VENUE.parse(answer(2, invalid, id=4))) == [Rejected(reason=invalid, request=4)]


def answer(code: int, message: str, **fields: object) -> bytes:
    """Return the answer to a subscription that failed."""
    error = {"code": code, "message": message}
    return encode({"channel": "spot.trades", "event": "subscribe", "error": error, "result": None, **fields})


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 429])
def test_refusal_when_it_does_not_say_that_a_pair_is_unknown_then_refuses_nothing(code: int) -> None:
    """The words are kept: they will be in the error of the acknowledgement that does not come."""
    assert list(VENUE.parse(answer(code, "too many requests", id=4))) == [
        Unknown(kind=f"error: subscribe: too many requests ({code})")
    ]
    (message,) = VENUE.parse(answer(code, "request time is invalid", id=4))
    assert isinstance(message, Unknown)
    assert "clock" in message.kind


@pytest.mark.parametrize("channel", ["spot.trades", "spot.candlesticks"])
@pytest.mark.parametrize(
    "fields",
    [{"event": ""}, {"event": "all", "result": []}, {"event": "", "error": {"code": 3, "message": "internal"}}],
)
def test_channel_when_it_says_something_else_then_is_a_message_error(channel: str, fields: dict[str, Any]) -> None:
    """Trades may be in it, or have failed to come: so nothing is covered any more."""
    with pytest.raises(MessageError, match=channel):
        list(VENUE.parse(encode({"time": 1, "channel": channel, **fields})))


def test_frames_when_built_then_ask_as_documented() -> None:
    """With a time that is not more than a minute off, which the server looks at."""
    frame = json.loads(VENUE.subscribe_frame(Channel("trades"), ["BTC/USDT"], 7))
    assert abs(frame.pop("time") - time.time()) < 60
    assert frame == {"id": 7, "channel": "spot.trades", "event": "subscribe", "payload": ["BTC_USDT"]}
    frame = json.loads(VENUE.unsubscribe_frame(Channel("candles", Timeframe("1d")), ["BTC/USDT"], 8))
    frame.pop("time")
    assert frame == {
        "id": 8,
        "channel": "spot.candlesticks",
        "event": "unsubscribe",
        "payload": ["1d", "BTC_USDT"],
    }
    probe = json.loads(VENUE.probe_frame(9) or "")
    assert (probe["channel"], probe["id"]) == ("spot.ping", 9)
    with pytest.raises(UnknownSymbol):
        VENUE.to_venue_symbol("BTC/USDT:USDT")


def rest_trades(numbers: Iterable[int]) -> bytes:
    """Return a page, in the order given; trade n was in second n."""
    return encode(
        [
            {
                "id": str(10**9 + number),
                "create_time_ms": f"{number}000.5",
                "side": "buy",
                "amount": "1",
                "price": "2",
                "sequence_id": str(number),
            }
            for number in numbers
        ]
    )


def test_rest_trades_when_asked_for_then_a_stretch_of_time_is_read_page_by_page() -> None:
    """In whole seconds, so a little more than wanted."""
    ask = VENUE.rest_trades_request
    query = ask("BTC/USDT", 5 * SECOND + 1, None, None).query
    assert query == {"currency_pair": "BTC_USDT", "limit": "1000", "from": "4", "page": "1"}
    assert ask("BTC/USDT", 0, 9 * SECOND + 1, None).query["to"] == "10"
    page = next_page(rest_trades(range(3000, 2000, -1)), None)
    assert (ids(page.items)[0], page.backwards, page.cursor) == (2001, True, "4:3001:2:<2001")
    query = ask("BTC/USDT", 5 * SECOND, 9 * SECOND, page.cursor).query
    assert (query["from"], query["to"], query["page"]) == ("4", "3001", "2")
    page = next_page(rest_trades(range(2000, 1500, -1)), page.cursor)
    assert (ids(page.items)[0], page.backwards, page.cursor) == (1501, True, None)


def next_page(body: bytes, cursor: str | None, until: int | None = None) -> RestPage:
    """Return the page that a request leads to."""
    request = VENUE.rest_trades_request("BTC/USDT", 5 * SECOND, until, cursor)
    return VENUE.parse_rest_trades("BTC/USDT", body, request.cursor)


def test_rest_trades_when_new_ones_have_shifted_a_page_then_none_comes_twice() -> None:
    """Newest first, 1,500 trades of the meantime push two pages' worth back; the stretch's end keeps others out."""
    page = next_page(rest_trades(range(9000, 8000, -1)), None)
    assert page.cursor == "4:9001:2:<8001"
    page = next_page(rest_trades(range(8500, 7500, -1)), page.cursor)
    assert ids(page.items) == list(range(7501, 8001))
    page = next_page(rest_trades(range(9000, 8000, -1)), page.cursor)
    assert (page.items, page.backwards) == ([], True)
    page = next_page(rest_trades(range(1000, 2000)), None)
    assert page.cursor == "4::2:>1999"
    page = next_page(rest_trades(range(1999, 2001)), page.cursor)
    assert (ids(page.items), page.backwards, page.cursor) == ([2000], False, None)


@pytest.mark.parametrize(("backwards", "cursor"), [(True, "4:1002:1:<1001"), (False, "1999::1:>2000")])
def test_rest_trades_when_no_more_pages_can_be_had_then_the_stretch_is_made_shorter(
    backwards: bool, cursor: str
) -> None:
    """At most 101 pages, in whatever order they come; the next stretch overlaps by a second."""
    numbers = range(1001, 2001)
    page = next_page(rest_trades(reversed(numbers) if backwards else numbers), "4::101:")
    assert (page.backwards, page.cursor) == (backwards, cursor)
    query = VENUE.rest_trades_request("BTC/USDT", 5 * SECOND, None, page.cursor).query
    assert query["page"] == "1"
    assert (query["from"], query.get("to")) == (("4", "1002") if backwards else ("1999", None))


def test_rest_trades_when_a_second_has_more_than_can_be_had_then_it_is_told() -> None:
    """Newest first, older ones are missing; oldest first, those behind."""
    numbers = range(1001, 2001)
    page = next_page(rest_trades(reversed(numbers)), "4:1002:101:<3000")
    assert (len(page.items), page.cursor, page.truncated) == (1000, None, True)
    with pytest.raises(MessageError, match="one second"):
        next_page(rest_trades(numbers), "1999::101:>100")


def test_rest_trades_when_a_stretch_begins_before_what_is_kept_then_is_truncated() -> None:
    """By the newest trade; where an end was asked for, by the clock."""
    recent, day = rest_trades(range(29 * 86_400, 29 * 86_400 - 5, -1)), 86_400 * SECOND
    assert next_page(rest_trades(range(31 * 86_400, 31 * 86_400 - 5, -1)), None).truncated
    assert not next_page(recent, None).truncated
    assert next_page(recent, None, until=30 * day).truncated
    assert next_page(b"[]", None, until=30 * day).truncated
    assert not next_page(b"[]", None).truncated
    since, until = time.time_ns() - 29 * day, time.time_ns()
    request = VENUE.rest_trades_request("BTC/USDT", since, until, None)
    assert not VENUE.parse_rest_trades("BTC/USDT", b"[]", request.cursor).truncated


def test_rest_candles_when_asked_for_then_never_more_than_a_thousand_nor_older_than_ten_thousand() -> None:
    """Both ends of the stretch belong to it, its end is not in the future, and both are whole intervals."""
    now = time.time_ns()
    query = VENUE.rest_candles_request("BTC/USDT", MINUTE, 0, now + 3600 * SECOND, None).query
    begin, end = int(query["from"]), int(query["to"])
    assert (begin % 60, end % 60) == (0, 0)
    assert end - begin == 999 * 60
    assert abs(end - now // SECOND) < 61
    request = VENUE.rest_candles_request("BTC/USDT", MINUTE, 0, None, str(end - 9_500 * 60))
    assert end - 9_991 * 60 < int(request.query["from"]) <= end - 9_988 * 60
    assert request.cursor == "forgotten"
    query = VENUE.rest_candles_request("BTC/USDT", MINUTE, 90 * SECOND, 125 * SECOND, None).query
    assert query == {"currency_pair": "BTC_USDT", "interval": "1m", "from": "60", "to": "120"}
    query = VENUE.rest_candles_request("BTC/USDT", MINUTE, now + 3600 * SECOND, None, None).query
    assert query["from"] == query["to"]


def test_rest_candles_when_many_are_wanted_then_the_stretches_join_without_a_hole() -> None:
    """Whatever the second in which they are asked for: 5,001 minutes, each asked for once."""
    until = time.time_ns() // SECOND * SECOND - 7 * SECOND
    since = until - 5_000 * 60 * SECOND
    asked: list[int] = []
    cursor: str | None = None
    while True:
        request = VENUE.rest_candles_request("BTC/USDT", MINUTE, since, until, cursor)
        asked += range(int(request.query["from"]), int(request.query["to"]) + 1, 60)
        page = VENUE.parse_rest_candles("BTC/USDT", MINUTE, b"[]", request.cursor)
        assert (page.backwards, page.truncated) == (True, False)
        if page.cursor is None:
            break
        cursor = page.cursor
    first, last = MINUTE.floor(since) // SECOND, MINUTE.floor(until - 1) // SECOND
    assert sorted(asked) == list(range(first, last + 1, 60))


def test_rest_candles_when_the_venue_has_forgotten_what_is_before_then_it_is_told() -> None:
    """As the request says, not the number of rows."""
    body = encode([ROW])
    for cursor, expected in (("", (None, False)), ("600", ("600", False)), ("forgotten", (None, True))):
        page = VENUE.parse_rest_candles("BTC/USDT", MINUTE, body, cursor)
        assert (page.cursor, page.truncated) == expected


@pytest.mark.parametrize(
    ("column", "value"), [(7, "1"), (7, ""), (0, "now"), (0, "1606292581"), (4, "0"), (3, "1"), (6, "-1"), (1, "inf")]
)
def test_rest_candles_when_a_column_is_not_as_documented_then_is_a_message_error(column: int, value: str) -> None:
    """A row that is too short, too."""
    row = ROW.copy()
    row[column] = value
    for bad in (row, ROW[:7]):
        with pytest.raises(MessageError):
            VENUE.parse_rest_candles("BTC/USDT", MINUTE, encode([bad]), None)


def test_rest_when_the_answer_is_an_error_then_it_is_told() -> None:
    """By its label, or by its words."""

    def body(label: str, message: str = "") -> bytes:
        return encode({"label": label, "message": message})

    explain = VENUE.explain_refusal
    assert isinstance(explain("ABC/USDT", 400, body("INVALID_CURRENCY_PAIR")), SubscriptionError)
    assert isinstance(explain("BTC/USDT", 400, body("TOO_MANY_REQUESTS")), RateLimited)
    too_old = "Candlestick too long ago. Maximum 10000 points ago are allowed"
    assert isinstance(explain("BTC/USDT", 400, body("INVALID_PARAM_VALUE", too_old)), HistoryTooShort)
    assert explain("BTC/USDT", 400, body("INVALID_PARAM_VALUE", "interval")) is None
    with pytest.raises(MessageError):
        VENUE.parse_rest_trades("BTC/USDT", body("SERVER_ERROR"), None)


def test_used_weight_when_the_headers_tell_then_is_what_they_leave_out() -> None:
    """Names in any case; what can't be read is left out."""
    headers = {"X-Gate-RateLimit-Limit": "200", "x-gate-ratelimit-requests-remain": "198"}
    assert VENUE.used_weight(headers) == {10.0: 2}
    assert VENUE.used_weight({**headers, "X-Gate-RateLimit-Limit": "many"}) == {}
    assert VENUE.used_weight({}) == {}
