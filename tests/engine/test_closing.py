"""`account_remove`: an account that is flat is closed for good, and nothing else is moved by it."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from engine.core import Core, Input
from engine.digest import decode_state, encode_state, state_digest
from engine.facts import SUSPENSE, Stamp
from engine.firm import firm_drawdown, firm_pnl
from engine.limits import FIRM
from riskd.codec import encode_msgpack
from riskd.messages import (
    AccountAdd,
    AccountRemove,
    AccountUpdate,
    ActorFailed,
    Configure,
    Error,
    GroupSpec,
    Hello,
    Instruction,
    InstructionReport,
    Kill,
    LimitSet,
    LimitsSpec,
    PositionMode,
    PositionReport,
    ResponseAction,
    ResponseEvent,
    ResponsePolicy,
    RiskSettings,
    SessionRoll,
    Severity,
    Sweep,
    Tick,
    Transfer,
    VenuePosition,
)
from tests.builders import (
    SECOND,
    StampedCore,
    a_core,
    a_fill,
    a_report,
    a_universe,
    an_account,
    an_order,
    codes_of,
)
from tests.engine.live import Live
from tests.engine.random_inputs import Inputs

REMOVE = AccountRemove(account="A1")
GOOD = "closed for good"
LOSS_TRIPS = ResponsePolicy(
    id="loss",
    event=ResponseEvent.DAILY_LOSS,
    severity=Severity.CRITICAL,
    action=ResponseAction.MONITOR,
    breaker="halt",
    cooling_ms=1000,
)


def round_trip(house: StampedCore, price: float, account: str = "A1") -> None:
    """Buy ten X at 100 and sell them."""
    house.send(a_fill("e-1", "buy", 10, account=account))
    house.send(a_fill("e-2", "sell", 10, price=price, account=account))


def test_flat_account_is_closed_and_its_orders_and_fills_are_those_of_an_unknown_one():
    house = a_core()
    round_trip(house, 101.0)
    assert house.send(REMOVE).ok
    assert list(house.core.accounts) == [SUSPENSE, "A2"]
    ladder = house.core.boards.quotes.quotes["X"].ladder
    assert ladder is not None
    assert ladder.starts == {}  # Nobody asks for what X was since.
    assert codes_of(house.send(an_order("o-1"))) == ["UNKNOWN_ACCOUNT"]
    assert "unknown_account" in house.send(a_fill("e-3", "sell", 10)).flags
    assert house.position(account=SUSPENSE).books.lots == -10
    assert [x.severity for x in house.alerts("unknown_account")] == [Severity.CRITICAL]
    missing = house.send(REMOVE)
    assert isinstance(missing, Error)
    assert missing.code == "not_found"
    assert house.send(AccountRemove(account="A2")).ok


OPEN: dict[str, tuple[list[Input], str]] = {
    "long": ([a_fill()], "holds X"),
    "short": ([a_fill(side="sell")], "holds X"),
    "works": ([an_order()], "1 orders of account A1 work"),
    "suspect": ([an_order(), a_report("o-1", "cancel_pending")], "work"),
    "frozen": ([ActorFailed(account="A1", reason="drill")], "is frozen (drill)"),
    "no instrument": ([a_fill(symbol="NEW")], "a fill of NEW waits"),
    "doubt": (
        [
            PositionReport(
                account="A1", positions=(VenuePosition(symbol="X", quantity=1),), as_of_ns=1
            )
        ],
        "do not agree",
    ),
}


@pytest.mark.parametrize(("before", "said"), OPEN.values(), ids=OPEN)
def test_account_that_is_not_flat_or_of_which_something_is_open_stays(
    before: list[Input], said: str
):
    house = a_core()
    house.send_all(*before)
    digest = house.books()
    refused = house.send(REMOVE)
    assert isinstance(refused, Error)
    assert (refused.code, said in refused.text) == ("refused", True)
    assert "A1" in house.core.accounts
    assert house.books() == digest


def test_hedging_account_with_both_legs_open_is_not_flat_though_its_net_is():
    house = a_core(accounts=(an_account("A1", position_mode=PositionMode.HEDGING),))
    house.send(a_fill("e-1", "buy", 5, position_id="a"))
    house.send(a_fill("e-2", "sell", 5, position_id="b"))
    assert house.position().books.lots == 0
    assert "holds X" in house.send(REMOVE).text
    house.send(a_fill("e-3", "sell", 5, position_id="a"))
    house.send(a_fill("e-4", "buy", 5, position_id="b"))
    assert house.send(REMOVE).ok


def test_account_stays_until_its_gateway_has_done_what_a_response_asked_of_it():
    house = a_core()
    hello = Hello(gateway="G1", accounts=("A1",), executes_responses=True)
    session = house.send(hello).session
    house.send(an_order("o-1"), session=session)
    house.send(Kill(scope="account", scope_id="A1", cancel=True))
    (asked,) = [message for _, message in house.said if isinstance(message, Instruction)]
    house.send(a_report("o-1", "canceled"), session=session)
    assert "a response of account A1 runs" in house.send(REMOVE).text
    done = InstructionReport(instruction_id=asked.instruction_id, status="done")
    house.send(done, session=session)
    assert house.send(REMOVE).ok


def test_suspense_stays():
    assert "it stays" in a_core().send(AccountRemove(account=SUSPENSE)).text


def test_id_of_a_closed_account_is_never_given_again_also_not_after_a_restart():
    house = a_core()
    house.send(an_order("o-1"))
    house.send(a_report("o-1", "canceled"))
    assert house.send(REMOVE).ok
    state = decode_state(encode_state(house.core.state()))
    restored = StampedCore()
    restored.core.restore(state)
    restored.stamp = house.stamp
    for one in (house, restored):
        assert GOOD in one.send(AccountAdd(account=an_account("A1"))).text
        assert "no account A1" in one.send(AccountUpdate(account=an_account("A1"))).text
        one.send(Configure(universe=a_universe()))  # Its file still declares it.
        assert "A1" not in one.core.accounts
        assert codes_of(one.send(an_order("o-1"))) == ["UNKNOWN_ACCOUNT"]
        assert one.send(AccountAdd(account=an_account("A3"))).ok
    assert house.digest() == restored.digest()


def test_groups_go_on_without_a_closed_account_neither_poorer_nor_richer():
    accounts = tuple(an_account(f"A{n}", 1000.0, group="desk") for n in (1, 2, 3))
    house = StampedCore()
    limits = LimitSet(group={"desk": LimitsSpec(turnover=2500.0)})
    universe = replace(a_universe(limits, accounts=accounts), groups=(GroupSpec(id="desk"),))
    house.send(Configure(universe=universe))
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))
    house.send(a_fill("e-3", "buy", 10, account="A2"))
    house.send(Tick(symbol="X", bid=110.0, ask=110.0))
    house.send(Tick(symbol="X", bid=105.0, ask=105.0))
    house.send(a_fill("e-1", "buy", 5, price=105.0))
    house.send(a_fill("e-2", "sell", 5, price=101.0))  # A1 lost 20; the groups are 70 below.
    assert codes_of(house.send(an_order("o-1", quantity=5, account="A3"))) == ["GROUP_LIMIT"]
    assert house.send(REMOVE).ok
    for group in (FIRM, "desk"):
        told = firm_drawdown(house.core.boards, group, house.stamp.recv_ns)
        assert told.day is not None
        assert (told.equity, told.day.peak, told.day.drawdown) == (2050.0, 2120.0, 70.0)
        pnl = firm_pnl(house.core.boards, group, 0)
        assert (pnl.equity, pnl.day) == (2050.0, 50.0)
    assert house.send(an_order("o-2", quantity=5, account="A3")).approved
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))
    assert firm_pnl(house.core.boards, FIRM, 0).equity == 2000.0
    assert house.send(Sweep()).data == {
        "seq": house.stamp.seq,
        "accounts": 3,  # With suspense.
        "drifted": 0,
        "drift_max": 0.0,
    }


def test_what_stood_of_a_closed_account_is_resolved_and_what_it_tripped_cools():
    house = StampedCore()
    universe = a_universe(
        LimitsSpec(daily_loss=50.0), accounts=(an_account("A1", 1000.0), an_account("A2"))
    )
    house.send(Configure(universe=replace(universe, responses=(LOSS_TRIPS,))))
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))
    round_trip(house, 90.0)
    assert [x.status for x in house.alerts("daily_loss")] == ["raised"]
    assert len(house.core.boards.breakers.book.open) == 1
    assert house.send(REMOVE).ok
    assert [x.status for x in house.alerts("daily_loss")] == ["raised", "resolved"]
    house.elapse(5 * SECOND)
    assert house.core.boards.breakers.book.open == {}
    assert house.core.boards.responses.tripped == {}


@pytest.mark.parametrize("seconds", range(4, 8))
def test_sweep_that_is_under_way_goes_on_with_who_comes_next(seconds: int):
    """Three accounts with suspense are one slice, the firm and two groups one each."""
    house = StampedCore()
    universe = a_universe(settings=RiskSettings(sweep_ms=4000))
    house.send(Configure(universe=replace(universe, groups=(GroupSpec(id="g"), GroupSpec(id="h")))))
    house.elapse(seconds * SECOND)
    state = house.core.boards.sweep
    before = state.cursor
    assert house.send(REMOVE).ok
    assert state.cursor == max(0, before - 1)
    house.elapse(8 * SECOND)
    assert state.rounds >= 2


def test_time_passes_for_a_closed_account_that_waited_for_something():
    house = a_core()
    house.send(an_order("o-1"))
    house.send(a_report("o-1", "canceled"))
    assert house.core.timers.next_ns() is not None  # It would have been suspect.
    assert house.send(REMOVE).ok
    house.elapse(100 * SECOND)
    assert house.core.timers.next_ns() is None


def test_stop_of_the_firm_that_is_under_way_reaches_everybody_when_an_account_is_closed():
    names = [f"B{number:02}" for number in range(30)]
    house = a_core(accounts=(an_account("A1"), *map(an_account, names)))
    for name in names:
        house.send(an_order("o-1", account=name))
    house.send(Kill(scope="firm", cancel=True))
    assert len(house.core.boards.responses.running) < len(names)  # So many with one input.
    assert house.send(REMOVE).ok
    house.elapse(SECOND)
    assert sorted(house.core.boards.responses.running) == names


def test_session_of_a_closed_account_goes_on_for_its_others():
    house = a_core()
    first = house.send(Hello(gateway="G1", accounts=("A1", "A2"))).session
    house.send(an_order("o-1", account="A2"), session=first)
    assert house.send(REMOVE).ok
    working = house.core.sessions.working_orders(first, house.stamp.seq, None)
    assert not isinstance(working, Error)
    assert [order.client_order_id for order in working.orders] == ["o-1"]
    again = house.send(Hello(gateway="G1", accounts=("A1", "A2")), session=first)
    assert again.session == first  # As its configuration, or its key, still names them.
    second = house.send(Hello(gateway="G2", accounts=("A1",))).session
    nobody = house.core.sessions.working_orders(second, house.stamp.seq, None)
    assert not isinstance(nobody, Error)
    assert nobody.orders == ()  # And not everybody, as if it had named none.


def openings(seed: int, count: int) -> list[tuple[Input, Stamp]]:
    """Random inputs of every kind, and between them accounts that come, trade and go."""
    random, found, opened = Random(seed), [], 0
    limits = LimitSet(firm=LimitsSpec(turnover=1e9, daily_loss=1e5, drawdown_max_pct=90.0))
    for number, (message, stamp) in enumerate(Inputs(seed).draw(count)):
        if isinstance(message, Configure):
            settings = replace(message.universe.settings, sweep_ms=50)
            universe = replace(message.universe, limits=limits, settings=settings)
            message = Configure(universe=universe)
        elif number % 5 == 0:
            name = f"N{random.randint(max(0, opened - 3), opened)}"
            trade = a_fill(f"f-{number}", random.choice(["buy", "sell"]), account=name)
            paid = Transfer(
                account=name,
                transfer_id=f"t-{number}",
                amount=9.0,
                currency=random.choice(["EUR", "USD"]),
            )
            group = random.choice(["desk", "firm"])
            added = AccountAdd(account=an_account(f"N{opened + 1}", 1000.0, group=group))
            gone = AccountRemove(account=name)
            choices: list[Input] = [added, trade, paid, SessionRoll(), gone, gone, gone]
            message = random.choice(choices)
            opened += message is added
        found.append((message, stamp))
    return found


@pytest.mark.parametrize("seed", range(1, 4))
def test_live_engine_and_one_restored_on_the_way_agree_on_accounts_that_come_and_go(seed: int):
    core, restored, inputs = Core(), Core(), openings(seed, 500)
    with Live() as live:
        for number, (message, stamp) in enumerate(inputs):
            answers: list[Any] = [core.apply(message, stamp), live.send(message, stamp)]
            if number > 250:
                answers.append(restored.apply(message, stamp))
            assert len({encode_msgpack(answer) for answer in answers}) == 1
            if number == 250:
                restored.restore(decode_state(encode_state(core.state())))
        assert state_digest(core.state()) == state_digest(live.system.state())
    assert state_digest(core.state()) == state_digest(restored.state())
    assert len(core.boards.removed) > 3
    assert live.fatal == []
