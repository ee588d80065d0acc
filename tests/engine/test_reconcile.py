"""E83: what the venue says is held, against the books; limits use the worse of both views."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.digest import decode_state, encode_state
from engine.views import account_line, position_update
from riskd.messages import (
    Ack,
    Configure,
    FillBust,
    GroupSpec,
    LimitSet,
    LimitsSpec,
    PositionMode,
    PositionReport,
    Severity,
    Tick,
    VenuePosition,
)
from tests.builders import (
    MONEY,
    StampedCore,
    a_core,
    a_fill,
    a_universe,
    an_account,
    an_order,
    codes_of,
)

VENUE_NS = 1_000_000


def a_report(at: int = 1, balance: float | None = None, **held: float) -> PositionReport:
    """What the venue says is held as of so many instants after the first."""
    positions = tuple(VenuePosition(symbol=x, quantity=float(y)) for x, y in held.items())
    return PositionReport(
        account="A1", as_of_ns=VENUE_NS + at, positions=positions, balance=balance
    )


def failed(at: int = 1) -> PositionReport:
    return PositionReport(account="A1", as_of_ns=VENUE_NS + at, failed=True)


def worst(house: StampedCore, symbol: str = "X") -> tuple[int, int]:
    position = house.position(symbol)
    return position.worst_long_lots(), position.worst_short_lots()


def a_holder(limits: LimitsSpec | LimitSet | None = None, **fields: Any) -> StampedCore:
    """A house in which 5 of X are held."""
    house = a_core(limits, **fields)
    house.send(a_fill("e-1", "buy", 5, venue_ns=VENUE_NS))
    return house


def test_e83_report_that_agrees_changes_nothing():
    house = a_holder()
    books = house.books()
    assert house.send(a_report(X=5)).flags == ()
    assert house.books() == books
    assert house.alerts("unreconciled") == []


@pytest.mark.parametrize(
    ("venue", "longest", "shortest"), [(8, 8, 5), (5, 5, 5), (2, 5, 2), (0, 5, 0), (-3, 5, -3)]
)
def test_e83_limits_use_the_worse_of_both_views_on_each_side(venue, longest, shortest):
    house = a_holder()
    ack = house.send(a_report(X=venue))
    assert ack.flags == (() if venue == 5 else ("unreconciled",))
    assert worst(house) == (longest, shortest)
    assert house.position().books.lots == 5


def test_e83_symbol_that_the_report_does_not_name_is_flat_there():
    house = a_holder()
    assert house.send(a_report(Y=2)).flags == ("unreconciled",)
    assert worst(house) == (5, 0)
    assert worst(house, "Y") == (2, 0)
    assert len(house.alerts("unreconciled")) == 2


@pytest.mark.parametrize(
    ("limits", "venue", "side", "most"),
    [
        (LimitsSpec(position_quantity=10), 8, "buy", 2),
        (LimitsSpec(position_quantity=10), 2, "buy", 5),
        (LimitsSpec(position_quantity=10), -4, "sell", 6),
        (LimitsSpec(gross_exposure=1000), 8, "buy", 2),
        (LimitsSpec(net_exposure=1000), 8, "buy", 2),
        (LimitsSpec(leverage=0.001), 8, "buy", 2),
    ],
)
def test_e83_increase_at_the_limit_of_the_worse_view_passes_and_one_lot_more_does_not(
    limits, venue, side, most
):
    house = a_holder(limits)
    house.send(a_report(X=venue))
    refused = house.send(an_order("o-1", side, most + 1))
    assert len(codes_of(refused)) == 1
    assert refused.max_quantity == most
    assert house.send(an_order("o-2", side, most)).approved


def test_e83_only_what_reduces_in_both_views_is_reducing():
    house = a_holder()
    house.send(a_report(X=2))
    verdict = house.send(an_order("o-1", "sell", 3, reduce_only=True))
    assert (codes_of(verdict), verdict.max_quantity) == (["REDUCE_ONLY"], 2)
    assert house.send(an_order("o-2", "sell", 2, reduce_only=True)).approved


def test_e83_fills_move_both_views_and_a_later_report_that_agrees_closes_it():
    house = a_holder()
    house.send(a_report(1, X=8))
    house.send(a_fill("e-2", "buy", 1, venue_ns=VENUE_NS + 2))
    assert worst(house) == (9, 6)
    assert house.send(a_report(3, X=9)).flags == ("unreconciled",)
    assert house.send(a_report(4, X=6)).flags == ()
    assert worst(house) == (6, 6)
    (alert,) = house.alerts("reconciled")
    assert (alert.severity, alert.symbol) == (Severity.LOW, "X")


def test_e83_fill_that_the_venue_dates_after_the_report_is_not_held_against_it():
    house = a_holder()
    house.send(a_fill("e-2", "sell", 3, venue_ns=VENUE_NS + 9))
    assert house.send(a_report(8, X=5)).flags == ()
    assert house.send(a_report(9, X=5)).flags == ("unreconciled",)
    assert worst(house) == (5, 2)


def test_e83_bust_in_the_books_is_found_by_the_next_report():
    house = a_holder()
    house.send(a_report(1, X=5))
    house.send(FillBust(account="A1", exec_id="e-1"))
    assert house.send(a_report(2, X=5)).flags == ("unreconciled",)
    assert worst(house) == (5, 0)


def test_e83_report_older_than_the_last_is_ignored_and_a_repeat_is_a_duplicate():
    house = a_holder()
    house.send(a_report(5, X=8))
    books = house.books()
    assert house.send(a_report(4, X=5)).flags == ("outdated",)
    assert house.send(a_report(5, X=8)).duplicate
    assert house.books() == books


def test_e83_failed_query_is_unknown_never_flat_and_increases_are_refused():
    house = a_holder(LimitsSpec(position_quantity=100))
    assert house.send(failed(1)).flags == ("unreconciled",)
    assert worst(house) == (5, 5)
    refused = house.send(an_order("o-1", "buy", 1))
    assert codes_of(refused) == ["UNRECONCILED"]
    assert refused.rejects[0].fix_code == 99
    assert codes_of(house.send(an_order("o-2", "buy", 1, symbol="Y", price=50.0))) == [
        "UNRECONCILED"
    ]
    assert house.send(an_order("o-3", "sell", 5)).approved
    (alert,) = house.alerts("unreconciled")
    assert alert.severity is Severity.CRITICAL
    house.send(a_report(2, X=5))
    assert house.send(an_order("o-4", "buy", 1)).approved


def test_e83_failed_query_leaves_what_differed_before_in_doubt():
    house = a_holder()
    house.send_all(a_report(1, X=8), failed(2))
    assert worst(house) == (8, 5)
    house.send(a_report(3, X=8))
    assert codes_of(house.send(an_order())) == []
    assert worst(house) == (9, 5)


def test_e83_venue_position_of_no_known_instrument_is_unknown():
    house = a_holder()
    assert house.send(a_report(1, X=5, STRANGE=1)).flags == ("unreconciled",)
    refused = house.send(an_order())
    assert codes_of(refused) == ["UNRECONCILED"]
    assert "STRANGE" in refused.rejects[0].text
    assert house.send(a_report(2, X=5, STRANGE=0)).flags == ()
    assert house.send(an_order("o-2")).approved


@pytest.mark.parametrize(("balance", "most"), [(999.99, 4), (1000.0, 5), (1000.009, 5), (1500, 5)])
def test_e83_limits_count_with_the_lower_balance(balance, most):
    house = a_core(LimitsSpec(leverage=0.5), accounts=(an_account(balance=1000.0),))
    house.send(a_report(1, balance=balance))
    verdict = house.send(an_order(quantity=9))
    assert (codes_of(verdict), verdict.max_quantity) == (["LEVERAGE"], most)
    assert len(house.alerts("unreconciled")) == (1 if balance in (999.99, 1500) else 0)
    house.send(a_report(2))
    assert house.send(an_order("o-2", quantity=9)).max_quantity == most
    house.send(a_report(3, balance=1000.0))
    assert house.send(an_order("o-3", quantity=5)).approved


@pytest.mark.parametrize(
    "report",
    [
        a_report(X=float("nan")),
        a_report(X=0.5),
        a_report(STRANGE=float("inf")),
        a_report(balance=float("nan")),
        replace(failed(), positions=(VenuePosition(symbol="X", quantity=1.0),)),
        replace(failed(), balance=1.0),
    ],
)
def test_e83_report_that_makes_no_sense_changes_nothing(report):
    house = a_holder()
    books = house.books()
    assert house.send(report).code == "malformed"
    assert house.books() == books
    assert not isinstance(house.send(replace(report, account="ghost")), Ack)


def test_e83_groups_count_the_worse_view():
    limits = LimitSet(group={"desk": LimitsSpec(gross_exposure=1000)})
    universe = a_universe(limits, accounts=(an_account(group="desk"),))
    house = StampedCore()
    house.send(Configure(universe=replace(universe, groups=(GroupSpec(id="desk"),))))
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))
    house.send(a_fill("e-1", "buy", 5))
    house.send(a_report(X=8))
    assert codes_of(house.send(an_order("o-1", "buy", 3))) == ["GROUP_LIMIT"]
    assert house.send(an_order("o-2", "buy", 2)).approved


HEDGING = an_account(position_mode=PositionMode.HEDGING)


@pytest.mark.parametrize(
    ("longs", "shorts", "gross", "upper", "lower", "closable"),
    [
        (5, 3, 8, 2, 2, (5, 3)),
        (7, 3, 10, 4, 2, (5, 3)),
        (4, 3, 8, 2, 1, (4, 3)),
        (5, 6, 11, 2, -1, (5, 3)),
        (5, 1, 8, 4, 2, (5, 1)),
        (0, 0, 8, 5, -3, (0, 0)),
    ],
)
def test_e83_hedging_account_is_compared_leg_by_leg(longs, shorts, gross, upper, lower, closable):
    """E39, E83: 5 long and 3 short in the books; two entries of one symbol, a side each."""
    house = a_core(accounts=(HEDGING,))
    house.send_all(a_fill("e-1", "buy", 5), a_fill("e-2", "sell", 3))
    held = (("X", longs), ("X", -shorts))
    positions = tuple(VenuePosition(symbol=x, quantity=float(y)) for x, y in held)
    house.send(replace(a_report(), positions=positions))
    position = house.position()
    assert position.worst_gross_lots() == gross
    assert (position.worst_long_lots(), position.worst_short_lots()) == (upper, lower)
    for side, lots in zip(("sell", "buy"), closable, strict=True):
        verdict = house.send(an_order(f"o-{side}", side, 9, reduce_only=True))
        assert verdict.max_quantity == lots


def test_e83_views_say_what_the_venue_holds_and_working_orders_apart():
    house = a_holder()
    house.send(an_order("o-1", "buy", 2))
    house.send(a_report(1, X=8, balance=1.0))
    account = house.core.accounts["A1"]
    shown = position_update(account, house.position(), house.stamp.recv_ns)
    assert (shown.quantity, shown.venue_quantity, shown.open_buy_quantity) == (5.0, 8.0, 2.0)
    assert account_line(account, house.stamp.recv_ns)["unreconciled"] == "balance, X"
    house.send(a_report(2, X=5, balance=1_000_000.0))
    shown = position_update(account, house.position(), house.stamp.recv_ns)
    assert (shown.venue_quantity, shown.open_buy_quantity) == (None, 2.0)
    assert account_line(account, house.stamp.recv_ns)["unreconciled"] == ""


STEPS = st.lists(
    st.tuples(st.just("fill"), st.integers(-5, 5).filter(bool))
    | st.tuples(st.just("order"), st.integers(-5, 5).filter(bool))
    | st.tuples(st.just("report"), st.integers(-9, 9))
    | st.tuples(st.just("bust"), st.integers(0, 9)),
    max_size=12,
)


@settings(max_examples=150)
@given(STEPS)
def test_e83_worst_case_is_that_of_both_views_after_any_sequence(steps):
    """The gap stays what the last report found; orders and fills come on top of either view."""
    house = a_core()
    ours, gap = 0, 0
    filled: dict[str, int] = {}
    for number, (what, lots) in enumerate(steps):
        side = "buy" if lots > 0 else "sell"
        if what == "fill":
            house.send(a_fill(f"e-{number}", side, abs(lots)))
            filled[f"e-{number}"] = lots
            ours += lots
        elif what == "order":
            house.send(an_order(f"o-{number}", side, abs(lots)))
        elif what == "report":
            house.send(a_report(number, X=lots))
            gap = lots - ours
        else:
            house.send(FillBust(account="A1", exec_id=f"e-{lots}"))
            ours -= filled.pop(f"e-{lots}", 0)
    working = [x.leaves_lots * (1 if x.check.side == "buy" else -1) for x in all_orders(house)]
    buys, sells = sum(x for x in working if x > 0), sum(x for x in working if x < 0)
    assert worst(house) == (ours + buys + max(gap, 0), ours + sells + min(gap, 0))
    valuation = house.core.accounts["A1"].valuation
    assert valuation.refresh() is None
    assert valuation.upper_money == worst(house)[0] * 100 * MONEY
    assert decode_state(encode_state(house.core.state())) == house.core.state()


def all_orders(house: StampedCore) -> list[Any]:
    return list(house.account().orders.values())
