"""What the control port says of trades, excursions, concentration, advice and sizes."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
from msgspec.structs import replace

from engine.advice import advice_view, size_view
from engine.portfolio import accounts_in, concentration_view, correlation_view
from engine.standing import ranks_of
from engine.trade_views import statistics_view, trades_view
from engine.views import positions_view
from riskd.messages import (
    Configure,
    DayBegan,
    FillBust,
    GroupSpec,
    LimitsSpec,
    MarginModel,
    PositionMode,
    Side,
    SizeRequest,
    Tick,
    Transfer,
    Universe,
)
from tests.builders import (
    SECOND,
    STOCK,
    StampedCore,
    a_core,
    a_fill,
    a_universe,
    an_account,
    an_order,
)

HALF = an_account(balance=10_000.0, margin_model=MarginModel.LEVERAGE, leverage=2.0)


def mark(house: StampedCore, price: float, symbol: str = "X", ask: float | None = None) -> None:
    house.send(Tick(symbol=symbol, bid=price, ask=price if ask is None else ask))


def trade(house: StampedCore, name: str, enter: float, leave: float, **fields: Any) -> None:
    """Buy 10, sell 10, an hour later."""
    house.send(a_fill(f"{name}-in", "buy", 10, enter, **fields))
    mark(house, leave, fields.get("symbol", "X"))
    house.send(a_fill(f"{name}-out", "sell", 10, leave, **fields), after_ns=3600 * SECOND)


def totals(house: StampedCore, by: Any = "account") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = trades_view(house.core.accounts["A1"], by, 20)["totals"]
    return found


def test_totals_of_trades_are_rates_factors_and_means_of_what_was_realised():
    """Won 100 and 50, lost 50, and one at nothing; fees apart."""
    house = a_core()
    for name, leave in (("a", 110.0), ("b", 105.0), ("c", 95.0), ("d", 100.0)):
        mark(house, 100.0)
        trade(house, name, 100.0, leave, fee=0.5)
    (found,) = totals(house)
    told = {
        "trades": 4,
        "wins": 2,
        "losses": 1,
        "win_rate": 0.5,
        "realized": 100.0,
        "fees": -4.0,
        "profit_factor": 3.0,  # 150 / 50.
        "expectancy": 25.0,
        "average_gain": 75.0,
        "average_loss": -50.0,
        "reward_to_risk": 1.5,
        "kelly": pytest.approx(0.5 - 0.5 / 1.5),
        "largest_gain": 100.0,
        "largest_loss": -50.0,
        "average_mfe": 37.5,
        "average_mae": -12.5,
        "average_held_ns": 3600 * SECOND + 1000,
        "planned_reward_to_risk": None,
    }
    assert {key: found[key] for key in told} == told


def test_trades_belong_to_the_strategy_that_opened_them_and_lines_sum_to_the_total():
    house = a_core()
    house.send(a_fill("e-1", "buy", 10, 100.0, strategy="swing"))
    house.send(a_fill("e-2", "sell", 15, 103.0, strategy="scalp"))  # Closes, and opens its own.
    house.send(a_fill("e-3", "buy", 5, 101.0))
    trade(house, "y", 50.0, 49.0, symbol="Y", strategy="swing")
    by_strategy = {line["strategy"]: line for line in totals(house, "strategy")}
    assert {key: line["realized"] for key, line in by_strategy.items()} == {
        "swing": 20.0,  # 30 of X, less 10 of Y.
        "scalp": 10.0,
    }
    by_symbol = {line["symbol"]: line["realized"] for line in totals(house, "symbol")}
    assert by_symbol == {"X": 40.0, "Y": -10.0}
    assert totals(house)[0]["realized"] == 30.0


def test_trades_in_other_currencies_are_counted_at_the_rate_of_now():
    house = a_core()
    trade(house, "j", 1000.0, 1100.0, symbol="J")
    mark(house, 100.0, "USDJPY")
    (found,) = totals(house)
    assert found["realized"] == 10.0  # 1,000 yen.
    assert found["average_mfe"] == 10.0


def test_trades_without_a_rate_are_left_out_and_said_to_be():
    house = a_core(quotes={"J": (1000.0, 1000.0)})
    trade(house, "j", 1000.0, 1100.0, symbol="J")
    found = trades_view(house.core.accounts["A1"], "account", 20)
    assert (found["complete"], found["totals"]) == (False, [])
    assert found["trades"][0]["realized"] == 1000.0


def test_bust_takes_a_closed_trade_back_out_of_the_totals():
    house = a_core()
    trade(house, "a", 100.0, 110.0)
    house.send(FillBust(account="A1", exec_id="a-out"))
    assert totals(house) == []
    house.send(a_fill("e-9", "sell", 10, 90.0))
    (found,) = totals(house)
    assert (found["trades"], found["realized"], found["average_mfe"]) == (1, -100.0, 100.0)


def test_newest_trades_are_shown_last_with_entry_and_exit():
    house = a_core()
    trade(house, "a", 100.0, 110.0)
    trade(house, "y", 50.0, 49.0, symbol="Y")
    shown = trades_view(house.core.accounts["A1"], "account", 1)["trades"]
    assert [(x["symbol"], x["side"], x["entry"], x["exit"]) for x in shown] == [
        ("Y", "long", 50.0, 49.0)
    ]
    assert trades_view(house.core.accounts["A1"], "account", 0)["trades"] == []


def with_stop(
    house: StampedCore, side: str = "buy", stop: float = 95.0, goal: float = 115.0
) -> None:
    """Ten lots at 100, by an order with a stop and a target."""
    order = an_order("o-1", side, 10, stop_loss=stop, take_profit=goal)
    assert house.send(order).approved
    house.send(a_fill("e-1", side, 10, 100.0, client_order_id="o-1"))


def test_reward_to_risk_is_planned_at_the_entry_and_live_at_the_mark():
    house = a_core()
    with_stop(house)
    mark(house, 105.0)
    (shown,) = positions_view([house.core.accounts["A1"]], 0)
    assert shown.planned_reward_to_risk == 3.0  # 15 to win, 5 to lose.
    assert shown.reward_to_risk == 1.0  # 10 to win, 10 to lose.
    # At its best of 0 to 50, and half of what may still be won or lost is to be won.
    assert shown.score == 75.0
    assert (shown.mfe, shown.mae, shown.rank) == (50.0, 0.0, 1)


@pytest.mark.parametrize(("price", "live"), [(95.0, None), (95.01, 19.99 / 0.01), (115.0, None)])
def test_live_reward_to_risk_is_undefined_at_the_stop_and_at_the_target(price, live):
    house = a_core()
    with_stop(house)
    mark(house, price)
    (shown,) = positions_view([house.core.accounts["A1"]], 0)
    assert shown.reward_to_risk == (None if live is None else pytest.approx(live))


def test_reward_to_risk_of_a_short_mirrors_a_long():
    house = a_core()
    with_stop(house, "sell", stop=105.0, goal=85.0)
    mark(house, 95.0)
    (shown,) = positions_view([house.core.accounts["A1"]], 0)
    assert (shown.planned_reward_to_risk, shown.reward_to_risk, shown.score) == (3.0, 1.0, 75.0)


def test_positions_are_ranked_by_score_within_their_account_and_flat_ones_are_not():
    house = a_core()
    house.send(a_fill("e-1", "buy", 1, 100.0))
    house.send(a_fill("e-2", "buy", 1, 50.0, symbol="Y"))
    house.send_all(
        a_fill("e-3", "buy", 1, 10.0, symbol="S"), a_fill("e-4", "sell", 1, 10.0, symbol="S")
    )
    mark(house, 101.0)
    mark(house, 49.0, "Y")
    shown = positions_view([house.core.accounts["A1"]], 0)
    assert [(x.symbol, x.score, x.rank) for x in shown] == [
        ("X", 100.0, 1),
        ("Y", 0.0, 2),
        ("S", None, None),
    ]
    assert shown[2].mfe is shown[2].mae is None


def actions(house: StampedCore) -> list[tuple[str, float | None, float | None]]:
    found = advice_view(house.core.accounts["A1"])["positions"]
    return [(x["action"], x["price"], x["quantity"]) for line in found for x in line["suggestions"]]


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        (113.49, []),
        (113.5, [("move_target", 120.0, None)]),  # A tenth of the way of 15 is left.
        (116.0, [("move_target", 120.0, None)]),  # By the planned risk of 5.
    ],
)
def test_target_that_is_near_is_suggested_to_be_moved_by_the_risk(price, expected):
    house = a_core()
    with_stop(house)
    mark(house, price)
    assert actions(house) == expected


@pytest.mark.parametrize(("price", "expected"), [(105.0, []), (104.99, [("trim", None, 5.0)])])
def test_position_that_gave_back_more_than_half_is_suggested_to_be_trimmed(price, expected):
    house = a_core()
    house.send(a_fill("e-1", "buy", 10, 100.0))
    mark(house, 110.0)
    mark(house, price)
    assert actions(house) == expected


def test_advice_names_the_cheapest_margin_first_and_adds_up():
    """Margin is half of the value. X costs 10 x 0.5 for 500; Y 10 x 1 for 250 and a fee of 2."""
    house = a_core(accounts=(HALF,))
    house.send(a_fill("e-1", "buy", 10, 50.0, symbol="Y", fee=2.0))
    house.send(a_fill("e-2", "sell", 10, 100.0))
    mark(house, 99.5, ask=100.5)
    mark(house, 49.0, "Y", ask=51.0)
    found = advice_view(house.core.accounts["A1"])
    lines = [(x["symbol"], x["margin_freed"], x["cost"]) for x in found["positions"]]
    assert lines == [("X", 500.0, 5.0), ("Y", 250.0, 12.0)]
    assert found["margin_used"] == 750.0
    assert found["equity"] == 9_998.0
    assert found["margin_free"] == 9_248.0
    assert found["positions"][0]["cost_per_margin"] == 0.01


def hedged(house: StampedCore) -> None:
    """Long 10 from 100, then short 4 from 104, side by side."""
    house.send(a_fill("e-1", "buy", 10, 100.0))
    mark(house, 104.0)
    house.send(a_fill("e-2", "sell", 4, 104.0))
    mark(house, 102.0)


HEDGER = replace(HALF, position_mode=PositionMode.HEDGING)


def test_e39_legs_of_a_hedge_stand_each_for_itself():
    house = a_core(accounts=(HEDGER,))
    hedged(house)
    (shown,) = positions_view([house.core.accounts["A1"]], 0)
    assert [(x.position_id, x.mfe, x.mae, x.score) for x in shown.legs] == [
        ("long", 40.0, 0.0, 50.0),
        ("short", 8.0, 0.0, 100.0),
    ]
    assert shown.mfe is None  # The sum is no trade.


def test_e39_advice_frees_of_a_leg_what_the_hedge_needs_without_it():
    """Half of the long 1,020, and of the short 408 the hedged rate; without the long, its half."""
    spec = replace(STOCK, hedged_margin=0.25)
    house = a_core(accounts=(HEDGER,), instruments=(spec,), quotes={"X": (100.0, 100.0)})
    hedged(house)
    found = advice_view(house.core.accounts["A1"])
    assert found["margin_used"] == 510.0 + 102.0
    lines = [(x["position_id"], x["quantity"], x["margin_freed"]) for x in found["positions"]]
    assert lines == [("long", 10.0, 612.0 - 204.0), ("short", -4.0, 102.0)]


def test_advice_without_a_book_to_close_at_comes_last_with_an_unknown_cost():
    house = a_core(accounts=(HALF,), quotes={"Y": (50.0, 50.0)})
    house.send(Tick(symbol="X", last=100.0))
    house.send_all(a_fill("e-1", "buy", 10), a_fill("e-2", "buy", 10, 50.0, symbol="Y"))
    lines = [(x["symbol"], x["cost"]) for x in advice_view(house.core.accounts["A1"])["positions"]]
    assert lines == [("Y", 0.0), ("X", None)]


@pytest.mark.parametrize(("side", "price"), [("buy", 66.67), ("sell", 120.0)])
def test_liquidation_price_is_the_last_at_which_the_margin_is_kept(side, price):
    """100 lots at 100 with 5,000 of equity. Long: 5,000 - 100 (100 - p) = 25 p at 66.66...;
    short: 5,000 - 100 (p - 100) = 25 p at 120 exactly."""
    quarter = an_account(balance=5_000.0, margin_model=MarginModel.LEVERAGE, leverage=4.0)
    house = a_core(accounts=(quarter,))
    house.send(a_fill("e-1", side, 100, 100.0))
    (line,) = advice_view(house.core.accounts["A1"])["positions"]
    assert line["liquidation_price"] == pytest.approx(price, abs=0.005)
    kept = house.core.accounts["A1"]
    mark(house, price)
    kept.valuation.refresh()
    assert kept.valuation.equity_money >= kept.valuation.maintenance_money()
    mark(house, price + (-0.01 if side == "buy" else 0.01))
    kept.valuation.refresh()
    assert kept.valuation.equity_money < kept.valuation.maintenance_money()


def test_liquidation_price_of_a_position_that_no_price_can_end_is_none():
    house = a_core(accounts=(HALF,))
    house.send(a_fill("e-1", "buy", 10, 100.0))
    (line,) = advice_view(house.core.accounts["A1"])["positions"]
    assert line["liquidation_price"] is None


def sized(house: StampedCore, **fields: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"symbol": "X", "price": 100.0, "stop_loss": 98.0, "risk_pct": 1.0}
    return size_view(house.core.accounts["A1"], SizeRequest(account="A1", **told | fields))


def test_size_is_the_most_that_loses_no_more_than_the_risk():
    """A percent of 10,000 is 100: 50 lots lose it over 2."""
    house = a_core(accounts=(HALF,))
    found = sized(house)
    assert (found["quantity"], found["bound_by"], found["loss_at_stop"]) == (50.0, "risk", 100.0)
    assert sized(house, stop_loss=97.99)["quantity"] == 49.0
    assert sized(house, side=Side.SELL, stop_loss=102.0)["quantity"] == 50.0


def test_size_never_needs_more_margin_than_is_free():
    """10,000 carry 200 lots at half; 10 percent over 0.1 would be 10,000."""
    house = a_core(accounts=(HALF,))
    found = sized(house, stop_loss=99.9, risk_pct=10.0)
    assert (found["quantity"], found["bound_by"]) == (200.0, "buying_power")
    house.send(a_fill("e-1", "buy", 100, 100.0))
    assert sized(house, stop_loss=99.9, risk_pct=10.0)["quantity"] == 100.0


def test_size_without_margin_is_what_equity_buys():
    spot = an_account(balance=1_000.0, margin_model=MarginModel.NONE)
    house = a_core(accounts=(spot,))
    assert sized(house, stop_loss=99.9, risk_pct=10.0)["quantity"] == 10.0


def test_size_takes_the_risk_that_binds_the_account():
    house = a_core(LimitsSpec(risk_per_trade_pct=2), accounts=(HALF,))
    assert sized(house, risk_pct=None)["quantity"] == 100.0


@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        ({"risk_pct": None}, "risk_per_trade_pct"),
        ({"symbol": "Q"}, "no instrument Q"),
        ({"stop_loss": 100.0}, "losing side"),
        ({"stop_loss": 99.0, "side": Side.SELL}, "losing side"),
        ({"stop_loss": nan}, "no price"),
        ({"price": inf}, "no price"),
        ({"stop_loss": -5.0}, "no price"),
        ({"symbol": "Y", "price": None, "stop_loss": 40.0}, "no ask"),
    ],
)
def test_size_that_cannot_be_told_says_why(fields, missing):
    house = a_core(accounts=(HALF,), quotes={"X": (100.0, 100.0)})
    found = sized(house, **fields)
    assert found["quantity"] is None
    assert missing in found["missing"]


def test_size_is_in_account_currency():
    """J is in yen at 100 a dollar: 100 dollars are 10,000 yen, 100 lots over a stop of 100."""
    house = a_core(accounts=(HALF,))
    found = sized(house, symbol="J", price=1000.0, stop_loss=900.0)
    assert (found["quantity"], found["loss_at_stop"]) == (100.0, 100.0)


def concentrated(house: StampedCore, scope: str) -> dict[str, Any]:
    accounts, boards = house.core.accounts, house.core.boards
    chosen = accounts_in(scope, accounts, boards)
    assert chosen is not None
    return concentration_view(scope, chosen, boards)


def test_concentration_of_scopes_nets_a_symbol_over_their_accounts():
    desk = (an_account("A1", 10_000.0, group="desk"), an_account("A2", 10_000.0, group="sub"))
    house = a_core(accounts=(*desk, an_account("A3", 5_000.0)))
    groups = (GroupSpec(id="desk"), GroupSpec(id="sub", parent="desk"))
    universe = a_universe(accounts=(*desk, an_account("A3", 5_000.0)))
    house.send(Configure(universe=with_groups(universe, groups)))
    house.send_all(
        a_fill("e-1", "buy", 30),
        a_fill("e-2", "sell", 20, account="A2"),
        a_fill("e-3", "buy", 60, 50.0, account="A2", symbol="Y"),
        a_fill("e-4", "buy", 500, account="A3"),
    )
    assert concentrated(house, "account:A1")["weights"] == {"X": 0.3}
    group = concentrated(house, "group:desk")
    assert group["weights"] == {"Y": 3000 / 20_000, "X": 1000 / 20_000}
    assert (group["gross"], group["hhi"], group["level"]) == (4000.0, 0.625, "high")
    firm = concentrated(house, "firm")
    assert (firm["largest_symbol"], firm["gross"]) == ("X", 54_000.0)
    assert accounts_in("group:none", house.core.accounts, house.core.boards) is None
    assert accounts_in("account:none", house.core.accounts, house.core.boards) is None


def with_groups(universe: Universe, groups: tuple[GroupSpec, ...]) -> Universe:
    return replace(universe, groups=groups)


def test_concentration_without_a_rate_is_incomplete_and_of_the_rest():
    house = a_core(quotes={"X": (100.0, 100.0), "J": (1000.0, 1000.0)})
    house.send_all(a_fill("e-1", "buy", 10), a_fill("e-2", "buy", 10, 1000.0, symbol="J"))
    found = concentrated(house, "account:A1")
    assert (found["complete"], found["gross"]) == (False, 1000.0)


def test_symbols_that_move_together_count_as_one_name():
    house = a_core(quotes={"X": (100.0, 100.0), "Y": (50.0, 50.0), "S": (10.0, 10.0)})
    settings = house.core.boards.settings.correlation
    for step in range(settings.samples_min + 2):
        up = step % 3
        mark(house, 100.0 + up)
        mark(house, 50.0 + up / 2, "Y")
        house.send(Tick(symbol="S", bid=10.0 + step % 2, ask=10.0 + step % 2))
        house.elapse(settings.sample_ms * 1_000_000)
    view = correlation_view(house.core.boards)
    assert ["X", "Y"] in view["clusters"]
    row, column = view["symbols"].index("X"), view["symbols"].index("Y")
    assert view["matrix"][row][column] == pytest.approx(1.0, abs=0.01)
    mark(house, 100.0)
    mark(house, 50.0, "Y")
    house.send_all(a_fill("e-1", "buy", 10), a_fill("e-2", "buy", 20, 50.0, symbol="Y"))
    found = concentrated(house, "account:A1")
    assert (found["hhi"], found["clustered_hhi"]) == (0.5, 1.0)
    assert found["clusters"] == [["X", "Y"]]


def test_daily_returns_are_kept_without_transfers():
    """10,000 earn 100, then 4,900 are paid in, and 150 of 15,000 are lost."""
    house = a_core(accounts=(an_account(balance=10_000.0),))
    house.send(DayBegan(calendar="UTC", day="2026-01-05"))  # The first: none has ended.
    trade(house, "a", 100.0, 110.0)
    house.send(DayBegan(calendar="UTC", day="2026-01-06"))
    house.send(Transfer(account="A1", transfer_id="t-1", amount=4_900.0))
    trade(house, "b", 100.0, 85.0)
    house.send(DayBegan(calendar="UTC", day="2026-01-07"))
    assert house.account().day_returns == (0.01, -0.01)
    shown = statistics_view(house.core.accounts["A1"], 252)
    assert shown["days"] == 2
    assert shown["max_drawdown"] == pytest.approx(0.01)
    assert shown["sharpe"] == pytest.approx(0.0)


def test_equal_scores_share_the_better_rank():
    assert ranks_of({"a": 50.0, "b": 75.0, "c": 50.0, "d": 0.0}) == {"a": 2, "b": 1, "c": 2, "d": 4}
