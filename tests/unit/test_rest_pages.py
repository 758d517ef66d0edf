"""History in pages: every item once and in order, whatever the pages share at their edges."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

import pytest

from rxstreams.errors import HistoryTooShort, MessageError
from rxstreams.instants import MINUTE, SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.sources import kraken
from rxstreams.sources._pages import Pages, _trade_identity, candle_pages
from rxstreams.sources.venue import RestPage, RestRequest
from rxstreams.timeframe import Timeframe


def tick(time: int, trade_id: int | None = None, price: float = 1.0) -> PriceTick:
    """Return a trade."""
    return PriceTick(symbol="BTC/USD", price=price, volume=1.0, timestamp=time, trade_id=trade_id)


Given = tuple[Sequence[PriceTick], str | None] | RestPage


def walk(
    pages: Sequence[Given],
    *,
    since: int = 1,
    until: int | None = None,
    fail_at: int | None = None,
    emitted: list[PriceTick] | None = None,
) -> tuple[list[PriceTick], list[str | None]]:
    """Return what is emitted, and the cursors of the pages that were asked for."""
    emitted = [] if emitted is None else emitted
    cursors: list[str | None] = []

    def request(cursor: str | None) -> RestRequest:
        cursors.append(cursor)
        return RestRequest(path="/trades", query={})

    def parse(body: bytes, cursor: str | None, answered: int | None) -> RestPage:
        assert answered == 7
        page = pages[len(cursors) - 1]
        assert body == f"page at {cursor}".encode()
        return page if isinstance(page, RestPage) else RestPage(items=page[0], cursor=page[1])

    async def ask(_: RestRequest, read: Callable[[bytes, int | None], RestPage]) -> RestPage:
        if len(cursors) == fail_at:
            raise ConnectionError("in the middle")
        return read(f"page at {cursors[-1]}".encode(), 7)

    source = Pages[PriceTick](
        what="trades",
        request=request,
        parse=parse,
        time=lambda item: item.timestamp,
        identity=_trade_identity,
        since=since,
        until=until,
    )
    try:
        asyncio.run(source.walk(ask, emitted.append))
    except ConnectionError:
        assert fail_at is not None
    return emitted, cursors


def test_pages_when_they_overlap_then_each_trade_comes_once() -> None:
    """The next page begins with the last instant of the one before."""
    one, two, three, four = (tick(time, trade_id) for time, trade_id in ((1, 1), (2, 2), (2, 3), (5, 4)))
    emitted, cursors = walk([([one, two], "a"), ([two, three], "b"), ([three, four], None)])
    assert emitted == [one, two, three, four]
    assert cursors == [None, "a", "b"]


def test_pages_when_trades_have_no_ids_then_twins_are_counted() -> None:
    """Three equal trades of one instant, the page ends after two of them; the third is no repetition."""
    twins = [tick(2) for _ in range(3)]
    emitted, _ = walk([([tick(1), *twins[:2]], "a"), ([*twins, tick(3)], "b"), ([tick(3), tick(3, price=2.0)], None)])
    assert [(item.timestamp, item.price) for item in emitted] == [
        (1, 1.0),
        (2, 1.0),
        (2, 1.0),
        (2, 1.0),
        (3, 1.0),
        (3, 2.0),
    ]


def test_pages_when_bounded_then_both_ends_hold_and_no_page_past_the_end_is_asked_for() -> None:
    """``since`` is inclusive, ``until`` exclusive."""
    trades = [tick(time, time) for time in range(1, 9)]
    emitted, cursors = walk([(trades[:3], "a"), (trades[3:6], "b"), (trades[6:], None)], since=2, until=6)
    assert [item.timestamp for item in emitted] == [2, 3, 4, 5]
    assert cursors == [None, "a"]


@pytest.mark.parametrize("second", [[], [tick(1, 1)]], ids=["empty", "the same again"])
@pytest.mark.parametrize(("backwards", "kind"), [(False, MessageError), (True, HistoryTooShort)])
def test_pages_when_a_cursor_comes_again_then_it_is_an_error(
    second: list[PriceTick], backwards: bool, kind: type[Exception]
) -> None:
    """What is behind it can't be reached, also where others were asked for meanwhile; what came is emitted."""
    pages = [([tick(1, 1)], "a"), (second, "b"), (second, "a")]
    given = [RestPage(items=items, cursor=cursor, backwards=backwards) for items, cursor in pages]
    emitted: list[PriceTick] = []
    with pytest.raises(kind, match=r"^trades were wanted from 1970-01-01T00:00:00\.000000001Z on") as caught:
        walk(given, emitted=emitted)
    assert emitted == [tick(1, 1)]
    if not backwards:
        assert str(caught.value).endswith("; the page at 'a' came, and was named as the next one again")


