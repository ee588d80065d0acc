"""Random but repeatable inputs of every kind, good and bad, as a door would stamp them."""

from __future__ import annotations

from math import nan
from random import Random
from typing import Any

import msgspec
from msgspec.structs import replace

from engine.core import Input
from engine.facts import Stamp
from riskd.codec import (
    control_codec,
    encode_msgpack,
    internal_codec,
    orders_codec,
    ticks_codec,
)
from riskd.messages import (
    AccountAdd,
    AccountRemove,
    AccountUnfreeze,
    ActorFailed,
    AlertAck,
    AlertSettings,
    Amend,
    Basket,
    Check,
    Configure,
    CostMethod,
    DayBegan,
    DuplicateOrders,
    Elapse,
    FillBust,
    FillCorrect,
    Funding,
    GroupSpec,
    Hello,
    InstructionReport,
    InstrumentAdd,
    Kill,
    LimitSet,
    LimitsSpec,
    LimitValue,
    MarketPhase,
    MarketState,
    OrderRelease,
    OrderType,
    PositionMode,
    PositionReport,
    PriceMove,
    Reset,
    Resynced,
    RiskSettings,
    SelfMatch,
    SessionLost,
    SessionRoll,
    Sweep,
    Tick,
    Ticks,
    TimeInForce,
    Transfer,
    Trip,
    Universe,
    Unkill,
    VenuePosition,
    VerdictVoid,
)
from tests.builders import (
    MS,
    QUOTES,
    SECOND,
    STEADY_NS,
    STOCK,
    WALL_NS,
    a_fill,
    a_report,
    a_universe,
    an_account,
    an_order,
)

ACCOUNTS = ("A1", "A2", "A3", "ghost", "NEW")
SYMBOLS = (*QUOTES, "NEWSYM")
LIMITS = LimitSet(
    default=LimitsSpec(
        order_quantity=40,
        order_notional=LimitValue(value=60_000, hard=False),
        position_quantity=60,
        gross_exposure=2_000_000,
        currency_exposure={"EUR": 900_000.0},
        daily_loss=50_000,
        drawdown_day_pct=4,
        drawdown_max_pct=20,
        margin_warning_pct=5e9,
        margin_critical_pct=2e9,
        concentration_pct=90,
        leverage=50,
        open_orders=25,
        price_collar_pct=5,
        price_move=PriceMove(window_ms=300, pct=20),
        orders_per_second=20,
        duplicate_orders=DuplicateOrders(count=8, window_ms=500),
    ),
    firm=LimitsSpec(gross_exposure=3_000_000, open_orders=60),
    group={"desk": LimitsSpec(position_quantity=90, net_exposure=1_500_000)},
    account={
        "A2": LimitsSpec(order_quantity=30),
        "A3": LimitsSpec(self_match=SelfMatch.CANCEL_BOTH),
    },
)


def a_random_universe(random: Random) -> Universe:
    """Three accounts in two currencies and a group, with limits that are sometimes reached."""
    tight = LimitsSpec(
        order_quantity=random.randint(10, 60), orders_per_second=random.randint(5, 30)
    )
    accounts = (
        an_account("A1", group="desk"),
        an_account("A2", group="desk", currency="EUR", cost_method=CostMethod.FIFO),
        an_account("A3", 50_000.0, position_mode=PositionMode.HEDGING),
    )
    universe = a_universe(replace(LIMITS, firm=tight), accounts=accounts)
    old_ms = random.choice([2000, 60_000])
    alerts = AlertSettings(
        escalate_medium_ms=50,
        escalate_high_ms=300,
        escalate_critical_ms=200,
        feed_silence=True,
        reject_ratio_pct=40.0,
        reject_orders_min=5,
    )
    settings = RiskSettings(
        mark=random.choice(["mid", "closing"]),
        reservation_ms=random.choice([500, 2000]),
        fx_stale_after_ms=old_ms,
        dwell_ms=random.choice([0, 400]),
        sweep_ms=random.choice([0, 700]),
        alerts=alerts,
    )
    groups = (GroupSpec(id="desk", parent="region"), GroupSpec(id="region"))
    return replace(universe, settings=settings, groups=groups)


