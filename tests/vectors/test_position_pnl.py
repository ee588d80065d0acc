"""Published examples of positions and their P&L against the real engine.

riskd keeps realised P&L and fees apart, and does not pay the notional out of the cash: where a
source does otherwise, its figure is put together from ours, and the comment says how.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from riskd.messages import CostMethod, InstrumentKind
from tests.vectors.world import Case, World, instrument, read_cases, require

TOPIC = "position_pnl"
AUDUSD = instrument("AUDUSD", kind=InstrumentKind.FX, tick_size="0.00001")
EURUSD = instrument("EURUSD", kind=InstrumentKind.FX, tick_size="0.00001")
BTCUSDT = instrument("BTCUSDT", tick_size="0.01", lot_size="0.000001")
STOCK = instrument("X", tick_size="0.001")


def fee_of(case: Case, fill: Case) -> Fraction:
    """A commission in proportion to the notional, which the gateway would report."""
    rate = Fraction(case["input"]["instrument"]["fee_rate"])
    return Fraction(fill["qty"]) * Fraction(fill["price"]) * rate


def check_long_open(case: Case) -> None:
    """Theirs takes commissions off realised P&L when they are paid: our realised less our fees."""
    expected, world = case["expected"], World(AUDUSD)
    world.fill_all(case["input"]["fills"])
    world.mark(case["input"]["mark"])
    require(world.quantity, expected["qty"])
    require(world.average, expected["avg_open"])
    require(world.realized_net, expected["realized_pnl"])
    require(world.unrealized, expected["unrealized_pnl"])
    require(world.realized_net + world.unrealized, expected["total_pnl"])
    require(world.fees, expected["commissions"])


def check_flat(case: Case) -> None:
    """A flat position of ours has no average: theirs are those of the two fills."""
    expected, world = case["expected"], World(AUDUSD)
    opening, closing = case["input"]["fills"]
    world.fill_all([opening])
    require(world.average, expected["avg_open"])
    cost = world.cost
    world.fill_all([closing])
    world.mark(case["input"]["mark"])
    require((cost + world.realized) / Fraction(closing["qty"]), expected["avg_close"])
    require(world.quantity, expected["qty"])
    require(world.cost, "0")
    require(world.realized_net, expected["realized_pnl"])
    require(world.unrealized, expected["unrealized_pnl"])
    require(world.fees, expected["commissions"])


def check_interleaved_sides(case: Case) -> None:
    """Commissions within realised P&L, as above; they are a rate times the notional."""
    world = World(BTCUSDT)
    for fill, after in zip(case["input"]["fills"], case["expected"]["after"], strict=True):
        world.fill_all([{**fill, "commission": fee_of(case, fill)}])
        if after is None:
            continue
        require(world.quantity, after["qty"])
        require(world.realized_net, after["realized_pnl"], case["tolerance"])
        require(world.average, after["avg_open"], case["tolerance"])


def check_marked(case: Case) -> None:
    """Commissions within realised P&L, as above."""
    expected, world = case["expected"], World(BTCUSDT)
    (fill,) = case["input"]["fills"]
    world.fill_all([{**fill, "commission": fee_of(case, fill)}])
    world.mark(case["input"]["mark"])
    require(world.realized_net, expected["realized_pnl"])
    require(world.unrealized, expected["unrealized_pnl"])
    if "total_pnl" in expected:
        require(world.realized_net + world.unrealized, expected["total_pnl"])
        require(world.fees, expected["commissions"])


def check_two_sells(case: Case) -> None:
    """Their P&L accumulates over the sells, as ours does; their return is on what was paid."""
    world = World(STOCK)
    paid = Fraction(0)
    for fill, after in zip(case["input"]["fills"], case["expected"]["after"], strict=True):
        world.fill_all([fill])
        paid = paid or world.cost
        if "avg" in after:
            require(world.average, after["avg"])
        if "pnl" in after:
            require(world.realized, after["pnl"])
            require(world.realized / paid, after["ret"])
    require(world.quantity, "0")


def check_many_marks(case: Case) -> None:
    """Their P&L at a price is realised and unrealised together."""
    world = World(STOCK)
    paid = Fraction(0)
    for fill, after in zip(case["input"]["fills"], case["expected"]["after"], strict=True):
        world.fill_all([fill])
        paid = paid or world.cost
        # A flat position of theirs has the average 0; ours has none, and no cost.
        require(world.average if world.quantity else world.cost, after["avg"])
        for price, total in after.get("pnl_at", {}).items():
            world.mark(price)
            require(world.realized + world.unrealized, total)
        for price, share in after.get("return_at", {}).items():
            world.mark(price)
            require((world.realized + world.unrealized) / paid, share)
        if "pnl" in after:
            require(world.realized, after["pnl"])
            require(world.realized / paid, after["ret"])


def check_break_even(case: Case) -> None:
    """Gross is our realised; net takes the commissions off. The return is on the 10 paid."""
    expected, world = case["expected"], World(STOCK)
    opening, closing = case["input"]["fills"]
    world.fill_all([opening])
    paid = world.cost
    world.fill_all([closing])
    require(world.realized, expected["pnl_gross"])
    require(world.realized_net, expected["pnl"])
    require(world.realized / paid, expected["return_gross"])
    require(world.realized_net / paid, expected["ret"])


def check_long_to_flat(case: Case) -> None:
    """They begin with a position: here it is bought first, without a fee."""
    start, world = case["input"]["start"], World(STOCK)
    world.fill("buy", start["qty"], start["price"])
    world.fill_all(case["input"]["fills"])
    require(world.realized, case["expected"]["last_trade_profit_gross"])
    require(world.quantity, "0")


def check_futures_volume(case: Case) -> None:
    """Opening a future pays nothing out; their sale volume is the sum of the fills' notionals."""
    world = World(instrument("F", multiplier=case["input"]["multiplier"]), balance="1000")
    volumes = case["expected"]["total_sale_volume_after"]
    for fill, volume in zip(case["input"]["fills"], volumes, strict=True):
        world.fill_all([fill])
        require(world.turnover, volume)
        require(world.cash(), "1000")


