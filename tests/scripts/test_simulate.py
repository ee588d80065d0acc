"""Seeded worlds go well, and the auditor would say so if they did not."""

from random import Random

import pytest

from engine.account import Account
from engine.breakers import BreakerBoard
from engine.core import Core
from scripts.proof import houses
from scripts.proof.auditor import reserved_wrong
from scripts.proof.damage import places
from scripts.proof.houses import HOUSES, DiskHouse, House, LiveHouse
from scripts.proof.simulate import Violation, World, simulate
from tests.engine.random_inputs import Inputs
from transport import process_replay
from transport.journal_format import RECORD_BYTES

SEEDS = range(1, 21)
STEPS = 2000
FLIPS = 7  # Seed of a fall that tears nothing and flips a bit.
HOUSE, LIVE, DISK = 2, 1, 3  # Seeds of each.
MOVES = (
    *("Check", "Amend", "Basket", "OrderReport", "Fill", "FillBust", "FillCorrect", "Transfer"),
    *("Tick", "Ticks", "MarketState", "Elapse", "DayBegan", "Configure", "AccountAdd"),
    *("Kill", "Unkill", "Trip", "Reset", "Override", "Reduce", "ResponseStop", "Rearm"),
    *("Hello", "Resynced", "SessionLost", "InstructionReport", "AccountUpdate", "InstrumentUpdate"),
    *("LimitsSet", "LimitsPropose", "LimitsApprove", "LimitsReject", "AlertAck", "Sweep"),
)


def play_all():
    for seed in SEEDS:
        World(seed, STEPS).run()


def test_simulated_worlds_of_twenty_seeds_show_no_violation():
    tally = simulate(SEEDS, STEPS, verbose=False)
    assert tally.is_clean, tally
    assert tally.falls > 100, tally
    assert tally.torn > 5, tally
    assert tally.refused > 5, tally
    assert tally.approvals > 800, tally
    assert tally.repeats > 800, tally
    assert tally.responses > 100, tally
    assert tally.instructions > 200, tally
    assert min(tally.taken.get(name, 0) for name in MOVES) > 5, tally


@pytest.mark.parametrize("seed", [86, 97])
def test_simulated_world_that_a_start_from_a_snapshot_once_changed_shows_no_violation(seed):
    """A group held two lines where one was made anew; a running plan was gone on with."""
    World(seed, STEPS).run()


@pytest.mark.parametrize(("seed", "house"), [(HOUSE, House), (LIVE, LiveHouse), (DISK, DiskHouse)])
def test_simulated_world_is_the_same_each_time_in_each_house(seed, house):
    assert HOUSES[seed % len(HOUSES)] is house
    tallies = [simulate(range(seed, seed + 1), 300, verbose=False) for _ in range(2)]
    assert tallies[0] == tallies[1]


def test_record_that_nothing_vouches_for_may_look_torn_and_one_before_it_may_not(monkeypatch):
    """A seed met a bit that flipped in the newest record just after its sync."""
    flipped = [-1]

    def flip(house: DiskHouse, _: Random) -> None:
        path, offset, _bytes = places(house._root / "journal")[flipped[0]]
        blob = bytearray(path.read_bytes())
        blob[offset + RECORD_BYTES] ^= 1
        path.write_bytes(blob)

    monkeypatch.setattr(DiskHouse, "_flip", flip)
    inputs = [*Inputs(1).draw(40)]
    house = DiskHouse(inputs)
    for one in inputs:
        house.take(*one)
    house._sync()
    assert house.fall(Random(FLIPS)) == 39
    assert house.refused == 0
    house.take(*inputs[39])
    house._sync()
    assert house.fall(Random(FLIPS)) == 39
    flipped[0] = -3
    house.take(*inputs[39])
    house._sync()
    assert house.fall(Random(FLIPS)) == 40
    assert house.refused == 1
    house.close()


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


@pytest.mark.parametrize("seed", [HOUSE, LIVE, DISK])
def test_simulated_world_whose_start_begins_empty_is_caught_in_each_house(monkeypatch, seed):
    recover = process_replay.recover_books

    def empty(journal):
        recovery = recover(journal)
        recovery.replay.core = Core()
        return recovery

    monkeypatch.setattr(House, "_recovered", lambda house, random: Core())
    monkeypatch.setattr(houses, "recover_books", empty)
    with pytest.raises(Violation, match="its twin"):
        World(seed, STEPS).run()


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


def test_simulated_world_in_which_a_kill_lets_pass_what_reduces_is_caught(monkeypatch):
    monkeypatch.setattr(BreakerBoard, "killing", lambda board, keys: None)
    with pytest.raises(Violation, match="killed account"):
        play_all()


def test_auditor_finds_nothing_wrong_with_an_engine_that_holds_nothing():
    assert [reserved_wrong(account) for account in Core().accounts.values()] == [None]
