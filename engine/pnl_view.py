"""P&L as people ask for it: of the firm, a group or an account, by what they choose."""

from __future__ import annotations

from typing import Any

from engine.account import Account
from engine.boards import Boards
from engine.exposure import mark_ages_ns
from engine.money import divide_half_even, number_from_money
from engine.pnl import PARTS, PERIODS, Breakdown, Line
from engine.rates import ONE, Rate
from riskd.messages import Pnl, PnlBy

Shown = dict[str, Any]


def pnl_view(boards: Boards, accounts: list[Account], asked: Pnl, now_ns: int) -> Shown:
    """Return the P&L of accounts with its rows, which sum to its total.

    One account is told in its own currency, all others in the firm's. What cannot be valued or
    converted makes it incomplete and is not counted.
    """
    own = asked.scope.startswith("account:")
    currency = accounts[0].currency if own else boards.settings.fx_pivot
    rows: dict[str, Line] = {}
    complete = True
    ages_ns: dict[str, int] = {}  # The same of a symbol in all accounts.
    for account in accounts:
        ages_ns |= mark_ages_ns(account, now_ns)
        profits = account.profits()
        rate = boards.quotes.rate(account.currency, currency)
        is_old = boards.quotes.is_old(account.currency, currency)
        complete = complete and profits.complete and rate is not None and not is_old
        lines = {_row_of(account, asked.by): profits.total()}
        if asked.by not in (PnlBy.ACCOUNT, PnlBy.GROUP):
            lines = profits.lines(Breakdown(asked.by.value))
        for key, line in lines.items():
            rows.setdefault(key, Line()).add(converted(line, rate))
    total = Line()
    for line in rows.values():
        total.add(line)
    return {
        "scope": asked.scope,
        "by": asked.by,
        "currency": currency,
        "complete": complete,
        "mark_ages_ns": ages_ns,
        "total": _shown(total),
        "rows": [{"key": key, **_shown(line)} for key, line in sorted(rows.items())],
    }


def converted(line: Line, rate: Rate | None) -> Line:
    """Return a line in another currency, each part rounded once; nothing without a rate."""
    if rate == ONE:
        return line
    if rate is None:
        return Line(day=None, week=None, month=None)
    found = Line()
    for name in (*PARTS, *PERIODS):
        money = getattr(line, name)
        if money is not None:
            money = divide_half_even(money * rate.numerator, rate.denominator)
        setattr(found, name, money)
    return found


def in_units(money: int | None) -> float | None:
    """Return money as a wire number, None where it is not known."""
    return None if money is None else number_from_money(money)


def _row_of(account: Account, by: PnlBy) -> str:
    return account.state.spec.group if by is PnlBy.GROUP else account.id


def _shown(line: Line) -> Shown:
    return {name: in_units(getattr(line, name)) for name in (*PARTS, "life", *PERIODS)}
