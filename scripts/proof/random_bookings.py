"""Random bookings of a recorded day: the engine is told of them, and so is the truth."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from riskd.messages import (
    Ack,
    Check,
    Fill,
    FillBust,
    Funding,
    OrderReport,
    OrderStatus,
    PositionMode,
    Side,
    TimeInForce,
    Transfer,
    Verdict,
)
from scripts.proof.recordings import Day, Row
from scripts.proof.trade_truth import Dealt
from scripts.proof.truth import LEGS, MONEY, Truth
from tests.builders import StampedCore
from tests.recorded.recount import Deal

KINDS = ("fill",) * 8 + ("bust", "transfer", "funding", "order", "cancel")
FEES = (0, 125, -50)  # In hundredths.
LAST_ONES = 4  # A bust is of one of so many executions, in whatever order.


class Bookings:
    """Tells both, one booking after the other."""

    def __init__(
        self, house: StampedCore, truth: Truth, day: Day, rows: list[Row], random: Random
    ) -> None:
        self._house, self._truth, self._day = house, truth, day
        self._rows, self._random = rows, random
        self._at: dict[int, list[int]] = {}  # Accounts, by row.
        self.count = 0
        self.working: list[dict[str, tuple[str, str, int, float]]] = [{} for _ in truth.accounts]

    def spread(self, first: int, count: int) -> None:
        """Choose after which rows, from `first` on, something is booked to whom."""
        for _ in range(count):
            row = self._random.randrange(first, len(self._rows))
            account = self._random.randrange(len(self._truth.accounts))
            self._at.setdefault(row, []).append(account)

    def of_row(self, number: int, row: Row) -> None:
        """Book what comes after a row."""
        for account in self._at.get(number, ()):
            kind = self._random.choice(KINDS)
            if kind == "fill":
                self._fill(account, row)
            elif kind == "bust":
                self._bust(account, row.symbol)
            elif kind == "transfer":
                self._transfer(account)
            elif kind == "funding":
                self._fund(account, row.symbol)
            elif kind == "order":
                self._order(account, row)
            else:
                self._cancel(account)

    def _next(self) -> str:
        self.count += 1
        return f"b{self.count}"

    def _fill(self, account: int, row: Row) -> None:
        """Fill at the touch: often back to nothing, and through it where accounts net."""
        spec, exec_id, random = self._truth.accounts[account], self._next(), self._random
        paper = self._truth.papers[row.symbol]
        hedging = spec.position_mode is PositionMode.HEDGING
        number = random.randrange(len(LEGS)) if hedging else 0
        leg = 2 * account + number
        held = paper.legs[leg].lots
        lots = random.choice((-1, 1)) * random.randint(1, self._day.lots_max)
        if held and random.random() < 0.3:
            lots = -held
        if hedging and held * lots < 0:  # What is more than it holds would go to another leg.
            lots = -held if abs(lots) > abs(held) else lots
        price, fee = row.ask if lots > 0 else row.bid, random.choice(FEES)
        if paper.settlement == "BTC":
            fee = 0 if fee < 0 else fee // 100  # Of a hundredth of a bitcoin.
        answer = self._house.send(
            Fill(
                account=spec.id,
                exec_id=exec_id,
                symbol=row.symbol,
                side=Side.BUY if lots > 0 else Side.SELL,
                quantity=float(abs(lots)),
                price=float(price),
                fee=fee / 100,
                position_id=LEGS[number] if hedging else None,
            )
        )
        assert isinstance(answer, Ack)
        deal, at = Deal(Decimal(lots), price), len(paper.marks)
        dealt = Dealt(exec_id, deal, fee * MONEY // 100, at, self._truth.days)
        self._truth.fill(leg, row.symbol, dealt, self._house.stamp.recv_ns)

    def _bust(self, account: int, symbol: str) -> None:
        """Take back one of the last executions; of a hedging account the very last of a leg."""
        spec, paper = self._truth.accounts[account], self._truth.papers[symbol]
        hedging = spec.position_mode is PositionMode.HEDGING
        leg = 2 * account + (self._random.randrange(2) if hedging else 0)
        dealt = paper.legs[leg].dealt[-1 if hedging else -LAST_ONES :]
        if not dealt:
            return
        exec_id = self._random.choice(dealt).exec_id
        answer = self._house.send(FillBust(account=spec.id, exec_id=exec_id))
        assert isinstance(answer, Ack)
        assert not answer.flags, answer
        self._next()
        self._truth.bust(leg, symbol, exec_id, self._house.stamp.recv_ns)

    def _transfer(self, account: int) -> None:
        name, amount = self._next(), self._random.randint(-20_000, 20_000)
        spec = self._truth.accounts[account]
        self._house.send(Transfer(account=spec.id, transfer_id=name, amount=float(amount)))
        self._truth.transfer(account, amount * MONEY, self._house.stamp.recv_ns)

    def _fund(self, account: int, symbol: str) -> None:
        name, amount = self._next(), self._random.randint(-500, 500)
        spec = self._truth.accounts[account]
        self._house.send(
            Funding(account=spec.id, funding_id=name, symbol=symbol, amount=amount / 100)
        )
        money = amount * MONEY // 100
        self._truth.fund(account, symbol, money, self._house.stamp.recv_ns)

    def _order(self, account: int, row: Row) -> None:
        """Let an order rest: it counts in what could be, and in the turnover."""
        spec, name, lots = self._truth.accounts[account], self._next(), self._random.randint(1, 9)
        buys = self._random.random() < 0.5
        price = row.bid if buys else row.ask
        price -= price % Decimal(self._truth.papers[row.symbol].spec.tick_size)
        answer = self._house.send(
            Check(
                account=spec.id,
                client_order_id=name,
                symbol=row.symbol,
                side=Side.BUY if buys else Side.SELL,
                quantity=float(lots),
                price=float(price),
                time_in_force=TimeInForce.GTC,
            )
        )
        assert isinstance(answer, Verdict)
        if not answer.approved:
            return  # It has no margin left for it.
        worked = lots * abs(self._truth.papers[row.symbol].unit(price))
        self.working[account][name] = (row.symbol, "buys" if buys else "sells", lots, worked)
        self._count(account, name, 1)

    def _cancel(self, account: int) -> None:
        if not self.working[account]:
            return
        name = next(iter(self.working[account]))
        self._house.send(
            OrderReport(
                account=self._truth.accounts[account].id,
                client_order_id=name,
                status=OrderStatus.CANCELED,
                report_id=self._next(),
            )
        )
        self._count(account, name, -1)
        del self.working[account][name]

    def _count(self, account: int, name: str, sign: int) -> None:
        symbol, side, lots, worked = self.working[account][name]
        paper = self._truth.papers[symbol]
        paper.sums[side][account] += sign * lots
        paper.worked[account] += sign * worked
