"""What a line that a group or the firm crosses calls for in each of its accounts; kills of many."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from config.load import load
from engine.alert_views import done_about
from engine.core import Core
from engine.digest import decode_state, encode_state, state_digest
from engine.response_desk import BEGUN_TURNS, TURNS_MAX
from riskd.messages import (
    Configure,
    DayBegan,
    Elapse,
    GroupSpec,
    Kill,
    LimitSet,
    LimitsSpec,
    ResponseAction,
    ResponseEvent,
    ResponseMode,
    ResponsePolicy,
    ResponseUpdate,
    RiskSettings,
    Severity,
    Tick,
    Unkill,
)
from tests.builders import (
    MS,
    SECOND,
    StampedCore,
    a_fill,
    a_report,
    a_universe,
    an_account,
    an_order,
    codes_of,
)
from tests.engine.gateway import Gateway
from tests.engine.live import Live

SHIPPED = load(None, {}).universe.responses
DWELL_MS = 1000
GROUPS = (GroupSpec(id="desk"), GroupSpec(id="client", parent="desk"))
BEGUN_MAX = TURNS_MAX // BEGUN_TURNS  # Plans that one input begins.
STOP = ResponsePolicy(
    id="loss-stop",
    event=ResponseEvent.DAILY_LOSS,
    severity=Severity.CRITICAL,
    action=ResponseAction.STOP,
    cooling_ms=5000,
)


def tick(house: StampedCore, price: float) -> None:
    house.send(Tick(symbol="X", bid=price, ask=price))


def a_desk(
    limits: LimitSet, *, policies: tuple[ResponsePolicy, ...] = SHIPPED, **default: Any
) -> StampedCore:
    """Return a desk of A1 and its client's A2 and A3, who wants advice; A4 is of no desk."""
    automatic = {"response_mode": ResponseMode.AUTOMATIC}
    accounts = (
        an_account("A1", 10_000.0, group="desk", **automatic),
        an_account("A2", 10_000.0, group="client", **automatic),
        an_account("A3", 10_000.0, group="client", response_mode=ResponseMode.ADVISE),
        an_account("A4", 10_000.0, **automatic),
    )
    told = replace(
        a_universe(
            replace(limits, default=LimitsSpec(**default)),
            accounts=accounts,
            settings=RiskSettings(dwell_ms=DWELL_MS, stale_after_ms=3_600_000),
        ),
        groups=GROUPS,
        responses=policies,
    )
    house = StampedCore()
    house.send(Configure(universe=told))
    tick(house, 100.0)
    for account in ("A1", "A2", "A3", "A4"):
        house.send(a_fill("e", "buy", 10, account=account))
    return house


def of_desk(**limits: Any) -> LimitSet:
    return LimitSet(group={"desk": LimitsSpec(**limits)})


def updates(house: StampedCore) -> list[tuple[str, str, str]]:
    """Return account, policy and stage of everything that was published of responses."""
    told = [topical.message for topical in house.published]
    return [(x.account, x.policy, str(x.stage)) for x in told if isinstance(x, ResponseUpdate)]


def lots(house: StampedCore) -> list[int]:
    return [house.position("X", account).books.lots for account in ("A1", "A2", "A3", "A4")]


def restart(house: StampedCore) -> None:
    """Let riskd fall and come back from its state, which must be the same."""
    before = house.digest()
    restored = Core()
    restored.restore(decode_state(encode_state(house.core.state())))
    assert state_digest(restored.state()) == before
    house.core = restored


def require_live_is_equal(house: StampedCore) -> None:
    with Live() as live:
        for message, stamp in house.inputs:
            live.send(message, stamp)
        assert state_digest(live.system.state()) == house.digest()


