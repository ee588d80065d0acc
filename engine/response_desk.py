"""The desk of responses: from what happened to a plan, and from a plan to what gateways are asked.

It alone writes the book of responses. What it wants of accounts and breakers it asks for by facts;
what it reads of an account is what the last input made of it, so a plan goes on from whatever is
true now, after a restart too. What concerns many accounts reaches so many of them with each input,
so that no order waits for all: the breaker of their scope, which comes first, holds them meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from engine.account import Account
from engine.boards import Boards
from engine.facts import (
    SUSPENSE,
    Closed,
    Facts,
    Halted,
    Progressed,
    Recovered,
    Removed,
    ResponseFact,
    RiskShrunk,
    Stamp,
    Stood,
    Told,
)
from engine.instruments import currencies_of
from engine.plan_desk import PlanDesk, planned
from engine.responses import Plan, Rollout, cause_of, policy_for, tripped_key
from riskd.messages import (
    Error,
    Reduce,
    ResponseAction,
    ResponseEvent,
    ResponseStop,
    Result,
    Severity,
)

LATE_MAX = 20  # Plans that one input takes on because they waited long enough.
TURNS_MAX = 200  # Accounts of a scope that one input looks at, beside its own.
BEGUN_TURNS = 10  # A plan that begins, with all that it causes, costs about as much as so many.
ResponseCommand = Reduce | ResponseStop


class ResponseDesk:
    """Starts plans, takes them on, and ends them."""

    def __init__(self, boards: Boards, accounts: Mapping[str, Account]) -> None:
        self._boards = boards
        self._accounts = accounts
        self._plans = PlanDesk(boards, accounts)

    def take(self, fact: ResponseFact | Removed, stamp: Stamp, facts: Facts) -> None:
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
            case Removed():
                self._forget(fact, facts)
            case Halted():
                if fact.scope == "account":
                    account = self._accounts.get(fact.scope_id)
                    if account is not None:
                        self._halt(account, fact, stamp, facts)
                    return
                what = f"{fact.event} {'flatten' if fact.flatten else 'cancel'}"
                key = tripped_key(fact.scope, fact.scope_id, what)
                self._roll_out(key, Rollout(None, fact), stamp, facts)
            case Progressed():
                plan = self._boards.responses.running.get(fact.account)
                if plan is not None:
                    self._plans.go_on(plan, stamp, facts)

    def elapse(self, stamp: Stamp, facts: Facts) -> None:
        """Take on plans that waited long enough, so many at once; the next input goes on."""
        self._go_round(stamp, facts)
        running = self._boards.responses.running.values()
        late = (plan for plan in running if plan.until_steady_ns <= stamp.steady_ns)
        for plan in list(islice(late, LATE_MAX)):
            self._plans.go_on(plan, stamp, facts)

    def command(self, asked: ResponseCommand, stamp: Stamp, facts: Facts) -> Result | Error:
        """Carry out what an operator asks for."""
        book = self._boards.responses
        if isinstance(asked, ResponseStop):
            for plan in list(book.running.values()):
                if plan.response_id == asked.response_id:
                    self._plans.stop(plan, asked.reason, stamp, facts)
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
        if not self._plans.start(plan, stamp, facts):
            running = book.running[account.id]
            text = f"response {running.response_id} ({running.action}) runs already"
            return Error(code="refused", text=text, request_id=asked.request_id)
        return _done(asked.request_id, stamp, plan.response_id)

    def _stood(self, fact: Stood, stamp: Stamp, facts: Facts) -> None:
        tripped = self._boards.responses.tripped
        key = tripped_key(fact.scope, fact.account, fact.measure)
        if fact.severity is None:  # It has recovered.
            if tripped.pop(key, None):
                facts.append(Recovered(fact.scope, fact.account, fact.measure))
        else:
            policy = policy_for(self._boards.policies, fact.event, fact.severity)
            if policy is None:
                return
            self._plans.trip(fact, policy, facts)
            if policy.action is ResponseAction.MONITOR:
                return
        if fact.scope == "account":
            self._reach(self._accounts[fact.account], fact, stamp, facts)
            return
        reached = self._boards.responses.reached
        if fact.severity is not None:
            reached[key] = None
        elif key in reached:
            del reached[key]
        else:
            return  # Nothing was begun in any account.
        self._roll_out(key, Rollout(fact, None), stamp, facts)

    def _roll_out(self, key: str, rollout: Rollout, stamp: Stamp, facts: Facts) -> None:
        """Begin with the accounts of a scope; of what is on its way to them the newest counts."""
        self._boards.responses.rollouts[key] = rollout
        self._go_round(stamp, facts)

    def _go_round(self, stamp: Stamp, facts: Facts) -> None:
        """Take what is on its way to the next accounts, as long as the input has turns."""
        book = self._boards.responses
        if not book.rollouts:
            return  # Of all accounts a list is made only where somebody is to be reached.
        names = list(self._accounts)
        if book.rolling_seq != stamp.seq:
            book.rolling_seq, book.turns = stamp.seq, TURNS_MAX
        while book.rollouts and book.turns > 0:
            key, rollout = next(iter(book.rollouts.items()))
            while rollout.cursor < len(names) and book.turns > 0:
                account = self._accounts[names[rollout.cursor]]
                before = len(facts)
                if rollout.halted is not None:
                    self._halt(account, rollout.halted, stamp, facts)
                elif rollout.fact is not None:
                    self._reach(account, rollout.fact, stamp, facts)
                rollout.cursor += 1
                book.turns -= BEGUN_TURNS if len(facts) > before else 1
            if rollout.cursor >= len(names):
                del book.rollouts[key]

    def _reach(self, account: Account, fact: Stood, stamp: Stamp, facts: Facts) -> None:
        """Do in one account what a measure, of its own or of its scope, calls for."""
        if fact.severity is None:
            self._recovered(account, fact, facts)
            return
        policy = policy_for(self._boards.policies, fact.event, fact.severity)
        symbols = None
        if fact.scope in ("symbol", "currency"):
            symbols = self._symbols(account, fact.scope, fact.account)
        elif not self._is_below(account, fact.scope, fact.account):
            return
        if policy is not None and symbols != ():
            self._plans.start(planned(account.id, fact, policy, symbols), stamp, facts)

    def _is_below(self, account: Account, scope: str, scope_id: str) -> bool:
        """Return whether an account is, or is below, what a scope names."""
        if account.id == SUSPENSE:
            return False
        match scope:
            case "firm":
                return True
            case "group":
                return scope_id in self._boards.ancestry(account.state.spec.group)
            case _:
                return scope == "account" and account.id == scope_id

    def _symbols(self, account: Account, scope: str, scope_id: str) -> tuple[str, ...]:
        """Return what an account holds or has working, of what a scope covers."""
        held = account.state.positions
        if account.id == SUSPENSE:
            return ()
        match scope:
            case "symbol":
                return (scope_id,) if scope_id in held else ()
            case "currency":
                instruments = self._boards.instruments
                return tuple(x for x in held if scope_id in currencies_of(instruments[x]))
            case _:
                return tuple(held) if self._is_below(account, scope, scope_id) else ()

    def _recovered(self, account: Account, fact: Stood, facts: Facts) -> None:
        """Undo in one account what a measure, of its own or of its scope, called for."""
        book, cause = self._boards.responses, cause_of(fact.scope, fact.account, fact.measure)
        if cause in account.state.conduct.risk_shrunk:
            facts.append(Told(account.id, RiskShrunk(None, cause)))
        book.postponed.pop(f"{account.id} {cause}", None)
        # Of a plan for it that failed here.
        if book.tripped.pop(tripped_key("account", account.id, cause), None):
            facts.append(Recovered("account", account.id, cause))

    def _forget(self, removed: Removed, facts: Facts) -> None:
        """Let nothing wait for an account that is closed; what its measures tripped may cool."""
        book, name = self._boards.responses, removed.account
        for rollout in book.rollouts.values():  # Who comes next is who would have.
            rollout.cursor -= removed.index < rollout.cursor
        for key in [key for key, plan in book.postponed.items() if plan.account == name]:
            del book.postponed[key]
        for key, tripped in list(book.tripped.items()):
            if (tripped.scope, tripped.scope_id) == ("account", name):
                del book.tripped[key]
                facts.append(Recovered(tripped.scope, name, tripped.measure))

    def _halt(self, account: Account, fact: Halted, stamp: Stamp, facts: Facts) -> None:
        """Cancel, and close if asked, what a killed or halted scope covers of an account."""
        symbols = self._symbols(account, fact.scope, fact.scope_id)
        by_strategy = fact.scope_id if fact.scope == "strategy" else None
        flattens = fact.flatten and by_strategy is None
        works = any(x.check.strategy == by_strategy for x in account.state.orders.values())
        if not (symbols if by_strategy is None else works):
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
        self._plans.start(plan, stamp, facts)


def _done(request_id: str | None, stamp: Stamp, response_id: str) -> Result:
    shown = {"seq": stamp.seq, "response_id": response_id}
    return Result(ok=True, data=shown, request_id=request_id)
