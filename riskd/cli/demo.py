"""`riskd demo`: riskd, a synthetic market and synthetic gateways, in one go."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import uvloop
from cyclopts import Parameter
from rich.console import Console
from rich.live import Live

import riskd
from riskd.cli.demo_view import line_of, screen_of
from riskd.cli.failure import DONE, FAILED, USAGE, CommandError
from riskd.demo.child import DEFAULT_PORTS, ChildError, ServeChild, free_addresses
from riskd.demo.scene import Board, Cast, SceneOptions, ask_cast, run_scene
from riskd.errors import RiskdError

BOX_COLUMNS = 62
LINE_S = 1.0


def demo(
    *,
    seed: Annotated[int, Parameter(help="The same seed makes the same market.")] = 7,
    speed: Annotated[float, Parameter(help="How many times as fast the story runs.")] = 1.0,
    for_s: Annotated[
        float | None, Parameter(name="--for", help="End after so many seconds.")
    ] = None,
    keep: Annotated[Path | None, Parameter(help="Keep journal and data in this folder.")] = None,
) -> int:
    """Start riskd on its shipped defaults with a synthetic market and gateways, and watch.

    From second 40 on account A3 loses money. Ctrl-C ends everything.

    Example: riskd demo --seed 7 --for 60
    """
    if speed <= 0:
        raise CommandError(f"--speed is {speed:g}.", exit_code=USAGE, expected="more than 0")
    if for_s is not None and for_s <= 0:
        raise CommandError(f"--for is {for_s:g}.", exit_code=USAGE, expected="more than 0 seconds")
    began_s = time.monotonic()
    stop = _StopFlag()
    with nullcontext(str(keep)) if keep else tempfile.TemporaryDirectory() as folder:
        _make_folder(Path(folder))
        try:
            addresses = free_addresses()
            with ServeChild(addresses, Path(folder)) as child:
                child.wait_until_ready()
                cast = ask_cast(addresses["control"])
                _print_banner(addresses, cast, seed, keep)
                _print_next_step(addresses, time.monotonic() - began_s)
                options = SceneOptions(seed=seed, speed=speed, for_s=for_s)
                board = _watch(addresses, cast, options, stop, child)
        except ChildError as error:
            text = f"riskd serve did not start:\n{error}"
            raise CommandError(text, exit_code=FAILED, next_step="riskd serve shows why") from error
        except RiskdError as error:
            raise CommandError(f"riskd serve: {error}", exit_code=FAILED) from error
    print(f"ended   {line_of(board).strip()}")
    return DONE


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(
            f"{folder} cannot be made: {error.strerror}.",
            exit_code=USAGE,
            where="--keep",
            expected="a folder, or a place where one may be made",
        ) from error


class _StopFlag:
    """Set by Ctrl-C, SIGTERM and a closed terminal, so that the child is stopped every time."""

    def __init__(self) -> None:
        self.is_set = False
        for caught in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(caught, self._interrupt)

    def _interrupt(self, number: int, frame: object) -> None:
        if self.is_set:
            return
        self.is_set = True
        raise KeyboardInterrupt  # Before the loop runs: leaves through every `with`.

    def on_loop(self) -> None:
        """Take the signals on the loop from here on, where nothing is interrupted midway."""
        loop = asyncio.get_running_loop()
        for caught in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(caught, self._set)

    def _set(self) -> None:
        self.is_set = True


def _watch(
    addresses: dict[str, str],
    cast: Cast,
    options: SceneOptions,
    stop: _StopFlag,
    child: ServeChild,
) -> Board:
    with _view() as on_frame:

        async def scene() -> Board:
            stop.on_loop()
            return await run_scene(
                addresses,
                cast,
                options,
                on_frame=on_frame,
                should_stop=lambda: stop.is_set or not child.is_running,
            )

        board = uvloop.run(scene())
    if not child.is_running:
        raise ChildError("It ended by itself.\n" + "\n".join(child.last_lines))
    return board


@contextmanager
def _view() -> Iterator[Callable[[Board], None]]:
    """Yield what shows a board: the live screen on a terminal, else a line a second."""
    if not sys.stdout.isatty():
        yield _Lines()
        return
    console = Console(no_color=bool(os.environ.get("NO_COLOR")))
    with Live(console=console, auto_refresh=False) as live:

        def show(board: Board) -> None:
            width, height = console.size
            # One line is the cursor's own.
            live.update(screen_of(board, width=width, height=height - 1), refresh=True)

        yield show


class _Lines:
    """Prints the state once a second."""

    def __init__(self) -> None:
        self._printed_s = 0.0

    def __call__(self, board: Board) -> None:
        now_s = time.monotonic()
        if now_s - self._printed_s >= LINE_S:
            self._printed_s = now_s
            print(line_of(board), flush=True)


def _print_banner(addresses: dict[str, str], cast: Cast, seed: int, keep: Path | None) -> None:
    counts = f"{len(cast.accounts)} accounts · {len(cast.instruments)} instruments"
    print(f"riskd {riskd.__version__} · env demo · {counts} · synthetic market, seed {seed}")
    for name, text in (
        ("orders", 'ask "may this order go out?"'),
        ("ticks", "market data in"),
        ("alerts", "verdicts, alerts, P&L out"),
        ("control", "riskd status | kill | limits"),
    ):
        print(f"  {name:<9}  {addresses[name]:<24}  {text}")
    kept = "nothing kept (--keep DIR)" if keep is None else f"kept in {keep}"
    text = f" DEMO: no keys, invented limits, {kept}".ljust(BOX_COLUMNS - 1) + " "
    line = "─" * len(text)
    print(f"┌{line}┐\n│{text}│\n└{line}┘")


def _print_next_step(addresses: dict[str, str], took_s: float) -> None:
    """Say what to type next, as it works from here: with the launcher and the ports in use."""
    print(f"ready in {took_s:.1f} s. Next, in another terminal:")
    moved = {
        name: address
        for name, address in addresses.items()
        if not address.endswith(f":{DEFAULT_PORTS[name]}")
    }
    if moved:
        variables = " ".join(f"RISKD_PORTS__{name.upper()}={at}" for name, at in moved.items())
        print("  # Default ports are taken, perhaps by another riskd. To reach this one:")
        print(f"  export {variables}")
    options = f" --orders {moved['orders']}" if "orders" in moved else ""
    order = "--account A1 --symbol AAPL --side buy --quantity 5 --price 187.50"
    print(f"  {_launcher()} order check {order}{options}", flush=True)


def _launcher() -> str:
    """Return how this command is called from here: a checkout's is usually not on PATH."""
    called = Path(sys.argv[0])
    if called.name != "riskd" or shutil.which("riskd") is not None:
        return "riskd"
    return os.path.relpath(called)
