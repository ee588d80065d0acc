"""What the audit keeps, as rows: published facts, operators' acts, limit changes, measures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from engine.account import Account
from engine.account_state import ClosedDay
from engine.desk import Answer
from engine.facts import Stamp
from engine.money import number_from_money
from engine.views import pnl_update
from riskd.messages import Alert, Breaker, ControlRequest, Error, LimitSet, Published
from transport.audit_writer import Row, Value

HUNDRED = 100.0


def alert_row(alert: Alert, stamp: Stamp) -> Row:
    """Return an alert as it was published."""
    columns: dict[str, Value] = {
        "alert_id": alert.alert_id,
        "first_ns": alert.first_ns,
        "seq": stamp.seq,
        "status": alert.status,
        "severity": alert.severity.value,
        "at_ns": stamp.recv_ns,
        "alert_type": alert.alert_type,
        "account": alert.account,
        "symbol": alert.symbol,
        "message": alert.message,
        "value": alert.value,
        "threshold": alert.threshold,
        "count": alert.count,
        "by": alert.by,
        "note": alert.note,
    }
    return Row("risk_alerts", stamp.seq, columns)


def breaker_row(event: Breaker, stamp: Stamp) -> Row:
    """Return what became of a breaker."""
    columns: dict[str, Value] = {
        "seq": stamp.seq,
        "breaker_id": event.breaker_id,
        "active": int(event.active),
        "at_ns": stamp.recv_ns,
        "scope": event.scope,
        "scope_id": event.scope_id,
        "trigger_type": str(event.trigger_type),
        "action": event.action,
        "value": event.value,
        "threshold": event.threshold,
        "reason": event.reason,
        "by": event.by,
        "until_ns": event.until_ns,
    }
    return Row("circuit_breaker_events", stamp.seq, columns)


def response_row(topic: str, message: Published, stamp: Stamp, number: int) -> Row:
    """Return what was said of a response, whole; `number` tells those of one input apart."""
    body = msgspec.json.encode(message).decode()
    columns: dict[str, Value] = {
        "seq": stamp.seq,
        "number": number,
        "at_ns": stamp.recv_ns,
        "account": topic.partition(".")[2],
        "kind": str(message.__struct_config__.tag),
        "response_id": getattr(message, "response_id", None),
        "body": body,
    }
    return Row("risk_responses", stamp.seq, columns)


def act_row(request: ControlRequest, answer: Answer, stamp: Stamp, by: str) -> Row:
    """Return what an operator ordered and what was answered; seq 0: it is in no journal."""
    named = (getattr(request, name, "") for name in ("by", "approved_by"))
    columns: dict[str, Value] = {
        "seq": stamp.seq or None,
        "at_ns": stamp.recv_ns,
        "by": next((name for name in named if name), by),
        "act": str(request.__struct_config__.tag),
        "reason": getattr(request, "reason", "") or getattr(request, "note", ""),
        "ok": int(not isinstance(answer, Error)),
        "request": msgspec.json.encode(request).decode(),
        "result": msgspec.json.encode(answer).decode(),
    }
    return Row("operator_acts", stamp.seq, columns)


def limit_rows(before: LimitSet, after: LimitSet, version: int, stamp: Stamp) -> Iterator[Row]:
    """Yield every limit that is another one now, as JSON values; absent ones are null."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    for number, (scope, key) in enumerate(sorted(old.keys() | new.keys())):
        told = [table.get((scope, key)) for table in (old, new)]
        if told[0] == told[1]:
            continue
        columns: dict[str, Value] = {
            "seq": stamp.seq,
            "number": number,
            "at_ns": stamp.recv_ns,
            "limits_version": version,
            "scope": scope,
            "key": key,
            "before": told[0],
            "after": told[1],
        }
        yield Row("limit_changes", stamp.seq, columns)


def day_row(account: Account, closed: ClosedDay, stamp: Stamp) -> Row:
    """Return what a day of an account came to."""
    columns: dict[str, Value] = {
        "account": account.id,
        "roll": closed.roll,
        "at_ns": stamp.recv_ns,
        "day": closed.day,
        "currency": account.currency,
        "equity": _number(closed.equity_money),
        "pnl": _number(closed.pnl_money),
    }
    return Row("daily_pnl", stamp.seq, columns)


def metrics_row(account: Account, seq: int, now_ns: int, at_ns: int) -> Row:
    """Return an account's measures of now; what is not known is null."""
    pnl = pnl_update(account, now_ns)
    valuation, known = account.valuation, pnl.equity is not None
    used = valuation.used_money() if known else 0
    peaks = account.water.peaks_money() if known and account.water.is_known() else (0, 0, 0)
    falls = [
        (peak - valuation.equity_money) * HUNDRED / peak if peak > 0 else None for peak in peaks
    ]
    columns: dict[str, Value] = {
        "at_ns": at_ns,
        "account": account.id,
        "seq": seq,
        "currency": pnl.currency,
        "equity": pnl.equity,
        "realized": pnl.realized,
        "unrealized": pnl.unrealized,
        "fees": pnl.fees,
        "day": pnl.day,
        "gross": number_from_money(valuation.gross_money) if known else None,
        "margin_used": number_from_money(used) if known else None,
        "margin_level_pct": valuation.equity_money * HUNDRED / used if used else None,
        "drawdown_day_pct": falls[0],
        "drawdown_max_pct": falls[2],
        "open_orders": len(account.state.orders),
        "frozen": account.state.frozen,
    }
    return Row("risk_metrics_snapshot", seq, columns)


def _number(money: int | None) -> float | None:
    return None if money is None else number_from_money(money)


def _leaves(limits: LimitSet) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield each limit that is set as ((scope, key), JSON): `account:A1`, `order_notional`."""
    for scope, table in msgspec.to_builtins(limits).items():
        if scope in ("default", "firm", "session"):
            yield from _keys_of(scope, table)
            continue
        for name, inner in table.items():
            if scope != "account_symbol":
                yield from _keys_of(f"{scope}:{name}", inner)
                continue
            for symbol, spec in inner.items():
                yield from _keys_of(f"account:{name}:{symbol}", spec)


def _keys_of(scope: str, table: dict[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    for key, value in table.items():
        yield (scope, key), msgspec.json.encode(value).decode()
