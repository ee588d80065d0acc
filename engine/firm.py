"""What the firm and its groups come to, from totals that follow every ledger and every tick."""

from __future__ import annotations

from typing import Any

from engine.boards import Boards
from engine.limits import FIRM
from engine.money import divide_half_even, number_from_money
from engine.rates import Rate
from riskd.messages import FirmExposure, FirmPnl


def firm_exposure(boards: Boards, group: str, now_ns: int) -> FirmExposure:
    """Return what the firm or a group is exposed to. O(symbols)."""
    own, complete = boards.settings.fx_pivot, True
    longs = shorts = 0
    by_symbol: dict[str, float] = {}
    for symbol, sides in boards.held.get(group, {}).items():
        found = _worth(boards, symbol, sides, own) if any(sides) else (0, 0)
        if found is None:
            complete = False
            continue
        longs, shorts = longs + found[0], shorts + found[1]
        if any(sides):
            by_symbol[symbol] = number_from_money(found[0] - found[1])
    return FirmExposure(
        scope=FIRM if group == FIRM else f"group:{group}",
        **_measured(boards, group, now_ns, complete=complete),
        long=number_from_money(longs),
        short=number_from_money(shorts),
        gross=number_from_money(longs + shorts),
        net=number_from_money(longs - shorts),
        by_symbol=by_symbol,
    )


def firm_pnl(boards: Boards, accounts: int, now_ns: int) -> FirmPnl:
    """Return what all accounts are worth and earned today. O(accounts), in numpy."""
    own = boards.settings.fx_pivot
    equity = day = known = 0
    for currency, tally in boards.book.tallies.items():
        if not tally.rows.count:
            continue
        rate = boards.quotes.rate(currency, own)
        if rate is None:
            continue
        known += tally.rows.count
        worth = boards.book.equity_money(tally)
        equity += _converted(worth, rate)
        day += _converted(worth - tally.opened_money, rate)
    return FirmPnl(
        **_measured(boards, FIRM, now_ns, complete=known == accounts),
        equity=number_from_money(equity),
        day=number_from_money(day),
        accounts=accounts,
        unknown=accounts - known,
    )


def _measured(boards: Boards, group: str, now_ns: int, *, complete: bool) -> dict[str, Any]:
    quotes = boards.quotes.quotes
    return {
        "currency": boards.settings.fx_pivot,
        "complete": complete,
        "mark_ages_ns": {
            symbol: max(0, now_ns - quotes[symbol].recv_ns)
            for symbol, sides in boards.held.get(group, {}).items()
            if any(sides) and quotes[symbol].mark_long is not None
        },
        "ts_ns": now_ns,
    }


def _worth(boards: Boards, symbol: str, sides: tuple[int, int], own: str) -> tuple[int, int] | None:
    """Return the value of lots held long and of lots held short, None without mark or rate."""
    instrument, quote = boards.instruments[symbol], boards.quotes.quotes[symbol]
    rate = boards.quotes.rate(instrument.settlement, own)
    if quote.mark_long is None or quote.mark_short is None or rate is None:
        return None
    longs = instrument.notional_money(sides[0], quote.mark_long)
    shorts = instrument.notional_money(sides[1], quote.mark_short)
    return _converted(longs, rate), _converted(shorts, rate)


def _converted(money: int, rate: Rate) -> int:
    return divide_half_even(money * rate.numerator, rate.denominator)
