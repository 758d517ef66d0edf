"""What the command line shows: the board, the table in windows of all sizes, the lines, the timeframe underneath."""

from __future__ import annotations

import io
import logging
import re

import pytest
from rich.console import Console

from rxstreams._cli.board import Board, Note
from rxstreams._cli.dashboard import Dashboard
from rxstreams._cli.display import Lines, format_candle, warnings_on
from rxstreams._cli.headers import demo_header, watch_header
from rxstreams._cli.watch import choose_base
from rxstreams.errors import ConnectionLost
from rxstreams.items import OHLCCandle, PriceTick
from rxstreams.states import EventKind, StreamEvent, StreamState, StreamStats
from rxstreams.timeframe import Timeframe

_MINUTE = 60 * 10**9
_1M, _5M = Timeframe("1m"), Timeframe("5m")
_TITLES = {"symbol", "time UTC", "open", "high", "low", "close", "volume", "trades", "candles", "line", "breaks", "lag"}


def _candle(
    minute: int,
    price: float = 100.0,
    *,
    symbol: str = "BTC/USD",
    timeframe: Timeframe = _1M,
    closed: bool = True,
    complete: bool = True,
    revision: int = 0,
) -> OHLCCandle:
    return OHLCCandle(
        symbol=symbol,
        timeframe=timeframe,
        open_time=minute * _MINUTE,
        open=price,
        high=price + 1,
        low=price - 1,
        close=price + 0.5,
        volume=2.0,
        trades=3,
        closed=closed,
        complete=complete and closed,
        revision=revision,
    )


def _event(kind: EventKind, state: StreamState, *symbols: str, line: int = 0) -> StreamEvent:
    return StreamEvent(kind=kind, state=state, line=line, symbols=symbols, reason="why")


def _board(*symbols: str, timeframes: tuple[Timeframe, ...] = (_1M,)) -> Board:
    return Board(symbols or ("BTC/USD",), timeframes, clock=lambda: 3661 * 10**9)


def _draw(board: Board, *, width: int = 140, height: int = 40, encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=width, height=height, legacy_windows=False)
    with console.capture() as capture:
        console.print(Dashboard(board, header=lambda view: watch_header(view, StreamStats()), title="a title"))
    return capture.get()


def test_board_when_candles_come_then_the_row_shows_the_newest() -> None:
    """Forming candles replace each other; one that closes late does not push the newest away."""
    board = _board()
    for candle in (_candle(0), _candle(1, 102.0, closed=False), _candle(1, 103.0, closed=False)):
        board.on_candle(candle)
    board.on_candle(_candle(0, 99.0, revision=1))
    row = board.view().rows[0]
    assert row.candle == _candle(1, 103.0, closed=False)
    assert row.history == "cf"


def test_board_when_candles_close_then_each_is_counted_once() -> None:
    """A revision is no further candle; when it takes complete back, or gives it, the count follows."""
    board = _board()
    board.on_candle(_candle(0, complete=False))
    board.on_candle(_candle(1))
    assert (board.view().closed, board.view().complete) == (2, 1)
    board.on_candle(_candle(0, complete=True, revision=1))
    assert (board.view().closed, board.view().complete) == (2, 2)
    board.on_candle(_candle(1, complete=False, revision=1))
    assert (board.view().closed, board.view().complete) == (2, 1)
    assert board.view().rows[0].history == "ci"


def test_board_when_symbols_have_holes_then_the_same_intervals_stand_below_each_other() -> None:
    """An interval that only one symbol has is a blank for the other."""
    board = _board("BTC/USD", "ETH/USD")
    for minute in range(3):
        board.on_candle(_candle(minute))
    board.on_candle(_candle(2, symbol="ETH/USD", complete=False))
    assert [row.history for row in board.view().rows] == ["ccc", "  i"]


def test_board_when_many_candles_closed_then_the_last_sixteen_are_remembered() -> None:
    """The history has a length; what is older is forgotten, not counted anew."""
    board = _board()
    for minute in range(40):
        board.on_candle(_candle(minute, complete=minute != 39))
    view = board.view()
    assert view.rows[0].history == "c" * 15 + "i"
    assert (view.closed, view.complete) == (40, 39)
    board.on_candle(_candle(2, revision=1))
    assert (board.view().closed, board.view().complete) == (40, 39)


