"""`riskd pnl`: rows and their total, and scopes that are none."""

from __future__ import annotations

import json

import msgspec
import pytest

from riskd.cli.app import run
from riskd.messages import Error, Pnl, PnlBy, Result
from tests.riskd.fake import FakeRiskd

PARTS = {"realized": 10.5, "unrealized": -1.0, "fees": -0.25, "funding": 0.0, "revaluation": 0.0}
LINE = {**PARTS, "life": 9.25, "day": 1.0, "week": None, "month": 9.25}
FOUND = {
    "scope": "account:A1",
    "by": "strategy",
    "currency": "EUR",
    "complete": False,
    "total": LINE,
    "rows": [{"key": "trend", **LINE}],
}


def test_pnl_shows_a_row_each_and_the_total(capsys):
    asked = []

    def answer(message):
        asked.append(message)
        return Result(ok=True, data=FOUND)

    with FakeRiskd(control=answer) as fake:
        where = ["--control", fake.addresses["control"]]
        assert run(["pnl", "account:A1", "--by", "strategy", *where]) == 0
        shown = capsys.readouterr().out.splitlines()
        assert run(["pnl", "--json", *where]) == 0
    asked_for = [msgspec.convert(message, Pnl) for message in asked]
    assert asked_for == [Pnl(scope="account:A1", by=PnlBy.STRATEGY), Pnl()]
    assert shown[0].startswith("account:A1 by strategy in EUR  INCOMPLETE")
    assert shown[1].split()[:6] == ["key", "life", "day", "week", "month", "realized"]
    assert shown[2].split()[:5] == ["trend", "9.25", "1.00", "-", "9.25"]
    assert shown[3].split()[0] == "total"
    assert json.loads(capsys.readouterr().out) == FOUND


@pytest.mark.parametrize("scope", ["account", "accounts:A1", "strategy:trend", "group:"])
def test_pnl_of_what_is_no_scope_is_exit_code_2(scope, capsys):
    assert run(["pnl", scope]) == 2
    assert "firm, group:NAME or account:NAME" in capsys.readouterr().err


def test_pnl_of_an_unknown_scope_fails_with_what_riskd_says(capsys):
    refusal = Error(code="not_found", text="no scope group:x: firm, group:ID or account:ID")
    with FakeRiskd(control=lambda message: refusal) as fake:
        assert run(["pnl", "group:x", "--control", fake.addresses["control"]]) == 1
    assert "no scope group:x" in capsys.readouterr().err