@pytest.mark.parametrize("backwards", [False, True])
def test_pages_when_a_cursor_comes_again_at_the_end_then_it_is_none(backwards: bool) -> None:
    """Nothing of what it leads to was wanted."""
    first, second = ([tick(4, 4)], [tick(2, 2)]) if backwards else ([tick(2, 2)], [tick(4, 4)])
    given = [RestPage(items=items, cursor="a", backwards=backwards) for items in (first, second)]
    emitted, cursors = walk(given, since=3 if backwards else 1, until=None if backwards else 3)
    assert [item.timestamp for item in emitted] == [4 if backwards else 2]
    assert cursors == [None, "a"]


def test_pages_when_one_is_empty_then_the_next_one_is_asked_for() -> None:
    """Nothing was traded in its hour; those around it may overlap all the same."""
    emitted, cursors = walk([([tick(1), tick(2)], "a"), ([], "b"), ([], "c"), ([tick(2), tick(3)], None)])
    assert [item.timestamp for item in emitted] == [1, 2, 3]
    assert cursors == [None, "a", "b", "c"]


def older(*trades: PriceTick, cursor: str | None, truncated: bool = False) -> RestPage:
    """Return a page that leads to older trades."""
    return RestPage(items=trades, cursor=cursor, backwards=True, truncated=truncated)


def test_pages_when_they_lead_backwards_then_all_comes_oldest_first_and_once() -> None:
    """They overlap by their edges; what lies outside of both ends is left out, and no page before it asked for."""
    trades = [tick(time, time) for time in range(10)]
    emitted, cursors = walk(
        [
            older(*trades[7:], cursor="a"),
            older(cursor="b"),
            older(*trades[4:8], cursor="c"),
            older(*trades[1:5], cursor="d"),
            older(trades[0], cursor=None),
        ],
        since=2,
        until=9,
    )
    assert [item.timestamp for item in emitted] == [2, 3, 4, 5, 6, 7, 8]
    assert cursors == [None, "a", "b", "c"]


def test_pages_when_they_lead_backwards_and_begin_with_the_time_wanted_then_one_more_is_asked_for() -> None:
    """The page before may end with trades of that very instant."""
    emitted, cursors = walk(
        [older(tick(5, 3), tick(6, 4), cursor="a"), older(tick(4, 1), tick(5, 2), cursor="b")], since=5
    )
    assert [item.trade_id for item in emitted] == [2, 3, 4]
    assert cursors == [None, "a"]


def test_pages_when_they_lead_backwards_and_have_no_ids_then_twins_are_counted() -> None:
    """Two of three equal trades on the newer page, all of them on the older one."""
    twins = [tick(2) for _ in range(3)]
    emitted, _ = walk([older(*twins[:2], tick(3), cursor="a"), older(tick(1), *twins, cursor=None)])
    assert [item.timestamp for item in emitted] == [1, 2, 2, 2, 3]


def test_pages_when_the_last_of_those_that_lead_backwards_fails_then_nothing_comes() -> None:
    """What follows a hole is not the beginning."""
    emitted, _ = walk([older(tick(3), cursor="a"), older(tick(2), cursor=None)], fail_at=2)
    assert emitted == []


@pytest.mark.parametrize("backwards", [False, True])
def test_pages_when_the_venue_has_nothing_so_old_then_what_it_has_comes_and_then_the_error(backwards: bool) -> None:
    """It says what was wanted and what there is."""
    emitted: list[PriceTick] = []
    page = RestPage(items=[tick(SECOND), tick(2 * SECOND)], backwards=backwards, truncated=True)
    with pytest.raises(HistoryTooShort) as caught:
        walk([page], since=SECOND - 1, emitted=emitted)
    assert [item.timestamp for item in emitted] == [SECOND, 2 * SECOND]
    assert str(caught.value) == (
        "trades were wanted from 1970-01-01T00:00:00.999999999Z on, its own begin at 1970-01-01T00:00:01Z"
    )
    assert not caught.value.retryable


def test_pages_when_the_venue_has_nothing_at_all_then_says_so() -> None:
    """It may have left out what is older."""
    with pytest.raises(HistoryTooShort, match=r"on, it has none$"):
        walk([RestPage(items=(), truncated=True)])


@pytest.mark.parametrize(
    "pages",
    [
        [RestPage(items=[tick(1), tick(2)], truncated=True)],
        [older(tick(3), cursor="a", truncated=True), older(tick(1), tick(2), cursor=None)],
        [RestPage(items=[tick(2)])],
    ],
    ids=["begins there", "another page", "nothing is left out"],
)
def test_pages_when_they_reach_back_far_enough_then_it_is_no_error(pages: list[RestPage]) -> None:
    """That older trades were left out does not matter then; nor that there are none where nothing was."""
    emitted, _ = walk(pages)
    assert emitted[-1].timestamp in (2, 3)


