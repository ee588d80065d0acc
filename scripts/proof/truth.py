"""What accounts are worth on a recorded day, by numpy, from lots, cash and the file's prices alone.

Shares no code with the engine. Where no exchange rate is involved everything is in whole units of
money, 10^-12; else floats.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskd.messages import AccountSpec, InstrumentKind, InstrumentSpec
from scripts.proof.recordings import Day, Row
from scripts.proof.trade_truth import Dealt, LegTruth, Marks, Seen

MONEY = 10**12
LEGS = ("a", "b")  # Of a hedging account; a netting one has the first alone, without a name.
Numbers = NDArray[Any]
PERIODS = ("day", "week", "month")
SPANS = ("day", "week", "max")


TIE = 1e-13  # Of a figure that rates made: so near to its peak, nobody can say if it is at it.


class SpanTruth:
    """Peak, trough and deepest fall of every account since a span began."""

    def __init__(self, equity: Numbers, now_ns: int) -> None:
        self.begin(equity, now_ns)

    def begin(self, equity: Numbers, now_ns: int) -> None:
        """Begin anew."""
        self.opened, self.peak, self.trough, self.low = (equity.copy() for _ in range(4))
        self.tied = self.trough.copy()  # The trough, if it was at the peak whenever it nearly was.
        self.fall = np.zeros_like(equity)
        self.peak_ns = np.full(len(equity), now_ns, np.int64)

    def note(self, equity: Numbers, touched: Numbers, now_ns: int) -> None:
        """Take in what everybody is worth now; `touched` are those whom something moved."""
        self.fall = np.maximum(self.fall, self.peak - self.trough)
        at_top = equity >= self.peak
        self.peak_ns[at_top & touched] = now_ns
        nearly = at_top
        if equity.dtype == np.float64:
            at_top, nearly = equity > self.peak * (1 + TIE), equity >= self.peak * (1 - TIE)
        self.tied = np.where(nearly, equity, np.minimum(self.tied, equity))
        self.peak = np.maximum(self.peak, equity)
        self.trough = np.where(at_top, equity, np.minimum(self.trough, equity))
        self.low = np.minimum(self.low, equity)

    def shift(self, account: int, money: float) -> None:
        """Take a transfer: it is neither profit nor loss."""
        for figures in (self.opened, self.peak, self.trough, self.tied, self.low):
            figures[account] += money

    def is_tied(self) -> Numbers:
        """Return of whom nobody can say when the peak was, and so what is the lowest since."""
        found: Numbers = np.abs(self.tied - self.trough) > TIE * np.abs(self.peak)
        return found

    def deepest(self) -> Numbers:
        """Return the deepest fall from any peak so far."""
        found: Numbers = np.maximum(self.fall, self.peak - self.trough)
        return found


class PaperTruth:
    """One symbol in every account: arrays by account, and its legs, two by account."""

    def __init__(self, spec: InstrumentSpec, accounts: tuple[AccountSpec, ...], exact: bool):
        kind, count = np.int64 if exact else np.float64, len(accounts)
        self.spec = spec
        self.settlement = spec.settlement or spec.currency
        self.is_inverse = spec.kind is InstrumentKind.INVERSE
        size = int(spec.multiplier) if self.is_inverse else 0
        self.legs = [LegTruth(account, size) for account in accounts for _ in LEGS]
        names = ("longs", "shorts", "cost", "realized", "fees", "funding", "buys", "sells")
        self.sums: dict[str, Numbers] = {name: np.zeros(count, kind) for name in names}
        self.filled, self.worked = np.zeros(count, kind), np.zeros(count, kind)  # Notional.
        self.marks: Marks = []
        self.units: tuple[float, float] = (0, 0)  # What a lot is worth as long, as short.
        self.recv_ns = 0
        self._high = np.full((2, 2 * count), -np.inf)  # By side, then by leg.
        self._low = np.full((2, 2 * count), np.inf)
        self.best, self.worst = np.zeros((2, 2 * count), np.int64)  # Of the open trade of each leg.
        self._exact = exact
        self._value()

    def price(self, row: Row, mark: str, now_ns: int) -> Numbers:
        """Take a row in; return whom it moved."""
        mid = (row.bid + row.ask) / 2
        prices = (row.bid, row.ask) if mark == "closing" else (mid, mid)
        before, self.units = self.units, (self.unit(prices[0]), self.unit(prices[1]))
        self.marks.append((float(prices[0]), float(prices[1])))
        self.recv_ns = now_ns
        further = np.zeros(len(self.legs), bool)
        for side, price in enumerate(self.marks[-1]):
            further |= (self._high[side] < price) | (self._low[side] > price)
            np.maximum(self._high[side], price, out=self._high[side])
            np.minimum(self._low[side], price, out=self._low[side])
        for leg in np.flatnonzero(further).tolist():
            self._stretch(leg)
        self._value()
        moved: Numbers = np.zeros(len(self.profit), bool)
        for name, was, now in zip(("longs", "shorts"), before, self.units, strict=True):
            if was != now:
                moved |= self.sums[name] != 0
        return moved

    def unit(self, price: Decimal) -> float:
        """Return what a lot is worth at a price."""
        if self.is_inverse:
            return -int(self.spec.multiplier) * MONEY / float(price)
        return int(price * MONEY) if self._exact else float(price * MONEY)

    def seen(self, leg: int) -> Seen:
        """Return the extremes of the marks since a leg last changed, as its side is valued."""
        side = 0 if self.legs[leg].lots >= 0 else 1
        return float(self._high[side][leg]), float(self._low[side][leg])

    def fill(self, leg: int, dealt: Dealt) -> None:
        """Book an execution."""
        self.legs[leg].take(dealt, self.seen(leg))
        self.filled[leg // 2] += self._notional(dealt)
        self._changed(leg)

    def bust(self, leg: int, exec_id: str, day: int) -> None:
        """Book that an execution never was."""
        gone = self.legs[leg].bust(exec_id, self.marks)
        if gone.day == day:
            self.filled[leg // 2] -= self._notional(gone)
        self._changed(leg)

    def _notional(self, dealt: Dealt) -> float:
        quantity, price = dealt.deal
        return int(abs(quantity)) * abs(self.unit(price))

    def _changed(self, leg: int) -> None:
        """Bring the sums of its account up to a leg that changed."""
        account, marks = leg // 2, self.marks
        both = self.legs[2 * account : 2 * account + 2]
        for name, value in (
            ("longs", sum(max(0, one.lots) for one in both)),
            ("shorts", sum(min(0, one.lots) for one in both)),
            ("cost", sum(one.ledger.cost for one in both)),
            ("realized", sum(one.ledger.realized for one in both)),
            ("fees", -sum(one.fees for one in both)),
        ):
            self.sums[name][account] = value
        first = self.legs[leg].dealt[-1].at if self.legs[leg].dealt else len(marks)
        for side in (0, 1):
            since = [pair[side] for pair in marks[first - 1 :]]
            self._high[side][leg], self._low[side][leg] = max(since), min(since)
        self._stretch(leg)
        self._value()

    def _stretch(self, leg: int) -> None:
        """Tell the best and the worst of a leg's open trade; of one that is flat, nothing."""
        found = self.legs[leg].excursion(self.seen(leg)) if self.legs[leg].lots else (0, 0)
        self.best[leg], self.worst[leg] = found

    def _value(self) -> None:
        sums, (long, short) = self.sums, self.units
        self.profit: Numbers = sums["longs"] * long + sums["shorts"] * short - sums["cost"]


