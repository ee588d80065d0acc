"""E39: accounts in hedging mode keep the long and the short legs of a symbol side by side."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.digest import decode_state, encode_state
from engine.ledger import worst_sides
from engine.standing import Excursion, excursion
from engine.views import position_update
from riskd.messages import (
    AccountSpec,
    Amend,
    Configure,
    CostMethod,
    FillBust,
    FillCorrect,
    GroupSpec,
    LimitSet,
    LimitsSpec,
    MarginModel,
    PositionMode,
    RiskSettings,
    Tick,
    Trip,
)
from tests.builders import (
    EURUSD,
    MONEY,
    STOCK,
    StampedCore,
    a_core,
    a_fill,
    a_report,
    a_universe,
    an_account,
    an_order,
    codes_of,
)


def a_hedger(account: str = "A1", balance: float = 1_000_000.0, **fields) -> AccountSpec:
    return an_account(account, balance, position_mode=PositionMode.HEDGING, **fields)


def a_house(limits: LimitsSpec | LimitSet | None = None, **fields) -> StampedCore:
    told = {"accounts": (a_hedger(), a_hedger("A2"))} | fields
    return a_core(limits, **told)


def legs(house: StampedCore, symbol: str = "X") -> dict[str, int]:
    return {name: leg.lots for name, leg in house.position(symbol).books.legs.items()}


def a_hedge(house: StampedCore, longs: int = 5, shorts: int = 3) -> StampedCore:
    """Buy and sell: both are open then."""
    house.send(a_fill("long", "buy", longs))
    house.send(a_fill("short", "sell", shorts))
    return house


def test_e39_buy_and_sell_stand_side_by_side_and_net_offsets():
    house = a_hedge(a_house())
    assert legs(house) == {"long": 5, "short": -3}
    valuation = house.core.accounts["A1"].valuation
    assert valuation.refresh() is None
    assert house.position().books.lots == 2
    assert valuation.gross_money == 800 * MONEY
    assert (valuation.upper_money, valuation.lower_money) == (200 * MONEY, 200 * MONEY)


def test_e39_account_that_nets_has_no_legs():
    house = a_hedge(a_core())
    assert legs(house) == {}
    assert house.position().books.lots == 2


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"side": "sell", "quantity": 2}, {"long": 5, "short": -5}),
        ({"side": "sell", "quantity": 2, "position_id": "long"}, {"long": 3, "short": -3}),
        ({"side": "sell", "quantity": 5, "position_id": "long"}, {"short": -3}),
        ({"side": "sell", "quantity": 7, "position_id": "long"}, {"short": -5}),
        ({"side": "buy", "quantity": 2, "position_id": "short"}, {"long": 5, "short": -1}),
        ({"side": "buy", "quantity": 2, "position_id": "long"}, {"long": 7, "short": -3}),
        ({"side": "buy", "quantity": 2, "position_id": "p"}, {"long": 5, "short": -3, "p": 2}),
        ({"side": "sell", "quantity": 2, "position_id": "p"}, {"long": 5, "short": -3, "p": -2}),
    ],
)
def test_e39_fill_closes_the_leg_it_names_on_the_other_side_and_opens_otherwise(fields, found):
    house = a_hedge(a_house())
    house.send(a_fill("e-1", **fields))
    assert legs(house) == found


@pytest.mark.parametrize("flag", ["reduce_only", "close_position"])
def test_e39_fill_of_an_order_that_closes_takes_the_oldest_leg_first_and_opens_the_excess(flag):
    house = a_house()
    for number in range(3):
        house.send(a_fill(f"e-{number}", "buy", 2, position_id=f"p-{number}"))
    house.send(an_order("o", "sell", 6, **{flag: True}))
    house.send(a_fill("e-3", "sell", 3, client_order_id="o"))
    assert legs(house) == {"p-1": 1, "p-2": 2}
    house.send(a_fill("e-4", "sell", 5, client_order_id="o"))
    assert legs(house) == {"short": -2}
    assert (house.position().open_sell_lots, house.position().closing_sell_lots) == (0, 0)


def test_e39_fill_takes_the_position_of_its_order():
    house = a_house()
    house.send(a_fill("e-1", "buy", 5, position_id="p"))
    house.send(an_order("o", "sell", 5, position_id="p"))
    house.send(a_fill("e-2", "sell", 2, price=110, client_order_id="o"))
    assert legs(house) == {"p": 3}
    assert house.position().books.realized_money == 20 * MONEY


def test_e39_each_leg_keeps_its_own_cost_and_profit():
    house = a_house()
    house.send(a_fill("e-1", "buy", 5, 90, position_id="a"))
    house.send(a_fill("e-2", "buy", 5, 110, position_id="b"))
    house.send(a_fill("e-3", "sell", 5, 120, position_id="b"))
    books = house.position().books
    assert books.realized_money == 50 * MONEY
    assert books.cost_money == books.legs["a"].cost_money == 450 * MONEY


@pytest.mark.parametrize(
    ("side", "quantity", "found"),
    [("sell", 5, []), ("sell", 6, ["REDUCE_ONLY"]), ("buy", 3, []), ("buy", 4, ["REDUCE_ONLY"])],
)
def test_e39_reduce_only_refers_to_the_leg(side, quantity, found):
    """Net long 2: netting would let 2 be sold and nothing be bought."""
    house = a_hedge(a_house())
    verdict = house.send(an_order(side=side, quantity=quantity, reduce_only=True))
    assert codes_of(verdict) == found
    if found:
        assert verdict.max_quantity == quantity - 1


def test_e39_two_closing_orders_that_together_exceed_the_leg_are_not_both_reducing():
    house = a_hedge(a_house())
    assert house.send(an_order("o-1", "sell", 3, reduce_only=True)).approved
    verdict = house.send(an_order("o-2", "sell", 3, reduce_only=True))
    assert codes_of(verdict) == ["REDUCE_ONLY"]
    assert verdict.max_quantity == 2
    house.send(a_report("o-1", "canceled"))
    assert house.send(an_order("o-3", "sell", 5, reduce_only=True)).approved


def test_e39_closing_order_of_a_named_leg_is_held_to_that_leg():
    house = a_house()
    house.send(a_fill("e-1", "buy", 2, position_id="p"))
    house.send(a_fill("e-2", "buy", 9, position_id="q"))
    told = {"reduce_only": True, "position_id": "p"}
    assert house.send(an_order("o-1", "sell", 1, **told)).approved
    verdict = house.send(an_order("o-2", "sell", 2, **told))
    assert (codes_of(verdict), verdict.max_quantity) == (["REDUCE_ONLY"], 1)
    assert house.send(an_order("o-3", "sell", 9, reduce_only=True, position_id="q")).approved
    assert house.send(an_order("o-4", "sell", 2, reduce_only=True)).max_quantity == 1


def test_e39_order_that_opens_the_other_leg_reduces_nothing():
    """Net long 5: a sell opens a short leg, which a breaker does not let through."""
    house = a_house()
    house.send(a_fill("e-1", "buy", 5))
    house.send(Trip(scope="account", scope_id="A1"))
    assert codes_of(house.send(an_order("o-1", "sell", 1))) == ["BREAKER_OPEN"]
    assert codes_of(house.send(an_order("o-2", "sell", 5, reduce_only=True))) == []
    assert codes_of(house.send(an_order("o-3", "sell", 1, position_id="long"))) == ["BREAKER_OPEN"]


@pytest.mark.parametrize(
    ("limits", "side", "most"),
    [
        (LimitsSpec(gross_exposure=1000), "buy", 2),
        (LimitsSpec(gross_exposure=1000), "sell", 2),
        (LimitsSpec(net_exposure=500), "buy", 3),
        (LimitsSpec(net_exposure=500), "sell", 7),
        (LimitsSpec(position_quantity=8), "buy", 3),
        (LimitsSpec(position_quantity=8), "sell", 5),
        (LimitsSpec(position_notional=800), "sell", 5),
        (LimitsSpec(leverage=0.001), "buy", 2),
    ],
)
def test_e39_limit_at_it_passes_and_one_lot_more_does_not(limits, side, most):
    house = a_hedge(a_house(limits))
    verdict = house.send(an_order("o-1", side, most + 1))
    assert len(codes_of(verdict)) == 1
    assert verdict.max_quantity == most
    assert house.send(an_order("o-2", side, most)).approved


@pytest.mark.parametrize(("hedged", "used"), [(0.0, 250), (0.5, 400), (1.0, 550)])
def test_e39_margin_is_of_the_larger_leg_and_a_rate_of_the_smaller(hedged, used):
    """5 long and 3 short of 100: half of 500, and `hedged_margin` of 300."""
    stock = replace(STOCK, initial_margin=0.5, maintenance_margin=0.25, hedged_margin=hedged)
    account = a_hedger(margin_model=MarginModel.RATE)
    house = a_hedge(a_house(accounts=(account,), instruments=(stock,), quotes={"X": (100, 100)}))
    valuation = house.core.accounts["A1"].valuation
    assert valuation.refresh() is None
    assert valuation.margin_money == valuation.used_money() == used * MONEY
    assert valuation.maintenance_money() == (used - 125) * MONEY


def test_e39_margin_at_the_equity_passes_and_one_lot_more_does_not():
    stock = replace(STOCK, initial_margin=0.5, hedged_margin=0.1)
    account = a_hedger(balance=300.0, margin_model=MarginModel.RATE)
    house = a_hedge(a_house(accounts=(account,), instruments=(stock,), quotes={"X": (100, 100)}))
    assert codes_of(house.send(an_order("o-1", "sell", 3))) == ["MARGIN"]
    assert house.send(an_order("o-2", "sell", 2)).approved


def test_e39_group_counts_both_legs_in_gross_and_their_difference_in_net():
    limits = LimitSet(group={"desk": LimitsSpec(gross_exposure=1000, net_exposure=300)})
    universe = a_universe(limits, accounts=(a_hedger(group="desk"),))
    house = StampedCore()
    house.send(Configure(universe=replace(universe, groups=(GroupSpec(id="desk"),))))
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))
    a_hedge(house)
    total = house.core.boards.group_totals["desk"].symbols["X"]
    assert (total.upper_lots, total.lower_lots, total.gross_lots) == (2, 2, 8)
    assert codes_of(house.send(an_order("o-1", "buy", 2))) == ["GROUP_LIMIT"]
    assert house.send(an_order("o-2", "sell", 2)).approved
    assert codes_of(house.send(an_order("o-3", "sell", 1))) == ["GROUP_LIMIT"]
    assert house.send(an_order("o-4", "sell", 5, reduce_only=True)).approved


def test_e39_currency_exposure_is_of_the_net():
    limits = LimitsSpec(currency_exposure={"EUR": 500})
    house = a_house(limits, instruments=(EURUSD,), quotes={"EURUSD": (1.25, 1.25)})
    told: dict[str, Any] = {"symbol": "EURUSD", "price": 1.25}
    house.send(a_fill("e-1", "buy", 900, **told))
    house.send(a_fill("e-2", "sell", 700, **told))
    assert codes_of(house.send(an_order("o-1", "buy", 201, **told))) == ["CURRENCY_EXPOSURE"]
    assert house.send(an_order("o-2", "buy", 200, **told)).approved


def test_e39_marks_of_the_closing_side_value_each_leg_at_its_own():
    house = a_house(settings=RiskSettings(mark="closing"))
    a_hedge(house)
    house.send(Tick(symbol="X", bid=99.0, ask=102.0))
    account = house.core.accounts["A1"]
    assert account.valuation.refresh() is None
    assert account.valuation.profit_money == (-5 * 1 - 3 * 2) * MONEY
    shown = position_update(account, house.position(), house.stamp.recv_ns)
    assert (shown.quantity, shown.unrealized, shown.average_price) == (2.0, -11.0, None)
    told = [(leg.position_id, leg.quantity, leg.unrealized) for leg in shown.legs]
    assert told == [("long", 5.0, -5.0), ("short", -3.0, -6.0)]


def test_e39_change_of_a_closing_order_is_judged_as_one_that_closes():
    house = a_hedge(a_house(LimitsSpec(gross_exposure=800)))
    assert house.send(an_order("o", "sell", 2, reduce_only=True)).approved
    amend = Amend(account="A1", client_order_id="o", new_client_order_id="o-2", quantity=6.0)
    assert codes_of(house.send(amend)) == ["REDUCE_ONLY"]
    fitting = replace(amend, new_client_order_id="o-3", quantity=5.0)
    assert codes_of(house.send(fitting)) == []
    assert house.position().closing_sell_lots == 5
    house.send(a_report("o-3", "replaced", leaves_quantity=5.0))
    house.send(a_report("o-3", "canceled", "r-2"))
    assert (house.position().open_sell_lots, house.position().closing_sell_lots) == (0, 0)


def test_e39_state_with_legs_is_read_back_as_it_was():
    house = a_hedge(a_house())
    house.send(an_order("o", "sell", 2, reduce_only=True))
    state = house.core.state()
    assert decode_state(encode_state(state)) == state
    assert house.books() != a_hedge(a_core()).books()


class SlowLegs:
    """Legs as lists of what opened them: everything is counted anew for every question."""

    def __init__(self) -> None:
        self.open: dict[str, list[tuple[int, Fraction]]] = {}
        self.realized = Fraction(0)

    def fill(self, lots: int, price: Fraction, named: str, closes: bool) -> None:
        """Signed lots of one fill; the definition of `fill` in the protocol, word for word."""
        others = [name for name, held in self.open.items() if held[0][0] * lots < 0]
        wanted = [name for name in others if name == named]
        wanted += [name for name in others if name != named and closes]
        left = lots
        for name in wanted:
            while left and name in self.open:
                left -= self.close_one(name, price)
        if left:
            usual = "long" if lots > 0 else "short"
            free = named and not wanted and named not in ("long", "short")
            unit = 1 if left > 0 else -1
            self.open.setdefault(named if free else usual, []).extend([(unit, price)] * abs(left))

    def close_one(self, name: str, price: Fraction) -> int:
        """Close one lot at the average of the leg; the others stay at that average."""
        held = self.open[name]
        unit, average = held[0][0], sum((each[1] for each in held), Fraction(0)) / len(held)
        self.realized += unit * (price - average)
        self.open[name] = [(unit, average)] * (len(held) - 1)
        if not self.open[name]:
            del self.open[name]
        return -unit


FILLS = st.lists(
    st.tuples(
        st.integers(-6, 6).filter(bool),
        st.integers(90, 110),
        st.sampled_from(["", "", "p", "q", "long", "short"]),
        st.sampled_from(["", "", "reduce_only"]),
        st.booleans(),
    ),
    max_size=14,
)


@settings(max_examples=200)
@given(FILLS)
def test_e39_legs_agree_with_slow_ones_after_any_fills_and_busts(drawn):
    """A bust leaves what the fills that stand would have made, in whatever order it comes."""
    house, slow = a_house(), SlowLegs()
    for number, (lots, price, named, flag, busted) in enumerate(drawn):
        side, told = ("buy" if lots > 0 else "sell"), {"position_id": named or None}
        order_id = None
        if flag:
            order_id = f"o-{number}"
            ordered = house.send(an_order(order_id, side, abs(lots), **{flag: True}, **told))
            flag = flag if ordered.approved else ""
        fill = a_fill(f"e-{number}", side, abs(lots), price, client_order_id=order_id, **told)
        house.send(fill)
        if not busted:
            slow.fill(lots, Fraction(price), named, bool(flag))
    for number, (*_, busted) in enumerate(drawn):
        if busted:
            house.send(FillBust(account="A1", exec_id=f"e-{number}"))
    if any(flag and busted for *_, flag, busted in drawn):
        return  # Which orders were let through depends on what was busted later.
    books = house.position().books
    assert set(legs(house).items()) == {(x, sum(o for o, _ in y)) for x, y in slow.open.items()}
    assert abs(books.realized_money - slow.realized * MONEY) <= 100
    assert books.lots == sum(legs(house).values())
    assert books.cost_money == sum(leg.cost_money for leg in books.legs.values())
    value = sum(leg.lots * 100 for leg in books.legs.values()) * MONEY
    paid = sum(x * p for x, p, _, _, busted in drawn if not busted) * MONEY
    assert books.realized_money + value - books.cost_money == value - paid


def test_e39_correction_restores_what_the_legs_would_have_been():
    house = a_house()
    house.send(a_fill("e-1", "buy", 5, 90, position_id="p"))
    house.send(a_fill("e-2", "sell", 3, 100, position_id="p"))
    house.send(FillCorrect(account="A1", exec_id="e-1", quantity=2.0))
    assert legs(house) == {"short": -1}
    house.send(FillBust(account="A1", exec_id="e-1"))
    assert legs(house) == {"p": -3}
    house.send(FillCorrect(account="A1", exec_id="e-1", quantity=5.0))
    assert legs(house) == {"p": 2}
    assert house.position().books.realized_money == 30 * MONEY


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.sampled_from(CostMethod))
def test_e39_worst_case_is_never_exceeded_whatever_fills(seed, method):
    """Whichever working orders fill, gross and net stay within what was reserved for them."""
    random = Random(seed)
    house = a_house(accounts=(a_hedger(cost_method=method),))
    a_hedge(house, random.randint(1, 5), random.randint(1, 5))
    for number in range(4):
        told = {
            "reduce_only": random.random() < 0.4,
            "position_id": random.choice([None, None, "long", "short", "p"]),
        }
        side, lots = random.choice(["buy", "sell"]), random.randint(1, 4)
        house.send(an_order(f"o-{number}", side, lots, **told))
    position = house.position()
    longs, shorts = worst_sides(position)
    upper, lower = position.worst_long_lots(), position.worst_short_lots()
    working = list(house.account().orders.items())
    random.shuffle(working)
    for order_id, order in working[: random.randint(0, 4)]:
        side, lots = str(order.check.side), order.leaves_lots
        house.send(a_fill(f"f-{order_id}", side, lots, client_order_id=order_id))
        held = legs(house).values()
        assert sum(x for x in held if x > 0) <= longs
        assert -sum(x for x in held if x < 0) <= shorts
        assert lower <= sum(held) <= upper


def test_e39_each_leg_is_a_trade_with_its_own_excursion():
    house = a_hedge(a_house())
    house.send(Tick(symbol="X", bid=103.0, ask=103.0))
    house.send(Tick(symbol="X", bid=98.0, ask=98.0))
    quote = house.core.boards.quotes.quotes["X"]
    instrument = house.core.boards.instruments["X"]
    found = {leg: excursion(house.position(), quote, instrument, leg) for leg in ("long", "short")}
    assert found["long"] == Excursion(15 * MONEY, -10 * MONEY, -10 * MONEY)
    assert found["short"] == Excursion(6 * MONEY, -9 * MONEY, 6 * MONEY)
    house.send(a_fill("e-9", "sell", 5, 99, position_id="long", fee=2.0))
    (closed,) = house.position().books.trades.closed
    assert (closed.realized_money, closed.fees_money) == (-5 * MONEY, -2 * MONEY)
    assert (closed.best_money, closed.worst_money) == (15 * MONEY, -10 * MONEY)
    assert excursion(house.position(), quote, instrument, "short") == found["short"]
    house.send(FillBust(account="A1", exec_id="e-9"))
    assert house.position().books.trades.closed == ()
    assert excursion(house.position(), quote, instrument, "long") == found["long"]
