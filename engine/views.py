"""What people and subscribers see: plain figures in wire units, made when asked."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from engine.account import Account
from engine.boards import Boards
from engine.books import Books
from engine.exposure import mark_ages_ns
from engine.facts import MS_NS
from engine.held import unrealized_of
from engine.instruments import Instrument
from engine.ledger import Position
from engine.limits import Owner, scopes_of
from engine.money import number_from_money
from engine.pnl_view import in_units
from engine.standing import ranks_of, standing
from riskd.messages import LegUpdate, LimitSet, LimitsSpec, PnlUpdate, PositionUpdate, RiskSettings

Shown = dict[str, Any]


def position_update(account: Account, position: Position, now_ns: int) -> PositionUpdate:
    """Return one position with its mark and the age of that mark."""
    boards, books = account.boards, position.books
    instrument = boards.instruments[position.symbol]
    quote = boards.quotes.quotes[position.symbol]
    mark = quote.mark_long if books.lots >= 0 else quote.mark_short
    unrealized = account.unrealized_money(position, quote)
    doubt = position.doubt
    return PositionUpdate(
        account=account.id,
        symbol=position.symbol,
        quantity=instrument.quantity(books.lots),
        average_price=_average_price(instrument, books),
        mark=None if mark is None else instrument.price(mark),
        mark_age_ns=None if mark is None else max(0, now_ns - quote.recv_ns),
        realized=number_from_money(books.realized_money),
        unrealized=None if unrealized is None else number_from_money(unrealized),
        fees=number_from_money(books.fees_money),
        currency=instrument.settlement,
        open_buy_quantity=instrument.quantity(position.working_lots(buying=True)),
        open_sell_quantity=instrument.quantity(position.working_lots(buying=False)),
        funding={key: number_from_money(x) for key, x in (position.funding or {}).items()},
        venue_quantity=None if doubt is None else instrument.quantity(doubt.venue_lots),
        ts_ns=now_ns,
        legs=tuple(_leg(account, position, name) for name in books.legs),
        **_stands(account, position),
    )


def _leg(account: Account, position: Position, name: str) -> LegUpdate:
    leg, boards = position.books.legs[name], account.boards
    instrument = boards.instruments[position.symbol]
    unrealized = unrealized_of(leg, instrument, boards.quotes.quotes[position.symbol])
    return LegUpdate(
        position_id=name,
        quantity=instrument.quantity(leg.lots),
        average_price=instrument.average_price(leg.lots, leg.cost_money),
        realized=number_from_money(leg.realized_money),
        unrealized=None if unrealized is None else number_from_money(unrealized),
        **_stands(account, position, name),
    )


def _average_price(instrument: Instrument, books: Books) -> float | None:
    """Return the average price of what is held; legs side by side have no common one."""
    if len(books.legs) > 1:
        return None
    return instrument.average_price(books.lots, books.cost_money)


def pnl_update(account: Account, now_ns: int) -> PnlUpdate:
    """Return an account's P&L in its currency; what cannot be valued makes it incomplete."""
    profits = account.profits()
    line = profits.total()
    return PnlUpdate(
        account=account.id,
        currency=account.currency,
        equity=number_from_money(account.valuation.equity_money) if profits.known else None,
        realized=number_from_money(line.realized),
        unrealized=number_from_money(line.unrealized),
        fees=number_from_money(line.fees),
        funding=number_from_money(line.funding),
        day=in_units(line.day),
        week=in_units(line.week),
        month=in_units(line.month),
        complete=profits.complete,
        ts_ns=now_ns,
        mark_ages_ns=mark_ages_ns(account, now_ns),
    )


