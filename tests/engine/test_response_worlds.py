"""E66: whatever goes wrong, plans end, exits only close, and the books are the venue's."""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine.digest import state_digest
from tests.engine.live import Live
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


@pytest.mark.parametrize("seed", SEEDS[:6])
def test_live_system_that_never_fell_goes_through_the_same_world(seed):
    world = World(seed)
    for _ in range(STEPS):
        world.misbehave()
    world.calm_down()
    with Live() as live:
        for message, stamp in world.house.inputs:
            live.send(message, stamp)
        assert state_digest(live.system.state()) == world.house.digest()
