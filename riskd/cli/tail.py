"""`riskd tail`: follows what riskd publishes, a line each."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Literal, assert_never

from cyclopts import Parameter

from riskd.cli.connection import Connection
from riskd.cli.failure import DONE, USAGE, CommandError, unreachable
from riskd.cli.look import HERE
from riskd.cli.scope import ScopeArgument
from riskd.cli.text import (
    GREEN,
    RED,
    YELLOW,
    clock,
    coloured,
    money,
    number,
    print_json,
    span,
)
from riskd.gaps import Gap
from riskd.messages import (
    Alert,
    Breaker,
    Certificate,
    DrawdownUpdate,
    ExposureUpdate,
    FirmDrawdown,
    FirmExposure,
    FirmPnl,
    Heartbeat,
    Instruction,
    LimitsUpdate,
    MarginUpdate,
    PnlUpdate,
    PositionUpdate,
    Published,
    ResponseUpdate,
    RiskUpdate,
    Severity,
    VerdictEvent,
)
from riskd.subscriber import Publication, Subscriber

What = Literal[
    "verdicts",
    "alerts",
    "pnl",
    "positions",
    "exposure",
    "margin",
    "drawdown",
    "risk",
    "responses",
    "certificates",
    "firm",
    "breakers",
    "limits",
    "heartbeat",
    "all",
]
TOPICS: dict[str, str] = {
    "verdicts": "verdict.",
    "alerts": "alert.",
    "pnl": "pnl.",
    "positions": "position.",
    "exposure": "exposure.",
    "margin": "margin.",
    "drawdown": "drawdown.",
    "risk": "risk_update.",
    "responses": "response.",
    "certificates": "certificate.",
    "firm": "firm.",
    "breakers": "breaker.",
    "limits": "limits",
    "heartbeat": "heartbeat",
    "all": "",
}
OF_NO_ACCOUNT = ("firm", "breakers", "limits", "heartbeat", "all")
POLL_MS = 200


def tail(
    what: What = "all",
    /,
    *,
    account: Annotated[str | None, Parameter(help="Only of this account.")] = None,
    symbol: Annotated[str | None, Parameter(help="Only of this instrument.")] = None,
    code: Annotated[str | None, Parameter(help="Only verdicts with this reject code.")] = None,
    count: Annotated[int | None, Parameter(help="End after so many lines.")] = None,
    json: Annotated[bool, Parameter(negative="", help="One JSON object a line.")] = False,
    connection: Connection = HERE,
) -> int:
    """Follow verdicts, alerts, pnl, positions, breakers, heartbeat, or all, until Ctrl-C.

    With a gateway's key name one of its accounts with --account: it hears no others.

    Example: riskd tail verdicts --account A1 --code ORDER_NOTIONAL --json
    """
    address = connection.address("alerts")
    printed = 0
    try:
        key = connection.client_key()
        topics = _topics(what, None if key is None else account)
        with Subscriber(address, topics, on_gap=_warn_of_gap, key=key) as subscriber:
            silence = _Silence(subscriber, connection.timeout_ms)
            while count is None or printed < count:
                publication = subscriber.receive(timeout_ms=POLL_MS)
                silence.look(is_heard=publication is not None)
                if publication is None or not _is_wanted(publication, account, symbol, code):
                    continue
                _print(publication, json=json)
                printed += 1
    except ValueError as error:
        raise CommandError(str(error), exit_code=USAGE, where="--alerts") from error
    except KeyboardInterrupt:
        return DONE  # Ctrl-C is how one stops following.
    return DONE


def _topics(what: What, account: str | None) -> tuple[str, ...]:
    """Return what to subscribe to; of one account alone, no more than a gateway's key may hear."""
    chosen = [name for name in TOPICS if name not in OF_NO_ACCOUNT] if what == "all" else [what]
    if account is None or chosen[0] in OF_NO_ACCOUNT:
        return (TOPICS[what],)
    prefixes = [TOPICS[name] for name in chosen]
    if "alert." in prefixes:
        prefixes.remove("alert.")
        prefixes += [f"alert.{severity}." for severity in Severity]
    return tuple(f"{prefix}{account}" for prefix in prefixes)