def test_board_when_a_candle_is_of_another_timeframe_then_it_is_not_shown() -> None:
    """The base that the longer ones are made of is nobody's business."""
    closed: list[OHLCCandle] = []
    board = Board(["BTC/USD"], [_5M], on_closed=closed.append)
    board.on_candle(_candle(0))
    board.on_candle(_candle(0, timeframe=_5M))
    assert [candle.timeframe for candle in closed] == [_5M]
    assert board.view().closed == 1


def test_board_when_a_line_breaks_then_its_symbols_show_it_and_others_do_not() -> None:
    """Which symbols a line has is told by the loss."""
    board = _board("BTC/USD", "ETH/USD")
    for line in (0, 1):
        board.on_event(_event("state", StreamState.STREAMING, line=line))
    board.on_event(_event("loss", StreamState.STREAMING, "ETH/USD", line=1))
    board.on_event(_event("state", StreamState.BACKING_OFF, line=1))
    btc, eth = board.view().rows
    assert (eth.state, eth.losses) == ("backing_off", 1)
    assert (btc.state, btc.losses) == ("", 0)
    assert board.view().lines == {0: StreamState.STREAMING, 1: StreamState.BACKING_OFF}


def test_board_when_there_is_one_line_then_all_symbols_are_in_its_state() -> None:
    """Nothing has to happen for that to be known."""
    board = _board("BTC/USD", "ETH/USD")
    board.on_event(_event("state", StreamState.STALE))
    assert [row.state for row in board.view().rows] == ["stale", "stale"]


def test_board_when_a_symbol_is_refused_then_its_row_says_so_and_does_not_wait() -> None:
    """Whatever its line does."""
    board = _board("BTC/USD", "FOO/USD")
    board.on_event(_event("refused", StreamState.SUBSCRIBING, "FOO/USD"))
    board.on_event(_event("state", StreamState.STREAMING))
    assert [row.state for row in board.view().rows] == ["streaming", "refused"]
    foo = next(line for line in _draw(board).splitlines() if "FOO/USD" in line)
    assert "refused" in foo
    assert "waiting" not in foo


def test_board_when_a_line_comes_back_then_the_note_says_again() -> None:
    """The first time it streams, then it is silent, then it streams again."""
    notes: list[Note] = []
    board = Board(["BTC/USD"], [_1M], clock=lambda: 7, on_note=notes.append, name="kraken")
    for state in (StreamState.CONNECTING, StreamState.STREAMING, StreamState.STALE, StreamState.STREAMING):
        board.on_event(_event("state", state, line=2))
    assert notes == [
        Note(7, "kraken line 2: streaming"),
        Note(7, "kraken line 2: silent; asking for a sign of life", bad=True),
        Note(7, "kraken line 2: streaming again"),
    ]


def test_board_when_a_note_holds_control_characters_then_they_never_reach_the_terminal() -> None:
    """What a venue sends is shown, not obeyed."""
    board = _board()
    board.note("payload: \x1b[2J\x07 and\r\n more")
    assert board.view().notes[0].text == "payload: ?[2J? and more"


def test_board_when_a_gap_was_closed_or_not_then_a_note_tells() -> None:
    """Recovered is good news, lost is bad news."""
    board = _board()
    board.on_event(_event("recovered", StreamState.STREAMING))
    board.on_event(_event("lost", StreamState.STREAMING))
    assert [(note.text, note.bad) for note in board.view().notes] == [
        ("line 0: recovered: why", False),
        ("line 0: lost: why", True),
    ]


def test_board_when_trades_come_then_the_lag_is_that_of_the_newest() -> None:
    """The lag is the time from the venue's stamp to our receipt."""
    board = _board()
    assert board.view().rows[0].lag is None
    for lag in (5, 2):
        board.on_tick(PriceTick(symbol="BTC/USD", price=1.0, timestamp=10**9, received=(1 + lag) * 10**9))
    assert board.view().rows[0].lag == 2.0
    assert board.view().trades == 2


