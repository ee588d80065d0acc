"""`riskd example`: programs to start from. The README shows the same text."""

from __future__ import annotations

from cyclopts import App

from riskd.cli.failure import DONE

HELP = """Print a working example.

Example: riskd example gateway > gateway.py && python gateway.py
"""

app = App(name="example", help=HELP)

GATEWAY = """\
from riskd import RiskClient

with RiskClient("tcp://127.0.0.1:5701") as riskd:
    order = dict(account="A1", symbol="AAPL", side="buy", quantity=5, price=187.50)
    verdict = riskd.check(client_order_id="gw-1", **order)
    if verdict.approved:  # Silence is a denial too: only an approval is True.
        print("ACCEPT", verdict.seq)  # Now send it to the venue, then tell what became of it:
        riskd.fill(exec_id="x-1", client_order_id="gw-1", **order)
    else:
        print("REJECT", verdict.rejects[0].code, verdict.rejects[0].text)
"""

SESSION = """\
import asyncio

from riskd import AsyncGateway, Check, Hello, InstructionReport


async def main() -> None:
    def carry_out(instruction):  # Cancel, reduce or flatten at the venue; then tell:
        print("INSTRUCTION", instruction.action, instruction.client_order_id)
        done = InstructionReport(instruction_id=instruction.instruction_id, status="done")
        tasks.append(asyncio.ensure_future(riskd.report_instruction(done)))

    tasks = []
    hello = Hello(gateway="G1", executes_responses=True, cancel_on_disconnect=True)
    riskd = AsyncGateway(hello, "tcp://127.0.0.1:5701", on_instruction=carry_out)
    async with riskd:
        if riskd.welcome.must_resync:  # Compare these with your own, report what has ended, then:
            working = await riskd.resync()
            await riskd.resynced(working.seq)
        order = Check(account="A1", client_order_id="gw-1", symbol="AAPL", side="buy", quantity=5,
                      price=187.50)
        print("ACCEPT" if (await riskd.check(order)).approved else "REJECT", flush=True)
        await asyncio.sleep(3600)  # It keeps the session alive by itself.

asyncio.run(main())
"""

SUBSCRIBER = """\
from riskd import Subscriber

with Subscriber("tcp://127.0.0.1:5703", ["alert", "breaker"], on_gap=print) as riskd:
    for topic, message in riskd:
        print(topic, message)
"""


@app.command
def gateway() -> int:
    """Print a gateway in ten lines: ask, obey, report."""
    print(GATEWAY, end="")
    return DONE


@app.command
def session() -> int:
    """Print a gateway with a session: heartbeats, cancel on disconnect, instructions."""
    print(SESSION, end="")
    return DONE


@app.command
def subscriber() -> int:
    """Print a subscriber in five lines: listen, notice gaps."""
    print(SUBSCRIBER, end="")
    return DONE
