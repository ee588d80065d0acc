"""The steps of a response: from cancels to exits, from exits to what they came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from engine.account import Account
from engine.boards import Boards
from engine.crossings import RESPONSE_EVENTS
from engine.exits import Missing, missing_of, targets_of
from engine.facts import MS_NS, ExitsVoided, Facts, Instructed, Posted, Raised, Stamp, Told
from engine.pretrade import decide_order
from engine.responses import (
    ATTEMPTS_MAX,
    EXITS_MAX,
    Plan,
    update_of,
)
from engine.targets import Target
from engine.told import exit_check
from riskd.messages import (
    Exit,
    InstructionAction,
    ResponseAction,
    ResponseStage,
    Severity,
)

CANCELS = (ResponseAction.CANCEL, ResponseAction.STOP)


class ResponseSteps:
    """Takes plans on; what it reads of an account is what the last input made of it."""

    def __init__(self, boards: Boards, accounts: Mapping[str, Account]) -> None:
        self._boards = boards
        self._accounts = accounts

    def advance(self, plan: Plan, stamp: Stamp, facts: Facts) -> None:
        """Take a plan on as far as it can go now; it may end, done or escalated."""
        late = plan.until_steady_ns <= stamp.steady_ns
        match plan.stage:
            case ResponseStage.CANCELING:
                working = any(self._racing(plan))
                if working and not late:
                    return
                if plan.action not in CANCELS:
                    self._send(plan, stamp, facts)
                elif not working:
                    self.end(plan, ResponseStage.DONE, stamp, facts)
                else:
                    self._fail(plan, ResponseStage.CANCELING, stamp, facts)
            case ResponseStage.EXITING if plan.asked_seq < stamp.seq:  # Else they are on their way.
                plan.exits = [order for order in plan.exits if not self._is_over(plan, order)]
                if plan.exits and not late:
                    return
                self.withdraw(plan, stamp, facts)
                self._look_again(plan, stamp, facts)
            case ResponseStage.WAITING if late:
                self._send(plan, stamp, facts)

    def _racing(self, plan: Plan) -> Iterator[str]:
        """Yield the working orders that a plan has to wait for: its own exits are none."""
        exits = self._boards.responses.exits
        for order_id, order in self._accounts[plan.account].state.orders.items():
            if order_id in exits:
                continue
            check = order.check
            about = plan.symbols is None or check.symbol in plan.symbols
            if about and plan.strategy in (None, check.strategy):
                yield order_id

    def _send(self, plan: Plan, stamp: Stamp, facts: Facts) -> None:
        """Ask for the exits that are missing, as large as the gate lets pass each."""
        account = self._accounts[plan.account]
        if not plan.began:
            plan.targets, plan.began = self.targets(account, plan), True
        missing = self._missing(account, plan)
        plan.left_lots = sum(one.lots for one in missing)
        if not missing:
            self._look_again(plan, stamp, facts)
            return
        plan.attempt += 1
        plan.asked_seq = stamp.seq
        plan.exits = []
        for one in missing:
            self._slice(account, plan, one, stamp)
        for order in plan.exits:
            facts.append(
                Instructed(
                    account.id,
                    InstructionAction.REDUCE,
                    plan.response_id,
                    client_order_id=order.client_order_id,
                    symbol=order.symbol,
                    side=order.side,
                    quantity=order.quantity,
                    position_id=order.position_id,
                )
            )
        if not plan.exits:
            self._fail(plan, ResponseStage.WAITING, stamp, facts)
            return
        self.wait(plan, ResponseStage.EXITING, stamp)
        self.tell(plan, stamp, facts)

    def _missing(self, account: Account, plan: Plan) -> list[Missing]:
        """Return what no working order is about to close: late exits, and orders that race them."""
        found = []
        for one in missing_of(account, plan.targets):
            closing = sum(
                order.leaves_lots
                for order in account.state.orders.values()
                if order.check.symbol == one.target.symbol
                and order.check.side is one.side
                and order.check.position_id == one.target.leg
            )
            if one.lots > closing:
                found.append(one._replace(lots=one.lots - closing))
        return found

    def _slice(self, account: Account, plan: Plan, missing: Missing, stamp: Stamp) -> None:
        """Add the orders that close what is missing of one position, each within the gate."""
        book, left = self._boards.responses, missing.lots
        size: int | None = None
        while left and len(plan.exits) < EXITS_MAX:
            order_id = f"{plan.response_id}-{plan.attempt}-{len(plan.exits) + 1}"
            book.exits[order_id] = plan.response_id
            order = self.exit_of(missing, left, order_id)
            if size is None:
                size = self._passing_lots(account, order, stamp)
                if size:  # It was judged, and others may still close the rest.
                    left = min(left, account.case.reducible_lots())
            if not size:
                del book.exits[order_id]
                return
            lots = min(left, size)
            plan.exits.append(self.exit_of(missing, lots, order_id))
            left -= lots

    def _passing_lots(self, account: Account, order: Exit, stamp: Stamp) -> int:
        """Return how many lots of an exit would pass now."""
        instrument = self._boards.instruments[order.symbol]
        check = replace(exit_check(account.id, order), dry_run=True)
        verdict = decide_order(account, check, stamp, [])
        if verdict.approved:
            return instrument.lots(order.quantity) or 0
        return instrument.lots(verdict.max_quantity or 0.0) or 0

    def _is_over(self, plan: Plan, order: Exit) -> bool:
        """Return whether nothing more will come of an exit."""
        state = self._accounts[plan.account].state
        if order.client_order_id in state.orders:
            return False
        if order.client_order_id in state.finished:
            return True
        outstanding = self._boards.outbox.outstanding.values()
        return all(x.instruction.client_order_id != order.client_order_id for x in outstanding)

    def _look_again(self, plan: Plan, stamp: Stamp, facts: Facts) -> None:
        """See what an attempt came to: go on, begin anew, or be done."""
        account = self._accounts[plan.account]
        left_lots = sum(one.lots for one in self._missing(account, plan))
        if left_lots:
            if left_lots < plan.left_lots:
                plan.failures = 0
            self._fail(plan, ResponseStage.WAITING, stamp, facts)
            return
        if missing_of(account, plan.targets):
            self._fail(plan, ResponseStage.WAITING, stamp, facts)  # Orders work still.
            return
        bad = is_bad(self._boards, account, plan)
        if not bad or not missing_of(account, self.targets(account, plan)):
            self.end(plan, ResponseStage.DONE, stamp, facts)  # It recovers, or asks for no more.
            return
        plan.began = False  # All was done, and it did not help enough.
        self._fail(plan, ResponseStage.WAITING, stamp, facts)

    def _fail(self, plan: Plan, stage: ResponseStage, stamp: Stamp, facts: Facts) -> None:
        """Wait before the next attempt, twice as long each time; escalate after the last."""
        plan.failures += 1
        if plan.failures < ATTEMPTS_MAX:
            self.wait(plan, stage, stamp, times=2 ** (plan.failures - 1))
            self.tell(plan, stamp, facts)
            return
        account = self._accounts[plan.account]
        if plan.measure in RESPONSE_EVENTS and not is_bad(self._boards, account, plan):
            self.end(plan, ResponseStage.DONE, stamp, facts)  # It recovered all the same.
            return
        self.end(plan, ResponseStage.ESCALATED, stamp, facts)
        text = (
            f"response {plan.response_id} ({plan.action}) of account {plan.account} "
            f"did not help after {plan.attempt} attempts: {plan.reason}"
        )
        cause = f"response_failed:{plan.account}:{plan.response_id}"
        facts.append(Raised(Severity.EXTREME, "response_failed", cause, text, plan.account))

    def exit_of(self, missing: Missing, lots: int, order_id: str) -> Exit:
        """Return the order that closes so many lots of what is missing."""
        instrument = self._boards.instruments[missing.target.symbol]
        return Exit(
            symbol=missing.target.symbol,
            side=missing.side,
            quantity=instrument.quantity(lots),
            client_order_id=order_id,
            position_id=missing.target.leg,
        )

    def targets(self, account: Account, plan: Plan) -> list[Target]:
        """Return what a plan leaves of positions, as things are now."""
        return targets_of(account, plan.action, plan.percent, plan.priority, symbols=plan.symbols)

    def withdraw(self, plan: Plan, stamp: Stamp, facts: Facts) -> None:
        """Take back the exits that did not reach the gate; those that did go on.

        The gate refuses them from now on. A gateway that has begun one, or still may, for its
        deadline is not past, is told to cancel it.
        """
        state, outbox = self._accounts[plan.account].state, self._boards.outbox
        known = state.orders.keys() | state.finished.keys()
        void = tuple(order for order in plan.exits if order.client_order_id not in known)
        if void:
            facts.append(Told(plan.account, ExitsVoided(void)))
        for instruction_id, entry in list(outbox.outstanding.items()):
            told = entry.instruction
            is_cancel = told.action is InstructionAction.CANCEL
            if told.response_id != plan.response_id or is_cancel:
                continue
            if told.client_order_id in state.orders:
                continue
            outbox.end(instruction_id, "withdrawn")
            may_begin = entry.accepted or stamp.recv_ns <= told.deadline_ns
            if may_begin and entry.session and told.client_order_id not in state.finished:
                facts.append(
                    Instructed(
                        plan.account,
                        InstructionAction.CANCEL,
                        plan.response_id,
                        gateway=self._boards.sessions.gateway_of(entry.session),
                        client_order_id=told.client_order_id,
                        symbol=told.symbol,
                        side=told.side,
                    )
                )

    def wait(self, plan: Plan, stage: ResponseStage, stamp: Stamp, *, times: int = 1) -> None:
        """Put a plan into a stage that is late after as many spans."""
        plan.stage = stage
        span_ns = self._boards.settings.instruction_ms * MS_NS * times
        plan.until_steady_ns = stamp.steady_ns + span_ns

    def end(self, plan: Plan, stage: ResponseStage, stamp: Stamp, facts: Facts) -> None:
        """End a plan, and say so."""
        self._boards.responses.end(plan, stage)
        self.tell(plan, stamp, facts)

    def tell(self, plan: Plan, stamp: Stamp, facts: Facts) -> None:
        """Publish where a plan stands."""
        plan.told_seq, plan.told_ns = stamp.seq, stamp.recv_ns
        facts.append(Posted(f"response.{plan.account}", update_of(plan)))


def is_bad(boards: Boards, account: Account, plan: Plan) -> bool:
    """Return whether a plan's measure stands at a threshold, and has not begun to recover."""
    match plan.scope:
        case "account":
            standing = account.water.state.standings.get(plan.measure)
        case "group" | "firm":
            standing = boards.group_row(plan.scope_id).water.state.standings.get(plan.measure)
        case _:
            standing = None  # Of a symbol: what is done about its orders does not mend it.
    return standing is not None and standing.until_ns is None
