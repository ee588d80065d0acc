"""What one trade may risk shrinks in drawdown: just under, at and over each step."""

from __future__ import annotations

import pytest

from riskd.messages import DrawdownStep, LimitSet, LimitsSpec, Tick
from tests.builders import StampedCore, a_core, a_fill, an_account, an_order, codes_of

STEPS = (DrawdownStep(drawdown_pct=10, risk_pct=1), DrawdownStep(drawdown_pct=5, risk_pct=2))
LIMITS = LimitsSpec(risk_per_trade_pct=4, risk_per_trade_drawdown=STEPS)


def a_house(limits: LimitsSpec | LimitSet, lost: float) -> StampedCore:
    """Return a house whose account of 10,000 has lost so much, on a hundred of Y."""
    house = a_core(limits, accounts=(an_account(balance=10_000.0),))
    house.send(a_fill("e-1", "buy", 100, 50.0, symbol="Y"))
    price = 50.0 - lost / 100
    house.send(Tick(symbol="Y", bid=price, ask=price))
    return house


def most(house: StampedCore) -> tuple[float, str]:
    """Return the most that may be bought at 100 with a stop at 99, and the limit that says so."""
    verdict = house.send(an_order("o", quantity=10_000, stop_loss=99.0, dry_run=True))
    assert codes_of(verdict) == ["RISK_PER_TRADE"]
    quantity = verdict.max_quantity
    at = an_order("at", quantity=quantity, stop_loss=99.0, dry_run=True)
    over = an_order("over", quantity=quantity + 1, stop_loss=99.0, dry_run=True)
    assert codes_of(house.send(at)) == []
    assert codes_of(house.send(over)) == ["RISK_PER_TRADE"]
    found = verdict.rejects[0]
    assert found.limit_type is not None
    return quantity, f"{found.limit_type} {found.limit:g}"


@pytest.mark.parametrize(
    ("lost", "quantity", "named"),
    [
        (0, 400, "risk_per_trade_pct 4"),
        (499, 380, "risk_per_trade_pct 4"),  # 4 % of 9,501.
        (500, 190, "risk_per_trade_drawdown 2"),
        (999, 180, "risk_per_trade_drawdown 2"),  # 2 % of 9,001.
        (1000, 90, "risk_per_trade_drawdown 1"),
        (4000, 60, "risk_per_trade_drawdown 1"),
    ],
)
def test_e11_risk_per_trade_shrinks_when_the_drawdown_reaches_a_step(lost, quantity, named):
    assert most(a_house(LIMITS, lost)) == (quantity, named)


def test_risk_per_trade_is_the_tightest_of_all_scopes_and_never_wider_than_without_steps():
    wide = DrawdownStep(drawdown_pct=5, risk_pct=50)
    limits = LimitSet(
        default=LimitsSpec(risk_per_trade_pct=4, risk_per_trade_drawdown=(wide,)),
        symbol={"X": LimitsSpec(risk_per_trade_drawdown=STEPS)},
    )
    assert most(a_house(limits, 600)) == (188, "risk_per_trade_drawdown 2")
    only_wide = LimitsSpec(risk_per_trade_pct=4, risk_per_trade_drawdown=(wide,))
    assert most(a_house(only_wide, 600)) == (376, "risk_per_trade_pct 4")


def test_risk_per_trade_grows_back_with_the_equity():
    house = a_house(LIMITS, 600)
    assert most(house)[0] == 188
    house.send(Tick(symbol="Y", bid=50.0, ask=50.0))
    assert most(house) == (400, "risk_per_trade_pct 4")
