"""The command tree. Sub-commands are import strings: each loads what it needs and no more."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Group

import riskd
from riskd.cli.failure import DONE, FAILED, USAGE, CommandError

INTERRUPTED = 130  # What a shell expects of a command that Ctrl-C ended.

LOOK = Group("Look", sort_key=1)
ACT = Group("Act", sort_key=2)
OPERATE = Group("Run", sort_key=0)
BUILD = Group("Build", sort_key=3)

INTRODUCTION = """riskd answers whether an order may go to market.

First command to try: `riskd demo`, and in another terminal `riskd status`.
"""
EPILOGUE = """Everywhere: `-h` help, `--json` on reading commands, `--debug`, `--no-color`.

Exit codes: 0 done or accepted, 1 failed, 2 usage or configuration, 3 rejected, 4 riskd not
reachable, 5 refused (no right, or not confirmed)."""

COMMANDS = (
    ("demo", "riskd.cli.demo:demo", OPERATE, "Everything at once, with a synthetic market."),
    ("serve", "riskd.cli.serve:serve", OPERATE, "Run riskd."),
    ("feed", "riskd.cli.feed:feed", OPERATE, "Play recorded market data and order flow."),
    ("config", "riskd.cli.configure:app", OPERATE, "What a start would run on."),
    ("ping", "riskd.cli.about:ping", LOOK, "Is it alive, and how fast."),
    ("info", "riskd.cli.about:about", LOOK, "Versions, addresses, files, variables."),
    ("status", "riskd.cli.look:status", LOOK, "Is it healthy."),
    ("accounts", "riskd.cli.look:accounts", LOOK, "Every account, a line each."),
    ("instruments", "riskd.cli.look:instruments", LOOK, "Every instrument with its prices."),
    ("positions", "riskd.cli.look:positions", LOOK, "Positions of one account, or of all."),
    ("orders", "riskd.cli.look:orders", LOOK, "Working orders of an account."),
    ("pnl", "riskd.cli.look:pnl", LOOK, "P&L by account, group, symbol, strategy, timeframe."),
    ("alerts", "riskd.cli.alerts:alerts", LOOK, "The newest alerts."),
    ("responses", "riskd.cli.look:responses", LOOK, "What riskd does about what crossed a line."),
    ("breakers", "riskd.cli.look:breakers", LOOK, "Breakers and kills in force."),
    ("sessions", "riskd.cli.look:sessions", LOOK, "Gateways: alive, accounts, working orders."),
    ("limits", "riskd.cli.limits:app", LOOK, "The limits in force, and changing them."),
    ("trades", "riskd.cli.measure:trades", LOOK, "How the closed trades of an account went."),
    ("advice", "riskd.cli.measure:advice", LOOK, "What could be done about positions."),
    ("size", "riskd.cli.measure:size", LOOK, "What quantity fits a risk."),
    ("statistics", "riskd.cli.measure:statistics", LOOK, "Daily returns: ratios, value at risk."),
    ("exposure", "riskd.cli.book:exposure", LOOK, "Long, short, gross, net."),
    ("margin", "riskd.cli.book:margin", LOOK, "Margin used, free, its level and state."),
    ("drawdown", "riskd.cli.book:drawdown", LOOK, "How far equity is below its highest."),
    ("check", "riskd.cli.book:check", LOOK, "What is past a threshold now."),
    ("concentration", "riskd.cli.measure:concentration", LOOK, "How few names a book hangs on."),
    ("correlation", "riskd.cli.measure:correlation", LOOK, "What moves together."),
    ("tail", "riskd.cli.tail:tail", LOOK, "Follow verdicts, alerts, P&L and more."),
    ("explain", "riskd.cli.explain:explain", LOOK, "What a code means, and what to do."),
    ("order", "riskd.cli.order:app", ACT, "Check, send, cancel or release one order."),
    ("kill", "riskd.cli.act:kill", ACT, "Refuse every order of a scope."),
    ("unkill", "riskd.cli.act:unkill", ACT, "Lift the kill of a scope."),
    ("halt", "riskd.cli.act:halt", ACT, "Let only exits of a scope pass."),
    ("resume", "riskd.cli.act:resume", ACT, "Close the breakers of a scope."),
    ("trip", "riskd.cli.act:trip", ACT, "Open a breaker."),
    ("reset", "riskd.cli.act:reset", ACT, "Close a breaker."),
    ("unfreeze", "riskd.cli.act:unfreeze", ACT, "Let a frozen account trade again."),
    ("reduce", "riskd.cli.act:reduce", ACT, "Close positions of an account."),
    ("stop-response", "riskd.cli.act:stop_response", ACT, "End a running response."),
    ("rearm", "riskd.cli.act:rearm", ACT, "Let strategies execute again."),
    ("ack", "riskd.cli.alerts:ack", ACT, "Say that an alert was seen."),
    ("sweep", "riskd.cli.book:sweep", ACT, "Make the valuation book anew."),
    ("override", "riskd.cli.override:override", ACT, "Let one order pass limits once."),
    ("acts", "riskd.cli.audit:acts", LOOK, "What operators did, and why."),
    ("report", "riskd.cli.audit:report", LOOK, "What a day came to."),
    ("notify", "riskd.cli.notify:app", OPERATE, "Try out notifications."),
    ("export", "riskd.cli.audit:export", OPERATE, "A table of the audit database, as CSV."),
    ("keys", "riskd.cli.keys:app", OPERATE, "Who may come in over tcp, and as what."),
    ("journal", "riskd.cli.keep:app", OPERATE, "What the journal of a data_dir holds."),
    ("replay", "riskd.cli.keep:replay", OPERATE, "Derive again what a journal led to."),
    ("rebuild", "riskd.cli.keep:rebuild", ACT, "Make a frozen account anew from the journal."),
    ("reload", "riskd.cli.reload:reload", OPERATE, "Read configuration and keys again."),
    ("snapshot", "riskd.cli.keep:snapshot", OPERATE, "Write the whole state to a file now."),
    ("version", "riskd.cli.about:version", BUILD, "Which version this is."),
    ("schema", "riskd.cli.schema:schema", BUILD, "JSON Schema of the messages."),
    ("example", "riskd.cli.example:app", BUILD, "Print a working example."),
)


def build_app(command: str = "") -> App:
    """Return the command tree with nothing loaded yet.

    `command`, which is about to run, keeps its own long help; the others have a line each.
    """
    app = App(
        name="riskd",
        help=INTRODUCTION,
        help_epilogue=EPILOGUE,
        version=f"riskd {riskd.__version__}",
        help_flags=["--help", "-h"],
        version_flags=["--version"],
    )
    for name, place, group, text in COMMANDS:
        app.command(place, name=name, group=group, help=None if name == command else text)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. Errors go to stderr, tracebacks only on asking."""
    tokens = [token for token in arguments if token not in ("--debug", "--no-color")]
    wants_trace = "--debug" in arguments
    if "--no-color" in arguments:
        os.environ["NO_COLOR"] = "1"
    try:
        code = build_app(tokens[0] if tokens else "")(
            tokens, exit_on_error=False, print_error=True, result_action="return_value"
        )
        sys.stdout.flush()
        return code if isinstance(code, int) else DONE
    except CycloptsError:
        return USAGE  # Printed already, with a suggestion.
    except CommandError as error:
        if wants_trace:
            traceback.print_exc()
        sys.stderr.write("\n".join(error.lines()) + "\n")
        return error.exit_code
    except BrokenPipeError:
        # Whoever read us has had enough: `riskd tail --json | head -1`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            sys.stderr.write("\n")  # The shell's prompt belongs on a line of its own.
        return INTERRUPTED
    except Exception as error:
        if wants_trace:
            raise
        text = f"riskd: {type(error).__name__}: {error}\n"
        sys.stderr.write(f"{text}  next      run it again with --debug and report what it prints\n")
        return FAILED
