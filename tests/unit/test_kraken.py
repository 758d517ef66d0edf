"""Kraken's messages, in and out."""

from __future__ import annotations

import json
import math
import time

import pytest

from rxstreams.errors import MessageError, RateLimited, SubscriptionError, UnknownSymbol
from rxstreams.instants import MINUTE, SECOND, parse_iso
from rxstreams.items import OHLCCandle, PriceTick, Side
from rxstreams.sources import kraken
from rxstreams.sources.venue import Acknowledged, Channel, Heartbeat, Rejected, Skipped, Unknown
from rxstreams.timeframe import Timeframe

VENUE = kraken.Kraken()
TRADES = Channel("trades")
START = parse_iso("2025-11-10T17:23:00Z")
TRADE = {
    "symbol": "BTC/USD",
    "side": "sell",
    "price": 64000.1,
    "qty": 0.25,
    "ord_type": "market",
    "trade_id": 77,
    "timestamp": "2025-11-10T17:23:53.971744Z",
}


def encode(message: object) -> bytes:
    """Return the message as the socket brings it."""
    return json.dumps(message, separators=(",", ":")).encode()


def trade_message(**changes: object) -> bytes:
    """Return a message with one trade."""
    return encode({"channel": "trade", "type": "update", "data": [{**TRADE, **changes}]})


def candle_message(**changes: object) -> bytes:
    """Return a message with one candle."""
    data = {
        "symbol": "BTC/USD",
        "interval": 5,
        "interval_begin": "2025-11-10T17:20:00.000000000Z",
        "open": 1.5,
        "high": 2.5,
        "low": 1.25,
        "close": 2.0,
        "volume": 10.0,
        "vwap": 1.75,
        "trades": 4,
    }
    return encode({"channel": "ohlc", "type": "update", "data": [{**data, **changes}]})


def test_parse_when_a_message_carries_trades_then_gives_ticks_with_exact_times() -> None:
    """Every field is read; the time keeps all its digits."""
    (tick,) = VENUE.parse(trade_message())
    assert tick == PriceTick(
        symbol="BTC/USD",
        price=64000.1,
        volume=0.25,
        timestamp=1_762_795_433_971_744_000,
        exchange="kraken",
        trade_id=77,
        side=Side.SELL,
    )


def test_parse_when_the_keys_come_in_another_order_then_gives_the_same_tick() -> None:
    """The quick look at the first bytes is only a shortcut."""
    message = encode({"data": [TRADE], "type": "update", "channel": "trade"})
    assert list(VENUE.parse(message)) == list(VENUE.parse(trade_message()))


@pytest.mark.parametrize("kind", ["snapshot", "insert"])
def test_parse_when_trades_come_as_no_update_then_they_are_not_live_ticks(kind: str) -> None:
    """A snapshot repeats the past, and none is asked for; so some of its trades may be new."""
    message = encode({"channel": "trade", "type": kind, "data": [TRADE, TRADE, {**TRADE, "symbol": "ETH/USD"}]})
    assert list(VENUE.parse(message)) == [Skipped(symbols=("BTC/USD", "ETH/USD"), kind=f"trade {kind}")]


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"channel":"trade"',
        b'{"channel":"trade","type":"update","data":[{}]}',
        b"\xff\xfe",
        trade_message(price="64000.1"),
        trade_message(price=0),
        trade_message(price=-1.5),
        trade_message(qty=-1.0),
        trade_message(side="hold"),
        trade_message(timestamp="yesterday"),
        trade_message(timestamp="2263-01-01T00:00:00Z"),
        trade_message(timestamp="2025-11-10T17:23:53+02:00"),
        trade_message(trade_id=1.5),
        trade_message(symbol=None),
        b'{"channel":"ohlc","type":"update","data":[{"symbol":"BTC/USD"}]}',
        b'{"method":"subscribe","success":true,"time_out":"now","result":{"symbol":"BTC/USD"}}',
    ],
)
def test_parse_when_a_frame_is_not_what_the_documentation_says_then_raises_message_error(frame: bytes) -> None:
    """Never a wrong item, never another exception; the error carries the payload."""
    with pytest.raises(MessageError):
        list(VENUE.parse(frame))


def test_parse_when_a_frame_is_huge_and_bad_then_the_error_keeps_a_cut_of_it() -> None:
    """An error must not hold megabytes."""
    with pytest.raises(MessageError) as caught:
        list(VENUE.parse(b"[" + b"1," * 100_000))
    assert len(caught.value.payload) < 300


