"""Responses: plans that run until a measure has recovered, kept so that a restart resumes them.

An account has at most one plan at a time: an event that comes while one runs does not double it,
but may make it a stronger one. What crosses a line for a group or the firm calls for a plan of each
of its accounts. A plan cancels what races it, waits until that is answered or late, and asks its
gateway for exits that bring every position to its target; each exit is an order under an id of its
own and passes the gate as any other. What is missing after an attempt is asked for again, after a
pause that doubles; three attempts later the next severity's response takes over.
"""

from __future__ import annotations

from msgspec import Struct

from engine.facts import Halted, Stood, Tripped
from engine.targets import Target
from riskd.messages import (
    BreakerScope,
    Exit,
    ResponseAction,
    ResponseEvent,
    ResponsePolicy,
    ResponsePriority,
    Responses,
    ResponseStage,
    ResponseUpdate,
    Severity,
)

ATTEMPTS_MAX = 3
EXITS_MAX = 100  # Of one attempt; what is left goes with the next.
ENDED_MAX = 1000  # Remembered, for questions; the oldest is forgotten.
SEVERITIES = tuple(Severity)
ASKED_FOR = (ResponseEvent.KILL, ResponseEvent.BREAKER, ResponseEvent.MANUAL)  # By a person.
STRENGTH = {  # A plan is replaced only by one that does more.
    ResponseAction.MONITOR: 0,
    ResponseAction.SHRINK_RISK: 1,
    ResponseAction.SHARE: 2,
    ResponseAction.CUT_CORRELATED: 2,
    ResponseAction.REDUCE: 3,
    ResponseAction.CANCEL: 4,
    ResponseAction.STOP: 5,
    ResponseAction.FLATTEN: 6,
}


class Plan(Struct, kw_only=True):
    """What is to be done for one account, and how far it is."""

    response_id: str = ""
    account: str
    event: ResponseEvent
    severity: Severity
    action: ResponseAction
    policy: str = ""  # The id of its row; empty where a person asked.
    percent: float | None = None
    priority: ResponsePriority = ResponsePriority.LARGEST_LOSS
    reason: str
    measure: str = ""  # The guard that called for it: it is done when that has recovered.
    scope: BreakerScope = "account"  # Whose measure that is: its own, or its group's, say,
    scope_id: str = ""  # by name; its own has none here.
    symbols: tuple[str, ...] | None = None  # What it is about; None: everything.
    strategy: str | None = None  # Cancels only: the orders of one strategy.
    stage: ResponseStage = ResponseStage.CANCELING
    attempt: int = 0
    asked_seq: int = 0  # Of the input that asked for the exits of this attempt.
    failures: int = 0  # Attempts in a row that came to nothing, or were not enough.
    left_lots: int = 0  # Missing when the last attempt began.
    until_steady_ns: int = 0  # When the stage is late, or the pause over.
    told_seq: int = 0  # Of the input that moved it last, and when that came.
    told_ns: int = 0
    began: bool = False  # Targets are set.
    targets: list[Target] = []
    exits: list[Exit] = []  # Of this attempt, that are not over.

    @property
    def cause(self) -> str:
        """What called for it, apart from the same measure of anybody else."""
        return cause_of(self.scope, self.scope_id, self.measure)


class Rollout(Struct):
    """What concerns every account of a scope, and whose turn it is."""

    fact: Stood | None  # A measure of the scope crossed a line, or has recovered.
    halted: Halted | None  # The scope was stopped.
    cursor: int = 0  # Accounts that were told, in the order in which they were opened.


class ResponseBook(Struct):
    """Every plan, those that run by their account."""

    number: int = 0
    running: dict[str, Plan] = {}
    ended: dict[str, Plan] = {}
    tripped: dict[str, Tripped] = {}  # By scope and measure, until it has recovered.
    exits: dict[str, str] = {}  # Orders that running plans asked for, with the response.
    postponed: dict[str, Plan] = {}  # By account and cause: what waits until another plan ends.
    rollouts: dict[str, Rollout] = {}  # On their way to their accounts, by scope and measure.
    reached: dict[str, None] = {}  # What was, and has not recovered: it is to be undone then.
    rolling_seq: int = 0  # Of the input that has turns left for them,
    turns: int = 0  # and how many.

    def due_steady_ns(self) -> int | None:
        """Return when the next stage is late or the next pause over, None if nothing runs."""
        return min((plan.until_steady_ns for plan in self.running.values()), default=None)

    def is_exit(self, account: str, client_order_id: str) -> bool:
        """Return whether an order is an exit that a person asked for: a kill lets pass no other."""
        plan = self.running.get(account)
        if plan is None or plan.event not in ASKED_FOR:
            return False
        return self.exits.get(client_order_id) == plan.response_id

    def postpone(self, plan: Plan) -> None:
        """Keep what a measure calls for until the plan of another measure is over."""
        if plan.measure:
            self.postponed[f"{plan.account} {plan.cause}"] = plan

    def end(self, plan: Plan, stage: ResponseStage) -> None:
        """Put a plan that is over away."""
        plan.stage = stage
        mine = [key for key, asked in self.exits.items() if asked == plan.response_id]
        for order_id in mine:
            del self.exits[order_id]
        plan.exits = []
        if self.running.get(plan.account) is plan:
            del self.running[plan.account]
        self.ended[plan.response_id] = plan
        if len(self.ended) > ENDED_MAX:
            del self.ended[next(iter(self.ended))]


def cause_of(scope: str, scope_id: str, measure: str) -> str:
    """Return what an account knows a measure by: its own by its name, others with their scope."""
    return measure if scope == "account" else f"{measure} of {scope} {scope_id}"


def tripped_key(scope: str, scope_id: str, measure: str) -> str:
    """Return by what the breaker of a measure is kept."""
    return f"{scope} {scope_id} {measure}"


def policy_for(
    policies: tuple[ResponsePolicy, ...], event: ResponseEvent, severity: Severity
) -> ResponsePolicy | None:
    """Return the row for an event of a severity: its own, else the one for any; None: monitor.

    What has neither is answered as the next milder severity is: a measure that jumps past several
    lines at once calls for no less than one that passes the first of them.
    """
    for milder in reversed(SEVERITIES[: SEVERITIES.index(severity) + 1]):
        for wanted in (event, ResponseEvent.ANY):
            for policy in policies:
                if policy.event is wanted and policy.severity is milder:
                    return policy
    return None


def next_severity(severity: Severity) -> Severity | None:
    """Return the severity above one, None above the highest."""
    index = SEVERITIES.index(severity) + 1
    return SEVERITIES[index] if index < len(SEVERITIES) else None


def responses_view(book: ResponseBook, asked: Responses) -> list[ResponseUpdate]:
    """Return the plans that ended, the latest last, and after them those that run."""
    plans = [*book.ended.values(), *book.running.values()]
    found = [plan for plan in plans if asked.account in (None, plan.account)]
    return [update_of(plan) for plan in found[-asked.limit :]]


def update_of(plan: Plan) -> ResponseUpdate:
    """Return what was published of a plan last."""
    return ResponseUpdate(
        response_id=plan.response_id,
        account=plan.account,
        policy=plan.policy,
        event=plan.event,
        severity=plan.severity,
        action=plan.action,
        stage=plan.stage,
        attempt=plan.attempt,
        reason=plan.reason,
        seq=plan.told_seq,
        at_ns=plan.told_ns,
        exits=tuple(plan.exits),
    )
