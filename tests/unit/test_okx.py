"""OKX: which trades are repeated ones, refusals, and where history goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import ClassVar, cast

import pytest
from line_bench import T0, A, B, Bench, PlainVenue

from rxstreams.errors import MessageError, RateLimited, SubscriptionError, UnknownSymbol
from rxstreams.items import PriceTick
from rxstreams.sources import okx
from rxstreams.sources.venue import Acknowledged, Channel, Heartbeat, Message, Rejected, Skipped, Unknown
from rxstreams.timeframe import Timeframe

VENUE = okx.Okx()
MINUTE = Timeframe("1m")
REPEATED = [Unknown(kind="trade snapshot")]
DOUBTFUL = [Skipped(symbols=("BTC/USDT",), kind="trade snapshot")]
Parse = Callable[[bytes], Iterable[Message]]


class NearOkx(okx.Okx):
    """At an address that need not be resolved."""

    url: ClassVar[str] = "ws://127.0.0.1:9"


def encode(message: object) -> bytes:
    """Return the message as the socket brings it."""
    return json.dumps(message, separators=(",", ":")).encode()


def accepted(spelling: str = "BTC-USDT", event: str = "subscribe") -> bytes:
    """Return the answer to a subscription."""
    return encode(
        {"id": "1", "event": event, "arg": {"channel": "trades-all", "instId": spelling}, "connId": "a4d3ae55"}
    )


def trade(number: int, seconds: int, spelling: str = "BTC-USDT", **changes: str) -> bytes:
    """Return a message with one trade."""
    row = {
        "instId": spelling,
        "tradeId": str(number),
        "px": "42219.9",
        "sz": "0.5",
        "side": "buy",
        "source": "0",
        "ts": str(1_630_048_800_000 + 1000 * seconds),
    }
    return encode({"arg": {"channel": "trades-all", "instId": spelling}, "data": [{**row, **changes}]})


def numbers(messages: Iterable[Message]) -> list[object]:
    """Return the ids of trades, and whatever else there is."""
    return [message.trade_id if isinstance(message, PriceTick) else message for message in messages]


@pytest.fixture
def parse() -> Parse:
    """Read one connection, on which a symbol was subscribed to."""
    parse = VENUE.conversation().parse
    assert list(parse(accepted())) == [Acknowledged(symbols=("BTC/USDT",), request=1)]
    return parse


def test_first_trade_when_it_may_be_a_new_one_then_the_coverage_begins_anew_behind_it(parse: Parse) -> None:
    """However old it is; the next one is new, also when it has the same stamp."""
    assert list(parse(trade(700, 0))) == DOUBTFUL
    assert numbers(parse(trade(701, 0))) == [701]
    assert numbers(parse(trade(702, 1))) == [702]


def test_first_trade_when_it_is_the_first_that_there_ever_was_then_is_a_new_one(parse: Parse) -> None:
    """Nothing was before it that could be repeated."""
    assert numbers(parse(trade(1, 0))) == [1]
    assert numbers(parse(trade(2, 1))) == [2]


def test_first_trade_when_it_is_older_than_the_subscription_then_is_a_repeated_one(parse: Parse) -> None:
    """Even the first that there ever was: another symbol's trade had come before the subscription was accepted."""
    parse(trade(700, 0))
    assert numbers(parse(trade(701, 10))) == [701]
    parse(accepted("ETH-USDT"))
    assert list(parse(trade(1, 10, "ETH-USDT"))) == REPEATED
    assert numbers(parse(trade(2, 11, "ETH-USDT"))) == [2]


def test_first_trade_when_another_symbols_newer_trade_has_come_since_then_is_told_by_its_stamp(parse: Parse) -> None:
    """What is not older than a trade that came after the subscription came after it, too."""
    parse(accepted("ETH-USDT"))
    parse(accepted("LTC-USDT"))
    parse(trade(700, 0))
    assert numbers(parse(trade(701, 10))) == [701]
    assert numbers(parse(trade(90, 10, "ETH-USDT"))) == [90]
    assert list(parse(trade(50, 9, "LTC-USDT"))) == [Skipped(symbols=("LTC/USDT",), kind="trade snapshot")]


def test_first_trade_when_a_ping_was_answered_since_then_is_a_new_one(parse: Parse) -> None:
    """The repeated one comes at once; that of a market without trades never comes."""
    assert list(parse(b"pong")) == [Heartbeat()]
    assert numbers(parse(trade(700, 0))) == [700]


def test_first_trade_when_the_subscription_begins_again_then_is_a_repeated_one_again(parse: Parse) -> None:
    """Ended and begun anew on one connection; another connection knows nothing of it."""
    parse(trade(700, 0))
    assert list(parse(accepted(event="unsubscribe"))) == [
        Acknowledged(symbols=("BTC/USDT",), request=1, subscribed=False)
    ]
    assert numbers(parse(trade(701, 1))) == [701]
    parse(accepted())
    assert list(parse(trade(701, 1))) == REPEATED
    parse(accepted())
    assert list(parse(trade(702, 2))) == DOUBTFUL
    assert numbers(VENUE.conversation().parse(trade(703, 2))) == [703]


