"""What is Deribit's own: units of volume, answers that say only by their id what they answer, and pages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rxstreams.errors import MessageError, RateLimited, Refused, ServerRejected, SubscriptionError, UnknownSymbol
from rxstreams.instants import DAY, MINUTE, SECOND
from rxstreams.items import PriceTick
from rxstreams.sources import deribit
from rxstreams.sources._pages import candle_pages
from rxstreams.sources.venue import Acknowledged, Channel, Heartbeat, Rejected, Unknown
from rxstreams.timeframe import Timeframe

VENUE = deribit.Deribit()
TRADES = Channel("trades")
TRADE: dict[str, Any] = {
    "trade_seq": 5,
    "trade_id": "900",
    "timestamp": 1_795_857_833_971,
    "price": 64000.5,
    "amount": 10.0,
    "direction": "buy",
    "instrument_name": "BTC-PERPETUAL",
}
SYMBOL = "BTC/USD:BTC"
NOW = 1_795_857_840_000  # milliseconds


def answer(number: int, **what: object) -> bytes:
    """Return an answer of the server."""
    return json.dumps({"jsonrpc": "2.0", "id": number, **what, "usOut": NOW * 1000, "testnet": False}).encode()


def notification(channel: str, data: object) -> bytes:
    """Return a message of a channel."""
    message = {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}
    return json.dumps(message).encode()


def asked(frame: str) -> int:
    """Return the id of a request."""
    number: int = json.loads(frame)["id"]
    return number


@pytest.mark.parametrize(
    ("name", "amount", "volume"),
    [
        ("BTC-PERPETUAL", 64000.5, 1.0),
        ("BTC-25DEC26", 10.0, 0.0001562488),
        ("BTC-25DEC26-60000-C", 10.0, 10.0),
        ("BTC_USDC-PERPETUAL", 0.25, 0.25),
        ("BTC_USDC", 0.25, 0.25),
    ],
)
def test_volume_when_the_amount_is_in_dollars_then_is_in_coins_all_the_same(
    name: str, amount: float, volume: float
) -> None:
    """Inverse perpetuals and futures only; options and linear contracts state coins."""
    row = {**TRADE, "instrument_name": name, "amount": amount}
    (tick,) = VENUE.parse(notification(f"trades.{name}.100ms", [row]))
    assert isinstance(tick, PriceTick)
    assert tick.volume == volume
    assert tick.trade_id == 5


def test_parse_when_the_keys_come_in_another_order_then_gives_the_same_tick() -> None:
    """The quick look at the first bytes is only a shortcut."""
    quick = notification("trades.BTC-PERPETUAL.100ms", [TRADE]).replace(b'": ', b'":').replace(b', "', b',"')
    turned = json.loads(quick)
    other = json.dumps({"params": turned["params"], "method": "subscription"}).encode()
    assert quick.startswith(b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"trades.')
    assert list(VENUE.parse(quick)) == list(VENUE.parse(other)) != []


@pytest.mark.parametrize(
    "changes",
    [
        {"price": 0.0},
        {"price": -0.5},
        {"amount": -1.0},
        {"direction": "zero"},
        {"timestamp": 10**14},
        {"instrument_name": "BTC-FS-25DEC26_PERP"},
        {"instrument_name": "BTC-31FEB26"},
        {"instrument_name": "BTC"},
        {"instrument_name": "BTC-25XYZ26"},
    ],
)
def test_parse_when_a_trade_can_not_be_then_raises_message_error(changes: dict[str, object]) -> None:
    """Never a wrong item, never another exception."""
    with pytest.raises(MessageError):
        list(VENUE.parse(notification("trades.BTC-PERPETUAL.100ms", [{**TRADE, **changes}])))


def test_subscription_when_channels_are_missing_in_the_answer_then_the_rest_of_the_request_is_refused() -> None:
    """What is there is acknowledged first, so the refusal is of what is left."""
    number = asked(VENUE.subscribe_frame(TRADES, [SYMBOL, "ABC/USD:ABC"], 7))
    accepted, refused = VENUE.parse(answer(number, result=["trades.BTC-PERPETUAL.100ms"]))
    assert accepted == Acknowledged(symbols=(SYMBOL,), time=NOW * 1_000_000, request=7)
    assert isinstance(refused, Rejected)
    assert (refused.symbols, refused.request) == ((), 7)
    assert (
        len(list(VENUE.parse(answer(number, result=["trades.BTC-PERPETUAL.100ms", "trades.ABC-PERPETUAL.100ms"])))) == 1
    )


def test_subscription_when_it_ends_then_the_answer_is_told_from_that_of_a_new_one() -> None:
    """Both answers are lists of channels; the id of the request says which."""
    frame = VENUE.unsubscribe_frame(Channel("candles", Timeframe("1d")), [SYMBOL], 8)
    assert json.loads(frame)["params"] == {"channels": ["chart.trades.BTC-PERPETUAL.1D"]}
    (ended,) = VENUE.parse(answer(asked(frame), result=["chart.trades.BTC-PERPETUAL.1D"]))
    assert ended == Acknowledged(symbols=(SYMBOL,), time=NOW * 1_000_000, request=8, subscribed=False)
    assert list(VENUE.parse(answer(asked(frame), result=[]))) == [Unknown(kind="unsubscribe refused")]


@pytest.mark.parametrize(
    ("code", "words", "is_final"),
    [
        (10028, "too_many_requests", False),
        (10041, "settlement_in_progress", False),
        (10047, "matching_engine_queue_full", False),
        (10066, "too_many_concurrent_requests", False),
        (11050, "bad_request", False),
        (11051, "system_maintenance", False),
        (11094, "internal_server_error", False),
        (99999, "", False),
        (-32603, "Internal error", False),
        (-32602, "Invalid params", True),
        (10020, "invalid_or_unsupported_instrument", True),
        (10004, "not_found", True),
    ],
)
def test_error_when_it_passes_then_no_symbol_is_refused_for_it(code: int, words: str, is_final: bool) -> None:
    """Too many requests, say: the session ends, and the next one asks again."""
    error = {"code": code, "message": words}
    (message,) = VENUE.parse(answer(asked(VENUE.subscribe_frame(TRADES, [SYMBOL], 2)), error=error))
    reason = f"{words} ({code})"
    assert message == (Rejected(reason=reason, request=2) if is_final else Unknown(kind=f"error: {reason}"))
    (message,) = VENUE.parse(answer(asked(VENUE.unsubscribe_frame(TRADES, [SYMBOL], 2)), error=error))
    assert message == Unknown(kind=f"error: {reason}")


def test_probe_when_answered_then_is_a_sign_of_life() -> None:
    """It asks for no channel."""
    frame = VENUE.probe_frame(9)
    assert frame is not None
    assert json.loads(frame)["method"] == "public/test"
    assert list(VENUE.parse(answer(asked(frame), result={"version": "1.2.26"}))) == [Heartbeat()]


@pytest.mark.parametrize(
    ("channel", "tick"),
    [("chart.trades.BTC-PERPETUAL.7", NOW), ("chart.trades.BTC-PERPETUAL.1D", 8 * 3_600_000), ("chart.trades.1", 0)],
)
def test_candle_when_its_interval_is_none_of_ours_then_raises_message_error(channel: str, tick: int) -> None:
    """An unknown resolution, a day that begins at eight, no instrument."""
    row = {"tick": tick, "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 0.0, "cost": 0.0}
    with pytest.raises(MessageError):
        list(VENUE.parse(notification(channel, row)))


def test_symbol_when_deribit_has_no_such_kind_then_says_which_it_has() -> None:
    """Inverse contracts are in dollars and settle in their coin."""
    for symbol in ("BTC/EUR:BTC", "BTC/USD:BTC-261340", "btc/USDC", "BTC/USD:BTC-261225-1.2.3-C"):
        with pytest.raises(UnknownSymbol):
            VENUE.to_venue_symbol(symbol)


def test_rest_trades_when_asked_for_then_begin_by_time_and_go_on_by_number() -> None:
    """A page may end between trades of one millisecond."""
    first = VENUE.rest_trades_request(SYMBOL, NOW * 1_000_000 + 5, (NOW + 10) * 1_000_000, None)
    assert first.path == "/public/get_last_trades_by_instrument_and_time"
    assert json.loads(first.body or b"") == {
        "jsonrpc": "2.0",
        "id": NOW,
        "method": "public/get_last_trades_by_instrument_and_time",
        "params": {
            "instrument_name": "BTC-PERPETUAL",
            "start_timestamp": NOW,
            "end_timestamp": NOW + 11,
            "count": 1000,
            "sorting": "asc",
        },
    }
    following = VENUE.rest_trades_request(SYMBOL, 0, None, "78")
    assert following.path == "/public/get_last_trades_by_instrument"
    assert json.loads(following.body or b"")["params"]["start_seq"] == 78


def test_rest_trades_when_they_come_in_another_order_then_are_sorted_and_of_one_instrument() -> None:
    """Whatever the server's order is."""
    rows = [{**TRADE, "trade_seq": 6}, TRADE]
    page = VENUE.parse_rest_trades(SYMBOL, answer(NOW, result={"trades": rows, "has_more": True}), None)
    assert [tick.trade_id for tick in page.items] == [5, 6]
    assert page.cursor == "7"
    with pytest.raises(MessageError, match="only"):
        VENUE.parse_rest_trades("ETH/USD:ETH", answer(NOW, result={"trades": rows, "has_more": True}), None)


