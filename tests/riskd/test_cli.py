from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from riskd.alert_types import ALERT_TYPES
from riskd.cli.app import COMMANDS, run
from riskd.cli.example import GATEWAY
from riskd.cli.tail import line_of
from riskd.codes import RejectCode
from riskd.messages import (
    Ack,
    Breaker,
    Check,
    CheckResult,
    Error,
    ErrorCode,
    Reject,
    Result,
    RiskUpdate,
    ThresholdStatus,
    UpdateType,
    Verdict,
)
from tests.riskd.fake import FakeRiskd, agreeable, approval
from tests.riskd.test_subscriber import heartbeat, verdict_of

ROOT = Path(__file__).resolve().parents[2]
ORDER = [
    "--account",
    "A1",
    "--symbol",
    "AAPL",
    "--side",
    "buy",
    "--quantity",
    "5",
    "--price",
    "187.5",
]
NOBODY = "tcp://127.0.0.1:1"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith("RISKD_"):
            monkeypatch.delenv(name)


def rejection(order: Check) -> Verdict:
    reject = Reject(
        code="ORDER_NOTIONAL",
        fix_code=3,
        scope="account",
        scope_id="A1",
        text="order_notional 937,500 > 250,000 USD",
        limit_type="order_notional",
        value=937_500.0,
        limit=250_000.0,
    )
    return msgspec.structs.replace(
        approval(order), approved=False, rejects=(reject,), max_quantity=2.0
    )


def explained(order: Check) -> Verdict:
    checks = (
        CheckResult(code="PRICE_COLLAR", passed=True, value=0.1, limit=5.0, utilization=0.02),
        CheckResult(
            code="ORDER_NOTIONAL", passed=True, value=937.5, limit=1000, utilization=0.9375
        ),
    )
    return msgspec.structs.replace(approval(order), checks=checks)


def python(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def test_order_check_accepted_shows_the_tightest_limit_and_reserves_nothing(capsys):
    with FakeRiskd(answer=explained) as fake:
        code = run(["order", "check", *ORDER, "--orders", fake.addresses["orders"]])
    (asked,) = fake.requests
    assert code == 0
    assert asked.dry_run
    assert asked.explain
    assert (asked.quantity, asked.price, asked.order_type) == (5.0, 187.5, "limit")
    out = capsys.readouterr().out
    assert out.startswith("ACCEPT")
    assert "tightest: ORDER_NOTIONAL 937.50 of 1,000 (94%)" in out
    assert "2 checks passed" in out
    assert "nothing was reserved" in out


def test_order_send_rejected_is_exit_code_3_and_says_what_fits(capsys):
    with FakeRiskd(answer=rejection) as fake:
        code = run(["order", "send", *ORDER, "--id", "o-7", "--orders", fake.addresses["orders"]])
    (asked,) = fake.requests
    assert code == 3
    assert not asked.dry_run
    assert asked.client_order_id == "o-7"
    out = capsys.readouterr().out
    assert "REJECT   ORDER_NOTIONAL   937,500 > 250,000 USD   account A1" in out
    assert "OrdRejReason(103)=3" in out
    assert "quantity 2 would pass" in out
    assert "riskd explain ORDER_NOTIONAL" in out


def test_order_check_json_is_the_verdict(capsys):
    with FakeRiskd(answer=rejection) as fake:
        code = run(["order", "check", *ORDER, "--json", "--orders", fake.addresses["orders"]])
    shown = json.loads(capsys.readouterr().out)
    assert code == 3
    assert shown["type"] == "verdict"
    assert shown["rejects"][0]["code"] == "ORDER_NOTIONAL"


@pytest.mark.parametrize(
    ("prices", "order_type"),
    [
        ([], "market"),
        (["--price", "1"], "limit"),
        (["--stop-price", "1"], "stop"),
        (["--price", "1", "--stop-price", "1"], "stop_limit"),
        (["--price", "1", "--type", "market"], "market"),
    ],
)
def test_order_type_follows_from_the_prices(prices, order_type, capsys):
    with FakeRiskd() as fake:
        run(["order", "check", *ORDER[:-2], *prices, "--orders", fake.addresses["orders"]])
    assert fake.requests[0].order_type == order_type
    assert capsys.readouterr().out.startswith("ACCEPT")


def test_order_cancel_reports_the_order_canceled(capsys):
    with FakeRiskd() as fake:
        code = run(["order", "cancel", "o-7", "--account", "A1", "--orders",
                    fake.addresses["orders"]])  # fmt: skip
    assert code == 0
    assert (fake.requests[0].client_order_id, fake.requests[0].status) == ("o-7", "canceled")
    assert "CANCELED o-7" in capsys.readouterr().out


def test_order_cancel_of_an_unknown_order_fails(capsys):
    def unknown(message):
        return Ack(seq=1, ref=message.report_id, duplicate=False, flags=("unknown_order",))

    with FakeRiskd(answer=unknown) as fake:
        code = run(["order", "cancel", "o-7", "--account", "A1", "--orders",
                    fake.addresses["orders"]])  # fmt: skip
    assert code == 1
    assert "knows no order o-7" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["accounts", "--json"],
        ["positions", "A1"],
        ["kill", "firm", "--reason", "x", "--yes"],
        ["order", "send", *ORDER],
        ["order", "cancel", "o", "--account", "A1"],
        ["tail"],
    ],
)
def test_command_without_riskd_is_exit_code_4_and_says_what_to_do(command, capsys):
    ports = ["--orders", NOBODY, "--control", NOBODY, "--alerts", NOBODY]
    code = run([*command, *ports, "--timeout-ms", "100"])
    error = capsys.readouterr().err
    assert code == 4
    assert "127.0.0.1:1" in error
    assert "riskd serve" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["statsu"], "status"),
        (["status", "--jsno"], "--json"),
        (["order", "check", *ORDER[:-4]], "quantity"),
        (["order", "check", *ORDER[:4], "--side", "bye", *ORDER[6:]], "bye"),
        (["kill", "acount:A1", "--reason", "x"], "account:NAME"),
        (["kill", "A3", "--reason", "x"], "account:A3"),
        (["kill", "account:", "--reason", "x"], "which name"),
        (["status", "--control", "pigeon"], "tcp://HOST:PORT"),
        (["status", "--timeout-ms", "0"], "positive"),
        (["explain", "ORDER_NOTINAL"], "ORDER_NOTIONAL"),
        (["schema", "Chekc"], "Check"),
        (["feed"], "FILE"),
        (["feed", "x", "--price-scale", "much"], "decimal"),
        (["demo", "--speed", "0"], "more than 0"),
        (["demo", "--for", "-1"], "more than 0 seconds"),
        (["demo", "--for", "1", "--keep", "/dev/null/x"], "a place where one may be made"),
    ],
)
def test_command_used_wrongly_is_exit_code_2_and_names_what_was_expected(command, expected, capsys):
    assert run(command) == 2
    shown = capsys.readouterr()
    assert expected in shown.err + shown.out
    assert "Traceback" not in shown.err


