"""What is Bitfinex's own: numbered channels, trades that come twice, and arrays that may grow."""

from __future__ import annotations

import json

import pytest

from rxstreams.errors import MessageError, RateLimited, SubscriptionError, UnknownSymbol
from rxstreams.instants import MINUTE, SECOND, parse_iso
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sources import bitfinex
from rxstreams.sources._pages import candle_pages
from rxstreams.sources.venue import Acknowledged, Channel, Goodbye, Heartbeat, Message, Rejected, Skipped, Unknown
from rxstreams.testing.formats import Subscribe
from rxstreams.testing.formats.bitfinex import BitfinexFormat
from rxstreams.timeframe import Timeframe

VENUE = bitfinex.Bitfinex()
TRADES = Channel("trades")
START = parse_iso("2025-11-10T17:23:00Z")
TRADE = [401597395, 1574694478808, 0.005, 7245.3]


def encode(message: object) -> bytes:
    """Return the message as the socket brings it."""
    return json.dumps(message, separators=(",", ":")).encode()


def subscribed(number: int, spelling: str, **more: object) -> bytes:
    """Return the answer that numbers a channel of trades."""
    return encode({"event": "subscribed", "channel": "trades", "chanId": number, "symbol": spelling, **more})


def after(*frames: bytes) -> list[Message]:
    """Return what a new connection makes of the last of some frames."""
    parse = VENUE.conversation().parse
    messages: list[Message] = []
    for frame in frames:
        messages = list(parse(frame))
    return messages


def test_parser_when_two_connections_number_their_channels_then_they_don_t_know_each_others() -> None:
    """The same number may mean another symbol on each."""
    one, two = VENUE.conversation().parse, VENUE.conversation().parse
    list(one(subscribed(5, "tBTCUSD")))
    list(two(subscribed(5, "tETHUSD")))
    ticks = [next(iter(parse(encode([5, "te", TRADE])))) for parse in (one, two)]
    assert [tick.symbol for tick in ticks if isinstance(tick, PriceTick)] == ["BTC/USD", "ETH/USD"]
    assert list(VENUE.parse(encode([5, "te", TRADE]))) == [Unknown(kind="data of an unknown channel")]


def test_parser_when_a_trade_comes_as_te_and_tu_then_it_is_given_once() -> None:
    """Both have the same content; the earlier one counts."""
    parse = VENUE.conversation().parse
    list(parse(subscribed(5, "tBTCUSD")))
    messages = [*parse(encode([5, "te", TRADE])), *parse(encode([5, "tu", TRADE]))]
    assert [message.trade_id for message in messages if isinstance(message, PriceTick)] == [401597395]
    assert len(messages) == 1


def test_parser_when_a_channel_was_ended_then_its_number_means_nothing() -> None:
    """It may be given to another symbol later."""
    ended = encode({"event": "unsubscribed", "status": "OK", "chanId": 5})
    frames = (subscribed(5, "tBTCUSD"), ended, encode([5, "te", TRADE]))
    assert after(*frames) == [Unknown(kind="data of an unknown channel")]
    assert after(ended) == []
    (tick,) = after(subscribed(5, "tBTCUSD"), ended, subscribed(5, "tDOGE:USD"), encode([5, "te", TRADE]))
    assert isinstance(tick, PriceTick)
    assert tick.symbol == "DOGE/USD"


def test_parser_when_subscribed_twice_then_the_first_channel_stays_and_is_acknowledged() -> None:
    """So a symbol that was removed before its channel was acknowledged can be added again."""
    again = encode(
        {"channel": "trades", "symbol": "tBTCUSD", "subId": "9", "event": "error", "code": 10301, "chanId": 5}
    )
    assert after(subscribed(5, "tBTCUSD", subId="7"), again) == [Acknowledged(symbols=("BTC/USD",), request=9)]
    (tick,) = after(again, encode([5, "te", TRADE]))
    assert isinstance(tick, PriceTick)


