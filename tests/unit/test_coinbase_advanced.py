"""Coinbase Advanced Trade's particularities."""

from __future__ import annotations

import json

import pytest

from rxstreams.errors import MessageError, SubscriptionError, UnknownSymbol
from rxstreams.instants import SECOND, parse_iso
from rxstreams.items import PriceTick, Side
from rxstreams.sources import coinbase_advanced
from rxstreams.sources.venue import Channel, Unknown
from rxstreams.timeframe import Timeframe

VENUE = coinbase_advanced.CoinbaseAdvanced()
TRADE = {
    "trade_id": "77",
    "product_id": "BTC-USD",
    "price": "64000.1",
    "size": "0.25",
    "side": "SELL",
    "time": "2025-11-10T17:23:53.971744Z",
}
CANDLE = {
    "start": "1762795200",
    "high": "2.5",
    "low": "1.5",
    "open": "1.5",
    "close": "2",
    "volume": "3",
    "product_id": "BTC-USD",
}


def message(channel: str, *events: object, number: int = 1) -> bytes:
    """Return a message of a channel."""
    head = {"channel": channel, "client_id": "", "timestamp": "2025-11-10T17:23:54Z", "sequence_num": number}
    return json.dumps({**head, "events": events}, separators=(",", ":")).encode()


def trades(*rows: object, kind: str = "update") -> dict[str, object]:
    """Return an event with trades."""
    return {"type": kind, "trades": rows}


@pytest.mark.parametrize(
    "frame",
    [
        message("market_trades", trades({**TRADE, "price": "0"})),
        message("market_trades", trades({**TRADE, "price": "-1"})),
        message("market_trades", trades({**TRADE, "price": "inf"})),
        message("market_trades", trades({**TRADE, "size": "-1"})),
        message("market_trades", trades({**TRADE, "side": "sell"})),
        message("market_trades", trades({**TRADE, "side": "UNKNOWN_ORDER_SIDE"})),
        message("market_trades", trades({**TRADE, "time": "1762795433"})),
        message("market_trades", trades({**TRADE, "product_id": "BIP-20DEC30-CDE"})),
        message("market_trades", trades(TRADE, kind="delta")),
        message("candles", {"type": "update", "candles": [{**CANDLE, "start": "soon"}]}),
        message("candles", {"type": "update", "candles": [{**CANDLE, "start": "1762795260"}]}),
        message("candles", {"type": "update", "candles": [{**CANDLE, "low": "0", "open": "1"}]}),
        message("candles", {"type": "update", "candles": [{**CANDLE, "high": "1.6"}]}),
        message("subscriptions", {"subscriptions": {"market_trades": ["BTCUSD"]}}),
    ],
)
def test_parse_when_a_frame_is_not_what_the_documentation_says_then_raises_message_error(frame: bytes) -> None:
    """Never a wrong item, never another exception."""
    with pytest.raises(MessageError):
        list(VENUE.parse(frame))


def test_parse_when_the_maker_sold_then_the_taker_bought() -> None:
    """The venue says the maker's side, live and over REST."""
    (tick,) = VENUE.parse(message("market_trades", trades(TRADE)))
    assert isinstance(tick, PriceTick)
    assert tick.side is Side.BUY
    body = json.dumps({"trades": [{**TRADE, "side": "BUY"}]}).encode()
    assert VENUE.parse_rest_trades("BTC/USD", body, None).items[0].side is Side.SELL


def numbered(number: int, channel: str) -> bytes:
    """Return a message of a channel with its number."""
    events: dict[str, object] = {
        "market_trades": trades(TRADE),
        "candles": {"type": "update", "candles": [CANDLE]},
        "subscriptions": {"subscriptions": {}},
    }
    return message(channel, events.get(channel, {}), number=number)


@pytest.mark.parametrize(
    "numbers",
    [
        [(0, "market_trades"), (1, "subscriptions"), (2, "market_trades"), (3, "heartbeats"), (4, "market_trades")],
        [(0, "subscriptions"), (0, "heartbeats"), (0, "market_trades"), (1, "market_trades"), (1, "heartbeats")],
        [(1, "subscriptions"), (1, "market_trades"), (2, "market_trades"), (3, "market_trades"), (2, "heartbeats")],
        [(7, "market_trades"), (8, "candles"), (9, "market_trades"), (0, "market_trades"), (1, "status")],
        [(5, "market_trades"), (5, "market_trades"), (4, "market_trades"), (5, "market_trades")],
    ],
)
def test_numbers_when_they_count_the_connections_or_the_channels_messages_then_none_was_lost(
    numbers: list[tuple[int, str]],
) -> None:
    """Which of both was measured by others only; a new beginning is no loss, and a repeated number none."""
    parse = VENUE.conversation().parse
    for number, channel in numbers:
        list(parse(numbered(number, channel)))


@pytest.mark.parametrize("channel", ["market_trades", "heartbeats", "subscriptions", "candles", "status"])
def test_numbers_when_one_is_left_out_then_is_a_message_error(channel: str) -> None:
    """Whatever the message is that shows it; from there on they count again. Another connection knows nothing of it."""
    parse = VENUE.conversation().parse
    for number, other in enumerate(("market_trades", "heartbeats", "market_trades")):
        list(parse(numbered(number, other)))
    with pytest.raises(MessageError, match="number 4"):
        list(parse(numbered(4, channel)))
    list(parse(numbered(5, "market_trades")))
    with pytest.raises(MessageError, match="number 7"):
        list(parse(numbered(7, channel)))
    list(VENUE.conversation().parse(numbered(9, channel)))


