"""What the control port answers of P&L, from the live system."""

from __future__ import annotations

from engine.core import Input
from engine.facts import Stamp
from riskd.messages import Configure, Error, Pnl, PnlBy, Result, Tick
from tests.builders import STEADY_NS, WALL_NS, a_fill, a_universe
from tests.engine.live import Live
from transport.process_queries import Queries


def test_pnl_query_answers_a_scope_and_refuses_what_is_none():
    with Live() as live:
        inputs: list[Input] = [
            Configure(universe=a_universe()),
            Tick(symbol="X", bid=100.0, ask=100.0),
            a_fill("e-1", "buy", 10, 90.0, strategy="trend"),
        ]
        for seq, message in enumerate(inputs, 1):
            live.send(message, Stamp(seq, WALL_NS + seq, STEADY_NS + seq))
        queries = Queries(
            live.system,
            now_ns=lambda: WALL_NS,
            status=dict,
            metrics=dict,
            heard_ns=lambda session: None,
        )
        answer = queries.answer(Pnl(scope="account:A1", by=PnlBy.STRATEGY, request_id="r"))
        assert isinstance(answer, Result)
        assert answer.request_id == "r"
        assert [(row["key"], row["life"]) for row in answer.data["rows"]] == [("trend", 100.0)]
        refused = queries.answer(Pnl(scope="account:none"))
        assert isinstance(refused, Error)
        assert (refused.code, "account:none" in refused.text) == ("not_found", True)