def account_line(account: Account, now_ns: int) -> Shown:
    """Return an account as a line of a list."""
    pnl = pnl_update(account, now_ns)
    state = account.state
    return {
        "account": account.id,
        "group": state.spec.group,
        "currency": pnl.currency,
        "equity": pnl.equity,
        "realized": pnl.realized,
        "unrealized": pnl.unrealized,
        "fees": pnl.fees,
        "day": pnl.day,
        "complete": pnl.complete,
        "positions": sum(1 for held in state.positions.values() if held.books.lots),
        "open_orders": len(state.orders),
        "frozen": state.frozen,
        "unreconciled": _unreconciled(account),
    }


def _unreconciled(account: Account) -> str:
    """Return what the venue and the books do not agree on, for people; empty if they do."""
    state = account.state
    told = [symbol for symbol, position in state.positions.items() if position.doubt is not None]
    told = ["balance", *told] if state.shortfall_money else told
    return ", ".join([state.unreconciled, *told] if state.unreconciled else told)


def account_view(account: Account, now_ns: int) -> Shown:
    """Return an account in full."""
    state = account.state
    missing = account.valuation.refresh()
    gross = account.valuation.gross_money
    cash = {currency: number_from_money(money) for currency, money in state.cash.items()}
    return {
        **account_line(account, now_ns),
        "spec": state.spec,
        "cash": cash,
        "transfers": {key: number_from_money(money) for key, money in state.transfers.items()},
        "gross_worst": None if missing else number_from_money(gross),
        "missing": missing.what if missing else None,
        "remembered_orders": len(state.orders) + len(state.finished),
        "unbooked_fills": len(state.unbooked),
    }


def positions_view(accounts: list[Account], now_ns: int) -> list[PositionUpdate]:
    """Return every position that is held, worked on or was traded, with its rank."""
    found = []
    for account in accounts:
        updates = [position_update(account, x, now_ns) for x in account.state.positions.values()]
        ranks = ranks_of({x.symbol: x.score for x in updates if x.score is not None})
        found += [replace(update, rank=ranks.get(update.symbol)) for update in updates]
    return found


def orders_view(account: Account) -> list[Shown]:
    """Return the working orders with what each reserves, oldest first."""
    found = []
    for order_id, order in account.state.orders.items():
        instrument = account.boards.instruments[order.check.symbol]
        found.append(
            {
                "client_order_id": order_id,
                "symbol": order.check.symbol,
                "side": order.check.side,
                "order_type": order.check.order_type,
                "price": order.check.price,
                "quantity": instrument.quantity(order.lots),
                "leaves_quantity": instrument.quantity(order.leaves_lots),
                "filled_quantity": instrument.quantity(order.filled_lots),
                "state": order.state,
                "certified_quantity": instrument.quantity(account.state.certified.get(order_id, 0)),
                "session": order.session or None,
                "seq": order.verdict.seq,
                "checked_ns": order.verdict.checked_ns,
            }
        )
    return found


def instruments_view(boards: Boards, now_ns: int) -> list[Shown]:
    """Return every instrument with its present prices and their age."""
    found = []
    for symbol, instrument in boards.instruments.items():
        quote, spec = boards.quotes.quotes[symbol], instrument.spec
        prices = {
            name: None if price is None else instrument.price(price)
            for name, price in (
                ("bid", quote.bid),
                ("ask", quote.ask),
                ("last", quote.last),
                ("mark", quote.mark_long),
            )
        }
        age_ns = max(0, now_ns - quote.recv_ns) if quote.recv_ns else None
        found.append(
            {
                "symbol": symbol,
                "kind": spec.kind,
                "currency": spec.currency,
                "base": spec.base,
                "settlement": instrument.settlement,
                "tick_size": spec.tick_size,
                "lot_size": spec.lot_size,
                "multiplier": spec.multiplier,
                **prices,
                "age_ns": age_ns,
                "grade": _grade(age_ns, instrument, boards.settings),
                "state": quote.phase,
                "feed_gaps": quote.gaps,
                "feed_seqs": dict(quote.feed_seqs),
            }
        )
    return found