@pytest.mark.parametrize("scope", ["desk", "firm"])
def test_loss_of_a_group_that_is_nearly_used_up_closes_what_its_accounts_hold(scope):
    """Three accounts of the desk lose 9 each on ten lots: 270 of 300 is nine tenths; of the firm
    four lose 360 of 400."""
    limits = of_desk(daily_loss=300.0)
    if scope == "firm":
        limits = LimitSet(firm=LimitsSpec(daily_loss=400.0))
    house = a_desk(limits)
    gateway = Gateway(house)
    tick(house, 91.01)
    gateway.work()
    assert lots(house) == [10, 10, 10, 10]
    tick(house, 91.0)
    gateway.work()
    assert lots(house) == [0, 0, 10, 10 if scope == "desk" else 0]
    assert ("A3", "daily-loss-high", "advised") in updates(house)
    assert ("A1", "daily-loss-high", "done") in updates(house)
    assert (("A4", "daily-loss-high", "done") in updates(house)) is (scope == "firm")
    (high,) = (x for x in house.alerts("daily_loss") if x.severity is Severity.HIGH)
    assert high.account is None
    assert high.message.startswith("the firm" if scope == "firm" else "group desk")
    require_live_is_equal(house)


def test_drawdown_of_a_group_shrinks_the_risk_of_its_accounts_until_it_has_recovered():
    """The desk's day may fall by 1 % of 30,000; nine tenths of it are 270: at 91."""
    house = a_desk(of_desk(drawdown_day_pct=1.0), risk_per_trade_pct=5.0)
    tick(house, 90.99)
    shrunk = [house.account(name).conduct.risk_shrunk_pct for name in ("A1", "A2", "A3", "A4")]
    assert shrunk == [1, 1, None, None]  # A3 only wants advice.
    restart(house)
    risky: dict[str, Any] = {"quantity": 10, "stop_loss": 70.0, "price": 91.0}  # 210 of 9,900.
    assert codes_of(house.send(an_order("o-1", account="A2", **risky))) == ["RISK_PER_TRADE"]
    assert codes_of(house.send(an_order("o-1", account="A4", **risky))) == []
    tick(house, 100.0)
    house.elapse(DWELL_MS * MS)
    assert [house.account(name).conduct.risk_shrunk for name in ("A1", "A2")] == [{}, {}]
    assert codes_of(house.send(an_order("o-2", account="A2", **risky))) == []


def test_what_a_group_calls_for_stays_when_the_account_itself_has_recovered():
    """At 93 A1 has lost 70 of the 50 it may; with Y it wins them back, and the desk is at 280."""
    house = a_desk(of_desk(drawdown_day_pct=1.0), drawdown_day_pct=0.5, risk_per_trade_pct=5.0)
    house.send(Tick(symbol="Y", bid=50.0, ask=50.0))
    house.send(a_fill("y", "buy", 1, 50.0, symbol="Y"))
    house.send(a_fill("e-2", "buy", 20, account="A2"))
    tick(house, 93.0)
    own, desk = "drawdown_day_pct", "drawdown_day_pct of group desk"
    assert house.account("A1").conduct.risk_shrunk == {own: 1.0, desk: 1.0}
    house.send(Tick(symbol="Y", bid=120.0, ask=120.0))
    house.elapse(DWELL_MS * MS)
    assert house.account("A1").conduct.risk_shrunk == {desk: 1.0}


def test_stop_of_a_group_halts_it_and_cancels_what_its_accounts_have_working():
    house = a_desk(of_desk(daily_loss=300.0), policies=(STOP,))
    gateway = Gateway(house)
    for account in ("A1", "A2", "A3", "A4"):
        house.send(an_order("w", account=account, price=80.0))
    tick(house, 89.99)
    (state,) = house.core.boards.breakers.book.open.values()
    assert (state.scope, state.scope_id, state.action) == ("group", "desk", "halt")
    assert sorted(told.account for told in gateway.told()) == ["A1", "A2"]
    for account, code in (("A1", "BREAKER_OPEN"), ("A3", "BREAKER_OPEN"), ("A4", None)):
        order = an_order("o", account=account, price=89.99)
        assert codes_of(house.send(order)) == ([] if code is None else [code])
    for account in ("A1", "A2"):
        house.send(a_report("w", "canceled", account=account))
    assert updates(house)[-2:] == [("A1", "loss-stop", "done"), ("A2", "loss-stop", "done")]
    tick(house, 100.0)
    house.elapse(DWELL_MS * MS + 5 * SECOND)
    assert house.core.boards.breakers.book.open == {}


