"""Seeded worlds of responses: prices walk, plans run, and everybody interferes.

A seed is a whole world. In its first part everything goes wrong that can; then the faults end, and
every plan must come to its end. The venue of the stories keeps its own books of what was traded.
"""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

from msgspec.structs import replace

from config.load import load
from engine.core import Core
from engine.digest import decode_state, encode_state, state_digest
from engine.gateways import Session
from riskd.messages import (
    Check,
    Configure,
    Hello,
    Instruction,
    InstructionAction,
    InstructionReport,
    Kill,
    LimitsSpec,
    MarginModel,
    OrderType,
    Reduce,
    ResponseMode,
    ResponseStop,
    Resynced,
    RiskSettings,
    SessionLost,
    Side,
    Tick,
    TimeInForce,
    Unkill,
)
from tests.builders import MS, SECOND, StampedCore, a_universe, an_account
from tests.engine.gateway import exit_of
from tests.stories.venue import Mood, Venue

SHIPPED = load(None, {}).universe.responses
ACCOUNT = "A1"
SYMBOLS = {"X": Decimal(100), "Y": Decimal(50)}
STEPS = 120
CALM_ROUNDS_MAX = 200
UNKILL = Unkill(scope="account", scope_id=ACCOUNT)
ODD_MOODS = (Mood.FILL, Mood.FILL, Mood.HALF, Mood.REJECT, Mood.HOLD)
LEVELS = {"margin_warning_pct": 150.0, "margin_critical_pct": 120.0, "margin_stopout_pct": 100.0}
LIMITS: tuple[dict[str, Any], ...] = (
    {"concentration_pct": 25.0},
    {"daily_loss": 1500.0},
    {"drawdown_day_pct": 10.0, "risk_per_trade_pct": 2.0},
    {"order_quantity": 30.0},
)


