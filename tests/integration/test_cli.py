"""The command line as users run it: in a process of its own, against an exchange that breaks."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from click.testing import CliRunner

from rxstreams._cli import demo
from rxstreams._cli.audit import Audit, audit
from rxstreams._cli.commands import commands
from rxstreams.sources import venue, venues
from rxstreams.testing import DropAfter, FakeExchange, Garbage, HttpStatus, Market, RefuseSymbols, candles_of

_PATIENCE = 40.0
_CANDLE = re.compile(
    r"^(?P<time>[\d:-]+) +(?P<symbol>\S+/\S+) +(?P<timeframe>\w+) +o (?P<open>\S+) .* (?P<trades>[\d,]+) trades  "
    r"(?P<verdict>complete|INCOMPLETE)"
)
_can_interrupt = pytest.mark.skipif(os.name == "nt", reason="Windows sends no Ctrl-C to one process alone")


class Program:
    """``rxstreams`` in a process of its own; its lines are read while it runs."""

    def __init__(self, *arguments: str) -> None:
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rxstreams", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout
        assert self._process.stderr
        self._process.stdout.close()
        self._process.stderr.close()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Read lines until a condition holds."""
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            line = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            assert line is not None, f"the program ended too early: {self.lines[-5:]} {self.errors()}"
            self.lines.append(line)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def terminate(self) -> None:
        """End it as ``kill`` and ``timeout`` do."""
        self._process.send_signal(signal.SIGTERM)

    def end(self) -> int:
        """Wait for the end, read what is left, and return the exit code."""
        code = self._process.wait(_PATIENCE)
        while (line := self._queue.get(timeout=_PATIENCE)) is not None:
            self.lines.append(line)
        return code

    def errors(self) -> str:
        """Return what it wrote to stderr; after its end."""
        assert self._process.stderr
        return self._process.stderr.read()

    @property
    def candles(self) -> list[re.Match[str]]:
        """The lines that are candles."""
        return [found for line in self.lines if (found := _CANDLE.match(line))]


def _numbers(lines: list[str]) -> dict[str, int]:
    """Return the numbers of the verdict by the word that follows each."""
    text = " ".join(lines[lines.index("Compared with what the exchange knows") :])
    found = re.findall(
        r"([\d,]+) (published|sent;|missed|arrived|of them fetched|lines? broke|gaps? closed|closed:|complete and"
        r"|complete|incomplete;|revised)",
        text,
    )
    return {word.rstrip(":;"): int(number.replace(",", "")) for number, word in reversed(found)}


def test_demo_when_run_without_a_terminal_then_lines_tell_and_the_numbers_add_up(tmp_path: Path) -> None:
    """The exchange breaks three times; the comparison finds nothing wrong; the exit code says so."""
    picture = tmp_path / "demo.svg"
    with Program("demo", "--seconds", "5", "--svg", str(picture)) as program:
        assert program.end() == 0
        assert program.errors() == ""
    text = "\n".join(program.lines)
    assert "\x1b" not in text
    # The exchange was there before the first minute, so the first candles are complete.
    assert any(found["time"] == "00:00" and found["verdict"] == "complete" for found in program.candles)
    for event in ("expected Kraken trades", "broke", "did not answer a probe", "streaming again", "recovered: BTC/USD"):
        assert event in text
    numbers = _numbers(program.lines)
    assert numbers["published"] == numbers["sent"] + numbers["missed"] == numbers["arrived"]
    assert numbers["missed"] == numbers["of them fetched"] > 0
    assert numbers["lines broke"] == 2
    assert 6 <= numbers["gaps closed"] <= 9  # nine, less those that break once more while open
    assert numbers["complete and"] == 0
    assert numbers["closed"] == numbers["complete"] + numbers["incomplete"]
    assert numbers["closed"] == len(program.candles) - numbers["revised"]
    assert {found["timeframe"] for found in program.candles} == {"1m", "5m"}
    assert "Every trade arrived once and in order, in spite of it all." in program.lines
    assert "Every candle since the feed began is complete, and the true one." in program.lines
    missed = [line for line in program.lines if re.match(r"  \S+/USD +[15]m  .* missed  +", line)]
    assert missed
    assert all(line.endswith((" complete", "did not close")) for line in missed)
    drawing = picture.read_text(encoding="utf-8")
    assert drawing.startswith("<svg")
    assert "http" not in drawing.replace("http://www.w3.org/2000/svg", "").replace("https://www.textualize.io", "")
    assert 20_000 < picture.stat().st_size < 200_000


