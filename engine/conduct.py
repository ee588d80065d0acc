"""Conduct: what an account's fills and cancels say of how it trades, counted and told."""

from __future__ import annotations

from msgspec.structs import replace

from engine.account import Account
from engine.case import Plan
from engine.charges import charge_rates
from engine.facts import MS_NS, SECOND_NS, Facts, Raised, Stamp, Stood
from engine.limit_tables import RATIO_FLOOR
from engine.limits import ResolvedLimit
from engine.nothing import NOTHING, forget, own
from engine.orders import Order
from engine.thresholds import count_crossed
from engine.throttle import Window
from riskd.messages import (
    AlertSettings,
    BreakerScope,
    Fill,
    Rearm,
    ResponseEvent,
    Scope,
    Severity,
    Verdict,
)

BREAKER_SCOPES: dict[Scope, BreakerScope] = {
    Scope.FIRM: "firm",
    Scope.GROUP: "group",
    Scope.STRATEGY: "strategy",
    Scope.SYMBOL: "symbol",
}
STRATEGIES_MAX = 10_000  # Counted per account; those of one more are not.


def note_cancel(account: Account, order: Order, stamp: Stamp, facts: Facts) -> None:
    """Count a cancel that was sent: too many are said, none is ever refused."""
    conduct, check = account.state.conduct, order.check
    conduct.messages += 1
    conduct.cancels += 1
    plan = account.plan(check.symbol, check.strategy, check.trader)
    assert plan is not None  # The order was judged by it.
    _note_ratios(account, plan, facts)
    overruns = charge_rates(account, plan.cancel_rates, stamp.steady_ns)
    for name, rate, is_shared in plan.cancel_rates if not overruns else ():
        windows = account.boards.windows if is_shared else account.state.windows
        count = windows[name].count(SECOND_NS, stamp.steady_ns)
        facts += count_crossed(account.id, rate, count - 1, count)
    for limit, _ in overruns:
        text = f"{limit.scope} {limit.scope_id} cancels more than {limit.value:g} orders a second"
        facts.append(_raised("cancel_rate", account, limit, text, limit.value + 1))


def _note_ratios(account: Account, plan: Plan, facts: Facts) -> None:
    """Say so where a cancel, which was counted, carried a ratio over a threshold of its limit."""
    conduct, limits = account.state.conduct, plan.limits
    floor = limits.get("ratio_floor")
    if conduct.messages <= (RATIO_FLOOR if floor is None else floor.value):
        return
    orders, fills = conduct.messages - conduct.cancels, max(1, conduct.fills)
    ratios = {
        "cancel_ratio_pct": ((conduct.cancels - 1) * 100, conduct.cancels * 100, max(1, orders)),
        "order_to_trade": (conduct.messages - 1, conduct.messages, fills),
    }
    for key, (before, now, whole) in ratios.items():
        if key in limits:
            facts += count_crossed(
                account.id, limits[key], before / whole, now / whole, breaches=True
            )


def note_fill(account: Account, fill: Fill, stamp: Stamp, facts: Facts) -> None:
    """Count a fill that was booked: its velocity, and the first of an order as an execution."""
    account.state.conduct.fills += 1
    if not account.boards.limits_fills:
        return  # No checks are prepared for a symbol that nobody sends orders in.
    root = account.root_id(fill.client_order_id) if fill.client_order_id is not None else ""
    order = account.state.orders.get(root) or account.state.finished.get(root)
    if order is not None:
        strategy, trader = order.check.strategy, order.check.trader
    else:
        strategy, trader = fill.strategy or "", ""
    plan = account.plan(fill.symbol, strategy, trader)
    assert plan is not None  # It was booked, so the symbol is known.
    for name, limit, is_shared in plan.fill_rates:
        windows = account.boards.windows if is_shared else account.state.windows
        window = windows.setdefault(name, Window())
        window.note(SECOND_NS, stamp.steady_ns)
        count = window.count(SECOND_NS, stamp.steady_ns)
        facts += count_crossed(account.id, limit, count - 1, count)
        if window.overrun_ns(int(limit.value), SECOND_NS, stamp.steady_ns):
            named = f"{limit.scope} {limit.scope_id}"
            text = f"{named} is filled more than {limit.value:g} times a second"
            raised = _raised("fill_velocity", account, limit, text, limit.value + 1)
            facts += _happened(account, raised, ResponseEvent.FILL_VELOCITY, limit)
    repeated = plan.limits.get("repeated_executions")
    first = order is not None and order.filled_lots == plan.instrument.lots(fill.quantity)
    if repeated is not None and first:
        _note_execution(account, strategy, repeated, facts)