def a_day(number: int) -> str:
    """Return a date that grows with a number."""
    return f"{2000 + number // 28:04}-01-{number % 28 + 1:02}"


def as_decoded(message: Input) -> Input:
    """Return a message as its port decodes it, so that its numbers are what they are in life."""
    payload = encode_msgpack(message)
    for codec in (orders_codec, ticks_codec, control_codec, internal_codec):
        try:
            decoded: Any = codec.decode(payload)
        except msgspec.ValidationError:
            continue
        assert type(decoded) is type(message)
        found: Input = decoded
        return found
    raise AssertionError(f"no port takes {message}")


class Inputs:
    """Draws inputs that refer to one another: reports of orders that were asked, busts of fills."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.number = 0
        self.orders: list[Check] = []
        self.execs: list[tuple[str, str]] = []
        self.sessions: list[int] = []  # What hellos would open; some are refused, or continue one.

    def draw(self, count: int) -> list[tuple[Input, Stamp]]:
        """Return `count` inputs with their stamps, the configuration and quotes first."""
        first: list[Input] = [Configure(universe=a_random_universe(self.random))]
        first += [Tick(symbol=key, bid=bid, ask=ask) for key, (bid, ask) in QUOTES.items()]
        messages = first + [self._draw() for _ in range(count - len(first))]
        found: list[tuple[Input, Stamp]] = []
        steady_ns = STEADY_NS
        for seq, message in enumerate(messages, 1):
            steady_ns += self.random.choice([0, 1000, MS, 20 * MS, 100 * MS])
            drift_ns = self.random.choice([0, 0, 0, -SECOND, 3 * SECOND])  # A clock may step.
            stamp = Stamp(seq, WALL_NS + steady_ns + drift_ns, steady_ns)
            decoded = as_decoded(message)
            if isinstance(decoded, Hello) or self.random.random() < 0.2:
                stamp = stamp._replace(session=self.random.choice([0, *self.sessions[-3:]]))
            if isinstance(decoded, Hello):
                self.sessions.append(seq)
            found.append((decoded, stamp))
        return found

    def _draw(self) -> Input:
        self.number += 1
        kinds = {
            self._check: 44,
            self._amend: 6,
            self._basket: 2,
            self._report: 12,
            self._fill: 12,
            self._change: 5,
            self._tick: 24,
            self._session: 2,
            self._rare: 3,
        }
        kind = self.random.choices(list(kinds), list(kinds.values()))[0]
        message: Input = kind()
        return message

    def _account(self) -> str:
        return self.random.choices(ACCOUNTS, weights=[40, 40, 20, 2, 2])[0]

    def _price(self, symbol: str) -> float:
        middle = QUOTES.get(symbol, (7.0, 7.0))[0]
        digits = 2 if symbol in ("X", "Y", "T", "BTCUSD") else 0
        digits = {"EURUSD": 5, "USDJPY": 3, "S": 1}.get(symbol, digits)
        return round(middle * self.random.choice([0.9, 0.97, 0.99, 1, 1, 1.01, 1.03]), digits)

    def _check(self) -> Input:
        random = self.random
        if self.orders and random.random() < 0.08:
            known = random.choice(self.orders)
            return replace(known, quantity=known.quantity + random.choice([0, 0, 1]))
        symbol = random.choice(SYMBOLS[:-1] * 8 + SYMBOLS[-1:])
        order = an_order(
            f"o-{self.number}",
            random.choice(["buy", "sell"]),
            random.choice([1, 1, 1, 2, 2, 3, 5, 5, 10, 30, 41, 1.5, nan]),
            account=self._account(),
            symbol=symbol,
            price=self._price(symbol),
            strategy=random.choice(["", "s"]),
            reduce_only=random.random() < 0.1,
            position_id=random.choices([None, "p-1", "long"], [90, 5, 5])[0],
            explain=random.random() < 0.2,
            dry_run=random.random() < 0.1,
        )
        if random.random() < 0.2:
            order = replace(order, order_type=OrderType.MARKET, price=None)
        if random.random() < 0.1:
            expire_ns = WALL_NS + STEADY_NS + random.randint(20, 90) * SECOND
            order = replace(order, time_in_force=TimeInForce.GTD, expire_ns=expire_ns)
        self.orders.append(order)
        return order

    def _basket(self) -> Input:
        random, known = self.random, len(self.orders)
        legs = [self._check() for _ in range(random.randint(1, 4))]
        orders = [
            replace(
                leg, client_order_id=f"{leg.client_order_id}-{n}", dry_run=random.random() < 0.02
            )
            for n, leg in enumerate(legs)
            if isinstance(leg, Check) and leg.symbol != "NEWSYM"  # Its fills would freeze many.
        ]
        self.orders[known:] = orders
        if not orders:
            return Elapse()
        return Basket(
            basket_id=f"b-{self.number}",
            orders=orders,
            account=orders[0].account if random.random() < 0.05 else None,
            all_or_none=random.random() < 0.5,
        )

    def _amend(self) -> Input:
        order, random = self._order(), self.random
        renamed = f"o-{self.number}" if random.random() < 0.4 else None
        if renamed is not None and random.random() < 0.7:
            self.orders.append(replace(order, client_order_id=renamed))
        return Amend(
            account=order.account,
            client_order_id=order.client_order_id,
            new_client_order_id=renamed,
            quantity=random.choice([None, 1.0, 4.0, 50.0, 2.5, nan]),
            price=random.choice([None, self._price(order.symbol)]),
        )

    def _order(self) -> Check:
        return self.random.choice(self.orders[-40:]) if self.orders else an_order("nobody")

    def _report(self) -> Input:
        order, random = self._order(), self.random
        statuses = ["accepted", "canceled", "expired", "rejected", "replaced", "cancel_pending"]
        statuses += ["accepted", "replaced", "replace_rejected"]
        status = random.choice(statuses)
        leaves = random.choice([0.0, 1.0, 3.0, 2.5]) if status == "replaced" else None
        report_id = f"r-{random.randint(1, 3)}"
        return a_report(
            order.client_order_id,
            status,
            report_id,
            account=order.account,
            leaves_quantity=leaves,
        )

    def _fill(self) -> Input:
        order, random = self._order(), self.random
        named = random.random() < 0.8
        exec_id = f"e-{random.randint(1, self.number)}"
        self.execs.append((order.account, exec_id))
        return a_fill(
            exec_id,
            order.side,
            random.choice([1, 1, 2, 5, 30, 0.5]),
            self._price(order.symbol) + random.choice([0.0, 0.0, 0.003]),
            account=order.account,
            symbol=order.symbol,
            client_order_id=order.client_order_id if named else None,
            fee=random.choice([0.0, 0.25, -0.1]),
            fee_currency=random.choices([None, "USD", "EUR", "BNB"], [60, 20, 20, 1])[0],
            strategy=random.choices([None, "s", "other"], [80, 10, 10])[0],
            timeframe=random.choices([None, "1h"], [90, 10])[0],
            position_id=random.choices([None, "p-1", "short"], [90, 5, 5])[0],
        )

    def _change(self) -> Input:
        random = self.random
        account, exec_id = random.choice(self.execs) if self.execs else ("A1", "e-0")
        if random.random() < 0.4:
            return FillBust(account=account, exec_id=exec_id)
        if random.random() < 0.6:
            quantity = random.choice([1.0, 4.0, 0.3])
            return FillCorrect(account=account, exec_id=exec_id, quantity=quantity)
        if random.random() < 0.1:
            return self._positions(account)
        if random.random() < 0.3:
            return Funding(
                account=account,
                funding_id=f"f-{random.randint(1, 20)}",
                symbol=random.choice(SYMBOLS),
                amount=random.choice([0.5, -0.25, nan]),
                currency=random.choices([None, "EUR"], [30, 10])[0],
            )
        return Transfer(
            account=account,
            transfer_id=f"t-{random.randint(1, 20)}",
            amount=random.choice([100.0, -50.0, nan]),
            currency=random.choices([None, "EUR", "XAU"], [30, 30, 1])[0],
        )

    def _positions(self, account: str) -> Input:
        random = self.random
        if random.random() < 0.1:
            return PositionReport(account=account, as_of_ns=self.number, failed=True)
        held = tuple(
            VenuePosition(symbol=symbol, quantity=random.choice([1.0, -2.0, 5.0, 0.5, nan]))
            for symbol in random.sample(SYMBOLS if random.random() < 0.1 else [*QUOTES], 3)
        )
        balance = random.choice([None, 1000.0])
        return PositionReport(
            account=account,
            as_of_ns=self.number,
            positions=held[random.randint(0, 2) :],
            balance=balance,
        )

    def _tick(self) -> Input:
        random = self.random
        if random.random() < 0.1:
            phase = random.choice([*MarketPhase, *[MarketPhase.OPEN] * 12])
            return MarketState(symbol=random.choice(SYMBOLS), state=phase, previous_close=50.0)
        ticks = []
        for _ in range(random.choice([1, 1, 1, 3])):
            symbol = random.choice(SYMBOLS)
            price = self._price(symbol)
            bid, ask = random.choice([(price, price), (price, None), (None, price), (nan, price)])
            seq = random.choice([None, random.randint(1, 300)])
            ticks.append(Tick(symbol=symbol, bid=bid, ask=ask, seq=seq))
        return ticks[0] if len(ticks) == 1 else Ticks(ticks=ticks)

    def _session(self) -> Input:
        random = self.random
        choices: list[Input] = [
            Hello(
                gateway=random.choice(["G1", "G2"]),
                accounts=random.choice([(), ("A1",), ("A1", "A2"), ("ghost",)]),
                executes_responses=random.random() < 0.7,
                cancel_on_disconnect=random.random() < 0.7,
                last_seq=random.choice([None, *range(1, 30), 5 * self.number]),  # Rarely ahead.
            ),
            SessionLost(session=random.randint(1, self.number), reason="drill"),
            Resynced(seq=self.number + len(QUOTES)),
            InstructionReport(instruction_id="nothing", status="done"),
        ]
        return random.choices(choices, [3, 3, 6, 1])[0]

    def _rare(self) -> Input:
        random, account = self.random, self._account()
        until_ns = WALL_NS + STEADY_NS + random.randint(0, 9) * SECOND
        choices: list[Input] = [
            Elapse(),
            Elapse(),
            Elapse(),
            Kill(scope="account", scope_id=account),
            Unkill(scope="account", scope_id=account),
            Trip(scope="symbol", scope_id="X", until_ns=until_ns),
            Trip(scope="account", scope_id=account, until_ns=until_ns),
            Reset(breaker_id=random.randint(1, 9)),
            AlertAck(
                alert_id=self.number % 61,
                by="ann" if self.number % 2 else "",
                mute_ms=400 if self.number % 3 == 0 else None,
            ),
            SessionRoll(),
            Sweep(),
            SessionRoll(account=account),
            DayBegan(calendar="UTC", day=a_day(self.number), week=a_day(self.number // 7 * 7)),
            InstrumentAdd(instrument=replace(STOCK, symbol="NEWSYM")),
            AccountAdd(account=an_account("NEW", 9000.0)),
            AccountRemove(account=random.choice(["NEW", account])),
            Configure(universe=a_random_universe(random)),
            ActorFailed(account=account, reason="drill"),
            *[AccountUnfreeze(account=x) for x in ACCOUNTS],
            *[Unkill(scope="account", scope_id=x) for x in ACCOUNTS],
            *[Reset(breaker_id=x) for x in range(1, 6)],
            OrderRelease(account=account, client_order_id=self._order().client_order_id),
            VerdictVoid(account=account, client_order_id=self._order().client_order_id),
        ]
        return random.choice(choices)
