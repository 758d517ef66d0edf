"""How a board gets to the user: a live table where there is a terminal, lines where there is none."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager

import click

from rxstreams._cli.board import Board, Note, decimals_of
from rxstreams._cli.columns import format_open_time, format_volume
from rxstreams.instants import to_datetime
from rxstreams.items import OHLCCandle


def is_live(plain: bool) -> bool:
    """Return whether a live table can be shown."""
    return not plain and sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


class Lines:
    """Writes closed candles and notes as lines, whole ones, from any thread.

    Args:
        on: whether it writes at all.

    Attributes:
        broken: nobody reads any more; None: somebody does.
    """

    def __init__(self, *, on: bool) -> None:
        self._on = on
        self._lock = threading.Lock()
        self._decimals: dict[str, int] = {}
        self.broken: OSError | None = None

    def on_closed(self, candle: OHLCCandle) -> None:
        """Write a candle.

        Raises:
            OSError: nobody reads any more; it ends the chain that the candle came out of.
        """
        decimals = max(self._decimals.get(candle.symbol, 0), decimals_of(candle))
        self._decimals[candle.symbol] = decimals
        self.write(format_candle(candle, decimals))
        if self.broken is not None:
            raise self.broken

    def on_note(self, note: Note) -> None:
        """Write a note."""
        self.write(f"{to_datetime(note.time):%H:%M:%S}  {note.text}")

    def write(self, text: str) -> None:
        """Write a line."""
        with self._lock:
            if not self._on or self.broken is not None:
                return
            encoding = sys.stdout.encoding or "utf-8"
            try:
                click.echo(text.encode(encoding, "replace").decode(encoding))
            except OSError as error:
                self.broken = error


def format_candle(candle: OHLCCandle, decimals: int) -> str:
    """Return a closed candle as a line; columns stay in line as long as the numbers have a usual size."""
    verdict = "complete" if candle.complete else "INCOMPLETE"
    revision = f", revision {candle.revision}" if candle.revision else ""
    prices = "  ".join(
        f"{name} {price:<10,.{decimals}f}"
        for name, price in (("o", candle.open), ("h", candle.high), ("l", candle.low), ("c", candle.close))
    )
    return (
        f"{format_open_time(candle.open_time, candle.timeframe):<8}  {candle.symbol:<9}  {candle.timeframe!s:<3}  "
        f"{prices}  v {format_volume(candle.volume):<8}  {candle.trades:>5,} trades  {verdict}{revision}"
    )


class _ToBoard(logging.Handler):
    def __init__(self, board: Board) -> None:
        super().__init__(logging.WARNING)
        self._board = board

    def emit(self, record: logging.LogRecord) -> None:
        """Write the message down; the traceback of a bug is too long for a line, its error is not."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text = f"{text}: {record.exc_info[1]!r}"
        self._board.note(text, bad=True)


@contextmanager
def warnings_on(board: Board) -> Generator[None]:
    """Let what the library logs as a warning, or worse, go to the board and nowhere else."""
    logger = logging.getLogger("rxstreams")
    handler = _ToBoard(board)
    propagate = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = propagate
        logger.removeHandler(handler)
