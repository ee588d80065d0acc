"""Limits that people change: through the control port, over a kill, and tried in the shadow."""

from __future__ import annotations

from typing import Any

import pytest
import zmq

from scripts.proof.kills import CONFIG
from tests.end_to_end.process import RiskdProcess

pytestmark = pytest.mark.end_to_end
CHANGE = {"scope": "default", "key": "order_quantity", "value": 3}
REFUSED = "APPROVED to ORDER_QUANTITY"


def check(riskd: RiskdProcess, order_id: str, quantity: float) -> Any:
    with riskd.peer("ticks", zmq.PUSH) as feed:
        before = riskd.status()["seq"]
        feed.tell({"type": "tick", "symbol": "X", "bid": 100.0, "ask": 100.0})
        riskd.wait_until(lambda: riskd.status()["seq"] > before)
    order = {"type": "check", "account": "A1", "symbol": "X", "side": "buy", "price": 100.0}
    with riskd.peer("orders") as gateway:
        return gateway.ask({**order, "client_order_id": order_id, "quantity": quantity})


def test_e71_e76_limits_changed_over_sockets_bind_the_next_order_and_outlive_a_kill(tmp_path):
    config = tmp_path / "riskd.toml"
    config.write_text(CONFIG)
    with RiskdProcess(tmp_path, config=config) as riskd:
        first = check(riskd, "o-1", 5)
        assert check(riskd, "o-2", 2)["approved"]
        tried = riskd.control("shadow", limits={"default": {"order_quantity": 3}})
        assert (tried["verdicts"], tried["differ"], tried["changes"]) == (2, 1, {REFUSED: 1})
        assert check(riskd, "o-7", 4)["approved"]  # The shadow changed nothing.
        done = riskd.control("limits_set", changes=[CHANGE], by="ann", reason="a drill")
        refused = check(riskd, "o-3", 4)
        assert done["limits_version"] == first["limits_version"] + 1 == refused["limits_version"]
        assert [each["code"] for each in refused["rejects"]] == ["ORDER_QUANTITY"]
        looser = [{**CHANGE, "value": 4}]
        with riskd.peer("control") as operator:
            asked = {"type": "limits_set", "changes": looser, "by": "ann"}
            assert operator.ask(asked)["code"] == "refused"
        proposed = riskd.control("limits_propose", changes=looser, by="ann", reason="a block")
        riskd.kill()
        riskd.start()
        assert not check(riskd, "o-4", 4)["approved"]
        riskd.control("limits_approve", proposal_id=proposed["proposal_id"], by="bob")
        assert check(riskd, "o-5", 4)["approved"]
        assert not check(riskd, "o-6", 5)["approved"]
        shown = riskd.control("limits", scope="account:A1")
        assert [(x["value"], x["approved_by"]) for x in shown["changes"]] == [(4, "bob")]


def test_verdict_is_told_by_id_without_the_account_and_by_seq_with_every_check(tmp_path):
    config = tmp_path / "riskd.toml"
    config.write_text(CONFIG)
    with RiskdProcess(tmp_path, config=config) as riskd:
        first = check(riskd, "o-1", 5)
        told = riskd.control("verdict", client_order_id="o-1")
        assert (told["verdict"]["seq"], told["state"]) == (first["seq"], "pending")
        again = riskd.control("verdict", seq=first["seq"])
        assert again["check"]["client_order_id"] == "o-1"
        assert again["verdict"]["reservation_id"] == first["reservation_id"]
        assert all(line["passed"] for line in again["checks"])
        with riskd.peer("control") as operator:
            for asked, code in (
                ({}, "malformed"),
                ({"client_order_id": "o-9"}, "not_found"),
                ({"seq": first["seq"] - 1}, "not_found"),
                ({"seq": first["seq"] + 100}, "not_found"),
            ):
                assert operator.ask({"type": "verdict", **asked})["code"] == code
        rolled = riskd.control("session_roll", account="all")
        assert rolled["skipped"] == []
        assert len(riskd.control("check", account="all")) == len(riskd.control("check"))


def test_account_that_is_flat_is_removed_over_a_socket_and_stays_so_after_a_kill(tmp_path):
    config = tmp_path / "riskd.toml"
    config.write_text(CONFIG)
    fill = {"type": "fill", "account": "A1", "symbol": "X", "quantity": 2, "price": 100.0}
    with RiskdProcess(tmp_path, config=config) as riskd:
        assert check(riskd, "o-1", 2)["approved"]
        asked = {"type": "account_remove", "account": "A1", "request_id": "r"}
        with riskd.peer("orders") as gateway, riskd.peer("control") as operator:
            works = operator.ask(asked)
            gateway.ask({**fill, "exec_id": "e-1", "side": "buy", "client_order_id": "o-1"})
            holds = operator.ask(asked)
            gateway.ask({**fill, "exec_id": "e-2", "side": "sell"})
            done = operator.ask(asked)
        assert [(x["type"], x["request_id"]) for x in (works, holds)] == [("error", "r")] * 2
        assert ("1 orders" in works["text"], "holds X" in holds["text"]) == (True, True)
        assert done["ok"]
        riskd.kill()
        riskd.start()  # With the same configuration.
        refused = check(riskd, "o-1", 2)
        assert [each["code"] for each in refused["rejects"]] == ["UNKNOWN_ACCOUNT"]
        assert "A1" not in [line["account"] for line in riskd.control("accounts")]
        with riskd.peer("control") as operator:
            added = operator.ask({"type": "account_add", "account": {"id": "A1"}})
            gone = operator.ask(asked)
        assert (added["code"], gone["code"]) == ("refused", "not_found")
