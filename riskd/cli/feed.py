"""`riskd feed FILE...`: plays recorded market data and order flow into a running riskd."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import uvloop
from cyclopts import Parameter

from riskd.cli.connection import Connection
from riskd.cli.failure import DONE, FAILED, UNREACHABLE, USAGE, CommandError
from riskd.cli.look import HERE, Json
from riskd.cli.text import BOLD, coloured, number, print_json, span
from riskd.feed.play import PlayOptions, play
from riskd.feed.read import FORMATS, merge, read
from riskd.feed.tally import Tally, percentiles
from riskd.feed.timed import FeedError, Timed
from riskd.messages import Status

APPLIED = "applied"
STATUS_TIMEOUT_MS_MAX = 500  # The play matters more than what is said about it.


@Parameter(name="*")
@dataclass(frozen=True)
class FeedOptions:
    """How to read and how to play."""

    format: Annotated[str | None, Parameter(help=f"One of {', '.join(FORMATS)}.")] = None
    symbol: Annotated[str | None, Parameter(help="Instrument; else from the file name.")] = None
    account: Annotated[str, Parameter(help="Account of the orders.")] = "A1"
    price_scale: Annotated[str, Parameter(help="Multiplies every price, exactly: 0.01.")] = "1"
    run: Annotated[str, Parameter(help="Begins every id, to play a file a second time.")] = ""
    speed: Annotated[float, Parameter(help="0 as fast as possible, 1 real time, 60 faster.")] = 0.0
    limit: Annotated[int | None, Parameter(help="At most so many messages.")] = None
    facts: Annotated[
        Literal["approved", "all"],
        Parameter(help="Reports and fills of approved orders only, or all: hidden ones too."),
    ] = "approved"
    in_flight: Annotated[int, Parameter(help="Requests that may be unanswered at once.")] = 64
    reconnect_s: Annotated[float, Parameter(help="How long to wait for a riskd that died.")] = 30.0
    lockstep: Annotated[
        bool,
        Parameter(negative="", help="Keep ticks and orders in step, for equal verdicts each time."),
    ] = False


def feed(
    *files: Path,
    options: FeedOptions = FeedOptions(),
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Play FILES, merged by time, and report verdicts, latency and throughput.

    Reads quote, trade and tick csv.gz, LOBSTER messages (with the book file beside them) and
    Bitstamp order events. Orders become checks; cancels and executions of approved orders become
    reports and fills. Exit code 1 if a request stayed unanswered or got an error.

    Example: riskd feed eurusd_ticks_2019-01-01.csv.gz --price-scale 0.01
    """
    if not files:
        raise CommandError(
            "No file to play.",
            exit_code=USAGE,
            expected="riskd feed FILE...",
            next_step="riskd feed -h",
        )
    before = _tick_counts(connection)
    try:
        tally = uvloop.run(_played(files, options, connection, is_quiet=json))
    except FeedError as error:
        raise CommandError(str(error), exit_code=FAILED, next_step="riskd feed -h") from error
    if json:
        print_json(tally.as_dict())
    else:
        _print_report(tally)
    _warn_of_unapplied(before, _tick_counts(connection))
    if tally.requests and not tally.answers:
        return UNREACHABLE
    return DONE if tally.is_clean else FAILED


def _tick_counts(connection: Connection) -> dict[str, int]:
    """Return what riskd did with ticks so far, or nothing if it cannot be asked."""
    quick = replace(connection, timeout_ms=min(connection.timeout_ms, STATUS_TIMEOUT_MS_MAX))
    try:
        status = quick.ask(Status()).data
    except CommandError:
        return {}
    counts = status.get("ticks") if isinstance(status, dict) else None
    return counts if isinstance(counts, dict) else {}


def _warn_of_unapplied(before: dict[str, int], after: dict[str, int]) -> None:
    """Say on stderr which ticks moved nothing: they were sent, but nobody answers a tick."""
    more = {name: count - before.get(name, 0) for name, count in after.items() if name != APPLIED}
    counts = ", ".join(f"{name} {count:,}" for name, count in more.items() if count > 0)
    if counts:
        sys.stderr.write(f"riskd: warning: riskd did not apply every tick: {counts}\n")


