"""An independent memory of what a simulated house promised, and a recount of what it reserves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import NoneType
from typing import Any

from engine.account import Account
from engine.core import Input
from engine.desk import Answer
from riskd.messages import (
    Ack,
    Amend,
    Basket,
    BasketVerdict,
    Check,
    ControlMessage,
    Error,
    Hello,
    InternalMessage,
    Kill,
    Reduce,
    Reset,
    Result,
    TicksMessage,
    Unkill,
    Verdict,
    Welcome,
)

# What may answer a message; whatever is not named is a fact of a gateway.
ANSWERS: tuple[tuple[Any, tuple[type, ...]], ...] = (
    (Check | Amend, (Verdict,)),
    (Basket, (BasketVerdict,)),
    (Hello, (Welcome, Error)),
    (ControlMessage, (Result, Error)),
    (TicksMessage | InternalMessage, (NoneType,)),
)


class Auditor:
    """Looks at a house from outside, with its own memory of what was promised."""

    def __init__(self) -> None:
        self._asked_for: set[str] = set()  # How the ids of exits begin that a person asked for.
        self.counts: Counter[str] = Counter()
        self._verdicts: dict[tuple[str, str], tuple[Check, Verdict]] = {}
        self._killed: dict[int, tuple[str, int]] = {}  # By breaker: account, and since which seq.

    def after(
        self, accounts: Mapping[str, Account], message: Input, answer: Answer, seq: int
    ) -> str | None:
        """Return what is wrong after a step, None if nothing is."""
        wrong = _answered_wrong(message, answer) or self._promised_wrong(accounts, message, answer)
        if wrong is not None:
            return wrong
        if isinstance(answer, Result):
            self._note_kill(message, answer, seq)
        for account in accounts.values():
            wrong = reserved_wrong(account)
            if wrong is not None:
                return wrong
        return None

    def forget_after(self, seq: int) -> None:
        """Forget what records said that a power loss took, which were not yet synced."""
        kept = {key: told for key, told in self._verdicts.items() if told[1].seq <= seq}
        self._verdicts = kept
        self._killed = {key: told for key, told in self._killed.items() if told[1] <= seq}

    def _note_kill(self, message: Input, answer: Result, seq: int) -> None:
        match message:
            case Kill(scope="account"):
                self._killed.setdefault(answer.data["breaker_id"], (str(message.scope_id), seq))
            case Unkill(scope="account"):
                killed = [x for x, told in self._killed.items() if told[0] == message.scope_id]
                for key in killed:
                    del self._killed[key]
            case Reduce():
                self._asked_for.add(f"{answer.data['response_id']}-")
            case Reset():
                self._killed.pop(message.breaker_id, None)
            case _:
                pass

    def _promised_wrong(
        self, accounts: Mapping[str, Account], message: Input, answer: Answer
    ) -> str | None:
        if isinstance(message, Check):
            assert isinstance(answer, Verdict)
            return self._judged(accounts, message, answer)
        if isinstance(message, Basket):
            assert isinstance(answer, BasketVerdict)
            if answer.verdicts and len(answer.verdicts) != len(message.orders):
                return f"{len(message.orders)} orders of a basket are answered by {answer}"
            told = zip(message.orders, answer.verdicts, strict=False)
            return next(
                (
                    wrong
                    for order, verdict in told
                    if (wrong := self._judged(accounts, order, verdict)) is not None
                ),
                None,
            )
        return None

    def _judged(self, accounts: Mapping[str, Account], check: Check, answer: Verdict) -> str | None:
        if (answer.client_order_id, answer.account) != (check.client_order_id, check.account):
            return f"the verdict of another order: {answer}"
        if answer.approved == bool(answer.rejects):
            return f"approved and refused at once, or neither: {answer}"
        if check.dry_run or check.account not in accounts:
            return None
        key = (check.account, check.client_order_id)
        first = self._verdicts.get(key)
        if answer.duplicate:
            self.counts["repeats"] += 1
            return _repeated_wrong(accounts[check.account], check, answer, first)
        if not answer.approved:
            return None
        self.counts["approvals"] += 1
        if first is not None and first[1].approved:
            return f"one order was approved twice: {first[1]}, {answer}"
        asked_for = any(check.client_order_id.startswith(asked) for asked in self._asked_for)
        if not asked_for and check.account in (killed for killed, _ in self._killed.values()):
            return f"an order of a killed account was approved: {answer}"
        self._verdicts[key] = (check, answer)
        return None


def _answered_wrong(message: Input, answer: Answer) -> str | None:
    """Return what is wrong with the kind of an answer; a fact is acknowledged or refused."""
    kinds = next((kinds for union, kinds in ANSWERS if isinstance(message, union)), (Ack, Error))
    if not isinstance(answer, kinds):
        return f"{message} is answered by {answer}"
    if isinstance(answer, Error) and answer.code == "internal":
        return f"a fault: {message}"
    return None


def _repeated_wrong(
    account: Account, check: Check, answer: Verdict, first: tuple[Check, Verdict] | None
) -> str | None:
    """Return what is wrong with a repeat: an approval stands, unless the order was taken back."""
    if first is None or not first[1].approved or first[0] != check or answer.approved:
        return None
    known = account.state
    root = known.aliases.get(check.client_order_id, check.client_order_id)
    order = known.finished.get(root)
    if order is None or order.state != "void":
        return f"an approval was given and is denied now: {first[1]}, {answer}"
    return None


def reserved_wrong(account: Account) -> str | None:
    """Return what is wrong with what an account reserves, counted anew from its orders."""
    totals: dict[tuple[str, str], int] = {}
    for order_id, order in account.state.orders.items():
        if not 0 <= order.leaves_lots <= order.most_lots():
            return f"{account.id} {order_id} has leaves of {order.leaves_lots}"
        key = (order.check.symbol, order.check.side)
        totals[key] = totals.get(key, 0) + order.leaves_lots
    for symbol, position in account.state.positions.items():
        for side in ("buy", "sell"):
            working = position.working_lots(buying=side == "buy")
            expected = totals.pop((symbol, side), 0)
            if working != expected or working < 0:
                return f"{account.id} {symbol} reserves {working} {side}, its orders {expected}"
    if any(totals.values()):
        return f"{account.id} has orders of symbols without positions: {totals}"
    return None
