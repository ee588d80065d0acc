"""What accounts share until they use it, and executions as a position keeps them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.account_state import PERIODS, AccountState, PeriodOpening, opened_state
from engine.core import Core
from engine.digest import decode_state, encode_state
from engine.ledger import executions_of, find_execution
from engine.nothing import NOTHING, Shared, forget, own
from riskd.messages import FillBust
from tests.builders import StampedCore, a_core, a_fill, an_account

WRITES: dict[str, Any] = {
    "set": lambda shared: shared.__setitem__("a", 1),
    "delete": lambda shared: shared.__delitem__("a"),
    "or": lambda shared: shared.__ior__({"a": 1}),
    "clear": lambda shared: shared.clear(),
    "pop": lambda shared: shared.pop("a"),
    "popitem": lambda shared: shared.popitem(),
    "default": lambda shared: shared.setdefault("b", 1),
    "update": lambda shared: shared.update(a=1),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_shared_mapping_is_written_to_is_refused(write):
    shared = Shared({"a": 0})
    with pytest.raises(TypeError, match="shared"):
        write(shared)
    assert shared == {"a": 0}


def test_own_of_one_account_leaves_every_other_without_it():
    one, other = (opened_state(an_account(name)) for name in ("A1", "A2"))
    assert one.aliases is other.aliases is NOTHING
    own(one, "aliases")["new"] = "old"
    assert (one.aliases, other.aliases) == ({"new": "old"}, {})
    assert forget(other.aliases, "new") is None
    assert forget(one.aliases, "new") == "old"


def test_state_read_back_shares_what_was_shared_and_keeps_what_was_emptied():
    state = opened_state(an_account())
    own(state, "aliases")
    found = msgspec.json.decode(msgspec.json.encode(state), type=AccountState)
    assert found == state
    assert found.periods is PERIODS
    assert found.amended is NOTHING
    assert found.aliases == {}
    assert found.aliases is not NOTHING  # As it was, so that its bytes are the same again.
    assert msgspec.json.encode(found) == msgspec.json.encode(state)


def test_state_of_an_older_riskd_with_every_default_told_is_read():
    told = msgspec.to_builtins(opened_state(an_account()), order=None)
    told |= {"aliases": {}, "closed_days": [], "unbooked": [], "day_returns": [], "frozen": ""}
    told["periods"] = {key: {"life_money": 0, "symbol": {}} for key in ("day", "week", "month")}
    found = msgspec.convert(told, AccountState)
    assert found.periods == {key: PeriodOpening() for key in ("day", "week", "month")}
    assert found == opened_state(an_account())


def with_executions_told(house: StampedCore) -> StampedCore:
    """Return a house that begins with a state as an older riskd wrote it: executions in full."""
    told = msgspec.json.decode(encode_state(house.core.state()))
    position = told["accounts"]["A1"]["positions"]["X"]
    executions = executions_of(house.position())
    position["executions"] = [msgspec.to_builtins(execution) for execution in executions]
    core = Core()
    core.restore(decode_state(msgspec.json.encode(told)))
    older = StampedCore(core)
    older.stamp = house.stamp
    return older


def test_execution_of_an_older_riskd_is_busted_and_corrected_as_any():
    house = a_core(accounts=(an_account(),))
    for number, price in enumerate((100.0, 110.0, 120.0)):
        house.send(a_fill(f"e-{number}", "buy", 1, price))
    older = with_executions_told(house)
    for one in (house, older):
        one.send(FillBust(account="A1", exec_id="e-1"))
        one.send(a_fill("e-2", "buy", 1, 120.0))  # Known: it changes nothing.
    assert older.position().books == house.position().books
    assert older.position().books.lots == 2
    assert older.position().books.cost_money == 220 * 10**12


def test_execution_is_found_by_its_own_id_and_by_no_other_text_of_it():
    house = a_core(accounts=(an_account(),))
    ids = ('e"1', "e1", 'x\\"e1', "e11")
    for number, exec_id in enumerate(ids):
        house.send(a_fill(exec_id, "buy", 1, 100.0 + number, strategy="e1"))
    for number, exec_id in enumerate(ids):
        found = find_execution(house.position(), exec_id)
        assert found is not None
        assert (found[0], found[1].fill.price) == (number, 100.0 + number)
    assert find_execution(house.position(), "e") is None
    assert find_execution(house.position(), "buy") is None
