"""What every venue keeps to: one suite over all of them. What each one shows is in ``cases_NAME.py``."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
from venue_case import KINDS, MINUTES, OPTIONAL, TRADES, Page, Sample, VenueCase

from rxstreams.errors import MessageError, RateLimited, SubscriptionError, UnknownSymbol
from rxstreams.instants import MINUTE, SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sources import Venue, venue, venues
from rxstreams.sources._subscriptions import Subscriptions
from rxstreams.sources.venue import Channel, Message, RestPage
from rxstreams.symbols import SymbolParts, split_symbol
from rxstreams.testing import Market, candles_of
from rxstreams.testing.formats import CandlesQuery, Ping, Subscribe, TradesQuery
from rxstreams.timeframe import Timeframe

Json: TypeAlias = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

_WRONG: dict[str, tuple[Any, ...]] = {
    "bool": ("x", 7, None, [], {}),
    "int": ("x", True, None, [], {}),
    "float": ("x", True, None, [], {}),
    "str": (7, True, None, [], {}),
    "list": ("x", 7, True, None, {}),
    "dict": ("x", 7, True, None, []),
}


def _cases() -> list[VenueCase]:
    """Return the cases of all modules ``cases_NAME.py`` beside this one."""
    found: list[VenueCase] = []
    for path in sorted(Path(__file__).parent.glob("cases_*.py")):
        module = importlib.import_module(path.stem)
        found += [value for value in vars(module).values() if isinstance(value, VenueCase)]
    return found


CASES = _cases()
each_case = pytest.mark.parametrize("case", CASES, ids=[case.venue.name for case in CASES])
each_candle_case = pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.venue.candle_timeframes],
    ids=[case.venue.name for case in CASES if case.venue.candle_timeframes],
)


def parsed(case: VenueCase, sample: Sample, frame: bytes | None = None) -> list[Message]:
    """Return what a new connection makes of a sample, or of another frame in its place."""
    parse = case.venue.conversation().parse
    for earlier in sample.before:
        list(parse(earlier))
    return list(parse(sample.frame if frame is None else frame))


def items_of(messages: Sequence[Message]) -> list[PriceTick | OHLCCandle]:
    """Return the trades and candles among messages."""
    return [message for message in messages if isinstance(message, PriceTick | OHLCCandle)]


def leaves(value: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Json]]:
    """Yield the place and the value of everything in a JSON document."""
    if path:
        yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))


def wrong_values(value: Json) -> tuple[Any, ...]:
    """Return values of other types."""
    return _WRONG.get(type(value).__name__, ())


def replaced(document: Any, path: tuple[str | int, ...], value: Any) -> bytes:
    """Return the document, encoded, with another value in one place."""
    copy = json.loads(json.dumps(document))
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(copy, separators=(",", ":")).encode()


def ticks_of(case: VenueCase, symbol: str, count: int, resolution: int | None = None) -> list[PriceTick]:
    """Return made-up trades as the venue's exchange would have stamped and numbered them."""
    fmt = case.format()
    ticks: list[PriceTick] = []
    for number, tick in enumerate(islice(Market([symbol], seed=5), count), 1):
        stamp = tick.timestamp // fmt.resolution * fmt.resolution
        ticks.append(msgspec.structs.replace(tick, exchange=fmt.name, trade_id=number, timestamp=stamp))
    return ticks