@pytest.mark.parametrize(
    "frame",
    [
        encode([5, "te", [1, 1574694478808, 1.5, 0]]),
        encode([5, "te", [1, 1574694478808, 1.5, -7245.3]]),
        encode([5, "te", [1, 1574694478808, 1.5]]),
        encode([5, "te", [1, 1574694478808.5, 1.5, 7245.3]]),
        encode([5, "te", [1, 10**16, 1.5, 7245.3]]),
        b'[5,"te",[]]',
        encode([5, "te"]),
        b'[5,"te",[1,1574694478808,1.5,1e999]]',
        encode([6, [1762795380001, 1.5, 2.0, 2.5, 1.25, 10.5]]),
        encode([6, [1762795380000, 1.5, 2.0, 1.9, 1.25, 10.5]]),
        encode([6, [1762795380000, 1.5, 2.0, 2.5, 0, 10.5]]),
        encode([6, [1762795380000, 1.5, 2.0, 2.5, 1.25, -1]]),
        encode([6, [1762795380000, 1.5, 2.0, 2.5]]),
        encode(["5", "te", TRADE]),
        encode({"event": "subscribed", "channel": "trades", "symbol": "tBTCUSD"}),
        encode({"event": 5}),
        encode([5]),
    ],
)
def test_parse_when_a_frame_is_not_as_documented_then_raises_message_error(frame: bytes) -> None:
    """Never a wrong item, never another exception."""
    candles = encode({"event": "subscribed", "channel": "candles", "chanId": 6, "key": "trade:1m:tBTCUSD"})
    with pytest.raises(MessageError):
        after(subscribed(5, "tBTCUSD"), candles, frame)


def test_parse_when_arrays_have_more_elements_then_the_known_ones_count() -> None:
    """They may grow at their end; numbers of a sequence and times stand there too, where they are asked for."""
    (plain,) = after(subscribed(5, "tBTCUSD"), encode([5, "te", TRADE]))
    (longer,) = after(subscribed(5, "tBTCUSD"), encode([5, "te", [*TRADE, "new"], 128, 1574694478900]))
    spaced = json.dumps([5, "te", TRADE]).encode()
    assert plain == longer == after(subscribed(5, "tBTCUSD"), spaced)[0]
    candles = encode({"event": "subscribed", "channel": "candles", "chanId": 6, "key": "trade:1h:tTESTBTC:TESTUSD"})
    (candle,) = after(candles, encode([6, [1762794000000, 2, 3, 4, 1, 10, None], 129]))
    assert isinstance(candle, OHLCCandle)
    assert (candle.symbol, candle.timeframe) == ("TESTBTC/TESTUSD", Timeframe("1h"))
    assert (candle.open, candle.close, candle.high, candle.low, candle.volume) == (2.0, 3.0, 4.0, 1.0, 10.0)


def test_parse_when_messages_are_not_data_then_they_are_told_apart() -> None:
    """Greeting, signs of life of channels that are not known yet, maintenance, and what was never asked for."""
    assert after(b'{"event":"info","version":2,"serverId":"x","platform":{"status":1}}') == []
    assert after(b'[205646,"hb",3]') == [Heartbeat()]
    assert after(b'{"event":"info","code":20060,"msg":"Entering in Maintenance mode"}') == [Unknown(kind="info 20060")]
    assert after(b'{"event":"info","code":20061,"msg":"Maintenance ended"}') == [Goodbye(reason="Maintenance ended")]
    assert after(b'{"event":"conf","status":"OK","flags":65536}') == [Unknown(kind="conf")]
    assert after(b'{"event":"subscribed","channel":"book","chanId":7,"symbol":"tBTCUSD"}') == [
        Unknown(kind="subscribed book")
    ]
    assert after(subscribed(5, "tBTCUSD"), b'[5,"fte",[1,2,3,4,5]]') == [Unknown(kind="fte")]
    assert after(subscribed(5, "tBTCUSD"), b"[5,[]]") == [Unknown(kind="trade snapshot")]


def test_snapshot_when_it_is_not_the_first_then_its_trades_may_be_new() -> None:
    """One follows each subscription; what another one holds may have come, or not."""
    again = [Skipped(symbols=("BTC/USD",), kind="another trade snapshot")]
    ended = encode({"event": "unsubscribed", "status": "OK", "chanId": 5})
    duplicate = {"event": "error", "channel": "trades", "symbol": "tBTCUSD", "code": 10301, "chanId": 5}
    assert after(subscribed(5, "tBTCUSD"), encode([5, [TRADE]]), encode([5, [TRADE]])) == again
    assert after(encode(duplicate), encode([5, [TRADE]])) == again
    assert after(subscribed(5, "tBTCUSD"), ended, encode(duplicate), encode([5, [TRADE]])) == again
    frames = (subscribed(5, "tBTCUSD"), encode([5, [TRADE]]), ended, subscribed(5, "tBTCUSD"), encode([5, [TRADE]]))
    assert after(*frames) == [Unknown(kind="trade snapshot")]