def test_numbers_when_there_are_none_then_nothing_is_said() -> None:
    """Errors have none, and a server that left them out would be read all the same."""
    parse = VENUE.conversation().parse
    list(parse(numbered(0, "market_trades")))
    assert list(parse(b'{"type":"error","message":"failure"}')) == [Unknown(kind="error: failure")]
    list(parse(message("market_trades", trades(TRADE)).replace(b'"sequence_num":1,', b"")))
    list(parse(numbered(1, "market_trades")))


def test_parse_when_ids_have_another_length_then_they_order_as_numbers() -> None:
    """At one time, 9 comes before 10, whatever their order in the message."""
    rows = [{**TRADE, "trade_id": number} for number in ("10", "9", "100")]
    ticks = list(VENUE.parse(message("market_trades", trades(*rows[:2]), trades(rows[2]))))
    assert [tick.trade_id for tick in ticks if isinstance(tick, PriceTick)] == ["9", "10", "100"]


def test_frames_when_built_then_name_one_channel() -> None:
    """What the venue's documentation says to send."""
    assert json.loads(VENUE.subscribe_frame(Channel("trades"), ["BTC/USD", "ETH/USD"], 7)) == {
        "type": "subscribe",
        "product_ids": ["BTC-USD", "ETH-USD"],
        "channel": "market_trades",
    }
    assert json.loads(VENUE.unsubscribe_frame(Channel("candles", Timeframe("5m")), ["BTC/USD"], 8)) == {
        "type": "unsubscribe",
        "product_ids": ["BTC-USD"],
        "channel": "candles",
    }
    assert VENUE.probe_frame(9) == VENUE.heartbeat_frame() == '{"type":"subscribe","channel":"heartbeats"}'


def test_symbols_when_quoted_in_usdc_then_the_error_says_what_to_ask_for() -> None:
    """Its data comes under the other name."""
    with pytest.raises(UnknownSymbol, match="BTC/USD'"):
        coinbase_advanced.trades(["BTC/USDC"])
    assert VENUE.to_venue_symbol("EURC/USDC") == "EURC-USDC"


def test_rest_trades_when_asked_for_then_go_back_by_whole_seconds() -> None:
    """Rounded up, so that none is left out."""
    path = "/api/v3/brokerage/market/products/BTC-USD/ticker"
    request = VENUE.rest_trades_request("BTC/USD", 0, None, None)
    assert (request.path, request.query) == (path, {"limit": "1000"})
    query = VENUE.rest_trades_request("BTC/USD", 0, 9 * SECOND + 1, None).query
    assert query == {"limit": "1000", "start": "0", "end": "10"}
    assert VENUE.rest_trades_request("BTC/USD", 0, 9 * SECOND, None).query["end"] == "9"
    query = VENUE.rest_trades_request("BTC/USD", 8 * SECOND, 9 * SECOND, "7").query
    assert query == {"limit": "1000", "start": "0", "end": "7"}


def test_rest_trades_when_no_older_second_comes_then_only_trade_1_is_the_beginning() -> None:
    """An answer without trades may be a hiccup; a page may be full of one second, or its end may not be looked at."""

    def page(*numbers: int, cursor: str | None) -> tuple[str | None, bool]:
        rows = [{**TRADE, "trade_id": str(number)} for number in numbers]
        got = VENUE.parse_rest_trades("BTC/USD", json.dumps({"trades": rows}).encode(), cursor)
        assert (len(got.items), got.backwards) == (len(numbers), True)
        return got.cursor, got.truncated

    second = parse_iso("2025-11-10T17:23:54Z") // SECOND
    assert page(cursor=None) == (None, True)
    assert page(cursor=str(second)) == (None, True)
    assert page(9, 8, cursor=None) == (str(second), False)
    assert page(9, 8, cursor=str(second + 1)) == (str(second), False)
    assert page(9, 8, cursor=str(second)) == (None, True)
    assert page(9, 8, cursor=str(second - 1)) == (None, True)
    assert page(2, 1, cursor=None) == page(2, 1, cursor=str(second)) == (None, False)


@pytest.mark.parametrize(
    ("status", "said", "is_unknown"),
    [
        (404, "no such product", True),
        (400, "valid product_id is required", True),
        (404, "product not found", True),
        (404, "Not Found", False),
        (400, "start and end argument is invalid", False),
        (500, "no such product", False),
    ],
)
def test_refusals_when_they_speak_of_no_product_then_are_not_explained(
    status: int, said: str, is_unknown: bool
) -> None:
    """A gateway's 404 is no unknown product, nor is a bad argument."""
    body = json.dumps({"error": "X", "error_details": said, "message": said}).encode()
    assert isinstance(VENUE.explain_refusal("BTC/USD", status, body), SubscriptionError) == is_unknown
    assert VENUE.explain_refusal("", status, body) is None


def test_rest_candles_when_asked_for_then_are_fewer_than_the_limit() -> None:
    """350 are too many for the venue."""
    since, until = parse_iso("2025-01-10T17:00:00Z"), parse_iso("2025-11-10T17:00:00Z")
    request = VENUE.rest_candles_request("BTC/USD", Timeframe("1h"), since, until, None)
    assert request.path == "/api/v3/brokerage/market/products/BTC-USD/candles"
    first = since // SECOND
    assert request.query == {"start": str(first), "end": str(first + 299 * 3600), "granularity": "ONE_HOUR"}


def test_feeds_when_asked_for_a_timeframe_that_is_not_live_then_say_which_is() -> None:
    """Only five minutes."""
    with pytest.raises(ValueError, match="it has 5m"):
        coinbase_advanced.candles(["BTC/USD"], "1m")
