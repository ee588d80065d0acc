"""A gateway that carries out instructions, with a venue behind it, for tests of responses."""

from __future__ import annotations

from typing import Any

from riskd.messages import (
    Check,
    Fill,
    Hello,
    Instruction,
    InstructionReport,
    OrderType,
    Verdict,
)
from tests.builders import StampedCore, a_report


def exit_of(instruction: Instruction) -> Check:
    """Return the order that a reduce asks for."""
    assert instruction.symbol is not None
    assert instruction.side is not None
    assert instruction.quantity is not None
    assert instruction.client_order_id is not None
    return Check(
        account=instruction.account,
        client_order_id=instruction.client_order_id,
        symbol=instruction.symbol,
        side=instruction.side,
        quantity=instruction.quantity,
        order_type=OrderType.MARKET,
        position_id=instruction.position_id,
        reduce_only=True,
    )


class Gateway:
    """Takes what riskd says to its session; does nothing until `work` is called."""

    def __init__(self, house: StampedCore, name: str = "G1") -> None:
        self.house = house
        self.name = name
        self.sent: list[Check] = []  # Orders it was told to send and that passed the gate.
        self.refused: list[Verdict] = []
        self.fill_part = 1.0  # Of every exit.
        self._seen = len(house.said)
        self._reports = 0
        self.session = 0
        self.connect()

    def connect(self) -> None:
        """Say hello, again if need be."""
        held = max(x.state.approved_seq for x in self.house.core.accounts.values())
        hello = Hello(gateway=self.name, executes_responses=True, last_seq=held)
        welcome = self.house.send(hello)
        assert not welcome.must_resync  # It holds every approval.
        self.session = welcome.session

    def told(self) -> list[Instruction]:
        """Return the instructions that were not looked at yet."""
        said = [message for session, message in self.house.said[self._seen :]]
        self._seen = len(self.house.said)
        return [message for message in said if isinstance(message, Instruction)]

    def work(self, rounds: int = 20) -> None:
        """Carry out instructions until none comes any more."""
        for _ in range(rounds):
            told = self.told()
            if not told:
                return
            for instruction in told:
                self.carry_out(instruction)
        raise AssertionError("instructions never end")

    def carry_out(self, instruction: Instruction) -> None:
        """Do what one instruction says, at once and completely."""
        if instruction.action == "cancel":
            assert instruction.client_order_id is not None
            self.cancel(instruction.account, instruction.client_order_id)
        else:
            self.exit(instruction)
        self.send(
            InstructionReport(instruction_id=instruction.instruction_id, status="done"),
        )

    def cancel(self, account: str, order_id: str) -> None:
        """Report an order as canceled."""
        self._reports += 1
        report = a_report(order_id, "canceled", f"g-{self._reports}", account=account)
        self.send(report)

    def exit(self, instruction: Instruction) -> None:
        """Send the order of a reduce through the gate, and fill what is filled of it."""
        order = exit_of(instruction)
        verdict = self.send(order)
        if not verdict.approved:
            self.refused.append(verdict)
            return
        self.sent.append(order)
        quantity = int(order.quantity * self.fill_part)
        if quantity:
            self.fill(order, quantity)
        if quantity < order.quantity:
            self.cancel(order.account, order.client_order_id)

    def fill(self, order: Check, quantity: float) -> None:
        """Report a fill of an exit at the middle of the market."""
        house = self.house
        quote = house.core.boards.quotes.quotes[order.symbol]
        assert quote.mark_long is not None
        price = house.core.boards.instruments[order.symbol].price(quote.mark_long)
        self._reports += 1
        self.send(
            Fill(
                account=order.account,
                exec_id=f"g-{self._reports}",
                client_order_id=order.client_order_id,
                symbol=order.symbol,
                side=order.side,
                quantity=float(quantity),
                price=price,
                position_id=order.position_id,
            )
        )

    def send(self, message: Any) -> Any:
        """Send a message of the gateway's session."""
        return self.house.send(message, session=self.session)
