"""What makes an order fail by each code, and a scene in which some of that is so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec.structs import replace

from riskd.codes import RejectCode as R
from riskd.messages import (
    ActorFailed,
    Configure,
    DuplicateOrders,
    GroupSpec,
    Hello,
    Kill,
    LimitSet,
    LimitsSpec,
    MarginModel,
    MarketPhase,
    MarketState,
    OrderRule,
    OrderType,
    Permissions,
    SelfMatch,
    Side,
    Tick,
    Trip,
    Universe,
    Verdict,
)
from tests.builders import (
    INSTRUMENTS,
    QUOTES,
    SECOND,
    StampedCore,
    a_fill,
    an_account,
    an_order,
    codes_of,
)


class Cause(NamedTuple):
    """What makes an order of fifty X at 200, in a market at 100, fail by one code."""

    limits: dict[str, Any] = {}
    order: dict[str, Any] = {}
    account: dict[str, Any] = {}
    before: tuple[Any, ...] = ()  # Messages, before the limits are in force.
    after: tuple[Any, ...] = ()  # Messages, once they are.
    restricted: tuple[OrderRule, ...] = ()
    group: dict[str, Any] = {}
    quotes: Callable[[StampedCore], None] | None = None


LOSS = a_fill("loss", "buy", 10, 60.0, symbol="Y")  # A hundred, at 50.


def an_exit(order_id: str, symbol: str) -> tuple[Any, ...]:
    """A lot, and an order that closes it: nothing refuses that."""
    bought = a_fill(order_id, "buy", 1, 50.0, symbol=symbol)
    return bought, an_order(order_id, "sell", 1, symbol=symbol)


def grow_old(house: StampedCore) -> None:
    house.elapse(100 * SECOND)


CAUSES: dict[R, Cause] = {  # In the documented order: sections 4.3 to 4.17 of risk.md.
    R.MALFORMED: Cause(order={"price": None}),
    R.VALUE_INVALID: Cause(order={"quantity": 0.0}),
    R.UNKNOWN_ACCOUNT: Cause(order={"account": "nobody"}),
    R.UNKNOWN_SYMBOL: Cause(order={"symbol": "NOPE"}),
    R.NOT_PERMITTED: Cause(restricted=(OrderRule(symbol="X", side=Side.BUY),)),
    R.KILLED: Cause(after=(Kill(scope="firm"),)),
    R.BREAKER_OPEN: Cause(after=(Trip(scope="account", scope_id="A1"),)),
    R.ACCOUNT_FROZEN: Cause(after=(ActorFailed(account="A1", reason="drill"),)),
    R.MARKET_CLOSED: Cause(after=(MarketState(symbol="X", state=MarketPhase.HALTED),)),
    R.REDUCE_ONLY: Cause(order={"reduce_only": True}),
    R.SLOWED: Cause(
        after=(
            Trip(scope="symbol", scope_id="X", action="slow", spacing_ms=3_600_000),
            an_order("slow", "sell"),
        )
    ),
    R.DAILY_LOSS: Cause({"daily_loss": 1}, after=(LOSS,)),
    R.DRAWDOWN: Cause({"drawdown_day_pct": 0.001}, after=(LOSS,)),
    R.PRICE_OFF_TICK: Cause(order={"order_type": OrderType.STOP_LIMIT, "stop_price": 9.000_000_1}),
    R.QUANTITY_OFF_LOT: Cause(order={"quantity": 50.5}),
    R.NO_REFERENCE_PRICE: Cause(order={"symbol": "UNQUOTED"}),
    R.STALE_PRICE: Cause(quotes=grow_old),
    R.PRICE_COLLAR: Cause({"price_collar_pct": 5}),
    R.ORDER_QUANTITY: Cause({"order_quantity": 1}),
    R.ORDER_NOTIONAL: Cause({"order_notional": 1}),
    R.POSITION_LIMIT: Cause({"position_quantity": 1}),
    R.GROSS_EXPOSURE: Cause({"gross_exposure": 1}),
    R.NET_EXPOSURE: Cause({"net_exposure": 1}),
    R.CURRENCY_EXPOSURE: Cause({"currency_exposure": {"EUR": 1.0}}, {"symbol": "EURUSD"}),
    R.OPEN_ORDERS: Cause({"open_orders": 0}),
    R.TURNOVER: Cause({"turnover": 1}),
    R.CONCENTRATION: Cause({"concentration_pct": 0.001}),
    R.CORRELATED_EXPOSURE: Cause({"correlated_exposure_pct": 0.001}),
    R.LEVERAGE: Cause({"leverage": 0.000_01}),
    R.MARGIN: Cause(account={"balance": 10.0, "margin_model": MarginModel.RATE}),
    R.BUYING_POWER: Cause(account={"balance": 10.0, "margin_model": MarginModel.NONE}),
    R.RISK_PER_TRADE: Cause({"risk_per_trade_pct": 0.0001}, {"stop_loss": 1.0}),
    R.SELF_MATCH: Cause({"self_match": SelfMatch.REJECT}, before=an_exit("resting", "X")),
    R.DUPLICATE_CONTENT: Cause(
        {"duplicate_orders": DuplicateOrders(count=1, window_ms=3_600_000)},
        after=("the same",),
    ),
    R.REPEATED_EXECUTION: Cause({"repeated_executions": 0}, {"strategy": "s"}),
    R.RATE_LIMIT: Cause({"orders_per_second": 0}),
    R.GROUP_LIMIT: Cause(group={"gross_exposure": 1}),
    R.FX_MISSING: Cause(account={"currency": "NOK"}),
    R.UNRECONCILED: Cause(before=an_exit("early", "Y"), after=(Hello(gateway="G"),)),
    R.DEADLINE: Cause(order={"deadline_ns": 1}),
}


EARLY = (R.MALFORMED, R.VALUE_INVALID, R.UNKNOWN_ACCOUNT, R.UNKNOWN_SYMBOL)


def of_symbol(message: Any, symbol: str) -> Any:
    """Return a message about X as one about the order's symbol."""
    changed = {
        name: symbol for name in ("symbol", "scope_id") if getattr(message, name, None) == "X"
    }
    return replace(message, **changed)


