"""Exposure, margin and drawdown as people see them; the firm and groups as sums of accounts."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine.boards import Boards
from engine.core import Core
from engine.exposure import exposure_of
from engine.firm import firm_exposure, firm_pnl
from engine.limits import FIRM
from engine.measures import (
    check_view,
    drawdown_update,
    exposure_update,
    margin_update,
    risk_update,
)
from engine.portfolio import accounts_in
from riskd.messages import (
    AccountAdd,
    AccountUpdate,
    Configure,
    GroupSpec,
    InstrumentSpec,
    LimitsSpec,
    MarginModel,
    MarginState,
    PositionMode,
    SessionRoll,
    ThresholdStatus,
    Tick,
    Transfer,
    UpdateType,
)
from tests.builders import (
    MONEY,
    SECOND,
    StampedCore,
    a_core,
    a_fill,
    an_account,
    an_order,
)
from tests.engine.random_inputs import Inputs

HALF = InstrumentSpec(symbol="H", currency="USD", initial_margin=0.5, maintenance_margin=0.25)


def tick(house: StampedCore, symbol: str, price: float) -> None:
    house.send(Tick(symbol=symbol, bid=price, ask=price))


def test_exposure_tells_sides_gross_net_and_the_worst_that_orders_could_make_of_it():
    house = a_core(accounts=(an_account(balance=1000.0),))
    house.send(a_fill("e-1", "buy", 10, 100.0))
    house.send(a_fill("e-2", "sell", 4, 50.0, symbol="Y"))
    house.send(an_order("o-1", "buy", 5))
    told = exposure_update(house.core.accounts["A1"], house.stamp.recv_ns + SECOND)
    assert (told.long, told.short, told.gross, told.net) == (1000.0, 200.0, 1200.0, 800.0)
    assert told.by_symbol == {"X": 1000.0, "Y": -200.0}
    assert (told.leverage, told.largest_symbol) == (1.2, "X")
    assert told.largest_pct == pytest.approx(1000 / 1200 * 100)
    assert (told.worst_gross, told.worst_long, told.worst_short) == (1700.0, 1300.0, 800.0)
    assert (told.open_orders, told.turnover) == (1, 1700.0)
    assert set(told.mark_ages_ns) == {"X", "Y"}
    assert min(told.mark_ages_ns.values()) > SECOND


def test_net_by_currency_counts_cash_profit_and_both_legs_of_pairs_each_in_itself():
    accounts = (an_account("A1", 1000.0), an_account("A2", 1000.0, currency="EUR"))
    house = a_core(accounts=accounts)
    house.send(a_fill("e-1", "buy", 400, 1.2, symbol="EURUSD"))
    house.send(a_fill("e-2", "buy", 3, 900.0, symbol="J"))  # Three hundred yen at 1,000.
    house.send(a_fill("e-3", "sell", 10, 102.0, fee=1.0))
    house.send(a_fill("e-4", "sell", 100, 1.2, symbol="EURUSD", account="A2"))
    told = exposure_update(house.core.accounts["A1"], 0)
    assert told.by_currency == {"EUR": 400.0, "JPY": 300.0, "USD": 1000.0 - 480.0 + 20.0 - 1.0}
    firm = firm_exposure(house.core.boards, "firm", 0)
    assert firm.by_currency == {"EUR": 1300.0, "JPY": 300.0, "USD": 539.0 + 120.0}
    house.send(a_fill("e-5", "sell", 400, 1.2, symbol="EURUSD"))
    assert set(exposure_update(house.core.accounts["A1"], 0).by_currency) == {"JPY", "USD"}


def of_the_middle(message: Any) -> Any:
    """Value pairs at the middle, as rates do: at the side that closes them they are worth less."""
    if not isinstance(message, Configure):
        return message
    settings = replace(message.universe.settings, mark="mid")
    return Configure(universe=replace(message.universe, settings=settings))


@pytest.mark.parametrize("seed", range(3))
def test_net_by_currency_comes_to_equity_at_the_rates_of_now(seed: int):
    house, compared = StampedCore(), 0
    for message, stamp in Inputs(seed).draw(600):
        house.send_at(of_the_middle(message), stamp)
    quotes = house.core.boards.quotes
    for account in house.core.accounts.values():
        if account.valuation.refresh() is not None:
            continue
        nets, worth = exposure_update(account, 0).by_currency, 0.0
        for currency, net in nets.items():
            rate = quotes.rate(currency, account.currency)
            assert rate is not None
            worth += net * rate.numerator / rate.denominator
        assert worth == pytest.approx(account.valuation.equity_money / MONEY, rel=1e-9)
        compared += len(nets) > 1
    assert compared


def test_exposure_of_a_hedge_counts_both_legs_in_gross_and_offsets_them_in_net():
    account = an_account(position_mode=PositionMode.HEDGING)
    house = a_core(accounts=(account,))
    house.send(a_fill("e-1", "buy", 10, 100.0))
    house.send(a_fill("e-2", "sell", 4, 100.0))
    told = exposure_update(house.core.accounts["A1"], 0)
    assert (told.long, told.short, told.gross, told.net) == (1000.0, 400.0, 1400.0, 600.0)
    assert told.largest_pct == pytest.approx(1400 / 1_000_000 * 100)


def test_margin_tells_used_of_positions_and_initial_with_orders():
    account = an_account(balance=1000.0, margin_model=MarginModel.RATE)
    house = a_core(
        LimitsSpec(margin_warning_pct=250.0),
        quotes={"H": (100.0, 100.0)},
        accounts=(account,),
        instruments=(HALF,),
    )
    flat = margin_update(house.core.accounts["A1"], 0)
    assert (flat.used, flat.free, flat.level_pct) == (0.0, 1000.0, None)
    house.send(a_fill("e-1", "buy", 8, 100.0, symbol="H"))
    house.send(an_order("o-1", "buy", 4, symbol="H"))
    told = margin_update(house.core.accounts["A1"], 0)
    assert (told.used, told.initial, told.maintenance) == (400.0, 600.0, 200.0)
    assert (told.equity, told.free, told.level_pct) == (1000.0, 600.0, 250.0)
    assert told.state is MarginState.WARNING
    risk = risk_update(house.core.accounts["A1"], UpdateType.MARGIN, 7)
    assert (risk.current_value, risk.threshold_status) == (250.0, ThresholdStatus.WARNING)


def test_drawdown_tells_every_span_and_how_far_below_the_open():
    house = a_core(LimitsSpec(drawdown_day_pct=10.0), accounts=(an_account(balance=1000.0),))
    house.send(a_fill("e-1", "buy", 10, 100.0))
    for price in (120.0, 90.0):
        tick(house, "X", price)
    house.send(SessionRoll())
    house.send(Transfer(account="A1", transfer_id="t", amount=100.0))
    tick(house, "X", 81.0)
    told = drawdown_update(house.core.accounts["A1"], house.stamp.recv_ns)
    assert told.day is not None
    assert told.max is not None
    assert (told.equity, told.from_open, told.from_open_pct) == (910.0, 90.0, 9.0)
    assert (told.day.peak, told.day.drawdown, told.day.drawdown_pct) == (1000.0, 90.0, 9.0)
    assert (told.max.peak, told.max.drawdown, told.max.deepest) == (1300.0, 390.0, 390.0)
    assert told.max == told.week
    assert told.status is ThresholdStatus.CRITICAL  # Nine of ten percent.
    value = risk_update(house.core.accounts["A1"], UpdateType.DRAWDOWN, 0).current_value
    assert value == 30.0


def test_e45_what_cannot_be_valued_is_told_as_unknown_and_never_as_zero():
    house = a_core(quotes={"X": (100.0, 100.0)})
    house.send(a_fill("e-1", "buy", 10, 100.0, symbol="Y"))
    account = house.core.accounts["A1"]
    exposure, margin = exposure_update(account, 0), margin_update(account, 0)
    assert (exposure.complete, exposure.gross, exposure.long) == (False, None, None)
    assert (margin.complete, margin.equity, margin.used, margin.free) == (False, None, None, None)
    drawdown = drawdown_update(account, 0)
    assert (drawdown.complete, drawdown.equity, drawdown.day) == (False, None, None)
    assert risk_update(account, UpdateType.EXPOSURE, 0).current_value is None
    checked = check_view(account)
    assert (checked["complete"], checked["missing"]) == (False, "Y is held without a mark")


def slow_exposure(boards: Boards, core: Core, scope: str) -> tuple[float, float]:
    """Return long and short of a scope in dollars: the sum of what its accounts tell."""
    longs = shorts = 0.0
    for account in accounts_in(scope, core.accounts, boards) or []:
        assert account.valuation.refresh() is None
        rate = boards.quotes.rate(account.currency, "USD")
        assert rate is not None
        found = exposure_of(account)
        longs += found.long_money * rate.numerator / rate.denominator / 1e12
        shorts += found.short_money * rate.numerator / rate.denominator / 1e12
    return longs, shorts


def test_firm_and_groups_are_the_sum_of_their_accounts_also_when_one_moves():
    accounts = (
        an_account("A1", group="g1"),
        an_account("A2", group="g2", currency="EUR"),
        an_account("A3", group="g2", currency="JPY"),
    )
    house = a_core(accounts=accounts)
    groups = (GroupSpec(id="g1", parent="g2"), GroupSpec(id="g2"))
    house.core.boards.put_groups(groups)
    for number, name in enumerate(("A1", "A2", "A3")):
        house.send(a_fill("e-1", "buy", 3 + number, 99.0, account=name))
        house.send(a_fill("e-2", "sell", 5, 1.2, account=name, symbol="EURUSD"))
    house.send(AccountAdd(account=an_account("A4", group="g1")))
    house.send(a_fill("e-1", "sell", 9, 99.0, account="A4"))
    tick(house, "X", 103.0)
    for regroup in (False, True):
        if regroup:
            assert house.send(AccountUpdate(account=an_account("A4", group="firm"))).ok
        for scope in ("firm", "g1", "g2"):
            told = firm_exposure(house.core.boards, scope, 0)
            whole = scope if scope == "firm" else f"group:{scope}"
            longs, shorts = slow_exposure(house.core.boards, house.core, whole)
            assert told.scope == whole
            assert (told.long, told.short) == pytest.approx((longs, shorts), rel=1e-9)
            assert told.gross == pytest.approx(told.long + told.short)
            assert told.complete


def test_firm_pnl_is_the_sum_of_what_accounts_are_worth_and_leaves_out_what_is_not_known():
    accounts = (an_account("A1"), an_account("A2", balance=500.0, currency="EUR"))
    house = a_core(quotes={"X": (100.0, 100.0), "EURUSD": (1.25, 1.25)}, accounts=accounts)
    house.send(a_fill("e-1", "buy", 10, 100.0))
    house.send(a_fill("e-1", "buy", 10, 100.0, account="A2"))
    tick(house, "X", 110.0)
    told = firm_pnl(house.core.boards, FIRM, 0)
    assert (told.equity, told.day) == pytest.approx((1_000_100 + 625 + 100, 200.0))
    house.send(a_fill("e-2", "buy", 1, 10.0, account="A1", symbol="Y"))  # It has no price.
    told = firm_pnl(house.core.boards, FIRM, 0)
    assert told.equity == pytest.approx(725.0)
    assert (told.unknown, told.complete) == (1, False)
    tick(house, "Y", 10.0)
    assert firm_pnl(house.core.boards, FIRM, 0).complete  # The third is suspense.


@pytest.mark.parametrize("seed", range(3))
def test_firm_totals_are_true_after_inputs_of_every_kind(seed):
    core = Core()
    for number, (message, stamp) in enumerate(Inputs(seed).draw(500)):
        core.apply(message, stamp)
        if number % 25:
            continue
        known = [x for x in core.accounts.values() if x.water.is_known()]
        if any(x.valuation.refresh() is not None for x in known):
            continue
        told = firm_pnl(core.boards, FIRM, 0)
        worth, unknown = 0.0, len(core.accounts) - len(known)
        for account in known:
            rate = core.boards.quotes.rate(account.currency, "USD")
            if rate is None:
                unknown += 1
                continue
            equity = account.valuation.equity_money / 1e12
            worth += equity * rate.numerator / rate.denominator
        assert told.equity == pytest.approx(worth, rel=1e-9)
        assert told.unknown == unknown
