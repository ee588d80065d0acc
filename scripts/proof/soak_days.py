"""Days of a house: a gateway that trades and does what it is told, a market, an operator.

Every day orders are approved, refused, filled, canceled and left to rest, money moves and a limit
is changed for a while. Once a week a price crashes, so that riskd closes what an account holds, the
firm is stopped and let go, and the gateway comes back as another session.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import Any, NamedTuple

import zmq

from riskd.codec import encode_msgpack, session_codec
from riskd.messages import (
    Ack,
    Certificate,
    Check,
    Fill,
    Hello,
    Instruction,
    InstructionAction,
    InstructionReport,
    OrderReport,
    OrdersRequest,
    OrderStatus,
    Pong,
    Resync,
    Resynced,
    Side,
    Tick,
    Ticks,
    Transfer,
    Verdict,
    Welcome,
    WorkingOrders,
)
from scripts.proof.soak_house import NS, Clock
from tests.end_to_end.process import RiskdProcess
from tests.engine.gateway import exit_of

STEP_S = 1800
STEPS = 86_400 // STEP_S
IN_FLIGHT = 50
FILLS = 2  # Of an order, each half of it.
BUSY, CRASHED, HEDGING, IN_EUROS = "A1", "A2", "A3", "A4"
OTHERS = (CRASHED, HEDGING, IN_EUROS)
OTHERS_SHARE = 0.002  # Few: their memories are not full by the end.
RESTING, TOO_LARGE = 0.03, 0.01  # Of all orders.
CRASH_DAY, BUY_STEP, CRASH_STEP = 1, 4, 12  # Of a week, of a day.
LOSS = 6000.0  # 300 lots times 20, more than the daily loss limit.
TOPICS = ("alert", "breaker", "response", "verdict", "pnl", "position", "limits")


class Price(NamedTuple):
    """A market of one symbol."""

    bid: float
    ask: float


class Days:
    """Trades with one riskd; `counts` says what came of it."""

    def __init__(self, riskd: RiskdProcess, clock: Clock, random: Random) -> None:
        self.counts: Counter[str] = Counter()
        self._riskd, self._clock, self._random = riskd, clock, random
        self._number = self._seq = 0
        self._told: list[Instruction] = []
        self._resting: list[Check] = []
        self._prices: dict[str, Price] = {}
        self._feed = riskd.peer("ticks", zmq.PUSH)
        self._heard = riskd.peer("alerts", zmq.SUB)
        self._deaf = riskd.peer("alerts", zmq.SUB, {zmq.RCVHWM: 1, zmq.RCVBUF: 4096})
        for topic in TOPICS:
            self._heard.socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        self._deaf.socket.setsockopt(zmq.SUBSCRIBE, b"")
        self._come()

    def day(self, number: int, orders: int) -> None:
        """Play one day of so many orders."""
        week_day = number % 7
        for step in range(STEPS):
            self._riskd.wait_until(self.is_written)  # Half an hour is long for a row to wait.
            self._clock.advance(STEP_S)
            is_low = week_day == CRASH_DAY and step == CRASH_STEP
            self._quote(is_low=is_low)
            if week_day == CRASH_DAY and step == BUY_STEP:
                self._trade([self._order(CRASHED, "Y", Side.BUY, 300.0)])
            if is_low:
                self._riskd.wait_until(self._is_told)
            self._serve()
            first, last = (orders * at // STEPS for at in (step, step + 1))
            self._trade([self._draw() for _ in range(first, last)])
            self._listen()
        self._operate(number)

    def is_written(self) -> bool:
        """Return whether the audit database has everything that happened."""
        return not self._riskd.control("metrics")["audit"]["lag"]

    def _come(self) -> None:
        """Say hello as a new session, and say what it knows of its orders."""
        self._gateway = self._riskd.peer("orders")
        hello = Hello(gateway="G1", executes_responses=True, last_seq=self._seq or None)
        (welcome,) = self._ask([hello])
        assert isinstance(welcome, Welcome), welcome
        if welcome.must_resync:
            (listed,) = self._ask([Resync()])
            assert isinstance(listed, WorkingOrders), listed
            self._ask([Resynced(seq=listed.seq)])

    def _quote(self, *, is_low: bool) -> None:
        move = self._random.choice((-0.02, -0.01, 0.0, 0.01, 0.02))
        y = 80.0 if is_low else 100.0
        self._prices = {
            "X": Price(round(100 + move, 2), round(100.01 + move, 2)),
            "Y": Price(y, round(y + 0.01, 2)),
        }
        ticks = [Tick(symbol=name, bid=bid, ask=ask) for name, (bid, ask) in self._prices.items()]
        ticks.append(Tick(symbol="EURUSD", bid=1.1, ask=1.1001))
        applied = self._applied() + len(ticks)
        self._feed.tell(Ticks(ticks=ticks))
        self._riskd.wait_until(lambda: self._applied() >= applied)

    def _applied(self) -> int:
        return int(self._riskd.control("metrics")["ticks"].get("applied", 0))

    def _draw(self) -> Check:
        random = self._random
        account = random.choice(OTHERS) if random.random() < OTHERS_SHARE else BUSY
        side = Side.BUY if self._number % 2 else Side.SELL
        quantity = 2000.0 if random.random() < TOO_LARGE else 2.0
        return self._order(account, "X", side, quantity)

    def _order(self, account: str, symbol: str, side: Side, quantity: float) -> Check:
        self._number += 1
        market = self._prices[symbol]
        return Check(
            account=account,
            client_order_id=f"o-{self._number}",
            symbol=symbol,
            side=side,
            quantity=quantity,
            price=market.ask if side is Side.BUY else market.bid,
        )

    def _trade(self, checks: list[Check]) -> None:
        """Ask for orders and carry on what the venue makes of those that may go."""
        facts: list[OrdersRequest] = []
        for check, verdict in zip(checks, self._ask(checks), strict=True):
            assert isinstance(verdict, Verdict), verdict
            self.counts["approvals" if verdict.approved else "refusals"] += 1
            if not verdict.approved:
                continue
            self._seq = max(self._seq, verdict.seq)
            facts.append(_report(check, OrderStatus.ACCEPTED))
            if self._random.random() < RESTING:
                self._resting.append(check)
            else:
                facts += self._fills(check)
        if len(self._resting) > IN_FLIGHT:
            facts += [_report(check, OrderStatus.CANCELED) for check in self._resting]
            self._resting.clear()
        for ack in self._ask(facts):
            assert isinstance(ack, Ack), ack

    def _fills(self, check: Check) -> list[Fill]:
        market = self._prices[check.symbol]
        return [
            Fill(
                account=check.account,
                exec_id=f"{check.client_order_id}/{part}",
                client_order_id=check.client_order_id,
                symbol=check.symbol,
                side=check.side,
                quantity=check.quantity / FILLS,
                price=market.ask if check.side is Side.BUY else market.bid,
                position_id=check.position_id,
            )
            for part in range(FILLS)
        ]

    def _is_told(self) -> bool:
        """Return whether an instruction came."""
        while not self._told and self._gateway.waits_for(0):
            self._take(self._gateway.receive())
        return bool(self._told)

    def _serve(self) -> None:
        """Do what riskd says until it says nothing more."""
        while self._is_told():
            instruction = self._told.pop(0)
            self.counts["instructions"] += 1
            if instruction.action is InstructionAction.CANCEL:
                order_id = instruction.client_order_id or ""
                mine = [x for x in self._resting if x.client_order_id == order_id]
                self._resting = [x for x in self._resting if x not in mine]
                self._ask([_report(check, OrderStatus.CANCELED) for check in mine])
            else:
                self._exit(exit_of(instruction))
            name = instruction.instruction_id
            self._ask([InstructionReport(instruction_id=name, status="done")])

    def _exit(self, check: Check) -> None:
        (verdict,) = self._ask([check])
        assert isinstance(verdict, Verdict), verdict
        if verdict.approved:
            self.counts["exits"] += 1
            self._seq = max(self._seq, verdict.seq)
            self._ask(self._fills(check))

    def _ask(self, requests: Iterable[OrdersRequest]) -> list[Any]:
        """Return the answers, in their order; what is said unasked is put by."""
        waiting = list(requests)
        answers: list[Any] = []
        while waiting:
            sent, waiting = waiting[:IN_FLIGHT], waiting[IN_FLIGHT:]
            due = len(answers) + len(sent)
            for request in sent:
                self._gateway.send(encode_msgpack(request))
            while len(answers) < due:
                answer = self._take(self._gateway.receive())
                answers += [] if answer is None else [answer]
        return answers

    def _take(self, payload: bytes) -> Any:
        said = session_codec.decode(payload)
        if isinstance(said, Instruction):
            self._told.append(said)
        return None if isinstance(said, Instruction | Certificate | Pong) else said

    def _listen(self) -> None:
        while self._heard.waits_for(0):
            topic, _ = self._heard.socket.recv_multipart()
            self.counts[topic.decode().partition(".")[0]] += 1

    def _operate(self, number: int) -> None:
        """End a day as an operator: look, put right what stopped, move money, change limits."""
        control = self._riskd.control
        for question in ("accounts", "positions", "pnl", "margin", "limits", "responses"):
            control(question)
        for alert in control("alerts", status="open"):
            control("alert_ack", alert_id=alert["alert_id"], by="ann")
        for breaker in control("breakers"):
            control("reset", breaker_id=breaker["breaker_id"], reason="looked at")
        amount = LOSS if number % 7 == CRASH_DAY else 10.0
        transfer = Transfer(account=CRASHED, transfer_id=f"t-{number}", amount=amount)
        self._ask([transfer])
        until_ns = self._clock.wall_ns() + 6 * 3600 * NS
        change = {"scope": "account:A4", "key": "order_quantity", "value": 500.0}
        asked = {"changes": [{**change, "until_ns": until_ns}], "reason": "soak"}
        proposal = control("limits_propose", by="ann", **asked)["proposal_id"]
        control("limits_approve", by="bob", proposal_id=proposal)
        if number % 7 == CRASH_DAY + 1:
            control("kill", scope="firm", reason="drill")
            control("unkill", scope="firm", reason="drill")
            self._gateway.close()
            self._come()


def _report(check: Check, status: OrderStatus) -> OrderReport:
    name = f"{check.client_order_id}/{status.value}"
    return OrderReport(
        account=check.account,
        client_order_id=check.client_order_id,
        status=status,
        report_id=name,
    )
