"""Seeded worlds go well, and the auditor would say so if they did not."""

import pytest

from engine.account import Account
from engine.core import Core
from scripts.proof.simulate import Violation, World, reserved_wrong, simulate

SEEDS = range(1, 21)
STEPS = 2000


def play_all() -> None:
    for seed in SEEDS:
        World(seed, STEPS).run()


def test_simulated_worlds_of_twenty_seeds_show_no_violation():
    tally = simulate(SEEDS, STEPS, verbose=False)
    assert tally.is_clean, tally
    assert tally.crashes > 100, tally
    assert tally.approvals > 800, tally
    assert tally.repeats > 800, tally
    assert tally.live_worlds == 5, tally


def test_simulated_world_is_the_same_each_time():
    tallies = [simulate(range(7, 8), 600, verbose=False) for _ in range(2)]
    assert tallies[0] == tallies[1]


def test_simulated_world_with_a_forgetful_house_is_caught(monkeypatch):
    """A restore that forgets one account's working orders: the twin remembers them."""
    restore = Core.restore

    def forgetful(core, state):
        for account in state.accounts.values():
            account.orders.clear()
        restore(core, state)

    monkeypatch.setattr(Core, "restore", forgetful)
    with pytest.raises(Violation, match=r"scripts/simulate --seed \d+ --steps 2000"):
        play_all()


def test_simulated_world_with_a_leaking_reservation_is_caught(monkeypatch):
    """Ended orders keep a lot of what they reserved."""
    whole = Account.set_leaves

    def leaking(account, order, leaves_lots):
        whole(account, order, leaves_lots)
        if leaves_lots == 0:
            account.position_to_change(order.check.symbol).open_buy_lots += 1

    monkeypatch.setattr(Account, "set_leaves", leaking)
    with pytest.raises(Violation, match="reserves"):
        World(1, STEPS).run()


def test_auditor_finds_nothing_wrong_with_an_engine_that_holds_nothing():
    assert [reserved_wrong(account) for account in Core().accounts.values()] == [None]
