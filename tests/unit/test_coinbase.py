"""Coinbase Exchange's particularities."""

from __future__ import annotations

import json
import time

import pytest

from rxstreams.errors import MessageError, UnknownSymbol
from rxstreams.instants import MINUTE, SECOND, parse_iso
from rxstreams.items import PriceTick, Side
from rxstreams.sources import coinbase
from rxstreams.sources.venue import Channel, Rejected, Unknown
from rxstreams.timeframe import Timeframe

VENUE = coinbase.Coinbase()
TRADES = Channel("trades")
MINUTES = Timeframe("1m")
MATCH = {
    "type": "match",
    "trade_id": 77,
    "side": "buy",
    "size": "0.25",
    "price": "64000.1",
    "product_id": "BTC-USD",
    "sequence": 5,
    "time": "2025-11-10T17:23:53.971744Z",
}


def match(**changes: object) -> bytes:
    """Return a message with a trade."""
    return json.dumps({**MATCH, **changes}, separators=(",", ":")).encode()


def test_parse_when_the_maker_bought_then_the_taker_sold() -> None:
    """The venue says the maker's side."""
    (tick,) = VENUE.parse(match())
    assert isinstance(tick, PriceTick)
    assert tick.side is Side.SELL
    (tick,) = VENUE.parse(match(side="sell"))
    assert isinstance(tick, PriceTick)
    assert tick.side is Side.BUY


@pytest.mark.parametrize(
    "frame",
    [
        match(price="0"),
        match(price="-1"),
        match(price="nan"),
        match(price="dear"),
        match(size="-1"),
        match(size="inf"),
        match(side="BUY"),
        match(trade_id="77"),
        match(trade_id=1.5),
        match(time="2025-11-10T17:23:53"),
        match(product_id="BTC-PERP-INTX"),
        match(product_id="BTCUSD"),
        b'{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTCUSD"]}]}',
    ],
)
def test_parse_when_a_frame_is_not_what_the_documentation_says_then_raises_message_error(frame: bytes) -> None:
    """Never a wrong item, never another exception."""
    with pytest.raises(MessageError):
        list(VENUE.parse(frame))


@pytest.mark.parametrize(
    "reason",
    [
        "You need to specify at least one product ID",
        "No channels provided",
        "BTC-USD: rate limit exceeded, try again",
        "read-only mode",
        "BTC-PERP-INTX is not a valid product",
        "",
    ],
)
def test_parse_when_an_error_says_of_no_product_that_it_is_unknown_then_refuses_nobody(reason: str) -> None:
    """It is counted as unknown, with its words; the acknowledgement that does not come has a timeout."""
    frame = json.dumps({"type": "error", "message": "Failed to subscribe", "reason": reason}).encode()
    assert list(VENUE.parse(frame)) == [Unknown(kind=f"error: Failed to subscribe: {reason}")]


@pytest.mark.parametrize(
    "reason", ["ABC-USD is not a valid product", "product ABC-USD is not a valid product", "ABC-USD is delisted"]
)
def test_parse_when_an_error_says_that_a_product_is_unknown_then_refuses_it(reason: str) -> None:
    """Wherever its name stands."""
    frame = json.dumps({"type": "error", "message": "Failed to subscribe", "reason": reason}).encode()
    assert list(VENUE.parse(frame)) == [Rejected(symbols=("ABC/USD",), reason=reason)]


def test_frames_when_built_then_ask_for_matches_and_heartbeats() -> None:
    """What the venue's documentation says to send, one product a message."""
    both = [{"name": "matches", "product_ids": ["BTC-USD"]}, {"name": "heartbeat", "product_ids": ["BTC-USD"]}]
    assert json.loads(VENUE.subscribe_frame(TRADES, ["BTC/USD"], 7)) == {"type": "subscribe", "channels": both}
    assert json.loads(VENUE.unsubscribe_frame(TRADES, ["BTC/USD"], 8)) == {"type": "unsubscribe", "channels": both}
    assert VENUE.symbols_per_message == 1
    assert VENUE.probe_frame(9) is None


def test_rest_trades_when_asked_for_then_go_back_from_the_newest_by_id() -> None:
    """The pagination of the venue, whatever the times."""
    request = VENUE.rest_trades_request("BTC/USD", 5, 9, None)
    assert (request.path, request.query) == ("/products/BTC-USD/trades", {"limit": "1000"})
    assert VENUE.rest_trades_request("BTC/USD", 5, 9, "77").query == {"limit": "1000", "after": "77"}