def test_parse_when_a_subscription_is_answered_then_gives_symbol_time_and_request() -> None:
    """Success and refusal."""
    accepted = encode(
        {
            "method": "subscribe",
            "req_id": 3,
            "success": True,
            "result": {"channel": "trade", "symbol": "BTC/USD", "snapshot": False},
            "time_in": "2025-11-10T17:23:53.000001Z",
            "time_out": "2025-11-10T17:23:53.000002Z",
        }
    )
    assert list(VENUE.parse(accepted)) == [
        Acknowledged(symbols=("BTC/USD",), time=1_762_795_433_000_002_000, request=3)
    ]
    refused = encode(
        {
            "method": "subscribe",
            "req_id": 4,
            "success": False,
            "symbol": "ABC/USD",
            "error": "Currency pair not supported ABC/USD",
        }
    )
    assert list(VENUE.parse(refused)) == [
        Rejected(symbols=("ABC/USD",), reason="Currency pair not supported ABC/USD", request=4)
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Currency pair not supported BTC/USD", Rejected),
        ("Already subscribed to one trade on BTC/USD", Acknowledged),
        ("Exceeded msg rate", Unknown),
        ("Internal error", Unknown),
        ("", Unknown),
    ],
)
def test_refusal_when_it_is_not_the_pairs_fault_then_ends_no_symbol(words: str, expected: type[object]) -> None:
    """What passes leaves the request unanswered, and is told when nothing comes."""
    refusal = {"method": "subscribe", "req_id": 4, "success": False, "symbol": "BTC/USD", "error": words}
    (message,) = VENUE.parse(encode(refusal))
    assert isinstance(message, expected)
    if isinstance(message, Unknown):
        assert message.kind == f"error: {words}"
    elif isinstance(message, Acknowledged):
        assert message == Acknowledged(symbols=("BTC/USD",), request=4)
    (message,) = VENUE.parse(encode({"error": words or "?"}))
    assert message == Unknown(kind=f"error: {words or '?'}")


def test_parse_when_an_error_names_a_symbol_then_only_the_first_request_for_it_can_still_be_answered() -> None:
    """In answer to a request it may pass; unasked for, the venue has ended the symbol."""
    error = {"method": "subscribe", "success": False, "symbol": "BTC/USD", "error": "Internal error"}
    assert list(VENUE.parse(encode({**error, "req_id": 4}))) == [Unknown(kind="error: Internal error")]
    assert list(VENUE.parse(encode(error))) == [Rejected(symbols=("BTC/USD",), reason="Internal error")]


def test_parse_when_messages_are_not_data_then_they_are_told_apart() -> None:
    """Signs of life, the greeting, and what we don't know."""
    assert list(VENUE.parse(b'{"channel":"heartbeat"}')) == [Heartbeat()]
    assert list(VENUE.parse(b'{"method":"pong","req_id":42}')) == [Heartbeat()]
    assert list(VENUE.parse(b'{"channel":"status","type":"update","data":[{"system":"online"}]}')) == []
    assert list(VENUE.parse(b'{"channel":"ticker","type":"update","data":[]}')) == [Unknown(kind="ticker")]
    assert list(VENUE.parse(b'{"method":"unsubscribe","success":false,"error":"Subscription Not Found"}')) == [
        Unknown(kind="unsubscribe refused")
    ]


def test_parse_when_a_candle_comes_then_it_is_open() -> None:
    """Kraken has no closed flag."""
    (candle,) = VENUE.parse(candle_message())
    assert isinstance(candle, OHLCCandle)
    assert candle == OHLCCandle(
        symbol="BTC/USD",
        timeframe=Timeframe("5m"),
        open_time=1_762_795_200_000_000_000,
        open=1.5,
        high=2.5,
        low=1.25,
        close=2.0,
        volume=10.0,
        trades=4,
        quote_volume=17.5,
        exchange="kraken",
        closed=False,
    )
    with pytest.raises(MessageError):
        list(VENUE.parse(candle_message(high=1.0)))


@pytest.mark.parametrize(
    ("minutes", "begin"), [(5, "2025-11-10T17:21:00Z"), (10080, "2025-11-13T00:00:00Z"), (1440, "2025-11-10T08:00:00Z")]
)
def test_candle_when_none_can_begin_then_then_raises_message_error(minutes: int, begin: str) -> None:
    """A week that begins on a Thursday would be one of four days here; live or past."""
    with pytest.raises(MessageError, match="opens at"):
        list(VENUE.parse(candle_message(interval=minutes, interval_begin=begin)))
    row = f'[{parse_iso(begin) // SECOND},"1.0","2.0","1.0","1.5","1.25","4.0",3]'
    body = f'{{"error":[],"result":{{"XXBTZUSD":[{row}],"last":0}}}}'.encode()
    with pytest.raises(MessageError, match="opens at"):
        VENUE.parse_rest_candles("BTC/USD", Timeframe(minutes), body, None)


