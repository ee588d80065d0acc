"""An account that is given its own state, in parts, as bytes, goes on as if nothing was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.account_state import encode_account
from engine.core import Core, Input
from engine.digest import encode_state, state_digest
from engine.facts import Stamp
from riskd.codec import encode_msgpack
from riskd.messages import AccountRebuilt, Elapse, StateDigest
from tests.engine.live import Live
from tests.engine.random_inputs import Inputs

COUNT = 700
CUTS = (100, 400, 650)
PARTS = 3
NOTHING = StateDigest(at_seq=1, state_hash="")  # Changes nothing but the seq.


def parts_of(core: Core, account: str) -> list[AccountRebuilt]:
    """The records that put an account's present state in its own place."""
    state = encode_account(core.accounts[account].state).decode()
    size = -(-len(state) // PARTS)
    return [
        AccountRebuilt(
            account=account, part=part, parts=PARTS, state=state[part * size : (part + 1) * size]
        )
        for part in range(PARTS)
    ]


def comparable(core: Core) -> Any:
    """A state but for where the floats of an account's row count from: adopting is a new start.

    An equity that stands at its peak is seen there again, at that instant.
    """
    tree = json.loads(encode_state(core.state()))
    for account in tree["accounts"].values():
        water = account["water"]
        for span in [water, *(water.get(name) or {} for name in ("day", "week", "life"))]:
            for name in ("base_money", "peak_ns"):
                span.pop(name, None)
        for name in ("slack_money", "sizes"):  # Whoever is adopted is looked at.
            water.pop(name, None)
    return tree


def stamped(message: Input, stamp: Stamp, later: int) -> tuple[Input, Stamp]:
    return message, stamp._replace(seq=stamp.seq + later)


@pytest.mark.parametrize("seed", range(5))
def test_rebuilt_from_its_own_state_an_account_answers_as_before(seed):
    """One engine adopts, its twin gets records that do nothing, the actors do as the first."""
    adopting, twin = Core(), Core()
    later = 0
    with Live() as live:
        for message, stamp in Inputs(seed).draw(COUNT):
            if stamp.seq in CUTS:
                core_state = adopting.state()  # What the book knows is settled into the accounts.
                assert core_state.accounts
                for account in ("A1", "A2", "A3"):
                    for part in parts_of(adopting, account):
                        later += 1
                        at = stamp._replace(seq=stamp.seq + later - 1, session=0)
                        adopting.apply(part, at)
                        live.send(part, at)
                        twin.apply(NOTHING, at)
            asked = stamped(message, stamp, later)
            answers: list[Any] = [engine.apply(*asked) for engine in (adopting, twin)]
            answers.append(live.send(*asked))
            told = {encode_msgpack(answer) for answer in answers}
            assert len(told) == 1, message
        assert state_digest(live.system.state()) == state_digest(adopting.state())
        assert comparable(adopting) == comparable(twin)
        assert live.failed == []
    assert adopting.due_ns() == twin.due_ns() or isinstance(asked[0], Elapse)


def test_rebuilt_account_leaves_no_row_of_the_book_behind():
    core = Core()
    for message, stamp in Inputs(1).draw(300):
        core.apply(message, stamp)
    rows = len(core.watch._owners)
    for number, part in enumerate(parts_of(core, "A1"), 301):
        core.apply(part, core.stamp._replace(seq=number, session=0))
    assert len(core.watch._owners) == len(core.watch._holdings._told) == rows


def test_rebuilt_state_of_which_a_part_is_missing_changes_nothing():
    core = Core()
    for message, stamp in Inputs(1).draw(300):
        core.apply(message, stamp)
    before = encode_account(core.accounts["A1"].state)
    first, _, last = parts_of(core, "A1")
    for number, part in enumerate((first, last, first), 301):
        core.apply(part, core.stamp._replace(seq=number, session=0))
    assert encode_account(core.accounts["A1"].state) == before
