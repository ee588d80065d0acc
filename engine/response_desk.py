"""The desk of responses: from what happened to a plan, and from a plan to what gateways are asked.

It alone writes the book of responses. What it wants of accounts and breakers it asks for by facts;
what it reads of an account is what the last input made of it, so a plan goes on from whatever is
true now, after a restart too.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from engine.account import Account
from engine.boards import Boards
from engine.exits import missing_of
from engine.facts import (
    CancelAsked,
    Closed,
    Facts,
    Halted,
    Progressed,
    Recovered,
    ResponseFact,
    RiskShrunk,
    Stamp,
    Stood,
    Told,
    Tripped,
)
from engine.response_steps import ResponseSteps, is_bad
from engine.responses import (
    ASKED_FOR,
    EXITS_MAX,
    STRENGTH,
    Plan,
    next_severity,
    policy_for,
    tripped_key,
)
from engine.suspense import SUSPENSE
from riskd.messages import (
    Error,
    Reduce,
    ResponseAction,
    ResponseEvent,
    ResponseMode,
    ResponsePolicy,
    ResponseStage,
    ResponseStop,
    Result,
    Severity,
)

LATE_MAX = 20  # Plans that one input takes on because they waited long enough.
ResponseCommand = Reduce | ResponseStop


class ResponseDesk:
    """Starts plans, takes them on, and ends them."""

    def __init__(self, boards: Boards, accounts: Mapping[str, Account]) -> None:
        self._boards = boards
        self._accounts = accounts
        self._steps = ResponseSteps(boards, accounts)

    def take(self, fact: ResponseFact, stamp: Stamp, facts: Facts) -> None:
        """Take what happened to an account or to a scope."""
        match fact:
            case Stood():
                self._stood(fact, stamp, facts)
            case Closed():
                again = self._boards.responses.tripped.get(
                    tripped_key(fact.scope, fact.scope_id, fact.measure)
                )
                if again is not None:  # The measure is as bad as it was.
                    facts.append(again)
            case Halted():
                for account in self._accounts.values():
                    self._halt(account, fact, stamp, facts)
            case Progressed():
                plan = self._boards.responses.running.get(fact.account)
                if plan is not None:
                    self._go_on(plan, stamp, facts)

    def elapse(self, stamp: Stamp, facts: Facts) -> None:
        """Take on plans that waited long enough, so many at once; the next input goes on."""
        running = self._boards.responses.running.values()
        late = (plan for plan in running if plan.until_steady_ns <= stamp.steady_ns)
        for plan in list(islice(late, LATE_MAX)):
            self._go_on(plan, stamp, facts)

    def command(self, asked: ResponseCommand, stamp: Stamp, facts: Facts) -> Result | Error:
        """Carry out what an operator asks for."""
        book = self._boards.responses
        if isinstance(asked, ResponseStop):
            for plan in list(book.running.values()):
                if plan.response_id == asked.response_id:
                    self._steps.withdraw(plan, stamp, facts)
                    plan.reason = f"stopped: {asked.reason}" if asked.reason else plan.reason
                    self._steps.end(plan, ResponseStage.STOPPED, stamp, facts)
                    self._take_up(plan.account, stamp, facts)
                    return _done(asked.request_id, stamp, plan.response_id)
            text = f"response {asked.response_id} is not running"
            return Error(code="not_found", text=text, request_id=asked.request_id)
        account = self._accounts.get(asked.account)
        if account is None:
            text = f"no account {asked.account}"
            return Error(code="not_found", text=text, request_id=asked.request_id)
        if asked.symbol is not None and asked.symbol not in self._boards.instruments:
            text = f"no instrument {asked.symbol}"
            return Error(code="not_found", text=text, request_id=asked.request_id)
        whole = asked.percent == 100
        plan = Plan(
            account=account.id,
            event=ResponseEvent.MANUAL,
            severity=Severity.HIGH,
            action=ResponseAction.FLATTEN if whole else ResponseAction.REDUCE,
            percent=asked.percent,
            priority=asked.priority,
            reason=asked.reason,
            symbols=None if asked.symbol is None else (asked.symbol,),
        )
        if not self._start(plan, stamp, facts):
            running = book.running[account.id]
            text = f"response {running.response_id} ({running.action}) runs already"
            return Error(code="refused", text=text, request_id=asked.request_id)
        return _done(asked.request_id, stamp, plan.response_id)

    def _go_on(self, plan: Plan, stamp: Stamp, facts: Facts) -> None:
        """Take a plan on; what did not help gives way to what the next severity asks for."""
        self._steps.advance(plan, stamp, facts)
        if plan.stage is ResponseStage.ESCALATED and plan.event not in ASKED_FOR:
            self._escalate(plan, stamp, facts)
        self._take_up(plan.account, stamp, facts)

    def _escalate(self, plan: Plan, stamp: Stamp, facts: Facts) -> None:
        severity = next_severity(plan.severity)
        while severity is not None:
            policy = policy_for(self._boards.policies, plan.event, severity)
            if policy is not None and STRENGTH[policy.action] > STRENGTH[plan.action]:
                reason = f"after {plan.response_id}: {plan.reason}"
                worse = Stood(plan.account, plan.measure, plan.event, severity, reason)
                self._trip(worse, policy, facts)
                stronger = _planned(plan.account, plan.event, policy, plan.measure, reason)
                self._start(stronger, stamp, facts)
                return
            severity = next_severity(severity)

    def _take_up(self, name: str, stamp: Stamp, facts: Facts) -> None:
        """Begin the strongest of the plans that waited for the one that is over."""
        book, account = self._boards.responses, self._accounts[name]
        keys = [
            key
            for key, plan in book.postponed.items()
            if plan.account == name and is_bad(account, plan.measure)
        ]
        if name in book.running or not keys:
            return
        key = max(keys, key=lambda key: STRENGTH[book.postponed[key].action])
        self._start(book.postponed.pop(key), stamp, facts)

    def _stood(self, fact: Stood, stamp: Stamp, facts: Facts) -> None:
        tripped, key = self._boards.responses.tripped, _key_of(fact)
        if fact.severity is None:  # It has recovered.
            if tripped.pop(key, None):
                facts.append(Recovered(fact.scope, fact.account, fact.measure))
            if fact.scope == "account":
                self._recovered(fact, facts)
            return
        policy = policy_for(self._boards.policies, fact.event, fact.severity)
        if policy is None:
            return
        self._trip(fact, policy, facts)
        if policy.action is ResponseAction.MONITOR or fact.scope != "account":
            return  # Of a group, the firm or a symbol a breaker is all that is done.
        plan = _planned(fact.account, fact.event, policy, fact.measure, fact.reason)
        self._start(plan, stamp, facts)

    def _recovered(self, fact: Stood, facts: Facts) -> None:
        account = self._accounts[fact.account]
        if fact.measure in account.state.conduct.risk_shrunk:
            facts.append(Told(fact.account, RiskShrunk(None, fact.measure)))
        self._boards.responses.postponed.pop(f"{fact.account} {fact.measure}", None)

    def _trip(self, fact: Stood, policy: ResponsePolicy, facts: Facts) -> None:
        """Open the breaker that a policy asks for; a stop halts, unless it is only advice."""
        action = policy.breaker
        account = self._accounts[fact.account] if fact.scope == "account" else None
        is_advised = account is not None and account.state.spec.response_mode is ResponseMode.ADVISE
        if policy.action is ResponseAction.STOP and not is_advised:
            action = action or "halt"
        if action is None:
            return
        tripped = Tripped(
            scope=fact.scope,
            scope_id=fact.account,
            measure=fact.measure,
            action=action,
            reason=fact.reason,
            value=fact.value,
            threshold=fact.threshold,
            cooling_ms=policy.cooling_ms,
        )
        self._boards.responses.tripped[_key_of(fact)] = tripped
        facts.append(tripped)

    def _halt(self, account: Account, fact: Halted, stamp: Stamp, facts: Facts) -> None:
        """Cancel, and close if asked, what a killed or halted scope covers of an account."""
        scope = (fact.scope, fact.scope_id)
        symbols = tuple(
            symbol for symbol in account.state.positions if self._covers(account, scope, symbol, "")
        )
        by_strategy = fact.scope_id if fact.scope == "strategy" else None
        flattens = fact.flatten and by_strategy is None
        if not symbols and by_strategy is None:
            return
        action = ResponseAction.FLATTEN if flattens else ResponseAction.CANCEL
        plan = Plan(
            account=account.id,
            event=fact.event,
            severity=Severity.CRITICAL,
            action=action,
            reason=fact.reason,
            symbols=None if by_strategy is not None else symbols,
            strategy=by_strategy,
        )
        self._start(plan, stamp, facts)

    def _covers(self, account: Account, scope: tuple[str, str], symbol: str, strategy: str) -> bool:
        plan = account.plan(symbol, strategy, "")
        return plan is not None and scope in plan.breaker_keys and account.id != SUSPENSE

    def _start(self, plan: Plan, stamp: Stamp, facts: Facts) -> bool:
        """Begin a plan, unless one that does as much runs; return whether it was begun.

        What another measure called for is not lost by that: it waits until the account is free.
        """
        book, account = self._boards.responses, self._accounts[plan.account]
        running = book.running.get(plan.account)
        if running is not None and plan.action is not ResponseAction.SHRINK_RISK:
            stays = STRENGTH[running.action] >= STRENGTH[plan.action]
            if plan.event in ASKED_FOR and running.event not in ASKED_FOR:
                stays = STRENGTH[running.action] > STRENGTH[plan.action]  # Only its exits may pass.
            if running.measure != plan.measure:
                book.postpone(plan if stays else _anew(running))
            if stays:
                return False  # A trigger while it runs does not double it.
            self._steps.withdraw(running, stamp, facts)
            self._steps.end(running, ResponseStage.STOPPED, stamp, facts)
        book.number += 1
        plan.response_id = f"response-{book.number}"
        asked_for = plan.event in ASKED_FOR
        if account.state.spec.response_mode is ResponseMode.ADVISE and not asked_for:
            plan.targets = self._steps.targets(account, plan)
            plan.exits = [
                self._steps.exit_of(missing, missing.lots, f"{plan.response_id}-{number}")
                for number, missing in enumerate(missing_of(account, plan.targets)[:EXITS_MAX])
            ]
            book.ended[plan.response_id] = plan
            plan.stage = ResponseStage.ADVISED
            self._steps.tell(plan, stamp, facts)
            return True
        if plan.action is ResponseAction.SHRINK_RISK:
            facts.append(Told(account.id, RiskShrunk(plan.percent, plan.measure)))
            self._steps.end(plan, ResponseStage.DONE, stamp, facts)
            return True
        book.running[account.id] = plan
        facts.append(Told(account.id, CancelAsked(plan.response_id, plan.symbols, plan.strategy)))
        self._steps.wait(plan, ResponseStage.CANCELING, stamp)
        self._steps.tell(plan, stamp, facts)
        return True


def _key_of(fact: Stood) -> str:
    return tripped_key(fact.scope, fact.account, fact.measure)


def _done(request_id: str | None, stamp: Stamp, response_id: str) -> Result:
    shown = {"seq": stamp.seq, "response_id": response_id}
    return Result(ok=True, data=shown, request_id=request_id)


def _planned(
    account: str, event: ResponseEvent, policy: ResponsePolicy, measure: str, reason: str
) -> Plan:
    """Return the plan of a policy."""
    return Plan(
        account=account,
        event=event,
        severity=policy.severity,
        action=policy.action,
        policy=policy.id,
        percent=policy.percent,
        priority=policy.priority,
        reason=reason,
        measure=measure,
    )


def _anew(plan: Plan) -> Plan:
    """Return a plan as it was before it was begun."""
    return Plan(
        account=plan.account,
        event=plan.event,
        severity=plan.severity,
        action=plan.action,
        policy=plan.policy,
        percent=plan.percent,
        priority=plan.priority,
        reason=plan.reason,
        measure=plan.measure,
    )
