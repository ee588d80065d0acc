"""What becomes of a policy row where a measure jumps past it, or another measure got there."""

from __future__ import annotations

from engine.core import Core
from engine.digest import decode_state, encode_state, state_digest
from riskd.messages import (
    Check,
    Elapse,
    InstructionReport,
    Kill,
    Reduce,
    ResponseEvent,
    ResponseStop,
)
from tests.builders import MS, SECOND, StampedCore, a_fill, an_order, codes_of
from tests.engine.gateway import Gateway, exit_of
from tests.engine.live import Live
from tests.engine.test_policies import DWELL_MS, MARGIN, SHIPPED, a_house, stages, tick


def test_measure_that_jumps_past_its_limit_is_answered_by_the_row_below():
    """A fall of 200 is 10 % of 2,000: at once past the limit of 5, for which there is no row."""
    house = a_house({"drawdown_day_pct": 5, "risk_per_trade_pct": 2}, lots=10)
    tick(house, 80.0)
    assert [alert.severity for alert in house.alerts("drawdown")] == ["critical"]
    assert stages(house) == [("drawdown-high", "done")]
    assert house.account().conduct.risk_shrunk_pct == 1


def test_row_for_any_of_a_severity_goes_before_a_milder_row_of_the_event():
    kept = tuple(row for row in SHIPPED if row.id in ("margin-critical", "any-extreme"))
    house = a_house(MARGIN, policies=kept)
    tick(house, 88.0)  # 91 %: at stop-out.
    assert stages(house)[0][0] == "any-extreme"
    milder = a_house(MARGIN, policies=tuple(x for x in kept if x.event is ResponseEvent.MARGIN))
    tick(milder, 88.0)
    assert stages(milder)[0][0] == "margin-critical"


def test_loss_that_closing_cannot_undo_is_done_once_everything_is_closed():
    house = a_house({"daily_loss": 1000}, lots=10)
    gateway = Gateway(house)
    tick(house, 9.0)  # A loss of 910 of 1,000.
    gateway.work()
    house.elapse(600 * SECOND)
    assert house.position().books.lots == 0
    assert stages(house)[-1] == ("daily-loss-high", "done")
    assert house.alerts("response_failed") == []


def test_share_is_done_where_it_is_reached_although_the_alert_recovers_further_down():
    """38 lots of 105 are 19.8 % of 20,195: at most the 20 of the row, above the 18.75 of the limit.

    Asked for more it would find nothing to close, fail three times and stop the account.
    """
    house = a_house({"concentration_pct": 25}, lots=39, balance=20_000.0)
    gateway = Gateway(house)
    tick(house, 105.0)  # 4,095 are 20.3 %.
    gateway.work()
    house.elapse(600 * SECOND)
    assert house.position().books.lots == 38
    assert stages(house)[-1] == ("concentration-medium", "done")
    assert house.alerts("response_failed") == []
    assert house.core.boards.breakers.book.open == {}


def test_plan_whose_exits_are_all_refused_ends_in_the_stop_of_its_account():
    house = a_house({"concentration_pct": 25}, lots=39, balance=20_000.0)
    gateway = Gateway(house)
    gateway.fill_part = 0.0
    tick(house, 105.0)
    for pause in (1, 2, 4):
        gateway.work()
        house.elapse(house.core.boards.settings.instruction_ms * pause * MS)
    assert [order.quantity for order in gateway.sent] == [1, 1, 1]
    assert len(house.alerts("response_failed")) == 1
    (breaker,) = house.core.boards.breakers.book.open.values()
    assert (breaker.action, breaker.measure) == ("halt", "concentration_pct")
    assert stages(house)[-1] == ("any-extreme", "done")
    tick(house, 80.0)
    house.elapse(2 * DWELL_MS * MS)  # It recovered by the price: the breaker cools, and closes.
    house.elapse(60 * SECOND)
    assert house.core.boards.breakers.book.open == {}


def test_plan_that_did_nothing_is_done_all_the_same_where_the_measure_has_recovered():
    house = a_house(MARGIN)
    gateway = Gateway(house)
    gateway.fill_part = 0.0
    tick(house, 90.5)
    gateway.work()
    tick(house, 100.0)  # 200 %: nobody needs to close anything any more.
    for pause in (1, 2, 4):
        house.elapse(house.core.boards.settings.instruction_ms * pause * MS)
        gateway.work()
    assert stages(house)[-1] == ("margin-critical", "done")
    assert house.position().books.lots == 100
    assert house.alerts("response_failed") == []


