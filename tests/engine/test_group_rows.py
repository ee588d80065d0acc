"""Groups and the firm are rows like any account: equity, peaks and losses true on every tick."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine.core import Core, Input
from engine.digest import decode_state, encode_state, state_digest
from engine.facts import SUSPENSE
from engine.firm import firm_drawdown, firm_pnl
from engine.group_row import GroupRow
from engine.limits import FIRM, GROUP_MEASURES, unenforced
from riskd.codec import encode_msgpack
from riskd.messages import (
    AccountAdd,
    AccountSpec,
    AccountUpdate,
    Alert,
    Configure,
    DayBegan,
    FirmDrawdown,
    GroupSpec,
    LimitSet,
    LimitsSpec,
    Published,
    RiskSettings,
    SessionRoll,
    Severity,
    Sweep,
    Tick,
    Transfer,
    Universe,
)
from tests.builders import (
    EURUSD,
    MONEY,
    SECOND,
    STOCK,
    StampedCore,
    a_fill,
    a_universe,
    an_account,
    an_order,
    codes_of,
)
from tests.engine.live import Live
from tests.engine.random_inputs import Inputs

GROUPS = (GroupSpec(id="desk"), GroupSpec(id="client", parent="desk"))
ACCOUNTS = (
    an_account("A1", 1000.0, group="desk"),
    an_account("A2", 1000.0, group="client"),
    an_account("A3", 1000.0),
)
PATIENT = RiskSettings(dwell_ms=10_000)
A_DAY = DayBegan(calendar="UTC", day="2020-03-02", week="2020-03-02", month="2020-03-01")


def a_firm(
    *,
    accounts: tuple[AccountSpec, ...] = ACCOUNTS,
    limits: LimitSet | None = None,
    settings: RiskSettings = PATIENT,
) -> StampedCore:
    """Return a firm with a desk and a client below it, with no price of anything yet."""
    universe = a_universe(accounts=accounts, instruments=(STOCK, EURUSD), settings=settings)
    house = StampedCore()
    told = replace(universe, groups=GROUPS, limits=limits or LimitSet())
    house.send(Configure(universe=told))
    return house


def tick(house: StampedCore, price: float, symbol: str = "X") -> None:
    house.send(Tick(symbol=symbol, bid=price, ask=price))


def told_of(house: StampedCore, group: str = FIRM) -> FirmDrawdown:
    return firm_drawdown(house.core.boards, group, house.stamp.recv_ns)


def spans(house: StampedCore, group: str = FIRM) -> tuple[float | None, float, float]:
    """Return equity, and peak and trough of the day."""
    told = told_of(house, group)
    assert told.day is not None
    return told.equity, told.day.peak, told.day.trough


def test_group_and_firm_peak_on_the_tick_on_which_their_accounts_together_do():
    house = a_firm()
    tick(house, 100.0)
    house.send(a_fill("e-1", "buy", 10, account="A1"))
    house.send(a_fill("e-2", "sell", 4, account="A2"))
    house.send(a_fill("e-3", "sell", 8, account="A3"))
    tick(house, 105.0)  # A1 +50, A2 -20, A3 -40.
    tick(house, 98.0)  # A1 -20, A2 +8, A3 +16.
    tick(house, 100.0)
    assert spans(house, "client") == (1000.0, 1008.0, 1000.0)
    assert spans(house, "desk") == (2000.0, 2030.0, 1988.0)
    assert spans(house) == (3000.0, 3004.0, 3000.0)
    told = told_of(house, "desk")
    assert told.max is not None
    assert (told.scope, told.max.drawdown, told.max.deepest) == ("group:desk", 30.0, 42.0)
    assert told.max.drawdown_pct == pytest.approx(30 / 2030 * 100)
    assert firm_pnl(house.core.boards, "desk", 0).equity == 2000.0


def test_group_is_not_poorer_for_who_leaves_nor_richer_for_who_joins_or_pays_in():
    house = a_firm()
    tick(house, 100.0)
    house.send(a_fill("e-1", "buy", 10, account="A1"))
    tick(house, 110.0)
    tick(house, 105.0)
    house.send(AccountAdd(account=an_account("A4", 500.0, group="client")))
    house.send(Transfer(account="A2", transfer_id="t", amount=-200.0))
    assert spans(house, "desk") == (2350.0, 2400.0, 2350.0)
    assert spans(house) == (3350.0, 3400.0, 3350.0)
    house.send(AccountUpdate(account=an_account("A1", 1000.0)))  # Straight below the firm now.
    assert spans(house, "desk") == (1300.0, 1350.0, 1300.0)  # Its drawdown was of A1 too.
    assert spans(house) == (3350.0, 3400.0, 3350.0)
    tick(house, 100.0)
    assert spans(house, "desk") == (1300.0, 1350.0, 1300.0)
    assert spans(house) == (3300.0, 3400.0, 3300.0)


def test_group_in_other_currencies_is_not_known_without_a_rate_and_moves_with_it():
    accounts = (an_account("A1", 1000.0, group="desk", currency="EUR"), *ACCOUNTS[1:])
    house = a_firm(accounts=accounts)
    told = told_of(house, "desk")
    assert (told.equity, told.day, told.complete) == (None, None, False)
    assert spans(house, "client") == (1000.0, 1000.0, 1000.0)
    tick(house, 1.25, "EURUSD")
    assert spans(house, "desk") == (2250.0, 2250.0, 2250.0)  # It begins with all there is.
    tick(house, 1.5, "EURUSD")
    tick(house, 1.2, "EURUSD")
    assert spans(house, "desk") == (2200.0, 2500.0, 2200.0)
    tick(house, 100.0)
    house.send(a_fill("e-1", "buy", 10, account="A1"))  # Dollars of a euro account, and of one
    house.send(a_fill("e-2", "sell", 10, account="A2"))  # that has the opposite: nothing moves.
    tick(house, 130.0)
    assert spans(house, "desk") == (2200.0, 2500.0, 2200.0)
    house.send(Transfer(account="A1", transfer_id="t", amount=100.0))
    assert spans(house, "desk") == (2320.0, 2620.0, 2320.0)


def test_group_with_a_position_without_a_mark_is_not_known_and_keeps_its_peaks():
    house = a_firm()
    house.send(a_fill("e-1", "buy", 10, account="A1"))
    told = told_of(house)
    assert (told.equity, told.max, told.complete) == (None, None, False)
    tick(house, 99.0)
    assert spans(house) == (2990.0, 3000.0, 2990.0)


def test_day_of_a_group_begins_with_its_calendar_once_and_its_life_goes_on():
    house = a_firm(settings=replace(PATIENT, firm_calendar="XNYS"))
    tick(house, 100.0)
    house.send(a_fill("e-1", "buy", 10, account="A1"))
    tick(house, 110.0)
    tick(house, 105.0)
    for day in ("2020-03-02", "2020-03-02"):
        house.send(DayBegan(calendar="XNYS", day=day, week="2020-03-02", month="2020-03-01"))
        assert spans(house) == (3050.0, 3050.0, 3050.0)
        tick(house, 106.0)
        tick(house, 105.0)
        assert spans(house)[1] == 3060.0
        house.send(DayBegan(calendar="XNYS", day=day, week="2020-03-02", month="2020-03-01"))
        assert spans(house)[1] == 3060.0  # Not again.
        tick(house, 105.0)
        break
    told, desk = told_of(house), told_of(house, "desk")
    assert told.max is not None
    assert desk.day is not None
    assert (told.max.peak, desk.day.peak) == (3100.0, 2100.0)


MEASURED = ("daily_loss", "drawdown")
LOSSES = [
    ({"daily_loss": 100.0}, 90.01, 90.0, "daily_loss"),
    ({"drawdown_day_pct": 5.0}, 90.01, 90.0, "drawdown"),
    ({"drawdown_week_pct": 5.0}, 90.01, 90.0, "drawdown"),
    ({"drawdown_max_pct": 5.0}, 90.01, 90.0, "drawdown"),
]


@pytest.mark.parametrize("group", ["desk", FIRM])
@pytest.mark.parametrize(("told", "safe", "passed", "alert_type"), LOSSES)
def test_e11_e47_loss_of_a_group_is_said_and_refuses_at_its_limit_and_lets_exits_out(
    told: dict[str, Any], safe: float, passed: float, alert_type: str, group: str
):
    """Ten X at 100: a hundred is 5 % of the desk's 2,000, and with A3's 1,000 out of it too."""
    accounts = ACCOUNTS if group == "desk" else (*ACCOUNTS[:2], an_account("A3", 0.0))
    spec = LimitsSpec(**told)
    limits = LimitSet(group={"desk": spec}) if group == "desk" else LimitSet(firm=spec)
    assert unenforced(limits) == []
    house = a_firm(accounts=accounts, limits=limits)
    tick(house, 100.0)
    house.send(a_fill("e-1", "buy", 10, account="A1"))
    tick(house, safe)
    assert house.send(an_order("o-1", account="A2", price=safe, dry_run=True)).approved
    house.published.clear()
    tick(house, passed)
    (said,) = house.alerts(alert_type)
    assert (said.account, said.severity) == (None, Severity.CRITICAL)
    refused = house.send(an_order("o-2", account="A2", price=90.0))
    assert codes_of(refused) == ["GROUP_LIMIT"]
    (reject,) = refused.rejects
    (key,) = told
    assert (reject.scope_id, reject.limit_type, reject.limit) == (group, key, told[key])
    assert reject.value == told[key]
    assert house.send(an_order("o-3", "sell", 10, account="A1", price=90.0)).approved
    status = told_of(house, group).status
    assert status == ("safe" if alert_type == "daily_loss" else "critical")


def test_loss_of_a_group_is_one_alert_until_it_has_recovered_and_stayed():
    house = a_firm(limits=LimitSet(firm=LimitsSpec(daily_loss=100.0)))
    tick(house, 100.0)
    house.send(a_fill("e-1", "buy", 10, account="A1"))
    for price in (92.0, 91.9, 92.0):  # Past the warning at 80, and back to it.
        tick(house, price)
    first = house.alerts("daily_loss")
    assert [(x.severity, x.status) for x in first] == [(Severity.MEDIUM, "raised")]
    tick(house, 98.0)
    house.elapse(11 * SECOND)
    assert [x.status for x in house.alerts("daily_loss")][-1] == "resolved"
    tick(house, 90.0)
    assert [x.severity for x in house.alerts("daily_loss")][-1] is Severity.CRITICAL


@pytest.mark.parametrize("began", [A_DAY, SessionRoll()], ids=["calendar", "operator"])
def test_loss_of_a_group_ends_with_the_day_of_its_accounts_and_is_said_once(began: Input):
    limits = LimitSet(firm=LimitsSpec(daily_loss=100.0), group={"desk": LimitsSpec(daily_loss=1e6)})
    house = a_firm(limits=limits)
    tick(house, 100.0)
    house.send(a_fill("e-1", "buy", 10, account="A1"))
    tick(house, 89.0)
    house.send(began)
    assert [x.status for x in house.alerts("daily_loss")] == ["raised", "resolved"]
    assert house.send(an_order("o-1", account="A2", price=89.0)).approved
    tick(house, 79.0)
    assert [x.value for x in house.alerts("daily_loss")][2:] == [100.0]


def test_loss_of_a_group_stands_when_its_own_day_begins_before_those_of_its_accounts():
    settings = replace(PATIENT, firm_calendar="XNYS")
    house = a_firm(limits=LimitSet(firm=LimitsSpec(daily_loss=100.0)), settings=settings)
    tick(house, 100.0)
    house.send(a_fill("e-1", "buy", 10, account="A1"))
    tick(house, 89.0)
    house.send(replace(A_DAY, calendar="XNYS"))
    assert [x.status for x in house.alerts("daily_loss")] == ["raised"]
    assert codes_of(house.send(an_order("o-1", account="A2", price=89.0))) == ["GROUP_LIMIT"]


def test_operator_begins_the_day_of_every_group_with_that_of_all_accounts():
    house = a_firm(limits=LimitSet(firm=LimitsSpec(drawdown_day_pct=5.0)))
    tick(house, 100.0)
    house.send(a_fill("e-1", "buy", 10, account="A1"))
    house.send(SessionRoll(account="A2"))  # Of one account: the groups' days go on.
    for price in (120.0, 90.0, 100.0):  # The firm from 3,200 to 2,900: 9.4 %.
        tick(house, price)
    assert [x.status for x in house.alerts("drawdown")] == ["raised"]
    house.send(SessionRoll(account="A1"))
    assert spans(house) == (3000.0, 3200.0, 2900.0)
    answered = house.send(SessionRoll())
    assert (answered.ok, answered.data["skipped"]) == (True, [])
    assert [x.status for x in house.alerts("drawdown")] == ["raised", "resolved"]
    tick(house, 95.0)
    assert [spans(house, group) for group in (FIRM, "desk", "client")] == [
        (2950.0, 3000.0, 2950.0),
        (1950.0, 2000.0, 1950.0),
        (1000.0, 1000.0, 1000.0),
    ]
    told = told_of(house)
    assert told.week is not None
    assert told.max is not None
    assert (told.week.peak, told.week.deepest, told.max.peak) == (3200.0, 300.0, 3200.0)


def test_group_that_has_nothing_to_begin_a_day_with_is_left_out_of_an_operators_and_named():
    house = a_firm()
    tick(house, 100.0)
    tick(house, 110.0)
    house.send(a_fill("e-1", "buy", 1, account="A2"))
    tick(house, 90.0)
    house.send(Transfer(account="A3", transfer_id="t", amount=5.0, currency="EUR"))
    answered = house.send(SessionRoll())
    assert not answered.ok
    assert answered.data["skipped"] == ["A3", "firm"]
    assert spans(house, "client") == (990.0, 990.0, 990.0)
    tick(house, 1.0, "EURUSD")
    assert spans(house)[1] == 3015.0  # As it was, and the transfer.


def test_daily_loss_of_a_group_is_that_of_its_accounts_in_their_own_days():
    """As `firm.pnl` has it: what rates make of foreign balances is drawdown, and no loss."""
    accounts = (an_account("A1", 1000.0, group="desk", currency="EUR"), *ACCOUNTS[1:])
    house = a_firm(accounts=accounts, limits=LimitSet(firm=LimitsSpec(daily_loss=40.0)))
    tick(house, 1.25, "EURUSD")
    tick(house, 1.2, "EURUSD")  # Fifty dollars less, and nothing lost.
    assert spans(house) == (3200.0, 3250.0, 3200.0)
    assert firm_pnl(house.core.boards, FIRM, 0).day == 0.0
    assert house.alerts("daily_loss") == []
    tick(house, 100.0)
    house.send(a_fill("e-1", "buy", 10, account="A2"))
    tick(house, 96.0)
    assert [x.value for x in house.alerts("daily_loss")] == [40.0]
    house.send(DayBegan(calendar="UTC", day="2020-03-02", week="2020-03-02", month="2020-03-01"))
    assert house.send(an_order("o-1", account="A1", price=96.0)).approved


def test_sweep_finds_a_group_that_had_drifted_says_so_and_makes_it_anew():
    house = a_firm()
    book, row = house.core.boards.book, house.core.boards.group_row("desk").water.row
    book.equity.one[row] += 5 * MONEY
    answered = house.send(Sweep())
    assert (answered.data["drifted"], answered.data["drift_max"]) == (1, 5.0)
    assert [x.account for x in house.alerts("book_drift")] == [None]
    assert spans(house, "desk")[0] == 2000.0


def test_firm_in_another_currency_begins_anew():
    house = a_firm(limits=LimitSet(firm=LimitsSpec(daily_loss=1.0)))
    tick(house, 1.25, "EURUSD")
    tick(house, 100.0)
    house.send(a_fill("e-1", "buy", 10, account="A1"))
    tick(house, 110.0)
    universe = Universe(
        settings=replace(PATIENT, fx_pivot="EUR"),
        instruments=(STOCK, EURUSD),
        groups=GROUPS,
        accounts=ACCOUNTS,
    )
    house.send(Configure(universe=universe))
    assert spans(house) == (2480.0, 2480.0, 2480.0)  # 3,100 dollars.
    tick(house, 105.0)
    assert spans(house, "desk") == (1640.0, 1680.0, 1640.0)


def watched(seed: int, count: int) -> list[tuple[Any, Any]]:
    """Random inputs of a firm whose groups have limits on what they may lose."""
    told = LimitsSpec(daily_loss=60_000.0, drawdown_day_pct=1.0, drawdown_max_pct=2.0)
    found = []
    for message, stamp in Inputs(seed).draw(count):
        if isinstance(message, Configure):
            limits = replace(message.universe.limits, firm=told, group={"desk": told})
            message = Configure(universe=replace(message.universe, limits=limits))
        found.append((message, stamp))
    return found


@pytest.mark.parametrize("seed", range(1, 4))
def test_group_rows_are_what_their_accounts_hold_after_inputs_of_every_kind(seed: int):
    """Live actors, an engine, and one restored on the way agree, and all with the accounts."""
    core, restored, crossings = Core(), Core(), 0
    with Live() as live:
        for number, (message, stamp) in enumerate(watched(seed, 400)):
            answers = [core.apply(message, stamp), live.send(message, stamp)]
            if number > 200:
                answers.append(restored.apply(message, stamp))
            assert len({encode_msgpack(answer) for answer in answers}) == 1
            crossings += sum(is_of_a_group(topical.message) for topical in core.published)
            if number == 200:
                restored.restore(decode_state(encode_state(core.state())))
            for group in core.boards.group_states:
                require_whole(core, group)
                require_noticed(core, group)
        assert state_digest(core.state()) == state_digest(live.system.state())
    assert state_digest(core.state()) == state_digest(restored.state())
    assert crossings


def is_of_a_group(message: Published) -> bool:
    return isinstance(message, Alert) and message.account is None and message.alert_type in MEASURED


def require_whole(core: Core, group: str) -> None:
    """Assert that a row is worth what it holds, and that it holds what its accounts do."""
    boards, row = core.boards, core.boards.group_row(group)
    members = [
        account
        for account in core.accounts.values()
        if group in (*boards.ancestry(account.state.spec.group), FIRM)
        and (account.id != SUSPENSE or account.water.row in _counted(row))
    ]
    cash: dict[str, int] = {}
    lots: dict[str, int] = {}
    for account in members:
        for currency, money in account.state.cash.items():
            cash[currency] = cash.get(currency, 0) + money
        for symbol, position in account.state.positions.items():
            lots[symbol] = lots.get(symbol, 0) + position.books.lots
    assert {key: money for key, money in row.cash.items() if money} == {
        key: money for key, money in cash.items() if money
    }
    assert {key: x.longs - x.shorts for key, x in row.held.items() if x.longs != x.shorts} == {
        key: net for key, net in lots.items() if net
    }
    equity, exact = row.water.equity_money(), row.exact_money()
    assert (equity is None) == (exact is None)
    if equity is not None and exact is not None:
        assert abs(equity - exact) * 10**12 <= abs(exact)  # What rates are rounded by.
        day, life = row.water.day(), row.water.life()
        assert day is not None
        assert life is not None
        assert day.trough_money <= equity <= day.peak_money <= life.peak_money


def require_noticed(core: Core, group: str) -> None:
    """Assert that whatever is past a threshold was said to be: no look is left out."""
    row, loss = core.boards.group_row(group), core.boards.group_row(group).loss_money()
    equity, limits = row.water.equity_money(), core.boards.group_limits.get(group, {})
    if equity is None or loss is None:
        return
    shares = dict(zip(GROUP_MEASURES, (loss * MONEY, *falls_of(row, equity)), strict=True))
    for key, limit in limits.items():
        if key not in shares:
            continue
        money = limit.money * (MONEY if key == "daily_loss" else 1)
        level = sum(shares[key] * 100 >= at for at in (money * 80, money * 90, money * 100))
        standing = row.water.state.standings.get(key)
        assert level <= (0 if standing is None else standing.level), key


def falls_of(row: GroupRow, equity: int) -> list[int]:
    """Return how far equity is below the peak of day, week and life, in percent as money counts."""
    spans = (row.water.day(), row.water.week(), row.water.life())
    peaks = [max(equity, span.peak_money) for span in spans if span is not None]
    return [(peak - equity) * 100 * MONEY // peak for peak in peaks]


def _counted(row: Any) -> list[int]:
    return [one for tally in row.tallies.values() for one in tally.rows.rows().tolist()]
