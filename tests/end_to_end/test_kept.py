"""What riskd keeps outlives every kill: approvals, books and the hash of the state."""

import pytest
import zmq

from scripts.proof.kill_steps import Step
from scripts.proof.kills import CONFIG, Kills, replay_whole
from tests.end_to_end.process import RiskdProcess
from transport.snapshot import list_snapshots

pytestmark = pytest.mark.end_to_end

KILLS = 3  # `scripts/prove kills 200` does as many as anyone has time for.
STEPS = (Step("riskd", "rename", 1), Step("child", "rename", 1))  # And all steps.


def test_killed_at_random_instants_under_load_forgets_nothing(tmp_path):
    """Rolls of small segments, snapshots each 50 ms: the kills fall on all of it."""
    tally = Kills(tmp_path, seed=20_261_120).run(KILLS, STEPS)
    assert tally.is_clean, tally
    assert tally.at_steps == len(STEPS)
    assert tally.approvals > 100, tally
    assert tally.restarts_from_snapshot > KILLS // 2, tally


def test_snapshot_on_request_is_what_the_next_start_begins_at(tmp_path):
    config = tmp_path / "riskd.toml"
    config.write_text(CONFIG)
    with RiskdProcess(tmp_path, config=config) as riskd:
        with riskd.peer("ticks", zmq.PUSH) as feed:
            feed.tell({"type": "tick", "symbol": "X", "bid": 100.0, "ask": 100.0})
            riskd.wait_until(lambda: riskd.control("status")["ticks"].get("applied"))
        with riskd.peer("orders") as gateway:
            order = {"type": "check", "account": "A1", "symbol": "X", "side": "buy"}
            for number in range(20):
                answer = gateway.ask(
                    {**order, "client_order_id": f"o-{number}", "quantity": 1, "price": 100.0}
                )
                assert answer["approved"], answer
        told = riskd.control("snapshot")
        before = riskd.status()
        assert before["snapshot"] == told
        assert told["file"] == str(list_snapshots(riskd.books / "journal")[0])
        riskd.kill()
        _, state_hash = replay_whole(riskd.books, before["seq"])
        assert state_hash == before["state_hash"]
        riskd.start()
        assert f"after the snapshot at seq {told['seq']:,}" in riskd.output
        assert riskd.status()["books_hash"] == before["books_hash"]
        with riskd.peer("orders") as gateway:
            again = gateway.ask({**order, "client_order_id": "o-3", "quantity": 1, "price": 100.0})
            assert again["duplicate"]
