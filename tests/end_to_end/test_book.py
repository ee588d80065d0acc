"""The valuation book of a real riskd: published, asked for, swept; nothing for nobody."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
import zmq

from riskd.cli.app import run
from riskd.messages import (
    Alert,
    DrawdownUpdate,
    ExposureUpdate,
    FirmDrawdown,
    FirmExposure,
    FirmPnl,
    MarginState,
    MarginUpdate,
    Published,
    RiskUpdate,
    UpdateType,
)
from riskd.subscriber import Subscriber
from tests.end_to_end.process import RiskdProcess

pytestmark = pytest.mark.end_to_end
LOOKS_MAX = 500


@pytest.fixture(scope="module")
def riskd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RiskdProcess]:
    """One in which A1 holds ten AAPL of 100, of which it must put up half."""
    settings = {"RISKD_PUBLISH__PUBLISH_MS": "50", "RISKD_SWEEP__EVERY_S": "0.2"}
    with RiskdProcess(tmp_path_factory.mktemp("book"), settings=settings) as running:
        tick(running, 100.0)
        told = {"account": "A1", "symbol": "AAPL", "side": "buy", "quantity": 10, "price": 100.0}
        with running.peer("orders", zmq.REQ) as gateway:
            assert gateway.ask({"type": "fill", "exec_id": "b-1", **told})["type"] == "ack"
        yield running


def tick(riskd: RiskdProcess, price: float) -> None:
    def applied() -> int:
        count: int = riskd.control("status")["ticks"].get("applied", 0)
        return count

    seen = applied()
    with riskd.peer("ticks", zmq.PUSH) as market:
        market.tell({"type": "tick", "symbol": "AAPL", "bid": price, "ask": price})
        riskd.wait_until(lambda: applied() > seen)


def await_message(listener: Subscriber, fits: Callable[[Published], bool]) -> Published:
    for _ in range(LOOKS_MAX):
        found = listener.receive(timeout_ms=20_000)
        assert found is not None, "nothing came"
        if fits(found.message):
            return found.message
    raise AssertionError("what is waited for never came")


def test_measures_are_told_on_subscribing_and_again_when_a_price_moved_them(riskd: RiskdProcess):
    topics = ["exposure.A1", "margin.A1", "drawdown.A1", "risk_update.A1", "firm."]
    with Subscriber(riskd.addresses["alerts"], topics) as listener:
        kinds = (
            *(ExposureUpdate, MarginUpdate, DrawdownUpdate, RiskUpdate),
            *(FirmExposure, FirmPnl, FirmDrawdown),
        )
        seen: dict[str, Published] = {}
        while len(seen) < len(kinds):
            message = await_message(listener, lambda message: isinstance(message, kinds))
            seen[type(message).__name__] = message
        tick(riskd, 130.0)
        exposure = await_message(
            listener, lambda m: isinstance(m, ExposureUpdate) and m.gross == 1300.0
        )
        assert isinstance(exposure, ExposureUpdate)
        assert (exposure.net, exposure.by_symbol) == (1300.0, {"AAPL": 1300.0})
        tick(riskd, 120.0)
        fallen = await_message(
            listener,
            lambda m: isinstance(m, DrawdownUpdate) and m.day is not None and m.day.drawdown > 0,
        )
        assert isinstance(fallen, DrawdownUpdate)
        assert fallen.day is not None
        assert (fallen.day.peak, fallen.day.drawdown) == (100_300.0, 100.0)
        moved = await_message(listener, lambda m: isinstance(m, RiskUpdate) and is_pnl(m, 200.0))
        assert isinstance(moved, RiskUpdate)
        assert moved.previous_value is not None
    with Subscriber(riskd.addresses["alerts"], ["firm.exposure"]) as late:
        firm = await_message(late, lambda m: isinstance(m, FirmExposure))
        assert isinstance(firm, FirmExposure)
        assert (firm.gross, firm.complete) == (1200.0, True)
    with Subscriber(riskd.addresses["alerts"], ["firm.drawdown.desk-1"]) as late:
        desk = await_message(late, lambda m: isinstance(m, FirmDrawdown))
        assert isinstance(desk, FirmDrawdown)
        assert desk.max is not None
        assert (desk.scope, desk.max.drawdown) == ("group:desk-1", 100.0)


def is_pnl(update: RiskUpdate, value: float) -> bool:
    return update.update_type is UpdateType.PNL and update.current_value == value


def test_control_port_answers_from_the_same_numbers_with_the_age_of_every_price(
    riskd: RiskdProcess,
):
    tick(riskd, 110.0)
    exposure = riskd.control("exposure", scope="account:A1")
    assert (exposure["gross"], exposure["leverage"]) == (1100.0, 1100 / 100_100)
    assert exposure["mark_ages_ns"]["AAPL"] > 0
    firm, desk = riskd.control("exposure"), riskd.control("exposure", scope="group:desk-1")
    assert (firm["gross"], desk["gross"], desk["scope"]) == (1100.0, 1100.0, "group:desk-1")
    assert riskd.control("exposure", scope="group:desk-2")["gross"] == 0.0
    (margin,) = riskd.control("margin", account="A1")
    assert (margin["used"], margin["maintenance"], margin["state"]) == (550.0, 275.0, "ok")
    assert margin["level_pct"] == pytest.approx(100_100 / 550 * 100)
    accounts = [row["account"] for row in riskd.control("drawdown")]
    assert accounts[1:] == ["A1", "A2", "A3", "A4"]
    (drawdown,) = riskd.control("drawdown", account="A1")
    assert drawdown["max"]["peak"] >= 100_100.0
    (desk,) = riskd.control("drawdown", scope="group:desk-1")
    assert (desk["scope"], desk["complete"]) == ("group:desk-1", True)
    assert desk["max"]["peak"] - desk["equity"] == desk["max"]["drawdown"]
    (firm,) = riskd.control("drawdown", scope="firm")
    assert (firm["equity"], firm["complete"]) == (None, False)  # Nobody has told a rate yet.
    (checked,) = riskd.control("check", account="A1")
    assert (checked["drift"], checked["standings"]) == (0.0, {})


def test_loss_by_price_alone_is_said_without_any_order(riskd: RiskdProcess):
    with Subscriber(riskd.addresses["alerts"], ["alert.", "firm."]) as listener:
        # It is told at once, and what was subscribed before it stands by then.
        await_message(listener, lambda message: isinstance(message, FirmExposure))
        with riskd.peer("orders", zmq.REQ) as gateway:
            told = {"account": "A2", "symbol": "AAPL", "side": "sell", "quantity": 400}
            gateway.ask({"type": "fill", "exec_id": "b-2", "price": 110.0, **told})
        tick(riskd, 121.0)
        said = await_message(
            listener, lambda m: isinstance(m, Alert) and m.alert_type == "daily_loss"
        )
        assert isinstance(said, Alert)
        assert (said.account, said.severity, said.value) == ("A2", "medium", 4400.0)
        (margin,) = riskd.control("margin", account="A2")
        assert margin["state"] == MarginState.OK
        (checked,) = riskd.control("check", account="A2")
        assert checked["standings"]["daily_loss"] == "warning"


def test_sweep_goes_round_by_itself_and_on_demand(riskd: RiskdProcess):
    before = riskd.control("metrics")["sweep"]["rounds"]
    riskd.wait_until(lambda: riskd.control("metrics")["sweep"]["rounds"] > before + 1)
    assert riskd.control("sweep")["drifted"] == 0


@pytest.mark.parametrize(
    "command", ["exposure", "margin", "drawdown", "drawdown group:desk-1", "check", "sweep"]
)
@pytest.mark.parametrize("json_wanted", [False, True])
def test_commands_show_what_the_port_answers(
    riskd: RiskdProcess,
    capsys: pytest.CaptureFixture[str],
    command: str,
    json_wanted: bool,
):
    tokens = [*command.split(), "--control", riskd.addresses["control"]]
    assert run([*tokens, *(["--json"] if json_wanted else [])]) == 0
    shown = capsys.readouterr().out
    if json_wanted:
        assert all(json.loads(line) for line in shown.splitlines())
    else:
        assert {"exposure": "gross", "sweep": "drifted"}.get(command, "account") in shown