def test_rest_trades_when_no_older_ones_come_then_only_trade_1_is_the_beginning() -> None:
    """An answer without trades may be a hiccup, or the venue has forgotten them."""

    def page(*numbers: int, cursor: str | None) -> tuple[list[object], str | None, bool]:
        rows = [{name: MATCH[name] for name in ("side", "size", "price", "time")} | {"trade_id": n} for n in numbers]
        got = VENUE.parse_rest_trades("BTC/USD", json.dumps(rows).encode(), cursor)
        assert got.backwards
        return [tick.trade_id for tick in got.items], got.cursor, got.truncated

    assert page(cursor=None) == ([], None, True)
    assert page(cursor="7") == ([], None, True)
    assert page(cursor="1") == ([], None, False)
    assert page(9, 8, 7, cursor="10") == ([7, 8, 9], "7", False)
    assert page(7, 9, 8, cursor=None) == ([7, 8, 9], "7", False)
    assert page(9, 8, 7, cursor="7") == ([7, 8, 9], None, True)


def test_rest_candles_when_they_come_in_another_order_then_are_sorted() -> None:
    """That the newest is first was not found in words."""
    body = b"[[60,1,2,1,2,3],[180,1,2,1,2,3],[120,1,2,1,2,3]]"
    opens = [candle.open_time for candle in VENUE.parse_rest_candles("BTC/USD", MINUTES, body, None).items]
    assert opens == [60 * SECOND, 120 * SECOND, 180 * SECOND]


def test_rest_refusal_when_it_is_not_of_a_product_then_is_not_explained() -> None:
    """A path that is not there has a 404 too."""
    assert VENUE.explain_refusal("BTC/USD", 404, b'{"message":"Route not found"}') is None
    assert VENUE.explain_refusal("", 404, b'{"message":"NotFound"}') is None
    assert VENUE.explain_refusal("BTC/USD", 400, b'{"message":"NotFound"}') is None


def test_rest_candles_when_asked_for_then_windows_lead_back_without_a_hole() -> None:
    """Each is 300 candles with both its ends, and begins where the one before it ended."""
    since, until = parse_iso("2025-11-10T12:25:30Z"), parse_iso("2025-11-10T17:30:00Z")
    request = VENUE.rest_candles_request("BTC/USD", MINUTES, since, until, None)
    assert request.path == "/products/BTC-USD/candles"
    assert request.query == {"granularity": "60", "start": "2025-11-10T12:25:00Z", "end": "2025-11-10T17:24:00Z"}
    assert request.cursor == f"{parse_iso('2025-11-10T17:24:00Z') // SECOND}"
    following = VENUE.rest_candles_request("BTC/USD", MINUTES, since, until, request.cursor)
    assert following.query["start"] == request.query["end"]
    assert following.cursor == ""


def test_rest_candles_when_there_is_no_end_then_the_running_interval_is_the_last() -> None:
    """An end in the far future is as good as none: what has not happened has no candle."""
    since = time.time_ns() - 10 * MINUTE
    for until in (None, time.time_ns() + 1000 * MINUTE):
        assert VENUE.rest_candles_request("BTC/USD", MINUTES, since, until, None).cursor == ""
        assert VENUE.rest_candles_request("BTC/USD", MINUTES, since - 300 * MINUTE, until, None).cursor


def test_rest_candles_when_a_window_is_empty_then_the_next_one_is_asked_for() -> None:
    """A quiet stretch is no end, however long it is."""
    assert VENUE.parse_rest_candles("BTC/USD", MINUTES, b"[]", "1762794600").cursor == "1762794600"
    assert VENUE.parse_rest_candles("BTC/USD", MINUTES, b"[]", "").cursor is None


def test_rest_candles_when_a_row_is_not_right_then_is_a_message_error() -> None:
    """A price as on the socket, and an open that is none of the timeframe."""
    with pytest.raises(MessageError, match="over 0"):
        VENUE.parse_rest_candles("BTC/USD", MINUTES, b"[[60,0,2,1,2,3]]", None)
    with pytest.raises(MessageError, match="1m"):
        VENUE.parse_rest_candles("BTC/USD", MINUTES, b"[[61,1,2,1,2,3]]", None)


def test_feeds_when_asked_for_what_it_has_not_then_say_so() -> None:
    """Live candles, and contracts."""
    with pytest.raises(ValueError, match="it has none"):
        coinbase.candles(["BTC/USD"], "1m")
    with pytest.raises(ValueError, match="1m, 5m, 15m, 1h, 6h, 1d"):
        coinbase.rest_candles("BTC/USD", "4h", since=0)
    with pytest.raises(UnknownSymbol, match="contracts"):
        coinbase.trades(["BTC/USD:USD"])
