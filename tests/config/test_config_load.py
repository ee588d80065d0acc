"""What a right configuration becomes: the shipped defaults, the documented sample, overrides."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from config.load import Configuration, load
from config.settings import JournalSync, Mark, Settings
from riskd.messages import (
    Configure,
    DuplicateOrders,
    InstrumentKind,
    LimitSet,
    LimitsSpec,
    LimitValue,
    MarginModel,
    OrderRule,
    OrderType,
    ResponseAction,
    ResponseEvent,
    ResponsePolicy,
    Severity,
    Side,
    Universe,
)

# The sample of the design, word for word but for its comments.
RISKD = """
env = "uat"
data_dir = "var/riskd"
include = ["instruments.toml", "accounts.toml", "limits.toml", "responses.toml"]
[ports]
orders = ["tcp://127.0.0.1:5701"]
ticks = ["tcp://127.0.0.1:5702"]
ticks_connect = []
alerts = ["tcp://127.0.0.1:5703"]
control = ["tcp://127.0.0.1:5704"]
[journal]
sync = "interval"
sync_interval_ms = 5
[publish]
publish_ms = 1000
[sweep]
every_s = 60
[prices]
stale_after_ms = 5000
mark = "mid"
"""
INSTRUMENTS = """
[[instrument]]
symbol = "AAPL"
kind = "linear"
currency = "USD"
tick_size = "0.01"
lot_size = "1"
multiplier = "1"
initial_margin = 0.50
maintenance_margin = 0.25
calendar = "XNYS"
"""
ACCOUNTS = """
[[group]]
id = "desk-1"
[[account]]
id = "A1"
group = "desk-1"
currency = "USD"
balance = 100000
position_mode = "netting"
cost_method = "average"
margin_model = "rate"
leverage = 30
response_mode = "advise"
calendar = "XNYS"
"""
LIMITS = """
[default]
order_quantity = 100000
order_notional = 1000
basket_notional = 5000
position_notional = 10000
position_quantity = 100000
gross_exposure = 50000
net_exposure = 50000
currency_exposure = {EUR = 20000}
daily_loss = 5000
drawdown_day_pct = 5
drawdown_week_pct = 8
drawdown_max_pct = 15
concentration_pct = 25
concentration_floor = 5000
leverage = 2
margin_warning_pct = 150
margin_critical_pct = 120
margin_stopout_pct = 100
risk_per_trade_pct = 2
open_orders = 100
turnover = 1000000
price_collar_pct = 5
orders_per_second = 10
cancels_per_second = 100
duplicate_orders = {count = 10, window_ms = 10000}
"""
SAMPLE_DEFAULT = LimitsSpec(
    order_quantity=100_000.0,
    order_notional=1_000.0,
    basket_notional=5_000.0,
    position_notional=10_000.0,
    position_quantity=100_000.0,
    gross_exposure=50_000.0,
    net_exposure=50_000.0,
    currency_exposure={"EUR": 20_000.0},
    daily_loss=5_000.0,
    drawdown_day_pct=5.0,
    drawdown_week_pct=8.0,
    drawdown_max_pct=15.0,
    concentration_pct=25.0,
    concentration_floor=5_000.0,
    leverage=2.0,
    margin_warning_pct=150.0,
    margin_critical_pct=120.0,
    margin_stopout_pct=100.0,
    risk_per_trade_pct=2.0,
    open_orders=100,
    turnover=1_000_000.0,
    price_collar_pct=5.0,
    orders_per_second=10,
    cancels_per_second=100,
    duplicate_orders=DuplicateOrders(count=10, window_ms=10_000),
)


def loaded(folder: Path, text: str, **environ: str) -> Configuration:
    root = folder / "riskd.toml"
    root.write_text(text)
    return load(root, environ)


def assert_is_the_sample(universe: Universe) -> None:
    (instrument,) = universe.instruments
    (account,) = universe.accounts
    assert [group.id for group in universe.groups] == ["desk-1"]
    assert universe.groups[0].parent == "firm"
    assert (instrument.symbol, instrument.kind) == ("AAPL", InstrumentKind.LINEAR)
    assert (instrument.tick_size, instrument.lot_size) == ("0.01", "1")
    assert (instrument.initial_margin, instrument.maintenance_margin) == (0.5, 0.25)
    assert (account.id, account.group, account.balance) == ("A1", "desk-1", 100_000.0)
    assert (account.leverage, account.margin_model) == (30.0, MarginModel.RATE)
    assert universe.limits == LimitSet(default=SAMPLE_DEFAULT)


def test_load_sample_in_four_files_is_what_it_says(tmp_path: Path) -> None:
    texts = {"instruments": INSTRUMENTS, "accounts": ACCOUNTS, "limits": LIMITS, "responses": ""}
    for name, text in texts.items():
        (tmp_path / f"{name}.toml").write_text(text)

    configuration = loaded(tmp_path, RISKD)

    assert_is_the_sample(configuration.universe)
    assert configuration.warnings == ()
    assert configuration.settings.ports.control == ("tcp://127.0.0.1:5704",)
    assert configuration.settings.include[-1] == "responses.toml"


def test_load_sample_in_one_file_is_the_same(tmp_path: Path) -> None:
    settings = "\n".join(line for line in RISKD.splitlines() if not line.startswith("include"))

    configuration = loaded(tmp_path, settings + INSTRUMENTS + ACCOUNTS + LIMITS)

    assert_is_the_sample(configuration.universe)
    assert configuration.warnings == ()


def test_load_sample_settings_are_the_defaults_of_the_types(tmp_path: Path) -> None:
    settings = "\n".join(line for line in RISKD.splitlines() if not line.startswith("include"))

    assert loaded(tmp_path, settings).settings == Settings()


def test_load_without_a_path_gives_the_shipped_defaults() -> None:
    configuration = load(None, {})

    assert msgspec.structs.replace(configuration.settings, include=()) == Settings()
    assert configuration.warnings == ()
    assert configuration.universe.limits.default == SAMPLE_DEFAULT
    assert {str(source) for source in configuration.sources.values()} == {"default"}


def test_load_universe_survives_the_journal() -> None:
    universe = load(None, {}).universe
    record = msgspec.msgpack.encode(Configure(universe=universe))

    assert msgspec.msgpack.decode(record, type=Configure).universe == universe


def test_load_prices_and_orders_settings_reach_the_rules(tmp_path: Path) -> None:
    configuration = loaded(
        tmp_path,
        '[prices]\nstale_after_ms = 1\nmark = "closing"\nlast_after_ms = 2\n'
        'slippage_bps = 3\nfx_pivot = "EUR"\n[orders]\nreservation_ms = 4\n',
    )

    risk = configuration.universe.settings
    assert (risk.stale_after_ms, risk.mark, risk.last_after_ms) == (1, "closing", 2)
    assert (risk.slippage_bps, risk.fx_pivot, risk.reservation_ms) == (3.0, "EUR", 4)


def test_load_limits_of_every_scope_lands_in_its_scope(tmp_path: Path) -> None:
    """In one file TOML nests `[account.A1]` in the `[[account]]` before it: it is a limit still."""
    text = (
        INSTRUMENTS
        + ACCOUNTS
        + "[default]\n[firm]\nturnover = 1\n[group.desk-1]\nturnover = 2\n"
        + "[account.A1]\nturnover = {value = 3, hard = false}\n"
        + "[account.A1.symbol.AAPL]\nturnover = 4\n[strategy.s]\nturnover = 5\n"
        + '[trader."t.t"]\nturnover = 6\n[symbol.AAPL]\nturnover = 7\n'
    )

    limits = loaded(tmp_path, text).universe.limits

    assert limits == LimitSet(
        firm=LimitsSpec(turnover=1.0),
        group={"desk-1": LimitsSpec(turnover=2.0)},
        account={"A1": LimitsSpec(turnover=LimitValue(value=3.0, hard=False))},
        account_symbol={"A1": {"AAPL": LimitsSpec(turnover=4.0)}},
        strategy={"s": LimitsSpec(turnover=5.0)},
        trader={"t.t": LimitsSpec(turnover=6.0)},
        symbol={"AAPL": LimitsSpec(turnover=7.0)},
    )


def test_load_limits_in_their_own_file_reads_the_same_scopes(tmp_path: Path) -> None:
    (tmp_path / "limits.toml").write_text(
        "[account.A1.symbol.AAPL]\nturnover = 4\n[group.desk-1]\nturnover = 2\n"
    )

    limits = loaded(tmp_path, 'include = ["limits.toml"]\n' + INSTRUMENTS + ACCOUNTS)

    assert limits.universe.limits == LimitSet(
        group={"desk-1": LimitsSpec(turnover=2.0)},
        account_symbol={"A1": {"AAPL": LimitsSpec(turnover=4.0)}},
    )


def test_load_without_default_limits_warns_and_an_empty_one_does_not(tmp_path: Path) -> None:
    (warning,) = loaded(tmp_path, "[firm]\nturnover = 1\n").warnings

    assert "[default]" in warning
    assert loaded(tmp_path, "[default]\n").warnings == ()


def test_load_environment_overrides_files_and_defaults(tmp_path: Path) -> None:
    configuration = loaded(
        tmp_path,
        '[ports]\norders = ["ipc://file.sock"]\n[default]\norder_notional = 1\nturnover = 2\n',
        RISKD_PORTS__ORDERS='["ipc://orders.sock", "tcp://[::1]:0"]',
        RISKD_JOURNAL__SYNC="none",
        RISKD_PRICES__MARK='"last"',
        RISKD_ENV="2024",
        RISKD_DEFAULT__ORDER_NOTIONAL="500",
        RISKD_CONFIG="ignored.toml",
        RISKD_CONTEXT="ignored",
        PATH="/bin",
    )

    settings = configuration.settings
    assert settings.ports.orders == ("ipc://orders.sock", "tcp://[::1]:0")
    assert (settings.journal.sync, settings.prices.mark) == (JournalSync.NONE, Mark.LAST)
    assert settings.env == "2024"
    assert configuration.universe.limits.default == LimitsSpec(order_notional=500.0, turnover=2.0)


def test_load_environment_include_replaces_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(INSTRUMENTS)

    configuration = loaded(tmp_path, 'include = ["absent.toml"]\n', RISKD_INCLUDE='["mine.toml"]')

    assert [spec.symbol for spec in configuration.universe.instruments] == ["AAPL"]
    assert str(configuration.sources["include"]) == "RISKD_INCLUDE"


def test_load_sources_tell_default_file_and_environment(tmp_path: Path) -> None:
    (tmp_path / "more.toml").write_text("\n[firm]\nturnover = 1\n[strategy.s]\nturnover = 2\n")
    configuration = loaded(
        tmp_path,
        'include = ["more.toml"]\n[sweep]\n\nevery_s = 5\n' + ACCOUNTS,
        RISKD_LOOP__SPIN_US="7",
    )

    shown = {key: str(source) for key, source in configuration.sources.items()}
    kinds = {key: source.kind for key, source in configuration.sources.items()}
    assert shown["sweep.every_s"] == f"{tmp_path / 'riskd.toml'}:4"
    assert shown["firm.turnover"] == f"{tmp_path / 'more.toml'}:3"
    assert shown["strategy.s.turnover"] == f"{tmp_path / 'more.toml'}:5"
    assert shown["account.A1"] == f"{tmp_path / 'riskd.toml'}:8"
    assert (kinds["loop.spin_us"], shown["loop.spin_us"]) == ("environment", "RISKD_LOOP__SPIN_US")
    assert (kinds["env"], shown["env"]) == ("default", "default")
    assert configuration.settings.loop.spin_us == 7


@pytest.mark.parametrize(
    "ports",
    [
        {"orders": ["tcp://localhost:1", "ipc:///run/riskd/orders"]},
        {"orders": ["tcp://127.0.0.1:0", "tcp://127.0.0.1:0"], "alerts": ["tcp://127.0.0.1:*"]},
        {"ticks": [], "ticks_connect": ["tcp://127.0.0.1:9000"]},
    ],
    ids=["loopback_and_ipc", "free_ports", "ticks_from_publishers_only"],
)
def test_load_addresses_that_let_nobody_in_are_taken(
    ports: dict[str, list[str]], tmp_path: Path
) -> None:
    lines = [f"{name} = {json.dumps(addresses)}\n" for name, addresses in ports.items()]

    taken = loaded(tmp_path, "[ports]\n" + "".join(lines)).settings.ports

    assert {name: list(getattr(taken, name)) for name in ports} == ports


@pytest.mark.parametrize(
    ("tick_size", "lot_size"),
    [("0.01", "1"), ("1e-4", "0.00000001"), ("0.5", "0.000000000002"), ("1", "1e-12")],
)
def test_load_grid_at_the_unit_of_money_is_taken(
    tick_size: str, lot_size: str, tmp_path: Path
) -> None:
    text = f'[[instrument]]\nsymbol = "X"\ncurrency = "USD"\ntick_size = "{tick_size}"\n'

    (spec,) = loaded(tmp_path, f'{text}lot_size = "{lot_size}"\n').universe.instruments

    assert (spec.tick_size, spec.lot_size) == (tick_size, lot_size)


def test_load_inverse_grid_is_not_judged(tmp_path: Path) -> None:
    """Its value is a quotient, so no grid would make it exact."""
    text = (
        '[[instrument]]\nsymbol = "X"\ncurrency = "USD"\nkind = "inverse"\nsettlement = "BTC"\n'
        'tick_size = "1e-9"\nlot_size = "1e-9"\n'
    )

    assert len(loaded(tmp_path, text).universe.instruments) == 1


def test_permissions_are_read_with_their_rules(tmp_path):
    path = tmp_path / "riskd.toml"
    path.write_text(
        '[permissions]\ndefault = "deny"\nstrategies = ["mm"]\n'
        '[[permissions.restricted]]\nside = "sell"\nreason = "no shorts"\n'
        '[[permissions.permitted]]\naccount = "A1"\norder_type = "limit"\n'
        '[[account]]\nid = "A1"\n'
    )
    found = load(path, {}).universe.permissions
    assert (found.default, found.strategies, found.traders) == ("deny", ("mm",), None)
    assert found.restricted == (OrderRule(side=Side.SELL, reason="no shorts"),)
    assert found.permitted == (OrderRule(account="A1", order_type=OrderType.LIMIT),)


def test_responses_are_the_shipped_ones_until_a_row_is_declared(tmp_path):
    path = tmp_path / "riskd.toml"
    path.write_text("")
    shipped = load(path, {}).universe.responses
    assert [row.id for row in shipped] == [
        "margin-critical",
        "margin-stopout",
        "daily-loss-high",
        "drawdown-high",
        "concentration-medium",
        "correlation-medium",
        "any-extreme",
    ]
    assert load(None, {}).universe.responses == shipped
    path.write_text(
        '[[response]]\nid = "mine"\nevent = "daily_loss"\nseverity = "high"\n'
        'action = "monitor"\nbreaker = "reduce_only"\ncooling_ms = 1000\n'
    )
    assert load(path, {}).universe.responses == (
        ResponsePolicy(
            id="mine",
            event=ResponseEvent.DAILY_LOSS,
            severity=Severity.HIGH,
            action=ResponseAction.MONITOR,
            breaker="reduce_only",
            cooling_ms=1000,
        ),
    )
