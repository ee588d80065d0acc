"""A day begins: P&L and turnover restart at the mark, day orders expire, the rest is carried."""

from __future__ import annotations

from typing import Any

from riskd.messages import (
    DayBegan,
    FillBust,
    FillCorrect,
    LimitsSpec,
    SessionRoll,
    Tick,
    TimeInForce,
)
from tests.builders import MONEY, SECOND, StampedCore, a_core, a_fill, an_account, an_order

ACCOUNTS = (an_account("A1", calendar="XNYS"), an_account("A2", calendar="UTC"))


def a_house(limits: LimitsSpec | None = None, **fields) -> StampedCore:
    return a_core(limits, accounts=ACCOUNTS, **fields)


def begin(house: StampedCore, day: str = "2026-11-20", calendar: str = "XNYS") -> None:
    house.send(DayBegan(calendar=calendar, day=day))


def day_pnl(house: StampedCore, account: str = "A1") -> float:
    held = house.core.accounts[account]
    assert held.valuation.refresh() is None
    return held.day_pnl_money() / 10**12


def test_e50_day_restarts_at_the_mark_of_the_roll_and_positions_are_carried():
    house = a_house()
    house.send(a_fill("e-1", quantity=10, price=90.0))
    assert day_pnl(house) == 100.0
    begin(house)
    assert (day_pnl(house), house.position().books.lots) == (0.0, 10)
    house.send(Tick(symbol="X", bid=103.0, ask=103.0))
    assert day_pnl(house) == 30.0
    assert house.position().books.realized_money == 0


def test_e50_day_orders_expire_and_all_others_are_carried():
    house = a_house()
    for order_id, life in (("d", "day"), ("g", "gtc"), ("t", "gtd")):
        until_ns = house.stamp.recv_ns + SECOND if life == "gtd" else None
        told: dict[str, Any] = {"time_in_force": TimeInForce(life), "expire_ns": until_ns}
        house.send(an_order(order_id, quantity=3, **told))
    begin(house)
    assert list(house.account().orders) == ["g", "t"]
    assert house.account().finished["d"].state == "expired"
    assert house.position().open_buy_lots == 6
    late = house.send(a_fill("e-1", quantity=3, client_order_id="d"))
    assert late.flags == ("late_fill",)


def test_e49_day_begins_once_per_calendar_and_only_forward():
    house = a_house(LimitsSpec(turnover=10_000.0))
    begin(house)
    house.send(a_fill("e-1", quantity=10, price=90.0))
    house.send(a_fill("e-2", quantity=10, price=90.0, account="A2"))
    for day in ("2026-11-20", "2026-11-19"):
        begin(house, day)
    begin(house, "2026-11-21", calendar="FX")  # Nobody's.
    assert (day_pnl(house), day_pnl(house, "A2")) == (100.0, 100.0)
    begin(house, "2026-11-21")
    assert (day_pnl(house), day_pnl(house, "A2")) == (0.0, 100.0)
    assert house.account().day_turnover == {}


def test_daily_loss_of_yesterday_does_not_refuse_today():
    house = a_house(LimitsSpec(daily_loss=50.0))
    house.send(a_fill("e-1", quantity=10, price=105.0))
    refused = house.send(an_order("o-1"))
    assert [reject.code for reject in refused.rejects] == ["DAILY_LOSS"]
    begin(house)
    assert house.send(an_order("o-2")).approved


def test_day_that_begins_without_a_mark_is_measured_from_the_first_moment_it_has_one():
    house = a_house(LimitsSpec(daily_loss=50.0), quotes={})
    house.send(a_fill("e-1", quantity=10, price=100.0))
    begin(house)
    refused = house.send(an_order("o-1"))
    assert [reject.code for reject in refused.rejects] == ["NO_REFERENCE_PRICE"]
    house.send(Tick(symbol="X", bid=80.0, ask=80.0))
    assert house.send(an_order("o-2", price=80.0)).approved
    house.send(Tick(symbol="X", bid=75.0, ask=75.0))
    lost = house.send(an_order("o-3", price=75.0))
    assert [reject.code for reject in lost.rejects] == ["DAILY_LOSS"]  # Exactly 50 since then.


def test_operator_rolls_the_session_of_all_and_day_orders_stay():
    house = a_house()
    house.send(an_order("d", quantity=3))
    house.send(a_fill("e-1", quantity=10, price=90.0))
    assert house.send(SessionRoll()).ok
    assert day_pnl(house) == 0.0
    assert list(house.account().orders) == ["d"]


def test_bust_and_correction_change_the_turnover_of_their_own_day_alone():
    house = a_house()
    house.send_all(a_fill("e-1", quantity=3), a_fill("e-2", quantity=5), a_fill("e-3", quantity=7))
    house.send(FillBust(account="A1", exec_id="e-2"))
    assert house.account().day_turnover == {"USD": 1000 * MONEY}
    house.send(FillBust(account="A1", exec_id="e-2"))
    house.send(FillCorrect(account="A1", exec_id="e-3", quantity=6.0, price=90.0))
    assert house.account().day_turnover == {"USD": (300 + 540) * MONEY}
    house.send(FillCorrect(account="A1", exec_id="e-2", quantity=1.0))
    assert house.account().day_turnover == {"USD": (300 + 540 + 100) * MONEY}
    house.send(SessionRoll(account="A1"))
    house.send(a_fill("e-4", quantity=2))
    house.send(FillBust(account="A1", exec_id="e-1"))
    house.send(FillCorrect(account="A1", exec_id="e-3", quantity=1.0))
    assert house.account().day_turnover == {"USD": 200 * MONEY}
    house.send(FillBust(account="A1", exec_id="e-4"))
    assert house.account().day_turnover == {"USD": 0}


def test_e51_week_begins_with_the_first_day_that_names_another_one():
    """Also when riskd was down on the day that the week began with, and only once."""
    house = a_house()
    house.send(a_fill("e-1", quantity=10, price=100.0))

    def peaks(price: float) -> tuple[int, int, int]:
        house.send(Tick(symbol="X", bid=price, ask=price))
        day, week, life = (money // 10**12 - 1_000_000 for money in water.peaks_money())
        return day, week, life

    water = house.core.accounts["A1"].water
    house.send(DayBegan(calendar="XNYS", day="2026-11-20", week="2026-11-20"))
    assert peaks(110.0) == (100, 100, 100)
    assert peaks(105.0) == (100, 100, 100)
    house.send(DayBegan(calendar="XNYS", day="2026-11-23", week="2026-11-20"))
    assert peaks(104.0) == (50, 100, 100)
    house.send(DayBegan(calendar="XNYS", day="2026-11-30", week="2026-11-27"))
    assert peaks(103.0) == (40, 40, 100)
    house.send(DayBegan(calendar="XNYS", day="2026-12-01", week="2026-11-27"))
    assert peaks(102.0) == (30, 40, 100)