def test_first_trade_when_it_is_repeated_and_bad_then_is_a_message_error(parse: Parse) -> None:
    """It is read like any other."""
    with pytest.raises(MessageError):
        list(parse(trade(700, 0, px="0")))
    assert list(parse(trade(700, 0))) == DOUBTFUL


def test_first_trade_when_others_come_with_it_then_all_are_left_out_in_doubt(parse: Parse) -> None:
    """The first is not newer than the subscription; what stands behind it may be."""
    parse(trade(700, 0))
    parse(trade(701, 1))
    parse(accepted())
    rows = [json.loads(trade(number, 1))["data"][0] for number in (701, 702)]
    message = {"arg": {"channel": "trades-all", "instId": "BTC-USDT"}, "data": rows}
    assert list(parse(encode(message))) == DOUBTFUL


def test_first_trade_when_it_may_be_a_new_one_then_it_is_fetched_though_the_gap_was_closed() -> None:
    """A line that came back is quiet until then: its gaps are closed, and no ping was answered yet."""
    bench = Bench(cast("PlainVenue", NearOkx()), recovers=True)

    def push(number: int, seconds: float, spelling: str) -> None:
        stamp = str(T0 // 1_000_000 + round(1000 * seconds))
        bench.sockets[-1].on_next(trade(number, 0, spelling, ts=stamp))

    def accept() -> None:
        number = json.loads(bench.sent[-1])["id"]
        for spelling in ("A-USD", "B-USD"):
            bench.sockets[-1].on_next(accepted(spelling).replace(b'"1"', f'"{number}"'.encode()))

    def answer() -> int:
        bench.wait(6)
        running = [fetch for fetch in bench.fetches if fetch.running]
        for fetch in running:
            (last,) = (tick for tick in bench.ticks[-2:] if tick.symbol == fetch.symbol)
            fetch.answer(last)
        return len(running)

    accept()
    for number, seconds in enumerate((0, 1, 5, 60), 10):
        push(number, seconds, "A-USD")
        push(number, seconds, "B-USD")
    while answer():
        pass
    bench.lose(2)
    accept()
    while answer():
        pass
    assert [event.symbols for event in bench.events if event.kind == "recovered"][-2:] == [(A,), (B,)]
    push(14, 80, "A-USD")
    push(14, 122, "B-USD")
    bench.wait(6)
    assert {fetch.symbol for fetch in bench.fetches if fetch.running} == {A, B}
    assert [tick.trade_id for tick in bench.ticks if tick.symbol == A] == [11, 12, 13]


@pytest.mark.parametrize(
    "changes",
    [
        {"px": "-1"},
        {"px": "nan"},
        {"px": "cheap"},
        {"sz": "-1"},
        {"ts": "1630048897.5"},
        {"ts": "-1630048897000"},
        {"ts": "99999999999999999"},
        {"tradeId": "abc"},
        {"tradeId": "1_0"},
        {"tradeId": ""},
        {"side": "hold"},
        {"instId": "BTCUSDT"},
        {"instId": "BTC-USD-251226-60000-C"},
    ],
)
def test_trade_when_a_part_is_not_as_documented_then_is_a_message_error(changes: dict[str, str]) -> None:
    """Of the right type, but not what it should be."""
    with pytest.raises(MessageError):
        list(VENUE.parse(trade(700, 0, **changes)))


@pytest.mark.parametrize(
    ("column", "value"),
    [(8, "2"), (8, ""), (0, "now"), (0, "1630048860001"), (3, "0"), (2, "1"), (5, "-1"), (7, "inf"), (1, "")],
)
def test_candle_when_a_column_is_not_as_documented_then_is_a_message_error(column: int, value: str) -> None:
    """On the socket and over REST; a row that is too short, too."""
    row = ["1630048860000", "2.5", "3.5", "2.0", "3.0", "10", "25", "25", "0"]
    row[column] = value
    for bad in (row, row[:8]):
        with pytest.raises(MessageError):
            list(VENUE.parse(encode({"arg": {"channel": "candle1m", "instId": "BTC-USDT"}, "data": [bad]})))
        with pytest.raises(MessageError):
            VENUE.parse_rest_candles("BTC/USDT", MINUTE, encode({"code": "0", "msg": "", "data": [bad]}), None)


def test_parse_when_the_keys_come_in_another_order_then_gives_the_same() -> None:
    """The quick look at the first bytes is only a shortcut."""
    message = json.loads(trade(700, 0))
    assert list(VENUE.parse(encode(dict(reversed(message.items()))))) == list(VENUE.parse(trade(700, 0)))
    answer = json.loads(accepted())
    assert list(VENUE.parse(encode({"arg": answer.pop("arg"), **answer}))) == [
        Acknowledged(symbols=("BTC/USDT",), request=1)
    ]
    with pytest.raises(MessageError):
        list(VENUE.parse(b'{"arg":{"channel":"trades-all","instId":"BTC-USDT"}}'))


@pytest.mark.parametrize("code", ["60012", "60014", "60022", "60033", "63999", "64003", "50001", "50011", "50026", ""])
@pytest.mark.parametrize("text", ["Requests too frequent", "busy channel:trades-all,instId:BTC-USDT"])
def test_error_when_it_does_not_say_that_an_instrument_is_missing_then_refuses_nothing(code: str, text: str) -> None:
    """Too many requests, or the server is busy: the symbols are good, though one is named; the words are kept."""
    message = encode({"id": "3", "event": "error", "code": code, "msg": text})
    assert list(VENUE.parse(message)) == [Unknown(kind=f"error: {text} ({code})")]


def test_error_when_it_names_no_instrument_of_ours_then_the_request_tells_whose_it_is() -> None:
    """Without the number of one, it says nothing."""
    text = "channel:trades-all,instId:BTCUSDT doesn't exist"
    message = {"event": "error", "code": "60018", "msg": text}
    assert list(VENUE.parse(encode({"id": "3", **message}))) == [Rejected(reason=text, request=3)]
    assert list(VENUE.parse(encode(message))) == [Unknown(kind=f"error: {text} (60018)")]
    old = {"event": "error", "msg": "channel:tickers,instId:LTC-USD doesn't exist", "code": "60018"}
    assert list(VENUE.parse(encode(old))) == [Rejected(symbols=("LTC/USD",), reason=old["msg"])]


def test_frames_when_built_then_name_channel_and_instrument_for_each_symbol() -> None:
    """Days in UTC, not as in Hong Kong."""
    assert json.loads(VENUE.subscribe_frame(Channel("trades"), ["BTC/USDT", "BTC/USDT:USDT"], 7)) == {
        "id": "7",
        "op": "subscribe",
        "args": [
            {"channel": "trades-all", "instId": "BTC-USDT"},
            {"channel": "trades-all", "instId": "BTC-USDT-SWAP"},
        ],
    }
    assert json.loads(VENUE.unsubscribe_frame(Channel("candles", Timeframe("1d")), ["BTC/USD:BTC-251226"], 8)) == {
        "id": "8",
        "op": "unsubscribe",
        "args": [{"channel": "candle1Dutc", "instId": "BTC-USD-251226"}],
    }
    assert (VENUE.probe_frame(3), VENUE.heartbeat_frame()) == ("ping", "ping")


@pytest.mark.parametrize("name", VENUE.candle_timeframes)
def test_timeframe_when_asked_for_then_days_and_their_parts_begin_in_utc(name: str) -> None:
    """Without the ending they begin at midnight in Hong Kong; live and over REST."""
    timeframe = Timeframe(name)
    amount, unit = name[:-1], name[-1]
    bar = f"{amount}{unit if unit == 'm' else unit.upper()}" + ("utc" if timeframe >= Timeframe("6h") else "")
    (argument,) = json.loads(VENUE.subscribe_frame(Channel("candles", timeframe), ["BTC/USDT"], 1))["args"]
    assert argument["channel"] == f"candle{bar}"
    assert VENUE.rest_candles_request("BTC/USDT", timeframe, 0, None, None).query["bar"] == bar


@pytest.mark.parametrize(
    "symbol", ["BTC/USD:BTC-251226-60000-C", "BTC/USDT:BTC", "BTC/USD:USD", "A-B/USDT", "A_B/USD_X"]
)
def test_symbol_when_no_instrument_can_have_it_then_is_unknown(symbol: str) -> None:
    """An option, another settlement than the quote tells, and names that would read as something else."""
    with pytest.raises(UnknownSymbol):
        VENUE.to_venue_symbol(symbol)


def test_rest_trades_when_asked_for_then_pages_go_back_by_id() -> None:
    """The first page by time, to the end of the millisecond; the next ones by trade id, so that none is lost."""
    ask = VENUE.rest_trades_request
    assert ask("BTC/USDT", 0, None, None).query == {"instId": "BTC-USDT", "limit": "100"}
    assert ask("BTC/USDT", 0, 1_500_001, None).query == {
        "instId": "BTC-USDT",
        "limit": "100",
        "type": "2",
        "after": "2",
    }
    assert ask("BTC/USDT", 0, 1_500_001, "77").query == {
        "instId": "BTC-USDT",
        "limit": "100",
        "type": "1",
        "after": "77",
    }


def test_rest_trades_when_a_page_is_short_then_older_ones_may_be_gone_unless_it_begins_with_the_first() -> None:
    """Trades reach three months back; trade 1 is the beginning."""

    def body(*ids: int) -> bytes:
        rows = [json.loads(trade(number, number))["data"][0] for number in reversed(ids)]
        return encode({"code": "0", "msg": "", "data": rows})

    page = VENUE.parse_rest_trades("BTC/USDT", body(5, 6), None)
    assert (numbers(page.items), page.cursor, page.truncated) == ([5, 6], None, True)
    assert not VENUE.parse_rest_trades("BTC/USDT", body(1, 2), None).truncated
    assert VENUE.parse_rest_trades("BTC/USDT", body(), "5").truncated
    assert VENUE.parse_rest_trades("BTC/USDT", body(), None).truncated
    full = VENUE.parse_rest_trades("BTC/USDT", body(*range(5, 105)), None)
    assert (full.cursor, full.backwards, full.truncated) == ("5", True, False)


def test_rest_candles_when_the_newest_ones_end_then_the_history_goes_on() -> None:
    """First 1,440 of the one endpoint, then years of the other, each from before the oldest that came."""
    ask = VENUE.rest_candles_request
    first = ask("BTC/USDT", MINUTE, 0, 60_000_000_001, None)
    assert first.path == "/api/v5/market/candles"
    assert first.query == {"instId": "BTC-USDT", "bar": "1m", "limit": "300", "after": "60001"}
    assert "after" not in ask("BTC/USDT", MINUTE, 0, None, None).query

    def body(count: int, oldest: int = 1) -> bytes:
        rows = [[str(60_000 * (oldest + number)), "2", "3", "2", "3", "10", "25", "25", "1"] for number in range(count)]
        return encode({"code": "0", "msg": "", "data": rows[::-1]})

    parse = VENUE.parse_rest_candles
    page = parse("BTC/USDT", MINUTE, body(300), None)
    assert (page.cursor, page.backwards, page.truncated) == ("candles:60000", True, False)
    assert ask("BTC/USDT", MINUTE, 0, None, page.cursor).query["after"] == "60000"
    page = parse("BTC/USDT", MINUTE, body(0), page.cursor)
    assert (page.cursor, page.truncated) == ("history-candles:60000", False)
    history = ask("BTC/USDT", MINUTE, 0, None, page.cursor)
    assert (history.path, history.query["after"]) == ("/api/v5/market/history-candles", "60000")
    for count in (300, 100, 1):  # a short page is no end
        page = parse("BTC/USDT", MINUTE, body(count, 10), "history-candles:60000000")
        assert (page.cursor, page.truncated) == ("history-candles:600000", False)
    page = parse("BTC/USDT", MINUTE, body(0), None)
    assert page.cursor == "history-candles:"
    assert ask("BTC/USDT", MINUTE, 0, 60_000_000_000, page.cursor).query["after"] == "60000"


def test_rest_candles_when_the_history_ends_then_says_that_older_ones_may_be_missing() -> None:
    """Whether the instrument is younger or the venue has forgotten; and where the page does not lead back."""
    empty = encode({"code": "0", "msg": "", "data": []})
    row = ["60000", "2.5", "3.5", "2.0", "3.0", "10", "25", "25", "1"]
    same = encode({"code": "0", "msg": "", "data": [row]})
    for cursor, body in (
        ("history-candles:60000", empty),
        ("history-candles:", empty),
        ("history-candles:60000", same),
    ):
        page = VENUE.parse_rest_candles("BTC/USDT", MINUTE, body, cursor)
        assert (page.cursor, page.backwards, page.truncated) == (None, True, True)


def test_rest_when_the_answer_is_an_error_then_it_is_told() -> None:
    """Whatever the HTTP status was."""
    unknown = encode({"code": "51001", "msg": "Instrument ID doesn't exist.", "data": []})
    busy = encode({"code": "50011", "msg": "Rate limit reached.", "data": []})
    with pytest.raises(SubscriptionError, match="ABC/USDT"):
        VENUE.parse_rest_trades("ABC/USDT", unknown, None)
    with pytest.raises(RateLimited):
        VENUE.parse_rest_candles("BTC/USDT", MINUTE, busy, None)
    with pytest.raises(MessageError, match=r"wrong \(51000\)"):
        VENUE.parse_rest_trades("BTC/USDT", encode({"code": "51000", "msg": "wrong"}), None)
    assert isinstance(VENUE.explain_refusal("BTC/USDT", 400, unknown), SubscriptionError)
    assert isinstance(VENUE.explain_refusal("BTC/USDT", 400, busy), RateLimited)
    assert VENUE.explain_refusal("BTC/USDT", 400, encode({"code": "51000", "msg": "wrong"})) is None
