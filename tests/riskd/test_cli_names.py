from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from riskd.cli.app import run
from riskd.cli.failure import CommandError
from riskd.cli.names import did_you_mean
from riskd.cli.scope import parse_scope
from riskd.messages import Check, Error, Reject, Result, Verdict
from tests.riskd.fake import FakeRiskd, approval

ROOT = Path(__file__).resolve().parents[2]
NAMES = [
    {"account": "A1", "symbol": "AAPL", "group": "east"},
    {"account": "DESK", "symbol": "MSFT", "group": "west"},
]


def knowing(message):
    """The control port of a riskd with the accounts and symbols of NAMES."""
    match message["type"]:
        case "accounts" | "instruments":
            return Result(ok=True, data=NAMES)
        case "kill" | "trip":
            told = {name: message[name] for name in ("scope", "scope_id")}
            told |= {"seq": 7, "breaker_id": 3, "changed": True, "warning": "riskd knows no such"}
            return Result(ok=True, data=told)
        case "limits":
            tables = [
                {"scope": "firm", "scope_id": "firm", "limits": {}},
                {"scope": "account", "scope_id": "A1", "limits": {"order_notional": 1000.0}},
            ]
            return Result(ok=True, data={"version": 4, "limits": tables})
        case _:
            return Error(code="not_found", text="no account")


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("APPL", ["AAPL", "MSFT"], "did you mean AAPL?"),
        ("a1", ["A1", "B2"], "did you mean A1?"),
        ("A9", ["A1", "A2", "B"], "did you mean A1 or A2?"),
        ("A9", ["A1", "A2", "A3"], "did you mean A1, A2 or A3?"),
        ("A9", ["A1", "A2", "A3", "A4", "A5"], ""),
        ("xyz", ["AAPL"], ""),
        ("xyz", [], ""),
    ],
)
def test_did_you_mean_names_the_nearest_and_all_that_are_as_near(word, known, expected):
    assert did_you_mean(word, known) == expected


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("acount:A1", "did you mean account:A1?"),
        ("A1", "write account:A1"),
        ("frm", "did you mean firm?"),
        ("firm:x", "write firm"),
        ("symbol:", "write symbol:NAME"),
    ],
)
def test_scope_that_is_none_is_refused_with_what_to_write(written, advice):
    with pytest.raises(CommandError) as refusal:
        parse_scope(written)
    assert refusal.value.next_step == advice


@pytest.mark.parametrize(
    ("command", "near"),
    [
        (["kill", "account:DSK"], "did you mean DESK?"),
        (["kill", "symbol:APPL"], "did you mean AAPL?"),
        (["kill", "group:wset"], "did you mean west?"),
        (["trip", "account:DSK"], "did you mean DESK?"),
        (["halt", "account:DSK"], "did you mean DESK?"),
    ],
)
def test_stopping_a_name_that_riskd_does_not_know_is_done_and_warned_of(command, near, capsys):
    with FakeRiskd(control=knowing) as fake:
        where = ["--reason", "x", "--yes", "--control", fake.addresses["control"]]
        assert run([*command, *where]) == 0
    shown = capsys.readouterr()
    assert "seq 7" in shown.out
    assert "riskd knows no" in shown.err
    assert near in shown.err


WHY = ["--reason", "x"]


@pytest.mark.parametrize(
    "command",
    [
        ["positions", "DSK"],
        ["orders", "DSK"],
        ["responses", "DSK"],
        ["drawdown", "DSK"],
        ["drawdown", "account:DSK"],
        ["exposure", "account:DSK"],
        ["concentration", "account:DSK"],
        ["pnl", "account:DSK"],
        ["rebuild", "DSK", *WHY],
        ["rearm", "DSK", *WHY],
        ["unfreeze", "DSK", "--yes", *WHY],
        ["reduce", "DSK", "--yes", *WHY],
    ],
)
def test_command_about_an_unknown_account_names_the_nearest(command, capsys):
    with FakeRiskd(control=knowing) as fake:
        assert run([*command, "--control", fake.addresses["control"]]) == 1
    assert "did you mean DESK?" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["kill", "firm"], ["reset", "1"], ["reduce", "A1"]])
def test_act_without_a_word_of_why_is_refused_before_anybody_is_asked(command, capsys):
    assert run([*command, "--reason", " ", "--yes", "--control", "ipc://nobody"]) == 2
    assert "--reason" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["pnl", "exposure", "concentration"])
def test_account_where_a_scope_is_asked_for_is_told_how_to_write_it(command, capsys):
    assert run([command, "A1"]) == 2
    assert "write account:A1" in capsys.readouterr().err


