"""An account: its state, and its money measured from marks."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from engine.boards import FIRM, Boards
from engine.case import Case, CheckRow, Measures, Missing, Plan
from engine.checks import CHECKS, MEASURED_KEYS
from engine.ledger import Position
from engine.limits import Owner, resolve
from engine.money import divide_half_even, money_from_number
from engine.orders import Order, OrderState
from engine.quotes import Quote
from engine.throttle import Window
from riskd.codes import RejectCode
from riskd.messages import AccountSpec, Fill, Scope

FINISHED_MAX = 20_000  # Ended orders remembered per account; the oldest is forgotten.
IDS_MAX = 100_000  # Execution and transfer ids remembered per account; the oldest is forgotten.
PLANS_MAX = 10_000  # Prepared combinations of symbol, strategy and trader per account.


class AccountState(Struct):
    """All that an account must not forget."""

    spec: AccountSpec
    cash: dict[str, int] = {}  # Money by currency: balance, transfers, realised P&L, fees.
    transfers: dict[str, int] = {}  # The part of the cash that was put in or taken out.
    positions: dict[str, Position] = {}
    orders: dict[str, Order] = {}  # Working, oldest first.
    pending: dict[str, int] = {}  # Working without news: their deadlines (steady), oldest first.
    finished: dict[str, Order] = {}  # Ended, in the order in which they ended.
    execution_symbols: dict[str, str] = {}  # Where an execution was booked.
    transfer_ids: dict[str, float] = {}
    windows: dict[str, Window] = {}
    unbooked: list[Fill] = []  # Fills of symbols that are not known yet.
    frozen: str = ""  # Why; empty while it may trade.
    day_open_money: int | None = None  # Equity at the last session roll, account currency.
    day_transfers_money: int = 0  # Since then.


class Account:
    """One account's state with what is derived from it."""

    __slots__ = (
        "_blank",
        "_measured",
        "_measured_version",
        "_plans",
        "_plans_version",
        "boards",
        "case",
        "state",
        "version",
    )

    def __init__(
        self, spec: AccountSpec, boards: Boards, state: AccountState | None = None
    ) -> None:
        self.boards = boards
        self.case = Case()
        self.state = state or _opened(spec)
        self.version = 0  # Changes with cash, position and reservation.
        self._blank: dict[str, Position] = {}  # Flat positions that plans already point to.
        self._plans: dict[tuple[str, str, str], Plan] = {}
        self._plans_version = -1
        self._measured: Measures | Missing | None = None
        self._measured_version = (-1, -1)

    @property
    def id(self) -> str:
        """Return the account's id."""
        return self.state.spec.id

    def respecify(self, spec: AccountSpec) -> None:
        """Put another declaration in force; what is booked stays, `account_conflict` saw to it."""
        self.state.spec = replace(spec, balance=self.state.spec.balance)
        self._plans_version = -1

    def plan(self, symbol: str, strategy: str, trader: str) -> Plan | None:
        """Return the prepared checks of an order's kind, None for an unknown symbol."""
        if self._plans_version != self.boards.version or len(self._plans) >= PLANS_MAX:
            self._plans.clear()
            self._plans_version = self.boards.version
        key = (symbol, strategy, trader)
        plan = self._plans.get(key)
        if plan is None and symbol in self.boards.instruments:
            plan = self._plans[key] = self._build_plan(symbol, strategy, trader)
        return plan

    def position(self, symbol: str) -> Position:
        """Return the position of a known symbol to read; a flat one is no state until used."""
        position = self.state.positions.get(symbol) or self._blank.get(symbol)
        if position is None:
            position = self._blank[symbol] = Position(symbol=symbol)
        return position

    def position_to_change(self, symbol: str) -> Position:
        """Return the position of a known symbol, from now on part of the state."""
        position = self.position(symbol)
        if symbol in self._blank:
            self.state.positions[symbol] = self._blank.pop(symbol)
        return position

    def measures(self) -> Measures | Missing:
        """Return equity, day P&L and gross exposure from the marks of now.

        Computed when first asked after any price, position or cash changed. O(positions).
        """
        version = (self.boards.quotes.version, self.version)
        if self._measured is None or self._measured_version != version:
            self._measured = self._measure()
            self._measured_version = version
        return self._measured

    def end(self, client_order_id: str, state: OrderState) -> None:
        """Move a working order to the ended ones and release exactly its leaves."""
        order = self.state.orders.pop(client_order_id)
        self.set_leaves(order, 0)
        order.state = state
        self.remember(client_order_id, order)

    def remember(self, client_order_id: str, order: Order) -> None:
        """Keep an ended order, and forget the oldest beyond the horizon."""
        self.state.pending.pop(client_order_id, None)
        finished = self.state.finished
        finished[client_order_id] = order
        if len(finished) > FINISHED_MAX:
            del finished[next(iter(finished))]

    def set_leaves(self, order: Order, leaves_lots: int) -> None:
        """Reserve exactly `leaves_lots` for an order instead of what it reserved before."""
        position = self.position_to_change(order.check.symbol)
        change = leaves_lots - order.leaves_lots
        if order.check.side == "buy":
            position.open_buy_lots += change
        else:
            position.open_sell_lots += change
        order.leaves_lots = leaves_lots
        self.version += 1

    def add_cash(self, currency: str, money: int) -> None:
        """Change the cash of a currency."""
        self.state.cash[currency] = self.state.cash.get(currency, 0) + money
        self.version += 1

    def roll_day(self) -> bool:
        """Begin a day at the equity of now; return False if a mark or rate is missing."""
        measures = self.measures()
        if isinstance(measures, Missing):
            return False
        self.state.day_open_money = measures.equity_money
        self.state.day_transfers_money = 0
        self.version += 1
        return True

    def convert(self, money: int, currency: str) -> int | None:
        """Return money in account currency, half-even; None if no rate is known."""
        rate = self.boards.quotes.rate(currency, self.state.spec.currency)
        if rate is None:
            return None
        if rate.numerator == rate.denominator:
            return money
        return divide_half_even(money * rate.numerator, rate.denominator)

    def unrealized_money(self, position: Position, quote: Quote) -> int | None:
        """Return a position's unrealised P&L in settlement currency; None without a mark."""
        lots = position.books.lots
        if not lots:
            return 0
        mark = quote.mark_long if lots > 0 else quote.mark_short
        if mark is None:
            return None
        instrument = self.boards.instruments[position.symbol]
        return instrument.value_money(lots, mark) - position.books.cost_money

    def _measure(self) -> Measures | Missing:
        state, boards = self.state, self.boards
        equity = 0
        for currency, money in state.cash.items():
            converted = self.convert(money, currency) if money else 0
            if converted is None:
                return _no_rate(currency, state.spec.currency)
            equity += converted
        gross, by_symbol = 0, {}
        for symbol, position in state.positions.items():
            longest, shortest = position.worst_long_lots(), position.worst_short_lots()
            if not longest and not shortest and not position.books.lots:
                continue
            quote, instrument = boards.quotes.quotes[symbol], boards.instruments[symbol]
            unrealized = self.unrealized_money(position, quote)
            mark = quote.mark_long if position.books.lots >= 0 else quote.mark_short
            if unrealized is None or mark is None:
                return Missing(RejectCode.NO_REFERENCE_PRICE, f"{symbol} is held without a mark")
            worst = instrument.notional_money(max(abs(longest), abs(shortest)), mark)
            profit = self.convert(unrealized, instrument.settlement)
            exposure = self.convert(worst, instrument.settlement)
            if profit is None or exposure is None:
                return _no_rate(instrument.settlement, state.spec.currency)
            equity += profit
            gross += exposure
            by_symbol[symbol] = exposure
        day = equity - (state.day_open_money or 0) - state.day_transfers_money
        return Measures(equity, day, gross, by_symbol)

    def _build_plan(self, symbol: str, strategy: str, trader: str) -> Plan:
        boards, spec = self.boards, self.state.spec
        instrument = boards.instruments[symbol]
        groups = boards.ancestry(spec.group)
        owner = Owner(spec.id, groups, symbol, strategy, trader)
        plan = Plan(owner, instrument, self.position(symbol), boards.quotes.quotes[symbol])
        rows: list[CheckRow] = []
        for row in CHECKS:
            if row.key is None:
                rows.append(row)
                continue
            limit = resolve(boards.limits, owner, row.key)
            if limit is not None:
                plan.limits[row.key] = limit
                rows.append(row)
        plan.checks = tuple(rows)
        plan.needs_measures = any(key in plan.limits for key in MEASURED_KEYS)
        currencies = {instrument.spec.currency: None, instrument.settlement: None}
        if instrument.base is not None:
            currencies[instrument.base] = None
        plan.breaker_keys = (
            (Scope.FIRM.value, FIRM),
            *((Scope.GROUP.value, group) for group in reversed(groups)),
            (Scope.ACCOUNT.value, spec.id),
            *(((Scope.STRATEGY.value, strategy),) if strategy else ()),
            (Scope.SYMBOL.value, symbol),
            *((Scope.CURRENCY.value, currency) for currency in currencies),
        )
        return plan


def _opened(spec: AccountSpec) -> AccountState:
    balance = money_from_number(spec.balance)
    return AccountState(
        spec=spec,
        cash={spec.currency: balance},
        transfers={spec.currency: balance},
        day_open_money=balance,
    )


def _no_rate(currency: str, target: str) -> Missing:
    return Missing(RejectCode.FX_MISSING, f"no exchange rate from {currency} to {target}")
