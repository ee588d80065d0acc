"""An account: its state, and its money measured from marks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from msgspec.structs import replace

from engine.account_state import AccountState, close_day, keep_ended, opened_state
from engine.boards import Boards
from engine.books import BookRules
from engine.bounds import NO_CREDIT
from engine.case import Case, Plan
from engine.facts import Fact, Facts, Missing, Moved
from engine.hedging import HedgedCase, HedgedValuation
from engine.held import unrealized_of
from engine.high_water import HighWater
from engine.instruments import Instrument
from engine.kinds import Name
from engine.ledger import Position
from engine.membership import Membership
from engine.nothing import NOTHING, forget, own
from engine.orders import Order, OrderState
from engine.plans import build_plan, share
from engine.pnl import Profits
from engine.quote import Quote
from engine.seats import Seat
from engine.valuation import Valuation
from riskd.messages import AccountSpec, PositionMode, Side

PLANS_MAX = 10_000  # Prepared combinations of symbol, strategy and trader per account.


class Account:
    """One account's state with what is derived from it."""

    __slots__ = (
        "_began",
        "_blank",
        "_moved",
        "_plans",
        "_plans_version",
        "_seats",
        "_transferred",
        "boards",
        "case",
        "credit",
        "crossed",
        "currency",
        "hedging",
        "lasting_credit",
        "membership",
        "parts",
        "state",
        "valuation",
        "water",
    )

    def __init__(
        self, spec: AccountSpec, boards: Boards, state: AccountState | None = None
    ) -> None:
        self.boards = boards
        self.state = state or opened_state(spec)
        self.currency = self.state.spec.currency  # It never changes; the mode does not either.
        self.hedging = self.state.spec.position_mode is PositionMode.HEDGING
        case = boards.cases.get(self.hedging)
        if case is None:
            case = boards.cases[self.hedging] = HedgedCase() if self.hedging else Case()
        self.case: Case = case
        self.crossed: tuple[
            Fact, ...
        ] = ()  # By legs of the basket under judgement: said once it stands.
        self.valuation = self._value()
        self.membership = Membership()
        self.water = HighWater(boards.book, self.currency, self.state.water)
        self._moved = False  # Since the book was told: money, positions, transfers, the day.
        self._transferred: tuple[tuple[str, int], ...] = ()
        self._began = ""
        self.parts: tuple[str, ...] = ()  # Of a state that is being put in place.
        self._blank: Mapping[str, Position] = NOTHING  # Flat positions that plans already point to.
        self._plans: dict[Name, Plan] = cast("Any", NOTHING)  # Made by the first order,
        self._seats: dict[Name, Seat] = cast("Any", NOTHING)  # as seats are.
        self._plans_version = -1
        self.credit = self.lasting_credit = NO_CREDIT

    @property
    def id(self) -> str:
        """Return the account's id."""
        return self.state.spec.id

    def respecify(self, spec: AccountSpec) -> None:
        """Put another declaration in force; what is booked stays, `account_conflict` saw to it."""
        self.state.spec = replace(spec, balance=self.state.spec.balance)
        self.valuation = self._value()
        self._plans_version = -1

    def plan(self, symbol: str, strategy: str, trader: str) -> Plan | None:
        """Return the prepared checks of an order's kind, None for an unknown symbol."""
        if self._plans_version != self.boards.version or len(self._plans) >= PLANS_MAX:
            self._plans, self._seats = {}, {}
            self._plans_version = self.boards.version
        key = (symbol, strategy, trader)
        plan = self._plans.get(key)
        if plan is None and symbol in self.boards.instruments:
            position = self.position(symbol)
            plan = build_plan(self.boards, self.state.spec, position, strategy, trader)
            if self._plans:
                share(plan, next(iter(self._plans.values())))
            self._plans[key if plan.kind is None else plan.kind.name] = plan
        return plan

    def seat(self, name: Name) -> Seat | None:
        """Return where orders of a kind are judged swiftly; None where they are not.

        A symbol without a position in the state has none.
        """
        if self._plans_version == self.boards.version:
            seat = self._seats.get(name)
            if seat is not None:
                return seat
        plan, held = self.plan(*name), self.valuation.held(name[0])
        if plan is None or plan.kind is None or held is None:
            return None
        seat = self._seats[plan.kind.name] = Seat(plan.kind, plan, held)
        return seat

    def position(self, symbol: str) -> Position:
        """Return the position of a known symbol to read; a flat one is no state until used."""
        position = self.state.positions.get(symbol) or self._blank.get(symbol)
        if position is None:
            position = own(self, "_blank")[symbol] = self._flat(symbol)
        return position

    def position_to_change(self, symbol: str) -> Position:
        """Return the position of a known symbol, from now on part of the state, to change it."""
        position = self.state.positions.get(symbol)
        if position is None:
            position = forget(self._blank, symbol) or self._flat(symbol)
            self.state.positions[position.symbol] = position
            self.valuation.hold(position)
        self.valuation.position_changed(symbol)
        self._touch(symbol)
        return position

    def day_pnl_money(self) -> int:
        """Return the P&L since the last roll, of the valuation's last refresh."""
        if self.state.day_open_money is None:
            return 0  # It is measured from now on, see `roll_day`.
        opened = self.state.day_open_money + self.state.day_transfers_money
        for currency, money in self.state.day_unrated.items():
            opened += self.convert(money, currency) or 0  # No rate: the refresh found it missing.
        return self.valuation.equity_money - opened

    def tell_groups(self, facts: Facts) -> None:
        """Append what the groups above must know of what changed, if any of them has limits."""
        if not self.boards.group_limits:
            self.membership.forget_touched()
            return
        state = self.state
        turnover = dict(state.day_turnover)
        for currency, money in state.working_turnover.items():
            turnover[currency] = turnover.get(currency, 0) + money
        self.membership.tell(
            state.spec.group,
            state.positions,
            instruments=self.boards.instruments,
            open_orders=len(state.orders),
            turnover=turnover,
            facts=facts,
        )

    def tell_book(self, facts: Facts) -> None:
        """Append what the valuation book must know of what changed, if anything did."""
        if self._moved:
            facts.append(Moved(self.id, self._transferred, self._began))
            self._moved, self._transferred, self._began = False, (), ""
            self.forget_credit()

    def forget_credit(self) -> None:
        """Ask again for the bounds by the money of now: it may be other money."""
        self.credit = self.lasting_credit = NO_CREDIT

    def drawdown_pct(self, span: str = "max") -> float | None:
        """Return how far equity is below its highest of the `day`, the `week` or ever, in percent.

        None where there is no percent: equity is not known, or was never positive.
        """
        if self.valuation.refresh() is not None or not self.water.is_known():
            return None
        equity = self.valuation.equity_money
        peak = max(self.water.peaks_money()[("day", "week", "max").index(span)], equity)
        return (peak - equity) * 100 / peak if peak > 0 else None

    def due_ns(self) -> int | None:
        """Return the steady instant at which the account must be woken, None if nothing waits."""
        state = self.state
        deadline_ns = next(iter(state.pending.values()), None)  # The oldest is the first.
        expiry_ns = min(state.expiring.values(), default=None)
        return min((ns for ns in (deadline_ns, expiry_ns) if ns is not None), default=None)

    def root_id(self, client_order_id: str) -> str:
        """Return the first id of an order's chain of changes: the one it is kept under."""
        return self.state.aliases.get(client_order_id, client_order_id)

    def end(self, client_order_id: str, state: OrderState) -> None:
        """Move a working order to the ended ones and release exactly its leaves."""
        order = self.state.orders.pop(client_order_id)
        order.amends.clear()
        self.set_leaves(order, 0)
        order.state = state
        self.remember(client_order_id, order)

    def remember(self, client_order_id: str, order: Order) -> None:
        """Keep an ended order, and forget the oldest beyond the horizon."""
        keep_ended(self.state, client_order_id, order)

    def reserve(self, order: Order) -> None:
        """Reserve all of a new order, whose money is known."""
        check, lots, working = order.check, order.lots, self.state.working_turnover
        symbol, buying = check.symbol, check.side is Side.BUY
        settlement = self.boards.instruments[symbol].settlement
        working[settlement] = working.get(settlement, 0) + order.working_money
        position = self.state.positions.get(symbol) or self.position_to_change(symbol)
        if order.closes:
            position.release(-lots, buying=buying, closing=True)
        elif buying:
            position.open_buy_lots += lots
        else:
            position.open_sell_lots += lots
        order.leaves_lots = lots
        self._touch(symbol)
        self.valuation.reserved(symbol, lots, buying=buying)

    def set_leaves(self, order: Order, leaves_lots: int) -> None:
        """Reserve exactly `leaves_lots` for an order instead of what it reserved before."""
        symbol, buying = order.check.symbol, order.check.side is Side.BUY
        self._count_working(order, leaves_lots)
        freed = order.leaves_lots - leaves_lots
        self.state.positions[symbol].release(freed, buying=buying, closing=order.closes)
        order.leaves_lots = leaves_lots
        self._touch(symbol)
        self.valuation.reserved(symbol, -freed, buying=buying)

    def turnover_money(self) -> int | None:
        """Return what was traded today and what works, in account money; None without a rate."""
        day, working, own = self.state.day_turnover, self.state.working_turnover, self.currency
        total = working.get(own, 0) + (day.get(own, 0) if day else 0)
        if len(working) <= (own in working) and len(day) <= (own in day):
            return total  # No other currency.
        for amounts in (self.state.day_turnover, self.state.working_turnover):
            for currency, money in amounts.items():
                converted = self.convert(money, currency) if money and currency != own else 0
                if converted is None:
                    return None
                total += converted
        return total

    def add_cash(self, currency: str, money: int) -> None:
        """Change the cash of a currency."""
        self.state.cash[currency] = self.state.cash.get(currency, 0) + money
        self.valuation.cash_changed()
        self._moved = True

    def transfer(self, currency: str, money: int) -> None:
        """Put money in or take it out: cash that is no profit."""
        self.add_cash(currency, money)
        self.state.transfers[currency] = self.state.transfers.get(currency, 0) + money
        self._transferred = (*self._transferred, (currency, money))

    def profits(self) -> Profits:
        """Return a reader of the P&L at the marks and rates of now."""
        return Profits(self.state, self.boards, self.valuation)

    def open_periods(self, *names: str) -> None:
        """Measure these periods from now, or those that began when too little was known."""
        periods = self.state.periods
        opened = names or tuple(key for key in periods if periods[key].life_money is None)
        opening = self.profits().opening()
        self.state.periods = {**periods, **dict.fromkeys(opened, opening)}

    def roll_day(self, began: str = "day", periods: tuple[str, ...] = ("day",)) -> Missing | None:
        """Begin a day, or a week and so a day, at the equity of now; return what is missing for it.

        Then the day is measured from the first moment at which it is known.
        """
        state = self.state
        missing = self.valuation.refresh()
        if state.day:  # The first start begins one.
            is_known = missing is None and state.day_open_money is not None
            earned = self.day_pnl_money() if is_known else None
            close_day(state, self.valuation.equity_money, earned)
        state.day_open_money = self.valuation.equity_money if missing is None else None
        state.day_transfers_money = 0
        state.day_unrated = NOTHING
        state.day_turnover.clear()
        state.rolls += 1
        self.open_periods(*periods)
        state.conduct.messages = state.conduct.cancels = state.conduct.fills = 0
        self._moved, self._began = True, began
        for symbol in state.positions:
            self._touch(symbol)
        return missing

    def open_day(self) -> None:
        """Measure the day from here, if it began when equity was not known, and now it is."""
        if self.state.day_open_money is None:
            self.state.day_open_money = 0
            self.state.day_open_money = self.day_pnl_money()  # Nothing is earned yet.
            self.open_periods()

    def convert(self, money: int, currency: str) -> int | None:
        """Return money in account currency, half-even; None if no rate is known."""
        return self.valuation.convert(money, currency)

    def rules(self, instrument: Instrument) -> BookRules:
        """Return how the account books the executions of an instrument."""
        return BookRules(instrument, self.state.spec.cost_method, self.hedging)

    def unrealized_money(self, position: Position, quote: Quote) -> int | None:
        """Return a position's unrealised P&L in settlement currency; None without a mark."""
        return unrealized_of(position.books, self.boards.instruments[position.symbol], quote)

    def _flat(self, symbol: str) -> Position:
        """Return a new position; it names its symbol as its instrument does, to hold it once."""
        return Position(self.boards.instruments[symbol].symbol, hedging=self.hedging)

    def _touch(self, symbol: str) -> None:
        """Note that groups with limits, if there are any, must be told of a symbol."""
        if self.boards.group_limits:
            self.membership.touch(symbol)

    def _count_working(self, order: Order, leaves_lots: int) -> None:
        instrument = self.boards.instruments[order.check.symbol]
        values = order.reachable_values()
        notional = max((instrument.notional_money(leaves_lots, x) for x in values), default=0)
        working, settlement = self.state.working_turnover, instrument.settlement
        working[settlement] = working.get(settlement, 0) + notional - order.working_money
        order.working_money = notional

    def _value(self) -> Valuation:
        kind = HedgedValuation if self.hedging else Valuation
        valuation = kind(self.boards, self.state.spec, self.state.cash)
        for position in self.state.positions.values():
            valuation.hold(position)
        return valuation
