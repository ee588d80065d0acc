"""What a verdict says would pass, for every code that can refuse: exact, whatever the cause."""

from __future__ import annotations

import pytest

from engine.checks import CHECKS
from riskd.codes import RejectCode as R
from tests.builders import codes_of
from tests.engine.causes import CAUSES, EARLY, Scene

OFF_THE_GRID = (R.QUANTITY_OFF_LOT, R.NO_REFERENCE_PRICE)  # Nothing can be measured.
CODES = [code for code in CAUSES if code not in (*EARLY, *OFF_THE_GRID)]
SHORT = 7  # Lots that are owed: a buy of so many, and no more, is sure to reduce.
PASSED_BY_REDUCING = {row.code for row in CHECKS if row.reducing_passes} | {R.REDUCE_ONLY}
ALWAYS = {  # These refuse every order that does not reduce, however small.
    R.BREAKER_OPEN, R.REDUCE_ONLY, R.SLOWED, R.DAILY_LOSS, R.DRAWDOWN, R.STALE_PRICE,
    R.OPEN_ORDERS, R.FX_MISSING,
}  # fmt: skip


@pytest.mark.parametrize("short", [0, SHORT])
@pytest.mark.parametrize("code", CODES)
def test_max_quantity_passes_and_one_lot_more_fails_for_every_code(code: R, short: int):
    verdict = Scene(code, short=short).ask("asked", explain=True)
    assert code in codes_of(verdict)
    assert verdict.max_quantity is not None
    assert verdict.binding_limit is not None
    if code in ALWAYS:
        assert verdict.max_quantity == short
    elif code not in PASSED_BY_REDUCING and code is not R.ORDER_QUANTITY:
        assert verdict.max_quantity == 0
    for more, refused in ((0, False), (1, True)):
        quantity = verdict.max_quantity + more
        if quantity and code is not R.DUPLICATE_CONTENT:  # Of another quantity it is no repeat.
            again = Scene(code, short=short)
            again.order["quantity"] = quantity
            assert (code in again.codes("again", explain=True)) is refused


def test_max_quantity_is_tested_for_every_check_that_refuses():
    assert {row.code for row in CHECKS} - {*CODES, *OFF_THE_GRID} == set()


@pytest.mark.parametrize("code", OFF_THE_GRID)
def test_max_quantity_is_not_told_where_nothing_can_be_measured(code: R):
    assert Scene(code).ask("asked", explain=True).max_quantity is None
