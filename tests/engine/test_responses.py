"""E66, E67: plans cancel first, send sized exits by the gate, are never doubled, and resume."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine.core import Core
from engine.digest import decode_state, encode_state, state_digest
from engine.responses import responses_view
from riskd.messages import (
    Error,
    Kill,
    LimitsSpec,
    PositionMode,
    Reduce,
    Responses,
    ResponseStop,
    ResponseUpdate,
    SessionLost,
    Side,
    Tick,
    Trip,
)
from tests.builders import (
    MS,
    SECOND,
    StampedCore,
    a_core,
    a_fill,
    an_account,
    an_order,
    codes_of,
)
from tests.engine.gateway import Gateway, exit_of
from tests.engine.live import Live

FLATTEN = Reduce(account="A1", reason="too much")


def updates(house: StampedCore) -> list[tuple[str, str, int]]:
    """Return what was published of responses: id, stage and attempt."""
    told = [topical.message for topical in house.published]
    return [(x.response_id, str(x.stage), x.attempt) for x in told if isinstance(x, ResponseUpdate)]


def a_held_house(limits: LimitsSpec | None = None, **account: Any) -> StampedCore:
    """A1 is long 100 X and short 40 Y, with an order working in each and one in the token."""
    house = a_core(limits, accounts=(an_account(**account), an_account("A2")))
    house.send(a_fill("e-1", "buy", 100))
    house.send(a_fill("e-2", "sell", 40, 50.0, symbol="Y"))
    house.send(an_order("w-1", "buy", 5, price=99.0))
    house.send(an_order("w-2", "sell", 5, symbol="Y", price=51.0))
    return house


def test_e66_flatten_cancels_first_and_sends_exits_when_the_cancels_are_answered():
    house = a_held_house()
    gateway = Gateway(house)
    answer = house.send(FLATTEN)
    assert answer.data["response_id"] == "response-1"
    told = gateway.told()
    assert [(x.action, x.client_order_id) for x in told] == [("cancel", "w-1"), ("cancel", "w-2")]
    gateway.carry_out(told[0])
    assert gateway.told() == []  # The other cancel is not answered.
    gateway.carry_out(told[1])
    exits = gateway.told()
    assert [(x.action, x.symbol, x.side, x.quantity) for x in exits] == [
        ("reduce", "X", "sell", 100),
        ("reduce", "Y", "buy", 40),
    ]
    for instruction in exits:
        gateway.carry_out(instruction)
    assert (house.position("X").books.lots, house.position("Y").books.lots) == (0, 0)
    assert updates(house)[-1] == ("response-1", "done", 1)


def test_list_of_responses_says_what_was_published_last_of_each():
    house = a_held_house()
    gateway = Gateway(house)
    house.send(FLATTEN)
    house.elapse(3 * SECOND)
    for _ in range(4):
        for instruction in gateway.told():
            gateway.carry_out(instruction)
    published = [x.message for x in house.published if isinstance(x.message, ResponseUpdate)]
    (listed,) = responses_view(house.core.boards.responses, Responses())
    assert listed == published[-1]
    assert listed.seq > published[0].seq


def test_reduce_of_an_unknown_symbol_is_refused():
    house = a_held_house()
    refused = house.send(Reduce(account="A1", symbol="Z"))
    assert (refused.code, refused.text) == ("not_found", "no instrument Z")
    assert updates(house) == []
    assert house.core.boards.responses.running == {}
    assert house.core.boards.responses.exits == {}


def test_e66_exits_go_out_when_cancels_are_not_answered_in_time_and_count_what_still_works():
    house = a_held_house()
    house.send(an_order("w-3", "sell", 30, price=101.0))
    gateway = Gateway(house)
    house.send(FLATTEN)
    assert len(gateway.told()) == 3
    house.elapse(house.core.boards.settings.instruction_ms * MS)
    exits = [x for x in gateway.told() if x.action == "reduce"]
    assert [(x.symbol, x.quantity) for x in exits] == [("X", 70), ("Y", 40)]  # 30 may still sell.


def test_e66_triggers_while_a_plan_runs_do_not_double_its_exits():
    house = a_held_house()
    gateway = Gateway(house)
    house.send(FLATTEN)
    again = house.send(FLATTEN)
    assert isinstance(again, Error)
    assert "response-1" in again.text
    gateway.work()
    assert [order.quantity for order in gateway.sent] == [100, 40]


def test_e66_stronger_plan_takes_over_and_closes_what_is_left_alone():
    house = a_held_house()
    gateway = Gateway(house)
    house.send(Reduce(account="A1", percent=50.0))
    for instruction in gateway.told():
        gateway.carry_out(instruction)
    half = gateway.told()
    gateway.carry_out(half[0])
    house.send(Kill(scope="account", scope_id="A1", flatten=True, reason="enough"))
    gateway.work()
    assert (house.position("X").books.lots, house.position("Y").books.lots) == (0, 0)
    assert sum(order.quantity for order in gateway.sent) == 140


def test_reduce_takes_the_largest_loss_first_until_the_part_of_the_exposure_is_gone():
    house = a_held_house()
    house.send(Tick(symbol="X", bid=90.0, ask=90.0))  # X: 9,000, down 1,000; Y: 2,000, even.
    gateway = Gateway(house)
    house.send(Reduce(account="A1", percent=50.0))
    gateway.work()
    # Half of 11,000 is 5,500: 61.1 lots of 90, so 62.
    assert [(x.symbol, x.quantity) for x in gateway.sent] == [("X", 62)]
    assert house.position("Y").books.lots == -40


@pytest.mark.parametrize(("limit", "slices"), [(30, [30, 30, 30, 10]), (100, [100])])
def test_e67_exits_are_sliced_to_the_size_that_the_gate_lets_pass(limit, slices):
    house = a_held_house()
    house.core.boards.put_limits(
        house.core.boards.limits.__class__(default=LimitsSpec(order_quantity=limit))
    )
    gateway = Gateway(house)
    house.send(Reduce(account="A1", symbol="X"))
    gateway.work()
    assert [order.quantity for order in gateway.sent] == slices
    assert gateway.refused == []
    assert house.position("X").books.lots == 0


def test_e67_exit_without_a_price_is_not_sent_blind_and_goes_out_when_there_is_one():
    house = a_core(quotes={})
    house.send(a_fill("e-1", "buy", 10))
    gateway = Gateway(house)
    house.send(FLATTEN)
    assert gateway.told() == []
    assert updates(house)[-1] == ("response-1", "waiting", 1)
    house.send(Tick(symbol="X", bid=100.0, ask=100.1))
    house.elapse(house.core.boards.settings.instruction_ms * MS)
    gateway.work()
    assert house.position().books.lots == 0


def test_partial_fill_asks_again_for_what_is_left_alone():
    house = a_held_house()
    gateway = Gateway(house)
    gateway.fill_part = 0.5
    house.send(Reduce(account="A1", symbol="X"))
    gateway.work()
    assert house.position().books.lots == 50
    gateway.fill_part = 1.0
    house.elapse(house.core.boards.settings.instruction_ms * MS)
    gateway.work()
    assert [order.quantity for order in gateway.sent] == [100, 50]
    assert house.position().books.lots == 0
    assert updates(house)[-1][1] == "done"


def test_plan_whose_exits_never_come_back_escalates_after_three_attempts():
    house = a_held_house()
    gateway = Gateway(house)
    house.send(Reduce(account="A1", symbol="X"))
    for instruction in gateway.told():
        gateway.carry_out(instruction)
    house.elapse(600 * SECOND)
    assert updates(house)[-1] == ("response-1", "escalated", 3)
    assert len(house.alerts("response_failed")) == 1
    assert house.position().books.lots == 100
    assert house.core.boards.responses.exits == {}


def test_pause_before_the_next_attempt_doubles():
    house = a_core(quotes={})
    house.send(a_fill("e-1", "buy", 10))
    Gateway(house)
    span_ns = house.core.boards.settings.instruction_ms * MS
    house.send(FLATTEN)
    begun_ns = house.stamp.steady_ns
    instants = []
    while house.core.boards.responses.running:
        plan = house.core.boards.responses.running["A1"]
        instants.append(plan.until_steady_ns - begun_ns)
        house.elapse(plan.until_steady_ns - house.stamp.steady_ns)
    assert [round(x / span_ns) for x in instants] == [1, 3]


def test_kill_that_flattens_blocks_first_then_cancels_then_its_own_exits_alone_pass():
    house = a_held_house()
    gateway = Gateway(house)
    house.send(Kill(scope="account", scope_id="A1", cancel=True, flatten=True, reason="drill"))
    assert codes_of(house.send(an_order("o-1"))) == ["KILLED"]
    assert codes_of(house.send(an_order("exit", "sell", 5))) == ["KILLED"]
    assert [x.action for x in gateway.told()] == ["cancel", "cancel"]
    gateway.cancel("A1", "w-1")
    gateway.cancel("A1", "w-2")
    gateway.work()
    assert (house.position("X").books.lots, house.position("Y").books.lots) == (0, 0)
    assert gateway.refused == []


def test_under_a_kill_an_exit_that_does_more_than_close_is_refused():
    house = a_held_house()
    gateway = Gateway(house)
    house.send(Kill(scope="account", scope_id="A1", cancel=True, flatten=True, reason="drill"))
    gateway.told()
    gateway.cancel("A1", "w-1")
    gateway.cancel("A1", "w-2")
    asked = {told.symbol: exit_of(told) for told in gateway.told()}
    turned, larger = (
        replace(asked["X"], side=Side.BUY, reduce_only=False),
        replace(asked["Y"], quantity=41, reduce_only=False),
    )
    assert codes_of(house.send(turned)) == ["KILLED"]
    assert codes_of(house.send(larger)) == ["KILLED"]


def test_kill_that_cancels_leaves_positions_alone():
    house = a_held_house()
    gateway = Gateway(house)
    house.send(Kill(scope="firm", cancel=True, reason="drill"))
    gateway.work()
    assert house.account().orders == {}
    assert house.position("X").books.lots == 100
    assert updates(house)[-1][1] == "done"


@pytest.mark.parametrize("scope", [("symbol", "X"), ("strategy", "mm"), ("currency", "USD")])
def test_halt_of_a_scope_cancels_what_it_covers(scope):
    house = a_core()
    house.send(a_fill("e-1", "buy", 1))
    house.send(an_order("x", price=99.0))
    house.send(an_order("mm", symbol="Y", price=49.0, strategy="mm"))
    house.send(an_order("j", symbol="J", price=999.0))
    gateway = Gateway(house)
    house.send(Trip(scope=scope[0], scope_id=scope[1], action="halt_cancel", reason="drill"))
    gateway.work()
    covered = {"symbol": {"x"}, "strategy": {"mm"}, "currency": {"x", "mm"}}[scope[0]]
    assert set(house.account().orders) == {"x", "mm", "j"} - covered


def test_person_stops_a_plan_and_exits_that_nobody_began_are_taken_back():
    house = a_held_house()
    gateway = Gateway(house)
    house.send(Reduce(account="A1", symbol="X"))
    for instruction in gateway.told():
        gateway.carry_out(instruction)
    assert len(gateway.told()) == 1
    assert house.send(ResponseStop(response_id="response-1", reason="by hand")).ok
    (told,) = gateway.told()
    assert (told.action, told.client_order_id) == ("cancel", "response-1-1-1")
    house.elapse(600 * SECOND)
    assert house.core.boards.outbox.outstanding == {}
    assert gateway.told() == []
    assert house.send(ResponseStop(response_id="response-1")).code == "not_found"


def test_hedging_account_closes_each_leg_by_its_name():
    spec = an_account(position_mode=PositionMode.HEDGING)
    house = a_core(accounts=(spec,))
    house.send(a_fill("e-1", "buy", 10, position_id="long-1"))
    house.send(a_fill("e-2", "sell", 4, position_id="short-1"))
    gateway = Gateway(house)
    house.send(FLATTEN)
    gateway.work()
    assert [(x.side, x.quantity, x.position_id) for x in gateway.sent] == [
        ("sell", 10, "long-1"),
        ("buy", 4, "short-1"),
    ]
    assert house.position().books.legs == {}


def test_e66_restored_engine_goes_on_where_the_plan_was():
    house = a_held_house()
    gateway = Gateway(house)
    house.send(FLATTEN)
    for instruction in gateway.told():
        gateway.carry_out(instruction)
    exits = gateway.told()
    gateway.carry_out(exits[0])
    restored = Core()
    restored.restore(decode_state(encode_state(house.core.state())))
    assert state_digest(restored.state()) == house.digest()
    house.core = restored
    house.send(SessionLost(session=gateway.session, reason="riskd was down"))
    gateway.connect()
    gateway.work()
    assert (house.position("X").books.lots, house.position("Y").books.lots) == (0, 0)
    assert [order.quantity for order in gateway.sent] == [100, 40]


def test_live_system_runs_the_same_plans_to_the_digest():
    house = a_held_house()
    gateway = Gateway(house)
    gateway.fill_part = 0.5
    house.send(FLATTEN)
    gateway.work()
    house.elapse(house.core.boards.settings.instruction_ms * MS)
    gateway.work()
    house.send(an_order("w-9", "buy", 1, price=98.0))
    house.send(Kill(scope="account", scope_id="A1", flatten=True, reason="drill"))
    gateway.work()
    house.elapse(600 * SECOND)
    with Live() as live:
        for message, stamp in house.inputs:
            live.send(message, stamp)
        assert state_digest(live.system.state()) == house.digest()
