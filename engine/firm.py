"""What the firm and its groups come to, from totals that follow every ledger and every tick."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.boards import Boards
from engine.exposure import Stake, net_by_currency
from engine.group_row import GroupHeld, GroupRow
from engine.limits import FIRM
from engine.measures import history_told, span_told, worst_status
from engine.money import number_from_money
from engine.rates import converted
from riskd.messages import FirmDrawdown, FirmExposure, FirmPnl, UpdateType


def firm_exposure(boards: Boards, group: str, now_ns: int) -> FirmExposure:
    """Return what the firm or a group is exposed to. O(symbols)."""
    own, complete = boards.settings.fx_pivot, True
    longs = shorts = 0
    by_symbol: dict[str, float] = {}
    row = boards.group_row(group)
    for symbol, held in row.held.items():
        if not held.longs and not held.shorts:
            continue
        found = _worth(boards, symbol, held, own)
        if found is None:
            complete = False
            continue
        longs, shorts = longs + found[0], shorts + found[1]
        by_symbol[symbol] = number_from_money(found[0] - found[1])
    return FirmExposure(
        scope=_scope(group),
        **_measured(boards, group, now_ns, complete=complete),
        long=number_from_money(longs),
        short=number_from_money(shorts),
        gross=number_from_money(longs + shorts),
        net=number_from_money(longs - shorts),
        by_symbol=by_symbol,
        by_currency=net_by_currency(row.cash, _stakes(boards, row)),
    )


def firm_pnl(boards: Boards, group: str, now_ns: int) -> FirmPnl:
    """Return what all accounts of the firm or a group are worth and earned today.

    O(accounts), in numpy.
    """
    own, row = boards.settings.fx_pivot, boards.group_row(group)
    equity = day = known = 0
    for currency, tally in row.tallies.items():
        rate = boards.quotes.rate(currency, own)
        if not tally.rows.count or rate is None:
            continue
        known += tally.rows.count
        worth = boards.book.equity_money(tally)
        equity += converted(worth, rate)
        day += converted(worth - tally.opened_money, rate)
    return FirmPnl(
        scope=_scope(group),
        **_measured(boards, group, now_ns, complete=known == row.members),
        equity=number_from_money(equity),
        day=number_from_money(day),
        accounts=row.members,
        unknown=row.members - known,
    )


def firm_drawdown(
    boards: Boards, group: str, now_ns: int, *, history: bool = False
) -> FirmDrawdown:
    """Return how far what the firm or a group is worth is below its highest."""
    row = boards.group_row(group)
    water, equity = row.water, row.water.equity_money()
    day = week = life = None
    if equity is not None:
        spans = water.day(), water.week(), water.life()
        day, week, life = (span_told(span, equity, now_ns) for span in spans)
    is_complete = equity is not None and not row.has_old_rate()
    return FirmDrawdown(
        scope=_scope(group),
        **_measured(boards, group, now_ns, complete=is_complete),
        equity=None if equity is None else number_from_money(equity),
        day=day,
        week=week,
        max=life,
        status=worst_status(water.state.standings, UpdateType.DRAWDOWN),
        history=history_told(water) if history else (),
    )


def _stakes(boards: Boards, row: GroupRow) -> Iterator[Stake]:
    for symbol, held in row.held.items():
        profit_money = row.worth(symbol, held)
        instrument = boards.instruments[symbol]
        yield Stake(instrument, held.longs - held.shorts, held.cost_money, profit_money)


def _scope(group: str) -> str:
    return FIRM if group == FIRM else f"group:{group}"


def _measured(boards: Boards, group: str, now_ns: int, *, complete: bool) -> dict[str, Any]:
    quotes = boards.quotes.quotes
    return {
        "currency": boards.settings.fx_pivot,
        "complete": complete,
        "mark_ages_ns": {
            symbol: max(0, now_ns - quotes[symbol].recv_ns)
            for symbol, held in boards.group_row(group).held.items()
            if (held.longs or held.shorts) and quotes[symbol].mark_long is not None
        },
        "ts_ns": now_ns,
    }


def _worth(boards: Boards, symbol: str, held: GroupHeld, own: str) -> tuple[int, int] | None:
    """Return the value of lots held long and of lots held short, None without mark or rate."""
    instrument, quote = boards.instruments[symbol], boards.quotes.quotes[symbol]
    rate = boards.quotes.rate(instrument.settlement, own)
    if quote.mark_long is None or quote.mark_short is None or rate is None:
        return None
    longs = instrument.notional_money(held.longs, quote.mark_long)
    shorts = instrument.notional_money(held.shorts, quote.mark_short)
    return converted(longs, rate), converted(shorts, rate)
