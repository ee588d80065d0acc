"""Where plans begin, give way to stronger ones, and escalate.

An account has one plan at a time. What another cause called for meanwhile waits until the account
is free, and is done then if that is still bad.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.account import Account
from engine.boards import Boards
from engine.exits import missing_of
from engine.facts import CancelAsked, Facts, RiskShrunk, Stamp, Stood, Told, Tripped
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
from riskd.messages import (
    ResponseAction,
    ResponseEvent,
    ResponseMode,
    ResponsePolicy,
    ResponseStage,
    Severity,
)


class PlanDesk:
    """Begins plans, takes them on, and ends them."""

    def __init__(self, boards: Boards, accounts: Mapping[str, Account]) -> None:
        self._boards = boards
        self._accounts = accounts
        self._steps = ResponseSteps(boards, accounts)

    def go_on(self, plan: Plan, stamp: Stamp, facts: Facts) -> None:
        """Take a plan on; what did not help gives way to what the next severity asks for."""
        self._steps.advance(plan, stamp, facts)
        if plan.stage is ResponseStage.ESCALATED and plan.event not in ASKED_FOR:
            self._escalate(plan, stamp, facts)
        self.take_up(plan.account, stamp, facts)

    def stop(self, plan: Plan, reason: str, stamp: Stamp, facts: Facts) -> None:
        """End a running plan because a person says so."""
        self._steps.withdraw(plan, stamp, facts)
        plan.reason = f"stopped: {reason}" if reason else plan.reason
        self._steps.end(plan, ResponseStage.STOPPED, stamp, facts)
        self.take_up(plan.account, stamp, facts)

    def take_up(self, name: str, stamp: Stamp, facts: Facts) -> None:
        """Begin the strongest of the plans that waited for the one that is over."""
        book, account = self._boards.responses, self._accounts[name]
        paced = account.water.state.paced
        keys = [
            key
            for key, plan in book.postponed.items()
            if plan.account == name
            and (plan.measure in paced or is_bad(self._boards, account, plan))
        ]
        if name in book.running or not keys:
            return
        key = max(keys, key=lambda key: STRENGTH[book.postponed[key].action])
        self.start(book.postponed.pop(key), stamp, facts)

    def trip(self, fact: Stood, policy: ResponsePolicy, facts: Facts) -> None:
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
        key = tripped_key(fact.scope, fact.account, fact.measure)
        self._boards.responses.tripped[key] = tripped
        facts.append(tripped)

    def start(self, plan: Plan, stamp: Stamp, facts: Facts) -> bool:
        """Begin a plan, unless one that does as much runs; return whether it was begun.

        What another cause called for is not lost by that: it waits until the account is free.
        """
        book, account = self._boards.responses, self._accounts[plan.account]
        running = book.running.get(plan.account)
        if running is not None and plan.action is not ResponseAction.SHRINK_RISK:
            stays = STRENGTH[running.action] >= STRENGTH[plan.action]
            if plan.event in ASKED_FOR and running.event not in ASKED_FOR:
                stays = STRENGTH[running.action] > STRENGTH[plan.action]  # Only its exits may pass.
            if running.cause != plan.cause:
                book.postpone(plan if stays else _anew(running))
            if stays:
                return False  # A trigger while it runs does not double it.
            self._steps.withdraw(running, stamp, facts)
            self._steps.end(running, ResponseStage.STOPPED, stamp, facts)
        book.number += 1
        plan.response_id = f"response-{book.number}"
        asked_for = plan.event in ASKED_FOR
        if account.state.spec.response_mode is ResponseMode.ADVISE and not asked_for:
            self._advise(account, plan, stamp, facts)
        elif plan.action is ResponseAction.SHRINK_RISK:
            facts.append(Told(account.id, RiskShrunk(plan.percent, plan.cause)))
            self._steps.end(plan, ResponseStage.DONE, stamp, facts)
        else:
            book.running[account.id] = plan
            asked = CancelAsked(plan.response_id, plan.symbols, plan.strategy)
            facts.append(Told(account.id, asked))
            self._steps.wait(plan, ResponseStage.CANCELING, stamp)
            self._steps.tell(plan, stamp, facts)
        return True

    def _advise(self, account: Account, plan: Plan, stamp: Stamp, facts: Facts) -> None:
        """Publish what a plan would do, and do nothing."""
        plan.targets = self._steps.targets(account, plan)
        plan.exits = [
            self._steps.exit_of(missing, missing.lots, f"{plan.response_id}-{number}")
            for number, missing in enumerate(missing_of(account, plan.targets)[:EXITS_MAX])
        ]
        self._boards.responses.ended[plan.response_id] = plan
        plan.stage = ResponseStage.ADVISED
        self._steps.tell(plan, stamp, facts)

    def _escalate(self, plan: Plan, stamp: Stamp, facts: Facts) -> None:
        """Do what the next severity asks for, if that is more; else what any extreme event does.

        That a plan has failed is as bad as can be, whatever it was for.
        """
        severity = next_severity(plan.severity)
        while severity is not None:
            policy = policy_for(self._boards.policies, plan.event, severity)
            if policy is not None and STRENGTH[policy.action] > STRENGTH[plan.action]:
                self._follow(plan, policy, severity, stamp, facts)
                return
            severity = next_severity(severity)
        last = policy_for(self._boards.policies, ResponseEvent.ANY, Severity.EXTREME)
        if last is not None and last.severity is Severity.EXTREME and last.id != plan.policy:
            self._follow(plan, last, Severity.EXTREME, stamp, facts)

    def _follow(
        self, plan: Plan, policy: ResponsePolicy, severity: Severity, stamp: Stamp, facts: Facts
    ) -> None:
        """Let the plan of a worse severity take the place of one that failed, in its account."""
        reason = f"after {plan.response_id}: {plan.reason}"
        self.trip(Stood(plan.account, plan.cause, plan.event, severity, reason), policy, facts)
        whose = plan.scope_id or plan.account
        worse = Stood(whose, plan.measure, plan.event, severity, reason, scope=plan.scope)
        self.start(planned(plan.account, worse, policy, plan.symbols), stamp, facts)


def planned(
    account: str, fact: Stood, policy: ResponsePolicy, symbols: tuple[str, ...] | None = None
) -> Plan:
    """Return the plan of a policy for an account, about a measure of its own or of a scope's."""
    return Plan(
        account=account,
        event=fact.event,
        severity=policy.severity,
        action=policy.action,
        policy=policy.id,
        percent=policy.percent,
        priority=policy.priority,
        reason=fact.reason,
        measure=fact.measure,
        scope=fact.scope,
        scope_id="" if fact.scope == "account" else fact.account,
        symbols=symbols,
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
        scope=plan.scope,
        scope_id=plan.scope_id,
        symbols=plan.symbols,
    )