def test_demo_when_a_trade_got_lost_on_the_way_then_the_exit_code_is_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One trade of thousands, taken away after it arrived: the difference is told, and the success is not."""

    def spoilt(**material: Any) -> Audit:
        del material["arrived"][100]
        return audit(**material)

    monkeypatch.setattr(demo, "audit", spoilt)
    assert demo.run_demo(seed=1, seconds=3, plain=True) == 1
    output = capsys.readouterr().out
    assert "1 difference, none of which may be" in output
    assert "was published and never arrived" in output
    assert "is the true one" not in output


@_can_interrupt
def test_demo_when_interrupted_then_what_there_was_is_compared() -> None:
    """Ctrl-C ends it cleanly, and the part that was played is held against the truth all the same."""
    with Program("demo", "--plain", "--seconds", "30") as program:
        program.wait_for(lambda: len(program.candles) >= 6)
        program.interrupt()
        assert program.end() == 0
        assert program.errors() == ""
    assert "Interrupted; what there was until now is compared." in program.lines
    numbers = _numbers(program.lines)
    assert numbers["closed"] == len(program.candles)
    assert numbers["published"] == numbers["arrived"]
    assert numbers["complete and"] == 0


def _market(duration: float = 1200.0) -> Market:
    return Market(["BTC/USD", "ETH/USD"], seed=4, duration=duration, rate={"BTC/USD": 1.0, "ETH/USD": 0.5})


@_can_interrupt
def test_watch_when_trades_come_then_candles_are_printed_and_ctrl_c_ends_it_well() -> None:
    """All closed candles of both timeframes, each as the exchange's trades make it; then Ctrl-C: exit code 0."""
    # It begins a second before the first minute: the first candles are covered from their beginning.
    with FakeExchange(_market(), start=_market().start - 10**9, wait_for=2) as exchange:
        with Program("watch", "kraken", "BTC/USD", "ETH/USD", "-t", "5m", "-t", "1m", "--url", exchange.url) as program:
            exchange.wait_finished(_PATIENCE)
            program.wait_for(lambda: len(program.candles) >= 2 * (19 + 3))
            program.interrupt()
            assert program.end() == 0
            assert program.errors() == ""
        truth = [
            (candle.symbol, timeframe, candle.open_time // 10**9, f"{candle.trades:,}")
            for timeframe in ("1m", "5m")
            for candle in candles_of(exchange.trades, timeframe)
        ]
    begin = _market().start // 10**9
    printed = [
        (
            found["symbol"],
            found["timeframe"],
            begin + sum(int(part) * unit for part, unit in zip(found["time"].split(":"), (3600, 60), strict=True)),
            found["trades"],
        )
        for found in program.candles
    ]
    assert len(printed) == len(set(printed)) == 2 * (19 + 3)
    assert set(printed) <= set(truth)
    assert all(found["verdict"] == "complete" for found in program.candles)
    assert program.lines[-1] == f"{len(exchange.sent()):,} trades; 44 candles closed, 44 complete; 0 reconnects"


@_can_interrupt
def test_watch_when_the_shortest_does_not_serve_then_only_what_was_asked_for_is_shown() -> None:
    """45 seconds can't make a minute: both are made of seconds, which nobody asked for."""
    with (
        FakeExchange(_market(300), wait_for=1) as exchange,
        Program("watch", "kraken", "BTC/USD", "-t", "45s", "-t", "1", "--url", exchange.url, "--plain") as program,
    ):
        program.wait_for(lambda: {found["timeframe"] for found in program.candles} == {"45s", "1m"})
        program.terminate()
        assert program.end() == 0
    assert {found["timeframe"] for found in program.candles} == {"45s", "1m"}


@_can_interrupt
def test_watch_when_the_connection_breaks_then_it_is_told_and_goes_on() -> None:
    """A drop, garbage and a symbol that the venue does not have: each is a line, and candles keep coming."""
    faults = [DropAfter(connection=0, trades=300), Garbage(connection=0, trades=10), RefuseSymbols(["FOO/USD"])]
    with (
        FakeExchange(_market(), wait_for=2, faults=faults) as exchange,
        Program(*("watch", "kraken", "BTC/USD", "ETH/USD", "FOO/USD", "-t", "1m", "--url", exchange.url)) as program,
    ):
        program.wait_for(lambda: any("streaming again" in line for line in program.lines))
        before = len(program.candles)
        program.wait_for(lambda: any(found["verdict"] == "complete" for found in program.candles[before:]))
        program.interrupt()
        assert program.end() == 0
        assert program.errors() == ""
    text = "\n".join(program.lines)
    assert "the venue refused FOO/USD" in text
    assert "expected Kraken trades" in text
    assert "the connection to kraken broke" in text
    assert any(found["verdict"] == "INCOMPLETE" for found in program.candles)
    assert program.lines[-1].endswith("; 1 reconnect")


def test_watch_when_the_seconds_are_over_then_it_ends_well() -> None:
    """As with Ctrl-C."""
    with FakeExchange(symbols=["BTC/USD"]) as exchange:
        with Program("watch", "kraken", "BTC/USD", "--url", exchange.url, "--seconds", "0.5") as program:
            assert program.end() == 0
            assert program.errors() == ""
        assert exchange.connections[0].close_code == 1000
    assert program.lines[-1] == "0 trades; 0 candles closed, 0 complete; 0 reconnects"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (HttpStatus(403), "check the address; the venue may not serve your country or network"),
        (RefuseSymbols(["BTC/USD"]), "check the spelling: BASE/QUOTE, as the venue names them"),
    ],
)
def test_watch_when_the_feed_fails_for_good_then_one_line_says_what_to_do(
    fault: HttpStatus | RefuseSymbols, message: str
) -> None:
    """Exit code 1, the error and the advice in one line, no traceback."""
    with (
        FakeExchange(_market(), faults=[fault]) as exchange,
        Program("watch", "kraken", "BTC/USD", "--url", exchange.url) as program,
    ):
        assert program.end() == 1
        errors = program.errors()
    assert errors.count("\n") == 1
    assert errors.startswith("Error: ")
    assert errors.rstrip().endswith(message)