def test_rest_trades_when_older_than_a_day_were_asked_for_then_the_page_is_truncated() -> None:
    """Deribit answers as if there were none; the id of the answer is the time that was asked for."""
    day = DAY // 1_000_000
    for begin, truncated in ((NOW - day - 1, True), (NOW - day, False)):
        page = VENUE.parse_rest_trades(SYMBOL, answer(begin, result={"trades": [], "has_more": False}), None)
        assert (page.truncated, page.cursor) == (truncated, None)


def test_rest_candles_when_many_are_wanted_then_are_asked_for_in_windows_up_to_the_present() -> None:
    """An empty window says nothing about the next one: the instrument may be newer."""
    minute = Timeframe("1m")
    params = json.loads(VENUE.rest_candles_request(SYMBOL, minute, 0, None, None).body or b"")
    assert params["params"]["start_timestamp"] == 0
    assert params["params"]["end_timestamp"] == params["id"] == 5000 * 60_000 - 1
    columns = ("ticks", "open", "high", "low", "close", "volume", "cost")
    empty: dict[str, Any] = {"status": "no_data", **{name: [] for name in columns}}
    page = VENUE.parse_rest_candles(SYMBOL, minute, answer(params["id"], result=empty), None)
    assert (list(page.items), page.cursor) == ([], str(5000 * 60_000))
    params = json.loads(VENUE.rest_candles_request(SYMBOL, minute, 0, None, page.cursor).body or b"")
    assert params["params"]["start_timestamp"] == 5000 * 60_000
    assert VENUE.parse_rest_candles(SYMBOL, minute, answer(NOW, result=empty), None).cursor is None
    params = json.loads(VENUE.rest_candles_request(SYMBOL, minute, 0, 3 * MINUTE, None).body or b"")
    assert params["params"]["end_timestamp"] == 180_001
    past = json.loads(VENUE.rest_candles_request(SYMBOL, minute, 0, 3 * MINUTE, "180002").body or b"")
    assert past["params"]["end_timestamp"] == 180_002 + 5000 * 60_000 - 1


