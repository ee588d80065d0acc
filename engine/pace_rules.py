"""Rules over a stretch of time, and of how positions stand: each yields what is over its threshold.

`Ease` says by how much a threshold is eased for a measure whose alert stands, so that it stands
until the measure has come back by a step. Call for an account whose valuation was refreshed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from engine.account import Account
from engine.concentration import concentration
from engine.exposure import exposure_of
from engine.facts import MS_NS, SECOND_NS, Missing
from engine.held import unrealized_of
from engine.instruments import Instrument
from engine.ledger import Position
from engine.limits import Owner, resolve, resolve_currency, scopes_of
from engine.money import MONEY_SCALE
from engine.nothing import NOTHING, forget, own
from engine.pace import Samples
from engine.standing import standing
from riskd.messages import AlertSettings, LimitSet, ResponseEvent, Severity

Ease = Callable[[str], float]  # By the key of a measure; 1 while it is safe, less while it stands.


class Found(NamedTuple):
    """A measure of an account that is over its threshold."""

    key: str  # What it is known by while it stands: also the type of its alert, before a colon.
    event: ResponseEvent
    severity: Severity
    text: str
    value: float
    threshold: float
    symbol: str | None = None


def find(account: Account, told: AlertSettings, now_ns: int, ease: Ease) -> Iterator[Found]:
    """Yield every measure that is over its threshold, of those that are asked for."""
    if told.burn_horizon_ms:
        yield from _burn(account, told, now_ns, ease)
    if told.pnl_move_pct:
        yield from _account_move(account, told, now_ns, ease)
    if told.position_move_pct:
        yield from _position_moves(account, told, now_ns, ease)
    if told.reward_to_risk_min:
        yield from _rewards(account, told.reward_to_risk_min, ease)
    if told.rebalance_hhi:
        yield from _rebalancing(account, told.rebalance_hhi, ease)
    yield from _currencies(account, ease)


def is_asked(told: AlertSettings, limits: LimitSet) -> bool:
    """Return whether any of these rules is asked for, and can find anything."""
    tables = (limits.default, *limits.account.values())
    burns = told.burn_horizon_ms and any(table.daily_loss is not None for table in tables)
    every = (*tables, limits.firm, *limits.group.values())
    return bool(
        burns
        or any(table.currency_exposure for table in every)
        or told.pnl_move_pct
        or told.position_move_pct
        or told.reward_to_risk_min
        or told.rebalance_hhi
    )


def note(account: Account, told: AlertSettings, now_ns: int) -> None:
    """Keep samples of an account and, where they are asked for, of its positions."""
    state, window_ns = account.water.state, told.move_window_ms * MS_NS
    shorter_ns, longer_ns = told.burn_short_ms * MS_NS, told.burn_long_ms * MS_NS
    equity = float(account.valuation.equity_money)
    spacing_ns, keep_ns = min(shorter_ns, window_ns) // 4, max(longer_ns, window_ns)
    state.samples.note(equity, now_ns, spacing_ns=spacing_ns, keep_ns=keep_ns)
    if not told.position_move_pct:
        state.position_samples = NOTHING
        return
    for symbol, position in account.state.positions.items():
        profit = _profit_of(account, position)
        if position.books.trades.open is None or profit is None:
            forget(state.position_samples, symbol)  # The next trade begins with none.
        else:
            samples = own(state, "position_samples").setdefault(symbol, Samples())
            samples.note(profit, now_ns, spacing_ns=window_ns // 4, keep_ns=window_ns)


def _burn(account: Account, told: AlertSettings, now_ns: int, ease: Ease) -> Iterator[Found]:
    """How long what is left of the daily loss lasts, at the pace of both windows."""
    limit = resolve(account.boards.limits, Owner(account.id, (), "", "", ""), "daily_loss")
    equity, samples = account.valuation.equity_money, account.water.state.samples
    left = limit.money + account.day_pnl_money() if limit is not None else 0
    lasts = []
    for window_ms in (told.burn_short_ms, told.burn_long_ms):
        then = samples.before(window_ms * MS_NS, now_ns)
        if left <= 0 or then is None or then[0] <= equity:
            return  # It is reached, or not lost in both.
        lasts.append(left * then[1] / (then[0] - equity))
    horizon_ns = told.burn_horizon_ms * MS_NS
    if max(lasts) * ease("burn_rate") > horizon_ns or limit is None:
        return
    short, long = (ns / SECOND_NS for ns in lasts)
    text = (
        f"at this pace account {account.id} reaches its daily loss limit of {limit.value:,.10g} in "
        f"{short:,.3g} s (the last {told.burn_short_ms / 1000:g} s), in {long:,.3g} s (the last "
        f"{told.burn_long_ms / 1000:g} s)"
    )
    event, horizon = ResponseEvent.BURN_RATE, horizon_ns / SECOND_NS
    yield Found("burn_rate", event, Severity.HIGH, text, short, horizon)


def _account_move(
    account: Account, told: AlertSettings, now_ns: int, ease: Ease
) -> Iterator[Found]:
    """How far equity came within the window, of what it was then."""
    equity, window_ns = account.valuation.equity_money, told.move_window_ms * MS_NS
    then = account.water.state.samples.farthest(equity, window_ns, now_ns)
    pct = told.pnl_move_pct
    if then is None or abs(equity - then) * 100 <= pct * ease("pnl_move") * abs(then):
        return
    moved = equity - then
    share = abs(moved) * 100 / abs(then) if then else 100.0
    text = f"account {account.id} {_gained(moved, account.currency)}, {share:.3g} % of its equity"
    text += f", within {told.move_window_ms / 1000:g} s; threshold {pct:g} %"
    yield Found("pnl_move", ResponseEvent.PNL_MOVE, Severity.MEDIUM, text, share, pct)


def _position_moves(
    account: Account, told: AlertSettings, now_ns: int, ease: Ease
) -> Iterator[Found]:
    """How far the profit of each position came within the window, of the account's equity."""
    equity, window_ns = account.valuation.equity_money, told.move_window_ms * MS_NS
    pct = told.position_move_pct
    for symbol, samples in account.water.state.position_samples.items():
        key, profit = f"position_move:{symbol}", _profit_of(account, account.position(symbol))
        then = None if profit is None else samples.farthest(profit, window_ns, now_ns)
        if profit is None or then is None:
            continue
        moved = profit - then
        if abs(moved) * 100 <= pct * ease(key) * max(0, equity):
            continue
        share = abs(moved) * 100 / equity if equity > 0 else 100.0
        text = f"position {symbol} of account {account.id} {_gained(moved, account.currency)}"
        text += f", {share:.3g} % of its equity, within {told.move_window_ms / 1000:g} s"
        text += f"; threshold {pct:g} %"
        yield Found(key, ResponseEvent.PNL_MOVE, Severity.MEDIUM, text, share, pct, symbol)


