"""Real engines, orders, fills and ticks for tests: nothing is faked, every default is harmless."""

from __future__ import annotations

from typing import Any

from engine.account_state import AccountState
from engine.core import Core, Input, Topical
from engine.digest import books_digest, state_digest
from engine.facts import Stamp
from engine.ledger import Position
from riskd.messages import (
    AccountSpec,
    Alert,
    Check,
    Configure,
    Elapse,
    Fill,
    InstrumentKind,
    InstrumentSpec,
    LimitSet,
    LimitsSpec,
    MarginModel,
    OrderReport,
    OrdersPush,
    OrderStatus,
    Permissions,
    RiskSettings,
    Side,
    Tick,
    Universe,
    Verdict,
)

WALL_NS = 1_700_000_000_000_000_000
STEADY_NS = 5_000_000_000_000
MS = 1_000_000
SECOND = 1000 * MS
MONEY = 10**12  # One unit of a currency.
WAKES_MAX = 1000  # Of one stretch of time; more would mean that one is asked for again and again.

STOCK = InstrumentSpec(symbol="X", currency="USD")
OTHER_STOCK = InstrumentSpec(symbol="Y", currency="USD")
YEN_STOCK = InstrumentSpec(symbol="J", currency="JPY", tick_size="1")
EURUSD = InstrumentSpec(
    symbol="EURUSD", kind=InstrumentKind.FX, base="EUR", currency="USD", tick_size="0.00001"
)
USDJPY = InstrumentSpec(
    symbol="USDJPY", kind=InstrumentKind.FX, base="USD", currency="JPY", tick_size="0.001"
)
BTCUSD = InstrumentSpec(symbol="BTCUSD", kind=InstrumentKind.FX, base="BTC", currency="USD")
PERPETUAL = InstrumentSpec(  # One contract is 100 dollars of bitcoin, paid in bitcoin.
    symbol="P",
    kind=InstrumentKind.INVERSE,
    currency="USD",
    settlement="BTC",
    tick_size="0.5",
    multiplier="100",
)
SPREAD = InstrumentSpec(symbol="S", currency="USD", tick_size="0.1", allow_negative=True)
TOKEN = InstrumentSpec(symbol="T", currency="USD", tick_size="0.01", lot_size="1e-8")
INSTRUMENTS = (STOCK, OTHER_STOCK, YEN_STOCK, EURUSD, USDJPY, BTCUSD, PERPETUAL, SPREAD, TOKEN)
QUOTES: dict[str, tuple[float, float]] = {
    "X": (100.0, 100.0),
    "Y": (50.0, 50.0),
    "J": (1000.0, 1000.0),
    "EURUSD": (1.25, 1.25),
    "USDJPY": (100.0, 100.0),
    "BTCUSD": (50_000.0, 50_000.0),
    "P": (50_000.0, 50_000.0),
    "S": (10.0, 10.0),
    "T": (2000.0, 2000.0),
}


class StampedCore:
    """A core that gets its inputs stamped: `seq` counts up, both clocks go on by `after_ns`."""

    def __init__(self, core: Core | None = None) -> None:
        self.core = core or Core()
        self.stamp = Stamp(0, WALL_NS, STEADY_NS)
        self.inputs: list[tuple[Input, Stamp]] = []
        self.published: list[Topical] = []
        self.said: list[tuple[int, OrdersPush]] = []

    def send(self, message: Input, after_ns: int = 1000, session: int = 0) -> Any:
        """Apply one input, of a gateway's session if one is given, and return its answer."""
        seq, recv_ns, steady_ns, _ = self.stamp
        stamp = Stamp(seq + 1, recv_ns + after_ns, steady_ns + after_ns, session)
        return self.send_at(message, stamp)

    def send_at(self, message: Input, stamp: Stamp) -> Any:
        """Apply one input with this stamp and return its answer."""
        self.stamp = stamp
        self.inputs.append((message, stamp))
        answer = self.core.apply(message, stamp)
        self.published += self.core.published
        self.said += [(said.session, said.message) for said in self.core.said]
        return answer

    def send_all(self, *messages: Input) -> list[Any]:
        """Apply inputs in order and return their answers."""
        return [self.send(message) for message in messages]

    def elapse(self, after_ns: int) -> None:
        """Let time pass as riskd does: an `elapse` at each instant that something waits for."""
        end_ns = self.stamp.steady_ns + after_ns
        woken = 0
        while (due_ns := self.core.due_ns()) is not None and due_ns <= end_ns:
            self.send(Elapse(), max(0, due_ns - self.stamp.steady_ns))
            woken += 1
            assert woken <= WAKES_MAX, "what is due must be done when it is due"
        self.send(Elapse(), end_ns - self.stamp.steady_ns)

    def catch_up(self) -> int:
        """Let who waits have their turns, as riskd does between orders; return how many inputs."""
        passes = 0
        while self.core.boards.is_behind():
            self.send(Elapse())
            passes += 1
            assert passes <= WAKES_MAX, "each pass must take some on"
        return passes

    def account(self, account: str = "A1") -> AccountState:
        """Return an account's state."""
        return self.core.accounts[account].state

    def position(self, symbol: str = "X", account: str = "A1") -> Position:
        """Return a position; an untouched one is flat."""
        return self.core.accounts[account].position(symbol)

    def alerts(self, alert_type: str) -> list[Alert]:
        """Return what was published of one type of alert."""
        found = [topical.message for topical in self.published]
        return [x for x in found if isinstance(x, Alert) and x.alert_type == alert_type]

    def books(self) -> str:
        """Return the hash of all books."""
        return books_digest(self.core.state())

    def digest(self) -> str:
        """Return the hash of the whole state."""
        return state_digest(self.core.state())


