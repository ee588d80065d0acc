"""Overrides: one order, let past its limits once, because two people said so."""

from __future__ import annotations

from msgspec import Struct

from engine.facts import BY_LOCAL, Facts, Raised, Stamp
from riskd.codes import RejectCode
from riskd.contract.order_hash import order_hash
from riskd.messages import Check, Error, Override, Result, Severity

OVERRIDES_MAX = 1000  # Standing at once; one more is refused.
OVERRIDABLE = frozenset(  # Limits that a firm set itself; nothing else can be waived.
    (
        RejectCode.DAILY_LOSS,
        RejectCode.DRAWDOWN,
        RejectCode.PRICE_COLLAR,
        RejectCode.ORDER_QUANTITY,
        RejectCode.ORDER_NOTIONAL,
        RejectCode.POSITION_LIMIT,
        RejectCode.GROSS_EXPOSURE,
        RejectCode.NET_EXPOSURE,
        RejectCode.CURRENCY_EXPOSURE,
        RejectCode.OPEN_ORDERS,
        RejectCode.TURNOVER,
        RejectCode.CONCENTRATION,
        RejectCode.CORRELATED_EXPOSURE,
        RejectCode.LEVERAGE,
        RejectCode.RISK_PER_TRADE,
        RejectCode.GROUP_LIMIT,
    )
)


class Standing(Struct):
    """An override that was granted and not used."""

    requested_by: str
    approved_by: str
    reason: str
    until_steady_ns: int  # A stepping clock neither ends it early nor keeps it.
    waits_for: str = ""  # Who has not said so yet with a key of their own.


Overrides = dict[str, Standing]  # By the hash of the order.


def apply_override(
    overrides: Overrides, asked: Override, stamp: Stamp, by: str, facts: Facts
) -> Result | Error:
    """Grant an override, or say why not; the same order's earlier one is replaced.

    Where people have keys, each of the two says so with their own: the first is kept and opens
    nothing, the second puts it in force.
    """
    for key in [key for key, one in overrides.items() if one.until_steady_ns <= stamp.steady_ns]:
        del overrides[key]
    wrong = None
    if asked.requested_by == asked.approved_by:
        wrong = "nobody approves an override of their own: requested_by and approved_by differ"
    elif by not in (BY_LOCAL, asked.requested_by, asked.approved_by):
        wrong = f"{by} is neither requested_by nor approved_by: each says so with their own key"
    elif asked.expires_ns <= stamp.recv_ns:
        wrong = f"expires_ns {asked.expires_ns} is past"
    elif len(overrides) >= OVERRIDES_MAX and asked.order_hash not in overrides:
        wrong = f"{OVERRIDES_MAX} overrides stand already"
    if wrong is not None:
        return Error(code="refused", text=wrong, request_id=asked.request_id)
    standing = overrides[asked.order_hash] = _signed(
        overrides.get(asked.order_hash), asked, stamp, by
    )
    what = f"{_named(standing)} of order {asked.order_hash}"
    cause = f"override:{asked.order_hash}:{stamp.seq}"
    if standing.waits_for:
        text = f"{what} waits for {standing.waits_for}"
        facts.append(Raised(Severity.MEDIUM, "override_requested", cause, text))
        shown = {"seq": stamp.seq, "waits_for": standing.waits_for}
        return Result(ok=True, data=shown, request_id=asked.request_id)
    facts.append(Raised(Severity.MEDIUM, "override_granted", cause, f"{what} stands"))
    return Result(ok=True, data={"seq": stamp.seq}, request_id=asked.request_id)


def _signed(before: Standing | None, asked: Override, stamp: Stamp, by: str) -> Standing:
    """Return an override with one more name under it; the shorter of two times counts."""
    until_ns = stamp.steady_ns + asked.expires_ns - stamp.recv_ns
    standing = Standing(asked.requested_by, asked.approved_by, asked.reason, until_ns)
    if by == BY_LOCAL:
        return standing
    people = (asked.requested_by, asked.approved_by)
    if before is not None and (before.requested_by, before.approved_by, before.waits_for) == (
        *people,
        by,
    ):
        standing.until_steady_ns = min(until_ns, before.until_steady_ns)
    else:
        standing.waits_for = people[people.index(by) - 1]
    return standing


def use_override(
    overrides: Overrides, order: Check, codes: list[str], stamp: Stamp, facts: Facts
) -> bool:
    """Return whether an override lets an order past all of `codes`; it is used up then."""
    key = order_hash(order)
    standing = overrides.get(key)
    if standing is None or standing.waits_for or standing.until_steady_ns <= stamp.steady_ns:
        return False
    if not OVERRIDABLE.issuperset(codes):
        return False
    del overrides[key]
    text = f"{_named(standing)} let order {order.client_order_id} past {', '.join(codes)}"
    cause = f"override:{key}:{stamp.seq}"
    facts.append(Raised(Severity.HIGH, "override_used", cause, text, order.account, order.symbol))
    return True


def _named(standing: Standing) -> str:
    reason = f" ({standing.reason})" if standing.reason else ""
    people = f"requested by {standing.requested_by}, approved by {standing.approved_by}"
    return f"an override {people}{reason}"