class World:
    """One account with a gateway, a venue, and what happens to them."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.venue = Venue()
        self.prices = dict(SYMBOLS)
        self.told: list[Instruction] = []
        self.session = 0
        self.too_much: list[str] = []  # Exits that closed more than their plan wanted.
        # Of each exit: its symbol, and how much others had traded when it was asked for.
        self._asked: dict[str, tuple[str, int]] = {}
        self._number = 0
        self._seen = 0
        self.house = StampedCore()
        limits: dict[str, Any] = dict(LEVELS) if self.random.random() < 0.7 else {}
        for some in self.random.sample(LIMITS, self.random.randint(0, 2)):
            limits |= some
        spec = an_account(
            ACCOUNT,
            balance=float(self.random.choice((2000, 2500, 6000, 20_000))),
            margin_model=MarginModel.LEVERAGE,
            leverage=10.0,
            response_mode=ResponseMode.AUTOMATIC,
        )
        universe = a_universe(
            LimitsSpec(**limits), accounts=(spec,), settings=RiskSettings(dwell_ms=1000)
        )
        self.house.send(Configure(universe=replace(universe, responses=SHIPPED)))
        self.tick(1.0)
        self.hello()
        for symbol, quantity in (("X", 100), ("Y", -80)):
            side = Side.BUY if quantity > 0 else Side.SELL
            while abs(self.venue.held(ACCOUNT, symbol)) < abs(quantity):
                before = self.venue.held(ACCOUNT, symbol)
                self.order(symbol, side, 20)
                if self.venue.held(ACCOUNT, symbol) == before:
                    break  # It is refused: a limit is tight.

    def send(self, message: Any) -> Any:
        """Send a message of the gateway's session."""
        answer = self.house.send(message, session=self.session)
        self._hear()
        return answer

    def hello(self) -> None:
        """Let the gateway say hello, and tell what the venue did if riskd asks."""
        welcome = self.house.send(Hello(gateway="G1", executes_responses=True))
        self.session = welcome.session
        self._hear()
        if welcome.must_resync:
            for news in self.venue.history(ACCOUNT):
                self.send(news)
            self.send(Resynced(seq=self.house.stamp.seq))

    def lose_session(self) -> None:
        """Let the gateway die with all that it has heard."""
        if self.session:
            self.house.send(SessionLost(session=self.session, reason="gone"))
            self.told.clear()
            self.session = 0

    def restart(self) -> None:
        """Let riskd fall and come back from its state, which must be the same."""
        before = self.house.digest()
        restored = Core()
        restored.restore(decode_state(encode_state(self.house.core.state())))
        assert state_digest(restored.state()) == before
        self.house.core = restored

    def tick(self, factor: float) -> None:
        """Move the market; what rested and trades is told by the gateway if it lives."""
        for symbol, price in self.prices.items():
            moved = (price * Decimal(str(round(factor, 3)))).quantize(Decimal("0.01"))
            self.prices[symbol] = max(moved, Decimal("0.10"))
            bid, ask = (self.prices[symbol] + x for x in (Decimal("-0.01"), Decimal("0.01")))
            self.house.send(Tick(symbol=symbol, bid=float(bid), ask=float(ask)))
            self._hear()
            for news in self.venue.quote(symbol, bid, ask):
                if self.session:
                    self.send(news)

    def order(self, symbol: str, side: Side, quantity: int, price: Decimal | None = None) -> None:
        """Let a trader's order go, if it may."""
        self._number += 1
        check = Check(
            account=ACCOUNT,
            client_order_id=f"o-{self._number}",
            symbol=symbol,
            side=side,
            quantity=float(quantity),
            order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
            price=None if price is None else float(price),
            time_in_force=TimeInForce.GTC,
        )
        self._trade(check)

    def work(self) -> None:
        """Carry out the oldest instruction."""
        told = self.told.pop(0)
        if told.action is InstructionAction.CANCEL:
            assert told.client_order_id is not None
            for news in self.venue.cancel(ACCOUNT, told.client_order_id):
                self.send(news)
        else:
            self._trade(exit_of(told))
        self.send(InstructionReport(instruction_id=told.instruction_id, status="done"))

    def misbehave(self) -> None:
        """Let one thing happen, most often a move of the market or some work."""
        random, house = self.random, self.house
        roll = random.random()
        if roll < 0.30:
            self.tick(random.uniform(0.92, 1.05))
        elif roll < 0.55 and self.told:
            if random.random() < 0.3:
                self.venue.script(ACCOUNT, [random.choice(ODD_MOODS)])
            self.work()
        elif roll < 0.60 and self.told:
            del self.told[random.randrange(len(self.told))]  # Lost.
        elif roll < 0.75:
            house.elapse(random.choice((10, 500, 1100, 5000, 6000)) * MS)
            self._hear()
        elif roll < 0.82:
            self._place()
        elif roll < 0.87 and self.session:
            for order_id in self.venue.working(ACCOUNT)[:1]:
                held = self.venue.fill if random.random() < 0.5 else self.venue.cancel
                wanted = self._wanted(order_id)
                for news in held(ACCOUNT, order_id):
                    self.send(news)
                self._look_at(order_id, wanted)
        elif roll < 0.91:
            self.lose_session()
        elif roll < 0.95 and not self.session:
            self.hello()
        elif roll < 0.985:
            self.restart()
        else:
            self._operate()

    def calm_down(self) -> None:
        """Let no more go wrong until no plan runs; fail if one does not come to an end."""
        self.venue.script(ACCOUNT, [])
        self.house.send(UNKILL)
        if not self.session:
            self.hello()
        for _ in range(CALM_ROUNDS_MAX):
            while self.told:
                self.work()
            if not self.house.core.boards.responses.running:
                break
            self.house.elapse(2 * SECOND)
            self._hear()
        for order_id in self.venue.working(ACCOUNT):
            for news in self.venue.cancel(ACCOUNT, order_id):
                self.send(news)
        self.house.elapse(20 * SECOND)
        self._hear()
        while self.told:
            self.work()

    def live_session(self) -> Session | None:
        """Return the gateway's session as riskd has it."""
        return self.house.core.boards.sessions.live(self.session)

    def _place(self) -> None:
        symbol = self.random.choice(list(SYMBOLS))
        side = self.random.choice(list(Side))
        away = Decimal("0.97") if side is Side.BUY else Decimal("1.03")
        price = (self.prices[symbol] * away).quantize(Decimal("0.01"))
        if self.session:
            self.order(symbol, side, self.random.randint(1, 30), price)

    def _operate(self) -> None:
        random, house = self.random, self.house
        running = list(house.core.boards.responses.running.values())
        kill = Kill(
            scope="account", scope_id=ACCOUNT, flatten=random.random() < 0.5, reason="drill"
        )
        asked: tuple[Kill | Unkill | Reduce | ResponseStop, ...] = (
            Reduce(account=ACCOUNT, percent=random.choice((25.0, 100.0)), reason="a person"),
            kill,
            UNKILL,
            *(ResponseStop(response_id=plan.response_id) for plan in running),
        )
        house.send(random.choice(asked))
        self._hear()

    def _trade(self, check: Check) -> None:
        if not self.send(check).approved:
            return
        wanted = self._wanted(check.client_order_id)
        for news in self.venue.send(check):
            self.send(news)
        self._look_at(check.client_order_id, wanted)

    def _wanted(self, order_id: str) -> dict[str, int]:
        """Return what the plan that asked for an exit wants to leave, by symbol."""
        book = self.house.core.boards.responses
        plan = book.running.get(ACCOUNT)
        if plan is None or book.exits.get(order_id) != plan.response_id:
            return {}
        symbol, traded = self._asked[order_id]
        if traded != self._traded_by_others():
            return {}  # Somebody else traded meanwhile.
        held = self.house.position(symbol).books.lots
        return {
            target.symbol: abs(target.lots)
            for target in plan.targets
            if target.symbol == symbol and target.lots * held > 0
        }

    def _look_at(self, order_id: str, wanted: dict[str, int]) -> None:
        """Note an exit that left less than its plan wanted."""
        for symbol, lots in wanted.items():
            if abs(self.venue.held(ACCOUNT, symbol)) < lots:
                self.too_much.append(f"{order_id}: {symbol} is below {lots}")

    def _traded_by_others(self) -> int:
        return sum(trade.client_order_id.startswith("o-") for trade in self.venue.trades)

    def _hear(self) -> None:
        said, self._seen = self.house.said[self._seen :], len(self.house.said)
        for session, message in said:
            if session == self.session and isinstance(message, Instruction):
                known = {told.instruction_id for told in self.told}
                if message.instruction_id not in known:
                    self.told.append(message)
                    order_id = message.client_order_id or ""
                    asked = (message.symbol or "", self._traded_by_others())
                    self._asked.setdefault(order_id, asked)