def check_crypto_cash(case: Case) -> None:
    """Their cash pays for what is bought; ours keeps it and holds the cost beside it."""
    expected = case["expected"]
    world = World(instrument("BTCUSD"), balance=case["input"]["start"]["USD"])
    world.fill_all(case["input"]["fills"])
    require(world.quantity, expected["BTC"])
    require(world.cash() - world.cost, expected["USD"])


def check_fx_cash(case: Case) -> None:
    """As above; the value of the account is our cash and what is unrealised, here nothing."""
    expected, world = case["expected"], World(EURUSD, balance=case["input"]["start"]["USD"])
    world.fill_all(case["input"]["fills"])
    world.mark(case["input"]["fills"][0]["price"])
    require(world.quantity, expected["EUR"])
    require(world.cash() - world.cost, expected["USD"])
    require(world.cash() + world.unrealized, expected["account_cash_value_asserted"])


def check_fees_in_cost(case: Case) -> None:
    """Fees reduce the value of a transaction there; ours stay out of the cost."""
    given, expected, world = case["input"], case["expected"], World(STOCK)
    world.fill("buy", given["qty"], given["price"], given["fees"])
    require(world.cost - world.fees, expected["txn_value"])
    average = (world.cost - world.fees) / world.quantity
    require(average, expected["avg_cost_of_value_99_qty_10"])


def check_increase(case: Case) -> None:
    """Both of its positions grow on their own side."""
    expected = zip(case["expected"]["avg"], case["expected"]["qty"], strict=True)
    for given, (average, quantity) in zip(case["input"]["cases"], expected, strict=True):
        world = World(STOCK)
        side = "sell" if given["qty"].startswith("-") else "buy"
        world.fill_signed(given["qty"], given["price"])
        world.fill(side, given["add_qty"], given["add_price"])
        require(world.average, average)
        require(world.quantity, quantity)