def note_verdict(
    account: Account, verdict: Verdict, settings: AlertSettings, stamp: Stamp, facts: Facts
) -> None:
    """Count a first verdict; say when too large a share of a window's orders was refused."""
    judged, window_ns = account.state.judged, settings.reject_window_ms * MS_NS
    if stamp.steady_ns - judged.begun_steady_ns >= window_ns:
        judged.begun_steady_ns, judged.orders, judged.rejects = stamp.steady_ns, 0, 0
    judged.orders += 1
    if verdict.approved:
        return
    judged.rejects += 1
    pct, most = judged.rejects * 100 / judged.orders, settings.reject_ratio_pct
    if judged.orders < settings.reject_orders_min or judged.rejects * 100 <= most * judged.orders:
        return
    text = f"{judged.rejects} of {judged.orders} orders of account {account.id} were refused"
    text += f" within {settings.reject_window_ms / 1000:g} s, {pct:.3g} % > {most:g} %"
    cause = f"reject_ratio:{account.id}"
    told = (Severity.HIGH, "reject_ratio", cause, text, account.id, None, pct, most)
    facts += _happened(account, Raised(*told), ResponseEvent.REJECT_RATIO)


def apply_rearm(account: Account, rearm: Rearm) -> int:
    """Let strategies execute again, one or all; return how many executions were forgotten."""
    conduct = account.state.conduct
    if rearm.strategy is not None:
        return forget(conduct.executions, rearm.strategy) or 0
    forgotten = sum(conduct.executions.values())
    conduct.executions = NOTHING
    return forgotten


def _note_execution(account: Account, strategy: str, limit: ResolvedLimit, facts: Facts) -> None:
    executions = own(account.state.conduct, "executions")
    if strategy not in executions and len(executions) >= STRATEGIES_MAX:
        return
    count = executions[strategy] = executions.get(strategy, 0) + 1
    if count < limit.value:
        facts += count_crossed(account.id, limit, count - 1, count)
    if count == limit.value:
        named = f"strategy {strategy}" if strategy else "orders without a strategy"
        text = f"{named} executed {count} times without a person looking; riskd rearm lets it go on"
        facts.append(_raised("repeated_execution", account, limit, text, float(count)))


def _happened(
    account: Account, raised: Raised, event: ResponseEvent, limit: ResolvedLimit | None = None
) -> Facts:
    """Return an alert, and what responses are told: it happened and is over.

    So the breaker that a policy asks for opens, and closes when it has cooled: that of the scope of
    the limit, where it is of more than the account.
    """
    scope, scope_id = BREAKER_SCOPES.get(limit.scope) if limit is not None else None, account.id
    if limit is not None and scope is not None:
        scope_id = limit.scope_id
    stood = Stood(
        account=scope_id,
        measure=raised.alert_type,
        event=event,
        severity=raised.severity,
        reason=raised.message,
        value=raised.value,
        threshold=raised.threshold,
        scope=scope or "account",
    )
    over = replace(stood, severity=None, reason="it is over", value=None, threshold=None)
    return [raised, stood, over]


def _raised(
    alert_type: str, account: Account, limit: ResolvedLimit, text: str, value: float
) -> Raised:
    severity = Severity.MEDIUM if alert_type == "cancel_rate" else Severity.HIGH
    cause = f"{alert_type}:{account.id}:{limit.scope}:{limit.scope_id}"
    return Raised(severity, alert_type, cause, text, account.id, None, value, limit.value)