def test_plan_of_a_group_that_fails_in_an_account_stops_that_account_until_the_group_recovers():
    house = a_desk(of_desk(daily_loss=300.0))
    gateway = Gateway(house)
    gateway.fill_part = 0.0
    tick(house, 91.0)
    for _ in range(60):
        gateway.work()
        house.elapse(SECOND)
    failed = house.alerts("response_failed")
    assert [(x.account, x.severity) for x in failed] == [("A1", "extreme"), ("A2", "extreme")]
    opened = house.core.boards.breakers.book.open.values()
    assert [(x.scope, x.scope_id, x.action) for x in opened] == [
        ("account", "A1", "halt"),
        ("account", "A2", "halt"),
    ]
    assert ("A1", "any-extreme", "done") in updates(house)
    assert house.core.boards.responses.running == {}
    restart(house)
    tick(house, 100.0)
    house.elapse(DWELL_MS * MS + 61 * SECOND)
    assert house.core.boards.breakers.book.open == {}
    assert house.core.boards.responses.tripped == {}


def test_day_that_begins_ends_what_the_loss_of_a_group_called_for():
    house = a_desk(of_desk(drawdown_day_pct=1.0), risk_per_trade_pct=5.0)
    tick(house, 90.99)
    assert house.account("A1").conduct.risk_shrunk_pct == 1
    house.send(DayBegan(calendar="UTC", day="2030-01-02", week="2029-12-31"))
    assert house.account("A1").conduct.risk_shrunk == {}


def test_recovery_of_what_called_for_nothing_asks_nothing_of_any_account(monkeypatch):
    """A turn an input: were there anything to undo, it would wait for the next ones."""
    monkeypatch.setattr("engine.response_desk.TURNS_MAX", 1)
    waiting = []
    for policies in (SHIPPED, (), (replace(STOP, action=ResponseAction.MONITOR),)):
        house = a_desk(of_desk(daily_loss=300.0), policies=policies)
        tick(house, 85.0)
        house.catch_up()
        house.send(DayBegan(calendar="UTC", day="2030-01-02", week="2029-12-31"))
        waiting.append(len(house.core.boards.responses.rollouts))
        house.catch_up()
        assert house.core.boards.responses.reached == {}
        assert house.core.boards.responses.tripped == {}
    assert waiting == [1, 0, 0]


def names(count: int) -> list[str]:
    return [f"A{number:04}" for number in range(count)]


def a_crowd(count: int) -> StampedCore:
    """Return a firm of so many accounts, each with ten X and an order working."""
    house = StampedCore()
    accounts = tuple(an_account(name) for name in names(count))
    house.send(Configure(universe=a_universe(accounts=accounts)))
    tick(house, 100.0)
    for name in names(count):
        house.send(a_fill("e", "buy", 10, account=name))
        house.send(an_order("w", account=name, price=90.0))
    house.published.clear()
    return house


def begun(house: StampedCore) -> list[str]:
    return [account for account, _, stage in updates(house) if stage == "canceling"]


def test_kill_of_many_that_flattens_blocks_all_at_once_and_goes_on_between_orders():
    """Also over a restart in the middle; nobody is begun with twice, nobody is forgotten."""
    count = 3 * BEGUN_MAX
    house = a_crowd(count)
    gateway = Gateway(house)
    house.send(Kill(scope="firm", flatten=True, reason="drill"))
    assert begun(house) == names(BEGUN_MAX)
    assert house.core.due_ns() == 0  # Time is to be let in at once.
    last = names(count)[-1]
    assert codes_of(house.send(an_order("o", account=last))) == ["KILLED"]
    assert begun(house) == names(BEGUN_MAX)  # An order costs nobody's turn.
    restart(house)
    house.send(Elapse())
    assert begun(house) == names(2 * BEGUN_MAX)
    house.send(Unkill(scope="firm"))
    house.catch_up()
    assert begun(house) == names(count)
    gateway.work()
    assert [house.position("X", name).books.lots for name in names(count)] == [0] * count
    assert gateway.refused == []
    require_live_is_equal(house)


