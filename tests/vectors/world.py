"""The real engine with one account and one instrument, driven by fills and ticks, read exactly."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

from engine.account import Account
from engine.books import Books, Lot
from engine.core import Core, Input
from engine.desk import Answer
from engine.facts import Stamp
from engine.ledger import executions_of
from engine.money import MONEY_SCALE
from engine.trades import Trades
from engine.valuation import Valuation
from riskd.messages import (
    AccountSpec,
    Ack,
    Configure,
    CostMethod,
    Fill,
    InstrumentKind,
    InstrumentSpec,
    RiskSettings,
    Side,
    Tick,
    Universe,
)

Case = dict[str, Any]
ACCOUNT = "V"
STEP_NS = 1_000_000


def instrument(
    symbol: str = "X",
    *,
    kind: InstrumentKind = InstrumentKind.LINEAR,
    tick_size: str = "0.01",
    lot_size: str = "1",
    multiplier: str = "1",
) -> InstrumentSpec:
    """An instrument quoted in USD; an inverse one is paid in BTC."""
    inverse = kind is InstrumentKind.INVERSE
    return InstrumentSpec(
        symbol=symbol,
        currency="USD",
        kind=kind,
        tick_size=tick_size,
        lot_size=lot_size,
        multiplier=multiplier,
        base=symbol[:3] if kind is InstrumentKind.FX else None,
        settlement="BTC" if inverse else None,
    )


class World:
    """Books fills and marks through `Core.apply`, as riskd does, and reads what became of them."""

    def __init__(
        self,
        spec: InstrumentSpec,
        *,
        method: CostMethod = CostMethod.AVERAGE,
        balance: str = "0",
        mark: str = "mid",
        **account_fields: Any,
    ) -> None:
        self.core = Core()
        self._spec, self._count = spec, 0
        told: dict[str, Any] = {"id": ACCOUNT, "balance": float(balance), "cost_method": method}
        account = AccountSpec(**(told | account_fields))
        settings = RiskSettings(mark=mark)
        universe = Universe(settings=settings, instruments=(spec,), accounts=(account,))
        self.core.apply(Configure(universe=universe), self._stamp())

    def fill(self, side: str, quantity: str, price: str, fee: str | Fraction = "0") -> None:
        """Book one fill; the fee is what the gateway would report."""
        fill = Fill(
            account=ACCOUNT,
            exec_id=f"x-{self._count}",
            symbol=self._spec.symbol,
            side=Side(side),
            quantity=float(quantity),
            price=float(price),
            fee=float(Fraction(fee)),
        )
        ack = self.core.apply(fill, self._stamp())
        # It names no order, and nothing else may be odd about it: not its price, nor its quantity.
        assert isinstance(ack, Ack)
        assert ack.flags == ("unknown_order",)

    def send(self, message: Input) -> Answer:
        """Send any input and return its answer."""
        return self.core.apply(message, self._stamp())

    def fill_all(self, fills: list[Case]) -> None:
        """Book the fills of a case; its `qty` has no sign, its `commission` is paid."""
        for each in fills:
            self.fill(each["side"], each["qty"], each["price"], each.get("commission", "0"))

    def fill_signed(self, quantity: str, price: str, fee: str = "0") -> None:
        """Book a fill whose side is the sign of its quantity."""
        side = "sell" if quantity.startswith("-") else "buy"
        self.fill(side, quantity.lstrip("-"), price, fee)

    def mark(self, bid: str, ask: str | None = None) -> None:
        """Move the market: bid and ask at the same price but where two are given."""
        tick = Tick(symbol=self._spec.symbol, bid=float(bid), ask=float(ask or bid))
        self.core.apply(tick, self._stamp())

    @property
    def books(self) -> Books:
        """The ledger of the position."""
        return self.core.accounts[ACCOUNT].state.positions[self._spec.symbol].books

    @property
    def quantity(self) -> Fraction:
        """What is held, signed, in units."""
        return self.books.lots * Fraction(self._spec.lot_size)

    @property
    def cost(self) -> Fraction:
        """The signed value at which it was taken."""
        return Fraction(self.books.cost_money, MONEY_SCALE)

    @property
    def average(self) -> Fraction:
        """The average price of what is held: of an inverse contract the harmonic one."""
        contracts = self.quantity * Fraction(self._spec.multiplier)
        return -contracts / self.cost if self._is_inverse else self.cost / contracts

    @property
    def realized(self) -> Fraction:
        """Realised P&L without fees, which is riskd's convention."""
        return Fraction(self.books.realized_money, MONEY_SCALE)

    @property
    def fees(self) -> Fraction:
        """Fees paid, positive."""
        return -Fraction(self.books.fees_money, MONEY_SCALE)

    @property
    def realized_net(self) -> Fraction:
        """Realised P&L with the fees paid so far taken off: what other engines call realised."""
        return self.realized - self.fees

    @property
    def unrealized(self) -> Fraction:
        """Unrealised P&L at the present mark."""
        account = self.core.accounts[ACCOUNT]
        symbol = self._spec.symbol
        quote = self.core.boards.quotes.quotes[symbol]
        money = account.unrealized_money(account.state.positions[symbol], quote)
        assert money is not None
        return Fraction(money, MONEY_SCALE)

    @property
    def valuation(self) -> Valuation:
        """The account's money at the marks of now."""
        valuation = self.core.accounts[ACCOUNT].valuation
        assert valuation.refresh() is None
        return valuation

    @property
    def equity(self) -> Fraction:
        """Cash and unrealised P&L."""
        return Fraction(self.valuation.equity_money, MONEY_SCALE)

    @property
    def used_margin(self) -> Fraction:
        """The initial margin of what is held."""
        return Fraction(self.valuation.used_money(), MONEY_SCALE)

    @property
    def maintenance_margin(self) -> Fraction:
        """The maintenance margin of what is held."""
        return Fraction(self.valuation.maintenance_money(), MONEY_SCALE)

    @property
    def trades(self) -> Trades:
        """The trades of the position, flat to flat."""
        return self.books.trades

    @property
    def account(self) -> Account:
        """The account, for what people are shown of it."""
        return self.core.accounts[ACCOUNT]

    @property
    def open_lots(self) -> list[Lot]:
        """The lots that are open, oldest first (first-in first-out accounts)."""
        return self.books.open_lots or []

    @property
    def turnover(self) -> Fraction:
        """The sum of the values of every fill, whatever its side."""
        position = self.core.accounts[ACCOUNT].state.positions[self._spec.symbol]
        return Fraction(sum(abs(x.value_money) for x in executions_of(position)), MONEY_SCALE)

    def cash(self, currency: str = "USD") -> Fraction:
        """The cash of the account in a currency."""
        return Fraction(self.core.accounts[ACCOUNT].state.cash.get(currency, 0), MONEY_SCALE)

    def value(self, quantity: str | Fraction, price: str) -> Fraction:
        """The signed value of a quantity at a price."""
        prepared = self.core.boards.instruments[self._spec.symbol]
        lots = Fraction(quantity) / Fraction(self._spec.lot_size)
        assert lots.denominator == 1
        milliticks = prepared.milliticks(float(price))
        return Fraction(prepared.value_money(int(lots), milliticks), MONEY_SCALE)

    @property
    def _is_inverse(self) -> bool:
        return self._spec.kind is InstrumentKind.INVERSE

    def _stamp(self) -> Stamp:
        self._count += 1
        return Stamp(self._count, self._count * STEP_NS, self._count * STEP_NS)


def read_cases(shared: Path, topic: str) -> dict[str, Case]:
    """The cases of one file by id, in its order."""
    read = json.loads((shared / "vectors" / f"{topic}.json").read_text())
    cases = {case["id"]: case for case in read["cases"]}
    assert len(cases) == len(read["cases"]), "an id is there twice"
    return cases


def require(actual: Fraction, expected: str, tolerance: str = "0") -> None:
    """Fail unless `actual` is the expected decimal, exactly or within the case's tolerance."""
    off = abs(actual - Fraction(expected))
    assert off <= Fraction(tolerance), (
        f"{float(actual)!r} is not {expected} (off by {float(off)!r})"
    )
