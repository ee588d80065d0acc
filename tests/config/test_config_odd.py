"""Odd values in every place of a configuration: nothing but `ConfigError` ever leaves."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from config.errors import ConfigError
from config.load import Configuration, load
from riskd.messages import Universe

ODD_VALUES = (
    "1", "-1", "nan", "-inf", "1e300", "true", '""', '" "', '"x"', '"1e-99"', "[]", "[[]]", "[1]",
    "{}", "{a = 1}", "{value = 1}", "1979-05-27", '"\\u0000"', '["\\u0000"]', "9" * 30,
)  # fmt: skip
LINES = """\
env = "x"
data_dir = "x"
include = []
[ports]
orders = ["ipc://x"]
ticks_connect = []
[journal]
sync = "none"
[sweep]
every_s = 1
[[instrument]]
symbol = "BTCUSD"
kind = "fx"
base = "BTC"
currency = "USD"
settlement = "BTC"
tick_size = "1"
initial_margin = 1
stale_after_ms = 1
[[group]]
id = "d"
parent = "firm"
[[account]]
id = "A1"
group = "d"
balance = 1
leverage = 1
[default]
order_notional = 1
currency_exposure = {EUR = 1}
open_orders = 1
[account.A1]
turnover = 1
symbol = {BTCUSD = {turnover = 1}}
[trader.t]
margin_stopout_pct = 1
""".splitlines()


def load_or_problems(root: Path) -> Configuration | ConfigError:
    try:
        return load(root, {})
    except ConfigError as error:
        return error


@pytest.mark.parametrize("index", [i for i, line in enumerate(LINES) if "=" in line])
def test_load_any_odd_value_anywhere_loads_or_is_a_problem(index: int, tmp_path: Path) -> None:
    root = tmp_path / "riskd.toml"
    key = LINES[index].partition(" = ")[0]
    for value in ODD_VALUES:
        root.write_text("\n".join([*LINES[:index], f"{key} = {value}", *LINES[index + 1 :]]))

        outcome = load_or_problems(root)

        if isinstance(outcome, ConfigError):
            assert all(problem.line > 0 and problem.suggestion for problem in outcome.problems)
        else:
            record = msgspec.msgpack.encode(outcome.universe)
            assert msgspec.msgpack.decode(record, type=Universe) == outcome.universe


def test_load_without_odd_values_is_right(tmp_path: Path) -> None:
    """Otherwise the test above would look at nothing but one problem that is always there."""
    (tmp_path / "riskd.toml").write_text("\n".join(LINES))

    assert load(tmp_path / "riskd.toml", {}).warnings == ()