@pytest.mark.parametrize("timeframe", ["1w", "15d"])
def test_timeframe_when_it_is_not_known_where_it_begins_then_is_not_offered(timeframe: str) -> None:
    """Though the venue has it."""
    with pytest.raises(ValueError, match="no live candles"):
        VENUE.check_timeframe(Timeframe(timeframe))
    with pytest.raises(ValueError, match="no past candles"):
        VENUE.check_timeframe(Timeframe(timeframe), rest=True)


def test_frames_when_built_then_they_ask_without_a_snapshot() -> None:
    """What the venue's documentation says to send."""
    assert json.loads(VENUE.subscribe_frame(TRADES, ["BTC/USD", "ETH/USD"], 7)) == {
        "method": "subscribe",
        "params": {"channel": "trade", "symbol": ["BTC/USD", "ETH/USD"], "snapshot": False},
        "req_id": 7,
    }
    assert json.loads(VENUE.unsubscribe_frame(Channel("candles", Timeframe("1h")), ["BTC/USD"], 8)) == {
        "method": "unsubscribe",
        "params": {"channel": "ohlc", "symbol": ["BTC/USD"], "interval": 60},
        "req_id": 8,
    }
    probe = VENUE.probe_frame(9)
    assert probe is not None
    assert json.loads(probe) == {"method": "ping", "req_id": 9}


def test_rest_trades_when_parsed_then_times_are_the_sockets_and_a_full_page_goes_on() -> None:
    """No float on the way of a time, which is cut as the socket cuts it; a short page is the last."""
    rows = '["105433.60000","0.00027625",1762795433.9717445,"b","l","",10218208]'
    body = '{"error":[],"result":{"XBTUSDT":[' + rows + '],"last":"1762795433971744512"}}'
    page = VENUE.parse_rest_trades("BTC/USDT", body.encode(), None)
    assert page.cursor is None
    (tick,) = page.items
    assert (tick.symbol, tick.price, tick.volume) == ("BTC/USDT", 105433.6, 0.00027625)
    assert (tick.timestamp, tick.trade_id, tick.side) == (1_762_795_433_971_744_000, 10218208, Side.BUY)
    full = '{"error":[],"result":{"XBTUSDT":[' + ",".join([rows] * 1000) + '],"last":"1762795433971744512"}}'
    assert VENUE.parse_rest_trades("BTC/USDT", full.encode(), None).cursor == "1762795433971744512"


def test_rest_trades_when_one_instant_came_live_too_then_have_its_stamp() -> None:
    """The exact time of both is …971744512: what is written on both ways is cut from it."""
    (live,) = VENUE.parse(trade_message(timestamp="2025-11-10T17:23:53.971744Z"))
    body = b'{"error":[],"result":{"XXBTZUSD":[["64000.1","0.25",1762795433.9717445,"s","m","",77]],"last":"1"}}'
    assert list(VENUE.parse_rest_trades("BTC/USD", body, None).items) == [live]
    # The float of a time may have been rounded up to the next microsecond: then recovery takes the live one.
    assert VENUE.rest_resolution == 1000


def test_rest_candles_when_parsed_then_only_the_running_one_is_open() -> None:
    """The venue's own closed candles are complete."""
    row = '"1.0","2.0","1.0","1.5","1.25","4.0",3]'
    body = f'{{"error":[],"result":{{"XBTUSDT":[[1762777020,{row},[1762777080,{row}],"last":1762777020}}}}'
    first, last = VENUE.parse_rest_candles("BTC/USDT", Timeframe("1m"), body.encode(), None).items
    assert (first.closed, first.complete, first.trades, first.quote_volume) == (True, True, 3, 5.0)
    assert (last.closed, last.complete) == (False, False)


@pytest.mark.parametrize(
    ("rows", "since", "truncated"),
    [
        (720, 59, False),
        (720, 1, False),
        (720, 0, True),
        (721, 0, True),
        (719, 0, False),
        (720, None, True),
    ],
)
def test_rest_candles_when_all_that_there_are_then_older_ones_may_be_missing(
    rows: int, since: int | None, truncated: bool
) -> None:
    """Unless the first one is the first that begins at or after the time that was asked for."""
    begin = START // SECOND
    row = '"1.0","2.0","1.0","1.5","1.25","4.0",3]'
    body = ",".join(f"[{begin + 60 * number},{row}" for number in range(rows))
    asked = None
    if since is not None:
        asked = VENUE.rest_candles_request(
            "BTC/USDT", Timeframe("1m"), START - MINUTE + since * SECOND, None, None
        ).cursor
    answer = f'{{"error":[],"result":{{"XBTUSDT":[{body}],"last":{begin}}}}}'.encode()
    page = VENUE.parse_rest_candles("BTC/USDT", Timeframe("1m"), answer, asked)
    assert (len(page.items), page.truncated, page.cursor) == (rows, truncated, None)


