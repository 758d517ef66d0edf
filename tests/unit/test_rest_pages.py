"""History in pages: every item once and in order, whatever the pages share at their edges."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from rxstreams.items import PriceTick
from rxstreams.sources._pages import Pages, _trade_identity
from rxstreams.sources.venue import RestPage, RestRequest


def tick(time: int, trade_id: int | None = None, price: float = 1.0) -> PriceTick:
    """Return a trade."""
    return PriceTick(symbol="BTC/USD", price=price, volume=1.0, timestamp=time, trade_id=trade_id)


def walk(
    pages: Sequence[tuple[Sequence[PriceTick], str | None]],
    *,
    since: int = 1,
    until: int | None = None,
    fail_at: int | None = None,
) -> tuple[list[PriceTick], list[str | None]]:
    """Return what is emitted, and the cursors of the pages that were asked for."""
    emitted: list[PriceTick] = []
    cursors: list[str | None] = []

    def request(cursor: str | None) -> RestRequest:
        cursors.append(cursor)
        return RestRequest(path="/trades", query={})

    def parse(body: bytes, cursor: str | None) -> RestPage:
        items, following = pages[len(cursors) - 1]
        assert body == f"page at {cursor}".encode()
        return RestPage(items=items, cursor=following)

    async def ask(_: RestRequest, read: Callable[[bytes], RestPage]) -> RestPage:
        if len(cursors) == fail_at:
            raise ConnectionError("in the middle")
        return read(f"page at {cursors[-1]}".encode())

    source = Pages[PriceTick](
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
def test_pages_when_one_brings_nothing_new_then_it_is_the_last(second: list[PriceTick]) -> None:
    """It would be asked for again for ever."""
    emitted, cursors = walk([([tick(1, 1)], "a"), (second, "a")])
    assert emitted == [tick(1, 1)]
    assert cursors == [None, "a"]


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

    async def ask(_: RestRequest, read: Callable[[bytes], RestPage]) -> RestPage:
        return read(b"")

    def enough(_: PriceTick) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    source = Pages[PriceTick](
        request=request,
        parse=lambda _, cursor: RestPage(items=[tick(len(cursors), len(cursors))], cursor="next"),
        time=lambda item: item.timestamp,
        identity=_trade_identity,
        since=1,
        until=3,
    )
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(source.walk(ask, enough))
    assert cursors == [None]
