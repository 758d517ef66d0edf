"""More for the bench of one line: ids that count, candles, REST that answers, and two connections at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from line_bench import T0, A, B, Bench, HandFetch, PlainVenue, trade
from reactivex import Observable

from rxstreams.instants import SECOND
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.operators import to_ohlc
from rxstreams.sources._connection import ConnectionContext, ConnectionOwner
from rxstreams.sources.venue import Acknowledged, Message

C = "C/USD"


class CountedVenue(PlainVenue):
    """Its ids count every trade."""

    contiguous_ids: ClassVar[bool] = True


class OwnedBench(Bench):
    """Keeps who each connection works for."""

    def __init__(self, venue: PlainVenue, **options: Any) -> None:
        self.owners: list[ConnectionOwner] = []
        super().__init__(venue, recovers=True, **options)

    def connect(self, context: ConnectionContext, owner: ConnectionOwner) -> Observable[bytes]:
        """Open at once."""
        self.owners.append(owner)
        return super().connect(context, owner)


def acknowledged(*symbols: str, at: float | None = None) -> Acknowledged:
    """Return the venue's answer to a subscription, at a time in seconds or without one."""
    return Acknowledged(symbols=symbols, time=0 if at is None else T0 + int(at * SECOND))


def streaming(venue: PlainVenue | None = None, *, at: float = 0, **options: Any) -> Bench:
    """Return a feed that recovers and has sent a trade of A at 1 s and one of B at 2 s."""
    bench = Bench(venue or PlainVenue(), recovers=True, **options)
    begin(bench, at)
    return bench


def begin(bench: Bench, at: float = 0) -> None:
    """Acknowledge A and B, and send a trade of A at 1 s and one of B at 2 s."""
    bench.push(acknowledged(A, B, at=at))
    bench.push(trade(A, 1, 1), trade(B, 2, 1))


def push(bench: Bench, socket: int, *messages: Message) -> None:
    """Receive a frame that says this on one of several connections."""

    def say() -> Iterable[Message]:
        return messages

    bench.venue.table[b"frame"] = say
    bench.sockets[socket].on_next(b"frame")


def running(bench: Bench, symbol: str = A) -> list[HandFetch]:
    """Return the fetches of a symbol that somebody waits for."""
    return [fetch for fetch in bench.fetches if fetch.symbol == symbol and fetch.running]


def answer(bench: Bench, symbol: str, *trades: PriceTick) -> None:
    """Answer the only running fetch of a symbol with what it asks for of these."""
    (fetch,) = running(bench, symbol)
    fetch.answer(*(tick for tick in trades if tick.timestamp >= fetch.since))


def ids(bench: Bench, symbol: str = A) -> list[int | str | None]:
    """Return the ids that were sent of a symbol."""
    return [tick.trade_id for tick in bench.ticks if tick.symbol == symbol]


def stamps(bench: Bench, symbol: str = A) -> list[float]:
    """Return the stamps that were sent of a symbol, in seconds after T0."""
    return [(tick.timestamp - T0) / SECOND for tick in bench.ticks if tick.symbol == symbol]


def sinces(bench: Bench, symbol: str = A) -> list[float]:
    """Return the sinces that were sent of a symbol, in seconds after T0; of an instant: just after it."""
    return [round((tick.since - T0) / SECOND, 6) for tick in bench.ticks if tick.symbol == symbol]


def candles_of(bench: Bench, **options: Any) -> list[OHLCCandle]:
    """Make one-minute candles of what comes from now on."""
    candles: list[OHLCCandle] = []
    bench.feed.pipe(to_ohlc("1m", **options)).subscribe(candles.append)
    return candles


def closed(candles: Iterable[OHLCCandle], symbol: str = A) -> list[tuple[int, int | None, bool]]:
    """Return a symbol's closed candles in their last revision: minute, trades, complete."""
    last = {candle.open_time: candle for candle in candles if candle.symbol == symbol and candle.closed}
    return [((time - T0) // (60 * SECOND), c.trades, c.complete) for time, c in sorted(last.items())]
