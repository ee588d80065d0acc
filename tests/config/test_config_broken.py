"""Broken configurations: each problem names file, line, key, what was expected, and a way out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from config.errors import ConfigError, Problem
from config.load import load

STOCK = '[[instrument]]\nsymbol = "AAPL"\ncurrency = "USD"\n'
RESPONSE = '[[response]]\nid = "r"\nevent = "margin"\nseverity = "high"\n'
ACCOUNT = '[[account]]\nid = "A1"\n'
NOBODY: Mapping[str, str] = {}


class Broken(NamedTuple):
    """One wrong configuration; the file is riskd.toml unless `files` has others."""

    name: str
    text: str
    line: int
    key: str
    found: str
    expected: str
    suggestion: str
    file: str = "riskd.toml"
    files: Mapping[str, str] = {}
    environ: Mapping[str, str] = {}


CASES = [
    Broken("unknown_key", '[ports]\nordres = ["ipc://a"]\n', 2, "ports.ordres",
           "unknown key", "orders, ticks", 'Did you mean "orders"?'),
    Broken("unknown_table", '[jurnal]\nsync = "none"\n', 1, "jurnal",
           "unknown key", "journal", 'Did you mean "journal"?'),
    Broken("response_without_its_percentage", f'{RESPONSE}action = "reduce"\n', 1,
           "response[0].percent", "missing", "a percentage: action is reduce", "percent = 50"),
    Broken("response_with_a_percentage_too_many", f'{RESPONSE}action = "stop"\npercent = 5\n', 6,
           "response[0].percent", "a percentage", "none: action is stop", "Remove it"),
    Broken("unknown_breaker_of_a_response",
           f'{RESPONSE}action = "monitor"\nbreaker = "stop"\n', 6,
           "response[0].breaker", '"stop"', '"reduce_only"', ""),
    Broken("unknown_restricted_symbol",
           f'{STOCK}[[permissions.restricted]]\nside = "buy"\nsymbol = "APPL"\n', 6,
           "permissions.restricted[0].symbol", '"APPL" names no symbol', "one of AAPL",
           'Did you mean "AAPL"?'),
    Broken("permission_of_no_order", '[[permissions.permitted]]\nreason = "all"\n', 1,
           "permissions.permitted[0]", "a rule of no order", "one of account, group",
           "Say which orders"),
    Broken("unknown_side_of_a_rule", '[[permissions.restricted]]\nside = "short"\n', 2,
           "permissions.restricted[0].side", '"short"', '"buy"', ""),
    Broken("holiday_that_is_no_date", '[[calendar]]\nid = "C"\nholidays = ["2026-02-30"]\n', 3,
           "calendar[0].holidays", '"2026-02-30"', "a date of the calendar", "Correct the date."),
    Broken("holiday_written_in_another_way", '[[calendar]]\nid = "C"\nholidays = ["20261225"]\n', 3,
           "calendar[0].holidays", '"20261225"', "such as 2026-12-25", "Correct the date."),
    Broken("week_without_a_day",
           '[[calendar]]\nid = "C"\nweekend = ["monday", "tuesday", "wednesday", "thursday",'
           ' "friday", "saturday", "sunday"]\n', 3,
           "calendar[0].weekend", "all seven days", "a day left", "Leave one out."),
    Broken("unknown_limit", f"{ACCOUNT}[account.A1]\n\norder_quantiy = 5\n", 5,
           "account.A1.order_quantiy", "unknown key", "order_quantity",
           'Did you mean "order_quantity"?'),
    Broken("unknown_key_far_from_all", "[sweep]\nzzzzzz = 1\n", 2, "sweep.zzzzzz",
           "unknown key", "one of every_s", "Remove it."),
    Broken("text_for_integer", '[prices]\nstale_after_ms = "5000"\n', 2, "prices.stale_after_ms",
           '"5000" (text)', "an integer > 0", "without quotes"),
    Broken("fraction_for_integer", "[journal]\nsync_interval_ms = 5.0\n", 2,
           "journal.sync_interval_ms", "5.0 (number)", "an integer", "without a point"),
    Broken("truth_for_number", "[default]\norder_notional = true\n", 2, "default.order_notional",
           "true (boolean)", "a number >= 0", "Write a number"),
    Broken("text_for_list", '[ports]\norders = "ipc://a"\n', 2, "ports.orders",
           '"ipc://a" (text)', "a list", 'Write ["ipc://a"].'),
    Broken("number_for_table", "prices = 5\n", 1, "prices",
           "5 (integer)", "a table", "[prices]"),
    Broken("table_for_array", '[instrument]\nsymbol = "AAPL"\n', 1, "instrument[0]",
           "[instrument]", "array of tables", "[[instrument]]"),
    Broken("out_of_range", "[publish]\n\npublish_ms = 0\n", 3, "publish.publish_ms",
           "0 (integer)", "an integer > 0", "above 0"),
    Broken("above_range", "[prices]\nslippage_bps = 10001\n", 2, "prices.slippage_bps",
           "10001 (integer)", "<= 10000", "at most 10000"),
    Broken("integer_past_64_bits", f"[prices]\nstale_after_ms = {2**63}\n", 2,
           "prices.stale_after_ms", "9223372036854775808", "an integer", "at most"),
    Broken("negative_limit", "[default]\ndaily_loss = -5\n", 2, "default.daily_loss",
           "-5 (integer)", "a number >= 0", "at least 0"),
    Broken("limit_nan", "[default]\norder_notional = nan\n", 2, "default.order_notional",
           "nan (number)", "a finite number", "Leave the key out"),
    Broken("limit_infinite", "[firm]\ngross_exposure = {value = inf}\n", 2,
           "firm.gross_exposure.value", "inf (number)", "a finite number", "Leave the key out"),
    Broken("limit_text", '[default]\nturnover = "1000"\n', 2, "default.turnover",
           '"1000" (text)', "a number >= 0, or a table", "without quotes"),
    Broken("limit_without_value", "[default]\nturnover = {hard = false}\n", 2,
           "default.turnover.value", "missing", "a number >= 0", "value ="),
    Broken("limit_thresholds_swapped",
           "[default]\nturnover = {value = 9, warning = 95, critical = 85}\n", 2,
           "default.turnover.warning", "95 % above critical at 85 %", "warning <= critical",
           "Swap them"),
    Broken("price_move_without_a_size", "[default]\nprice_move = {window_ms = 1000}\n", 2,
           "default.price_move", "neither pct nor ticks", "how far the price may move", "pct = 5"),
    Broken("risk_steps_of_nothing",
           "[default]\nrisk_per_trade_drawdown = [{drawdown_pct = 5, risk_pct = 1}]\n", 2,
           "default.risk_per_trade_drawdown", "no risk_per_trade_pct", "the share that shrinks",
           "Add risk_per_trade_pct"),
    Broken("risk_step_without_a_share",
           "[default]\nrisk_per_trade_pct = 2\nrisk_per_trade_drawdown = [{drawdown_pct = 5}]\n", 3,
           "default.risk_per_trade_drawdown[0].risk_pct", "missing", "a number >= 0", "risk_pct ="),
    Broken("margin_levels_swapped",
           "[default]\nmargin_warning_pct = 120\nmargin_critical_pct = 150\n", 3,
           "default.margin_critical_pct", "150 above margin_warning_pct = 120",
           "at most margin_warning_pct", "Swap them"),
    Broken("bad_enum", '[journal]\nsync = "allways"\n', 2, "journal.sync",
           '"allways" (text)', '"always", "interval", "none"', 'Did you mean "always"?'),
    Broken("bad_enum_of_account", f'{ACCOUNT}position_mode = "neting"\n', 3,
           "account[0].position_mode", '"neting"', '"hedging"', 'Did you mean "netting"?'),
    Broken("syntax", '[ports]\norders = ["ipc://a"\nticks = 5\n', 3, "",
           "not TOML", "TOML 1.0", "brackets"),
    Broken("syntax_at_end", '[ports]\norders = ["ipc://a"', 2, "",
           "not TOML", "TOML 1.0", "brackets"),
    Broken("integer_of_thousands_of_digits", f"[sweep]\nevery_s = {'9' * 5000}", 2, "",
           "not TOML", "TOML 1.0", "Check"),
    Broken("missing_include", 'env = "x"\ninclude = [\n  "limits.toml",\n]\n', 3, "include",
           "cannot be read", "relative to the file", 'Did you mean "limit.toml"?',
           files={"limit.toml": ""}),
    Broken("include_cycle", 'include = ["b.toml"]\n', 2, "include",
           "includes itself", "do not lead back", "Remove this include.", file="b.toml",
           files={"b.toml": '\ninclude = ["riskd.toml"]\n'}),
    Broken("include_twice", 'include = ["b.toml", "./b.toml"]\n', 1, "include",
           "included twice", "each file once", "Remove one", files={"b.toml": ""}),
    Broken("setting_in_two_files", 'include = ["b.toml"]\nenv = "x"\n', 2, "env",
           "a second time, after", "once", "Remove one.", file="b.toml",
           files={"b.toml": '\nenv = "y"\n'}),
    Broken("symbol_twice", f"{STOCK}\n{STOCK}", 6, "instrument[1].symbol",
           '"AAPL" a second time', "each instrument once", "Remove or rename"),
    Broken("account_twice_in_two_files", f'include = ["b.toml"]\n{ACCOUNT}', 2, "account[0].id",
           '"A1" a second time', "each account once", "Remove or rename", file="b.toml",
           files={"b.toml": ACCOUNT}),
    Broken("group_twice", '[[group]]\nid = "d"\n[[group]]\nid = "d"\n', 4, "group[1].id",
           '"d" a second time', "each group once", "Remove or rename"),
    Broken("group_named_firm", '[[group]]\nid = "firm"\n', 2, "group[0].id",
           "after riskd itself", "each group once", "Remove or rename"),
    Broken("account_of_unknown_group", f'[[group]]\nid = "desk-1"\n{ACCOUNT}group = "dsk-1"\n', 5,
           "account[0].group", '"dsk-1" names no group', "firm, desk-1",
           'Did you mean "desk-1"?'),
    Broken("parent_unknown", '[[group]]\nid = "d"\nparent = "frm"\n', 3, "group[0].parent",
           '"frm" names no group', "firm, d", 'Did you mean "firm"?'),
    Broken("limits_of_unknown_account", f"{ACCOUNT}[account.A11]\norder_notional = 1\n", 3,
           "account.A11", '"A11" names no account', "one of A1", 'Did you mean "A1"?'),
    Broken("limits_of_unknown_group", "[group.desk-9]\nturnover = 1\n", 1, "group.desk-9",
           '"desk-9" names no group', "a declared group", "Declare the group"),
    Broken("limits_of_group_firm", "[group.firm]\nturnover = 1\n", 1, "group.firm",
           '"firm" names no group', "a declared group", "Write [firm]."),
    Broken("limits_of_unknown_symbol", f"{STOCK}[symbol.APPL]\nturnover = 1\n", 4, "symbol.APPL",
           '"APPL" names no symbol', "one of AAPL", 'Did you mean "AAPL"?'),
    Broken("account_limits_of_unknown_symbol",
           f"{STOCK}{ACCOUNT}[account.A1.symbol.APPL]\nturnover = 1\n", 6,
           "account.A1.symbol.APPL", '"APPL" names no symbol', "AAPL", 'Did you mean "AAPL"?'),
    Broken("limits_twice", 'include = ["b.toml"]\n[trader.bob]\nturnover = 1\n', 1, "trader.bob",
           "a second time, after", "once", "one table", file="b.toml",
           files={"b.toml": "[trader.bob]\norder_notional = 1\n"}),
    Broken("fx_without_base", f'{STOCK}kind = "fx"\n', 1, "instrument[0].base",
           "missing", "kind is fx", 'Add base = "EUR"'),
    Broken("fx_of_itself", f'{STOCK}kind = "fx"\nbase = "USD"\n', 5, "instrument[0].base",
           "same as currency", "kind is fx", "two different"),
    Broken("inverse_without_settlement", f'{STOCK}kind = "inverse"\n', 1,
           "instrument[0].settlement", "missing", "kind is inverse", 'Add settlement = "BTC"'),
    Broken("tick_as_number", f"{STOCK}tick_size = 0.01\n", 4, "instrument[0].tick_size",
           "0.01 (number)", "exact decimal in quotes", '"0.01"'),
    Broken("lot_not_a_decimal", f'{STOCK}lot_size = "one"\n', 4, "instrument[0].lot_size",
           '"one" (text)', "exact decimal", "digits"),
    Broken("tick_with_line_end", f'{STOCK}tick_size = "0.01\\n"\n', 4, "instrument[0].tick_size",
           "0.01", "exact decimal", "digits"),
    Broken("multiplier_zero", f'{STOCK}multiplier = "0"\n', 4, "instrument[0].multiplier",
           '"0" (text)', "a decimal above zero", "Such as"),
    Broken("lot_negative", f'{STOCK}lot_size = "-1"\n', 4, "instrument[0].lot_size",
           '"-1" (text)', "a decimal above zero", "Such as"),
    Broken("grid_too_fine", f'{STOCK}tick_size = "0.00001"\nlot_size = "0.00000001"\n', 4,
           "instrument[0].tick_size", "= 1e-13", "a multiple of 1e-12", "coarser"),
    Broken("instrument_without_symbol", '[[instrument]]\ncurrency = "USD"\n', 1,
           "instrument[0].symbol", "missing", "text in quotes of 1 to 64", "symbol ="),
    Broken("leverage_model_without_leverage", f'{ACCOUNT}margin_model = "leverage"\n', 1,
           "account[0].leverage", "missing", 'margin_model is "leverage"', "Add leverage = 30"),
    Broken("ports_empty", "[ports]\ncontrol = []\n", 2, "ports.control",
           "an empty list", "at least one address", 'Write ["tcp://127.0.0.1:5704"].'),
    Broken("address_of_unknown_kind", '[ports]\norders = ["udp://127.0.0.1:1"]\n', 2,
           "ports.orders[0]", "udp://", '"tcp://127.0.0.1:PORT" or "ipc://PATH"', "Use tcp or ipc"),
    Broken("address_without_port", '[ports]\norders = ["tcp://127.0.0.1"]\n', 2, "ports.orders[0]",
           "tcp://127.0.0.1", "PORT", "a port number"),
    Broken("address_port_too_large", '[ports]\norders = ["tcp://127.0.0.1:65536"]\n', 2,
           "ports.orders[0]", "65536", "from 1 to 65535", "smaller"),
    Broken("address_not_loopback", '[ports]\norders = [\n "ipc://a",\n "tcp://0.0.0.0:7000"]\n', 4,
           "ports.orders[1]", "tcp://0.0.0.0:7000", "loopback",
           'keys new admin, then set [security] keys = "keys"; or use "tcp://127.0.0.1:7000" or'),
    Broken("address_of_any_interface", '[ports]\nalerts = ["tcp://*:5703"]\n', 2,
           "ports.alerts[0]", "tcp://*:5703", "loopback", "riskd keys new"),
    Broken("publisher_not_loopback",
           '[ports]\nticks_connect = ["tcp://10.0.0.1:7"]\n[security]\nkeys = "keys"\n', 2,
           "ports.ticks_connect[0]", "tcp://10.0.0.1:7", "loopback", "publisher_key"),
    Broken("address_twice_in_one_port", '[ports]\norders = ["ipc://a", "ipc://a"]\n', 2,
           "ports.orders[1]", "ipc://a", "each address once; ports.orders has it", "another"),
    Broken("address_of_another_port", '[ports]\n\nticks = ["tcp://localhost:5701"]\n', 3,
           "ports.ticks[0]", "localhost:5701", "ports.orders has it", "another"),
    Broken("ipc_path_too_long", f'[ports]\norders = ["ipc://{"a" * 108}"]\n', 2,
           "ports.orders[0]", "ipc://aaa", "at most 107 bytes", "shorter"),
    Broken("environment_value", "", 0, "prices.stale_after_ms",
           '"soon" (text)', "an integer > 0", "without quotes", file="environment",
           environ={"RISKD_PRICES__STALE_AFTER_MS": "soon"}),
    Broken("environment_unknown_section", "", 0, "RISKD_PORT__ORDERS",
           "names no setting", "RISKD_<SECTION>__<KEY>", 'Did you mean "RISKD_PORTS__ORDERS"?',
           file="environment", environ={"RISKD_PORT__ORDERS": "1"}),
    Broken("environment_address", "", 0, "ports.orders[0]",
           "tcp://10.0.0.1:1", "loopback", "riskd keys new", file="environment",
           environ={"RISKD_PORTS__ORDERS": '["tcp://10.0.0.1:1"]'}),
    Broken("environment_include", "", 0, "include",
           "cannot be read", "a file", "Make the file", file="environment",
           environ={"RISKD_INCLUDE": '["nowhere.toml"]'}),
]  # fmt: skip


def refused(root: Path, environ: Mapping[str, str] = NOBODY) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        load(root, environ)
    assert str(caught.value) == "\n".join(str(problem) for problem in caught.value.problems)
    return caught.value.problems


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_load_broken_configuration_names_its_one_problem(case: Broken, tmp_path: Path) -> None:
    for name, text in {"riskd.toml": case.text, **case.files}.items():
        (tmp_path / name).write_text(text)

    (problem,) = refused(tmp_path / "riskd.toml", case.environ)

    file = case.file if case.file == "environment" else str(tmp_path / case.file)
    assert (problem.file, problem.line, problem.key) == (file, case.line, case.key)
    assert case.found in problem.found
    assert case.expected in problem.expected
    assert case.suggestion in problem.suggestion
    where = f"{file}:{case.line}  " if case.line else f"{file}  "
    assert str(problem).startswith(where)


def test_load_groups_in_a_ring_names_each_of_them(tmp_path: Path) -> None:
    root = tmp_path / "riskd.toml"
    ring = {"a": "b", "b": "c", "c": "a", "below": "a"}
    root.write_text("".join(f'[[group]]\nid = "{g}"\nparent = "{p}"\n' for g, p in ring.items()))

    problems = refused(root)

    # The group that hangs below the ring is not itself in it.
    assert [(problem.line, problem.key) for problem in problems] == [
        (3, "group[0].parent"),
        (6, "group[1].parent"),
        (9, "group[2].parent"),
    ]
    assert all('parent = "firm"' in problem.suggestion for problem in problems)


def test_load_several_problems_in_several_files_reports_all_in_order(tmp_path: Path) -> None:
    root = tmp_path / "riskd.toml"
    root.write_text('include = ["limits.toml"]\n[sweep]\nevery_s = 0\n[[instrument]]\n')
    (tmp_path / "limits.toml").write_text("[default]\nleverage = -1\norder_qantity = 1\n")

    problems = refused(root, {"RISKD_SWEPP__EVERY_S": "1"})

    assert [(Path(problem.file).name, problem.line, problem.key) for problem in problems] == [
        ("riskd.toml", 3, "sweep.every_s"),
        ("riskd.toml", 4, "instrument[0].symbol"),
        ("riskd.toml", 4, "instrument[0].currency"),
        ("limits.toml", 2, "default.leverage"),
        ("limits.toml", 3, "default.order_qantity"),
        ("environment", 0, "RISKD_SWEPP__EVERY_S"),
    ]


def test_load_unreadable_include_does_not_blame_names_it_may_declare(tmp_path: Path) -> None:
    root = tmp_path / "riskd.toml"
    root.write_text('include = ["accounts.toml"]\n[account.A1]\norder_notional = 1\n')
    (tmp_path / "accounts.toml").write_text("[[account]\n")

    (problem,) = refused(root)

    assert (Path(problem.file).name, problem.line) == ("accounts.toml", 1)


def test_load_missing_file_says_so(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path / "absent.toml")

    assert (problem.file, problem.line) == (str(tmp_path / "absent.toml"), 0)
    assert "No such file" in problem.found


def test_load_bytes_that_are_not_text_names_their_line(tmp_path: Path) -> None:
    root = tmp_path / "riskd.toml"
    root.write_bytes(b'env = "x"\n# \xff\n')

    (problem,) = refused(root)

    assert (problem.line, problem.expected) == (2, "UTF-8 text")


def test_load_accounts_after_account_limits_in_one_file_says_the_order(tmp_path: Path) -> None:
    root = tmp_path / "riskd.toml"
    root.write_text(f"[account.A1]\norder_notional = 1\n{ACCOUNT}")

    (problem,) = refused(root)

    assert problem.line == 3
    assert "[[account]] stands before" in problem.suggestion


def test_problem_as_text_is_the_line_a_user_reads() -> None:
    problem = Problem(
        file="limits.toml",
        line=22,
        key="account.A2.order_quantiy",
        place="[account.A2] order_quantiy",
        found="unknown key",
        expected="one of order_quantity, order_notional",
        suggestion='Did you mean "order_quantity"?',
    )

    assert str(problem) == (
        'limits.toml:22  [account.A2] order_quantiy: unknown key. Did you mean "order_quantity"?'
    )