@pytest.mark.parametrize(
    ("code", "words", "is_final"),
    [
        (10300, "symbol: invalid", True),
        (10300, "key: invalid", True),
        (10300, "pair: invalid", True),
        (10300, "subscribe: failed", False),
        (10000, "event: invalid (nope)", False),
        (10001, "generic error", False),
        (10008, "concurrency", False),
        (10302, "channel: unknown", False),
        (10305, "subscribe: limit", False),
        (10400, "unsubscribe: invalid", False),
        (11000, "ready: invalid", False),
        (20060, "symbol: maintenance", False),
    ],
)
def test_error_when_it_is_not_about_the_symbol_then_ends_none(code: int, words: str, is_final: bool) -> None:
    """What passes leaves the request unanswered, and is told when nothing comes; with the symbol named or not."""
    unknown = Unknown(kind=f"error: {words} ({code})")
    named = {"event": "error", "channel": "trades", "symbol": "tBTCUSD", "subId": "3", "msg": words, "code": code}
    numbered = {"event": "error", "subId": "3", "msg": words, "code": code}
    assert after(encode(named)) == [
        Rejected(symbols=("BTC/USD",), reason=words, request=3) if is_final else unknown,
    ]
    assert after(encode(numbered)) == [Rejected(reason=words, request=3) if is_final else unknown]
    assert after(encode({"event": "error", "msg": words, "code": code})) == [unknown]


def test_frames_when_built_then_carry_their_number() -> None:
    """The answer repeats it."""
    assert json.loads(VENUE.subscribe_frame(TRADES, ["BTC/USDT"], 7)) == {
        "event": "subscribe",
        "channel": "trades",
        "symbol": "tBTCUST",
        "subId": "7",
    }
    assert json.loads(VENUE.subscribe_frame(Channel("candles", Timeframe("1d")), ["DOGE/USD"], 8)) == {
        "event": "subscribe",
        "channel": "candles",
        "key": "trade:1D:tDOGE:USD",
        "subId": "8",
    }
    assert json.loads(VENUE.probe_frame(9)) == {"event": "ping", "cid": 9}


def test_unsubscribe_frame_when_the_channels_number_is_known_then_names_it() -> None:
    """Known to the connection on which it was acknowledged; the venue's server takes it."""
    fmt, connection = BitfinexFormat(), VENUE.conversation()
    hours = Channel("candles", Timeframe("1h"))
    for channel in (TRADES, hours):
        command = fmt.decode(VENUE.subscribe_frame(channel, ["BTC/USD"], 1).encode())
        assert isinstance(command, Subscribe)
        for answer in fmt.acknowledge(command, command.symbols, 0, 0):
            list(connection.parse(answer))
    frames = [connection.unsubscribe_frame(channel, ["BTC/USD"], 2) or "" for channel in (hours, TRADES)]
    assert json.loads(frames[0]) == {"event": "unsubscribe", "chanId": json.loads(frames[1])["chanId"] + 1}
    assert [fmt.decode(frame.encode()) for frame in frames] == [
        Subscribe(kind="candles", symbols=("tBTCUSD",), minutes=60, active=False),
        Subscribe(kind="trades", symbols=("tBTCUSD",), active=False),
    ]
    assert VENUE.unsubscribe_frame(TRADES, ["BTC/USD"], 3) is None


def test_unsubscribe_frame_when_the_channel_is_not_there_or_ends_already_then_is_none() -> None:
    """It is asked for again when a channel is acknowledged: there may be another one of the same symbol then."""
    connection = VENUE.conversation()

    def ended() -> str | None:
        return connection.unsubscribe_frame(TRADES, ["BTC/USD"], 2)

    assert ended() is None
    list(connection.parse(subscribed(5, "tBTCUSD")))
    assert ended() == '{"event":"unsubscribe","chanId":5}'
    assert ended() is None
    list(connection.parse(encode({"event": "unsubscribed", "status": "OK", "chanId": 5})))
    assert ended() is None
    list(connection.parse(subscribed(6, "tETHUSD")))
    assert ended() is None
    for number in (5, 7):
        list(connection.parse(subscribed(number, "tBTCUSD")))
        assert ended() == f'{{"event":"unsubscribe","chanId":{number}}}'


def test_symbols_when_they_can_not_be_spelt_then_say_what_would_be_meant() -> None:
    """``UST`` is the venue's name of USDT, ``LUNA`` that of LUNC."""
    with pytest.raises(UnknownSymbol, match="BTC/USDT"):
        VENUE.to_venue_symbol("BTC/UST")
    assert VENUE.to_venue_symbol("LUNA/USD") == "tLUNA2:USD"
    assert VENUE.from_venue_symbol("tLUNA:USD") == "LUNC/USD"
    for spelling in ("BTCUSD", "tbtcusd", "tBTCUSDT", "fUSD", "t:USD", "tBTC:"):
        with pytest.raises(ValueError, match="expected a pair"):
            VENUE.from_venue_symbol(spelling)