def check_futures_commission(case: Case) -> None:
    """Commission is per contract there, and the cash follows the mark every day; ours is reported
    with the fill, and what the mark makes is unrealised until it is closed. Their cost of opening
    is a margin per contract: the notional, which is ours, times that margin's share of it."""
    given, expected = case["input"], case["expected"]
    world = World(instrument("F", multiplier=given["multiplier"]), balance="100000")
    size = Fraction(given["size"])
    world.fill(
        "buy", given["size"], given["price"], size * Fraction(given["commission_per_contract"])
    )
    contract = Fraction(given["price"]) * Fraction(given["multiplier"])
    share = Fraction(given["margin_per_contract"]) / contract
    require(world.value(size, given["price"]) * share, expected["operation_cost"])
    require(world.fees, expected["commission"])
    require(world.cash(), "99950")
    world.mark(given["new_price"])
    require(world.unrealized, expected["pnl"])
    world.fill("sell", given["size"], given["new_price"])
    require(world.cash() - (100_000 - world.fees), expected["cash_adjust"])


def check_partial_close(case: Case) -> None:
    """Theirs marks a long at the bid: our mark `closing`. Commissions are within realised P&L;
    only their sum is given, so the first fill pays it. Their maintenance margin is a rate times
    the cost of what is open, which is ours to get right."""
    given, expected = case["input"], case["expected"]
    world = World(AUDUSD, balance=given["account"]["balance"], mark="closing")
    opening, closing = given["fills"]
    world.fill_all([{**opening, "commission": given["total_commissions"]}, closing])
    world.mark(given["bid"], given["ask"])
    require(world.quantity, expected["net_position"])
    require(world.value(world.quantity, given["bid"]), expected["net_exposure"])
    require(world.unrealized, expected["unrealized"])
    require(world.realized_net, expected["realized"])
    require(world.realized_net + world.unrealized, expected["total_pnl"])
    require(world.cost * Fraction(given["maintenance_rate"]), expected["margin_maintenance"])


def check_first_in_first_out(case: Case) -> None:
    """One sell closes a lot and a part of the next. What each lot earned is seen by selling the
    same quantity lot by lot; the sum, and what remains, must not depend on it."""
    given, expected = case["input"], case["expected"]
    *buys, sell = given["fills"]
    whole = World(STOCK, method=CostMethod.FIFO)
    whole.fill_all(given["fills"])
    parts = World(STOCK, method=CostMethod.FIFO)
    parts.fill_all(buys)
    for matched, earned in expected["lots"]:
        before = parts.realized
        parts.fill_all([{**sell, "qty": matched}])
        require(parts.realized - before, earned)
    for world in (whole, parts):
        require(world.realized, expected["realized"])
        require(world.quantity, expected["remaining"]["qty"])
        require(world.average, expected["remaining"]["price"])
        assert len(world.open_lots) == 1


def check_average_cost(case: Case) -> None:
    given, world = case["input"], World(STOCK)
    world.fill("buy", given["qty"], given["avg"])
    world.fill("sell", given["qty"], given["exit"])
    require(world.realized, case["expected"]["realized"])


CHECKS = {
    "nt-long-open": check_long_open,
    "nt-flat-no-change": check_flat,
    "nt-interleaved-sides": check_interleaved_sides,
    "nt-long-btc-mark": check_marked,
    "nt-short-btc-unrealized": check_marked,
    "pat-two-sells": check_two_sells,
    "pat-multi-evals-long": check_many_marks,
    "pat-break-even-with-commission": check_break_even,
    "lean-long-to-flat": check_long_to_flat,
    "lean-futures-open-no-cash": check_futures_volume,
    "lean-crypto-fill-cash": check_crypto_cash,
    "lean-fx-fill-cash": check_fx_cash,
    "blotter-txn-value": check_fees_in_cost,
    "jesse-increase": check_increase,
    "bt-futures-comm": check_futures_commission,
    "nt-portfolio-partial-close": check_partial_close,
    "fifo-page-example": check_first_in_first_out,
    "avg-cost-forum": check_average_cost,
}


@pytest.mark.parametrize("case_id", CHECKS)
def test_position_pnl_of_published_case_agrees(vectors, case_id):
    CHECKS[case_id](read_cases(vectors, TOPIC)[case_id])


def test_position_pnl_leaves_no_published_case_out(vectors):
    assert list(CHECKS) == list(read_cases(vectors, TOPIC))