def test_kill_without_confirmation_is_refused_with_exit_code_5():
    shown = python("-m", "riskd", "kill", "account:A3", "--reason", "x", input="")
    assert shown.returncode == 5
    assert "--yes" in shown.stderr


def test_halt_trips_and_resume_resets_the_breakers_of_exactly_its_scope(capsys):
    asked = []
    opened = [
        {"breaker_id": 7, "scope": "account", "scope_id": "A3", "trigger_type": "manual"},
        {"breaker_id": 8, "scope": "account", "scope_id": "A4", "trigger_type": "manual"},
        {"breaker_id": 9, "scope": "account", "scope_id": "A3", "trigger_type": "kill"},
    ]

    def note(message):
        if message["type"] == "accounts":
            return Result(ok=True, data=[{"account": "A3"}])
        if message["type"] == "breakers":
            return Result(ok=True, data=opened)
        asked.append(message)
        return Result(ok=True, data={"seq": 1, "breaker_id": 7, "changed": True})

    with FakeRiskd(control=note) as fake:
        where = ["--control", fake.addresses["control"], "--yes", "--reason", "odd"]
        assert run(["halt", "account:A3", "--cancel", *where]) == 0
        assert run(["resume", "account:A3", *where]) == 0
        assert run(["resume", "symbol:X", *where]) == 1
    assert [(x["type"], x.get("action"), x.get("breaker_id")) for x in asked] == [
        ("trip", "halt_cancel", None),
        ("reset", None, 7),
    ]
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        "HALTED account:A3   seq 1   breaker_id 7",
        "RESUMED account:A3   seq 1   breaker_id 7",
    ]
    assert "account:A3 is killed still" in shown.err
    assert "no breaker of symbol:X is open" in shown.err