def exit_without_a_fill(gateway: Gateway) -> Check:
    """Send the exit that is asked for; the venue takes it and says nothing more."""
    (told,) = gateway.told()
    order = exit_of(told)
    assert gateway.send(order).approved
    gateway.send(InstructionReport(instruction_id=told.instruction_id, status="done"))
    return order


def test_exit_that_is_begun_past_its_deadline_is_refused_for_it_was_asked_for_again():
    house = a_house(MARGIN)
    gateway = Gateway(house)
    tick(house, 90.5)
    (late,) = gateway.told()
    gateway.send(InstructionReport(instruction_id=late.instruction_id, status="accepted"))
    house.elapse(house.core.boards.settings.instruction_ms * 2 * MS)
    refused = gateway.send(exit_of(late))
    assert codes_of(refused) == ["DEADLINE"]
    gateway.work()
    assert [order.client_order_id for order in gateway.sent] == ["response-1-2-1"]
    assert house.position().books.lots == 50


def test_half_is_not_closed_beside_an_order_that_could_not_be_cancelled():
    """A resting sale of 20 may fill yet: of the 50 that are to go, 30 are asked for."""
    house = a_house(MARGIN)
    house.send(an_order("o-1", "sell", 20, price=110.0))
    gateway = Gateway(house)
    tick(house, 90.5)
    gateway.told()  # The cancel is lost.
    for _ in range(2):
        house.elapse(house.core.boards.settings.instruction_ms * MS)
        gateway.work()
    assert [order.quantity for order in gateway.sent] == [30, 20]
    assert house.position().books.lots == 50


def test_half_is_closed_once_although_its_exit_is_filled_late():
    house = a_house(MARGIN)
    gateway = Gateway(house)
    tick(house, 90.5)
    order = exit_without_a_fill(gateway)
    house.elapse(house.core.boards.settings.instruction_ms * 2 * MS)
    assert gateway.told() == []  # Not half of it anew: the first half is on its way.
    gateway.fill(order, 50)
    house.elapse(house.core.boards.settings.instruction_ms * 2 * MS)
    assert stages(house)[-1] == ("margin-critical", "done")
    assert house.position().books.lots == 50


def test_position_that_turned_over_while_half_of_it_was_cut_is_closed_whole():
    house = a_house({})
    gateway = Gateway(house)
    house.send(Reduce(account="A1", percent=50.0))
    gateway.told()  # The exit of 50 is lost.
    house.send(a_fill("e-2", "sell", 160))
    for _ in range(2):
        house.elapse(house.core.boards.settings.instruction_ms * MS)
    assert [(told.side, told.quantity) for told in gateway.told()][-1] == ("buy", 60)


def test_plan_of_a_person_is_not_done_while_its_exit_works():
    house = a_house({})
    gateway = Gateway(house)
    house.send(Reduce(account="A1", reason="too much"))
    order = exit_without_a_fill(gateway)
    house.elapse(house.core.boards.settings.instruction_ms * MS)
    assert stages(house)[-1] == ("", "waiting")
    gateway.fill(order, 100)
    house.elapse(house.core.boards.settings.instruction_ms * 2 * MS)
    assert stages(house)[-1] == ("", "done")


def test_risk_shrinks_although_another_plan_runs():
    house = a_house(MARGIN | {"drawdown_day_pct": 5, "risk_per_trade_pct": 2})
    gateway = Gateway(house)
    tick(house, 90.5)  # 116 % of margin, and 47.5 % below the day's peak.
    assert house.account().conduct.risk_shrunk_pct == 1
    gateway.work()
    assert house.position().books.lots == 50
    assert ("margin-critical", "done") in stages(house)


def test_risk_stays_shrunk_until_every_measure_that_shrunk_it_has_recovered():
    """Down 100 of 2,000: 5 % of the day's peak and of the highest; up to 1,940: 3 %."""
    limits = {"drawdown_day_pct": 4, "drawdown_max_pct": 5.2, "risk_per_trade_pct": 2}
    house = a_house(limits, lots=10)
    tick(house, 90.0)
    shrunk = house.account().conduct.risk_shrunk
    assert shrunk == {"drawdown_day_pct": 1, "drawdown_max_pct": 1}
    tick(house, 93.5)  # 3.25 %: the day's is still above 3.2 less 0.2, the other below its 4.16.
    house.elapse(2 * DWELL_MS * MS)
    assert list(house.account().conduct.risk_shrunk) == ["drawdown_day_pct"]
    assert house.account().conduct.risk_shrunk_pct == 1
    tick(house, 100.0)
    house.elapse(2 * DWELL_MS * MS)
    assert house.account().conduct.risk_shrunk_pct is None