def a_universe(
    limits: LimitsSpec | LimitSet | None = None,
    *,
    accounts: tuple[AccountSpec, ...] | None = None,
    instruments: tuple[InstrumentSpec, ...] = INSTRUMENTS,
    settings: RiskSettings | None = None,
    permissions: Permissions | None = None,
) -> Universe:
    """Return everything declared: by default no limits, and A1 and A2 with 1,000,000 USD each."""
    if not isinstance(limits, LimitSet):
        limits = LimitSet(default=limits or LimitsSpec())
    default = (an_account("A1"), an_account("A2"))
    return Universe(
        settings=settings or RiskSettings(),
        instruments=instruments,
        accounts=default if accounts is None else accounts,
        limits=limits,
        permissions=permissions or Permissions(),
    )


def a_core(
    limits: LimitsSpec | LimitSet | None = None,
    *,
    quotes: dict[str, tuple[float, float]] | None = None,
    accounts: tuple[AccountSpec, ...] | None = None,
    instruments: tuple[InstrumentSpec, ...] = INSTRUMENTS,
    settings: RiskSettings | None = None,
    permissions: Permissions | None = None,
) -> StampedCore:
    """Return a configured core with fresh quotes (bid, ask); `quotes={}` is a market unseen."""
    stamped = StampedCore()
    universe = a_universe(
        limits,
        accounts=accounts,
        instruments=instruments,
        settings=settings,
        permissions=permissions,
    )
    stamped.send(Configure(universe=universe))
    for symbol, (bid, ask) in (QUOTES if quotes is None else quotes).items():
        stamped.send(Tick(symbol=symbol, bid=bid, ask=ask))
    return stamped


def an_account(account: str = "A1", balance: float = 1_000_000.0, **fields: Any) -> AccountSpec:
    """Return an account's declaration, with so much leverage that margin decides nothing."""
    told: dict[str, Any] = {"margin_model": MarginModel.LEVERAGE, "leverage": 1e9} | fields
    return AccountSpec(id=account, balance=balance, **told)


def an_order(order_id: str = "o-1", side: str = "buy", quantity: float = 1, **fields: Any) -> Check:
    """Return a limit order of A1 in X at 100; `price=None` leaves the price out."""
    told: dict[str, Any] = {"account": "A1", "symbol": "X", "price": 100.0} | fields
    return Check(client_order_id=order_id, side=Side(side), quantity=float(quantity), **told)


def a_fill(
    exec_id: str = "e-1",
    side: str = "buy",
    quantity: float = 1,
    price: float = 100.0,
    **fields: Any,
) -> Fill:
    """Return a fill of A1 in X that names no order."""
    told: dict[str, Any] = {"account": "A1", "symbol": "X"} | fields
    return Fill(
        exec_id=exec_id, side=Side(side), quantity=float(quantity), price=float(price), **told
    )


def a_report(order_id: str, status: str, report_id: str = "r-1", **fields: Any) -> OrderReport:
    """Return what the venue says of an order of A1."""
    return OrderReport(
        account=fields.pop("account", "A1"),
        client_order_id=order_id,
        status=OrderStatus(status),
        report_id=report_id,
        **fields,
    )


def codes_of(verdict: Verdict) -> list[str]:
    """Return the reject codes of a verdict, in its order; an approval has none."""
    assert isinstance(verdict, Verdict)
    assert verdict.approved is (not verdict.rejects)
    return [str(reject.code) for reject in verdict.rejects]