def test_kill_and_unkill_send_the_scope_and_the_reason(capsys):
    asked = []

    def note(message):
        if message["type"] in ("accounts", "instruments"):
            return Result(ok=True, data=[{"account": "A3", "symbol": "AAPL"}])
        asked.append(message)
        scope = {name: message.get(name) for name in ("scope", "scope_id")}
        return Result(ok=True, data={"seq": 52004, "breaker_id": 7, **scope, "changed": True})

    with FakeRiskd(control=note) as fake:
        where = ["--control", fake.addresses["control"], "--yes"]
        assert run(["kill", "account:A3", "--reason", "odd", *where]) == 0
        assert run(["unkill", "firm", "--reason", "fine", *where]) == 0
        assert run(["trip", "symbol:AAPL", "--action", "reduce_only", "--reason", "r", *where]) == 0
        assert run(["reset", "7", "--reason", "done", *where]) == 0
        assert run(["kill", "firm", "--cancel", "--flatten", "--reason", "out", *where]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[0] == "KILLED account:A3   seq 52,004   breaker_id 7"
    assert shown.err == ""
    assert asked[0] == {
        "type": "kill", "scope": "account", "scope_id": "A3", "reason": "odd"
    }  # fmt: skip
    assert asked[1] == {"type": "unkill", "scope": "firm", "reason": "fine"}
    assert asked[2]["action"] == "reduce_only"
    assert asked[3] == {"type": "reset", "breaker_id": 7, "reason": "done"}
    assert asked[4] == {
        "type": "kill", "scope": "firm", "reason": "out", "cancel": True, "flatten": True
    }  # fmt: skip


@pytest.mark.parametrize(("error_code", "exit_code"), [("refused", 1), ("not_authorized", 5)])
def test_control_refusal_has_its_exit_code_and_text(error_code, exit_code, capsys):
    with FakeRiskd(control=lambda message: Error(code=error_code, text="breaker 9?")) as fake:
        where = ["--control", fake.addresses["control"], "--yes"]
        assert run(["reset", "9", "--reason", "x", *where]) == exit_code
    assert "breaker 9?" in capsys.readouterr().err


def test_list_command_shows_a_table_or_a_line_of_json_each(capsys):
    rows = [
        {"account": "A1", "equity": 1234567.5, "frozen": False},
        {"account": "B", "equity": -3.25, "frozen": True},
    ]
    with FakeRiskd(control=lambda message: Result(ok=True, data=rows)) as fake:
        where = ["--control", fake.addresses["control"]]
        assert run(["accounts", *where]) == 0
        table = capsys.readouterr().out.splitlines()
        assert run(["accounts", "--json", *where]) == 0
        lines = capsys.readouterr().out.splitlines()
    assert table == [
        "account        equity  frozen",
        "A1       1,234,567.50  no",
        "B               -3.25  yes",
    ]
    assert [json.loads(line) for line in lines] == rows


def test_address_comes_from_the_option_then_the_environment(monkeypatch, capsys):
    with FakeRiskd(control=lambda message: Result(ok=True, data={"state": "active"})) as fake:
        address = fake.addresses["control"]
        monkeypatch.setenv("RISKD_PORTS__CONTROL", json.dumps([address, "ipc://other"]))
        assert run(["status", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"state": "active"}
        assert run(["status", "--control", NOBODY, "--timeout-ms", "50"]) == 4
        monkeypatch.setenv("RISKD_PORTS__CONTROL", address.replace("127.0.0.1", "*"))
        assert run(["status"]) == 0


def test_tail_shows_and_filters_verdicts(capsys):
    with FakeRiskd() as fake:
        # Given again with every subscription, so that no moment has to be met.
        fake.last_values = [
            ("verdict.A2", msgspec.structs.replace(verdict_of(1), account="A2")),
            ("verdict.A1", verdict_of(2)),
        ]
        where = ["--alerts", fake.addresses["alerts"], "--timeout-ms", "20000"]
        assert run(["tail", "verdicts", "--account", "A1", "--count", "1", "--json", *where]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert run(["tail", "verdicts", "--count", "1", *where]) == 0
    assert shown["topic"] == "verdict.A1"
    assert shown["message"]["client_order_id"] == "o-2"
    assert capsys.readouterr().out.startswith("VERDICT   ACCEPT  A2  AAPL buy 1")


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            msgspec.structs.replace(heartbeat(1), verdict_p50_ns=0, verdict_p99_ns=0),
            "HEARTBEAT active  seq 1  p50 -  p99 -  journal lag 0  00:00:00.000Z",
        ),
        (
            RiskUpdate(
                account="A1",
                update_type=UpdateType.DRAWDOWN,
                current_value=0.000238806,
                threshold_status=ThresholdStatus.SAFE,
                ts_ns=1,
            ),
            "RISK      A1  drawdown  0.0002 %  safe",
        ),
        (
            Breaker(
                breaker_id=9,
                scope="firm",
                scope_id="firm",
                active=True,
                trigger_type="manual",
                action="halt",
                value=None,
                threshold=None,
                reason="drill",
                by="ann",
                at_ns=10**18,
            ),
            "BREAKER   OPEN  firm  halt  drill  01:46:40.000Z",
        ),
    ],
)
def test_tail_shows_a_figure_with_its_unit_and_none_where_there_is_none(message, line):
    assert line_of(message) == line