def test_size_of_an_unknown_symbol_names_the_nearest(capsys):
    def answer(message):
        if message["type"] != "size":
            return knowing(message)
        return Result(ok=True, data={"account": "A1", "missing": "no instrument APPL"})

    with FakeRiskd(control=answer) as fake:
        where = ["--stop-loss", "1", "--control", fake.addresses["control"]]
        assert run(["size", "A1", "APPL", *where]) == 1
        shown = capsys.readouterr()
        assert (shown.out, "did you mean AAPL?" in shown.err) == ("", True)
        assert run(["size", "A1", "AAPL", *where]) == 1
    assert "riskd: no instrument APPL" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("scope", "exit_code", "expected"),
    [
        ("bogus", 2, "no scope of limits"),
        ("account", 2, "account:NAME"),
        ("acount:A1", 2, "did you mean account?"),
        ("account:DSK", 1, "did you mean DESK?"),
        ("symbol:APPL", 1, "did you mean AAPL?"),
    ],
)
def test_limits_of_a_scope_that_is_none_are_refused(scope, exit_code, expected, capsys):
    with FakeRiskd(control=knowing) as fake:
        assert run(["limits", scope, "--control", fake.addresses["control"]]) == exit_code
    assert expected in capsys.readouterr().err


def test_limits_of_an_account_stand_under_the_scope_that_sets_them(capsys):
    with FakeRiskd(control=knowing) as fake:
        assert run(["limits", "account:A1", "--control", fake.addresses["control"]]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "version  4",
        "firm",
        "  none of its own",
        "account:A1",
        "  order_notional  1,000",
    ]


def test_order_for_an_unknown_symbol_names_the_nearest(capsys):
    def unknown(order: Check) -> Verdict:
        reject = Reject(
            code="UNKNOWN_SYMBOL", fix_code=1, scope="symbol", scope_id="APPL", text="no instrument"
        )
        verdict: Verdict = approval(order)
        return Verdict(
            **{name: getattr(verdict, name) for name in verdict.__struct_fields__}
            | {"approved": False, "rejects": (reject,)}
        )

    order = ["--account", "A1", "--symbol", "APPL", "--side", "buy", "--quantity", "1"]
    with FakeRiskd(answer=unknown, control=knowing) as fake:
        ports = [f"--{name}={fake.addresses[name]}" for name in ("orders", "control")]
        assert run(["order", "check", *order, *ports]) == 3
    assert "did you mean AAPL?" in capsys.readouterr().out


def test_instruments_are_listed_without_what_only_machines_need(capsys):
    row = {"symbol": "BTCUSD", "bid": 61793.12, "age_ns": 29_000_000, "feed_seqs": {"f": 3}}
    with FakeRiskd(control=lambda message: Result(ok=True, data=[row])) as fake:
        assert run(["instruments", "--control", fake.addresses["control"]]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert "feed" not in head
    assert "61,793.12" in line
    assert "29 ms" in line


def test_unfreeze_and_release_send_their_subject_and_the_reason(capsys):
    asked = []

    def note(message):
        asked.append(message)
        return Result(ok=True, data={"seq": 9})

    with FakeRiskd(control=note) as fake:
        where = ["--reason", "seen", "--control", fake.addresses["control"]]
        assert run(["unfreeze", "A1", "--yes", *where]) == 0
        assert run(["order", "release", "gw-7", "--account", "A1", *where]) == 0
    assert asked == [
        {"type": "account_unfreeze", "account": "A1", "reason": "seen"},
        {"type": "order_release", "account": "A1", "client_order_id": "gw-7", "reason": "seen"},
    ]
    assert capsys.readouterr().out.splitlines() == [
        "UNFROZEN account:A1   seq 9",
        "RELEASED gw-7  account A1",
    ]


@pytest.mark.parametrize(("typed", "exit_code", "kills"), [("A1", 0, 1), ("A2", 5, 0), ("", 5, 0)])
def test_kill_on_a_terminal_names_the_environment_and_wants_the_scope_typed(
    typed, exit_code, kills
):
    asked = []

    def control(message):
        asked.append(message["type"])
        answers = {"status": {"env": "uat"}, "breakers": [{"scope": "firm", "scope_id": ""}]}
        return Result(ok=True, data=answers.get(message["type"], {"seq": 7}))

    ours, theirs = os.openpty()
    with FakeRiskd(control=control) as fake:
        command = ["kill", "account:A1", "--reason", "x", "--control", fake.addresses["control"]]
        os.write(ours, f"{typed}\n".encode())
        done = subprocess.run(
            [sys.executable, "-m", "riskd", *command],
            cwd=ROOT,
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == exit_code
    assert "kill account:A1 in uat. In force now: firm." in done.stderr
    assert asked.count("kill") == kills
