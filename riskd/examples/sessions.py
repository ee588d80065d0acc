"""Examples of the messages of a session: gateway G1 comes back and resynchronises."""

from __future__ import annotations

from riskd import messages as m
from riskd.examples.moment import AT_NS

REQUESTS = (
    m.Hello(
        gateway="G1",
        accounts=("A1",),
        executes_responses=True,
        cancel_on_disconnect=True,
        last_seq=18_190,
        request_id="r-3",
    ),
    m.Resync(request_id="r-4"),
    m.Resynced(seq=18_210, request_id="r-5"),
    m.InstructionReport(instruction_id=f"{AT_NS}-1", status="done"),
)
ANSWERS = (
    m.Welcome(
        session=18_209,
        server_ns=AT_NS,
        heartbeat_ms=1000,
        last_seq=18_205,
        must_resync=True,
        request_id="r-3",
    ),
    m.WorkingOrders(
        seq=18_210,
        orders=(
            m.WorkingOrder(
                account="A1",
                client_order_id="o-1",
                symbol="AAPL",
                side=m.Side.BUY,
                quantity=100.0,
                leaves_quantity=40.0,
                state="accepted",
                seq=18_205,
                price=187.5,
            ),
        ),
        request_id="r-4",
    ),
)
UNASKED = (
    m.Instruction(
        instruction_id=f"{AT_NS}-1",
        response_id="session_lost-17700",
        account="A1",
        action=m.InstructionAction.CANCEL,
        client_order_id="o-1",
        symbol="AAPL",
        side=m.Side.BUY,
        deadline_ns=AT_NS + 5_000_000_000,
    ),
    m.Certificate(
        account="A1",
        client_order_id="o-7",
        quantity=0.0,
        seq=18_230,
        reason="a fill: the position is now -20",
        pub_seq=3,
    ),
)
JOURNAL = (m.SessionLost(session=17_700, reason="its connection is gone"),)