def test_rest_requests_when_built_then_go_forward_in_milliseconds() -> None:
    """Both ends are inclusive there; ``until`` is not."""
    request = VENUE.rest_trades_request("BTC/USDT:USDT", START + 1, START + MINUTE, None)
    assert request.path == "/v2/trades/tBTCF0:USTF0/hist"
    first = START // 1_000_000
    expected = {"start": str(first), "end": str(first + 59_999), "limit": "10000", "sort": "1"}
    assert request.query == expected
    request = VENUE.rest_trades_request("BTC/USD", START, None, "1762795390000")
    assert request.query == {"start": "1762795390000", "limit": "10000", "sort": "1"}
    request = VENUE.rest_candles_request("BTC/USD", Timeframe("1d"), 0, None, None)
    assert (request.path, request.query["start"]) == ("/v2/candles/trade:1D:tBTCUSD/hist", "0")
    for text in ("1w", "14d", "1M"):
        with pytest.raises(ValueError, match="no past candles"):
            VENUE.rest_candles_request("BTC/USD", Timeframe(text), 0, None, None)


def test_rest_candles_when_one_can_not_begin_then_then_raises_message_error() -> None:
    """A day that begins at eight, say."""
    body = encode([[START // 1_000_000, 2.0, 2.0, 2.0, 2.0, 0.5]])
    assert len(VENUE.parse_rest_candles("BTC/USD", Timeframe("1m"), body, None).items) == 1
    with pytest.raises(MessageError, match="opens at"):
        VENUE.parse_rest_candles("BTC/USD", Timeframe("5m"), body, None)


def test_settle_when_a_candle_has_just_ended_then_rest_is_not_believed_yet() -> None:
    """Two seconds for the id of a trade, and five for which an answer may come from a cache; candles change late."""
    assert VENUE.settle > 2.0 + 5.0
    minute, row = Timeframe("1m"), encode([[START // 1_000_000, 2.0, 2.0, 2.0, 2.0, 0.5]])
    pages = candle_pages(VENUE, "BTC/USD", minute, START, None, settle=int(VENUE.settle * SECOND))
    for after_the_end, closed in ((7 * SECOND, False), (int(VENUE.settle * SECOND), True)):
        (candle,) = pages.parse(row, None, START + MINUTE + after_the_end).items
        assert (candle.closed, candle.complete) == (closed, closed)
    assert VENUE.candles_may_change


def test_rest_pages_when_full_then_the_next_overlaps_by_its_first_millisecond() -> None:
    """A page may end between trades of one millisecond; candles have each their own."""
    first = START // 1_000_000
    rows = [[number, first + number // 3, 0.5, 2.0] for number in range(10_000)]
    assert VENUE.parse_rest_trades("BTC/USD", encode(rows), None).cursor == str(first + 3_333)
    assert VENUE.parse_rest_trades("BTC/USD", encode(rows[:-1]), None).cursor is None
    rows = [[first + number * 60_000, 2.0, 2.0, 2.0, 2.0, 0.5] for number in range(10_000)]
    page = VENUE.parse_rest_candles("BTC/USD", Timeframe("1m"), encode(rows), None)
    assert page.cursor == str(first + 9_999 * 60_000 + 1)


@pytest.mark.parametrize("body", [b'{"error":"ERR_RATE_LIMIT"}', b'["error",11010,"ratelimit: error"]'])
def test_rest_when_the_address_is_blocked_then_waits_for_a_minute(body: bytes) -> None:
    """Whatever its HTTP status."""
    with pytest.raises(RateLimited) as raised:
        VENUE.parse_rest_trades("BTC/USD", body, None)
    assert raised.value.retry_after == 60.0
    assert isinstance(VENUE.explain_refusal("BTC/USD", 400, body), RateLimited)


def test_rest_when_the_body_is_an_error_then_says_which() -> None:
    """An unknown symbol is its end; what else is wrong is shown."""
    with pytest.raises(SubscriptionError, match="BTC/USD"):
        VENUE.parse_rest_candles("BTC/USD", Timeframe("1m"), b'["error",10020,"symbol: invalid"]', None)
    with pytest.raises(MessageError, match="maintenance"):
        VENUE.parse_rest_trades("BTC/USD", b'["error",20060,"maintenance"]', None)
    assert VENUE.explain_refusal("BTC/USD", 500, b'["error",20060,"maintenance"]') is None
    assert VENUE.explain_refusal("", 500, b'["error",10020,"symbol: invalid"]') is None


def test_rest_limits_when_read_then_trades_count_twice() -> None:
    """15 requests a minute for trades, 30 for candles, of one budget."""
    assert VENUE.rest_limits == ((30, 60.0),)
    assert VENUE.rest_weight(VENUE.rest_trades_request("BTC/USD", 0, None, None)) == 2
    assert VENUE.rest_weight(VENUE.rest_candles_request("BTC/USD", Timeframe("1m"), 0, None, None)) == 1
