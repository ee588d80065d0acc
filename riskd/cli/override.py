"""`riskd override`: let one order pass limits once, because two people say so."""

from __future__ import annotations

import time
from typing import Annotated

from cyclopts import Parameter

from riskd.cli.act import Reason
from riskd.cli.connection import Connection
from riskd.cli.failure import DONE, USAGE, CommandError
from riskd.cli.look import HERE, Json
from riskd.cli.order import OrderOptions
from riskd.cli.text import print_json
from riskd.contract.order_hash import order_hash
from riskd.messages import Override


def override(
    order: OrderOptions,
    *,
    requested_by: Annotated[str, Parameter(help="Who asks for it.")],
    approved_by: Annotated[str, Parameter(help="Who grants it: somebody else.")],
    reason: Reason,
    for_s: Annotated[float, Parameter(help="Ends by itself after so many seconds.")] = 60.0,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Let the one order that is described, under exactly this --id, pass the firm's limits once.

    It opens no kill, breaker or restricted list. Send the order with the same fields and id.

    Example: riskd override --account A1 --symbol AAPL --side buy --quantity 500 --price 187.50
    --id block-7 --requested-by ann --approved-by bob --reason "agreed by telephone"
    """
    if order.id is None:
        raise CommandError(
            "an override is of one order, so it needs its client_order_id",
            exit_code=USAGE,
            next_step="add --id, and send the order with the same one",
        )
    asked = order.check(dry_run=False)
    request = Override(
        order_hash=order_hash(asked),
        expires_ns=time.time_ns() + round(for_s * 1e9),
        requested_by=requested_by,
        approved_by=approved_by,
        reason=reason,
    )
    found = connection.ask(request).data
    if json:
        print_json({"order_hash": request.order_hash, **(found or {})})
    else:
        waits_for = (found or {}).get("waits_for")
        state = f"waits for {waits_for}, with their own key" if waits_for else "stands"
        print(f"OVERRIDE of order {order.id} {state}, {for_s:g} s  hash {request.order_hash}")
    return DONE
