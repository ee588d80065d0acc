"""Who plays: an account of each policy's story, what it holds when a crash begins, and its limits.

Each role is written so that the recorded crash carries it over the line of its policy and no other;
the numbers beside the roles say how.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from riskd.messages import Side


class Rest(NamedTuple):
    """A limit order that works when the crash begins, away from the market."""

    symbol: str
    side: Side
    quantity: int
    price: str


class Role(NamedTuple):
    """An account of a story: opened at the first prices of a crash, carried over a line by it."""

    crash: str
    crosses: str  # The step that carries it over its line.
    holds: dict[str, int]
    balance: int
    limits: str
    currency: str = "USD"
    leverage: int = 1
    rests: tuple[Rest, ...] = ()
    order_quantity: int = 1_000_000  # No order, and so no exit, may be larger.
    mode: str = "automatic"
    sampled: bool = False  # Its measure is of samples: time passes between the steps.


LEVELS = "margin_warning_pct = 150\nmargin_critical_pct = 120\nmargin_stopout_pct = 100\n"
FLASH = Role(
    crash="2010-05-06",
    crosses="20100506 14:00 low",
    holds={"SPY": 300, "AAPL": 100},
    balance=13_470,  # Margin is a tenth of what is held: 226 % at the opening, 110 % at the low.
    leverage=10,
    limits=LEVELS,
    rests=(Rest("SPY", Side.BUY, 50, "100"), Rest("AAPL", Side.SELL, 40, "260")),
)
DEFENSIVE = Role(
    crash="2020-03-09",
    crosses="2020-03-09 high",
    holds={"BA": 69, "CCL": 600, "JPM": 163, "SPG": 155, "WMT": 172, "XOM": 375},
    balance=100_000,  # Some 19,000 of each; WMT holds its price while the others lose theirs.
    leverage=2,
    limits="concentration_pct = 25\n",
    rests=(Rest("WMT", Side.BUY, 25, "100"),),
)
ROLES: dict[str, Role] = {
    "margin-critical": FLASH,
    "advice": FLASH._replace(mode="advise", rests=()),
    "margin-stopout": Role(
        crash="2019-01-03",
        crosses="2019-01-03 00:00 low",
        holds={"USDJPY": 100_000, "EURJPY": 50_000},
        balance=1_300_000,  # 190 % at the opening; 97 % at the lows.
        currency="JPY",
        leverage=25,
        limits=LEVELS,
        rests=(Rest("USDJPY", Side.SELL, 40_000, "110"),),
        order_quantity=60_000,
    ),
    "drawdown-high": Role(
        crash="2016-10-07",
        crosses="2016-10-07 02:00 low",
        holds={"GBPUSD": 42_000},
        balance=100_000,  # 42,000 x (1.26216 - 1.14754) is 4.8 % of it.
        limits="drawdown_max_pct = 5\nrisk_per_trade_pct = 2\n",
    ),
    "concentration-medium": DEFENSIVE,
    "correlation-medium": Role(
        crash="2020-02",
        crosses="2020-02-26 close",
        holds={"CVX": 180, "GS": 85, "VZ": 320},
        balance=100_000,  # Some 19,000 of each; what moves together may be 36 % of it unalarmed.
        limits="correlated_exposure_pct = 45\n",
        sampled=True,
    ),
    "any-extreme": DEFENSIVE,
    "daily-loss-high": Role(
        crash="2022-01-21",
        crosses="2022-01-21 21:50 low",
        holds={"BTCUSD": 5},
        balance=200_000,  # 5 x (38,128 - 36,569) is 7,795, past 80 %; 36,426: 8,515, past 90.
        limits="daily_loss = 9000\n",
    ),
}
# Symbol, kind, currency, tick, base, and how far bid and ask are from the middle.
INSTRUMENTS = {
    **{
        symbol: ("linear", "USD", "0.0001", "", Decimal("0.01"))
        for symbol in ("SPY", "AAPL", "BA", "CCL", "JPM", "SPG", "WMT", "XOM", "CVX", "GS", "VZ")
    },
    "GBPUSD": ("fx", "USD", "0.00001", "GBP", Decimal("0.0002")),
    "USDJPY": ("fx", "JPY", "0.001", "USD", Decimal("0.01")),
    "EURJPY": ("fx", "JPY", "0.001", "EUR", Decimal("0.01")),
    "BTCUSD": ("linear", "USD", "0.5", "", Decimal("1")),
}
SETTINGS = """
env = "test"
include = ["{responses}"]
[sessions]
heartbeat_ms = {heartbeat_ms}
instruction_ms = {instruction_ms}
[guards]
dwell_ms = {dwell_ms}
[publish]
heartbeat_ms = 25
[correlation]
sample_ms = 5
samples_min = 8
[orders]
reservation_ms = 3600000
[prices]
stale_after_ms = 3600000
mark_after_ms = 3600000
fx_stale_after_ms = 3600000
[alerts]
escalate_high_ms = 0
escalate_critical_ms = 0
[[calendar]]
id = "NEVER"
roll = "{roll}"
[default]
order_quantity = 1e9
order_notional = 1e12
position_quantity = 1e10
open_orders = 100000
orders_per_second = 1000000
"""


class Times(NamedTuple):
    """The spans of one riskd, in milliseconds: long where nothing is to come late."""

    instruction_ms: int = 120_000
    heartbeat_ms: int = 60_000
    dwell_ms: int = 150


def configuration(accounts: dict[str, Role], times: Times, *, policies: Path, roll: str) -> str:
    """Return the riskd.toml of accounts with these roles; their days begin at `roll`, UTC."""
    told = times._asdict() | {"responses": policies, "roll": roll}
    parts = [SETTINGS.format(**told)]
    for symbol, (kind, currency, tick, base, _) in INSTRUMENTS.items():
        parts.append(f'[[instrument]]\nsymbol = "{symbol}"\nkind = "{kind}"')
        parts.append(f'currency = "{currency}"\ntick_size = "{tick}"\nlot_size = "1"')
        parts.append(f'base = "{base}"' if base else "")
    for name, role in accounts.items():
        parts.append(f'[[account]]\nid = "{name}"\ncurrency = "{role.currency}"')
        parts.append(f'balance = {role.balance}\nmargin_model = "leverage"')
        parts.append(f'leverage = {role.leverage}\nresponse_mode = "{role.mode}"')
        parts.append('calendar = "NEVER"')
    for name, role in accounts.items():
        parts.append(f"[account.{name}]\norder_quantity = {role.order_quantity}\n{role.limits}")
    return "\n".join(parts) + "\n"