class Scene:
    """Everything of some causes is so, in one house; and the order that they are about."""

    def __init__(self, *codes: R, short: int = 0) -> None:
        """`short` are lots of the symbol that are owed, and that the order would buy back."""
        self.causes = [CAUSES[code] for code in codes]
        self.house = StampedCore()
        self.session = 0
        self.order: dict[str, Any] = {"quantity": 50, "price": 200.0, "symbol": "X"}
        for cause in reversed(self.causes):  # Where both ask for something, the first has it.
            self.order |= cause.order
        if self.order.get("order_type") is not OrderType.STOP_LIMIT:
            self.order.pop("stop_price", None)
        self._open(short)
        for cause in self.causes:
            for message in cause.after:
                self._send(message)
            if cause.quotes is not None:
                cause.quotes(self.house)

    def _open(self, short: int) -> None:
        universe = Universe(
            instruments=(*INSTRUMENTS, replace(INSTRUMENTS[0], symbol="UNQUOTED")),
            groups=(GroupSpec(id="desk"),),
            accounts=(an_account(**{"group": "desk", **self._merged("account")}),),
        )
        self.house.send(Configure(universe=universe))
        for symbol, (bid, ask) in QUOTES.items():
            self.house.send(Tick(symbol=symbol, bid=bid, ask=ask))
        if short:
            self._send(a_fill("short", "sell", short))
        for cause in self.causes:
            for message in cause.before:
                self._send(message)
        group = {"desk": LimitsSpec(**self._merged("group"))}
        limits = LimitSet(default=LimitsSpec(**self._merged("limits")), group=group)
        rules = (rule for cause in self.causes for rule in cause.restricted)
        restricted = tuple(of_symbol(rule, self.order["symbol"]) for rule in rules)
        permissions = Permissions(restricted=restricted)
        self.house.send(
            Configure(universe=replace(universe, limits=limits, permissions=permissions))
        )

    def _merged(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for cause in self.causes:
            found |= getattr(cause, name)
        return found

    def _send(self, message: Any) -> None:
        if message == "the same":
            message = an_order("the same", **self.order)
        elif self.order["symbol"] != "NOPE":
            message = of_symbol(message, self.order["symbol"])
        answer = self.house.send(message)
        if isinstance(message, Hello):
            self.session = answer.session

    def ask(self, order_id: str, *, explain: bool = False) -> Verdict:
        """Return the verdict on the order for which all of this is wrong."""
        order = an_order(order_id, explain=explain, **self.order)
        verdict: Verdict = self.house.send(order, session=self.session)
        return verdict

    def codes(self, order_id: str, *, explain: bool) -> list[str]:
        """Return the codes of its verdict."""
        return codes_of(self.ask(order_id, explain=explain))