def test_dashboard_when_the_window_is_wide_then_every_column_is_there() -> None:
    """In their order, with the numbers below."""
    board = _board(timeframes=(_1M, _5M))
    board.on_event(_event("state", StreamState.STREAMING))
    board.on_tick(PriceTick(symbol="BTC/USD", price=1.0, timestamp=10**9, received=10**9 + 25_000_000))
    board.on_candle(_candle(0, 100.25, complete=False))
    board.on_candle(_candle(1, 100.0, closed=False))
    lines = _draw(board).splitlines()
    head = next(line for line in lines if "symbol" in line)
    assert {title for title in _TITLES if title in head} == _TITLES
    row = next(line for line in lines if "BTC/USD" in line)
    assert row.strip("│ ").split() == [
        *("BTC/USD", "1m", "00:01", "100.0", "101.0", "99.0", "100.5", "2.0000", "3", "○◐"),
        *("streaming", "0", "25", "ms"),
    ]


@pytest.mark.parametrize("width", range(50, 150, 7))
def test_dashboard_when_the_window_is_narrow_then_columns_go_and_lines_never_wrap(width: int) -> None:
    """Whatever the width, symbol, close and history stay; a row stays a line."""
    board = _board("BTC/USD", "ETH/USD", timeframes=(_1M, _5M))
    for symbol in ("BTC/USD", "ETH/USD"):
        for timeframe in (_1M, _5M):
            board.on_candle(_candle(0, 123_456.5, symbol=symbol, timeframe=timeframe))
    board.on_event(_event("state", StreamState.BACKING_OFF))
    board.note("a message that is much longer than any window is wide " * 5, bad=True)
    lines = _draw(board, width=width, height=40).splitlines()
    assert {len(line) for line in lines} == {width}
    rows = [line for line in lines if re.search("BTC/USD|ETH/USD", line)]
    assert len(rows) == 2
    assert all("123,457.0" in row and "●" in row for row in rows)


@pytest.mark.parametrize("height", [12, 20, 24, 40])
def test_dashboard_when_the_window_is_low_then_it_still_fits(height: int) -> None:
    """Rows that have no room are counted; the newest notes stay."""
    board = _board(*(f"S{number}/USD" for number in range(30)))
    for number in range(20):
        board.note(f"note {number}")
    text = _draw(board, height=height)
    assert len(text.splitlines()) <= max(height, 14)
    assert "note 19" in text
    assert "more rows" in text


def test_dashboard_when_notes_come_then_the_frame_keeps_its_height() -> None:
    """Nothing jumps."""
    board = _board()
    before = len(_draw(board).splitlines())
    for number in range(30):
        board.note(f"note {number}")
    assert len(_draw(board).splitlines()) == before


def test_dashboard_when_the_terminal_knows_ascii_only_then_it_gets_ascii() -> None:
    """Where dots can't be shown, letters are."""
    board = _board()
    board.on_candle(_candle(0))
    board.on_candle(_candle(1, complete=False))
    board.note("a message of the venue … and no end " * 10)
    text = _draw(board, encoding="ascii")
    assert text.isascii()
    assert "+o" in text
    assert "o incomplete" in text


def test_dashboard_when_prices_have_decimals_then_all_of_a_symbol_have_as_many() -> None:
    """A price at a round number is not shorter than its neighbours, and none is rounded."""
    board = _board()
    board.on_candle(_candle(0, 0.00001234))
    assert "0.00001234" in _draw(board)
    board.on_candle(_candle(1, 2.0, closed=False))
    assert "2.00000000" in _draw(board)
    board = _board()
    board.on_candle(_candle(0, 1e15))
    assert "1,000,000,000,000,000.5" in _draw(board)