def test_tail_into_head_ends_quietly():
    with FakeRiskd() as fake:
        fake.last_values = [("heartbeat", heartbeat(1))] * 5000
        command = (
            f"{sys.executable} -m riskd tail heartbeat --json --alerts {fake.addresses['alerts']}"
        )
        shown = subprocess.run(
            ["bash", "-c", f"{command} | head -1; echo ${{PIPESTATUS[0]}}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    first, code = shown.stdout.splitlines()
    assert json.loads(first)["topic"] == "heartbeat"
    assert code == "0"
    assert "Traceback" not in shown.stderr


def test_version_loads_nothing_and_client_commands_load_no_engine():
    version = python("-X", "importtime", "-m", "riskd", "--version")
    assert version.stdout.startswith("riskd ")
    for package in ("cyclopts", "msgspec", "zmq", "engine", "transport"):
        assert f" {package}\n" not in version.stderr
    script = (
        "import sys; from riskd.cli.app import run; run(['status', '--timeout-ms', '50', "
        f"'--control', '{NOBODY}']); "
        "bad = {'engine', 'actors', 'transport', 'config', 'numpy', 'pykka', 'uvloop', 'sqlite3'};"
        "print(sorted(bad & set(sys.modules)))"
    )
    assert python("-c", script).stdout.strip() == "[]"


def test_explain_knows_every_code(capsys):
    for code in RejectCode:
        assert run(["explain", code.lower()]) == 0
        shown = capsys.readouterr().out
        assert shown.startswith(code.value)
        assert "OrdRejReason(103)=" in shown
    assert run(["explain"]) == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert listed == {*RejectCode, "NO_ANSWER", "BAD_ANSWER", *get_args(ErrorCode), *ALERT_TYPES}


def test_explain_knows_error_codes_which_have_no_fix_code(capsys):
    assert run(["explain", "TOO-LARGE"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("too_large\n  means  ")
    assert "FIX" not in shown


def test_schema_of_one_message_has_what_it_refers_to(capsys):
    assert run(["schema", "check"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["$ref"] == "#/$defs/Check"
    assert {"Check", "Side", "OrderType", "TimeInForce"} <= set(document["$defs"])


def test_schema_of_what_is_no_message_names_the_nearest(capsys):
    assert run(["schema", "order_report"]) == 0
    assert json.loads(capsys.readouterr().out)["$ref"] == "#/$defs/OrderReport"
    assert run(["schema", "chek"]) == 2
    assert "did you mean Check?" in capsys.readouterr().err


def test_example_gateway_runs_and_obeys(capsys):
    assert run(["example", "gateway"]) == 0
    assert capsys.readouterr().out == GATEWAY
    with FakeRiskd(answer=agreeable) as fake:
        program = GATEWAY.replace("tcp://127.0.0.1:5701", fake.addresses["orders"])
        exec(compile(program, "gateway", "exec"), {})
    assert capsys.readouterr().out == "ACCEPT 1\n"
    assert [type(request).__name__ for request in fake.requests] == ["Check", "Fill"]
    with FakeRiskd(answer=rejection) as fake:
        exec(program.replace(program.split('"')[1], fake.addresses["orders"]), {})
    assert capsys.readouterr().out.startswith("REJECT ORDER_NOTIONAL")
    assert [type(request).__name__ for request in fake.requests] == ["Check"]


def test_help_of_every_command_has_an_example(capsys, monkeypatch):
    for name, place, *_ in COMMANDS:
        # A process runs one command; what others left in the modules they share is not this one's.
        monkeypatch.delitem(sys.modules, place.partition(":")[0], raising=False)
        assert run([name, "--help"]) == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert shown.startswith("Usage")
        assert f"Example: riskd {name}" in shown


def test_output_without_a_terminal_has_no_escape_codes(capsys):
    assert run(["explain", "KILLED"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_explain_of_an_order_tells_how_it_was_judged_with_every_check(capsys):
    check = {"code": "ORDER_QUANTITY", "limit_type": "order_quantity", "passed": True, "value": 5}
    check |= {"limit": 9, "utilization": 0.5555555}
    named = {"client_order_id": "gw-2", "account": "A1"}
    verdict = {**named, "approved": True, "seq": 7, "checked_ns": 10**18, "rejects": []}
    by_seq = {"check": {}, "verdict": verdict, "checks": [check]}

    def answer(message):
        if message.get("client_order_id") == "gw-9":
            return Error(code="not_found", text="nothing is remembered of this order")
        return Result(ok=True, data=by_seq if "seq" in message else {"verdict": verdict})

    with FakeRiskd(control=answer) as fake:
        where = ["--control", fake.addresses["control"]]
        assert run(["explain", "gw-2", *where]) == 0
        told = capsys.readouterr().out
        assert run(["explain", "gw-9", *where]) == 1
    assert "APPROVED at seq 7" in told
    row = "ORDER_QUANTITY  order_quantity  yes         5      9       0.5556"
    assert row in told.splitlines()
    assert "no order that is known" in capsys.readouterr().err
