"""The largest quantity that would pass now, and the limit that stops the next lot."""

from __future__ import annotations

from engine.case import Case, CheckRow
from engine.money import UNITS_MAX


def largest_passing(case: Case) -> tuple[int, CheckRow | None]:
    """Return the most lots that pass every check, and the first row that one lot more fails.

    Every check is monotone in the quantity. The rows' closed forms name the neighbourhood; the
    checks themselves decide, so the answer is exact whatever they rounded. Leaves the case placed
    at the first quantity that fails; 0 lots and the row when not even one lot passes. More than an
    order may be is never named; a change to what is filled already or less is none.
    """
    if case.lots is None:
        return 0, None
    estimates = [
        fits
        for row in case.plan.checks
        if row.fits_lots is not None and row.refuses(case.plan)
        for fits in (row.fits_lots(case),)
        if fits is not None
    ]
    low = min(max(1, min(estimates, default=case.lots)), UNITS_MAX)
    passing, binding = _gallop(case, low)
    if passing <= case.filled_lots:  # Of what is left of a change not even one lot passes.
        return 0, first_failing(case, case.filled_lots + 1)
    return passing, binding


def _gallop(case: Case, guess: int) -> tuple[int, CheckRow | None]:
    """Bracket the edge from `guess` outwards, then bisect: two looks where the guess is right."""
    step, passing, failing = 1, 0, 0
    if first_failing(case, guess) is None:
        if guess >= UNITS_MAX:
            return UNITS_MAX, None
        passing, failing = guess, guess + step
        while first_failing(case, failing) is None:
            if failing >= UNITS_MAX:
                return UNITS_MAX, None
            passing, step = failing, step * 2
            failing = min(passing + step, UNITS_MAX)
    else:
        failing = guess
        passing = failing - step
        while passing > 0 and first_failing(case, passing) is not None:
            failing, step = passing, step * 2
            passing = max(0, failing - step)
    while failing - passing > 1:
        middle = (passing + failing) // 2
        if first_failing(case, middle) is None:
            passing = middle
        else:
            failing = middle
    return passing, first_failing(case, failing)


def first_failing(case: Case, lots: int) -> CheckRow | None:
    """Return the first hard row that an order of `lots` would fail, None if it would pass."""
    case.place(lots)
    for row in case.plan.checks:
        if row.spares(case):
            continue
        if row.check(case) is not None and row.refuses(case.plan):
            return row
    return None
