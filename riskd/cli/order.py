"""`riskd order`: check, send, cancel or release one order from the command line."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated

from cyclopts import App, Parameter

from riskd.cli.act import Reason
from riskd.cli.connection import Connection
from riskd.cli.failure import DONE, FAILED, REJECTED, USAGE, CommandError, unreachable
from riskd.cli.look import HERE, Json
from riskd.cli.names import did_you_mean, known_names
from riskd.cli.text import GREEN, RED, YELLOW, amount, coloured, number, print_json, span
from riskd.denial import NO_ANSWER
from riskd.messages import (
    Check,
    OrderRelease,
    OrderReport,
    OrderStatus,
    OrderType,
    Reject,
    Side,
    TimeInForce,
    Verdict,
)

HELP = """Check, send, cancel or release one order.

Example: riskd order check --account A1 --symbol AAPL --side buy --quantity 5 --price 187.50
"""

app = App(name="order", help=HELP)


@Parameter(name="*")
@dataclass(frozen=True)
class OrderOptions:
    """The order in question."""

    account: Annotated[str, Parameter(help="Account, such as A1.")]
    symbol: Annotated[str, Parameter(help="Instrument, such as AAPL.")]
    side: Annotated[Side, Parameter(help="buy or sell.")]
    quantity: Annotated[float, Parameter(help="Units of the instrument.")]
    price: Annotated[float | None, Parameter(help="Limit price; a market order has none.")] = None
    stop_price: Annotated[float | None, Parameter(help="Trigger of a stop order.")] = None
    order_type: Annotated[OrderType | None, Parameter(name="--type", help="By the prices.")] = None
    time_in_force: Annotated[TimeInForce, Parameter(help="How long it lives.")] = TimeInForce.DAY
    expire_ns: Annotated[int | None, Parameter(help="When a gtd order ends, UTC.")] = None
    strategy: Annotated[str, Parameter(help="Strategy that sends it.")] = ""
    reduce_only: Annotated[bool, Parameter(negative="")] = False
    id: Annotated[str | None, Parameter(help="client_order_id; made if absent.")] = None

    def check(self, *, dry_run: bool) -> Check:
        """Return the question."""
        return Check(
            account=self.account,
            client_order_id=self.id or f"cli-{time.time_ns()}",
            symbol=self.symbol,
            side=self.side,
            quantity=self.quantity,
            order_type=self.order_type or self._type_by_prices(),
            price=self.price,
            stop_price=self.stop_price,
            time_in_force=self.time_in_force,
            expire_ns=self.expire_ns,
            strategy=self.strategy,
            reduce_only=self.reduce_only,
            dry_run=dry_run,
            explain=dry_run,
        )

    def _type_by_prices(self) -> OrderType:
        if self.stop_price is None:
            return OrderType.MARKET if self.price is None else OrderType.LIMIT
        return OrderType.STOP if self.price is None else OrderType.STOP_LIMIT


@app.command
def check(order: OrderOptions, *, json: Json = False, connection: Connection = HERE) -> int:
    """Ask whether an order would pass, with every check explained. Nothing is reserved.

    Example: riskd order check --account A1 --symbol AAPL --side buy --quantity 5 --price 187.50
    """
    return _ask(order, connection, json=json, dry_run=True)


@app.command
def send(order: OrderOptions, *, json: Json = False, connection: Connection = HERE) -> int:
    """Ask for an order as a gateway does: an approval reserves its worst case.

    Example: riskd order send --account A1 --symbol AAPL --side buy --quantity 5 --price 187.50
    """
    return _ask(order, connection, json=json, dry_run=False)


@app.command
def cancel(
    client_order_id: str,
    /,
    *,
    account: Annotated[str, Parameter(help="Account of the order.")],
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Report an order as canceled, which frees what it reserves. Nothing is sent to a venue.

    Example: riskd order cancel cli-1767623400000000000 --account A1
    """
    report = OrderReport(
        account=account,
        client_order_id=client_order_id,
        status=OrderStatus.CANCELED,
        report_id=f"cli-{time.time_ns()}",
    )
    ack = connection.told(lambda client: client.report(report))
    if json:
        print_json(ack)
        return DONE
    if "unknown_order" in ack.flags or "unknown_account" in ack.flags:
        raise CommandError(
            f"riskd knows no order {client_order_id} of account {account}.",
            exit_code=FAILED,
            where=f"orders port, {connection.address('orders')}",
            next_step=f"riskd orders {account}",
        )
    flags = f"  ({', '.join(ack.flags)})" if ack.flags else ""
    print(f"CANCELED {client_order_id}  account {account}  seq {ack.seq:,}{flags}")
    return DONE