class Truth:
    """Every account of a day, and every group: a name, and whether each account is in it."""

    def __init__(
        self,
        day: Day,
        accounts: tuple[AccountSpec, ...],
        groups: dict[str, Numbers],
        now_ns: int,
    ) -> None:
        kind: type[np.number[Any]] = np.int64 if day.is_exact else np.float64
        self.exact, self._mark = day.is_exact, day.mark
        self.accounts = accounts
        self.papers = {one.symbol: PaperTruth(one, accounts, day.is_exact) for one in day.specs}
        settled = [paper.settlement for paper in self.papers.values()]
        self.currencies = tuple(dict.fromkeys((*day.currencies, *settled)))
        self.own = np.array([self.currencies.index(one.currency) for one in accounts])
        balances = np.array([one.balance for one in accounts])
        self.cash = {
            currency: np.where(self.own == number, balances * MONEY, 0).astype(kind)
            for number, currency in enumerate(self.currencies)
        }
        self.ledgers = [{one.currency: int(one.balance) * MONEY} for one in accounts]
        self.invested = (balances * MONEY).astype(kind)
        self.equity = self.invested.copy()
        self.spans = {name: SpanTruth(self.equity, now_ns) for name in SPANS}
        self.earned_before = {name: np.zeros_like(self.equity) for name in PERIODS}
        self.all = np.ones(len(accounts), bool)
        self.days = 0
        self.groups = list(groups)
        self._members = np.array(list(groups.values()))
        self.group_equity: Numbers = np.zeros(len(groups))  # Until every rate is known.
        if self.exact:
            self.group_equity = self._group_worth()
        self.group_spans = {name: SpanTruth(self.group_equity, now_ns) for name in SPANS}

    @property
    def is_known(self) -> bool:
        """Return whether every symbol has had a price."""
        return all(paper.marks for paper in self.papers.values())

    def price(self, row: Row, now_ns: int) -> None:
        """Take a row of the file in."""
        moved = self.papers[row.symbol].price(row, self._mark, now_ns)
        if self.is_known:
            self._look(moved if self.exact else self.all, now_ns)

    def booked(self, account: int, now_ns: int) -> None:
        """Look at everybody, after something was booked to one account."""
        touched = np.zeros_like(self.all)
        touched[account] = True
        self._look(touched, now_ns, is_booking=True)

    def fill(self, leg: int, symbol: str, dealt: Dealt, now_ns: int) -> None:
        """Book an execution of a leg."""
        paper = self.papers[symbol]
        before = self._earned(paper, leg // 2)
        paper.fill(leg, dealt)
        self._pay(paper, leg // 2, self._earned(paper, leg // 2) - before, now_ns)

    def bust(self, leg: int, symbol: str, exec_id: str, now_ns: int) -> None:
        """Book that an execution of a leg never was."""
        paper = self.papers[symbol]
        before = self._earned(paper, leg // 2)
        paper.bust(leg, exec_id, self.days)
        self._pay(paper, leg // 2, self._earned(paper, leg // 2) - before, now_ns)

    def fund(self, account: int, symbol: str, money: int, now_ns: int) -> None:
        """Book what a position received."""
        paper = self.papers[symbol]
        paper.sums["funding"][account] += money
        self._pay(paper, account, money, now_ns)

    def _earned(self, paper: PaperTruth, account: int) -> int:
        """Return what an account has realised of a symbol, less fees, to the unit."""
        both = paper.legs[2 * account : 2 * account + 2]
        return sum(one.ledger.realized - one.fees for one in both)

    def _pay(self, paper: PaperTruth, account: int, money: int, now_ns: int) -> None:
        self._credit(account, paper.settlement, money)
        self.booked(account, now_ns)

    def _credit(self, account: int, currency: str, money: int) -> None:
        ledger = self.ledgers[account]
        ledger[currency] = ledger.get(currency, 0) + money
        self.cash[currency][account] = ledger[currency]

    def transfer(self, account: int, money: int, now_ns: int) -> None:
        """Put money of its own currency into an account."""
        self._credit(account, self.accounts[account].currency, money)
        self.invested[account] += money
        for span in self.spans.values():
            span.shift(account, money)
        rate = 1 if self.exact else self.rates()[self.own[account]]
        for group in np.flatnonzero(self._members[:, account]).tolist():
            for span in self.group_spans.values():
                span.shift(group, money * rate)
        self.booked(account, now_ns)

    def begin_day(self, names: tuple[str, ...], now_ns: int) -> None:
        """Begin a day, and longer spans with it."""
        self.days += 1
        for spans, equity in (
            (self.spans, self.equity),
            (self.group_spans, self.group_equity),
        ):
            for name, span in spans.items():
                if name in names:
                    span.begin(equity, now_ns)
                else:  # Everybody is looked at.
                    span.note(equity, np.ones(len(equity), bool), now_ns)
        for name in names:
            self.earned_before[name] = self.equity - self.invested
        for paper in self.papers.values():
            paper.filled[:] = 0

    def earned(self, period: str) -> Numbers:
        """Return what everybody made in a day, a week or a month."""
        found: Numbers = self.equity - self.invested - self.earned_before[period]
        return found

    def rates(self) -> Numbers:
        """Return what one of each currency is worth in dollars."""
        if self.exact:
            return np.ones(1, np.int64)
        found = {"USD": 1.0}
        for paper in self.papers.values():
            if paper.spec.kind is InstrumentKind.FX:
                price = paper.marks[-1][0]
                if paper.spec.base == "USD":
                    found[paper.spec.currency] = 1 / price
                else:
                    found[str(paper.spec.base)] = price
        return np.array([found[currency] for currency in self.currencies])

    def _look(self, touched: Numbers, now_ns: int, *, is_booking: bool = False) -> None:
        self.equity = self._worth()
        for span in self.spans.values():
            span.note(self.equity, touched, now_ns)
        if not self.group_equity.any():
            for span in self.group_spans.values():
                span.begin(self._group_worth(), now_ns)
        before, self.group_equity = self.group_equity, self._group_worth()
        moved = (before != self.group_equity) | self._members[:, touched].any(axis=1) & is_booking
        for span in self.group_spans.values():
            span.note(self.group_equity, moved, now_ns)

    def _group_worth(self) -> Numbers:
        """Return what groups are worth in dollars; in whole units they outgrow 64 bits."""
        if self.exact:
            worths = [sum(self.equity[one].tolist()) for one in self._members]
            return np.array(worths, dtype=object)
        total: Numbers = np.zeros(len(self.groups))
        for rate, currency in zip(self.rates(), self.currencies, strict=True):
            held = self.cash[currency] + sum(
                paper.profit for paper in self.papers.values() if paper.settlement == currency
            )
            total += rate * (self._members @ held)
        return total

    def _worth(self) -> Numbers:
        """Return what everybody is worth, in his own currency."""
        total: Numbers = np.zeros_like(self.equity)
        rates = self.rates()
        for number, currency in enumerate(self.currencies):
            worth: Numbers = self.cash[currency].copy()
            for paper in self.papers.values():
                if paper.settlement == currency:
                    worth += paper.profit
            total += worth if self.exact else worth * rates[number]
        return total if self.exact else total / rates[self.own]
