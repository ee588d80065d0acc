"""Overrides: one order, let past its limits once, because two people said so."""

from __future__ import annotations

from msgspec import Struct

from engine.facts import Facts, Raised, Stamp
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


Overrides = dict[str, Standing]  # By the hash of the order.


def apply_override(
    overrides: Overrides, asked: Override, stamp: Stamp, facts: Facts
) -> Result | Error:
    """Grant an override, or say why not; the same order's earlier one is replaced."""
    for key in [key for key, one in overrides.items() if one.until_steady_ns <= stamp.steady_ns]:
        del overrides[key]
    wrong = None
    if asked.requested_by == asked.approved_by:
        wrong = "nobody approves an override of their own: requested_by and approved_by differ"
    elif asked.expires_ns <= stamp.recv_ns:
        wrong = f"expires_ns {asked.expires_ns} is past"
    elif len(overrides) >= OVERRIDES_MAX and asked.order_hash not in overrides:
        wrong = f"{OVERRIDES_MAX} overrides stand already"
    if wrong is not None:
        return Error(code="refused", text=wrong, request_id=asked.request_id)
    overrides[asked.order_hash] = Standing(
        requested_by=asked.requested_by,
        approved_by=asked.approved_by,
        reason=asked.reason,
        until_steady_ns=stamp.steady_ns + asked.expires_ns - stamp.recv_ns,
    )
    text = f"{_named(overrides[asked.order_hash])} of order {asked.order_hash} stands"
    cause = f"override:{asked.order_hash}:{stamp.seq}"
    facts.append(Raised(Severity.MEDIUM, "override_granted", cause, text))
    return Result(ok=True, data={"seq": stamp.seq}, request_id=asked.request_id)


def use_override(
    overrides: Overrides, order: Check, codes: list[str], stamp: Stamp, facts: Facts
) -> bool:
    """Return whether an override lets an order past all of `codes`; it is used up then."""
    key = order_hash(order)
    standing = overrides.get(key)
    if standing is None or standing.until_steady_ns <= stamp.steady_ns:
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
