"""Bybit's particularities: what the suite of all venues does not look at."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rxstreams.errors import MessageError, RateLimited, SubscriptionError, UnknownSymbol
from rxstreams.instants import MINUTE
from rxstreams.sources import bybit
from rxstreams.sources._subscriptions import Subscriptions
from rxstreams.sources.venue import Acknowledged, Channel, Heartbeat, Rejected, RestRequest, Unknown
from rxstreams.testing.formats import Malformed, TradesQuery
from rxstreams.testing.formats.bybit import BybitFormat, BybitLinearFormat
from rxstreams.timeframe import Timeframe

SPOT, LINEAR = bybit.Bybit(), bybit.BybitLinear()
TRADES = Channel("trades")
TRADE = {"T": 1672304486865, "s": "BTCUSDT", "S": "Buy", "v": "0.001", "p": "16578.50", "i": "7", "BT": False}
START = 1672324800000
MS = 1_000_000


def encode(message: object) -> bytes:
    """Return the message as the socket brings it."""
    return json.dumps(message, separators=(",", ":")).encode()


def trades(**changes: object) -> bytes:
    """Return a message with one trade."""
    return encode({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 1, "data": [{**TRADE, **changes}]})


def answer(code: int, text: str, result: object = None, time: int = START) -> bytes:
    """Return an answer of the REST API."""
    return encode({"retCode": code, "retMsg": text, "result": result or {}, "retExtInfo": {}, "time": time})


@pytest.mark.parametrize(
    "changes",
    [
        {"p": "0"},
        {"p": "-1"},
        {"p": "nan"},
        {"p": "inf"},
        {"p": ""},
        {"v": "-1"},
        {"S": "Hold"},
        {"i": ""},
        {"s": "USDT"},
        {"T": -(10**18)},
        {"T": 1672304486865.5},
    ],
)
def test_parse_when_a_trade_can_not_be_then_is_a_message_error(changes: dict[str, object]) -> None:
    """Never a wrong item."""
    with pytest.raises(MessageError):
        list(SPOT.parse(trades(**changes)))


def test_parse_when_the_keys_come_in_another_order_then_gives_the_same_tick() -> None:
    """The quick look at the first bytes is only a shortcut."""
    message = json.loads(trades())
    assert list(SPOT.parse(encode(dict(reversed(message.items()))))) == list(SPOT.parse(trades()))


@pytest.mark.parametrize(
    "change", [{"interval": "7"}, {"start": "now"}, {"start": START + 1}, {"low": "0"}, {"high": "1"}]
)
def test_parse_when_a_candle_can_not_be_then_is_a_message_error(change: dict[str, object]) -> None:
    """Intervals that nobody has, prices that contradict each other."""
    row = {
        "start": START,
        "end": START + 59_999,
        "interval": "1",
        "open": "2",
        "close": "2",
        "high": "3",
        "low": "1",
        "volume": "1",
        "turnover": "2",
        "confirm": False,
        "timestamp": START,
    }
    for topic, data in (("kline.1.BTCUSDT", {**row, **change}), ("kline.1", row), ("kline", row)):
        with pytest.raises(MessageError):
            list(SPOT.parse(encode({"topic": topic, "data": [data], "ts": START, "type": "snapshot"})))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_subscriptions_when_a_topic_is_subscribed_to_already_then_all_are_confirmed_in_the_end(count: int) -> None:
    """The whole request is refused: it is halved, until that topic is alone, and its trades come anyway."""
    symbols = [f"{base}/USDT:USDT" for base in ("BTC", "ETH", "SOL", "XRP", "ADA")[:count]]
    subscriptions = Subscriptions(LINEAR, TRADES, symbols)
    frames = subscriptions.open()
    for _ in range(20):
        if not frames:
            break
        request = json.loads(frames.pop(0))
        topic = "publicTrade.BTCUSDT"
        text = f"error:already subscribed,topic:{topic}" if topic in request["args"] else ""
        reply = {"success": not text, "ret_msg": text, "req_id": request["req_id"], "op": "subscribe"}
        (message,) = LINEAR.parse(encode(reply))
        if isinstance(message, Rejected):
            refusal = subscriptions.reject(message)
            assert not refusal.symbols
            frames += refusal.frames
        else:
            assert isinstance(message, Acknowledged)
            subscriptions.acknowledge(message)
    assert set(subscriptions.confirmed) == set(subscriptions.wanted) == set(symbols)


@pytest.mark.parametrize("text", ["args size >10", "Internal server error", "Too many visits!", ""])
def test_parse_when_a_refusal_names_no_symbol_then_none_ends(text: str) -> None:
    """What passes leaves the request unanswered, and so does what is subscribed to by nobody knows which request."""
    refused = {"success": False, "ret_msg": text, "req_id": "3002", "op": "subscribe"}
    assert list(SPOT.parse(encode(refused))) == [Unknown(kind=f"error: {text}")]
    already = "error:already subscribed,topic:publicTrade.BTCUSDT"
    assert list(SPOT.parse(encode({**refused, "ret_msg": already, "req_id": ""}))) == [
        Unknown(kind=f"error: {already}")
    ]
    assert list(SPOT.parse(encode({**refused, "ret_msg": "Invalid symbol :[publicTrade.XUSDT]"}))) == [
        Rejected(reason="Invalid symbol :[publicTrade.XUSDT]", request=3)
    ]


def test_parse_when_an_answer_is_odd_then_is_told_apart() -> None:
    """Ends of subscriptions, pongs of other markets, numbers of requests that are none of ours."""
    yes = {"success": True, "ret_msg": "", "conn_id": "x", "req_id": "4001"}
    assert list(SPOT.parse(encode({**yes, "op": "unsubscribe"}))) == [
        Acknowledged(symbols=(), request=4, subscribed=False)
    ]
    assert list(SPOT.parse(encode({**yes, "success": False, "op": "unsubscribe"}))) == [Unknown(kind="error: ")]
    assert list(SPOT.parse(b'{"args":["1672916271846"],"op":"pong"}')) == [Heartbeat()]
    for text in ("", "mine", "9" * 5000, "٣"):
        assert list(SPOT.parse(encode({**yes, "req_id": text, "op": "subscribe"}))) == [Acknowledged(symbols=())]
    with pytest.raises(MessageError, match="success"):
        list(SPOT.parse(b'{"op":"subscribe","req_id":"1"}'))
    assert list(SPOT.parse(b'{"op":"auth","success":true}')) == [Unknown(kind="auth")]


def test_frames_when_built_then_name_topics_and_carry_the_requests_number() -> None:
    """What the documentation says to send; the number is a text, and holds how many topics there are."""
    assert json.loads(SPOT.subscribe_frame(TRADES, ["BTC/USDT", "ETH/BTC"], 7)) == {
        "req_id": "7002",
        "op": "subscribe",
        "args": ["publicTrade.BTCUSDT", "publicTrade.ETHBTC"],
    }
    assert json.loads(LINEAR.unsubscribe_frame(Channel("candles", Timeframe("1d")), ["BTC/USDC:USDC"], 8)) == {
        "req_id": "8001",
        "op": "unsubscribe",
        "args": ["kline.D.BTCPERP"],
    }


@pytest.mark.parametrize("spelling", ["USDT", "PERP", "BTCUSD", "", "BTC-31FOO26", "-25DEC26", "BTCUSDT-05DEC26"])
def test_symbols_when_a_spelling_is_no_linear_contract_then_is_a_value_error(spelling: str) -> None:
    """Inverse contracts, dates that are none, nothing."""
    with pytest.raises(ValueError, match="linear contract"):
        LINEAR.from_venue_symbol(spelling)


def test_symbols_when_a_quote_is_not_known_then_it_is_learned_from_its_use() -> None:
    """New assets need no new release."""
    venue = bybit.Bybit()
    with pytest.raises(ValueError, match="BTCNEW"):
        venue.from_venue_symbol("BTCNEW")
    assert venue.to_venue_symbol("BTC/NEW") == "BTCNEW"
    assert venue.from_venue_symbol("BTCNEW") == "BTC/NEW"
    with pytest.raises(UnknownSymbol, match="contract"):
        venue.to_venue_symbol("BTC/USDT:USDT")


def test_rest_trades_when_they_come_then_older_ones_may_be_missing() -> None:
    """However many there are; those of one millisecond stay in their order, and others come in that of their stamps."""
    assert SPOT.rest_trades_request("BTC/USDT", 5, None, None) == RestRequest(
        path="/v5/market/recent-trade", query={"category": "spot", "symbol": "BTCUSDT", "limit": "60"}
    )
    rows = [
        {"execId": f"{60 - n}", "symbol": "BTCUSDT", "price": "1.5", "size": "2", "side": "Sell", "time": f"{START}"}
        for n in range(60)
    ]
    page = SPOT.parse_rest_trades("BTC/USDT", answer(0, "OK", {"category": "spot", "list": rows}), None)
    assert [tick.trade_id for tick in page.items] == [f"{n}" for n in range(1, 61)]
    assert (page.cursor, page.truncated) == (None, True)
    page = SPOT.parse_rest_trades("BTC/USDT", answer(0, "OK", {"category": "spot", "list": rows[1:]}), None)
    assert page.truncated
    assert LINEAR.parse_rest_trades("BTC/USDT:USDT", answer(0, "OK", {"list": rows}), None).truncated
    assert SPOT.parse_rest_trades("BTC/USDT", answer(0, "OK", {"list": []}), None).truncated
    mixed = [{**rows[at], "time": f"{START + at % 3}"} for at in range(6)]
    stamps = [
        tick.timestamp for tick in SPOT.parse_rest_trades("BTC/USDT", answer(0, "OK", {"list": mixed}), None).items
    ]
    assert stamps == sorted(stamps)
    with pytest.raises(MessageError, match="BTCUSDT"):
        SPOT.parse_rest_trades("ETH/USDT", answer(0, "OK", {"list": rows}), None)


def test_rest_candles_when_paged_then_ends_move_to_the_past() -> None:
    """The end is inclusive there; one candle more than wanted shows that none is missing; pages have a thousand."""
    first = SPOT.rest_candles_request("BTC/USDT", Timeframe("1m"), START * MS, START * MS + 3 * MINUTE, None)
    assert first.query == {
        "category": "spot",
        "symbol": "BTCUSDT",
        "interval": "1",
        "limit": "5",
        "end": str(START + 3 * 60_000 - 1),
    }
    long = LINEAR.rest_candles_request("BTC/USDC:USDC", Timeframe("1M"), 0, None, None)
    assert (long.query["interval"], long.query["symbol"], "end" in long.query) == ("M", "BTCPERP", False)
    assert int(long.query["limit"]) < 1000
    assert SPOT.rest_candles_request("BTC/USDT", Timeframe("1m"), 0, None, None).query["limit"] == "1000"
    assert SPOT.rest_candles_request("BTC/USDT", Timeframe("1m"), 0, None, f"{START}").query["end"] == f"{START - 1}"
    rows: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "category": "spot",
        "list": [[f"{START}", "2", "3", "1", "2", "1", "2"]],
    }
    page = SPOT.parse_rest_candles("BTC/USDT", Timeframe("1m"), answer(0, "OK", rows), f"{START}")
    assert page.cursor is None
    with pytest.raises(MessageError, match="BTCUSDT"):
        SPOT.parse_rest_candles("ETH/USDT", Timeframe("1m"), answer(0, "OK", rows), None)
    odd = {**rows, "list": [[f"{START + 60_000}", *rows["list"][0][1:]]]}
    with pytest.raises(MessageError, match="1h candle"):
        SPOT.parse_rest_candles("BTC/USDT", Timeframe("1h"), answer(0, "OK", odd), None)
    with pytest.raises(ValueError, match="1w"):
        SPOT.rest_candles_request("BTC/USDT", Timeframe("1w"), 0, None, None)


def test_rest_when_refused_then_the_code_says_what_it_means() -> None:
    """All with HTTP 200, but for the ban of an address."""
    for code in (10006, 10018):
        with pytest.raises(RateLimited, match=f"{code}"):
            SPOT.parse_rest_trades("BTC/USDT", answer(code, "Too many visits!"), None)
    for text in ("Not supported symbols", "params error: Symbol Is Invalid"):
        with pytest.raises(SubscriptionError, match=r"BTC/USDT.*10001"):
            SPOT.parse_rest_trades("BTC/USDT", answer(10001, text), None)
    for code, text in (
        (10001, "Invalid period!"),
        (10001, "Request parameter error: category or symbol missing"),
        (10001, "The requested symbol is under maintenance"),
        (10016, "Internal System Error."),
    ):
        with pytest.raises(MessageError, match=f"{code}"):
            SPOT.parse_rest_candles("BTC/USDT", Timeframe("1m"), answer(code, text), None)
    banned = SPOT.explain_refusal("BTC/USDT", 403, b"403, access too frequent")
    assert isinstance(banned, RateLimited)
    assert banned.retry_after == 600.0


def test_module_when_used_then_its_functions_are_those_of_spot() -> None:
    """The linear contracts have the same ones in one name."""
    assert bybit.FEEDS.venue.name == "bybit"
    assert bybit.linear.venue.name == "bybit_linear"
    assert bybit.trades == bybit.FEEDS.trades
    with pytest.raises(UnknownSymbol, match="BTC/USDT:USDT"):
        bybit.linear.trades(["BTC/USDT"])


def test_format_when_a_client_sends_nonsense_then_is_malformed() -> None:
    """What Bybit's server would not take."""
    wire, linear = BybitFormat(), BybitLinearFormat()
    topics = [f"publicTrade.A{n}USDT" for n in range(11)]
    for bad in (
        b"{",
        b"[]",
        b'{"op":"dance"}',
        b'{"op":"subscribe","args":[]}',
        b'{"op":"subscribe","args":["publicTrade"]}',
        b'{"op":"subscribe","args":["kline.7.BTCUSDT"]}',
        b'{"op":"subscribe","args":["publicTrade.BTCUSDT","kline.1.BTCUSDT"]}',
        encode({"op": "subscribe", "args": topics}),
    ):
        command = wire.decode(bad)
        assert isinstance(command, Malformed), bad
        refused = wire.complain(command, 0, 0)
        assert refused is not None
        assert json.loads(refused)["success"] is False
    assert not isinstance(linear.decode(encode({"op": "subscribe", "args": topics})), Malformed)


def test_format_when_rest_is_asked_for_another_market_then_refuses() -> None:
    """Each wire format serves its own category."""
    query = {"category": "spot", "symbol": "BTCUSDT", "limit": "60"}
    assert isinstance(BybitFormat().rest_query("/v5/market/recent-trade", query, b""), TradesQuery)
    assert not isinstance(BybitLinearFormat().rest_query("/v5/market/recent-trade", query, b""), TradesQuery)
    assert not isinstance(
        BybitFormat().rest_query("/v5/market/recent-trade", {**query, "limit": "61"}, b""), TradesQuery
    )