def concentrated() -> StampedCore:
    """A1 has all in one name, of which four lots are 20 % of its equity, and needs margin."""
    return a_house(
        {key: float(value) for key, value in MARGIN.items()} | {"concentration_pct": 25.0}
    )


def test_plan_that_a_stronger_one_of_another_measure_displaced_comes_back():
    house = concentrated()
    gateway = Gateway(house)
    lost = [told.client_order_id for told in gateway.told()]
    tick(house, 90.5)
    gateway.work()
    # 50 lots of 90.5 are left; 20 % of the equity of 1,050 are 210, two lots of 90.5.
    assert house.position().books.lots == 2
    assert [order.quantity for order in gateway.sent] == [50, 48]
    assert lost == ["response-1-1-1"]
    assert house.account().finished["response-1-1-1"].state == "denied"
    ended = [policy for policy, stage in stages(house) if stage in ("done", "stopped")]
    assert ended == ["concentration-medium", "margin-critical", "concentration-medium"]


def test_plan_that_waits_for_another_is_forgotten_once_its_measure_has_recovered():
    house = concentrated()
    tick(house, 90.5)  # Nobody carries anything out.
    assert list(house.core.boards.responses.postponed) == ["A1 concentration_pct"]
    house.send(ResponseStop(response_id="response-2"))  # A person ends the one it waits for.
    assert house.core.boards.responses.postponed == {}
    assert house.core.boards.responses.running["A1"].policy == "concentration-medium"
    house = concentrated()
    gateway = Gateway(house)
    tick(house, 88.0)
    gateway.told()
    house.elapse(house.core.boards.settings.instruction_ms * 2 * MS)
    gateway.work()
    house.elapse(10 * DWELL_MS * MS)
    assert house.position().books.lots == 0
    assert house.core.boards.responses.postponed == {}


def test_postponed_plans_are_restored_and_the_live_system_has_the_same():
    house = concentrated()
    Gateway(house)
    tick(house, 90.5)
    assert house.core.boards.responses.postponed
    restored = Core()
    restored.restore(decode_state(encode_state(house.core.state())))
    assert state_digest(restored.state()) == house.digest()
    with Live() as live:
        for message, stamp in house.inputs:
            live.send(message, stamp)
        assert state_digest(live.system.state()) == house.digest()


def test_exit_that_is_withdrawn_before_its_deadline_is_cancelled_where_it_was_asked_for():
    house = a_house(MARGIN)
    gateway = Gateway(house)
    tick(house, 90.5)
    tick(house, 88.0)  # Stop-out, before half was begun.
    told = [(x.action, x.client_order_id, x.quantity) for x in gateway.told()]
    assert told == [
        ("reduce", "response-1-1-1", 50),
        ("cancel", "response-1-1-1", None),
        ("reduce", "response-2-1-1", 100),
    ]


def test_exit_that_was_not_begun_by_its_deadline_is_void_without_a_word():
    house = a_house(MARGIN)
    gateway = Gateway(house)
    tick(house, 90.5)
    gateway.told()
    span_ns = house.core.boards.settings.instruction_ms * MS
    house.send(Elapse(), span_ns + 1)
    assert gateway.told() == []
    house.elapse(span_ns)
    assert [(x.action, x.client_order_id) for x in gateway.told()] == [("reduce", "response-1-2-1")]


def test_kill_refuses_the_exits_of_a_policy_that_it_did_not_ask_for():
    house = a_house({"daily_loss": 1000}, lots=10)
    gateway = Gateway(house)
    tick(house, 9.0)  # A loss of 910 of 1,000: daily-loss-high flattens.
    (told,) = gateway.told()
    house.send(Kill(scope="account", scope_id="A1", reason="nothing moves"))
    assert codes_of(house.send(exit_of(told))) == ["KILLED"]


def test_kill_that_flattens_takes_over_a_policy_that_does_as_much():
    """The exits of the policy would be refused; those that the kill asks for pass."""
    house = a_house({"daily_loss": 1000}, lots=10)
    gateway = Gateway(house)
    tick(house, 9.0)
    house.send(Kill(scope="account", scope_id="A1", flatten=True, reason="enough"))
    gateway.work()
    assert house.position().books.lots == 0
    assert [codes_of(verdict) for verdict in gateway.refused] == [["DEADLINE"]]
    assert [order.client_order_id for order in gateway.sent] == ["response-2-1-1"]