class _Silence:
    """Says when riskd stops to be heard; gives up only if it was never heard at all."""

    def __init__(self, subscriber: Subscriber, timeout_ms: int) -> None:
        self._subscriber = subscriber
        self._until_s = time.monotonic() + timeout_ms / 1000
        self._was_heard = False
        self._was_alive = False

    def look(self, *, is_heard: bool) -> None:
        """Note what has been heard; raise CommandError if it was nothing for too long."""
        is_alive = self._subscriber.alive
        self._was_heard |= is_heard or is_alive
        if not self._was_heard and time.monotonic() > self._until_s:
            raise unreachable(self._subscriber.address, "alerts", "Nothing was heard of riskd.")
        if self._was_alive and not is_alive:
            sys.stderr.write("riskd: no heartbeat; still listening\n")
        self._was_alive = is_alive


def _is_wanted(
    publication: Publication, account: str | None, symbol: str | None, code: str | None
) -> bool:
    message = publication.message
    if account is not None and getattr(message, "account", None) != account:
        return False
    if symbol is not None and getattr(message, "symbol", None) != symbol:
        return False
    if code is None:
        return True
    rejects = message.rejects if isinstance(message, VerdictEvent) else ()
    return any(reject.code == code.upper() for reject in rejects)


def _print(publication: Publication, *, json: bool) -> None:
    if json:
        print_json({"topic": publication.topic, "message": publication.message})
    else:
        print(line_of(publication.message))
    sys.stdout.flush()


def _warn_of_gap(gap: Gap) -> None:
    if gap.missed is None:
        sys.stderr.write(f"riskd: started anew; {gap.topic_class} counts from its beginning\n")
    else:
        sys.stderr.write(f"riskd: {gap.missed:,} missed of {gap.topic_class}\n")


def line_of(message: Published) -> str:
    """Return one published message as a line for people."""
    match message:
        case VerdictEvent():
            return _verdict_line(message)
        case Alert():
            subject = " ".join(name for name in (message.account, message.symbol) if name)
            word = coloured(message.severity.upper(), YELLOW)
            times = f"  x{message.count:,}" if message.count > 1 else ""
            return f"ALERT     {word}  {message.alert_type}  {subject}  {message.message}{times}"
        case Breaker():
            word = coloured("OPEN", RED) if message.active else coloured("CLOSED", GREEN)
            scope = ScopeArgument(message.scope, message.scope_id)
            when = clock(message.at_ns)
            return f"BREAKER   {word}  {scope}  {message.action}  {message.reason}  {when}"
        case PnlUpdate():
            currency = message.currency
            partial = "" if message.complete else "  INCOMPLETE (a mark or rate is missing)"
            return (
                f"PNL       {message.account}  day {money(message.day, currency)}  "
                f"realized {money(message.realized, currency)}  "
                f"unrealized {money(message.unrealized, currency)}  "
                f"equity {money(message.equity, currency)}{partial}"
            )
        case PositionUpdate():
            return (
                f"POSITION  {message.account}  {message.symbol}  {number(message.quantity)} "
                f"@ {number(message.average_price)}  mark {number(message.mark)} "
                f"({span(message.mark_age_ns)} old)  "
                f"unrealized {money(message.unrealized, message.currency)}{_excursion(message)}"
            )
        case Instruction() | Certificate():
            return _order_line(message)
        case ResponseUpdate():
            return _response_line(message)
        case ExposureUpdate() | MarginUpdate() | DrawdownUpdate() | RiskUpdate():
            return _measure_line(message)
        case FirmExposure() | FirmPnl() | FirmDrawdown():
            return _firm_line(message)
        case LimitsUpdate():
            return f"LIMITS    v{message.limits_version}  seq {message.seq:,}"
        case Heartbeat():
            return (
                f"HEARTBEAT {message.state}  seq {message.seq:,}  "
                f"p50 {_latency(message.verdict_p50_ns)}  p99 {_latency(message.verdict_p99_ns)}  "
                f"journal lag {message.journal_lag:,}  {clock(message.server_ns)}"
            )
        case unprinted:
            assert_never(unprinted)