@app.command
def release(
    client_order_id: str,
    /,
    *,
    account: Annotated[str, Parameter(help="Account of the order.")],
    reason: Reason,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Free what an order reserves of which no report will ever come. For operators.

    Example: riskd order release gw-7 --account A1 --reason "the venue never had it"
    """
    request = OrderRelease(account=account, client_order_id=client_order_id, reason=reason)
    found = connection.ask(request).data
    if json:
        print_json(found)
    else:
        print(f"RELEASED {client_order_id}  account {account}")
    return DONE


def _ask(order: OrderOptions, connection: Connection, *, json: bool, dry_run: bool) -> int:
    asked = order.check(dry_run=dry_run)
    address = connection.address("orders")
    try:
        with connection.client() as client:
            began_ns = time.perf_counter_ns()
            verdict = client.check(asked)
            took_ns = time.perf_counter_ns() - began_ns
    except ValueError as error:
        raise CommandError(str(error), exit_code=USAGE, where="--orders") from error
    if verdict.rejects and verdict.rejects[0].code == NO_ANSWER:
        raise unreachable(address, "orders", verdict.rejects[0].text)
    if json:
        print_json(verdict)
    elif verdict.approved:
        _print_accept(verdict, took_ns, dry_run=dry_run)
    else:
        _print_reject(verdict, took_ns, asked.quantity)
        _print_meant(verdict, connection)
    return DONE if verdict.approved else REJECTED


def _print_accept(verdict: Verdict, took_ns: int, *, dry_run: bool) -> None:
    parts = [coloured("ACCEPT", GREEN), f"round trip {span(took_ns)}"]
    judged = [found for found in verdict.checks or () if found.utilization is not None]
    if verdict.checks:
        parts.append(f"{len(verdict.checks)} checks passed")
    if judged:
        tightest = max(judged, key=lambda found: found.utilization or 0.0)
        used = f"{_rounded(tightest.value)} of {_rounded(tightest.limit)}"
        parts.append(f"tightest: {tightest.code} {used} ({tightest.utilization:.0%})")
    if verdict.duplicate:
        parts.append("the first verdict on this id, again")
    print("   ".join(parts))
    for warning in verdict.warnings:
        print(f"  {coloured('WARN', YELLOW)}   {warning.code}   {warning.text}")
    if dry_run:
        print('dry run: nothing was reserved (use "order send" to reserve)')
    else:
        print(f"  order  {verdict.client_order_id}   seq {verdict.seq:,}")
        cancel = f"riskd order cancel {verdict.client_order_id} --account {verdict.account}"
        print(f"  free   {cancel}")


def _rounded(value: float | None) -> str:
    return number(value) if value is None or value == int(value) else amount(value)


def _print_reject(verdict: Verdict, took_ns: int, quantity: float) -> None:
    first = verdict.rejects[0]
    scope = " ".join(dict.fromkeys(filter(None, (first.scope, first.scope_id))))  # firm, once.
    parts = [coloured("REJECT", RED), first.code, *_comparison(first), scope]
    print("   ".join([*parts, f"round trip {span(took_ns)}"]))
    print(f"  why    {first.text}")
    print(f"  FIX    OrdRejReason(103)={first.fix_code}")
    if verdict.max_quantity and verdict.max_quantity < quantity:
        print(f"  fits   quantity {number(verdict.max_quantity)} would pass")
    if verdict.nearest_price is not None:
        print(f"  fits   price {number(verdict.nearest_price)} would pass the collar")
    if first.retry_after_ns is not None:
        print(f"  wait   {span(first.retry_after_ns)}, then use a new id")
    for other in verdict.rejects[1:]:
        print(f"  also   {other.code}   {other.text}")
    print(f"  more   riskd explain {first.code}")


def _print_meant(verdict: Verdict, connection: Connection) -> None:
    """Say which known name an unknown one is near to, if the control port can tell."""
    first = verdict.rejects[0]
    if first.code in ("UNKNOWN_ACCOUNT", "UNKNOWN_SYMBOL"):
        near = did_you_mean(first.scope_id, known_names(first.scope, connection))
        if near:
            print(f"  next   {near}")


def _comparison(reject: Reject) -> list[str]:
    """Return value and limit with their unit, as the text has them; nothing where it has not."""
    _, _, figures = reject.text.partition(f"{reject.limit_type} ")
    return [figures] if figures else []