def _rewards(account: Account, least: float, ease: Ease) -> Iterator[Found]:
    """Whether a position with a stop and a target may still win enough for what it may lose."""
    for symbol, position in account.state.positions.items():
        for leg in position.books.legs or (None,):
            books = position.books if leg is None else position.books.legs[leg]
            opened, stands = books.trades.open, standing(account, position, leg)
            if opened is None or opened.stop_loss is None or opened.take_profit is None:
                continue
            if stands is None or _mark_of(account, position, books.lots) is None:
                continue
            key = f"reward_to_risk:{symbol}" if leg is None else f"reward_to_risk:{symbol} {leg}"
            live = stands.live or 0.0  # Past the stop or the target there is none.
            if live * ease(key) >= least:
                continue
            text = f"position {key.partition(':')[2]} of account {account.id} may win {live:.3g} "
            text += f"times what it may lose, to {opened.take_profit:g} or {opened.stop_loss:g}"
            text += f"; threshold {least:g}"
            event = ResponseEvent.REWARD_TO_RISK
            yield Found(key, event, Severity.LOW, text, live, least, symbol)


def _rebalancing(account: Account, most: float, ease: Ease) -> Iterator[Found]:
    """Whether the account hangs on too few of its names, by the Herfindahl-Hirschman index."""
    sizes = exposure_of(account).sizes
    floor = resolve(account.boards.limits, Owner(account.id, (), "", "", ""), "concentration_floor")
    gross = sum(sizes.values())
    found = concentration(sizes, account.valuation.equity_money)
    if found.hhi is None or len(sizes) < 2 or (floor is not None and gross <= floor.money):
        return
    if found.hhi <= most * ease("rebalancing"):
        return
    largest = found.largest_symbol or ""
    share, even = sizes[largest] * 100 / gross, 100 / len(sizes)
    text = (
        f"account {account.id} hangs on few of its {len(sizes)} names: {largest} is {share:.3g} % "
        f"of exposure, {even:.3g} % would be even; index {found.hhi:.3g}, threshold {most:g}"
    )
    yield Found(
        "rebalancing", ResponseEvent.REBALANCING, Severity.LOW, text, found.hhi, most, largest
    )


def _currencies(account: Account, ease: Ease) -> Iterator[Found]:
    """Whether prices alone carried what is held of a currency past its limit: no order does."""
    boards, held = account.boards, account.state.positions
    if not any(boards.instruments[symbol].is_pair for symbol in held):
        return
    groups = boards.ancestry(account.state.spec.group)
    owner = Owner(account.id, groups, "", "", "")
    tables = [table.currency_exposure or {} for *_, table in scopes_of(boards.limits, owner)]
    for currency in dict.fromkeys(currency for table in tables for currency in table):
        limit, key = resolve_currency(boards.limits, owner, currency), f"currency_limit:{currency}"
        most = account.valuation.currency_worst(currency, 0, gains=True)
        owed = account.valuation.currency_worst(currency, 0, gains=False)
        if limit is None or isinstance(most, Missing) or isinstance(owed, Missing):
            continue
        money = 0 if currency == account.currency else max(most, owed)
        if money <= limit.money * ease(key):
            continue
        value = money / MONEY_SCALE
        text = f"account {account.id} has {value:,.10g} {account.currency} in {currency} at worst, "
        text += f"past currency_exposure {limit.value:,.10g} of {limit.scope} {limit.scope_id}"
        event = ResponseEvent.EXPOSURE
        yield Found(key, event, Severity.CRITICAL, text, value, limit.value)


def _profit_of(account: Account, position: Position) -> float | None:
    """Return what a position earned, realised and not, in account money; None if not known."""
    instrument: Instrument = account.boards.instruments[position.symbol]
    quote = account.boards.quotes.quotes[position.symbol]
    unrealized = unrealized_of(position.books, instrument, quote)
    if unrealized is None:
        return None
    money = position.books.realized_money + unrealized
    converted = account.convert(money, instrument.settlement)
    return None if converted is None else float(converted)


def _mark_of(account: Account, position: Position, lots: int) -> int | None:
    quote = account.boards.quotes.quotes[position.symbol]
    return quote.mark_long if lots > 0 else quote.mark_short


def _gained(money: float, currency: str) -> str:
    return f"{'gained' if money > 0 else 'lost'} {abs(money) / MONEY_SCALE:,.10g} {currency}"
