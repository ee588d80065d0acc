"""The gate against a slow one written apart: any sequence, every reason, every total.

Mutants of the engine that this was seen to catch, each by hand: what is filled counted in the
leaves of a change; reducing without looking at working exits; every order grows; what a symbol came
to before not taken off gross; net at its limit refused; concentration at its floor refused, or of
gross alone; margin at equity refused; a short sale of one lot from a cash account; a change counted
as one more order of the account, of the group; growth of a group measured from the position; a
group at its limit refused; a group's short side moved by its long one; its orders told as a sum;
a change taken leaves older ones in flight; the newest change in flight taken for the largest; a
change merged with the order instead of with the newest change; max_quantity one lot short.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from riskd.messages import (
    Amend,
    Configure,
    FillBust,
    GroupSpec,
    LimitSet,
    LimitsSpec,
    MarginModel,
    SessionRoll,
    Tick,
    Transfer,
    Universe,
    Verdict,
)
from tests.builders import (
    EURUSD,
    MONEY,
    OTHER_STOCK,
    STOCK,
    StampedCore,
    a_fill,
    a_report,
    an_account,
    an_order,
)
from tests.engine.slow_account import SlowAccount, SlowCase, SlowFill, SlowGate, SlowOrder

PRICES = {  # Marks, and prices of orders and fills; rates of the euro have exact inverses.
    "X": (100.0, 80.0, 125.0, 90.0),
    "Y": (50.0, 40.0, 64.0, 10.0),
    "EURUSD": (1.25, 1.0, 1.6, 2.0),
}
QUARTER = (replace(STOCK, initial_margin=0.25), OTHER_STOCK, EURUSD)
GROUPS = (GroupSpec(id="outer"), GroupSpec(id="inner", parent="outer"), GroupSpec(id="other"))
SPECS = (
    an_account("A1", 600.0, group="inner", margin_model=MarginModel.RATE),
    an_account("A2", 2000.0, group="inner", margin_model=MarginModel.NONE),
    # What is odd here keeps what is rounded in euro away from exactly a limit.
    an_account("B1", 1000.000_123, group="other", currency="EUR", leverage=4.0),
)
NAMES = tuple(spec.id for spec in SPECS)
ABOVE = {"inner": ("inner", "outer", "firm"), "other": ("other", "firm")}

LIMITS = {  # From, to, and the step between: often exactly at what round orders come to.
    "order_notional": (200, 1200, 100),
    "position_notional": (200, 1500, 100),
    "gross_exposure": (300, 2500, 50),
    "net_exposure": (100, 2000, 50),
    "currency_exposure": (5, 60, 5),
    "open_orders": (1, 6, 1),
    "turnover": (500, 5000, 100),
    "concentration_pct": (20, 90, 10),
    "concentration_floor": (100, 500, 100),
    "leverage": (1, 3, 1),
    "risk_per_trade_pct": (2, 20, 1),
}
GROUP_LIMITS = {
    "position_quantity": (4, 25, 1),
    "gross_exposure": (500, 4000, 50),
    "net_exposure": (100, 3000, 50),
    "open_orders": (2, 12, 1),
    "turnover": (1000, 8000, 100),
}
KINDS: tuple[str, ...] = (
    ("order",) * 10 + ("amend",) * 5 + ("fill",) * 5 + ("answer",) * 4 + ("end",) * 2
)
KINDS = (*KINDS, "stray", "stray", "bust", "tick", "tick", "transfer", "roll", "limits")
STEPS_COUNT = 60


def random_limits(random: Random) -> list[dict[str, int]]:
    """Return some limits for every account, for `outer`, for `other` and for the firm."""

    def table(ranges: dict[str, tuple[int, int, int]], share: float) -> dict[str, int]:
        chosen = [key for key in ranges if random.random() < share]
        return {key: random.randrange(*ranges[key]) for key in chosen}

    return [table(LIMITS, 0.15), *(table(GROUP_LIMITS, 0.15) for _ in range(3))]


def random_step(random: Random) -> tuple[Any, ...]:
    """Return one thing that happens, and to whom."""
    kind, number, account = random.choice(KINDS), random.randrange(60), random.choice(NAMES)
    symbol, lots = random.choice(("X", "Y", "EURUSD")), random.randint(1, 12)
    traded = (account, symbol, random.choice(("buy", "sell")))
    return {
        "order": (kind, traded, lots, number),
        "amend": (kind, number, random.randint(0, 14), random.randrange(60)),
        "fill": (kind, number, random.randint(1, 6)),
        "answer": (kind, number, random.random() < 0.7),
        "stray": (kind, traded, lots, number),
        "tick": (kind, symbol, number),
        "transfer": (kind, account, random.randint(-5, 5)),
        "limits": (kind, random_limits(random)),
    }.get(kind, (kind, number))


class Pair:
    """The engine and the slow gate, told the same and compared after every step."""

    def __init__(self, limits: Any) -> None:
        self.house = StampedCore()
        self.count = 0
        self.gate = SlowGate(
            accounts={
                spec.id: SlowAccount(
                    currency=spec.currency,
                    groups=ABOVE[spec.group],
                    paid_in=Fraction(str(spec.balance)),
                    margin=dict.fromkeys(PRICES, Fraction(1, 4 if spec.id == "B1" else 1)),
                    pays_in_full=spec.margin_model is MarginModel.NONE,
                )
                for spec in SPECS
            },
            marks={symbol: Fraction(str(prices[0])) for symbol, prices in PRICES.items()},
        )
        self.gate.accounts["A1"].margin["X"] = Fraction(1, 4)
        self.limits(limits)
        for symbol, prices in PRICES.items():
            self.house.send(Tick(symbol=symbol, bid=prices[0], ask=prices[0]))

    def step(self, name: str, *told: Any) -> None:
        self.count += 1
        getattr(self, name)(*told)
        self.compare()

    def limits(self, told: Any) -> None:
        default, inner, other, firm = told
        spec: dict[str, Any] = dict(default)
        if "currency_exposure" in spec:
            spec["currency_exposure"] = dict.fromkeys(("EUR", "USD"), spec["currency_exposure"])
        limits = LimitSet(
            default=LimitsSpec(**spec),
            firm=LimitsSpec(**firm),
            group={"outer": LimitsSpec(**inner), "other": LimitsSpec(**other)},
        )
        universe = Universe(instruments=QUARTER, groups=GROUPS, accounts=SPECS, limits=limits)
        self.house.send(Configure(universe=universe))
        for account in self.gate.accounts.values():
            account.limits = {key: Fraction(value) for key, value in default.items()}
        tables = {"outer": inner, "other": other, "firm": firm}
        self.gate.group_limits = {
            name: {key: Fraction(value) for key, value in table.items()}
            for name, table in tables.items()
        }

    def order(self, traded: tuple[str, str, str], lots: int, number: int) -> None:
        account, symbol, side = traded
        price = PRICES[symbol][number % 4]
        stop = None if number % 3 else PRICES[symbol][1]
        order_id = f"o-{self.count}"
        told = {"account": account, "symbol": symbol, "price": price, "stop_loss": stop}
        verdict = self.house.send(an_order(order_id, side, lots, explain=True, **told))
        slow = SlowOrder(
            account,
            symbol,
            side,
            Fraction(lots),
            Fraction(str(price)),
            None if stop is None else Fraction(str(stop)),
        )
        expected = SlowCase(self.gate, slow).reasons()
        assert list(dict.fromkeys(reject.code for reject in verdict.rejects)) == expected
        self.check_most(verdict, slow, None)
        if verdict.approved:
            self.gate.orders[order_id] = slow

    def check_most(self, verdict: Verdict, slow: SlowOrder, old: SlowOrder | None) -> None:
        """What would pass passes the slow gate too, and one lot more does not."""
        if verdict.binding_limit is None or verdict.max_quantity is None:
            return
        for more in (0, 1):
            quantity = Fraction(verdict.max_quantity) + more
            if verdict.max_quantity == 0 and old is not None:
                quantity += old.filled
            if quantity:
                asked = SlowOrder(slow.account, slow.symbol, slow.side, quantity, slow.price)
                asked.stop = slow.stop
                reasons = SlowCase(self.gate, asked, old).reasons()
                refused = more == 1 or verdict.max_quantity == 0
                assert bool(reasons) is refused

    def amend(self, number: int, lots: int, priced: int) -> None:
        if not self.gate.orders:
            return
        order_id = self.picked(number)
        old, new_id = self.gate.orders[order_id], f"c-{self.count}"
        price = None if priced % 2 and lots else PRICES[old.symbol][priced % 4]
        sent = old.changes[-1][2] if old.changes and number % 2 else order_id
        message = Amend(
            account=old.account,
            client_order_id=sent,
            new_client_order_id=new_id,
            quantity=float(lots) if lots else None,
            price=price,
        )
        verdict = self.house.send(message)
        if old.ended:
            assert [reject.code for reject in verdict.rejects] == ["MALFORMED"]
            return
        quantity, kept, _ = old.changes[-1] if old.changes else (old.quantity, old.price, "")
        quantity = Fraction(lots) if lots else quantity
        kept = kept if price is None else Fraction(str(price))
        slow = SlowOrder(old.account, old.symbol, old.side, quantity, kept, old.stop)
        expected = SlowCase(self.gate, slow, old).reasons()[:1]
        assert [reject.code for reject in verdict.rejects] == expected
        self.check_most(verdict, slow, old)
        if verdict.approved:
            old.changes.append((quantity, kept, new_id))

    def picked(self, number: int) -> str:
        """Most often one that works."""
        working = [key for key, order in self.gate.orders.items() if not order.ended]
        known = working if working and number % 8 else [*self.gate.orders]
        return known[number % len(known)]

    def fill(self, number: int, lots: int) -> None:
        if self.gate.orders:
            order_id = self.picked(number)
            order = self.gate.orders[order_id]
            traded = (order.account, order.symbol, order.side)
            self.stray(traded, lots, number, order_id)
            order.filled += lots
            self.gate.end_if_done(order)

    def stray(
        self, traded: tuple[str, str, str], lots: int, number: int, order_id: str | None = None
    ) -> None:
        account, symbol, side = traded
        price, exec_id = PRICES[symbol][number % 4], f"e-{self.count}"
        told = {"account": account, "symbol": symbol, "client_order_id": order_id}
        self.house.send(a_fill(exec_id, side, lots, price, **told))
        signed = Fraction(lots if side == "buy" else -lots)
        self.gate.fills[exec_id] = SlowFill(account, symbol, signed, Fraction(str(price)))

    def end(self, number: int) -> None:
        if self.gate.orders:
            order_id = self.picked(number)
            order = self.gate.orders[order_id]
            told = {"account": order.account}
            self.house.send(a_report(order_id, "canceled", f"r-{self.count}", **told))
            order.ended = True
            order.changes.clear()

    def answer(self, number: int, taken: bool) -> None:
        flying = [
            (order, change) for order in self.gate.orders.values() for change in order.changes
        ]
        if not flying:
            return
        order, change = flying[number % len(flying)]
        status = "replaced" if taken else "replace_rejected"
        told = {"account": order.account}
        self.house.send(a_report(change[2], status, f"r-{self.count}", **told))
        index = order.changes.index(change)
        if taken:
            order.quantity, order.price = change[:2]
            del order.changes[: index + 1]
        else:
            del order.changes[index]
        self.gate.end_if_done(order)

    def bust(self, number: int) -> None:
        if self.gate.fills:
            exec_id = [*self.gate.fills][number % len(self.gate.fills)]
            fill = self.gate.fills[exec_id]
            self.house.send(FillBust(account=fill.account, exec_id=exec_id))
            fill.busted = True

    def tick(self, symbol: str, number: int) -> None:
        price = PRICES[symbol][number % 4]
        self.house.send(Tick(symbol=symbol, bid=price, ask=price))
        self.gate.marks[symbol] = Fraction(str(price))

    def transfer(self, account: str, hundreds: int) -> None:
        if hundreds:
            amount, transfer_id = hundreds * 100.0, f"t-{self.count}"
            self.house.send(Transfer(account=account, transfer_id=transfer_id, amount=amount))
            self.gate.accounts[account].paid_in += hundreds * 100

    def roll(self, _: int) -> None:
        self.house.send(SessionRoll())
        for fill in self.gate.fills.values():
            fill.today = False

    def compare(self) -> None:
        """Positions, reservations, equity, turnover and the totals of every group."""
        gate, core = self.gate, self.house.core
        for name in NAMES:
            account = core.accounts[name]
            assert account.state.frozen == ""
            assert account.valuation.refresh() is None
            assert abs(account.valuation.equity_money - gate.equity(name) * MONEY) <= 5
            assert len(account.state.orders) == len([*gate.working(name)])
            traded = account.turnover_money()
            assert traded is not None
            assert abs(traded - gate.turnover(name) * gate.rate(name) * MONEY) <= 2
            for symbol in PRICES:
                position = account.position(symbol)
                longest, shortest = gate.worst(name, symbol)
                assert position.worst_long_lots() == longest
                assert position.worst_short_lots() == shortest
                assert position.books.lots == gate.held(name, symbol)
        if core.boards.group_limits:
            for group in ("inner", "outer", "other", "firm"):
                assert self.totals(group) == self.sums(group)

    def totals(self, group: str) -> list[tuple[Any, ...]]:
        total = self.house.core.boards.group_totals[group]
        held = [total.symbols.get(symbol) for symbol in PRICES]
        return [(x.upper_lots, x.lower_lots, x.gross_lots) if x else (0, 0, 0) for x in held]

    def sums(self, group: str) -> list[tuple[Any, ...]]:
        members = [name for name, x in self.gate.accounts.items() if group in x.groups]
        found = []
        for symbol in PRICES:
            worst = [self.gate.worst(name, symbol) for name in members]
            sides = (sum(x[side] for x in worst) for side in (0, 1))
            gross = sum(max(abs(x[0]), abs(x[1])) for x in worst)
            found.append((*sides, gross))
        return found


@settings(max_examples=80)
@given(st.integers(0, 2**32))
def test_gate_agrees_with_the_slow_one_after_any_sequence(seed):
    random = Random(seed)
    pair = Pair(random_limits(random))
    for _ in range(STEPS_COUNT):
        pair.step(*random_step(random))