def test_kill_of_one_account_reaches_it_at_once_however_many_there_are():
    house = a_crowd(TURNS_MAX + 2)
    last = names(TURNS_MAX + 2)[-1]
    house.send(Kill(scope="account", scope_id=last, cancel=True, reason="drill"))
    assert begun(house) == [last]
    assert not house.core.boards.is_behind()


def test_kill_is_made_to_cancel_and_to_flatten_later_and_again():
    """Its levels are independent: each may be asked for while the scope is killed."""
    house = a_crowd(1)
    gateway = Gateway(house)
    (name,) = names(1)
    house.send(Kill(scope="account", scope_id=name, reason="odd"))
    assert begun(house) == []
    cancels = house.send(Kill(scope="account", scope_id=name, cancel=True, reason="odd"))
    assert (cancels.data["changed"], cancels.data["asked"]) == (False, "cancel")
    gateway.work()
    assert house.account(name).orders == {}
    assert house.position("X", name).books.lots == 10
    gateway.fill_part = 0.0
    house.send(Kill(scope="account", scope_id=name, flatten=True, reason="very odd"))
    for _ in range(60):
        gateway.work()
        house.elapse(SECOND)
    assert updates(house)[-1] == (name, "", "escalated")
    (failed,) = house.alerts("response_failed")
    assert "very odd" in failed.message
    gateway.fill_part = 1.0
    house.send(Kill(scope="account", scope_id=name, flatten=True, reason="again"))
    gateway.work()
    assert house.position("X", name).books.lots == 0
    assert len(house.alerts("breaker_stopped")) == 1


def test_exits_that_never_fill_stop_the_account_and_a_person_is_told():
    """A flatten is the most that is done; what any extreme event asks for comes after it."""
    house = a_desk(LimitSet(), daily_loss=100.0)
    gateway = Gateway(house)
    gateway.fill_part = 0.0
    house.send(a_fill("out-4", "sell", 10, account="A4"))
    house.send(a_fill("out-2", "sell", 10, account="A2"))
    tick(house, 91.0)
    for _ in range(60):
        gateway.work()
        house.elapse(SECOND)
    (failed,) = house.alerts("response_failed")
    assert (failed.account, failed.severity) == ("A1", Severity.EXTREME)
    assert "after 3 attempts" in failed.message
    (state,) = house.core.boards.breakers.book.open.values()
    assert (state.scope, state.scope_id, state.action) == ("account", "A1", "halt")
    assert codes_of(house.send(an_order("o", price=91.0))) == ["BREAKER_OPEN"]
    assert codes_of(house.send(an_order("less", "sell", 5, price=91.0))) == []
    require_live_is_equal(house)


def test_alert_tells_what_was_done_about_it_in_whatever_accounts():
    """And nothing that was done about the same measure of somebody else, or before."""
    breaker = replace(SHIPPED[2], breaker="reduce_only")
    assert breaker.id == "daily-loss-high"
    alone = {"A4": LimitsSpec(daily_loss=100.0)}
    house = a_desk(replace(of_desk(daily_loss=300.0), account=alone), policies=(breaker,))
    gateway = Gateway(house)
    house.send(a_fill("e-2", "buy", 10, account="A4"))
    tick(house, 94.0)  # A4 has lost 120 of the 100 it may, the others 60 each.
    gateway.work()
    began_ns = house.stamp.recv_ns
    tick(house, 91.0)
    gateway.work()
    boards = house.core.boards
    done = done_about(boards, "daily_loss:group:desk", began_ns)
    told = [(x.account, x.policy, str(x.stage)) for x in done["responses"]]
    assert sorted(told) == [
        ("A1", "daily-loss-high", "done"),
        ("A2", "daily-loss-high", "done"),
        ("A3", "daily-loss-high", "advised"),
    ]
    assert [(x.scope, x.scope_id, x.action) for x in done["breakers"]] == [
        ("group", "desk", "reduce_only")
    ]
    own = done_about(boards, "daily_loss:A4", 0)
    assert [x.account for x in own["responses"]] == ["A4"]
    assert [x.scope_id for x in own["breakers"]] == ["A4"]
    assert done_about(boards, "daily_loss:A4", house.stamp.recv_ns + 1)["responses"] == []
    assert done_about(boards, "daily_loss:firm", 0) == {"responses": [], "breakers": []}
