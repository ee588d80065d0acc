"""An account whose actor failed is made anew from the journal, and trades again once unfrozen."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import zmq

from scripts.proof.kills import CONFIG
from tests.end_to_end.process import ROOT, RiskdProcess
from tests.end_to_end.test_failing_well import SETTINGS, Gateway, quote

pytestmark = pytest.mark.end_to_end

# A fill of 13 lots is booked by halves: the cash moves, and then the bug strikes.
BUG = """
import engine.booking
import engine.fills

whole = engine.fills.apply_fill

def failing(account, fill, *rest):
    if fill.quantity == 13:
        account.add_cash("USD", -999 * 10**12)
        raise RuntimeError("a bug")
    return whole(account, fill, *rest)

engine.fills.apply_fill = engine.booking.apply_fill = failing
"""


@pytest.mark.parametrize("snapshot", [False, True], ids=["whole journal", "after a snapshot"])
def test_rebuilt_account_is_what_it_was_without_the_record_that_it_failed_on(tmp_path, snapshot):
    (tmp_path / "bug").mkdir()
    (tmp_path / "bug" / "sitecustomize.py").write_text(BUG)
    (tmp_path / "riskd.toml").write_text(CONFIG)
    settings = {**SETTINGS, "PYTHONPATH": f"{tmp_path / 'bug'}:{ROOT}"}
    with RiskdProcess(tmp_path, config=tmp_path / "riskd.toml", settings=settings) as riskd:
        gateway = Gateway(riskd)
        quote(riskd)
        assert gateway.check()["approved"]
        assert gateway.fill("o-1")["type"] == "ack"
        if snapshot:
            riskd.control("snapshot")
        sound = riskd.control("account", account="A1")
        order = gateway.order("o-bad", quantity=13)
        assert gateway.ask(order)["approved"]
        bad = {**order, "type": "fill", "exec_id": "e-bad"}
        assert gateway.ask(bad)["type"] == "error"
        frozen = riskd.control("account", account="A1")
        assert frozen["frozen"].startswith("fault at seq")
        assert "RuntimeError: a bug" in riskd.output
        assert frozen["equity"] != sound["equity"]
        if snapshot:
            riskd.control("snapshot")  # With the account half changed: no base for a rebuild.
        transfer = {"type": "transfer", "account": "A1", "transfer_id": "t-1", "amount": 250}
        assert gateway.ask(transfer)["type"] == "ack"  # After the fault, and not to be lost.

        told = riskd.control("account_rebuild", account="A1", reason="drill")
        (left_out,) = told["left_out"]
        assert left_out.endswith(": fill")
        assert (told["base_seq"] > 0) is snapshot
        rebuilt = riskd.control("account", account="A1")
        assert rebuilt["equity"] == sound["equity"] + 250
        assert "made anew without" in rebuilt["frozen"]
        assert not gateway.check()["approved"]
        riskd.control("account_unfreeze", account="A1", reason="compared")
        assert gateway.check()["approved"]
        assert riskd.control("account", account="A2")["frozen"] in ("", None)

        before = riskd.status()
        riskd.kill()
        riskd.start()
        assert riskd.status()["books_hash"] == before["books_hash"]
        assert riskd.control("account", account="A1")["equity"] == sound["equity"] + 250
        riskd.kill()
        for environment, strikes in ((settings, True), ({"PYTHONPATH": str(ROOT)}, False)):
            told = replayed(riskd, frozen["frozen"].rpartition(" ")[2], environment)
            assert ("RuntimeError: a bug" in told) is strikes, told
            assert told.startswith("FILL at seq"), told


def replayed(riskd: RiskdProcess, seq: str, environment: dict[str, str]) -> str:
    """Return what `riskd replay` says of one record."""
    command = [sys.executable, "-m", "riskd", "replay", str(riskd.books), "--seq", seq]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_rebuild_of_an_account_that_is_sound_or_unknown_is_refused(tmp_path):
    (tmp_path / "riskd.toml").write_text(CONFIG)
    with (
        RiskdProcess(tmp_path, config=tmp_path / "riskd.toml") as riskd,
        riskd.peer("control", zmq.REQ) as operator,
    ):
        for account, code in (("A1", "refused"), ("nobody", "not_found")):
            answer = operator.ask({"type": "account_rebuild", "account": account})
            assert (answer["type"], answer["code"]) == ("error", code)