def plain(ticks: Sequence[PriceTick], resolution: int = 1) -> list[tuple[Any, ...]]:
    """Return what has to survive the way through a wire format; ids as text, for some venues' are text."""
    return [
        (t.symbol, t.exchange, t.price, t.volume, t.timestamp // resolution, str(t.trade_id), t.side, t.count)
        for t in ticks
    ]


def test_cases_when_listed_then_every_venue_has_one() -> None:
    """None can be forgotten."""
    assert sorted(case.venue.name for case in CASES) == sorted(venues())


@each_case
def test_venue_when_described_then_says_all_that_users_are_told(case: VenueCase) -> None:
    """The table of venues is made of it."""
    described = case.venue
    assert venue(described.name).venue.name == case.format().name == described.name
    assert described.url.startswith("wss://")
    assert described.rest_url.startswith("https://")
    assert described.documentation[0].startswith("https://")
    assert described.documentation[1].startswith("20")
    assert described.symbols_per_message >= 1
    assert described.messages_per_second > 0
    assert described.rest_limits
    assert described.candle_fields <= {"trades", "quote_volume", "buy_volume"}
    assert case.format().opens == described.opens
    assert case.format().fill == described.fill
    for text in {*described.candle_timeframes, *(described.rest_timeframes or ())}:
        assert str(Timeframe(text)) == text
    assert (type(described).__doc__ or "").strip()


@each_case
def test_samples_when_listed_then_every_kind_is_shown_or_explained(case: VenueCase) -> None:
    """A kind of message is either shown, or it is said why the venue has none."""
    shown = {sample.kind for sample in case.samples} - set(OPTIONAL)
    assert shown <= set(KINDS)
    assert shown | set(case.absent) == set(KINDS)
    assert not shown & set(case.absent)
    assert all(len(reason) > 10 for reason in case.absent.values())


@each_case
def test_samples_when_parsed_then_give_what_the_documentation_says(case: VenueCase) -> None:
    """The whole of each message; several of one kind are welcome."""
    for sample in case.samples:
        assert parsed(case, sample) == list(sample.expected), sample.kind


@each_case
def test_parse_when_a_message_is_truncated_then_raises_message_error(case: VenueCase) -> None:
    """Wherever the end is cut off."""
    for sample in case.samples:
        for length in range(0 if not sample.noise else len(sample.frame), len(sample.frame)):
            with pytest.raises(MessageError):
                parsed(case, sample, sample.frame[:length])


@each_case
def test_parse_when_a_part_has_a_wrong_type_then_never_gives_a_wrong_item(case: VenueCase) -> None:
    """Each value in each message is replaced: either nobody reads it, or it is an error or another kind of message."""
    for sample in case.samples:
        if sample.noise:
            continue
        document = json.loads(sample.frame)
        right = items_of(sample.expected)
        for path, value in leaves(document):
            for wrong in wrong_values(value):
                frame = replaced(document, path, wrong)
                try:
                    items = items_of(parsed(case, sample, frame))
                except MessageError:
                    continue
                assert all(item in right for item in items), frame


@each_case
@pytest.mark.parametrize(
    "junk", [b"", b"{", b"null", b"[]", b"{}", b"7", b'"x"', b"\xff\xfe", b"<html></html>", b"[" * 9999]
)
def test_parse_when_a_frame_is_junk_then_no_item_comes_and_no_other_error(case: VenueCase, junk: bytes) -> None:
    """What is no message of anybody; the error keeps a cut of it."""
    messages: list[Message] = []
    payload = ""
    try:
        messages = list(case.venue.conversation().parse(junk))
    except MessageError as error:
        payload = error.payload
    assert items_of(messages) == []
    assert len(payload) < 300


# Symbols and frames.


@each_case
def test_symbols_when_spelt_then_come_back(case: VenueCase) -> None:
    """Both ways, as documented."""
    assert len(case.spellings) >= 3
    for symbol, spelling in case.spellings.items():
        assert case.venue.to_venue_symbol(symbol) == spelling
        assert case.venue.from_venue_symbol(spelling) == symbol


@each_case
def test_symbols_when_they_can_not_be_the_venues_then_are_refused(case: VenueCase) -> None:
    """In the form that everybody gets wrong first, and those of another kind of market."""
    for symbol in ("BTCUSD", "btc/usd", "", "BTC/", *case.malformed_symbols):
        with pytest.raises((UnknownSymbol, ValueError)):
            case.venue.to_venue_symbol(symbol)


def many_symbols(case: VenueCase, count: int) -> list[str]:
    """Return so many symbols of the kind that the venue has."""
    parts = split_symbol(next(iter(case.spellings)))
    symbols: list[str] = []
    for number in range(count):
        base = f"A{number}"
        settle = base if parts.settle == parts.base else parts.settle
        symbols.append(str(SymbolParts(base, parts.quote, settle, *parts[3:])))
    return symbols


@each_case
@pytest.mark.parametrize("count", [1, 1000])
@pytest.mark.parametrize("kind", ["trades", "candles"])
def test_frames_when_built_then_ask_for_each_symbol_once(case: VenueCase, count: int, kind: str) -> None:
    """Within the venue's limits, and the venue's own server understands them."""
    if kind == "candles" and not case.venue.candle_timeframes:
        pytest.skip("the venue has no live candles")
    channel = TRADES if kind == "trades" else candle_channel(case.venue)
    symbols, fmt = many_symbols(case, count), case.format()
    subscriptions = Subscriptions(case.venue, channel, symbols)
    asked: list[str] = []
    for frame in subscriptions.open():
        command = fmt.decode(frame.encode())
        assert isinstance(command, Subscribe), frame
        assert command.active
        assert command.kind == kind
        assert len(command.symbols) <= case.venue.symbols_per_message
        if kind == "candles":
            assert channel.timeframe is not None
            assert command.minutes == channel.timeframe.minutes
        asked += command.symbols
    assert len(asked) == len(set(asked)) == count
    spelt = set(asked)
    assert all(fmt.spellings(symbol) & spelt for symbol in symbols)


def candle_channel(described: Venue) -> Channel:
    """Return the channel of a venue's one-minute candles, or of its shortest ones that the fake exchange has too."""
    return (
        MINUTES
        if "1m" in described.candle_timeframes
        else Channel("candles", Timeframe(described.candle_timeframes[0]))
    )


@each_case
def test_probe_when_sent_then_the_venues_server_answers_and_it_is_a_sign_of_life(case: VenueCase) -> None:
    """Probes and the heartbeats that the client sends."""
    fmt = case.format()
    for frame in (case.venue.probe_frame(3), case.venue.heartbeat_frame()):
        if frame is not None:
            command = fmt.decode(frame.encode())
            assert isinstance(command, Ping), frame
            answer = fmt.pong(command, 10**18, 10**18)
            assert [type(message).__name__ for message in case.venue.conversation().parse(answer)] == ["Heartbeat"]
    assert (case.venue.heartbeat_interval is None) == (case.venue.heartbeat_frame() is None)
    beat = fmt.heartbeat()
    if beat is not None:
        assert items_of(list(case.venue.conversation().parse(beat))) == []


# The wire format and back.


def subscribed_parser(case: VenueCase, channel: Channel, symbol: str, fmt: Any) -> Any:
    """Return the parser of a connection on which the symbol was subscribed to, as the venue's server answers."""
    parse = case.venue.conversation().parse
    (frame,) = Subscriptions(case.venue, channel, [symbol]).open()
    command = fmt.decode(frame.encode())
    greeting = fmt.greeting(0)
    answers = [] if greeting is None else [greeting]
    answers += fmt.acknowledge(command, list(command.symbols), 10**18, 10**18)
    for answer in answers:
        assert items_of(list(parse(answer))) == []
    return parse


@each_case
def test_trades_when_written_by_the_venues_server_then_are_read_as_they_were(case: VenueCase) -> None:
    """``parse`` is the inverse of the wire format, field by field; one message and several."""
    for symbol in case.spellings:
        fmt = case.format()
        parse = subscribed_parser(case, TRADES, symbol, fmt)
        ticks = ticks_of(case, symbol, 40)
        size = fmt.items_per_message or 7
        read: list[Message] = []
        for begin in range(0, len(ticks), size):
            read += parse(fmt.trades(ticks[begin : begin + size]))
        got = items_of(read)
        assert all(isinstance(tick, PriceTick) for tick in got)
        assert plain([tick for tick in got if isinstance(tick, PriceTick)]) == plain(ticks)


@each_case
def test_snapshots_when_written_by_the_venues_server_then_are_no_live_ticks(case: VenueCase) -> None:
    """They repeat the past."""
    if "trade snapshot" in case.absent:
        pytest.skip(case.absent["trade snapshot"])
    symbol = next(iter(case.spellings))
    fmt = case.format()
    parse = subscribed_parser(case, TRADES, symbol, fmt)
    ticks = ticks_of(case, symbol, 1 if fmt.items_per_message == 1 else 5)
    assert items_of(list(parse(fmt.trades(ticks, snapshot=True)))) == []


@each_candle_case
def test_candles_when_written_by_the_venues_server_then_are_read_as_they_were(case: VenueCase) -> None:
    """Prices, volume, and what else the venue's candles say; closed only by the venue's own flag."""
    channel = candle_channel(case.venue)
    assert channel.timeframe is not None
    minutes = int(channel.timeframe.minutes)
    for symbol in case.spellings:
        fmt = case.format()
        parse = subscribed_parser(case, channel, symbol, fmt)
        rows = candles_of(ticks_of(case, symbol, 4000), minutes, fill=fmt.fill, opens=fmt.opens)
        assert len(rows) > 1
        for row in rows:
            for time in (row.open_time + 20 * SECOND, row.close_time + SECOND):
                (candle,) = items_of(list(parse(fmt.candles([row], minutes, time=time))))
                assert isinstance(candle, OHLCCandle)
                assert candle.timeframe == channel.timeframe
                assert_same_candle(case, candle, row)
                assert candle.closed == (case.venue.closes_candles and time >= row.close_time)
                assert not candle.complete


def assert_same_candle(case: VenueCase, candle: OHLCCandle, row: Any) -> None:
    """Compare a candle that was read with the one that was written; volumes are written with eight digits."""
    assert (candle.symbol, candle.exchange, candle.open_time) == (row.symbol, case.venue.name, row.open_time)
    assert (candle.open, candle.high, candle.low, candle.close) == (row.open, row.high, row.low, row.close)
    assert candle.volume == pytest.approx(row.volume, rel=1e-9, abs=1e-8)
    fields = case.venue.candle_fields
    assert candle.trades == (row.trades if "trades" in fields else 0)
    quote = row.quote_volume if "quote_volume" in fields else 0.0
    assert candle.quote_volume == pytest.approx(quote, rel=1e-6, abs=1e-6)
    buy = row.buy_volume if "buy_volume" in fields else 0.0
    assert candle.buy_volume == pytest.approx(buy, rel=1e-6, abs=1e-6)


# REST.


def read_page(case: VenueCase, page: Page) -> RestPage:
    """Return what the venue makes of a page."""
    if isinstance(page.items[0], PriceTick):
        return case.venue.parse_rest_trades(page.symbol, page.body, page.asked)
    return case.venue.parse_rest_candles(page.symbol, page.timeframe, page.body, page.asked)


@each_case
def test_pages_when_parsed_then_give_what_the_documentation_says(case: VenueCase) -> None:
    """Items oldest first, and where it goes on."""
    if case.venue.has_rest_trades:
        assert case.trade_pages
    assert case.candle_pages
    for page in (*case.trade_pages, *case.candle_pages):
        got = read_page(case, page)
        assert list(got.items) == list(page.items)
        assert (got.cursor, got.backwards, got.truncated) == (page.cursor, page.backwards, page.truncated)


@each_case
def test_pages_when_empty_then_are_the_end(case: VenueCase) -> None:
    """Nothing is wrong; but where the newest trades that there are should come, none proves nothing.

    Whether candles may be missing before those of an answer, its own samples show.
    """
    if case.empty_trades is not None:
        page = case.venue.parse_rest_trades(next(iter(case.spellings)), case.empty_trades, None)
        assert (list(page.items), page.truncated) == ([], page.backwards)
    if case.empty_candles is not None:
        page = case.venue.parse_rest_candles(next(iter(case.spellings)), Timeframe("1m"), case.empty_candles, None)
        assert list(page.items) == []


@each_case
def test_pages_when_cut_or_wrong_then_are_message_errors(case: VenueCase) -> None:
    """As on the socket; an HTML page says so."""
    for page in (*case.trade_pages, *case.candle_pages):
        for length in range(0, len(page.body), max(1, len(page.body) // 50)):
            with pytest.raises(MessageError):
                read_page(case, msgspec_replace(page, page.body[:length]))
        with pytest.raises(MessageError, match="HTML"):
            read_page(case, msgspec_replace(page, b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"))
        document = json.loads(page.body)
        for path, value in leaves(document):
            for wrong in wrong_values(value):
                body = replaced(document, path, wrong)
                try:
                    items = read_page(case, msgspec_replace(page, body)).items
                except (MessageError, SubscriptionError, RateLimited):
                    continue
                assert all(item in page.items for item in items), body


def msgspec_replace(page: Page, body: bytes) -> Page:
    """Return the page with another body."""
    return Page(symbol=page.symbol, body=body, items=page.items, asked=page.asked, timeframe=page.timeframe)


@each_case
def test_rest_when_the_symbol_is_unknown_then_is_a_subscription_error(case: VenueCase) -> None:
    """Whether it comes with HTTP 200 or another status; what a proxy says of itself is left to its status."""
    if case.unknown_symbol is None:
        pytest.skip("the venue's REST API is not asked for one symbol")
    status, body = case.unknown_symbol
    symbol = next(iter(case.spellings))
    if status == 200:
        with pytest.raises(SubscriptionError, match=symbol.replace("/", ".")):
            case.venue.parse_rest_candles(symbol, Timeframe("1m"), body, None)
    else:
        error = case.venue.explain_refusal(symbol, status, body)
        assert isinstance(error, SubscriptionError)
        assert error.symbols == (symbol,)
    assert case.venue.explain_refusal(symbol, 403, b"<html>") is None
    assert case.venue.explain_refusal(symbol, 400, b"") is None
    assert case.venue.explain_refusal(symbol, 502, b"<html>") is None


@each_case
def test_rest_trades_when_written_by_the_venues_server_then_are_read_as_they_were(case: VenueCase) -> None:
    """From the request to the page: the server takes the request, and the page holds the live channel's trades."""
    if not case.venue.has_rest_trades:
        pytest.skip("the venue has no REST trades that gaps can be closed with")
    for symbol in case.spellings:
        fmt = case.format()
        ticks = ticks_of(case, symbol, 20)
        request = case.venue.rest_trades_request(symbol, ticks[0].timestamp, ticks[-1].timestamp + 1, None)
        assert request.path.startswith("/")
        query = fmt.rest_query(request.path, request.query, request.body or b"")
        assert isinstance(query, TradesQuery)
        assert query.symbol in fmt.spellings(symbol)
        assert query.since is None or query.since <= ticks[0].timestamp
        assert query.until is None or query.until > ticks[-1].timestamp
        page = case.venue.parse_rest_trades(symbol, fmt.rest_trades(symbol, ticks, query, more=False), None)
        resolution = case.venue.rest_resolution
        assert plain(page.items, resolution) == plain(ticks, resolution)
        empty = case.venue.parse_rest_trades(symbol, fmt.rest_trades(symbol, [], query, more=False), None)
        assert list(empty.items) == []


@each_case
def test_rest_candles_when_written_by_the_venues_server_then_are_read_as_they_were(case: VenueCase) -> None:
    """Only where the answer says that the last one is still running, it is not closed."""
    has = case.venue.rest_timeframes or case.venue.candle_timeframes
    timeframe = Timeframe("1m" if "1m" in has else has[0])
    minutes = int(timeframe.minutes)
    for symbol in case.spellings:
        fmt = case.format()
        rows = candles_of(ticks_of(case, symbol, 4000), minutes, fill=fmt.fill, opens=fmt.opens)
        request = case.venue.rest_candles_request(symbol, timeframe, rows[0].open_time, rows[-1].close_time, None)
        query = fmt.rest_query(request.path, request.query, request.body or b"")
        assert isinstance(query, CandlesQuery)
        assert query.minutes == minutes
        assert query.symbol in fmt.spellings(symbol)
        assert query.since is None or query.since <= rows[0].open_time
        assert query.until is None or query.until > rows[-1].open_time
        now = rows[-1].open_time + minutes * MINUTE // 2
        body = fmt.rest_candles(symbol, rows, query, now=now, more=False)
        items = list(case.venue.parse_rest_candles(symbol, timeframe, body, None).items)
        assert [candle.open_time for candle in items] == [row.open_time for row in rows]
        for candle, row in zip(items, rows, strict=True):
            assert_same_candle(case, candle, row)
            running = case.venue.rest_closes_candles and row is rows[-1]
            assert candle.closed is candle.complete is not running


@each_case
def test_symbols_when_listed_by_the_venue_then_hold_its_spellings(case: VenueCase) -> None:
    """What subscriptions are compared with where the venue says nothing about unknown symbols."""
    request = case.venue.symbols_request()
    assert (request is None) == (case.symbols is None)
    assert case.venue.refuses_unknown or case.symbols is not None
    if case.symbols is not None:
        body, spellings = case.symbols
        assert case.venue.parse_symbols(body) == spellings
        fmt, symbols = case.format(), list(case.spellings)
        assert case.venue.parse_symbols(fmt.rest_symbols(symbols)) >= {case.spellings[s] for s in symbols}
        for bad in (b"<html>", b"{", b"null", body[: len(body) // 2]):
            with pytest.raises(MessageError):
                case.venue.parse_symbols(bad)
