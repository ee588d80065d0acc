"""`riskd limits`: what is sent, what is shown, and scopes that are none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from riskd.cli.app import run
from riskd.messages import (
    Error,
    LimitChange,
    LimitsApprove,
    LimitsPropose,
    LimitsReject,
    LimitsSet,
    Result,
)
from tests.riskd.fake import FakeRiskd

CHANGE = {"scope": "account:A1", "key": "order_notional", "before": 900.0, "after": 500.0}
DONE = {"seq": 7, "limits_version": 2, "changes": [{**CHANGE, "loosens": False, "until_ns": None}]}
WHY = ["--reason", "drill", "--as", "ann"]


def sent(arguments: list[str], found: object) -> tuple[int, dict[str, Any]]:
    """Run a command against a riskd that answers `found`; return its exit code and what it sent."""
    asked = []

    def answer(message):
        asked.append(message)
        return Result(ok=True, data=found)

    with FakeRiskd(control=answer) as fake:
        code = run([*arguments, "--control", fake.addresses["control"]])
    return code, asked[-1]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("500", 500),
        ("0.5", 0.5),
        ("none", None),
        ("configured", msgspec.UNSET),
        ("cancel_both", "cancel_both"),
        ("{value = 5, hard = false}", {"value": 5, "hard": False}),
        ("[{drawdown_pct = 5, risk_pct = 1}]", [{"drawdown_pct": 5, "risk_pct": 1}]),
    ],
)
def test_limits_set_sends_the_value_as_limits_toml_has_it(written, value, capsys):
    code, asked = sent(["limits", "set", "account:A1", "order_notional", written, *WHY], DONE)
    change = LimitChange(scope="account:A1", key="order_notional", value=value)
    assert code == 0
    assert msgspec.convert(asked, LimitsSet) == LimitsSet(
        changes=(change,), reason="drill", by="ann"
    )
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "SET   limits v2   seq 7"
    assert shown[2].split()[:4] == ["account:A1", "order_notional", "900", "500"]


def test_limits_propose_says_who_has_to_approve_and_how(capsys):
    found = {"seq": 8, "proposal_id": 3, "changes": []}
    code, asked = sent(
        ["limits", "propose", "firm", "turnover", "9e6", "--for-s", "60", *WHY], found
    )
    proposal = msgspec.convert(asked, LimitsPropose)
    assert (code, proposal.by, proposal.changes[0].value) == (0, "ann", 9e6)
    assert proposal.changes[0].until_ns is not None
    assert "riskd limits approve 3" in capsys.readouterr().out


def test_limits_approve_and_reject_name_the_proposal_and_the_person(capsys):
    assert msgspec.convert(
        sent(["limits", "approve", "3", "--as", "bob"], DONE)[1], LimitsApprove
    ) == (LimitsApprove(proposal_id=3, by="bob"))
    rejected = sent(["limits", "reject", "3", "--reason", "no", "--as", "bob"], {"seq": 9})[1]
    assert msgspec.convert(rejected, LimitsReject) == LimitsReject(
        proposal_id=3, reason="no", by="bob"
    )
    assert capsys.readouterr().out.splitlines()[-1] == "REJECTED   seq 9"


def test_limits_that_are_refused_fail_with_what_riskd_says(capsys):
    refusal = Error(code="malformed", text="'x' is no limit", field="changes[0].key")
    with FakeRiskd(control=lambda message: refusal) as fake:
        where = ["--control", fake.addresses["control"]]
        assert run(["limits", "set", "firm", "x", "1", *WHY, *where]) == 1
    shown = capsys.readouterr().err
    assert "'x' is no limit" in shown
    assert "at changes[0].key" in shown


@pytest.mark.parametrize("scope", ["acount:A1", "account", "account:"])
def test_limits_of_what_is_no_scope_is_exit_code_2(scope, capsys):
    assert run(["limits", scope]) == 2
    assert "account:NAME" in capsys.readouterr().err


def test_limits_show_what_was_changed_and_what_waits(capsys):
    edit = {**CHANGE, "value": 500.0, "by": "ann", "approved_by": "", "reason": "small"}
    waiting = {
        "proposal_id": 4,
        "by": "ann",
        "reason": "a block",
        "changes": [CHANGE | {"value": 9}],
    }
    found = {"version": 2, "limits": {"default": {}}, "changes": [edit], "proposals": [waiting]}
    assert sent(["limits"], found)[0] == 0
    shown = capsys.readouterr().out
    assert "changed while riskd runs" in shown
    assert "proposal 4 of ann, to be approved: a block" in shown
