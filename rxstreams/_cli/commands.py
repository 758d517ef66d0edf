"""The commands of the command line: their options and their exit codes."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import click
from rich.console import Console

from rxstreams._cli.demo import DEFAULT_SEED, run_demo
from rxstreams._cli.venue_table import write_table
from rxstreams._cli.venues import print_venues
from rxstreams._cli.watch import advise, run_watch
from rxstreams.errors import ObserverError, StreamError, UnknownSymbol, UnknownVenue
from rxstreams.sources import venue as find_venue
from rxstreams.timeframe import Timeframe

_MINUTES = re.compile(r"[0-9]+(\.[0-9]+)?")
_EXIT_CODES = """
\b
Exit codes:
  0  it went well, or was ended with Ctrl-C
  1  {failure}
  2  the command line is wrong; the message says what exists
"""


def _to_timeframes(_: click.Context, param: click.Parameter, values: tuple[str, ...]) -> list[Timeframe]:
    """Return the timeframes of texts; a bare number means minutes."""
    try:
        return [Timeframe(float(value) if _MINUTES.fullmatch(value) else value) for value in values]
    except ValueError as error:
        raise click.BadParameter(str(error), param=param) from error


@click.group(
    epilog=_EXIT_CODES.format(failure="something failed for good, or the demo found a difference"),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="rxstreams", prog_name="rxstreams")
def commands() -> None:
    """Market data as Observables, and candles that say whether they are true.

    \b
    See it work, without a network:
      rxstreams demo
    \b
    See it work with a real venue, without an account:
      rxstreams watch kraken BTC/USD ETH/USD -t 1m -t 5m
    \b
    Keep the closed candles of an hour in a file:
      rxstreams watch kraken BTC/USD -t 5m --seconds 3600 --plain > candles.txt
    \b
    Which venues there are, and what their candles mean:
      rxstreams venues

    rxstreams COMMAND --help says more about each.
    """


@commands.command(epilog=_EXIT_CODES.format(failure="a candle or a trade is not as it has to be, or the demo failed"))
@click.option("--seed", type=int, default=DEFAULT_SEED, show_default=True, help="Of the made-up trades.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=2, max=900),
    default=15,
    show_default=True,
    help="How long it lasts; the exchange plays 15 minutes in them.",
)
@click.option("--plain", is_flag=True, help="Lines instead of the live table; always so where there is no terminal.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), hidden=True, help="Write a picture of it.")
def demo(seed: int, seconds: float, plain: bool, svg: Path | None) -> None:
    """Make candles of a simulated exchange that breaks, and compare them with the truth.

    An exchange on this machine plays 15 minutes of trades of six symbols over two sockets. It sends garbage, cuts one
    socket and lets the other fall silent. The feed comes back each time and fetches what it missed over REST. At the
    end every trade and every candle are held against what the exchange knows: each trade has to have arrived once and
    in order, each candle has to be complete and the true one.

    \b
      rxstreams demo                      about 15 seconds
      rxstreams demo --seconds 60         slowly
      rxstreams demo --seed 1             other trades
      rxstreams demo --plain > demo.txt   in lines
    """
    try:
        code = run_demo(seed=seed, seconds=seconds, plain=plain, svg=svg)
    except ObserverError:
        raise  # a bug of ours: its traceback is wanted
    except (StreamError, TimeoutError) as error:
        raise click.ClickException(advise(error)) from error
    raise SystemExit(code)


@commands.command(epilog=_EXIT_CODES.format(failure="the feed failed for good; the message says what to do"))
@click.argument("venue")
@click.argument("symbols", metavar="SYMBOL...", nargs=-1, required=True)
@click.option(
    "-t",
    "--timeframe",
    "timeframes",
    metavar="TIMEFRAME",
    multiple=True,
    callback=_to_timeframes,
    default=("1m", "5m"),
    show_default=True,
    help="30s, 5m, 1h, 1d, 1w, 1M, or minutes; once for each.",
)
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="End after so long; else with Ctrl-C.")
@click.option("--plain", is_flag=True, help="Lines instead of the live table; always so where there is no terminal.")
@click.option("--url", default="", help="Another WebSocket that speaks as the venue does: a test exchange, a relay.")
@click.option("--rest-url", default="", hidden=True, help="Another base of its REST API, where gaps are fetched.")
def watch(
    venue: str,
    symbols: tuple[str, ...],
    timeframes: list[Timeframe],
    seconds: float | None,
    plain: bool,
    url: str,
    rest_url: str,
) -> None:
    """Show live candles of SYMBOLs at a VENUE.

    Symbols are BASE/QUOTE. Times are UTC, when a candle opens. A candle is complete (a full dot) if no trade can be
    missing from it: not the first one, which began before you came, and none that a broken connection touched.

    \b
      rxstreams watch kraken BTC/USD
      rxstreams watch kraken BTC/USD ETH/USD -t 5m -t 1h -t 1d
      rxstreams watch kraken BTC/USD -t 30s --plain | grep INCOMPLETE
    """
    try:
        feed = find_venue(venue).trades(symbols, url=url, rest_url=rest_url)
    except UnknownVenue as error:
        raise click.BadParameter(str(error), param_hint="VENUE") from error
    except UnknownSymbol as error:
        raise click.BadParameter(str(error), param_hint="SYMBOL") from error
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    try:
        with suppress(KeyboardInterrupt):  # it was pressed before anything ran, or twice
            run_watch(feed, timeframes, seconds=seconds, plain=plain)
    except ObserverError:
        raise  # as above
    except StreamError as error:
        raise click.ClickException(advise(error)) from error


@commands.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--markdown", is_flag=True, help="The table in Markdown, as the README carries it.")
@click.option(
    "--into",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    hidden=True,
    help="Renew the table in a Markdown file.",
)
def venues(names: tuple[str, ...], markdown: bool, into: tuple[Path, ...]) -> None:
    """List the venues in a table, or say all that is known of those with these NAMEs.

    All have live trades, and candles that are made of them. The table says what else there is, and with what the
    candles that rxstreams makes were compared.

    \b
      rxstreams venues                    all of them, a line each
      rxstreams venues kraken binance     conventions, limits, links
    """
    try:
        for path in into:
            write_table(path)
        if not into:
            print_venues(Console(highlight=False), names, markdown=markdown)
    except UnknownVenue as error:
        raise click.BadParameter(str(error), param_hint="NAME") from error
    except ValueError as error:
        raise click.ClickException(str(error)) from error
