"""E66: whatever goes wrong, plans end, exits only close, and the books are the venue's."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.engine.response_worlds import ACCOUNT, STEPS, SYMBOLS, World

SEEDS = range(40)  # Fifteen hundred were clean when this was written.


@pytest.mark.parametrize("seed", SEEDS)
def test_plans_come_to_an_end_and_no_exit_does_more_than_close(seed):
    world = World(seed)
    for _ in range(STEPS):
        world.misbehave()
    world.calm_down()
    boards = world.house.core.boards
    assert (world.venue.wrong, world.too_much) == ([], [])
    assert boards.responses.running == {}
    assert boards.responses.exits == {}
    assert boards.outbox.outstanding == {}
    for symbol in SYMBOLS:
        lots = world.house.position(symbol).books.lots
        assert Decimal(lots) == world.venue.held(ACCOUNT, symbol)
