"""Plays the examples of docs/measures.md: ticks, fills and questions in a line each.

The live system takes the inputs and `Queries` answers, as at the control port.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from engine.core import Input
from engine.facts import Stamp
from riskd.codec import control_codec, encode_json
from riskd.messages import (
    Check,
    Configure,
    DayBegan,
    Error,
    Fill,
    Funding,
    InstrumentKind,
    InstrumentSpec,
    RiskSettings,
    Side,
    Tick,
    Transfer,
    Universe,
)
from tests.builders import SECOND, STEADY_NS, WALL_NS, an_account
from tests.engine.live import Live
from transport.process_queries import Queries

BLOCK = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TICK = re.compile(r"(\w+) ([\d.]+)/([\d.]+)")
FILL = re.compile(r"(\w+) (buys|sells) ([\d.]+) (\w+) at ([\d.]+)((?:, \w+ \S+?)*)")
FUNDING = re.compile(r"(\w+) receives ([\d.]+) for (\w+)")
TRANSFER = re.compile(r"(\w+) (deposits|withdraws) ([\d.]+)")
TOGETHER = re.compile(r"(\w+) and (\w+) move together (\d+) times")
ORDER_FIELDS = {"stop": "stop_loss", "target": "take_profit"}
RATES: dict[str, Any] = {"initial_margin": 0.5, "maintenance_margin": 0.25}
INSTRUMENTS = (
    *(InstrumentSpec(symbol=symbol, currency="USD", **RATES) for symbol in "XYZ"),
    InstrumentSpec(symbol="J", currency="JPY", tick_size="1", **RATES),
    InstrumentSpec(
        symbol="P",
        kind=InstrumentKind.INVERSE,
        currency="USD",
        settlement="BTC",
        tick_size="0.5",
        multiplier="100",
    ),
    InstrumentSpec(
        symbol="USDJPY", kind=InstrumentKind.FX, base="USD", currency="JPY", tick_size="0.001"
    ),
    InstrumentSpec(symbol="BTCUSD", kind=InstrumentKind.FX, base="BTC", currency="USD"),
)
DAYS = "XNYS"
START = {"X": 100, "Y": 50, "Z": 10, "J": 1000, "P": 50_000, "USDJPY": 100, "BTCUSD": 50_000}
KEYS = (
    "symbol",
    "strategy",
    "account",
    "scope",
    "key",
)  # What names a row of a list, in this order.


def examples_in(page: str) -> list[str]:
    """Return the blocks that ask riskd something."""
    return [block for block in BLOCK.findall(page) if "\nask " in f"\n{block}"]


class Player:
    """One example: a fresh riskd, and what the last question was answered."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._count = 0
        self._days = 0
        self._answer: Any = None
        self._queries = Queries(
            live.system,
            now_ns=lambda: WALL_NS,
            status=dict,
            metrics=dict,
            heard_ns=lambda session: None,
        )
        account = an_account("A1", 10_000.0, margin_model="rate", leverage=None, calendar=DAYS)
        settings = RiskSettings(stale_after_ms=3_600_000)
        universe = Universe(settings=settings, instruments=INSTRUMENTS, accounts=(account,))
        self._send(Configure(universe=universe))
        for symbol, price in START.items():
            self._send(Tick(symbol=symbol, bid=float(price), ask=float(price)))

    def play(self, line: str) -> None:
        """Do what one line says; fail if it is wrong or not understood."""
        if line.startswith("  "):
            self._require(*(part.strip() for part in line.split(" = ")))
        elif line.startswith("ask "):
            self._ask(*line.split()[1:])
        elif line == "a day begins":
            self._days += 1
            self._send(DayBegan(calendar=DAYS, day=f"2026-01-{self._days:02}"))
        else:
            self._act(line)

    def _act(self, line: str) -> None:
        kinds: dict[re.Pattern[str], Callable[..., None]] = {
            TICK: self._tick,
            FILL: self._fill,
            FUNDING: self._fund,
            TRANSFER: self._transfer,
            TOGETHER: self._together,
        }
        for pattern, act in kinds.items():
            if matched := pattern.fullmatch(line):
                act(*matched.groups())
                return
        raise AssertionError(f"nobody understands {line!r}")

    def _tick(self, symbol: str, bid: str, ask: str) -> None:
        self._send(Tick(symbol=symbol, bid=float(bid), ask=float(ask)))

    def _fill(self, account: str, verb: str, *rest: str) -> None:
        quantity, symbol, price, more = rest
        fields: dict[str, Any] = dict(part.split(" ") for part in more.split(", ")[1:])
        planned: dict[str, Any] = {
            ORDER_FIELDS[key]: float(fields.pop(key)) for key in ORDER_FIELDS if key in fields
        }
        told: dict[str, Any] = {
            "account": account,
            "symbol": symbol,
            "side": Side.BUY if verb == "buys" else Side.SELL,
            "quantity": float(quantity),
            "price": float(price),
        }
        if planned:
            order = f"o-{self._count}"
            assert self._send(Check(client_order_id=order, **told, **planned)).approved
            told["client_order_id"] = order
        if "fee" in fields:
            fields["fee"] = float(fields["fee"])
        self._send(Fill(exec_id=f"e-{self._count}", **told, **fields))

    def _transfer(self, account: str, verb: str, amount: str) -> None:
        signed = float(amount) if verb == "deposits" else -float(amount)
        self._send(Transfer(account=account, transfer_id=f"t-{self._count}", amount=signed))

    def _fund(self, account: str, amount: str, symbol: str) -> None:
        number = f"f-{self._count}"
        self._send(Funding(account=account, funding_id=number, symbol=symbol, amount=float(amount)))

    def _together(self, one: str, other: str, times: str) -> None:
        """Up and down by a hundredth each, a minute apart, and back to where they began."""
        for step in range(int(times) + 1):
            for symbol in (one, other):
                price = START[symbol] * (1.01 if step % 2 else 1.0)
                self._send(Tick(symbol=symbol, bid=price, ask=price))
            self._count += 60_000  # Milliseconds, see `_send`.

    def _ask(self, kind: str, *fields: str) -> None:
        told: dict[str, Any] = {"type": kind}
        for field in fields:
            name, _, text = field.partition("=")
            told[name] = float(text) if re.fullmatch(r"-?[\d.]+", text) else text
        query: Any = control_codec.decode(encode_json(told))
        answer = self._queries.answer(query)
        assert not isinstance(answer, Error), answer
        self._answer = msgspec.to_builtins(answer.data)

    def _require(self, path: str, expected: str) -> None:
        found = self._answer
        for name in path.split("."):
            found = _part(found, name)
        if isinstance(found, list):
            assert [list(each) for each in found] == [expected.split()], path
        elif isinstance(found, int | float) and not isinstance(found, bool):
            assert abs(found - float(expected)) <= 1e-12 * max(1.0, abs(found)), (path, found)
        else:
            assert str(found).lower() == expected.lower(), (path, found)

    def _send(self, message: Input) -> Any:
        self._count += 1
        past_ns = self._count * SECOND // 1000
        return self._live.send(message, Stamp(self._count, WALL_NS + past_ns, STEADY_NS + past_ns))


def _part(found: Any, name: str) -> Any:
    """Return what `name` names: a field, a row by its symbol, strategy or account, or a number."""
    if isinstance(found, dict):
        assert name in found, f"no {name} in {sorted(found)}"
        return found[name]
    if name.isdigit():
        return found[int(name)]
    rows = [row for row in found if any(row.get(key) == name for key in KEYS)]
    assert rows, f"no row of {name}"
    return rows[0]


def fields_of(answer: Any) -> set[str]:
    """Return the names of fields in an answer, rows and all; keys that are symbols left out."""
    if isinstance(answer, list):
        return set().union(*(fields_of(each) for each in answer)) if answer else set()
    if not isinstance(answer, dict):
        return set()
    found = {name for name in answer if name == name.lower()}
    return found.union(*(fields_of(value) for value in answer.values()))
