"""A group's loss over real sockets: its breaker, a plan in each account, resumed after a kill."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import zmq

from riskd.cli.app import run
from tests.end_to_end.books import replayed_hash
from tests.end_to_end.peer import Peer
from tests.end_to_end.process import ROOT, RiskdProcess
from tests.end_to_end.test_sessions import asked, hello, next_of

pytestmark = pytest.mark.end_to_end
PATIENT = {"RISKD_SESSIONS__HEARTBEAT_MS": "60000", "RISKD_SESSIONS__INSTRUCTION_MS": "120000"}
LIMITS = """
[[instrument]]
symbol = "X"
currency = "USD"
[[group]]
id = "desk"
[default]
order_quantity = 1000
[group.desk]
daily_loss = 600
"""


def configured(folder: Path) -> Path:
    """A1 and A2 of a desk, A3 of none; the shipped policies, with a breaker for its loss."""
    accounts = [
        f'[[account]]\nid = "{name}"\nbalance = 100000\nresponse_mode = "automatic"\n{group}'
        for name, group in (("A1", 'group = "desk"'), ("A2", 'group = "desk"'), ("A3", ""))
    ]
    policies = (ROOT / "config" / "responses.toml").read_text()
    loss = 'severity = "high"\naction = "flatten"'
    assert loss in policies
    policies = re.sub(loss, f'{loss}\nbreaker = "reduce_only"', policies)
    (folder / "policies.toml").write_text(policies)
    path = folder / "riskd.toml"
    path.write_text("\n".join(('include = ["policies.toml"]', *accounts, LIMITS)))
    return path


def close(gateway: Peer, told: dict[str, Any]) -> None:
    """Carry out an exit at 94 and report it done."""
    order = {name: told[name] for name in ("account", "client_order_id", "symbol", "side")}
    order |= {"type": "check", "quantity": told["quantity"], "order_type": "market"}
    assert asked(gateway, {**order, "reduce_only": True}, "verdict")["approved"]
    fill = {**order, "type": "fill", "exec_id": f"x-{told['client_order_id']}", "price": 94}
    del fill["order_type"]
    assert asked(gateway, fill, "ack")["flags"] == []
    done = {"type": "instruction_report", "instruction_id": told["instruction_id"]}
    assert asked(gateway, {**done, "status": "done"}, "ack")["flags"] == []


def test_loss_of_a_group_closes_what_its_accounts_hold_over_a_kill(tmp_path, capsys):
    """Each of three loses 300 on fifty lots: 600 of the desk's 600, and nothing of A3's."""
    with RiskdProcess(tmp_path, config=configured(tmp_path), settings=PATIENT) as riskd:
        feed = riskd.peer("ticks", zmq.PUSH)
        feed.tell({"type": "tick", "symbol": "X", "bid": 100, "ask": 100})
        riskd.wait_until(lambda: riskd.status()["ticks"].get("applied") == 1)
        with riskd.peer("orders") as gateway:
            session = asked(gateway, hello("G1"), "welcome")["session"]
            for name in ("A1", "A2", "A3"):
                fill = {"type": "fill", "account": name, "exec_id": "e", "symbol": "X"}
                asked(gateway, {**fill, "side": "buy", "quantity": 50, "price": 100}, "ack")
            feed.tell({"type": "tick", "symbol": "X", "bid": 94, "ask": 94})
            first = next_of(gateway, "instruction")
            second = next_of(gateway, "instruction")
            assert [(x["account"], x["quantity"]) for x in (first, second)] == [
                ("A1", 50),
                ("A2", 50),
            ]
            close(gateway, first)
        riskd.kill()
        riskd.start()
        with riskd.peer("orders") as gateway:
            again = hello("G1", session=session)
            assert asked(gateway, again, "welcome")["session"] == session
            assert next_of(gateway, "instruction") == second
            close(gateway, second)
            rows = riskd.control("responses")
            assert [(row["account"], row["stage"], row["attempt"]) for row in rows] == [
                ("A1", "done", 1),
                ("A2", "done", 1),
            ]
            held = {row["account"]: row["quantity"] for row in riskd.control("positions")}
            assert {name: held.get(name, 0) for name in ("A1", "A2", "A3")} == {
                "A1": 0,
                "A2": 0,
                "A3": 50,
            }
            (breaker,) = riskd.control("breakers")
            assert (breaker["scope"], breaker["scope_id"]) == ("group", "desk")
            (alert,) = [x for x in riskd.control("alerts") if x["alert_type"] == "daily_loss"]
            where = ["--control", riskd.addresses["control"]]
            assert run(["explain", str(alert["alert_id"]), *where]) == 0
            shown = capsys.readouterr().out
            for part in ("of account A1", "of account A2", "breaker 1 of group:desk: reduce_only"):
                assert part in shown
        status = riskd.status()
        riskd.kill()
        assert replayed_hash(riskd.books, status["seq"]) == status["state_hash"]
        feed.close()
