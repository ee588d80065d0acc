"""Everything there is, compared: orders, positions, cash, equity, turnover, groups."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tests.builders import MONEY, StampedCore
from tests.engine.model.market import exact
from tests.engine.model.rules import FIRM
from tests.engine.model.world import World


def agree(house: StampedCore, world: World) -> None:
    """The engine holds what the model counts, exactly."""
    for name in world.books:
        agree_on_orders(house, world, name)
        agree_on_money(house, world, name)
    agree_on_groups(house, world)


def agree_on_orders(house: StampedCore, world: World, name: str) -> None:
    state = house.account(name)
    told = {
        key: (order.state.value, order.leaves_lots, order.filled_lots)
        for key, order in {**state.orders, **state.finished}.items()
    }
    lots = {symbol: exact(x.lot_size) for symbol, x in world.market.instruments.items()}
    expected: dict[str, tuple[str, Any, Any]] = {}
    for (account, key), order in world.orders.items():
        lot = lots.get(order.check.symbol, Fraction(1))
        if account == name:
            expected[key] = order.state, order.leaves() / lot, order.filled / lot
    assert told == expected
    assert bool(state.frozen) is world.frozen[name]


def agree_on_money(house: StampedCore, world: World, name: str) -> None:
    account, books = house.core.accounts[name], world.books[name]
    slack = len(books.fills) if name == "A1" else 0  # Average cost rounds at each close.
    for symbol in world.market.instruments:
        position, slow = account.position(symbol), books.position(symbol)
        lot = world.market.lot(symbol)
        assert position.books.lots * lot == slow.quantity
        assert abs(position.books.cost_money - slow.cost) <= slack
        assert abs(position.books.realized_money - slow.realized) <= slack
        for side, told in (("buy", position.open_buy_lots), ("sell", position.open_sell_lots)):
            assert told * lot == world.leaves(name, symbol, side)
    cash = books.cash()
    for currency in cash.keys() | account.state.cash.keys():
        told = account.state.cash.get(currency, 0)
        assert abs(told - cash[currency] * MONEY) <= slack
    assert account.valuation.refresh() is None
    assert account.valuation.equity_money == books.equity() * MONEY
    assert account.day_pnl_money() == books.day_profit() * MONEY
    turnover = world.converted(world.turnover(name), books.spec.currency)
    assert account.turnover_money() == turnover * MONEY


def agree_on_groups(house: StampedCore, world: World) -> None:
    boards = house.core.boards
    for group in (*boards.groups, FIRM) if boards.group_limits else ():
        total, members = boards.group_totals[group], world.members(group)
        for symbol in world.market.instruments:
            held, lot = total.symbols.get(symbol), world.market.lot(symbol)
            told = (held.upper_lots, held.lower_lots, held.gross_lots) if held else (0, 0, 0)
            worst = [world.worst(name, symbol) for name in members]
            gross = sum(max(map(abs, x)) for x in worst)
            slow = (sum(x[0] for x in worst), sum(x[1] for x in worst), gross)
            assert [*told] == [x / lot for x in slow]
        assert total.open_orders == sum(len([*world.working(name)]) for name in members)
        amounts = [world.turnover(name) for name in members]
        for currency in ("USD", "JPY"):
            slow_traded = sum((x.get(currency, 0) for x in amounts), Fraction(0))
            assert total.turnover.get(currency, 0) == slow_traded * MONEY
