"""A riskd for the recorded files: their instruments, limits that let everything pass, two accounts.

`AVERAGE` and `FIFO` differ in their cost method alone. Nothing is older than the files need it to
be: the recordings of a day are played in seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zmq

from tests.end_to_end.process import ROOT, RiskdProcess

AVERAGE, FIFO = "A1", "F1"
BALANCE = 1_000_000_000  # In the units of money more than 64 bits hold.
FEED_S_MAX = 120.0
# Symbol, kind, currency, tick, lot and base, as the venue of each file had them.
INSTRUMENTS = (
    ("EURUSD", "fx", "USD", "0.00001", "1", "EUR"),
    ("USDJPY", "fx", "JPY", "0.001", "1", "USD"),
    ("IBM", "linear", "USD", "0.01", "1", ""),
    ("BAC", "linear", "USD", "0.01", "1", ""),
    ("AAPL", "linear", "USD", "0.01", "1", ""),
    ("BTCUSD", "linear", "USD", "0.01", "0.00000001", ""),
)
SETTINGS = """
env = "test"
[orders]
reservation_ms = 3600000
[prices]
stale_after_ms = 3600000
[overload]
conflate_after_ms = 0
[default]
order_quantity = 1e9
order_notional = 1e12
position_quantity = 1e10
position_notional = 1e13
gross_exposure = 1e15
open_orders = 100000
orders_per_second = 1000000
turnover = 1e15
daily_loss = 1e9
leverage = 1000000
"""


def recorded_riskd(folder: Path, settings: Mapping[str, str] | None = None) -> RiskdProcess:
    """Return a riskd with fresh accounts in `folder`, not yet started."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "riskd.toml"
    config.write_text(_toml())
    return RiskdProcess(folder, config=config, settings=settings)


def fed(riskd: RiskdProcess, *arguments: str | Path, duplicates: bool = False) -> dict[str, Any]:
    """Play by the real command, as a child process, and return its report; fail unless it is clean.

    Clean: every request was answered exactly once, by an approval or an acknowledgement, and none
    was a repeat unless `duplicates` are expected.
    """
    with feeding(riskd, *arguments) as child:
        written, errors = child.communicate(timeout=FEED_S_MAX)
    assert child.returncode == 0, errors + written
    report: dict[str, Any] = json.loads(written)
    assert report["answers"] == report["requests"], report
    assert (report["unanswered"], report["errors"], report["interrupted"]) == (0, {}, False), report
    assert set(report["verdicts"]) <= {"APPROVED"}, report
    assert report["verdicts"].get("APPROVED", 0) + report["acks"] == report["requests"], report
    assert report["resends"] == 0, report
    assert duplicates or report["duplicates"] == 0, report
    return report


def feeding(riskd: RiskdProcess, *arguments: str | Path) -> subprocess.Popen[str]:
    """Return the real command at play, a child process whose report is JSON."""
    ports = [f"--{name}={riskd.addresses[name]}" for name in ("orders", "ticks", "control")]
    return subprocess.Popen(
        [sys.executable, "-m", "riskd", "feed", *map(str, arguments), "--json", *ports],
        cwd=riskd.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def open_market(riskd: RiskdProcess, **closes: float) -> None:
    """Give symbols a previous close, so that the first order of a file has a price to judge by."""
    with riskd.peer("ticks", zmq.PUSH) as feed:
        for symbol, close in closes.items():
            state = {"type": "market_state", "symbol": symbol, "state": "open"}
            feed.tell({**state, "previous_close": close})
        riskd.wait_until(lambda: all(instrument(riskd, symbol)["mark"] for symbol in closes))


def instrument(riskd: RiskdProcess, symbol: str) -> dict[str, Any]:
    """Return what the control port shows of an instrument."""
    (shown,) = (row for row in riskd.control("instruments") if row["symbol"] == symbol)
    return dict(shown)


def ticks_taken(riskd: RiskdProcess) -> dict[str, int]:
    """Return what became of the ticks since riskd started. `feed` ends when it has them all."""
    taken: dict[str, int] = riskd.control("status")["ticks"]
    return taken


def _toml() -> str:
    parts = [SETTINGS]
    for symbol, kind, currency, tick, lot, base in INSTRUMENTS:
        parts.append(f'[[instrument]]\nsymbol = "{symbol}"\nkind = "{kind}"')
        parts.append(f'currency = "{currency}"\ntick_size = "{tick}"\nlot_size = "{lot}"')
        parts.append(f'base = "{base}"' if base else "")
    for account, method in ((AVERAGE, "average"), (FIFO, "fifo")):
        parts.append(f'[[account]]\nid = "{account}"\ncurrency = "USD"\nbalance = {BALANCE}')
        parts.append(f'cost_method = "{method}"\nmargin_model = "leverage"')
        parts.append("leverage = 1000000")
    return "\n".join(parts) + "\n"