def _measure_line(
    message: ExposureUpdate | MarginUpdate | DrawdownUpdate | RiskUpdate,
) -> str:
    match message:
        case RiskUpdate():
            name = f"{message.account}  {message.update_type}"
            return f"RISK      {name}  {_risk_value(message)}  {message.threshold_status}"
        case ExposureUpdate():
            own = message.currency
            return (
                f"EXPOSURE  {message.account}  gross {money(message.gross, own)}  "
                f"net {money(message.net, own)}  {message.status}"
            )
        case MarginUpdate():
            own = message.currency
            return (
                f"MARGIN    {message.account}  level {_percent(message.level_pct)}  "
                f"used {money(message.used, own)}  free {money(message.free, own)}  {message.state}"
            )
        case DrawdownUpdate():
            return f"DRAWDOWN  {message.account}  {_spans_told(message)}  {message.status}"


def _spans_told(message: DrawdownUpdate | FirmDrawdown) -> str:
    spans = (("day", message.day), ("week", message.week), ("max", message.max))
    return "  ".join(
        f"{name} {_percent(span.drawdown_pct)}" for name, span in spans if span is not None
    )


def _percent(value: float | None) -> str:
    return number(value, "" if value is None else "%", places=4)


def _latency(spent_ns: int) -> str:
    return span(spent_ns or None)  # 0: no verdict lately.


def _risk_value(message: RiskUpdate) -> str:
    if message.update_type in ("drawdown", "margin"):
        return _percent(message.current_value)
    return number(message.current_value, places=2)


def _firm_line(message: FirmExposure | FirmPnl | FirmDrawdown) -> str:
    own = message.currency
    if isinstance(message, FirmPnl):
        day, equity = money(message.day, own), money(message.equity, own)
        told = f"day {day}  equity {equity}  {message.accounts:,} accounts"
        return f"FIRM      {message.scope}  {told}"
    if isinstance(message, FirmDrawdown):
        return f"FIRM      {message.scope}  drawdown {_spans_told(message)}  {message.status}"
    gross, net = money(message.gross, own), money(message.net, own)
    return f"FIRM      {message.scope}  gross {gross}  net {net}"


def _order_line(message: Instruction | Certificate) -> str:
    if isinstance(message, Certificate):
        left = f"certified {number(message.quantity)}" if message.quantity else "revoked"
        name = f"{message.account}  {message.client_order_id}"
        return f"CERTIFICATE  {name}  {left}  {message.reason}"
    order = message.client_order_id or message.symbol or "all"
    size = "" if message.quantity is None else f"  {message.side} {number(message.quantity)}"
    return f"INSTRUCTION  {message.account}  {message.action} {order}{size}"


def _response_line(message: ResponseUpdate) -> str:
    exits = "  ".join(f"{one.side} {number(one.quantity)} {one.symbol}" for one in message.exits)
    told = f"{message.account}  {message.action} for {message.event} {message.severity}"
    return f"RESPONSE  {message.response_id}  {told}  {message.stage}  {message.reason}  {exits}"


def _excursion(message: PositionUpdate) -> str:
    if message.mfe is None:
        return ""  # Flat.
    return f"  best {money(message.mfe)}  worst {money(message.mae)}"


def _verdict_line(message: VerdictEvent) -> str:
    order = (
        f"{message.account}  {message.symbol} {message.side} {number(message.quantity)}"
        f" @ {number(message.price)}"
    )
    if message.approved:
        return f"VERDICT   {coloured('ACCEPT', GREEN)}  {order}  seq {message.seq:,}"
    first = message.rejects[0] if message.rejects else None
    why = f"{first.code}  {first.text}" if first is not None else ""
    return f"VERDICT   {coloured('REJECT', RED)}  {order}  {why}"