def test_rest_candles_when_one_has_just_ended_then_the_settling_is_waited_for() -> None:
    """The venue does not say which are closed, and trades come in batches."""
    chart = {"status": "ok", "ticks": [NOW - 60_000], "volume": [1.0], "cost": [1.0]}
    chart |= {key: [1.0] for key in ("open", "high", "low", "close")}
    pages = candle_pages(VENUE, SYMBOL, Timeframe("1m"), 0, None, settle=5 * SECOND)
    for after_the_end, closed in ((1_000_000, False), (4 * SECOND, False), (5 * SECOND, True)):
        (candle,) = pages.parse(answer(NOW, result=chart), None, NOW * 1_000_000 + after_the_end).items
        assert (candle.closed, candle.complete) == (closed, closed)
    with pytest.raises(MessageError, match="opens at"):
        VENUE.parse_rest_candles(SYMBOL, Timeframe("1d"), answer(NOW, result=chart), None)


def test_rest_candles_when_the_columns_differ_in_length_then_raises_message_error() -> None:
    """A row that is not whole is no candle."""
    chart = {"status": "ok", "ticks": [0, 60_000], **{key: [1.0, 1.0] for key in ("open", "high", "low", "close")}}
    body = answer(NOW, result={**chart, "volume": [1.0], "cost": [1.0, 1.0]})
    with pytest.raises(MessageError):
        VENUE.parse_rest_candles(SYMBOL, Timeframe("1m"), body, None)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 10028, "message": "too_many_requests"}, RateLimited),
        *(({"code": code, "message": "later"}, ServerRejected) for code in (10040, 10041, 10047, 10066, 11051, 11094)),
        *(({"code": code, "message": "later"}, ServerRejected) for code in (13028, 13888, -32603)),
        ({"code": 10020, "message": "invalid_or_unsupported_instrument"}, SubscriptionError),
        ({"code": 10004, "message": "order_not_found"}, None),
        ({"code": 10004, "message": "not_found"}, SubscriptionError),
        ({"code": -32602, "message": "Invalid params", "data": {"param": "instrument_name"}}, SubscriptionError),
        ({"code": -32602, "message": "Invalid params", "data": {"param": "count"}}, None),
        ({"code": 11050, "message": "bad_request", "data": "?"}, None),
    ],
)
def test_refusal_when_explained_then_only_the_instruments_is_the_symbols_end(
    error: dict[str, object], kind: type[Exception] | None
) -> None:
    """The others pass, or are nobody's fault but ours."""
    explained = VENUE.explain_refusal(SYMBOL, 400, answer(1, error=error))
    assert (explained is None) if kind is None else isinstance(explained, kind)
    assert not isinstance(explained, Refused)
    with pytest.raises(kind or MessageError):
        VENUE.parse_rest_trades(SYMBOL, answer(1, error=error), None)