def test_pages_when_one_fails_then_what_came_before_it_stays() -> None:
    """Nothing of the page that failed."""
    emitted, _ = walk([([tick(1, 1), tick(2, 2)], "a"), ([tick(3, 3)], None)], fail_at=2)
    assert emitted == [tick(1, 1), tick(2, 2)]


def test_pages_when_somebody_has_enough_then_the_next_one_is_not_asked_for() -> None:
    """``take`` disposes the subscription, and with it the task, from within the page."""
    cursors: list[str | None] = []

    def request(cursor: str | None) -> RestRequest:
        cursors.append(cursor)
        return RestRequest(path="/trades", query={})

    async def ask(_: RestRequest, read: Callable[[bytes, int | None], RestPage]) -> RestPage:
        return read(b"", 0)

    def enough(_: PriceTick) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    source = Pages[PriceTick](
        what="trades",
        request=request,
        parse=lambda _body, _cursor, _answered: RestPage(items=[tick(len(cursors), len(cursors))], cursor="next"),
        time=lambda item: item.timestamp,
        identity=_trade_identity,
        since=1,
        until=3,
    )
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(source.walk(ask, enough))
    assert cursors == [None]


class Plain(kraken.Kraken):
    """A venue that does not say which candles are closed; a page of four, and none of "nothing"."""

    rest_closes_candles: ClassVar[bool] = False

    def parse_rest_candles(self, symbol: str, timeframe: Timeframe, body: bytes, cursor: str | None) -> RestPage:
        return RestPage(items=[] if body == b"nothing" else [plain_candle(number) for number in range(4)])


def plain_candle(number: int) -> OHLCCandle:
    """Return a candle as such a venue's parser makes it."""
    return OHLCCandle(
        symbol="BTC/USD",
        timeframe="1m",
        open_time=number * MINUTE,
        open=1.0,
        high=1.0,
        low=1.0,
        close=1.0,
        complete=True,
    )


def test_candle_pages_when_the_venue_has_no_flag_then_the_time_of_the_answer_says_what_is_closed() -> None:
    """Not before its REST API knows every trade: a candle that closed a moment ago may lack some."""
    told: list[int] = []
    for answered, closed in ((3 * MINUTE + 5 * SECOND, 3), (3 * MINUTE + 5 * SECOND - 1, 2), (0, 0)):
        pages = candle_pages(
            Plain(), "BTC/USD", Timeframe("1m"), 0, None, settle=5 * SECOND, on_time=told.append, clock=lambda: 10**18
        )
        items = pages.parse(b"", None, answered).items
        assert [each.closed for each in items] == [number < closed for number in range(4)]
        assert all(each.complete is each.closed for each in items)
        assert told.pop() == answered


def test_candle_pages_when_the_answer_does_not_say_when_it_was_then_the_newest_two_are_not_closed_by_our_clock() -> (
    None
):
    """The newest one had begun when the server answered; our clock may be ahead by less than an interval."""
    told: list[int] = []
    for now, closed in ((0, 2), (4 * MINUTE, 2), (4 * MINUTE + 59 * SECOND, 2), (5 * MINUTE, 3), (6 * MINUTE, 4)):
        pages = candle_pages(
            Plain(),
            "BTC/USD",
            Timeframe("1m"),
            0,
            None,
            settle=5 * SECOND,
            on_time=told.append,
            clock=partial(int, now),
        )
        items = pages.parse(b"", None, None).items
        assert [each.closed for each in items] == [number < closed for number in range(4)], now
        assert pages.parse(b"nothing", None, None).items == []
    assert told == []


def test_walk_when_a_request_knows_more_than_the_cursor_then_the_parse_is_told() -> None:
    """What was asked for decides where the next page begins."""
    told: list[str | None] = []

    def parse(body: bytes, cursor: str | None, answered: int | None) -> RestPage:
        del body, answered
        told.append(cursor)
        return RestPage(items=(), cursor="b" if cursor == "from a" else None)

    async def ask(_: RestRequest, read: Callable[[bytes, int | None], RestPage]) -> RestPage:
        return read(b"", 0)

    pages = Pages[PriceTick](
        what="trades",
        request=lambda cursor: RestRequest(path="/trades", cursor="from a" if cursor is None else None),
        parse=parse,
        time=lambda item: item.timestamp,
        identity=_trade_identity,
        since=0,
        until=None,
    )
    emitted: list[PriceTick] = []
    asyncio.run(pages.walk(ask, emitted.append))
    assert told == ["from a", "b"]