def test_headers_when_there_are_many_lines_then_they_are_counted() -> None:
    """Four lines are named, more are summed up; bad messages are told."""
    board = _board()
    console = Console(file=io.StringIO(), width=140)
    for line in range(40):
        board.on_event(_event("state", StreamState.STREAMING if line else StreamState.BACKING_OFF, line=line))
    stats = StreamStats(reconnects={"ConnectionLost": 2}, parse_errors=1)
    with console.capture() as capture:
        console.print(watch_header(board.view(), stats))
        console.print(demo_header(board.view(), 61.0, 900.0))
    live, demo = capture.get().splitlines()
    assert "39 lines streaming, 1 lines backing off" in live
    assert "2 reconnects" in live
    assert "1 bad message" in live
    assert demo.startswith("01:01 of 15:00")


def test_lines_when_a_candle_closes_then_its_line_says_all(capsys: pytest.CaptureFixture[str]) -> None:
    """One line: when, what, the numbers, and whether it is true."""
    lines = Lines(on=True)
    lines.on_closed(_candle(1, 100.25))
    lines.on_closed(_candle(2, 100.0, complete=False, revision=3))
    lines.on_note(Note(3661 * 10**9, "something"))
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        "00:01 BTC/USD 1m o 100.25 h 101.25 l 99.25 c 100.75 v 2.0000 3 trades complete",
        "00:02 BTC/USD 1m o 100.00 h 101.00 l 99.00 c 100.50 v 2.0000 3 trades INCOMPLETE, revision 3",
        "01:01:01 something",
    ]


def test_lines_when_the_output_knows_ascii_only_then_what_it_lacks_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """No message of the library can end the program."""
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", output)
    Lines(on=True).on_note(Note(0, "cut here… (300 characters)"))
    output.seek(0)
    assert output.read() == "00:00:00  cut here? (300 characters)\n"


def test_lines_when_days_or_seconds_are_the_timeframe_then_the_time_is_as_exact() -> None:
    """A day has a date, half a minute has seconds."""
    assert format_candle(_candle(0, timeframe=Timeframe("1d")), 1).startswith("1970-01-01  BTC/USD")
    assert format_candle(_candle(0, timeframe=Timeframe("30s")), 1).startswith("00:00:00  BTC/USD")


def test_lines_when_nobody_reads_then_the_chain_ends_and_notes_are_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed pipe ends what comes through the chain with its own error; a note never raises."""

    def broken(text: str) -> None:
        raise BrokenPipeError(text)

    monkeypatch.setattr("click.echo", broken)
    lines = Lines(on=True)
    lines.on_note(Note(0, "something"))
    assert isinstance(lines.broken, BrokenPipeError)
    with pytest.raises(BrokenPipeError):
        lines.on_closed(_candle(0))


def test_warnings_when_the_library_logs_then_they_go_to_the_board_only(caplog: pytest.LogCaptureFixture) -> None:
    """While the table is shown nothing else is written; afterwards logging is as it was."""
    board = _board()
    logger = logging.getLogger("rxstreams.somewhere")
    with warnings_on(board):
        logger.info("nobody needs this")
        logger.warning("line %d broke\n  in two lines", 1)
        try:
            raise ConnectionLost("gone")
        except ConnectionLost:
            logger.exception("it failed")
    assert [(note.text, note.bad) for note in board.view().notes] == [
        ("line 1 broke in two lines", True),
        ("it failed: ConnectionLost('gone')", True),
    ]
    assert caplog.records == []
    logger.warning("after")
    assert [record.message for record in caplog.records] == ["after"]
    assert len(board.view().notes) == 2


@pytest.mark.parametrize(
    ("timeframes", "base"),
    [
        (["5m", "1h"], "5m"),
        (["1h", "5m", "1d", "1w", "1M"], "5m"),
        (["45s", "1m"], "1s"),
        (["2m", "3m"], "1m"),
        (["1w", "1M"], "1m"),
        (["30s", "1m", "90s"], "30s"),
        (["1d"], "1d"),
    ],
)
def test_base_when_the_shortest_does_not_serve_all_then_one_that_does_is_taken(
    timeframes: list[str], base: str
) -> None:
    """The shortest if it can build all others, else a minute, else a second."""
    assert choose_base([Timeframe(timeframe) for timeframe in timeframes]) is Timeframe(base)