def test_rest_when_the_answer_is_an_error_then_it_is_told() -> None:
    """An unknown pair is the symbol's end, anything else a message error."""
    with pytest.raises(SubscriptionError, match="ABC/USD"):
        VENUE.parse_rest_trades("ABC/USD", b'{"error":["EQuery:Unknown asset pair"]}', None)
    for body in (b'{"error":["EGeneral:Internal error"]}', b'{"error":[],"result":{}}', b"<html>", b'{"error":[],'):
        with pytest.raises(MessageError):
            VENUE.parse_rest_trades("BTC/USD", body, None)


@pytest.mark.parametrize("reason", ["EAPI:Rate limit exceeded", "EGeneral:Too many requests", "EService: Throttled: 1"])
def test_rest_when_there_were_too_many_requests_then_is_no_message_error(reason: str) -> None:
    """It comes with HTTP 200; it must keep everybody away for a while."""
    body = f'{{"error":["{reason}"]}}'.encode()
    with pytest.raises(RateLimited, match=reason):
        VENUE.parse_rest_trades("BTC/USD", body, None)
    with pytest.raises(RateLimited, match=reason):
        VENUE.parse_rest_candles("BTC/USD", Timeframe("1m"), body, None)


@pytest.mark.parametrize(
    ("reason", "wait"),
    [
        ("EService: Throttled: {}", 30.0),
        ("EService:Throttled: [{}]", 30.0),
        ("EAPI:Rate limit exceeded", None),
        ("EService: Throttled: 5", 0.0),
    ],
)
def test_rest_when_throttled_until_a_time_then_waits_for_it(reason: str, wait: float | None) -> None:
    """A time of the server's clock, seconds since the epoch; one that has passed asks for no wait."""
    reason = reason.format(math.ceil(time.time()) + 30)
    with pytest.raises(RateLimited) as raised:
        VENUE.parse_rest_trades("BTC/USD", f'{{"error":["{reason}"]}}'.encode(), None)
    asked = raised.value.retry_after
    assert asked == wait if not wait else asked is not None and wait - 20.0 < asked <= wait + 1.0


def test_rest_limits_when_read_then_are_those_that_the_documentation_calls_safe() -> None:
    """One a second, each counting one; no header tells more."""
    ((calls, period),) = VENUE.rest_limits
    assert calls <= period
    assert VENUE.rest_weight(VENUE.rest_trades_request("BTC/USD", 0, None, None)) == 1
    assert VENUE.used_weight({"Content-Type": "application/json"}) == {}


def test_rest_requests_when_built_then_name_the_pair_as_rest_does() -> None:
    """XBT and XDG live on in the REST API."""
    request = VENUE.rest_trades_request("BTC/USD", 1_000, None, None)
    assert request.path == "/0/public/Trades"
    assert request.query == {"pair": "XBTUSD", "count": "1000", "since": "999"}
    request = VENUE.rest_candles_request("DOGE/EUR", Timeframe("5m"), 300_000_000_000, None, None)
    assert request.query == {"pair": "XDGEUR", "interval": "5", "since": "299"}


def test_a_feed_when_its_arguments_are_wrong_then_says_what_was_expected() -> None:
    """The mistakes that are made in a first session."""
    with pytest.raises(UnknownSymbol, match="BTC/USD"):
        kraken.trades(["BTCUSD"])
    with pytest.raises(UnknownSymbol, match="at least one"):
        kraken.trades([])
    with pytest.raises(TypeError, match="list of symbols"):
        kraken.trades("BTC/USD")
    with pytest.raises(TypeError, match="silence_timeout"):
        kraken.trades(["BTC/USD"], silence=3)
    with pytest.raises(ValueError, match="it has 1m, 5m"):
        kraken.candles(["BTC/USD"], "7m")
    with pytest.raises(ValueError, match="url must look like"):
        kraken.trades(["BTC/USD"], url="http://example.test")


def test_rest_trades_request_when_it_goes_on_then_asks_for_the_last_instant_again() -> None:
    """A page may end between trades of one nanosecond; ``since`` is exclusive there, and never negative."""
    venue = kraken.Kraken()
    assert venue.rest_trades_request("BTC/USD", 5, None, "1688671969993150842").query["since"] == "1688671969993150841"
    assert venue.rest_trades_request("BTC/USD", 0, None, None).query["since"] == "0"
    assert venue.rest_candles_request("BTC/USD", Timeframe("1m"), 0, None, None).query["since"] == "0"


def test_rest_trades_when_the_cursor_is_no_number_then_is_a_message_error() -> None:
    """Found where it is read, not where the next page is asked for."""
    with pytest.raises(MessageError, match="soon"):
        kraken.Kraken().parse_rest_trades("BTC/USD", b'{"error":[],"result":{"XXBTZUSD":[],"last":"soon"}}', None)
