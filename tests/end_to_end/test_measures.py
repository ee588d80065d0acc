"""What was measured, asked of a real riskd by its control port and by its commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from riskd.cli.app import run
from tests.end_to_end.process import RiskdProcess

pytestmark = pytest.mark.end_to_end
PRICES = {"AAPL": (100.0, 100.02), "MSFT": (400.0, 400.0)}


@pytest.fixture(scope="module")
def riskd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RiskdProcess]:
    """One that has won once in AAPL, holds it again with a stop, and holds MSFT."""
    with RiskdProcess(tmp_path_factory.mktemp("measures")) as running:
        for symbol, (bid, ask) in PRICES.items():
            tick(running, symbol, bid, ask)
        fill(running, "m-1", "AAPL", "buy", 5, price=100.0)
        fill(running, "m-2", "AAPL", "sell", 5, price=104.0)
        order = {"client_order_id": "o-1", "stop_loss": 95.0, "take_profit": 115.0}
        fill(running, "m-3", "AAPL", "buy", 5, price=100.0, order=order)
        fill(running, "m-4", "MSFT", "buy", 1, price=400.0)
        tick(running, "AAPL", 98.0, 98.0)
        tick(running, "AAPL", 105.0, 105.0)
        yield running


def tick(riskd: RiskdProcess, symbol: str, bid: float, ask: float) -> None:
    seen = applied(riskd)
    with riskd.peer("ticks", zmq.PUSH) as market:
        market.tell({"type": "tick", "symbol": symbol, "bid": bid, "ask": ask})
        riskd.wait_until(lambda: applied(riskd) > seen)


def applied(riskd: RiskdProcess) -> int:
    count: int = riskd.control("status")["ticks"].get("applied", 0)
    return count


def fill(
    riskd: RiskdProcess,
    exec_id: str,
    symbol: str,
    side: str,
    quantity: float,
    *,
    price: float,
    order: dict[str, Any] | None = None,
) -> None:
    told = {"account": "A1", "symbol": symbol, "side": side, "quantity": quantity, "price": price}
    with riskd.peer("orders", zmq.REQ) as gateway:
        if order is not None:
            assert gateway.ask({"type": "check", **told, **order})["approved"]
            told["client_order_id"] = order["client_order_id"]
        answer = gateway.ask({"type": "fill", "exec_id": exec_id, "strategy": "swing", **told})
    assert answer["type"] == "ack"


def test_positions_say_how_they_stand(riskd: RiskdProcess):
    shown = {row["symbol"]: row for row in riskd.control("positions", account="A1")}
    told = {
        "mfe": 25.0,
        "mae": -10.0,
        "planned_reward_to_risk": 3.0,
        "reward_to_risk": 1.0,
        "score": 75.0,
        "rank": 1,
    }
    assert {key: shown["AAPL"][key] for key in told} == told
    assert shown["MSFT"]["rank"] == 2


def test_restart_forgets_no_excursion_and_no_trade(riskd: RiskdProcess):
    before = riskd.control("positions", account="A1"), riskd.control("trades", account="A1")
    riskd.kill()
    riskd.start()
    after = riskd.control("positions", account="A1"), riskd.control("trades", account="A1")
    for rows in (before[0], after[0]):
        for row in rows:
            del row["ts_ns"], row["mark_age_ns"]
    assert before == after


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"scope": "account:nobody"}, "no scope account:nobody"),
        ({"scope": "desk"}, "no scope desk"),
    ],
)
def test_concentration_of_no_such_scope_is_not_found(riskd: RiskdProcess, fields, names):
    with riskd.peer("control", zmq.REQ) as operator:
        answer = operator.ask({"type": "concentration", **fields})
    assert (answer["type"], answer["code"]) == ("error", "not_found")
    assert names in answer["text"]


COMMANDS: list[tuple[list[str], list[str]]] = [
    (["trades", "A1"], ["win rate", "expectancy", "AAPL", "swing", "104"]),
    (["trades", "A1", "--by", "symbol"], ["profit factor", "AAPL"]),
    (["concentration", "account:A1"], ["hhi", "effective number", "AAPL", "MSFT"]),
    (["concentration"], ["firm", "largest symbol"]),
    (["correlation"], ["no two symbols have enough samples yet"]),
    (["advice", "A1"], ["margin free", "liquidation price", "AAPL", "75.0000"]),
    (
        ["size", "A1", "AAPL", "--price", "100", "--stop-loss", "95", "--risk-pct", "1"],
        ["quantity"],
    ),
    (["statistics", "A1"], ["days", "periods"]),
    (["positions", "A1"], ["mfe", "mae", "rank"]),
]


@pytest.mark.parametrize(("command", "words"), COMMANDS, ids=lambda found: found[0])
def test_command_shows_what_was_measured(riskd: RiskdProcess, command, words, capsys):
    assert run([*command, "--control", riskd.addresses["control"]]) == 0
    shown = capsys.readouterr().out
    for word in words:
        assert word in shown


@pytest.mark.parametrize("command", [command for command, _ in COMMANDS], ids=lambda x: x[0])
def test_command_with_json_prints_objects(riskd: RiskdProcess, command, capsys):
    assert run([*command, "--json", "--control", riskd.addresses["control"]]) == 0
    for line in capsys.readouterr().out.splitlines():
        assert isinstance(json.loads(line), dict)


def test_command_for_an_unknown_account_names_the_nearest(riskd: RiskdProcess, capsys):
    assert run(["trades", "A11", "--control", riskd.addresses["control"]]) != 0
    assert "did you mean A1" in capsys.readouterr().err


def test_size_that_cannot_be_told_fails_and_says_why(riskd: RiskdProcess, capsys):
    asked = ["size", "A1", "AAPL", "--price", "100", "--stop-loss", "101", "--risk-pct", "1"]
    assert run([*asked, "--control", riskd.addresses["control"]]) == 1
    assert "losing side" in capsys.readouterr().err