def _grade(age_ns: int | None, instrument: Instrument, settings: RiskSettings) -> str:
    """Return how far a price of this age is to be relied on, in a word."""
    if age_ns is None:
        return "none"
    if age_ns <= instrument.stale_after_ns:
        return "fresh"
    return "stale" if age_ns <= settings.mark_after_ms * MS_NS else "old"


def limits_view(boards: Boards, accounts: dict[str, Account], scope: str | None) -> Shown:
    """Return the limit set in force, whole or what applies to `account:A1` or `account:A1:AAPL`."""
    book = boards.limit_book
    shown: Shown = {
        "version": boards.limits_version,
        "changes": [*book.lasting.values(), *book.temporary.values()],
        "proposals": list(book.proposals.values()),
    }
    if scope is None:
        return {**shown, "limits": boards.limits}
    kind, _, name = scope.partition(":")
    if kind == "account":
        account, _, symbol = name.partition(":")
        held = accounts.get(account)
        groups = boards.ancestry(held.state.spec.group) if held is not None else ()
        owner = Owner(account, groups, symbol, "", "")
        tables = scopes_of(boards.limits, owner)
        return {**shown, "limits": [_table(*table) for table in tables]}
    table = getattr(boards.limits, kind, None) if kind in LimitSet.__struct_fields__ else None
    found = table.get(name) if isinstance(table, dict) else table
    return {**shown, "limits": found}


def breakers_view(boards: Boards) -> list[Shown]:
    """Return every open breaker and kill, oldest first."""
    return [
        {
            "breaker_id": state.breaker_id,
            "scope": state.scope,
            "scope_id": state.scope_id,
            "trigger_type": state.trigger_type,
            "action": state.action,
            "reason": state.reason,
            "by": state.by,
            "at_ns": state.at_ns,
            "until_ns": state.until_ns,
        }
        for state in boards.breakers.book.open.values()
    ]


def sessions_view(boards: Boards, accounts: dict[str, Account]) -> list[Shown]:
    """Return every session that is remembered with what its orders have working, oldest first."""
    working: dict[int, int] = {}
    for account in accounts.values():
        for order in account.state.orders.values():
            working[order.session] = working.get(order.session, 0) + 1
    given: dict[int, int] = {}
    for entry in boards.outbox.outstanding.values():
        given[entry.session] = given.get(entry.session, 0) + 1
    return [
        {
            "session": number,
            "gateway": session.gateway,
            "alive": session.lost_ns is None,
            "accounts": list(session.accounts),
            "executes_responses": session.executes_responses,
            "cancel_on_disconnect": session.cancel_on_disconnect,
            "must_resync": session.must_resync,
            "working_orders": working.get(number, 0),
            "instructions": given.get(number, 0),
            "opened_ns": session.opened_ns,
            "lost_ns": session.lost_ns,
            "lost_reason": session.lost_reason,
        }
        for number, session in boards.sessions.sessions.items()
    ]


def verdict_view(account: Account, client_order_id: str) -> Shown | None:
    """Return what is remembered of an order by any of its ids, None if nothing is."""
    state = account.state
    first_id = state.aliases.get(client_order_id, client_order_id)
    order = state.orders.get(first_id) or state.finished.get(first_id)
    if order is None:
        return None
    return {"check": order.check, "verdict": order.verdict, "state": order.state}


def _stands(account: Account, position: Position, leg: str | None = None) -> Shown:
    """Return how an open position or leg stands, as the fields of its update; nothing when flat."""
    found = standing(account, position, leg)
    if found is None:
        return {}
    return {
        "mfe": number_from_money(found.excursion.best_money),
        "mae": number_from_money(found.excursion.worst_money),
        "planned_reward_to_risk": found.planned,
        "reward_to_risk": found.live,
        "score": found.score,
    }


def _table(scope: str, scope_id: str, limits: LimitsSpec) -> Shown:
    return {"scope": scope, "scope_id": scope_id, "limits": limits}
