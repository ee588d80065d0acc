"""The world that is measured: shipped limits made wide, so that every check runs and passes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from config.load import load
from riskd.messages import (
    AccountSpec,
    Check,
    Configure,
    Fill,
    InstrumentSpec,
    LimitSet,
    LimitsSpec,
    Message,
    OrderReport,
    OrderStatus,
    RiskSettings,
    Side,
    Tick,
    Universe,
)

WIDER = 10**6  # Amounts and counts of the shipped limits are multiplied by this; percents stay.
BALANCE = 4e6  # Twenty times what its orders come to at worst.
PRICE_TICKS = 10_000  # 100.00, give or take half a percent.
SPREAD_TICKS = 2
FIRST_LOTS = 100
SPAN_MS = 86_400_000  # Prices and reservations stand for a day: no case outlives them.
START_NS = 1_700_000_000_000_000_000


class World:
    """Accounts that each hold some of the symbols, and endless distinct orders from them."""

    def __init__(self, accounts: int, positions: int, *, symbols: int = 50) -> None:
        assert positions <= symbols, "an account holds a symbol once"
        self.accounts = [f"A{number:06d}" for number in range(accounts)]
        self.positions = positions
        self.symbols = [f"S{number:03d}" for number in range(symbols)]
        self._orders = 0
        self._ticks = 0

    def configure(self) -> Configure:
        """Return the configuration of this world, for an engine in this process."""
        universe = Universe(
            settings=RiskSettings(stale_after_ms=SPAN_MS, reservation_ms=SPAN_MS),
            instruments=tuple(InstrumentSpec(symbol=name, currency="USD") for name in self.symbols),
            groups=load(None, {}).universe.groups,
            accounts=tuple(self._account(index) for index in range(len(self.accounts))),
            limits=self.limits(),
        )
        return Configure(universe=universe)

    def limits(self) -> LimitSet:
        """Return every shipped limit, made wide, with one on each symbol as shipped."""
        default = wide_limits()
        narrow = LimitsSpec(position_notional=default["position_notional"])
        return LimitSet(
            default=msgspec.convert(default, LimitsSpec),
            symbol=dict.fromkeys(self.symbols, narrow),
        )

    def symbol(self, account: int, held: int) -> str:
        """Return the symbol of an account's position."""
        return self.symbols[(account * 7 + held) % len(self.symbols)]

    def opening(self) -> Iterator[Message]:
        """Yield what makes the world: a price of every symbol, then a fill a position."""
        for symbol in self.symbols:
            yield self.tick(symbol)
        for number, account in enumerate(self.accounts):
            for held in range(self.positions):
                side = Side.BUY if held % 2 else Side.SELL
                yield Fill(
                    account=account,
                    exec_id=f"x{held}",
                    symbol=self.symbol(number, held),
                    side=side,
                    quantity=float(FIRST_LOTS),
                    price=PRICE_TICKS / 100,
                )

    def tick(self, symbol: str) -> Tick:
        """Return the next tick of a symbol; prices wander within half a percent."""
        self._ticks += 1
        bid_ticks = PRICE_TICKS - 50 + self._ticks * 37 % 100
        return Tick(symbol=symbol, bid=bid_ticks / 100, ask=(bid_ticks + SPREAD_TICKS) / 100)

    def order(self, *, held_max: int | None = None) -> Check:
        """Return the next order: accounts take turns, and each account's positions do."""
        number = self._orders
        self._orders += 1
        turn, account = divmod(number, len(self.accounts))
        held = turn % min(self.positions, held_max or self.positions)
        return Check(
            account=self.accounts[account],
            client_order_id=f"o{number:09d}",
            symbol=self.symbol(account, held),
            side=Side.BUY if number % 2 else Side.SELL,
            quantity=float(1 + number % 97),
            price=(PRICE_TICKS + number % 61 - 30) / 100,
            strategy="market-making",
        )

    def _account(self, index: int) -> AccountSpec:
        group = f"desk-{1 + index % 2}"
        return AccountSpec(id=self.accounts[index], group=group, balance=BALANCE)


def canceled(order: Check) -> OrderReport:
    """Return the venue's word that an order is gone, which releases what it reserved."""
    return OrderReport(
        account=order.account,
        client_order_id=order.client_order_id,
        status=OrderStatus.CANCELED,
        report_id="c",
        leaves_quantity=0.0,
    )


def wide_limits() -> dict[str, Any]:
    """Return the shipped default limits, each amount and count a million times as large."""
    shipped = msgspec.to_builtins(load(None, {}).universe.limits.default)
    return {key: _wide(key, value) for key, value in shipped.items()}


def _wide(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _wide(name, inner) for name, inner in value.items()}
    stays = key.endswith(("_pct", "_ms", "warning", "critical", "hard")) or key == "leverage"
    return value if stays else value * WIDER


def toml_of(world: World) -> str:
    """Return riskd.toml of a world, for a process of its own; addresses come by environment."""
    lines = ['env = "bench"', "[prices]", f"stale_after_ms = {SPAN_MS}"]
    lines += ["[orders]", f"reservation_ms = {SPAN_MS}"]
    for name in world.symbols:
        lines += ["[[instrument]]", f'symbol = "{name}"', 'currency = "USD"']
    lines += [f'[[group]]\nid = "{group.id}"' for group in load(None, {}).universe.groups]
    for account in world.configure().universe.accounts:
        lines += ["[[account]]", f'id = "{account.id}"', f'group = "{account.group}"']
        lines.append(f"balance = {account.balance}")
    limits = world.limits()
    lines += _limits_table("default", limits.default)
    for name, narrow in limits.symbol.items():
        lines += _limits_table(f"symbol.{name}", narrow)
    for name, own in limits.account.items():
        lines += _limits_table(f"account.{name}", own)
    return "\n".join(lines) + "\n"


def _limits_table(name: str, limits: LimitsSpec) -> list[str]:
    table = msgspec.to_builtins(limits)
    return [f"[{name}]", *(f"{key} = {_toml_value(value)}" for key, value in table.items())]


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{key} = {_toml_value(one)}" for key, one in value.items())
        return f"{{{inner}}}"
    return str(value).lower()