@pytest.mark.skipif(os.name == "nt", reason="there is no head")
def test_watch_when_nobody_reads_any_more_then_it_ends_without_a_traceback() -> None:
    """As in ``rxstreams watch … | head``."""
    with FakeExchange(_market(), wait_for=1) as exchange:
        process = subprocess.Popen(
            [sys.executable, "-m", "rxstreams", "watch", "kraken", "BTC/USD", "-t", "1m", "--url", exchange.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout
        assert process.stderr
        assert b"streaming" in process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        process.stderr.close()
        assert process.wait(_PATIENCE) == 1
    assert b"Traceback" not in errors


@pytest.mark.skipif(os.name == "nt", reason="there is no pty")
def test_watch_when_there_is_a_terminal_then_a_table_lives_in_it_and_warnings_do_not_garble_it() -> None:
    """The table is drawn again and again; a broken connection is a line in it; the cursor comes back."""
    import pty  # not on Windows

    screen = bytearray()

    def has(*texts: str) -> bool:
        return all(text.encode() in screen for text in texts)

    ours, theirs = pty.openpty()
    with FakeExchange(_market(), wait_for=1, faults=[DropAfter(connection=0, trades=200)]) as exchange:
        process = subprocess.Popen(
            [sys.executable, "-m", "rxstreams", "watch", "kraken", "BTC/USD", "--url", exchange.url],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "30"},
            start_new_session=True,
        )
        os.close(theirs)

        def read() -> None:
            while True:
                try:
                    screen.extend(os.read(ours, 65536))
                except OSError:  # Linux's way of saying that the other side is closed
                    return

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        exchange.wait_until(lambda: has("the connection to kraken broke", "streaming again", "●"), _PATIENCE)
        process.send_signal(signal.SIGINT)
        assert process.wait(_PATIENCE) == 0
        reader.join(_PATIENCE)
        os.close(ours)
    text = screen.decode()
    assert text.count("rxstreams watch kraken") > 5
    assert "\x1b[?25l" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert "Traceback" not in text
    # A warning stands between the edges of the frame, never in a line of its own.
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    about_the_break = [line for line in plain.splitlines() if "the connection to kraken broke" in line]
    assert about_the_break
    assert all(line.strip().startswith("│") and line.strip().endswith("│") for line in about_the_break)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["watch", "nowhere", "BTC/USD"], "no venue is called 'nowhere'; there are binance"),
        (["watch", "kraken", "btc-usd"], "did you mean 'BTC/USD'?"),
        (["watch", "kraken", "BTC/USD", "-t", "7x"], "expected a timeframe such as '30s', '5m', '1h'"),
        (["watch", "kraken", "BTC/USD", "-t", "0"], "must be longer than 0"),
        (["watch", "kraken", "BTC/USD", "--url", "http://x"], "must look like wss://host/path"),
        (["watch", "kraken", "BTC/USD", "--seconds", "0"], "'--seconds'"),
        (["watch", "kraken"], "Missing argument"),
        (["demo", "--seconds", "1"], "'--seconds'"),
        (["dance"], "No such command 'dance'"),
    ],
)
def test_command_when_it_is_wrong_then_the_exit_code_is_2_and_the_message_says_what_exists(
    arguments: list[str], message: str
) -> None:
    """Nothing is started; the usage is shown."""
    result = CliRunner().invoke(commands, arguments)
    assert result.exit_code == 2
    assert "Usage: " in result.output
    assert message in " ".join(result.output.split())


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--help"], ["watch", "-h"]])
def test_help_when_asked_for_then_it_has_examples_and_exit_codes(arguments: list[str]) -> None:
    """It teaches by example, and it fits a terminal of 80 columns."""
    result = CliRunner().invoke(commands, arguments, prog_name="rxstreams", terminal_width=80)
    assert result.exit_code == 0
    assert "\n    rxstreams " in result.output
    assert re.search(r"Exit codes:\n +0 .*\n +1 .*\n +2 ", result.output)
    assert max(map(len, result.output.splitlines())) <= 80