async def _played(
    files: tuple[Path, ...], options: FeedOptions, connection: Connection, *, is_quiet: bool
) -> Tally:
    shows_progress = sys.stderr.isatty() and not is_quiet
    total = sum(1 for _ in _stream(files, options)) if shows_progress else 0
    play_options = PlayOptions(
        orders=connection.address("orders"),
        ticks=connection.address("ticks"),
        control=connection.address("control"),
        speed=options.speed,
        facts=options.facts,
        in_flight_max=options.in_flight,
        reconnect_s=options.reconnect_s,
        lockstep=options.lockstep,
        key=connection.client_key(),
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for caught in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(caught, stop.set)
    with _progress(total, is_shown=shows_progress) as on_progress:
        return await play(
            _stream(files, options), play_options, on_progress=on_progress, should_stop=stop.is_set
        )


def _stream(files: tuple[Path, ...], options: FeedOptions) -> Iterator[Timed]:
    try:
        price_scale = Decimal(options.price_scale)
    except InvalidOperation:
        raise CommandError(
            f"--price-scale is {options.price_scale!r}.",
            exit_code=USAGE,
            expected="a decimal number such as 0.01",
        ) from None
    streams = [
        read(
            path,
            symbol=options.symbol,
            account=options.account,
            price_scale=price_scale,
            file_format=options.format,
            run=options.run,
        )
        for path in files
    ]
    return islice(merge(streams), options.limit)


@contextmanager
def _progress(total: int, *, is_shown: bool) -> Iterator[Callable[[Tally], None] | None]:
    """Show a bar with rate and remaining time on a terminal; nothing when piped."""
    if not is_shown:
        yield None
        return
    # Only here: whoever pipes the output need not wait for it to load.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR")))
    columns = (
        TextColumn("{task.completed:,} of {task.total:,}"),
        BarColumn(),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
        TextColumn("in flight {task.fields[in_flight]:,}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("feed", total=total, rate=0.0, in_flight=0)

        def show(tally: Tally) -> None:
            done = tally.messages + tally.skipped.total()
            in_flight = tally.requests - tally.answers - tally.unanswered
            rate = bar.tasks[task].speed or 0.0
            bar.update(task, completed=done, rate=rate, in_flight=in_flight)

        yield show


def _print_report(tally: Tally) -> None:
    seconds = tally.elapsed_ns / 1e9
    state = "interrupted" if tally.is_interrupted else "played"
    print(coloured(f"{state} {tally.messages:,} messages in {span(tally.elapsed_ns)}", BOLD))
    print(f"  ticks      {tally.ticks:,}   {number(round(tally.ticks / seconds))}/s")
    requests = f"{tally.requests:,}   {number(round(tally.requests / seconds))}/s"
    print(f"  requests   {requests}   answered {tally.answers:,}   unanswered {tally.unanswered:,}")
    for title, counts in (
        ("verdicts", tally.verdicts),
        ("acks", {"acknowledged": tally.acks} if tally.acks else {}),
        ("flags", tally.ack_flags),
        ("errors", tally.errors),
        ("left out", tally.skipped),
    ):
        for name, count in sorted(counts.items(), key=lambda item: -item[1]):
            print(f"  {title:<10} {name:<20} {count:>12,}")
            title = ""  # noqa: PLW2901  Once above its column.
    if tally.duplicates or tally.reconnects:
        again = f"{tally.resends:,} sent again, {tally.duplicates:,} answered as duplicates"
        print(f"  reconnects {tally.reconnects:,}   {again}")
    latency = percentiles(tally.latencies_ns)
    if latency:
        shown = "   ".join(f"{name} {span(value)}" for name, value in latency.items())
        print(f"  latency    {shown.replace('p999', 'p99.9')}")