def test_version_when_asked_for_then_it_is_that_of_the_package() -> None:
    """``rxstreams --version``."""
    import rxstreams

    assert CliRunner().invoke(commands, ["--version"]).output == f"rxstreams, version {rxstreams.__version__}\n"


def test_venues_when_listed_then_each_has_its_line() -> None:
    """A table of all, and where to look for more."""
    output = CliRunner().invoke(commands, ["venues"]).output
    for name in venues():
        assert f"\n{name} " in output
    assert "rxstreams venues NAME" in output


@pytest.mark.parametrize("name", venues())
def test_venues_when_one_is_named_then_says_what_its_class_says(name: str) -> None:
    """Conventions, limits, candles and links come from the Venue."""
    text = "".join(CliRunner().invoke(commands, ["venues", name]).output.split())
    described = venue(name).venue
    words = (*described.candle_timeframes, *described.examples, *described.documentation, described.verified)
    for word in (*words, described.url, f"{described.symbols_per_message:,} a message"):
        assert "".join(word.split()) in text


def test_venues_when_there_is_none_of_that_name_then_says_which_there_are() -> None:
    """Exit code 2, as with any wrong command line."""
    result = CliRunner().invoke(commands, ["venues", "krakn"])
    assert result.exit_code == 2
    assert "krakn" in result.output
    assert "kraken" in result.output


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_command_when_the_extra_is_missing_then_the_message_names_it(missing: str) -> None:
    """One line that says what to install, no traceback."""
    program = f"import sys; sys.modules[{missing!r}] = None; from rxstreams.cli import main; main()"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 1
    assert result.stderr == f"rxstreams: the command line needs {missing}: pip install 'rxstreams[cli]'\n"
